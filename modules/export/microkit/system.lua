-- SPDX-License-Identifier: GPL-2.0-or-later
-- Virtual machines as the text of a system description, and their interrupts as a table for C.
local system = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function quoted(text)
	return '"' .. tostring(text):gsub('[&<>"]', ENTITIES):gsub("%c", "?") .. '"'
end

-- Two dashes would end a comment.
local function comment(text)
	return "<!-- " .. text:gsub("%-%-+", "-"):gsub("%-$", ""):gsub("%c", "?") .. " -->"
end

-- `name a="1" b="2"`; entries without a value are left out.
local function element(name, list)
	local parts = { name }
	for _, pair in ipairs(list) do
		if pair[2] ~= nil then
			local value = math.type(pair[2]) == "integer" and pair[3] and ("0x%x"):format(pair[2]) or pair[2]
			parts[#parts + 1] = pair[1] .. "=" .. quoted(value)
		end
	end
	return table.concat(parts, " ")
end

local function inside(a, b)
	return a.phys < b.phys + b.size and b.phys < a.phys + a.size
end

-- One memory region for each stretch of memory: machines that share one share it whole.
local function memory_regions(vms)
	local list = {}
	for _, vm in ipairs(vms) do
		for _, map in ipairs(vm.maps) do
			for _, region in ipairs(list) do
				if region.phys == map.phys and region.size == map.size then
					map.region = region
					region.page = math.min(region.page, map.page)
				elseif inside(region, map) then
					return nil, ("EINVAL: %s (0x%x+0x%x) and %s (0x%x+0x%x) overlap: Microkit maps memory regions as a whole"):format(
						region.name, region.phys, region.size, map.name, map.phys, map.size), "EINVAL"
				end
			end
			if not map.region then
				map.region = map
				list[#list + 1] = map
			end
		end
	end
	return list
end

local function map_element(map, more)
	local list = { { "mr", map.region.name }, { "vaddr", map.at, true }, { "perms", map.kind == "ram" and "rwx" or "rw" } }
	if map.kind == "io" then list[#list + 1] = { "cached", "false" } end
	for _, pair in ipairs(more or {}) do list[#list + 1] = pair end
	return "<" .. element("map", list) .. " />"
end

local function domain(vm, add)
	add(1, "<" .. element("protection_domain", { { "name", vm.word .. "_vmm" }, { "priority", vm.priority } }) .. ">")
	add(2, "<" .. element("program_image", { { "path", vm.image } }) .. " />")
	local first = true
	for _, map in ipairs(vm.maps) do
		if map.kind == "ram" then
			add(2, "<" .. element("map", { { "mr", map.region.name }, { "vaddr", map.at, true }, { "perms", "rw" },
				{ "setvar_vaddr", first and vm.ram_symbol or nil } }) .. " />")
			first = false
		end
	end
	add(2, "<" .. element("virtual_machine", { { "name", vm.word } }) .. ">")
	for i, cpu in ipairs(vm.cpus) do
		add(3, "<" .. element("vcpu", { { "id", i - 1 }, { "cpu", #vm.cpus > 1 and cpu or nil } }) .. " />")
	end
	for _, map in ipairs(vm.maps) do add(3, map_element(map)) end
	add(2, "</virtual_machine>")
	for _, irq in ipairs(vm.irqs) do
		add(2, "<" .. element("irq", { { "irq", irq.number }, { "id", irq.channel }, { "trigger", irq.trigger } }) .. " /> "
			.. comment(irq.what))
	end
	add(1, "</protection_domain>")
end

-- nil, message, code when they cannot be one system.
function system.text(vms)
	local regions, message, code = memory_regions(vms)
	if not regions then return nil, message, code end
	local lines = { '<?xml version="1.0" encoding="UTF-8"?>', "<system>" }
	local function add(depth, text) lines[#lines + 1] = ("    "):rep(depth) .. text end
	for _, region in ipairs(regions) do
		add(1, "<" .. element("memory_region", { { "name", region.name }, { "size", region.size, true },
			{ "page_size", region.page, true }, { "phys_addr", region.phys, true } }) .. " />")
	end
	local owner, named = {}, {}
	for _, vm in ipairs(vms) do
		if named[vm.word] then
			return nil, ("EEXIST: zones %s and %s would both be called %s"):format(named[vm.word], vm.name, vm.word), "EEXIST"
		end
		named[vm.word] = vm.name
		for _, irq in ipairs(vm.irqs) do
			if owner[irq.number] then
				return nil, ("EEXIST: interrupt %d belongs to %s and to %s"):format(irq.number, owner[irq.number], vm.name), "EEXIST"
			end
			owner[irq.number] = vm.name
		end
		add(0, "")
		add(1, comment(vm.name .. ": its monitor loads what follows"))
		for _, text in ipairs(vm.comments) do add(1, comment(text)) end
		domain(vm, add)
	end
	lines[#lines + 1] = "</system>"
	return table.concat(lines, "\n") .. "\n"
end

function system.irq_table(vm)
	local lines = {
		"/* Interrupts that are passed through to " .. vm.word .. ", and the Microkit channels they come by. */",
		("static const struct { unsigned int irq, channel; } %s_irqs[] = {"):format(vm.word),
	}
	for _, irq in ipairs(vm.irqs) do
		lines[#lines + 1] = ("\t{ %d, %d }, /* %s, %s */"):format(irq.number, irq.channel, irq.what:gsub("%*/", "* /"):gsub("%c", "?"),
			irq.trigger or "trigger not known")
	end
	lines[#lines + 1] = "};"
	return table.concat(lines, "\n") .. "\n"
end

return system
