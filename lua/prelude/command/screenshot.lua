-- SPDX-License-Identifier: GPL-2.0-or-later
-- screenshot: what a zone's screen shows, as a PNG file.
local common = require "hvsh.command.common"
local control = require "hvsh.control"
local core = require "hvsh.core"

local command = {}

function command.screenshot(request)
	local name, file = request.args[1], request.args[2]
	local screen = request.options.screen and math.tointeger(tonumber(request.options.screen)) or 0
	if request.options.screen and not request.options.screen:find "^%d+$" then
		return request.misuse(("--screen: %s is not the number of a screen"):format(request.options.screen))
	end
	local mistaken = require("hvsh.output").mistaken(file, "png")
	if mistaken then return common.fail(mistaken) end
	-- The service writes the file, and has another working folder.
	if file:sub(1, 1) ~= "/" then
		local folder, why = core.working_folder()
		if not folder then return common.fail(why) end
		file = folder .. "/" .. file
	end
	require("hvsh.sandbox").allow { { "write", file } }
	local reply, message = control.ask { request = "screenshot", name = name, screen = screen, file = file }
	if not reply then return common.fail(message) end
	return 0
end

return command
