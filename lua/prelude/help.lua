-- SPDX-License-Identifier: GPL-2.0-or-later
-- help(x), `x?` at the prompt and `hvsh help lua NAME`: what lua/meta and the schema say, for a terminal.
local core = require "hvsh.core"
local meta = require "hvsh.meta"
local nearest = require "hvsh.nearest"
local schema = require "hvsh.schema"
local term = require "hvsh.term"

local help = {}

local MAX_WIDTH = 100

-- ---- words

-- "hvsh.device[]?" -> "device[]": what a person calls a type.
local function type_words(type)
	return (type:gsub("hvsh%.fields%.", ""):gsub("hvsh%.", ""):gsub("%?$", ""):gsub("|nil", ""))
end

-- What a kind of the schema takes.
local kinds = {
	integer = "a whole number", size = 'a size: 4096, 0x1000 or "512M"', address = "an address", string = "text",
	path = "a file", boolean = "true or false", mac = "a hardware address", bdf = 'a PCI address: "00:11.0"',
	numbers = 'a list of numbers, or text: "2-3,5"', range = "{first, last}", extent = "{first, how many}",
	part = "a number above 0 and up to 1", data = "texts, numbers, booleans, and tables of them", texts = "a list of texts",
	lent = 'a list of numbers, names or references, or "all"', record = "a table", list = "a list of tables",
	some = "a table, or a list of them", image = "a file, or a table", region = "a region's name, or its number from 0",
	devices = "a list of devices", board = "a board", passthrough = "a list of devices, or a table", given = "a list of devices",
	rates = "a table of tables", bytes = "text of any bytes", duration = 'a time: "10s", 0.5', ["function"] = "a function",
}

function help.kind_words(field)
	if field.kind == "enum" then
		local values = {}
		for i, value in ipairs(field.values) do values[i] = ('"%s"'):format(value) end
		return table.concat(values, ", ")
	end
	local words = kinds[field.kind] or field.kind
	if field.kind == "integer" and field.unit then words = words .. ", " .. field.unit end
	if field.kind == "integer" and field.min and field.max and field.max < 0xffffffff then
		words = ("%s, %d to %d"):format(words, field.min, field.max)
	elseif (field.kind == "string" or field.kind == "path") and field.max then
		words = ("%s, at most %d bytes"):format(words, field.max)
	end
	return words
end

-- "zones.plan([options])", 'zone "name" {…}'
function help.signature(entry, dots)
	dots = dots or "…"
	if entry.returns[1] and entry.returns[1].type:find "^fun%(fields:" then
		return ('%s "name" {%s}'):format(entry.call, dots)
	end
	local args = {}
	for i, param in ipairs(entry.params) do
		local name = param.name == "..." and dots or param.name
		args[i] = param.optional and "[" .. name .. "]" or name
	end
	return ("%s(%s)"):format(entry.call, table.concat(args, ", "))
end

