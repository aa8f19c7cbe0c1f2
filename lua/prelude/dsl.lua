-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a script says: `zone "name" {…}`, the device constructors, boards. Tables are checked and
-- normalised, then frozen; each part remembers the line it was written on.
--
-- Paths are relative to the folder of the script that was started (the outermost file on the stack),
-- so that it does not matter where hvsh is called from; at the prompt and in -e, to the working directory.
local core = require "hvsh.core"
local boards = require "hvsh.dsl.boards"
local parts = require "hvsh.dsl.parts"
local places = require "hvsh.dsl.place"
local schema = require "hvsh.schema"
local srcmap = require "hvsh.srcmap"
local validate = require "hvsh.validate"

local dsl = { zones = {}, devices = {}, board = boards.make, resolve_from = places.resolve_from }

local at, caller, file_of, report, script_folder = places.at, places.caller, places.file_of, places.report, places.script_folder
local freeze, raw_of, spec_data = parts.freeze, parts.raw_of, parts.spec_data

-- ---- devices

-- A constructor called with a name, waiting for its table.
local pending_of = setmetatable({}, { __mode = "k" })

local function pending(word, name, place, build)
	local self
	self = setmetatable({}, {
		__name = "hvsh." .. word .. ".unfinished",
		__metatable = false,
		__tostring = function() return ('%s "%s" without its table {…}'):format(word, name) end,
		__call = function(_, raw, ...) return build(raw, place, select("#", ...)) end,
		__index = function(_, key)
			error(('%s "%s" lacks its table {…} (field %s was asked for)'):format(word, name, tostring(key)), 2)
		end,
		__newindex = function()
			error(('%s "%s" lacks its table {…}'):format(word, name), 2)
		end,
	})
	pending_of[self] = build
	return self
end

-- Names become parts of paths, of messages and of `zone/device`.
local function check_name(word, name)
	if type(name) ~= "string" then
		error(('%s takes a name and a table: %s "name" {…}, not %s'):format(word, word, validate.show(name)), 3)
	end
	local why = name == "" and "is empty"
		or #name > 255 and "is too long"
		or not utf8.len(name) and "is not valid UTF-8"
		or name:find "[%c/%s]" and "has a space, a slash or a control character"
		or name:find "^%-" and "begins with a dash"
		or word == "zone" and name:find "^%d+$" and "has only digits: commands would take it for a zone's id"
		or word == "zone" and (name == "root-linux" or name == "zone0" or name == "hvisor") and "belongs to the machine itself"
	if why then error(("%s: the name %s %s"):format(word, validate.show(name), why), 3) end
end

local device_data = setmetatable({}, { __mode = "k" }) -- proxy -> {raw, errors, more, places, lines, place}

-- Called by the function that the person called.
local function check_table(word, raw, extra)
	if type(raw) ~= "table" then
		error(("%s: after the name comes a table {…}, not %s"):format(word, validate.show(raw)), 3)
	end
	if extra > 0 then error(word .. ": more than one table", 3) end
end

local function make_device(type_name, name, raw, place, folder)
	local type = schema.devices[type_name]
	local ctx = validate.context { unwrap = function(v) return raw_of[v] end, folder = folder }
	local all = validate.run(ctx, type, raw, "") or {}
	if type_name == "net" and not all.tap and not all.switch and #ctx.errors == 0 then
		validate.fail(ctx, "tap", 'is missing: a TAP device (tap = "tap0") or a switch (switch = "lan") to join')
	elseif type_name == "net" and all.tap and all.switch then
		validate.fail(ctx, "switch", "is given besides tap; a device joins one or the other")
	elseif type_name == "net" and all.bridge and not all.tap then
		validate.fail(ctx, "bridge", "only a TAP device can be put into a bridge: tap is missing")
	elseif type_name == "blk" and all.overlay and all.snapshot then
		validate.fail(ctx, "snapshot", "is given besides overlay; writes go to one or the other")
	elseif type_name == "custom" and #ctx.errors == 0 then
		require("hvsh.custom").define(all, function(...) return validate.fail(ctx, ...) end)
	end
	local device = { type = type_name, name = name, options = {} }
	if all.policy and #ctx.errors == 0 then
		-- Zones have their own copies of the device, but share its options.
		local function fail(...) return validate.fail(ctx, ...) end
		require("hvsh.policy.define").take(all, device.options, type.fields.policy.ops, fail)
	end
	local places = ctx.places
	local from = places[all] or {}
	for key, value in next, all do
		local into = schema.device_common.fields[key] and device or device.options
		if from[key] then validate.keep(ctx, into, key, value, from[key]) else into[key] = value end
	end
	places[all] = nil
	local lines = srcmap.lines(place.source, place.line, type_name, name, raw_of[raw] or raw)
	local proxy = freeze(device, parts.device_meta)
	device_data[proxy] = {
		raw = device, errors = ctx.errors, more = ctx.more, places = places, lines = lines, place = place,
	}
	return proxy
