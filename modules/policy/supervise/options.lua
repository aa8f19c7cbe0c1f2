-- SPDX-License-Identifier: GPL-2.0-or-later
-- What policy.supervise takes: checked, with defaults, times in seconds. Mistakes are errors of whoever has written them.
local core = require "hvsh.core"
local dsl = require "hvsh.dsl"
local nearest = require "hvsh.nearest"

local options = {}

-- Of a zone, or of all when they stand beside the list.
local PER_ZONE = { "after", "ready", "restart", "backoff", "budget", "watchdog", "stop", "on_failure" }
local TOP = { "on_exit" }

local function set(...)
	local known = {}
	for _, list in ipairs { ... } do
		for _, word in ipairs(list) do known[word] = true end
	end
	return known
end

local function fail(fmt, ...) error({ supervise = fmt:format(...) }, 0) end

local function table_with(value, what, ...)
	if type(value) ~= "table" or getmetatable(value) ~= nil then fail("%s is a %s, not a table", what, type(value)) end
	local known = set { ... }
	for key in pairs(value) do
		if not known[key] then fail("%s has no option %s%s", what, tostring(key), nearest.hint(key, known)) end
	end
	return value
end

local function seconds(value, what, default)
	if value == nil then return default end
	local ns, why = core.duration(value)
	if not ns then fail("%s: %s", what, why) end
	return ns / 1e9
end

local function positive(value, what, default)
	local s = seconds(value, what, default)
	if s and s <= 0 then fail("%s: a time is longer than 0", what) end
	return s
end

local function text(value, what)
	if value ~= nil and (type(value) ~= "string" or value == "") then fail("%s is a text that is not empty", what) end
	return value
end

local function pattern(value, what)
	text(value, what)
	local fine, why = pcall(string.find, "", value or "x")
	if not fine then fail("%s: %s", what, why) end
	if why then fail("%s: the pattern matches also where there is nothing", what) end
	return value
end

local function handle_of(value, what)
	local handle = type(value) == "string" and dsl.find(value) or dsl.spec_of(value) and value
	if handle then return handle end
	if type(value) == "string" then
		local names = {}
		for i, zone in ipairs(dsl.zones) do names[i] = zone.name end
		fail("%s: there is no zone %s%s", what, value, nearest.hint(value, names))
	end
	fail("%s is a %s, not a zone or its name", what, type(value))
end

local read = {}

function read.after(value, what)
	local names = {}
	for i, entry in ipairs(dsl.spec_of(value) and { value } or type(value) == "table" and value or { value }) do
		names[i] = handle_of(entry, ("%s, entry %d"):format(what, i)).name
	end
	return names
end

function read.ready(value, what)
	if type(value) == "function" then value = { call = value } end
	table_with(value, what, "expect", "console", "file", "call", "within")
	local ways = 0
	for _, word in ipairs { "expect", "file", "call" } do ways = ways + (value[word] ~= nil and 1 or 0) end
	if ways ~= 1 then fail("%s needs one of expect, file and call", what) end
	if value.call ~= nil and type(value.call) ~= "function" then fail("%s: call is no function", what) end
	return {
		expect = pattern(value.expect, what .. ": expect"), console = text(value.console, what .. ": console"),
		file = text(value.file, what .. ": file"), call = value.call, within = positive(value.within, what .. ": within", 60),
	}
end

function read.restart(value, what)
	local words = { "always", "on-failure", "never" }
	if set(words)[value] then return value end
	fail("%s is %s; there are %s", what, tostring(value), table.concat(words, ", "))
end

function read.backoff(value, what)
	table_with(value, what, "from", "to", "factor")
	local from = seconds(value.from, what .. ": from", 1)
	local to = seconds(value.to, what .. ": to", math.max(from, 60))
	local factor = value.factor or 2
	if type(factor) ~= "number" or not (factor >= 1 and factor <= 100) then fail("%s: factor is a number from 1 to 100", what) end
	if to < from then fail("%s: to is less than from", what) end
	return { from = from, to = to, factor = factor }
end

function read.budget(value, what)
	if value == false then return { count = false, within = 600 } end
	table_with(value, what, "count", "within")
	local count = math.tointeger(value.count)
	if not count or count < 0 then fail("%s: count is a whole number of failures", what) end
	return { count = count, within = positive(value.within, what .. ": within", 600) }
