-- SPDX-License-Identifier: GPL-2.0-or-later
-- The schema as data, and what validation says to each kind of bad value.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local schema = require "hvsh.schema"
local dsl = require "hvsh.dsl"

-- A zone that is right, but for the changes; returns the error, or nil and the spec.
local n = 0
local function define(changes, base)
	n = n + 1
	local z = base or {
		id = 1, cpus = { 2 }, arch = "arm64",
		ram = { at = 0x50000000, size = "1M" },
		kernel = false,
	}
	for key, value in pairs(changes) do z[key] = value end
	for key, value in pairs(z) do if value == "nil" then z[key] = nil end end
	local ok, result = pcall(zone("t" .. n), z)
	if ok then return nil, result.spec end
	return result
end

local function refuses(changes, ...)
	local message = define(changes)
	if not message then t.fail("was taken", 2) end
	for _, part in ipairs { ... } do t.has(message, part) end
	return message
end

t.test("every field has a sentence, an example and a kind that is known", function()
	local kinds = {}
	for word in ([[integer size address string path boolean mac bdf enum numbers texts lent range extent part data record list some
		image region devices board passthrough given rates bytes duration function]]):gmatch "%a+" do kinds[word] = true end
	local count = 0
	local function visit(type, path, depth)
		t.ok(depth < 10, path .. ": depth")
		for _, f in ipairs(type.fields or {}) do
			local at = path .. "." .. f.name
			count = count + 1
			t.ok(kinds[f.kind], at .. ": kind " .. tostring(f.kind))
			t.ok(f.doc and f.doc:find "%.$", at .. ": doc")
			t.ok(f.example, at .. ": example")
			t.ok(type.fields[f.name] == f, at .. ": by name")
			visit(f.of or f, at, depth + 1)
		end
	end
	visit(schema.zone, "zone", 0)
	visit(schema.board, "board", 0)
	for name, type in pairs(schema.devices) do visit(type, name, 0) end
	t.ok(count > 150, "fields")
end)

t.test("describe finds fields by path", function()
	local d = schema.describe "zone.ram.size"
	t.eq(d.kind, "size")
	t.eq(d.unit, "bytes")
	t.eq(schema.describe("ram[2].size").doc, d.doc)
	t.eq(schema.describe("blk.image").required, true)
	t.eq(schema.describe("devices.blk.image").kind, "path")
	t.eq(schema.describe("board.gic.gicd").kind, "record")
	t.same(schema.describe("zone.dtb").fields, { "image", "at", "phys", "patch", "stdout" })
	t.eq(schema.describe("ram.sizze"), nil)
	t.eq(schema.describe(""), nil)
	t.eq(schema.describe(("a."):rep(1000)), nil)
end)

t.test("sizes: units and bytes mean the same", function()
	for text, bytes in pairs { ["768M"] = 768 << 20, ["4K"] = 4096, ["1GiB"] = 1 << 30, [4096] = 4096 } do
		local err, spec = define { ram = { at = 0, size = text } }
		t.eq(err, nil)
		t.eq(spec.regions[1].size, bytes)
	end
end)

t.test("numbers that are none", function()
	refuses({ id = 0 / 0 }, "id: is NaN")
	refuses({ id = math.huge }, "id: is infinite")
	refuses({ id = -math.huge }, "id: is infinite")
	refuses({ id = 1.5 }, "id: is 1.5, not a whole number")
	refuses({ id = 2.0 }, "id: is the floating-point number 2.0; write 2")
	refuses({ id = -1 }, "id: is -1")
	refuses({ id = 1 << 40 }, "id: is 1099511627776 (0x10000000000)")
	refuses({ id = math.mininteger }, "id: is -9223372036854775808")
	refuses({ id = "1" }, 'id: is the text "1"; write 1 without quotes')
	refuses({ id = {} }, "id: is a table, not a whole number")
	refuses({ id = true }, "id: is true")
	refuses({ id = print }, "id: is a function")
	refuses({ entry = "0x50400000" }, "entry:", "write 0x50400000 without quotes")
	refuses({ entry = 1e9 }, "write 0x3b9aca00")
	refuses({ entry = -4096 }, "entry: is negative: -4096")
	refuses({ ram = { at = 0, size = -1 } }, "ram.size: is negative")
	refuses({ ram = { at = 0, size = 0 } }, "ram.size: is 0; it must be more")
	refuses({ ram = { at = 0, size = "12X" } }, 'ram.size: "12X" is no size')
	refuses({ ram = { at = 0, size = "-4K" } }, "ram.size:")
	refuses({ ram = { at = 0, size = "99999999999T" } }, "ram.size:")
	refuses({ ram = { at = 0, size = ("9"):rep(100000) } }, "ram.size:")
	refuses({ ram = { at = 0, size = 1e300 } }, "ram.size:")
end)

