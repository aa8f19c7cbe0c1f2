-- SPDX-License-Identifier: GPL-2.0-or-later
-- Virtio devices that are served: what `zone:device "root"` gives back.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

local device = {}

local handle_of = setmetatable({}, { __mode = "k" })

local function handle(self, method)
	return handle_of[self] or error(("call it with a colon: device:%s()"):format(method), 3)
end

-- The value below which so much of the counts lie, in ns: the upper end of a bucket.
function device.quantile(latency, part)
	local total, sum = 0, 0
	for _, n in ipairs(latency) do total = total + n end
	if total == 0 then return nil end
	for i, n in ipairs(latency) do
		sum = sum + n
		if sum >= total * part then return 1 << i end
	end
end

function device.time_text(ns)
	if not ns then return "-" end
	if ns < 1000 then return ("%d ns"):format(ns) end
	if ns < 1000000 then return ("%.3g us"):format(ns / 1000) end
	if ns < 1000000000 then return ("%.3g ms"):format(ns / 1000000) end
	return ("%.3g s"):format(ns / 1000000000)
end

local function with_quantiles(stats)
	stats.p50, stats.p99 = device.quantile(stats.latency, 0.5), device.quantile(stats.latency, 0.99)
	return stats
end

-- Facts of one device as of now, as they are printed and sent: a plain table, or nil.
function device.facts(h)
	local facts = core.device(h)
	if facts then with_quantiles(facts.stats) end
	return facts
end

-- All that are served by this process.
function device.all_facts()
	local list = core.devices()
	for _, facts in ipairs(list) do with_quantiles(facts.stats) end
	return list
end

-- Lines of a table.
function device.lines(list, color)
	local rows = { { "DEVICE", "TYPE", "STATE", "REQUESTS", "READ", "WRITTEN", "ERRORS", "IRQS", "P50", "P99" } }
	for i, cell in ipairs(rows[1]) do rows[1][i] = term.paint(color, "bold", cell) end
	for _, d in ipairs(list) do
		local s = d.stats
		rows[#rows + 1] = {
			term.clean(d.zone .. "/" .. d.name), d.type,
			term.paint(color, d.state == "broken" and "red" or d.state == "running" and "green" or "dim", d.state),
			("%d"):format(s.requests), term.size(s.read_bytes), term.size(s.write_bytes),
			("%d"):format(s.errors + s.dropped), ("%d"):format(s.interrupts), device.time_text(s.p50), device.time_text(s.p99),
		}
	end
	return term.columns_of(rows, "", { false, false, false, true, true, true, true, true, true, true })
end

local function need_options(options, word, allowed)
	if type(options) ~= "table" then error(("%s takes a table of options"):format(word), 3) end
	nearest.check(options, allowed, word .. " has no option", 3)
	return options
end

local function bytes(value, word)
	if type(value) == "string" then
		local n, why = core.size(value)
		if not n then error(("%s: %s"):format(word, why), 3) end
		return n
	end
	if type(value) ~= "number" or value < 0 then error(("%s is %s, not a size"):format(word, tostring(value)), 3) end
	return value
end

-- What is wrong with a rate, or nil.
function device.wrong_rate(value)
	if type(value) == "number" and (value == 0 or value >= 1e-4 and value <= 1e12) then return nil end
	return ("is %s; a rate is 0 (no limit), or a number from 0.0001 to 10^12 per second"):format(tostring(value))
end

local function rate(value, word)
	local why = device.wrong_rate(value)
	if why then error(("%s %s"):format(word, why), 3) end
	return value
end

local function whole(value, word)
	if value == nil then return 0 end
	local n = math.tointeger(value)
	if not n or n < 0 then error(("%s is %s, not a whole number"):format(word, tostring(value)), 3) end
	return n
end

local methods = {}

