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

-- One line for each place.
local function texts_of(places)
	local format, texts = require("import.json").format, {}
	for i, place in ipairs(places) do texts[i] = term.clean(format(place)) end
	return require("hvsh.json").array(texts)
end

-- To standard error.
function import.say(kind, places)
	for _, text in ipairs(texts_of(places)) do io.stderr:write("hvsh: ", kind, ": ", text, "\n") end
end

function import.import(request)
	local files, why = import.read(request.args)
	if not files then return common.fail(why) end
	local result, problems, notes = require("import.json").files(files)
	if not result then
		import.say("error", problems)
		import.say("note", notes)
		if not request.options.json then return 1 end
		common.json { error = "the files cannot be imported", code = "EINVAL", problems = texts_of(problems), notes = texts_of(notes) }
		return 1
	end
	import.say("note", result.notes)
	local target = request.options.o
	if not target or target == "-" then
		if request.options.json then return common.json { script = result.script, notes = texts_of(result.notes) } end
		io.stdout:write(result.script)
		return 0
	end
	local ok
	why = output.destroys(target, request.args)
	if why then return common.fail(why) end
	ok, why = output.write(target, result.script, "script")
	if not ok then return common.fail(why) end
	if request.options.json then return common.json { written = target, notes = texts_of(result.notes) } end
	io.stderr:write("hvsh: wrote ", term.clean(target), "\n")
	return 0
end

return import
