-- SPDX-License-Identifier: GPL-2.0-or-later
-- export.hvisor: zones that are exported and imported again are the same zones.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local fdt = require "hvsh.fdt"
local import = require "import.json"
local json = require "hvsh.json"

local dir = os.tmpname()
os.remove(dir)
assert(os.execute(("mkdir -p '%s/out'"):format(dir)))

local function write(name, bytes)
	local file <close> = assert(io.open(dir .. "/" .. name, "wb"))
	file:write(bytes)
end

local function read(name)
	local file = io.open(name:find "^/" and name or dir .. "/" .. name, "rb")
	local bytes = file and file:read "a"
	if file then file:close() end
	return bytes
end

-- hvsh in the folder; whether it succeeded, and what it said.
local function hvsh(...)
	local words = {}
	for i, word in ipairs { ... } do words[i] = "'" .. word .. "'" end
	local ok = os.execute(("cd '%s' && '%s' %s >said 2>&1"):format(dir, os.getenv "HVSH", table.concat(words, " ")))
	return ok, read "said"
end

assert(os.execute(("printf '/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; };' | dtc -I dts -O dtb -o %s/tree.dtb"):format(dir)))
local TREE = read "tree.dtb"

local function make_file(path, bytes)
	if type(path) ~= "string" or path == "null" or path == "" then return end
	assert(os.execute(("mkdir -p \"$(dirname '%s/%s')\""):format(dir, path)))
	write(path, bytes)
end

-- Every file that a zone file names: kernels are zeroes, trees empty trees.
local function make_files(root)
	make_file(root.kernel_filepath, ("\0"):rep(20000))
	make_file(root.dtb_filepath, TREE)
	for _, key in ipairs { "boot_filepath", "setup_filepath", "initrd_filepath" } do
		make_file((root.arch_config or {})[key], ("\0"):rep(100))
	end
	for _, module in ipairs(root.modules or {}) do make_file(module.filepath, "module") end
end

local DEVICE = { "type", "name", "at", "size", "irq", "image", "tap", "mac", "width", "height" }
local LISTS = { "clocks", "resets", "powers" }

