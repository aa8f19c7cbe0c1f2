-- SPDX-License-Identifier: GPL-2.0-or-later
-- fdt.guest and tree:patch: a zone's device tree from what the zone is.
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"

-- shared: what hvsh.fdt lends: trees, plans, new_tree, open_tree, misuse.
return function(shared)
	local misuse = shared.misuse

	local fields = {
		tree = "a device tree", plan = "a plan", controller = "gicv2, gicv3, plic or aplic", registers = "ranges", its = "a range",
		sources = "a number", cpus = "CPUs", isa = "a string", timebase = "Hz", memory = "ranges", reserved = "ranges",
		model = "a string", bootargs = "a string", stdout = "a path or alias", initrd = "a range", virtio = "devices",
		ivc = "interrupts",
	}
	local controllers = { gicv2 = true, gicv3 = true, plic = true, aplic = true }

	local function number(level, what, value)
		if math.type(value) == "integer" then return value end
		local n = type(value) == "string" and core.size(value)
		if not n then misuse(level + 1, "fdt.guest: %s is %s, not a number or size", what, tostring(value)) end
		return n
	end

	local function range(level, what, value)
		if type(value) ~= "table" then misuse(level + 1, "fdt.guest: %s is {at=, size=}", what) end
		return { at = number(level + 1, what .. ".at", value.at), size = number(level + 1, what .. ".size", value.size) }
	end

	-- One entry, or a list of them, each through one(level, what, value).
	local function list(level, what, value, one)
		if value == nil then return nil end
		if type(value) ~= "table" or value.at ~= nil or value.id ~= nil then value = { value } end
		local out = {}
		for i, item in ipairs(value) do out[i] = one(level + 1, ("%s[%d]"):format(what, i), item) end
		return out
	end

	local function cpu(level, what, value)
		if math.type(value) == "integer" then return { id = value } end
		if type(value) ~= "table" then misuse(level + 1, "fdt.guest: %s is an id or {id=, compatible=}", what) end
		return { id = number(level + 1, what .. ".id", value.id), compatible = value.compatible }
	end

	local function reserved(level, what, value)
		local out = range(level + 1, what, value)
		out.name, out.no_map = value.name, value.no_map
		return out
	end

	local function virtio(level, what, value)
		if type(value) ~= "table" then misuse(level + 1, "fdt.guest: %s is {at=, size=, irq=}", what) end
		return {
			at = number(level + 1, what .. ".at", value.at), size = number(level + 1, what .. ".size", value.size or 0x200),
			irq = number(level + 1, what .. ".irq", value.irq),
		}
	end

	local function word(level, what, value)
		if value ~= nil and type(value) ~= "string" then misuse(level + 1, "fdt.guest: %s is a string", what) end
		return value
	end

	local function describe(level, wanted, raw)
		if type(wanted) ~= "table" then misuse(level + 1, "fdt.guest takes a table: {controller=, cpus=, memory=…}") end
		nearest.check(wanted, fields, "fdt.guest has no field", level + 1)
		local machine = raw and core.fdt_controller(raw) or {}
		local controller = wanted.controller or machine.controller
		if not controllers[controller] then
			misuse(level + 1, "fdt.guest: controller is gicv2, gicv3, plic or aplic, not %s", tostring(controller))
		end
		local at = level + 1
		return {
			controller = controller,
			registers = list(at, "registers", wanted.registers, range) or machine.controller == controller and machine.registers,
			its = wanted.its and range(at, "its", wanted.its), sources = wanted.sources and number(at, "sources", wanted.sources),
			cpus = list(at, "cpus", wanted.cpus, cpu), isa = word(at, "isa", wanted.isa),
			timebase = wanted.timebase and number(at, "timebase", wanted.timebase),
			memory = list(at, "memory", wanted.memory, range), reserved = list(at, "reserved", wanted.reserved, reserved),
			model = word(at, "model", wanted.model), bootargs = word(at, "bootargs", wanted.bootargs),
			stdout = word(at, "stdout", wanted.stdout), initrd = wanted.initrd and range(at, "initrd", wanted.initrd),
			virtio = list(at, "virtio", wanted.virtio, virtio), ivc = list(at, "ivc", wanted.ivc, number),
		}
	end

	local part = {}

	-- fdt.guest {tree=, plan=, controller=, registers=, cpus=, memory=, virtio=, bootargs=…}: a new tree.
	-- A plan brings its own tree.
	function part.guest(wanted)
		local host, plan = type(wanted) == "table" and wanted.tree, type(wanted) == "table" and wanted.plan
		local state = plan and shared.plans[plan]
		if plan and not state then misuse(2, "fdt.guest: plan is what fdt.passthrough gives") end
		host = host or state and state.tree
		if host and not shared.trees[host] then misuse(2, "fdt.guest: tree is a device tree (fdt.open, fdt.machine)") end
		local raw = host and shared.open_tree(2, host)
		return shared.new_tree(core.fdt_guest(raw or nil, state and state.raw, describe(2, wanted, raw)))
	end

	-- tree:patch {bootargs=, memory=, virtio=…}: brings a tree that somebody wrote into line with a zone. Only what
	-- is given is changed; memory and virtio are complete lists. true, or nil, message, code.
	function part.patch(tree, wanted)
		local raw = shared.open_tree(2, tree)
		local what = {}
		if type(wanted) == "table" then
			what.chosen = wanted.bootargs ~= nil or wanted.stdout ~= nil or wanted.initrd ~= nil
			what.memory, what.virtio = wanted.memory ~= nil, wanted.virtio ~= nil
		end
		return core.fdt_patch(raw, what, describe(2, wanted, raw))
	end

	return part
end
