-- SPDX-License-Identifier: GPL-2.0-or-later
-- A zone as a zone file of hvisor-tool.
local writer = require "export.hvisor.json"

local object, array, hex = writer.object, writer.array, writer.hex

local ARCH = { arm64 = "arm64", riscv64 = "riscv", loongarch64 = "loongarch64", x86_64 = "x86_64" }

-- Keys with their numbers in hexadecimal, as objects of these files have them. names: "a b=c": b is called c here.
local function numbers(from, names)
	local list = {}
	for theirs, ours in names:gmatch "([%w_]+)=?([%w_]*)" do
		list[#list + 1] = { theirs, hex(from[ours ~= "" and ours or theirs]) }
	end
	return list
end

local function regions_of(zone)
	local list = {}
	for i, region in ipairs(zone.regions) do
		list[i] = object {
			{ "type", region.type }, { "physical_start", hex(region.phys) }, { "virtual_start", hex(region.at) },
			{ "size", hex(region.size) },
		}
	end
	return array(list)
end

-- The image of a role, and whether the old tool loads it as we do.
local function image_of(entry, role, lost)
	for _, image in ipairs(entry.zone.images) do
		if image.role == role then
			if image.format == "elf" then
				lost(entry.spec, role, "%s is an ELF file, which hvisor-tool would copy as it is: make a plain one of it (objcopy -O binary)",
					image.path)
			elseif image.gzip and role == "kernel" then
				lost(entry.spec, role, "%s is compressed, and hvisor-tool would copy it as it is: unpack it first (gunzip)", image.path)
			end
			return image
		end
	end
end

local arch_config = {}

function arch_config.arm64(entry)
	local gic, list = entry.zone.gic, nil
	if gic.version == 3 then
		list = numbers(gic, "gicd_base gicd_size gicr_base gicr_size gits_base gits_size")
	else
		list = numbers(gic, "gicd_base gicd_size gicc_base gicc_size gicc_offset gich_base gich_size gicv_base gicv_size")
	end
	table.insert(list, 1, { "gic_version", "v" .. gic.version })
	if entry.zone.aarch32 then list[#list + 1] = { "is_aarch32", true } end
	if entry.zone.uefi then
		table.move(numbers(entry.zone.uefi, "memory_map_addr memory_map_size sys_map_addr"), 1, 3, #list + 1, list)
	end
	return object(list)
end

function arch_config.riscv64(entry)
	return object(numbers(entry.zone.plic, "plic_base plic_size aplic_base aplic_size"))
end

function arch_config.loongarch64()
	return object {}
end

function arch_config.x86_64(entry, lost)
	local x86, list = entry.zone.x86, nil
	local function add(more) table.move(more, 1, #more, #list + 1, list) end
	list = numbers(x86, "ioapic_base ioapic_size kernel_entry_gpa")
	local boot, setup = image_of(entry, "boot", lost), image_of(entry, "setup", lost)
	local initrd, cmdline = image_of(entry, "initrd", lost), image_of(entry, "cmdline", lost)
	if boot then add { { "boot_filepath", boot.path }, { "boot_load_paddr", hex(boot.phys) } } end
	if setup then
		add { { "setup_filepath", setup.path }, { "setup_load_hpa", hex(setup.phys) }, { "setup_load_gpa", hex(x86.setup_load_gpa) } }
	end
	if cmdline then
		add { { "cmdline", (cmdline.bytes:gsub("%z$", "")) }, { "cmdline_load_hpa", hex(cmdline.phys) },
			{ "cmdline_load_gpa", hex(x86.cmdline_load_gpa) } }
	end
	if initrd then
		add { { "initrd_filepath", initrd.path }, { "initrd_load_hpa", hex(initrd.phys) },
			{ "initrd_load_gpa", hex(x86.initrd_load_gpa) } }
	end
	add(numbers(x86, "rsdp_memory_region_id acpi_memory_region_id uefi_memory_region_id screen_base"))
	return object(list)
end

local function buses_of(zone)
	local list = {}
	for i, bus in ipairs(zone.pci_buses) do
		list[i] = object(numbers(bus, [[ecam_base ecam_size io_base io_size pci_io_base mem32_base mem32_size pci_mem32_base
			mem64_base mem64_size pci_mem64_base bus_range_begin=bus_begin bus_range_end=bus_end domain]]))
	end
	return array(list)
end

local function pci_devices_of(zone)
	local list = {}
	for i, device in ipairs(zone.pci_devices) do
		list[i] = object(numbers(device, "domain bus device function dev_type v_bus v_device v_function"))
	end
	return array(list)
end

local function ivc_of(zone)
	local list = {}
	for i, ivc in ipairs(zone.ivc) do
		list[i] = object {
			{ "ivc_id", ivc.id }, { "peer_id", ivc.peer }, { "control_table_ipa", hex(ivc.control) },
			{ "shared_mem_ipa", hex(ivc.shared) }, { "rw_sec_size", hex(ivc.rw_size) }, { "out_sec_size", hex(ivc.out_size) },
			{ "interrupt_num", ivc.irq }, { "max_peers", ivc.peers },
		}
	end
	return array(list)
end

-- An initial RAM disk has no field of its own but on x86_64: it is a module there, whose place the tree says.
local function modules_of(entry)
	local list = {}
	for _, image in ipairs(entry.zone.images) do
		local initrd = image.role == "initrd" and entry.zone.arch ~= "x86_64"
		if image.role == "module" or initrd then
			list[#list + 1] = object {
				{ "name", image.name or (initrd and "initrd" or image.path:match "[^/]*$") }, { "filepath", image.path },
				{ "load_paddr", hex(image.phys) },
			}
		end
	end
	return #list > 0 and array(list) or nil
end

-- What the author said of memory and has no field there.
local function memory_losses(entry, lost)
	local names, shared = {}, {}
	for _, region in ipairs(entry.spec.regions) do
		if region.name then names[#names + 1] = region.name end
		if region.shared then shared[#shared + 1] = hex(region.phys) end
	end
	if #names > 0 then
		lost(entry.spec, "regions", "a zone file has no names for regions: %s", table.concat(names, ", "))
	end
	if #shared > 0 then
		lost(entry.spec, "regions", "a zone file cannot say that a region is shared: %s", table.concat(shared, ", "))
	end
end

local function read(path)
	local file = io.open(path, "rb")
	local bytes = file and file:read "a"
	if file then file:close() end
	return bytes
end

-- entry: {spec=, zone=}. tree_path: where the tree goes when it is not the author's file. Returns the text, and the
-- tree's bytes when it has to be written.
return function(entry, tree_path, lost)
	local zone, spec = entry.zone, entry.spec
	local kernel, dtb = image_of(entry, "kernel", lost), image_of(entry, "dtb", lost)
	local tree
	if dtb and (not dtb.path or read(dtb.path) ~= dtb.bytes) then tree = dtb.bytes end
	if spec.kernel and spec.kernel.format == "raw" then
		lost(spec, "kernel.format", "hvisor-tool copies every file as it is, and a zone file has no format: hvsh import leaves it to the file's contents")
	end
	memory_losses(entry, lost)
	local root = object {
		{ "arch", ARCH[zone.arch] },
		{ "name", zone.name },
		{ "zone_id", zone.id },
		{ "cpus", array(zone.cpus) },
		{ "memory_regions", regions_of(zone) },
		{ "interrupts", array(zone.irqs) },
		{ "ivc_configs", ivc_of(zone) },
		{ "kernel_filepath", kernel and kernel.path or "null" },
		{ "dtb_filepath", tree and tree_path or dtb and dtb.path or "null" },
		{ "kernel_load_paddr", hex(zone.kernel_phys) },
		{ "dtb_load_paddr", hex(zone.dtb_phys) },
		{ "entry_point", hex(zone.entry) },
		{ "modules", modules_of(entry) },
		{ "arch_config", arch_config[zone.arch](entry, lost) },
		{ "pci_config", buses_of(zone) },
		{ "num_pci_devs", #zone.pci_devices },
		{ "alloc_pci_devs", pci_devices_of(zone) },
	}
	return writer.encode(root), tree
end
