-- SPDX-License-Identifier: GPL-2.0-or-later
-- Definitions as scripts hold them: tables that read like tables and cannot be changed.
local core = require "hvsh.core"

local parts = {}

local raw_of = setmetatable({}, { __mode = "k" })   -- proxy -> table
local proxy_of = setmetatable({}, { __mode = "k" }) -- table -> proxy

local freeze

local function meta(name)
	local function get(self, key)
		local value = raw_of[self][key]
		return type(value) == "table" and freeze(value) or value
	end
	return {
		__name = name,
		__metatable = false,
		__index = get,
		__newindex = function(_, key)
			error(("%s cannot be changed (field %s)"):format(name:gsub("^hvsh%.", ""), tostring(key)), 2)
		end,
		__len = function(self) return #raw_of[self] end,
		__pairs = function(self)
			return function(_, key)
				local k, v = next(raw_of[self], key)
				return k, type(v) == "table" and freeze(v) or v
			end, self, nil
		end,
	}
end

parts.spec_meta, parts.device_meta, parts.board_meta = meta "hvsh.spec", meta "hvsh.device", meta "hvsh.board"
local part_meta = meta "hvsh.part"

function freeze(raw, metatable)
	local proxy = proxy_of[raw]
	if not proxy then
		proxy = setmetatable({}, metatable or part_meta)
		raw_of[proxy] = raw
		proxy_of[raw] = proxy
	end
	return proxy
end

-- What lua/spec.c reads: proxy -> {spec, origins, places} and proxy -> board.
local registry = debug.getregistry()
local spec_data = setmetatable({}, { __mode = "k" })
local board_data = setmetatable({}, { __mode = "k" })
registry["hvsh.specs"], registry["hvsh.boards"] = spec_data, board_data
parts.raw_of, parts.spec_data, parts.board_data, parts.freeze = raw_of, spec_data, board_data, freeze

function parts.spec_meta.__tostring(self)
	local spec, bytes = raw_of[self], 0
	for _, region in ipairs(spec.regions) do
		if region.type == "ram" then bytes = bytes + region.size end
	end
	return ("zone %s (id %d, %d CPU%s, %s)"):format(spec.name, spec.id, #spec.cpus, #spec.cpus == 1 and "" or "s",
		core.size_text(bytes))
end

function parts.device_meta.__tostring(self)
	local device = raw_of[self]
	return device.name and ('%s "%s"'):format(device.type, device.name) or device.type
end

function parts.board_meta.__tostring(self)
	return "board " .. raw_of[self].name
end

return parts
