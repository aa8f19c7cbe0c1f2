-- SPDX-License-Identifier: GPL-2.0-or-later
-- Files that commands write: whole or not at all.
local output = {}

local function random_suffix()
	return (".%08x"):format(math.random(0, 0xffffffff))
end

-- A device or a pipe must be written as it is: as root, a rename would put a file in its place. Known by name, or
-- because a file worth keeping has an end to seek to (in an empty one there is nothing to keep).
-- Returns it opened: a pipe's reader would take a second opening for another writer.
local function open_special(path)
	local named = path:find "^/+dev/" or path:find "^/+proc/"
	local file, why = io.open(path, "r+b")
	if not file and named then file, why = io.open(path, "wb") end
	if not file then return nil, named and why end
	local size = file:seek "end"
	if named or not size or size == 0 then return file end
	file:close()
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

-- Writes beside the target and renames. true, or nil and a message.
function output.write(path, bytes)
	local file, why = open_special(path)
	if not file and why then return cannot(path, why) end
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
