-- SPDX-License-Identifier: GPL-2.0-or-later
-- What hvisor-tool of configuration version 6 would send for a zone file: packed straight from the JSON, apart
-- from the importer, the script and the codec, so that all three are compared with it.
local json = require "hvsh.json"

local function int(v)
	if v == nil then return 0 end
	if type(v) == "string" then return tonumber(v) or error("not a number: " .. v) end
	return v
end

local function u64s(config, ...)
	local out = {}
	for i, key in ipairs { ... } do out[i] = string.pack("<I8", int(config[key])) end
	return table.concat(out)
end

local ARCH = {}

function ARCH.arm64(config)
	local v3 = config.gic_version == "v3" or (config.gic_version == nil and config.gicr_base ~= nil)
	local gic = v3 and u64s(config, "gicd_base", "gicd_size", "gicr_base", "gicr_size", "gits_base", "gits_size")
		or u64s(config, "gicd_base", "gicd_size", "gicc_base", "gicc_size", "gicc_offset", "gich_base", "gich_size",
			"gicv_base", "gicv_size")
	local head = string.pack("<I8I8", config.is_aarch32 and 1 or 0, v3 and 1 or 0)
	local body = head .. gic
	body = body .. ("\0"):rep(88 - #body)
	local uefi = config.memory_map_addr ~= nil
	return body .. string.pack("<I8", uefi and 0 or 1)
		.. (uefi and u64s(config, "memory_map_addr", "memory_map_size", "sys_map_addr") or ("\0"):rep(24))
end

function ARCH.riscv64(config)
	return u64s(config, "plic_base", "plic_size", "aplic_base", "aplic_size")
end

-- initrd_size: what was loaded.
function ARCH.x86_64(config)
	return u64s(config, "ioapic_base", "ioapic_size", "kernel_entry_gpa", "cmdline_load_gpa", "setup_load_gpa",
		"initrd_load_gpa", "initrd_size", "rsdp_memory_region_id", "acpi_memory_region_id", "uefi_memory_region_id",
		"screen_base")
end

function ARCH.loongarch64()
	return ("\0"):rep(8)
end

-- size_of(path): the size of a file that is loaded, in whole pages; 0 when nothing is.
return function(root, arch, size_of)
	local cpus = 0
	for _, cpu in ipairs(root.cpus) do cpus = cpus | 1 << cpu end
	local out = { string.pack("<I4I4I8I4I4", int(root.zone_id), 0, cpus, #root.memory_regions, 0) }
	local types = { ram = 0, io = 1, virtio = 2 }
	for i = 1, 64 do
		local r = root.memory_regions[i]
		out[#out + 1] = r and string.pack("<I4I4I8I8I8", types[r.type], 0, int(r.physical_start), int(r.virtual_start), int(r.size))
			or ("\0"):rep(32)
	end
	local words = {}
	for i = 1, 32 do words[i] = 0 end
	for _, irq in ipairs(root.interrupts or {}) do
		irq = int(irq)
		words[irq // 32 + 1] = words[irq // 32 + 1] | 1 << irq % 32
	end
	out[#out + 1] = string.pack("<" .. ("I4"):rep(32), table.unpack(words))
	assert(#(root.ivc_configs or {}) == 0, "no IVC in these files")
	out[#out + 1] = ("\0"):rep(8 + 80)
	local kernel, dtb = size_of(root.kernel_filepath), size_of(root.dtb_filepath)
	out[#out + 1] = string.pack("<I8I8I8I8I8c32", int(root.entry_point), int(root.kernel_load_paddr), kernel,
		int(root.dtb_load_paddr), dtb, root.name)
	out[#out + 1] = ARCH[arch](root.arch_config or {})
	local buses = root.pci_config or {}
	if not json.is_array(buses) and next(buses) then buses = { buses } end
	out[#out + 1] = string.pack("<I8", #buses)
	for i = 1, 4 do
		local b = buses[i]
		out[#out + 1] = b and u64s(b, "ecam_base", "ecam_size", "io_base", "io_size", "pci_io_base", "mem32_base", "mem32_size",
			"pci_mem32_base", "mem64_base", "mem64_size", "pci_mem64_base")
			.. string.pack("<I4I4I8", int(b.bus_range_begin), int(b.bus_range_end), int(b.domain)) or ("\0"):rep(104)
	end
	local devices = root.alloc_pci_devs or {}
	out[#out + 1] = string.pack("<I8", #devices)
	for i = 1, 32 do
		local d = devices[i]
		if type(d) == "table" then
			local bus, device, fn = int(d.bus), int(d.device), int(d["function"])
			out[#out + 1] = string.pack("<BBBBBBBBI4", int(d.domain), bus, device, fn, int(d.v_bus or bus),
				int(d.v_device or device), int(d.v_function or fn), 0, int(d.dev_type))
		elseif d then
			local bus, device, fn = d >> 8, d >> 3 & 31, d & 7
			out[#out + 1] = string.pack("<BBBBBBBBI4", 0, bus, device, fn, bus, device, fn, 0, 0)
		else
			out[#out + 1] = ("\0"):rep(12)
		end
	end
	return table.concat(out)
end
