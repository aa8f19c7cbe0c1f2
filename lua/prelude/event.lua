-- SPDX-License-Identifier: GPL-2.0-or-later
-- What happens to zones and their devices, for those who listen: `zone:on("exit", f)`, `device:on(f)`. An event is
-- {time = seconds since 1970, event = "start"|"exit"|"error"|"device"|"supervise", zone = "linux1", id = 1, message = TEXT}, with
--   exit:   what = "stopped" (by this process) or "ended" (by itself, or by another program)
--   device: device = "root", what = "negotiated"|"ready"|"reset"|"broken"|"error"|"full"|"link"|"resize"
--   supervise: what = the state in which a supervisor has it now, from = the one before
--   left_out: so many events like this one came before it and were not told
local core = require "hvsh.core"
local define = require "hvsh.define"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"
local task = require "hvsh.task"

-- The script may take it away.
local pcall = pcall

local event = { names = { "start", "exit", "error", "device", "supervise" } }

-- What waits for one slow callback; of more, the oldest are left out.
local WAITING = 256

-- In the order in which they came.
local listeners = {}

local function listening()
	local kept = 0
	for _, l in ipairs(listeners) do
		if l.id and l.id < 64 then kept = kept | 1 << l.id end
	end
	core.events_listen(#listeners > 0 and event.emit or nil, kept)
end

local begin

-- One call of a callback is one task. Whatever becomes of it, the next event has its turn afterwards.
local function deliver(l)
	local _ <close> = setmetatable({}, { __close = function()
		l.busy = false
		begin(l)
	end })
	local e = table.remove(l.queue, 1)
	-- What it prints is for who has asked for it, and not for who has made it happen.
	core.own(l.owner)
	if e and not l.closed then l.f(e) end
end

function begin(l)
	if l.busy or l.closed or #l.queue == 0 then return end
	-- When hvsh ends no task can begin any more.
	l.busy = pcall(core.spawn, l.title, deliver, l)
end

-- At which level the log has what an event says.
local levels = setmetatable({}, { __mode = "k" })

function event.level(e) return levels[e] end

local function copy(e)
	local own = {}
	for key, value in pairs(e) do own[key] = value end
	return own
end

-- Everybody who listens hears of it, each with a table of its own. level: the log has it as well; logged: it has it
-- already, or gets it from elsewhere.
function event.emit(e, level, logged)
	if level and not logged then core.log(level, e.message) end
	for _, l in ipairs(table.move(listeners, 1, #listeners, 1, {})) do
		if not l.closed and l.wants(e) then
			local own = copy(e)
			levels[own] = level
			if #l.queue >= WAITING then
				local lost = table.remove(l.queue, 1)
				l.queue[1].left_out = (l.queue[1].left_out or 0) + (lost.left_out or 0) + 1
			end
			l.queue[#l.queue + 1] = own
			begin(l)
		end
	end
end

local function close(l)
	if l.closed then return end
	l.closed, l.queue = true, {}
	for i, other in ipairs(listeners) do
		if other == l then
			table.remove(listeners, i)
			break
		end
	end
	listening()
end

-- id: of the zone that hvsh goes on for as long as it runs; nil = none.
local function open(what, wants, id, f)
	local l = { title = ("on %s %s"):format(what, task.place(f)), f = f, wants = wants, id = id, queue = {}, owner = core.owner() }
	listeners[#listeners + 1] = l
	listening()
	return l
end

local function everything() return true end

-- Calls f with every event, one after the other, each time as a task of its own; returns a function that ends it. hvsh
-- does not go on for it.
function event.listen(f)
	if type(f) ~= "function" then error(("listen takes a function, not a %s"):format(type(f)), 2) end
	if define.active then return function() end end
	local l = open("event", everything, nil, f)
	return function() close(l) end
end

-- ---- zone:on and device:on

local function handle(noun, l)
	local function stop()
		if l then close(l) end
		return true
	end
	return frozen.object {
		name = "hvsh.listener", fields = { close = stop }, strict = true, close = stop,
		tostring = function() return ("listener to %s%s"):format(noun, l and l.closed and " (closed)" or "") end,
	}
end

-- level: that of the caller's caller.
local function check(name, f, what)
	local known = {}
	for _, n in ipairs(event.names) do known[n] = true end
	if name ~= nil and not known[name] then
		error(("%s: there is no event %s (%s)"):format(what, tostring(name), nearest.of(name, known)
			and ("did you mean %s?"):format(nearest.of(name, known)) or table.concat(event.names, ", ")), 4)
	end
	if type(f) ~= "function" then error(("%s: the last argument is a %s, not a function"):format(what, type(f)), 4) end
end

function event.zone_on(zone, id, name, f)
	check(name, f, "on")
	local noun = ("%s of zone %s"):format(name, zone)
	if define.active then return handle(noun) end
	-- What runs by now is no news.
	core.list()
	return handle(noun, open(("%s of %s"):format(name, zone), function(e)
		return e.event == name and e.zone == zone
	end, id, f))
end

-- ---- zone:wait

local STATES = { start = "runs", exit = "does not run", error = "has crashed" }

-- As the event that led there: "start", "exit" or "error"; nil, message, code.
local function state_of(zone, id)
	local list, message, code = core.list()
	if not list then return nil, message, code end
	for _, entry in ipairs(list) do
		if entry.id == id and entry.name == zone then return entry.failed and "error" or "start" end
	end
	return "exit"
end

-- names: one of STATES, a list of them, or nil for its end. level: that of the caller's caller.
local function states_of(names)
	local wanted = {}
	for _, name in ipairs(type(names) == "table" and names or { names or "exit", names == nil and "error" or nil }) do
		if not STATES[name] then
			error(("wait: there is nothing called %s to wait for (%s)"):format(tostring(name), nearest.of(name, STATES)
				and ("did you mean %s?"):format(nearest.of(name, STATES)) or "start, exit, error"), 4)
		end
		wanted[name] = true
	end
	return wanted
end

-- Waits until the zone is as one of these events says: which.
function event.zone_wait(zone, id, names, timeout)
	local wanted, deadline = states_of(names), core.deadline(timeout)
	local waiter
	local l = open(("state of zone %s"):format(zone), function(e) return STATES[e.event] and e.zone == zone end, nil, function()
		if waiter then waiter:cancel() end
	end)
	local _ <close> = setmetatable({}, { __close = function()
		close(l)
		if waiter then waiter:cancel() end
	end })
	while true do
		local now, message, code = state_of(zone, id)
		if not now then return nil, message, code end
		if wanted[now] then return now end
		local left = deadline and core.left(deadline)
		if left == 0 then return nil, ("ETIMEDOUT: zone %s %s"):format(zone, STATES[now]), "ETIMEDOUT" end
		waiter = core.spawn(("waiting for zone %s"):format(zone), core.sleep_until, math.maxinteger)
		waiter:wait { timeout = left }
		waiter:cancel()
	end
end

function event.device_on(zone, device, f)
	check(nil, f, "on")
	local noun = ("device %s/%s"):format(zone, device)
	return handle(noun, open(noun, function(e)
		return e.event == "device" and e.zone == zone and e.device == device
	end, nil, f))
end

-- Open ones: they listen also when nothing refers to them.
local signals = {}

function event.signal(name, f)
	if type(name) ~= "string" then error(("event.signal takes a name, as \"HUP\", not a %s"):format(type(name)), 2) end
	if type(f) ~= "function" then error(("event.signal: the last argument is a %s, not a function"):format(type(f)), 2) end
	local found = table.pack(core.signal_listen(name, f))
	local listener, message, code = found[1], found[2], found[3]
	if listener == nil then return nil, message, code end
	if not listener then
		error(("event.signal: %s is none of those a script can have (%s)"):format(name,
			table.concat(found, ", ", 2)), 2)
	end
	signals[listener] = true
	local function stop()
		signals[listener] = nil
		listener:close()
		return true
	end
	return frozen.object {
		name = "hvsh.listener", fields = { close = stop }, strict = true, close = stop,
		tostring = function() return ("listener to signal %s%s"):format(name, signals[listener] and "" or " (closed)") end,
	}
end

return event
