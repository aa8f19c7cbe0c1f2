-- SPDX-License-Identifier: GPL-2.0-or-later
-- Text for terminals: colours, column widths, cutting, wrapping, a progress line. Everything that
-- prints for people goes through here, so that NO_COLOR, a serial line without UTF-8 and names full of
-- control characters are dealt with once.
local core = require "hvsh.core"

local term = {}

-- An old serial terminal, or a locale that says something other than UTF-8, gets ASCII.
-- Where nothing is said (an init system, a container) UTF-8 is what the other end most likely speaks.
local function speaks_utf8()
	local kind = os.getenv "TERM" or ""
	if kind == "dumb" or kind:match "^vt%d" then return false end
	for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
		local locale = os.getenv(name)
		if locale and locale ~= "" then return locale:lower():match "utf%-?8" ~= nil end
	end
	return true
end

local utf8_known
function term.unicode()
	if utf8_known == nil then utf8_known = speaks_utf8() end
	return utf8_known
end

local plain = { ["→"] = "->", ["…"] = "..", ["─"] = "-", ["·"] = "-", ["×"] = "x" }
-- The symbol, or its ASCII stand-in.
function term.sign(symbol)
	return term.unicode() and symbol or plain[symbol]
end

local styles = {
	bold = "1", dim = "2", red = "1;31", green = "32", yellow = "33", blue = "34", cyan = "36",
}

-- The text in a style when colour is wanted.
function term.paint(color, style, text)
	if not color or not style or text == "" then return text end
	return "\27[" .. styles[style] .. "m" .. text .. "\27[0m"
end

-- Names and messages may quote files and guests: no control character reaches the terminal,
-- and bytes that are no UTF-8 are shown as such. Newlines stay.
function term.clean(text)
	text = text:gsub("[%c\127]", function(c)
		if c == "\n" then return c end
		return c == "\t" and " " or ("\\x%02x"):format(c:byte())
	end)
	if not utf8.len(text) then
		text = text:gsub("[\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end)
	end
	-- The C1 control characters, as UTF-8.
	return (text:gsub("\xc2([\x80-\x9f])", function(c) return ("\\x%02x"):format(c:byte()) end))
end

-- Columns the text takes; colour sequences take none.
function term.width(text)
	text = text:gsub("\27%[[%d;]*m", "")
	return utf8.len(text) or #text
end

function term.pad(text, width, right)
	local fill = (" "):rep(width - term.width(text))
	return right and fill .. text or text .. fill
end

-- At most width columns; what was cut shows as an ellipsis. For text without colour.
function term.cut(text, width)
	local n = utf8.len(text)
	if not n then
		return #text <= width and text or text:sub(1, math.max(width, 0))
	end
	if n <= width then return text end
	local mark = term.sign "…"
	local keep = math.max(width - term.width(mark), 0)
	return text:sub(1, utf8.offset(text, keep + 1) - 1) .. mark
end

-- Words wrapped at width, each further line after the indent. No width: as it is.
function term.wrap(text, width, indent)
	if not width then return (text:gsub("\n", "\n" .. indent)) end
	local lines = {}
	for paragraph in (text .. "\n"):gmatch "(.-)\n" do
		local line
		for word in paragraph:gmatch "%S+" do
			if line and term.width(line) + 1 + term.width(word) > width - #indent then
				lines[#lines + 1] = line
				line = nil
			end
			line = line and line .. " " .. word or word
		end
		lines[#lines + 1] = line or ""
	end
	return table.concat(lines, "\n" .. indent)
end

-- Rows of texts as aligned lines. right[i]: that column is flush right. The last column is not padded.
function term.columns_of(rows, indent, right)
	local widths = {}
	for _, row in ipairs(rows) do
		for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, term.width(cell)) end
	end
	local lines = {}
	for n, row in ipairs(rows) do
		local cells = {}
		for i, cell in ipairs(row) do
			cells[i] = term.pad(cell, widths[i], right and right[i])
		end
		lines[n] = ((indent or "") .. table.concat(cells, "  ")):gsub("%s+$", "")
	end
	return lines
end

-- 805306368 -> "768M", 39534592 -> "37.7M": for reading, not for calculating.
function term.size(bytes)
	if math.type(bytes) ~= "integer" or bytes < 0 then return tostring(bytes) end
	for _, unit in ipairs { { "T", 40 }, { "G", 30 }, { "M", 20 }, { "K", 10 } } do
		local one = 1 << unit[2]
		if bytes >= one then
			if bytes % one == 0 then return ("%d%s"):format(bytes // one, unit[1]) end
			return ("%.1f%s"):format(bytes / one, unit[1])
		end
	end
	return ("%dB"):format(bytes)
end

function term.hex(address)
	return ("0x%x"):format(address)
end

-- "1 zone", "2 zones"
function term.count(n, noun)
	return ("%d %s%s"):format(n, noun, n == 1 and "" or "s")
end

-- {0, 1, 2, 5} -> "0-2,5"
function term.ranges(list)
	local sorted, parts = table.move(list, 1, #list, 1, {}), {}
	table.sort(sorted)
	local i = 1
	while i <= #sorted do
		local j = i
		while sorted[j + 1] == sorted[j] + 1 do j = j + 1 end
		if j == i then
			parts[#parts + 1] = tostring(sorted[i])
		elseif j == i + 1 then
			parts[#parts + 1] = ("%d,%d"):format(sorted[i], sorted[j])
		else
			parts[#parts + 1] = ("%d-%d"):format(sorted[i], sorted[j])
		end
		i = j + 1
	end
	return table.concat(parts, ",")
end

-- One line on standard error, redrawn at most ten times a second; nothing where that is no terminal.
-- line(text) shows, done() takes it away. CPU time is the clock: it never runs ahead of the real one.
function term.progress()
	local shown, last
	local bar = {}
	function bar.line(text)
		local now = os.clock()
		if not core.tty(2) or (last and now >= last and now - last < 0.1) then return end
		last, shown = now, true
		io.stderr:write("\r", term.cut(text, core.columns(2) - 1), "\27[K")
		io.stderr:flush()
	end
	function bar.done()
		if shown then io.stderr:write("\r\27[K") end
		shown, last = false, nil
	end
	return bar
end

return term
