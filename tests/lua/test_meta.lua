-- SPDX-License-Identifier: GPL-2.0-or-later
-- lua/meta is whole and true: every public name has an entry, every entry says what it must, every example runs, and
-- what is written from it is up to date. The test starts itself again on the simulated machine, in a folder of its own.
local hvsh_program, tests = os.getenv "HVSH", os.getenv "HVSH_TESTS"

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function shell(fmt, ...)
	local words = { ... }
	for i, word in ipairs(words) do words[i] = quoted(word) end
	local command = fmt:format(table.unpack(words))
	local ok, _, code = os.execute(command)
	return ok, code
end

if arg[1] ~= "simulated" then
	local dir = os.tmpname()
	assert(os.remove(dir))
	assert(shell("cp -R %s %s", tests .. "/../examples", dir))
	assert(shell("%s %s/images/make.lua", hvsh_program, dir))
	assert(shell("dtc -q -@ -I dts -O dtb -o %s/board.dtb %s", dir, tests .. "/lua/meta_board.dts"))
	local test = io.popen("realpath " .. quoted(arg[0])):read "l"
	local _, code = shell("cd %s && %s --sim %s simulated %s", dir, hvsh_program, test, dir)
	shell("rm -rf %s", dir)
	os.exit(code, true)
end

-- Paths are relative to the script, which is elsewhere.
local images = arg[2] .. "/images"

local t = dofile(tests .. "/lib/tap.lua")
local help = require "hvsh.help"
local hvsh = require "hvsh"
local meta = require "hvsh.meta"
local schema = require "hvsh.schema"
local all = meta.all()

-- All at once: a test that ends at the first of twenty makes twenty runs.
local function none(problems, what)
	if #problems > 0 then t.fail(("%s:\n%s"):format(what, table.concat(problems, "\n")), 2) end
end

local function read(path)
	local file = assert(io.open(path, "rb"))
	local text = file:read "a"
	file:close()
	return text
end

-- ---- what is public

local plain_lua = {}
for name in ([[assert collectgarbage dofile error getmetatable ipairs load loadfile next pairs pcall print rawequal rawget
	rawlen rawset require select setmetatable tonumber tostring type warn xpcall _G _VERSION arg
	coroutine debug io math os package string table utf8]]):gmatch "%S+" do
	plain_lua[name] = true
end

