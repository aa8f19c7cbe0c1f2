-- SPDX-License-Identifier: GPL-2.0-or-later
-- events: what happens to zones and devices, line by line, until Ctrl-C.
local commands = require "hvsh.commands"
local common = require "hvsh.command.common"
local control = require "hvsh.control"
local json = require "hvsh.json"
local term = require "hvsh.term"

local command = {}

local paints = { start = "green", error = "red", broken = "red" }

local function line(e, color)
	if e.event == "lost" then
		return term.paint(color, "yellow", ("%s left out: this command did not read them in time"):format(term.count(e.count, "event")))
	end
	local seconds, part = math.modf(e.time)
	local word = e.what and e.event == "device" and e.what or e.event
	local text = ("%s.%03d  %s  %s"):format(os.date("%Y-%m-%d %H:%M:%S", seconds), math.min(999, math.floor(part * 1000 + 0.5)),
		term.paint(color, paints[word] or "bold", term.pad(word, 6)), term.clean(e.message))
	if e.left_out then text = ("%s (%d more like this before it)"):format(text, e.left_out) end
	return text
end

function command.events(request)
	local remote, message = control.connect()
	if not remote then return common.fail(message) end
	local open <close> = remote
	local reply
	reply, message = control.call(open, { request = "events" })
	if not reply then return common.fail(message) end
	while true do
		local text, signal
		text, message, reply, signal = open:event()
		if not text then return signal and 128 + signal or common.fail(message) end
		commands.kept()
		local e = json.decode(text)
		if type(e) == "table" then
			local ok = io.stdout:write(request.options.json and text or line(e, request.color), "\n") and io.stdout:flush()
			if not ok then return 1 end
		end
	end
end

return command
