-- SPDX-License-Identifier: GPL-2.0-or-later
-- What values look like to a person.
local tests = os.getenv "HVSH_TESTS"
local t = dofile(tests .. "/lib/tap.lua")
local show = require("hvsh.print").value

t.test("scalars", function()
	t.eq(show(nil), "nil")
	t.eq(show(true), "true")
	t.eq(show(42), "42")
	t.eq(show(1.5), "1.5")
	t.eq(show(0x50000000), "1342177280 (0x50000000)")
	t.eq(show(math.mininteger), "-9223372036854775808")
	t.eq(show(0 / 0):gsub("-", ""), "nan")
	t.eq(show "plain text", "plain text")
	t.eq(show "esc\27[2J", "esc\\x1b[2J")
	t.eq(show "bad \xff", "bad \\xff")
	t.eq(show "bad \xc2\x9b31m", "bad \\x9b31m")
	t.eq(show(print), "function")
end)

t.test("a record: two columns, addresses in hex, sizes in units, strings quoted", function()
	t.eq(show { size = 0x30000000, at = 0x50000000, name = "ram", gicd_base = 0x8000000, n = 4096 },
		'name       "ram"\nat         0x50000000\nsize       768M\ngicd_base  0x8000000\nn          4096')
end)

t.test("a list of records: a table with a heading", function()
	t.eq(show { { name = "linux1", id = 1, size = 4096, on = true }, { name = "a", id = 12, size = 0x40000000, on = false } },
		"ID  NAME    SIZE  ON\n 1  linux1    4K  true\n12  a         1G  false")
end)

t.test("it fits the width", function()
	local rows = {}
	for i = 1, 3 do rows[i] = { name = ("long"):rep(30), text = ("word "):rep(20), id = i } end
	for line in show(rows, { width = 60 }):gmatch "[^\n]+" do
		t.ok(utf8.len(line) <= 60, "line of " .. utf8.len(line))
	end
	local text = show({ list = { ("x"):rep(50), ("y"):rep(50) } }, { width = 60 })
	t.has(text, '"' .. ("x"):rep(50) .. '",\n')
end)

t.test("lists and nested tables", function()
	t.eq(show { 1, 2, 3 }, "{1, 2, 3}")
	t.eq(show {}, "{}")
	t.eq(show { a = { b = { at = 255 } } }, "a  {b = {at = 0xff}}")
	t.eq(show { 1, 2, x = 3 }, "{1, 2, x = 3}")
	t.eq(show { [2] = "b" }, '{[2] = "b"}')
	t.eq(show { ["a b"] = 1 }, '["a b"]  1')
	t.eq(show { s = 'say "hi"\n\\' }, 's  "say \\"hi\\"\\n\\\\"')
end)

t.test("key order does not depend on chance", function()
	local a, b = {}, {}
	for i = 1, 30 do a["k" .. i] = i end
	for i = 30, 1, -1 do b["k" .. i] = i end
	t.eq(show(a), show(b))
end)

t.test("cycles, depth and length are bounded", function()
	local loop = { name = "x" }
	loop.me = loop
	t.has(show(loop), "<cycle>")
	local list = { 1 }
	list[2] = list
	t.has(show(list), "<cycle>")
	local deep = {}
	for _ = 1, 10000 do deep = { deep } end
	t.ok(#show(deep) < 500, "deep")
	local long = {}
	for i = 1, 100000 do long[i] = i end
	t.ok(#show(long) < 20000, "long")
	t.has(show(long), "more")
	local wide = {}
	for i = 1, 1000 do wide[i] = { id = i } end
	t.has(show(wide), "500 more")
	t.ok(#show { text = ("z"):rep(100000) } < 2000, "string")
end)

t.test("objects show their own text, and broken ones do no harm", function()
	local object = setmetatable({}, { __tostring = function() return "zone a (1)" end, __metatable = false })
	t.eq(show(object), "zone a (1)")
	t.eq(show { z = object }, "z  zone a (1)")
	t.eq(show { object, object }, "{zone a (1), zone a (1)}")
	t.has(show(setmetatable({}, { __tostring = function() error "broken" end })), "cannot be shown")
	t.has(show(setmetatable({}, { __tostring = function() return {} end })), "cannot be shown")
	t.has(show(setmetatable({}, { __pairs = function() error "broken" end })), "cannot be shown")
	local proxy = setmetatable({}, { __index = { at = 16 }, __pairs = function() return next, { at = 16 } end })
	t.eq(show(proxy), "at  0x10")
	t.has(show(io.stdout), "file (")
end)

t.test("colour only when asked for", function()
	t.eq(show({ a = 1 }):find "\27", nil)
	t.has(show({ a = 1 }, { color = true }), "\27[36ma")
end)

t.test("a text of its own that is a table is cut, too", function()
	local wide = setmetatable({}, { __tostring = function() return ("word "):rep(30) .. "\n1" end })
	for line in show(wide, { width = 40 }):gmatch "[^\n]+" do t.ok(utf8.len(line) <= 40, line) end
end)

t.test("very many tables", function()
	local all = {}
	for i = 1, 150 do
		all[i] = { {}, {} }
		for j = 1, 150 do all[i][1][j] = { { i }, { j }, {} } end
	end
	local text = show(all)
	t.ok(#text < 2000000, #text)
	t.has(text, "{{1}, {1}, {}},")
	local text2 = show { { a = all, b = 1 }, { a = all, b = 2 } }
	t.ok(#text2 < 1000, #text2)
end)

t.done()
