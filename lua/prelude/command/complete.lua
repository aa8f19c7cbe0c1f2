-- SPDX-License-Identifier: GPL-2.0-or-later
-- complete-words: what can stand where the cursor is, for the shell's completion. The commands, their options and what
-- their arguments are called all come from the table of commands, so that nothing has to be listed again.
--
-- hvsh complete-words -- INDEX WORD…: the words of the line, the first being hvsh; the one at INDEX, from 0, is completed.
-- Each line it prints is a word, or ":files SUFFIX…" (any file without a suffix) or ":folders", once and first.
local core = require "hvsh.core"
local commands = require "hvsh.commands"
local term = require "hvsh.term"

local complete = {}

local LAYOUTS = { "3", "4A", "4B", "5A", "5B", "6" }
local ARCHITECTURES = { "arm64", "riscv64", "loongarch64", "x86_64" }

-- What the service knows, or the hypervisor where none runs: {zones = names, devices = {{zone, name, type}…}}.
local function known()
	local served, _, _, alone = require("hvsh.control").ask { request = "list" }
	local rows = served and served.zones or alone and require("hvsh.operate").list {} or {}
	local zones = {}
	for _, row in ipairs(rows) do
		if row.id ~= 0 then zones[#zones + 1] = row.name end
	end
	return { zones = zones, devices = served and served.devices or {} }
end

local function embedded(prefix)
	local names = {}
	for name in pairs(core.embedded(prefix)) do names[#names + 1] = name end
	return names
end

local function zones() return known().zones end

-- Zones, and devices as ZONE/DEVICE; of one type only, when it is given. Zones stand for their only such device.
local function devices(type, with_zones)
	local all, words, seen = known(), {}, {}
	for _, d in ipairs(all.devices) do
		if not type or d.type == type then
			if with_zones and not seen[d.zone] then words[#words + 1] = d.zone end
			seen[d.zone] = true
			words[#words + 1] = d.zone .. "/" .. d.name
		end
	end
	if with_zones and not type then
		for _, zone in ipairs(all.zones) do
			if not seen[zone] then words[#words + 1] = zone end
		end
	end
	return words
end

local function command_names()
	local names = {}
	for _, command in ipairs(commands.list) do
		if not command.hidden then names[#names + 1] = command.name end
	end
	return names
end

local function lua_names()
	local names = {}
	for _, entry in ipairs(require("hvsh.meta").all().functions) do names[#names + 1] = entry.name end
	for name in pairs(require("hvsh.schema").devices) do names[#names + 1] = name end
	table.move({ "zone", "board" }, 1, 2, #names + 1, names)
	return names
end

local function clock_names()
	local names = {}
	for _, c in ipairs(require("hvsh.clock").list() or {}) do names[#names + 1] = c.name end
	return names
end

local function board_names()
	local names = embedded "board."
	for i, name in ipairs(names) do names[i] = name:gsub("^board%.", "") end
	return names
end

local function files(...) return { files = { ... } } end

-- What arguments and values of options are called -> words, or a function that gives them; {files = suffixes} for files.
-- "COMMAND NAME" comes before "NAME".
local sources = {
	SCRIPT = files "lua", FILE = files(), ARG = files(), TREE = { files = { "dtb" }, "machine" },
	["ZONE.json"] = files "json", ["VIRTIO.json"] = files "json", DIR = { folders = true },
	ZONE = zones, ["ZONE/DEVICE"] = function() return devices(nil, true) end,
	["console ZONE/DEVICE"] = function() return devices("console", true) end,
	DEVICE = function() return devices() end,
	COMMAND = command_names, ["help NAME"] = lua_names, ["clocks NAME"] = clock_names, ["decode FILE"] = files(),
	LAYOUT = LAYOUTS, ARCH = ARCHITECTURES, LEVEL = { "error", "warn", "info", "debug" }, WHEN = { "auto", "always", "never" },
	["--board NAME"] = board_names, MODULE = function() return embedded "board." end, ["console SIZE"] = { "all", "4K", "64K" },
}

-- "SCRIPT [ARG…]" -> {{names = {"SCRIPT"}}, {names = {"ARG"}, optional = true, repeated = true}}
local function arguments(text)
	local list = {}
	for word in text:gmatch "%S+" do
		-- What stands inside of another's brackets comes after it only.
		local optional = word:find "^%[" ~= nil and select(2, word:gsub("%[", "")) == select(2, word:gsub("%]", ""))
		local arg = { names = {}, optional = optional, repeated = word:find("…", 1, true) ~= nil }
		for name in word:gsub("…", ""):gsub("[%[%]]", ""):gmatch "[^|]+" do arg.names[#arg.names + 1] = name end
		list[#list + 1] = arg
	end
	return list
end

-- What the names of an argument that stands after n others may be.
local function names_after(args, n)
	local at = { [1] = true }
	local function skip()
		for i, arg in ipairs(args) do
			if at[i] and arg.optional then at[i + 1] = true end
		end
	end
	skip()
	for _ = 1, n do
		local next_at = {}
		for i, arg in ipairs(args) do
			if at[i] then
				next_at[i + 1] = true
				if arg.repeated then next_at[i] = true end
			end
		end
		at = next_at
		skip()
	end
	local names = {}
	for i, arg in ipairs(args) do
		if at[i] then table.move(arg.names, 1, #arg.names, #names + 1, names) end
	end
	return names
end

-- Adds what a name stands for to out; a name in small letters stands for itself.
local function add(out, context, name)
	local source = sources[context .. " " .. name] or sources[name]
	if type(source) == "function" then
		-- A machine that cannot be asked has no names.
		local ok, words = pcall(source)
		source = ok and words or {}
	end
	if not source then
		if not name:find "%u" then out[#out + 1] = name end
		return
	end
	table.move(source, 1, #source, #out + 1, out)
	if source.folders then out.folders = true end
	if source.files then
		out.files = out.files or {}
		if #source.files == 0 then out.any = true end
		table.move(source.files, 1, #source.files, #out.files + 1, out.files)
	end
end

-- Options of all commands: {["--sim"] = {value = "DIR", joined = true}, …}
local function global_options()
	local options = {}
	for _, row in ipairs(commands.global_options) do
		local name, joined, value = row[1]:match "^(%-[%w-]+)(%[?=?)(.*)$"
		value = value:gsub("[%[%]= ]", "")
		options[name] = { value = value ~= "" and value or nil, joined = joined == "[=" }
	end
	options["--help"], options["-i"] = {}, {}
	options["-e"], options["-l"] = { value = "CODE" }, { value = "MODULE" }
	return options
end

local function words_for(index, words)
	local out = {}
	local all = global_options()
	local command, script, value, n, ended = nil, nil, nil, 0, false
	local function option_of(word)
		for _, option in ipairs(command and command.options or {}) do
			if option.name == word then return { value = option.value } end
		end
		return all[word]
	end
	for i = 1, index - 1 do
		local word = words[i]
		if value then
			value = nil
		elseif script then
			n = n + 1
		elseif not ended and word == "--" then
			ended = true
		elseif not ended and word:find "^%-." then
			local option = not word:find "=" and option_of(word)
			if option and option.value and not option.joined then value = { word, option.value } end
		elseif command then
			n = n + 1
		else
			command = commands.command(word)
			script = not command
		end
	end
	local current = words[index] or ""
	local context = command and command.name or ""
	if value then
		add(out, sources[value[1] .. " " .. value[2]] and value[1] or context, value[2])
	elseif script then
		add(out, context, "ARG")
	elseif not ended and current:find "^%-" then
		local name = current:match "^(%-%-[%w-]+)="
		if name then
			local option = option_of(name)
			if option and option.value then
				add(out, sources[name .. " " .. option.value] and name or context, option.value)
				for i, word in ipairs(out) do out[i] = name .. "=" .. word end
			end
			return out, current
		end
		for _, option in ipairs(command and command.options or {}) do out[#out + 1] = option.name end
		for name in pairs(all) do
			if #name > 2 or not command then out[#out + 1] = name end
		end
	elseif command then
		for _, name in ipairs(names_after(arguments(command.args), n)) do add(out, context, name) end
	else
		table.move(command_names(), 1, #commands.list, 1, out)
		add(out, "", "SCRIPT")
	end
	return out, current
end

function complete.run(args)
	if args[1] == "--" then table.remove(args, 1) end
	local index = math.tointeger(tonumber(args[1]))
	if not index or index < 1 then return commands.fail "complete-words is for the shell's completion" end
	local out, current = words_for(index, table.move(args, 3, #args, 1, {}))
	if out.folders then
		print ":folders"
	elseif out.any then
		print ":files"
	elseif out.files then
		print(":files " .. table.concat(out.files, " "))
	end
	table.sort(out)
	local last
	for _, word in ipairs(out) do
		if word ~= last and word:sub(1, #current) == current and term.clean(word) == word and not word:find "\n" then print(word) end
		last = word
	end
	return 0
end

return complete
