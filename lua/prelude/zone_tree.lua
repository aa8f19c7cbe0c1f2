-- SPDX-License-Identifier: GPL-2.0-or-later
-- zone:tree and zone:passthrough: what a zone's definition makes of device trees.
local core = require "hvsh.core"
local fdt = require "hvsh.fdt"

local zone_tree = {}

-- The zone's device tree as it would be loaded, made or patched.
function zone_tree.tree(spec, specs)
	local zones, message, code, findings = core.resolve(specs)
	if not zones then
		if findings then message = code .. ": the zones are not right\n" .. tostring(require("hvsh.report").findings_list(findings)) end
		return nil, message, code
	end
	for _, zone in ipairs(zones) do
		for _, image in ipairs(zone.id == spec.id and zone.images or {}) do
			if image.role == "dtb" and image.bytes then return fdt.parse(image.bytes, spec.name) end
		end
	end
	return nil, ("ENOENT: zone %s has no device tree"):format(spec.name), "ENOENT"
end

-- The plan of the devices it is given, as fdt.passthrough makes it.
function zone_tree.passthrough(spec)
	local given = spec.passthrough
	if not given then return nil, ("ENOENT: zone %s is given no devices"):format(spec.name), "ENOENT" end
	local path = given.tree or spec.board and spec.board.tree
	local tree, message, code
	if path then tree, message, code = fdt.open(path) else tree, message, code = fdt.machine() end
	if not tree then return nil, message, code end
	local devices, compatible, rates = {}, {}, {}
	for _, device in ipairs(given.devices) do
		if device.compatible then compatible[#compatible + 1] = device.compatible else devices[#devices + 1] = device.name end
	end
	for _, rate in ipairs(given.rates or {}) do
		rates[rate.device] = rates[rate.device] or {}
		rates[rate.device][rate.clock or rate.slot] = rate.hz
	end
	return fdt.passthrough { tree = tree, devices = devices, compatible = compatible, rates = rates, coalesce = given.coalesce }
end

return zone_tree
