-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a prompt does with what is typed, without a terminal.
local tests = os.getenv "HVSH_TESTS"
local t = dofile(tests .. "/lib/tap.lua")
local shell = require "hvsh.shell"

local function new(options)
	local said = {}
	options = options or {}
	local sh = shell.new {
		out = function(text) said[#said + 1] = text end, width = function() return options.width or 80 end,
		color = options.color, unicode = true, console = options.console,
	}
	return function(text)
		said = {}
		local state = sh:run(text)
		return state, table.concat(said)
	end, sh
end

local function says(run, text, expected)
	local state, said = run(text)
	t.eq(state, "done")
	t.eq(said, expected)
end

t.test("expressions and statements", function()
	local run = new()
	says(run, "6 * 7, 'text'", "42\ntext\n")
	says(run, "x_shell = 5", "")
	says(run, "x_shell", "5\n")
	says(run, "nil", "nil\n")
	says(run, "return 1, 2", "1\n2\n")
	says(run, "", "")
	says(run, "  -- a comment", "")
	says(run, "(function() end)()", "")
	t.eq(_G.x_shell, 5)
	_G.x_shell = nil
end)

t.test("results are kept for one prompt", function()
	local run, other = new(), new()
	run "1, 'two', nil"
	says(run, "_, _1, _2, _3", "1\n1\ntwo\nnil\n")
	run "'one'"
	says(run, "_2", "nil\n")
	says(other, "_", "nil\n")
	t.eq(rawget(_G, "_"), nil)
end)

t.test("what is not whole", function()
	local run = new()
	t.eq(run "for i = 1, 2 do", "more")
	t.eq(run "for i = 1, 2 do\n  f_shell = i", "more")
	t.eq(run "for i = 1, 2 do\n  f_shell = i\nend", "done")
	t.eq(_G.f_shell, 2)
	_G.f_shell = nil
	t.eq(run "x = [[", "more")
	t.eq(run "f(", "more")
	t.eq(run "x = 'a\\", "more")
	local state, said = run "x = 'a"
	t.eq(state, "done")
	t.has(said, "unfinished string")
end)

t.test("a long statement is not compiled at every line", function()
	local run = new()
	local lines = { "long_shell = {" }
	for i = 1, 4000 do lines[#lines + 1] = ("\tkey_%d = '}', -- }"):format(i) end
	local text = table.concat(lines, "\n", 1, 1)
	for i = 2, #lines do
		text = text .. "\n" .. lines[i]
		t.eq(run(text), "more")
	end
	t.eq(run(text .. "\n}"), "done")
	t.eq(_G.long_shell.key_4000, "}")
	_G.long_shell = nil
	-- What is wrong in it is found all the same.
	local state
	text = "x = {"
	for i = 1, 4000 do
		text = text .. ("\n\tkey_%d = = 1,"):format(i)
		state = run(text)
		if state == "done" then break end
	end
	t.eq(state, "done")
end)

t.test("errors say what may have been meant", function()
	local run = new()
	says(run, "zonse.list()", "hvsh: stdin:1: attempt to index a nil value (global 'zonse')\n"
		.. "    1 | zonse.list()\n      | ^^^^^ did you mean zones?\n")
	says(run, "x = string.fromat('%d', 1)", "hvsh: stdin:1: attempt to call a nil value (field 'fromat')\n"
		.. "    1 | x = string.fromat('%d', 1)\n      |            ^^^^^^ did you mean format?\n")
	run "shell_owner = {name = {}}"
	says(run, "shell_owner.nmae.x = 1", "hvsh: stdin:1: attempt to index a nil value (field 'nmae')\n"
		.. "    1 | shell_owner.nmae.x = 1\n      |             ^^^^ did you mean name?\n")
	says(run, "(function() return shell_owner end)().nmae.x = 1", "hvsh: stdin:1: attempt to index a nil value (field 'nmae')\n"
		.. "    1 | (function() return shell_owner end)().nmae.x = 1\n      |                                       ^^^^\n")
	run 'zone "shell_one" {id = 9, cpus = {2}, ram = {at = 0x50000000, size = "16M"}, kernel = {image = "Image", at = 0x50000000}}'
	says(run, "zones.shell_oen:stop()", "hvsh: stdin:1: attempt to index a nil value (field 'shell_oen')\n"
		.. "    1 | zones.shell_oen:stop()\n      |       ^^^^^^^^^ did you mean shell_one?\n")
end)

t.test("a call that gave nil is found", function()
	local run = new()
	local function finds(text, mark)
		says(run, text, "hvsh: stdin:1: attempt to index a nil value\n    1 | " .. text .. "\n      | " .. mark
			.. " the call before it gave nil: assert(…) around it says why\n")
	end
	run "shell_none = function() return nil, 'none there' end"
	finds("shell_none():open()", "            ^^^^^")
	finds("x = 1 + shell_none 'root'.size", "                         ^^^^^")
	finds("shell_none {image = 'x'}:limit {}", "                        ^^^^^^")
	says(run, "print(tostring(1):rep(2), shell_none().x)", "hvsh: stdin:1: attempt to index a nil value\n"
		.. "    1 | print(tostring(1):rep(2), shell_none().x)\n")
	says(run, "x = (false and 1 or (shell_none())).x", "hvsh: stdin:1: attempt to index a nil value\n"
		.. "    1 | x = (false and 1 or (shell_none())).x\n")
	says(run, "local t = {} x = (t.a or nil).x", "hvsh: stdin:1: attempt to index a nil value\n"
		.. "    1 | local t = {} x = (t.a or nil).x\n")
end)

t.test("errors show the line and the word", function()
	local run = new()
	says(run, "x = = 2", "hvsh: stdin:1: unexpected symbol near '='\n    1 | x = = 2\n      |     ^\n")
	says(run, "a_shell.b.c = 1", "hvsh: stdin:1: attempt to index a nil value (global 'a_shell')\n"
		.. "    1 | a_shell.b.c = 1\n      | ^^^^^^^\n")
	says(run, "local a = {} a.b.c = a.b", "hvsh: stdin:1: attempt to index a nil value (field 'b')\n"
		.. "    1 | local a = {} a.b.c = a.b\n      |                ^\n")
	says(run, "local a, b = 1 b()", "hvsh: stdin:1: attempt to call a nil value (local 'b')\n"
		.. "    1 | local a, b = 1 b()\n      |                ^\n")
	says(run, "('x'):foo()", "hvsh: stdin:1: attempt to call a nil value (method 'foo')\n"
		.. "    1 | ('x'):foo()\n      |       ^^^\n")
	says(run, "string.rep({})", "hvsh: stdin:1: bad argument #1 to 'rep' (string expected, got table)\n"
		.. "    1 | string.rep({})\n      |        ^^^\n")
	says(run, "\tlocal a\n\ta()", "hvsh: stdin:2: attempt to call a nil value (local 'a')\n"
		.. "    2 |     a()\n      |     ^\n")
	says(run, "error('no mark')", "hvsh: stdin:1: no mark\n    1 | error('no mark')\n")
	says(run, "error('no place', 0)", "hvsh: no place\n    at stdin:1, main chunk\n")
	says(run, "error {}", "hvsh: (an error that is a table value)\n    at stdin:1, main chunk\n")
	says(run, "error(setmetatable({hvsh_report = 'as it is'}, {}))", "as it is\n")
	t.has(select(2, run "coroutine.yield()"), "yielded outside of its coroutines")
end)

t.test("of functions typed before, the line they are on", function()
	local run = new()
	run "function f_shell(x)\n\treturn x.y.z\nend"
	run "function g_shell(x)\n\treturn #x.y\nend"
	says(run, "f_shell {}", "hvsh: stdin:2: attempt to index a nil value (field 'y')\n    2 |     return x.y.z\n"
		.. "      |              ^\n    at stdin:2, in global f_shell\n    at stdin:1, main chunk\n")
	t.has(select(2, run "g_shell {}"), "return #x.y\n")
	_G.f_shell, _G.g_shell = nil, nil
end)

t.test("a long line is cut around the mark", function()
	local run = new { width = 40 }
	local _, said = run("local a = 1 " .. ("local b = 2 "):rep(20) .. "nothing.here = 1 " .. ("local c = 3 "):rep(10))
	for line in said:gmatch "\n([^\n]+)" do t.ok(#line <= 40, line) end
	local line, mark = said:match "\n([^\n]+)\n([^\n]+)\n$"
	t.eq(line:sub(mark:find "%^+"), "nothing")
end)

t.test("failures of operations take one line", function()
	local run = new()
	says(run, "nil, 'ENOENT: no zone', 'ENOENT'", "nil  ENOENT: no zone\n")
end)

t.test("it cannot be stopped by what a value does when it is shown", function()
	local run = new()
	local _, said = run "setmetatable({}, {__tostring = function() error 'boo' end})"
	t.has(said, "cannot be shown")
	_, said = run "setmetatable({}, {__pairs = function() error 'boo' end})"
	t.has(said, "cannot be shown")
	says(run, "1", "1\n")
end)

t.test("statements may wait", function()
	local run = new()
	says(run, "sleep '1ms' done_shell = 1", "")
	t.eq(_G.done_shell, 1)
	_G.done_shell = nil
end)

t.test("commands with a dot", function()
	local opened
	local run = new { console = function(name) opened = name return true end }
	local state, said = run ".help"
	t.eq(state, "done")
	for _, name in ipairs { ".help", ".zones", ".map", ".console NAME", ".source FILE", ".time EXPR", ".quit" } do
		t.has("\n" .. said, "\n" .. name)
	end
	t.eq(run ".quit", "quit")
	t.eq(run "  .quit  ", "quit")
	says(run, ".quit now", "hvsh: .quit takes no argument\n")
	says(run, ".hepl", "hvsh: there is no command .hepl (did you mean .help?); .help lists them\n")
	says(run, ".source", "hvsh: .source takes the name of a script\n")
	says(run, ".source /nowhere/x.lua", "hvsh: cannot open /nowhere/x.lua: No such file or directory\n")
	_, said = run ".time 6 * 7"
	t.ok(said:find "^42\ntook %d")
	run ".console linux1"
	t.eq(opened, "linux1")
	t.has(select(2, new() ".console linux1"), "hvsh console linux1")
	says(run, ".5 + 1", "1.5\n")
	local path = os.tmpname()
	local file = io.open(path, "w")
	file:write "sourced_shell = 1\nlocal x\nx.y = 1\n"
	file:close()
	_, said = run(".source " .. path)
	t.eq(_G.sourced_shell, 1)
	t.has(said, "    3 | x.y = 1\n      | ^\n")
	os.remove(path)
	_G.sourced_shell = nil
end)

t.test("control characters of messages do not reach the terminal", function()
	local run = new()
	t.has(select(2, run "error 'esc \\27[2J'"), "esc \\x1b[2J")
end)

t.done()
