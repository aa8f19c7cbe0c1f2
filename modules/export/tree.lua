-- SPDX-License-Identifier: GPL-2.0-or-later
-- A device tree for a guest that knows its machine from the tree alone: CPUs, memory, interrupt controller, virtio
-- devices and a UART, all from the zone.
--   local tree = assert(require "export.tree".of(z, {uart = {at = 0x10000000, irq = 10}}))
--   tree:save "rtos.dtb"
-- Options: uart = {at=, irq=, size=, compatible=, clock=} (its registers and interrupt are among the zone's), isa,
-- timebase, sources, model, bootargs as fdt.guest has them.
local common = require "export.common"
local nearest = require "hvsh.nearest"

local tree = {}

local PASSED = { isa = true, timebase = true, sources = true, model = true, bootargs = true }
local UART = { at = "0x10000000", irq = "10", size = "0x1000", compatible = '"ns16550a"', clock = "3686400" }

local function check_options(options)
	if type(options) ~= "table" then error("export.tree: options are a table: {uart = {at = 0x10000000, irq = 10}}", 3) end
	local known = { uart = true }
	for key in pairs(PASSED) do known[key] = true end
	nearest.check(options, known, "export.tree has no field", 3)
	local uart = options.uart
	if uart == nil then return end
	if type(uart) ~= "table" then error("export.tree: uart is a table: {at = 0x10000000, irq = 10}", 3) end
	nearest.check(uart, UART, "export.tree: uart has no field", 3)
	for _, key in ipairs { "at", "irq" } do
		if math.type(uart[key]) ~= "integer" then error(("export.tree: uart.%s is missing (as in %s)"):format(key, UART[key]), 3) end
	end
end

local function controller_of(zone)
	local gic, plic = zone.gic, zone.plic
	if gic and gic.version == 3 then
		return "gicv3", { { at = gic.gicd_base, size = gic.gicd_size }, { at = gic.gicr_base, size = gic.gicr_size } }
	elseif gic then
		return "gicv2", { { at = gic.gicd_base, size = gic.gicd_size }, { at = gic.gicc_base, size = gic.gicc_size } }
	elseif plic and plic.plic_size > 0 then
		return "plic", { { at = plic.plic_base, size = plic.plic_size } }
	elseif plic then
		return "aplic", { { at = plic.aplic_base, size = plic.aplic_size } }
	end
end

-- The UART must be the zone's, or the guest would crash at its first letter.
local function owns(zone, uart)
	local size, region_of, irq_of = uart.size or 0x1000, false, false
	for _, region in ipairs(zone.regions) do
		region_of = region_of or region.type == "io" and uart.at >= region.at and uart.at - region.at <= region.size - size
	end
	for _, irq in ipairs(zone.irqs) do irq_of = irq_of or irq == uart.irq end
	if not region_of then return nil, ("ENOENT: zone %s has no registers at 0x%x+0x%x for a UART (mmio)"):format(zone.name, uart.at, size), "ENOENT" end
	if not irq_of then return nil, ("ENOENT: zone %s has no interrupt %d for a UART (irqs)"):format(zone.name, uart.irq), "ENOENT" end
	return true
end

local function add_uart(made, controller, uart)
	local path = ("/serial@%x"):format(uart.at)
	local node, message, code = made:add(path)
	if not node then return nil, message, code end
	local level, gic = 4, controller == "gicv2" or controller == "gicv3"
	local interrupts = gic and { 0, uart.irq - 32, level } or controller == "aplic" and { uart.irq, level } or { uart.irq }
	local size = uart.size or 0x1000
	node:set("compatible", uart.compatible or "ns16550a")
	node:set("reg", { uart.at >> 32, uart.at & 0xffffffff, size >> 32, size & 0xffffffff })
	node:set("interrupts", interrupts)
	if uart.clock then node:set("clock-frequency", uart.clock) end
	return made:set("/chosen", "stdout-path", path)
end

-- nil, message, code, findings when the zone is not right.
function tree.of(zone, options)
	options = options or {}
	check_options(options)
	local entries, message, code, findings = common.resolve("export.tree", zone)
	if not entries then return nil, message, code, findings end
	local entry = entries[1]
	local decided, uart = entry.zone, options.uart
	local controller, registers = controller_of(decided)
	if not controller then return nil, ("ENOTSUP: zone %s is of %s, which has no device trees here"):format(decided.name, decided.arch), "ENOTSUP" end
	local ok
	if uart then
		ok, message, code = owns(decided, uart)
		if not ok then return nil, message, code end
	end
	local wanted = { controller = controller, registers = registers, cpus = decided.cpus, memory = {}, virtio = {}, ivc = {} }
	for key in pairs(PASSED) do wanted[key] = options[key] end
	wanted.bootargs = wanted.bootargs or entry.spec.kernel and entry.spec.kernel.cmdline
	local gic = decided.gic
	if controller == "gicv3" and gic.gits_size > 0 then wanted.its = { at = gic.gits_base, size = gic.gits_size } end
	for _, region in ipairs(decided.regions) do
		if region.type == "ram" then table.insert(wanted.memory, { at = region.at, size = region.size }) end
	end
	for i, device in ipairs(decided.devices) do wanted.virtio[i] = { at = device.at, size = device.size, irq = device.irq } end
	for i, ivc in ipairs(decided.ivc) do wanted.ivc[i] = ivc.irq end
	for _, image in ipairs(decided.images) do
		if image.role == "initrd" then wanted.initrd = { at = image.ipa, size = image.size } end
	end
	local made
	made, message, code = require("hvsh.fdt").guest(wanted)
	if not made then return nil, message, code end
	if uart then
		ok, message, code = add_uart(made, controller, uart)
		if not ok then
			made:close()
			return nil, message, code
		end
	end
	return made
end

return tree
