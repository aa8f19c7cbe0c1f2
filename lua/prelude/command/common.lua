-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the commands share: reading a script for its zones, saying where the machine is only simulated,
-- printing findings and JSON.
local commands = require "hvsh.commands"
local core = require "hvsh.core"
local define = require "hvsh.define"
local operate = require "hvsh.operate"
local report = require "hvsh.report"
local term = require "hvsh.term"

local common = {}

common.fail = commands.fail

-- One line on standard error of what failed beside others.
function common.say(message)
	io.stderr:write("hvsh: ", term.clean((commands.error(message))), "\n")
end

function common.print(lines)
	if #lines > 0 then io.stdout:write(table.concat(lines, "\n"), "\n") end
end

-- Reads the script; its specs, or nil after saying what is wrong.
function common.read(path, args)
	local ok, message = define.read(path, args)
	if not ok then
		commands.fail(message)
		return nil
	end
	local ended = define.ended
	if ended and ended.why then
		io.stderr:write(("hvsh: note: %s is read up to line %s, which needs %s\n"):format(
			term.clean(ended.file or path), ended.line or "?", ended.why))
	end
	if commands.unfinished() then return nil end
	local specs = operate.specs()
	local named = core.options().board
	for _, spec in ipairs(named and specs or {}) do
		if spec.board and spec.board.name ~= named then
			commands.fail(("zone %s names the board %s, --board names %s"):format(spec.name, spec.board.name, named))
			return nil
		end
	end
	if #specs == 0 then
		commands.fail(path .. ": defines no zone")
		return nil
	end
	return specs
end

-- The script of args[1], the rest being the script's own arguments.
function common.read_request(request)
	return common.read(request.args[1], table.move(request.args, 2, #request.args, 1, {}))
end

function common.simulated()
	return core.options().sim
end

-- Who looks after this machine's zones: hvsh.remote.machine; nil and the exit code after saying what is wrong.
function common.machine()
	local machine, message = require("hvsh.remote").machine()
	if not machine then return nil, common.fail(message) end
	return machine
end

-- One line that says what machine this is about.
function common.banner(machine, color)
	return require("hvsh.remote").banner(machine, color)
end

-- " (simulated)" behind what was done.
function common.mark(color)
	return common.simulated() and " " .. term.paint(color, "yellow", "(simulated)") or ""
end

-- Findings as text with a blank line behind, to standard output or, for commands whose output is something else, to
-- standard error.
function common.findings(findings, request, file)
	local lines = report.findings(findings, { color = request.color, width = request.width })
	if #lines > 0 then (file or io.stdout):write(table.concat(lines, "\n"), "\n\n") end
end

-- Takes the steps of a plan and says of each zone what became of it. Returns the exit code.
function common.carry_out(machine, plan, request, options)
	local ok, message, code = machine.carry_out(plan, options)
	if request.options.json then
		local array = require("hvsh.json").array
		return common.result({
			script = request.args[1], zones = array(report.outcomes(plan, ok or options.keep and code == "EEXIST")),
			findings = array(table.move(plan.findings, 1, #plan.findings, 1, {})), left_out = plan.findings.left_out,
		}, not ok and message)
	end
	if ok or options.keep and code == "EEXIST" then
		common.print(report.done(plan, { color = request.color, mark = common.mark(request.color) }))
	end
	return ok and 0 or common.fail(message)
end

function common.json(value)
	local text, message = require("hvsh.json").encode(value, 2)
	if not text then return commands.fail(message) end
	commands.kept()
	io.stdout:write(text, "\n")
	return 0
end

-- What a command has done, as JSON: also where some of it failed, with error and code. said: standard error has it
-- already. Returns the exit code.
function common.result(value, failure, said)
	value.simulated = common.simulated()
	if failure then value.error, value.code = commands.error(failure) end
	local code = common.json(value)
	if failure and not said then commands.fail(failure) end
	return failure and 1 or code
end

return common
