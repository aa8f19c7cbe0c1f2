# SPDX-License-Identifier: GPL-2.0-or-later
# Devices and consoles in the hands of scripts that go wrong: misuse, several tasks at one console, ends while they wait.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"

script() {
	{
		printf '%s\n' 'dofile "boot_zones.lua"' 'local z = zones.linux1'
		cat
		printf '%s\n' 'assert(zones.stop())'
	} >script.lua
	run timeout 120 "$HVSH" --sim script.lua
}

# ---- several tasks

script <<'LUA'
local con = assert(z:device "hvc0":open {back = "all"})
con:expect("> ", {timeout = "30s"})
-- Two read: what one gets the other does not.
local got = {}
for i = 1, 2 do
	spawn(function() while true do local text = con:read() if not text then return end got[i] = (got[i] or "") .. text end end)
end
sleep(0)
assert(con:write("echo for one of you\r"))
for _ = 1, 3000 do
	if ((got[1] or "") .. (got[2] or "")):find("\nfor one of you", 1, true) then break end
	sleep "10ms"
end
print("shared", ((got[1] or "") .. (got[2] or "")):find("\nfor one of you", 1, true) ~= nil)
con:close()
-- Cancelled while it waits; the console is as good as before.
con = assert(z:device "hvc0":open())
local waits = spawn(function() con:expect "never" end)
sleep "10ms"
print("cancel", waits:cancel(), waits.state)
assert(con:write("echo one more\r"))
print("goes on", con:expect("\none (%a+)", {timeout = "30s"}))
-- Closed by another while it waits.
local why
local reader = spawn(function() why = table.pack(con:expect "never") end)
sleep "10ms"
con:close()
reader:wait()
print("closed", why[1], why[2], why[3])
-- Inside pcall, in a coroutine, in a __close.
con = assert(z:device "hvc0":open())
print("pcall", pcall(function()
	assert(con:write("echo in pcall\r"))
	return con:expect("\nin (%a+)", {timeout = "30s"})
end))
do
	local _ <close> = setmetatable({}, {__close = function()
		assert(con:write("echo in close\r"))
		print("__close", con:expect("\nin (c%a+)", {timeout = "30s"}))
	end})
end
-- The zone stops while tasks wait for it.
local ends = {}
local tasks = {
	spawn(function() ends[1] = table.pack(con:expect "never") end),
	spawn(function() repeat ends[2] = table.pack(con:read {timeout = "1h"}) until not ends[2][1] end),
	spawn(function() for _ in con:lines() do end ends[3] = {n = 0} end),
}
sleep "10ms"
assert(z:stop())
for _, task in ipairs(tasks) do task:wait() end
print("ends", ends[1][2], ends[2][2], ends[3].n)
print("write", con:write "x")
print("device", pcall(function() return z:device "hvc0" end))
LUA
is 0 "several tasks at one console"
out_has "shared	true" "two readers share the output"
out_has "cancel	true	cancelled" "one is cancelled"
out_has "goes on	more"
out_has "closed	nil	EBADF: linux1/hvc0: this reader is closed	EBADF" "one is closed while it waits"
out_has "pcall	true	pcall"
out_has "__close	close"
out_has "ends	ENODEV: linux1/hvc0: the console has ended	ENODEV: linux1/hvc0: the console has ended	0" "all learn that the zone ended"
out_has "write	nil	ENODEV"
out_has "device	true	nil	ENOENT: zone linux1 has no device hvc0"

script <<'LUA'
-- A guest that still comes up would take disks into use.
do
	local con <close> = assert(z:device "hvc0":open {back = "all"})
	assert(con:expect("linux1> ", {timeout = "60s"}))
end
-- Never closed, and gone.
for i = 1, 300 do
	local con = assert(z:device "hvc0":open {back = "all"})
	con:read()
	if i % 100 == 0 then collectgarbage() end
end
collectgarbage() collectgarbage()
print("clients", z:device("hvc0").ports[1].clients)
local root = z:device "root"
local keep = z:device "root"
print("same", root == keep)
-- A loop of attaching and detaching.
for i = 1, 50 do
	assert(root:detach())
	root = assert(z:attach(blk "root" {image = "images/rootfs1.ext4"}))
end
print("detached", keep.state, root.state, pcall(keep.pause, keep))
print("order", #z:devices())
LUA
is 0 "consoles that nobody closes"
out_has "clients	0" "are closed when they are collected"
out_has "same	true"
out_has "detached	detached	idle	true	nil	ENODEV: the device is gone	ENODEV"

# ---- misuse says what, and where in the script

script <<'LUA'
local con, root = assert(z:device "hvc0":open {back = "all"}), z:device "root"
local function try(f, ...) print((select(2, pcall(f, ...)))) end
try(function() con:expect(root) end)
try(function() con:expect("x", {timeout = "soon"}) end)
try(function() con:expect("x", {timeout = -1}) end)
try(function() con:expect("[a", {timeout = 0}) end)
try(function() con:read {tiemout = 1} end)
try(function() con:attach {timeout = 1} end)
try(function() con:attach {back = "much"} end)
try(function() con:write(7) end)
try(function() con.write("x") end)
try(function() z:attach() end)
try(function() z:attach {} end)
try(function() z:device() end)
try(function() root:resize(-1) end)
try(function() root.imge = 1 end)
try(function() return root.imge end)
LUA
is 0 "misuse is an error of the script"
out_has "script.lua:5: expect: a pattern is a text that is not empty"
out_has 'script.lua:6: expect: timeout: "soon" is no duration'
out_has "script.lua:7: expect: timeout: a time is not less than 0"
out_has "script.lua:8: expect: malformed pattern (missing ']')"
out_has "script.lua:9: read has no option tiemout (did you mean timeout?)"
out_has "script.lua:10: attach has no option timeout"
out_has 'script.lua:11: attach: back: "much" is no size'
out_has "script.lua:12: write takes text, not a number"
out_has "script.lua:13: call it with a colon: console:write()"
out_has "script.lua:14: attach takes a device: zone:attach(blk"
out_has 'a device was expected, not a table: blk "root" {…}'
out_has "script.lua:16: device takes a name"
out_has "script.lua:17: resize: size is -1, not a size"
out_has "script.lua:18: device cannot be changed (field imge)"
out_has "script.lua:19: device has no field imge (did you mean image?)"
out_lacks "hvsh.console:" "no line of ours"

# ---- where a script is only read

cat >reads.lua <<'LUA'
dofile "boot_zones.lua"
local z = zones.linux1
assert(z:attach(blk "late" {image = "images/rootfs1.ext4"}))
spawn(function() error "not to be run" end)
local con = z:device "hvc0":open()
error "not to be reached"
LUA
run hvsh --sim check reads.lua
is 0 "check of a script that talks to its guests"
out_has "2 zones, nothing wrong"
err_has "reads.lua is read up to line 5, which needs a running zone"
finish
