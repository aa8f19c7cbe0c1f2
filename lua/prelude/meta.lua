-- SPDX-License-Identifier: GPL-2.0-or-later
-- Reads lua/meta/*.lua: what is said of every public name, once, for editors, help(), the manual and the reference.
--
-- A file is a page; its second line names it: -- title: Zones. Each block of `---` lines stands above what it is about:
--   ---@class NAME above `local x = {}`    an object or a record; its @field lines; the functions of x follow
--   ---@alias NAME type                    a type with a unit
--   function x.name(…) end                 a function; @param and @return lines
-- In a block the text comes first; its first sentence is the summary. These begin a line, and go on to the next one:
--   Errors:    codes and when they come; "none."
--   Set-up:    code that comes before the examples of the class (or of the one function)
--   Example:   code that runs, in ```lua; "--> text" at the end of a line is what that line prints
-- Numbers have a unit in brackets before their text: [bytes], or [count], [id], [number] where there is none.
-- Wrong arguments raise an error everywhere, and are not listed.
local core = require "hvsh.core"

local meta = {}

-- ---- types

local closing = { ["("] = ")", ["{"] = "}", ["["] = "]", ["<"] = ">" }

-- The type at the beginning of text, and the rest: spaces belong to it inside of brackets and quotes.
local function split_type(text)
	local stack, at = {}, 1
	while at <= #text do
		local c = text:sub(at, at)
		if c == '"' then
			at = text:find('"', at + 1, true) or #text
		elseif closing[c] then
			stack[#stack + 1] = closing[c]
		elseif c == stack[#stack] then
			stack[#stack] = nil
			-- fun(…): type
			if c == ")" and text:find("^: ", at + 1) then at = at + 2 end
		elseif c == " " and #stack == 0 then
			break
		end
		at = at + 1
	end
	return text:sub(1, at - 1), text:sub(at):gsub("^%s+", "")
end

local function with_unit(doc)
	local unit, rest = doc:match "^%[([^%]]+)%]%s*(.*)$"
	if unit then return rest, unit end
	return doc, nil
end

-- "name? type text" of @param and @field.
local function named(text)
	local name, optional, rest = text:match "^(%[?[%w_.]+%]?)(%??)%s+(.*)$"
	if not name then return nil end
	local type, doc = split_type(rest)
	local words, unit = with_unit(doc)
	return { name = name, optional = optional == "?", type = type, doc = words, unit = unit }
end

local function returned(text)
	local type, rest = split_type(text)
	local name, doc = rest:match "^([%a_][%w_]*)%s*(.*)$"
	local words, unit = with_unit(doc or rest)
	return { type = type, name = name, doc = words, unit = unit }
end

-- ---- blocks

local sections = { ["Errors"] = "errors", ["Example"] = "example", ["Set-up"] = "setup" }

local function trim_lines(lines)
	while lines[1] == "" do table.remove(lines, 1) end
	while lines[#lines] == "" do table.remove(lines) end
	return lines
end

-- Lines as paragraphs: what is not code flows.
local function flow(lines)
	local out, open = {}, false
	for _, line in ipairs(trim_lines(lines)) do
		local apart = line == "" or line:find "^%s" or line:find "^[-*] "
		if open and not apart then
			out[#out] = out[#out] .. " " .. line
		else
			out[#out + 1] = line
		end
		open = not (line == "" or line:find "^%s")
	end
	return table.concat(out, "\n")
end

local function code(lines)
	local out = {}
	for _, line in ipairs(lines) do
		if not line:find "^```" then out[#out + 1] = line end
	end
	return table.concat(trim_lines(out), "\n")
end

-- The `---` lines of one block as an entry without a kind.
local function read_block(lines)
	local entry = { params = {}, returns = {}, fields = {} }
	local parts = { text = {}, errors = {}, example = {}, setup = {} }
	local part = "text"
	for _, line in ipairs(lines) do
		local tag, rest = line:match "^@(%w+)%s*(.*)$"
		if tag == "class" then
			entry.class = rest:match "^[%w_.]+"
		elseif tag == "alias" then
			local name, type = rest:match "^([%w_.]+)%s+(.*)$"
			local kind, doc = split_type(type or "")
			entry.alias, entry.type = name, kind
			entry.doc, entry.unit = with_unit(doc)
		elseif tag == "field" then
			entry.fields[#entry.fields + 1] = named(rest)
		elseif tag == "param" then
			entry.params[#entry.params + 1] = named(rest)
		elseif tag == "return" then
			entry.returns[#entry.returns + 1] = returned(rest)
		elseif not tag then
			local word, more = line:match "^(%u[%a-]+):%s*(.*)$"
			if word and sections[word] then
				part, line = sections[word], more
			end
			table.insert(parts[part], line)
		end
	end
	entry.text = flow(parts.text)
	entry.errors = #parts.errors > 0 and flow(parts.errors) or nil
	entry.example = #parts.example > 0 and code(parts.example) or nil
	entry.setup = #parts.setup > 0 and code(parts.setup) or nil
	return entry
end

-- ---- files

local function short_name(class) return (class:gsub("^hvsh%.", "")) end

-- Adds the entries of one file to all.
local function read_file(all, name, text)
	local page = { name = name, title = text:match "%-%- title: ([^\n]*)" or name, entries = {} }
	local class_of, block = {}, {}
	local function add(entry)
		entry.page = page
		page.entries[#page.entries + 1] = entry
	end
	for line in (text .. "\n"):gmatch "(.-)\n" do
		local doc = line:match "^%-%-%- ?(.*)$"
		if doc then
			block[#block + 1] = doc
		else
			local owner, dot, method, args = line:match "^function ([%w_]+)([.:]?)([%w_]*)%((.*)%) end"
			local variable = line:match "^local ([%w_]+) = {}" or line:match "^([%w_]+) = {}"
			local entry = #block > 0 and read_block(block)
			if entry and owner then
				local class = dot ~= "" and class_of[owner] or nil
				entry.kind, entry.args, entry.method = "function", args, dot == ":"
				entry.owner, entry.short = class, dot ~= "" and method or owner
				entry.name = class and class.name .. "." .. method or owner .. dot:gsub(":", ".") .. method
				entry.call = class and class.module and entry.name or owner .. dot .. method
				add(entry)
				if class then table.insert(class.functions, entry) end
				all.functions[#all.functions + 1] = entry
			elseif entry and entry.class then
				entry.kind, entry.name, entry.functions = "class", short_name(entry.class), {}
				all.classes[entry.class] = entry
				if variable then class_of[variable] = entry end
				entry.variable, entry.global = variable, not line:find "^local"
				entry.module = not entry.class:find "^hvsh%."
				add(entry)
			elseif entry and entry.alias then
				entry.kind, entry.name = "alias", short_name(entry.alias)
				all.aliases[entry.alias] = entry
				add(entry)
			end
			block = {}
		end
	end
	all.pages[#all.pages + 1] = page
	all.pages[name] = page
end

local order = {
	"define", "zones", "zone", "device", "device_modules", "console", "task", "event", "policy", "supervise", "memmap", "board",
	"ivc", "clock", "fdt", "fdt_tree", "fdt_plan", "modules", "hv", "log", "help",
}

local loaded

-- {pages = {{name, title, entries}}, classes = {[name] = entry}, aliases = {[name] = entry}, functions = {entry}}.
-- An entry: kind ("function", "class", "alias"), name ("zone.start"), text, page; of a function owner (its class), short,
-- call, args, params, returns, errors, example; of a class
-- fields, functions, setup, variable, global (a name that
-- scripts have), module (what require gives).
function meta.all()
	if loaded then return loaded end
	local files, rank, names = core.embedded "hvsh.meta.", {}, {}
	for i, name in ipairs(order) do rank[name] = i end
	for name in pairs(files) do names[#names + 1] = name:match "^hvsh%.meta%.(.*)$" end
	table.sort(names, function(a, b)
		local x, y = rank[a] or #order + 1, rank[b] or #order + 1
		if x ~= y then return x < y end
		return a < b
	end)
	local all = { pages = {}, classes = {}, aliases = {}, functions = {} }
	for _, name in ipairs(names) do read_file(all, name, files["hvsh.meta." .. name]) end
	loaded = all
	return all
end

-- The first sentence.
function meta.summary(entry)
	local text = (entry.text or entry.doc):match "^[^\n]*"
	return text:match "^(.-%.)%s" or text
end

-- Classes that a type names.
function meta.classes_in(type)
	local list = {}
	for word in type:gmatch "%a[%w_]*%.[%w_.]+" do
		local class = meta.all().classes[word]
		if class then list[#list + 1] = class end
	end
	return list
end

return meta
