-- SPDX-License-Identifier: GPL-2.0-or-later
-- Devices whose model is a script: `custom "sensor" {id = 34, queues = {{request = function(dev, out, room) … end}}}`.
-- Each request is a task of its own. Whatever the model does wrong ends one life of one device: DEVICE_NEEDS_RESET.
local core = require "hvsh.core"
local term = require "hvsh.term"

-- The script may take these away.
local xpcall, tostring, type = xpcall, tostring, type

local custom = {}

local CONFIG = 256
local QUEUES = 8

-- ---- definitions

-- Functions stay in the process that has read them; the C side knows a model by its token, which no other process has.
local models, n_models = {}, 0
local here = ("%x"):format(core.now())

-- What was said of a device becomes what lua/spec.c can carry. fail(field, message…).
function custom.define(all, fail)
	local queues = all.queues or {}
	if #queues > QUEUES then return fail("queues", "has %d entries; there can be %d queues", #queues, QUEUES) end
	if #queues == 0 then return fail("queues", "is empty: a device needs a queue") end
	local sizes, receives, requests = {}, {}, {}
	for i, queue in ipairs(queues) do
		local at = ("queues[%d]"):format(i)
		if queue.size & (queue.size - 1) ~= 0 then fail(at .. ".size", "is %d, not a power of two", queue.size) end
		if queue.receive and queue.request then
			fail(at .. ".request", "is given for a receive queue, which is filled by device:send")
		elseif not queue.receive and not queue.request then
			fail(at .. ".request", "is missing: a function, or receive = true for a queue that device:send fills")
		end
		sizes[i], receives[i], requests[i - 1] = queue.size, queue.receive and 1 or 0, queue.request
	end
	for _, bit in ipairs(all.features or {}) do
		if bit > 23 and bit < 50 then fail("features", "has bit %d; those of a device type are 0 to 23 and 50 to 63", bit) end
	end
	local config = all.config or ""
	if all.on_config and config == "" then fail("on_config", "is given, and there is no config to be written") end
	if all.memory < 2 * all.max_request then
		fail("memory", "is %d; it must hold a request and its answer, %d", all.memory, 2 * all.max_request)
	end
	n_models = n_models + 1
	local token = ("%s.%d"):format(here, n_models)
	models[token] = { start = all.start, reset = all.reset, on_config = all.on_config, requests = requests }
	all.timeout = all.timeout or 10 * 1000000000
	all.queue_sizes, all.queue_receives, all.queues = sizes, receives, nil
	all.config = #config > 0 and { config:byte(1, CONFIG) } or nil
	all.features = all.features and #all.features > 0 and all.features or nil
	all.writable = all.on_config ~= nil
	all.model, all.start, all.reset, all.on_config = token, nil, nil, nil
end

-- The name of a device in these specs whose functions another process cannot have; nil = there is none.
function custom.find(specs, names)
	for _, spec in ipairs(specs) do
		for _, device in ipairs(names[spec.name] and spec.devices or {}) do
			if device.type == "custom" and device.enabled ~= false then return spec.name .. "/" .. device.name end
		end
	end
end

-- ---- devices that are served

-- By handle: {life =, started =, busy = task, tasks = {[ticket] = task}, model =, object =}.
local served = {}

local look

local function located(err)
	local meta = debug.getmetatable(err)
	local text = (type(err) == "string" or meta and meta.__tostring) and tostring(err)
		or ("an error that is a %s value"):format(type(err))
	return term.clean(text:sub(1, 400))
end

-- f(…) on behalf of the device; what it gives, or nil when it has failed and the device is broken.
local function guarded(h, life, word, f, ...)
	local watch = core.custom_contain()
	local ok, result = xpcall(f, located, ...)
	if ok then return true, result end
	if core.custom_over(watch) then result = result:gsub("interrupted$", "it has computed for a second without waiting") end
	core.custom_fail(h, life, ("%s: %s"):format(word, result))
	return false
end

local function forget(d, h)
	local tasks = d.tasks
	d.tasks = {}
	for ticket, task in pairs(tasks) do
		task:cancel()
		core.custom_answer(h, ticket, nil)
	end
	if d.busy then d.busy:cancel() end
	d.busy = nil
end

-- A callback that the others wait for.
local function alone(d, h, word, f, ...)
	local life, own = d.life, nil
	d.busy = core.spawn(("%s of %s"):format(word, d.title), function(...)
		guarded(h, life, word, f, ...)
		if d.busy == own then
			d.busy = nil
			look(h)
		end
	end, ...)
	own = d.busy
end

local function answer(d, h, ticket, life, room, bytes)
	local why
	if bytes == nil then bytes = "" end
	if type(bytes) ~= "string" then
		why = ("it gave a %s, not the bytes of an answer"):format(type(bytes))
	elseif #bytes > room then
		why = ("its answer has %d bytes, and the guest has room for %d"):format(#bytes, room)
	else
		local ok, message = core.custom_answer(h, ticket, bytes)
		why = not ok and message
	end
	if why then core.custom_fail(h, life, "request: " .. why) end
	return why == nil or why == false
end

local function serve(d, h, ticket, queue, life, bytes, room)
	local f = d.model.requests[queue]
	d.tasks[ticket] = core.spawn(("request of %s"):format(d.title), function()
		local ok, result = guarded(h, life, "request", f, d.object, bytes, room)
		-- Of a life that is over it was answered when that ended.
		if not d.tasks[ticket] then return end
		ok = ok and answer(d, h, ticket, life, room, result)
		d.tasks[ticket] = nil
		if not ok then core.custom_answer(h, ticket, nil) end
	end)
end

local function bits(features)
	local set = {}
	for bit = 0, 63 do
		if features >> bit & 1 == 1 then set[bit] = true end
	end
	return set
end

-- What the device waits for: first the end of its old life, then its driver, what that has configured, and requests.
function look(h)
	local life, running, broken, features, token = core.custom_life(h)
	local d = served[h]
	if not life then
		if d then forget(d, h) end
		served[h] = nil
		return
	end
	if not d then
		local object = require("hvsh.device").object(h)
		d = { life = life, tasks = {}, model = models[token], object = object, title = ("%s/%s"):format(object.zone, object.name) }
		served[h] = d
	end
	if not d.model then return core.custom_fail(h, life, "its functions are in the process that has read its script") end
	if broken or life ~= d.life then forget(d, h) end
	if life ~= d.life then
		d.life = life
		if d.started and d.model.reset then
			d.started = false
			return alone(d, h, "reset", d.model.reset, d.object)
		end
		d.started = false
	end
	if broken then
		for ticket in core.custom_take, h do core.custom_answer(h, ticket, nil) end
		return
	end
	if d.busy then return end
	if running and not d.started then
		d.started = true
		if d.model.start then return alone(d, h, "start", d.model.start, d.object, bits(features)) end
	end
	local at, bytes = core.custom_written(h)
	if at and d.model.on_config then return alone(d, h, "on_config", d.model.on_config, d.object, at, bytes) end
	if not d.started then return end
	for ticket, queue, of, out, room in core.custom_take, h do
		if of == d.life then
			serve(d, h, ticket, queue, of, out, room)
		else
			core.custom_answer(h, ticket, nil)
		end
	end
end

-- What the __close handlers of their tasks do may end others: those have a round of their own.
local function look_at_ended()
	local ended = {}
	for h in pairs(served) do
		if not core.custom_life(h) then ended[#ended + 1] = h end
	end
	for _, h in ipairs(ended) do look(h) end
end

core.custom_listen(function(h)
	if h then look(h) else look_at_ended() end
end)

return custom
