-- SPDX-License-Identifier: GPL-2.0-or-later
-- The virtio devices of zones as a virtio file of hvisor-tool.
local schema = require "hvsh.schema"
local writer = require "export.hvisor.json"

local object, array, hex = writer.object, writer.array, writer.hex

-- What hvsh calls the devices of such a file, which have no names.
local NAMES = { blk = "disk", net = "eth", console = "console", gpu = "gpu", scmi = "scmi" }

-- The options of a device that have a place there.
local KEPT = {
	blk = { image = true }, net = { tap = true, mac = true }, console = {}, gpu = { width = true, height = true },
	scmi = { clocks = true, resets = true, powers = true },
}

local function mac_bytes(text)
	local bytes = {}
	for byte in text:gmatch "%x%x" do bytes[#bytes + 1] = "0x" .. byte end
	return array(bytes)
end

local SIZE = { width = 1280, height = 800 }

local own = {}

function own.blk(_, options)
	return { { "img", options.image } }
end

function own.net(device, options)
	return { { "tap", options.tap }, { "mac", mac_bytes(device.mac) } }
end

function own.console()
	return {}
end

function own.gpu(device, options, lost)
	local list = {}
	for _, key in ipairs { "width", "height" } do
		if not options[key] then lost(key, "%s must be given in a virtio file: %d is written", key, SIZE[key]) end
		list[#list + 1] = { key, options[key] or SIZE[key] }
	end
	return list
end

function own.scmi(device, options, lost)
	local list = {}
	for _, kind in ipairs { { "clock_ids", "clocks" }, { "reset_ids", "resets" }, { "power_ids", "powers" } } do
		local ids = options[kind[2]]
		if ids == "all" or ids and type(ids[1]) == "string" then
			lost(kind[2], "a virtio file lists %s by number only: %s gets none of them", kind[2], device.name)
		elseif ids then
			list[#list + 1] = { kind[1], array(ids) }
		end
	end
	return list
end

-- Options that were given, differ from what is meant without them, and have no place there.
local function option_losses(type, options, lost)
	local names = {}
	for name in pairs(options) do names[#names + 1] = name end
	table.sort(names)
	for _, name in ipairs(names) do
		local field = schema.devices[type].fields[name]
		if not KEPT[type][name] and options[name] ~= (field and field.default) then
			lost(name, "a virtio file cannot say %s: it is left out", name)
		end
	end
end

local function device_of(entry, device, spec_device, counts, renamed, lost)
	local type, name = device.type, device.name
	local function lost_of(field, fmt, ...)
		lost(entry.spec, "devices." .. name .. (field and "." .. field or ""), fmt, ...)
	end
	if not NAMES[type] then
		lost_of(nil, "%s %s is left out: hvisor-tool has no such device (its register window stays in the zone file)", type, name)
		return nil
	end
	local options = spec_device.options
	if type == "net" and not options.tap then
		lost_of(nil, "net %s is left out: it joins the switch %s, and hvisor-tool only has TAP devices", name, options.switch)
		return nil
	end
	option_losses(type, options, lost_of)
	local meant = NAMES[type] .. (counts[type] or 0)
	counts[type] = (counts[type] or 0) + 1
	if name ~= meant then renamed[#renamed + 1] = name .. " is read back as " .. meant end
	local list = {
		{ "type", type }, { "addr", hex(device.at) }, { "len", hex(device.size) }, { "irq", device.irq },
	}
	local more = own[type](device, options, lost_of)
	table.move(more, 1, #more, #list + 1, list)
	list[#list + 1] = { "status", "enable" }
	return object(list)
end

local function zone_of(entry, lost)
	local memory, devices, by_name, counts, renamed = {}, {}, {}, {}, {}
	for _, region in ipairs(entry.zone.regions) do
		if region.type == "ram" then
			memory[#memory + 1] = object {
				{ "zone0_ipa", hex(region.phys) }, { "zonex_ipa", hex(region.at) }, { "size", hex(region.size) },
			}
		end
	end
	for _, device in ipairs(entry.spec.devices) do
		by_name[device.name] = device
		if device.enabled == false then
			lost(entry.spec, "devices." .. device.name, "%s %s is not enabled and left out", device.type, device.name)
		end
	end
	for _, device in ipairs(entry.zone.devices) do
		devices[#devices + 1] = device_of(entry, device, by_name[device.name], counts, renamed, lost)
	end
	if #renamed > 0 then
		lost(entry.spec, "devices", "a virtio file has no names for devices: %s", table.concat(renamed, ", "))
	end
	if #devices == 0 then return nil end
	return object { { "id", entry.zone.id }, { "memory_region", array(memory) }, { "devices", array(devices) } }
end

-- The text of the file; nil when no zone has a device.
return function(entries, lost)
	local zones = {}
	for _, entry in ipairs(entries) do zones[#zones + 1] = zone_of(entry, lost) end
	if #zones == 0 then return nil end
	return writer.encode(object { { "zones", array(zones) } })
end
