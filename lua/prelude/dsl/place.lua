-- SPDX-License-Identifier: GPL-2.0-or-later
-- Where a definition is written: the caller's line, the folder its paths are relative to, messages that say both.
local place = {}

-- Who called the function `level` levels up from here.
function place.caller(level)
	local info = debug.getinfo(level + 1, "Sl")
	if not info or info.what == "C" or info.currentline <= 0 then return { source = "=?", line = 0 } end
	return { source = info.source, line = info.currentline, short = info.short_src }
end

-- File and line of the script's part of the stack (not of the prelude, not of C) that is nearest; nil where there is none.
function place.script_line()
	for l = 2, 200 do
		local info = debug.getinfo(l, "Sl")
		if not info then return nil end
		if info.what ~= "C" and info.currentline > 0 and info.source:sub(1, 1) == "@" then
			return info.short_src, info.currentline
		end
	end
end

function place.file_of(where)
	if where.source:sub(1, 1) == "@" then return where.source:sub(2) end
	return where.short
end

-- What relative folders of scripts are in; "" where that is the working directory.
local base = ""

-- The folder of the outermost file on the stack, with its slash; "" = the working directory.
function place.script_folder()
	local folder = ""
	for level = 3, 250 do
		local info = debug.getinfo(level, "S")
		if not info then break end
		if info.source:sub(1, 1) == "@" then folder = info.source:sub(2):match "^(.*/)[^/]*$" or "" end
	end
	return folder:sub(1, 1) == "/" and folder or base .. folder
end

function place.at(file, line)
	if not file then return "" end
	return line and line > 0 and ("%s:%d: "):format(file, line) or file .. ": "
end

-- "boot.lua:12: ram.size: …", one line each, in the order of the lines.
function place.report(errors, more)
	for i, e in ipairs(errors) do e.n = i end
	table.sort(errors, function(a, b)
		if a.file == b.file and a.line ~= b.line then return a.line < b.line end
		return a.n < b.n
	end)
	local lines = {}
	for i, e in ipairs(errors) do
		lines[i] = place.at(e.file, e.line) .. (e.path ~= "" and e.path .. ": " or "") .. e.message
	end
	if more > 0 then lines[#lines + 1] = ("… and %d more"):format(more) end
	return table.concat(lines, "\n")
end

-- From now on paths of definitions are whole, for another process: relative ones are those of this folder.
function place.resolve_from(folder)
	base = folder:gsub("/*$", "/")
end

return place
