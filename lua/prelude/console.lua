-- SPDX-License-Identifier: GPL-2.0-or-later
-- A script's end of a console: `zone:device "hvc0":open()`. What waits lets the rest of the script go on.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"

local console = {}

-- How much of what they have read and not used expect and lines keep.
local KEEP = 1 << 20

local state_of = setmetatable({}, { __mode = "k" })

local function state(self, method)
	local s = state_of[self]
	if not s then error(("call it with a colon: console:%s()"):format(method), 3) end
	return s
end

local WAITING = { timeout = true }

local function check_options(options, method, allowed, level)
	if options == nil then return end
	if type(options) ~= "table" then
		error(("%s takes a table of options: %s"):format(method, allowed.timeout and '{timeout = "10s"}' or "{readonly = true}"), level)
	end
	nearest.check(options, allowed, method .. " has no option", level)
end

local function timeout_of(options, method, allowed)
	check_options(options, method, allowed or WAITING, 4)
	local timeout = options and options.timeout
	if timeout ~= nil then
		local ns, why = core.duration(timeout)
		if not ns then error(("%s: timeout: %s"):format(method, why), 3) end
	end
	return timeout
end

local function closed(s)
	return nil, ("EBADF: %s: this reader is closed"):format(s.name), "EBADF"
end

-- Once for each reader.
local function say_once(s, what, level, text)
	if s.said[what] then return end
	s.said[what] = true
	core.log(level, ("%s: %s"):format(s.name, text))
end

-- More output into the buffer: how much. nil, message, code when there is none in time. The buffer has no gap: of what is kept
-- the part before one goes as well. s.missing: how much before the buffer no method has handed on and none can any more.
local function fill(s, timeout)
	if not s.client then return closed(s) end
	local chunk, lost, code = s.client:read(timeout)
	if not chunk then return nil, lost, code end
	local kept = s.buffer
	if lost > 0 then
		say_once(s, "lost", "warn", ("a script reads its output too slowly: %d bytes are lost to it so far"):format(lost))
		s.missing, kept = s.missing + lost + #kept, ""
	end
	s.buffer = kept .. chunk
	return #chunk
end

-- The buffer back to what may be kept; the text says what that means where it is used.
local function cut(s, what, level, text)
	if #s.buffer <= KEEP then return end
	say_once(s, what, level, text)
	s.missing = s.missing + #s.buffer - KEEP
	s.buffer = s.buffer:sub(-KEEP)
end

-- Hands on the beginning of the buffer, up to `to`; the rest stays.
local function take(s, to)
	local text = s.buffer:sub(1, to)
	s.buffer = s.buffer:sub(to + 1)
	s.missing = 0
	return text
end

-- The same for who looks for something until the deadline; nil = without end. What had come by then counts, but not for ever:
-- a guest may print faster than it is looked at. late: how much was read after the deadline; the result is its new value.
local function fill_until(s, deadline, late)
	local left = deadline and core.left(deadline)
	if left == 0 and late >= KEEP then
		return nil, ("ETIMEDOUT: %s: it did not come in time"):format(s.name), "ETIMEDOUT"
	end
	local n, message, code = fill(s, left)
	if not n then return nil, message, code end
	return left == 0 and late + n or 0
end

local methods = {}

