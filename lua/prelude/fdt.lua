-- SPDX-License-Identifier: GPL-2.0-or-later
-- `fdt`: device trees. fdt.open and fdt.machine give a tree, tree:find a node; fdt.passthrough plans what giving
-- devices to a zone means. A node remembers its path: after a change of the tree it finds itself again.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"

local trees = setmetatable({}, { __mode = "k" }) -- tree object -> userdata
local nodes = setmetatable({}, { __mode = "k" }) -- node object -> {tree=, path=, at=, generation=}

local function misuse(level, fmt, ...)
	error(fmt:format(...), level + 1)
end

local function failure(code, fmt, ...)
	return nil, code .. ": " .. fmt:format(...), code
end

-- ---- property values

local decode = {
	u32 = function(bytes) return #bytes == 4 and (">I4"):unpack(bytes) or nil end,
	u64 = function(bytes) return #bytes == 8 and (">i8"):unpack(bytes) or nil end,
	string = function(bytes) return bytes:match "^([^\0]*)\0$" end,
	strings = function(bytes)
		local list = {}
		if #bytes > 0 and bytes:sub(-1) ~= "\0" then return nil end
		for word in bytes:gmatch "([^\0]*)\0" do list[#list + 1] = word end
		return list
	end,
	cells = function(bytes)
		local list = {}
		if #bytes % 4 ~= 0 then return nil end
		for at = 1, #bytes, 4 do list[#list + 1] = (">I4"):unpack(bytes, at) end
		return list
	end,
	bytes = function(bytes) return bytes end,
}
local described = { u32 = "one cell", u64 = "two cells", string = "one string", strings = "strings", cells = "cells" }

local function cell(level, value)
	if math.type(value) ~= "integer" or value < -0x80000000 or value > 0xffffffff then
		misuse(level + 1, "a cell is an integer of 32 bits, not %s", tostring(value))
	end
	return (">I4"):pack(value & 0xffffffff)
end

local function text(level, value)
	if type(value) ~= "string" or value:find("\0", 1, true) then
		misuse(level + 1, "a string property cannot be %s", type(value) == "string" and "text with a NUL" or type(value))
	end
	return value .. "\0"
end

local function each(level, values, one)
	if type(values) ~= "table" then misuse(level + 1, "a list is wanted, not a %s", type(values)) end
	local parts = {}
	for i, value in ipairs(values) do parts[i] = one(level + 1, value) end
	return table.concat(parts)
end

local encode = {
	u32 = cell,
	u64 = function(level, value)
		if math.type(value) ~= "integer" then misuse(level + 1, "an integer is wanted, not %s", tostring(value)) end
		return (">i8"):pack(value)
	end,
	string = text,
	strings = function(level, value) return each(level + 1, value, text) end,
	cells = function(level, value) return each(level + 1, value, cell) end,
	bytes = function(level, value)
		if type(value) ~= "string" then misuse(level + 1, "bytes are a string, not a %s", type(value)) end
		return value
	end,
}

local function check_type(level, kind)
	if kind ~= nil and not encode[kind] then
		local near = type(kind) == "string" and nearest.of(kind, encode)
		misuse(level + 1, "there is no property type %s (%s)", tostring(kind),
			near and ("did you mean %s?"):format(near) or "u32 u64 string strings cells bytes")
	end
end

-- Bytes for a Lua value; nil = remove the property.
local function to_bytes(level, value, kind)
	check_type(level + 1, kind)
	if value == nil or value == false then return nil end
	if value == true then return "" end
	if not kind then
		if type(value) == "string" then
			kind = "string"
		elseif type(value) == "number" then
			kind = "u32"
		elseif type(value) == "table" then
			kind = type(value[1]) == "string" and "strings" or "cells"
		else
			misuse(level + 1, "a property cannot be a %s", type(value))
		end
	end
	return encode[kind](level + 1, value)
end

-- ---- nodes

local node_methods, node_get = {}, {}
local tree_methods = {}

-- The userdata and the offset of a node; raises when it is gone.
local function where(level, node)
	local state = nodes[node]
	if not state then misuse(level + 1, "this is a method of a node: use node:method()") end
	local tree = trees[state.tree]
	if tree:closed() then misuse(level + 1, "the device tree is closed") end
	local generation = tree:generation()
	if state.generation ~= generation then
		local at = tree:find(state.path)
		if not at then misuse(level + 1, "the tree was changed and has no node %s any more", state.path) end
		state.at, state.generation = at, generation
	end
	return tree, state.at, state
end

local node_meta = { __name = "hvsh.fdt.node", __metatable = false }

local function new_node(tree, at)
	if not at then return nil end
	local raw = trees[tree]
	local node = setmetatable({}, node_meta)
	nodes[node] = { tree = tree, path = raw:path(at), at = at, generation = raw:generation() }
	return node
end

function node_get.path(node) return select(3, where(3, node)).path end
function node_get.tree(node) return select(3, where(3, node)).tree end
for field, method in pairs {
	name = "name", label = "symbol", phandle = "phandle", enabled = "enabled", regs = "regs", irqs = "irqs",
} do
	node_get[field] = function(node)
		local tree, at = where(3, node)
		return tree[method](tree, at)
	end
end
function node_get.status(node)
	local tree, at = where(3, node)
	local bytes = tree:prop(at, "status")
	return bytes and (bytes:match "^[^\0]*") or "okay"
end
function node_get.compatible(node)
	local tree, at = where(3, node)
	return decode.strings(tree:prop(at, "compatible") or "") or {}
end
-- Name -> bytes, and the names in the tree's order as a list.
function node_get.props(node)
	local tree, at = where(3, node)
	local props = tree:props(at)
	for i = 1, #props do props[props[i]] = tree:prop(at, props[i]) end
	return props
end
function node_get.parent(node)
	local tree, at, state = where(3, node)
	return new_node(state.tree, tree:parent(at))
end
function node_get.children(node)
	local tree, at, state = where(3, node)
	local list = {}
	at = tree:child(at)
	while at do
		list[#list + 1] = new_node(state.tree, at)
		at = tree:sibling(at)
	end
	return list
end

-- node:prop("clock-frequency", "u32") -> value; without a type its bytes.
function node_methods.prop(node, name, kind)
	local tree, at, state = where(2, node)
	if type(name) ~= "string" then misuse(2, "node:prop takes the name of a property") end
	check_type(2, kind)
	local bytes = tree:prop(at, name)
	if not bytes then return failure("ENOENT", "%s has no property %s", state.path, name) end
	local value = decode[kind or "bytes"](bytes)
	if value == nil then
		return failure("EINVAL", "%s: %s has %d bytes, which is not %s", state.path, name, #bytes, described[kind])
	end
	return value
end

-- As source text: '<0x1 0x2>', '"okay"'.
function node_methods.value(node, name)
	local tree, at = where(2, node)
	if type(name) ~= "string" then misuse(2, "node:value takes the name of a property") end
	return tree:value(at, name)
end

-- What the node needs of others: {kind=, property=, slot=, name=, node=, path=, args=}; problem= where it leads nowhere.
function node_methods.refs(node)
	local tree, at, state = where(2, node)
	local refs = tree:refs(at)
	for _, ref in ipairs(refs) do
		ref.slot = ref.slot + 1
		ref.node = new_node(state.tree, ref.node)
	end
	return refs
end

-- nil or false removes the property.
function node_methods.set(node, name, value, kind)
	local tree, _, state = where(2, node)
	if type(name) ~= "string" then misuse(2, "node:set takes a name and a value") end
	return tree:set(state.path, name, to_bytes(2, value, kind))
end

function node_methods.is(node, compatible)
	local tree, at = where(2, node)
	if type(compatible) ~= "string" then misuse(2, "node:is takes a compatible string") end
	return tree:compatible(at, compatible)
end

-- The node as source text, children in full down to depth (default: all).
function node_methods.text(node, depth)
	local tree, at = where(2, node)
	if depth ~= nil and math.type(depth) ~= "integer" then misuse(2, "node:text takes a depth") end
	return tree:print(at, depth or -1)
end

local function known(getters, methods)
	local names = {}
	for name in pairs(getters) do names[name] = true end
	for name in pairs(methods) do names[name] = true end
	return names
end

local function index(noun, getters, methods)
	return function(object, key)
		if getters[key] then return getters[key](object) end
		if methods[key] then return methods[key] end
		misuse(2, "a %s has no field %s%s", noun, tostring(key), nearest.hint(key, known(getters, methods)))
	end
end

local function sealed(noun)
	return function(_, key) misuse(2, "a %s cannot be changed (field %s)", noun, tostring(key)) end
end

node_meta.__index = index("node", node_get, node_methods)
node_meta.__newindex = sealed "node"
node_meta.__eq = function(a, b)
	local x, y = nodes[a], nodes[b]
	return x ~= nil and y ~= nil and x.tree == y.tree and x.path == y.path
end
node_meta.__tostring = function(node)
	local state = nodes[node]
	local tree = trees[state.tree]
	local at = not tree:closed() and tree:find(state.path)
	if not at then return "node " .. state.path .. " (gone)" end
	return ((tree:print(at, 1) or state.path):gsub("\n$", ""))
end

-- ---- trees

local tree_get = {}

local function open_tree(level, tree)
	local raw = trees[tree]
	if not raw then misuse(level + 1, "this is a method of a tree: use tree:method()") end
	if raw:closed() then misuse(level + 1, "the device tree is closed") end
	return raw
end

-- Every node below (and with) one, parents first; at = nil = the root.
local function iterate(tree, raw)
	local at = raw:root()
	local generation = raw:generation()
	return function()
		if not at then return nil end
		if raw:generation() ~= generation then misuse(2, "the tree was changed while it was walked") end
		local node = new_node(tree, at)
		local next_at = raw:child(at)
		while at and not next_at do
			next_at = raw:sibling(at)
			at = raw:parent(at)
		end
		at = next_at
		return node
	end
end

function tree_get.root(tree) return new_node(tree, open_tree(3, tree):root()) end
function tree_get.label(tree) return open_tree(3, tree):label() end
function tree_get.model(tree)
	local raw = open_tree(3, tree)
	local bytes = raw:prop(raw:root(), "model")
	return bytes and (bytes:match "^[^\0]*")
end
-- Pages with registers of several nodes: {start=, size=, owners=, disabled=} each.
function tree_get.shared_pages(tree)
	local plan = assert(core.fdt_pages(open_tree(3, tree)))
	local pages = plan:data().pages
	for i, page in ipairs(pages) do
		pages[i] = { start = page.start, size = page.size, owners = page.given, disabled = page.others }
	end
	return pages
end

local filters = {
	compatible = function(raw, at, value) return raw:compatible(at, value) end,
	enabled = function(raw, at, value) return raw:enabled(at) == value end,
	name = function(raw, at, value) return raw:name(at) == value or raw:name(at):match "^[^@]*" == value end,
	property = function(raw, at, value) return raw:prop(at, value) ~= nil end,
}

local function check_filter(level, filter)
	if next(filter) == nil then misuse(level + 1, "find by what? compatible, name, enabled, property or phandle") end
	for key, value in pairs(filter) do
		if not filters[key] then
			misuse(level + 1, "nodes cannot be found by %s (compatible, name, enabled, property, phandle)", tostring(key))
		end
		if type(value) ~= (key == "enabled" and "boolean" or "string") then
			misuse(level + 1, "%s cannot be a %s", key, type(value))
		end
	end
end

local function matches(raw, at, filter)
	for key, value in pairs(filter) do
		if not filters[key](raw, at, value) then return false end
	end
	return true
end

-- tree:find "/soc/serial@3000" | "&uart_AO" | "serial0" | {compatible="arm,pl011"} | {phandle=3}:
-- the first such node, or nil, message, code.
function tree_methods.find(tree, what)
	local raw = open_tree(2, tree)
	if type(what) == "string" then
		local at, message, code = raw:find(what)
		if not at then return nil, message, code end
		return new_node(tree, at)
	end
	if type(what) ~= "table" then misuse(2, "tree:find takes a path, &label, alias or {compatible=}") end
	if math.type(what.phandle) == "integer" and next(what, next(what)) == nil then
		local at = what.phandle > 0 and what.phandle <= 0xffffffff and raw:by_phandle(what.phandle)
		if not at then return failure("ENOENT", "%s: no node has phandle 0x%x", raw:label(), what.phandle) end
		return new_node(tree, at)
	end
	check_filter(2, what)
	for node in iterate(tree, raw) do
		if matches(raw, nodes[node].at, what) then return node end
	end
	return failure("ENOENT", "%s: there is no such node", raw:label())
end

-- All nodes that match, in the tree's order.
function tree_methods.list(tree, filter)
	local raw = open_tree(2, tree)
	if filter ~= nil then
		if type(filter) ~= "table" then misuse(2, "tree:list takes {compatible=, name=, enabled=, property=}") end
		check_filter(2, filter)
	end
	local list = {}
	for node in iterate(tree, raw) do
		if matches(raw, nodes[node].at, filter or {}) then list[#list + 1] = node end
	end
	return list
end

-- for node in tree:walk() do … end: every node, parents first.
function tree_methods.walk(tree)
	return iterate(tree, open_tree(2, tree))
end

-- tree:set("&uart", "status", "okay"): types as in node:set. true, or nil, message, code.
function tree_methods.set(tree, path, name, value, kind)
	local raw = open_tree(2, tree)
	if nodes[path] then path = nodes[path].path end
	if type(path) ~= "string" or type(name) ~= "string" then misuse(2, "tree:set takes a node, a property and a value") end
	return raw:set(path, name, to_bytes(2, value, kind))
end

function tree_methods.add(tree, path)
	local raw = open_tree(2, tree)
	if type(path) ~= "string" then misuse(2, "tree:add takes the full path of the new node") end
	local ok, message, code = raw:add(path)
	if not ok then return nil, message, code end
	return new_node(tree, raw:find(path))
end

function tree_methods.remove(tree, path)
	local raw = open_tree(2, tree)
	if nodes[path] then path = nodes[path].path end
	if type(path) ~= "string" then misuse(2, "tree:remove takes a node or its path") end
	return raw:delete(path)
end

-- Applies a compiled overlay: a tree, or a file's name.
function tree_methods.overlay(tree, other)
	local raw = open_tree(2, tree)
	if type(other) == "string" then
		local opened <close>, message, code = core.fdt_open(other)
		if not opened then return nil, message, code end
		return raw:overlay(opened)
	end
	if not trees[other] then misuse(2, "tree:overlay takes a tree or a file's name") end
	return raw:overlay(open_tree(2, other))
end

function tree_methods.save(tree, path)
	local raw = open_tree(2, tree)
	if type(path) ~= "string" then misuse(2, "tree:save takes a file's name") end
	return raw:save(path)
end

-- The blob as a string.
function tree_methods.bytes(tree) return open_tree(2, tree):blob() end

function tree_methods.text(tree, depth)
	local raw = open_tree(2, tree)
	if depth ~= nil and math.type(depth) ~= "integer" then misuse(2, "tree:text takes a depth") end
	return raw:print(raw:root(), depth or -1)
end

function tree_methods.close(tree)
	if not trees[tree] then misuse(2, "this is a method of a tree: use tree:method()") end
	trees[tree]:close()
end

local tree_meta = {
	__name = "hvsh.fdt.tree",
	__metatable = false,
	__index = index("tree", tree_get, tree_methods),
	__newindex = sealed "tree",
	__tostring = function(tree)
		local raw = trees[tree]
		if raw:closed() then return "device tree (closed)" end
		local model = raw:prop(raw:root(), "model")
		return "device tree " .. raw:label() .. (model and ": " .. model:match "^[^\0]*" or "")
	end,
	__close = function(tree) trees[tree]:close() end,
	__gc = function(tree)
		local raw = trees[tree]
		if raw then raw:close() end
	end,
}

local function new_tree(raw, message, code)
	if not raw then return nil, message, code end
	local tree = setmetatable({}, tree_meta)
	trees[tree] = raw
	return tree
end

-- ---- fdt

local fields = {}

function fields.open(path)
	if type(path) ~= "string" then misuse(2, "fdt.open takes a file's name") end
	return new_tree(core.fdt_open(path))
end

-- A tree from the bytes of a blob.
function fields.parse(bytes, label)
	if type(bytes) ~= "string" or label ~= nil and type(label) ~= "string" then misuse(2, "fdt.parse takes a blob's bytes") end
	return new_tree(core.fdt_parse(bytes, label or "device tree"))
end

-- The tree this machine's kernel was started with; a folder stands for /proc/device-tree.
function fields.machine(folder)
	if folder == nil then return new_tree(core.fdt_machine()) end
	if type(folder) ~= "string" then misuse(2, "fdt.machine takes a folder or nothing") end
	return new_tree(core.fdt_folder(folder))
end

-- Which nodes differ, by path: {path=, only= "a"|"b", property=, a=, b=} each, values as text.
function fields.diff(a, b)
	local x, y = trees[a] and open_tree(2, a), trees[b] and open_tree(2, b)
	if not x or not y then misuse(2, "fdt.diff takes two trees") end
	local list = {}
	local function properties(path, at, other)
		for _, name in ipairs(x:props(at)) do
			if name ~= "phandle" and name ~= "linux,phandle" and x:prop(at, name) ~= y:prop(other, name) then
				local from, to = x:value(at, name), y:value(other, name)
				-- Numbers of phandles differ where nothing else does.
				if from ~= to then list[#list + 1] = { path = path, property = name, a = from, b = to } end
			end
		end
		for _, name in ipairs(y:props(other)) do
			if name ~= "phandle" and name ~= "linux,phandle" and not x:prop(at, name) then
				list[#list + 1] = { path = path, property = name, b = y:value(other, name) }
			end
		end
	end
	local function compare(path, at, other)
		properties(path, at, other)
		local theirs = {}
		local child = y:child(other)
		while child do
			theirs[#theirs + 1] = y:name(child)
			theirs[y:name(child)] = child
			child = y:sibling(child)
		end
		local prefix = path == "/" and "/" or path .. "/"
		child = x:child(at)
		while child do
			local name = x:name(child)
			if theirs[name] then
				compare(prefix .. name, child, theirs[name])
				theirs[name] = nil
			else
				list[#list + 1] = { path = prefix .. name, only = "a" }
			end
			child = x:sibling(child)
		end
		for _, name in ipairs(theirs) do
			if theirs[name] then list[#list + 1] = { path = prefix .. name, only = "b" } end
		end
	end
	compare("/", x:root(), y:root())
	return list
end

local shared = {
	trees = trees, nodes = nodes, plans = setmetatable({}, { __mode = "k" }),
	new_tree = new_tree, open_tree = open_tree, misuse = misuse, failure = failure,
}
shared.open = fields.open
local host = require "hvsh.fdt_host"(shared)
shared.host, shared.check_host = host.host, host.check_host
fields.passthrough = require "hvsh.fdt_plan"(shared).passthrough
local guest = require "hvsh.fdt_guest"(shared)
fields.guest = guest.guest
tree_methods.patch = guest.patch

return frozen.object {
	name = "hvsh.fdt", fields = fields, strict = true,
	tostring = function() return "fdt: device trees (fdt.open, fdt.machine, fdt.passthrough)" end,
}
