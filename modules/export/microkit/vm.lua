-- SPDX-License-Identifier: GPL-2.0-or-later
-- One zone as a virtual machine of Microkit: memory, interrupts, virtual CPUs.
local PAGE, LARGE = 0x1000, 0x200000
-- Channels of a protection domain are 0 to 61.
local CHANNELS = 62

local function failure(code, fmt, ...)
	return nil, code .. ": " .. fmt:format(...), code
end

-- Text that is a C identifier and reads well in a system description.
local function word(text)
	text = text:gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", "")
	return text:find "^%a" and text or "r_" .. text
end

-- "/soc/bus@ff600000/hdmi-tx@0, /soc/x" -> "hdmi_tx_0"
local function name_of_paths(paths)
	local first = paths:match "^[^,]*"
	return word(first:match "[^/]+$" or first)
end

local function covered(maps, at, phys, size)
	for _, map in ipairs(maps) do
		if at >= map.at and size <= map.size and at - map.at <= map.size - size and phys - at == map.phys - map.at then return true end
	end
	return false
end

-- Whole pages are all that can be mapped.
local function add_map(maps, kind, name, at, phys, size)
	local low = phys % PAGE
	if at % PAGE ~= low then return failure("EINVAL", "0x%x cannot be mapped at 0x%x: they differ within a page", phys, at) end
	at, phys, size = at - low, phys - low, (size + low + PAGE - 1) // PAGE * PAGE
	if covered(maps, at, phys, size) then return true end
	local large = kind ~= "io" and at % LARGE == 0 and phys % LARGE == 0 and size % LARGE == 0
	maps[#maps + 1] = { kind = kind, name = name, at = at, phys = phys, size = size, page = large and LARGE or PAGE }
	return true
end

local function maps_of(entry, plan)
	local zone, maps = entry.zone, {}
	local rams, ok, message, code = 0, true, nil, nil
	local function add(...)
		if ok then ok, message, code = add_map(maps, ...) end
	end
	for _, region in ipairs(zone.regions) do
		if region.type == "ram" then
			rams = rams + 1
			add("ram", word(zone.name) .. "_ram" .. (rams > 1 and rams or ""), region.at, region.phys, region.size)
		end
	end
	-- The plan's first: it has the names.
	for _, region in ipairs(plan and plan.regions or {}) do
		add("io", word(zone.name) .. "_" .. name_of_paths(region.what), region.start, region.start, region.size)
	end
	for _, region in ipairs(plan and plan.memory or {}) do
		add("ram", word(zone.name) .. "_" .. name_of_paths(region.what), region.start, region.start, region.size)
	end
	for _, region in ipairs(zone.regions) do
		if region.type == "io" then
			add("io", word(zone.name) .. "_" .. (region.name and name_of_paths(region.name) or ("io_%x"):format(region.phys)),
				region.at, region.phys, region.size)
		end
	end
	-- A GICv2's CPU interface is the virtual one's registers; a GICv3's are in the CPU.
	local gic = zone.gic
	if gic and gic.version == 2 and gic.gicv_size > 0 then
		add("io", word(zone.name) .. "_gic_vcpu", gic.gicc_base, gic.gicv_base, PAGE)
	end
	if not ok then return nil, message, code end
	local seen = {}
	for _, map in ipairs(maps) do
		local name, n = map.name, 2
		while seen[name] do name, n = map.name .. "_" .. n, n + 1 end
		map.name, seen[name] = name, true
	end
	return maps
end

-- Triggers that the zone's own tree tells: number -> "edge rising".
local function triggers_of(entry)
	local list = {}
	for _, image in ipairs(entry.zone.images) do
		local tree <close> = image.role == "dtb" and image.bytes and require("hvsh.fdt").parse(image.bytes, image.what) or nil
		if tree then
			for node in tree:walk() do
				for _, irq in ipairs(node.irqs) do
					if irq.number then list[irq.number] = { trigger = irq.trigger, path = node.path } end
				end
			end
		end
	end
	return list
end

local function irqs_of(entry, plan, first, lost)
	local list, known, seen, unknown = {}, nil, {}, {}
	local function add(number, trigger, what)
		if seen[number] then return end
		seen[number] = true
		local word_of = trigger and trigger:match "^%a+"
		if word_of ~= "edge" and word_of ~= "level" then
			word_of = nil
			unknown[#unknown + 1] = ("%d (%s)"):format(number, what)
		end
		list[#list + 1] = { number = number, trigger = word_of, what = what, channel = first + #list }
	end
	for _, irq in ipairs(plan and plan.interrupts or {}) do
		add(irq.number, irq.trigger, irq.path .. (irq.name and " " .. irq.name or ""))
	end
	for _, device in ipairs(entry.zone.devices) do seen[device.irq] = true end
	for _, number in ipairs(entry.zone.irqs) do
		if not seen[number] then
			known = known or triggers_of(entry)
			local there = known[number] or {}
			add(number, there.trigger, there.path or "given")
		end
	end
	if #unknown > 0 then
		lost(entry.spec, "irqs", "no tree says of these interrupts whether they are edge or level, and Microkit takes them as level: %s",
			table.concat(unknown, ", "))
	end
	if first < 0 or first + #list > CHANNELS then
		return failure("ERANGE", "zone %s: %d interrupts from channel %d on; a protection domain has channels 0 to %d",
			entry.zone.name, #list, first, CHANNELS - 1)
	end
	return list
end

-- entry: {spec=, zone=}; options as export.microkit describes them. {name, image, priority, ram_symbol, maps, irqs,
-- cpus, comments}, or nil, message, code.
return function(entry, options, lost)
	local zone, spec, plan, message, code = entry.zone, entry.spec, options.plan, nil, nil
	if not plan and spec.passthrough then
		plan, message, code = entry.handle:passthrough()
		if not plan then return nil, message, code end
	end
	if zone.arch ~= "arm64" and zone.arch ~= "riscv64" then
		return failure("ENOTSUP", "zone %s is of %s; virtual machines are described for arm64 and riscv64", zone.name, zone.arch)
	end
	local priority = options.priority or 100
	if priority < 0 or priority > 254 then return failure("ERANGE", "zone %s: a priority is 0 to 254, not %d", zone.name, priority) end
	local maps
	maps, message, code = maps_of(entry, plan)
	if not maps then return nil, message, code end
	local irqs
	irqs, message, code = irqs_of(entry, plan, options.first_channel or 1, lost)
	if not irqs then return nil, message, code end
	if #zone.ivc > 0 then lost(spec, "ivc", "channels between zones are hvisor's own and left out") end
	if #zone.pci_buses + #zone.pci_devices > 0 then lost(spec, "pci", "PCI buses and devices are hvisor's own and left out") end
	for _, problem in ipairs(plan and plan.problems or {}) do
		if problem.severity ~= "note" then lost(spec, "", "%s: %s", problem.path, problem.message) end
	end
	local comments = {}
	for _, image in ipairs(zone.images) do
		comments[#comments + 1] = ("%s at 0x%x"):format(image.what, image.ipa)
	end
	comments[#comments + 1] = ("entry 0x%x"):format(zone.entry)
	for _, device in ipairs(zone.devices) do
		comments[#comments + 1] = ("virtio %s %s: registers 0x%x, interrupt %d"):format(device.type, device.name, device.at, device.irq)
	end
	local symbol = options.ram_symbol
	if symbol == nil then symbol = "guest_ram_vaddr" end
	return {
		name = zone.name, word = word(zone.name), image = options.image or word(zone.name) .. "_vmm.elf", priority = priority,
		ram_symbol = symbol, maps = maps, irqs = irqs, cpus = zone.cpus, comments = comments,
	}
end
