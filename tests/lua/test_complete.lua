-- SPDX-License-Identifier: GPL-2.0-or-later
-- What Tab offers at the prompt. Nothing is run for it.
local tests = os.getenv "HVSH_TESTS"
local t = dofile(tests .. "/lib/tap.lua")
local shell = require "hvsh.shell"

local sh = shell.new { out = function() end, width = function() return 80 end, color = false, unicode = true }

local function offers(line, expected, text)
	local from, list = sh:complete(text or "", line, #line)
	t.eq(("%d %s"):format(from, table.concat(list, " ")), expected, line)
end

local function first(line, text) return select(2, sh:complete(text or "", line, #line))[1] end

zone "linux1" {
	id = 1, cpus = { 2 }, arch = "arm64", ram = { at = 0x50000000, size = "64M" }, kernel = false,
	gic = { version = 3, gicd = { at = 0x8000000, size = "64K" }, gicr = { at = 0x80a0000, size = "64K" } },
	devices = { console "hvc0" { at = 0xa003e00, irq = 78 }, blk "root" { image = "x", at = 0xa003c00, irq = 77 } },
}

t.test("globals, whether used before or not, keywords and locals", function()
	offers("memm", "1 memmap")
	offers("x = colle", "5 collectgarbage")
	offers("retu", "1 return")
	offers("local alpha, beta = 1; alp", "24 alpha")
	offers("return gam", "8 gamma", "function f(delta, gamma)")
	offers("nothing_like_it", "1 ")
	_G.ours_complete = 1
	offers("ours_c", "1 ours_complete")
	_G.ours_complete = nil
end)

t.test("the cursor may stand inside of the line", function()
	local from, list = sh:complete("", "memm.draw()", 4)
	t.eq(from, 1)
	t.eq(list[1], "memmap")
end)

t.test("fields and methods", function()
	_G.fields_complete = { alpha = 1, alto = 2, beta = function() end, ["no name"] = 1, inner = { deep = { er = 1 } } }
	offers("fields_complete.al", "17 alpha alto")
	offers("fields_complete:", "17 beta")
	offers("fields_complete.inner.deep.", "28 er")
	offers("fields_complete['inner'].", "26 deep")
	offers("string.rev", "8 reverse")
	offers("('x'):rev", "7 reverse")
	offers("zones.linux1:st", "14 start state stop")
	offers("zones['linux1'].spec.gic.ver", "26 version")
	offers("zones.li", "7 linux1 list")
	offers("f().x", "5 ")
	offers("1 .. memmap.dr", "13 draw")
	offers("a.b.c.", "7 ")
	_G.fields_complete = nil
end)

t.test("no metamethod is called", function()
	local function evil() error "called" end
	_G.evil_complete = setmetatable({ seen = { more = 1 } }, {
		__index = evil, __pairs = evil, __len = evil, __call = evil, __tostring = evil, __name = "hvsh.zone",
	})
	offers("evil_complete.", "15 seen")
	offers("evil_complete.seen.", "20 more")
	offers("evil_complete.gone.", "20 ")
	local class = { method = function() end }
	class.__index = class
	_G.evil_complete = setmetatable({}, class)
	offers("evil_complete:", "15 method")
	class.__index = _G.evil_complete
	offers("evil_complete:met", "15 ")
	_G.evil_complete = nil
end)

t.test("zones, devices, modules and files in quotes", function()
	offers('zones.start "', '14 linux1"')
	offers("zones['l", "8 linux1'")
	offers('zones.linux1:device "', '22 hvc0" root"')
	offers('require "board.qemu_virt_', '10 board.qemu_virt_gicv2"')
	offers('io.open("' .. tests .. '/lib/tap.l', '10 ' .. tests .. '/lib/tap.lua"')
	offers('io.open("' .. tests .. '/lu', '10 ' .. tests .. "/lua/")
	offers('io.open("/nowhere/', "10 ")
end)

t.test("keys of a table of the DSL", function()
	offers('zone "x" {ker', "11 kernel = ")
	offers("ker", "1 kernel = ", 'zone "x" {\n\tid = 1,\n')
	offers("ke", "1 ", 'zone "x" {\n\tkernel = "x",\n')
	offers("ram = {", "8 at =  size =  phys =  name =  shared = ", 'zone "x" {')
	offers("ram = {{at = 1, si", "17 size = ", 'zone "x" {')
	offers("kernel = {image = 'x', cm", "24 cmdline = ", 'zone "x" {')
	offers("gic = {gicd = {", "16 at =  size = ", 'zone "x" {')
	offers('devices = {blk "a" {sna', "21 snapshot = ", 'zone "x" {')
	offers('net "eth0" {sw', "13 switch = ")
	offers('zone("x"){cp', "11 cpus = ")
	offers("zone{ar", "6 arch = ")
	offers("plain = {ke", "10 ")
end)

t.test("and their values", function()
	offers("arch = ", '8 "arm64" "loongarch64" "riscv64" "x86_64"', 'zone "x" {')
	offers('arch = "ri', '9 riscv64"', 'zone "x" {')
	offers("readonly = ", "12 false true", 'blk "x" {')
	t.eq(first("board = ", 'zone "x" {'), 'require "board.ecx_2300f"')
	offers('image = "' .. tests .. '/lib/tap.s', '10 ' .. tests .. '/lib/tap.sh"', 'blk "x" {')
end)

t.test("commands with a dot", function()
	offers(".co", "1 .console ")
	offers(".z", "1 .zones")
	offers(".console ", "10 linux1 linux1/hvc0")
	offers(".source " .. tests .. "/lib/tap.s", "9 " .. tests .. "/lib/tap.sh")
	offers(".time zones.linux1:sta", "20 start state")
end)

t.test("in comments and long strings nothing", function()
	offers("-- zon", "7 ")
	offers("x = [[zon", "10 ")
	offers("zon", "4 ", "x = [[")
	offers("zon", "4 ", "--[[")
end)

t.test("text that is no Lua, and much of it", function()
	for _, line in ipairs { "}}}}", ")))", "\\\\\\", "'", '"\\', "[[[[", "....", "::::", "\xff\xfe", "local local local", "function(" } do
		t.ok(pcall(sh.complete, sh, "", line, #line), line)
	end
	local text = ("x = {a = 1, b = 'text'} -- a line\n"):rep(10000)
	local from, list = sh:complete(text, "memm", 4)
	t.eq(from, 1)
	t.eq(list[1], "memmap")
end)

t.done()