end

function read.watchdog(value, what)
	table_with(value, what, "silence", "console", "kicks", "heartbeat", "within")
	local beat = value.heartbeat
	if beat ~= nil and type(beat) ~= "function" then pattern(beat, what .. ": heartbeat") end
	if beat == nil and value.within ~= nil then fail("%s: within is how often a heartbeat comes", what) end
	return {
		silence = positive(value.silence, what .. ": silence"), kicks = positive(value.kicks, what .. ": kicks"),
		console = text(value.console, what .. ": console"), heartbeat = beat, within = positive(value.within, what .. ": within", 30),
	}
end

function read.stop(value, what)
	if type(value) == "function" then value = { call = value } end
	table_with(value, what, "type", "console", "call", "within")
	if (value.type == nil) == (value.call == nil) then fail("%s needs one of type and call", what) end
	if value.call ~= nil and type(value.call) ~= "function" then fail("%s: call is no function", what) end
	return {
		type = text(value.type, what .. ": type"), console = text(value.console, what .. ": console"), call = value.call,
		within = positive(value.within, what .. ": within", 30),
	}
end

function read.on_failure(value, what)
	if value == "stop" or type(value) == "function" then return value end
	fail('%s is %s; it is "stop" or a function', what, tostring(value))
end

local defaults = {
	after = {}, restart = "on-failure", backoff = { from = 1, to = 60, factor = 2 }, budget = { count = 5, within = 600 },
}

-- The zones in an order in which each comes behind those it waits for.
local function ordered(list)
	local by_name, done, order = {}, {}, {}
	for _, z in ipairs(list) do by_name[z.name] = z end
	local function place(z, path)
		if done[z] then return end
		if path[z] then fail("%s: it waits for itself: %s", z.what, table.concat(path, " after ") .. " after " .. z.name) end
		path[z], path[#path + 1] = true, z.name
		for _, name in ipairs(z.after) do
			if not by_name[name] then fail("%s: after: %s is not supervised here", z.what, name) end
			place(by_name[name], path)
		end
		path[z], path[#path] = nil, nil
		done[z], order[#order + 1] = true, z
	end
	for _, z in ipairs(list) do place(z, {}) end
	return order
end

local function check(given)
	if type(given) ~= "table" or getmetatable(given) ~= nil then fail("it takes a table, with an entry for each zone") end
	local top, per_zone = set(PER_ZONE, TOP), set(PER_ZONE)
	for key in pairs(given) do
		if math.type(key) ~= "integer" and not top[key] then fail("there is no option %s%s", tostring(key), nearest.hint(key, top)) end
	end
	if #given == 0 then fail("no zone is named") end
	if given.on_exit ~= nil and given.on_exit ~= "stop" and given.on_exit ~= "leave" then
		fail('on_exit is %s; there are "leave" and "stop"', tostring(given.on_exit))
	end
	local list, seen = {}, {}
	for i, entry in ipairs(given) do
		if dsl.spec_of(entry) or type(entry) == "string" then entry = { entry } end
		if type(entry) ~= "table" then fail("entry %d is a %s, not a zone", i, type(entry)) end
		local handle = handle_of(entry[1], ("entry %d"):format(i))
		local z = { zone = handle, name = handle.name, what = "zone " .. handle.name }
		if seen[z.name] then fail("%s stands there twice", z.what) end
		seen[z.name] = true
		for key in pairs(entry) do
			if key ~= 1 and not per_zone[key] then fail("%s has no option %s%s", z.what, tostring(key), nearest.hint(key, per_zone)) end
		end
		for _, key in ipairs(PER_ZONE) do
			local value, what = entry[key], ("%s: %s"):format(z.what, key)
			if value == nil then value, what = given[key], key end
			if value == nil then z[key] = defaults[key] else z[key] = read[key](value, what) end
		end
		list[i] = z
	end
	return { zones = ordered(list), on_exit = given.on_exit or "leave" }
end

-- {zones = {{zone =, name =, after =, …}, …} in the order of starting, on_exit =}. Raises at level.
function options.read(given, level)
	local ok, result = pcall(check, given)
	if ok then return result end
	if type(result) ~= "table" then error(result, 0) end
	error("supervise: " .. result.supervise, level + 1)
end

return options
