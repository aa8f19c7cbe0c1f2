-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the devices of this folder share: their options, and the files those name.
local nearest = require "hvsh.nearest"
local places = require "hvsh.dsl.place"

local common = {}

-- known: name = kind as type() says it, or "any"; errors are those of who calls the module's function.
function common.check(word, options, known)
	if type(options) ~= "table" then error(word .. ": after the name comes a table {…}", 3) end
	nearest.check(options, known, word .. " has no field", 4)
	for name, kind in pairs(known) do
		local value = options[name]
		if value ~= nil and kind ~= "any" and type(value) ~= kind then error(("%s: %s is a %s, not a %s"):format(word, name, type(value), kind), 3) end
	end
end

-- A path as it can be opened: relative ones are in the script's folder.
function common.path(word, name, path)
	if type(path) ~= "string" then error(("%s: %s is missing, the name of a file or folder"):format(word, name), 3) end
	return path:sub(1, 1) == "/" and path or places.script_folder() .. path
end

-- Opened while the script is read, when nothing is refused yet.
function common.open(word, path, mode)
	local file, why = io.open(path, mode)
	if not file then error(("%s: %s"):format(word, why), 3) end
	file:setvbuf "no"
	return file
end

return common
