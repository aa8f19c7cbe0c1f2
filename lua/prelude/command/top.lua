-- SPDX-License-Identifier: GPL-2.0-or-later
-- top: what zones and their devices do at the moment, by the difference of two looks at their counters.
local common = require "hvsh.command.common"
local commands = require "hvsh.commands"
local control = require "hvsh.control"
local core = require "hvsh.core"
local device = require "hvsh.device"
local json = require "hvsh.json"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

local command = {}

-- ---- rates

local function per_second(now, before, seconds)
	-- A device of the same name may be another one by now, which begins at 0.
	local delta = now - (before or 0)
	return (delta < 0 and now or delta) / seconds
end

local function latency_since(now, before)
	local list = {}
	for i, n in ipairs(now) do
		list[i] = n - (before and before[i] or 0)
		if list[i] < 0 then return now end
	end
	return list
end

local counters = {
	requests = "requests", read_bytes = "read_bytes", written_bytes = "write_bytes", errors = "errors", dropped = "dropped",
	kicks = "kicks", interrupts = "interrupts", wakeups = "wakeups",
}

local function device_rates(d, before, queues_before, seconds)
	local now, rates = d.stats, {}
	for name, counter in pairs(counters) do rates[name] = per_second(now[counter], before and before[counter], seconds) end
	local latency = latency_since(now.latency, before and before.latency)
	rates.p50, rates.p99 = device.quantile(latency, 0.5), device.quantile(latency, 0.99)
	local ready, queues = 0, {}
	for i, queue in ipairs(d.queues) do
		local old = queues_before and queues_before[i] or {}
		ready = ready + (queue.ready and 1 or 0)
		queues[i] = { queue = i - 1, size = queue.size, ready = queue.ready, rates = {
			requests = per_second(queue.completed, old.completed, seconds), kicks = per_second(queue.kicks, old.kicks, seconds),
			interrupts = per_second(queue.interrupts, old.interrupts, seconds),
		} }
	end
	return {
		zone = d.zone, device = d.name, type = d.type, state = d.state, queues = #d.queues, queues_ready = ready, rates = rates,
		queue_rates = queues,
	}
end

local bridge_counters = { "registers", "sleeps", "wakeups", "lost_wakeups", "injections" }

-- What happened between two replies to "metrics": p50 and p99 in ns, polling in CPUs, everything else in rates per second.
function command.rates(before, now)
	local seconds = math.max((now.now - before.now) / 1e9, 1e-3)
	local known = {}
	for _, d in ipairs(before.devices) do known[d.zone .. "/" .. d.name] = d end
	-- What is said of the process is not what the next look is compared with.
	local process = {}
	for key, value in pairs(now.process) do process[key] = value end
	local result = { interval = seconds, process = process, bridge = {}, zones = {}, devices = {} }
	local sums = {}
	for i, d in ipairs(now.devices) do
		local old = known[d.zone .. "/" .. d.name] or {}
		local row = device_rates(d, old.stats, old.queues, seconds)
		result.devices[i] = row
		local sum = sums[d.zone] or { devices = 0, requests = 0, read_bytes = 0, written_bytes = 0, interrupts = 0 }
		sum.devices = sum.devices + 1
		for _, key in ipairs { "requests", "read_bytes", "written_bytes", "interrupts" } do sum[key] = sum[key] + row.rates[key] end
		sums[d.zone] = sum
	end
	for i, zone in ipairs(now.zones) do
		local sum = sums[zone.name]
		local count = sum and sum.devices or 0
		if sum then sum.devices = nil end
		result.zones[i] = { id = zone.id, name = zone.name, state = zone.state, cpus = zone.cpus, devices = count, rates = sum }
	end
	for _, key in ipairs(bridge_counters) do result.bridge[key] = per_second(now.bridge[key], before.bridge[key], seconds) end
	result.bridge.polling = per_second(now.bridge.polling_ns, before.bridge.polling_ns, seconds) / 1e9
	result.process.cpu = per_second(now.process.cpu, before.process.cpu, seconds)
	return result
end

-- ---- order

local sorts = {
	name = false,
	requests = function(r) return r.requests end,
	bytes = function(r) return r.read_bytes + r.written_bytes end,
	latency = function(r) return r.p99 or 0 end,
	kicks = function(r) return r.kicks end,
	interrupts = function(r) return r.interrupts end,
	errors = function(r) return r.errors + r.dropped end,
}

