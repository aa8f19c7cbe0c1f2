-- SPDX-License-Identifier: GPL-2.0-or-later
-- What definitions name of this machine: the service may open that from its sandbox, and nothing else.
local core = require "hvsh.core"

local sandbox = {}

-- Fields that name what is read; of devices, what is written.
local READ = { image = true, tree = true, file = true, dtb = true, kernel = true }
local WRITE = { overlay = true, log = true, pty_link = true, evdev = true, card = true }
-- Of a screen that names no card all are looked at.
local CARDS = 16

local function add(list, what, name)
	if type(name) == "string" and name ~= "" then list[#list + 1] = { what, name } end
end

local function walk(list, part, seen)
	if seen[part] then return end
	seen[part] = true
	for key, value in next, part do
		if type(value) == "table" then
			walk(list, value, seen)
		elseif READ[key] then
			add(list, "read", value)
		end
	end
end

local function of_device(list, device)
	local options = device.options or {}
	for key, value in next, options do
		if WRITE[key] then add(list, "write", value) end
	end
	if options.policy then add(list, "read", require("hvsh.policy.define").file(device)) end
	if device.type == "blk" then
		local below = options.readonly or options.snapshot or options.overlay
		add(list, below and "read" or "write", options.image)
	elseif device.type == "net" then
		add(list, "tap", options.tap)
		add(list, "bridge", options.bridge)
	elseif device.type == "gpu" and options.output == "drm" and not options.card then
		for i = 0, CARDS - 1 do add(list, "write", "/dev/dri/card" .. i) end
	end
end

-- Of specs: a list of {"read"|"write"|"tap"|"bridge", name}.
function sandbox.names(specs)
	local dsl = require "hvsh.dsl"
	local list, seen = {}, {}
	for _, spec in ipairs(specs) do
		local raw = dsl.behind(spec).spec
		walk(list, raw, seen)
		for _, device in ipairs(raw.devices or {}) do of_device(list, device) end
		-- zone0's end of a channel, where it has one.
		for _, channel in ipairs(raw.ivc or {}) do add(list, "write", "/dev/hivc" .. channel.id) end
	end
	return list
end

-- In a command, before it asks the service for something that needs these. A refusal shows where the service would
-- need it.
function sandbox.allow(list)
	local ok, message = core.sandbox_grant(list)
	if not ok then core.log("warn", message) end
end

-- The same for its script's definitions.
function sandbox.grant(specs)
	sandbox.allow(sandbox.names(specs))
end

local REFUSAL = "EPERM: a service in its sandbox starts no programs; --no-sandbox lifts that"

-- Before it closes around this process.
function sandbox.prepare()
	for _, entry in ipairs(sandbox.names(require("hvsh.operate").specs())) do core.sandbox_allow(entry[1], entry[2]) end
	-- The system call would be refused all the same, with fewer words.
	function os.execute(command)
		if command == nil then return false end
		return nil, REFUSAL, "EPERM"
	end
	function io.popen() return nil, REFUSAL, "EPERM" end
end

return sandbox
