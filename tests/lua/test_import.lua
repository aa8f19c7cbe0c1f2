-- SPDX-License-Identifier: GPL-2.0-or-later
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local wire6 = dofile(os.getenv "HVSH_TESTS" .. "/lib/wire6.lua")
local import = require "import.json"
local json = require "hvsh.json"

-- A zone file that is right in every respect; changes are laid over it.
local function zone_text(changes, drop)
	local zone = {
		arch = "arm64", name = "linux2", zone_id = 1, cpus = { 2, 3 },
		memory_regions = {
			{ type = "ram", physical_start = "0x50000000", virtual_start = "0x50000000", size = "0x30000000" },
			{ type = "virtio", physical_start = "0xa000000", virtual_start = "0xa000000", size = "0x4000" },
		},
		interrupts = json.array { 76, "0x4e" }, ivc_configs = json.array {},
		kernel_filepath = "./Image", dtb_filepath = "./linux2.dtb",
		kernel_load_paddr = "0x50400000", dtb_load_paddr = "0x50000000", entry_point = "0x50400000",
		arch_config = { gic_version = "v3", gicd_base = "0x8000000", gicd_size = "0x10000", gicr_base = "0x80a0000",
			gicr_size = "0xf60000", gits_base = "0x8080000", gits_size = "0x20000" },
		pci_config = json.array {},
	}
	for k, v in pairs(changes or {}) do zone[k] = v end
	for _, k in ipairs(drop or {}) do zone[k] = nil end
	return assert(json.encode(zone, 2))
end

local function devices_text(devices, memory)
	return assert(json.encode({ zones = { { id = 1, memory_region = memory or
		{ { zone0_ipa = "0x50000000", zonex_ipa = "0x50000000", size = "0x30000000" } }, devices = devices } } }, 2))
end

local BLK = { type = "blk", addr = "0xa003c00", len = "0x200", irq = 78, img = "rootfs2.ext4", status = "enable" }

local function run(zone, virtio)
	local files = { { name = "zone.json", text = zone } }
	if virtio then files[2] = { name = "virtio.json", text = virtio } end
	return import.files(files)
end

local function lines(places)
	local out = {}
	for i, place in ipairs(places) do out[i] = import.format(place) end
	return table.concat(out, "\n")
end

t.test("a right pair gives a script and says nothing", function()
	local r = t.ok(run(zone_text(), devices_text { BLK, { type = "console", addr = "0xa003800", irq = "0x4c", status = "enable" } }))
	t.eq(lines(r.notes), "virtio.json:13: /zones/0/devices/1: 'len' is missing: taken as 0x200", "only the missing length")
	t.has(r.script, 'blk "disk0" {image = "rootfs2.ext4", at = 0xa003c00, irq = 78}')
	t.has(r.script, 'console "console0" {at = 0xa003800, irq = 76}')
	t.has(r.script, "irqs = {76, 78},")
	t.has(r.script, "assert(zones.start())")
end)

-- what is changed, what is said, in which pointer
local NOTES = {
	{ "arch guessed", zone_text(nil, { "arch" }), "/: 'arch' is not given: taken as arm64" },
	{ "name made", zone_text(nil, { "name" }), "'name' is missing: taken as \"zone1\"" },
	{ "gic_version guessed", zone_text { arch_config = { gicd_base = "0x1000", gicd_size = "0x1000", gicr_base = "0x2000",
		gicr_size = "0x1000" } }, "/arch_config: 'gic_version' is missing: taken as \"v3\"" },
	{ "one PCI object", zone_text { pci_config = { ecam_base = "0x1000000", ecam_size = "0x100000" } },
		"/pci_config: one object, as older files have it" },
	{ "number of devices differs", zone_text { num_pci_devs = 3 }, "/num_pci_devs: says 3, but 0 devices are listed" },
	{ "older device number", zone_text { alloc_pci_devs = { 6 << 20 | 1 << 12 } }, "/alloc_pci_devs/0: 0x601000 is taken in the older form, as 06:00.1" },
	{ "unknown key", zone_text { interupts = {} }, "/interupts: unknown key 'interupts' left out (did you mean 'interrupts'?)" },
	{ "kernel_args", zone_text { kernel_args = "quiet" }, "/kernel_args: was never used" },
	{ "virtual_start defaults", zone_text { memory_regions = { { type = "ram", physical_start = "0x50000000", size = "0x30000000" } } },
		"/memory_regions/0: 'virtual_start' is missing: taken as 0x50000000" },
}
for _, case in ipairs(NOTES) do
	t.test("said: " .. case[1], function()
		local r, problems = run(case[2])
		t.ok(r, problems and lines(problems))
		t.has(lines(r.notes), case[3])
	end)
