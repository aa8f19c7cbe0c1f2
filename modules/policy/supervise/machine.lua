-- SPDX-License-Identifier: GPL-2.0-or-later
-- What becomes of one supervised zone: a table of states, and what decides between them. It touches nothing itself: its
-- host starts, stops and watches, has the clock, and says what has happened with machine:tell.
local machine = {}

-- Where the next state depends on more than what has happened.
local JUDGE = {}

-- state -> what happens -> the next state; anything else is passed over.
local next_of = {
	-- Not started, because others have to be ready first.
	waiting = { go = "starting", appeared = "running", stop = "stopped" },
	starting = { up = "running", found = "ready", refused = JUDGE, crashed = "stopping", stop = "stopping" },
	-- Started, and not known to be ready.
	running = {
		ready = "ready", late = "stopping", crashed = "stopping", silent = "stopping", ended = JUDGE, taken = "stopped",
		renewed = "running", stop = "stopping",
	},
	ready = {
		crashed = "stopping", silent = "stopping", ended = JUDGE, taken = "stopped", renewed = "running", stop = "stopping",
	},
	-- Somebody may have started it again while it was asked to end.
	stopping = { gone = JUDGE, unconfirmed = "quarantined", appeared = "running" },
	backoff = { retry = "waiting", appeared = "running", stop = "stopped" },
	failed = { start = "waiting", appeared = "running" },
	stopped = { start = "waiting", appeared = "running" },
	-- Whether its CPUs have stopped is not known: nothing but a person takes it out of here.
	quarantined = { release = "stopped" },
}

machine.states = next_of

-- What counts as a failure; ended is one only for a zone that is always to run.
local failure = { late = true, crashed = true, silent = true, refused = true }

-- Starting again changes nothing about these: the script, or what runs in its place, has to change.
local hopeless = { EINVAL = true, EEXIST = true, EPERM = true, EOPNOTSUPP = true }

-- Nobody needs more to tell how long to wait.
local REMEMBERED = 64

local methods = {}
methods.__index = methods

-- Failures that still count.
local function recent(m)
	local now = m.host.now()
	while m.failures[1] and now - m.failures[1] >= m.rules.budget.within do table.remove(m.failures, 1) end
	return #m.failures
end

-- How long to wait before the next start, in seconds.
local function delay(m)
	local b = m.rules.backoff
	return math.min(b.to, b.from * b.factor ^ (#m.failures - 1))
end

local function judge(m, what, code)
	local rules = m.rules
	if not m.wanted then return "stopped" end
	if not m.failure then
		if rules.restart ~= "always" then return "stopped" end
	elseif rules.restart == "never" then
		return "failed"
	elseif what == "refused" and hopeless[code] then
		return "failed"
	end
	recent(m)
	m.failures[#m.failures + 1] = m.host.now()
	if rules.budget.count and #m.failures > rules.budget.count then
		m.reason = ("%s; that was failure %d within %g s, and %d are allowed")
			:format(m.reason, #m.failures, rules.budget.within, rules.budget.count)
		return "failed"
	end
	if #m.failures > REMEMBERED then table.remove(m.failures, 1) end
	m.delay = delay(m)
	m.reason = ("%s; starts again in %g s"):format(m.reason, m.delay)
	return "backoff"
end

-- Says what has happened, and why in words for people; code: of an error. True when it made a difference.
function methods:tell(what, reason, code)
	local to = next_of[self.state][what]
	-- Also one that is taken down for another reason does not come back then.
	if what == "stop" then self.wanted = false end
	if not to then return false end
	if what == "taken" then
		self.wanted = false
	elseif what == "start" or what == "appeared" then
		self.wanted, self.failures = true, {}
	end
	if what == "go" or what == "renewed" or what == "appeared" then
		self.failure = false
	elseif failure[what] then
		self.failure = true
	end
	-- That it has stopped is less worth knowing than why it was.
	if what ~= "gone" then self.reason = reason or "" end
	-- A guest that works is asked; what has crashed or hangs would not hear it.
	self.gentle = what == "stop" and (self.state == "running" or self.state == "ready")
	if to == JUDGE then to = judge(self, what, code) end
	local from = self.state
	self.state, self.since, self.turn = to, self.host.now(), self.turn + 1
	self.host.enter(self, to, from)
	return true
end

-- rules: {restart = "always"|"on-failure"|"never", backoff = {from, to, factor}, budget = {count or false, within}}, times in
-- seconds. host: {now = function() in seconds, enter = function(machine, to, from)}, which begins what the new state needs.
-- turn counts the states: what was begun for one that is over can tell.
function machine.new(rules, host)
	return setmetatable({
		rules = rules, host = host, state = "waiting", reason = "", since = host.now(), turn = 0, wanted = true, failure = false,
		failures = {},
	}, methods)
end

return machine
