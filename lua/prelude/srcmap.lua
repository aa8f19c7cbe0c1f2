-- SPDX-License-Identifier: GPL-2.0-or-later
-- The line of each field of a table constructor. Lua does not keep it, so the source is read again: a tokenizer that
-- takes anything, and a walk over the constructor that belongs to a call. What cannot be found
-- is left out, and whoever asks falls back to the line of the call. Never raises; linear in the length of the text.
local srcmap = {}

local MAX_TEXT = 1 << 20   -- longer sources are not looked at
local MAX_DEPTH = 24       -- of constructors within constructors
local MAX_PATHS = 20000
local MAX_TRIES = 64       -- constructors looked at for one call

-- ---- tokens: kind[i] is "name", "string", "number", or the character itself; text[i], line[i]

local function long_bracket(text, at)
	local level = text:match("^%[(=*)%[", at)
	if not level then return nil end
	local _, stop = text:find("]" .. level .. "]", at + #level + 2, true)
	return stop or #text, at + #level + 2, stop and stop - #level - 2 or #text
end

local escapes = { n = "\n", t = "\t", r = "\r", a = "\a", b = "\b", f = "\f", v = "\v" }

-- The value of a quoted string without its quotes: what names need of it.
local function unescape(body)
	if not body:find("\\", 1, true) then return body end
	body = body:gsub("\\z%s*", "")
	body = body:gsub("\\x(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
	body = body:gsub("\\(%d%d?%d?)", function(digits)
		local byte = tonumber(digits)
		return byte < 256 and string.char(byte) or nil
	end)
	return (body:gsub("\\(.)", function(c) return escapes[c] or c end))
end

local function tokenize(text)
	local kind, value, line = {}, {}, {}
	local n, at, current, size = 0, 1, 1, #text
	local find, byte, sub = string.find, string.byte, string.sub

	local function count_lines(from, to)
		local part = sub(text, from, to)
		local p = find(part, "\n", 1, true)
		while p do
			current = current + 1
			p = find(part, "\n", p + 1, true)
		end
	end
	local function put(k, v)
		n = n + 1
		kind[n], value[n], line[n] = k, v, current
	end

	if sub(text, 1, 1) == "#" then at = (find(text, "\n", 1, true)) or size + 1 end
	while at <= size do
		local c = byte(text, at)
		local _, stop
		if c == 10 then
			current = current + 1
			at = at + 1
		elseif c == 32 or c == 9 or c == 13 then
			_, stop = find(text, "^[ \t\r]+", at)
			at = stop + 1
		elseif c == 95 or c >= 65 and c <= 90 or c >= 97 and c <= 122 then
			_, stop = find(text, "^[%w_]+", at)
			put("name", sub(text, at, stop))
			at = stop + 1
		elseif c >= 48 and c <= 57 then
			_, stop = find(text, "^[%w.]+", at)
			put("number", sub(text, at, stop))
			at = stop + 1
		elseif c == 45 and byte(text, at + 1) == 45 then
			local last = long_bracket(text, at + 2)
			if last then
				count_lines(at, last)
			else
				last = (find(text, "\n", at, true) or size + 1) - 1
			end
			at = last + 1
		elseif c == 34 or c == 39 then
			local p = at + 1
			while true do
				local q = find(text, c == 34 and '["\\\n]' or "['\\\n]", p)
				if not q then
					p = size
					break
				end
				local d = byte(text, q)
				if d == 92 then
					if sub(text, q + 1, q + 1) == "z" then
						_, p = find(text, "^%s*", q + 2)
						p = p + 1
					else
						p = q + 2
					end
				else
					p = q
					break
				end
			end
			put("string", unescape(sub(text, at + 1, p - 1)))
			count_lines(at, p - 1)
			at = p + (byte(text, p) == 10 and 0 or 1)
		else
			local last, first, final
			if c == 91 then last, first, final = long_bracket(text, at) end
			if last then
				put("string", (sub(text, first, final):gsub("^\r?\n", "")))
				count_lines(at, last)
				at = last + 1
			elseif c == 61 and byte(text, at + 1) == 61 then
				put("==", "==")
				at = at + 2
			elseif (c == 126 or c == 60 or c == 62) and byte(text, at + 1) == 61 then
				put("op", sub(text, at, at + 1))
				at = at + 2
			else
				local ch = sub(text, at, at)
				put(ch, ch)
				at = at + 1
			end
		end
	end
	-- match[i]: the bracket that closes the one at i.
	local match, open = {}, {}
	for i = 1, n do
		local k = kind[i]
		if k == "{" or k == "(" or k == "[" then
			open[#open + 1] = i
		elseif k == "}" or k == ")" or k == "]" then
			local from = table.remove(open)
			if from then match[from] = i end
		end
	end
	return { kind = kind, value = value, line = line, match = match, n = n }
end

-- ---- a constructor

local opens = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local closes = { ["end"] = true, ["until"] = true }

-- The token after the expression that begins at i: a comma, semicolon or the end of the constructor.
local function skip(tokens, i, stop)
	local blocks = 0
	while i < stop do
		local k = tokens.kind[i]
		if tokens.match[i] then
			i = tokens.match[i]
		elseif k == "name" then
			local word = tokens.value[i]
			if opens[word] then blocks = blocks + 1 elseif closes[word] then blocks = blocks - 1 end
		elseif blocks <= 0 and (k == "," or k == ";") then
			return i
		end
		i = i + 1
	end
	return stop
end

-- Adds the fields of the constructor at `open` to paths; keys, when given, gets its own field names.
local function walk(tokens, open, prefix, paths, depth, keys)
	local stop = tokens.match[open]
	if not stop or depth > MAX_DEPTH then return end
	local kind, value = tokens.kind, tokens.value
	local i, position = open + 1, 0
	while i < stop do
		local key, from, line = nil, i, tokens.line[i]
		if kind[i] == "name" and kind[i + 1] == "=" then
			key, from = value[i], i + 2
		elseif kind[i] == "[" and tokens.match[i] == i + 2 and kind[i + 3] == "=" then
			if kind[i + 1] == "string" then key = value[i + 1] else key = math.tointeger(tonumber(value[i + 1])) end
			from = i + 4
		elseif kind[i] == "[" and tokens.match[i] and kind[tokens.match[i] + 1] == "=" then
			from = tokens.match[i] + 2
		else
			position = position + 1
			key = position
		end
		local last = skip(tokens, from, stop)
		if key ~= nil and paths.n < MAX_PATHS and from < stop then
			local path
			if type(key) == "number" then
				path = ("%s[%d]"):format(prefix, key)
			else
				path = prefix == "" and key or prefix .. "." .. key
			end
			if keys then keys[key] = true end
			paths.n = paths.n + 1
			paths.lines[path] = line
			if kind[from] == "{" and tokens.match[from] == last - 1 then
				walk(tokens, from, path, paths, depth + 1)
			end
		end
		i = last + 1
	end
end

-- ---- from a call to its constructor

-- Whether the table can have come from the constructor (a field written there may be nil).
local function agrees(keys, raw)
	for key in next, raw do
		if type(key) == "string" and not keys[key] then return false end
	end
	return true
end

-- The first token of a line at or after `line` (lines ascend).
local function first_of(tokens, line)
	local low, high = 1, tokens.n + 1
	while low < high do
		local middle = (low + high) // 2
		if tokens.line[middle] < line then low = middle + 1 else high = middle end
	end
	return low
end

local function candidate(tokens, i, word, name)
	local kind, value = tokens.kind, tokens.value
	if kind[i] == "string" then
		if name == nil or value[i] ~= name then return nil end
		local j = i + 1
		if kind[j] == ")" then j = j + 1 end
		if kind[j] == "(" or kind[j] == "," then j = j + 1 end
		return kind[j] == "{" and j or nil, true
	end
	if kind[i] ~= "name" or value[i] ~= word then return nil end
	local j = i + 1
	if kind[j] == "{" then return name == nil and j or nil end
	if kind[j] == "(" then
		if kind[j + 1] == "{" then return j + 1 end
		local after = tokens.match[j] and tokens.match[j] + 1
		return after and kind[after] == "{" and after or nil
	end
end

local cache = {}

local function tokens_of(source)
	local text
	local first = source:sub(1, 1)
	if first == "=" then return nil end
	if first == "@" then
		local file = io.open(source:sub(2), "rb")
		if not file then return nil end
		text = file:read(MAX_TEXT + 1)
		file:close()
	else
		text = source
	end
	if not text or #text > MAX_TEXT then return nil end
	local known = cache[source]
	if known and known.text == text then return known.tokens end
	local tokens = tokenize(text)
	if first == "@" then cache[source] = { text = text, tokens = tokens } end
	return tokens
end

-- The lines of the fields of `raw`, which was written as the table of a call of `word` ("zone", "blk") with `name`
-- (nil = without one) at `line` of `source` (as debug.getinfo gives them): path -> line, e.g. "ram.size",
-- "cpus[1]", "devices[2]". The second result is true when the name stands there as text.
-- An empty table when the constructor is not found.
function srcmap.lines(source, line, word, name, raw)
	local ok, lines, literal = pcall(function()
		local tokens = tokens_of(source)
		if not tokens then return {}, false end
		local i, near, seen, tries = first_of(tokens, line), line + 3, false, 0
		while i <= tokens.n and tokens.line[i] <= near and tries < MAX_TRIES do
			local open, as_text = candidate(tokens, i, word, name)
			if open then
				tries = tries + 1
				local paths, keys = { n = 0, lines = {} }, {}
				walk(tokens, open, "", paths, 1, keys)
				if agrees(keys, raw) then return paths.lines, as_text or false end
			elseif name and tokens.kind[i] == "string" and tokens.value[i] == name then
				seen = true
			end
			i = i + 1
		end
		return {}, seen
	end)
	if ok then return lines, literal end
	return {}, false
end

-- The line of a path, or of the nearest part of it that has one ("ram[1].size" -> "ram[1]" -> "ram").
function srcmap.line_of(lines, path)
	while path ~= "" do
		if lines[path] then return lines[path] end
		path = path:match "^(.*)[.%[]" or ""
	end
end

return srcmap