t.test("text that is none", function()
	refuses({ kernel = { image = false, cmdline = 5 } }, "kernel.cmdline: is 5, not text in quotes")
	refuses({ kernel = { image = false, cmdline = "a\nb" } }, "kernel.cmdline: has a control character", "\\x0a")
	refuses({ kernel = { image = false, cmdline = "a\0b" } }, "kernel.cmdline: has a control character")
	refuses({ kernel = { image = false, cmdline = "\xff\xfe" } }, "kernel.cmdline: is not valid UTF-8", "\\xff")
	refuses({ kernel = { image = false, cmdline = ("x"):rep(5000) } }, "is 5000 bytes long, at most 4095 fit")
	refuses({ kernel = "Im\0age" }, "kernel: has a NUL byte")
	refuses({ kernel = "" }, "kernel: is empty; write false")
	refuses({ kernel = 7 }, "kernel: is 7, neither a file name in quotes nor a table")
	refuses({ kernel = { image = false, format = "elff" } }, 'kernel.format: is "elff"', 'did you mean "elf"?')
	refuses({ arch = "arm" }, "arch:", '"arm64", "riscv64", "loongarch64", "x86_64"')
end)

t.test("tables that are none", function()
	local cyclic = { at = 0, size = 1 }
	cyclic.self, cyclic[1] = cyclic, cyclic
	refuses({ ram = cyclic }, "unknown field")
	local list = {}
	list[1] = list
	refuses({ ram = list }, "ram[1]")
	refuses({ cpus = list }, "cpus[1]: is a table")
	refuses({ pci = { buses = list } }, "pci.buses[1]")
	refuses({ devices = list }, "devices[1]: is a table, not a device")
	local deep = {}
	for _ = 1, 10000 do deep = { ram = deep, [1] = deep } end
	refuses({ ram = deep, mmio = deep, gic = deep }, "ram")

	local trick = setmetatable({}, { __index = function() error "called" end, __pairs = function() error "called" end,
		__len = function() error "called" end, __eq = function() error "called" end })
	refuses({ ram = trick }, "ram: is an object with a metatable")
	refuses({ cpus = trick }, "cpus: is an object with a metatable")
	refuses({ kernel = trick }, "kernel: is an object with a metatable")
	refuses({ devices = { trick } }, "devices[1]: is a table, not a device")
	refuses({ board = trick }, "board: is a table, not a board")
	refuses({ ram = setmetatable({}, { __metatable = false }) }, "metatable")
	refuses({ ram = io.stdout }, "ram: is a userdata")
	t.has(define({}, setmetatable({ id = 1 }, {})), "is an object with a metatable")
end)

t.test("lists: holes, other keys, too long", function()
	refuses({ cpus = { 1, nil, 3 } }, "cpus[2]: is nil: the list goes on after it")
	refuses({ cpus = { [0] = 1 } }, "cpus[0]: unknown field: cpus is a list")
	refuses({ cpus = { 1, x = 2 } }, "cpus.x: unknown field")
	refuses({ cpus = { [1 << 60] = 1 } }, "cpus[1]: is nil")
	refuses({ cpus = { [1.5] = 1 } }, "cpus[1.5]: unknown field")
	refuses({ cpus = { [{}] = 1 } }, "unknown field")
	local long = {}
	for i = 1, 5000 do long[i] = i end
	refuses({ irqs = long }, "irqs: has more than 4096 entries")
	refuses({ irqs = "0-100000000" }, "irqs: has more than 4096 entries")
	refuses({ [1] = "stray" }, '[1]: unknown field: "stray" stands here without a name')
	refuses({ [("k"):rep(10000)] = 1 }, "unknown field")
	refuses({ ["a\27b"] = 1 }, "\\x1b")
end)

t.test("CPU lists", function()
	for text, want in pairs { ["2-3,5"] = { 2, 3, 5 }, ["0"] = { 0 }, [" 1 , 4 - 5 "] = { 1, 4, 5 } } do
		local err, spec = define { cpus = text }
		t.eq(err, nil)
		t.eq(table.concat(spec.cpus, ","), table.concat(want, ","))
	end
	refuses({ cpus = {} }, "cpus: is empty")
	refuses({ cpus = "" }, "cpus:")
	refuses({ cpus = "3-2" }, "runs backwards")
	refuses({ cpus = "1,,2" }, "is no list of numbers")
	refuses({ cpus = "a" }, "is no list of numbers")
	refuses({ cpus = { 2, 2 } }, "cpus[2]: 2 is listed twice")
	refuses({ cpus = { 64 } }, "cpus[1]: is 64")
	refuses({ cpus = "0-64" }, "cpus: is 64")
	refuses({ cpus = { -1 } }, "cpus[1]: is -1")
	refuses({ cpus = { "2" } }, "cpus[1]:", "write 2 without quotes")
	refuses({ cpus = 2 }, "cpus: is 2, not a list")
end)

