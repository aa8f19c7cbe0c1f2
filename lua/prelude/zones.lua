-- SPDX-License-Identifier: GPL-2.0-or-later
-- `zones`: all zones of the script at once, and those that run.
local core = require "hvsh.core"
local define = require "hvsh.define"
local dsl = require "hvsh.dsl"
local frozen = require "hvsh.frozen"

local function operate() return require "hvsh.operate" end

local zones

-- "linux1", 1 or a handle -> what operate takes.
local function key_of(value, caller, i)
	local spec = require("hvsh.zone").spec_of(value)
	if spec then return spec.name end
	if type(value) == "string" or math.type(value) == "integer" then return value end
	if value == zones then error(("call it with a dot: %s()"):format(caller), 4) end
	error(("%s: argument %d is %s, not a zone's name%s"):format(caller, i, value == nil and "nil"
		or type(value) == "number" and ("the number %s"):format(value) or "a " .. type(value),
		type(value) == "table" and (' (as in %s("linux1", "linux2"))'):format(caller) or ""), 4)
end

-- A nil among them is a variable that was misspelled, and not the end: no names at all would mean all zones.
local function names_of(caller, ...)
	local names = {}
	for i = 1, select("#", ...) do names[i] = key_of((select(i, ...)), caller, i) end
	return names
end

local function options_of(options, caller, allowed)
	if options == nil then return {} end
	if options == zones then error(("call it with a dot: %s()"):format(caller), 3) end
	if type(options) ~= "table" then
		error(("%s takes a table of options, not a %s"):format(caller, type(options)), 3)
	end
	require("hvsh.nearest").check(options, allowed, caller .. " has no option", 3)
	return options
end

local fields = {}

-- All of them: {id, name, state, cpus, memory, defined} each; prints as a table.
function fields.list()
	if define.active and not define.truthful() then define.finish "a running zone" end
	local rows, message, code = operate().list(operate().specs())
	if not rows then
		if define.active then define.finish "a running hypervisor" end
		return nil, message, code
	end
	return frozen.with_text(rows, "hvsh.zones", function(list)
		return table.concat(require("hvsh.report").zones(list, {}), "\n")
	end)
end

function fields.check()
	return operate().check(operate().specs())
end

-- {deltas=, steps=}: what apply would do; prints as text.
function fields.plan(options)
	options = options_of(options, "zones.plan", { restart = true, force = true, names = true })
	if define.active and not define.truthful() then define.finish "a running zone" end
	local plan, message, code = operate().plan(operate().specs(), options)
	if not plan then return nil, message, code end
	return frozen.with_text({ deltas = plan.deltas, steps = plan.steps }, "hvsh.plan", function(p)
		return table.concat(require("hvsh.report").plan(p, {
			restart = options.restart, restart_word = "restart = true",
		}), "\n")
	end)
end

-- All zones as written: absent ones are started, those that differ only with restart = true.
function fields.apply(options)
	options = options_of(options, "zones.apply", { restart = true })
	if define.active then return define.intend() end
	return operate().answer(operate().start(nil, {
		restart = options.restart, keep = true, hint = "zones.apply{restart = true} takes it down and starts it as written",
	}))
end

-- The named zones, or all: either all of them run afterwards or none that was not running before.
function fields.start(...)
	local names = names_of("zones.start", ...)
	for i, name in ipairs(names) do
		if type(name) ~= "string" then error(("zones.start: argument %d is the number %d, not a zone's name"):format(i, name), 2) end
	end
	local unknown = operate().unknown(names)
	if unknown then return operate().answer(nil, "ENOENT: " .. unknown, "ENOENT") end
	if define.active then return define.intend() end
	return operate().answer(operate().start(#names > 0 and names or nil, {
		hint = "zone:restart() takes it down and starts it as written",
	}))
end

-- The named zones (or ids), or all of the script that run, the last one first. Each is tried.
function fields.stop(...)
	local names = names_of("zones.stop", ...)
	if define.active then return define.intend() end
	local all = #names == 0
	if all then
		for i = #dsl.zones, 1, -1 do names[#names + 1] = dsl.spec_of(dsl.zones[i]).name end
	end
	local failures, first = {}, nil
	for _, name in ipairs(names) do
		local ok, message, code = operate().stop(name)
		if not ok and not (all and code == "ENOENT") then
			failures[#failures + 1] = core.plain(message)
			first = first or code
		end
	end
	if first then return nil, first .. ": " .. table.concat(failures, "; "), first end
	return true
end

zones = frozen.object {
	name = "hvsh.zones",
	fields = fields,
	get = function(key)
		return type(key) == "string" and dsl.find(key) or nil
	end,
	len = function() return #dsl.zones end,
	pairs = function(self)
		local i = 0
		return function()
			i = i + 1
			local handle = dsl.zones[i]
			if handle then return dsl.spec_of(handle).name, handle end
		end, self, nil
	end,
	tostring = function()
		local n = #dsl.zones
		if n == 0 then return "zones: none defined" end
		local names = {}
		for i, handle in ipairs(dsl.zones) do names[i] = tostring(handle) end
		return table.concat(names, "\n")
	end,
}

return zones
