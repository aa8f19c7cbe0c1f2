-- SPDX-License-Identifier: GPL-2.0-or-later
-- The command line: one table of commands drives dispatch, help and usage errors.
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"
local place = require "hvsh.dsl.place"
local term = require "hvsh.term"

local commands = {}

local JSON = { name = "--json", doc = "as JSON" }
local RESTART = { name = "--restart", doc = "take down zones that changed or crashed and start them as written" }
local ABI = { name = "--abi", value = "LAYOUT", doc = "configuration layout: 3 4A 4B 5A 5B 6" }
local ARCH = { name = "--arch", value = "ARCH", doc = "arm64, riscv64, loongarch64 or x86_64" }

-- module: hvsh.command.<module> has a function of the command's name, called with the request:
-- {args=, options=, command=, color=}. raw: it parses its arguments itself.
local list = {
	{ name = "check", args = "SCRIPT [ARG…]", min = 1, module = "script", options = { JSON },
		doc = "check all zones of a script; write nothing",
		more = "Every zone is checked against the others, against what runs and against the board. "
			.. "All findings are shown at once. Exit 1 when there are errors." },
	{ name = "plan", args = "SCRIPT [ARG…]", min = 1, module = "script", options = { JSON, RESTART },
		doc = "show what apply would do",
		more = "Exit 0: nothing to do, 2: something to do, 1: the script is wrong." },
	{ name = "apply", args = "SCRIPT [ARG…]", min = 1, module = "script", options = { JSON, RESTART },
		doc = "make what runs agree with a script",
		more = "Zones that do not run are started. Those that run as written are left alone, so that applying again "
			.. "changes nothing. Those that differ are left alone and make it fail, unless --restart is given. Virtio devices are "
			.. "served by the service where one runs, else by this command, until it is ended (-d: in the background)." },
	{ name = "list", args = "", max = 0, module = "zones", options = { JSON },
		doc = "the zones that run" },
	{ name = "start", args = "[SCRIPT] [ZONE…]", module = "zones", options = { JSON },
		doc = "start zones of a script",
		more = "All of them, or those named. Without a script: those that the service knows, else /etc/hvsh/boot_zones.lua." },
	{ name = "stop", args = "[SCRIPT] [ZONE…]", module = "zones", options = { JSON },
		doc = "stop zones by name or id, or a script's",
		more = "Names and ids need no script. Without names: all zones of the script, the last one first; without a script: all "
			.. "that the service knows, else those of /etc/hvsh/boot_zones.lua." },
	{ name = "restart", args = "[SCRIPT] [ZONE…]", module = "zones", options = { JSON },
		doc = "stop zones and start them as written now",
		more = "All of the script, or those named. Without a script: those that the service knows, else /etc/hvsh/boot_zones.lua." },
	{ name = "console", args = "ZONE[/DEVICE]", min = 1, max = 1, module = "console",
		options = {
			{ name = "--back", value = "SIZE", doc = "begin with so much recent output (default 4K), or all" },
			{ name = "--readonly", doc = "only look" },
			{ name = "--force", doc = "take the keyboard from who has it" },
		},
		doc = "a zone's console; Ctrl-] leaves it",
		more = "Of a zone that a service serves: a script that started it, in another terminal or in the background (-d). "
			.. "Recent output comes first. One types at a time, any number may look." },
	{ name = "attach", args = "", max = 0, module = "attach",
		options = { { name = "-e", value = "CODE", doc = "run that and leave" } },
		doc = "a prompt inside the service",
		more = "What is typed runs in the service: its zones, globals and tasks. Ctrl-C interrupts a statement, Ctrl-D leaves; the "
			.. "service goes on. Without a terminal the statements of standard input run, one after the other. Exit 1 when one failed." },
	{ name = "log", args = "[error|warn|info|debug]", max = 1, module = "log", options = { JSON },
		doc = "what the service logs: say it, or change it",
		more = "The level in force; with a word, sets it for as long as the service runs." },
	{ name = "devices", args = "", max = 0, module = "devices", options = { JSON },
		doc = "the virtio devices that are served",
		more = "Window and interrupt as the guest sees them; requests, bytes and errors since the device was made." },
	{ name = "limit", args = "ZONE/DEVICE [iops=N] [bps=SIZE] [off]", min = 1, max = 3, module = "devices", options = { JSON },
		doc = "let a device do at most so much per second",
		more = "iops=500 bps=20M: requests and bytes; what is not given is without limit, off takes all limits away. "
			.. "With the device alone: its limits." },
	{ name = "metrics", args = "", max = 0, module = "metrics", options = { JSON },
		doc = "counters of zones and devices, for Prometheus",
		more = "In its text format: for the textfile collector of its node exporter, or whatever calls a command." },
	{ name = "top", args = "", max = 0, module = "top",
		options = {
			JSON,
			{ name = "--once", doc = "one table, of one interval" },
			{ name = "--sort", value = "KEY", doc = "name, requests, bytes, latency, kicks, interrupts or errors" },
			{ name = "--interval", value = "TIME", doc = "between two looks (default 2s)" },
			{ name = "--queues", doc = "a line for each queue below its device" },
		},
		doc = "what devices do at the moment",
		more = "On a terminal q leaves; u shows and hides queues; n r b l k i e sort by name, requests, bytes, latency, kicks, interrupts, errors. "
			.. "Elsewhere a table after each interval; --json: an object after each, one a line." },
	{ name = "events", args = "", max = 0, module = "events", options = { JSON },
		doc = "what happens to zones and devices, until Ctrl-C",
		more = "Zones that start, end or crash; devices that their guest resets, breaks or takes into use. Events like one told "
			.. "less than a second ago are counted, and told once. --json: one object on each line." },
	{ name = "screenshot", args = "ZONE[/DEVICE] FILE", min = 2, max = 2, module = "screenshot",
		options = { { name = "--screen", value = "N", doc = "which screen, counted from 0 (default 0)" } },
		doc = "what a zone's screen shows, as a PNG file",
		more = "Of a zone that a service serves. The file is written whole, by the service, or not at all." },
	{ name = "map", args = "[SCRIPT [ARG…]]", module = "map",
		options = { JSON, { name = "--svg", value = "FILE", doc = "write a drawing instead" } },
		doc = "the machine's memory as a picture",
		more = "With the zones that run and those of the script." },
	{ name = "encode", args = "SCRIPT [ARG…]", min = 1, module = "blob",
		options = { JSON, { name = "--zone", value = "NAME", doc = "which zone of the script" }, ABI, ARCH,
			{ name = "-o", value = "FILE", doc = "where the bytes go; - is standard output" } },
		doc = "the bytes the hypervisor gets for a zone" },
	{ name = "decode", args = "FILE", min = 1, max = 1, module = "blob", options = { JSON, ABI, ARCH },
		doc = "explain such bytes field by field" },
	{ name = "dt", args = "show|irqs|passthrough|host|diff|overlay TREE [NODE…]", min = 1, module = "dt",
		options = { JSON, { name = "--depth", value = "N", doc = "show: levels of children in full" },
			{ name = "--coalesce", doc = "passthrough: regions in steps of 2 MiB" },
			{ name = "--rate", value = "DEVICE:CLOCK=HZ", doc = "passthrough: rates of clocks, with commas between" },
			{ name = "--wakeup", value = "N", doc = "host: hvisor's interrupt (64)" },
			{ name = "--memory", value = "AT+SIZE", doc = "host: RAM of the zone, with commas between" },
			{ name = "--check", doc = "host: say what TREE lacks of it" },
			{ name = "-o", value = "FILE", doc = "overlay: where the tree goes" } },
		doc = "look into device trees, plan what a zone gets of one",
		more = "TREE is a .dtb file, or machine for the tree this machine runs with. NODE is a path, &label or alias; "
			.. "passthrough and host take compatible=TEXT as well. host prints the overlay that the root zone needs. "
			.. "diff compares with another TREE; exit 1 when they differ. overlay applies compiled overlays (.dtbo) to it." },
	{ name = "clocks", args = "[NAME]", max = 1, module = "clock", options = { JSON },
		doc = "the clocks of the root zone's kernel",
		more = "Name, rate, how often it is enabled, the clock it comes from and who uses it; those that zones may be lent "
			.. "have an id. With NAME: that clock, those it comes from and those it feeds." },
	{ name = "import", args = "ZONE.json… [VIRTIO.json…]", min = 1, module = "import",
		options = { JSON, { name = "-o", value = "FILE", doc = "write it there instead of printing it" } },
		doc = "the script equivalent to old JSON files" },
	{ name = "export", args = "hvisor|microkit SCRIPT DIR|FILE [ARG…]", min = 1, module = "export", options = { JSON },
		doc = "the zones of a script in the forms of other tools",
		more = "hvisor: the zone and virtio files of hvisor-tool, into a folder that is there. microkit: a system description "
			.. "with a virtual machine for each zone. What the other form cannot say is a warning." },
	{ name = "hv", args = "", max = 0, module = "hv", options = { JSON },
		doc = "which hypervisor, version and limits" },
	{ name = "help", args = "[COMMAND|lua [NAME]]", max = 2, options = {},
		doc = "this text, one command, or what scripts have",
		more = "help lua lists it, help lua zones.start explains one function, help lua zone.ram one field." },
	{ name = "complete-words", hidden = true, raw = true, args = "", module = "complete", options = {}, doc = "for the shell's completion" },
}

