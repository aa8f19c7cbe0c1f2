-- SPDX-License-Identifier: GPL-2.0-or-later
-- Tasks: order, waiting, ending, and coroutines of the script in between.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local core = require "hvsh.core"

-- So long that only a broken wait gets to its end; never waited for.
local FOREVER = "10m"

local function closer(f)
	return setmetatable({}, { __close = f })
end

-- A list that is added to, and compared as one text.
local function journal()
	local list = {}
	return function(word) list[#list + 1] = word end, function() return table.concat(list, " ") end
end

-- What the other tasks have to do at once, they have done when this returns.
local function settle()
	for _ = 1, 5 do sleep(0) end
end

t.test("a task begins when its maker waits, and not before", function()
	local add, all = journal()
	local task = spawn(function(...) add("task" .. select("#", ...)) end, 1, nil, nil)
	add "maker"
	t.eq(task.state, "waiting")
	task:wait()
	t.eq(all(), "maker task3")
	t.eq(task.state, "done")
end)

t.test("tasks take turns in the order in which they were made ready", function()
	local add, all = journal()
	local tasks = {}
	for i = 1, 3 do
		tasks[i] = spawn(function() for j = 1, 3 do add(i .. "." .. j) sleep(0) end end)
	end
	for _, task in ipairs(tasks) do task:wait() end
	t.eq(all(), "1.1 2.1 3.1 1.2 2.2 3.2 1.3 2.3 3.3")
end)

t.test("sleepers wake by their deadlines, and not before", function()
	local woken, tasks = {}, {}
	for _, ms in ipairs { 300, 100, 200 } do
		tasks[#tasks + 1] = spawn(function()
			local due = core.now() + ms * 1000000
			sleep(ms .. "ms")
			t.ok(core.now() >= due, "slept long enough")
			woken[#woken + 1] = due
		end)
	end
	for _, task in ipairs(tasks) do t.eq(select("#", t.ok(task.wait)(task)), 0) end
	-- Not 100 200 300: one may have begun long after the one before it.
	for i = 1, 3 do t.ok(woken[i] and woken[i] >= (woken[i - 1] or 0), "in the order of their deadlines") end
	for _, task in ipairs(tasks) do t.eq(task.state, "done") end
end)

t.test("wait gives what the function returned, to everybody and again", function()
	local task = spawn(function() sleep(0) return 1, nil, "x", nil end)
	local other = spawn(function() return select("#", task:wait()), (select(3, task:wait())) end)
	t.eq(select("#", task:wait()), 4)
	t.eq(select(3, task:wait()), "x")
	local n, x = other:wait()
	t.eq(n, 4)
	t.eq(x, "x")
end)

t.test("a time beyond 292 years is refused, and an infinite one never comes", function()
	local task = spawn(function() sleep(math.huge) end)
	for _, time in ipairs { 1e300, 9.3e9, 10000000000, "2562048h" } do
		local here = ("test_task.lua:%d: "):format(debug.getinfo(1, "l").currentline + 1)
		t.has(t.raises(function() sleep(time) end, "too long: at most 292 years"), here)
		t.raises(function() after(time, print) end, "too long: at most 292 years")
		t.raises(function() every(time, print) end, "too long: at most 292 years")
		t.raises(function() task:wait { timeout = time } end, "too long: at most 292 years")
	end
	local tasks = { task }
	for _, time in ipairs { math.huge, 9.2e9, 9223372036.854776, "2562047h" } do
		tasks[#tasks + 1] = spawn(sleep, time)
		tasks[#tasks + 1] = after(time, print)
		tasks[#tasks + 1] = every(time, print)
		tasks[#tasks + 1] = spawn(function() task:wait { timeout = time } end)
	end
	settle()
	for i = #tasks, 1, -1 do
		t.eq(tasks[i].state, "waiting", ("task %d, %s"):format(i, tasks[i]))
		tasks[i]:cancel()
	end
end)

t.test("wait has a timeout; it ends the wait and not the task", function()
	local task = spawn(function() sleep(FOREVER) end)
	for _, timeout in ipairs { "2ms", 0.002, 0 } do
		local before = core.now()
		local result, message, code = task:wait { timeout = timeout }
		t.eq(result, nil)
		t.eq(code, "ETIMEDOUT")
		t.has(message, "ETIMEDOUT: task " .. task.name)
		if timeout ~= 0 then t.ok(core.now() - before >= 2000000, "not before its time") end
	end
	t.eq(task.state, "waiting")
	task:cancel()
	t.eq(spawn(function() return 7 end):wait { timeout = FOREVER }, 7)
end)

t.test("what wait is given is checked", function()
	local task = spawn(function() end)
	t.raises(function() task:wait { timeot = 1 } end, "timeot")
	t.raises(function() task:wait { 1 } end, "no option 1")
	t.raises(function() task:wait(1) end, "table expected")
	for _, bad in ipairs { "soon", "-1s", -1, 0 / 0, "1s\0x", {}, true } do
		t.raises(function() task:wait { timeout = bad } end, "time", tostring(bad))
	end
	t.raises(function() task.wait() end, "call it with a colon: task:wait()")
	t.raises(function() return task.nonsense end, "nonsense")
	t.raises(function() task.state = "done" end)
	task:wait { timeout = math.huge }
end)

t.test("misuse of spawn, sleep, after and every names it and the caller's line", function()
	for f, part in pairs {
		[function() spawn(1) end] = "spawn: argument 1 is a number",
		[function() spawn() end] = "spawn: argument 1 is a nil",
		[function() sleep() end] = "sleep: a time is",
		[function() sleep "1 fortnight" end] = 'sleep: "1 fortnight" is no duration',
		[function() sleep(-1) end] = "sleep: a time is not less than 0",
		[function() after("1s") end] = "after: argument 2",
		[function() after({}, print) end] = "after: a time is",
		[function() every("0s", print) end] = "every: a period is longer than 0",
		[function() every("1s", "print") end] = "every: argument 2 is a string",
	} do
		t.has(t.raises(f, part), "test_task.lua:")
	end
end)

t.test("cancel closes what waits, once", function()
	local add, all = journal()
	local task = spawn(function()
		local a <close> = closer(function(_, err) add("a" .. tostring(err)) end)
		local b <close> = closer(function() add "b" end)
		sleep(FOREVER)
		add "never"
	end)
	settle()
	t.eq(task:cancel(), true)
	t.eq(task.state, "cancelled")
	t.eq(task:cancel(), true)
	settle()
	t.eq(all(), "b anil")
	local result, message, code = task:wait()
	t.eq(result, nil)
	t.eq(code, "ECANCELED")
	t.has(message, "was cancelled")
end)

t.test("cancel of a task that has not begun, or has ended", function()
	local began = false
	local task = spawn(function() began = true end)
	task:cancel()
	settle()
	t.eq(began, false)
	t.eq(task.state, "cancelled")
	task = spawn(function() return 5 end)
	task:wait()
	t.eq(task:cancel(), true)
	t.eq(task.state, "done")
	t.eq(task:wait(), 5)
end)

t.test("a task that cancels itself ends when it waits next", function()
	local add, all = journal()
	local task
	task = spawn(function()
		local c <close> = closer(function() add "closed" end)
		add(task.state)
		task:cancel()
		add "goes on"
		sleep(0)
		add "never"
	end)
	settle()
	t.eq(all(), "running goes on closed")
	t.eq(task.state, "cancelled")
	task = spawn(function() task:cancel() return 3 end)
	t.eq(task:wait(), 3)
end)

t.test("who waits for a task that is cancelled goes on", function()
	local task = spawn(function() sleep(FOREVER) end)
	local waiter = spawn(function() return select(3, task:wait()) end)
	settle()
	task:cancel()
	t.eq(waiter:wait(), "ECANCELED")
end)

t.test("an error in a __close handler of a cancelled task is told", function()
	local task = spawn(function()
		local c <close> = closer(function() error "handler broke" end)
		sleep(FOREVER)
	end)
	settle()
	local ok, message, code = task:cancel()
	t.eq(ok, nil)
	t.has(message, "handler broke")
	t.eq(code, "EFAULT")
	t.eq(task.state, "cancelled")
end)

t.test("a handler cannot wait while its task is closed, and says so", function()
	local said
	local task = spawn(function()
		local c <close> = closer(function() said = select(2, pcall(sleep, 0)) end)
		sleep(FOREVER)
	end)
	settle()
	t.eq(task:cancel(), true)
	t.has(said, "cannot wait here")
end)

t.test("a handler can wait where its block ends by itself", function()
	local add, all = journal()
	local task = spawn(function()
		do local c <close> = closer(function() add "closing" sleep "1ms" add "closed" end) end
		add "after"
	end)
	task:wait()
	t.eq(all(), "closing closed after")
end)

t.test("<close> cancels the task", function()
	local task
	do
		local scoped <close> = spawn(function() sleep(FOREVER) end)
		task = scoped
	end
	t.eq(task.state, "cancelled")
end)

t.test("a long chain of handlers that cancel each other ends", function()
	local tasks, n, begun, never = {}, 0, 0, 0
	for i = 1, 20000 do
		tasks[i] = spawn(function()
			local c <close> = closer(function()
				n = n + 1
				if tasks[i + 1] then tasks[i + 1]:cancel() end
			end)
			begun = begun + 1
			sleep(FOREVER)
			never = never + 1
		end)
	end
	while begun < #tasks do sleep(0) end
	tasks[1]:cancel()
	tasks[#tasks]:wait()
	t.eq(n, #tasks)
	t.eq(never, 0)
end)

-- The failures below are in the log, which is standard error; tests/cli/task.t reads it.

t.test("an error ends its task alone", function()
	local other = spawn(function() sleep "5ms" return "fine" end)
	local task = spawn(function() sleep(0) error "bad thing" end)
	local result, message, code = task:wait()
	t.eq(result, nil)
	t.eq(code, "EFAULT")
	t.ok(message:find "^EFAULT: .*test_task.lua:%d+: bad thing$", message)
	t.eq(task.state, "failed")
	t.eq(other:wait(), "fine")
	for _, value in ipairs { setmetatable({}, { __tostring = function() return "own words" end }),
		{ hvsh_report = "own words" } } do
		t.has(select(2, spawn(function() error(value) end):wait()), "own words")
	end
	t.has(select(2, spawn(function() error() end):wait()), "nil value")
end)

t.test("a task that fails is closed", function()
	local closed
	spawn(function()
		local c <close> = closer(function(_, err) closed = err end)
		error("reason", 0)
	end):wait()
	t.eq(closed, "reason")
end)

t.test("a task that yields to nobody fails", function()
	local task = spawn(function() coroutine.yield(1, 2, 3) end)
	t.has(select(2, task:wait()), "yielded outside of its coroutines")
end)

t.test("a task cannot wait for itself", function()
	local task
	task = spawn(function() return pcall(task.wait, task) end)
	local ok, message = task:wait()
	t.eq(ok, false)
	t.has(message, "wait for itself")
end)

t.test("endless recursion ends the task alone", function()
	local task = spawn(function() local function f() return f() + 1 end f() end)
	t.has(select(2, task:wait()), "stack overflow")
end)

-- ---- coroutines of the script

t.test("a wait inside of a coroutine passes through to the loop", function()
	local add, all = journal()
	local other = spawn(function() for i = 1, 3 do add("o" .. i) sleep(0) end end)
	local co = coroutine.create(function(a)
		sleep "1ms"
		local b = coroutine.yield(a + 1)
		sleep "1ms"
		return b + 1, nil
	end)
	local ok, value = coroutine.resume(co, 1)
	t.eq(ok, true)
	t.eq(value, 2)
	t.eq(coroutine.status(co), "suspended")
	t.eq(select("#", coroutine.resume(co, 10)), 3)
	t.eq(coroutine.status(co), "dead")
	other:wait()
	t.eq(all(), "o1 o2 o3")
end)

t.test("deep inside of many", function()
	local function nest(depth)
		if depth == 0 then sleep "1ms" return "deep" end
		if depth % 2 == 0 then return coroutine.wrap(nest)(depth - 1) end
		return select(2, coroutine.resume(coroutine.create(nest), depth - 1))
	end
	t.eq(nest(50), "deep")
	t.eq(spawn(nest, 50):wait(), "deep")
end)

t.test("a generator that waits between its values", function()
	local sum = 0
	for i in coroutine.wrap(function() for i = 1, 10 do sleep(0) coroutine.yield(i) sleep(0) end end) do
		sum = sum + i
		sleep(0)
	end
	t.eq(sum, 55)
end)

t.test("pcall, xpcall, metamethods and iterators can wait", function()
	t.eq(select(2, pcall(function() sleep(0) return 1 end)), 1)
	local ok, message = pcall(function() sleep(0) error("after", 0) end)
	t.eq(ok, false)
	t.eq(message, "after")
	t.eq(select(2, xpcall(function() sleep(0) error("x", 0) end, function(e) return e .. "y" end)), "xy")
	local object = setmetatable({}, { __index = function(_, k) sleep(0) return k .. "!" end,
		__add = function() sleep(0) return 42 end })
	t.eq(object.a, "a!")
	t.eq(object + 1, 42)
	for i in function(_, i) sleep(0) if i < 3 then return i + 1 end end, nil, 0 do t.ok(i <= 3) end
end)

t.test("where nothing can be suspended, a wait is an error that names the line", function()
	local function try() sleep(0) end
	t.has(t.raises(function() table.sort({ 1, 2, 3 }, try) end, "cannot wait here"), "test_task.lua:")
	t.raises(function() string.gsub("x", "x", try) end, "cannot wait here")
	t.raises(function() string.gsub("x", "x", function() coroutine.wrap(try)() end) end, "cannot wait here")
	local ok, message = true, nil
	string.gsub("x", "x", function() ok, message = coroutine.resume(coroutine.create(try)) end)
	t.eq(ok, false)
	t.has(message, "cannot wait here")
	sleep(0)
end)

t.test("nobody else resumes a coroutine that waits", function()
	local co = coroutine.create(function() sleep "5ms" return "done" end)
	local wrap_co
	local wrap = coroutine.wrap(function() wrap_co = coroutine.running() sleep "5ms" return "done" end)
	local task = spawn(function() return select(2, coroutine.resume(co)), wrap() end)
	settle()
	t.eq(coroutine.status(co), "normal")
	local ok, message = coroutine.resume(co)
	t.eq(ok, false)
	t.has(message, "cannot resume non-suspended coroutine")
	while not wrap_co do sleep "1ms" end
	t.raises(wrap, "cannot resume non-suspended coroutine")
	local a, b = task:wait()
	t.eq(a, "done")
	t.eq(b, "done")
end)

t.test("closing a coroutine that waits closes what it waits in, and its task goes on", function()
	local add, all = journal()
	local outer, inner
	outer = coroutine.create(function()
		local c <close> = closer(function() add "outer" end)
		inner = coroutine.create(function()
			local d <close> = closer(function() add "inner" end)
			sleep(FOREVER)
		end)
		coroutine.resume(inner)
	end)
	local task = spawn(function()
		local ok, message = coroutine.resume(outer)
		add(tostring(ok))
		return message
	end)
	settle()
	t.eq(coroutine.close(outer), true)
	t.eq(all(), "inner outer")
	t.eq(coroutine.status(outer), "dead")
	t.eq(coroutine.status(inner), "dead")
	t.has(task:wait { timeout = FOREVER }, "cannot resume dead coroutine")
	t.eq(all(), "inner outer false")
end)

t.test("closing only the inner one lets the outer one go on", function()
	local inner = coroutine.create(function() sleep(FOREVER) end)
	local task = spawn(function()
		return coroutine.wrap(function() return coroutine.resume(inner) end)()
	end)
	settle()
	t.eq(coroutine.close(inner), true)
	t.eq(task:wait { timeout = FOREVER }, false)
end)

t.test("an error of an inner handler is the result of closing", function()
	local outer = coroutine.create(function()
		coroutine.wrap(function()
			local d <close> = closer(function() error("inner broke", 0) end)
			sleep(FOREVER)
		end)()
	end)
	local task = spawn(function() return coroutine.resume(outer) end)
	settle()
	local ok, message = coroutine.close(outer)
	t.eq(ok, false)
	t.eq(message, "inner broke")
	t.eq(task:wait(), false)
end)

t.test("cancel closes the coroutines inside, innermost first", function()
	local add, all = journal()
	local task = spawn(function()
		local c <close> = closer(function() add "task" end)
		coroutine.wrap(function()
			local d <close> = closer(function() add "inner" end)
			sleep(FOREVER)
		end)()
	end)
	settle()
	task:cancel()
	t.eq(all(), "inner task")
end)

t.test("closing a task's own coroutine cancels the task", function()
	local co
	local task = spawn(function() co = coroutine.running() sleep(FOREVER) end)
	settle()
	t.eq(coroutine.close(co), true)
	t.eq(select(3, task:wait()), "ECANCELED")
	local first
	task = spawn(function() first = coroutine.running() return 1 end)
	task:wait()
	t.eq(coroutine.close(first), true)
	t.eq(task:wait(), 1)
end)

-- ---- after and every

t.test("after calls once, with arguments, and can be cancelled", function()
	local add, all = journal()
	local before = core.now()
	t.eq(after("3ms", function(a, b) add "late" return a + b end, 1, 2):wait(), 3)
	t.ok(core.now() - before >= 3000000, "not before its time")
	local never = after("1ms", add, "never")
	never:cancel()
	after("5ms", add, "last"):wait()
	t.eq(all(), "late last")
end)

t.test("every calls until it is cancelled, and its own call may do that", function()
	local n, timer = 0, nil
	local before = core.now()
	timer = every("2ms", function(step)
		n = n + step
		if n == 6 then timer:cancel() end
	end, 2)
	t.eq(select(3, timer:wait()), "ECANCELED")
	t.eq(n, 6)
	t.ok(core.now() - before >= 6000000, "not before three periods")
end)

t.test("every does not overlap itself, nor make up for what it missed", function()
	local calls, inside, before = 0, false, core.now()
	local timer
	timer = every("2ms", function()
		t.eq(inside, false)
		inside = true
		calls = calls + 1
		sleep "7ms"
		inside = false
		if calls == 3 then timer:cancel() end
	end)
	timer:wait()
	-- Three calls of 7 ms, each of which is followed by the next multiple of 2 ms.
	t.ok(core.now() - before >= 24000000, "at least 2 + 7 + 1 + 7 + 1 + 7 ms, less rounding")
end)

t.test("a timer that fails ends alone", function()
	local n = 0
	local good = every("1ms", function() n = n + 1 end)
	local bad = every("1ms", function() error "tick" end)
	t.has(select(2, bad:wait()), "tick")
	local seen = n
	while n < seen + 3 do sleep "1ms" end
	good:cancel()
	t.eq(bad.state, "failed")
end)

-- ---- many, and their memory

t.test("ten thousand tasks, and their memory comes back", function()
	local function round()
		local tasks, n = {}, 0
		for i = 1, 10000 do
			tasks[i] = spawn(function() sleep(i % 7 == 0 and 0.001 or 0) n = n + 1 end)
		end
		t.eq(core.tasks_alive(), 10000)
		for _, task in ipairs(tasks) do task:wait() end
		t.eq(n, 10000)
		t.eq(core.tasks_alive(), 0)
	end
	local function used()
		for _ = 1, 3 do collectgarbage() end
		return collectgarbage "count"
	end
	round()
	local before = used()
	round()
	t.ok(used() - before < 300, "kilobytes that are left")
end)

t.test("waking a list of many is in order", function()
	local add, all = journal()
	local gate = spawn(function() sleep "1ms" end)
	local tasks = {}
	for i = 1, 200 do tasks[i] = spawn(function() gate:wait() add(i) end) end
	for _, task in ipairs(tasks) do task:wait() end
	local want = {}
	for i = 1, 200 do want[i] = i end
	t.eq(all(), table.concat(want, " "))
end)

t.test("a method wants its task", function()
	local task <close> = after(FOREVER, print)
	local here = ("test_task.lua:%d: call it with a colon: task:"):format(debug.getinfo(1, "l").currentline + 1)
	t.has(t.raises(function() task.cancel() end, "cancel()"), here)
	t.raises(function() task.wait { timeout = 1 } end, "call it with a colon: task:wait()")
	t.raises(function() task.wait("10s") end, "call it with a colon: task:wait()")
	t.eq(task.state, "waiting")
end)

t.test("names and texts", function()
	local task = spawn(function() sleep(FOREVER) end)
	t.ok(task.name:find "test_task.lua:%d+$", task.name)
	t.ok(tostring(task):find "^task .*test_task.lua:%d+: waiting$", tostring(task))
	task:cancel()
	t.has(tostring(task), ": cancelled")
	local timer <close> = after(FOREVER, print)
	t.eq(tostring(timer), "task after print: waiting")
	local function name_of(made)
		local there <close> = made
		return there.name
	end
	t.eq(name_of(spawn(sleep, "1h")), "sleep")
	t.eq(name_of(every("1h", zones.list)), "every zones.list")
	t.eq(name_of(spawn(string.rep, "x", 2)), "string.rep")
	local line = debug.getinfo(1, "l").currentline + 1
	t.has(name_of(spawn(task.cancel, task)), "test_task.lua:" .. line, "one that has no name")
	t.eq(require("hvsh").spawn, spawn)
	t.eq(getmetatable(task), false)
end)

t.test("the script as a whole may be read for its zones only", function()
	local define = require "hvsh.define"
	define.active = true
	local ok, err = pcall(function()
		local task = spawn(function() error "began" end)
		t.eq(task.state, "waiting")
		t.eq(task:cancel(), true)
		every("1ms", error):cancel()
		after("1ms", error)
		local ended, what = pcall(sleep, "1s")
		t.eq(ended, false)
		t.eq(tostring(what), "end of reading")
		t.eq(tostring(select(2, pcall(task.wait, task))), "end of reading")
	end)
	define.active = false
	if not ok then error(err, 0) end
	settle()
end)

t.done()
