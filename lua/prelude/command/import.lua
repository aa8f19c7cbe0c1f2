-- SPDX-License-Identifier: GPL-2.0-or-later
-- import: the script equivalent to the old tool's JSON files.
local common = require "hvsh.command.common"
local output = require "hvsh.output"
local term = require "hvsh.term"

local import = {}

local MAX = 1 << 20 -- bytes of one file; real ones have a few thousand

-- {name=, text=} of each file, or nil and a message.
function import.read(paths)
	local files = {}
	for i, path in ipairs(paths) do
		local file, why = io.open(path, "rb")
		if not file then return nil, why end
		local text
		text, why = file:read(MAX + 1)
		file:close()
		if not text then return nil, ("%s: %s"):format(path, why or "the file is empty") end
		if #text > MAX then return nil, path .. ": too large for a zone or virtio file" end
		files[i] = { name = path, text = text }
	end
	return files
end

-- One line for each place, to standard error.
function import.say(kind, places)
	local format = require("import.json").format
	for _, place in ipairs(places) do
		io.stderr:write("hvsh: ", kind, ": ", term.clean(format(place)), "\n")
	end
end

function import.import(request)
	local files, why = import.read(request.args)
	if not files then return common.fail(why) end
	local result, problems, notes = require("import.json").files(files)
	if not result then
		import.say("error", problems)
		import.say("note", notes)
		return 1
	end
	import.say("note", result.notes)
	local target = request.options.o
	if not target or target == "-" then
		io.stdout:write(result.script)
		return 0
	end
	local ok
	why = output.destroys(target, request.args)
	if why then return common.fail(why) end
	ok, why = output.write(target, result.script)
	if not ok then return common.fail(why) end
	io.stderr:write("hvsh: wrote ", term.clean(target), "\n")
	return 0
end

return import
