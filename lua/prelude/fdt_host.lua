-- SPDX-License-Identifier: GPL-2.0-or-later
-- plan:host and plan:check_host: what the root zone's own tree must say when devices and memory are given away.
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

local NODE = "/hvisor_virtio_device"

-- shared: what hvsh.fdt lends: trees, plans, open_tree, misuse, failure.
return function(shared)
	local misuse = shared.misuse

	local fields = { wakeup = true, memory = true }

	local function size_of(level, what, value)
		if math.type(value) == "integer" then return value end
		local n = type(value) == "string" and core.size(value)
		if not n then misuse(level + 1, "plan:host: %s is %s, not a number or size", what, tostring(value)) end
		return n
	end

	local function arguments(level, wanted)
		wanted = wanted or {}
		if type(wanted) ~= "table" then misuse(level + 1, "plan:host takes a table: {wakeup=, memory=}") end
		nearest.check(wanted, fields, "plan:host has no field", level + 1)
		local memory = wanted.memory or {}
		if type(memory) ~= "table" then misuse(level + 1, "plan:host: memory is {at=, size=} or a list of them") end
		if memory.at ~= nil then memory = { memory } end
		local ranges = {}
		for i, range in ipairs(memory) do
			ranges[i] = {
				at = size_of(level + 1, "memory.at", range.at), size = size_of(level + 1, "memory.size", range.size),
				name = range.name or "zone",
			}
		end
		local wakeup = wanted.wakeup or 64
		if math.type(wakeup) ~= "integer" or wakeup < 1 or wakeup > 1023 then
			misuse(level + 1, "plan:host: wakeup is the number of an interrupt, not %s", tostring(wakeup))
		end
		return wakeup, ranges
	end

	-- The providers the root zone keeps in use for the zone, each once: the position is the id SCMI lends it under.
	local function kept(data, kind, property)
		local list, seen = {}, {}
		for _, need in ipairs(data.needs) do
			local key = need.provider .. " " .. table.concat(need.args, " ")
			if need.kind == kind and need.role == "host" and need.property == property and not seen[key] then
				seen[key] = true
				list[#list + 1] = { provider = need.provider, args = need.args, name = need.name, path = need.path }
			end
		end
		return list
	end

	local lists = {
		{ kind = "clock", property = "clocks" }, { kind = "reset", property = "resets" },
		{ kind = "power-domain", property = "power-domains" },
	}

	local function reference(raw, item)
		local at = raw:find(item.provider)
		local label = at and raw:symbol(at)
		local cells = { label and "&" .. label or ("0x%x"):format(at and raw:phandle(at) or 0) }
		for _, arg in ipairs(item.args) do cells[#cells + 1] = ("%d"):format(arg) end
		return "<" .. table.concat(cells, " ") .. ">"
	end

	-- {interrupt-parent, interrupts} of the wake-up in the root's controller.
	local function wakeup_cells(raw, number)
		local controller = core.fdt_controller(raw)
		if not controller.path then return nil end
		local at = raw:find(controller.path)
		local n = (">I4"):unpack(raw:prop(at, "#interrupt-cells") or "\0\0\0\1")
		local cells
		if controller.controller:find "^gic" then
			cells = number < 32 and { 1, number - 16, 1 } or { 0, number - 32, 1 }
		else
			cells = { number, 4 }
		end
		for i = #cells + 1, n do cells[i] = 0 end
		return raw:symbol(at), raw:phandle(at), table.concat(cells, " ", 1, n)
	end

	local function hex_cells(value, n)
		if n < 2 then return ("0x%x"):format(value) end
		return ("0x%x 0x%x"):format(value >> 32, value & 0xffffffff)
	end

	local function root_cells(raw, name, absent)
		local bytes = raw:prop(raw:root(), name)
		return bytes and #bytes == 4 and (">I4"):unpack(bytes) or absent
	end

	local part = {}

	-- The source of an overlay for the root zone's tree: text, or nil, message, code.
	function part.host(plan, wanted)
		local state = shared.plans[plan]
		if not state then misuse(2, "this is a method of a plan: use plan:host{}") end
		local wakeup, memory = arguments(2, wanted)
		local raw = shared.open_tree(2, state.tree)
		local label, phandle, cells = wakeup_cells(raw, wakeup)
		if not cells or not (label or phandle) then
			return shared.failure("EOPNOTSUPP", "%s: it has no interrupt controller that hvisor's interrupt could go to", raw:label())
		end
		local lines = {
			"/dts-v1/;", "/plugin/;", "", "&{/} {", "\thvisor_virtio_device {", '\t\tcompatible = "hvisor";',
			("\t\tinterrupt-parent = <%s>;"):format(label and "&" .. label or ("0x%x"):format(phandle)),
			("\t\tinterrupts = <%s>;"):format(cells),
		}
		for _, list in ipairs(lists) do
			local items = kept(state.data, list.kind, list.property)
			for i, item in ipairs(items) do
				lines[#lines + 1] = ("\t\t%s%s%s /* %d: %s of %s */"):format(i == 1 and list.property .. " = " or "\t", reference(raw, item),
					i == #items and ";" or ",", i - 1, item.name and term.clean(item.name) or list.kind, term.clean(item.path))
			end
		end
		lines[#lines + 1] = "\t};"
		if #memory > 0 then
			local ac, sc = root_cells(raw, "#address-cells", 2), root_cells(raw, "#size-cells", 1)
			table.move({
				"", "\treserved-memory {", ("\t\t#address-cells = <%d>;"):format(ac), ("\t\t#size-cells = <%d>;"):format(sc), "\t\tranges;",
			}, 1, 5, #lines + 1, lines)
			for _, range in ipairs(memory) do
				table.move({
					"", ("\t\t%s@%x {"):format(range.name, range.at),
					("\t\t\treg = <%s %s>;"):format(hex_cells(range.at, ac), hex_cells(range.size, sc)), "\t\t\tno-map;", "\t\t};",
				}, 1, 5, #lines + 1, lines)
			end
			lines[#lines + 1] = "\t};"
		end
		lines[#lines + 1] = "};"
		for _, node in ipairs(state.data.nodes) do
			if (node.role == "named" or node.role == "comes along" and node.registers) and node.enabled then
				table.move({ "", ("&{%s} {"):format(term.clean(node.path)), '\tstatus = "disabled";', "};" }, 1, 4, #lines + 1, lines)
			end
		end
		return table.concat(lines, "\n") .. "\n"
	end

	local function reserved(raw, range)
		local at = raw:find "/reserved-memory"
		local child = at and raw:child(at)
		while child do
			for _, reg in ipairs(raw:regs(child)) do
				if reg.start and reg.start <= range.at and range.at + range.size <= reg.start + reg.size
					and raw:prop(child, "no-map") then
					return true
				end
			end
			child = raw:sibling(child)
		end
	end

	-- What the tree the root zone runs with (default: this machine's) lacks of that: a list of texts.
	function part.check_host(plan, tree, wanted)
		local state = shared.plans[plan]
		if not state then misuse(2, "this is a method of a plan: use plan:check_host(tree, {})") end
		local wakeup, memory = arguments(2, wanted)
		local opened, message, code
		local raw
		if tree == nil then
			opened, message, code = core.fdt_machine()
			if not opened then return nil, message, code end
			raw = opened
		else
			if not shared.trees[tree] then misuse(2, "plan:check_host takes the tree the root zone runs with") end
			raw = shared.open_tree(2, tree)
		end
		local _ <close> = opened
		local list = {}
		local function say(fmt, ...) list[#list + 1] = fmt:format(...) end
		local at = raw:find(NODE)
		if not at or not raw:enabled(at) then
			say("there is no %snode %s: hvisor cannot wake the virtio service", at and "enabled " or "", NODE)
		else
			if not raw:compatible(at, "hvisor") then say("%s is not compatible \"hvisor\": the kernel module does not find it", NODE) end
			local irq = raw:irqs(at)[1]
			if not irq or irq.number ~= wakeup then
				say("%s has interrupt %s, hvisor sends %d", NODE, irq and (irq.number or irq.problem) or "none", wakeup)
			end
			for _, item in ipairs(lists) do
				local have = {}
				for _, ref in ipairs(raw:refs(at)) do
					if ref.property == item.property and ref.path then have[ref.path .. " " .. table.concat(ref.args, " ")] = true end
				end
				for _, need in ipairs(kept(state.data, item.kind, item.property)) do
					if not have[need.provider .. " " .. table.concat(need.args, " ")] then
						say("%s lacks %s %s %s, which %s needs", NODE, item.kind, need.provider, table.concat(need.args, " "), need.path)
					end
				end
			end
		end
		for _, node in ipairs(state.data.nodes) do
			local given = node.role == "named" or node.role == "comes along" and node.registers
			local there = given and raw:find(node.path)
			if there and raw:enabled(there) then say("%s is enabled, though it is given away", node.path) end
		end
		for _, range in ipairs(memory) do
			if not reserved(raw, range) then
				say("0x%x+%s is not reserved (no-map) in /reserved-memory: the root zone uses it as its own", range.at, term.size(range.size))
			end
		end
		return list
	end

	return part
end
