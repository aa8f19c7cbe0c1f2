-- SPDX-License-Identifier: GPL-2.0-or-later
-- `clock`: the clocks of the root zone's kernel, or of the simulated machine, and what the clocks of a device take
-- when it goes to a zone.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"
local term = require "hvsh.term"

local on_here = {} -- by id: how often this script has switched it on

local function failure(code, fmt, ...)
	return nil, code .. ": " .. fmt:format(...), code
end

local function hertz(what, value)
	if math.type(value) == "integer" and value > 0 then return value end
	local hz, why
	if type(value) == "string" then hz, why = core.clock_hertz(value) end
	if not hz or hz == 0 then
		error(("%s: %s is not a rate (%s)"):format(what, tostring(value), why or 'Hz, or as in "24M"'), 3)
	end
	return hz
end

local function check_options(what, options, known)
	if type(options) ~= "table" then error(("%s takes a table: {%s}"):format(what, table.concat(known, ", ")), 3) end
	for key, value in pairs(options) do
		local found = false
		for _, name in ipairs(known) do found = found or name == key end
		if not found then
			error(("%s has no option %s (%s)"):format(what, tostring(key), table.concat(known, ", ")), 3)
		end
		if key ~= "tree" and key ~= "guest" and (type(value) ~= "string" or value == "") then
			error(("%s: %s is text, not %s"):format(what, key, tostring(value)), 3)
		end
	end
end

-- ---- a clock

local known_fields = { "name", "parent", "rate", "enable_count", "prepare_count", "protect_count", "accuracy", "phase",
	"duty", "running", "users" }

local function new_clock(facts)
	local methods = {}

	-- Its id among those that the root zone lends to zones, which can be switched and set; nil, message, code.
	local function lent()
		return core.clock_lent(facts.name)
	end

	local function read_again()
		local list = core.clock_list()
		for _, entry in ipairs(list or {}) do
			if entry.name == facts.name then facts = entry end
		end
	end

	function methods.lent() return lent() end

	-- Switched on for as long as this script wants it, whoever else has it on.
	function methods.enable()
		local id, message, code = lent()
		if not id then return nil, message, code end
		local ok
		ok, message, code = core.clock_switch(id, true)
		if not ok then return nil, message, code end
		on_here[id] = (on_here[id] or 0) + 1
		read_again()
		return true
	end

	-- Takes one enable back.
	function methods.disable()
		local id, message, code = lent()
		if not id then return nil, message, code end
		if not on_here[id] or on_here[id] == 0 then
			return failure("EINVAL", "clock %s was not switched on here, so it cannot be switched off", facts.name)
		end
		local ok
		ok, message, code = core.clock_switch(id, false)
		if not ok then return nil, message, code end
		on_here[id] = on_here[id] - 1
		read_again()
		return true
	end

	-- Asks for a rate in Hz or as "24M". The rate it got, which the kernel rounds; nil, message, code.
	function methods.set_rate(_, rate)
		local hz = hertz("set_rate", rate)
		local id, message, code = lent()
		if not id then return nil, message, code end
		local got
		got, message, code = core.clock_set_rate(id, hz)
		if not got then return nil, message, code end
		read_again()
		return got
	end

	local names = { enable = true, disable = true, set_rate = true, lent = true }
	for _, name in ipairs(known_fields) do names[name] = true end
	return frozen.object {
		name = "hvsh.clock_object",
		fields = methods,
		names = names,
		get = function(key)
			local value = facts[key]
			-- false: known to be unknown, as the parent of an oscillator.
			if value == nil and names[key] then return false end
			return value
		end,
		strict = true,
		pairs = function(self)
			return function(_, key) return next(facts, key) end, self, nil
		end,
		tostring = function()
			return ("%s: %s%s, enable count %d"):format(term.clean(facts.name), core.clock_hertz_text(facts.rate),
				facts.parent and " from " .. term.clean(facts.parent) or "", facts.enable_count)
		end,
	}
end

-- ---- all of them

local fields = {}

local function draw(list)
	local lines, depth = {}, {}
	for _, entry in ipairs(list) do
		local parent = entry.parent
		depth[entry.name] = parent and (depth[parent] or 0) + 1 or 0
		local users = {}
		for _, user in ipairs(entry.users) do
			users[#users + 1] = (user.device or "-") .. (user.connection and ":" .. user.connection or "")
		end
		lines[#lines + 1] = (("%-36s %14s %3d  %s"):format(
			("  "):rep(depth[entry.name]) .. term.clean(entry.name), core.clock_hertz_text(entry.rate), entry.enable_count,
			term.clean(table.concat(users, " "))):gsub("%s+$", ""))
	end
	return table.concat(lines, "\n")
end

-- All clocks, parents before what they feed; prints as a tree. nil, message, code.
function fields.list()
	local list, message, code = core.clock_list()
	if not list then return nil, message, code end
	local out = {}
	for i, entry in ipairs(list) do out[i] = new_clock(entry) end
	return frozen.with_text(out, "hvsh.clocks", function() return draw(list) end)
end

local function tree_bytes(what, tree)
	if tree == nil then
		local info = core.info()
		if info and info.backend == "sim" then
			return failure("ENOENT", '%s: the simulated root zone has no device tree; say which: tree = "board.dtb"', what)
		end
		tree = "/sys/firmware/fdt"
	end
	if type(tree) == "string" then
		local file, why = io.open(tree, "rb")
		if not file then return failure("ENOENT", "%s: %s", what, why) end
		local bytes = file:read "a"
		file:close()
		if not bytes then return failure("EIO", "%s: %s cannot be read", what, tree) end
		return bytes, tree
	end
	local ok, bytes = pcall(function() return tree:bytes() end)
	if not ok or type(bytes) ~= "string" then
		error(("%s: tree is a file name or a tree of fdt.open, not %s"):format(what, type(tree)), 3)
	end
	return bytes, "the device tree"
