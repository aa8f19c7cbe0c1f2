-- SPDX-License-Identifier: GPL-2.0-or-later
-- Objects that scripts hold: tables that can be read and called but not changed.
local nearest = require "hvsh.nearest"

local frozen = {}

-- object {
--   name = "hvsh.zone",        __name, and what messages call it
--   fields = {...},            plain values and methods
--   get = function(key),       what is worked out when it is read; nil = no such field
--   names = {...},             what get knows, for suggestions (default: the fields)
--   strict = true,             an unknown field is an error with a suggestion
--   hints = {field = "…"},     what to say of one that is looked for here and is elsewhere
--   tostring =, len =, pairs =, call =, close =
-- }
function frozen.object(o)
	local fields = o.fields
	local noun = o.name:gsub("^hvsh%.", "")
	local meta = {
		__name = o.name,
		__metatable = false,
		__tostring = o.tostring or function() return noun end,
		__len = o.len,
		__call = o.call,
		__close = o.close,
		-- Read by completion, which calls nothing.
		__fields = fields,
		__names = o.names,
		__newindex = function(_, key)
			error(("%s cannot be changed (field %s)"):format(noun, tostring(key)), 2)
		end,
		-- The table behind is never handed out.
		__pairs = o.pairs or function(self)
			return function(_, key) return next(fields, key) end, self, nil
		end,
	}
	meta.__index = function(_, key)
		local value = fields[key]
		if value == nil and o.get then value = o.get(key) end
		if value == nil and o.strict then
			local hint = o.hints and o.hints[key]
			error(("%s has no field %s%s"):format(noun, tostring(key),
				hint and (" (%s)"):format(hint) or nearest.hint(key, o.names or fields)), 2)
		end
		return value
	end
	return setmetatable({}, meta)
end

-- A list (or record) with a text of its own. It belongs to the caller, who may change it.
function frozen.with_text(value, name, text)
	return setmetatable(value, { __name = name, __metatable = false, __tostring = text })
end

return frozen