-- The classes that only say what a table of options has: they have no text of their own.
function help.option_classes(type)
	local list = {}
	for _, class in ipairs(meta.classes_in(type)) do
		if class.text == "" then list[#list + 1] = class end
	end
	return list
end

-- "table", "integer [bytes]": a type with its unit, for a person. Tables of options are called just that.
function help.type_words(item)
	local type = item.type
	for _, class in ipairs(help.option_classes(type)) do
		type = type:gsub(class.class:gsub("%.", "%%."), "table")
	end
	local words = type_words(type)
	return item.unit and ("%s [%s]"):format(words, item.unit) or words
end

-- The same with what it means.
function help.described(item)
	local words = help.type_words(item)
	return item.doc ~= "" and ("%s: %s"):format(words, item.doc) or words
end

-- What a function gives, as a sentence without its end.
function help.returns(entry)
	local first = entry.returns[1]
	if not first then return "nothing" end
	if first.type:find "^fun%(fields:" then return type_words(first.type:match "%): (.*)$") end
	local text = help.type_words(first)
	if first.doc ~= "" and text ~= "true" then text = ("%s: %s"):format(text, (first.doc:gsub("%.$", ""))) end
	if entry.returns[2] and entry.returns[2].name == "message" then text = text .. "; nil, message, code on failure" end
	return text
end

-- ---- pages for a terminal

local Page = {}
Page.__index = Page

local function new_page(options)
	return setmetatable({ lines = {}, color = options.color, width = math.min(options.width or 80, MAX_WIDTH) }, Page)
end

function Page:add(text, indent)
	indent = indent or ""
	self.lines[#self.lines + 1] = text == "" and "" or indent .. term.wrap(text, self.width, indent)
end

function Page:head(text) self.lines[#self.lines + 1] = term.paint(self.color, "bold", text) end

function Page:code(text, indent)
	for line in (text .. "\n"):gmatch "(.-)\n" do
		self.lines[#self.lines + 1] = indent .. (line:gsub("\t", "    "))
	end
end

-- Rows of a name and a text; the text goes on below itself.
function Page:rows(rows, indent)
	local widest = 0
	for _, row in ipairs(rows) do widest = math.max(widest, math.min(term.width(row[1]), 24)) end
	local below = indent .. (" "):rep(widest + 2)
	for _, row in ipairs(rows) do
		local text = term.wrap(row[2], self.width, below)
		if term.width(row[1]) > widest then
			self.lines[#self.lines + 1] = indent .. row[1]
			self.lines[#self.lines + 1] = below .. text
		else
			self.lines[#self.lines + 1] = (indent .. term.pad(row[1], widest) .. "  " .. text):gsub("%s+$", "")
		end
	end
end

local function function_topic(page, entry)
	page:head(help.signature(entry, term.sign "…"))
	page:add(entry.text, "  ")
	local rows = {}
	for _, param in ipairs(entry.params) do
		rows[#rows + 1] = { param.name == "..." and term.sign "…" or param.name, help.described(param) }
		for _, class in ipairs(help.option_classes(param.type)) do
			for _, field in ipairs(class.fields) do rows[#rows + 1] = { "  " .. field.name, help.described(field) } end
		end
	end
	if #rows > 0 then
		page:add ""
		page:rows(rows, "  ")
	end
	page:add ""
	page:rows({ { "Returns", help.returns(entry) .. "." }, { "Errors", entry.errors or "" } }, "  ")
	page:add ""
	page:code(entry.example or "", "    ")
end

local function class_topic(page, class)
	page:head(class.name .. (class.global and "" or class.module and #class.functions > 0 and ": the module" or ": the object"))
	page:add(class.text, "  ")
	local rows = {}
	for _, field in ipairs(class.fields) do rows[#rows + 1] = { field.name, help.described(field) } end
	if #rows > 0 then
		page:add ""
		page:rows(rows, "  ")
	end
	rows = {}
	for _, entry in ipairs(class.functions) do rows[#rows + 1] = { help.signature(entry, term.sign "…"), meta.summary(entry) } end
	if #rows > 0 then
		page:add ""
		page:rows(rows, "  ")
	end
end

local function field_topic(page, class, field)
	page:head(class.name .. "." .. field.name)
	page:add(help.described(field), "  ")
	for _, of in ipairs(meta.classes_in(field.type)) do
		if of ~= class then page:add(('help "%s" shows what it has.'):format(of.name), "  ") end
	end
end

-- schema.describe's answer.
local function schema_topic(page, about)
	local path = about.path
	page:head(about.fields and not about.doc and ("%s {%s}: the fields of its table"):format(path, term.sign "…") or path)
	if about.doc then page:add(about.doc, "  ") end
	local rows = {}
	if about.doc then rows[#rows + 1] = { "Takes", help.kind_words(about) } end
	if about.required then rows[#rows + 1] = { "Required", "yes" } end
	if about.default ~= nil then rows[#rows + 1] = { "Default", tostring(about.default) } end
	if about.arch then rows[#rows + 1] = { "Only on", about.arch } end
	if about.example then rows[#rows + 1] = { "Example", ("%s = %s"):format(path:match "[^.]*$", about.example) } end
	if #rows > 0 then page:rows(rows, "  ") end
	rows = {}
	local required
	for i, name in ipairs(about.fields or {}) do
		local field = schema.describe(path .. "." .. name)
		required = required or field.required
		rows[i] = { name .. (field.required and " *" or ""), field.doc }
	end
	if #rows == 0 then return end
	if about.doc then page:add "" end
	page:rows(rows, "  ")
	if required then page:add("* must be there", "  ") end
end

local function alias_topic(page, alias)
	page:head(alias.name)
	page:add(("%s %s"):format(alias.text, help.described(alias)), "  ")
end

-- ---- names

-- Everything that has a name: name -> topics.
local function index()
	local names = {}
	local function put(name, topic)
		names[name] = names[name] or {}
		table.insert(names[name], topic)
	end
	local all = meta.all()
	for _, page in ipairs(all.pages) do
		for _, entry in ipairs(page.entries) do
			if entry.kind == "function" then
				put(entry.name, { function_topic, entry })
				if entry.owner and entry.call:gsub(":", ".") ~= entry.name then put((entry.call:gsub(":", ".")), { function_topic, entry }) end
			elseif entry.kind == "alias" then
				put(entry.name, { alias_topic, entry })
			elseif entry.text ~= "" then
				put(entry.name, { class_topic, entry })
				for _, field in ipairs(entry.fields) do put(entry.name .. "." .. field.name, { field_topic, entry, field }) end
			end
		end
	end
	return names
end

local function plain_name(name)
	return (name:gsub("^%s+", ""):gsub("%s+$", ""):gsub("%(%)$", ""):gsub(":", "."):gsub("^hvsh%.", ""))
end

-- Names to choose from when one is not known: those of the index, and fields of tables two levels down.
local function candidates(names)
	local list = {}
	for name in pairs(names) do list[#list + 1] = name end
	local roots = { "zone", "board" }
	for name in pairs(schema.devices) do roots[#roots + 1] = name end
	for _, root in ipairs(roots) do
		for _, field in ipairs(schema.describe(root).fields) do
			list[#list + 1] = root .. "." .. field
			for _, below in ipairs(schema.describe(root .. "." .. field).fields or {}) do
				list[#list + 1] = ("%s.%s.%s"):format(root, field, below)
			end
		end
	end
	return list
end

-- The topics of a name, or nil and what may have been meant.
local function topics_of(name)
	name = plain_name(name)
	local names = index()
	local topics = {}
	for _, topic in ipairs(names[name] or {}) do topics[#topics + 1] = topic end
	local about = schema.describe(name)
	if about and name ~= "" then table.insert(topics, #topics > 0 and 2 or 1, { schema_topic, about }) end
	if #topics > 0 then return topics end
	local near = nearest.of(name, candidates(names))
	if near then return nil, { near } end
	-- The last word of a function alone: "start" for zone.start.
	local full, words = {}, {}
	for _, entry in ipairs(meta.all().functions) do
		full[entry.short] = full[entry.short] or {}
		table.insert(full[entry.short], entry.name)
		words[#words + 1] = entry.short
	end
	near = nearest.of(name, words)
	return nil, near and full[near] or {}
end

-- ---- values

-- Short name and table of a function of ours, from the line it is written on: "start", "methods".
local function written_as(info)
	local module = info.source:match "^=(.*)$"
	local text = module and core.embedded(module)[module]
	local n = 0
	for line in (text or ""):gmatch "([^\n]*)\n" do
		n = n + 1
		if n == info.linedefined then
			local owner, name = line:match "function ([%w_]+)[.:]([%w_]+)"
			return name or line:match "function ([%w_]+)", owner or "", module
		end
	end
end

local function topics_of_function(f)
	local hvsh = require "hvsh"
	local tasks = debug.getregistry()["hvsh.task"]
	local _, task_methods = debug.getupvalue(tasks and tasks.__index or print, 1)
	for _, entry in ipairs(meta.all().functions) do
		local owner, value = entry.owner, nil
		if not owner then
			value = hvsh[entry.short]
		elseif owner.class == "hvsh.task" then
			value = type(task_methods) == "table" and task_methods[entry.short]
		elseif not entry.method and hvsh[owner.variable] then
			local ok, found = pcall(function() return hvsh[owner.variable][entry.short] end)
			value = ok and found
		end
		if value == f then return { { function_topic, entry } } end
	end
	local info = debug.getinfo(f, "S")
	local name, owner, module = written_as(info)
	if not name then return nil end
	-- Of several functions of that name: those of this module, and of these the one whose table says whose it is.
	local found, elsewhere, own, alike = {}, {}, nil, nil
	local family = module:match "^hvsh%.%a+"
	for _, entry in ipairs(meta.all().functions) do
		local class = entry.owner and entry.owner.class
		if entry.short == name and class then
			local topic = { function_topic, entry }
			if class == module then return { topic } end
			if not family or class:find(family, 1, true) ~= 1 then
				elsewhere[#elsewhere + 1] = topic
			else
				found[#found + 1] = topic
				if owner:find("^" .. entry.owner.variable) then own = topic end
				if (owner == "fields") == not entry.method then alike = alike or topic end
			end
		end
	end
	if own or alike then return { own or alike } end
	if #found > 0 then return found end
	return #elsewhere == 1 and elsewhere or nil
end

local function topics_of_object(value)
	local metatable = debug.getmetatable(value)
	local name = type(metatable) == "table" and rawget(metatable, "__name")
	if type(name) ~= "string" then return nil end
	name = name:gsub("%.unfinished$", "")
	if name == "hvsh.device" then
		local ok, options = pcall(function() return value.options end)
		if ok and options and schema.devices[value.type] then
			local topics = topics_of(value.type)
			table.insert(topics, { class_topic, meta.all().classes["hvsh.definition"] })
			return topics
		end
	end
	local class = meta.all().classes[name]
	if not class then return nil end
	return { { class_topic, class } }
end

-- ---- what people call

-- What is said may have signs that the terminal lacks.
local function say(lines)
	local text = table.concat(lines, "\n")
	if not term.unicode() then
		text = text:gsub("[\xc2-\xf4][\x80-\xbf]+", function(sign) return term.sign(sign) or "?" end)
	end
	print(text)
end

local function print_topics(topics, options)
	local page = new_page(options)
	for i, topic in ipairs(topics) do
		if i > 1 then page:add "" end
		topic[1](page, table.unpack(topic, 2))
	end
	say(page.lines)
end

local function terminal() return { color = core.color(1), width = core.tty(1) and core.columns() or 80 } end

-- The overview.
local function overview(options)
	local page = new_page(options)
	local rows = {}
	for _, p in ipairs(meta.all().pages) do
		local words, last = {}, nil
		for _, entry in ipairs(p.entries) do
			if entry.kind == "function" then
				-- Of modules the names do.
				local set, module = entry.call:match "^([%w_]+)%.([%w_]+)%."
				if not set then
					words[#words + 1] = (entry.owner and entry.owner == last) and entry.short or entry.call
					last = entry.owner
				elseif last ~= set .. "." .. module then
					words[#words + 1] = last and last:match "^[%w_]+%." == set .. "." and module or set .. "." .. module
					last = set .. "." .. module
				end
			end
		end
		local row, text = rows[#rows], table.concat(words, " ")
		-- Short ones share a line, so that all fits on a screen.
		if row and #row[1] + #p.title <= 19 and #row[2] + #text <= 55 then
			row[1], row[2] = row[1] .. ", " .. p.title:lower(), row[2] .. "  " .. text
		else
			rows[#rows + 1] = { p.title, text }
		end
	end
	page:rows(rows, "")
	page:add ""
	page:add 'help "zones.start" or zones.start? explains one; help "zone" what it can have.'
	say(page.lines)
end

local function unknown(name, near)
	local text = ("nothing is known of %s"):format(term.clean(name))
	if near and #near > 0 then
		text = ("%s (did you mean %s?)"):format(text, table.concat(near, ", "))
	end
	return text
end

-- Prints what is known of a name. true, or nil and a message.
function help.name(name, options)
	local topics, near = topics_of(name)
	if not topics then return nil, unknown(name, near) end
	print_topics(topics, options or terminal())
	return true
end

function help.overview(options) overview(options or terminal()) end

-- help(x)
function help.help(...)
	local what = ...
	if select("#", ...) == 0 or what == require "hvsh" then return overview(terminal()) end
	if type(what) == "string" then
		local ok, message = help.name(what)
		if not ok then print("help: " .. message) end
		return
	end
	local topics
	if type(what) == "function" then
		topics = topics_of_function(what)
	elseif type(what) == "table" or type(what) == "userdata" then
		topics = topics_of_object(what)
	end
	if topics then return print_topics(topics, terminal()) end
	print(("help: nothing is known of this %s; help() shows what there is"):format(type(what)))
end

-- "linux1.start?" at the prompt, or "?" alone. Names of ours come first, unless the script has given them to something else.
function help.prompt(text)
	local name = text:match "^%s*([%w_.:]*)%s*%?%s*$"
	if not name or name == "" then return help.help() end
	local hvsh = require "hvsh"
	local first, rest = name:match "^([%w_]+)[.:]?(.*)$"
	local value = first and rawget(_G, first)
	if value ~= nil and not rawequal(value, hvsh[first]) then
		for word in rest:gmatch "[^.:]+" do
			local ok, inner = pcall(function() return value[word] end)
			value = ok and inner or nil
		end
		local kind = type(value)
		local topics = kind == "function" and topics_of_function(value)
			or (kind == "table" or kind == "userdata") and topics_of_object(value)
		if topics then return print_topics(topics, terminal()) end
	end
	help.help(name)
end

return help