end

-- "/soc/serial@3000:baud": the node, and the entry of its clocks by name or number (the first without one).
local function by_reference(ref, tree)
	local node, entry = ref:match "^(.*[^:]):([^:/]+)$"
	if not node then node, entry = ref, "0" end
	local bytes, label, code = tree_bytes("clock.find", tree)
	if not bytes then return nil, label, code end
	local plan, message
	plan, message, code = core.clock_plan(node, bytes, label, nil, tree == nil)
	if not plan then return nil, message, code end
	for _, need in ipairs(plan.clocks) do
		if need.name == entry or need.slot == math.tointeger(tonumber(entry)) then
			if need.clock then return need.clock end
			return failure("ENOENT", "%s is clock %s of %s, but which of the kernel's clocks that is cannot be told: %s", ref,
				table.concat(need.cells, " "), need.provider, plan.why or need.how)
		end
	end
	return failure("ENOENT", "%s has no clock %s", node, entry)
end

-- One clock: {name = "uart0"}, {consumer = "9000000.serial"} or with ":baud" after it, {ref = "/soc/serial@3000:baud"}
-- (with tree = a file or a tree, where it is not the running one). nil, message, code.
function fields.find(what)
	if type(what) == "string" then what = { name = what } end
	check_options("clock.find", what, { "name", "consumer", "ref", "tree" })
	if (what.name and 1 or 0) + (what.consumer and 1 or 0) + (what.ref and 1 or 0) ~= 1 then
		error("clock.find takes one of name, consumer and ref", 2)
	end
	local name, message, code = what.name, nil, nil
	if what.ref then
		name, message, code = by_reference(what.ref, what.tree)
		if not name then return nil, message, code end
	end
	local list
	list, message, code = core.clock_list()
	if not list then return nil, message, code end
	local names = {}
	for i, entry in ipairs(list) do
		names[i] = entry.name
		if name == entry.name then return new_clock(entry) end
		if what.consumer then
			for _, user in ipairs(entry.users) do
				local device = user.device or ""
				if what.consumer == device or what.consumer == device .. ":" .. (user.connection or "") then
					return new_clock(entry)
				end
			end
		end
	end
	if what.consumer then
		return failure("ENOENT", "no clock is used by %s (kernels before 6.5 do not say who uses which)", what.consumer)
	end
	return failure("ENOENT", "there is no clock %s%s", name, nearest.hint(name, names))
end

local function plan_text(node, plan)
	local lines = {}
	local function add(fmt, ...) lines[#lines + 1] = fmt:format(...) end
	if #plan.clocks == 0 then return ("%s uses no clocks"):format(term.clean(node)) end
	add("%s uses %d clock%s:", term.clean(node), #plan.clocks, #plan.clocks == 1 and "" or "s")
	for _, need in ipairs(plan.clocks) do
		add("  %d %-12s %14s  %s", need.slot, term.clean(need.name or "-"),
			need.rate and core.clock_hertz_text(need.rate) or "not known", term.clean(need.how))
	end
	if plan.why then add("The kernel's clocks could not be read: %s", term.clean(plan.why)) end
	if plan.root ~= "" then
		add("\nRoot zone: its tree must list them, so that its kernel keeps them on for the zone:\n")
		add("%s", (plan.root:gsub("\n$", "")))
	else
		add("\nRoot zone: it lends them already.")
	end
	add("\nGuest: fixed clocks take their place:\n")
	add("%s", (plan.guest:gsub("\n$", "")))
	return table.concat(lines, "\n")
end

-- What the clocks of a device take when it goes to a zone: {clocks = {{slot, name, provider, cells, rate, how, lent}},
-- root = source, guest = source}; prints as a page. options: tree = the root zone's tree (default: the running one),
-- guest = the tree that is to get the stand-ins. nil, message, code.
function fields.plan(node, options)
	if type(node) ~= "string" and (type(node) == "table" or type(node) == "userdata") then
		local ok, path = pcall(function() return node.path end)
		node = ok and path or nil
	end
	if type(node) ~= "string" then error('clock.plan takes a node: its path, as "/soc/serial@3000"', 2) end
	options = options or {}
	check_options("clock.plan", options, { "tree", "guest" })
	local bytes, label, code = tree_bytes("clock.plan", options.tree)
	if not bytes then return nil, label, code end
	local guest, message
	if options.guest ~= nil then
		guest, message, code = tree_bytes("clock.plan", options.guest)
		if not guest then return nil, message, code end
	end
	local plan
	plan, message, code = core.clock_plan(node, bytes, label, guest, options.tree == nil)
	if not plan then return nil, message, code end
	return frozen.with_text(plan, "hvsh.clock_plan", function() return plan_text(node, plan) end)
end

-- The rate of a node's clock, by its place in `clocks`; nil when it is not known.
function fields.rate_of(node, slot, tree)
	if type(node) ~= "string" or math.type(slot) ~= "integer" then
		error("clock.rate_of takes a node's path and a place in its clocks, from 0", 2)
	end
	local plan, message, code = fields.plan(node, { tree = tree })
	if not plan then return nil, message, code end
	for _, need in ipairs(plan.clocks) do
		if need.slot == slot then return need.rate end
	end
	return nil
end

return frozen.object { name = "hvsh.clock", fields = fields, strict = true }
