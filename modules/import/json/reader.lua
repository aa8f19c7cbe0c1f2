-- SPDX-License-Identifier: GPL-2.0-or-later
-- A reader of one JSON file: typed access by JSON pointer, collecting what is wrong (problems) and what
-- was assumed (notes).
local json = require "hvsh.json"
local nearest = require "hvsh.nearest"

local Reader = {}
Reader.__index = Reader

function Reader.new(file, text)
	return setmetatable({ file = file, text = text, problems = {}, notes = {} }, Reader)
end

function Reader:place(pointer, message)
	return { file = self.file, pointer = pointer == "" and "/" or pointer, message = message,
		line = json.locate(self.text, pointer) }
end

function Reader:problem(pointer, fmt, ...)
	self.problems[#self.problems + 1] = self:place(pointer, fmt:format(...))
end

function Reader:note(pointer, fmt, ...)
	self.notes[#self.notes + 1] = self:place(pointer, fmt:format(...))
end

function Reader.kind(value)
	if value == json.null then return "null" end
	if json.is_array(value) then return "an array" end
	if json.is_object(value) then return "an object" end
	return ({ string = "a string", number = "a number", boolean = "a boolean", ["nil"] = "missing" })[type(value)]
end

local kind = Reader.kind

function Reader.shown(value)
	if type(value) == "string" then return ("%q"):format(value) end
	if type(value) == "number" then return tostring(value) end
	return kind(value)
end

local shown = Reader.shown

-- Numbers are integers, "0x…" or decimal strings, as the old tool takes both everywhere.
function Reader.to_integer(value)
	if math.type(value) == "integer" then return value end
	if type(value) ~= "string" then return nil end
	local digits = value:match "^%s*0[xX](%x+)%s*$"
	if digits then return #digits:gsub("^0+", "") <= 16 and tonumber(digits, 16) or nil end
	digits = value:match "^%s*(%d+)%s*$"
	return digits and math.tointeger(tonumber(digits)) or nil
end

local to_integer = Reader.to_integer

-- An integer within [min, max]; default when the key is missing (noted unless quiet); nil and a problem otherwise.
function Reader:integer(object, pointer, key, opts)
	opts = opts or {}
	local value = object[key]
	local at = pointer .. "/" .. key
	if value == nil then
		if opts.default == nil then
			self:problem(pointer, "'%s' is missing%s", key, opts.hint and "; " .. opts.hint or "")
		elseif not opts.quiet then
			self:note(pointer, "'%s' is missing: taken as %s", key,
				opts.hex and ("0x%x"):format(opts.default) or tostring(opts.default))
		end
		return opts.default
	end
	local number = to_integer(value)
	if not number then
		self:problem(at, "'%s' is %s where an integer or a string such as \"0x1000\" belongs", key, shown(value))
		return nil
	end
	if number < (opts.min or 0) or number > (opts.max or math.maxinteger) then
		self:problem(at, "'%s' is %s, outside %d to 0x%x", key, shown(value), opts.min or 0, opts.max or math.maxinteger)
		return nil
	end
	return number
end

function Reader:string(object, pointer, key, default)
	local value = object[key]
	if value == nil then
		if default == nil then self:problem(pointer, "'%s' is missing", key) end
		return default
	end
	if type(value) ~= "string" then
		self:problem(pointer .. "/" .. key, "'%s' is %s where a string belongs", key, shown(value))
		return default
	end
	return value
end

function Reader:list(object, pointer, key, max, optional)
	local value = object[key]
	if value == nil then
		if not optional then self:problem(pointer, "'%s' is missing", key) end
		return {}
	end
	if not json.is_array(value) then
		self:problem(pointer .. "/" .. key, "'%s' is %s where an array belongs", key, shown(value))
		return {}
	end
	if #value > max then
		self:problem(pointer .. "/" .. key, "'%s' has %d entries, at most %d are possible", key, #value, max)
		return {}
	end
	return value
end

function Reader:object(value, pointer)
	if json.is_object(value) then return true end
	self:problem(pointer, "%s where an object belongs", kind(value))
	return false
end

-- Keys we do not read are said, so that a typing error is not lost.
function Reader:known(object, pointer, known)
	local names = {}
	for name in pairs(known) do names[#names + 1] = name end
	for _, key in ipairs(json.keys(object)) do
		if not known[key] then
			local guess = nearest.of(key, names)
			self:note(pointer .. "/" .. key, "unknown key '%s' left out%s", key,
				guess and (" (did you mean '%s'?)"):format(guess) or "")
		end
	end
end

-- "a b c" as {a=true, b=true, c=true}.
function Reader.set(list)
	local out = {}
	for name in list:gmatch "%S+" do out[name] = true end
	return out
end

return Reader
