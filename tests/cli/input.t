# SPDX-License-Identifier: GPL-2.0-or-later
# A script types at a zone, points and touches; the zone's guest says at its console what has arrived.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"

zone() {
	cat <<'LUA'
local z = zone "linux1" {
	id = 1,
	cpus = {2},
	board = require "board.qemu_virt",
	ram = {at = 0x50000000, size = "384M"},
	kernel = {image = "images/Image", at = 0x50400000},
	dtb = {image = "images/linux1.dtb", patch = true},
	devices = {
		console "hvc0" {},
		input "keys" {},
		input "mouse" {kind = "mouse"},
		input "pen" {kind = "tablet", width = 1280, height = 800},
		input "glass" {kind = "touch"},
	},
}
LUA
}

script() {
	{
		zone
		cat <<'LUA'
assert(z:start())
local keys, mouse, pen, glass = z:device "keys", z:device "mouse", z:device "pen", z:device "glass"
local con = assert(z:device "hvc0":open {back = "all"})
local function hear(...)
	for _, line in ipairs {...} do
		local ok, why = con:expect("input: " .. line .. "\r\n", {timeout = "60s", plain = true})
		print(ok and "heard " .. line or "not heard: " .. line .. ": " .. why)
	end
end
con:expect("linux1> ", {timeout = "60s"})
LUA
		cat
		echo 'assert(zones.stop())'
	} >script.lua
	run timeout 240 "$HVSH" --sim script.lua
}

script <<'LUA'
assert(keys:text "aB\n")
hear("key 30 1", "key 30 0", "key 42 1", "key 48 1", "key 48 0", "key 42 0", "key 28 1", "key 28 0")
assert(keys:key {"KEY_LEFTCTRL", "KEY_C"})
hear("key 29 1", "key 46 1", "key 46 0", "key 29 0")
assert(keys:key("KEY_F1", "press"))
assert(keys:key("KEY_F2", "release", {timeout = "10s"}))
hear("key 59 1", "key 60 0")
-- Every character that a US keyboard has, each by two or four reports.
local all = ""
for c = 32, 126 do all = all .. string.char(c) end
assert(keys:text(all))
assert(keys:key "KEY_F12")
hear("key 88 1", "key 88 0")
LUA
is 0 "a script types"
out_has "heard key 30 1
heard key 30 0
heard key 42 1" "a character without shift"
out_has "heard key 29 1
heard key 46 1
heard key 46 0
heard key 29 0" "keys at the same time come up in the opposite order"
out_has "heard key 59 1
heard key 60 0" "press alone and release alone"
out_has "heard key 88 0" "the whole keyboard"
out_lacks "not heard" "everything is heard"

script <<'LUA'
assert(mouse:pointer {dx = -3})
hear "rel 0 -3"
assert(mouse:button "left")
hear("key 272 1", "key 272 0")
assert(mouse:pointer {wheel = 1})
hear "rel 8 1"
assert(pen:pointer {x = 1279, y = 799})
hear "abs 0 1279, abs 1 799"
assert(pen:button("right", "press"))
hear "key 273 1"
assert(glass:touch {x = 10, y = 20})
hear "abs 47 0, abs 57 1, abs 53 10, abs 54 20, key 330 1, abs 0 10, abs 1 20"
assert(glass:touch {{finger = 1, x = 30, y = 40}, {x = 11}})
hear "abs 47 1, abs 57 2, abs 53 30, abs 54 40, abs 47 0, abs 57 1, abs 53 11, abs 54 20, key 330 1, abs 0 11, abs 1 20"
assert(glass:touch {up = true})
hear "abs 47 0, abs 57 -1, key 330 1, abs 0 30, abs 1 40"
assert(glass:touch {finger = 1, up = true})
hear "abs 47 1, abs 57 -1, key 330 0"
LUA
is 0 "a script points and touches"
out_has "heard rel 0 -3" "the mouse moves"
out_has "heard abs 47 1, abs 57 -1, key 330 0" "the last finger is lifted"
out_lacks "not heard" "every report is heard"

script <<'LUA'
print("dark", keys.leds.caps, keys.kind, pen.width, pen.height, keys.evdev, keys.model)
assert(keys:key "KEY_CAPSLOCK")
for _ = 1, 6000 do
	if keys.leds.caps then break end
	sleep "10ms"
