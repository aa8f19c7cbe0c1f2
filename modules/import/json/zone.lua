-- SPDX-License-Identifier: GPL-2.0-or-later
-- A zone file of hvisor-tool as a zone table of ours.
local json = require "hvsh.json"
local Reader = require "import.json.reader"

local set, shown, to_integer = Reader.set, Reader.shown, Reader.to_integer

local REGION_KEYS = set "type physical_start virtual_start size"
local TYPES = set "ram io virtio"

local function read_regions(r, root)
	local regions = {}
	for i, entry in ipairs(r:list(root, "", "memory_regions", 64)) do
		local at = ("/memory_regions/%d"):format(i - 1)
		if r:object(entry, at) then
			r:known(entry, at, REGION_KEYS)
			local type = r:string(entry, at, "type")
			if type and not TYPES[type] then
				r:problem(at .. "/type", "region type %s is none of ram, io, virtio", shown(type))
			end
			local phys = r:integer(entry, at, "physical_start")
			local ipa = r:integer(entry, at, "virtual_start", { default = phys, hex = true })
			local size = r:integer(entry, at, "size", { min = 1 })
			if type and phys and ipa and size then
				regions[#regions + 1] = { type = type, at = ipa, phys = phys ~= ipa and phys or nil, size = size }
			end
		end
	end
	return regions
end

local function read_integers(r, root, key, max, top)
	local out = {}
	for i, value in ipairs(r:list(root, "", key, max, true)) do
		local number = to_integer(value)
		if not number or number < 0 or number > top then
			r:problem(("/%s/%d"):format(key, i - 1), "%s is no number from 0 to %d", shown(value), top)
		else
			out[#out + 1] = number
		end
	end
	return out
end

-- "null" and an empty name mean: nothing is loaded.
local function read_image(r, root, path_key, phys_key)
	local path = r:string(root, "", path_key, "null")
	local phys = r:integer(root, "", phys_key, { default = 0, quiet = true })
	if path == "" then path = "null" end
	if path == "null" and (phys or 0) == 0 then return nil end
	return { image = path ~= "null" and path or false, phys = phys }
end

local GIC_KEYS = set [[gic_version gicd_base gicd_size gicr_base gicr_size gits_base gits_size gicc_base gicc_size
	gicc_offset gich_base gich_size gicv_base gicv_size is_aarch32 memory_map_addr memory_map_size sys_map_addr]]
local PLIC_KEYS = set "plic_base plic_size aplic_base aplic_size"
local X86_KEYS = set [[ioapic_base ioapic_size boot_filepath boot_load_paddr cmdline cmdline_load_hpa cmdline_load_gpa
	kernel_entry_gpa setup_filepath setup_load_hpa setup_load_gpa initrd_filepath initrd_load_hpa initrd_load_gpa
	initrd_size rsdp_memory_region_id acpi_memory_region_id uefi_memory_region_id screen_base boot_protocol]]

local function read_pair(r, config, at, name)
	local base = r:integer(config, at, name .. "_base", { default = 0, quiet = true })
	local size = r:integer(config, at, name .. "_size", { default = 0, quiet = true })
	if not base or not size or (base == 0 and size == 0) then return nil end
	return { at = base, size = size }
end

local function read_gic(r, config, zone)
	local at = "/arch_config"
	local version = config.gic_version
	r:known(config, at, GIC_KEYS)
	if version == nil then
		version = config.gicr_base ~= nil and "v3" or "v2"
		r:note(at, "'gic_version' is missing: taken as \"%s\", because %s is given", version,
			version == "v3" and "gicr_base" or "no gicr_base")
	end
	if version ~= "v2" and version ~= "v3" then
		r:problem(at .. "/gic_version", "'gic_version' is %s, neither \"v2\" nor \"v3\"", shown(version))
		return
	end
	local gic = { version = version == "v3" and 3 or 2, gicd = read_pair(r, config, at, "gicd") }
	if not gic.gicd then r:problem(at, "'gicd_base' and 'gicd_size' are missing") end
	if gic.version == 3 then
		gic.gicr = read_pair(r, config, at, "gicr")
		gic.its = read_pair(r, config, at, "gits")
		if not gic.gicr then r:problem(at, "'gicr_base' and 'gicr_size' are missing for a GICv3") end
	else
		gic.gicc = read_pair(r, config, at, "gicc")
		gic.gich = read_pair(r, config, at, "gich")
		gic.gicv = read_pair(r, config, at, "gicv")
		local offset = r:integer(config, at, "gicc_offset", { default = 0, quiet = true })
		if gic.gicc and offset ~= 0 then gic.gicc.offset = offset end
	end
	if config.is_aarch32 == true then
		zone.aarch32 = true
	elseif config.is_aarch32 ~= nil and config.is_aarch32 ~= false then
		r:problem(at .. "/is_aarch32", "'is_aarch32' is %s where true or false belongs", shown(config.is_aarch32))
	end
	zone.gic = gic
	if config.memory_map_addr ~= nil then
		zone.uefi = {
			memory_map = { at = r:integer(config, at, "memory_map_addr"), size = r:integer(config, at, "memory_map_size") },
			system_table = r:integer(config, at, "sys_map_addr", { default = 0, quiet = true }),
		}
	end
end

local function read_plic(r, config, zone)
	r:known(config, "/arch_config", PLIC_KEYS)
	zone.plic = read_pair(r, config, "/arch_config", "plic")
	zone.aplic = read_pair(r, config, "/arch_config", "aplic")
end

local function read_x86(r, config, zone)
	local at = "/arch_config"
	local quiet = { default = 0, quiet = true }
	r:known(config, at, X86_KEYS)
	if config.boot_protocol ~= nil then
		r:problem(at .. "/boot_protocol",
			"boot protocol %s is not supported: only zones that enter through boot_filepath are", shown(config.boot_protocol))
	end
	local function number(key)
		local value = r:integer(config, at, key, quiet)
		return value ~= 0 and value or nil
	end
	local function image(name, phys_key)
		local path = r:string(config, at, name .. "_filepath", "null")
		local phys = r:integer(config, at, phys_key, quiet)
		if path == "" or path == "null" then return nil end
		return { image = path, phys = phys }
	end
	local x86 = {
		ioapic = read_pair(r, config, at, "ioapic"),
		boot = image("boot", "boot_load_paddr"),
		setup = image("setup", "setup_load_hpa"),
		initrd = image("initrd", "initrd_load_hpa"),
		kernel_gpa = number "kernel_entry_gpa",
		rsdp_region = number "rsdp_memory_region_id",
		acpi_region = number "acpi_memory_region_id",
		uefi_region = number "uefi_memory_region_id",
		screen_base = number "screen_base",
	}
	if x86.setup then x86.setup.at = number "setup_load_gpa" end
	if x86.initrd then x86.initrd.at = number "initrd_load_gpa" end
	local text = r:string(config, at, "cmdline", "")
	if text ~= "" then
		x86.cmdline = { phys = number "cmdline_load_hpa", at = number "cmdline_load_gpa" }
		if zone.kernel then
			zone.kernel.cmdline = text
		else
			r:problem(at .. "/cmdline", "a command line without a kernel")
		end
	end
	zone.x86 = x86
end

local function guess_arch(r, root)
	local config = root.arch_config
	local words = { arm64 = "arm64", aarch64 = "arm64", riscv = "riscv64", riscv64 = "riscv64", x86_64 = "x86_64",
		loongarch = "loongarch64", loongarch64 = "loongarch64" }
	local function has(...)
		for _, key in ipairs { ... } do
			if json.is_object(config) and config[key] ~= nil then return key end
		end
	end
	local key, found
	for arch, keys in pairs { arm64 = { "gicd_base", "gic_version", "gicr_base" }, riscv64 = { "plic_base", "aplic_base" },
		x86_64 = { "ioapic_base", "boot_filepath" } } do
		key = has(table.unpack(keys))
		if key then found = arch break end
	end
	local given = root.arch
	if given ~= nil then
		if not words[given] then
			r:problem("/arch", "architecture %s is none of arm64, riscv, loongarch64, x86_64", shown(given))
		elseif found and words[given] ~= found then
			r:problem("/arch", "'arch' says %s, but arch_config has '%s' of %s", shown(given), key, found)
		end
		return words[given]
	end
	if found then
		r:note("", "'arch' is not given: taken as %s, because arch_config has '%s'", found, key)
		return found
	end
	r:note("", "'arch' is not given and arch_config says nothing of it: taken as loongarch64")
	return "loongarch64"
end

local BUS_KEYS = set [[ecam_base ecam_size io_base io_size pci_io_base mem32_base mem32_size pci_mem32_base mem64_base
	mem64_size pci_mem64_base bus_range_begin bus_range_end domain]]
local DEV_KEYS = set "domain bus device function dev_type v_bus v_device v_function"

local function read_bus(r, bus, at)
	if not r:object(bus, at) then return nil end
	r:known(bus, at, BUS_KEYS)
	local function number(key, max)
		return r:integer(bus, at, key, { default = 0, quiet = true, max = max }) or 0
	end
	local function window(name)
		local base, size, pci = number(name .. "_base"), number(name .. "_size"), number("pci_" .. name .. "_base")
		if base == 0 and size == 0 and pci == 0 then return nil end
		return { at = base, size = size, pci = pci ~= base and pci or nil }
	end
	local first, last = number("bus_range_begin", 255), number("bus_range_end", 255)
	return {
		ecam = { at = number "ecam_base", size = number "ecam_size" },
		io = window "io", mem32 = window "mem32", mem64 = window "mem64",
		bus_range = (bus.bus_range_begin ~= nil or bus.bus_range_end ~= nil) and { first, last } or nil,
		domain = number("domain", 255) ~= 0 and number("domain", 255) or nil,
	}
end

local function bdf(bus, device, fn)
	return ("%02x:%02x.%x"):format(bus, device, fn)
end

-- A device as an object, or as a number: bus<<8|device<<3|function, or the older bus<<20|device<<15|function<<12.
local function read_pci_device(r, value, at)
	if not json.is_object(value) then
		local number = to_integer(value)
		if not number or number < 0 or number > 0xfffffff then
			r:problem(at, "%s is neither an object nor a bus/device/function number such as 1537 (06:00.1)", shown(value))
			return nil
		end
		if number > 0xffff and number & 0xfff == 0 then
			local text = bdf(number >> 20 & 0xff, number >> 15 & 0x1f, number >> 12 & 7)
			r:note(at, "0x%x is taken in the older form, as %s", number, text)
			return { at = text }
		elseif number > 0xffff then
			r:problem(at, "0x%x is no bus/device/function number", number)
			return nil
		end
		return { at = bdf(number >> 8, number >> 3 & 0x1f, number & 7) }
	end
	r:known(value, at, DEV_KEYS)
	local function number(key, max, default)
		return r:integer(value, at, key, { default = default, quiet = true, max = max }) or 0
	end
	local bus, device, fn = number("bus", 255), number("device", 31), number("function", 7)
	local type, domain = number("dev_type", 0xffffffff, 0), number("domain", 255, 0)
	local out = { at = bdf(bus, device, fn), type = type ~= 0 and type or nil, domain = domain ~= 0 and domain or nil }
	if value.v_bus ~= nil or value.v_device ~= nil or value.v_function ~= nil then
		local as = bdf(number("v_bus", 255, bus), number("v_device", 31, device), number("v_function", 7, fn))
		if as ~= out.at then out.as = as end
	end
	return out
end

local function read_pci(r, root, zone)
	local buses, devices = {}, {}
	if json.is_object(root.pci_config) then
		r:note("/pci_config", "one object, as older files have it: taken as a list of one")
		buses[1] = read_bus(r, root.pci_config, "/pci_config")
	else
		for i, bus in ipairs(r:list(root, "", "pci_config", 4, true)) do
			buses[#buses + 1] = read_bus(r, bus, ("/pci_config/%d"):format(i - 1))
		end
	end
	for i, device in ipairs(r:list(root, "", "alloc_pci_devs", 32, true)) do
		devices[#devices + 1] = read_pci_device(r, device, ("/alloc_pci_devs/%d"):format(i - 1))
	end
	local claimed = root.num_pci_devs ~= nil and to_integer(root.num_pci_devs)
	if claimed and claimed ~= #devices then
		r:note("/num_pci_devs", "says %d, but %d devices are listed: the list counts", claimed, #devices)
	end
	if #buses > 0 or #devices > 0 then
		zone.pci = { buses = #buses > 0 and buses or nil, devices = #devices > 0 and devices or nil }
	end
end

local IVC_KEYS = set "ivc_id peer_id control_table_ipa shared_mem_ipa rw_sec_size out_sec_size interrupt_num max_peers"

local function read_ivc(r, root, zone)
	local out = {}
	for i, entry in ipairs(r:list(root, "", "ivc_configs", 2, true)) do
		local at = ("/ivc_configs/%d"):format(i - 1)
		if r:object(entry, at) then
			r:known(entry, at, IVC_KEYS)
			local u32 = { max = 0xffffffff }
			out[#out + 1] = {
				id = r:integer(entry, at, "ivc_id", u32), peer = r:integer(entry, at, "peer_id", u32),
				control = r:integer(entry, at, "control_table_ipa"), shared = r:integer(entry, at, "shared_mem_ipa"),
				rw_size = r:integer(entry, at, "rw_sec_size", u32), out_size = r:integer(entry, at, "out_sec_size", u32),
				irq = r:integer(entry, at, "interrupt_num", u32), peers = r:integer(entry, at, "max_peers", u32),
			}
		end
	end
	if #out > 0 then zone.ivc = out end
end

local function read_modules(r, root, zone)
	local out = {}
	for i, entry in ipairs(r:list(root, "", "modules", 12, true)) do
		local at = ("/modules/%d"):format(i - 1)
		if r:object(entry, at) then
			local path = r:string(entry, at, "filepath")
			local phys = r:integer(entry, at, "load_paddr")
			if path ~= "null" then
				out[#out + 1] = { name = r:string(entry, at, "name", ("module%d"):format(i)), image = path, phys = phys }
			end
		end
	end
	if #out > 0 then zone.modules = out end
end

local ZONE_KEYS = set [[arch name zone_id cpus memory_regions interrupts kernel_filepath dtb_filepath kernel_load_paddr
	dtb_load_paddr entry_point kernel_args arch_config pci_config alloc_pci_devs num_pci_devs ivc_configs modules]]

-- root: the decoded object; r collects problems and notes. The table may lack what a problem was reported for.
local function read_zone(r, root)
	r:known(root, "", ZONE_KEYS)
	local zone = { id = r:integer(root, "", "zone_id", { min = 1, max = 31 }) }
	zone.name = r:string(root, "", "name", false)
	if not zone.name then
		zone.name = ("zone%d"):format(zone.id or 0)
		if root.name == nil then r:note("", "'name' is missing: taken as \"%s\"", zone.name) end
	elseif zone.name:find "[%c/]" or zone.name:find "^%d*$" or zone.name:find "^%-" then
		r:problem("/name", "the name %q is empty, only digits, begins with a dash, or has a slash or a control character", zone.name)
	elseif #zone.name > 31 then
		r:problem("/name", "the name has %d bytes, at most 31 are possible", #zone.name)
	end
	if zone.name:find "%s" then
		local changed = zone.name:gsub("%s", "-")
		r:note("/name", "names have no spaces: %q becomes %q", zone.name, changed)
		zone.name = changed
	end
	zone.arch = guess_arch(r, root)
	if root.cpus == nil then r:problem("", "'cpus' is missing") end
	zone.cpus = read_integers(r, root, "cpus", 32, 31)
	local seen = {}
	for i, cpu in ipairs(zone.cpus) do
		if seen[cpu] then r:problem(("/cpus/%d"):format(i - 1), "CPU %d is there twice", cpu) end
		seen[cpu] = true
	end
	zone.regions = read_regions(r, root)
	zone.irqs = read_integers(r, root, "interrupts", 1024, 1023)
	zone.kernel = read_image(r, root, "kernel_filepath", "kernel_load_paddr")
	zone.dtb = read_image(r, root, "dtb_filepath", "dtb_load_paddr")
	zone.entry = r:integer(root, "", "entry_point", { default = zone.kernel and zone.kernel.phys, hex = true })
	if type(root.kernel_args) == "string" and root.kernel_args ~= "" then
		r:note("/kernel_args", "was never used: the kernel's arguments stand in the tree; set cmdline to change them")
	end
	local config = root.arch_config
	if config ~= nil and r:object(config, "/arch_config") then
		if zone.arch == "arm64" then read_gic(r, config, zone)
		elseif zone.arch == "riscv64" then read_plic(r, config, zone)
		elseif zone.arch == "x86_64" then read_x86(r, config, zone)
		end
	elseif zone.arch == "arm64" then
		r:note("", "'arch_config' is missing: the board's interrupt controller is used")
	end
	read_pci(r, root, zone)
	read_ivc(r, root, zone)
	read_modules(r, root, zone)
	zone.reader = r
	return zone
end

return read_zone
