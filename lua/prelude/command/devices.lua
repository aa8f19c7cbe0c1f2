-- SPDX-License-Identifier: GPL-2.0-or-later
-- devices and limit: what is served, and how much of it may be done.
local common = require "hvsh.command.common"
local control = require "hvsh.control"
local core = require "hvsh.core"
local json = require "hvsh.json"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

local command = {}

local styles = { broken = "red", running = "green", paused = "yellow" }

local function table_of(devices, color)
	local rows = { { "ZONE", "DEVICE", "TYPE", "WINDOW", "IRQ", "STATE", "REQUESTS", "READ", "WRITTEN", "ERRORS" } }
	for i, cell in ipairs(rows[1]) do rows[1][i] = term.paint(color, "bold", cell) end
	for _, d in ipairs(devices) do
		local s = d.stats
		rows[#rows + 1] = {
			term.clean(d.zone), term.clean(d.name), d.type, term.hex(d.at), ("%d"):format(d.irq),
			term.paint(color, styles[d.state] or "dim", d.state),
			("%d"):format(s.requests), term.size(s.read_bytes), term.size(s.write_bytes), ("%d"):format(s.errors + s.dropped),
		}
	end
	return term.columns_of(rows, "", { false, false, false, true, true, false, true, true, true, true })
end

function command.devices(request)
	local reply, message = control.ask { request = "list" }
	if not reply then return common.fail(message) end
	if request.options.json then
		return common.json { simulated = common.simulated(), devices = json.array(reply.devices) }
	end
	if common.simulated() then common.print { term.paint(request.color, "yellow", "SIMULATED hypervisor") } end
	common.print(#reply.devices == 0 and { "no devices" } or table_of(reply.devices, request.color))
	return 0
end

-- A rate as it is typed: a number, or nil and what is wrong.
local function rate(word, text)
	local value, why
	if word == "bps" then
		value, why = core.size(text)
		if not value then return nil, "bps: " .. why end
	else
		value = tonumber(text)
		if not value then return nil, ("iops: \"%s\" is no number"):format(text) end
	end
	why = require("hvsh.device").wrong_rate(value)
	if why then return nil, ("%s %s"):format(word, why) end
	return value
end

-- The limits of the words behind the device; nil and what is wrong. Without words: nil.
local function limits_of(words)
	local limits
	for _, word in ipairs(words) do
		local key, text = word:match "^(%w+)=(.*)$"
		if word == "off" then
			if #words > 1 then return nil, "off stands alone" end
			return {}
		elseif key ~= "iops" and key ~= "bps" then
			return nil, ("%s: it takes iops=N, bps=SIZE or off%s"):format(word, nearest.hint(key or word, { "iops", "bps", "off" }))
		end
		limits = limits or {}
		if limits[key] then return nil, key .. " is given twice" end
		local value, why = rate(key, text)
		if not value then return nil, why end
		limits[key] = value
	end
	return limits
end

local function text_of(limits)
	local parts = {}
	if limits.iops then parts[1] = ("%s requests/s"):format(("%.14g"):format(limits.iops)) end
	if limits.bps then parts[#parts + 1] = term.size(math.tointeger(limits.bps) or limits.bps) .. "/s" end
	return #parts > 0 and "at most " .. table.concat(parts, " and ") or "no limit"
end

function command.limit(request)
	local name = request.args[1]
	local limits, why = limits_of(table.move(request.args, 2, #request.args, 1, {}))
	if why then return request.misuse(why) end
	local reply, message
	if limits then
		reply, message = control.ask { request = "limit", name = name, iops = limits.iops, bps = limits.bps }
	else
		reply, message = control.ask { request = "limits", name = name }
	end
	if not reply then return common.fail(message) end
	if request.options.json then
		return common.json { simulated = common.simulated(), device = reply.name, limits = reply.limits }
	end
	common.print { ("%s: %s%s"):format(term.clean(reply.name), text_of(reply.limits), common.mark(request.color)) }
	return 0
end

return command
