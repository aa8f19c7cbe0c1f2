-- SPDX-License-Identifier: GPL-2.0-or-later
-- dt: device trees from the command line.
local common = require "hvsh.command.common"
local term = require "hvsh.term"

local command = {}
local verbs = {}

local function array(list) return require("hvsh.json").array(list) end

-- "machine" is the running machine's tree; a folder stands for /proc/device-tree.
local function open(name)
	local fdt = require "hvsh.fdt"
	if name == "machine" then return fdt.machine() end
	local tree, message, code = fdt.open(name)
	if not tree and code == "EINVAL" and message:find("not a regular file", 1, true) then
		local folder = fdt.machine(name)
		if folder then return folder end
	end
	return tree, message, code
end

local function numbered(request, name)
	local text = request.options[name]
	if not text then return nil end
	local value = math.tointeger(tonumber(text))
	if not value or value < 0 then return nil, ("--%s is a number, not %s"):format(name, text) end
	return value
end

local function node_data(node, depth)
	local props, children = {}, {}
	local names = node.props
	for i, name in ipairs(names) do props[i] = { name = name, value = node:value(name) } end
	for i, child in ipairs(depth ~= 0 and node.children or {}) do children[i] = node_data(child, depth - 1) end
	local irqs = node.irqs
	return {
		path = node.path, name = node.name, label = node.label, status = node.status, enabled = node.enabled,
		compatible = array(node.compatible), regs = array(node.regs), irqs = array(irqs), properties = array(props),
		children = depth ~= 0 and array(children) or nil,
	}
end

