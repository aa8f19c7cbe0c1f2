-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the options of a policy may be together, whether they stand in a definition or are given to device:policy.
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"

-- The script may take it away.
local tostring = tostring

local rules = {}

-- lua/policy_engine.h has them.
local limits = core.policy_limits
local MEMORY_MAX = { state = limits.memory_state_max, process = limits.memory_process_max }

local OF_FILES = { "args", "isolate", "memory", "deadline" }
local OF_ANSWERS = { "on_overload", "on_error", "timeout" }

rules.limits = limits

local function check_ops(ops, kinds, fail)
	local known = {}
	for _, op in ipairs(kinds) do known[op] = true end
	for i = 1, #ops do
		local op = rawget(ops, i)
		if not known[op] then
			local near = nearest.of(tostring(op), known)
			fail(("ops[%d]"):format(i), "is %s; such a device has %s%s", tostring(op), table.concat(kinds, ", "),
				near and (" (did you mean %s?)"):format(near) or "")
		end
	end
	if #ops == 0 then fail("ops", "is empty: it would be for no request") end
end

local function check_file(options, fail)
	local isolate = options.isolate or "state"
	if options.memory and (options.memory < limits.memory_min or options.memory > MEMORY_MAX[isolate]) then
		fail("memory", 'is %s; with isolate = "%s" it is %s to %s', core.size_text(options.memory), isolate,
			core.size_text(limits.memory_min), core.size_text(MEMORY_MAX[isolate]))
	end
	if options.args and options.args[1] == nil and next(options.args) ~= nil then
		fail("args", "is no list of what the file gets")
	end
end

-- Each option is what it should be by itself: ops a list, memory bytes. kinds: the requests such a device has.
-- fail(field, message…) is called for what is wrong.
function rules.check(options, kinds, fail)
	if options.ops then check_ops(options.ops, kinds, fail) end
	if options.decide and options.file then
		fail("file", "is given besides decide; one of them decides")
	elseif not options.decide and not options.file then
		fail("decide", 'is missing: a function, or file = "policy.lua"')
	end
	for _, key in ipairs(options.decide and OF_FILES or {}) do
		if options[key] ~= nil then fail(key, 'is for a policy from a file (file = "policy.lua")') end
	end
	if options.file then check_file(options, fail) end
	if options.on_overload == "stall" and options.timeout then
		fail("timeout", 'is given, and with on_overload = "stall" each request waits for its answer')
	end
	for _, key in ipairs(options.sample and OF_ANSWERS or {}) do
		if options[key] ~= nil then fail(key, "means nothing with sample: nobody waits for an answer") end
	end
end

return rules
