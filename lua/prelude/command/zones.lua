-- SPDX-License-Identifier: GPL-2.0-or-later
-- list, start, stop and restart.
local common = require "hvsh.command.common"
local operate = require "hvsh.operate"
local report = require "hvsh.report"
local term = require "hvsh.term"

local DEFAULT_SCRIPT = "/etc/hvsh/boot_zones.lua"

local zones = {}

function zones.list(request)
	local rows, message = operate.list {}
	if not rows then return common.fail(message) end
	if request.options.json then
		local array = require("hvsh.json").array
		local data = {}
		for i, row in ipairs(rows) do
			data[i] = {
				id = row.id, name = row.name, state = row.state, cpus = array(row.cpus), memory = row.memory,
			}
		end
		return common.json { simulated = common.simulated(), zones = array(data) }
	end
	common.print(common.banner(request.color))
	common.print(report.zones(rows, { color = request.color }))
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

local function start(request, options)
	local script, names = split(request.args)
	local specs = common.read(script or DEFAULT_SCRIPT, {})
	if not specs then return 1 end
	local unknown = operate.unknown(names)
	if unknown then return common.fail(("%s: %s"):format(script or DEFAULT_SCRIPT, unknown)) end
	local plan, message, _, findings = operate.plan(specs, {
		names = #names > 0 and names or nil, restart = options.restart, force = options.restart,
	})
	if not plan then
		if not findings then return common.fail(message) end
		common.findings(findings, request, io.stderr)
		return common.fail(("%s: %s: nothing was started"):format(script or DEFAULT_SCRIPT, report.summary(findings)))
	end
	common.findings(plan.findings, request, io.stderr)
	return common.carry_out(plan, request, options)
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
	if script or all then
		local specs = common.read(script or DEFAULT_SCRIPT, {})
		if not specs then return 1 end
		for i = all and #specs or 0, 1, -1 do names[#names + 1] = specs[i].name end
	end
	local code = 0
	local mark = common.mark(request.color)
	for _, name in ipairs(names) do
		local ok, result, word = operate.stop(name)
		if ok then
			common.print { ("%s (%d): stopped%s"):format(term.clean(result.name), result.id, mark) }
		elseif all and word == "ENOENT" then
			common.print { ("%s: does not run"):format(term.clean(name)) }
		else
			code = common.fail(result)
		end
	end
	return code
end

return zones
