-- SPDX-License-Identifier: GPL-2.0-or-later
-- The names a script finds without require; `require "hvsh"` returns the same table.
-- Each part is loaded at the first use of its name.
local function dsl() return require "hvsh.dsl" end

local parts = {
	zone = function() return dsl().zone end,
	zones = function() return require "hvsh.zones" end,
	memmap = function() return require "hvsh.memmap" end,
	fdt = function() return require "hvsh.fdt" end,
	clock = function() return require "hvsh.clock" end,
	hv = function() return require "hvsh.hv" end,
	ivc = function() return require "hvsh.ivc" end,
	log = function() return require "hvsh.log" end,
	help = function() return require("hvsh.help").help end,
	event = function()
		local event = require "hvsh.event"
		return require("hvsh.frozen").object {
			name = "hvsh.event", fields = { listen = event.listen, signal = event.signal }, strict = true,
		}
	end,
	virtio = function()
		local fields = { list = function() return require("hvsh.device").list() end }
		for name, constructor in pairs(dsl().devices) do fields[name] = constructor end
		return require("hvsh.frozen").object { name = "hvsh.virtio", fields = fields, strict = true }
	end,
}
for _, name in ipairs { "blk", "net", "console", "gpu", "scmi", "rng", "input", "custom", "slot" } do
	parts[name] = function() return dsl().devices[name] end
end
for _, name in ipairs { "spawn", "sleep", "after", "every" } do
	parts[name] = function() return require("hvsh.task")[name] end
end

local loaded = {}

return setmetatable({}, {
	__name = "hvsh",
	__metatable = false,
	__names = parts, -- for completion
	__index = function(_, name)
		local value = loaded[name]
		if value == nil and parts[name] then
			value = parts[name]()
			loaded[name] = value
		end
		return value
	end,
	__newindex = function(_, name)
		error(("hvsh cannot be changed (field %s)"):format(tostring(name)), 2)
	end,
	__pairs = function(self)
		return function(_, name)
			name = next(parts, name)
			if name then return name, self[name] end
		end, self, nil
	end,
	__tostring = function() return "hvsh" end,
})
