-- SPDX-License-Identifier: GPL-2.0-or-later
-- Writes zone tables as a script.
local set = require("import.json.reader").set

local HEX = set "at phys size pci entry kernel_gpa screen_base offset control shared rw_size out_size system_table"
local ORDER = { "id", "arch", "cpus", "type", "name", "at", "phys", "size", "image", "cmdline", "regions", "irqs",
	"kernel", "dtb", "entry", "modules", "version", "gicd", "gicr", "its", "gicc", "gich", "gicv", "gic", "uefi", "plic",
	"aplic", "x86", "pci", "ivc" }
local RANK = {}
for i, key in ipairs(ORDER) do RANK[key] = i end

local function scalar(key, value)
	if math.type(value) == "integer" then
		return (HEX[key] and value > 9) and ("0x%x"):format(value) or tostring(value)
	end
	if type(value) == "string" then return (("%q"):format(value):gsub("\\\n", "\\n")) end
	return tostring(value)
end

local function sorted_keys(t)
	local keys = {}
	for key in pairs(t) do keys[#keys + 1] = key end
	table.sort(keys, function(a, b)
		local x, y = RANK[a] or 1000, RANK[b] or 1000
		if x ~= y then return x < y end
		return a < b
	end)
	return keys
end

-- One line when it fits, otherwise one entry a line.
local function literal(key, value, indent)
	if type(value) ~= "table" then return scalar(key, value) end
	local parts, multi = {}, false
	if #value > 0 then
		for i, item in ipairs(value) do
			parts[i] = literal(key, item, indent .. "\t")
			multi = multi or type(item) == "table"
		end
	else
		for _, k in ipairs(sorted_keys(value)) do
			parts[#parts + 1] = k .. " = " .. literal(k, value[k], indent .. "\t")
		end
	end
	local line = "{" .. table.concat(parts, ", ") .. "}"
	if #line + #indent * 8 <= 100 and not line:find("\n", 1, true) and not (multi and #parts > 1) then return line end
	if #value > 0 and not multi then
		local lines, current = {}, ""
		for _, part in ipairs(parts) do
			if #current + #part > 80 then
				lines[#lines + 1], current = current, ""
			end
			current = current .. part .. ", "
		end
		lines[#lines + 1] = current
		return "{\n" .. indent .. "\t" .. table.concat(lines, "\n" .. indent .. "\t"):gsub(" +\n", "\n"):gsub(" +$", "")
			.. "\n" .. indent .. "}"
	end
	return "{\n" .. indent .. "\t" .. table.concat(parts, ",\n" .. indent .. "\t") .. ",\n" .. indent .. "}"
end

local DEVICE_ORDER = { "image", "tap", "mac", "width", "height", "clocks", "resets", "powers", "at", "size", "irq" }

local function device_literal(dev)
	local parts = {}
	for _, key in ipairs(DEVICE_ORDER) do
		if dev[key] ~= nil then parts[#parts + 1] = key .. " = " .. literal(key, dev[key], "\t\t\t") end
	end
	return ("%s %q {%s}"):format(dev.type, dev.name, table.concat(parts, ", "))
end

local function zone_literal(zone)
	local lines = { ("zone %q {"):format(zone.name) }
	local plain = {}
	for key, value in pairs(zone) do
		if key ~= "name" and key ~= "reader" and key ~= "devices" then plain[key] = value end
	end
	if #plain.irqs == 0 then plain.irqs = nil end
	if not plain.kernel then plain.kernel = false end
	for _, key in ipairs(sorted_keys(plain)) do
		lines[#lines + 1] = ("\t%s = %s,"):format(key, literal(key, plain[key], "\t"))
	end
	if zone.devices and #zone.devices > 0 then
		lines[#lines + 1] = "\tdevices = {"
		for _, dev in ipairs(zone.devices) do lines[#lines + 1] = "\t\t" .. device_literal(dev) .. "," end
		lines[#lines + 1] = "\t},"
	end
	lines[#lines + 1] = "}"
	return table.concat(lines, "\n")
end

-- The zones alone, and the whole script. names: of the files they came from.
return function(zones, names)
	local parts = {}
	for i, zone in ipairs(zones) do parts[i] = zone_literal(zone) end
	local definitions = table.concat(parts, "\n\n") .. "\n"
	local head = { "#!/usr/bin/env hvsh", "-- Made from " .. table.concat(names, ", ") .. " by `hvsh import`.",
		"-- Paths are relative to the folder of this script.", "" }
	return definitions, table.concat(head, "\n") .. "\n" .. definitions .. "\nassert(zones.start())\n"
end