-- A zone's devices as text.
local function devices_text(zone)
	local lines = {}
	for _, dev in ipairs(zone.devices or {}) do
		local parts = {}
		for _, key in ipairs(DEVICE) do parts[#parts + 1] = key .. "=" .. tostring(dev[key]):gsub("^%./", "") end
		for _, key in ipairs(LISTS) do parts[#parts + 1] = key .. "=" .. (dev[key] and table.concat(dev[key], ",") or "-") end
		lines[#lines + 1] = table.concat(parts, " ")
	end
	return table.concat(lines, "\n")
end

local function bytes_of(script, zone)
	os.remove(dir .. "/zone.bin")
	local ok, said = hvsh("encode", script, "--zone", zone.name, "--abi", "6", "-o", "zone.bin")
	return ok and read "zone.bin", said
end

local function path_of(image)
	return image and image.image and image.image:gsub("^%./", "") or ""
end

-- files: {name=, text=} each, as the importer takes them.
local function round_trip(files)
	local first, problems = import.files(files)
	t.ok(first, problems and import.format(problems[1]))
	for _, file in ipairs(files) do make_files(json.decode(file.text)) end
	write("first.lua", first.script)
	assert(os.execute(("rm -f '%s'/out/*"):format(dir)))
	local right, why = hvsh("check", "first.lua")
	local ok, said = hvsh("export", "hvisor", "first.lua", "out")
	if not right then
		t.ok(not ok, "what check refuses is not exported")
		t.has(said, "nothing was written")
		t.eq(read "out/virtio_cfg.json", nil)
		return why
	end
	t.ok(ok, said)
	local again = {}
	for _, zone in ipairs(first.zones) do again[#again + 1] = { name = zone.name .. ".json", text = read("out/" .. zone.name .. ".json") } end
	local virtio = read "out/virtio_cfg.json"
	if virtio then again[#again + 1] = { name = "virtio_cfg.json", text = virtio } end
	local second
	second, problems = import.files(again)
	t.ok(second, problems and import.format(problems[1]))
	t.eq(#second.notes, 0, second.notes[1] and import.format(second.notes[1]) or "notes")
	write("second.lua", second.script)
	for i, zone in ipairs(first.zones) do
		local want, got = bytes_of("first.lua", zone), bytes_of("second.lua", zone)
		t.ok(want and want == got, zone.name .. ": the same bytes for the hypervisor")
		t.eq(devices_text(second.zones[i]), devices_text(zone), zone.name .. ": devices")
		for _, key in ipairs { "kernel", "dtb" } do t.eq(path_of(second.zones[i][key]), path_of(zone[key]), key) end
	end
	return said
end

-- ---- one file that has everything

local EVERYTHING = assert(json.encode({
	arch = "arm64", name = "everything", zone_id = 3, cpus = { 2, 3 },
	memory_regions = {
		{ type = "ram", physical_start = "0x60000000", virtual_start = "0x50000000", size = "0x10000000" },
		{ type = "io", physical_start = "0x9000000", virtual_start = "0x9000000", size = "0x1000" },
		{ type = "virtio", physical_start = "0xa003000", virtual_start = "0xa003000", size = "0x1000" },
	},
	interrupts = { 33, 74, 75, 76, 78, 79 }, kernel_filepath = "k/Image", dtb_filepath = "k/linux.dtb",
	kernel_load_paddr = "0x60400000", dtb_load_paddr = "0x60000000", entry_point = "0x50400000",
	modules = { { name = "ramdisk", filepath = "initrd", load_paddr = "0x68000000" } },
	arch_config = { gic_version = "v3", is_aarch32 = true, gicd_base = "0x8000000", gicd_size = "0x10000", gicr_base = "0x80a0000",
		gicr_size = "0xf60000", gits_base = "0x8080000", gits_size = "0x20000", memory_map_addr = "0x51000000",
		memory_map_size = "0x1000", sys_map_addr = "0x51001000" },
	pci_config = { { ecam_base = "0x4010000000", ecam_size = "0x10000000", io_base = "0x3eff0000", io_size = "0x10000", pci_io_base = "0x0",
		mem32_base = "0x10000000", mem32_size = "0x2eff0000", pci_mem32_base = "0x10000000", mem64_base = "0x8000000000",
		mem64_size = "0x8000000000", pci_mem64_base = "0x8000000000", bus_range_begin = "0x0", bus_range_end = "0x1f", domain = "0x1" } },
	num_pci_devs = 2,
	alloc_pci_devs = {
		{ domain = "0x1", bus = "0x6", device = "0x3", ["function"] = "0x1", dev_type = "2", v_bus = "0x0", v_device = 4, v_function = 0 },
		{ domain = "0x1", bus = "0x7", device = "0x0", ["function"] = "0x0", dev_type = "0" },
	},
	ivc_configs = { { ivc_id = 0, peer_id = 1, control_table_ipa = "0x70000000", shared_mem_ipa = "0x70001000", rw_sec_size = "0x1000",
		out_sec_size = "0x1000", interrupt_num = 66, max_peers = 2 } },
}, 2))
local DEVICES = assert(json.encode({ zones = { { id = 3,
	memory_region = { { zone0_ipa = "0x60000000", zonex_ipa = "0x50000000", size = "0x10000000" } },
	devices = {
		{ type = "blk", addr = "0xa003c00", len = "0x200", irq = 78, img = "disk.img", status = "enable" },
		{ type = "blk", addr = "0xa003e00", len = "0x200", irq = "0x4f", img = "data.img", status = "enable" },
		{ type = "net", addr = "0xa003600", len = "0x200", irq = 75, tap = "tap7", mac = { "0x52", "0x54", "0x00", "0x10", "0x10", "0x11" }, status = "enable" },
		{ type = "console", addr = "0xa003800", len = "0x200", irq = 76, status = "enable" },
		{ type = "scmi", addr = "0xa003400", len = "0x200", irq = 74, clock_ids = { 1, 2 }, reset_ids = { 0 }, power_ids = json.array {}, status = "enable" },
	} } } }, 2))

t.test("round trip: every field of both files", function()
	make_file("disk.img", ("\0"):rep(4096))
	make_file("data.img", ("\0"):rep(4096))
	local said = round_trip { { name = "everything.json", text = EVERYTHING }, { name = "virtio.json", text = DEVICES } }
	t.ok(not said:find("warning", 1, true), said)
end)

-- ---- what is lost is said

local LOSSES = [[
local board = require "board.qemu_virt"
zone "a" {
	id = 1, cpus = { 2 }, board = board,
	ram = { at = 0x50000000, size = "64M", shared = true },
	mmio = { { at = 0x9000000, size = "4K", name = "uart0" } },
	kernel = { image = "plain", at = 0x50400000, cmdline = "quiet", format = "raw" },
	dtb = "linux.dtb",
	initrd = "disk.img",
	devices = {
		blk "disk0" { image = "disk.img", readonly = true, queues = 2, overlay = nil, at = 0xa003c00 },
		net "eth0" { tap = "tap0", at = 0xa003600 },
		net "lan" { switch = "lan", at = 0xa003400 },
		console "hvc0" { at = 0xa003800, scrollback = "1M" },
		rng "rng0" { at = 0xa003a00 },
		scmi "scmi0" { clocks = { "uart0" }, resets = "all", powers = { 1 }, at = 0xa003200 },
		blk "off" { image = "disk.img", enabled = false },
	},
}
]]

t.test("what the files cannot say is a warning with its line", function()
	make_file("plain", ("\1"):rep(5000))
	make_file("disk.img", ("\0"):rep(4096))
	write("linux.dts", [[/dts-v1/; / { #address-cells = <2>; #size-cells = <2>;
		memory@50000000 { device_type = "memory"; reg = <0 0x50000000 0 0x4000000>; }; };]])
	assert(os.execute(("dtc -q -I dts -O dtb -o '%s/linux.dtb' '%s/linux.dts'"):format(dir, dir)))
	write("a.lua", LOSSES)
	assert(os.execute(("rm -f '%s'/out/*"):format(dir)))
	local ok, said = hvsh("export", "hvisor", "a.lua", "out")
	t.ok(ok, said)
	for _, part in ipairs {
		"a virtio file cannot say readonly", "devices.disk0.readonly  a.lua:10", "a virtio file cannot say queues",
		"net lan is left out: it joins the switch lan", "a virtio file cannot say scrollback", "rng rng0 is left out",
		"lists clocks by number only", "lists resets by number only", "hvc0 is read back as console0", "blk off is not enabled",
		"no names for regions: uart0", "cannot say that a region is shared: 0x50000000", "a zone file has no format",
	} do t.has(said, part) end
	t.ok(not said:find("cannot say overlay", 1, true) and not said:find("cannot say block", 1, true), "what was not given is not lost")
	local root = json.decode(read "out/a.json")
	t.eq(root.modules[1].name, "initrd")
	t.eq(root.dtb_filepath, "out/a.dtb")
	local tree <close> = assert(fdt.open(dir .. "/out/a.dtb"))
	t.eq(tree:find("/chosen"):prop("bootargs", "string"), "quiet", "the tree as it is loaded")
	t.eq(("0x%x"):format(tree:find("/chosen"):prop("linux,initrd-start", "u64")), root.modules[1].load_paddr)
	local virtio = json.decode(read "out/virtio_cfg.json").zones[1].devices
	t.eq(#virtio, 4)
	t.eq(#virtio[2].mac, 6, "the address that hvsh makes is written out")
	t.eq(virtio[4].clock_ids, nil)
	t.eq(virtio[4].power_ids[1], 1)
end)

t.test("what the old tool's rules forbid is refused", function()
	local devices = {}
	for i = 1, 9 do devices[i] = ('console "c%d" {}'):format(i) end
	write("nine.lua", ([[zone "nine" { id = 1, cpus = { 2 }, board = require "board.qemu_virt", ram = { at = 0x50000000, size = "64M" },
		kernel = { image = "plain", format = "raw", at = 0x50400000 }, devices = { %s } }]]):format(table.concat(devices, ", ")))
	local ok, said = hvsh("export", "hvisor", "nine.lua", "out")
	t.ok(not ok, "refused")
	t.has(said, "9")
end)

-- ---- the community's own files, where they are at hand

local corpus = os.getenv "HVSH_JSON_CORPUS"
local function corpus_files()
	local zones, virtio = {}, {}
	for name in io.popen(("ls '%s'"):format(corpus)):lines() do
		local text = name:find "%.json$" and read(corpus .. "/" .. name)
		local root = text and json.decode(text)
		local one = { name = name, text = text, root = root, folder = name:match "^(.*)__" }
		if root and root.zones then virtio[#virtio + 1] = one elseif root then zones[#zones + 1] = one end
	end
	return zones, virtio
end

if corpus then
	local zones, virtio = corpus_files()
	for _, one in ipairs(zones) do
		t.test("round trip: " .. one.name, function() round_trip { { name = one.name, text = one.text } } end)
	end
	for _, one in ipairs(virtio) do
		-- With the first zone file beside it for each zone it names.
		local files, complete = { { name = one.name, text = one.text } }, true
		for _, entry in ipairs(one.root.zones) do
			local found
			for _, zone in ipairs(zones) do
				if not found and zone.folder == one.folder and zone.root.zone_id == entry.id then found = zone end
			end
			files[#files + 1] = found and { name = found.name, text = found.text }
			complete = complete and found
			for _, dev in ipairs(entry.devices) do make_file(dev.img, ("\0"):rep(4096)) end
		end
		if complete then t.test("round trip: " .. one.name, function() round_trip(files) end) end
	end
end

os.execute("rm -rf " .. dir)
t.done()
