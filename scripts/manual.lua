-- SPDX-License-Identifier: GPL-2.0-or-later
-- hvsh scripts/manual.lua PAGE.in: a manual page on standard output. PAGE.in is its source, in which a line of one of these
-- words stands for what hvsh itself says:
--   @commands@ @options@   the table of commands
--   @fields ROOT@ @devices@ @common@ @boards@   the schema; boards as part of a sentence
--   @script FILE@          a file as it is
local commands = require "hvsh.commands"
local core = require "hvsh.core"
local help = require "hvsh.help"
local schema = require "hvsh.schema"

local roff = dofile((arg[0]:match "^.*/" or "./") .. "roff.lua")

local out = {}
local function add(fmt, ...) out[#out + 1] = select("#", ...) > 0 and fmt:format(...) or fmt end

-- ---- hvsh(1)

-- "SCRIPT [ARG…]": the names of arguments in italics.
local function arguments(text)
	return (roff.text(text):gsub("[%u][%u:+]*[%u]", "\\fI%0\\fR"))
end

-- "as JSON" -> "As JSON."; "arm64 or x86_64" and "show: levels" begin with words that are typed so.
local function sentence(text)
	return roff.text((text:gsub("^%l%l* ", function(word) return word:sub(1, 1):upper() .. word:sub(2) end):gsub("%.?$", ".", 1)))
end

local function option_head(name, value)
	return ("\\fB%s\\fR%s"):format(roff.text(name), value and " \\fI" .. roff.text(value) .. "\\fR" or "")
end

local insert = {}

function insert.commands()
	for _, command in ipairs(commands.list) do
		if not command.hidden then
			add(".SS %s", roff.quoted(command.name))
			add("\\fBhvsh %s\\fR %s", roff.text(command.name), arguments(command.args))
			add ".PP"
			add("%s", sentence(command.doc))
			if command.more then add("%s", roff.text(command.more)) end
			for _, option in ipairs(command.options or {}) do
				add ".TP"
				add("%s", option_head(option.name, option.value))
				add("%s", sentence(option.doc))
			end
		end
	end
end

function insert.options()
	for _, row in ipairs(commands.global_options) do
		local name, value = row[1]:match "^(%S-)([%[ =].*)$"
		add ".TP"
		if name then
			add("\\fB%s\\fR%s", roff.text(name), arguments(value))
		else
			add("\\fB%s\\fR", roff.text(row[1]))
		end
		add("%s", sentence(row[2] ~= "" and row[2] or "the version of hvsh"))
	end
end

-- ---- hvsh-zone(5)

local function field_text(field)
	local parts = { field.doc }
	if field.required then
		parts[#parts + 1] = "Required."
	elseif field.default ~= nil then
		parts[#parts + 1] = ("Default: %s."):format(tostring(field.default))
	end
	if field.arch then parts[#parts + 1] = ("Only on %s."):format(field.arch) end
	return roff.text(table.concat(parts, " "))
end

local function add_fields(path, names)
	for _, name in ipairs(names) do
		local field = schema.describe(path .. "." .. name)
		add ".TP"
		add("\\fB%s\\fR (%s)", roff.text(name), roff.text(help.kind_words(field)))
		add("%s", field_text(field))
		add ".br"
		add("\\fB%s\\fR", roff.text(("%s = %s"):format(name, field.example)))
	end
end

-- The table at path and those in it. seen: fields as text -> the path where they were described first.
local function add_tables(path, names, seen, heading)
	local parts = {}
	for i, name in ipairs(names) do
		local field = schema.describe(path .. "." .. name)
		parts[i] = ("%s %s %s %s"):format(name, field.kind, field.doc, tostring(field.default))
	end
	local signature = table.concat(parts, "\n")
	if heading then add(".SS %s", roff.quoted(path)) end
	if seen[signature] then
		add("The same fields as %s.", roff.text(seen[signature]))
		return
	end
	seen[signature] = path
	add_fields(path, names)
	for _, name in ipairs(names) do
		local below = schema.describe(path .. "." .. name)
		if below.fields then add_tables(below.path, below.fields, seen, true) end
	end
end

local described = {}

function insert.fields(root)
	add_tables(root, schema.describe(root).fields, described, false)
end

local common = {}
for _, field in ipairs(schema.device_common.fields) do common[field.name] = true end

function insert.common()
	local names = {}
	for i, field in ipairs(schema.device_common.fields) do names[i] = field.name end
	add_fields("rng", names)
end

local abouts = {
	blk = "A disk: a file or a block device of the root zone.", net = "A network interface.",
	console = "A console, for hvsh console and in a log file.", rng = "Entropy, from the host's random numbers.",
	scmi = "Clocks, resets and power domains that stay with the root zone, for the drivers of devices given to the zone.",
	custom = "A device whose model is a script.",
	gpu = "A screen.", input = "Keyboard, mouse or touch screen.", slot = "A register window that is kept for later.",
}

function insert.devices()
	local types = {}
	for type in pairs(schema.devices) do types[#types + 1] = type end
	table.sort(types)
	for _, type in ipairs(types) do
		local names = {}
		for _, name in ipairs(schema.describe(type).fields) do
			if not common[name] then names[#names + 1] = name end
		end
		add(".SS %s", roff.quoted(type))
		add("%s", roff.text(abouts[type] or error("manual.lua: nothing says what a device of the type " .. type .. " is")))
		if #names > 0 then add_tables(type, names, described, false) end
	end
end

function insert.boards()
	local names = {}
	for name in pairs(core.embedded "board.") do names[#names + 1] = ("%q"):format(name) end
	table.sort(names)
	add("%s.", roff.text(table.concat(names, ", ")))
end

function insert.script(path)
	local file = assert(io.open(path))
	add("%s", roff.code((file:read("a"):gsub("\n+$", ""))))
	file:close()
end

-- ---- the page

local path = arg[1]
if not path then
	io.stderr:write "usage: hvsh scripts/manual.lua PAGE.in\n"
	os.exit(2, true)
end
add('.\\" Written by scripts/reference.sh from %s: change that.', path)
for line in io.lines(path) do
	local word, rest = line:match "^@(%l+) ?([^@]*)@%.?$"
	if word then
		local f = insert[word] or error(("%s: there is no @%s@"):format(path, word))
		f(rest)
	else
		add("%s", line)
	end
end
io.stdout:write(table.concat(out, "\n"), "\n")
