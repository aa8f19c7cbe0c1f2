-- SPDX-License-Identifier: GPL-2.0-or-later
-- Zones as a Microkit system description: one protection domain each, which is its virtual machine monitor.
--   local microkit = require "export.microkit"
--   local lost = assert(microkit.write("c4.system", {zone = z, plan = p, irqs = "c4_irqs.h"}))
-- or a list of such tables, for several virtual machines in one system. Fields:
--   zone           a zone: RAM, registers, interrupts, CPUs
--   plan           what fdt.passthrough gave: its pages, reserved memory and interrupts, with their triggers (default:
--                  that of the zone's own passthrough)
--   image          the monitor's program (default: NAME_vmm.elf)
--   priority       of the monitor (default 100)
--   ram_symbol     its variable that gets the address of the first RAM (default guest_ram_vaddr; false: none)
--   first_channel  of the interrupts, which follow each other (default 1)
--   irqs           a file for C: interrupt and channel of each
-- Virtio devices are the monitor's own: it emulates their registers, which must stay unmapped.
local common = require "export.common"
local nearest = require "hvsh.nearest"
local system = require "export.microkit.system"
local vm_of = require "export.microkit.vm"

local microkit = {}

local FIELDS = { zone = "table", plan = "table", image = "string", priority = "integer", ram_symbol = "any",
	first_channel = "integer", irqs = "string" }

-- One description or a list of them, checked. Raises in the name of the caller's caller.
local function descriptions(wanted)
	if type(wanted) ~= "table" or debug.getmetatable(wanted) ~= nil then
		error("export.microkit takes a table: {zone = z, plan = p}", 3)
	end
	if wanted[1] == nil then wanted = { wanted } end
	for _, one in ipairs(wanted) do
		if type(one) ~= "table" or one.zone == nil then error("export.microkit: zone is missing: {zone = z, plan = p}", 3) end
		for key, value in pairs(one) do
			local kind = FIELDS[key]
			if not kind then
				error(("export.microkit has no field %s%s"):format(tostring(key), nearest.hint(key, FIELDS)), 3)
			end
			if kind == "integer" and math.type(value) ~= "integer" or kind == "string" and type(value) ~= "string" then
				error(("export.microkit: %s is %s %s, not %s"):format(key, kind == "integer" and "a number" or "text", kind, tostring(value)), 3)
			end
		end
	end
	return wanted
end

local function make(wanted)
	local handles = {}
	for i, one in ipairs(wanted) do handles[i] = one.zone end
	local entries, message, code, findings = common.resolve("export.microkit", handles)
	if not entries then return nil, message, code, findings end
	local lost, vms, tables = common.losses(), {}, {}
	for i, entry in ipairs(entries) do
		local vm
		vm, message, code = vm_of(entry, wanted[i], lost)
		if not vm then return nil, message, code end
		vms[i] = vm
		if wanted[i].irqs then tables[#tables + 1] = { path = wanted[i].irqs, bytes = system.irq_table(vm) } end
	end
	local text
	text, message, code = system.text(vms)
	if not text then return nil, message, code end
	return { text = text, tables = tables, lost = lost.findings }
end

-- The text of the system description, and what it cannot say as findings. nil, message, code, findings.
function microkit.text(wanted)
	local made, message, code, findings = make(descriptions(wanted))
	if not made then return nil, message, code, findings end
	return made.text, common.result(made.lost)
end

-- Writes it, and the tables of interrupts that were asked for. What it cannot say, as a list of findings.
function microkit.write(path, wanted)
	if type(path) ~= "string" or path == "" then error("export.microkit: write takes a file's name and what goes into it", 2) end
	local made, message, code, findings = make(descriptions(wanted))
	if not made then return nil, message, code, findings end
	local files = { { path = path, bytes = made.text, kind = "system" } }
	table.move(made.tables, 1, #made.tables, 2, files)
	local ok
	ok, message, code = common.write(files)
	if not ok then return nil, message, code end
	return common.result(made.lost)
end

return microkit
