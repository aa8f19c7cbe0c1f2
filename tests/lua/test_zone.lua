-- SPDX-License-Identifier: GPL-2.0-or-later
-- Zone handles: what start, stop, restart and state do and refuse.
local tests = os.getenv "HVSH_TESTS"
local t = dofile(tests .. "/lib/tap.lua")
local fake = dofile(tests .. "/lua/fake_core.lua")

local ONE = { name = "linux1", id = 1, cpus = { 2, 3 } }
local TWO = { name = "linux2", id = 2, cpus = { 1 } }

local function fresh()
	local core, dsl = fake.install { ONE, TWO }
	return core, dsl.find "linux1", dsl
end

t.test("start runs the steps and is true again when the zone runs as written", function()
	local core, z = fresh()
	t.eq(z:start(), true)
	t.same(core.calls, { "load linux1", "start linux1" })
	t.eq(z:start(), true)
	t.eq(#core.calls, 2, "steps")
end)

t.test("start of a zone that differs is EEXIST, says what differs, and touches nothing", function()
	local core, z = fresh()
	core.running[2] = { id = 1, name = "linux1", cpus = { 2 }, failed = false, state = "changed" }
	local ok, message, code = z:start()
	t.eq(ok, nil)
	t.eq(code, "EEXIST")
	t.has(message, "EEXIST: zone linux1")
	t.has(message, "cpus 2,3")
	t.has(message, "restart()")
	t.eq(#core.calls, 0, "steps")
end)

t.test("a crashed zone and a foreign one are in the way, too", function()
	local core, z = fresh()
	core.running[2] = { id = 1, name = "linux1", cpus = { 2 }, failed = true }
	local _, message, code = z:start()
	t.eq(code, "EEXIST")
	t.has(message, "crashed")
	core.running[2] = { id = 1, name = "x", cpus = { 2 }, failed = false, state = "foreign" }
	_, message, code = z:restart()
	t.eq(code, "EEXIST")
	t.has(message, "not started by hvsh")
	t.eq(#core.calls, 0, "steps")
end)

t.test("restart takes down and starts, also what runs as written", function()
	local core, z = fresh()
	t.eq(z:start(), true)
	core.calls = {}
	t.eq(z:restart(), true)
	t.same(core.calls, { "stop linux1", "load linux1", "start linux1" })
end)

t.test("an error in any zone of the script forbids the start, with the report", function()
	local core, z = fresh()
	core.findings = { { severity = "error", code = "cpu-taken", message = "CPU 2 is taken twice",
		fix = "give one of them CPU 3", a = { zone = "linux1", what = "cpus", file = "b.lua", line = 4, field = "cpus" },
		b = { zone = "linux2", what = "cpus", file = "b.lua", line = 9, field = "cpus" } } }
	local ok, message, code = z:start()
	t.eq(ok, nil)
	t.eq(code, "EINVAL")
	t.has(message, "CPU 2 is taken twice")
	t.has(message, "b.lua:9")
	t.eq(#core.calls, 0, "steps")
end)

t.test("warnings go to the log once", function()
	local core, z = fresh()
	core.findings = { { severity = "warning", code = "w", message = "odd", a = { zone = "linux1", file = "b.lua", line = 4 } } }
	t.eq(z:start(), true)
	t.eq(z:restart(), true)
	t.same(core.log_lines, { "warn: b.lua:4: odd" })
end)

t.test("a failing step is the failure of start", function()
	local core, z = fresh()
	core.fail_step = "start"
	local ok, message, code = z:start()
	t.eq(ok, nil)
	t.eq(message, "EIO: it broke")
	t.eq(code, "EIO")
end)

t.test("stop", function()
	local core, z = fresh()
	local ok, message, code = z:stop()
	t.eq(ok, nil)
	t.eq(code, "ENOENT")
	t.has(message, "linux1 does not run")
	t.eq(z:start(), true)
	t.eq(z:stop(), true)
	t.eq(#core.running, 1, "running")
	core.running[2] = { id = 1, name = "other", cpus = { 2 }, failed = false }
	ok, message, code = z:stop()
	t.eq(ok, nil)
	t.eq(code, "EPERM")
	t.has(message, "running as other")
end)

t.test("state and text", function()
	local core, z = fresh()
	t.eq(z:state(), "absent")
	t.eq(tostring(z), "zone linux1 (1): not running")
	z:start()
	t.eq(z:state(), "same")
	t.eq(tostring(z), "zone linux1 (1): running")
	core.running[2].failed = true
	t.eq(z:state(), "failed")
	t.eq(tostring(z), "zone linux1 (1): failed")
	core.no_hypervisor = true
	t.eq(tostring(z), "zone linux1 (1)")
end)

t.test("misuse is an error at the caller's line", function()
	local _, z, dsl = fresh()
	t.has(t.raises(function() z.start() end, "call it with a colon"), "test_zone.lua")
	t.has(t.raises(function() return z.strat end, "did you mean start?"), "test_zone.lua")
	t.has(t.raises(function() z.id = 4 end, "cannot be changed"), "test_zone.lua")
	t.eq(getmetatable(z), false, "metatable")
	for key, value in pairs(z) do if key == "spec" then t.eq(value, ONE) end end
	t.eq(z.name, "linux1")
	dsl.zones[1] = dsl.zones[2]
	t.raises(function() z:start() end, "defined again")
end)

t.test("while a script is only read, nothing is started, and what runs is not asked after that", function()
	local core, z = fresh()
	local define = require "hvsh.define"
	define.active = true
	t.eq(z:start(), true)
	t.eq(z:stop(), true)
	t.eq(z:restart(), true)
	t.eq(#core.calls, 0, "calls")
	local ok = pcall(z.state, z)
	t.eq(ok, false, "state ends the reading")
	t.has(define.ended.why, "a running zone")
	define.active = false
end)

fake.remove()
t.done()
