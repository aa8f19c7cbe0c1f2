-- SPDX-License-Identifier: GPL-2.0-or-later
-- clocks: the clocks of the root zone's kernel as a table.
local clock = require "hvsh.clock"
local common = require "hvsh.command.common"
local core = require "hvsh.core"
local term = require "hvsh.term"

local command = {}

local function users_text(users)
	local list = {}
	for i, user in ipairs(users) do
		list[i] = term.clean((user.device or "-") .. (user.connection and ":" .. user.connection or ""))
	end
	return table.concat(list, " ")
end

-- The clock, what it comes from and what it feeds.
local function family(list, name)
	local by_name, keep, out = {}, {}, {}
	for _, entry in ipairs(list) do by_name[entry.name] = entry end
	local at = by_name[name]
	while at and not keep[at.name] do
		keep[at.name] = true
		at = at.parent and by_name[at.parent]
	end
	local below = { [name] = true }
	for _, entry in ipairs(list) do
		if entry.parent and below[entry.parent] then below[entry.name] = true end
		if keep[entry.name] or below[entry.name] then out[#out + 1] = entry end
	end
	return out
end

function command.clocks(request)
	local list, message = core.clock_list()
	if not list then return common.fail(message) end
	if request.args[1] then
		local one
		one, message = clock.find(request.args[1])
		if not one then return common.fail(message) end
		list = family(list, one.name)
	end
	if request.options.json then
		local array = require("hvsh.json").array
		for _, entry in ipairs(list) do array(entry.users) end
		return common.json(array(list))
	end
	local rows, depth = { { "NAME", "RATE", "ENABLED", "PARENT", "LENT", "USED BY" } }, {}
	for _, entry in ipairs(list) do
		depth[entry.name] = entry.parent and depth[entry.parent] and depth[entry.parent] + 1 or 0
		rows[#rows + 1] = {
			("  "):rep(depth[entry.name]) .. term.clean(entry.name), core.clock_hertz_text(entry.rate), tostring(entry.enable_count),
			entry.parent and term.clean(entry.parent) or "-", entry.lent and tostring(entry.lent) or "-", users_text(entry.users),
		}
	end
	local lines = term.columns_of(rows, nil, { false, true, true, false, true })
	lines[1] = term.paint(request.color, "bold", lines[1])
	common.print(common.banner({ info = core.info }, request.color))
	common.print(lines)
	return 0
end

return command