function verbs.show(request, tree)
	local depth, why = numbered(request, "depth")
	if why then return request.misuse(why) end
	local shown = {}
	if not request.args[3] then shown[1] = tree.root end
	for i = 3, #request.args do
		local node, message = tree:find(request.args[i])
		if not node then return common.fail(message) end
		shown[#shown + 1] = node
	end
	if request.options.json then
		local data = {}
		for i, node in ipairs(shown) do data[i] = node_data(node, depth or -1) end
		return common.json(array(data))
	end
	for i, node in ipairs(shown) do
		local text, message = node:text(depth)
		if not text then return common.fail(message) end
		io.stdout:write(i > 1 and "\n" or "", text)
	end
	return 0
end

function verbs.irqs(request, tree)
	local rows, data = {}, {}
	for node in tree:walk() do
		for i, irq in ipairs(node.enabled and node.irqs or {}) do
			local names = node:prop("interrupt-names", "strings") or {}
			if irq.code ~= "ENODATA" then
				data[#data + 1] = {
					path = node.path, name = names[i], number = irq.number, trigger = irq.trigger, type = irq.type,
					controller = irq.controller, via = irq.via, problem = irq.problem,
				}
			end
		end
	end
	if request.options.json then return common.json(array(data)) end
	for i, irq in ipairs(data) do
		rows[i] = {
			irq.number and ("%d"):format(irq.number) or term.paint(request.color, "yellow", "?"), irq.number and irq.type or "",
			irq.number and irq.trigger or "", term.clean(irq.path .. (irq.name and " " .. irq.name or "")),
			irq.problem and term.clean((irq.problem:gsub("^.-: (/%S+: )", ""))) or "",
		}
	end
	common.print(term.columns_of(rows, nil, { true }))
	return 0
end

-- "/soc/uart:baud=24000000" of --rate, several with commas between.
local function rates_of(text)
	local rates = {}
	for item in text:gmatch "[^,]+" do
		local device, clock, hz = item:match "^(.+):([^:=]+)=(%d+)$"
		if not device then return nil, ("--rate %s is not DEVICE:CLOCK=HZ"):format(item) end
		rates[device] = rates[device] or {}
		rates[device][math.tointeger(tonumber(clock)) or clock] = math.tointeger(tonumber(hz))
	end
	return rates
end

-- "0x50000000+256M" of --memory, several with commas between.
local function memory_of(text)
	local ranges = {}
	for item in text:gmatch "[^,]+" do
		local at, size = item:match "^(%w+)%+(%w+)$"
		at, size = at and math.tointeger(tonumber(at)), size and require("hvsh.core").size(size)
		if not at or at < 0 or not size then return nil, ("--memory %s is not AT+SIZE, as in 0x50000000+256M"):format(item) end
		ranges[#ranges + 1] = { at = at, size = size }
	end
	return ranges
end

local function planned(request, tree)
	local devices, compatible, rates, why = {}, {}, nil, nil
	for i = 3, #request.args do
		local word = request.args[i]:match "^compatible=(.+)$"
		if word then compatible[#compatible + 1] = word else devices[#devices + 1] = request.args[i] end
	end
	if #devices + #compatible == 0 then return nil, nil, request.misuse "which devices? Paths, &labels, aliases or compatible=TEXT" end
	if request.options.rate then
		rates, why = rates_of(request.options.rate)
		if not rates then return nil, nil, request.misuse(why) end
	end
	local plan, message = require("hvsh.fdt").passthrough {
		tree = tree, devices = devices, compatible = compatible, coalesce = request.options.coalesce, rates = rates,
	}
	if not plan then return nil, nil, common.fail(message) end
	return plan
end

-- Exit 0 also with conflicts: the plan was made. They are the text's and the JSON's business.
function verbs.passthrough(request, tree)
	local plan, _, failed = planned(request, tree)
	if not plan then return failed end
	if request.options.json then
		return common.json {
			nodes = array(plan.nodes), needs = array(plan.needs), regions = array(plan.regions), memory = array(plan.memory),
			interrupts = array(plan.interrupts), irqs = array(plan.irqs), pages = array(plan.pages), dma = array(plan.dma),
			problems = array(plan.problems), conflicts = array(plan.conflicts),
		}
	end
	io.stdout:write(plan:text { color = request.color })
	return 0
end

function verbs.host(request, tree)
	local plan, _, failed = planned(request, tree)
	if not plan then return failed end
	local wakeup, why = numbered(request, "wakeup")
	local memory, wrong
	if request.options.memory then memory, wrong = memory_of(request.options.memory) end
	if why or wrong then return request.misuse(why or wrong) end
	if request.options.check then
		local missing, message = plan:check_host(tree, { wakeup = wakeup, memory = memory })
		if not missing then return common.fail(message) end
		if request.options.json then return math.max(#missing > 0 and 1 or 0, common.json(array(missing))) end
		for i, text in ipairs(missing) do missing[i] = term.clean(text) end
		common.print(missing)
		if #missing == 0 then common.print { "the root zone's tree has what it needs" } end
		return #missing > 0 and 1 or 0
	end
	local text, message = plan:host { wakeup = wakeup, memory = memory }
	if not text then return common.fail(message) end
	io.stdout:write(text)
	return 0
end

function verbs.diff(request, tree)
	local other, message = open(request.args[3])
	if not other then return common.fail(message) end
	local _ <close> = other
	local list = require("hvsh.fdt").diff(tree, other)
	if request.options.json then return math.max(#list > 0 and 1 or 0, common.json(array(list))) end
	local lines = {}
	local function add(style, text) lines[#lines + 1] = term.paint(request.color, style, term.clean(text)) end
	for _, d in ipairs(list) do
		if d.only then
			add(d.only == "a" and "red" or "green", (d.only == "a" and "- " or "+ ") .. d.path)
		else
			if d.a then add("red", ("- %s %s%s"):format(d.path, d.property, d.a ~= "" and " = " .. d.a or "")) end
			if d.b then add("green", ("+ %s %s%s"):format(d.path, d.property, d.b ~= "" and " = " .. d.b or "")) end
		end
	end
	common.print(lines)
	return #list > 0 and 1 or 0
end

function verbs.overlay(request, tree)
	if not request.options.o then return request.misuse "where does the tree go? -o FILE" end
	local why = require("hvsh.output").mistaken(request.options.o, "tree")
	if why then return common.fail(why) end
	for i = 3, #request.args do
		local ok, message = tree:overlay(request.args[i])
		if not ok then return common.fail(message) end
	end
	local ok, message = tree:save(request.options.o)
	if not ok then return common.fail(message) end
	return 0
end

local needs = { show = 2, irqs = 2, passthrough = 3, host = 3, diff = 3, overlay = 3 }
local most = { irqs = 2, diff = 3 }

function command.dt(request)
	local verb = request.args[1]
	if not verbs[verb] then
		local near = require("hvsh.nearest").of(verb, verbs)
		return request.misuse(("there is no dt %s (%s)"):format(verb,
			near and ("did you mean %s?"):format(near) or "show, irqs, passthrough, host, diff, overlay"))
	end
	if #request.args < needs[verb] then
		return request.misuse(#request.args < 2 and "which tree? A .dtb file, or machine for this machine's"
			or verb == "diff" and "with which other tree?" or verb == "overlay" and "which overlay? A .dtbo file" or "which devices?")
	end
	if most[verb] and #request.args > most[verb] then return request.misuse(("%s is too much"):format(request.args[most[verb] + 1])) end
	local tree, message = open(request.args[2])
	if not tree then return common.fail(message) end
	local _ <close> = tree
	return verbs[verb](request, tree)
end

return command
