-- SPDX-License-Identifier: GPL-2.0-or-later
-- How a supervisor knows that a zone is ready, that it still lives, and how it asks it to end. Everything here runs in
-- tasks that are cancelled when it is not wanted any more.
local log = require "hvsh.log"

local watch = {}

-- Between two looks at a file, or at what a function says; in seconds.
local LOOK = 0.2

-- The longest match that is found when it comes in pieces, in bytes.
local KEPT = 4096

local ENOENT = 2

local function console_of(zone, name)
	if name then return zone:device(name) end
	for _, device in ipairs(zone:devices()) do
		if device.type == "console" then return device end
	end
	return nil, ("ENODEV: zone %s has no console that is served here"):format(zone.name), "ENODEV"
end

-- A function that waits for the next match: true; nil and why when the console has ended. Little is kept and looked at
-- again, so that a guest that writes without end costs its own bytes and no more.
local function matches(con, pattern)
	local kept = ""
	return function()
		while true do
			local from, to = kept:find(pattern)
			if from then
				kept = kept:sub(math.max(from, to) + 1)
				return true
			end
			kept = kept:sub(-KEPT)
			local text, message = con:read()
			if not text then return nil, message end
			kept = kept .. text
			sleep(0)
		end
	end
end

local function there(path)
	local file = io.open(path, "r")
	if file then file:close() end
	return file ~= nil
end

-- A mark of the life before says nothing about this one.
function watch.forget(ready)
	if not ready or not ready.file then return end
	local ok, message, number = os.remove(ready.file)
	if not ok and number ~= ENOENT then log.warn("a file that says that a zone is ready cannot be removed: %s", message) end
end

-- Waits until the zone is ready: true; nil and why when that cannot be known.
function watch.ready(ready, zone, clock)
	if ready.expect then
		local device, message = console_of(zone, ready.console)
		if not device then return nil, message end
		local reader
		reader, message = device:open { back = "all" }
		if not reader then return nil, message end
		local con <close> = reader
		return matches(con, ready.expect)()
	end
	while true do
		if ready.file and there(ready.file) or ready.call and ready.call(zone) then return true end
		clock.sleep(LOOK)
	end
end

local function requests(zone)
	local n = 0
	for _, device in ipairs(zone:devices()) do
		local stats = device.stats
		n = n + stats.kicks + stats.requests
	end
	return n
end

local function said(device)
	return device.state ~= "detached" and device.stats.write_bytes or -1
end

-- Counts the matches of a pattern in a task of its own.
local function beats(zone, name, pattern, own)
	local n = 0
	local device, message = console_of(zone, name)
	if not device then return nil, message end
	own[#own + 1] = spawn(function()
		local reader, why = device:open()
		if not reader then return log.error("the watchdog of zone %s: %s", zone.name, why) end
		local con <close> = reader
		local match = matches(con, pattern)
		while match() do n = n + 1 end
	end)
	return function() return n end
end

-- {value = or call =, limit =, what =} of everything that has to change; call is the script's and may wait. nil and why.
local function signs(rules, zone, own)
	local list = {}
	if rules.silence then
		local device, message = console_of(zone, rules.console)
		if not device then return nil, message end
		list[1] = {
			value = function() return said(device) end, limit = rules.silence,
			what = ("its console %s was silent for %g s"):format(device.name, rules.silence),
		}
	end
	if rules.kicks then
		list[#list + 1] = {
			value = function() return requests(zone) end, limit = rules.kicks,
			what = ("it used none of its devices for %g s"):format(rules.kicks),
		}
	end
	if rules.heartbeat then
		local is_text = type(rules.heartbeat) == "string"
		local sign = { limit = rules.within, what = ("its heartbeat did not come for %g s"):format(rules.within) }
		if is_text then
			local message
			sign.value, message = beats(zone, rules.console, rules.heartbeat, own)
			if not sign.value then return nil, message end
		else
			sign.call = rules.heartbeat
		end
		list[#list + 1] = sign
	end
	return list
end

-- Waits until a sign of life is missing: what is wrong; nil and why when that cannot be seen. own: gets the tasks that it begins.
function watch.guard(rules, zone, clock, own)
	local list, message = signs(rules, zone, own)
	if not list then return nil, message end
	local step, complained = 5, false
	for _, sign in ipairs(list) do
		step = math.min(step, sign.limit / 4)
		sign.since = clock.now()
	end
	if not list[1] then return nil end
	local function look(sign, value)
		local ok, now = pcall(value, zone)
		if not ok then
			if not complained then log.error("the watchdog of zone %s: %s", zone.name, tostring(now)) end
			complained = true
		elseif now ~= sign.last then
			sign.last, sign.since = now, clock.now()
		end
	end
	for _, sign in ipairs(list) do
		if sign.call then
			own[#own + 1] = spawn(function()
				while true do
					look(sign, sign.call)
					clock.sleep(step)
				end
			end)
		end
	end
	while true do
		for _, sign in ipairs(list) do
			if sign.value then look(sign, sign.value) end
			if clock.now() - sign.since >= sign.limit then return sign.what end
		end
		clock.sleep(step)
	end
end

-- Asks the zone to end by itself: true when it was told; nil and why.
function watch.ask(rules, zone)
	if rules.call then
		-- One that returns nothing has asked; nil and a message come from what it called.
		local ok, told, message = pcall(rules.call, zone)
		if not ok then return nil, told end
		if told == nil and message ~= nil then return nil, message end
		return true
	end
	local device, message = console_of(zone, rules.console)
	if not device then return nil, message end
	local writer
	writer, message = device:open()
	if not writer then return nil, message end
	local con <close> = writer
	return con:write(rules.type, { timeout = rules.within })
end

return watch
