-- SPDX-License-Identifier: GPL-2.0-or-later
-- `zone "name" {…}`: lines in errors, frozen specs, redefinition, paths, and what C gets of it.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local core = require "hvsh.core"
local dsl = require "hvsh.dsl"

local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir -p " .. folder .. "/sub"))

-- Runs a text as the script `folder/name`; returns what it returns, or nil and the error.
local function script(text, name)
	local path = folder .. "/" .. (name or "boot.lua")
	local f <close> = assert(io.open(path, "w"))
	f:write(text)
	f:close()
	local ok, result = pcall(assert(loadfile(path, "t")))
	if ok then return result end
	return nil, (result:gsub(folder:gsub("%p", "%%%0") .. "/", ""))
end

local function fresh(text, name)
	dsl.reset()
	return script(text, name)
end

local small = [[id = 1, cpus = {1}, ram = {at = 0x1000, size = "1M"}, kernel = false, arch = "arm64"]]

t.test("all errors of a zone in one, each with the line of its field", function()
	local _, err = fresh [[
local x = 1
zone "linux1" {
	id = "1",
	cpus = {2,
		"3"},
	ram = {
		at = 0x50000000,
		size = "12X",
	},
	kernal = "Image",
	devices = {
		blk "root" {imag = "x",
			readonly = 1},
		net "eth0" {tap = "t",
			mac = "x"},
	},
}]]
	local want = {
		"boot.lua:3: id: ", "boot.lua:5: cpus[2]: ", "boot.lua:8: ram.size: ",
		"boot.lua:10: kernal: unknown field 'kernal' (did you mean 'kernel'?)",
		"boot.lua:12: devices.root.imag: unknown field 'imag' (did you mean 'image'?)",
		"boot.lua:13: devices.root.readonly: ", "boot.lua:15: devices.eth0.mac: ",
	}
	local i = 0
	for line in (err .. "\n"):gmatch "(.-)\n" do
		i = i + 1
		t.eq(line:sub(1, #(want[i] or "")), want[i], "line " .. i)
	end
	t.eq(i, #want, "lines")
	t.eq(#dsl.zones, 0, "nothing is defined")
end)

t.test("tables through variables and functions: the line of the call, and the zone's name", function()
	local _, err = fresh 'local function make(n)\n return zone("z" .. n) {\n id = n, cpus = {},\n}\nend\n\nmake(1)'
	t.has(err, "boot.lua:3: cpus: is empty (as in cpus = {2, 3}) (zone z1)")
	_, err = fresh 'local t = {\n id = 1,\n cpus = 5}\n\nzone "a" (t)'
	t.has(err, "boot.lua:5: cpus: is 5")
	_, err = fresh 'local d =\n blk "x" {}\nlocal t = {devices = {d}}\nzone "a" (t)'
	t.has(err, "boot.lua:2: devices.x.image: is missing")
	dsl.reset()
	_, err = pcall(load('\nzone "a" {\n id = {} }', "=stdin"))
	t.has(err, "stdin:2: id:")
	_, err = pcall(load('\nzone "a" {\n id = {} }'))
	t.has(err, ":3: id:")
end)

t.test("misuse of the words themselves", function()
	for text, want in pairs {
		["zone(5)"] = 'zone takes a name and a table: zone "name" {…}, not 5',
		["zone()"] = "not nil",
		['zone ""'] = "is empty",
		['zone "a b"'] = "has a space",
		['zone "a/b"'] = "a slash",
		['zone "-a"'] = "begins with a dash",
		['zone "\\xff"'] = "not valid UTF-8",
		['zone(("x"):rep(1000))'] = "too long",
		['zone "a" (5)'] = "after the name comes a table",
		['zone("a", 5)'] = "after the name comes a table",
		['zone "a" ({}, {})'] = "more than one table",
		['local z = zone "a" z:start()'] = 'zone "a" lacks its table',
		["blk(5)"] = "blk takes a name and a table",
		['blk "a" (5)'] = "after the name comes a table",
		['zone "a" {devices = {zone "b"}}'] = 'devices[1]: is zone "b" without its table',
		['zone "a" {devices = {zone}}'] = "devices[1]: is a function, not a device",
	} do
		local _, err = fresh(text)
		t.has(err, want, text)
		t.has(err, "boot.lua:1: ", text)
	end
end)

t.test("a zone is defined once; at the prompt a new definition takes the old one's place", function()
	local _, err = fresh('zone "a" {' .. small .. '}\n\nzone "a" {' .. small .. "}")
	t.has(err, "boot.lua:3: zone a is defined twice: first at ")
	t.has(err, "boot.lua:1")
	t.eq(#dsl.zones, 1)
	local first = dsl.find "a"
	local mode = core.mode()
	core.mode "repl"
	local level = require("hvsh.log").level "error"
	local again = script('return zone("a", {' .. small:gsub("id = 1", "id = 2") .. "})")
	require("hvsh.log").level(level)
	core.mode(mode)
	t.ok(again ~= first and dsl.find "a" == again and dsl.zones[1] == again and #dsl.zones == 1)
	t.eq(dsl.spec_of(again).id, 2)
	dsl.reset()
	t.eq(dsl.find "a", nil)
	t.eq(#dsl.zones, 0)
end)

t.test("a zone whose table never came is remembered", function()
	fresh '\nlocal _ = zone "a"'
	t.eq(dsl.unfinished()[1].name, "a")
	t.eq(dsl.unfinished()[1].line, 2)
	script('zone "a" {' .. small .. "}")
	t.eq(#dsl.unfinished(), 0)
end)

t.test("specs are frozen, and independent of the table they came from", function()
	local z, raw = fresh('local t = {' .. small .. '}\nlocal z = zone "a" (t)\nt.id, t.ram.size, t.cpus[1] = 9, 9, 9\nreturn z')
	t.eq(raw, nil)
	local spec = dsl.spec_of(z)
	t.eq(spec.id, 1)
	t.eq(spec.ram[1].size, 1 << 20)
	t.eq(spec.cpus[1], 1)
	t.eq(#spec.cpus, 1)
	t.raises(function() spec.id = 2 end, "spec cannot be changed")
	t.raises(function() spec.ram[1].size = 2 end, "cannot be changed")
	t.raises(function() spec.cpus[2] = 2 end, "cannot be changed")
	t.raises(function() setmetatable(spec, nil) end)
	t.eq(getmetatable(spec), false)
	local seen = {}
	for key, value in pairs(spec) do seen[key] = value end
	t.eq(seen.name, "a")
	t.raises(function() seen.ram[1].at = 5 end, "cannot be changed")
	local n = 0
	for _, region in ipairs(spec.regions) do n = n + region.size end
	t.eq(n, 1 << 20)
	t.eq(tostring(spec), "zone a (id 1, 1 CPU, 1M)")
	t.ok(spec.ram[1] == spec.ram[1], "the same part twice")
	t.ok(rawequal(next(spec), nil), "nothing inside")
end)

t.test("parts of a spec may be used again", function()
	local z, why = fresh('local a = zone "a" {' .. small .. ', initrd = "x/initrd"}\nlocal s = a.spec\n' ..
		'return zone "b" {id = 2, cpus = s.cpus, ram = s.ram, kernel = s.kernel, initrd = s.initrd, arch = s.arch}')
	local spec = dsl.spec_of(z or t.fail(why))
	t.eq(spec.initrd.image, (arg[0]:match "^(.*/)" or "") .. "x/initrd")
	t.eq(spec.regions[1].at, 0x1000)
	t.eq(spec.kernel.image, false)
end)

t.test("devices: names, defaults, one device in two zones", function()
	local z = fresh('local r = rng {at = 0xa000000}\nlocal function z(n) return zone("z" .. n) {' .. small ..
		', devices = {r, blk {image = "x"}, blk "blk0" {image = "y"}, console "hvc0", net {tap = "t", enabled = false}}} end\n' ..
		"z(1) return z(2)")
	local d = dsl.spec_of(z).devices
	t.same({ d[1].name, d[2].name, d[3].name, d[4].name, d[5].name }, { "rng0", "blk1", "blk0", "hvc0", "net0" })
	t.eq(d[5].enabled, false)
	t.eq(d[1].at, 0xa000000)
	local _, err = fresh('zone "a" {' .. small .. ', devices = {rng "x" {},\n rng "x" {}}}')
	t.has(err, 'boot.lua:2: devices[2]: a device named "x" is there already')
end)

t.test("paths are relative to the script that was started", function()
	local z = fresh('return zone "a" {' .. small:gsub("kernel = false", 'kernel = "./Image"') ..
		', dtb = "/abs/x.dtb", devices = {blk {image = "disk"}}}')
	local spec = dsl.spec_of(z)
	-- This test itself is the outermost script.
	local here = arg[0]:match "^(.*/)" or ""
	t.eq(spec.kernel.image, here .. "Image")
	t.eq(spec.dtb.image, "/abs/x.dtb")
	t.eq(spec.devices[1].options.image, here .. "disk")
	-- A script of its own: outside of this one's stack.
	dsl.reset()
	local f = assert(io.open(folder .. "/sub/lib.lua", "w"))
	f:write('return function(n) return zone(n) {' .. small:gsub("kernel = false", 'kernel = "Image"') .. "} end")
	f:close()
	f = assert(io.open(folder .. "/main.lua", "w"))
	f:write(('local z = dofile "%s/sub/lib.lua" "a"\nprint(z.spec.kernel.image) zones.check()'):format(folder))
	f:close()
	local p <close> = assert(io.popen(("'%s' %s/main.lua 2>/dev/null"):format(os.getenv "HVSH", folder)))
	t.eq(p:read "l", folder .. "/Image")
end)

t.test("where each part was written", function()
	local z = fresh('return zone "a" {\n' .. small .. ',\n devices = {\n blk "root" {image = "x",\n irq = 5}, console "c"},\n mmio = {\n{at = 1,\nsize = 2}}}')
	local spec = dsl.spec_of(z)
	local function line(path) return select(2, dsl.origin(spec, path)) end
	t.eq(line "", 1)
	t.eq(line "ram.size", 2)
	t.eq(line "devices.root", 4)
	t.eq(line "devices.root.irq", 5)
	t.eq(line "devices.c", 5)
	t.eq(line "mmio[1].size", 8)
	t.eq(line "mmio[1].phys", 7)
	t.eq((dsl.origin(spec, "id")), folder .. "/boot.lua")
end)

t.test("C takes specs of ours and nothing else", function()
	local fake = setmetatable({}, { __index = { id = 1, name = "x" }, __name = "hvsh.spec" })
	for _, value in ipairs { {}, fake, 5, "x", print } do
		t.raises(function() core.check { value } end, "a zone was expected")
	end
end)

t.test("everything of a zone arrives in the configuration", function()
	local z = fresh [[return zone "full" {
		id = 3, cpus = "1,4-5", arch = "arm64",
		regions = {
			{type = "ram", at = 0x50000000, phys = 0x60000000, size = "64M"},
			{type = "io", at = 0x9000000, size = 0x1000},
			{type = "virtio", at = 0xa000000, size = 0x4000},
		},
		irqs = {33, 78, 76},
		kernel = {image = false, phys = 0x60400000}, dtb = {image = false, phys = 0x60000000}, entry = 0x50400000,
		gic = {version = 2, gicd = {at = 0xf9010000, size = "64K"}, gicc = {at = 0xf9020000, size = "128K", offset = 0xf000},
			gich = {at = 0xf9040000, size = "128K"}, gicv = {at = 0xf9060000, size = "128K"}},
		aarch32 = true,
		pci = {
			buses = {{ecam = {at = 0x4010000000, size = "256M"}, mem32 = {at = 0x10000000, size = 0x2eff0000}, bus_range = {0, 0x1f}, domain = 1}},
			devices = {{at = "06:00.1", as = "00:02.0", type = 7, domain = 1}},
		},
		ivc = {{id = 5, peer = 1, control = 0x70000000, shared = 0x70001000, rw_size = "4K", out_size = "4K", irq = 66, peers = 2}},
	}]]
	local bytes = assert(core.encode(dsl.spec_of(z), "arm64", "6"))
	local text = assert(core.decode(bytes, "6", "arm64"))
	local function field(name, value)
		for line in text:gmatch "[^\n]+" do
			local at = line:match("^%s*%d+%s+" .. name:gsub("%p", "%%%0") .. "%s+(%S+)")
			if at then return t.eq(at, value, name) end
		end
		t.fail("no field " .. name)
	end
	field("zone_id", "0x3")
	field("cpus", "0x32")
	field("memory_regions[0].physical_start", "0x60000000")
	field("memory_regions[0].virtual_start", "0x50000000")
	field("memory_regions[1].type", "0x1")
	field("memory_regions[2].type", "0x2")
	field("entry_point", "0x50400000")
	field("kernel_load_paddr", "0x60400000")
	field("dtb_load_paddr", "0x60000000")
	field("arch_config.is_aarch32", "0x1")
	field("arch_config.gicc_offset", "0xf000")
	field("arch_config.gicv_base", "0xf9060000")
	t.has(text, "33, 76, 78")
	for _, part in ipairs { "0x4010000000", "0x2eff0000", "0x70001000", "0x42" } do t.has(text, part) end
end)

t.test("an x86 zone's pieces", function()
	local z = fresh [[return zone "x" {
		id = 1, cpus = {2}, board = require "board.qemu_x86_64", kernel = {image = false, phys = 0x40400000}, entry = 0x8000,
		regions = {{type = "ram", at = 0, phys = 0x40300000, size = "16M"}, {type = "ram", at = 0x1000000, size = 0x1000, name = "acpi"}},
		x86 = {kernel_gpa = 0x100000, acpi_region = "acpi", screen_base = 0x70000000,
			setup = {image = false, at = 0xd000, phys = 0x4030d000}, cmdline = {at = 0xc000}},
	}]]
	local text = assert(core.decode(assert(core.encode(dsl.spec_of(z), "x86_64", "6")), "6", "x86_64"))
	for _, part in ipairs { "0xfec00000", "0x100000", "0xd000", "0x70000000", "0x8000" } do t.has(text, part) end
	t.ok(text:find "acpi_memory_region_id%s+0x1", "region by name")
end)

os.execute("rm -rf " .. folder)
t.done()
