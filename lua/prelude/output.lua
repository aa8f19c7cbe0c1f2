-- SPDX-License-Identifier: GPL-2.0-or-later
-- Files that commands write: whole or not at all.
local output = {}

local ENOENT = 2

local function random_suffix()
	return (".%08x"):format(math.random(0, 0xffffffff))
end

-- What a command writes, and how its earlier output is known. A file that is something else was named by mistake, as a
-- script's name is behind an option that wants a file: it is kept.
local HEAD = 4096 -- bytes to know it by
local CONFIG_MAX = 65536 -- no zone configuration is as large
local kinds = {
	svg = { "drawing (SVG)", function(head) return head:find "^%s*<" and head:find("<svg", 1, true) end },
	png = { "picture (PNG)", function(head) return head:sub(1, 4) == "\x89PNG" end },
	system = { "system description (XML)", function(head) return head:find "^%s*<" end },
	tree = { "device tree (.dtb)", function(head) return head:sub(1, 4) == "\xd0\x0d\xfe\xed" end },
	script = { "script", function(head) return not head:find "^%s*[{%[]" and not head:find("\0", 1, true) end },
	config = { "zone configuration", function(head, size) return size <= CONFIG_MAX and head:find("\0", 1, true) end },
}

-- Nil, or a message when the file at path, open as file, is not of this kind.
local function other_kind(path, file, size, kind)
	local noun, is = table.unpack(kinds[kind])
	file:seek "set"
	local head = file:read(HEAD)
	if not head or is(head, size) then return nil end
	return ("%s is there already and is no %s, so it is not overwritten: name another file"):format(path, noun)
end

local function fill(file, bytes)
	local ok, why = file:write(bytes)
	if not ok then
		file:close()
		return nil, why
	end
	return file:close()
end

-- why as io has it: "name: reason", the name perhaps a temporary one.
local function cannot(path, why)
	return nil, ("%s: cannot be written: %s"):format(path, (tostring(why):gsub("^.*: ", "")))
end

-- A device or a pipe must be written as it is: as root, a rename would put a file in its place. Known by name, or
-- because a file worth keeping has an end to seek to (in an empty one there is nothing to keep).
-- Returns it opened: a pipe's reader would take a second opening for another writer. Nil and a message for a file that is
-- not of this kind (nil = any), and for what cannot be opened by its name.
local function open_special(path, kind)
	local named = path:find "^/+dev/" or path:find "^/+proc/"
	local file, why, number = io.open(path, "r+b")
	if not file and named then file, why = io.open(path, "wb") end
	if not file then return nil, (named or kind and number ~= ENOENT) and select(2, cannot(path, why)) end
	local size = file:seek "end"
	if named or not size or size == 0 then return file end
	why = kind and other_kind(path, file, size, kind)
	file:close()
	return nil, why
end

-- ./a//b as a/b: enough to see that somebody names the same file twice.
local function plain(path)
	return (path:gsub("//+", "/"):gsub("/%./", "/"):gsub("^%./", ""))
end

-- Whether writing path would destroy one of the files it is made from.
function output.destroys(path, inputs)
	for _, input in ipairs(inputs) do
		if plain(input) == plain(path) then
			return ("%s is what this is made from: name another file"):format(path)
		end
	end
end

-- The same for a file that is not of this kind: of who writes by other means than output.write. A pipe stays open: its
-- reader would see its end before anything has come.
function output.mistaken(path, kind)
	local why
	output.held, why = open_special(path, kind)
	return why or nil
end

-- Writes beside the target and renames. true, or nil and a message. kind: of output that a person may name by mistake;
-- "svg", "png", "system", "tree", "script", "config".
function output.write(path, bytes, kind)
	local file, why = open_special(path, kind)
	if not file and why then return nil, why end
	local ok
	if file then
		ok, why = fill(file, bytes)
		if not ok then return cannot(path, why) end
		return true
	end
	local name = path .. random_suffix()
	file, why = io.open(name, "wb")
	if not file then return cannot(path, why) end
	ok, why = fill(file, bytes)
	if ok then ok, why = os.rename(name, path) end
	if ok then return true end
	os.remove(name)
	return cannot(path, why)
end

return output
