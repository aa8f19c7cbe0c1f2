-- SPDX-License-Identifier: GPL-2.0-or-later
-- export: the zones of a script in the forms of other tools.
local common = require "hvsh.command.common"
local operate = require "hvsh.operate"
local output = require "hvsh.output"
local report = require "hvsh.report"
local term = require "hvsh.term"

local command, forms = {}, {}

-- A failure of an export: the findings when the zones are wrong, otherwise one line.
local function failed(request, message, findings)
	if not findings then return common.fail(message) end
	common.findings(findings, request, io.stderr)
	return common.fail(("%s: %s: nothing was written"):format(request.args[2], report.summary(findings)))
end

local function written(request, lost, paths)
	if request.options.json then
		local array = require("hvsh.json").array
		return common.json {
			written = array(table.move(paths, 1, #paths, 1, {})), findings = array(table.move(lost, 1, #lost, 1, {})),
		}
	end
	common.findings(lost, request, io.stderr)
	for _, path in ipairs(paths) do io.stderr:write("hvsh: wrote ", term.clean(path), "\n") end
	return 0
end

function forms.hvisor(request)
	local folder = request.args[3]
	local lost, message, _, findings = require("export.hvisor").write(folder)
	if not lost then return failed(request, message, findings) end
	return written(request, lost, lost.files)
end

function forms.microkit(request)
	local path = request.args[3]
	local why = output.destroys(path, { request.args[2] })
	if why then return common.fail(why) end
	local vms = {}
	for i, spec in ipairs(operate.specs()) do vms[i] = { zone = require("hvsh.dsl").find(spec.name) } end
	local lost, message, _, findings = require("export.microkit").write(path, vms)
	if not lost then return failed(request, message, findings) end
	return written(request, lost, { path })
end

local targets = { hvisor = "which folder? DIR", microkit = "which file? FILE.system" }

function command.export(request)
	local form = request.args[1]
	if not forms[form] then
		local near = require("hvsh.nearest").of(form, forms)
		return request.misuse(("there is no export %s (%s)"):format(form, near and ("did you mean %s?"):format(near) or "hvisor, microkit"))
	end
	if not request.args[2] then return request.misuse "of which script?" end
	if not request.args[3] then return request.misuse(targets[form]) end
	if not common.read(request.args[2], table.move(request.args, 4, #request.args, 1, {})) then return 1 end
	return forms[form](request)
end

return command
