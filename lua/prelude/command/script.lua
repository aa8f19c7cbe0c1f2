-- SPDX-License-Identifier: GPL-2.0-or-later
-- check, plan and apply: what a script defines against what runs.
local common = require "hvsh.command.common"
local report = require "hvsh.report"
local term = require "hvsh.term"

local script = {}

local function array(list)
	return require("hvsh.json").array(list)
end

local function findings_data(findings)
	return array(table.move(findings, 1, #findings, 1, {}))
end

-- "boot.lua: 2 zones, 1 error"
local function verdict(request, specs, findings)
	local wrong = findings.errors + findings.warnings > 0
	local style = findings.errors > 0 and "red" or findings.warnings > 0 and "yellow" or "green"
	return ("%s: %s, %s"):format(term.clean(request.args[1]), term.count(#specs, "zone"),
		term.paint(request.color, style, wrong and report.summary(findings) or "nothing wrong"))
end

function script.check(request)
	local machine, failed = common.machine()
	if not machine then return failed end
	local specs = common.read_request(request)
	if not specs then return 1 end
	local findings, message = machine.check(specs)
	if not findings then return common.fail(message) end
	local code = findings.errors > 0 and 1 or 0
	if request.options.json then
		failed = common.json {
			script = request.args[1], zones = #specs, errors = findings.errors, warnings = findings.warnings,
			findings = findings_data(findings), left_out = findings.left_out,
		}
		return math.max(code, failed)
	end
	common.findings(findings, request)
	common.print { verdict(request, specs, findings) }
	return code
end

-- A plan for the script, and who made it; nil and the exit code after saying what is wrong.
local function planned(request)
	local machine, failed = common.machine()
	if not machine then return nil, failed end
	local specs = common.read_request(request)
	if not specs then return nil, 1 end
	local plan, message, _, findings = machine.plan(specs, { restart = request.options.restart })
	if plan then return plan, machine end
	if not findings then return nil, common.fail(message) end
	if request.options.json then
		common.json {
			script = request.args[1], errors = findings.errors, findings = findings_data(findings), left_out = findings.left_out,
			error = "the zones are not right", code = "EINVAL",
		}
	else
		common.findings(findings, request)
		common.print { verdict(request, specs, findings) }
	end
	return nil, 1
end

local function plan_data(request, plan)
	local deltas = {}
	for i, delta in ipairs(plan.deltas) do
		deltas[i] = { zone = delta.zone, id = delta.id, state = delta.state, changes = array(delta.changes) }
	end
	return {
		script = request.args[1], simulated = common.simulated(), zones = array(deltas),
		steps = array(plan.steps), findings = findings_data(plan.findings), left_out = plan.findings.left_out,
	}
end

function script.plan(request)
	local plan, machine = planned(request)
	if not plan then return machine end
	local code = #plan.steps > 0 and 2 or 0
	for _, delta in ipairs(plan.deltas) do
		if delta.state ~= "same" then code = 2 end
	end
	if request.options.json then
		return common.json(plan_data(request, plan)) == 0 and code or 1
	end
	common.findings(plan.findings, request)
	common.print(common.banner(machine, request.color))
	common.print(report.plan(plan, { color = request.color, restart = request.options.restart }))
	return code
end

function script.apply(request)
	local plan, machine = planned(request)
	if not plan then return machine end
	if not request.options.json then common.findings(plan.findings, request) end
	return common.carry_out(machine, plan, request, {
		keep = true, hint = "hvsh apply --restart takes it down and starts it as written",
	})
end

return script