local by_name = {}
for _, command in ipairs(list) do by_name[command.name] = command end

-- Options that main reads, before or after any command.
local global_options = {
	{ "--sim[=DIR]", "a simulated hypervisor; with DIR it lives on between commands" },
	{ "--sim-fault FAULT", "let it misbehave, as busy-cpu:2 or errno:start:EIO" },
	{ "--board NAME", "the machine, where no zone of a script names its board" },
	{ "--arch ARCH", "arm64, riscv64, loongarch64 or x86_64" },
	{ "--abi LAYOUT", "the configuration layout: 3 4A 4B 5A 5B 6" },
	{ "-d", "before the command: in the background, once a script's zones are served" },
	{ "--no-serve", "somebody else serves the virtio devices of the zones that are started" },
	{ "--allow FOLDER", "the service may write beneath it from its sandbox (docs/security.md)" },
	{ "--no-sandbox", "the service keeps all its rights" },
	{ "--json", "JSON, where a command has it; a failure has error and code" },
	{ "--log LEVEL", "error, warn, info or debug" },
	{ "--color WHEN", "auto, always or never" },
	{ "--version", "" },
}

-- For completion and the manual. hidden: not for people.
commands.list, commands.global_options = list, global_options

function commands.command(name)
	return by_name[name]
end

