-- SPDX-License-Identifier: GPL-2.0-or-later
-- fdt.passthrough: the plan as a script and a person meet it.
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

-- shared: what hvsh.fdt lends: trees, nodes, plans, open, open_tree, misuse, failure, host, check_host.
return function(shared)
	local misuse = shared.misuse
	local plans = shared.plans -- plan object -> {raw=, tree=, data=}

	-- ---- arguments

	local function strings(level, what, value)
		if value == nil then return {} end
		if type(value) == "string" then return { value } end
		if type(value) ~= "table" then misuse(level + 1, "%s is a string or a list of strings", what) end
		local list = {}
		for i, item in ipairs(value) do
			local state = shared.nodes[item]
			item = state and state.path or item
			if type(item) == "table" and type(rawget(item, "compatible")) == "string" and next(item, (next(item))) == nil then
				item = "compatible=" .. rawget(item, "compatible")
			end
			if type(item) ~= "string" then misuse(level + 1, "%s: entry %d is a %s, not a string", what, i, type(item)) end
			list[i] = item
		end
		return list
	end

	-- {["&uart"] = {baud = 24000000, [2] = …}} as {path, slot, hz} each: slots by clock-names or position.
	local function flatten(level, raw, rates)
		if rates == nil then return nil end
		if type(rates) ~= "table" then misuse(level + 1, "rates is a table: device -> {clock name or position = Hz}") end
		local list = {}
		for device, clocks in pairs(rates) do
			if type(device) ~= "string" or type(clocks) ~= "table" then
				misuse(level + 1, "rates is a table: device -> {clock name or position = Hz}")
			end
			local at, message, code = raw:find(device)
			if not at then return nil, message, code end
			local names = {}
			for name in (raw:prop(at, "clock-names") or ""):gmatch "([^\0]*)\0" do names[#names + 1] = name end
			for key, hz in pairs(clocks) do
				hz = type(hz) == "string" and core.clock_hertz(hz) or hz
				if math.type(hz) ~= "integer" or hz <= 0 then misuse(level + 1, "rates: %s of %s is no rate in Hz", tostring(key), device) end
				if math.type(key) == "integer" then
					if key < 1 then misuse(level + 1, "rates: clocks of %s count from 1", device) end
					list[#list + 1] = { path = raw:path(at), slot = key, hz = hz }
				else
					local found
					for slot, name in ipairs(names) do
						if name == key then
							found = true
							list[#list + 1] = { path = raw:path(at), slot = slot, hz = hz }
						end
					end
					if not found then
						return shared.failure("ENOENT", "rates: %s has no clock %s (%s)", device, tostring(key),
							#names > 0 and table.concat(names, ", ") or "it names none: give positions")
					end
				end
			end
		end
		return list
	end

	-- ---- the plan's text

	local function clock_text(need)
		local id = #need.args > 0 and " " .. table.concat(need.args, " ") or ""
		return ("%s%s"):format(need.provider, id)
	end

	local function section(lines, title, rows, right)
		if #rows == 0 then return end
		lines[#lines + 1] = ""
		lines[#lines + 1] = title
		table.move(term.columns_of(rows, "  ", right), 1, #rows, #lines + 1, lines)
	end

	local function severity_text(paint, severity)
		return paint(severity == "error" and "red" or severity == "warning" and "yellow" or "dim", severity)
	end

	local function render(data, options)
		local function paint(style, text) return term.paint(options.color, style, text) end
		local lines, rows = {}, {}
		local function head(text) return paint("bold", text) end
		local given = {}
		for _, node in ipairs(data.nodes) do
			local inside = given[node.path:match "^(.*)/[^/]*$"]
			given[node.path] = node.role == "named" or node.role == "comes along" or node.role == "below"
			if node.role == "named" or node.role == "comes along" and not inside then
				rows[#rows + 1] = { term.clean(node.path), node.role .. (node.enabled and "" or " (disabled in the tree)") }
			end
		end
		lines[1] = head "Given to the zone"
		table.move(term.columns_of(rows, "  "), 1, #rows, 2, lines)
		rows = {}
		for _, region in ipairs(data.regions) do
			rows[#rows + 1] = { term.hex(region.start), term.size(region.size), term.clean(region.what) }
		end
		section(lines, head "Pages", rows, { false, true })
		rows = {}
		for _, region in ipairs(data.memory) do
			rows[#rows + 1] = { term.hex(region.start), term.size(region.size), term.clean(region.what) }
		end
		section(lines, head "Reserved memory", rows, { false, true })
		rows = {}
		for _, irq in ipairs(data.irqs) do
			rows[#rows + 1] = { tostring(irq.number), irq.trigger, term.clean(irq.path .. (irq.name and " " .. irq.name or "")) }
		end
		section(lines, head "Interrupts", rows, { true })
		rows = {}
		for _, need in ipairs(data.needs) do
			if need.kind == "clock" and need.role == "host" and need.property == "clocks" then
				rows[#rows + 1] = {
					term.clean(need.path), need.name and term.clean(need.name) or tostring(need.slot), term.clean(clock_text(need)),
					need.rate and ("%d Hz"):format(need.rate) or paint("yellow", "rate not known"),
				}
			end
		end
		section(lines, head "Clocks: a fixed-clock of its rate stands in for each", rows)
		rows = {}
		for _, node in ipairs(data.nodes) do
			if node.role == "host" then rows[#rows + 1] = { term.clean(node.path), term.clean(node.why or "") } end
		end
		section(lines, head "Stays with the root zone", rows)
		rows = {}
		for _, node in ipairs(data.nodes) do
			if node.role == "shared" then rows[#rows + 1] = { term.clean(node.path), term.clean(node.why or "") } end
		end
		section(lines, paint("red", "Needed by both"), rows)
		rows = {}
		for _, page in ipairs(data.pages) do
			rows[#rows + 1] = {
				term.hex(page.start), page.size > 4096 and term.size(page.size) or "",
				page.enabled and paint("red", "also") or "also",
				term.clean(page.others) .. (page.enabled and "" or " (disabled)"),
			}
		end
		section(lines, head "Pages with several owners", rows)
		rows = {}
		local free = 0
		for _, dma in ipairs(data.dma) do
			if not dma.start and not dma.iommu then
				free = free + 1
			else
				rows[#rows + 1] = {
					term.clean(dma.path),
					dma.start and ("%s+%s%s"):format(term.hex(dma.start), term.size(dma.size),
						dma.identity and "" or ", which it calls " .. term.hex(dma.bus)) or "CPU addresses",
					dma.iommu and "behind " .. term.clean(dma.iommu) or "no IOMMU: nothing limits it",
				}
			end
		end
		if free > 0 then
			rows[#rows + 1] = { ("%s whose DMA, if any, reaches all memory: no IOMMU limits it"):format(
				term.count(free, #rows > 0 and "more device" or "device")) }
		end
		section(lines, head "DMA", rows)
		rows = {}
		for _, problem in ipairs(data.problems) do
			rows[#rows + 1] = {
				severity_text(paint, problem.severity), term.clean(problem.path) .. ": " .. term.clean(problem.message),
			}
		end
		section(lines, head "Findings", rows)
		return lines
	end

	-- ---- the object

	local get, methods = {}, { host = shared.host, check_host = shared.check_host }

	for _, list in ipairs { "nodes", "needs", "regions", "memory", "pages", "dma", "problems" } do
		get[list] = function(state) return state.data[list] end
	end
	-- Details: {number=, trigger=, controller=, path=, name=}.
	function get.interrupts(state) return state.data.irqs end
	-- As a zone's `irqs` takes them.
	function get.irqs(state)
		local numbers, seen = {}, {}
		for _, irq in ipairs(state.data.irqs) do
			if not seen[irq.number] then numbers[#numbers + 1] = irq.number end
			seen[irq.number] = true
		end
		table.sort(numbers)
		return numbers
	end
	-- As a zone's `mmio` takes them.
	function get.mmio(state)
		local list = {}
		for i, region in ipairs(state.data.regions) do
			list[i] = { at = region.start, size = region.size, name = region.what }
		end
		return list
	end
	-- Clocks nobody said the rate of: {path=, name=, slot=, provider=, args=}.
	function get.missing_rates(state)
		local list = {}
		for _, need in ipairs(state.data.needs) do
			if need.kind == "clock" and need.role == "host" and need.property == "clocks" and not need.rate then
				list[#list + 1] = need
			end
		end
		return list
	end
	-- What stands against it: errors, shared providers and pages of enabled devices, as texts.
	function get.conflicts(state)
		local list = {}
		for _, problem in ipairs(state.data.problems) do
			if problem.severity == "error" then list[#list + 1] = problem.path .. ": " .. problem.message end
		end
		for _, node in ipairs(state.data.nodes) do
			if node.role == "shared" then list[#list + 1] = node.path .. ": " .. (node.why or "shared") end
		end
		for _, page in ipairs(state.data.pages) do
			if page.enabled then
				list[#list + 1] = ("page 0x%x of %s holds registers of %s"):format(page.start, page.given, page.others)
			end
		end
		return list
	end
	function get.tree(state) return state.tree end

	function methods.text(plan, options)
		local state = plans[plan]
		if not state then misuse(2, "this is a method of a plan: use plan:method()") end
		return table.concat(render(state.data, options or {}), "\n") .. "\n"
	end

	local names = {}
	for name in pairs(get) do names[name] = true end
	for name in pairs(methods) do names[name] = true end

	local meta = {
		__name = "hvsh.fdt.plan",
		__metatable = false,
		__index = function(plan, key)
			if get[key] then return get[key](plans[plan]) end
			if methods[key] then return methods[key] end
			misuse(2, "a plan has no field %s%s", tostring(key), nearest.hint(key, names))
		end,
		__newindex = function(_, key) misuse(2, "a plan cannot be changed (field %s)", tostring(key)) end,
		__tostring = function(plan) return table.concat(render(plans[plan].data, {}), "\n") end,
	}

	local options = { tree = true, devices = true, compatible = true, coalesce = true, rates = true }

	local part = {}

	-- The devices may stand in the table itself; {compatible = "…"} among them, or compatible= beside them.
	local function wanted_devices(level, wanted)
		local list = {}
		table.move(wanted, 1, #wanted, 1, list)
		local more = wanted.devices
		if type(more) == "table" and not shared.nodes[more] then table.move(more, 1, #more, #list + 1, list) else list[#list + 1] = more end
		local devices, compatible = {}, strings(level + 1, "compatible", wanted.compatible)
		for _, item in ipairs(strings(level + 1, "devices", list)) do
			local word = item:match "^compatible=(.+)$"
			if word then compatible[#compatible + 1] = word else devices[#devices + 1] = item end
		end
		if type(more) == "table" and not shared.nodes[more] then
			for _, item in ipairs(strings(level + 1, "devices.compatible", more.compatible)) do compatible[#compatible + 1] = item end
		end
		return devices, compatible
	end

	-- fdt.passthrough {"/soc/x", "&label", {compatible = "…"}, tree=, coalesce=, rates=}; tree: a tree, or a file's name.
	function part.passthrough(wanted)
		if type(wanted) ~= "table" then misuse(2, "fdt.passthrough takes a table: {tree=, devices={…}}") end
		for key in pairs(wanted) do
			if not options[key] and math.type(key) ~= "integer" then
				misuse(2, "fdt.passthrough has no field %s%s", tostring(key), nearest.hint(key, options))
			end
		end
		local devices, compatible = wanted_devices(2, wanted)
		local tree, why, errno = wanted.tree, nil, nil
		if type(tree) == "string" then
			tree, why, errno = shared.open(tree)
			if not tree then return nil, why, errno end
		end
		if not shared.trees[tree] then misuse(2, "fdt.passthrough: tree is a device tree (fdt.open, fdt.machine), or a file's name") end
		local raw = shared.open_tree(2, tree)
		local rates, message, code = flatten(2, raw, wanted.rates)
		if message then return nil, message, code end
		local plan
		plan, message, code = core.fdt_passthrough(raw, {
			devices = devices, compatible = compatible,
			coalesce = wanted.coalesce and true or false, rates = rates,
		})
		if not plan then return nil, message, code end
		local object = setmetatable({}, meta)
		plans[object] = { raw = plan, tree = tree, data = plan:data() }
		return object
	end

	return part
end