end

t.test("device numbers in both forms mean 06:00.1", function()
	for _, number in ipairs { 1537, 6 << 20 | 1 << 12 } do
		t.has(t.ok(run(zone_text { alloc_pci_devs = { number } })).script, 'devices = {{at = "06:00.1"}}')
	end
end)

t.test("a moved device keeps both addresses", function()
	local script = t.ok(run(zone_text { alloc_pci_devs = { { domain = "0x0", bus = "0x6", device = "0x0", ["function"] = "0x1",
		dev_type = "0", v_bus = "0x0", v_device = "0x2", v_function = "0x0" } } })).script
	t.has(script, 'as = "00:02.0"')
end)

t.test("virtio and zone file that disagree are said, and the zone file counts", function()
	local r = t.ok(run(zone_text(), devices_text({ { type = "blk", addr = "0xb000000", len = "0x200", irq = 80, img = "x" } },
		{ { zone0_ipa = "0x60000000", zonex_ipa = "0x50000000", size = "0x1000" } })))
	local said = lines(r.notes)
	t.has(said, "/zones/0/memory_region/0: maps 0x50000000 (guest) to 0x60000000, which is no RAM of zone linux2")
	t.has(said, "/zones/0/devices/0/addr: 0xb000000 lies in no virtio region")
	t.has(said, "/zones/0/devices/0/irq: interrupt 80 is not granted")
end)

t.test("a disabled device is left out, and that is said", function()
	local r = t.ok(run(zone_text(), devices_text { { type = "net", addr = "0xa003600", irq = 75, tap = "tap0", status = "disable" } }))
	t.has(lines(r.notes), "/zones/0/devices/0/status: a disabled net: left out")
	t.ok(not r.script:find("net ", 1, true), "no net")
end)

t.test("MAC bytes become an address", function()
	local r = t.ok(run(zone_text(), devices_text { { type = "net", addr = "0xa003600", irq = 75, tap = "tap0",
		mac = { "0x00", "0x16", "0x3e", "0x10", "0x10", "0xff" }, status = "enable" } }))
	t.has(r.script, 'mac = "00:16:3e:10:10:ff"')
end)

