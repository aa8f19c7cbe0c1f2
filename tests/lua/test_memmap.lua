-- SPDX-License-Identifier: GPL-2.0-or-later
-- memmap: arguments, files written, failures. The picture itself is tested where it is drawn.
local tests = os.getenv "HVSH_TESTS"
local t = dofile(tests .. "/lib/tap.lua")
local fake = dofile(tests .. "/lua/fake_core.lua")

local function fresh()
	local core = fake.install { { name = "linux1", id = 1, cpus = { 2, 3 } } }
	return core, require "hvsh.memmap"
end

local function slurp(path)
	local file <close> = assert(io.open(path, "rb"))
	return file:read "a"
end

t.test("free takes sizes as numbers and in units", function()
	local _, memmap = fresh()
	local at, size, align = memmap.free "64M"
	t.eq(at, 0x80000000)
	t.eq(size, 0x4000000)
	t.eq(align, 0x200000, "default alignment")
	_, size, align = memmap.free(4096, 4096)
	t.eq(size, 4096)
	t.eq(align, 4096)
	for _, bad in ipairs { "many", -1, 0, 1.5, {}, true } do
		t.has(t.raises(function() memmap.free(bad) end, "not a size"), "test_memmap.lua")
	end
	t.raises(function() memmap.free(4096, 3) end, "power of two")
end)

t.test("ranges are what the map has", function()
	local core, memmap = fresh()
	core.spans = { { start = 1, size = 2, kind = "ram", zone = "z", what = "ram" } }
	t.eq(memmap.ranges()[1].zone, "z")
end)

t.test("draw prints, svg is written whole or not at all", function()
	local core, memmap = fresh()
	local name = os.tmpname()
	local saved = io.output()
	io.output(name)
	t.eq(memmap.draw(), true)
	io.close(io.output())
	io.output(saved)
	t.eq(slurp(name), "picture\n")
	t.eq(memmap.draw { svg = name }, true)
	t.eq(slurp(name), "<svg/>")
	os.remove(name)
	local ok, message, code = memmap.draw { svg = "/nonexistent/map.svg" }
	t.eq(ok, nil)
	t.eq(code, "EIO")
	t.has(message, "/nonexistent/map.svg")
	core.memmap = function() return nil, "ENOMEM: out of memory", "ENOMEM" end
	ok, message = memmap.draw()
	t.eq(ok, nil)
	t.eq(message, "ENOMEM: out of memory")
	ok, message = memmap.free(4096)
	t.eq(ok, nil)
	t.eq(message, "ENOMEM: out of memory")
	t.eq(tostring(memmap), "memmap: ENOMEM: out of memory")
end)

t.test("misuse", function()
	local _, memmap = fresh()
	t.raises(function() memmap.draw "x" end, "table of options")
	t.raises(function() memmap.draw { widht = 3 } end, "widht")
	t.raises(function() memmap.draw { svg = 3 } end, "file name")
	t.raises(function() memmap.draw { width = "wide" } end, "columns")
	t.raises(function() return memmap.darw end, "did you mean draw?")
	t.eq(getmetatable(memmap), false)
end)

fake.remove()
t.done()
