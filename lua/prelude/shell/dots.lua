-- SPDX-License-Identifier: GPL-2.0-or-later
-- Commands of the prompt that begin with a dot.
local complete = require "hvsh.shell.complete"
local core = require "hvsh.core"
local names = require "hvsh.shell.names"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

local dots = {}

local commands, order = {}, {}

-- run(sh, rest) in a coroutine of its own: what it raises is shown. complete(sh, beginning): words.
local function command(name, argument, about, run, completes)
	commands[name] = { argument = argument, about = about, run = run, complete = completes }
	order[#order + 1] = name
end

-- A refusal in words for a person, without a place in a script.
local function refuse(text, ...)
	if select("#", ...) > 0 then text = text:format(...) end
	error(setmetatable({}, { __tostring = function() return text end }), 0)
end

local function lines_out(sh, lines)
	if #lines > 0 then sh.out(table.concat(lines, "\n") .. "\n") end
end

command("help", nil, "these commands; help() explains what scripts have", function(sh)
	local rows = {}
	for _, name in ipairs(order) do
		local c = commands[name]
		rows[#rows + 1] = { "." .. name .. (c.argument and " " .. c.argument or ""), c.about }
	end
	rows[#rows + 1] = { "NAME?", "what is known of a name, as help" }
	rows[#rows + 1] = { "_, _1, _2 " .. sh:sign_of "…", "the values of the last expression" }
	lines_out(sh, term.columns_of(rows, ""))
end)

command("zones", nil, "zones that are defined, and those that run", function(sh)
	local rows, message = require("hvsh.zones").list()
	if not rows then refuse("%s", message) end
	lines_out(sh, require("hvsh.report").zones(rows, { color = sh.color }))
end)

command("map", nil, "the machine's memory as a picture", function(sh)
	local map, message = core.memmap(require("hvsh.operate").specs())
	local text
	if map then text, message = map:draw { width = sh.width(), color = sh.color, unicode = sh.unicode } end
	if not text then refuse("%s", message) end
	sh.out(text)
end)

-- "linux1/hvc0", or a zone that has one console or more.
local function console_of(name)
	local zone, device = name:match "^([^/]+)/?([^/]*)$"
	local known = {}
	for _, d in ipairs(core.devices()) do
		if d.type == "console" then
			if d.zone == zone and (device == "" or d.name == device) then return d end
			known[#known + 1] = d.zone .. "/" .. d.name
		end
	end
	table.sort(known)
	refuse("no console %s is served here%s", name, #known == 0 and ": no zone with a console runs" or "; those that are: " .. table.concat(known, ", "))
end

command("console", "NAME", "the console of a zone, until Ctrl-] is pressed", function(sh, rest)
	if rest == "" then refuse ".console takes a zone's name, or ZONE/DEVICE" end
	if not sh.console then refuse(".console is not to be had here; hvsh console %s opens it from a shell", rest) end
	local ok, message = sh.console(rest, console_of)
	if not ok then refuse("%s", message) end
end, function(_, beginning)
	local list = names.devices(nil, "console", true)
	for _, name in ipairs((names.zones())) do list[#list + 1] = name end
	return complete.plain(list, beginning)
end)

command("source", "FILE", "runs a script as if it were typed here", function(sh, rest)
	if rest == "" then refuse ".source takes the name of a script" end
	local chunk, message = loadfile(rest, "t")
	if not chunk then
		sh:fail((message:gsub("^cannot open (.-)%s*$", "cannot open %1")))
		return
	end
	sh:execute(chunk)
end, function(_, beginning) return complete.files(beginning) end)

command("time", "EXPR", "runs it, and says how long that took", function(sh, rest)
	if rest == "" then refuse ".time takes an expression or a statement" end
	local began = core.now()
	local state = sh:run(rest)
	if state == "more" then refuse ".time takes one whole line" end
	sh.out(("took %s\n"):format(core.duration_text(core.now() - began)))
end, false)

command("quit", nil, "leaves the prompt, as Ctrl-D", function() return "quit" end)

-- The name and the rest of a line that is such a command; nil for any other.
function dots.parse(text)
	local name, rest = text:match "^%s*%.(%a*)%s*(.-)%s*$"
	if not name or (name == "" and rest ~= "") or rest:find "\n" then return nil end
	return name, rest
end

-- Runs it; "done" or "quit".
function dots.run(sh, name, rest)
	local c = commands[name]
	if not c then
		local near = nearest.of(name, order)
		return sh:fail(("there is no command .%s%s; .help lists them"):format(name,
			near and (" (did you mean .%s?)"):format(near) or ""))
	end
	if not c.argument and rest ~= "" then return sh:fail((".%s takes no argument"):format(name)) end
	local ok, state = sh:execute(function() return c.run(sh, rest) end)
	return ok and state or "done"
end

-- As complete of the shell; nil where the line is no such command.
function dots.complete(sh, line, cursor)
	local before = line:sub(1, cursor)
	local blank, name = before:match "^(%s*)%.(%a*)$"
	if name then
		local list = {}
		for _, known in ipairs(order) do
			if known:sub(1, #name) == name then list[#list + 1] = "." .. known .. (commands[known].argument and " " or "") end
		end
		return #blank + 1, list
	end
	local head, rest
	head, name, rest = before:match "^(%s*%.(%a+)%s+)(.*)$"
	local c = name and commands[name]
	if not c or c.complete == nil then return nil end
	if c.complete then return #head + 1, c.complete(sh, rest) end
	local from, list = complete.lua(sh.env, "", rest, #rest)
	return #head + from, list
end

return dots
