# SPDX-License-Identifier: GPL-2.0-or-later
# Policies in definitions: in force from a guest's first request, at each start; functions stay where they were read.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

# disk POLICY: a zone whose disk has it.
disk() {
	cat <<LUA
local linux1 = zone "linux1" {
	id = 1, cpus = {2}, board = require "board.qemu_virt", ram = {at = 0x50000000, size = "384M"},
	kernel = {image = "images/Image", at = 0x50400000}, dtb = {image = "images/linux1.dtb", patch = true},
	devices = {console "hvc0" {}, blk "root" {image = "images/rootfs1.ext4",
		policy = $1}},
}
LUA
}

{
	echo 'local asked = 0'
	disk '{timeout = "1h", decide = function(r) asked = asked + 1 return r.op == "write" and "deny" or "allow" end}'
	cat <<'LUA'
local function life(word)
	local con = assert(linux1:device "hvc0":open {back = "all"})
	con:expect("linux1> ", {timeout = "60s"})
	assert(con:write "write 8K hello\r")
	print(word, (con:expect("\n([^\n]*)\r\n%w+> ", {timeout = "60s"})))
	local root = linux1:device "root"
	local policy = root:policy()
	-- The guest looks at its disk when it boots.
	print(word, policy, policy:stats().concerned == root.stats.requests, policy:stats().concerned > 1, asked == policy:stats().asked)
	asked = 0
end
assert(linux1:start())
life "first"
local first = linux1:device "root":policy()
assert(linux1:restart())
life "second"
print("the first one", first.state)
print("closed", linux1:device "root":policy():close(), linux1:device "root":policy())
print("hvc0", linux1:device "hvc0":policy())
os.exit(0)
LUA
} >lives.lua
run timeout 120 "$HVSH" --sim lives.lua
is 0 "a policy in a definition"
out_has $'first\twrite: Input/output error' "decides"
out_has $'first\tpolicy of linux1/root: active\ttrue\ttrue\ttrue' "about all that the guest has ever asked for"
out_has $'second\twrite: Input/output error' "and again when the zone was started anew"
out_has $'second\tpolicy of linux1/root: active\ttrue\ttrue\ttrue' "from its first request on"
out_has $'the first one\tclosed' "with the old one gone"
out_has $'closed\ttrue\tnil' "it can be taken off"
out_has $'hvc0\tnil' "other devices have none"

# ---- a service and commands

cat >service.lua <<'LUA'
local z = zone "other" {
	id = 2, cpus = {3}, board = require "board.qemu_virt", ram = {at = 0x70000000, size = "64M"},
	kernel = {image = "images/Image", at = 0x70400000}, dtb = "auto",
	devices = {console "hvc0" {at = 0xa003e00, irq = 79}},
}
assert(z:start())
event.listen(function(e)
	if e.zone ~= "linux1" or e.event ~= "start" then return end
	local con = assert(zones.linux1:device "hvc0":open {back = "all"})
	con:expect("linux1> ", {timeout = "60s"})
	assert(con:write "write 8K hello\r")
	print("guest", (con:expect("\n([^\n]*)\r\n%w+> ", {timeout = "60s"})))
	io.stdout:flush()
end)
LUA
disk '{ops = {"write"}, decide = function() return "deny" end}' >function.lua
disk '{ops = {"write"}, file = "nowhere.lua"}' >file.lua
serve service.lua other
sim check function.lua
is 0 "a service can check such a zone"
sim apply function.lua
is 1 "and cannot start one with a function"
err_has "linux1/root has a policy with a function" "it says why"
err_has 'policy = {file = "…"}' "and what to do"
sim apply file.lua
is 1 "a file that is not there"
err_has "linux1/root (" "is said of the device"
err_has "file.lua:" "with the line"
err_has "nowhere.lua" "and the file"
sim list
out_lacks "linux1" "the zone was not started without it"
cat >readonly.lua <<'LUA'
return function() return "deny" end
LUA
sed 's/nowhere/readonly/' file.lua >given.lua
sim apply given.lua
is 0 "a file goes to the service"
for _ in $(seq 600); do
	grep -q "^guest" service.log && break
	sleep 0.1
done
code=0 out=$(cat service.log) err=
out_has $'guest\twrite: Input/output error' "and decides there"
stop_service

# ---- a function that the service has itself

{
	disk '{ops = {"write"}, decide = function() return "deny" end}'
	echo 'zones.start()'
} >own.lua
serve own.lua linux1
# The zone was there before it.
for _ in $(seq 600); do
	grep -q serving service.log && break
	sleep 0.1
done
sim apply own.lua
is 0 "the same script again changes nothing"
sim restart linux1
is 0 "and takes no function from the service"
sim devices
out_has "linux1  root" "which serves the zone as before"
stop_service
finish
