-- SPDX-License-Identifier: GPL-2.0-or-later
-- `hv`: the hypervisor below. It is asked when a field is read, not before.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"

local known = { backend = true, name = true, arch = true, version = true, layout = true, limits = true, sandbox = true }

local fields = {}

-- All of it: {backend, name, arch, version, layout, limits, sandbox}; nil, message, code without a hypervisor.
function fields.info()
	return core.info()
end

-- Fault injection, simulated hypervisor only: hv.fault "busy-cpu:2".
function fields.fault(text)
	if type(text) ~= "string" then error('hv.fault takes a fault in words, as "busy-cpu:2"', 2) end
	return core.fault(text)
end

return frozen.object {
	name = "hvsh.hv",
	fields = fields,
	names = known,
	get = function(key)
		if not known[key] then return nil end
		local info, message = core.info()
		if not info then error(message, 3) end
		-- false: the field exists, but which layout it is shows only at the first start.
		if info[key] == nil then return false end
		return info[key]
	end,
	strict = true,
	pairs = function(self)
		local info = core.info() or {}
		return function(_, key) return next(info, key) end, self, nil
	end,
	tostring = function()
		local info, message = core.info()
		if not info then return "no hypervisor: " .. core.plain(message) end
		return ("%s (%s, config version %s%s)"):format(info.backend == "sim" and "simulated hypervisor" or info.name,
			info.arch, info.version, info.layout and ", layout " .. info.layout or "")
	end,
}