end
print("lit", keys.leds.caps, keys.leds.num)
-- More than fits: it waits for the guest, and all of it arrives.
assert(keys:text(("x"):rep(3000), {timeout = "60s"}))
assert(keys:key "KEY_F5")
hear "key 63 1"
-- A guest that takes nothing.
assert(keys:pause())
print(keys:text(("x"):rep(5000), {timeout = "200ms"}))
assert(keys:resume())
LUA
is 0 "a guest answers, or does not"
out_has "dark	false	keyboard	1280	800	false	hvsh keyboard" "facts"
out_has "lit	true	false" "the guest lights an LED"
out_has "heard key 63 1" "long text waits for the guest"
out_has "nil	ETIMEDOUT: linux1/keys: the guest did not take the input in time	ETIMEDOUT" "but not without end"

script <<'LUA'
local function wrong(f) print((select(2, pcall(f)))) end
wrong(function() keys:key "KEY_ENTR" end)
wrong(function() keys:key(30) end)
wrong(function() keys:key("KEY_A", "hold") end)
wrong(function() keys:key("KEY_A", {timeuot = 1}) end)
wrong(function() keys:text "na\u{ef}ve" end)
wrong(function() keys:text(7) end)
wrong(function() keys:text("a", {timeout = "soon"}) end)
wrong(function() mouse:button "top" end)
wrong(function() mouse:pointer {x = 1} end)
wrong(function() mouse:pointer {} end)
wrong(function() pen:pointer {x = 1280} end)
wrong(function() pen:pointer {z = 1} end)
wrong(function() glass:touch {finger = 10, x = 1, y = 1} end)
wrong(function() glass:touch {x = 1} end)
wrong(function() glass:touch(1) end)
wrong(function() keys.key "KEY_A" end)
print(keys:pointer {dx = 1})
print(z:device "hvc0":text "x")
print(glass:key "KEY_A")
LUA
is 0 "mistakes"
out_has 'script.lua:27: key: there is no key "KEY_ENTR" (did you mean KEY_ENTER?)'
out_has 'script.lua:28: key: there is no key 30, they are called "KEY_A", "KEY_ENTER" and so on'
out_has 'script.lua:29: key: "press" or "release"; both, one after the other, when it is left out'
out_has 'script.lua:30: key has no option timeuot (did you mean timeout?)'
out_has 'script.lua:31: text: "ï" is on no key of a US keyboard'
out_has "script.lua:32: text takes a text, not a number"
out_has 'script.lua:33: text: timeout: "soon" is no duration'
out_has 'script.lua:34: button: "left", "right", "middle", "side" or "extra", or a name as "BTN_TASK"'
out_has "script.lua:35: pointer: a mouse knows no places: {dx=, dy=}"
out_has "script.lua:36: pointer: where to?"
out_has "script.lua:37: pointer: x is 1280; the device has 0 to 1279"
out_has "script.lua:38: pointer has no option z"
out_has "script.lua:39: touch: finger is 10; the device has 0 to 9"
out_has "script.lua:40: touch: a finger that comes down needs x and y"
out_has "script.lua:41: touch takes a table"
out_has "script.lua:42: call it with a colon: device:key()"
out_has "nil	EOPNOTSUPP: pointer is for a mouse or tablet; linux1/keys is a keyboard	EOPNOTSUPP" "a keyboard does not point"
out_has "EOPNOTSUPP: text is for a keyboard; linux1/hvc0 is a console device" "a console has no keys"

zone | sed 's,input "keys" {},input "keys" {evdev = "/dev/input/event0"},' >real.lua
cat >>real.lua <<'LUA'
assert(z:start())
print(z:device "keys".kind)
assert(zones.stop())
LUA
run timeout 120 "$HVSH" --sim real.lua
is 0 "a real device in the simulation"
err_has "linux1/keys: /dev/input/event0 is left alone in the simulation; a keyboard is there" "is left alone"

zone | sed 's,input "keys" {},input "keys" {evdev = "/dev/input/event0"\, kind = "mouse"},' >real.lua
echo 'assert(z:start())' >>real.lua
run timeout 120 "$HVSH" --sim real.lua
is 1 "a real device of another kind"
err_has "the kind of a real device (evdev) is its own: leave this out" "is a mistake"
finish
