-- SPDX-License-Identifier: GPL-2.0-or-later
-- Reads every tree named on standard input: each enabled node's registers and interrupts decode or say why not; a
-- plan is made for every STEPth device, and a guest's tree from it. DIR/host-N.dtb and DIR/guest-N.dtb are some of those.
local step, dir = math.tointeger(arg[1]), arg[2]
-- What a message says without the names and numbers in it, and how often.
local unresolved = {}
local function count_reason(what, entry)
	local text = entry.problem:gsub("^.-: (/%S+: )", ""):gsub("/[%w/@,._+-]*", "NODE"):gsub("0x%x+", "N"):gsub("%d+", "N"):gsub('"[^"]*"', "NAME")
	local key = ("%s %s: %s"):format(what, entry.code, text:sub(1, 100))
	unresolved[key] = (unresolved[key] or 0) + 1
end

local trees, irqs, resolved, regs, plans, guests, kept = 0, 0, 0, 0, 0, 0, 0

local function fail(...)
	print("WRONG", ...)
	os.exit(1, true)
end

-- PCI and non-mapped buses, broken numbers in the trees themselves: each with a reason of its own.
local reasons = { EXDEV = true, EINVAL = true, EOPNOTSUPP = true, ENODATA = true }

local function decode(path, node)
	for i, reg in ipairs(node.regs) do
		regs = regs + 1
		if not reg.start then
			if not (reasons[reg.code] and #reg.problem > 0) then fail(path, node.path, "reg", i) end
			count_reason("register", reg)
		end
	end
	for i, irq in ipairs(node.irqs) do
		irqs = irqs + 1
		if irq.number then
			resolved = resolved + 1
			if not irq.controller then fail(path, node.path, "irq without a controller", i) end
		else
			if not (reasons[irq.code] and #irq.problem > 0) then fail(path, node.path, "irq", i) end
			if irq.code ~= "ENODATA" then count_reason("interrupt", irq) end
		end
	end
	for _, ref in ipairs(node:refs()) do
		if not ref.node and not ref.problem then fail(path, node.path, ref.property) end
	end
end

local function plan(tree, node)
	local wanted = { tree = tree, devices = { node.path } }
	local made = assert(fdt.passthrough(wanted))
	local rates = {}
	for _, need in ipairs(made.missing_rates) do
		rates[need.path] = rates[need.path] or {}
		rates[need.path][need.slot] = 1000000 * need.slot
	end
	if next(rates) then
		wanted.rates = rates
		made = assert(fdt.passthrough(wanted))
	end
	plans = plans + 1
	for _, region in ipairs(made.regions) do
		if region.start % 4096 ~= 0 or region.size % 4096 ~= 0 or region.size <= 0 then fail(tree.label, node.path, "region") end
	end
	-- A few old machines have controllers hvisor does not know.
	local ok, guest, message = pcall(fdt.guest, {
		plan = made, cpus = { 0 }, memory = { at = 0x40000000, size = "64M" }, virtio = { { at = 0xa003600, irq = 75 } },
	})
	if not ok then
		if not tostring(guest):find("controller is", 1, true) then fail(tree.label, node.path, guest) end
		return
	end
	if not guest then fail(tree.label, node.path, message) end
	guests = guests + 1
	for child in guest:walk() do
		for _, ref in ipairs(child:refs()) do
			if not ref.node and not (tree:find(child.path) and ref.problem) then fail(tree.label, child.path, ref.property, ref.problem) end
		end
	end
	if guests % 25 == 0 then
		kept = kept + 1
		assert(tree:save(("%s/host-%d.dtb"):format(dir, kept)))
		assert(guest:save(("%s/guest-%d.dtb"):format(dir, kept)))
	end
	guest:close()
end

local seen, times = 0, {}
for path in io.lines() do
	local start = os.clock()
	local tree <close> = assert(fdt.open(path))
	trees = trees + 1
	for node in tree:walk() do
		if node.enabled then
			decode(path, node)
			local first = node.regs[1]
			if first and first.start and #node.compatible > 0 and node.path ~= "/" then
				seen = seen + 1
				if seen % step == 0 then plan(tree, node) end
			end
		end
	end
	times[#times + 1] = (os.clock() - start) * 1000
end
table.sort(times)
print(("%d trees, %d of %d interrupts decoded, %d registers, %d plans, %d guests"):format(trees, resolved, irqs, regs, plans, guests))
print(("kept %d"):format(kept))
print(("read, decoded and planned in %.1f ms of the processor per tree (median), the longest in %.1f ms"):format(
	times[(#times + 1) // 2], times[#times]))
local list = {}
for key, n in pairs(unresolved) do list[#list + 1] = { key = key, n = n } end
table.sort(list, function(a, b) return a.n > b.n or a.n == b.n and a.key < b.key end)
print(("not resolved, each with its reason (%d kinds):"):format(#list))
for i = 1, math.min(#list, 20) do print(("%7d  %s"):format(list[i].n, list[i].key)) end