t.test("unknown fields are named with what was meant", function()
	refuses({ kernal = "Image" }, "kernal: unknown field 'kernal' (did you mean 'kernel'?)")
	refuses({ interrupts = { 1 } }, "did you mean 'irqs'?")
	refuses({ ram = { at = 0, size = 1, sizze = 2 } }, "ram.sizze: unknown field 'sizze' (did you mean 'size'?)")
	local message = refuses({ wholly_unlike = 1 }, "unknown field 'wholly_unlike'")
	t.ok(not message:find "did you mean", "suggestion")
	refuses({ ram = { at = 0, lenght = 1 } }, "unknown field 'lenght'")
	-- What was misspelt is not missing as well.
	message = refuses({ id = "nil", zone_id = 1 }, "did you mean 'id'?")
	t.ok(not message:find("is missing", 1, true), "missing as well: " .. message)
end)

t.test("what is missing is said with an example", function()
	refuses({ id = "nil" }, "id: is missing (as in id = 1)")
	refuses({ ram = "nil" }, "ram: is missing")
	refuses({ ram = {} }, "ram: is missing")
	refuses({ kernel = "nil" }, "kernel: is missing")
	refuses({ cpus = "nil" }, "cpus: is missing")
	refuses({ ram = { size = 1 } }, "ram.at: is missing")
end)

