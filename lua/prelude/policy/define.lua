-- SPDX-License-Identifier: GPL-2.0-or-later
-- Policies in definitions: `blk "root" {image = …, policy = {ops = {"write"}, file = "readonly.lua"}}`. They are in force
-- before the device is in its zone, so that they decide about the first request as well.
local core = require "hvsh.core"
local json = require "hvsh.json"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

-- The script may take these away.
local pcall, tostring, type = pcall, tostring, type

local define = {}

-- As in prelude/policy.lua: what a file may have that decides in the service.
local STATE_MEMORY = 4 << 20

-- A definition carries its policy as one text: as JSON where it is data, else as the name by which this process, and no
-- other, knows its function.
local functions, n_functions = {}, 0
local here = ("%x"):format(core.now())

local function is_data(text) return text:sub(1, 1) == "{" end

local function to_json(value)
	if type(value) ~= "table" then return value end
	local copy = {}
	for key, item in next, value do copy[key] = to_json(item) end
	return copy[1] ~= nil and json.array(copy) or copy
end

-- What was said of a device becomes what lua/spec.c can carry. fail(field, message…).
function define.take(all, kinds, fail)
	local options = all.policy
	local known = {}
	for _, op in ipairs(kinds) do known[op] = true end
	for i, op in ipairs(options.ops or {}) do
		if not known[op] then
			local near = nearest.of(op, known)
			fail(("policy.ops[%d]"):format(i), "is %s; such a device has %s%s", op, table.concat(kinds, ", "),
				near and (" (did you mean %s?)"):format(near) or "")
		end
	end
	if options.ops and #options.ops == 0 then fail("policy.ops", "is empty: it would be for no request") end
	if options.decide and options.file then
		fail("policy.file", "is given besides decide; one of them decides")
	elseif not options.decide and not options.file then
		fail("policy.decide", 'is missing: a function, or file = "policy.lua"')
	end
	for _, key in ipairs(options.decide and { "args", "isolate", "memory", "deadline" } or {}) do
		if options[key] then fail("policy." .. key, 'is for a policy from a file (file = "policy.lua")') end
	end
	if options.memory and options.memory > STATE_MEMORY and options.isolate ~= "process" then
		fail("policy.memory", 'is %s; a file in the service has %s at most, with isolate = "process" it may have more',
			core.size_text(options.memory), core.size_text(STATE_MEMORY))
	end
	if options.args and not options.args[1] and next(options.args) then fail("policy.args", "is no list of what the file gets") end
	if options.on_overload == "stall" and options.timeout then
		fail("policy.timeout", 'is given, and with on_overload = "stall" each request waits for its answer')
	end
	for _, key in ipairs(options.sample and { "on_overload", "on_error", "timeout" } or {}) do
		if options[key] then fail("policy." .. key, "means nothing with sample: nobody waits for an answer") end
	end
	local plain = {}
	for key, value in next, options do plain[key] = value end
	for _, key in ipairs { "timeout", "deadline" } do
		if plain[key] then plain[key] = ("%dns"):format(plain[key]) end
	end
	if plain.decide then
		n_functions = n_functions + 1
		all.policy = ("%s.%d"):format(here, n_functions)
		functions[all.policy] = plain
		return
	end
	if plain.file and plain.file:sub(1, 1) ~= "/" then plain.file = core.working_folder() .. "/" .. plain.file end
	local text, why = json.encode(to_json(plain))
	if not text then fail("policy", "cannot be handed on: %s", tostring(why)) end
	all.policy = text
end

local function from_json(value)
	if type(value) ~= "table" then return value end
	local plain = {}
	for key, item in next, value do plain[key] = from_json(item) end
	return plain
end

local function read(text)
	if not is_data(text) then return functions[text] end
	local options = json.decode(text)
	if type(options) ~= "table" then return nil end
	return from_json(options)
end

-- The file a device's policy is read from, or nil.
function define.file(device)
	local text = device.options and device.options.policy
	if type(text) ~= "string" or not is_data(text) then return nil end
	return (read(text) or {}).file
end

-- The name of a device in these specs whose policy another process cannot have; nil = there is none.
function define.find(specs, names)
	for _, spec in ipairs(specs) do
		for _, device in ipairs(names[spec.name] and spec.devices or {}) do
			local text = device.enabled ~= false and device.options and device.options.policy
			if type(text) == "string" and not is_data(text) then return spec.name .. "/" .. device.name end
		end
	end
end

-- Puts it into force for a device that was made; says what is wrong.
function define.put(h, text)
	local options = read(text)
	if not options then
		return is_data(text) and "its policy cannot be read: " .. term.clean(text:sub(1, 200))
			or "its policy is a function in the process that has read its script"
	end
	local own = {}
	for key, value in next, options do own[key] = value end
	local ok, guard, message = pcall(require("hvsh.policy").new, h, own)
	if ok and guard then
		require("hvsh.device").keep_policy(h, guard)
		return nil
	end
	local why = core.plain(term.clean(tostring(ok and message or guard)))
	return why:find "^policy" and why or "policy: " .. why
end

core.made_listen(define.put)

return define
