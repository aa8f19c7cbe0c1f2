-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the process that serves zones answers to the commands, and how they ask it. A request is
-- {"request": WORD, …}, its answer {"error": TEXT, "code": CODE} or what the word says.
local core = require "hvsh.core"
local json = require "hvsh.json"

local control = {}

-- word -> function(request, connection): the answer; or nil, message, code.
local answers = {}

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
			-- A definition's own list is frozen.
			cpus = json.array(table.move(row.cpus, 1, #row.cpus, 1, {})),
		}
	end
	local devices = require("hvsh.device").all_facts()
	for _, d in ipairs(devices) do
		d.handle = nil
		d.stats.latency = json.array(d.stats.latency)
		if d.ports then d.ports = json.array(d.ports) end
	end
	return { zones = json.array(zones), devices = json.array(devices) }
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
	core.control_reply(connection, id, encoded)
end

-- ---- the commands' side

-- The service of this machine; nil, message, code (ENOENT: none runs).
function control.connect()
	return core.control_connect()
end

-- Asks it: the answer as a table; nil, message, code. No service: code is ENOENT and the fourth result true.
function control.ask(request)
	local remote, message, code = control.connect()
	if not remote then return nil, message, code, code == "ENOENT" end
	local text, why
	text, why = json.encode(request)
	if not text then
		remote:close()
		return nil, "EILSEQ: this cannot be told to the service: " .. why, "EILSEQ"
	end
	text, message, code = remote:call(text)
	remote:close()
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

return control
