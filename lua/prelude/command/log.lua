-- SPDX-License-Identifier: GPL-2.0-or-later
-- log: the level of the service's log.
local common = require "hvsh.command.common"
local control = require "hvsh.control"

local command = {}

function command.log(request)
	local reply, message = control.ask { request = "log", level = request.args[1] }
	if not reply then return common.fail(message) end
	if request.options.json then return common.json { level = reply.level, was = reply.was } end
	common.print { reply.level == reply.was and reply.level or ("%s (was %s)"):format(reply.level, reply.was) }
	return 0
end

return command