function commands.is_command(name)
	return by_name[name] ~= nil
end

local function synopsis(command)
	local parts = { "hvsh", command.name }
	if command.args ~= "" then parts[#parts + 1] = (command.args:gsub("…", term.sign "…")) end
	for _, option in ipairs(command.options or {}) do
		parts[#parts + 1] = "[" .. option.name .. (option.value and " " .. option.value or "") .. "]"
	end
	return table.concat(parts, " ")
end

-- The text of `hvsh help`.
function commands.usage()
	local bold = function(text) return term.paint(core.color(1), "bold", text) end
	local lines = {
		bold "hvsh" .. ": zones of the hvisor hypervisor, from Lua scripts", "",
		"  hvsh                               a prompt",
		"  hvsh SCRIPT.lua [ARG" .. term.sign "…" .. "]" .. (" "):rep(term.unicode() and 13 or 12) .. "run a script",
		"  hvsh -e CODE | -i | -l MODULE | -  as in lua", "",
		bold "Commands",
	}
	local rows = {}
	for _, command in ipairs(list) do
		if not command.hidden then rows[#rows + 1] = { command.name, (command.args:gsub("…", term.sign "…")), command.doc } end
	end
	table.move(term.columns_of(rows, "  "), 1, #rows, #lines + 1, lines)
	lines[#lines + 1] = ""
	lines[#lines + 1] = bold "Options, before the command or after it"
	table.move(term.columns_of(global_options, "  "), 1, #global_options, #lines + 1, lines)
	lines[#lines + 1] = ""
	lines[#lines + 1] = "hvsh help COMMAND shows the options of one; hvsh help lua what scripts have."
	return table.concat(lines, "\n") .. "\n"
end

local function help_one(command)
	local lines = { synopsis(command), "  " .. command.doc }
	if command.more then lines[#lines + 1] = "\n  " .. term.wrap(command.more, 80, "  ") end
	local rows = {}
	for i, option in ipairs(command.options or {}) do
		rows[i] = { option.name .. (option.value and " " .. option.value or ""), option.doc }
	end
	if #rows > 0 then lines[#lines + 1] = "" end
	table.move(term.columns_of(rows, "  "), 1, #rows, #lines + 1, lines)
	return table.concat(lines, "\n") .. "\n"
end

-- With --json standard output gets one object, whatever happens. true: it is still to come.
local promised = false

-- The object is there, or is on its way.
function commands.kept() promised = false end

-- "ENOENT: no such zone" -> "no such zone", "ENOENT". What has no code is about what was written.
function commands.error(message)
	local code, text = message:match "^(E[%u%d]+): (.*)$"
	return text or message, code or "EINVAL"
end

local function promise_error(message)
	if not promised then return end
	promised = false
	local text, code = commands.error(message)
	io.stdout:write(require("hvsh.json").encode({ error = text, code = code }, 2)
		or '{"error": "the message is no text", "code": "EILSEQ"}', "\n")
end

-- One line on standard error, with --json {"error", "code"} on standard output as well; returns the exit code 1.
function commands.fail(message)
	io.stderr:write("hvsh: ", term.clean((commands.error(message))), "\n")
	promise_error(message)
	return 1
end

local function misuse(command, message)
	io.stderr:write("hvsh", command and " " .. command.name or "", ": ", term.clean(message), "\n")
	promise_error(message)
	if command then io.stderr:write("usage: ", synopsis(command), "\n") end
	return 2
end

local function unknown_command(name)
	local near = nearest.of(name, by_name)
	return misuse(nil, ("there is no command %s (%s)"):format(name,
		near and ("did you mean %s?"):format(near) or "hvsh help lists them"))
end

-- Options may stand anywhere; after -- everything is an argument.
-- Returns arguments and options, or nil and what is wrong.
local function parse(command, argv)
	local known, names = {}, {}
	for _, option in ipairs(command.options) do
		known[option.name] = option
		names[#names + 1] = option.name
	end
	local args, options = {}, {}
	local i = 2
	while i <= #argv do
		local word = argv[i]
		if word == "--" then
			table.move(argv, i + 1, #argv, #args + 1, args)
			break
		elseif word:sub(1, 1) ~= "-" or word == "-" then
			args[#args + 1] = word
		else
			local name, value = word:match "^(%-%-[^=]+)=(.*)$"
			name = name or word
			local option = known[name]
			if not option and word:match "^%-o." and known["-o"] then
				name, value, option = "-o", word:sub(3), known["-o"]
			end
			if not option then
				return nil, ("it has no option %s%s"):format(name, nearest.hint(name, names))
			end
			if option.value and not value then
				i = i + 1
				value = argv[i]
				if not value then return nil, ("%s needs a value: %s %s"):format(name, name, option.value) end
			elseif value and not option.value then
				return nil, ("%s takes no value"):format(name)
			end
			local key = name:gsub("^%-+", "")
			if options[key] ~= nil then return nil, ("%s is given twice"):format(name) end
			options[key] = value or true
		end
		i = i + 1
	end
	return args, options
end

local function help(args)
	local name = args[1]
	if not name then
		io.stdout:write(commands.usage())
		return 0
	end
	if name == "lua" then
		local lua = require "hvsh.help"
		if not args[2] then return lua.overview() or 0 end
		local ok, message = lua.name(args[2])
		return ok and 0 or misuse(nil, message)
	end
	if not by_name[name] then return unknown_command(name) end
	if args[2] then return misuse(by_name.help, ("%s is too much"):format(args[2])) end
	io.stdout:write(help_one(by_name[name]))
	return 0
end

local function dispatch(command, argv)
	if argv[2] == "--help" or argv[2] == "-h" then return help { command.name } end
	if command.raw then
		return require("hvsh.command." .. command.module).run(table.move(argv, 2, #argv, 1, {}))
	end
	for _, option in ipairs(command.options) do
		if option == JSON then promised = core.options().json end
	end
	local args, options = parse(command, argv)
	if not args then return misuse(command, options) end
	if #args < (command.min or 0) then
		return misuse(command, ("%s is missing"):format(command.args:match "^%S+"))
	end
	if command.max and #args > command.max then
		return misuse(command, ("%s is too much"):format(args[command.max + 1]))
	end
	if command.name == "help" then return help(args) end
	options.json = options.json or core.options().json
	return require("hvsh.command." .. command.module)[command.name] {
		command = command.name, args = args, options = options, color = core.color(1),
		width = core.tty(1) and core.columns() or nil,
		misuse = function(message) return misuse(command, message) end,
	}
end

-- Zones that were begun and never got their table are an error wherever a script ends.
function commands.unfinished()
	local zones = require("hvsh.dsl").unfinished()
	for _, zone in ipairs(zones) do
		commands.fail(("%s%szone %s lacks its table {%s}"):format(zone.file or "", zone.file and (":%d: "):format(zone.line) or "",
			zone.name, term.sign "…"))
	end
	return #zones > 0
end

-- At the end of a script that ran: what its author may have forgotten. Returns the exit code.
function commands.finish()
	if commands.unfinished() then return 1 end
	local operate = require "hvsh.operate"
	local refused = operate.refused
	if refused then
		commands.fail(("%s%s\n(the script went on; assert around the call ends it there)"):format(
			place.at(refused.file, refused.line), core.plain(refused.message)))
		return 1
	end
	local n = #require("hvsh.dsl").zones
	if n > 0 and not operate.used then
		io.stderr:write(("hvsh: note: %s defined, none started or stopped (zones.start() starts all)\n"):format(
			term.count(n, "zone")))
	end
	return 0
end

-- Called as `hvisor`: the old tool's command lines.
function commands.run_hvisor(argv)
	return require("hvsh.hvisor").run(argv)
end

-- argv[1] is the command's name. Returns the exit code of the program.
function commands.run(argv)
	local command = by_name[argv[1]]
	if not command then return unknown_command(tostring(argv[1])) end
	return dispatch(command, argv)
end

return commands
