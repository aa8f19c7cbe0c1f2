-- SPDX-License-Identifier: GPL-2.0-or-later
-- zones, hv and log: all zones at once, the hypervisor, the log.
local tests = os.getenv "HVSH_TESTS"
local t = dofile(tests .. "/lib/tap.lua")
local fake = dofile(tests .. "/lua/fake_core.lua")

local function fresh()
	local core, dsl = fake.install {
		{ name = "linux1", id = 1, cpus = { 2, 3 } },
		{ name = "rtos", id = 2, cpus = { 1 } },
	}
	return core, require "hvsh.zones", dsl
end

t.test("by name, by number of them, in the order of the script", function()
	local _, zones = fresh()
	t.eq(zones.linux1.name, "linux1")
	t.eq(zones["rtos"].id, 2)
	t.eq(zones.nosuch, nil)
	t.eq(#zones, 2)
	local order = {}
	for name, handle in pairs(zones) do order[#order + 1] = name .. handle.id end
	t.same(order, { "linux11", "rtos2" })
	t.raises(function() zones.x = 1 end, "cannot be changed")
	t.eq(getmetatable(zones), false)
	t.has(tostring(zones), "zone rtos (2): not running")
	t.raises(function() return zones.rtos:console() end, 'a console is a device: zone:device("hvc0"):open()')
	t.raises(function() return zones.rtos:strat() end, "did you mean start?")
end)

t.test("start all, list, stop all in reverse", function()
	local core, zones = fresh()
	t.eq(zones.start(), true)
	core.spans = { { kind = "ram", zone = "rtos", size = 0x100000 }, { kind = "ram", zone = "rtos", size = 0x100000 },
		{ kind = "io", zone = "rtos", size = 0x1000 }, { kind = "root", zone = "zone0", size = 0x40000000 } }
	local list = zones.list()
	t.eq(#list, 3)
	t.eq(list[1].state, "root")
	t.eq(list[1].memory, 0x40000000)
	t.eq(list[3].name, "rtos")
	t.eq(list[3].state, "running")
	t.eq(list[3].memory, 0x200000)
	t.eq(list[3].defined, true)
	t.has(tostring(list), "rtos    running  1         2M")
	core.calls = {}
	t.eq(zones.stop(), true)
	t.same(core.calls, { "stop 2", "stop 1" })
	t.eq(zones.stop(), true, "again")
	t.eq(zones.list()[2].state, "defined")
end)

t.test("a zone that crashed and one with another zone's id show", function()
	local core, zones = fresh()
	core.running[2] = { id = 1, name = "stranger", cpus = { 2 }, failed = true }
	local list = zones.list()
	t.eq(list[2].state, "failed")
	t.eq(list[2].defined, false)
	t.eq(list[3].name, "linux1")
	t.eq(list[3].state, "defined")
	t.has(tostring(list), "FAILED")
end)

t.test("named ones; a wrong name suggests the nearest and nothing is started", function()
	local core, zones = fresh()
	local ok, message, code = zones.start("linux1", "rtso")
	t.eq(ok, nil)
	t.eq(code, "ENOENT")
	t.has(message, "did you mean rtos?")
	t.eq(#core.calls, 0, "calls")
	t.eq(zones.start(zones.rtos), true)
	t.same(core.calls, { "load rtos", "start rtos" })
	ok, message = zones.stop("rtos", "lunix1")
	t.eq(ok, nil)
	t.has(message, "did you mean linux1?")
	t.eq(core.calls[3], "stop 2", "the right one is stopped all the same")
	ok, message, code = zones.stop(0)
	t.eq(ok, nil)
	t.eq(code, "EPERM")
	t.has(message, "root zone")
	t.raises(function() zones.start({}) end, "not a zone's name")
	t.raises(function() zones.start(3) end, "not a zone's name")
end)

t.test("a name that is nil is a mistake, and not all zones", function()
	local core, zones = fresh()
	local nosuch = zones.nosuch
	local here = "test_zones.lua:" .. debug.getinfo(1, "l").currentline + 1 .. ": "
	local message = t.raises(function() zones.stop(nosuch) end, "zones.stop: argument 1 is nil, not a zone's name")
	t.has(message, here, "it is the script's line")
	t.raises(function() zones.start(zones.linux1, nosuch) end, "zones.start: argument 2 is nil, not a zone's name")
	t.raises(function() zones.stop(nosuch, "rtos") end, "zones.stop: argument 1 is nil")
	t.eq(#core.calls, 0, "calls")
end)

t.test("what is no name is said of the script's line", function()
	local core, zones = fresh()
	local here = "test_zones.lua:%d: "
	local function raises(line, f, part)
		t.has(t.raises(f, part), here:format(line), "the line")
	end
	local line = debug.getinfo(1, "l").currentline
	raises(line + 1, function() zones.stop { "linux1" } end, [[zones.stop: argument 1 is a table, not a zone's name (as in zones.stop("linux1", "linux2"))]])
	raises(line + 2, function() zones.stop(1.5) end, "zones.stop: argument 1 is the number 1.5, not a zone's name")
	raises(line + 3, function() zones.start("rtos", true) end, "zones.start: argument 2 is a boolean, not a zone's name")
	raises(line + 4, function() zones.start(3) end, "zones.start: argument 1 is the number 3, not a zone's name")
	raises(line + 5, function() zones:stop() end, "call it with a dot: zones.stop()")
	raises(line + 6, function() zones:start "rtos" end, "call it with a dot: zones.start()")
	raises(line + 7, function() zones:apply() end, "call it with a dot: zones.apply()")
	raises(line + 8, function() zones:plan { restart = true } end, "call it with a dot: zones.plan()")
	t.eq(#core.calls, 0, "calls")
end)

t.test("apply starts what is absent and says what it left alone", function()
	local core, zones = fresh()
	core.running[2] = { id = 1, name = "linux1", cpus = { 2 }, failed = false, state = "changed" }
	local ok, message, code = zones.apply()
	t.eq(ok, nil)
	t.eq(code, "EEXIST")
	t.has(message, "linux1 runs, but from a different definition")
	t.same(core.calls, { "load rtos", "start rtos" })
	t.eq(zones.apply { restart = true }, true)
	t.eq(core.calls[3], "stop linux1")
	core.calls = {}
	t.eq(zones.apply(), true)
	t.eq(#core.calls, 0, "calls when applied again")
	t.raises(function() zones.apply { restrat = true } end, "did you mean restart?")
	t.raises(function() zones.apply(true) end, "table of options")
end)

t.test("start is all or none: a zone in the way keeps the others from being started", function()
	local core, zones = fresh()
	core.running[2] = { id = 1, name = "linux1", cpus = { 2 }, failed = false, state = "changed" }
	local ok, _, code = zones.start()
	t.eq(ok, nil)
	t.eq(code, "EEXIST")
	t.eq(#core.calls, 0, "calls")
end)

t.test("plan prints like a plan", function()
	local core, zones = fresh()
	core.running[2] = { id = 1, name = "linux1", cpus = { 2 }, failed = false, state = "changed" }
	local text = tostring(zones.plan())
	t.has(text, "~  linux1")
	t.has(text, "cpus  2,3")
	t.has(text, "+  rtos")
	t.has(text, "0x50400000")
	t.has(text, "37.7M")
	t.has(text, "1 to start, 1 changed but left alone")
	t.has(text, "restart = true takes down")
	text = tostring(zones.plan { restart = true })
	t.has(text, "1 to start, 1 to restart")
	t.eq(#core.calls, 0, "calls")
	zones.start "rtos"
	core.running[2].state = "same"
	t.has(tostring(zones.plan()), "nothing to do")
end)

t.test("findings print with both owners, places and what would be right, errors first", function()
	local core, zones = fresh()
	core.findings = {
		{ severity = "warning", code = "w", message = "the tree has no GIC", a = { zone = "rtos", what = "dtb x.dtb" } },
		{ severity = "error", code = "memory-overlap", message = "RAM overlaps at 0x50000000-0x60000000",
			fix = "0x80000000 is free", a = { zone = "linux1", what = "ram", file = "b.lua", line = 4, field = "ram.at" },
			b = { zone = "rtos", what = "ram", file = "b.lua", line = 19, field = "ram.at" } },
	}
	local list = zones.check()
	t.eq(list.errors, 1)
	t.eq(list.warnings, 1)
	local lines = {}
	for line in tostring(list):gmatch "[^\n]+" do lines[#lines + 1] = line end
	t.eq(lines[1], "error: RAM overlaps at 0x50000000-0x60000000")
	t.eq(lines[2], "    linux1  ram  b.lua:4   ram.at")
	t.eq(lines[3], "    rtos    ram  b.lua:19  ram.at")
	t.has(lines[4], "0x80000000 is free")
	t.eq(lines[5], "warning: the tree has no GIC")
	t.eq(lines[7], "1 error, 1 warning")
end)

t.test("control characters of names and files do not reach the terminal", function()
	local core, zones = fresh()
	core.findings = { { severity = "error", code = "x", message = "bad\27[2J name\xff" } }
	local text = tostring(zones.check())
	t.has(text, "bad\\x1b[2J name\\xff")
	t.eq(text:find("\27", 1, true), nil)
end)

t.test("hv", function()
	local core = fresh()
	local hv = require "hvsh.hv"
	t.eq(hv.backend, "sim")
	t.eq(hv.version, 5)
	t.eq(hv.layout, false, "not known yet")
	t.has(t.raises(function() return hv.verison end, "did you mean version?"), "test_zones.lua")
	t.has(tostring(hv), "simulated hypervisor (arm64")
	t.raises(function() hv.fault(3) end, "busy-cpu")
	core.info = function() return nil, "ENOENT: /dev/hvisor is missing", "ENOENT" end
	t.raises(function() return hv.arch end, "/dev/hvisor is missing")
	t.eq(tostring(hv), "no hypervisor: /dev/hvisor is missing")
end)

t.test("log", function()
	local core = fresh()
	local log = require "hvsh.log"
	log.info "100% plain"
	log.error("zone %s: %d", "x", 3)
	t.same(core.log_lines, { "info: 100% plain", "error: zone x: 3" })
	t.has(t.raises(function() log.warn("%d", "x") end, "log.warn"), "test_zones.lua")
	t.eq(log.level "debug", "warn")
	t.eq(log.level(), "debug")
	t.raises(function() log.level "loud" end, "none of error, warn, info, debug")
	t.raises(function() log.level "level" end, "none of")
	t.raises(function() return log.inof end, "did you mean info?")
end)

fake.remove()
t.done()
