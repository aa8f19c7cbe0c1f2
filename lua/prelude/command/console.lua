-- SPDX-License-Identifier: GPL-2.0-or-later
-- console: the terminal becomes that of a zone.
local common = require "hvsh.command.common"
local control = require "hvsh.control"
local core = require "hvsh.core"

local command = {}

function command.console(request)
	local back = request.options.back
	if back == "all" then
		back = -1
	elseif back then
		local bytes, why = core.size(back)
		if not bytes then return request.misuse("--back: " .. why) end
		back = bytes
	end
	local remote, message = control.connect()
	if not remote then return common.fail(message) end
	local ok
	ok, message = remote:attach(request.args[1], {
		back = back, readonly = request.options.readonly, force = request.options.force,
	})
	remote:close()
	if not ok then return common.fail(message) end
	-- A signal ended it: as a shell counts.
	return ok == true and 0 or 128 + ok
end

return command
