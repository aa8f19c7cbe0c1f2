-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the word before the cursor may become. Reads the text and what is known already; runs nothing.
local core = require "hvsh.core"
local names = require "hvsh.shell.names"
local schema = require "hvsh.schema"
local tokens = require "hvsh.shell.tokens"

local complete = {}

local MAX_TEXT = 1 << 16 -- of the lines before, so much is looked at

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
	while]]):gmatch "%S+" do keywords[word] = true end

-- ---- the text as words

-- Words before the cursor; t.last is the one that the cursor touches: {kind, from, text}.
local function read(text)
	local t = { n = 0, kind = {}, word = {} }
	local size = #text
	tokens.each(text, function(kind, from, to, open)
		local word = text:sub(from, to)
		if kind == "comment" then
			if open then t.last = { kind = "comment", from = from, text = "" } end
			return
		elseif kind == "string" and open and to == size then
			t.last = { kind = "string", from = from, text = word }
			return
		elseif kind == "name" and to == size then
			t.last = { kind = "name", from = from, text = word }
			return
		end
		t.n = t.n + 1
		t.kind[t.n], t.word[t.n] = kind, word
	end)
	t.last = t.last or { kind = "name", from = size + 1, text = "" }
	return t
end

local function string_value(word)
	return word:match "^[\"'](.*)[\"']$" or word:match "^%[=*%[(.*)%]=*%]$"
end

-- ---- tables of the DSL

local roots = { zone = schema.zone, board = schema.board }
for word, type in pairs(schema.devices) do roots[word] = type end

-- The type of the table that the brace at i begins; nil when it is nothing we know. around: that of the table around.
local function type_at(t, i, around)
	local before, word = t.word[i - 1], t.word
	if not before then return nil end
	if t.kind[i - 1] == "string" then return t.kind[i - 2] == "name" and roots[word[i - 2]] end
	if t.kind[i - 1] == "name" then return roots[before] end
	if before == "(" then return t.kind[i - 2] == "name" and roots[word[i - 2]] end
	if before == ")" and t.kind[i - 2] == "string" and word[i - 3] == "(" then return roots[word[i - 4]] end
	if not around then return nil end
	if before == "=" and t.kind[i - 2] == "name" then return around.fields and around.fields[word[i - 2]] end
	if before == "{" or before == "," or before == ";" then return around.of or around.kind == "some" and around or nil end
end

