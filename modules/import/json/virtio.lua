-- SPDX-License-Identifier: GPL-2.0-or-later
-- A virtio file of hvisor-tool: its devices are added to the zones they belong to.
local Reader = require "import.json.reader"

local set, shown, to_integer = Reader.set, Reader.shown, Reader.to_integer

local DEFAULT_WINDOW = 0x200

local DEVICE_KEYS = {
	blk = set "type addr len irq status img",
	net = set "type addr len irq status tap mac",
	console = set "type addr len irq status",
	gpu = set "type addr len irq status width height",
	scmi = set "type addr len irq status clock_ids reset_ids power_ids",
}
local NAMES = { blk = "disk", net = "eth", console = "console", gpu = "gpu", scmi = "scmi" }

local function read_mac(r, entry, at)
	local mac = {}
	if entry.mac == nil then return nil end
	for i, byte in ipairs(r:list(entry, at, "mac", 6)) do
		local value = to_integer(byte)
		if not value or value < 0 or value > 255 then
			r:problem(("%s/mac/%d"):format(at, i - 1), "%s is no byte", shown(byte))
			return nil
		end
		mac[i] = ("%02x"):format(value)
	end
	if #mac ~= 6 then
		r:problem(at .. "/mac", "a MAC address has 6 bytes, here are %d", #mac)
		return nil
	end
	return table.concat(mac, ":")
end

local function read_ids(r, entry, at, key)
	if entry[key] == nil then return nil end
	local out = {}
	for i, id in ipairs(r:list(entry, at, key, 1024)) do
		local value = to_integer(id)
		if not value or value < 0 or value > 0xffffffff then
			r:problem(("%s/%s/%d"):format(at, key, i - 1), "%s is no id", shown(id))
		else
			out[#out + 1] = value
		end
	end
	return out
end

local function read_device(r, entry, at, counts)
	local type = r:string(entry, at, "type")
	if not type then return nil end
	if not DEVICE_KEYS[type] then
		r:problem(at .. "/type", "device type %s is none of blk, net, console, gpu, scmi", shown(type))
		return nil
	end
	r:known(entry, at, DEVICE_KEYS[type])
	local status = r:string(entry, at, "status", "enable")
	if status == "disable" then
		r:note(at .. "/status", "a disabled %s: left out", type)
		return nil
	elseif status ~= "enable" then
		r:problem(at .. "/status", "'status' is %s, neither \"enable\" nor \"disable\"", shown(status))
	end
	local index = counts[type] or 0
	counts[type] = index + 1
	local size = r:integer(entry, at, "len", { default = DEFAULT_WINDOW, hex = true, min = 1 })
	local dev = { type = type, name = NAMES[type] .. index, pointer = at, reader = r, at = r:integer(entry, at, "addr"),
		size = size ~= DEFAULT_WINDOW and size or nil, irq = r:integer(entry, at, "irq", { max = 1023 }) }
	if type == "blk" then
		dev.image = r:string(entry, at, "img")
	elseif type == "net" then
		dev.tap, dev.mac = r:string(entry, at, "tap"), read_mac(r, entry, at)
	elseif type == "gpu" then
		dev.width = r:integer(entry, at, "width", { default = 1280, max = 16384 })
		dev.height = r:integer(entry, at, "height", { default = 800, max = 16384 })
	elseif type == "scmi" then
		dev.clocks, dev.resets, dev.powers = read_ids(r, entry, at, "clock_ids"), read_ids(r, entry, at, "reset_ids"),
			read_ids(r, entry, at, "power_ids")
	end
	return dev
end

-- Whether [start, start + size) lies in size bytes from base.
local function inside(range, base, start, size)
	return start >= base and size <= range.size and start - base <= range.size - size
end

-- Whether the zone's RAM regions, one after the other, map [ipa, ipa + size) to phys.
local function is_ram(zone, ipa, phys, size)
	local left = size
	while left > 0 do
		local step
		for _, ram in ipairs(zone.regions) do
			if ram.type == "ram" and inside(ram, ram.at, ipa, 1) and (ram.phys or ram.at) + (ipa - ram.at) == phys then
				step = math.min(left, ram.size - (ipa - ram.at))
			end
		end
		if not step then return false end
		ipa, phys, left = ipa + step, phys + step, left - step
	end
	return true
end

-- The virtio file repeats the zone's RAM; it is not taken over, but a difference is a fault worth knowing.
local function compare_memory(r, entry, at, zone)
	for i, region in ipairs(r:list(entry, at, "memory_region", 64, true)) do
		local where = ("%s/memory_region/%d"):format(at, i - 1)
		if r:object(region, where) then
			local phys, ipa = r:integer(region, where, "zone0_ipa"), r:integer(region, where, "zonex_ipa")
			local size = r:integer(region, where, "size", { min = 1 })
			if phys and ipa and size and not is_ram(zone, ipa, phys, size) then
				r:note(where, "maps 0x%x (guest) to 0x%x, which is no RAM of zone %s in %s: the zone file counts",
					ipa, phys, zone.name, zone.reader.file)
			end
		end
	end
end

-- hvisor traps a virtio region at its physical address, whatever its guest address says.
local function check_device(r, dev, zone)
	local window, granted = false, false
	for _, region in ipairs(zone.regions) do
		if region.type == "virtio" and inside(region, region.phys or region.at, dev.at, dev.size or DEFAULT_WINDOW) then
			window = true
		end
	end
	for _, irq in ipairs(zone.irqs) do if irq == dev.irq then granted = true end end
	if not window then
		r:note(dev.pointer .. "/addr", "0x%x lies in no virtio region of zone %s in %s: one is added", dev.at, zone.name,
			zone.reader.file)
	end
	if not granted and zone.arch ~= "x86_64" then -- there, virtio interrupts need no grant
		r:note(dev.pointer .. "/irq", "interrupt %d is not granted to zone %s in %s: it is added", dev.irq, zone.name,
			zone.reader.file)
	end
end

local function read_devices(r, entry, at, each)
	local counts = {}
	for k, device in ipairs(r:list(entry, at, "devices", 8)) do
		local where = ("%s/devices/%d"):format(at, k - 1)
		if r:object(device, where) then
			local dev = read_device(r, device, where, counts)
			if dev and dev.at and dev.irq then each(dev) end
		end
	end
end

-- Without zone files, as the old tool's service works: {id=, ram = {{ipa=, phys=, size=}}, devices=} each.
local function read_alone(r, root)
	local zones = {}
	r:known(root, "", set "zones")
	for i, entry in ipairs(r:list(root, "", "zones", 32)) do
		local at = ("/zones/%d"):format(i - 1)
		if r:object(entry, at) then
			r:known(entry, at, set "id memory_region devices")
			local zone = { id = r:integer(entry, at, "id", { min = 1, max = 31 }), ram = {}, devices = {} }
			for k, region in ipairs(r:list(entry, at, "memory_region", 64)) do
				local where = ("%s/memory_region/%d"):format(at, k - 1)
				if r:object(region, where) then
					zone.ram[k] = { phys = r:integer(region, where, "zone0_ipa"), ipa = r:integer(region, where, "zonex_ipa"),
						size = r:integer(region, where, "size", { min = 1 }) }
				end
			end
			read_devices(r, entry, at, function(dev) zone.devices[#zone.devices + 1] = dev end)
			zones[#zones + 1] = zone
		end
	end
	return zones
end

-- zones: the tables of the zone files given along.
local function read_virtio(r, root, zones)
	r:known(root, "", set "zones")
	for i, entry in ipairs(r:list(root, "", "zones", 32)) do
		local at = ("/zones/%d"):format(i - 1)
		if r:object(entry, at) then
			local id = r:integer(entry, at, "id", { max = 31 })
			local zone
			for _, z in ipairs(zones) do if z.id == id then zone = z end end
			if id and not zone then
				r:problem(at .. "/id", "devices for zone %d, whose zone file is not among those given", id)
			elseif zone then
				r:known(entry, at, set "id memory_region devices")
				compare_memory(r, entry, at, zone)
				zone.devices = zone.devices or {}
				read_devices(r, entry, at, function(dev)
					check_device(r, dev, zone)
					zone.devices[#zone.devices + 1] = dev
				end)
			end
		end
	end
end

return { with_zones = read_virtio, alone = read_alone }
