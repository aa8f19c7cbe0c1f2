-- SPDX-License-Identifier: GPL-2.0-or-later
-- Keeps zones running: starts them in order, knows when they are ready, starts them again after a failure, and stops them in
-- the reverse order. supervise/machine.lua decides; here is what is done about it.
local core = require "hvsh.core"
local define = require "hvsh.define"
local dsl = require "hvsh.dsl"
local event = require "hvsh.event"
local frozen = require "hvsh.frozen"
local log = require "hvsh.log"
local nearest = require "hvsh.nearest"
local options = require "policy.supervise.options"
local machine = require "policy.supervise.machine"
local status = require "hvsh.status"
local timeout_of = require("hvsh.task").timeout
local watch = require "policy.supervise.watch"

local supervise = {}

-- Zones that a supervisor has, by name.
local taken = {}

local DOWN = { stopped = true, failed = true, quarantined = true }
local LEVELS = { backoff = "warn", failed = "error", quarantined = "error" }

local clock = { now = function() return core.now() / 1e9 end, sleep = sleep }

local plain = core.plain

-- An error that is raised is a failure like others.
local function try(f, ...)
	local result = table.pack(pcall(f, ...))
	if result[1] then return table.unpack(result, 2, result.n) end
	return nil, tostring(result[2]), "EPERM"
end

-- A report of many lines goes to the log, and its first line says what it is about.
local function in_one_line(m, message)
	local first = message:match "^[^\n]*"
	if first ~= message then log.error("zone %s: %s", m.name, message) end
	return first
end

-- How hvisor lists the zone now: "running", "failed", or nil.
local function listed(name)
	for _, entry in ipairs(core.list() or {}) do
		if entry.name == name then return entry.failed and "failed" or "running" end
	end
end

-- ---- what is begun in a state, and ends with it

