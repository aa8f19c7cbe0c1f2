-- SPDX-License-Identifier: GPL-2.0-or-later
-- Where in the JSON files a field of an imported zone comes from: for messages about it.
local json = require "hvsh.json"

-- Our name of a field, as a pattern, and the pointer it came from; %d is the index from 0.
local FIELDS = {
	{ "^id", "/zone_id" },
	{ "^arch", "/arch" },
	{ "^cpus%[(%d+)%]", "/cpus/%d" },
	{ "^cpus", "/cpus" },
	{ "^regions%[(%d+)%]%.at", "/memory_regions/%d/virtual_start" },
	{ "^regions%[(%d+)%]%.phys", "/memory_regions/%d/physical_start" },
	{ "^regions%[(%d+)%]%.size", "/memory_regions/%d/size" },
	{ "^regions%[(%d+)%]", "/memory_regions/%d" },
	{ "^irqs%[(%d+)%]", "/interrupts/%d" },
	{ "^irqs", "/interrupts" },
	{ "^kernel%.phys", "/kernel_load_paddr" },
	{ "^kernel%.cmdline", "/arch_config/cmdline" },
	{ "^kernel", "/kernel_filepath" },
	{ "^dtb%.phys", "/dtb_load_paddr" },
	{ "^dtb", "/dtb_filepath" },
	{ "^entry", "/entry_point" },
	{ "^modules%[(%d+)%]", "/modules/%d" },
	{ "^gic", "/arch_config" },
	{ "^plic", "/arch_config" },
	{ "^aplic", "/arch_config" },
	{ "^x86", "/arch_config" },
	{ "^uefi", "/arch_config" },
	{ "^pci%.buses%[(%d+)%]", "/pci_config/%d" },
	{ "^pci%.devices%[(%d+)%]", "/alloc_pci_devs/%d" },
	{ "^ivc%[(%d+)%]", "/ivc_configs/%d" },
}

local DEVICE_FIELDS = { at = "addr", size = "len", image = "img", clocks = "clock_ids", resets = "reset_ids", powers = "power_ids" }

-- The line of the pointer, or of the nearest thing around it that is there.
local function line_of(text, pointer)
	while pointer ~= "" do
		local line = json.locate(text, pointer)
		if line then return line end
		pointer = pointer:match "^(.*)/[^/]*$"
	end
	return json.locate(text, "")
end

-- file and line for a field ("regions[2].size", "devices.disk0.irq") of a zone as read_zone returns it.
return function(zone, path)
	local name, field = path:match "^devices%.([^.]+)%.?([^.]*)"
	for _, dev in ipairs(name and zone.devices or {}) do
		if dev.name == name then
			local pointer = field ~= "" and dev.pointer .. "/" .. (DEVICE_FIELDS[field] or field) or dev.pointer
			return dev.reader.file, line_of(dev.reader.text, pointer)
		end
	end
	for _, known in ipairs(FIELDS) do
		local from, _, index = path:find(known[1])
		if from then
			local pointer = known[2]
			if index then pointer = pointer:format(math.tointeger(tonumber(index)) - 1) end
			return zone.reader.file, line_of(zone.reader.text, pointer)
		end
	end
	return zone.reader.file, 1
end