-- What the cursor is in, from outside to inside: {brace, type, keys that are there already}.
local function surroundings(t)
	local stack = {}
	for i = 1, t.n do
		local word, kind = t.word[i], t.kind[i]
		local top = stack[#stack]
		if kind == "symbol" and (word == "{" or word == "(" or word == "[") then
			local type = word == "{" and type_at(t, i, top and top.type) or nil
			stack[#stack + 1] = { brace = word, type = type, keys = {} }
		elseif kind == "symbol" and (word == "}" or word == ")" or word == "]") then
			stack[#stack] = nil
		elseif kind == "name" and top and t.word[i + 1] == "=" then
			top.keys[word] = true
		end
	end
	return stack[#stack]
end

-- Fields that a table of this type can have: the list of them.
local function fields_of(type)
	if type.fields then return type.fields end
	return type.kind == "some" and type.of and type.of.fields or nil
end

-- The field whose value is being written.
local function field_at(t, inside)
	if not inside or not inside.type or t.word[t.n] ~= "=" or t.kind[t.n - 1] ~= "name" then return nil end
	local fields = fields_of(inside.type)
	return fields and fields[t.word[t.n - 1]]
end

-- ---- kinds of words

local function sorted(set, beginning)
	local list = {}
	local hidden = beginning:sub(1, 1) ~= "_"
	for word in next, set do
		if word:sub(1, #beginning) == beginning and not (hidden and word:sub(1, 1) == "_") then list[#list + 1] = word end
	end
	table.sort(list)
	return list
end

local function beginning_with(list, beginning, ending)
	local found = {}
	for _, word in ipairs(list) do
		if word:sub(1, #beginning) == beginning and not word:find '[%c"\'\\]' then found[#found + 1] = word .. (ending or "") end
	end
	table.sort(found)
	return found
end

local function files(beginning, ending)
	local folder, name = beginning:match "^(.*/)([^/]*)$"
	local found = {}
	for _, file in ipairs(core.files(folder or ".", name or beginning)) do
		if not file:find '[%c"\'\\]' then
			found[#found + 1] = (folder or "") .. file .. (file:sub(-1) == "/" and "" or ending)
		end
	end
	table.sort(found)
	return found
end

local function modules()
	local set = { hvsh = true }
	for name in pairs(core.embedded "") do
		if not name:find "^hvsh%." then set[name] = true end
	end
	for name in next, package.loaded do set[name] = type(name) == "string" and not name:find "^hvsh%." or nil end
	local list = {}
	for name in next, set do list[#list + 1] = name end
	return list
end

-- Names of the locals and parameters that the text has so far.
local function locals(t)
	local set = {}
	local i = 1
	while i <= t.n do
		local word = t.word[i]
		local stop = word == "local" and "=" or word == "for" and "in" or word == "function" and ")"
		i = i + 1
		if stop then
			if word == "local" and t.word[i] == "function" then i = i + 1 end
			if word == "function" then
				while i <= t.n and t.word[i] ~= "(" do i = i + 1 end
				i = i + 1
			end
			while i <= t.n and (t.kind[i] == "name" and not keywords[t.word[i]] or t.word[i] == ",") do
				if t.word[i] ~= "," then set[t.word[i]] = true end
				i = i + 1
				-- local x <const>
				if t.word[i] == "<" then i = i + 3 end
				if t.kind[i] == "name" and t.kind[i - 1] == "name" then break end
			end
		end
	end
	return set
end

-- ---- expressions

-- The names that lead to the separator at i, the first one first; nil when it is something else than names.
local function chain_to(t, i)
	local chain = {}
	while true do
		local at = i - 1
		if t.kind[at] == "name" and not keywords[t.word[at]] then
			table.insert(chain, 1, t.word[at])
			i = at - 1
		elseif t.word[at] == "]" and t.kind[at - 1] == "string" and t.word[at - 2] == "[" then
			table.insert(chain, 1, string_value(t.word[at - 1]) or "")
			i = at - 3
			if t.kind[i] == "name" then
				i = i + 1
				goto continue
			end
			return nil
		else
			return nil
		end
		if t.word[i] ~= "." and t.word[i] ~= ":" then return chain, i + 1 end
		::continue::
	end
end

-- What a chain of names stands for: true and the value, or nothing.
local function value_of(env, t, chain)
	if not chain or locals(t)[chain[1]] then return false end
	local value = names.global(env, chain[1])
	for i = 2, #chain do
		if value == nil then return false end
		value = names.field(value, chain[i])
	end
	return value ~= nil, value
end

-- Behind a "." or ":".
local function members(env, t, beginning)
	local known, value = true, ""
	local is_text = t.kind[t.n - 1] == "string" or t.word[t.n - 1] == ")" and t.kind[t.n - 2] == "string" and t.word[t.n - 3] == "("
	if not is_text then known, value = value_of(env, t, (chain_to(t, t.n))) end
	if not known then return {} end
	return sorted(names.of(value, t.word[t.n] == ":"), beginning)
end

local function words(env, t, beginning)
	local set = names.globals(env)
	for name in next, locals(t) do set[name] = true end
	for word in next, keywords do set[word] = true end
	return sorted(set, beginning)
end

-- ---- values of fields

local function values(field, quote)
	local list = {}
	if field.kind == "enum" then
		for i, value in ipairs(field.values) do list[i] = quote .. value .. '"' end
	elseif field.kind == "boolean" and quote == '"' then
		list = { "true", "false" }
	elseif field.kind == "board" and quote == '"' then
		for _, name in ipairs(modules()) do
			if name:find "^board%." then list[#list + 1] = ('require "%s"'):format(name) end
		end
	end
	table.sort(list)
	return list
end

-- The keys that a table of the DSL may still have.
local function keys(inside, beginning)
	local list = {}
	for _, field in ipairs(fields_of(inside.type) or {}) do
		if not inside.keys[field.name] and field.name:sub(1, #beginning) == beginning then
			list[#list + 1] = field.name .. " = "
		end
	end
	return list
end

-- In a text between quotes: by what stands before it.
local function texts(env, t, inside, beginning, quote)
	local field = field_at(t, inside)
	if field and field.kind == "enum" then return beginning_with(field.values, beginning, quote) end
	local n = t.word[t.n] == "(" and t.n - 1 or t.n
	if t.kind[n] == "name" and t.word[n] == "require" then return beginning_with(modules(), beginning, quote) end
	if t.word[n] == "[" or t.kind[n] == "name" then
		local is_index = t.word[n] == "["
		local chain, first = chain_to(t, is_index and n or n + 1)
		if chain and chain[1] == "zones" and (is_index and #chain == 1 or #chain == 2) then
			return beginning_with((names.zones()), beginning, quote)
		end
		if chain and not is_index and chain[#chain] == "device" and t.word[n - 1] == ":" and first < n then
			chain[#chain] = nil
			local known, zone = value_of(env, t, chain)
			return beginning_with(names.devices(known and names.field(zone, "name") or nil), beginning, quote)
		end
	end
	return files(beginning, quote)
end

-- ---- all together

-- As hvsh.shell's complete. env: the environment of statements.
function complete.lua(env, text, line, cursor)
	local before = line:sub(1, cursor)
	if #text > MAX_TEXT then text = text:sub(-MAX_TEXT):gsub("^[^\n]*\n", "") end
	local base = text == "" and 0 or #text + 1
	local t = read((text == "" and "" or text .. "\n") .. before)
	local from, last = t.last.from - base, t.last
	if last.kind == "comment" or from < 1 then return cursor + 1, {} end
	local inside = surroundings(t)
	local before_word = t.word[t.n]
	if last.kind == "string" then
		local quote = last.text:sub(1, 1)
		if quote == "[" then return cursor + 1, {} end
		return from + 1, texts(env, t, inside, last.text:sub(2), quote)
	end
	if t.kind[t.n] == "symbol" and (before_word == "." or before_word == ":") then return from, members(env, t, last.text) end
	if inside and inside.brace == "{" and inside.type and (before_word == "{" or before_word == "," or before_word == ";") then
		local list = keys(inside, last.text)
		if #list > 0 then return from, list end
	end
	local field = field_at(t, inside)
	if field then
		local list = {}
		for _, value in ipairs(values(field, '"')) do
			if value:sub(1, #last.text) == last.text then list[#list + 1] = value end
		end
		if #list > 0 then return from, list end
	end
	return from, words(env, t, last.text)
end

-- Words of a list, and names of files, that are not in quotes.
function complete.plain(list, beginning) return beginning_with(list, beginning) end
function complete.files(beginning) return files(beginning, "") end

return complete
