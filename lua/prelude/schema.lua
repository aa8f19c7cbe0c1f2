-- SPDX-License-Identifier: GPL-2.0-or-later
-- Every field a zone, a device and a board can have: its kind, unit, default, range, a sentence and an example.
-- Data only. hvsh.validate checks tables against it; help, completion and the manual read it.
--
-- A type is a table with `kind`:
--   integer {min,max} · size {min} (bytes, or "512M") · address · string {max} · path · boolean · mac · bdf
--   enum {values} · numbers {min,max,all} (a list, or "2-3,5"; all: also "all") · range (first, last)
--   texts {max} (a list) · lent (numbers, or a list of names, or "all")
--   record {fields} · list {of} · some {of} (one record or a list) · image {fields} (a path or a record)
--   region (a region's name or number) · devices · board
--   bytes {max} (a text of any bytes) · duration {min,max} (ns, or "10s") · function
--   extent (first, how many) · part (of all: above 0, up to 1) · data (texts, numbers, booleans, and tables of them)
--   passthrough {fields} (devices of the machine's tree) · given (a list of those) · rates (of their clocks)
-- A field is a type with name, doc, example and, where they apply, required, default, unit, arch.
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"

local schema = {}

local policy_limits = core.policy_limits

local U32 = 0xffffffff

local function record(fields)
	for _, field in ipairs(fields) do fields[field.name] = field end
	return { kind = "record", fields = fields }
end

local function field(name, kind, doc, more)
	local f = more or {}
	f.name, f.kind, f.doc = name, kind, doc
	if kind == "size" then f.unit = "bytes" end
	if kind == "address" then f.unit = "address" end
	return f
end

-- A field whose type is a record: the record's fields are added to it.
local function nested(name, type, doc, more)
	local f = field(name, type.kind, doc, more)
	f.fields, f.of, f.both = type.fields, type.of, type.both
	return f
end

local function list(of) return { kind = "list", of = of } end
local function some(of) return { kind = "some", of = of } end

local function window(size_min)
	return record {
		field("at", "address", "Where it begins.", { required = true, example = "0x8000000" }),
		field("size", "size", "How long it is.", { required = true, min = size_min or 0, example = '"64K"' }),
	}
end

-- ---- memory

local function memory(first)
	local fields = {
		field("at", "address", "Guest address at which the zone sees it.", { required = true, example = "0x50000000" }),
		field("size", "size", "How much.", { required = true, min = 1, example = '"768M"' }),
		field("phys", "address", "Physical address behind it.", { default = "the same as at", example = "0x50000000" }),
		field("name", "string", "What messages and the memory map call it.", { max = 63, example = '"uart0"' }),
		field("shared", "boolean", "It may overlap what another zone calls shared, too.", { default = false, example = "true" }),
	}
	if first then table.insert(fields, 1, first) end
	return record(fields)
end

local ram = memory()
local mmio = memory()
local region = memory(field("type", "enum", "What kind of memory: RAM, device registers, or virtio register windows.", {
	values = { "ram", "io", "virtio" }, required = true, example = '"ram"',
}))

-- ---- what is loaded

local function image(more)
	local fields = {
		field("image", "path", "The file; false when nothing is to be loaded. Relative to the script's folder.",
			{ required = true, off = true, example = '"Image"' }),
		field("at", "address", "Guest address to load it at.", { default = "a fitting place in RAM", example = "0x50400000" }),
		field("phys", "address", "Physical address to load it at, instead of at.", { example = "0x50400000" }),
	}
	for _, f in ipairs(more or {}) do fields[#fields + 1] = f end
	local type = record(fields)
	type.kind = "image"
	return type
end

local format = field("format", "enum", "What the file is.", {
	values = { "auto", "raw", "elf", "linux" }, default = "auto: what its first bytes say", example = '"raw"',
})

local kernel = image {
	field("cmdline", "string", "The kernel's command line: replaces the bootargs of the device tree.",
		{ max = 4095, example = '"console=hvc0 root=/dev/vda rw"' }),
	format,
}

local module = image {
	field("name", "string", "What messages call it.", { max = 47, example = '"ramdisk"' }),
}

-- ---- interrupt controllers

local gicc = window()
table.insert(gicc.fields, field("offset", "size", "From gicc to the page that the guest uses.", { default = 0, min = 0, example = "0xf000" }))
gicc.fields.offset = gicc.fields[#gicc.fields]

schema.gic = record {
	field("version", "integer", "GIC architecture version.", { min = 2, max = 3, required = true, example = "3" }),
	nested("gicd", window(1), "Distributor.", { required = true, example = '{at = 0x8000000, size = "64K"}' }),
	nested("gicr", window(), "Redistributors of all CPUs (version 3).", { example = "{at = 0x80a0000, size = 0xf60000}" }),
	nested("its", window(), "Interrupt translation service (version 3).", { example = '{at = 0x8080000, size = "128K"}' }),
	nested("gicc", gicc, "CPU interface (version 2).", { example = '{at = 0xf9020000, size = "128K", offset = 0xf000}' }),
	nested("gich", window(), "Hypervisor interface (version 2).", { example = '{at = 0xf9040000, size = "128K"}' }),
	nested("gicv", window(), "Virtual CPU interface (version 2).", { example = '{at = 0xf9060000, size = "128K"}' }),
}

local function controllers()
	return nested("gic", schema.gic, "The interrupt controller.",
			{ arch = "arm64", default = "the board's", example = "{version = 3, gicd = {…}, gicr = {…}}" }),
		nested("plic", window(), "The platform-level interrupt controller.",
			{ arch = "riscv64", default = "the board's", example = '{at = 0xc000000, size = "64M"}' }),
		nested("aplic", window(), "The advanced platform-level interrupt controller.",
			{ arch = "riscv64", default = "the board's", example = "{at = 0xd000000, size = 0x8000}" })
end

-- ---- PCI

local function pci_window()
	return record {
		field("at", "address", "CPU address.", { required = true, example = "0x10000000" }),
		field("size", "size", "How long it is.", { required = true, min = 0, example = "0x2eff0000" }),
		field("pci", "address", "PCI address behind it.", { default = "the same as at", example = "0x10000000" }),
	}
end

local pci_bus = record {
	nested("ecam", window(), "Configuration space.", { required = true, example = '{at = 0x4010000000, size = "256M"}' }),
	nested("io", pci_window(), "I/O ports.", { example = "{at = 0x3eff0000, size = 0x10000, pci = 0}" }),
	nested("mem32", pci_window(), "32-bit memory.", { example = "{at = 0x10000000, size = 0x2eff0000}" }),
	nested("mem64", pci_window(), "64-bit memory.", { example = '{at = 0x8000000000, size = "512G"}' }),
	field("bus_range", "range", "First and last bus number.",
		{ min = 0, max = U32, default = "as many as ecam has room for", example = "{0, 0x1f}" }),
	field("domain", "integer", "PCI domain.", { min = 0, max = 255, default = 0, example = "0" }),
}

local pci_device = record {
	field("at", "bdf", "Its address on the machine.", { required = true, example = '"06:00.1"' }),
	field("as", "bdf", "The address at which the zone sees it.", { default = "the same as at", example = '"00:02.0"' }),
	field("type", "integer", "hvisor's device type.", { min = 0, max = U32, default = 0, example = "0" }),
	field("domain", "integer", "PCI domain, where at does not say it.", { min = 0, max = 255, default = 0, example = "0" }),
}
pci_device.kind, pci_device.short = "image", "at"

local pci = record {
	nested("buses", list(pci_bus), "Root buses the zone uses.", { example = "{{ecam = {…}, mem32 = {…}}}" }),
	nested("devices", list(pci_device), "Devices given to the zone.", { example = '{"00:11.0", {at = "06:00.1", as = "00:02.0"}}' }),
}

-- ---- channels between zones, x86, UEFI

local ivc = record {
	field("id", "integer", "Number of the channel, the same in every zone on it.", { min = 0, max = U32, required = true, example = "0" }),
	field("peer", "integer", "This zone's number on the channel.", { min = 0, max = U32, required = true, example = "1" }),
	field("control", "address", "Guest address of the control table.", { required = true, example = "0x70000000" }),
	field("shared", "address", "Guest address of the shared memory.", { required = true, example = "0x70001000" }),
	field("rw_size", "size", "Section that everyone may write.", { min = 0, max = U32, default = 0, example = '"4K"' }),
	field("out_size", "size", "Section that only its owner may write, one per peer.", { min = 0, max = U32, required = true, example = '"4K"' }),
	field("irq", "integer", "Interrupt that tells this zone of news.", { min = 0, max = U32, required = true, example = "66" }),
	field("peers", "integer", "How many zones are on the channel.", { min = 0, max = U32, required = true, example = "2" }),
}

local place = record {
	field("at", "address", "Guest address.", { example = "0xc000" }),
	field("phys", "address", "Physical address.", { default = "what lies behind at", example = "0x4030c000" }),
}

-- Both addresses may be given: hvisor is told the one, the file is loaded at the other.
local function x86_image()
	local type = image()
	type.both = true
	return type
end

local x86 = record {
	nested("ioapic", window(), "I/O APIC.", { default = "the board's", example = '{at = 0xfec00000, size = "4K"}' }),
	nested("boot", x86_image(), "First code, in real mode.", { example = '{image = "boot.bin", at = 0x8000}' }),
	nested("setup", x86_image(), "The kernel's real-mode set-up code.", { example = '{image = "setup.bin", at = 0xd000}' }),
	nested("initrd", x86_image(), "Initial RAM disk.", { example = '{image = "initrd.gz", at = 0x15300000}' }),
	nested("cmdline", place, "Where kernel.cmdline is written.", { example = "{at = 0xc000}" }),
	field("kernel_gpa", "address", "Guest address of the kernel's 64-bit or 32-bit entry.", { example = "0x100000" }),
	field("rsdp_region", "region", "Region for the ACPI root pointer: its name, or its number from 0.", { default = 0, example = '"rsdp"' }),
	field("acpi_region", "region", "Region for the ACPI tables.", { default = 0, example = '"acpi"' }),
	field("uefi_region", "region", "Region for the UEFI memory map.", { default = 0, example = '"uefi"' }),
	field("screen_base", "address", "Frame buffer.", { default = 0, example = "0x70000000" }),
}

local uefi = record {
	nested("memory_map", window(), "The UEFI memory map.", { required = true, example = '{at = 0x50000000, size = "4K"}' }),
	field("system_table", "address", "The UEFI system table.", { required = true, example = "0x50001000" }),
}

-- ---- devices of the machine

local dtb = image {
	field("patch", "boolean", "The file's memory and virtio,mmio nodes are made to say what the zone has.", { default = false, example = "true" }),
	field("stdout", "string", "The guest's first console: stdout-path of the tree.", { max = 255, example = '"serial0:115200n8"' }),
}

local passthrough = record {
	field("devices", "given", "Paths, &labels or aliases of the machine's tree, or {compatible = …} for all enabled ones that are. "
		.. "They may stand in passthrough itself.", { example = '{"/soc/ethernet@ff3f0000", "&uart_AO", {compatible = "arm,mali-g31"}}' }),
	field("tree", "path", "The machine's device tree.", { default = "the board's, or what the machine runs with", example = '"board.dtb"' }),
	field("rates", "rates", "Rates of clocks that stay with the root zone: device, clock by name or number, and Hz.",
		{ default = "those the machine's clocks have", example = '{["&uart_AO"] = {baud = "24M"}}' }),
	field("accept", "texts", "Nodes with which there is a conflict that is accepted: they share a page or a provider with what is given away.",
		{ example = '{"/soc/pinctrl@40"}' }),
	field("coalesce", "boolean", "Regions are widened to 2 MiB.", { default = false, example = "true" }),
}
passthrough.kind = "passthrough"

-- ---- virtio devices

-- What every device has; the rest are the options of its type.
schema.device_common = record {
	field("at", "address", "Guest address of the register window.", { default = "a free slot of the board", example = "0xa003600" }),
	field("size", "size", "Length of the register window.", { default = 0x200, min = 0x100, example = "0x200" }),
	field("irq", "integer", "Interrupt number.", { min = 0, max = U32, default = "the slot's", example = "75" }),
	field("enabled", "boolean", "false: the device is left out.", { default = true, example = "false" }),
}

local function ids(name, what)
	return field(name, "lent", "Which of the host's " .. what .. ' the zone may use, by number, name or reference; "all" for every one.',
		{ min = 0, max = U32, all = true, example = '{"uart0", "/soc/serial@3000:baud"}' })
end

local custom_queue = record {
	field("size", "integer", "Entries, a power of two.", { min = 4, max = 1024, default = 64, example = "64" }),
	field("request", "function", "Called with each of the guest's requests: device, the bytes it wrote, how many it has room for. Gives the answer's bytes.",
		{ example = "function(dev, out, room) return out:sub(1, room) end" }),
	field("receive", "boolean", "The guest's buffers wait for device:send.", { default = false, example = "true" }),
}

-- What prelude/policy.lua takes, in a definition. ops: the kinds of requests such a device has.
local function policy(example, ops, ...)
	local kinds = '"' .. table.concat(ops, '", "') .. '"'
	local type = record {
		field("decide", "function", "Called with each request; says what becomes of it. It stays in the process that reads the script.",
			{ example = 'function(r) return "deny" end' }),
		field("file", "path", "Instead of decide: a script that returns the function.", { example = '"readonly.lua"' }),
		field("args", "data", "What the file gets: a list.", { example = '{"52:54:00:10:10:10"}' }),
		field("isolate", "enum", "Where the file decides: in a Lua state of its own, or in a process of its own.",
			{ values = { "state", "process" }, default = "state", example = '"process"' }),
		field("memory", "size", "What the file may use.", { min = policy_limits.memory_min, max = policy_limits.memory_process_max,
			default = core.size_text(policy_limits.memory_state_max), example = '"1M"' }),
		field("deadline", "duration", "What the file may compute for one decision.", { min = 1, max = policy_limits.deadline_max,
			default = core.duration_text(policy_limits.deadline), example = '"2ms"' }),
		field("ops", "texts", "The requests it is for: " .. kinds .. ".", { default = "all", max = #ops, example = ('{"%s"}'):format(ops[1]) }),
		field("sample", "part", "It only looks on, at this part of all requests.", { example = "0.01" }),
		field("queue", "integer", "Requests that may wait for it.", { min = 1, max = policy_limits.queue_max, default = 256, example = "64" }),
		field("timeout", "duration", "How long a request waits for it.", { min = 1, default = "1s", example = '"50ms"' }),
		field("on_overload", "enum", "What becomes of a request for which there is no room, or no answer in time.",
			{ values = { "pass", "deny", "stall" }, default = "deny", example = '"pass"' }),
		field("on_error", "enum", "What becomes of a request at which the function fails.",
			{ values = { "pass", "deny" }, default = "as on_overload", example = '"pass"' }),
		...
	}
	local f = nested("policy", type, "Decides about its requests, from the first one on (hvsh-lua(7), device:policy).", { example = example })
	f.ops = ops
	return f
end

schema.devices = {
	blk = record {
		field("image", "path", "Disk image or block device.", { required = true, example = '"rootfs.ext4"' }),
		field("readonly", "boolean", "The guest may not write.", { default = false, example = "true" }),
		field("overlay", "path", "Writes go to this file, image stays as it is.", { example = '"changes.img"' }),
		field("snapshot", "boolean", "Writes are forgotten when the zone stops.", { default = false, example = "true" }),
		field("serial", "string", "Serial number the guest sees.", { max = 20, example = '"root-1"' }),
		field("queues", "integer", "Request queues.", { min = 1, max = 8, default = 1, example = "2" }),
		field("queue_size", "integer", "Entries of a queue, a power of two.", { min = 4, max = 1024, default = 256, example = "128" }),
		field("block_size", "integer", "Bytes of a block, as the guest sees it.", { min = 512, max = 4096, default = "the disk's own", example = "4096" }),
		field("direct", "boolean", "Past the host's page cache.", { default = false, example = "true" }),
		policy('{ops = {"write"}, file = "readonly.lua"}', { "read", "write", "flush", "discard", "zero" },
			field("sectors", "extent", "Only requests that touch these: the first one, and how many.", { default = "all", example = "{0, 2048}" })),
	},
	net = record {
		field("tap", "string", "TAP device on this side.", { max = 15, example = '"tap0"' }),
		field("switch", "string", "Instead of a TAP: a switch inside hvsh, joined by name.", { max = 31, example = '"lan"' }),
		field("bridge", "string", "Host bridge the TAP is put into.", { max = 15, example = '"br0"' }),
		field("mac", "mac", "Hardware address.", { default = "made from the names of zone and device", example = '"52:54:00:10:10:10"' }),
		field("mtu", "integer", "Largest packet.", { min = 68, max = 65535, unit = "bytes", default = 1500, example = "9000" }),
		field("queues", "integer", "Queue pairs.", { min = 1, max = 7, default = 1, example = "2" }),
		field("queue_size", "integer", "Entries of a queue, a power of two.", { min = 4, max = 1024, default = 512, example = "256" }),
		policy('{ops = {"out"}, file = "filter.lua"}', { "out", "in" }),
	},
	console = record {
		field("log", "path", "File that keeps the output.", { example = '"/var/log/hvsh/linux1.log"' }),
		field("log_max", "size", "At this length the file becomes FILE.1 and a new one begins.", { min = 4096, default = "never", example = '"8M"' }),
		field("log_keep", "integer", "How many old files are kept.", { min = 0, max = 1000, default = 0, example = "4" }),
		field("pty", "boolean", "A pseudo-terminal as well.", { default = false, example = "true" }),
		field("pty_link", "path", "Symbolic link to the pseudo-terminal.", { example = '"/run/hvsh/linux1-console"' }),
		field("scrollback", "size", "How much output is kept for those who come later.", { min = 4096, max = 256 << 20, default = 256 << 10, example = '"1M"' }),
		field("ports", "texts", "Byte channels besides the console, by name: /dev/virtio-ports/NAME in the guest.", { max = 6, example = '{"org.example.agent"}' }),
		field("columns", "integer", "Width the guest is told.", { min = 1, max = 65535, unit = "characters", example = "80" }),
		field("rows", "integer", "Height the guest is told.", { min = 1, max = 65535, unit = "characters", example = "25" }),
		policy('{ops = {"out"}, file = "filter.lua"}', { "out", "in" }),
	},
	gpu = record {
		field("width", "integer", "Width of the screen.", { min = 1, max = 16384, unit = "pixels", default = "the display's own, or 1280", example = "1280" }),
		field("height", "integer", "Height of the screen.", { min = 1, max = 16384, unit = "pixels", default = "the display's own, or 800", example = "800" }),
		field("screens", "integer", "How many screens.", { min = 1, max = 16, default = 1, example = "2" }),
		field("memory", "size", "How much the guest may fill with pictures.", { min = 1 << 20, max = 4 << 30, default = 256 << 20, example = '"64M"' }),
		field("output", "enum", "Where the picture goes: a connector, or only memory.", { values = { "drm", "memory" }, default = "memory", example = '"drm"' }),
		field("card", "path", "Which graphics card of this machine.", { default = "the first that fits", example = '"/dev/dri/card0"' }),
		field("connector", "string", "Which connector the first screen is on.", { max = 31, default = "the first connected one", example = '"HDMI-A-1"' }),
		field("mode", "string", "Mode of the display, with or without its rate.",
			{ max = 31, default = "the guest's size, or the one the display prefers", example = '"1280x800@60"' }),
	},
	scmi = record { ids("clocks", "clocks"), ids("resets", "resets"), ids("powers", "power domains") },
	rng = record {},
	slot = record {},
	custom = record {
		field("id", "integer", "What it is to the guest: a virtio device id.", { min = 1, max = 0xffff, required = true, example = "34" }),
		field("features", "numbers", "Feature bits it offers, 0 to 23 and 50 to 63.", { min = 0, max = 63, example = "{0}" }),
		field("config", "bytes", "Its configuration space, as it begins.", { max = 256, example = '("<I4"):pack(100)' }),
		nested("queues", list(custom_queue), "Its queues, at most 8.", { required = true, example = "{{request = function(dev, out, room) … end}}" }),
		field("start", "function", "Called when the driver is there: device, the feature bits it took ({[0] = true}).",
			{ example = "function(dev, features) end" }),
		field("reset", "function", "Called when the driver has let go of it: device.", { example = "function(dev) end" }),
		field("on_config", "function", "Called when the driver has written the configuration: device, offset, bytes. Without it, it cannot.",
			{ example = "function(dev, offset, bytes) end" }),
		field("requests", "integer", "How many requests its functions may have at a time, and how much of what is sent may wait.",
			{ min = 1, max = 4096, default = 64, example = "16" }),
		field("max_request", "size", "The longest request, and answer.", { min = 1, max = 128 << 10, default = 64 << 10, example = '"4K"' }),
		field("memory", "size", "What all requests and answers may take; as much again what is sent.",
			{ min = 2, max = 1 << 30, default = 4 << 20, example = '"1M"' }),
		field("timeout", "duration", "By then a request must be answered.", { min = 1, default = "10s", example = '"2s"' }),
	},
	input = record {
		field("evdev", "path", "Input device of this machine, for the zone alone; without it, a script makes the input.",
			{ example = '"/dev/input/event0"' }),
		field("kind", "enum", "What a script makes the input of.", { values = { "keyboard", "mouse", "tablet", "touch" },
			default = "keyboard", example = '"tablet"' }),
		field("width", "integer", "Width of tablet or touch screen.", { min = 2, max = 65536, unit = "steps", default = 32768, example = "1280" }),
		field("height", "integer", "Height of tablet or touch screen.", { min = 2, max = 65536, unit = "steps", default = 32768, example = "800" }),
	},
}
for _, type in pairs(schema.devices) do
	for _, common in ipairs(schema.device_common.fields) do
		table.insert(type.fields, common)
		type.fields[common.name] = common
	end
end

-- ---- the zone

local architectures = { "arm64", "riscv64", "loongarch64", "x86_64" }

schema.zone = record {
	field("id", "integer", "Number of the zone: 1 to 31, 0 is the root zone.", { min = 0, max = U32, required = true, example = "1" }),
	field("cpus", "numbers", "Physical CPUs that belong to the zone.", { min = 0, max = 63, nonempty = true, required = true, example = "{2, 3}" }),
	field("board", "board", "The machine: fills in interrupt controller, virtio slots and what the checks need.",
		{ example = 'require "board.qemu_virt"' }),
	field("arch", "enum", "Architecture.", { values = architectures, default = "the board's", example = '"arm64"' }),
	nested("ram", some(ram), "Memory: one stretch or a list.", { example = '{at = 0x50000000, size = "768M"}' }),
	nested("mmio", list(mmio), "Device registers the zone uses itself.", { example = '{{at = 0x9000000, size = "4K", name = "uart0"}}' }),
	nested("regions", list(region), "All memory regions in the exact order hvisor gets them, instead of ram and mmio.",
		{ example = '{{type = "ram", at = 0x50000000, size = "768M"}}' }),
	nested("passthrough", passthrough, "Devices of the machine given to the zone: their registers and interrupts follow from its tree.",
		{ example = '{"/soc/ethernet@ff3f0000", "&uart_AO"}' }),
	field("irqs", "numbers", "Interrupts of devices the zone uses itself (those of virtio devices and passthrough are added).",
		{ min = 0, max = U32, example = "{33}" }),
	nested("kernel", kernel, "What is started; a path, or where it goes as well. false: nothing is loaded.",
		{ required = true, example = '{image = "Image", at = 0x50400000, cmdline = "console=hvc0"}' }),
	field("entry", "address", "Guest address where the first CPU starts.", { default = "the kernel's own", example = "0x50400000" }),
	nested("dtb", dtb, 'Device tree; "auto": made from this zone and the machine\'s tree.', { auto = true, example = '"linux1.dtb"' }),
	nested("initrd", image(), "Initial RAM disk; its place is written into the tree.", { example = '"initrd.gz"' }),
	nested("modules", list(module), "More files to load.", { example = '{{name = "ramdisk", image = "initrd", at = 0x58000000}}' }),
	field("devices", "devices", "Virtio devices.", { example = '{blk "root" {image = "rootfs.ext4"}, console "hvc0" {}}' }),
	field("aarch32", "boolean", "CPUs start in 32-bit state.", { arch = "arm64", default = false, example = "true" }),
	nested("uefi", uefi, "What a UEFI guest is told (configuration layout 6).",
		{ arch = "arm64", example = "{memory_map = {…}, system_table = 0x50001000}" }),
	nested("x86", x86, "How an x86 zone boots.", { arch = "x86_64", example = '{boot = {…}, setup = {…}, cmdline = {at = 0xc000}}' }),
	nested("pci", pci, "PCI buses and devices.", { example = '{buses = {…}, devices = {"00:11.0"}}' }),
	nested("ivc", list(ivc), "Channels to other zones.", { example = "{{id = 0, peer = 1, control = 0x70000000, …}}" }),
	controllers(),
}

-- ---- the board

local range = record {
	field("at", "address", "Where it begins.", { required = true, example = "0x40000000" }),
	field("size", "size", "How long it is.", { required = true, min = 1, example = '"2G"' }),
	field("name", "string", "What the memory map calls it.", { max = 63, example = '"ram"' }),
}

local slots = record {
	field("at", "address", "First register window.", { required = true, example = "0xa000000" }),
	field("size", "size", "Of one window.", { min = 0x100, default = 0x200, example = "0x200" }),
	field("stride", "size", "From one window to the next.", { min = 0x100, default = "the size", example = "0x200" }),
	field("irq", "integer", "Interrupt of the first window; each next has one more.", { min = 0, max = U32, required = true, example = "48" }),
	field("count", "integer", "How many.", { min = 1, max = 1024, default = 1, example = "32" }),
}

local root = record {
	field("cpus", "numbers", "CPUs of the root zone.", { min = 0, max = 63, example = "{0, 1}" }),
	nested("ram", some(range), "RAM of the root zone's own kernel.", { example = '{at = 0x50000000, size = "1792M"}' }),
}

schema.board = record {
	field("name", "string", "What messages call it.", { max = 63, required = true, example = '"qemu_virt"' }),
	field("arch", "enum", "Architecture.", { values = architectures, required = true, example = '"arm64"' }),
	field("cpus", "integer", "How many CPUs it has.", { min = 1, max = 64, default = "not known", example = "4" }),
	nested("ram", some(range), "All RAM of the machine.", { default = "not known", example = '{at = 0x40000000, size = "2G"}' }),
	nested("hypervisor", range, "What hvisor itself occupies.", { default = "not known", example = '{at = 0x40400000, size = "68M"}' }),
	nested("root", root, "The root zone's share.", { default = "not known", example = "{cpus = {0, 1}, ram = {…}}" }),
	nested("slots", list(slots), "Register windows for virtio devices.", { example = "{{at = 0xa000000, irq = 48, count = 32}}" }),
	nested("ioapic", window(), "I/O APIC.", { arch = "x86_64", example = '{at = 0xfec00000, size = "4K"}' }),
	field("tree", "path", "Its device tree, from which devices can be given to zones.", { default = "what the machine runs with", example = '"board.dtb"' }),
	field("controller", "enum", "Which of the two the machine has, where plic and aplic are both given.",
		{ arch = "riscv64", values = { "plic", "aplic" }, default = "plic", example = '"aplic"' }),
	field("wakeup_irq", "integer", "Interrupt by which hvisor wakes the virtio service.", { min = 0, max = U32, default = "not known", example = "64" }),
	field("max_zones", "integer", "Zones this build of hvisor can hold, the root zone included.", { min = 1, max = 32, default = "not known", example = "4" }),
	controllers(),
}

-- What older files and other tools call things.
schema.renamed = {
	zone_id = "id", memory_regions = "regions", memory = "ram", mem = "ram", interrupts = "irqs", interrupt = "irq",
	kernel_filepath = "kernel", dtb_filepath = "dtb", entry_point = "entry", ivc_configs = "ivc", pci_config = "pci",
	filepath = "image", path = "image", file = "image", img = "image", physical_start = "phys", virtual_start = "at",
	addr = "at", address = "at", base = "at", start = "at", len = "size", length = "size", bootargs = "cmdline",
	args = "cmdline", clock_ids = "clocks", reset_ids = "resets", power_ids = "powers", ro = "readonly",
	status = "enabled", disabled = "enabled", cpu = "cpus", ramdisk = "initrd", peer_id = "peer", max_peers = "peers",
	rw_sec_size = "rw_size", out_sec_size = "out_size", control_table_ipa = "control", shared_mem_ipa = "shared",
}

-- The known name that an unknown one was most likely meant to be; nil when none is near.
function schema.suggest(fields, name)
	local meant = schema.renamed[name]
	if meant and fields[meant] then return meant end
	local names = {}
	for i, f in ipairs(fields) do names[i] = f.name end
	return nearest.of(name, names)
end

local roots = { zone = schema.zone, board = schema.board }
for name, type in pairs(schema.devices) do roots[name] = type end

-- What is known of "zone.ram.size", "ram.size", "blk.image" or "board.gic": a table with path, kind, doc,
-- example, unit, default, min, max, values, required, and fields (names in order) where it has some. nil when there is none.
function schema.describe(path)
	if type(path) ~= "string" or #path > 200 then return nil end
	local at, first = nil, true
	for word in path:gsub("%[%d*%]", ""):gmatch "[^.]+" do
		if first and roots[word] then
			at = roots[word]
		else
			at = at or schema.zone
			at = at.of or at
			if at.kind == "devices" then
				at = schema.devices[word]
			else
				at = at.fields and at.fields[word]
			end
		end
		if not at then return nil end
		first = false
	end
	if not at then return nil end
	local out = { path = path }
	for _, key in ipairs { "kind", "doc", "example", "unit", "default", "min", "max", "values", "required", "arch" } do
		out[key] = at[key]
	end
	local fields = at.fields or (at.of and at.of.fields)
	if fields then
		out.fields = {}
		for i, f in ipairs(fields) do out.fields[i] = f.name end
	end
	return out
end

return schema
