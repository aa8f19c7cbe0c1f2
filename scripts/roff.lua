-- SPDX-License-Identifier: GPL-2.0-or-later
-- Text as the source of manual pages, for reference.lua and manual.lua, which load this with dofile.
local roff = {}

-- Nothing in it means anything to troff.
function roff.text(text)
	text = text:gsub("`([^`\n]+)`", "%1"):gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1"):gsub("\n([.'])", "\n\\&%1")
	return (text:gsub("[\xc2-\xf4][\x80-\xbf]+", function(c) return ("\\[u%04X]"):format(utf8.codepoint(c)) end))
end

-- The same as an argument of a macro, in quotes.
function roff.quoted(text)
	return '"' .. roff.text(text):gsub('"', "\\(dq") .. '"'
end

-- Code as lines that are not filled.
function roff.code(text)
	return roff.text((text:gsub("\t", "    ")))
end

return roff
