-- SPDX-License-Identifier: GPL-2.0-or-later
-- Typing, pointing and touching by a script: what dev:key, dev:text, dev:button, dev:pointer and dev:touch send.
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"

local input = {}

-- Of linux/input-event-codes.h.
local EV_KEY, EV_REL, EV_ABS = 1, 2, 3
local REL_X, REL_Y, REL_HWHEEL, REL_WHEEL = 0, 1, 6, 8
local ABS_X, ABS_Y, ABS_MT_SLOT, ABS_MT_X, ABS_MT_Y, ABS_MT_ID = 0, 1, 0x2f, 0x35, 0x36, 0x39
local BTN_TOUCH = 0x14a
local FINGERS = 10

local codes = core.input_codes()
local names

-- A key's or button's code by its name; raises an error where the script calls.
local function code_of(name, word)
	local code = codes[name]
	if code then return code end
	if not names then
		names = {}
		for known in pairs(codes) do names[#names + 1] = known end
		table.sort(names)
	end
	local near = type(name) == "string" and nearest.of(name, names)
	error(("%s: there is no key %s%s"):format(word, type(name) == "string" and ('"%s"'):format(name) or tostring(name),
		near and (" (did you mean %s?)"):format(near) or ', they are called "KEY_A", "KEY_ENTER" and so on'), 3)
end

local function check_options(options, word, allowed, level)
	if type(options) ~= "table" then error(("%s takes a table of options"):format(word), level + 1) end
	nearest.check(options, allowed, word .. " has no option", level + 1)
end

local function deadline_of(options, word)
	if options == nil then return nil end
	check_options(options, word, { timeout = true }, 3)
	if options.timeout == nil then return nil end
	local ns, why = core.duration(options.timeout)
	if not ns then error(("%s: timeout: %s"):format(word, why), 3) end
	return core.deadline(options.timeout)
end

-- Facts of a device that is one of the kinds; nil, message, code. A real device refuses by itself, and says why.
local function facts_of(h, word, ...)
	local facts = core.device(h)
	if not facts then return nil, "ENODEV: the device is gone", "ENODEV" end
	local kind = facts.kind or facts.type .. " device"
	for _, fits in ipairs { "evdev", ... } do
		if facts.kind == fits:match "%a+" then return facts end
	end
	return nil, ("EOPNOTSUPP: %s is for a %s; %s/%s is a %s"):format(word, table.concat({ ... }, " or "),
		facts.zone, facts.name, kind), "EOPNOTSUPP"
end

-- A list of reports, one after the other.
local function send(h, reports, deadline)
	for _, report in ipairs(reports) do
		local ok, message, code = core.input_send(h, report, deadline)
		if not ok then return nil, message, code end
	end
	return true
end

local ACTIONS = { press = true, release = true }

-- Keys go down in order and come up in the opposite one.
local function strokes(list, action)
	local reports = {}
	if action ~= "release" then
		for _, code in ipairs(list) do reports[#reports + 1] = { EV_KEY, code, 1 } end
	end
	if action ~= "press" then
		for i = #list, 1, -1 do reports[#reports + 1] = { EV_KEY, list[i], 0 } end
	end
	return reports
end

local function check_action(action, word)
	if action ~= nil and not ACTIONS[action] then
		error(('%s: "press" or "release"; both, one after the other, when it is left out'):format(word), 3)
	end
end

-- "KEY_A", or {"KEY_LEFTCTRL", "KEY_C"}.
function input.key(h, what, action, options)
	if type(action) == "table" and options == nil then action, options = nil, action end
	check_action(action, "key")
	local list = {}
	for i, name in ipairs(type(what) == "table" and what or { what }) do list[i] = code_of(name, "key") end
	if #list == 0 then error("key takes the name of a key, or a list of names", 2) end
	local deadline = deadline_of(options, "key")
	local facts, message, why = facts_of(h, "key", "keyboard")
	if not facts then return nil, message, why end
	return send(h, strokes(list, action), deadline)
end

-- The keys of a US keyboard, row by row: without and with shift.
local rows = {
	{ "`1234567890-=", "~!@#$%^&*()_+", "GRAVE 1 2 3 4 5 6 7 8 9 0 MINUS EQUAL" },
	{ "[]\\;',./", "{}|:\"<>?", "LEFTBRACE RIGHTBRACE BACKSLASH SEMICOLON APOSTROPHE COMMA DOT SLASH" },
	{ "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z" },
	{ " \n\t\b\27", "", "SPACE ENTER TAB BACKSPACE ESC" },
}
local characters = {}
for _, row in ipairs(rows) do
	local i = 0
	for name in row[3]:gmatch "%S+" do
		i = i + 1
		local code = codes["KEY_" .. name]
		characters[row[1]:sub(i, i)] = { code, false }
		if row[2] ~= "" then characters[row[2]:sub(i, i)] = { code, true } end
	end
end
characters["\r"] = characters["\n"]

function input.text(h, text, options)
	if type(text) ~= "string" then error(("text takes a text, not a %s"):format(type(text)), 2) end
	local reports, shift = {}, codes.KEY_LEFTSHIFT
	for char in text:gmatch "[\0-\x7f\xc2-\xf4][\x80-\xbf]*" do
		local key = characters[char]
		if not key then error(("text: %q is on no key of a US keyboard"):format(char), 2) end
		table.move(strokes(key[2] and { shift, key[1] } or { key[1] }), 1, key[2] and 4 or 2, #reports + 1, reports)
	end
	if #reports == 0 and text ~= "" then error("text: it is not UTF-8", 2) end
	local deadline = deadline_of(options, "text")
	local facts, message, why = facts_of(h, "text", "keyboard")
	if not facts then return nil, message, why end
	return send(h, reports, deadline)
end

local BUTTONS = {
	left = "BTN_LEFT", right = "BTN_RIGHT", middle = "BTN_MIDDLE", side = "BTN_SIDE", extra = "BTN_EXTRA",
}

function input.button(h, name, action, options)
	if type(action) == "table" and options == nil then action, options = nil, action end
	check_action(action, "button")
	local code = codes[BUTTONS[name] or name]
	if not code then error('button: "left", "right", "middle", "side" or "extra", or a name as "BTN_TASK"', 2) end
	local deadline = deadline_of(options, "button")
	local facts, message, why = facts_of(h, "button", "mouse", "tablet")
	if not facts then return nil, message, why end
	return send(h, strokes({ code }, action), deadline)
end

-- A step, or a place on an axis with so many.
local function whole(value, word, level, count)
	local n = math.tointeger(value)
	if not n or n < -(1 << 31) or n >= 1 << 31 then error(("%s is %s, not a whole number"):format(word, tostring(value)), level + 1) end
	if count and (n < 0 or n >= count) then error(("%s is %d; the device has 0 to %d"):format(word, n, count - 1), level + 1) end
	return n
end

local function add(report, type, code, value)
	table.move({ type, code, value }, 1, 3, #report + 1, report)
end

local POINTER = { x = true, y = true, dx = true, dy = true, wheel = true, hwheel = true, timeout = true }

function input.pointer(h, where)
	check_options(where, "pointer", POINTER, 2)
	local facts, message, code = facts_of(h, "pointer", "mouse", "tablet")
	if not facts then return nil, message, code end
	local report = {}
	if where.x ~= nil then add(report, EV_ABS, ABS_X, whole(where.x, "pointer: x", 2, facts.width)) end
	if where.y ~= nil then add(report, EV_ABS, ABS_Y, whole(where.y, "pointer: y", 2, facts.height)) end
	for key, axis in pairs { dx = REL_X, dy = REL_Y, wheel = REL_WHEEL, hwheel = REL_HWHEEL } do
		if where[key] ~= nil then add(report, EV_REL, axis, whole(where[key], "pointer: " .. key, 2)) end
	end
	if facts.kind == "mouse" and (where.x ~= nil or where.y ~= nil) then
		error("pointer: a mouse knows no places: {dx=, dy=}", 2)
	elseif facts.kind == "tablet" and (where.dx ~= nil or where.dy ~= nil) then
		error("pointer: a tablet is at a place: {x=, y=}", 2)
	end
	if #report == 0 then error("pointer: where to? {x=, y=} on a tablet, {dx=, dy=} with a mouse, {wheel=}", 2) end
	return send(h, { report }, deadline_of({ timeout = where.timeout }, "pointer"))
end

-- By device: which fingers are down, and where. Ids of touches are never used twice in a row.
local fingers_of, last_id = {}, 0

local FINGER = { finger = true, x = true, y = true, up = true, timeout = true }

local function one_finger(facts, fingers, f, report)
	local n = whole(f.finger or 0, "touch: finger", 3, FINGERS)
	local known = fingers[n]
	add(report, EV_ABS, ABS_MT_SLOT, n)
	if f.up then
		fingers[n] = nil
		add(report, EV_ABS, ABS_MT_ID, -1)
		return
	end
	if not known and (f.x == nil or f.y == nil) then error("touch: a finger that comes down needs x and y", 3) end
	if not known then
		last_id = (last_id + 1) % 65536
		known = { id = last_id }
	end
	fingers[n] = {
		id = known.id,
		x = f.x == nil and known.x or whole(f.x, "touch: x", 3, facts.width),
		y = f.y == nil and known.y or whole(f.y, "touch: y", 3, facts.height),
	}
	add(report, EV_ABS, ABS_MT_ID, known.id)
	add(report, EV_ABS, ABS_MT_X, fingers[n].x)
	add(report, EV_ABS, ABS_MT_Y, fingers[n].y)
end

-- One finger, {finger=, x=, y=} or {finger=, up=true}, or a list of them that move at the same time.
function input.touch(h, what)
	if type(what) ~= "table" then error("touch takes a table: {x=, y=}, {up = true}, or a list of those", 2) end
	local facts, message, code = facts_of(h, "touch", "touch screen")
	if not facts then return nil, message, code end
	local fingers, report = {}, {}
	for n, f in pairs(fingers_of[h] or {}) do fingers[n] = f end
	for _, f in ipairs(#what > 0 and what or { what }) do
		check_options(f, "touch", FINGER, 2)
		one_finger(facts, fingers, f, report)
	end
	local first
	for n = 0, FINGERS - 1 do first = first or fingers[n] end
	add(report, EV_KEY, BTN_TOUCH, first and 1 or 0)
	if first then
		add(report, EV_ABS, ABS_X, first.x)
		add(report, EV_ABS, ABS_Y, first.y)
	end
	local ok
	ok, message, code = send(h, { report }, deadline_of({ timeout = what.timeout }, "touch"))
	if not ok then return nil, message, code end
	fingers_of[h] = fingers
	return true
end

return input
