-- SPDX-License-Identifier: GPL-2.0-or-later
-- From a call to the lines of its fields.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local srcmap = require "hvsh.srcmap"

local function lines(text, line, word, name, raw)
	return srcmap.lines(text, line, word, name, raw or {})
end

t.test("names, positions and nested fields", function()
	local text = [==[
zone "a" {
	id = 1, cpus = {
		2,
		3 },
	ram = { { at = 1,
		size = "1M" },
	},
	["dtb"] =
		"x", -- }
	[3] = 4;
	devices = { blk "x" { image =
		"y" },
		net "z" {} },
}]==]
	local l, literal = lines(text, 1, "zone", "a")
	t.eq(literal, true)
	t.same({ l.id, l.cpus, l["cpus[1]"], l["cpus[2]"] }, { 2, 2, 3, 4 })
	t.same({ l.ram, l["ram[1]"], l["ram[1].at"], l["ram[1].size"] }, { 5, 5, 5, 6 })
	t.same({ l.dtb, l["[3]"], l.devices, l["devices[1]"], l["devices[2]"] }, { 8, 10, 11, 11, 13 })
	t.eq(lines(text, 11, "blk", "x").image, 11)
end)

t.test("functions, comments and strings do not confuse it", function()
	local l = lines([===[
zone "a" {
	f = function(a, b) if a then return { x = 1, y = 2 }, b end
		for i = 1, 2 do local z, w = 1; end repeat until true while false do end end,
	--[[ zone "a" { bad = 1,
	} ]] s = [[
	}, t = 3
	]], --[==[ } ]==]
	u = "} , \" \z
	     { v = 2", q = '\'}',
	n = 0x1p4 + #"," .. ("x"):rep(3, ","),
	last = 1,
}]===], 1, "zone", "a")
	t.same({ l.f, l.s, l.u, l.q, l.n, l.last }, { 2, 5, 8, 9, 10, 11 })
	t.eq(l.bad, nil)
	t.eq(l.t, nil)
	t.eq(l.v, nil)
	t.eq(l.w, nil)
	t.eq(l["[1]"], nil)
end)

t.test("several on one line, parentheses, the brace on the next line", function()
	local text = 'zone "a" { id = 1 } zone("b") {\n id = 2 } zone "c"\n{\nid = 3 } zone("d", {\nid = 4 })'
	t.eq(lines(text, 1, "zone", "a").id, 1)
	t.eq(lines(text, 1, "zone", "b").id, 2)
	t.eq(lines(text, 2, "zone", "c").id, 4)
	t.eq(lines(text, 4, "zone", "d").id, 5)
	t.eq(lines('zone [[e]] {\n\nid = 1}', 1, "zone", "e").id, 3)
	t.eq(lines('zone "\\65\\x42\\n" {\n\nid = 1}', 1, "zone", "AB\n").id, 3)
end)

t.test("a name that is worked out, and calls without a name", function()
	local text = 'for i = 1, 2 do\n zone("z" .. i) {\n id = i } end\n x = { blk { image = 1 }, blk { irq = 1,\n image = 2 } }'
	local l, literal = lines(text, 2, "zone", "z1", { id = 1 })
	t.eq(l.id, 3)
	t.eq(literal, false)
	t.eq(lines(text, 4, "blk", nil, { image = 1, irq = 1 }).image, 5)
end)

t.test("a table that comes from elsewhere has no lines", function()
	local l, literal = lines('local t = { id = 1 }\nzone "a" (t)\nzone "b" { x = 1 }', 2, "zone", "a", { id = 1 })
	t.eq(next(l), nil)
	t.eq(literal, true)
	t.eq(next((lines("=stdin", 1, "zone", "a"))), nil)
	t.eq(next((lines("@/no/such/file", 1, "zone", "a"))), nil)
	t.eq(next((lines("", 1, "zone", "a"))), nil)
	t.eq(next((lines('zone "a" { id = 1', 1, "zone", "a"))), nil)
	t.eq(next((lines('zone "a" { id = 1 }', 1000000, "zone", "a"))), nil)
end)

t.test("the nearest part that has a line", function()
	local l = { ram = 3, ["ram[1].size"] = 5 }
	t.eq(srcmap.line_of(l, "ram[1].size"), 5)
	t.eq(srcmap.line_of(l, "ram[1].at"), 3)
	t.eq(srcmap.line_of(l, "cpus[1]"), nil)
	t.eq(srcmap.line_of(l, ""), nil)
end)

t.test("the file is read anew when it changes", function()
	local name = os.tmpname()
	local function write(text)
		local f <close> = assert(io.open(name, "w"))
		f:write(text)
	end
	write '#!/usr/bin/env hvsh\nzone "a" {\n id = 1 }'
	t.eq(lines("@" .. name, 2, "zone", "a").id, 3)
	write 'zone "a" {\n\n\n id = 1 }'
	t.eq(lines("@" .. name, 1, "zone", "a").id, 4)
	os.remove(name)
end)

t.test("hostile text ends, and soon", function()
	-- Counted in VM instructions, so that a slow machine is no failure: some hundred per byte at most.
	local function bounded(text, what)
		local steps = 0
		debug.sethook(function()
			steps = steps + 1
			if steps > 3000 then error "too long" end
		end, "", 100000)
		local ok, err = pcall(lines, text, 1, "zone", "a", { x = 1 })
		debug.sethook()
		t.ok(ok, what .. ": " .. tostring(err))
		t.ok(steps <= 3000, what .. ": too many steps")
	end
	bounded(("{"):rep(300000), "open braces")
	bounded(("zone{"):rep(100000), "nested calls")
	bounded(("zone{x=1}"):rep(50000), "calls")
	bounded(("zone'a'{y="):rep(50000) .. ("}"):rep(50000), "calls within calls")
	bounded('zone "a"' .. ("{a="):rep(100000) .. ("}"):rep(100000), "nested tables")
	bounded(('"a"{'):rep(100000), "names")
	bounded(("'\\"):rep(100000), "escapes")
	bounded(('"'):rep(300001), "quotes")
	bounded(("["):rep(300000), "brackets")
	bounded(("[="):rep(150000), "long brackets")
	bounded("zone 'a' {" .. ("function "):rep(50000) .. "}", "functions")
	bounded("zone 'a' {" .. ("x,"):rep(150000) .. "}", "fields")
	bounded(("--[["):rep(100000), "comments")
	bounded(("\0\255\n"):rep(100000), "bytes")
	bounded(("x"):rep(3000000), "too long to look at")
end)

t.done()
