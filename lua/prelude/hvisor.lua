-- SPDX-License-Identifier: GPL-2.0-or-later
-- The command line of hvisor-tool, for scripts that call `hvisor`: same words, same columns, but every
-- failure has a message and an exit code.
local core = require "hvsh.core"
local operate = require "hvsh.operate"
local term = require "hvsh.term"

local hvisor = {}

local usage = [[
usage:
  hvisor zone start FILE.json       start the zone a file describes
  hvisor zone shutdown -id ID       stop a zone
  hvisor zone list                  the zones that run
  hvisor virtio start FILE.json     serve the virtio devices a file describes
This is hvsh under its old name; `hvsh help` shows what it can do besides.
]]

local function fail(message)
	io.stderr:write("hvisor: ", term.clean((tostring(message):gsub("^E[%u%d]+: ", ""))), "\n")
	return 1
end

local function misuse(message)
	io.stderr:write("hvisor: ", message, "\n", usage)
	return 2
end

-- Defines the zones of the files; findings then name the JSON file, pointer and line.
local function define(paths)
	local import = require "hvsh.command.import"
	local files, why = import.read(paths)
	if not files then return nil, why end
	local json = require "import.json"
	local result, problems = json.files(files)
	if not result then
		local lines = {}
		for i, place in ipairs(problems) do lines[i] = json.format(place) end
		return nil, table.concat(lines, "\n")
	end
	for _, place in ipairs(result.notes) do core.log("info", json.format(place)) end
	local ok, message = json.define(result)
	if not ok then return nil, message end
	return result
end

local function zone_start(args)
	if #args ~= 1 then return misuse "zone start takes one file" end
	local ok, message = define(args)
	if not ok then return fail(message) end
	ok, message = operate.start(nil, {})
	if not ok then return fail(message) end
	return 0
end

local function zone_list(args)
	if #args ~= 0 then return misuse "zone list takes nothing" end
	local list, message = core.list()
	if not list then return fail(message) end
	io.stdout:write(("| %11s     | %10s        | %9s       | %10s |\n"):format("zone_id", "cpus", "name", "status"))
	for _, zone in ipairs(list) do
		local cpus = #zone.cpus > 0 and table.concat(zone.cpus, ", ") or "none"
		io.stdout:write(("| %15d | %17s | %15s | %10s |\n"):format(zone.id, cpus, zone.name,
			zone.failed and "error" or "running"))
	end
	return 0
end

local function zone_shutdown(args)
	if #args ~= 2 or (args[1] ~= "-id" and args[1] ~= "--id") then return misuse "zone shutdown takes -id ID" end
	local id = args[2]:match "^%d+$" and math.tointeger(tonumber(args[2]))
	if not id then return misuse(("'%s' is no zone id"):format(term.clean(args[2]))) end
	local ok, message = operate.stop(id)
	if not ok then return fail(message) end
	return 0
end

-- What a device of a virtio file has, without where it was read.
local function options_of(dev)
	local options = {}
	for key, value in pairs(dev) do
		if key ~= "type" and key ~= "name" and key ~= "reader" and key ~= "pointer" then options[key] = value end
	end
	return options
end

-- Serves the zones of a virtio file, which somebody starts before or afterwards, until it is ended.
local function virtio_start(args)
	if #args ~= 1 then return misuse "virtio start takes one file" end
	local json = require "import.json"
	local files, why = require("hvsh.command.import").read(args)
	if not files then return fail(why) end
	local zones, problems = json.virtio(files[1])
	if not zones then
		for i, place in ipairs(problems) do problems[i] = json.format(place) end
		return fail(table.concat(problems, "\n"))
	end
	local dsl = require "hvsh.dsl"
	for _, zone in ipairs(zones) do
		local devices = {}
		for i, dev in ipairs(zone.devices) do devices[i] = dsl.devices[dev.type](dev.name, options_of(dev)) end
		local ok, message = core.serve_zone(zone.id, ("zone%d"):format(zone.id), zone.ram, dsl.devices_spec(devices))
		if not ok then return fail(message) end
	end
	return 0
end

local commands = {
	zone = { start = zone_start, list = zone_list, shutdown = zone_shutdown },
	virtio = { start = virtio_start },
}

-- argv: the words after the program's name. Returns the exit code.
function hvisor.run(argv)
	if argv[1] == "--help" or argv[1] == "help" then
		io.stdout:write(usage)
		return 0
	end
	local group = commands[argv[1]]
	if not group then
		return misuse(argv[1] and ("there is no command '%s'"):format(term.clean(argv[1])) or "a command is missing")
	end
	local command = group[argv[2]]
	if not command then
		return misuse(argv[2] and ("there is no command '%s %s'"):format(argv[1], term.clean(argv[2]))
			or argv[1] .. " needs a command")
	end
	return command(table.move(argv, 3, #argv, 1, {}))
end

return hvisor
