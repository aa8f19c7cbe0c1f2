-- SPDX-License-Identifier: GPL-2.0-or-later
-- Policies in definitions: `blk "root" {image = …, policy = {ops = {"write"}, file = "readonly.lua"}}`. They are in force
-- before the device is in its zone, so that they decide about the first request as well.
local core = require "hvsh.core"
local json = require "hvsh.json"
local rules = require "hvsh.policy.rules"
local term = require "hvsh.term"

-- The script may take these away.
local pcall, tostring, type = pcall, tostring, type

local define = {}

-- A definition carries its policy as one text: as JSON where it is data, else as the name by which this process, and no
-- other, knows its function, for as long as there is the definition.
local functions, n_functions = setmetatable({}, { __mode = "v" }), 0
local kept = setmetatable({}, { __mode = "k" })
local here = ("%x"):format(core.now())

local function is_data(text) return text:sub(1, 1) == "{" end

local function to_json(value)
	if type(value) ~= "table" then return value end
	local copy = {}
	for key, item in next, value do copy[key] = to_json(item) end
	return copy[1] ~= nil and json.array(copy) or copy
end

-- What was said of a device, `all`, becomes what lua/spec.c can carry. owner: a table that is there as long as the
-- definition. kinds: the requests such a device has. fail(field, message…).
function define.take(all, owner, kinds, fail)
	local options = all.policy
	rules.check(options, kinds, function(field, ...) fail("policy." .. field, ...) end)
	local plain = {}
	for key, value in next, options do plain[key] = value end
	for _, key in ipairs { "timeout", "deadline" } do
		if plain[key] then plain[key] = ("%dns"):format(plain[key]) end
	end
	if plain.decide then
		n_functions = n_functions + 1
		all.policy = ("%s.%d"):format(here, n_functions)
		functions[all.policy], kept[owner] = plain, plain
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
