-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the process that serves zones answers to the commands, and how they ask it. A request is
-- {"request": WORD, …}, its answer {"error": TEXT, "code": CODE} or what the word says.
local core = require "hvsh.core"
local json = require "hvsh.json"

local control = {}

-- word -> function(request, connection): the answer; or nil, message, code.
local answers = {}

-- Connections that are sent events, until the first one after they have gone.
local watched = {}

local function names_of(request)
	local names = {}
	for i, name in ipairs(type(request.zones) == "table" and request.zones or {}) do names[i] = tostring(name) end
	return names
end

-- {"request":"list"} -> {"zones": [{id, name, state, cpus, memory, defined}], "devices": [{zone, name, type, at, irq, state, stats}]}
function answers.list()
	local operate = require "hvsh.operate"
	local rows, message, code = operate.list(operate.specs())
	if not rows then return nil, message, code end
	local zones = {}
	for _, row in ipairs(rows) do
		zones[#zones + 1] = {
			id = row.id, name = row.name, state = row.state, memory = row.memory, defined = row.defined,
			supervised = row.supervised,
			-- A definition's own list is frozen.
			cpus = json.array(table.move(row.cpus, 1, #row.cpus, 1, {})),
		}
	end
	local devices = require("hvsh.device").all_facts()
	for _, d in ipairs(devices) do
		d.handle = nil
		d.stats.latency, d.queues = json.array(d.stats.latency), json.array(d.queues)
		if d.ports then d.ports = json.array(d.ports) end
	end
	return { zones = json.array(zones), devices = json.array(devices) }
end

-- {"request":"metrics"} -> what list says, and {"now": ns of a clock, "bridge": {…}, "process": {…}} of the same moment
function answers.metrics(request, connection)
	local reply, message, code = answers.list(request, connection)
	if not reply then return nil, message, code end
	reply.now, reply.bridge = core.now(), core.bridge_stats()
	reply.process = require("hvsh.process").facts()
	return reply
end

-- {"request":"limit","name":"linux1/root","iops":500,"bps":20971520} -> {"name", "limits"}: without a rate no limit
function answers.limit(request)
	local device = require "hvsh.device"
	local object, message, code = device.named(request.name)
	if not object then return nil, message, code end
	for _, word in ipairs { "iops", "bps" } do
		local why = request[word] ~= nil and device.wrong_rate(request[word])
		if why then return nil, ("EINVAL: %s %s"):format(word, why), "EINVAL" end
	end
	local ok
	ok, message, code = object:limit { iops = request.iops, bps = request.bps }
	if not ok then return nil, message, code end
	return { name = request.name, limits = object.limits }
end

-- {"request":"limits","name":"linux1/root"} -> the same
function answers.limits(request)
	local object, message, code = require("hvsh.device").named(request.name)
	if not object then return nil, message, code end
	return { name = request.name, limits = object.limits }
end

-- {"request":"stop","zone":"linux1"} -> {"id": 1, "name": "linux1"}
function answers.stop(request)
	local which = request.zone
	if type(which) ~= "string" and math.type(which) ~= "integer" then return nil, "EINVAL: stop needs a zone", "EINVAL" end
	local ok, entry, code = require("hvsh.operate").stop(which)
	if not ok then return nil, entry, code end
	return { id = entry.id, name = entry.name }
end

-- Definitions of several scripts may have come together: one that neither runs nor is meant stands in nobody's way.
local function meant_or_running(names)
	local operate, specs, wanted = require "hvsh.operate", {}, {}
	for _, name in ipairs(names) do wanted[name] = true end
	for _, row in ipairs(core.list() or {}) do wanted[row.name] = true end
	for _, spec in ipairs(operate.specs()) do
		if wanted[spec.name] then specs[#specs + 1] = spec end
	end
	return specs
end

local function start(request, restart)
	local operate = require "hvsh.operate"
	local names = names_of(request)
	local unknown = operate.unknown(names)
	if unknown then return nil, "ENOENT: " .. unknown, "ENOENT" end
	local options = { restart = restart, force = restart, hint = "hvsh restart takes it down and starts it as written" }
	local ok, message, code, findings = operate.start(#names > 0 and names or nil, options)
	if findings and #names > 0 then
		options.specs = meant_or_running(names)
		ok, message, code = operate.start(names, options)
	end
	if not ok then return nil, message, code end
	return { done = true }
end

-- {"request":"start","zones":["linux1"]} -> {"done": true}; zones of the service's own script, [] = all
function answers.start(request) return start(request, false) end

-- {"request":"restart","zones":["linux1"]} -> {"done": true}
function answers.restart(request) return start(request, true) end

-- The console a name means: "linux1/hvc0", or "linux1" where it has one. With a port's name: "linux1/hvc0/agent".
local function find_console(name)
	local consoles, titles = {}, {}
	for _, d in ipairs(core.devices()) do
		if d.type == "console" then consoles[#consoles + 1] = d end
	end
	local found, port
	for _, d in ipairs(consoles) do
		local title = d.zone .. "/" .. d.name
		titles[#titles + 1] = title
		if name == title or (name == d.zone and not found) then found = d end
		for i, p in ipairs(d.ports) do
			if p.name and name == title .. "/" .. p.name then found, port = d, i - 1 end
		end
	end
	if found then return found, port or 0 end
	local near = require("hvsh.nearest").of(name, titles)
	return nil, ("ENOENT: there is no console %s (%s)"):format(name, #titles == 0 and "none is served"
		or near and ("did you mean %s?"):format(near) or table.concat(titles, ", ")), "ENOENT"
end
control.find_console = find_console

-- {"request":"console","name":"linux1/hvc0","back":4096,"readonly":false,"force":false} -> {"channel": 1}
function answers.console(request, connection)
	if type(request.name) ~= "string" then return nil, "EINVAL: console needs a name", "EINVAL" end
	local found, port, code = find_console(request.name)
	if not found then return nil, port, code end
	local channel, message
	channel, message, code = core.control_console(connection, found.handle, port, {
		back = math.tointeger(request.back) or 4096, readonly = request.readonly == true, force = request.force == true,
	})
	if not channel then return nil, message, code end
	return { channel = channel }
end

-- The graphics card a name means: "linux1/panel", or "linux1" where it has one.
local function find_screen(name)
	local cards, titles = {}, {}
	for _, d in ipairs(core.devices()) do
		local title = d.zone .. "/" .. d.name
		if name == title then return d end
		if d.type == "gpu" then
			titles[#titles + 1] = title
			if name == d.zone then cards[#cards + 1] = d end
		end
	end
	if cards[1] then return cards[1] end
	local near = require("hvsh.nearest").of(name, titles)
	return nil, ("ENOENT: there is no screen %s (%s)"):format(name, #titles == 0 and "no zone served has one"
		or near and ("did you mean %s?"):format(near) or table.concat(titles, ", ")), "ENOENT"
end

-- {"request":"screenshot","name":"linux1/panel","screen":0,"file":"/tmp/panel.png"} -> {"file"}
function answers.screenshot(request)
	if type(request.name) ~= "string" then return nil, "EINVAL: screenshot needs a name", "EINVAL" end
	if type(request.file) ~= "string" or request.file:sub(1, 1) ~= "/" then
		return nil, "EINVAL: screenshot needs a file, by its whole path", "EINVAL"
	end
	local found, message, code = find_screen(request.name)
	if not found then return nil, message, code end
	local screen = math.tointeger(request.screen or 0)
	if not screen or screen < 0 or screen > 15 then
		return nil, ("EINVAL: screen %s: screens are counted from 0"):format(tostring(request.screen)), "EINVAL"
	end
	local ok
	ok, message, code = core.gpu_screenshot(found.handle, request.file, screen)
	if not ok then return nil, message, code end
	return { file = request.file }
end

-- {"request":"shell","cols":80,"color":true,"unicode":true} -> {"channel": 1, "prompt": "service> "}
function answers.shell(request, connection)
	return require("hvsh.shell_server").open(request, connection)
end

-- {"request":"log","level":"debug"} -> {"level": "debug", "was": "warn"}; without a level it stays
function answers.log(request)
	local log = require "hvsh.log"
	local ok, was = pcall(log.level, request.level)
	if not ok then return nil, "EINVAL: " .. tostring(was):gsub("^.*log%.level: ", ""), "EINVAL" end
	return { level = log.level(), was = was }
end

-- A client has gone.
function control.gone(connection)
	local stop = watched[connection]
	watched[connection] = nil
	if stop then stop() end
end

-- {"request":"events"} -> {"events": true}; from now on all of them come, as events of the connection.
function answers.events(_, connection)
	if watched[connection] then return { events = true } end
	-- Of one that had gone before its turn came, nobody would say so again.
	if not core.control_connected(connection) then return nil, "EPIPE: the client has gone", "EPIPE" end
	watched[connection] = require("hvsh.event").listen(function(e) core.control_event(connection, json.encode(e)) end)
	return { events = true }
end

-- Of specs that a command has read from a script.
for _, word in ipairs { "check", "plan", "apply", "map", "info" } do
	answers[word] = function(request)
		if word ~= "info" and type(request.specs) ~= "table" then return nil, ("EINVAL: %s needs specs"):format(word), "EINVAL" end
		return require("hvsh.remote").answers[word](request)
	end
end

local function answer(connection, text)
	local request, why = json.decode(text)
	if type(request) ~= "table" then return nil, "EINVAL: this is no JSON object" .. (why and ": " .. why or ""), "EINVAL" end
	local f = type(request.request) == "string" and answers[request.request]
	if not f then
		return nil, ("ENOSYS: the service knows no request %s"):format(tostring(request.request)), "ENOSYS"
	end
	return f(request, connection)
end

-- A client asks. The answer goes back when it is there.
function control.request(connection, id, text)
	local ok, result, message, code = pcall(answer, connection, text)
	if not ok then
		core.log("error", "a request failed: " .. tostring(result))
		result, message, code = nil, "EFAULT: the service failed at this request; its log says more", "EFAULT"
	end
	local reply = result or { error = (tostring(message):gsub("^E[%u%d]+: ", "")), code = code }
	local encoded, why = json.encode(reply)
	if not encoded then encoded = json.encode { error = "EIO: " .. tostring(why), code = "EIO" } end
	local sent, other
	sent, why, other = core.control_reply(connection, id, encoded)
	-- Of a client that does not read, or has gone, core has said so.
	if sent or other ~= "EMSGSIZE" then return end
	local asked = json.decode(text)
	local word = type(asked) == "table" and tostring(asked.request):sub(1, 32) or "a request"
	core.log("warn", ("the answer to %s of %d bytes is larger than 1 MiB and was not sent"):format(word, #encoded))
	core.control_reply(connection, id, json.encode {
		error = ("the answer is larger than 1 MiB: %d bytes, which cannot be sent; what was asked for may have been done"):format(#encoded),
		code = other,
	})
end

-- ---- the commands' side

-- The service of this machine; nil, message, code (ENOENT: none runs).
function control.connect()
	return core.control_connect()
end

-- Asks it over a connection: the answer as a table; nil, message, code.
function control.call(remote, request)
	local text, why = json.encode(request)
	if not text then return nil, "EILSEQ: this cannot be told to the service: " .. why, "EILSEQ" end
	local message, code
	text, message, code = remote:call(text)
	if not text then return nil, message, code end
	local reply
	reply, why = json.decode(text)
	if type(reply) ~= "table" then return nil, "EPROTO: the service answered no JSON object: " .. tostring(why), "EPROTO" end
	if reply.error then
		local word = reply.code or "EIO"
		return nil, ("%s: %s"):format(word, reply.error), word
	end
	return reply
end

-- The same over one of its own. No service: code is ENOENT and the fourth result true.
function control.ask(request)
	local remote, message, code = control.connect()
	if not remote then return nil, message, code, code == "ENOENT" end
	local _ <close> = remote
	return control.call(remote, request)
end

return control
