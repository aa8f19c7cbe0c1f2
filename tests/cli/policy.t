# SPDX-License-Identifier: GPL-2.0-or-later
# Policies over the requests of real guests on the simulated machine.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"

script() {
	{
		cat <<'LUA'
dofile "boot_zones.lua"
local z = zones.linux1
local root = z:device "root"
local con = assert(z:device "hvc0":open {back = "all"})
con:expect("%w+> ", {timeout = "60s"})
local function guest(line)
	assert(con:write(line .. "\r"))
	return (con:expect("\n([^\n]*)\r\n%w+> ", {timeout = "60s"}))
end
LUA
		cat
		printf '%s\n' 'assert(zones.stop())'
	} >script.lua
	run timeout 120 "$HVSH" --sim script.lua
}

# ---- disks

script <<'LUA'
local asked = {}
local guard = assert(root:policy {ops = {"write"}, sectors = {0, 8}, decide = function(r)
	asked[#asked + 1] = ("%s %d %d"):format(r.op, r.sector, r.bytes)
	return "deny"
end})
print("denied", guest "write 0 hello")
print("elsewhere", guest "write 8K hello")
print("asked", table.concat(asked, ", "))
local s = guard:stats()
print("stats", s.state, s.concerned, s.asked, s.answered, s.denied, s.waiting)
-- One that takes its place.
local second = assert(root:policy {ops = {"write"}, decide = function() return {delay = "20ms"} end})
print("replaced", guard.state, guard, second)
print("delayed", guest "write 0 hello")
print("closed", second:close(), second:close(), second.state, second:stats().answered)
print("without", guest "write 0 hello")
-- Those that look on.
local seen = 0
local watch = assert(root:policy {sample = 1, decide = function() seen = seen + 1 return "deny" end})
print("observed", guest "write 0 hello")
for _ = 1, 6000 do if seen > 0 then break end sleep "10ms" end
print("saw", seen > 0, watch:stats().denied)
watch:close()
LUA
is 0 "a policy over a disk"
out_has "denied	write: Input/output error"
out_has "elsewhere	5 bytes written at 8192"
out_has "asked	write 0 512"
out_has "stats	active	1	1	1	1	0"
out_has "replaced	closed	policy of linux1/root: closed	policy of linux1/root: active"
out_has "delayed	5 bytes written at 0"
out_has "closed	true	true	closed	1"
out_has "without	5 bytes written at 0"
out_has "observed	5 bytes written at 0"
out_has "saw	true	0"

# ---- functions that fail, do not end, or wait

script <<'LUA'
local events = {}
-- Its driver may still be coming up.
root:on(function(e) if e.what == "error" then events[#events + 1] = e.what .. ": " .. e.message end end)
local how
local guard = assert(root:policy {ops = {"write"}, decide = function(r) return how(r) end})
how = function() error "out of order" end
print("error", guest "write 0 x")
how = function() while true do end end
print("endless", guest "write 0 x")
how = function() coroutine.wrap(function() while true do pcall(error) end end)() end
print("endless inside", guest "write 0 x")
how = function() while true do pcall(function() while true do end end) end end
print("endless caught", guest "write 0 x")
how = function() sleep(1) end
print("waits", guest "write 0 x")
for _, answer in ipairs {false, 7, {data = "x"}, {delay = "soon"}} do
	how = function() return answer end
	print("answers", guest "write 0 x")
end
how = function() return "deny", "nothing" end
guest "write 0 x"
print("failed", guard.state, guard:stats().failures)
how = function() return true end
print("not asked", guest "write 0 x")
for _ = 1, 6000 do if #events > 0 then break end sleep "10ms" end
print("event", table.concat(events, " | "))
guard:close()
print("taken off", guest "write 0 x")
-- Fails now and then, and may.
local n = 0
guard = assert(root:policy {ops = {"write"}, on_error = "pass", decide = function() n = n + 1 if n % 2 == 1 then error "odd" end end})
for _ = 1, 4 do guest "write 0 x" end
print("passes", guest "write 0 x", guard.state, guard:stats().failures)
-- Ends itself, and is collected.
guard = assert(root:policy {ops = {"write"}, decide = function()
	guard:close()
	guard = nil
	collectgarbage()
	collectgarbage()
	return "deny"
end})
print("itself", (guest "write 0 x"):find "x" == nil, guard)
print("afterwards", guest "write 0 x")
LUA
is 0 "functions that go wrong"
out_has "error	write: Input/output error"
out_has "endless	write: Input/output error"
out_has "endless inside	write: Input/output error"
out_has "endless caught	write: Input/output error"
out_has "waits	write: Input/output error"
out_has "failed	failed	10"
out_has "not asked	write: Input/output error" "what has failed too often denies"
out_has "event	error: linux1/root: its policy is not asked any more, until it is closed or replaced: it has failed 10 times in a row; the requests it was for are denied"
out_has "taken off	1 bytes written at 0"
out_has "passes	1 bytes written at 0	active	3"
out_has "afterwards	1 bytes written at 0"
err_has "linux1/root: its policy failed, and a request was denied: script.lua:"
err_has "out of order"

# ---- networks and consoles

script <<'LUA'
local net = z:device "eth0"
local frames = {}
local guard = assert(net:policy {decide = function(r)
	frames[#frames + 1] = ("%s %s %04x %d %s"):format(r.op, r.dst, r.ethertype, #r.frame == r.bytes and r.bytes, r.src)
	return "deny"
end})
print("ping", guest "ping 52:54:00:10:10:11")
print("frame", frames[1])
guard:close()
local shout = assert(z:device "hvc0":policy {ops = {"out"}, decide = function(r) return {data = r.data:upper()} end})
print("shout", guest "echo quiet")
shout:close()
local typed = assert(z:device "hvc0":policy {ops = {"in"}, decide = function(r) return {data = r.data:gsub("secret", "public")} end})
print("typed", guest "echo secret")
-- The device is gone, the policy with it.
assert(z:device "hvc0":detach())
print("detached", typed.state, typed:close())
LUA
is 0 "policies over a network and a console"
out_has "shout	QUIET"
out_has "typed	public"
out_has "detached	closed	true"
out_has "frame	out 52:54:00:10:10:11"

# ---- the end of the process

script <<'LUA'
-- Undecided, with nobody who ever decides: it ends all the same.
assert(root:policy {on_overload = "stall", ops = {"write"}, decide = function() return {delay = "1h"} end})
assert(con:write "write 0 x\r")
sleep "50ms"
LUA
is 0 "a zone with a request that waits is stopped"
finish
