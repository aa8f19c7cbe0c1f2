-- SPDX-License-Identifier: GPL-2.0-or-later
-- Over the control socket of a service: the time of one statement at an attached prompt, and of a list of its zones.
-- Prints the medians in microseconds and the number of zones.
local control = require "hvsh.control"
local core = require "hvsh.core"

local function median(n, f)
	local times = {}
	for i = 1, n do
		local began = core.now()
		f()
		times[i] = core.now() - began
	end
	table.sort(times)
	return times[(n + 1) // 2] // 1000
end

local sh = assert(require("hvsh.shell_remote").open { out = function() end, notice = function() end })
local statement = median(1001, function() assert(sh:run "1" == "done") end)
sh:close()

local connection <close> = assert(control.connect())
local rows
local list = median(201, function() rows = assert(control.call(connection, { request = "list" })).zones end)
print(statement, list, #rows)