local REFUSED = {
	{ "not JSON", '{"zone_id": 1,\n "cpus": [2,]}', "zone.json:2: /: no valid JSON" },
	{ "empty", "", "no valid JSON" },
	{ "an array", "[]", "an array where an object belongs" },
	{ "neither kind of file", '{"name": "x"}', "neither a zone file" },
	{ "duplicate key", '{"zone_id": 1, "zone_id": 2}', "duplicate object key" },
	{ "invalid UTF-8", '{"zone_id": 1, "name": "\xff"}', "no valid JSON" },
	{ "too deep", '{"zone_id": ' .. ("["):rep(100) .. ("]"):rep(100) .. "}", "nested more than 64 levels deep" },
	{ "much too deep", '{"zone_id": ' .. ("["):rep(100000), "maximum parsing depth" },
	{ "id missing", zone_text(nil, { "zone_id" }), "/: 'zone_id' is missing" },
	{ "id not a number", zone_text { zone_id = "one" }, "/zone_id: 'zone_id' is \"one\" where an integer" },
	{ "id too large", zone_text { zone_id = 32 }, "/zone_id: 'zone_id' is 32, outside 1 to 0x1f" },
	{ "id fractional", zone_text { zone_id = 1.5 }, "/zone_id: 'zone_id' is 1.5" },
	{ "cpu negative", zone_text { cpus = { -1 } }, "/cpus/0: -1 is no number from 0 to 31" },
	{ "cpus no list", zone_text { cpus = 3 }, "/cpus: 'cpus' is 3 where an array belongs" },
	{ "region type", zone_text { memory_regions = { { type = "rom", physical_start = 0, virtual_start = 0, size = 1 } } },
		"/memory_regions/0/type: region type \"rom\" is none of ram, io, virtio" },
	{ "region size over 64 bits", zone_text { memory_regions = { { type = "ram", physical_start = 0, virtual_start = 0,
		size = "0x10000000000000000" } } }, "/memory_regions/0/size: 'size' is" },
	{ "65 regions", zone_text { memory_regions = (function()
		local list = {}
		for i = 1, 65 do list[i] = { type = "ram", physical_start = i << 12, virtual_start = i << 12, size = 4096 } end
		return list
	end)() }, "/memory_regions: 'memory_regions' has 65 entries, at most 64" },
	{ "interrupt 1024", zone_text { interrupts = { 1024 } }, "/interrupts/0: 1024 is no number from 0 to 1023" },
	{ "name too long", zone_text { name = ("x"):rep(32) }, "/name: the name has 32 bytes" },
	{ "architecture", zone_text { arch = "mips" }, "/arch: architecture \"mips\" is none of" },
	{ "architecture against its config", zone_text { arch = "riscv" }, "/arch: 'arch' says \"riscv\", but arch_config has" },
	{ "gic_version", zone_text { arch_config = { gic_version = "v4", gicd_base = 1, gicd_size = 1 } }, "/arch_config/gic_version: 'gic_version' is \"v4\"" },
	{ "multiboot2", zone_text({ arch = "x86_64", arch_config = { ioapic_base = "0xfec00000", ioapic_size = "0x1000",
		boot_protocol = "multiboot2" } }), "/arch_config/boot_protocol: boot protocol \"multiboot2\" is not supported" },
	{ "PCI device", zone_text { alloc_pci_devs = { "abc" } }, "/alloc_pci_devs/0: \"abc\" is neither" },
	{ "only devices", devices_text { BLK }, "/zones: this file only describes devices" },
}
for _, case in ipairs(REFUSED) do
	t.test("refused: " .. case[1], function()
		local r, problems = run(case[2])
		t.ok(not r, "refused")
		t.has(lines(problems), case[3])
		t.ok(problems[1].line, "a line")
	end)
end

local VIRTIO_REFUSED = {
	{ "zone not given", '{"zones": [{"id": 7, "devices": []}]}', "/zones/0/id: devices for zone 7" },
	{ "device type", devices_text { { type = "sound", addr = 1, irq = 1 } }, "/zones/0/devices/0/type: device type \"sound\" is none of" },
	{ "no address", devices_text { { type = "blk", irq = 78, img = "x" } }, "/zones/0/devices/0: 'addr' is missing" },
	{ "no image", devices_text { { type = "blk", addr = "0xa003c00", irq = 78 } }, "/zones/0/devices/0: 'img' is missing" },
	{ "short MAC", devices_text { { type = "net", addr = "0xa003600", irq = 75, tap = "t", mac = { 1, 2 } } }, "a MAC address has 6 bytes, here are 2" },
	{ "status", devices_text { { type = "blk", addr = "0xa003c00", irq = 78, img = "x", status = "on" } }, "'status' is \"on\"" },
	{ "9 devices", devices_text((function()
		local list = {}
		for i = 1, 9 do list[i] = { type = "console", addr = 0xa000000 + i * 0x200, irq = 40 + i } end
		return list
	end)()), "/zones/0/devices: 'devices' has 9 entries, at most 8" },
}
for _, case in ipairs(VIRTIO_REFUSED) do
	t.test("refused: " .. case[1], function()
		local r, problems = run(zone_text(), case[2])
		t.ok(not r, "refused")
		t.has(lines(problems), case[3])
	end)
end

-- ---- the script runs to the same bytes

local function temp_dir()
	local name = os.tmpname()
	os.remove(name)
	assert(os.execute("mkdir " .. name))
	return name
end
local dir = temp_dir()

local function write(name, bytes)
	local f = assert(io.open(dir .. "/" .. name, "wb"))
	f:write(bytes)
	f:close()
end

local KERNEL_BYTES = 20000
assert(os.execute(("printf '/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; };' | dtc -I dts -O dtb -o %s/tree.dtb"):format(dir)))

