-- SPDX-License-Identifier: GPL-2.0-or-later
-- hvsh scripts/reference.lua reference|man|fields: what lua/meta and the schema say, on standard output, as docs/reference.md,
-- as the manual page hvsh-lua(7), or as the annotations of tables in lua/meta/fields.lua.
local help = require "hvsh.help"
local meta = require "hvsh.meta"
local schema = require "hvsh.schema"

local out = {}
local function add(fmt, ...) out[#out + 1] = select("#", ...) > 0 and fmt:format(...) or fmt end

-- Tables that people write, in the order of the reference.
local roots = { "zone", "blk", "net", "console", "rng", "scmi", "slot", "gpu", "input", "custom", "board" }

local listed = {}
for _, name in ipairs(roots) do listed[name] = true end
for name in pairs(schema.devices) do
	if not listed[name] then error("reference.lua: the device " .. name .. " has no place in the order") end
end

-- Every table below a path, parents first: {path, about} each. Of devices the common fields are described once.
local function tables_below(path, list)
	local about = schema.describe(path)
	if not about.fields then return list end
	list[#list + 1] = about
	for _, name in ipairs(about.fields) do tables_below(path .. "." .. name, list) end
	return list
end

local function args_of(entry)
	local rows = {}
	for _, param in ipairs(entry.params) do
		rows[#rows + 1] = { name = param.name, item = param, optional = param.optional }
		for _, class in ipairs(help.option_classes(param.type)) do
			for _, field in ipairs(class.fields) do
				rows[#rows + 1] = { name = param.name .. "." .. field.name, item = field, optional = field.optional }
			end
		end
	end
	return rows
end

local conventions = {
	"An operation that fails gives `nil`, a message that begins with a code, and the code: `nil, \"ENOENT: no zone with id 7 runs\", \"ENOENT\"`. "
		.. "`assert` turns that into an error. Wrong arguments, such as a number where a name belongs, are errors at once, and are not listed.",
	"Sizes are numbers of bytes or text with a binary unit, `\"512M\"`. Times are text with a unit or numbers of seconds, `\"250ms\"`. "
		.. "Addresses are integers. Other numbers have their unit in brackets; [count], [id], [number] and [line] are without one.",
	"What waits (`sleep`, `console:expect`, `task:wait`) lets the other tasks and the devices go on.",
	"Objects are closed when they are no longer needed; `local x <close> = …` closes at the end of the block.",
	"The language is Lua 5.4. Only text is loaded, no precompiled code and no C libraries. `require` looks into /etc/hvsh/modules, "
		.. "then into share/hvsh/modules of the installation, then inside hvsh. All names below are also in `require \"hvsh\"`.",
	"The examples run as they stand, with `hvsh --sim`, in a copy of the folder examples after `hvsh images/make.lua`; board.dtb is the "
		.. "device tree of a machine. What comes before those of one object stands there once, as its set-up.",
}

-- ---- Markdown

local function cell(text) return (tostring(text):gsub("|", "\\|"):gsub("\n", " ")) end

local function anchor(title) return (title:lower():gsub("[^%w%- _]", ""):gsub(" ", "-")) end

local function code_block(text)
	add "```lua"
	add("%s", text)
	add "```"
	add ""
end

local function table_head(...)
	add("| %s |", table.concat({ ... }, " | "))
	add("|%s", ("---|"):rep(select("#", ...)))
end

local function md_function(entry)
	add("### `%s`", help.signature(entry))
	add ""
	add("%s", entry.text)
	add ""
	local rows = args_of(entry)
	if #rows > 0 then
		for _, row in ipairs(rows) do
			add("- `%s`%s: %s", row.name, row.optional and " (optional)" or "", help.described(row.item))
		end
		add ""
	end
	add("Returns %s.", help.returns(entry))
	add ""
	add("Errors: %s", entry.errors or "")
	add ""
	code_block(entry.example or "")
end

local function md_class(class)
	add("### %s", class.name .. (class.global and "" or class.module and " (module)" or " (object)"))
	add ""
	add("%s", class.text)
	add ""
	if #class.fields > 0 then
		table_head("Field", "Type", "Meaning")
		for _, field in ipairs(class.fields) do
			add("| `%s` | %s | %s |", field.name, cell(help.type_words(field)), cell(field.doc))
		end
		add ""
	end
	if class.setup then
		add "Set-up of the examples:"
		add ""
		code_block(class.setup)
	end
end

local function md_table(about)
	add("### Fields of `%s`", about.path)
	add ""
	table_head("Field", "Takes", "Default", "Meaning", "Example")
	for _, name in ipairs(about.fields) do
		local field = schema.describe(about.path .. "." .. name)
		local doc = field.doc .. (field.arch and " Only on " .. field.arch .. "." or "")
		add("| `%s` | %s | %s | %s | `%s` |", name, cell(help.kind_words(field)),
			cell(field.required and "required" or field.default ~= nil and field.default or "-"), cell(doc),
			cell(("%s = %s"):format(name, field.example)))
	end
	add ""
end

local function reference()
	add "<!-- Written by scripts/reference.sh from lua/meta and lua/prelude/schema.lua: change those. -->"
	add "# What scripts have"
	add ""
	add "At the prompt `help()` shows the same, as do `hvsh help lua` and `man hvsh-lua`."
	add ""
	for _, text in ipairs(conventions) do add("- %s", text) end
	add ""
	local pages = meta.all().pages
	for _, page in ipairs(pages) do add("- [%s](#%s)", page.title, anchor(page.title)) end
	add "- [Tables that define](#tables-that-define)"
	add ""
	for _, page in ipairs(pages) do
		add("## %s", page.title)
		add ""
		for _, entry in ipairs(page.entries) do
			if entry.kind == "function" then
				md_function(entry)
			elseif entry.kind == "class" and entry.text ~= "" then
				md_class(entry)
			elseif entry.kind == "alias" then
				add("### %s (type)", entry.name)
				add ""
				add("%s", entry.text)
				add ""
			end
		end
	end
	add "## Tables that define"
	add ""
	for _, root in ipairs(roots) do
		for _, about in ipairs(tables_below(root, {})) do md_table(about) end
	end
end

-- ---- the manual page

local roff = dofile((arg[0]:match "^.*/" or "./") .. "roff.lua").text

local function roff_code(text)
	add ".PP"
	add ".nf"
	add ".RS 4"
	add("%s", roff((text:gsub("\t", "    "))))
	add ".RE"
	add ".fi"
end

local function roff_rows(rows)
	for _, row in ipairs(rows) do
		add ".TP"
		add(".B %s", roff(row[1]))
		add("%s", roff(row[2]))
	end
end

local function man_function(entry)
	add(".SS %s", roff(help.signature(entry)):gsub('"', '\\(dq'))
	add("%s", roff(entry.text))
	local rows = {}
	for _, row in ipairs(args_of(entry)) do rows[#rows + 1] = { row.name, help.described(row.item) } end
	rows[#rows + 1] = { "Returns", help.returns(entry) .. "." }
	rows[#rows + 1] = { "Errors", entry.errors or "" }
	roff_rows(rows)
	roff_code(entry.example or "")
end

local function man_class(class)
	add(".SS %s", roff(class.name .. (class.global and "" or class.module and " (module)" or " (object)")))
	add("%s", roff(class.text))
	local rows = {}
	for _, field in ipairs(class.fields) do rows[#rows + 1] = { field.name, help.described(field) } end
	roff_rows(rows)
end

local function manual()
	add('.\\" Written by scripts/reference.sh from lua/meta: change that.')
	add '.TH hvsh\\-lua 7 "" hvsh "hvisor"'
	add ".ad l"
	add ".nh"
	add ".SH NAME"
	add "hvsh\\-lua \\- what scripts of hvsh(1) have"
	add ".SH DESCRIPTION"
	for i, text in ipairs(conventions) do
		if i > 1 then add ".PP" end
		add("%s", roff(text))
	end
	for _, page in ipairs(meta.all().pages) do
		add(".SH %s", page.title:upper())
		for _, entry in ipairs(page.entries) do
			if entry.kind == "function" then
				man_function(entry)
			elseif entry.kind == "class" and entry.text ~= "" then
				man_class(entry)
			end
		end
	end
	add ".SH SEE ALSO"
	add "hvsh(1), hvsh\\-zone(5), lua(1)"
end

-- ---- annotations of tables

local function class_name(path) return "hvsh.fields." .. path end

local plain = {
	integer = "integer", size = "hvsh.size", address = "hvsh.address", string = "string", path = "string", boolean = "boolean",
	mac = "string", bdf = "string", numbers = "integer[]|string", range = "integer[]", extent = "integer[]", part = "number", data = "any", texts = "string[]",
	lent = '(integer|string)[]|"all"', region = "string|integer", devices = "hvsh.definition[]", board = "hvsh.board|hvsh.fields.board",
	given = "(string|table)[]", rates = "table<string,table>", bytes = "string", duration = "string|number", ["function"] = "function",
}

local function annotation(field)
	local of = class_name(field.path)
	if field.kind == "record" then return of end
	if field.kind == "list" then return of .. "[]" end
	if field.kind == "some" then return of .. "|" .. of .. "[]" end
	if field.kind == "image" then return "string|false|" .. of end
	if field.kind == "passthrough" then return "string|(string|table)[]|" .. of end
	if field.kind == "enum" then
		local values = {}
		for i, value in ipairs(field.values) do values[i] = ('"%s"'):format(value) end
		return table.concat(values, "|")
	end
	return plain[field.kind] or error("reference.lua: there is no annotation for " .. field.kind)
end

local function fields()
	add "-- SPDX-License-Identifier: GPL-2.0-or-later"
	add "-- title: Tables that define"
	add "---@meta"
	add ""
	add "-- Written by scripts/reference.sh from lua/prelude/schema.lua: change that. For editors; help() reads the schema itself."
	for _, root in ipairs(roots) do
		for _, about in ipairs(tables_below(root, {})) do
			add ""
			add("---@class %s", class_name(about.path))
			for _, name in ipairs(about.fields) do
				local field = schema.describe(about.path .. "." .. name)
				local note = field.default ~= nil and (" Default: %s."):format(tostring(field.default)) or ""
				add("---@field %s%s %s  %s%s", name, field.required and "" or "?", annotation(field), field.doc, note)
			end
		end
	end
end

local modes = { reference = reference, man = manual, fields = fields }
local mode = modes[arg[1]]
if not mode then
	io.stderr:write "usage: hvsh scripts/reference.lua reference|man|fields\n"
	os.exit(2, true)
end
mode()
io.stdout:write((table.concat(out, "\n"):gsub("\n+$", "")), "\n")
