-- SPDX-License-Identifier: GPL-2.0-or-later
-- What `zone "name" {…}` gives back: a handle on a definition and on the zone that runs by it.
local core = require "hvsh.core"
local define = require "hvsh.define"
local frozen = require "hvsh.frozen"

local zone = {}

local spec_of = setmetatable({}, { __mode = "k" })
local fields_of = setmetatable({}, { __mode = "k" })

-- Loaded at the first use: most of it is not needed to define a zone.
local function operate() return require "hvsh.operate" end

local function spec(self, method)
	return spec_of[self] or error(("call it with a colon: zone:%s()"):format(method), 3)
end

-- A name may be defined anew at the prompt; a handle on the old definition must not act on the new one.
local function current(self, method)
	local s = spec_of[self] or error(("call it with a colon: zone:%s()"):format(method), 3)
	if require("hvsh.dsl").find(s.name) ~= self then
		error(("zone %s has been defined again since; this handle belongs to the old definition"):format(s.name), 3)
	end
	return s
end

local methods = {}

function methods:start()
	local s = current(self, "start")
	if define.active then return define.intend() end
	return operate().answer(operate().start({ s.name }, {
		hint = "zone:restart() takes it down and starts it as written",
	}))
end

function methods:restart()
	local s = current(self, "restart")
	if define.active then return define.intend() end
	return operate().answer(operate().start({ s.name }, {
		restart = true, force = true, hint = ("stop it first: zones.stop(%d)"):format(s.id),
	}))
end

function methods:stop()
	local s = spec(self, "stop")
	if define.active then return define.intend() end
	local ok, message, code = operate().stop(s.name)
	if not ok then return nil, message, code end
	return true
end

function methods:state()
	local s = current(self, "state")
	if define.active and not define.truthful() then define.finish "a running zone" end
	local plan, message, code = core.plan(operate().specs(), { names = { s.name } })
	if plan then return plan:deltas()[1].state end
	if define.active then define.finish "a running zone" end
	return nil, message, code
end

function methods:check()
	current(self, "check")
	return operate().check(operate().specs())
end

-- A virtio device of the zone, while it is served by this process.
function methods:device(name)
	local s = spec(self, "device")
	if type(name) ~= "string" then error('device takes a name: zone:device "root"', 2) end
	if define.active then return define.finish "a running zone" end
	return require("hvsh.device").find(s.id, s.name, name)
end

-- All of them.
function methods:devices()
	local s = spec(self, "devices")
	if define.active then return define.finish "a running zone" end
	return require("hvsh.device").list(s.id)
end

-- Adds a device while the zone runs, in a window that was planned: blk "data" {…}. Its object.
function methods:attach(definition)
	local s = current(self, "attach")
	if define.active then return define.intend() end
	if definition == nil then error('attach takes a device: zone:attach(blk "data" {image = "data.img"})', 2) end
	local handle, message, code = core.device_attach(s.id, require("hvsh.dsl").devices_spec { definition })
	if not handle then return nil, message, code end
	return require("hvsh.device").object(handle)
end

-- Calls f with each of its events, "start", "exit", "error" or "device", as a task of its own. A handle with close.
function methods:on(name, f)
	local s = spec(self, "on")
	local listener = require("hvsh.event").zone_on(s.name, s.id, name, f)
	return listener
end

-- Waits until it runs ("start"), does not ("exit") or has crashed ("error"); without a name for its end. {timeout=}
function methods:wait(name, options)
	local s = spec(self, "wait")
	if type(name) == "table" and options == nil and #name == 0 then name, options = nil, name end
	local timeout = require("hvsh.task").timeout(options, "wait")
	if define.active then return define.finish "a running zone" end
	local now, message, code = require("hvsh.event").zone_wait(s.name, s.id, name, timeout)
	if not now then return nil, message, code end
	return now
end

-- The device tree it would be started with, as an object of fdt.
function methods:tree()
	return require("hvsh.zone_tree").tree(current(self, "tree"), operate().specs())
end

-- The plan of the devices it is given: what fdt.passthrough gives.
function methods:passthrough()
	return require("hvsh.zone_tree").passthrough(spec(self, "passthrough"))
end

local function describe(self)
	local s = spec_of[self]
	local text = ("zone %s (%d)"):format(s.name, s.id)
	if define.active then return text .. ": defined" end
	local list = core.list()
	if not list then return text end
	for _, entry in ipairs(list) do
		if entry.id == s.id then
			if entry.name ~= s.name then return ("%s: not running, its id is taken by %s"):format(text, entry.name) end
			return text .. (entry.failed and ": failed" or ": running")
		end
	end
	return text .. ": not running"
end

-- What the hypervisor's users look for in a zone.
local hints = {
	console = 'a console is a device: zone:device("hvc0"):open() for a script, .console ZONE at the prompt',
}

-- A handle for a frozen spec.
function zone.new(s)
	local fields = { name = s.name, id = s.id, spec = s }
	for name, method in pairs(methods) do fields[name] = method end
	local handle = frozen.object {
		name = "hvsh.zone", fields = fields, strict = true, tostring = describe, hints = hints,
	}
	spec_of[handle], fields_of[handle] = s, fields
	return handle
end

-- The handle's zone is defined anew, under the same name.
function zone.redefine(handle, s)
	local fields = fields_of[handle]
	spec_of[handle], fields.id, fields.spec = s, s.id, s
end

-- The spec behind a handle; nil for anything else.
function zone.spec_of(handle)
	return spec_of[handle]
end

return zone
