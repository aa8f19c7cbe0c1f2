-- SPDX-License-Identifier: GPL-2.0-or-later
-- Checks a table against a type of hvsh.schema and makes a normalised copy of it: defaults filled in, sizes
-- in bytes, short forms written out. What is wrong is collected, never raised.
--
-- Tables come from scripts and may be anything: they are read raw, one with a metatable is refused (its fields may
-- not be what they seem), and the depth is that of the schema, so cycles end by themselves.
local core = require "hvsh.core"
local schema = require "hvsh.schema"

local validate = {}

local MAX_ERRORS = 30
local MAX_LIST = 4096

-- ---- words

local function clean(text, max)
	if #text > max then text = text:sub(1, max) .. "…" end
	text = text:gsub("[%c\127]", function(c) return ("\\x%02x"):format(c:byte()) end)
	return utf8.len(text) and text or (text:gsub("[\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

local function number_text(v)
	if math.type(v) == "integer" then return (v > -4096 and v < 4096) and ("%d"):format(v) or ("%d (0x%x)"):format(v, v) end
	if v ~= v then return "NaN" end
	return ("%.14g"):format(v)
end

local function show(v)
	local kind = type(v)
	if kind == "string" then return '"' .. clean(v, 40) .. '"' end
	if kind == "number" then return number_text(v) end
	if kind == "boolean" or kind == "nil" then return tostring(v) end
	return "a " .. kind
end

local function join(path, key)
	if math.type(key) == "integer" then return ("%s[%d]"):format(path, key) end
	if type(key) == "string" then
		if not key:find "^[%a_][%w_]*$" or #key > 40 then key = '["' .. clean(key, 40) .. '"]'
		elseif path ~= "" then key = "." .. key end
		return path .. key
	end
	return ("%s[%s]"):format(path, show(key))
end

-- ---- the context of one check

-- A context: {errors = list of {path, message}, places = {[table] = {[key] = path}}, more = errors not kept,
-- unwrap = function(v) raw table behind a frozen one, board = function(v), device = function(v)}.
function validate.context(hooks)
	return {
		errors = {}, places = {}, more = 0,
		unwrap = hooks.unwrap, board = hooks.board, device = hooks.device, folder = hooks.folder or "",
	}
end

local function fail(ctx, path, message, ...)
	if #ctx.errors >= MAX_ERRORS then
		ctx.more = ctx.more + 1
		return nil
	end
	ctx.errors[#ctx.errors + 1] = { path = path, message = select("#", ...) > 0 and message:format(...) or message }
	return nil
end
validate.fail = fail

local function keep(ctx, out, key, value, path)
	out[key] = value
	local places = ctx.places[out]
	if not places then
		places = {}
		ctx.places[out] = places
	end
	places[key] = path
end
validate.keep = keep

local function example(t)
	return t.example and (" (as in %s = %s)"):format(t.name, t.example) or ""
end

-- ---- scalars

local nouns = {
	integer = "a whole number", size = 'a size: bytes, or text such as "512M"', address = "an address",
	string = "text in quotes", path = "a file name in quotes", boolean = "true or false",
	bytes = "a text of bytes", ["function"] = "a function",
	mac = 'a hardware address such as "52:54:00:10:10:10"', bdf = 'a PCI address such as "06:00.1"',
}

local function wrong_kind(ctx, t, v, path)
	return fail(ctx, path, "is %s, not %s%s", show(v), nouns[t.kind] or t.kind, example(t))
end

local check = {}

-- Text that is a number, as Lua would write it; nil for other text.
local function literal(text)
	text = text:match "^%s*(.-)%s*$"
	if text:find "^0[xX]%x+$" and #text <= 18 then return "0x" .. text:sub(3):lower() end
	if text:find "^%d+$" and #text <= 19 then return text end
end

local function whole(ctx, t, v, path)
	if math.type(v) == "integer" then return v end
	if type(v) == "number" then
		if v ~= v or v == math.huge or v == -math.huge then
			return fail(ctx, path, "is %s, not %s%s", v ~= v and "NaN (0/0?)" or "infinite", nouns[t.kind], example(t))
		end
		local i = math.tointeger(v)
		if i then
			return fail(ctx, path, "is the floating-point number %.1f; write %s", v,
				t.kind == "address" and ("0x%x"):format(i) or ("%d"):format(i))
		end
		return fail(ctx, path, "is %s, not %s%s", number_text(v), nouns[t.kind], example(t))
	end
	if type(v) == "string" then
		local as = literal(v)
		if as then return fail(ctx, path, "is the text %s; write %s without quotes", show(v), as) end
	end
	return wrong_kind(ctx, t, v, path)
end

local function bounded(ctx, t, v, path)
	local min, max = t.min or 0, t.max
	if v < min or (max and v > max) then
		local unit = t.unit and t.unit ~= "address" and " " .. t.unit or ""
		if v < 0 and not max then return fail(ctx, path, "is negative: %s", number_text(v)) end
		if not max then
			return fail(ctx, path, "is %s; it must be %s", number_text(v), min == 1 and "more" or ("at least %d%s"):format(min, unit))
		end
		return fail(ctx, path, "is %s: it must be %s to %s%s", number_text(v), number_text(min), number_text(max), unit)
	end
	return v
end

function check.integer(ctx, t, v, path)
	v = whole(ctx, t, v, path)
	return v and bounded(ctx, t, v, path)
end

check.address = check.integer

function check.size(ctx, t, v, path)
	if type(v) == "string" then
		local bytes, why = core.size(#v <= 64 and v or v:sub(1, 64) .. "…")
		if not bytes then
			return fail(ctx, path, "%s", clean(why, 200))
		end
		v = bytes
	else
		v = whole(ctx, t, v, path)
	end
	return v and bounded(ctx, t, v, path)
end

local function text(ctx, t, v, path)
	if type(v) ~= "string" then return wrong_kind(ctx, t, v, path) end
	if v == "" then return fail(ctx, path, "is empty%s", example(t)) end
	if v:find "%c" then return fail(ctx, path, "has a control character: %s", show(v)) end
	if not utf8.len(v) then return fail(ctx, path, "is not valid UTF-8: %s", show(v)) end
	local max = t.max or 4095
	if #v > max then return fail(ctx, path, "is %d bytes long, at most %d fit: %s", #v, max, show(v)) end
	return v
end

check.string = text

-- A path as it can be opened from the working directory.
function check.path(ctx, t, v, path)
	if t.off and (v == false or v == "null") then return false end
	if type(v) == "string" and v ~= "" and v:find "%z" then return fail(ctx, path, "has a NUL byte: %s", show(v)) end
	if type(v) ~= "string" then return wrong_kind(ctx, t, v, path) end
	if v == "" then
		return fail(ctx, path, t.off and "is empty; write false when nothing is to be loaded" or "is empty%s", example(t))
	end
	if #v > 4095 then return fail(ctx, path, "is longer than any file name: %s", show(v)) end
	if ctx.resolved or v:sub(1, 1) == "/" then return v end
	return ctx.folder .. v:gsub("^%./+", "")
end

function check.boolean(ctx, t, v, path)
	if type(v) ~= "boolean" then return wrong_kind(ctx, t, v, path) end
	return v
end

-- Text of any bytes.
function check.bytes(ctx, t, v, path)
	if type(v) ~= "string" then return wrong_kind(ctx, t, v, path) end
	if #v > t.max then return fail(ctx, path, "is %d bytes long, at most %d fit", #v, t.max) end
	return v
end

check["function"] = function(ctx, t, v, path)
	if type(v) ~= "function" then return wrong_kind(ctx, t, v, path) end
	return v
end

function check.enum(ctx, t, v, path)
	for _, value in ipairs(t.values) do
		if v == value then return v end
	end
	local near = type(v) == "string" and require("hvsh.nearest").of(v, t.values)
	return fail(ctx, path, 'is %s; it must be one of "%s"%s', show(v), table.concat(t.values, '", "'),
		near and (' (did you mean "%s"?)'):format(near) or "")
end

function check.mac(ctx, t, v, path)
	if type(v) ~= "string" then return wrong_kind(ctx, t, v, path) end
	local mac = v:lower()
	if not mac:find("^" .. ("%x%x:"):rep(5) .. "%x%x$") then
		return fail(ctx, path, "%s is no hardware address: six bytes as in \"52:54:00:10:10:10\"", show(v))
	end
	if tonumber(mac:sub(1, 2), 16) & 1 ~= 0 then
		return fail(ctx, path, "%s is a multicast address: the first byte must be even", show(v))
	end
	if mac == "00:00:00:00:00:00" then return fail(ctx, path, "is all zeroes; leave it out to have one made") end
	return mac
end

-- "0000:06:00.1" or "06:00.1" -> {domain or nil, bus, device, func}
function check.bdf(ctx, t, v, path)
	if type(v) ~= "string" then return wrong_kind(ctx, t, v, path) end
	local domain, rest = v:match "^(%x+):(%x+:.*)$"
	local bus, device, func = (rest or v):match "^(%x+):(%x+)%.(%x+)$"
	bus, device, func = tonumber(bus or "x", 16), tonumber(device or "x", 16), tonumber(func or "x", 16)
	domain = domain and tonumber(domain, 16)
	if not bus or #v > 16 then
		return fail(ctx, path, '%s is no PCI address: bus:device.function in hexadecimal, as in "06:00.1"', show(v))
	end
	if bus > 0xff or device > 0x1f or func > 7 or (domain and domain > 0xff) then
		return fail(ctx, path, "%s is no PCI address: bus up to ff, device up to 1f, function up to 7", show(v))
	end
	return { domain = domain, bus = bus, device = device, func = func }
end

-- ---- tables

-- The raw table; nil (and an error) for anything else.
local function plain(ctx, v, path, what)
	if type(v) ~= "table" then return fail(ctx, path, "is %s, not %s", show(v), what) end
	local raw = ctx.unwrap and ctx.unwrap(v)
	if raw then return raw end
	if debug.getmetatable(v) ~= nil then
		return fail(ctx, path, "is an object with a metatable; a plain table is needed: %s", what)
	end
	return v
end

-- The length of a list; nil (and an error) when there are holes or other keys.
local function length(ctx, raw, path, max)
	local n, highest, other = 0, 0, nil
	for key in next, raw do
		if math.type(key) ~= "integer" or key < 1 then
			other = other or key
		else
			n = n + 1
			if key > highest then highest = key end
		end
		if n > (max or MAX_LIST) then return fail(ctx, path, "has more than %d entries", max or MAX_LIST) end
	end
	if other ~= nil then return fail(ctx, join(path, other), "unknown field: %s is a list", path) end
	if highest ~= n then
		local hole = 1
		while raw[hole] ~= nil do hole = hole + 1 end
		return fail(ctx, join(path, hole), "is nil: the list goes on after it (a misspelt variable?)")
	end
	return n
end

-- Returns the known names that unknown ones were meant to be: these are not missing as well.
local function unknown_fields(ctx, t, raw, path)
	local unknown, meant = {}, {}
	for key in next, raw do
		if type(key) ~= "string" or not t.fields[key] then
			unknown[#unknown + 1] = key
			if #unknown > MAX_ERRORS then break end
		end
	end
	table.sort(unknown, function(a, b) return join("", a) < join("", b) end)
	for _, key in ipairs(unknown) do
		if type(key) == "string" then
			local near = schema.suggest(t.fields, key)
			if near then meant[near] = true end
			fail(ctx, join(path, key), "unknown field '%s'%s", clean(key, 40),
				near and (" (did you mean '%s'?)"):format(near) or "")
		else
			local entry = rawget(raw, key)
			fail(ctx, join(path, key), "unknown field: %s stands here without a name (name = %s)", show(entry), show(entry))
		end
	end
	return meant
end

local any

local function fields(ctx, t, raw, path)
	local out = {}
	ctx.places[out] = ctx.places[out] or {}
	local meant = unknown_fields(ctx, t, raw, path)
	for _, f in ipairs(t.fields) do
		local v, at = rawget(raw, f.name), join(path, f.name)
		if v ~= nil then
			v = any(ctx, f, v, at)
			if v ~= nil then keep(ctx, out, f.name, v, at) end
		elseif f.required then
			if not meant[f.name] then fail(ctx, at, "is missing%s", example(f)) end
		elseif f.default ~= nil and type(f.default) ~= "string" then
			out[f.name] = f.default
		end
	end
	return out
end

function check.record(ctx, t, v, path)
	local raw = plain(ctx, v, path, "a table of fields" .. example(t))
	return raw and fields(ctx, t, raw, path)
end

function check.list(ctx, t, v, path)
	local raw = plain(ctx, v, path, "a list" .. example(t))
	local n = raw and length(ctx, raw, path)
	if not n then return nil end
	local out = {}
	for i = 1, n do
		local at = join(path, i)
		local entry = any(ctx, t.of, rawget(raw, i), at)
		if entry ~= nil then keep(ctx, out, #out + 1, entry, at) end
	end
	return out
end

-- One record, or a list of them: always a list afterwards.
function check.some(ctx, t, v, path)
	local raw = plain(ctx, v, path, "a table" .. example(t))
	if not raw then return nil end
	if rawget(raw, 1) ~= nil or next(raw) == nil then return check.list(ctx, t, v, path) end
	local out, entry = {}, check.record(ctx, { fields = t.of.fields, name = t.name, example = t.example }, v, path)
	if entry then keep(ctx, out, 1, entry, path) end
	return out
end

-- A path (or another short form), or a record that says where it goes as well.
function check.image(ctx, t, v, path)
	local short = t.short or "image"
	local raw, made
	if type(v) == "table" then
		raw = plain(ctx, v, path, t.name == "dtb" and "a path" .. example(t) or "a path or a table of fields")
	elseif type(v) == "string" or v == false then
		raw = { [short] = v }
	else
		return fail(ctx, path, "is %s, neither %s nor a table of fields%s", show(v), nouns[t.fields[short].kind], example(t))
	end
	if not raw then return nil end
	if t.auto and rawget(raw, "image") == "auto" then
		made = {}
		for key, value in next, raw do made[key] = value end
		made.image, raw = false, made
	end
	local out = fields(ctx, t, raw, path)
	if made then
		out.image, out.auto = nil, true
		if out.patch then fail(ctx, join(path, "patch"), "is for a given file; a tree that is made says what the zone has") end
	end
	if type(v) ~= "table" then
		-- The short form has no field of its own: what is said of it is said of the whole.
		for _, err in ipairs(ctx.errors) do
			if err.path == join(path, short) then err.path = path end
		end
		if out[short] ~= nil then ctx.places[out][short] = path end
	end
	if short == "image" and out.at and out.phys and not t.both then
		fail(ctx, join(path, "phys"), "is given besides at; one of them says where to load it")
	end
	return out
end

-- A list of whole numbers, or "2-3,5".
function check.numbers(ctx, t, v, path)
	if t.all and v == "all" then return v end
	local out, seen = {}, {}
	local function add(n, at)
		if seen[n] then return fail(ctx, at, "%d is listed twice", n) end
		seen[n] = true
		keep(ctx, out, #out + 1, n, at)
	end
	if type(v) == "string" then
		for part in (v .. ","):gmatch "([^,]*)," do
			local first, last = part:match "^%s*(%d+)%s*%-%s*(%d+)%s*$"
			if not first then
				first = part:match "^%s*(%d+)%s*$"
				last = first
			end
			if not first or #first > 10 or #last > 10 then
				return fail(ctx, path, '%s is no list of numbers; write {2, 3} or "2-3,5"', show(v))
			end
			first, last = tonumber(first), tonumber(last)
			if first > last then return fail(ctx, path, "%s runs backwards: %d-%d", show(v), first, last) end
			if not bounded(ctx, t, first, path) or not bounded(ctx, t, last, path) then return nil end
			if last - first >= MAX_LIST or #out > MAX_LIST then
				return fail(ctx, path, "has more than %d entries", MAX_LIST)
			end
			for n = first, last do add(n, path) end
		end
	else
		if type(v) == "number" then
			return fail(ctx, path, "is %s, not a list%s", number_text(v), example(t))
		end
		local raw = plain(ctx, v, path, "a list of whole numbers" .. example(t))
		local n = raw and length(ctx, raw, path)
		if not n then return nil end
		for i = 1, n do
			local at = join(path, i)
			local number = check.integer(ctx, { kind = "integer", min = t.min, max = t.max }, rawget(raw, i), at)
			if number then add(number, at) end
		end
	end
	if t.nonempty and #out == 0 and #ctx.errors == 0 then return fail(ctx, path, "is empty%s", example(t)) end
	return out
end

-- A list of texts, each once.
function check.texts(ctx, t, v, path)
	local raw = plain(ctx, v, path, "a list of texts" .. example(t))
	local n = raw and length(ctx, raw, path, t.max)
	if not n then return nil end
	local out, seen = {}, {}
	for i = 1, n do
		local at = join(path, i)
		local word = text(ctx, { name = t.name, max = 127 }, rawget(raw, i), at)
		if word and seen[word] then
			fail(ctx, at, "%s is listed twice", show(word))
		elseif word then
			seen[word] = true
			keep(ctx, out, #out + 1, word, at)
		end
	end
	return out
end

-- "all", a list of numbers, or one of names.
function check.lent(ctx, t, v, path)
	if v == "all" then return v end
	if type(v) == "table" and type(rawget(v, 1)) == "string" then return check.texts(ctx, { name = t.name }, v, path) end
	return check.numbers(ctx, t, v, path)
end

-- Devices of a tree: {name = "/soc/uart"} or {compatible = "…"} each.
function check.given(ctx, t, v, path)
	local raw = plain(ctx, v, path, "a list of devices" .. example(t))
	local n = raw and length(ctx, raw, path)
	if not n then return nil end
	local out, seen = {}, {}
	for i = 1, n do
		local at, value = join(path, i), rawget(raw, i)
		local key, device = "name", value
		if type(value) == "table" then
			local entry = plain(ctx, value, at, "a path, or {compatible = …}")
			key, device = "compatible", entry and rawget(entry, "compatible")
			if entry and (device == nil or next(entry, next(entry)) ~= nil) then
				fail(ctx, at, 'is a table: it has one field, compatible, as in {compatible = "arm,mali-g31"}')
				device = nil
			end
		elseif type(value) ~= "string" then
			device = fail(ctx, at, "is %s, not a path, &label or alias in quotes%s", show(value), example(t))
		end
		device = device ~= nil and text(ctx, { kind = "string", name = t.name, max = 255 }, device, at) or nil
		if device and seen[key .. device] then
			fail(ctx, at, "%s is listed twice", show(device))
		elseif device then
			seen[key .. device] = true
			keep(ctx, out, #out + 1, { [key] = device }, at)
		end
	end
	if n == 0 then return fail(ctx, path, "is empty%s", example(t)) end
	return out
end

-- The list of devices, in which the other fields may stand as well; or one device.
function check.passthrough(ctx, t, v, path)
	if type(v) == "string" then v = { v } end
	local raw = plain(ctx, v, path, "a list of devices" .. example(t))
	if not raw then return nil end
	local named, list = {}, {}
	for key, value in next, raw do
		if math.type(key) == "integer" then list[key] = value else named[key] = value end
	end
	local out = fields(ctx, t, named, path)
	if next(list) == nil then
		if named.devices == nil then fail(ctx, path, "names no devices%s", example(t)) end
	elseif named.devices ~= nil then
		fail(ctx, join(path, "devices"), "is given besides devices that stand in %s itself", path)
	else
		local devices = check.given(ctx, t.fields.devices, list, path)
		if devices then keep(ctx, out, "devices", devices, path) end
	end
	return out
end

local function hertz(ctx, v, path)
	if type(v) == "string" then
		local hz, why = core.clock_hertz(v)
		return hz or fail(ctx, path, "%s is no rate: %s", show(v), why)
	end
	v = whole(ctx, { kind = "integer" }, v, path)
	return v and bounded(ctx, { min = 1, unit = "Hz" }, v, path)
end

-- {["&uart"] = {baud = "24M", [2] = 100000000}} -> {device=, clock= or slot=, hz=} each, by device.
function check.rates(ctx, t, v, path)
	local raw = plain(ctx, v, path, "a table of devices" .. example(t))
	if not raw then return nil end
	local out, devices = {}, {}
	for device in next, raw do
		if type(device) == "string" then
			devices[#devices + 1] = device
		else
			fail(ctx, join(path, device), "is no device%s", example(t))
		end
		if #devices > MAX_LIST then return fail(ctx, path, "has more than %d entries", MAX_LIST) end
	end
	table.sort(devices)
	for _, device in ipairs(devices) do
		local at = join(path, device)
		local clocks = plain(ctx, rawget(raw, device), at, "a table of clocks" .. example(t))
		local keys = {}
		for key in next, clocks or {} do
			if type(key) == "string" or (math.type(key) == "integer" and key >= 1 and key <= 4096) then
				keys[#keys + 1] = key
			else
				fail(ctx, join(at, key), "is neither a clock's name nor its number, counted from 1")
			end
			if #keys > MAX_LIST then return fail(ctx, at, "has more than %d entries", MAX_LIST) end
		end
		table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
		for _, key in ipairs(keys) do
			local hz = hertz(ctx, rawget(clocks, key), join(at, key))
			if hz then
				keep(ctx, out, #out + 1, {
					device = device, hz = hz, clock = type(key) == "string" and key or nil,
					slot = type(key) ~= "string" and key or nil,
				}, join(at, key))
			end
		end
	end
	return out
end

-- Resolved when the regions are known.
function check.region(ctx, t, v, path)
	if type(v) == "string" then return text(ctx, { name = t.name, max = 63 }, v, path) end
	return check.integer(ctx, { kind = "integer", min = 0, max = 63, name = t.name, example = t.example }, v, path)
end

function check.devices(ctx, t, v, path)
	local raw = plain(ctx, v, path, "a list of devices" .. example(t))
	local n = raw and length(ctx, raw, path)
	if not n then return nil end
	local out = {}
	for i = 1, n do
		local device = ctx.device(ctx, rawget(raw, i), join(path, i), show)
		if device then keep(ctx, out, #out + 1, device, join(path, i)) end
	end
	return out
end

function check.board(ctx, t, v, path)
	return ctx.board(ctx, v, path, show, example(t))
end

require("hvsh.validate.plain")(check, {
	fail = fail, keep = keep, join = join, plain = plain, length = length, example = example, show = show,
})

function any(ctx, t, v, path)
	-- Parts of a frozen table (gic = board.gic) were resolved when it was made.
	local was = ctx.resolved
	ctx.resolved = was or (type(v) == "table" and ctx.unwrap ~= nil and ctx.unwrap(v) ~= nil)
	local out = check[t.kind](ctx, t, v, path)
	ctx.resolved = was
	return out
end

-- The normalised copy of v; ctx.errors says whether it may be used.
function validate.run(ctx, type, v, path)
	return any(ctx, type, v, path or "")
end

validate.clean, validate.show, validate.join = clean, show, join

return validate
