# SPDX-License-Identifier: GPL-2.0-or-later
# Devices whose model is a script: they serve the guest's drivers, and whatever a model does wrong ends that device alone.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

# with DEVICES: a zone with a console and these; the rest of the script is read from standard input.
with() {
	{
		cat <<'LUA'
local function boot(name, devices)
	table.insert(devices, 1, console "hvc0" {})
	local z = zone(name) {
		id = 1, cpus = {2}, board = require "board.qemu_virt",
		ram = {at = 0x50000000, size = "384M"},
		kernel = {image = "images/Image", at = 0x50400000},
		dtb = {image = "images/linux1.dtb", patch = true},
		devices = devices,
	}
	assert(z:start())
	return z, assert(z:device "hvc0":open {back = "all"})
end
local function type_in(con, line, pattern)
	con:write(line .. "\n")
	return assert(con:expect(pattern, {timeout = "120s"}))
end
local function until_true(f)
	for _ = 1, 1500 do
		if f() then return true end
		sleep "20ms"
	end
end
LUA
		cat
	} >script.lua
	run timeout 400 "$HVSH" --sim script.lua
}

with <<'LUA'
local lives = {}
local z, con = boot("linux1", {
	custom "dice" {
		id = 4,
		features = {3},
		queues = {{size = 8, request = function(dev, out, room)
			sleep "10ms"
			print("request", dev.name, #out, room)
			return ("abcd"):sub(1, room)
		end}},
		start = function(dev, features) lives[#lives + 1] = "start" print("driver", features[3], features[32]) end,
	},
})
assert(con:expect("such as 61626364", {timeout = "120s", plain = true}))
local dice = z:device "dice"
print(dice, dice.virtio_id, dice.stats.requests, dice.in_flight, #lives)
print(dice:send(0, "x"))
print(dice:config())
print(select(2, dice:config(0, "x")))
print(z:device "hvc0":send(0, "x"))
print(select(2, pcall(dice.send, dice, 8, "x")))
print(select(2, pcall(dice.config, dice, 0, 7)))
assert(zones.stop())
LUA
is 0 "a source of entropy in Lua"
out_has "driver	nil	true
request	dice	0	4
custom linux1/dice: running	4	1	0	1" "its functions are called as tasks"
out_has "nil	EINVAL: linux1/dice: queue 0 is no receive queue	EINVAL" "sends to a request queue"
out_has "ERANGE: linux1/dice: 1 bytes at 0 are beyond its configuration of 0 bytes" "beyond the configuration"
out_has "EOPNOTSUPP: linux1/hvc0 is a console device: only custom can do this" "another device"
out_has "send: queues are counted from 0" "no such queue"
out_has "config takes an offset and bytes, not a number" "no bytes"
err_lacks "stopped until" "nothing is wrong"

# misbehave WHAT FIELDS: the device needs a reset, an event tells it, and the rest goes on: tasks, other devices, the guest.
misbehave() {
	with <<LUA
local told
event.listen(function(e) told = told or e.what == "broken" and e.message end)
local function never() while true do end end
local z, con = boot("linux1", {blk "root" {image = "images/rootfs1.ext4"}, custom "bad" {id = 4, $2}})
local bad = z:device "bad"
print("broken", until_true(function() return bad.state == "broken" end), until_true(function() return told end))
con:expect("linux1> ", {timeout = "120s", plain = true})
type_in(con, "sum 0 64K", "%x%x%x%x%x%x%x%x\r\n")
print("goes on", z:device "root".state, until_true(function() return bad.in_flight == 0 end))
assert(zones.stop())
LUA
	is 0 "$1: the service ends well"
	out_has "broken	true	true" "$1: the device is broken"
	out_has "goes on	running	true" "$1: the rest goes on"
}

misbehave error 'queues = {{request = function() error "no bytes left" end}}'
err_has "linux1/bad (script.lua:26: devices.bad): stopped until the guest resets it: request: script.lua:26: no bytes left" "its line"
misbehave type 'queues = {{request = function() return 7 end}}'
err_has "request: it gave a number, not the bytes of an answer"
misbehave long 'queues = {{request = function(_, _, room) return ("x"):rep(room + 1) end}}'
err_has "request: its answer has 5 bytes, and the guest has room for 4"
misbehave object 'queues = {{request = function() error(setmetatable({}, {__tostring = function() error "worse" end})) end}}'
misbehave nothing 'queues = {{request = function() error() end}}'
misbehave late 'timeout = "300ms", queues = {{request = function() sleep "10m" end}}'
err_has "its model did not answer a request of queue 0 within 300ms"
misbehave endless 'timeout = "10m", queues = {{request = never}}'
err_has "request: script.lua:25: it has computed for a second without waiting"
misbehave stubborn 'timeout = "300ms", queues = {{request = function() while true do pcall(never) end end}}'
misbehave heir 'timeout = "300ms", queues = {{request = function() spawn(never) sleep "10m" end}}'
misbehave wrapped 'timeout = "10m", queues = {{request = function() coroutine.wrap(never)() end}}'
misbehave yields 'timeout = "300ms", queues = {{request = function() coroutine.yield() end}}'
misbehave memory 'queues = {{request = function() return ("x"):rep(1 << 62) end}}'
misbehave start 'start = function() error "no sensor" end, queues = {{request = print}}'
err_has "start: script.lua:26: no sensor"
misbehave waits 'timeout = "300ms", start = function() sleep "10m" end, queues = {{request = print}}'

with <<'LUA'
local fault = require "device.fault_blk"
local rng = require "device.rng_file"
local f = assert(io.open("disk.img", "wb"))
f:write(("x"):rep(1 << 20))
f:close()
f = assert(io.open("seed.bin", "wb"))
f:write "\1\2\3"
f:close()
local z, con = boot("linux1", {
	fault.new("disk", {image = "disk.img", faults = {
		{from = 1000, to = 1001, on = "read"}, {from = 0, to = 7, delay = "20ms", fails = false},
		{from = 64, on = "write", to = 71}, {chance = 0},
	}}),
	rng.new("dice", {file = "seed.bin"}),
})
assert(con:expect("such as 010203", {timeout = "120s", plain = true}))
con:expect("linux1> ", {timeout = "120s", plain = true})
type_in(con, "write 4K hello", "5 bytes written")
print("bad read", type_in(con, "sum 500K 16K", "sum: (.-)\r\n"))
print("good read", type_in(con, "sum 501K 8K", "(%x%x%x%x%x%x%x%x)\r\n"))
print("bad write", type_in(con, "write 32K hello", "write: (.-)\r\n"))
print("disk", z:device "disk".state, z:device "disk".virtio_id)
assert(zones.stop())
f = assert(io.open("disk.img", "rb"))
f:seek("set", 4096)
print(f:read(6))
LUA
is 0 "a disk with faults, and entropy from a file"
out_has "bad read	Input/output error" "a read where it fails"
out_has "good read	" "a read where it does not"
out_has "bad write	Input/output error" "a write where it fails"
out_has "disk	running	2" "the disk goes on"
out_has "hellox" "what the guest wrote is in the file"

# Devices that come and go while the zone runs.
with <<'LUA'
local z, con = boot("linux1", {slot "spare" {}})
con:expect("linux1> ", {timeout = "120s", plain = true})
for i = 1, 3 do
	local late = assert(z:attach(custom("late" .. i) {id = 63, config = "abc", queues = {{receive = true}}}))
	print(late, late:config(1, "x"), late:config(), select(3, late:send(0, "early")))
	assert(late:detach())
	print(late.state)
end
assert(zones.stop())
LUA
is 0 "devices come and go"
out_has "custom linux1/late3: idle	true	axc	EAGAIN
detached" "each with a configuration of its own"

# close_with CODE: stops a zone while a request of its custom device waits, in whose __close handler that code is run.
close_with() {
	with <<LUA
local asked
local z = boot("linux1", {
	custom "bad" {id = 4, queues = {{request = function()
		local c <close> = setmetatable({}, {__close = function() $1 end})
		asked = true
		sleep "10m"
	end}}},
	blk "root" {image = "images/rootfs1.ext4", snapshot = true},
})
assert(until_true(function() return asked end))
print("stopped", zones.linux1:stop())
LUA
}
# Freed memory is not what it was.
export MALLOC_PERTURB_=165
close_with 'local root = zones.linux1:device "root" print("root", root) if root then root:detach() end'
is 0 "a request whose device ends"
out_is "stopped	true
root	nil" "its handler finds the devices of the zone gone"
err_lacks "nothing is left to serve" "what is cancelled is not waited for"
close_with 'os.exit(3)'
is 3 "the handler may end the program"
out_is "stopped	true"
with <<'LUA'
local told, closed
event.listen(function(e) if e.what == "broken" then told = ("%s/%s"):format(e.zone, e.device) end end)
local z = boot("linux1", {custom "bad" {id = 4, timeout = "300ms", queues = {{request = function()
	local c <close> = setmetatable({}, {__close = function() closed = zones.linux1:device "bad":detach() end})
	sleep "10m"
end}}}})
print(until_true(function() return told and closed end), told, closed, (z:device "bad"))
assert(zones.stop())
LUA
is 0 "it may detach its own device"
out_is "true	linux1/bad	true	nil" "of which is still told what has happened"
unset MALLOC_PERTURB_

# Functions stay in the process that has read them.
cat >service.lua <<'LUA'
local z = zone "other" {
	id = 2, cpus = {3}, board = require "board.qemu_virt", ram = {at = 0x70000000, size = "64M"},
	kernel = {image = "images/Image", at = 0x70400000}, dtb = "auto",
	devices = {console "hvc0" {at = 0xa003e00, irq = 79}},
}
assert(z:start())
LUA
cat >given.lua <<'LUA'
zone "linux1" {
	id = 1, cpus = {2}, board = require "board.qemu_virt", ram = {at = 0x50000000, size = "384M"},
	kernel = {image = "images/Image", at = 0x50400000}, dtb = {image = "images/linux1.dtb", patch = true},
	devices = {custom "dice" {id = 4, queues = {{request = print}}}},
}
LUA
serve service.lua other
sim check given.lua
is 0 "a service can check such a zone"
sim apply given.lua
is 1 "and cannot start it"
err_has "linux1/dice is a custom device: its functions cannot be given to the service that runs" "it says why"
stop_service

cat >wrong.lua <<'LUA'
zone "linux1" {
	id = 1, cpus = {2}, board = require "board.qemu_virt",
	ram = {at = 0x50000000, size = "384M"}, kernel = false,
	devices = {
		custom "a" {id = 4},
		custom "b" {id = 4, queues = {{}}},
		custom "c" {id = 4, queues = {{receive = true, request = print}}},
		custom "d" {id = 4, queues = {{size = 6, request = print}}},
		custom "e" {id = 0, queues = {{request = 1}}, config = 7, timeout = "soon"},
		custom "f" {id = 4, features = {30}, queues = {{request = print}}},
		custom "g" {id = 4, queues = {{request = print}}, on_config = print},
		custom "h" {id = 4, queues = {}},
		custom "i" {id = 4, queues = {{request = print}}, memory = "64K"},
		custom "j" {id = 4, queues = {{request = print}}, confg = ""},
	},
}
LUA
run hvsh check wrong.lua
is 1 "mistakes in definitions"
err_has "wrong.lua:5: devices.a.queues: is missing" "no queues"
err_has "devices.b.queues[1].request: is missing: a function, or receive = true" "no function"
err_has "devices.c.queues[1].request: is given for a receive queue" "both"
err_has "devices.d.queues[1].size: is 6, not a power of two" "a size"
err_has "devices.e.config: is 7, not a text of bytes" "a configuration"
err_has "devices.e.queues[1].request: is 1, not a function" "no function"
err_has "devices.e.timeout: " "a time"
err_has "devices.f.features: has bit 30; those of a device type are 0 to 23 and 50 to 63" "a feature bit"
err_has "devices.g.on_config: is given, and there is no config to be written" "no configuration"
err_has "devices.h.queues: is empty: a device needs a queue" "an empty list"
err_has "devices.i.memory: is 65536; it must hold a request and its answer, 131072" "too little memory"
err_has "devices.j.confg: unknown field" "an unknown field"
# A graphics card that shows nothing any more: what the guest says of it is of no use on its screen, where it was typed at.
with <<'LUA'
local refuses = false
local function answer(dev, out)
	local command = ("<I4"):unpack(out)
	local kind = command == 0x100 and 0x1101 or refuses and command == 0x105 and 0x1200 or 0x1100
	local screen = command == 0x100 and ("<I4I4I4I4I4I4"):pack(0, 0, 640, 480, 1, 0) .. ("\0"):rep(15 * 24) or ""
	return ("<I4"):pack(kind) .. ("\0"):rep(20) .. screen
end
local z, con = boot("linux1", {
	custom "screen" {
		id = 16,
		config = ("<I4I4I4I4"):pack(0, 0, 1, 0),
		on_config = function() end,
		queues = {{request = answer}, {request = function() return "" end}},
	},
	input "keys" {},
	net "eth0" {switch = "nobody"},
})
print(assert(con:expect("screen, 640 x 480, (text of [^\r]+)", {timeout = "120s"})))
assert(con:expect("> ", {timeout = "120s"}))
local keys = z:device "keys"
assert(keys:text("ping 52:54:00:00:00:99", {timeout = "120s"}))
for _ = 1, 2 do assert(con:expect("input: key 10 0\r\n", {timeout = "120s", plain = true})) end
-- By the second answer what was typed is on the screen.
for i = 1, 2 do type_in(con, "echo settled " .. i, "\nsettled " .. i .. "\r\n") end
refuses = true
assert(keys:text("\n", {timeout = "120s"}))
print(con:expect("screen: [^\r]+", {timeout = "120s"}))
print(type_in(con, "screen x", "\nscreen: [^\r]+"))
assert(zones.stop())
LUA
is 0 "a guest's screen in Lua"
out_has "text of" "the guest takes it for one"
out_has "screen: Protocol error; no more text is shown" "its console hears that the screen has failed while a command typed there waits"
out_has "screen: No such device" "and that nothing is said there any more"
finish
