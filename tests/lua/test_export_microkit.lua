-- SPDX-License-Identifier: GPL-2.0-or-later
-- export.microkit: what is written is read again and held against Microkit's rules, the zone and the plan.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local fdt = require "hvsh.fdt"
local dsl = require "hvsh.dsl"
local microkit = require "export.microkit"

local dir = os.tmpname()
os.remove(dir)
assert(os.execute(("mkdir -p '%s'"):format(dir)))
local image, blob = dir .. "/plain", dir .. "/sm1.dtb"
do
	local file <close> = assert(io.open(image, "wb"))
	file:write(("\0"):rep(4096))
end
assert(os.execute(("dtc -q -@ -I dts -O dtb -o '%s' '%s/core/fdt/data/sm1.dts'"):format(blob, os.getenv "HVSH_TESTS")))

-- ---- a small reader of XML: elements, attributes, comments

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"' }

local function parse(text)
	local root = { name = "", attrs = {}, children = {} }
	local stack, at = { root }, 1
	while true do
		local open, close = text:find("<[^>]*>", at)
		if not open then break end
		t.eq(text:sub(at, open - 1):match "^%s*(.-)%s*$", "", "no text between elements")
		if text:find("^<!%-%-", open) then
			local _, stop = text:find("--", open + 4, true)
			t.eq(text:sub(stop + 1, stop + 1), ">", "a comment has no two dashes")
			close = stop + 1
		elseif not text:find("^<%?", open) then
			local tag = text:sub(open + 1, close - 1)
			if tag:find "^/" then
				t.eq(tag:sub(2), table.remove(stack).name, "end tag")
			else
				local element = { name = tag:match "^[%w_]+", attrs = {}, children = {} }
				for key, value in tag:gmatch '([%w_]+)="([^"]*)"' do
					t.eq(element.attrs[key], nil, "attribute once")
					element.attrs[key] = value:gsub("&(%w+);", ENTITIES)
				end
				table.insert(stack[#stack].children, element)
				if tag:sub(-1) ~= "/" then stack[#stack + 1] = element end
			end
		end
		at = close + 1
	end
	t.eq(#stack, 1, "all elements are closed")
	t.eq(#root.children, 1, "one root")
	return root.children[1]
end

local function each(element, name)
	local list = {}
	for _, child in ipairs(element.children) do if child.name == name then list[#list + 1] = child end end
	return list
end

-- ---- Microkit's rules

local ATTRS = {
	memory_region = "name size page_size phys_addr", protection_domain = "name priority", program_image = "path",
	map = "mr vaddr perms cached setvar_vaddr", virtual_machine = "name", vcpu = "id cpu", irq = "irq id trigger",
}
local CHILDREN = {
	system = "memory_region protection_domain", protection_domain = "program_image map irq virtual_machine",
	virtual_machine = "vcpu map",
}

local function check_names(element)
	for key in pairs(element.attrs) do
		t.ok((" " .. (ATTRS[element.name] or "") .. " "):find(" " .. key .. " ", 1, true), element.name .. " may have " .. key)
	end
	for _, child in ipairs(element.children) do
		t.ok((" " .. (CHILDREN[element.name] or "") .. " "):find(" " .. child.name .. " ", 1, true), element.name .. " may have " .. child.name)
		check_names(child)
	end
end

local function apart(list, what)
	table.sort(list, function(a, b) return math.ult(a[1], b[1]) end)
	for i = 2, #list do t.ok(list[i - 1][1] + list[i - 1][2] <= list[i][1], what .. " do not overlap") end
end

local function check_maps(element, regions)
	local spans = {}
	for _, map in ipairs(each(element, "map")) do
		local region = t.ok(regions[map.attrs.mr], "the region " .. map.attrs.mr)
		t.eq(tonumber(map.attrs.vaddr) % region.page, 0, "alignment")
		t.ok(map.attrs.perms:find "^rwx?$", "permissions")
		spans[#spans + 1] = { tonumber(map.attrs.vaddr), region.size }
	end
	apart(spans, "maps")
end

local function check_system(text)
	local system = parse(text)
	t.eq(system.name, "system")
	check_names(system)
	local regions, spans, names, irqs = {}, {}, {}, {}
	for _, element in ipairs(each(system, "memory_region")) do
		local region = { size = tonumber(element.attrs.size), page = tonumber(element.attrs.page_size), phys = tonumber(element.attrs.phys_addr) }
		t.eq(regions[element.attrs.name], nil, "names of regions are unique")
		regions[element.attrs.name] = region
		t.ok(region.page == 0x1000 or region.page == 0x200000, "page size")
		t.eq(region.size % region.page, 0, "size in pages")
		t.eq(region.phys % region.page, 0, "address in pages")
		spans[#spans + 1] = { region.phys, region.size }
	end
	apart(spans, "regions")
	for _, pd in ipairs(each(system, "protection_domain")) do
		t.eq(names[pd.attrs.name], nil, "names of domains are unique")
		names[pd.attrs.name] = true
		t.eq(#each(pd, "program_image"), 1)
		check_maps(pd, regions)
		local channels = {}
		for _, irq in ipairs(each(pd, "irq")) do
			local id = tonumber(irq.attrs.id)
			t.ok(id >= 0 and id < 62 and not channels[id], "a channel of its own")
			t.ok(not irqs[irq.attrs.irq], "an interrupt once")
			t.ok(irq.attrs.trigger == nil or irq.attrs.trigger == "edge" or irq.attrs.trigger == "level", "trigger")
			channels[id], irqs[irq.attrs.irq] = true, irq.attrs.trigger or "-"
		end
		for _, vm in ipairs(each(pd, "virtual_machine")) do
			t.ok(#each(vm, "vcpu") > 0, "a virtual CPU")
			check_maps(vm, regions)
		end
	end
	return system, regions, irqs
end

-- ---- zones

local function vm_maps(system)
	local maps = {}
	for _, map in ipairs(each(each(each(system, "protection_domain")[1], "virtual_machine")[1], "map")) do maps[map.attrs.mr] = map.attrs end
	return maps
end

t.test("a driver VM from a zone and its plan", function()
	local tree <close> = assert(fdt.open(blob))
	local plan = assert(fdt.passthrough {
		tree = tree, devices = { "/soc/ethernet@ff3f0000", "/soc/mmc@ffe07000", "/soc/bus@ffd00000/i2c@1f000" },
	})
	local board = dsl.board {
		name = "c4", arch = "arm64", cpus = 4,
		gic = { version = 2, gicd = { at = 0xffc01000, size = "4K" }, gicc = { at = 0xffc02000, size = "8K" },
			gich = { at = 0xffc04000, size = "8K" }, gicv = { at = 0xffc06000, size = "8K" } },
	}
	local c4 = zone "c4" {
		id = 1, cpus = { 2, 3 }, board = board, ram = { at = 0x20000000, size = "256M" },
		mmio = plan.mmio, irqs = plan.irqs,
		kernel = { image = image, format = "raw", at = 0x20080000 },
		devices = { console "hvc0" { at = 0xa003800, irq = 300 } },
	}
	local system_path, table_path = dir .. "/c4.system", dir .. "/c4_irqs.h"
	local lost = assert(microkit.write(system_path, { zone = c4, plan = plan, irqs = table_path, first_channel = 4, priority = 200 }))
	local file <close> = assert(io.open(system_path))
	local text = file:read "a"
	local system, regions, irqs = check_system(text)
	local pd = each(system, "protection_domain")[1]
	t.eq(pd.attrs.name, "c4_vmm")
	t.eq(pd.attrs.priority, "200")
	t.eq(each(pd, "program_image")[1].attrs.path, "c4_vmm.elf")
	t.eq(each(pd, "map")[1].attrs.setvar_vaddr, "guest_ram_vaddr")
	local maps = vm_maps(system)
	t.eq(regions.c4_ram.phys, 0x20000000)
	t.eq(regions.c4_ram.size, 256 << 20)
	t.eq(regions.c4_ram.page, 0x200000)
	t.eq(maps.c4_ram.cached, nil)
	-- Each page of the plan is mapped where it lies, uncached.
	for _, region in ipairs(plan.regions) do
		local found
		for name, map in pairs(maps) do
			if regions[name].phys == region.start and regions[name].size == region.size and map.cached == "false"
				and tonumber(map.vaddr) == region.start then found = true end
		end
		t.ok(found, ("0x%x"):format(region.start))
	end
	t.eq(regions.c4_gic_vcpu.phys, 0xffc06000, "the virtual CPU interface")
	t.eq(maps.c4_gic_vcpu.vaddr, "0xffc02000", "in the place of the real one")
	local n = 0
	for _ in pairs(irqs) do n = n + 1 end
	t.eq(n, #plan.irqs, "all interrupts of the plan and no virtio one")
	t.eq(irqs["40"], "level")
	t.eq(irqs["223"], "level")
	t.eq(irqs["53"], "edge")
	local header <close> = assert(io.open(table_path))
	local rows, channels = header:read "a", {}
	for irq, channel in rows:gmatch "{ (%d+), (%d+) }" do channels[irq] = channel end
	for _, irq in ipairs(each(pd, "irq")) do
		t.eq(channels[irq.attrs.irq], irq.attrs.id, "the table says the same channel")
		t.ok(tonumber(irq.attrs.id) >= 4, "first_channel")
	end
	t.ok(os.execute(("cc -xc -fsyntax-only -Wall -Wno-unused-variable '%s'"):format(table_path)), "the table compiles")
	for _, f in ipairs(lost) do t.eq(f.severity, "warning") end
	local none, message, code = microkit.text { zone = c4, plan = plan, first_channel = 61 }
	t.eq(none, nil)
	t.eq(code, "ERANGE")
	t.has(message, "channels 0 to 61")
	t.raises(function() microkit.text { zone = c4, paln = plan } end, "did you mean plan?")
	t.raises(function() microkit.text { plan = plan } end, "zone is missing")
	t.raises(function() microkit.write("x", { zone = c4, priority = "high" }) end, "priority")
end)

t.test("several zones in one system; what is lost is said", function()
	dsl.reset()
	local board = require "board.qemu_virt"
	local function guest(name, id, at, more)
		local z = {
			id = id, cpus = { id + 1 }, board = board, ram = { at = at, size = "64M" },
			kernel = { image = image, format = "raw", at = at + 0x80000 },
		}
		for key, value in pairs(more) do z[key] = value end
		return zone(name)(z)
	end
	local window = { at = 0x70000000, size = "1M", shared = true, name = "window" }
	local one = guest("one", 1, 0x50000000, { ram = { { at = 0x50000000, size = "64M" }, window }, irqs = { 40 } })
	local two = guest("two--2", 2, 0x60000000, { ram = { { at = 0x60000000, phys = 0x60100000, size = "64M" }, window } })
	local text, lost = assert(microkit.text { { zone = one }, { zone = two, image = "a&b.elf", ram_symbol = false } })
	local system, regions, irqs = check_system(text)
	t.eq(#each(system, "protection_domain"), 2)
	t.eq(#each(system, "memory_region"), 3, "what is shared is one region")
	t.eq(each(each(system, "protection_domain")[2], "program_image")[1].attrs.path, "a&b.elf")
	t.eq(each(each(system, "protection_domain")[2], "map")[1].attrs.setvar_vaddr, nil)
	t.eq(regions.one_ram2.size, 1 << 20)
	t.eq(regions.one_ram.page, 0x200000)
	t.eq(regions.two_2_ram.page, 0x1000, "large pages only where both addresses allow them")
	t.eq(irqs["40"], "-")
	t.eq(#lost, 1)
	t.has(lost[1].message, "takes them as level: 40 (given)")
	t.ok(lost[1].a.line, "with its line")
	local none, message, code = microkit.text { { zone = one }, { zone = one } }
	t.eq(none, nil)
	t.eq(code, "EEXIST")
	t.has(message, "would both be called one")
end)

os.execute("rm -rf " .. dir)
t.done()
