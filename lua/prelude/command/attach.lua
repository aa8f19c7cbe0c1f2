-- SPDX-License-Identifier: GPL-2.0-or-later
-- attach: a prompt inside the service.
local common = require "hvsh.command.common"
local core = require "hvsh.core"

local command = {}

local EPIPE = 32

-- Whoever does not read any more ends this quietly.
local function show(text)
	io.write(text)
	local ok, why, code = io.stdout:flush()
	if not ok then error(code == EPIPE and { hvsh_report = "" } or "standard output could not be written: " .. why, 0) end
end

local function run_one(sh, text)
	local state, failed = sh:run(text)
	if state == "more" then
		common.fail "-e: the statement is not whole"
		failed = true
	end
	return failed
end

-- Statement by statement, each of as many lines as it has.
local function run_lines(sh)
	local text, failed = nil, false
	for line in io.lines() do
		text = text and text .. "\n" .. line or line
		local state, wrong = sh:run(text)
		failed = failed or wrong
		if state == "quit" or sh.interrupted then return failed end
		if state ~= "more" then text = nil end
	end
	if text then
		common.fail "the last statement is not whole"
		failed = true
	end
	return failed
end

-- Prompts are for terminals: main goes on with what is returned for one.
function command.attach(request)
	local terminal = core.tty(0) and not request.options.e
	local sh, message = require("hvsh.shell_remote").open {
		out = show,
		events = terminal,
		notice = terminal and function(text) require("hvsh.shell").notice(text) end or function(text) io.stderr:write(text, "\n") end,
	}
	if not sh then return common.fail(message) end
	if terminal then
		io.stdout:write(("hvsh: a prompt inside the service (pid %d). Ctrl-D leaves; the service goes on.\n"):format(
			sh.connection:pid()))
		return sh
	end
	local _ <close> = setmetatable({}, { __close = function() sh:close() end })
	local failed
	if request.options.e then failed = run_one(sh, request.options.e) else failed = run_lines(sh) end
	local code = sh:close()
	return code ~= 0 and code or failed and 1 or 0
end

return command
