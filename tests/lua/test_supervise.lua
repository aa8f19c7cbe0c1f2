-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a supervisor decides, with a clock that the test turns, and what it refuses to be told.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local machine = require "policy.supervise.machine"
local supervise = require "policy.supervise"

local now

local function new(rules)
	now = 0
	local entered = {}
	local m = machine.new({
		restart = rules.restart or "on-failure", backoff = rules.backoff or { from = 1, to = 8, factor = 2 },
		budget = rules.budget or { count = 5, within = 100 },
	}, { now = function() return now end, enter = function(_, to) entered[#entered + 1] = to end })
	return m, function()
		local text = table.concat(entered, " ")
		entered = {}
		return text
	end
end

local function tell(m, ...)
	for _, what in ipairs { ... } do t.ok(m:tell(what, "because of " .. what), what) end
end

-- To ready, whatever it was before.
local function bring_up(m) tell(m, "go", "up", "ready") end

t.test("a zone that is started becomes ready", function()
	local m, path = new {}
	t.eq(m.state, "waiting")
	bring_up(m)
	t.eq(path(), "starting running ready")
	t.eq(m.reason, "because of ready")
end)

t.test("a crash is cleared away, waited after and started anew", function()
	local m, path = new {}
	bring_up(m)
	path()
	tell(m, "crashed", "gone")
	t.eq(path(), "stopping backoff")
	t.eq(m.reason, "because of crashed; starts again in 1 s")
	tell(m, "retry", "go", "up")
	t.eq(path(), "waiting starting running")
end)

t.test("each failure doubles the pause, up to the longest; old ones do not count", function()
	local m = new { budget = { count = false, within = 100 } }
	local delays = {}
	for i = 1, 5 do
		bring_up(m)
		tell(m, "crashed", "gone")
		delays[i] = m.delay
		tell(m, "retry")
	end
	t.eq(table.concat(delays, " "), "1.0 2.0 4.0 8 8")
	now = 1000
	bring_up(m)
	tell(m, "crashed", "gone")
	t.eq(m.delay, 1.0)
end)

t.test("a zone that is out of failures stays down and says so", function()
	local m = new { budget = { count = 2, within = 100 } }
	for _ = 1, 2 do
		bring_up(m)
		tell(m, "crashed", "gone")
		t.eq(m.state, "backoff")
		tell(m, "retry")
	end
	bring_up(m)
	tell(m, "silent", "gone")
	t.eq(m.state, "failed")
	t.has(m.reason, "because of silent; that was failure 3 within 100 s, and 2 are allowed")
	tell(m, "start")
	bring_up(m)
	tell(m, "crashed", "gone")
	t.eq(m.state, "backoff", "a start by hand is a new beginning")
end)

t.test("failures that lie apart are no reason to give up", function()
	local m = new { budget = { count = 2, within = 100 } }
	for _ = 1, 20 do
		now = now + 50
		bring_up(m)
		tell(m, "crashed", "gone")
		t.eq(m.state, "backoff")
		tell(m, "retry")
	end
end)

t.test("what is remembered of failures is bounded", function()
	local m = new { budget = { count = false, within = 1e9 } }
	for _ = 1, 1000 do
		bring_up(m)
		tell(m, "crashed", "gone", "retry")
	end
	t.ok(#m.failures <= 64)
end)

t.test("restart says what is started again", function()
	local function after(restart, ...)
		local m = new { restart = restart }
		bring_up(m)
		tell(m, ...)
		return m.state
	end
	t.eq(after("on-failure", "ended"), "stopped")
	t.eq(after("on-failure", "crashed", "gone"), "backoff")
	t.eq(after("always", "ended"), "backoff")
	t.eq(after("always", "taken"), "stopped", "what a person stops stays so")
	t.eq(after("never", "ended"), "stopped")
	t.eq(after("never", "crashed", "gone"), "failed")
end)

t.test("a zone whose end is not confirmed is left alone", function()
	local m = new {}
	bring_up(m)
	tell(m, "crashed", "unconfirmed")
	t.eq(m.state, "quarantined")
	for _, what in ipairs { "go", "retry", "start", "appeared", "gone", "stop", "up", "ready" } do
		t.eq(m:tell(what, "x"), false, what)
	end
	t.eq(m.state, "quarantined")
	tell(m, "release", "start")
	t.eq(m.state, "waiting")
end)

t.test("a start that is refused is tried again, unless it is hopeless", function()
	local m = new {}
	tell(m, "go")
	m:tell("refused", "no CPU", "EBUSY")
	t.eq(m.state, "backoff")
	tell(m, "retry", "go")
	m:tell("refused", "the zones are not right", "EINVAL")
	t.eq(m.state, "failed")
	t.eq(m.reason, "the zones are not right")
end)

t.test("a stop is final also while a failure is dealt with", function()
	local m, path = new {}
	bring_up(m)
	tell(m, "crashed")
	path()
	t.eq(m:tell("stop", "asked"), false)
	tell(m, "gone")
	t.eq(path(), "stopped")
	local late, late_path = new {}
	tell(late, "go", "up", "late", "gone")
	tell(late, "stop")
	t.eq(late_path(), "starting running stopping backoff stopped")
end)

t.test("only a guest that works is asked to end", function()
	local m = new {}
	bring_up(m)
	tell(m, "stop")
	t.eq(m.gentle, true)
	local hung = new {}
	bring_up(hung)
	tell(hung, "silent")
	t.eq(hung.gentle, false)
end)

t.test("from every state every word leads to a known state", function()
	for name, words in pairs(machine.states) do
		for word, to in pairs(words) do
			t.ok(type(to) == "table" or machine.states[to], ("%s, %s"):format(name, word))
		end
	end
end)

-- ---- what it takes

local function define(name, id)
	return zone(name) {
		id = id, cpus = { id + 1 }, ram = { at = 0x50000000 + id * 0x4000000, size = "32M" },
		kernel = { image = "none.bin", at = 0x50000000 + id * 0x4000000 }, board = require "board.qemu_virt",
	}
end
local alpha = define("alpha", 1)
define("beta", 2)

t.test("mistakes are said where they were made", function()
	local function wrong(given, what)
		local message = t.raises(function() supervise.zones(given) end, what)
		t.has(message, "test_supervise.lua:", "the place")
	end
	wrong("alpha", "takes a table")
	wrong({}, "no zone is named")
	wrong({ "alpa" }, "there is no zone alpa (did you mean alpha?)")
	wrong({ alpha, "alpha" }, "zone alpha stands there twice")
	wrong({ { alpha, redy = {} } }, "zone alpha has no option redy (did you mean ready?)")
	wrong({ alpha, on_exits = "stop" }, "there is no option on_exits (did you mean on_exit?)")
	wrong({ { alpha, after = "beta" } }, "zone alpha: after: beta is not supervised here")
	wrong({ { alpha, after = "beta" }, { "beta", after = alpha } }, "zone alpha: it waits for itself: alpha after beta after alpha")
	wrong({ { alpha, ready = {} } }, "zone alpha: ready needs one of expect, file and call")
	wrong({ { alpha, ready = { expect = "(" } } }, "zone alpha: ready: expect: unfinished capture")
	wrong({ { alpha, ready = { expect = "x*" } } }, "ready: expect: the pattern matches also where there is nothing")
	wrong({ { alpha, ready = { expect = "x", within = 0 } } }, "within: a time is longer than 0")
	wrong({ alpha, restart = "allways" }, "restart is allways; there are always, on-failure, never")
	wrong({ alpha, backoff = { from = "1x" } }, '"1x" is no duration')
	wrong({ alpha, backoff = { from = "10s", to = "1s" } }, "to is less than from")
	wrong({ alpha, budget = { count = 1.5 } }, "count is a whole number")
	wrong({ alpha, watchdog = { within = "1s" } }, "within is how often a heartbeat comes")
	wrong({ alpha, stop = { within = "1s" } }, "stop needs one of type and call")
	wrong({ alpha, on_failure = "panic" }, 'on_failure is panic; it is "stop" or a function')
	t.has(t.raises(function() supervise { "nobody" } end), "test_supervise.lua:")
end)

t.done()
