-- SPDX-License-Identifier: GPL-2.0-or-later
-- hv: what hypervisor this machine has.
local common = require "hvsh.command.common"
local term = require "hvsh.term"

local command = {}

local limit_words = { { "zones", "zones" }, { "cpus", "CPUs" }, { "regions", "memory regions per zone" },
	{ "irqs", "interrupts" }, { "virtio_devices", "virtio devices" }, { "pci_buses", "PCI buses" },
	{ "pci_devices", "PCI devices" }, { "ivc", "IVC channels per zone" } }

function command.hv(request)
	local machine, failed = common.machine()
	if not machine then return failed end
	local info, message = machine.info()
	if not info then return common.fail(message) end
	if request.options.json then return common.json(info) end
	local limits = {}
	for _, limit in ipairs(limit_words) do
		local value = info.limits and info.limits[limit[1]]
		if value then limits[#limits + 1] = ("%d %s"):format(value, limit[2]) end
	end
	local rows = {
		{ "backend", info.backend == "sim" and term.paint(request.color, "yellow", "SIMULATED") or info.name },
		{ "architecture", info.arch },
		{ "config version", tostring(info.version) },
		{ "layout", info.layout or "not known before the first start" },
		{ "sandbox", info.sandbox },
		{ "limits", term.wrap(table.concat(limits, ", "), 78, (" "):rep(16)) },
	}
	common.print(term.columns_of(rows))
	return 0
end

return command