local function begin(m, f)
	m.tasks[#m.tasks + 1] = spawn(f)
end

-- For those who would be cancelled by what they say.
local function report(m, what, reason, code)
	local turn = m.turn
	spawn(function()
		if m.turn == turn and not m.closed then m.machine:tell(what, reason, code) end
	end)
end

local function in_time(m, seconds, what, reason)
	begin(m, function()
		clock.sleep(seconds)
		report(m, what, reason)
	end)
end

-- The zone is taken down without asking it.
local function take_down(m)
	local ok, message, code = try(m.zone.stop, m.zone)
	if ok then
		-- The event of it is no news.
		m.own_stops = m.own_stops + 1
		return report(m, "gone")
	elseif code == "ENOENT" then
		return report(m, "gone")
	end
	report(m, "unconfirmed", ("whether it has stopped is not known, so it is not started again: %s"):format(plain(message)))
end

local enter, listen = {}, nil

-- At the prompt a zone may have been defined anew since its last start.
local function renew(m)
	local old, now = m.zone, dsl.find(m.name)
	if not now or now == old then return end
	m.zone = now
	-- Listening goes by name, and keeps hvsh for as long as the zone with this id runs.
	if now.id ~= old.id then listen(m) end
end

function enter.starting(m)
	renew(m)
	begin(m, function()
		local state = try(m.zone.state, m.zone)
		if state == "failed" then return report(m, "crashed", "it had crashed before") end
		if state ~= "same" then watch.forget(m.rules.ready) end
		local ok, message, code = try(m.zone.start, m.zone)
		if not ok then return report(m, "refused", "it cannot be started: " .. in_one_line(m, plain(message)), code) end
		m.starts = m.starts + 1
		if state == "same" then return report(m, "found", "it ran already") end
		report(m, "up", "")
	end)
end

function enter.running(m)
	renew(m)
	-- Events of the life before have been told by now.
	m.own_stops = 0
	local ready = m.rules.ready
	if not ready then return report(m, "ready", "") end
	in_time(m, ready.within, "late", ("it was not ready within %g s"):format(ready.within))
	begin(m, function()
		local ok, message = try(watch.ready, ready, m.zone, clock)
		if ok then return report(m, "ready", "") end
		-- The deadline, or the end of the zone, says what follows.
		log.warn("zone %s: nothing tells when it is ready: %s", m.name, plain(message))
	end)
end

function enter.ready(m)
	if not m.rules.watchdog then return end
	begin(m, function()
		local why, message = try(watch.guard, m.rules.watchdog, m.zone, clock, m.tasks)
		if why then return report(m, "silent", why) end
		if message then log.error("zone %s: nothing watches it: %s", m.name, plain(message)) end
	end)
end

-- The guest was asked to end, and nothing is to be expected of that any more.
local function ask_no_more(m, why)
	if not m.asking then return end
	m.asking = false
	log.warn("zone %s %s: it is taken down", m.name, why)
	begin(m, function() take_down(m) end)
end

function enter.stopping(m)
	local ask = m.machine.gentle and m.rules.stop
	if not ask then return begin(m, function() take_down(m) end) end
	m.asking = true
	begin(m, function()
		begin(m, function()
			clock.sleep(ask.within)
			ask_no_more(m, ("did not end within %g s of being asked to"):format(ask.within))
		end)
		local ok, message = try(watch.ask, ask, m.zone)
		if not ok then ask_no_more(m, "cannot be asked to end: " .. plain(message)) end
	end)
end

function enter.backoff(m)
	in_time(m, m.machine.delay, "retry")
end

local function failed(m)
	local action = m.rules.on_failure
	if action == "stop" then
		spawn(function() m.supervisor.stop_all() end)
	elseif action then
		spawn(action, m.name, m.machine.state, m.machine.reason)
	end
end
enter.failed, enter.quarantined = failed, failed

-- ---- what happens to the zone

-- Told later than it happened: it counts as long as it is still so.
function listen(m)
	for _, listener in ipairs(m.listeners or {}) do listener:close() end
	local function heard(f)
		return function(e)
			if not m.closed then f(e) end
		end
	end
	m.listeners = {
		m.zone:on("exit", heard(function(e)
			if e.what == "stopped" and m.own_stops > 0 then
				m.own_stops = m.own_stops - 1
				return
			end
			local again = listed(m.name)
			if m.machine.state == "stopping" then
				if again then
					if m.asking then m.machine:tell("appeared", "somebody started it again") end
				elseif m.asking or e.what == "ended" then
					-- Of a stop of ours its result says more.
					m.machine:tell "gone"
				end
			elseif again then
				m.machine:tell("renewed", "it was started again")
			elseif e.what == "stopped" then
				m.machine:tell("taken", "somebody stopped it")
			else
				m.machine:tell("ended", "it ended, by itself or by another program")
			end
		end)),
		m.zone:on("error", heard(function()
			if listed(m.name) ~= "failed" then return end
			ask_no_more(m, "crashed when it was asked to end")
			m.machine:tell("crashed", "it crashed")
		end)),
		m.zone:on("start", heard(function()
			-- While it is stopping this may be a start of ours that is told late; the end before another one is told first.
			if listed(m.name) == "running" and m.machine.state ~= "stopping" then m.machine:tell("appeared", "somebody started it") end
		end)),
	}
end

-- ---- all of them

local function supervisor(rules)
	local self = { list = {}, by_name = {}, waiters = {} }

	-- What a waiting zone waits for.
	local function missing(m)
		local names
		for _, name in ipairs(m.rules.after) do
			local other = self.by_name[name].machine
			if other.state ~= "ready" then
				names = (names and names .. ", " or "waits for ") .. (DOWN[other.state] and ("%s (%s)"):format(name, other.state) or name)
			end
		end
		return names
	end

	local function wake()
		local waiters = self.waiters
		self.waiters = {}
		for _, waiter in ipairs(waiters) do waiter:cancel() end
	end

	local function evaluate()
		for _, m in ipairs(self.list) do
			if m.machine.state == "waiting" and not m.closed then
				m.machine.reason = missing(m) or ""
				status.set(m.name, "waiting", m.machine.reason)
				if m.machine.reason == "" then m.machine:tell "go" end
			end
		end
		wake()
	end

	local function changed(m, to, from)
		m.turn, m.asking = m.turn + 1, false
		for _, task in ipairs(m.tasks) do task:cancel() end
		m.tasks = {}
		local reason = m.machine.reason
		local text = ("zone %s: %s%s"):format(m.name, to, reason ~= "" and ": " .. reason or "")
		status.set(m.name, to, reason)
		event.emit({ time = os.time(), event = "supervise", zone = m.name, id = m.zone.id, what = to, from = from, message = text },
			LEVELS[to] or "info")
		if enter[to] then enter[to](m) end
		evaluate()
	end

	for i, z in ipairs(rules.zones) do
		local m = {
			name = z.name, zone = z.zone, rules = z, tasks = {}, turn = 0, own_stops = 0, starts = 0, stops = 0, supervisor = self,
		}
		m.machine = machine.new(z, { now = clock.now, enter = function(_, to, from) changed(m, to, from) end })
		self.list[i], self.by_name[z.name] = m, m
	end

	-- Waits until done() is true, which is looked at after each change.
	local function wait_for(done, timeout)
		local deadline = core.deadline(timeout)
		while not done() do
			local left = deadline and core.left(deadline)
			local waiter = spawn(sleep, "8760h")
			self.waiters[#self.waiters + 1] = waiter
			local _, _, code = waiter:wait(left and { timeout = left } or nil)
			waiter:cancel()
			if code == "ETIMEDOUT" then return done() end
		end
		return true
	end

	local function cancelled() return nil, "ECANCELED: the supervisor was closed", "ECANCELED" end

	local function stop(list)
		if self.closed then return cancelled() end
		local problems, code
		local reached = 0
		for _, m in ipairs(list) do m.machine.wanted, m.stops = false, m.stops + 1 end
		-- Whoever waits for this may be cancelled: zones whose turn has not come go on then.
		local _ <close> = setmetatable({}, { __close = function()
			for i = reached + 1, #list do
				local m = list[i]
				m.stops = m.stops - 1
				if m.stops == 0 and m.machine.state ~= "stopping" and not DOWN[m.machine.state] then m.machine.wanted = true end
			end
		end })
		for _, m in ipairs(list) do
			if m.machine.state == "waiting" or m.machine.state == "backoff" then m.machine:tell("stop", "was asked to stop") end
		end
		local function problem(m, why, with)
			problems, code = (problems and problems .. "; " or "") .. ("zone %s%s"):format(m.name, why), code or with
		end
		for _, m in ipairs(list) do
			-- One that is wanted was started by somebody since.
			if not m.machine.wanted then
				m.machine:tell("stop", "was asked to stop")
				wait_for(function() return DOWN[m.machine.state] or m.machine.wanted or self.closed end)
			end
			if self.closed then return cancelled() end
			reached, m.stops = reached + 1, m.stops - 1
			if m.machine.state == "quarantined" then
				problem(m, ": " .. m.machine.reason, "EBUSY")
			elseif m.machine.wanted then
				problem(m, " was started again meanwhile", "ECANCELED")
			end
		end
		if problems then return nil, ("%s: %s"):format(code, problems), code end
		return true
	end

	function self.stop_all()
		local list = {}
		for i = #self.list, 1, -1 do list[#list + 1] = self.list[i] end
		return stop(list)
	end

	local function named(which, method)
		local spec = dsl.spec_of(which)
		local name = spec and spec.name or which
		if type(name) ~= "string" then
			error(("%s: argument 1 is %s, not a zone or its name"):format(method, name == nil and "nil" or "a " .. type(name)), 3)
		end
		local m = self.by_name[name]
		if m then return m end
		error(("%s: %s is not supervised here%s"):format(method, name, nearest.hint(name, self.by_name)), 3)
	end

	local function facts(m)
		return { zone = m.name, state = m.machine.state, reason = m.machine.reason, starts = m.starts, failures = #m.machine.failures }
	end

	local function states()
		local rows = {}
		for i, m in ipairs(self.list) do rows[i] = facts(m) end
		return frozen.with_text(rows, "policy.supervise.status", function(list)
			local lines = {}
			for i, row in ipairs(list) do
				lines[i] = ("%s: %s%s"):format(row.zone, row.state, row.reason ~= "" and ": " .. row.reason or "")
			end
			return table.concat(lines, "\n")
		end)
	end

	-- Of a closed one the zones belong to somebody else.
	local function check(this, method)
		if this ~= self.object then error(("call it with a colon: supervisor:%s()"):format(method), 3) end
		if self.closed and method ~= "wait" and method ~= "close" then error(("%s: the supervisor is closed"):format(method), 3) end
	end

	local methods = {}

	function methods.status(this)
		check(this, "status")
		return states()
	end

	function methods.wait(this, given)
		check(this, "wait")
		local timeout = timeout_of(given, "wait")
		if define.active then define.finish "a running zone" end
		local down
		local done = wait_for(function()
			for _, m in ipairs(self.list) do
				if DOWN[m.machine.state] or m.closed then
					down = m
					return true
				end
				if m.machine.state ~= "ready" then return false end
			end
			return true
		end, timeout)
		if down then
			return nil, ("ECANCELED: zone %s is %s: %s"):format(down.name,
				down.closed and "not supervised any more" or down.machine.state, down.machine.reason), "ECANCELED"
		elseif not done then
			return nil, "ETIMEDOUT: not all zones are ready in time\n" .. tostring(states()), "ETIMEDOUT"
		end
		return true
	end

	-- A variable that is nil by mistake is not all of them.
	function methods.stop(this, ...)
		check(this, "stop")
		local m = select("#", ...) > 0 and named((...), "stop")
		if define.active then return define.intend() end
		if m then return stop { m } end
		return self.stop_all()
	end

	function methods.start(this, ...)
		check(this, "start")
		local m = select("#", ...) > 0 and named((...), "start")
		if define.active then return define.intend() end
		local list = m and { m } or self.list
		for _, other in ipairs(list) do
			-- It would go down all the same.
			if other.stops > 0 then return nil, ("EBUSY: zone %s is being stopped"):format(other.name), "EBUSY" end
		end
		for _, other in ipairs(list) do other.machine:tell("start", "") end
		if m and m.machine.state == "quarantined" then
			return nil, ("EBUSY: zone %s: %s"):format(m.name, m.machine.reason), "EBUSY"
		end
		return true
	end

	function methods.release(this, which)
		check(this, "release")
		local m = named(which, "release")
		if define.active then return define.intend() end
		m.machine:tell("release", "it was taken out of quarantine")
		return true
	end

	function methods.close(this)
		check(this, "close")
		if self.closed then return true end
		self.closed = true
		for _, m in ipairs(self.list) do
			m.closed, taken[m.name] = true, nil
			for _, listener in ipairs(m.listeners or {}) do listener:close() end
			for _, task in ipairs(m.tasks) do task:cancel() end
			status.set(m.name, nil)
		end
		if self.signal then self.signal:close() end
		wake()
		return true
	end

	function self.begin()
		for _, m in ipairs(self.list) do
			taken[m.name] = true
			listen(m)
		end
		if rules.on_exit == "stop" then
			self.signal = assert(event.signal("TERM", function()
				local ok, why = self.stop_all()
				if not ok then log.error("not every zone could be stopped: %s", tostring(why)) end
				os.exit(ok and 0 or 1)
			end))
		end
		evaluate()
	end

	self.object = frozen.object {
		name = "hvsh.supervisor", fields = methods, strict = true, close = methods.close,
		tostring = function() return self.closed and "supervisor (closed)" or tostring(states()) end,
	}
	return self
end

local function begin_all(given)
	local rules = options.read(given, 3)
	for _, z in ipairs(rules.zones) do
		if taken[z.name] then error(("supervise: zone %s is supervised already"):format(z.name), 3) end
	end
	local self = supervisor(rules)
	if define.active then define.intend() else self.begin() end
	return self.object
end

-- A tail call would take the line of the script out of messages.
function supervise.zones(given)
	local object = begin_all(given)
	return object
end

return setmetatable(supervise, { __call = function(_, given)
	local object = begin_all(given)
	return object
end })
