-- SPDX-License-Identifier: GPL-2.0-or-later
-- JSON with keys in the order in which hvisor-tool's own files have them.
local json = require "hvsh.json"

local writer = {}

-- An object: {key, value} pairs in order; pairs without a value are left out.
function writer.object(list)
	local pairs_of = {}
	for _, pair in ipairs(list) do
		if pair[2] ~= nil then pairs_of[#pairs_of + 1] = pair end
	end
	return { object = pairs_of }
end

function writer.array(list)
	return { array = list }
end

-- A number as these files write addresses.
function writer.hex(value)
	return ("0x%x"):format(value)
end

local function encode(value, indent)
	if type(value) ~= "table" then return json.encode(value) end
	local inner, parts = indent .. "    ", {}
	for i, item in ipairs(value.object or value.array) do
		parts[i] = value.object and json.encode(item[1]) .. ": " .. encode(item[2], inner) or encode(item, inner)
	end
	local open, close = "{", "}"
	if value.array then open, close = "[", "]" end
	if #parts == 0 then return open .. close end
	local flat = open .. table.concat(parts, ", ") .. close
	if value.array and type(value.array[1]) ~= "table" and #flat <= 100 then return flat end
	return open .. "\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. indent .. close
end

function writer.encode(value)
	return encode(value, "") .. "\n"
end

return writer
