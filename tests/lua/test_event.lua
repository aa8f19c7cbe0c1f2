-- SPDX-License-Identifier: GPL-2.0-or-later
-- Events: who hears what, in which order, and what a callback that fails, waits or is closed does to the others.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local core = require "hvsh.core"
local inside = require "hvsh.event"

local function journal()
	local list = {}
	return function(word) list[#list + 1] = tostring(word) end, function() return table.concat(list, " ") end
end

-- What can happen at once has happened when this returns.
local function settle()
	for _ = 1, 50 do
		if core.tasks_alive() == 0 then return end
		sleep(0)
	end
end

local function emit(name, zone_name, more)
	local e = { time = 1.5, event = name, zone = zone_name, id = 1, message = "it is so" }
	for key, value in pairs(more or {}) do e[key] = value end
	inside.emit(e)
end

local z = zone "alpha" {
	id = 1, cpus = { 2 }, ram = { at = 0x50000000, size = "32M" }, kernel = { image = "none.bin", at = 0x50400000 },
	board = require "board.qemu_virt",
}

t.test("a listener hears all events, as tables of its own", function()
	local got, other = {}, {}
	local stop = event.listen(function(e) got[#got + 1] = e end)
	local stop_other = event.listen(function(e) other[#other + 1] = e e.message = "mine" end)
	emit("start", "alpha")
	emit("device", "beta", { device = "root", what = "reset", left_out = 7 })
	t.eq(#got, 0, "not in the middle of whoever tells it")
	settle()
	t.eq(#got, 2)
	t.same(got[1], { time = 1.5, event = "start", zone = "alpha", id = 1, message = "it is so" })
	t.same(got[2], { time = 1.5, event = "device", zone = "beta", id = 1, message = "it is so", device = "root", what = "reset",
		left_out = 7 })
	t.eq(#other, 2)
	stop()
	stop_other()
end)

t.test("after its end nobody is called, also for what had happened before", function()
	local n = 0
	local stop = event.listen(function() n = n + 1 end)
	emit("start", "alpha")
	stop()
	emit("exit", "alpha")
	settle()
	t.eq(n, 0)
	stop()
end)

t.test("a callback may end itself and others", function()
	local add, all = journal()
	local stop, stop_other
	stop = event.listen(function(e) add("a" .. e.zone) stop() stop_other() end)
	stop_other = event.listen(function(e) add("b" .. e.zone) end)
	emit("start", "1")
	emit("start", "2")
	settle()
	t.eq(all(), "a1")
end)

t.test("events come one after the other, also where a callback waits", function()
	local add, all = journal()
	local stop = event.listen(function(e)
		add("<" .. e.zone)
		sleep(0)
		sleep(0)
		add(e.zone .. ">")
	end)
	for i = 1, 3 do emit("start", tostring(i)) end
	settle()
	t.eq(all(), "<1 1> <2 2> <3 3>")
	stop()
end)

t.test("one that waits does not hold up another", function()
	local add, all = journal()
	local waiting, over
	local stop = event.listen(function()
		waiting = true
		while not over do sleep(0) end
	end)
	local stop_other = event.listen(function(e) add(e.zone) end)
	emit("start", "1")
	emit("start", "2")
	for _ = 1, 20 do sleep(0) end
	t.ok(waiting)
	t.eq(all(), "1 2")
	over = true
	stop()
	stop_other()
end)

t.test("a callback that fails ends its task and nothing else", function()
	local add, all = journal()
	local level = core.log_level "error"
	local stop = event.listen(function(e)
		add(e.zone)
		if e.zone == "1" then error "on purpose, in a test" end
	end)
	emit("start", "1")
	emit("start", "2")
	settle()
	core.log_level(level)
	t.eq(all(), "1 2")
	stop()
end)

t.test("a flood for a slow callback is bounded, and it hears how much it missed", function()
	local got = {}
	local slow = true
	local stop = event.listen(function(e)
		while slow do sleep(0) end
		got[#got + 1] = e
	end)
	emit("start", "first")
	for _ = 1, 3 do sleep(0) end
	for i = 1, 10000 do emit("device", tostring(i)) end
	slow = false
	for _ = 1, 2000 do
		if core.tasks_alive() == 0 then break end
		sleep(0)
	end
	local heard = #got
	t.ok(heard < 1000, "bounded: " .. heard)
	t.eq(got[heard].zone, "10000", "the newest are kept")
	local total = 0
	for _, e in ipairs(got) do total = total + 1 + (e.left_out or 0) end
	t.eq(total, 10001)
	stop()
end)

t.test("zone:on hears its own zone and its own event", function()
	local add, all = journal()
	local on_exit = z:on("exit", function(e) add(e.event .. e.zone) end)
	local on_device = z:on("device", function(e) add(e.what) end)
	emit("exit", "alpha")
	emit("exit", "beta")
	emit("start", "alpha")
	emit("device", "alpha", { device = "root", what = "broken" })
	settle()
	t.eq(all(), "exitalpha broken")
	on_exit:close()
	on_exit:close()
	emit("exit", "alpha")
	settle()
	t.eq(all(), "exitalpha broken")
	t.has(tostring(on_exit), "exit of zone alpha (closed)")
	on_device:close()
end)

t.test("a handle ends with its block, and not when it is collected", function()
	local add, all = journal()
	do
		local _ <close> = z:on("start", function() add "block" end)
		z:on("start", function() add "forgotten" end)
	end
	collectgarbage()
	collectgarbage()
	emit("start", "alpha")
	settle()
	t.eq(all(), "forgotten")
end)

t.test("misuse says what, and where in the script", function()
	t.has(t.raises(function() z:on("exot", print) end, "there is no event exot (did you mean exit?)"), "test_event.lua:")
	t.raises(function() z:on("exit") end, "on: the last argument is a nil, not a function")
	t.raises(function() z.on("exit", print) end, "call it with a colon: zone:on()")
	t.has(t.raises(function() event.listen(7) end, "listen takes a function, not a number"), "test_event.lua:")
	t.raises(function() return event.emit end, "event has no field emit")
	t.raises(load "event.listen = nil", "event cannot be changed")
end)

t.test("a signal calls its listener until that is closed", function()
	local got = {}
	local me = io.open("/proc/self/stat"):read "n"
	local function send(name, count)
		os.execute(("kill -%s %d"):format(name, me))
		for _ = 1, 6000 do
			if #got >= count then break end
			sleep "10ms"
		end
	end
	do
		local listener <close> = event.signal("SIGTERM", function(pid) got[#got + 1] = pid end)
		t.eq(tostring(listener), "listener to signal SIGTERM")
		send("TERM", 1)
		send("TERM", 2)
		t.eq(#got, 2)
		t.ok(got[1] > 0, "with who sent it")
	end
	local listener = event.signal("CONT", function() got[#got + 1] = "cont" end)
	event.signal("CONT", function() error "on purpose" end)
	send("CONT", 3)
	t.eq(got[3], "cont")
	listener:close()
	listener:close()
	t.eq(tostring(listener), "listener to signal CONT (closed)")
	t.raises(function() event.signal("INT", print) end, "event.signal: INT is none of those a script can have (HUP, TERM, USR2, CONT)")
	t.raises(function() event.signal("HUP", 1) end, "event.signal: the last argument is a number, not a function")
end)

t.done()