function command.sort(devices, key)
	local value = sorts[key]
	for i, d in ipairs(devices) do d.order = i end
	table.sort(devices, function(a, b)
		if value and value(a.rates) ~= value(b.rates) then return value(a.rates) > value(b.rates) end
		if not value and a.zone ~= b.zone then return a.zone < b.zone end
		if not value and a.device ~= b.device then return a.device < b.device end
		return a.order < b.order
	end)
	for _, d in ipairs(devices) do d.order = nil end
end

-- ---- text

-- 0, 0.5, 12, 1.2k, 34.5M: five characters at most.
local function short(n, step, units)
	local unit = ""
	for next_unit in units:gmatch "." do
		if n < 999.5 then break end
		n, unit = n / step, next_unit
	end
	local digits = unit == "" and (n == 0 or n >= 9.95) and 0 or n < 99.95 and 1 or 0
	return ("%." .. digits .. "f%s"):format(n, unit)
end

local function count(n) return short(n, 1000, "kMGTP") end
local function size(n) return short(n, 1024, "KMGTP") end

local function age(seconds)
	if not seconds then return "?" end
	local s = math.tointeger(seconds // 1)
	if s < 3600 then return ("%d:%02d"):format(s // 60, s % 60) end
	if s < 86400 then return ("%d:%02d h"):format(s // 3600, s % 3600 // 60) end
	return ("%d d %d h"):format(s // 86400, s % 86400 // 3600)
end

-- Devices, and below each its queues.
local function with_queues(devices)
	local rows = {}
	for _, d in ipairs(devices) do
		rows[#rows + 1] = d
		table.move(d.queue_rates, 1, #d.queue_rates, #rows + 1, rows)
	end
	return rows
end

-- { heading, right, what it shows, how soon it gives way where there is no room (0: never), the sort it is, least = width }
-- What is not counted for a queue stays empty in its line.
local device_columns = {
	{ "DEVICE", false, function(d) return d.queue and ("  queue %d"):format(d.queue) or term.clean(d.zone .. "/" .. d.device) end,
		0, "name" },
	{ "TYPE", false, function(d) return d.type or "" end, 6 },
	{ "STATE", false, function(d) return d.state or d.ready and "ready" or "unused" end, 3 },
	{ "QUEUES", true, function(d) return d.queue and ("%d"):format(d.size) or ("%d/%d"):format(d.queues_ready, d.queues) end, 9 },
	{ "REQ/S", true, function(d) return count(d.rates.requests) end, 0, "requests", least = 5 },
	{ "READ/S", true, function(d) return d.queue and "" or size(d.rates.read_bytes) end, 1, "bytes", least = 5 },
	{ "WRITE/S", true, function(d) return d.queue and "" or size(d.rates.written_bytes) end, 1, "bytes", least = 5 },
	{ "P50", true, function(d) return d.queue and "" or device.time_text(d.rates.p50) end, 5, least = 7 },
	{ "P99", true, function(d) return d.queue and "" or device.time_text(d.rates.p99) end, 2, "latency", least = 7 },
	{ "KICK/S", true, function(d) return count(d.rates.kicks) end, 8, "kicks", least = 5 },
	{ "IRQ/S", true, function(d) return count(d.rates.interrupts) end, 7, "interrupts", least = 5 },
	{ "ERR/S", true, function(d) return d.queue and "" or count(d.rates.errors + d.rates.dropped) end, 4, "errors", least = 5 },
}

local zone_columns = {
	{ "ID", true, function(z) return ("%d"):format(z.id) end, 0 },
	{ "ZONE", false, function(z) return z.name == "" and "-" or term.clean(z.name) end, 0 },
	{ "STATE", false, function(z) return z.state == "failed" and "FAILED" or z.state end, 0 },
	{ "CPUS", false, function(z) return #z.cpus > 0 and term.ranges(z.cpus) or "-" end, 4 },
	{ "DEVICES", true, function(z) return ("%d"):format(z.devices) end, 5 },
	{ "REQ/S", true, function(z) return z.rates and count(z.rates.requests) or "-" end, 1, least = 5 },
	{ "READ/S", true, function(z) return z.rates and size(z.rates.read_bytes) or "-" end, 2, least = 5 },
	{ "WRITE/S", true, function(z) return z.rates and size(z.rates.written_bytes) or "-" end, 2, least = 5 },
	{ "IRQ/S", true, function(z) return z.rates and count(z.rates.interrupts) or "-" end, 3, least = 5 },
}

local styles = { broken = "red", failed = "red", FAILED = "red", running = "green", paused = "yellow" }

-- Lines of a table in at most width columns; whole columns are left out for that. sort: that heading is marked.
local function lines_of(columns, list, width, color, sort)
	local shown = table.move(columns, 1, #columns, 1, {})
	while true do
		local rows, right, taken = { {} }, {}, -2
		for i, column in ipairs(shown) do
			rows[1][i], right[i] = column[1], column[2]
			local widest = #column[1]
			for j, item in ipairs(list) do
				-- Columns that keep their width leave lines as they are.
				local text = column.least and term.pad(column[3](item), column.least, true) or column[3](item)
				rows[j + 1] = rows[j + 1] or {}
				rows[j + 1][i] = text
				widest = math.max(widest, term.width(text))
			end
			taken = taken + widest + 2
		end
		local least
		for i, column in ipairs(shown) do
			if column[4] > 0 and (not least or column[4] >= shown[least][4]) then least = i end
		end
		if not width or taken <= width or not least then
			local lines = {}
			for j, line in ipairs(term.columns_of(rows, "", right)) do lines[j] = width and term.cut(line, width) or line end
			if color then
				lines[1] = term.paint(true, "bold", lines[1])
				for i, column in ipairs(shown) do
					if column[5] == sort and sort then lines[1] = lines[1]:gsub(column[1], "\27[7m%0\27[27m", 1) end
					if column[1] == "STATE" then
						for j = 2, #rows do
							local word = rows[j][i]
							if styles[word] then lines[j] = lines[j]:gsub("%f[%w]" .. word .. "%f[%W]", term.paint(true, styles[word], word), 1) end
						end
					end
				end
			end
			return lines
		end
		table.remove(shown, least)
	end
end

-- The page, not longer than rows lines (nil: any length). queues: each with a line of its own.
local function page(rates, request, sort, queues, columns, rows)
	local color, process = request.color, rates.process
	local head = ("hvsh top: service %d, up %s, %s, %.0f%% CPU%s"):format(process.pid or 0, age(process.uptime),
		process.memory and term.size(process.memory) or "?", process.cpu * 100, common.simulated() and ", SIMULATED" or "")
	local bridge = rates.bridge
	local lines = { head, ("bridge: %s registers/s, %s interrupts/s, %s sleeps/s, polls %.0f%% of a CPU"):format(count(bridge.registers),
		count(bridge.injections), count(bridge.sleeps), bridge.polling * 100) }
	for i, line in ipairs(lines) do lines[i] = columns and term.cut(line, columns) or line end
	local zones = lines_of(zone_columns, rates.zones, columns, color)
	local devices = #rates.devices > 0 and lines_of(device_columns, queues and with_queues(rates.devices) or rates.devices,
		columns, color, sort) or { "no devices" }
	-- Of both tables so much that each begins.
	local room = rows and rows - #lines - 2
	if room and #zones + #devices > room then
		local for_zones = math.min(#zones, math.max(2, room // 3))
		for_zones = math.max(for_zones, math.min(#zones, room - #devices))
		local function cut(list, n)
			local left = #list - n
			if left > 0 and n > 0 then list[n] = ("%s %d more"):format(term.sign "…", left + 1) end
			return table.move(list, 1, math.max(n, 0), 1, {})
		end
		zones, devices = cut(zones, for_zones), cut(devices, room - for_zones)
	end
	lines[#lines + 1] = ""
	table.move(zones, 1, #zones, #lines + 1, lines)
	lines[#lines + 1] = ""
	table.move(devices, 1, #devices, #lines + 1, lines)
	return lines
end

-- ---- the screen

local keys = { n = "name", r = "requests", b = "bytes", l = "latency", k = "kicks", i = "interrupts", e = "errors" }
local HELP = "q quit u queues; sort: n name r reqs b bytes l latency k kicks i irqs e errors"

-- Only lines that have changed are written: a serial line is slow.
local function draw(shown, lines, columns)
	local out = {}
	for i = 1, math.max(#shown, #lines) do
		local line = lines[i] or ""
		if shown[i] ~= line then
			out[#out + 1] = ("\27[%d;1H%s%s"):format(i, line, term.width(line) < columns and "\27[K" or "")
		end
	end
	if #out > 0 then
		io.stdout:write(table.concat(out))
		io.stdout:flush()
	end
	return lines
end

local function full_screen(request, ask, interval, sort)
	local ok, message = core.screen_enter()
	if not ok then return common.fail(message) end
	local failed
	local queues = request.options.queues
	do
		local _ <close> = setmetatable({}, { __close = core.screen_leave })
		local before, why = ask()
		local shown, rates, next_look = {}, nil, core.now() + math.min(interval, 500000000)
		failed = not before and why
		while not failed do
			local columns, rows = core.screen_size()
			local lines
			if rates then
				command.sort(rates.devices, sort)
				lines = page(rates, request, sort, queues, columns, rows - 1)
			else
				lines = { term.cut("hvsh top: looking", columns) }
			end
			for i = #lines + 1, rows - 1 do lines[i] = "" end
			lines[rows] = term.paint(request.color, "dim", term.cut(HELP, columns))
			shown = draw(shown, table.move(lines, math.max(1, #lines - rows + 1), #lines, 1, {}), columns)
			local key, event, signal = core.screen_key(math.max(0, next_look - core.now()))
			if signal then return 128 + signal end
			if event == "end" then return 0 end
			if key and key:find "[qQ\3\4]" then return 0 end
			if event == "resize" or key == "\12" then
				io.stdout:write "\27[2J"
				shown = {}
			end
			if key == "u" then queues = not queues end
			sort = key and keys[key:sub(-1)] or sort
			if core.now() >= next_look then
				local now
				now, why = ask()
				if not now then
					failed = why
				else
					rates, before = command.rates(before, now), now
					next_look = core.now() + interval
				end
			end
		end
	end
	return common.fail(failed)
end

-- Digits that nobody has measured are noise.
local function rounded(t)
	for key, value in pairs(t) do
		if type(value) == "table" then
			rounded(value)
		elseif math.type(value) == "float" then
			t[key] = math.floor(value * 1000 + 0.5) / 1000
		end
	end
	return t
end

local function json_of(rates)
	rounded(rates)
	for _, zone in ipairs(rates.zones) do zone.cpus = json.array(zone.cpus) end
	for _, d in ipairs(rates.devices) do d.queue_rates = json.array(d.queue_rates) end
	rates.zones, rates.devices = json.array(rates.zones), json.array(rates.devices)
	rates.simulated = common.simulated()
	return rates
end

-- Interval after interval, for a file or a program.
local function plain(request, ask, interval, sort)
	local before, message = ask()
	if not before then return common.fail(message) end
	local again = false
	while true do
		core.sleep_until(core.now() + interval)
		local now
		now, message = ask()
		if not now then return common.fail(message) end
		local rates = command.rates(before, now)
		before = now
		command.sort(rates.devices, sort)
		if request.options.json and request.options.once then return common.json(json_of(rates)) end
		local text
		if request.options.json then
			text = assert(json.encode(json_of(rates)))
			commands.kept()
		else
			text = (again and "\n" or "") .. table.concat(page(rates, request, sort, request.options.queues), "\n")
		end
		if not (io.stdout:write(text, "\n") and io.stdout:flush()) then return 1 end
		if request.options.once then return 0 end
		again = true
	end
end

function command.top(request)
	local sort = request.options.sort or "name"
	if sorts[sort] == nil then
		local near = nearest.of(sort, sorts)
		return request.misuse(("--sort: there is no key %s (%s)"):format(sort, near and ("did you mean %s?"):format(near)
			or "name, requests, bytes, latency, kicks, interrupts, errors"))
	end
	local interval, why = core.duration(request.options.interval or "2s")
	if not interval then return request.misuse("--interval: " .. why) end
	if interval < 100000000 then return request.misuse "--interval: it looks at most ten times a second" end
	local remote, message = control.connect()
	if not remote then return common.fail(message) end
	local open <close> = remote
	local function ask() return control.call(open, { request = "metrics" }) end
	local draws = core.tty(0) and core.tty(1) and os.getenv "TERM" ~= "dumb" and (os.getenv "TERM" or "") ~= ""
	if draws and not request.options.once and not request.options.json then return full_screen(request, ask, interval, sort) end
	return plain(request, ask, interval, sort)
end

return command