-- At most so many requests and bytes per second. {iops=, bps=, burst=, burst_bytes=}; what is not given is without
-- limit; limit{} takes all limits away. bursts: what may pass at once after a pause (default: a tenth of a second's worth).
function methods:limit(options)
	local h = handle(self, "limit")
	need_options(options, "limit", { iops = true, bps = true, burst = true, burst_bytes = true })
	local bps = options.bps ~= nil and rate(bytes(options.bps, "limit: bps"), "limit: bps") or 0
	local iops = options.iops ~= nil and rate(options.iops, "limit: iops") or 0
	local burst_bytes = options.burst_bytes ~= nil and whole(bytes(options.burst_bytes, "limit: burst_bytes"),
		"limit: burst_bytes") or 0
	return core.device_limit(h, iops, whole(options.burst, "limit: burst"), bps, burst_bytes)
end

-- No request is taken on until resume; those under way end.
function methods:pause() return core.device_pause(handle(self, "pause"), true) end
function methods:resume() return core.device_pause(handle(self, "resume"), false) end

-- Calls f with each of its events, as a task of its own. A handle with close.
function methods:on(f)
	local h = handle(self, "on")
	local facts, message, code = core.device(h), "ENODEV: the device is gone", "ENODEV"
	if not facts then return nil, message, code end
	local listener = require("hvsh.event").device_on(facts.zone, facts.name, f)
	return listener
end

local policies = {} -- by handle

-- The policy a device was given; its definition's, too.
function device.keep_policy(h, guard)
	for other in pairs(policies) do
		if not core.device(other) then policies[other] = nil end
	end
	policies[h] = guard
end

-- blk, net, console: a function decides about its requests, see hvsh.policy. A handle with stats and close. Without
-- options: that of the policy it has; nil when it has none.
function methods:policy(options)
	local h = handle(self, "policy")
	if options == nil then
		local known = policies[h]
		return known and known.state ~= "closed" and known or nil
	end
	local guard, message, code = require("hvsh.policy").new(h, options, 3)
	if not guard then return nil, message, code end
	device.keep_policy(h, guard)
	return guard
end

-- Takes the device out of its zone; its window answers as an empty slot. The guest should have let go of it.
function methods:detach() return core.device_detach(handle(self, "detach")) end

-- blk: as large as the image is by now, or grown to size. The capacity, in bytes.
function methods:resize(size)
	local h = handle(self, "resize")
	return core.blk_resize(h, size ~= nil and whole(bytes(size, "resize: size"), "resize: size") or 0)
end

-- blk: what was written so far is on the disk when it returns.
function methods:sync() return core.blk_sync(handle(self, "sync")) end

local function screen_number(value, word)
	if value == nil then return 0 end
	local n = math.tointeger(value)
	if not n or n < 0 or n > 15 then error(("%s: screen is %s; screens are counted from 0"):format(word, tostring(value)), 3) end
	return n
end

-- net: pulls the cable (false) and plugs it in again (true). gpu: that of a screen.
function methods:link(up, screen)
	local h = handle(self, "link")
	if type(up) ~= "boolean" then error("link takes true or false", 2) end
	local facts = core.device(h)
	if not facts or facts.type ~= "gpu" then return core.net_link(h, up) end
	local number = screen_number(screen, "link")
	local s = facts.screens[number + 1] or { width = 0, height = 0 }
	return core.gpu_resize(h, up and s.width or 0, up and s.height or 0, number)
end

-- gpu: what a screen shows, as a PNG file. {screen=}
function methods:screenshot(file, options)
	local h = handle(self, "screenshot")
	if type(file) ~= "string" or file == "" then error("screenshot takes the name of a file", 2) end
	options = need_options(options or {}, "screenshot", { screen = true })
	return core.gpu_screenshot(h, file, screen_number(options.screen, "screenshot"))
end

-- gpu: gives the display to other programs, and takes it back.
function methods:release() return core.gpu_hand_over(handle(self, "release"), false) end
function methods:take() return core.gpu_hand_over(handle(self, "take"), true) end

-- console: the size of the terminal, as the guest sees it. gpu: that of a screen, in pixels.
function methods:size(columns, rows, screen)
	local h = handle(self, "size")
	for _, n in ipairs { columns or 0, rows or 0 } do
		if not math.tointeger(n) or n < 1 or n > 65535 then error("size takes two numbers, 1 to 65535", 2) end
	end
	local facts = core.device(h)
	if facts and facts.type == "gpu" then return core.gpu_resize(h, columns, rows, screen_number(screen, "size")) end
	return core.console_resize(h, columns, rows)
end

-- custom: bytes for the next buffer of a receive queue; queues are counted from 0.
function methods:send(queue, text)
	local h = handle(self, "send")
	if not math.tointeger(queue) or queue < 0 or queue > 7 then error("send: queues are counted from 0", 2) end
	if type(text) ~= "string" then error(("send takes bytes, not a %s"):format(type(text)), 2) end
	return core.custom_send(h, queue, text)
end

-- custom: its configuration, or another part of it from offset on.
function methods:config(offset, text)
	local h = handle(self, "config")
	if offset == nil then return core.custom_config(h) end
	if type(text) ~= "string" then error(("config takes an offset and bytes, not a %s"):format(type(text)), 2) end
	return core.custom_config(h, whole(offset, "config: offset"), text)
end

-- input: what a script types, clicks and touches; see hvsh.input.
for _, word in ipairs { "key", "text", "button", "pointer", "touch" } do
	methods[word] = function(self, ...) return require("hvsh.input")[word](handle(self, word), ...) end
end

-- console: a reader and writer, see hvsh.console. {port=, back=}
function methods:open(options)
	local h = handle(self, "open")
	options = need_options(options or {}, "open", { port = true, back = true })
	local back = options.back
	if back == "all" then
		back = -1
	elseif back ~= nil then
		back = whole(bytes(back, "open: back"), "open: back")
	end
	local port = options.port
	if port ~= nil and type(port) ~= "string" and not math.tointeger(port) then
		error("open: port is a number or a name", 2)
	end
	local client, message, code = core.console_open(h, port, back)
	if not client then return nil, message, code end
	local facts = core.device(h)
	for i, p in ipairs(facts.ports) do
		if p.name and p.name == port then port = i - 1 end
	end
	return require("hvsh.console").new(client, ("%s/%s"):format(facts.zone, facts.name), h, port or 0)
end

local by_handle = setmetatable({}, { __mode = "v" })

-- The object of a device that is served.
function device.object(h)
	local known = by_handle[h]
	if known then return known end
	local first = core.device(h)
	if not first then return nil end
	local title = ("%s/%s"):format(first.zone, first.name)
	local fields = {}
	for name, method in pairs(methods) do fields[name] = method end
	for _, key in ipairs { "zone", "name", "type", "at", "irq" } do fields[key] = first[key] end
	local names = { stats = true, state = true }
	for key in pairs(first) do names[key] = true end
	for key in pairs(fields) do names[key] = true end
	local object = frozen.object {
		name = "hvsh.device", fields = fields, names = names, strict = true,
		get = function(key)
			local facts = device.facts(h)
			if key == "state" then return facts and facts.state or "detached" end
			if not facts then
				if not names[key] then return nil end
				error(("%s is gone: it was detached, or its zone has stopped"):format(title), 3)
			end
			if key == "handle" or key == "zone_id" then return nil end
			-- A field that only some devices have.
			if facts[key] == nil and names[key] then return false end
			return facts[key]
		end,
		pairs = function(self)
			local facts = device.facts(h) or { zone = first.zone, name = first.name, state = "detached" }
			facts.handle, facts.zone_id = nil, nil
			return function(_, key) return next(facts, key) end, self, nil
		end,
		tostring = function()
			local facts = core.device(h)
			return ("%s %s: %s"):format(first.type, title, facts and facts.state or "detached")
		end,
	}
	handle_of[object] = h
	by_handle[h] = object
	return object
end

-- The device of a zone by its name; nil, message, code.
function device.find(zone_id, zone_name, name)
	local list, names = core.devices(), {}
	for _, d in ipairs(list) do
		if d.zone_id == zone_id then
			if d.name == name then return device.object(d.handle) end
			names[#names + 1] = d.name
		end
	end
	local near = nearest.of(name, names)
	local why = #names == 0 and "none of its devices is served by this process: is the zone started?"
		or near and ("did you mean %s?"):format(near) or "it has " .. table.concat(names, ", ")
	return nil, ("ENOENT: zone %s has no device %s (%s)"):format(zone_name, name, why), "ENOENT"
end

-- The device that "linux1/root" names; nil, message, code.
function device.named(title)
	local titles = {}
	for i, d in ipairs(core.devices()) do
		titles[i] = ("%s/%s"):format(d.zone, d.name)
		if titles[i] == title then return device.object(d.handle) end
	end
	if type(title) ~= "string" then return nil, "EINVAL: a device is named by its zone and its name, as linux1/root", "EINVAL" end
	local near = nearest.of(title, titles)
	return nil, ("ENOENT: there is no device %s (%s)"):format(title, #titles == 0 and "none is served"
		or near and ("did you mean %s?"):format(near) or table.concat(titles, ", ")), "ENOENT"
end

-- Objects of all devices, or those of one zone.
function device.list(zone_id)
	local objects = {}
	for _, d in ipairs(core.devices()) do
		if not zone_id or d.zone_id == zone_id then objects[#objects + 1] = device.object(d.handle) end
	end
	return frozen.with_text(objects, "hvsh.devices", function(list)
		local facts = {}
		for _, object in ipairs(list) do facts[#facts + 1] = device.facts(handle_of[object]) end
		return #facts == 0 and "no devices" or table.concat(device.lines(facts, false), "\n")
	end)
end

return device
