-- SPDX-License-Identifier: GPL-2.0-or-later
-- The line an error speaks of, with a mark below the word that it names, and what was meant or would help:
--     3 | zones.linx1:stop()
--       |       ^^^^^ did you mean linux1?
local core = require "hvsh.core"
local term = require "hvsh.term"
local tokens = require "hvsh.shell.tokens"

local excerpt = {}

-- The script may take them away.
local getinfo, load = debug.getinfo, load

local MAX_FRAMES = 100
local MAX_TEXT = 1 << 16

-- ---- lines

-- Where a line begins in the text; nil when there are fewer.
local function start_of(text, number)
	local start = 1
	for _ = 2, number do
		start = text:find("\n", start, true)
		if not start then return nil end
		start = start + 1
	end
	return start
end

local function line_of_text(text, number)
	local start = start_of(text, number)
	return start and text:match("^([^\r\n]*)", start)
end

-- ---- which word

-- What stands before and behind a name that is used as the error says.
local before_of = { field = "^%.$", method = "^:$" }
local after_of = { call = "^[({\"'%[]", index = "^[.:%[]" }

-- The word of a line that is called name, if it is clear which one is meant. kind: "field", "local" …; verb: what was
-- done with it, "call", "index" …
local function named(line, kind, name, verb)
	local all, fitting, before, last = {}, {}, "", nil
	tokens.each(line, function(what, from, to)
		local word = line:sub(from, to)
		if last and (not after_of[verb] or word:find(after_of[verb])) then fitting[#fitting + 1] = last end
		last = nil
		if what == "name" and word == name then
			local is_field = before == "." or before == ":"
			all[#all + 1] = { from, to }
			local wanted = before_of[kind]
			if wanted and before:find(wanted) or not wanted and (kind == "argument" or not is_field) then last = all[#all] end
		end
		before = word
	end)
	if last and not after_of[verb] then fitting[#fitting + 1] = last end
	if #fitting == 1 then return fitting[1] end
	if #fitting == 0 and #all == 1 then return all[1] end
end

-- Whether the text up to here has the error that the whole has: then its last word is the one.
local function fails_by(text, message, load_text)
	local _, why = load_text(text)
	return why == message
end

-- Where the compiler gave up.
local function near(text, number, line, word, message, load_text)
	if word == "<eof>" then return { #line + 1, #line + 1 } end
	local start, found = start_of(text, number), nil
	tokens.each(line, function(_, from, to)
		if found or line:sub(from, to) ~= word then return end
		if #text <= MAX_TEXT and fails_by(text:sub(1, start + to - 1), message, load_text) then found = { from, to } end
	end)
	if found then return found end
	local from, to = line:find(word, 1, true)
	if from and not line:find(word, to + 1, true) then return { from, to } end
end

-- What a parenthesis behind it is no call of.
local words = {}
for word in ("and do else elseif function if in not or repeat return then until while"):gmatch "%S+" do words[word] = true end

-- What is taken from the result of a call, where that is done once: zone:device "root"|:limit|{…}.
local function behind_call(line)
	local found, n, open, callable, called, index = nil, 0, {}, false, false, nil
	tokens.each(line, function(what, from, to)
		local word = line:sub(from, to)
		if index and what == "name" then found, n = { index, to }, n + 1 end
		index = called and (word == "." or word == ":") and from or nil
		if word == "(" or word == "{" then
			open[#open + 1] = callable
			called = false
		elseif word == ")" or word == "}" then
			called = table.remove(open) or false
		else
			called = what == "string" and callable
		end
		callable = what == "name" and not words[word] or word == ")" or word == "]" or called
	end)
	if n == 1 then return found end
end

-- From and to of what the message means in the line. text, load_text: what did not compile, and how it was tried.
local function mark(message, line, number, text, load_text)
	local word = message:match "near '(.-)'$" or message:match "near (<eof>)$"
	if word and load_text then return near(text, number, line, word, message, load_text) end
	local kind, name = message:match "%((%a+) '([%a_][%w_]*)'%)"
	local verb = message:match "attempt to (%a+) "
	if not name then
		name = message:match "bad argument #%d+ to '[%w_.:]-([%a_][%w_]*)'"
		kind, verb = "argument", "call"
	end
	if not name then
		name = message:match "has no field ([%a_][%w_]*)"
		kind, verb = "field", nil
	end
	if name then return named(line, kind, name, verb) end
	if message:find "attempt to index a nil value$" then return behind_call(line) end
end

-- ---- what was meant

-- What the names before a "." or ":" stand for; nil when that is not known without running anything.
local function value_before(before, env)
	local ahead, chain = before:match "^(.-)([%a_][%w_.]*)%s*[.:]%s*$"
	if not chain or ahead:find "[%w_.:)%]\"']%s*$" then return nil end
	local names = require "hvsh.shell.names"
	local value
	for name in chain:gmatch "[^.]+" do
		if value == nil then value = names.global(env, name) else value = names.field(value, name) end
		if value == nil then return nil end
	end
	return value
end

-- A word this short is one letter away from many others.
local SHORT = 3

-- "did you mean linux1?" where zones.linx1 is nil.
local function meant(message, line, marked, env)
	if message:find "attempt to index a nil value$" then return "the call before it gave nil: assert(…) around it says why" end
	local kind, name = message:match "a nil value %((%a+) '([%a_][%w_]*)'%)"
	if not name or #name < SHORT then return nil end
	local names = require "hvsh.shell.names"
	local known
	if kind == "global" then
		known = names.globals(env)
	elseif kind == "field" or kind == "method" then
		local value = value_before(line:sub(1, marked[1] - 1), env)
		known = value ~= nil and names.of(value, kind == "method") or nil
	end
	local word = known and require("hvsh.nearest").of(name, known)
	return word and ("did you mean %s?"):format(word)
end

-- ---- how it is shown

local function plain(text) return term.clean((text:gsub("\t", "    "))) end

-- Keeps the marked part in view.
local function window(line, first, last, width)
	local n = utf8.len(line) or #line
	if n <= width then return line, first, last end
	local from = 1
	if first then from = math.max(1, math.min(first - width // 3, n - width + 1)) end
	local function cut(text, a, b)
		if not utf8.len(text) then return text:sub(a, b) end
		return text:sub(utf8.offset(text, a), utf8.offset(text, b + 1) - 1)
	end
	local text = cut(line, from, math.min(n, from + width - 1))
	if not first then return text end
	return text, first - from + 1, math.min(last - from + 1, width)
end

local function show(line, number, marked, hint, options)
	local label = ("%5d | "):format(number)
	local width = math.max((options.width or 80) - #label, 16)
	local first, last
	if marked then
		first = term.width(plain(line:sub(1, marked[1] - 1))) + 1
		last = math.max(first, term.width(plain(line:sub(1, marked[2]))))
	end
	local text
	text, first, last = window(plain(line), first, last, width)
	local out = label .. text
	if first then
		out = out .. "\n" .. (" "):rep(#label - 2) .. "| " .. (" "):rep(first - 1)
			.. term.paint(options.color, "red", ("^"):rep(last - first + 1))
			.. (hint and " " .. hint or "")
	end
	return out
end

-- ---- which line

-- The frame of co at which the error was raised.
local function frame_of(co, place, number)
	for level = 0, MAX_FRAMES do
		local info = getinfo(co, level, "Slf")
		if not info then return nil end
		if info.short_src == place and info.currentline == number then return info end
	end
end

-- Text for a message "place:line: …", or nil. options:
--   width, color, env
--   co      whose error it is; without it, of something that does not compile
--   text, place, load    that text, what messages call it, and how it was tried: load(text) -> f | nil, message
--   text_of(f)           the text in which a function was typed
function excerpt.of(message, options)
	local place, digits = message:match "^([^\n]-):(%d+): "
	local number = math.tointeger(tonumber(digits))
	if not number or number < 1 then return nil end
	local text, load_text
	if options.co then
		local frame = frame_of(options.co, place, number)
		if not frame then return nil end
		if frame.source:sub(1, 1) == "@" then
			text = core.file_text(frame.source:sub(2))
		elseif options.text_of then
			text = options.text_of(frame.func)
		end
	elseif options.text and place == options.place then
		text, load_text = options.text, options.load
	elseif place:sub(1, 3) ~= "..." and place:sub(1, 1) ~= "[" then
		text = core.file_text(place)
		load_text = function(part) return load(part, "@" .. place, "t") end
	end
	local line = text and line_of_text(text, number)
	if not line or not line:find "%S" then return nil end
	local marked = mark(message, line, number, text, load_text)
	local hint = marked and meant(message, line, marked, options.env or _G)
	return show(line, number, marked, hint, options)
end

-- For a script: from its file.
function excerpt.of_file(message, co)
	return excerpt.of(message, { width = core.columns(2), color = core.color(2), co = co })
end

return excerpt