-- Every file the zone names is there: kernels are zeroes, trees are empty trees.
local function make_files(root)
	local tree = assert(io.open(dir .. "/tree.dtb", "rb")):read "a"
	local function make(path, bytes)
		if type(path) == "string" and path ~= "null" and path ~= "" then
			assert(os.execute(("mkdir -p \"$(dirname '%s/%s')\""):format(dir, path)))
			write(path, bytes)
		end
	end
	make(root.kernel_filepath, ("\0"):rep(KERNEL_BYTES))
	make(root.dtb_filepath, tree)
	for _, key in ipairs { "boot_filepath", "setup_filepath", "initrd_filepath" } do
		make((root.arch_config or {})[key], ("\0"):rep(100))
	end
	for _, module in ipairs(root.modules or {}) do make(module.filepath, "module") end
	return function(path)
		if path == nil or path == "null" or path == "" then return 0 end
		return path == root.kernel_filepath and (KERNEL_BYTES + 4095) // 4096 * 4096 or (#tree + 4095) // 4096 * 4096
	end
end

local function read(path)
	local f = io.open(path, "rb")
	local text = f and f:read "a"
	if f then f:close() end
	return text
end

-- The bytes of the script's zone, or nil and what encode says.
local function encode()
	os.remove(dir .. "/zone.bin")
	local ok = os.execute(("'%s' encode %s/script.lua --abi 6 -o %s/zone.bin 2>%s/err"):format(os.getenv "HVSH", dir, dir, dir))
	return ok and read(dir .. "/zone.bin"), read(dir .. "/err")
end

-- faulty: what is wrong with the file, where the checks refuse it.
local function same_bytes(name, text, faulty)
	local result, problems = import.files { { name = name, text = text } }
	t.ok(result, problems and lines(problems))
	local root = json.decode(text)
	local size_of = make_files(root)
	write("script.lua", result.script)
	local got, message = encode()
	if faulty then
		t.ok(not got, "refused")
		t.has(message, faulty)
		return
	end
	t.ok(got, message)
	root.name = result.zones[1].name
	local want = wire6(root, result.zones[1].arch, size_of)
	t.eq(#got, #want, "size")
	for i = 1, #want do
		if got:byte(i) ~= want:byte(i) then
			t.fail(("offset %d is 0x%02x, hvisor-tool has 0x%02x"):format(i - 1, got:byte(i), want:byte(i)))
		end
	end
end

t.test("same bytes: a zone of ours", function() same_bytes("zone.json", zone_text()) end)
t.test("same bytes: GICv2, PCI, a moved device", function()
	same_bytes("zone.json", zone_text {
		arch_config = { gic_version = "v2", gicd_base = "0xf9010000", gicd_size = "0x10000", gicc_base = "0xf9020000",
			gicc_size = "0x20000", gicc_offset = "0xf000", gich_base = "0xf9040000", gich_size = "0x20000",
			gicv_base = "0xf9060000", gicv_size = "0x20000", is_aarch32 = true },
		pci_config = { { ecam_base = "0x4010000000", ecam_size = "0x10000000", mem32_base = "0x10000000", mem32_size = "0x2eff0000",
			pci_mem32_base = "0x10000000", bus_range_begin = "0x1", bus_range_end = "0x1f", domain = "0x1" } },
		alloc_pci_devs = { { domain = "0x1", bus = "0x6", device = "0x3", ["function"] = "0x1", dev_type = "2", v_bus = "0x1", v_device = 4, v_function = 0 }, 1537 },
	})
end)

-- The community's own files, where they are at hand. What is wrong with some of them is found.
local FAULTY = {
	["qemu-aarch64__with_virtio_gpu__zone1_ruxos_display.json"] = "covers the GIC distributor",
}
local corpus = os.getenv "HVSH_JSON_CORPUS"
if corpus then
	for name in io.popen(("ls '%s'"):format(corpus)):lines() do
		if name:find "%.json$" then
			local text = assert(io.open(corpus .. "/" .. name)):read "a"
			if not text:find '"zones"' then
				t.test("same bytes: " .. name, function() same_bytes(name, text, FAULTY[name]) end)
			else
				t.test("refused alone: " .. name, function()
					local r, problems = import.files { { name = name, text = text } }
					t.ok(not r, "refused")
					t.has(lines(problems), "name the zone files they belong to as well")
				end)
			end
		end
	end
end

os.execute("rm -rf " .. dir)
t.done()