-- What the guest has written since the last read, as soon as there is something: text and, where some before it is missing, how
-- many bytes; or nil, message, code (ETIMEDOUT, ENODEV when the console has ended). {timeout=}
function methods:read(options)
	local s = state(self, "read")
	local timeout = timeout_of(options, "read")
	if s.buffer == "" then
		local ok, message, code = fill(s, timeout)
		if not ok then return nil, message, code end
	end
	local missing = s.missing
	local text = take(s, #s.buffer)
	if missing > 0 then return text, missing end
	return text
end

-- Types text. Waits while the guest does not take it, or somebody else has the keyboard. {timeout=}
function methods:write(text, options)
	local s = state(self, "write")
	if type(text) ~= "string" then error(("write takes text, not a %s"):format(type(text)), 2) end
	local timeout = timeout_of(options, "write")
	if not s.client then return closed(s) end
	if text == "" then return true end
	-- Gives the keyboard back, and leaves the reader open.
	local client <close> = s.client
	return client:write(text, timeout)
end

-- The first match in text of one of the patterns: which, from, to, captures.
local function match(text, patterns, plain)
	local best
	for i, pattern in ipairs(patterns) do
		local found = table.pack(text:find(pattern, 1, plain))
		if found[1] and (not best or found[1] < best[2]) then best = table.pack(i, table.unpack(found, 1, found.n)) end
	end
	return best
end

-- Waits until the output has the pattern (a Lua pattern, or a list of them) and goes past it. The text that matched, or its
-- captures; with a list, first which one it was. nil, message, code: ETIMEDOUT, ENODEV. {timeout=, plain=}
function methods:expect(what, options)
	local s = state(self, "expect")
	-- expect {"login: ", timeout = "10s"}
	if type(what) == "table" and getmetatable(what) == nil and options == nil and (what.timeout ~= nil or what.plain ~= nil) then
		options = { timeout = what.timeout, plain = what.plain }
		what = #what == 1 and what[1] or table.move(what, 1, #what, 1, {})
	end
	local timeout = timeout_of(options, "expect", { timeout = true, plain = true })
	local patterns = type(what) == "table" and getmetatable(what) == nil and what or { what }
	if #patterns == 0 then error("expect takes a pattern", 2) end
	for _, pattern in ipairs(patterns) do
		if type(pattern) ~= "string" or pattern == "" then error("expect: a pattern is a text that is not empty", 2) end
	end
	local deadline, late = core.deadline(timeout), 0
	while true do
		local fine, found = pcall(match, s.buffer, patterns, options and options.plain)
		if not fine then error("expect: " .. found:gsub("^hvsh%.console:%d+: ", ""), 2) end
		if found then
			local text = take(s, found[3]):sub(found[2])
			if found.n == 3 then found = table.pack(found[1], nil, nil, text) end
			if type(what) == "table" then return found[1], table.unpack(found, 4, found.n) end
			return table.unpack(found, 4, found.n)
		end
		local message, code
		late, message, code = fill_until(s, deadline, late)
		if not late then
			if code == "ETIMEDOUT" then
				local tail = s.buffer:sub(-60):gsub("%c", "?")
				message = ('ETIMEDOUT: %s: "%s" did not come in time%s'):format(s.name, (patterns[1]:gsub("%c", "?")),
					tail ~= "" and ('; last was "%s"'):format(tail) or "; nothing did")
			end
			return nil, message, code
		end
		cut(s, "expect", "info", "a script has waited for a text during more than 1M of output, and looks at the last 1M only")
	end
end

-- for line in console:lines{timeout=} do … end: lines without their ends. It stops when the console ends, or when
-- no whole line comes in time.
function methods:lines(options)
	local s = state(self, "lines")
	local timeout = timeout_of(options, "lines")
	return function()
		local deadline, late = core.deadline(timeout), 0
		while late do
			local at = s.buffer:find("\n", 1, true)
			if at then
				return (take(s, at):gsub("\r?\n$", ""))
			end
			late = fill_until(s, deadline, late)
			cut(s, "lines", "warn", "a line is longer than 1M: its beginning is lost to the script that reads lines")
		end
	end
end

-- The terminal becomes the console's until Ctrl-] is pressed. At the prompt, or where nothing has waited before.
function methods:attach(options)
	local s = state(self, "attach")
	check_options(options, "attach", { readonly = true, force = true, back = true }, 3)
	options = options or {}
	local back = options.back
	if type(back) == "string" and back ~= "all" then
		local why
		back, why = core.size(back)
		if not back then error("attach: back: " .. why, 2) end
	end
	if back == "all" then back = -1 end
	if back ~= nil and math.type(back) ~= "integer" then error(("attach: back is %s, not a size"):format(tostring(back)), 2) end
	if not s.client then return closed(s) end
	return core.console_attach(s.handle, s.port, { readonly = options.readonly, force = options.force, back = back })
end

function methods:close()
	local s = state(self, "close")
	if s.client then s.client:close() end
	s.client = nil
end

-- handle, port: of the device.
function console.new(client, name, handle, port)
	local fields = { name = name }
	for key, method in pairs(methods) do fields[key] = method end
	local s = { client = client, name = name, handle = handle, port = port, buffer = "", missing = 0, said = {} }
	local object = frozen.object {
		name = "hvsh.console", fields = fields, strict = true, close = methods.close,
		tostring = function() return ("console %s%s"):format(name, s.client and "" or " (closed)") end,
	}
	state_of[object] = s
	return object
end

return console
