-- SPDX-License-Identifier: GPL-2.0-or-later
-- map: the machine's memory as a picture.
local common = require "hvsh.command.common"
local core = require "hvsh.core"
local output = require "hvsh.output"
local report = require "hvsh.report"
local term = require "hvsh.term"

local function array(list) return require("hvsh.json").array(list) end

local command = {}

function command.map(request)
	local specs = {}
	local same = request.options.svg and output.destroys(request.options.svg, request.args)
	if same then return common.fail(same) end
	local machine, failed = common.machine()
	if not machine then return failed end
	if request.args[1] then
		specs = common.read_request(request)
		if not specs then return 1 end
	end
	local text, message
	local result = { script = request.args[1] }
	if request.options.svg then
		text, message = machine.map(specs, { svg = true })
		if not text then return common.fail(message) end
		local ok, why = output.write(request.options.svg, text, "svg")
		if not ok then
			local taken = not request.args[1] and request.options.svg:match "^.*%.lua$"
			local hint = taken and (", as in hvsh map --svg map.svg %s"):format(taken)
			return common.fail(why .. (hint or ""))
		end
		io.stderr:write("hvsh: wrote ", term.clean(request.options.svg), "\n")
		result.written = request.options.svg
	elseif request.options.json then
		text, message = machine.map(specs, { spans = true })
		if not text then return common.fail(message) end
		result.ranges = array(text)
	else
		text, message = machine.map(specs, { width = core.columns(), color = request.color, unicode = term.unicode() })
		if not text then return common.fail(message) end
		common.print(common.banner(machine, request.color))
		io.stdout:write(text)
	end
	local function done(failure)
		if request.options.json then return common.result(result, failure) end
		return failure and common.fail(failure) or 0
	end
	if #specs == 0 then return done() end
	-- The picture is drawn of wrong zones, too: it is where one sees what is wrong.
	local findings
	findings, message = machine.check(specs)
	if not findings then return common.fail(message) end
	if findings.errors == 0 then return done() end
	return done(("%s: %s (hvsh check says more)"):format(request.args[1], report.summary(findings)))
end

return command