t.test("trees that are made, and devices of the machine", function()
	local function spec_of(changes)
		local message, spec = define(changes)
		t.eq(message, nil)
		return spec
	end
	t.eq(spec_of({ dtb = "auto" }).dtb.auto, true)
	t.eq(spec_of({ dtb = { image = "auto", at = 0x50000000 } }).dtb.at, 0x50000000)
	t.eq(spec_of({ dtb = { image = "/x/auto", patch = true } }).dtb.image, "/x/auto")
	t.eq(spec_of({ dtb = "auto", passthrough = "&uart" }).passthrough.devices[1].name, "&uart")
	local p = spec_of({ passthrough = {
		"/soc/uart", { compatible = "a,b" }, tree = "/x.dtb",
		rates = { ["/soc/uart"] = { baud = "24M", [2] = 100 }, a = { 7 } },
	} }).passthrough
	t.eq(#p.devices, 2)
	t.eq(p.devices[2].compatible, "a,b")
	t.eq(p.tree, "/x.dtb")
	t.eq(#p.rates, 3)
	t.eq(p.rates[1].slot, 2)
	t.eq(p.rates[2].clock, "baud")
	t.eq(p.rates[2].hz, 24000000)
	t.eq(spec_of({ passthrough = { devices = { "a" } } }).passthrough.devices[1].name, "a")
	refuses({ passthrough = {} }, "passthrough: names no devices")
	refuses({ passthrough = 7 }, "passthrough: is 7, not a list of devices")
	refuses({ passthrough = { devices = {} } }, "passthrough.devices: is empty")
	refuses({ passthrough = { "a", devices = { "b" } } }, "passthrough.devices: is given besides devices")
	refuses({ passthrough = { "a", [3] = "b" } }, "passthrough[2]: is nil")
	refuses({ passthrough = { "a", { compatible = "b", x = 1 } } }, "passthrough[2]: is a table: it has one field")
	refuses({ passthrough = { "a", rates = { a = 7 } } }, "passthrough.rates.a: is 7, not a table of clocks")
	refuses({ passthrough = { "a", rates = { a = { [0] = 7 } } } }, "passthrough.rates.a[0]: is neither a clock's name nor its number")
	refuses({ passthrough = { "a", rates = { a = { 0 } } } }, "passthrough.rates.a[1]: is 0")
	refuses({ passthrough = { "a", rates = { a = { b = "much" } } } }, '"much" is no rate')
	refuses({ passthrough = { "a", accept = "b" } }, "passthrough.accept: is")
end)

t.test("fields that do not go together", function()
	refuses({ regions = { { type = "ram", at = 0, size = 1 } } }, "regions: is given besides ram")
	refuses({ kernel = { image = "I", at = 0, phys = 0 } }, "kernel.phys: is given besides at")
	refuses({ plic = { at = 0, size = 1 } }, "plic: is of riscv64 only, and the zone is arm64")
	refuses({ gic = { version = 3, gicd = { at = 0, size = 1 } } }, "gic.gicr: is missing")
	refuses({ gic = { version = 2, gicd = { at = 0, size = 1 }, gicc = { at = 0, size = 1 }, its = { at = 0, size = 1 } } },
		"gic.its: belongs to version 3")
	refuses({ gic = { version = 4, gicd = { at = 0, size = 1 } } }, "gic.version: is 4: it must be 2 to 3")
	refuses({ aarch32 = true }, "gic: is missing")
	refuses({ dtb = { image = "auto", patch = true } }, "dtb.patch: is for a given file")
end)

t.test("PCI", function()
	local _, spec = define { pci = {
		buses = { { ecam = { at = 0x4010000000, size = "256M" }, io = { at = 0x3eff0000, size = 0x10000, pci = 0 } } },
		devices = { "00:11.0", { at = "0001:06:00.1", as = "00:02.0", type = 3 } },
	} }
	t.same({ spec.pci.devices[2].at.bus, spec.pci.devices[2].at.func, spec.pci.devices[2].domain }, { 6, 1, 1 })
	t.eq(spec.pci.devices[1].as.device, 0x11)
	t.eq(spec.pci.buses[1].io.pci, 0)
	t.same({ spec.pci.buses[1].bus_range[1], spec.pci.buses[1].bus_range[2] }, { 0, 255 })
	for _, bad in ipairs { "x", "0:0", "00:20.0", "00:00.8", "100:00.0", "00:00.0.0", ("0"):rep(10000) } do
		refuses({ pci = { devices = { bad } } }, "pci.devices[1]:", "is no PCI address")
	end
	refuses({ pci = { devices = { { at = "0001:00:00.0", domain = 2 } } } }, "domain: is 2, but at says 1")
	refuses({ pci = { buses = { { ecam = { at = 0, size = "256M" }, bus_range = { 5, 2 } } } } }, "bus_range: runs backwards")
	refuses({ pci = { buses = { { ecam = { at = 0, size = "256M" }, bus_range = { 5 } } } } }, "bus_range: has 1 numbers")
end)

t.test("regions by name", function()
	local x86 = {
		id = 1, cpus = { 2 }, kernel = false,
		regions = { { type = "ram", at = 0, size = "1M" }, { type = "ram", at = "1", size = 1 } },
		x86 = { acpi_region = "acpi" },
	}
	x86.regions[2] = { type = "ram", at = 0x100000, size = "1M", name = "acpi" }
	local err, spec = define({}, x86)
	t.eq(err, nil)
	t.eq(spec.arch, "x86_64")
	t.eq(spec.x86.acpi_region, 1)
	x86.x86.acpi_region = "apci"
	t.has(define({}, x86), 'x86.acpi_region: no region has the name "apci"')
end)

t.test("device options", function()
	local function device(d, ...)
		local message = refuses({ devices = { d } }, ...)
		return message
	end
	device(blk "d" {}, "devices.d.image: is missing")
	device(blk "d" { image = "x", img = "y" }, "did you mean 'image'?")
	device(blk "d" { image = "x", overlay = "y", snapshot = true }, "devices.d.snapshot: is given besides overlay")
	device(net "n" { tap = "t", mac = "52:54:00:10:10" }, "devices.n.mac:", "is no hardware address")
	device(net "n" { tap = "t", mac = "01:00:00:00:00:01" }, "multicast")
	device(net "n" { tap = "t", mac = "00:00:00:00:00:00" }, "all zeroes")
	device(net "n" { tap = "waytoolongforatap" }, "at most 15 fit")
	device(net "n" {}, "devices.n.tap: is missing")
	device(net "n" { tap = "t", switch = "s" }, "is given besides tap")
	device(gpu "g" { width = 0 }, "devices.g.width: is 0: it must be 1 to")
	device(console "c" { irq = -1 }, "devices.c.irq")
	device(blk { image = "x", at = "0xa000000" }, "devices.blk0.at:", "without quotes")
	local err, spec = define { devices = {
		scmi "s" { clocks = "0-2", resets = "all", powers = { 7 } }, net "n" { tap = "t", mac = "52:54:00:AB:00:01" },
	} }
	t.eq(err, nil)
	t.eq(#spec.devices[1].options.clocks, 3)
	t.eq(spec.devices[1].options.resets, "all")
	t.eq(spec.devices[2].options.mac, "52:54:00:ab:00:01")
	t.eq(spec.devices[2].size, 0x200)
end)

t.test("many errors: all are counted, not all are shown", function()
	local bad = {}
	for i = 1, 100 do bad["field" .. i] = i end
	local message = define(bad)
	local _, lines = message:gsub("\n", "")
	t.ok(lines < 40, "lines")
	t.has(message, "more")
	t.eq(#dsl.zones > 0, true)
end)

t.done()
