-- SPDX-License-Identifier: GPL-2.0-or-later
-- Reading a script only for the zones it defines, as check, plan, apply, map and encode do.
-- What the script starts or stops is noted and not done; where it needs a zone that really runs,
-- reading ends there: what was defined so far is what counts.
local core = require "hvsh.core"
local place = require "hvsh.dsl.place"

-- The script may take these away.
local os, xpcall, tostring = os, xpcall, tostring

local define = { active = false }

local intended = false
local END = setmetatable({}, { __name = "hvsh.define.end", __tostring = function() return "end of reading" end })

-- A start, stop or restart that is not made now.
function define.intend()
	intended = true
	return true
end

-- What runs can still be asked for truthfully: nothing was intended that would have changed it.
function define.truthful()
	return not intended
end

-- Ends reading at a line that needs more than definitions. why: "a running zone".
function define.finish(why)
	local file, line = place.script_line()
	define.ended = { file = file, line = line, why = why }
	error(END, 0)
end

-- os.exit inside a script would skip what we read it for.
local function exit(code)
	local file, line = place.script_line()
	if code == nil or code == true or code == 0 then
		define.ended = { file = file, line = line, why = nil }
		error(END, 0)
	end
	error(("%s:%d: the script gave up with os.exit(%s)"):format(file or "?", line or 0, tostring(code)), 0)
end

-- assert prints its message without a place; a person wants one.
local function located(err)
	if err == END or type(err) == "table" and rawget(err, "hvsh_report") then return err end
	local meta = debug.getmetatable(err)
	local text = (type(err) == "string" or meta and meta.__tostring) and tostring(err)
		or ("(an error that is a %s value)"):format(type(err))
	if text:find "^[^\n]-:%d+: " then return text end
	local file, line = place.script_line()
	return file and ("%s:%d: %s"):format(file, line, text) or text
end

-- Runs the script. true, or nil and a message with file:line.
-- Its own output goes to standard error: standard output belongs to the command.
function define.read(path, args)
	local probe, why = io.open(path, "r")
	if not probe then return nil, (why:gsub("^(.*): No such file or directory$", "%1: no such script")) end
	probe:close()
	local chunk, message = loadfile(path, "t")
	if not chunk then return nil, message end

	-- luacheck: push ignore 121 122
	local saved = { exit = os.exit, print = print, output = io.output(), arg = arg }
	local mode = core.mode "define"
	define.active, define.ended, intended = true, nil, false
	os.exit = exit
	print = function(...)
		local parts = table.pack(...)
		for i = 1, parts.n do parts[i] = tostring(parts[i]) end
		io.stderr:write(table.concat(parts, "\t"), "\n")
	end
	io.output(io.stderr)
	arg = table.move(args, 1, #args, 1, { [0] = path })
	local ok, err = xpcall(chunk, located, table.unpack(args))
	os.exit, print, arg = saved.exit, saved.print, saved.arg
	-- luacheck: pop
	io.output(saved.output)
	define.active = false
	core.mode(mode)
	if ok or err == END then return true end
	return nil, type(err) == "table" and err.hvsh_report or err
end

return define
