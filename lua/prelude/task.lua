-- SPDX-License-Identifier: GPL-2.0-or-later
-- `spawn`, `sleep`, `after` and `every`: more than one thing at a time.
local core = require "hvsh.core"
local define = require "hvsh.define"
local nearest = require "hvsh.nearest"
local place = require "hvsh.dsl.place"

-- The script may take these away.
local getinfo, metatable, globals, loaded = debug.getinfo, debug.getmetatable, _G, package.loaded

local task = {}

local function check_function(value, caller, i)
	if type(value) ~= "function" then
		error(("%s: argument %d is a %s, not a function"):format(caller, i, type(value)), 3)
	end
end

-- Nanoseconds of "250ms" or of a number of seconds.
local function duration(value, caller)
	local ns, message = core.duration(value)
	if not ns then error(("%s: %s"):format(caller, message), 3) end
	return ns
end

-- "sleep", "zones.stop", "string.rep": the name of a function that is not written in a script; nil = it has none.
local function public_name(f)
	local best
	for name, value in next, globals do
		if rawequal(value, f) then return name end
		local meta = type(value) == "table" and value ~= globals and metatable(value)
		for key, field in next, meta and meta.__fields or loaded[name] == value and value ~= globals and value or {} do
			if rawequal(field, f) then best = ("%s.%s"):format(name, key) end
		end
	end
	return best
end

-- What messages call a task: where its function is written, or its name, or where the task was made.
function task.place(f)
	local info = getinfo(f, "S")
	if info.what ~= "C" and info.source:sub(1, 6) ~= "=hvsh." then
		return info.linedefined > 0 and ("%s:%d"):format(info.short_src, info.linedefined) or info.short_src
	end
	local name = public_name(f)
	if name then return name end
	local file, line = place.script_line()
	return file and ("%s:%d"):format(file, line) or "a function of hvsh"
end

-- Where a script is only read for its zones, nothing begins.
local function unborn(name)
	return require("hvsh.frozen").object {
		name = "hvsh.task",
		fields = {
			name = name, state = "waiting",
			wait = function() define.finish "a running task" end,
			cancel = function() return true end,
		},
		strict = true,
		tostring = function() return ("task %s: waiting"):format(name) end,
	}
end

local function begin(name, f, ...)
	if define.active then return unborn(name) end
	return core.spawn(name, f, ...)
end

-- Calls f(...) as a task of its own, when this one waits next.
function task.spawn(f, ...)
	check_function(f, "spawn", 1)
	return begin(task.place(f), f, ...)
end

-- The timeout among a method's options, which has no others: nil = none. Errors are the method's caller's.
function task.timeout(options, method)
	if options == nil then return nil end
	if type(options) ~= "table" then error(('%s takes a table of options: {timeout = "10s"}'):format(method), 3) end
	nearest.check(options, { timeout = true }, method .. " has no option", 3)
	if options.timeout == nil then return nil end
	local ns, why = core.duration(options.timeout)
	if not ns then error(("%s: timeout: %s"):format(method, why), 3) end
	return options.timeout
end

-- Waits; the other tasks go on.
function task.sleep(time)
	duration(time, "sleep")
	if define.active then define.finish "time to pass" end
	core.sleep_until(core.deadline(time))
end

local function later(at, f, ...)
	core.sleep_until(at)
	return f(...)
end

-- Calls f(...) once, when the time has passed.
function task.after(time, f, ...)
	duration(time, "after")
	check_function(f, "after", 2)
	local at = core.deadline(time)
	return begin("after " .. task.place(f), later, at, f, ...)
end

local function again(at, period, f, ...)
	while true do
		core.sleep_until(at)
		f(...)
		-- Periods that went by meanwhile are not made up for.
		at = at + period * math.max(1, (core.now() - at) // period + 1)
	end
end

-- Calls f(...) at the end of every period, until it is cancelled or fails.
function task.every(time, f, ...)
	local period = duration(time, "every")
	check_function(f, "every", 2)
	if period == 0 then error("every: a period is longer than 0", 2) end
	return begin("every " .. task.place(f), again, core.deadline(time), period, f, ...)
end

return task
