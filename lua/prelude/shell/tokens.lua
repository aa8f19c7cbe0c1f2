-- SPDX-License-Identifier: GPL-2.0-or-later
-- The words of Lua text with the places where they stand: for text that is being typed, which may end anywhere.
-- Never raises; linear in the length of the text.
local tokens = {}

local find, sub, byte = string.find, string.sub, string.byte

-- The end of a quoted string that begins at `at`, and whether it is closed. An open one ends with its line.
local function quoted(text, at, quote)
	local p = at + 1
	while true do
		local q = find(text, quote == 34 and '["\\\n]' or "['\\\n]", p)
		if not q then return #text, false end
		local c = byte(text, q)
		if c == quote then return q, true end
		if c == 10 then return q - 1, false end
		if byte(text, q + 1) == 122 then
			p = select(2, find(text, "^%s*", q + 2)) + 1
		else
			p = q + 2
		end
	end
end

-- From `at` on, calls put(kind, from, to, open) for each: kind is "name", "number", "string", "comment" or "symbol";
-- open: it is not closed by the end of the text. Stops where put returns true.
-- Returns what would close the long bracket in which the text ends.
function tokens.each(text, put, at)
	at = at or 1
	local size = #text
	while true do
		local _
		_, at = find(text, "^%s*", at)
		at = at + 1
		if at > size then return nil end
		local c = byte(text, at)
		local kind, stop, open, closing = "symbol", at, false, nil
		local bracket = at
		if c == 45 and byte(text, at + 1) == 45 then kind, bracket = "comment", at + 2 end
		local level = (kind == "comment" or c == 91) and text:match("^%[(=*)%[", bracket)
		if level then
			if kind == "symbol" then kind = "string" end
			closing = "]" .. level .. "]"
			_, stop = find(text, closing, bracket + #level + 2, true)
			open, stop = not stop, stop or size
		elseif kind == "comment" then
			stop = (find(text, "\n", at, true) or size + 1) - 1
			open = stop == size
		elseif c == 34 or c == 39 then
			kind = "string"
			stop, open = quoted(text, at, c)
			open = not open
		elseif find(text, "^[%a_]", at) then
			kind = "name"
			_, stop = find(text, "^[%w_]+", at)
		elseif find(text, "^%.?%d", at) then
			kind = "number"
			_, stop = find(text, "^[%w.]+", at)
		else
			_, stop = find(text, "^[=~<>]=", at)
			if not stop then _, stop = find(text, "^%.%.%.?", at) end
			if not stop then _, stop = find(text, "^::", at) end
			stop = stop or at
		end
		if put(kind, at, stop, open) then return nil end
		if open and closing then return closing end
		at = stop + 1
	end
end

-- ---- whether text can be whole

local opens = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true, ["("] = true, ["{"] = true, ["["] = true }
local closes = { ["end"] = true, ["until"] = true, [")"] = true, ["}"] = true, ["]"] = true }

local Balance = {}
Balance.__index = Balance

-- Counts what is open in text that grows by whole lines.
function tokens.balance() return setmetatable({ depth = 0, size = 0 }, Balance) end

-- Whether the text is certainly only the beginning of something. It begins with what was asked about before.
function Balance:is_open(text)
	local at = self.size + 1
	self.size = #text
	if self.unsure then return false end
	if self.closing then
		local _, stop = find(text, self.closing, at, true)
		if not stop then return true end
		at, self.closing = stop + 1, nil
	end
	self.closing = tokens.each(text, function(kind, from, to, open)
		if kind == "string" and open and sub(text, from, from) ~= "[" then
			self.unsure = true
		elseif kind == "name" or kind == "symbol" then
			local word = sub(text, from, to)
			if opens[word] then self.depth = self.depth + 1 end
			if closes[word] then self.depth = self.depth - 1 end
		end
	end, at)
	return not self.unsure and (self.closing ~= nil or self.depth > 0)
end

return tokens