end

for type_name in pairs(schema.devices) do
	dsl.devices[type_name] = function(first, ...)
		local place = caller(2)
		if type(first) == "table" then
			check_table(type_name, first, select("#", ...))
			return make_device(type_name, nil, first, place, script_folder())
		end
		check_name(type_name, first)
		if select("#", ...) > 0 then
			check_table(type_name, (...), select("#", ...) - 1)
			return make_device(type_name, first, (...), place, script_folder())
		end
		return pending(type_name, first, place, function(raw, where, extra)
			check_table(type_name, raw, extra)
			return make_device(type_name, first, raw, where, script_folder())
		end)
	end
end

-- The devices of one zone: names made where there are none, errors and places taken over.
local function device_field(names, adopted)
	return function(ctx, value, path, show)
		if pending_of[value] then
			local word = debug.getmetatable(value).__name:match "^hvsh%.(%w+)%."
			if word == "zone" then return validate.fail(ctx, path, "is %s", tostring(value)) end
			value = pending_of[value]({}, { source = "=?", line = 0 }, 0)
		end
		local data = type(value) == "table" and device_data[value]
		if not data then
			return validate.fail(ctx, path, 'is %s, not a device: blk "root" {…}, net "eth0" {…}, console "hvc0" {…}',
				show(value))
		end
		local device = {}
		for key, v in next, data.raw do device[key] = v end
		adopted[#adopted + 1] = { device = device, data = data, path = path }
		if device.name then
			if names[device.name] then
				return validate.fail(ctx, path, 'a device named "%s" is there already; names are unique within a zone', device.name)
			end
			names[device.name] = true
		end
		return device
	end
end

-- What is known of a device goes into what it becomes part of: into = {errors, places, note}. It brings the lines of
-- its own constructor; where that was not found, file and line are those of the list. Returns how many more errors
-- there were.
local function adopt(a, file, line, into)
	local data, prefix = a.data, "devices." .. a.device.name
	local from = file_of(data.place)
	if from then file, line = from, data.place.line end
	into.note(prefix, file, line)
	for _, e in ipairs(data.errors) do
		into.errors[#into.errors + 1] = {
			path = e.path ~= "" and prefix .. "." .. e.path or prefix, message = e.message,
			file = file, line = srcmap.line_of(data.lines, e.path) or line,
		}
	end
	for t, places in next, data.places do
		local full = {}
		for key, path in next, places do
			full[key] = prefix .. "." .. path
			into.note(full[key], file, srcmap.line_of(data.lines, path) or line)
		end
		-- The zone has its own copy of the device, but shares the tables in it.
		into.places[t == data.raw and a.device or t] = full
	end
	return data.more
end

local function name_devices(names, adopted)
	for _, a in ipairs(adopted) do
		if not a.device.name then
			local n = 0
			while names[a.device.type .. n] do n = n + 1 end
			a.device.name = a.device.type .. n
			names[a.device.name] = true
		end
	end
end

-- ---- zones

-- A zone that says nothing of its architecture is one of the machine named by --board; nil = of this machine.
local function default_arch()
	local options = core.options and core.options() or {}
	if not options.board then return nil end
	local ok, board = pcall(require, "board." .. options.board)
	return ok and parts.board_data[board] and parts.board_data[board].arch or nil
end

-- Fields that make sense together, and what follows from them.
local function complete(ctx, zone)
	local fail = validate.fail
	if zone.regions and (zone.ram or zone.mmio) then
		fail(ctx, "regions", "is given besides %s; regions lists everything, in order", zone.ram and "ram" or "mmio")
	elseif zone.regions then
		for _, region in ipairs(zone.regions) do region.phys = region.phys or region.at end
	else
		if not zone.ram or #zone.ram == 0 then
			fail(ctx, "ram", 'is missing (as in ram = {at = 0x50000000, size = "768M"})')
		end
		zone.regions = {}
		for _, kind in ipairs { "ram", "mmio" } do
			for _, given in ipairs(zone[kind] or {}) do
				local region = { type = kind == "ram" and "ram" or "io" }
				given.phys = given.phys or given.at
				for key, value in next, given do region[key] = value end
				ctx.places[region] = ctx.places[given]
				table.insert(zone.regions, region)
			end
		end
	end

	local board = zone.board
	zone.arch = zone.arch or (board and board.arch) or (zone.gic and "arm64")
		or ((zone.plic or zone.aplic) and "riscv64") or (zone.x86 and "x86_64") or default_arch()
	if board and zone.arch ~= board.arch then
		fail(ctx, "arch", "is %s, but the board %s is %s", zone.arch, board.name, board.arch)
	end
	for _, f in ipairs(schema.zone.fields) do
		if f.arch and zone[f.name] and zone.arch and f.arch ~= zone.arch then
			fail(ctx, f.name, "is of %s only, and the zone is %s", f.arch, zone.arch)
		end
	end
	local gic = zone.gic
	if gic and gic.version == 3 then
		if not gic.gicr then fail(ctx, "gic.gicr", "is missing: version 3 has redistributors") end
		for _, key in ipairs { "gicc", "gich", "gicv" } do
			if gic[key] then fail(ctx, "gic." .. key, "belongs to version 2, and this is version 3") end
		end
	elseif gic then
		if not gic.gicc then fail(ctx, "gic.gicc", "is missing: version 2 has a CPU interface") end
		for _, key in ipairs { "gicr", "its" } do
			if gic[key] then fail(ctx, "gic." .. key, "belongs to version 3, and this is version 2") end
		end
	elseif (zone.aarch32 or zone.uefi) and board and board.gic then
		zone.gic = board.gic
	elseif zone.aarch32 or zone.uefi then
		fail(ctx, "gic", "is missing: aarch32 and uefi need it, or a board that has it")
	end

	for i, bus in ipairs(zone.pci and zone.pci.buses or {}) do
		for _, key in ipairs { "io", "mem32", "mem64" } do
			if bus[key] then bus[key].pci = bus[key].pci or bus[key].at end
		end
		if not bus.bus_range and bus.ecam then
			local last = (bus.ecam.size >> 20) - 1
			if last < 0 then
				fail(ctx, ("pci.buses[%d].ecam.size"):format(i), "has no room for a bus: 1M each")
			end
			bus.bus_range = { 0, math.max(0, math.min(last, 0xff)) }
		end
	end
	for i, device in ipairs(zone.pci and zone.pci.devices or {}) do
		local path = ("pci.devices[%d]"):format(i)
		local domain = device.at and device.at.domain
		if domain and ctx.places[device].domain and domain ~= device.domain then
			fail(ctx, path .. ".domain", "is %d, but at says %d", device.domain, domain)
		end
		device.domain = domain or device.domain
		device.as = device.as or device.at
	end

	for _, key in ipairs { "rsdp_region", "acpi_region", "uefi_region" } do
		local name = zone.x86 and zone.x86[key]
		if type(name) == "string" then
			local found
			for i, region in ipairs(zone.regions) do
				if region.name == name then found = i - 1 end
			end
			zone.x86[key] = found or fail(ctx, "x86." .. key, 'no region has the name "%s"', name)
		end
	end
end

local by_name = {}

local function define(name, raw, place, folder)
	local names, adopted = {}, {}
	local ctx = validate.context {
		unwrap = function(v) return raw_of[v] end, board = boards.field, device = device_field(names, adopted), folder = folder,
	}
	if debug.getmetatable(raw) ~= nil then raw = raw_of[raw] or raw end
	local zone = validate.run(ctx, schema.zone, raw, "")
	if zone then
		zone.name = name
		zone.irqs, zone.devices, zone.modules = zone.irqs or {}, zone.devices or {}, zone.modules or {}
		if #ctx.errors == 0 then complete(ctx, zone) end
	end

	local file = file_of(place)
	local lines, literal = srcmap.lines(place.source, place.line, "zone", name, raw)
	name_devices(names, adopted)
	local origins = { [""] = { file = file, line = place.line } }
	local errors, more = ctx.errors, ctx.more
	for _, e in ipairs(errors) do e.file, e.line = file, srcmap.line_of(lines, e.path) or place.line end
	local function note(path, from, line) origins[path] = origins[path] or { file = from, line = line } end
	for _, places in next, ctx.places do
		for _, path in next, places do note(path, file, srcmap.line_of(lines, path) or place.line) end
	end
	for _, a in ipairs(adopted) do
		local line = srcmap.line_of(lines, a.path) or place.line
		more = more + adopt(a, file, line, { errors = errors, places = ctx.places, note = note })
	end
	if #errors > 0 then
		-- In a loop, or through a function, the line does not tell which zone it was.
		if not literal then
			for _, e in ipairs(errors) do e.message = ("%s (zone %s)"):format(e.message, name) end
		end
		error(report(errors, more), 0)
	end

	local spec = freeze(zone, parts.spec_meta)
	spec_data[spec] = { spec = zone, origins = origins, places = ctx.places }
	return spec
end

local unfinished = {}

local function finish(name, raw, place, extra)
	unfinished[name] = nil
	check_table("zone", raw, extra)
	local old = by_name[name]
	if old and core.mode() ~= "repl" then
		error(("%szone %s is defined twice: first at %s"):format(at(file_of(place), place.line), name,
			at(file_of(old.place), old.place.line):gsub(": $", "")), 0)
	end
	local spec = define(name, raw, place, script_folder())
	local handle = require("hvsh.zone").new(spec)
	if old then
		core.log("warn", ("zone %s takes the place of the one defined at %s"):format(name,
			(at(file_of(old.place), old.place.line):gsub(": $", ""))))
		dsl.zones[old.index] = handle
	else
		table.insert(dsl.zones, handle)
	end
	by_name[name] = { handle = handle, place = place, index = old and old.index or #dsl.zones }
	return handle
end

-- zone "name" {…}: checks, freezes and registers a definition; returns its handle. Everything that is wrong
-- with the table comes in one error.
function dsl.zone(name, ...)
	check_name("zone", name)
	local place = caller(2)
	if select("#", ...) > 0 then return finish(name, (...), place, select("#", ...) - 1) end
	unfinished[name] = place
	return pending("zone", name, place, function(raw, where, extra)
		return finish(name, raw, where, extra)
	end)
end

-- Devices without a zone's definition, for a zone that runs: what lua/spec.c reads like a zone's list.
function dsl.devices_spec(values)
	local names, adopted, devices, origins = {}, {}, {}, {}
	local ctx = validate.context {}
	local take = device_field(names, adopted)
	for i, value in ipairs(values) do
		devices[i] = take(ctx, value, "device", validate.show)
		if not devices[i] then error((ctx.errors[1].message:gsub("^is (.-), not a device", "a device was expected, not %1", 1)), 0) end
	end
	name_devices(names, adopted)
	local function note(path, file, line) origins[path] = origins[path] or { file = file, line = line } end
	local more = 0
	for _, a in ipairs(adopted) do
		more = more + adopt(a, nil, 0, { errors = ctx.errors, places = ctx.places, note = note })
	end
	if #ctx.errors > 0 then error(report(ctx.errors, more), 0) end
	local proxy = freeze({ devices = devices }, parts.spec_meta)
	spec_data[proxy] = { spec = { devices = devices }, origins = origins, places = ctx.places }
	return proxy
end

-- ---- for the rest of hvsh

function dsl.find(name)
	local known = by_name[name]
	return known and known.handle
end

function dsl.spec_of(handle)
	return require("hvsh.zone").spec_of(handle)
end

-- Zones whose table never came (`zone "x"` alone): {name, file, line} each.
function dsl.unfinished()
	local list = {}
	for name, place in pairs(unfinished) do list[#list + 1] = { name = name, file = file_of(place), line = place.line } end
	table.sort(list, function(a, b) return a.name < b.name end)
	return list
end

function dsl.is_spec(value)
	return type(value) == "table" and spec_data[value] ~= nil
end

function dsl.is_board(value)
	return type(value) == "table" and parts.board_data[value] ~= nil
end

-- Where a part was written: file, line. path as in messages ("ram.size", "devices.root.image"; "" = the zone).
function dsl.origin(spec, path)
	local data = spec_data[spec]
	if not data then error("dsl.origin takes a spec", 2) end
	while path ~= "" and not data.origins[path] do path = path:match "^(.*)[.%[]" or "" end
	local origin = data.origins[path]
	return origin.file, origin.line
end

-- For definitions that were made from another file: place(path) says file and line of a part there.
function dsl.relocate(spec, place)
	local data = spec_data[spec]
	if not data then error("dsl.relocate takes a spec", 2) end
	for path in pairs(data.origins) do
		local file, line = place(path)
		data.origins[path] = { file = file, line = line }
	end
end

-- What is behind a spec, {spec=, origins=, places=}; and a spec of such, of no zone that is defined here.
function dsl.behind(spec) return spec_data[spec] end

function dsl.restore(data)
	local spec = freeze(data.spec, parts.spec_meta)
	spec_data[spec] = data
	return spec
end

-- Another definition for the zone of this name, or a new zone. Handles that scripts hold follow it.
function dsl.adopt(spec)
	local known = by_name[spec.name]
	local file, line = dsl.origin(spec, "")
	local place = { source = file and "@" .. file or "=?", line = line or 0, short = file }
	if known then
		require("hvsh.zone").redefine(known.handle, spec)
		known.place = place
	else
		table.insert(dsl.zones, require("hvsh.zone").new(spec))
		by_name[spec.name] = { handle = dsl.zones[#dsl.zones], place = place, index = #dsl.zones }
	end
end

-- Forgets all zones.
function dsl.reset()
	for i = #dsl.zones, 1, -1 do dsl.zones[i] = nil end
	by_name, unfinished = {}, {}
end

return dsl
