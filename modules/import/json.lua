-- SPDX-License-Identifier: GPL-2.0-or-later
-- Turns hvisor-tool's zone and virtio files, in all their historical forms, into a script of ours.
--   local import = require "import.json"
--   local result, problems = import.files { {name = "zone1.json", text = …}, {name = "virtio.json", text = …} }
-- result = {script = text, definitions = text (the zones without starting them), zones = {…}, notes = {place, …}}; problems = {place, …} when something is
-- wrong. A place is {file=, pointer=, line=, message=}.
local json = require "hvsh.json"
local Reader = require "import.json.reader"
local read_zone = require "import.json.zone"
local virtio_file = require "import.json.virtio"
local script_of = require "import.json.script"
local place_of = require "import.json.places"

local import = {}

local function parse(file)
	local r = Reader.new(file.name, file.text)
	local root, message, line = json.decode(file.text)
	if root == nil and message then
		r.problems[1] = { file = file.name, pointer = "/", line = line, message = "no valid JSON: " .. message }
		return r, nil
	end
	if not json.is_object(root) then
		r:problem("", "%s where an object belongs", Reader.kind(root))
		return r, nil
	end
	return r, root
end

-- files: list of {name=, text=}: zone files and virtio files in any order.
function import.files(files)
	local readers, zones, virtio, names, seen = {}, {}, {}, {}, {}
	for _, file in ipairs(files) do
		local r, root = parse(file)
		readers[#readers + 1] = r
		names[#names + 1] = (file.name:gsub(".*/", ""):gsub("[%c]", "?"))
		if root and root.zones ~= nil then
			virtio[#virtio + 1] = { r, root }
		elseif root and root.zone_id == nil and root.memory_regions == nil then
			r:problem("", "neither a zone file (zone_id, memory_regions) nor a virtio file (zones)")
		elseif root then
			local zone = read_zone(r, root)
			if zone.id and seen[zone.id] then
				r:problem("/zone_id", "zone id %d is also that of %s", zone.id, seen[zone.id])
			end
			seen[zone.id or 0] = file.name
			zones[#zones + 1] = zone
		end
	end
	if #zones == 0 and #virtio > 0 then
		virtio[1][1]:problem("/zones", "this file only describes devices: name the zone files they belong to as well")
	else
		for _, v in ipairs(virtio) do virtio_file.with_zones(v[1], v[2], zones) end
	end
	local problems, notes = {}, {}
	for _, r in ipairs(readers) do
		table.move(r.problems, 1, #r.problems, #problems + 1, problems)
		table.move(r.notes, 1, #r.notes, #notes + 1, notes)
	end
	if #problems > 0 then return nil, problems, notes end
	local definitions, script = script_of(zones, names)
	return { script = script, definitions = definitions, zones = zones, notes = notes }
end

-- A virtio file by itself, for who serves the zones it names: a list of {id=, ram=, devices=}; nil and problems.
function import.virtio(file)
	local r, root = parse(file)
	local zones
	if root and root.zones == nil then
		r:problem("", root.zone_id ~= nil and "this is a zone file; a virtio file has zones with devices" or "no virtio file: zones is missing")
	elseif root then
		zones = virtio_file.alone(r, root)
	end
	if #r.problems > 0 then return nil, r.problems, r.notes end
	return zones, r.notes
end

-- Defines the zones of a result, as if they stood in a script whose lines are those of the JSON files: what
-- checks find names them. true, or nil and a message.
function import.define(result)
	local dsl = require "hvsh.dsl"
	local chunk = assert(load(result.definitions, "=(imported)", "t"))
	local ok, message = pcall(chunk)
	if not ok then return nil, tostring(message) end
	for _, zone in ipairs(result.zones) do
		dsl.relocate(dsl.spec_of(dsl.find(zone.name)), function(path) return place_of(zone, path) end)
	end
	return true
end

-- "zone1.json:12: /cpus/0: message"
function import.format(place)
	return ("%s:%s %s: %s"):format(place.file, place.line and place.line .. ":" or "", place.pointer, place.message)
end

return import
