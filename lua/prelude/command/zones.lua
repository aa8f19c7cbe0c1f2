-- SPDX-License-Identifier: GPL-2.0-or-later
-- list, start, stop and restart.
local common = require "hvsh.command.common"
local control = require "hvsh.control"
local core = require "hvsh.core"
local operate = require "hvsh.operate"
local report = require "hvsh.report"
local term = require "hvsh.term"

local DEFAULT_SCRIPT = "/etc/hvsh/boot_zones.lua"

local zones = {}

-- The definitions of a script, or of the one every service starts with. To be called when no service knew the names.
local function read(script)
	if script then return common.read(script, {}) end
	local there, _, code = io.open(DEFAULT_SCRIPT)
	if there then
		there:close()
	elseif code == 2 then
		common.fail(("no service runs that knows zones, and %s is not there: name a script"):format(DEFAULT_SCRIPT))
		return nil
	end
	return common.read(DEFAULT_SCRIPT, {})
end

function zones.list(request)
	local array = require("hvsh.json").array
	local served, message, _, alone = control.ask { request = "list" }
	local rows
	if served then
		rows = served.zones
	elseif alone then
		rows, message = operate.list {}
	end
	if not rows then return common.fail(message) end
	if request.options.json then
		local data = {}
		for i, row in ipairs(rows) do
			data[i] = {
				id = row.id, name = row.name, state = row.state, cpus = array(row.cpus), memory = row.memory,
				supervised = row.supervised,
			}
		end
		return common.json {
			simulated = common.simulated(), zones = array(data), devices = array(served and served.devices or {}),
		}
	end
	common.print(served and common.simulated() and { term.paint(request.color, "yellow", "SIMULATED hypervisor") }
		or served and {} or common.banner({ info = core.info }, request.color))
	common.print(report.zones(rows, { color = request.color }))
	if served and #served.devices > 0 then
		common.print { "" }
		common.print(require("hvsh.device").lines(served.devices, request.color))
	end
	return 0
end

-- Arguments apart: the script (the first that ends in .lua) and the names.
local function split(args)
	local script, names = nil, {}
	for _, word in ipairs(args) do
		if not script and word:find "%.lua$" then
			script = word
		else
			names[#names + 1] = word
		end
	end
	return script, names
end

-- {zone=, id=, outcome=} of the named zones of the service, or of all that it knows and that run.
local function outcomes_of(names, outcome)
	local served, message = control.ask { request = "list" }
	if not served then return nil, message end
	local wanted, list = {}, {}
	for _, name in ipairs(names) do wanted[name] = true end
	for _, row in ipairs(served.zones) do
		if row.state ~= "defined" and (wanted[row.name] or #names == 0 and row.defined) then
			list[#list + 1] = { zone = row.name, id = row.id, outcome = outcome }
		end
	end
	return require("hvsh.json").array(list)
end

-- Zones of the service's own script, started by the service. nil where there is none.
local function ask_service(request, verb, names)
	local reply, message, _, alone = control.ask { request = verb, zones = require("hvsh.json").array(names) }
	if alone then return nil end
	if not reply then return common.fail(message) end
	if request.options.json then
		local list
		list, message = outcomes_of(names, verb == "start" and "running" or "restarted")
		if not list then return common.fail(message) end
		return common.result { zones = list }
	end
	local mark = common.mark(request.color)
	if #names == 0 then
		common.print { ("all zones of the service: %s%s"):format(verb == "start" and "running" or "restarted", mark) }
	end
	for _, name in ipairs(names) do
		common.print { ("%s: %s%s"):format(term.clean(name), verb == "start" and "running" or "restarted", mark) }
	end
	return 0
end

local function start(request, options)
	local script, names = split(request.args)
	if not script then
		local code = ask_service(request, options.restart and "restart" or "start", names)
		if code then return code end
	end
	local machine, failed = common.machine()
	if not machine then return failed end
	local specs = read(script)
	if not specs then return 1 end
	local unknown = operate.unknown(names)
	if unknown then return common.fail(("%s: %s"):format(script or DEFAULT_SCRIPT, unknown)) end
	local plan, message, _, findings = machine.plan(specs, {
		names = #names > 0 and names or nil, restart = options.restart, force = options.restart,
	})
	if not plan then
		if not findings then return common.fail(message) end
		common.findings(findings, request, io.stderr)
		return common.fail(("%s: %s: nothing was started"):format(script or DEFAULT_SCRIPT, report.summary(findings)))
	end
	common.findings(plan.findings, request, io.stderr)
	return common.carry_out(machine, plan, request, options)
end

function zones.start(request)
	return start(request, { hint = "hvsh restart takes it down and starts it as written" })
end

function zones.restart(request)
	return start(request, { restart = true, hint = "hvsh stop by its id ends it" })
end

function zones.stop(request)
	local script, names = split(request.args)
	local all = #names == 0
	if all and not script then
		local served, message, _, alone = control.ask { request = "list" }
		if not served and not alone then return common.fail(message) end
		for i = served and #served.zones or 0, 1, -1 do
			local row = served.zones[i]
			if row.defined and row.state ~= "defined" then names[#names + 1] = row.name end
		end
		if served and #names == 0 then
			if request.options.json then return common.result { zones = require("hvsh.json").array {} } end
			common.print { "no zone of the service runs" }
			return 0
		end
	end
	if #names == 0 or script then
		local specs = read(script)
		if not specs then return 1 end
		for i = all and #specs or 0, 1, -1 do names[#names + 1] = specs[i].name end
	end
	local mark = common.mark(request.color)
	local list, failed = {}, nil
	for i, name in ipairs(names) do
		local ok, result, word, alone
		local reply
		reply, result, word, alone = control.ask { request = "stop", zone = name }
		if reply then
			ok, result = true, reply
		elseif alone then
			ok, result, word = operate.stop(name)
		end
		local line
		if ok then
			list[i] = { zone = result.name, id = result.id, outcome = "stopped" }
			line = ("%s (%d): stopped%s"):format(term.clean(result.name), result.id, mark)
		elseif all and word == "ENOENT" then
			list[i] = { zone = name, outcome = "absent" }
			line = ("%s: does not run"):format(term.clean(name))
		else
			failed = failed or result
			list[i] = { zone = name, outcome = "failed" }
			list[i].error, list[i].code = require("hvsh.commands").error(result)
			common.say(result)
		end
		if line and not request.options.json then common.print { line } end
	end
	if request.options.json then return common.result({ zones = require("hvsh.json").array(list) }, failed, true) end
	return failed and 1 or 0
end

return zones
