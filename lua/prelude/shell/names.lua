-- SPDX-License-Identifier: GPL-2.0-or-later
-- What values have, for completion: names and what stands behind them, without running anything. Metamethods are not
-- called; of our own objects the tables behind them are read.
local hvsh = require "hvsh"

local names = {}

-- The script may take them away.
local next, rawget, type = next, rawget, type
local metatable = debug.getmetatable

local MAX_KEYS = 5000
local MAX_CLASSES = 10 -- tables behind one another by __index

local function is_name(key) return type(key) == "string" and key:find "^[%a_][%w_]*$" ~= nil end

-- A module of ours, if it is in use already.
local function used(module) return package.loaded["hvsh." .. module] end

-- The table behind a definition or a part of one.
local function raw_of(value)
	local parts = used "dsl.parts"
	return parts and parts.raw_of[value]
end

-- ---- what is behind a value

-- Calls each(table) for the tables in which the fields of a value are, the first one first.
local function behind(value, each)
	for _ = 1, MAX_CLASSES do
		if type(value) == "table" then each(raw_of(value) or value) end
		local meta = metatable(value)
		if type(meta) ~= "table" then return end
		local fields = rawget(meta, "__fields")
		if type(fields) == "table" then each(fields) end
		value = rawget(meta, "__index")
		if type(value) ~= "table" then return end
	end
end

-- What is documented of the objects of a class: name -> whether it is a method.
local function documented(value)
	local meta = metatable(value)
	local name = type(meta) == "table" and rawget(meta, "__name")
	if type(name) ~= "string" or name:sub(1, 5) ~= "hvsh." then return nil end
	local class = require("hvsh.meta").all().classes[name]
	if not class then return nil end
	local found = {}
	for _, field in ipairs(class.fields) do found[field.name] = false end
	for _, entry in ipairs(class.functions) do found[entry.short] = true end
	return found
end

-- The zones defined so far, in order: names and handles.
function names.zones()
	local dsl, list, handles = used "dsl", {}, {}
	for i, handle in ipairs(dsl and dsl.zones or {}) do
		list[i] = dsl.spec_of(handle).name
		handles[list[i]] = handle
	end
	return list, handles
end

-- A field of a value; nil when it is not known without asking.
function names.field(value, key)
	local found
	behind(value, function(t)
		if found == nil then found = rawget(t, key) end
	end)
	if found == nil and rawequal(value, used "zones") then
		local _, handles = names.zones()
		found = handles[key]
	end
	return found
end

-- Names of the fields of a value: a set.
function names.of(value, methods_only)
	local set, any = {}, false
	local n = 0
	behind(value, function(t)
		for key, field in next, t do
			n = n + 1
			if n > MAX_KEYS then return end
			if is_name(key) and key:sub(1, 2) ~= "__" then
				any = true
				if not methods_only or type(field) == "function" then set[key] = true end
			end
		end
	end)
	local meta = metatable(value)
	local more = type(meta) == "table" and rawget(meta, "__names")
	if type(more) == "table" and not methods_only then
		for key in next, more do set[key] = true end
	end
	if not any then
		for key, is_method in next, documented(value) or {} do
			if is_method or not methods_only then set[key] = true end
		end
	end
	if rawequal(value, used "zones") and not methods_only then
		for _, name in ipairs((names.zones())) do
			if is_name(name) then set[name] = true end
		end
	end
	return set
end

-- ---- globals

-- Those that scripts have without require, whether used already or not.
local function ours() return rawget(metatable(hvsh), "__names") end

-- The value of a global as a statement with this environment sees it.
function names.global(env, name)
	local value = rawget(env, name)
	if value == nil then value = rawget(_G, name) end
	if value == nil and ours()[name] then value = hvsh[name] end
	return value
end

function names.globals(env)
	local set = {}
	for _, t in ipairs { env, _G, ours() } do
		for key in next, t do
			if is_name(key) then set[key] = true end
		end
	end
	return set
end

-- ---- devices

-- Names of virtio devices, those defined and those served: of one zone (nil = of all), of one type (nil = any).
-- whole: as "zone/device".
function names.devices(zone, kind, whole)
	local list, seen = {}, {}
	local function put(z, name, t)
		local word = whole and z .. "/" .. name or name
		if name and not seen[word] and (not zone or z == zone) and (not kind or t == kind) then
			seen[word] = true
			list[#list + 1] = word
		end
	end
	for _, handle in next, select(2, names.zones()) do
		local spec = raw_of(used("dsl").spec_of(handle))
		for _, device in ipairs(spec and spec.devices or {}) do put(spec.name, device.name, device.type) end
	end
	for _, device in ipairs(require("hvsh.core").devices()) do put(device.zone, device.name, device.type) end
	return list
end

return names