t.test("every global name has an entry, and every entry of a global a name", function()
	local problems, documented = {}, {}
	for _, entry in ipairs(all.functions) do
		if not entry.owner then documented[entry.short] = true end
	end
	for _, class in pairs(all.classes) do
		if class.global then documented[class.variable] = true end
	end
	local public = {}
	for name in pairs(hvsh) do public[name] = true end
	for name in pairs(_G) do
		if not plain_lua[name] then public[name] = true end
	end
	for name in pairs(public) do
		if not documented[name] then problems[#problems + 1] = name .. " is a global and has no entry" end
	end
	for name in pairs(documented) do
		if not public[name] then problems[#problems + 1] = name .. " has an entry and is no global" end
	end
	none(problems, "globals")
end)

-- One of each kind, made as the examples make them.
local zone1 = zone "linux1" {
	id = 1,
	cpus = { 2 },
	board = require "board.qemu_virt",
	ram = { at = 0x50000000, size = "384M" },
	kernel = { image = images .. "/Image", at = 0x50400000, cmdline = "console=hvc0" },
	dtb = images .. "/linux1.dtb",
	devices = {
		blk "root" { image = images .. "/rootfs1.ext4", at = 0xa003c00 },
		net "eth0" { switch = "lan", at = 0xa003600 },
		console "hvc0" { at = 0xa003800 },
	},
	ivc = {
		{ id = 0, peer = 1, peers = 2, control = 0x70000000, shared = 0x70001000, rw_size = "4K", out_size = "4K", irq = 66 },
	},
	irqs = { 66 },
}
local tree = assert(fdt.open "board.dtb")
local uart = assert(tree:find "&uart0")
local passthrough = assert(fdt.passthrough { tree = tree, devices = { "&uart0" } })

assert(zone1:start())

local samples = {
	["hvsh.zone"] = zone1,
	["hvsh.zones"] = zones,
	["hvsh.memmap"] = memmap,
	["hvsh.hv"] = hv,
	["hvsh.log"] = log,
	["hvsh.virtio"] = virtio,
	["hvsh.clock"] = clock,
	["hvsh.ivc"] = ivc,
	["hvsh.ivc_channel"] = ivc.open(0),
	["hvsh.clock_object"] = clock.find "uart0",
	["hvsh.fdt"] = fdt,
	["hvsh.fdt.tree"] = tree,
	["hvsh.fdt.node"] = uart,
	["hvsh.fdt.plan"] = passthrough,
	["hvsh.device"] = zone1:device "root",
	["hvsh.console"] = zone1:device("hvc0"):open(),
	["hvsh.definition"] = blk "root" { image = images .. "/rootfs1.ext4" },
	["hvsh.task"] = spawn(function() end),
	["hvsh.event"] = event,
	["hvsh.listener"] = zone1:on("error", print),
	["hvsh.supervisor"] = require "policy.supervise" { zone1 },
	["hvsh.board"] = require "board.qemu_virt",
	["hvsh.policy"] = zone1:device "root":policy { ops = { "discard" }, decide = function() end },
}

-- Names an object answers to, found in the functions behind it: what is added there is found here.
local function members(object)
	local index = debug.getmetatable(object).__index
	local found = {}
	local function take(names)
		for name in pairs(names) do found[name] = true end
	end
	local containers = { fields = true, getters = true, methods = true, get = true, names = true, [""] = true }
	for i = 1, 20 do
		local name, value = debug.getupvalue(index, i)
		if not name then break end
		if name == "o" then
			if type(value.names) == "table" then take(value.names) end
			take(value.fields)
		elseif containers[name] and type(value) == "table" then
			take(value)
		elseif type(value) == "function" and not containers[name] and name == "extend" then
			found[name] = true
		end
	end
	return found
end

local function documented_members(class)
	local names = {}
	for _, field in ipairs(class.fields) do names[field.name] = "field" end
	for _, entry in ipairs(class.functions) do names[entry.short] = "function" end
	return names
end

-- Constructors under a second name.
local twice = { ["hvsh.virtio"] = {} }
for name in pairs(schema.devices) do twice["hvsh.virtio"][name] = true end

local function check_members(class_name, object)
	local class = all.classes[class_name]
	if not class then return { class_name .. " has no entry" } end
	local problems, documented, there = {}, documented_members(class), members(object)
	for name in pairs(there) do
		local can_be_read, value = pcall(function() return object[name] end)
		local hidden = not can_be_read or value == nil
		if not documented[name] and not hidden and not (twice[class_name] or {})[name] then
			problems[#problems + 1] = ("%s.%s has no entry"):format(class_name, name)
		end
	end
	for name, kind in pairs(documented) do
		local ok, value = pcall(function() return object[name] end)
		if kind == "function" and not (ok and type(value) == "function") then
			problems[#problems + 1] = ("%s.%s has an entry and is no function"):format(class_name, name)
		end
	end
	return problems
end

-- A new kind of object must come into the samples.
t.test("every kind of object has an entry and a sample", function()
	local problems = {}
	for name, class in pairs(all.classes) do
		if #class.functions > 0 and not class.module and not samples[name] then problems[#problems + 1] = name .. " has no sample in this test" end
	end
	-- Not objects, or parts of objects that are described with the whole.
	local inner = {
		["hvsh."] = true, ["hvsh.boards"] = true, ["hvsh.specs"] = true, ["hvsh.part"] = true, ["hvsh.devices"] = true,
		["hvsh.define.end"] = true, ["hvsh.core"] = true, ["hvsh.meta."] = true,
	}
	for path in io.popen(("ls %s"):format(quoted(tests .. "/../lua/prelude") .. "/*.lua")):lines() do
		for line in io.lines(path) do
			local name = line:match '^[^-]*"(hvsh%.[%w_.]*)"'
			if name and not line:find "require" and not inner[name] and not all.classes[name] then
				problems[#problems + 1] = ("%s: %s has no entry"):format(path:match "[^/]*$", name)
			end
		end
	end
	none(problems, "kinds")
end)

t.test("every member of every object has an entry", function()
	local problems = {}
	for name, object in pairs(samples) do
		table.move(check_members(name, object), 1, 1000, #problems + 1, problems)
	end
	none(problems, "members")
end)

-- Boards are objects; what a folder's modules share is theirs.
t.test("every function of a module that scripts can require has an entry", function()
	local problems, n = {}, 0
	local folder = tests .. "/../modules"
	for path in io.popen(("cd %s && ls */*.lua"):format(quoted(folder))):lines() do
		local name = path:gsub("%.lua$", ""):gsub("/", ".")
		if not name:find "^board%." and not name:find "%.common$" then
			local module, class = require(name), all.classes[name]
			local documented = class and documented_members(class) or {}
			for key in pairs(module) do
				n = n + 1
				if not documented[key] then problems[#problems + 1] = ("%s.%s has no entry"):format(name, key) end
			end
			for key in pairs(documented) do
				if type(module[key]) ~= "function" then problems[#problems + 1] = ("%s.%s is no function"):format(name, key) end
			end
		end
	end
	t.ok(n > 0, "functions of modules")
	none(problems, "modules")
end)

-- ---- records

t.test("every field of every record has an entry", function()
	local problems = {}
	local function record(class_name, value)
		local names = documented_members(all.classes[class_name] or error(class_name .. " has no entry"))
		for key in pairs(t.ok(value, class_name)) do
			if type(key) == "string" and not names[key] then
				problems[#problems + 1] = ("%s.%s has no entry"):format(class_name, key)
			end
		end
	end
	local plan = assert(zones.plan { force = true })
	record("hvsh.plan", plan)
	record("hvsh.delta", plan.deltas[1])
	for _, step in ipairs(plan.steps) do record("hvsh.step", step) end
	for _, row in ipairs(assert(zones.list())) do record("hvsh.zone_row", row) end
	for _, device in ipairs(zone1:devices()) do
		record("hvsh.device", device)
		record("hvsh.stats", device.stats)
		record("hvsh.device_limits", device.limits)
		record("hvsh.queue", device.queues[1])
	end
	local facts
	local stop = event.listen(function(e) facts = e end)
	assert(zone1:device "eth0":link(false))
	for _ = 1, 1000 do
		if facts and facts.device then break end
		sleep "10ms"
	end
	stop()
	record("hvsh.event_facts", facts)
	record("hvsh.port", zone1:device("hvc0").ports[1])
	for _, range in ipairs(assert(memmap.ranges())) do record("hvsh.range", range) end
	record("hvsh.info", hv.info())
	record("hvsh.limits", hv.limits)
	record("hvsh.clock_object", clock.find "uart0")
	record("hvsh.clock_user", clock.find("uart0").users[1])
	local clocks = assert(clock.plan("&uart0", { tree = tree }))
	record("hvsh.clock_plan", clocks)
	for _, need in ipairs(clocks.clocks) do record("hvsh.clock_need", need) end
	for node in tree:walk() do
		for _, reg in ipairs(node.regs) do record("hvsh.fdt.reg", reg) end
		for _, irq in ipairs(node.irqs) do record("hvsh.fdt.irq", irq) end
		for _, ref in ipairs(node:refs()) do record("hvsh.fdt.ref", ref) end
	end
	record("hvsh.fdt.shared_page", tree.shared_pages[1])
	for list, name in pairs { nodes = "node", needs = "need", regions = "region", pages = "page", dma = "dma", interrupts = "irq" } do
		t.ok(passthrough[list][1], list)
		for _, item in ipairs(passthrough[list]) do record("hvsh.fdt.plan_" .. name, item) end
	end
	zone "wrong" {
		id = 2,
		cpus = { 2 },
		board = require "board.qemu_virt",
		ram = { at = 0x50000000, size = "384M" },
		kernel = { image = images .. "/Image", at = 0x50400000 },
	}
	local findings = assert(zones.check())
	t.ok(findings[1], "findings")
	record("hvsh.findings", findings)
	for _, finding in ipairs(findings) do
		record("hvsh.finding", finding)
		record("hvsh.party", finding.a)
		if finding.b then record("hvsh.party", finding.b) end
	end
	none(problems, "records")
end)

-- ---- what an entry says

local function has_number(type) return type:find "%f[%a]integer%f[%A]" or type:find "%f[%a]number%f[%A]" end

local function check_item(where, item, problems)
	if has_number(item.type) and not item.unit then problems[#problems + 1] = where .. " is a number without a unit" end
	for name in item.type:gmatch "hvsh%.[%w_.]+" do
		if not name:find "^hvsh%.fields%." and not all.classes[name] and not all.aliases[name] then
			problems[#problems + 1] = ("%s: there is no type %s"):format(where, name)
		end
	end
end

local function sentence(text) return text:find "^[%w\"`]" and text:find "[.:`]$" end

t.test("every function says what it takes and gives, its errors and an example", function()
	local problems = {}
	for _, entry in ipairs(all.functions) do
		local function problem(fmt, ...) problems[#problems + 1] = entry.name .. ": " .. fmt:format(...) end
		if not sentence(entry.text) then problem "its text is no sentence" end
		local args = {}
		for i, param in ipairs(entry.params) do
			args[i] = param.name
			check_item(("%s: parameter %s"):format(entry.name, param.name), param, problems)
		end
		if table.concat(args, ", ") ~= entry.args then
			problem("takes (%s), and its parameters are (%s)", entry.args, table.concat(args, ", "))
		end
		for _, result in ipairs(entry.returns) do check_item(entry.name .. ": what it gives", result, problems) end
		local fails = entry.returns[3] and entry.returns[2].name == "message" and entry.returns[3].name == "code"
		if not entry.errors then
			problem "has no errors, not even none"
		elseif not sentence(entry.errors) then
			problem "its errors are no sentence"
		elseif fails and not (entry.errors:find "^E%u+ " or entry.errors:find "^as ") then
			problem "fails, and its errors begin with no code"
		elseif not fails and not ({ none = true, raises = true, ["nil"] = true })[entry.errors:match "^%l+"]
			and not entry.errors:find "E%u%u+" then
			problem "its errors are none, raised, nil with something else, or codes"
		end
		if not entry.example then problem "has no example" end
	end
	for _, class in pairs(all.classes) do
		for _, field in ipairs(class.fields) do check_item(class.class .. "." .. field.name, field, problems) end
		if #class.functions > 0 and not sentence(class.text) then problems[#problems + 1] = class.class .. ": its text is no sentence" end
	end
	for name, alias in pairs(all.aliases) do
		if not alias.unit then problems[#problems + 1] = name .. " has no unit" end
	end
	none(problems, "entries")
end)

t.test("every field of a table has a sentence, an example and a kind with words", function()
	local problems = {}
	local function walk(path)
		for _, name in ipairs(schema.describe(path).fields or {}) do
			local field = schema.describe(path .. "." .. name)
			local function problem(text) problems[#problems + 1] = ("%s.%s %s"):format(path, name, text) end
			if not field.doc or not sentence(field.doc) then problem "has no sentence" end
			if not field.example then problem "has no example" end
			if field.kind ~= "enum" and help.kind_words(field) == field.kind then problem("is a " .. field.kind .. ", which has no words") end
			walk(path .. "." .. name)
		end
	end
	walk "zone"
	walk "board"
	for name in pairs(schema.devices) do walk(name) end
	none(problems, "fields")
end)

-- ---- examples

zones.stop()

-- What the comments say that it prints, or nil where they say nothing.
local function expected(code)
	local lines = {}
	for line in (code .. "\n"):gmatch "(.-)\n" do
		local text = line:match "%-%-> (.*)$"
		if text then lines[#lines + 1] = text end
	end
	return #lines > 0 and table.concat(lines, "\n") .. "\n" or nil
end

for _, entry in ipairs(all.functions) do
	t.test("the example of " .. entry.name, function()
		local setup = entry.setup or entry.owner and entry.owner.setup or ""
		local file = assert(io.open("example.lua", "w"))
		file:write(setup, "\ndo\n", entry.example or "error 'no example'", "\nend\nzones.stop()\n")
		file:close()
		local ok, code = shell("timeout 60 %s --sim example.lua >out 2>err </dev/null", hvsh_program)
		if not ok then t.fail(("exit %d: %s"):format(code, read "err")) end
		local want = expected(entry.example)
		if want then t.eq(read "out", want, "what it prints") end
	end)
end

-- ---- what is written from it

local function same_as(path, mode)
	local ok = shell("%s %s %s >written", hvsh_program, tests .. "/../scripts/reference.lua", mode)
	t.ok(ok, "scripts/reference.lua")
	if read(tests .. "/../" .. path) ~= read "written" then t.fail(path .. " is not up to date: run scripts/reference.sh") end
end

t.test("docs/reference.md is up to date", function() same_as("docs/reference.md", "reference") end)
t.test("lua/meta/fields.lua is up to date", function() same_as("lua/meta/fields.lua", "fields") end)

t.test("the manual page has no mistake", function()
	t.ok(shell("%s %s man >hvsh-lua.7", hvsh_program, tests .. "/../scripts/reference.lua"), "scripts/reference.lua")
	if not shell "command -v groff >/dev/null" then return end
	shell "groff -ww -Tutf8 -man hvsh-lua.7 >text 2>warnings"
	t.eq(read "warnings", "", "groff")
	t.has(read "text", "zones.apply")
end)

t.test("annotations are Lua", function()
	for path in io.popen(("ls %s"):format(quoted(tests .. "/../lua/meta") .. "/*.lua")):lines() do t.ok(loadfile(path), path) end
end)

t.done()
