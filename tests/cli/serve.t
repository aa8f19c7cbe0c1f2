# SPDX-License-Identifier: GPL-2.0-or-later
# Zones with virtio devices: served by the script that starts them, seen and steered by the other commands.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
trap 'kill $(cat "$work"/pid 2>/dev/null) 2>/dev/null; rm -rf "$work"' EXIT

# Until the command's output has the text; 30 s at most.
until_has() {
	local text=$1 i
	shift
	for ((i = 0; i < 300; i++)); do
		run "$@"
		[[ $out$err == *"$text"* ]] && return
		sleep 0.1
	done
}

# ---- from Lua, in one process

script() {
	{
		printf '%s\n' 'dofile "boot_zones.lua"' 'local z = zones.linux1'
		cat
	} >script.lua
	run timeout 300 "$HVSH" --sim script.lua
}

script <<'LUA'
local con <close> = assert(z:device "hvc0":open {back = "all"})
print("banner", con:expect("zone (%w+) %(id (%d)%)", {timeout = "30s"}))
print("which", con:expect({"never", "linux1> "}, {timeout = "30s"}))
assert(con:write("echo one two\r"))
print("answer", con:expect {"\none (%a+)", timeout = "30s"})
assert(con:write("devices\r"))
for line in con:lines {timeout = "30s"} do
	if line:find "^frames" then print("line", line) break end
end
print(con:expect("not to come", {timeout = "10ms"}))
print(pcall(con.expect, con, "x", {tiemout = 1}))
print(con:write(""))
assert(zones.stop())
con:read()
print("ended", con:read())
LUA
is 0 "a script talks to a guest"
out_has "banner	linux1	1" "expect gives the captures"
out_has "which	2	linux1> " "which pattern of a list it was"
out_has "answer	two" "what is written reaches the guest"
out_has "line	frames: 0 received, 0 sent" "lines come one by one"
out_has 'ETIMEDOUT: linux1/hvc0: "not to come" did not come in time' "a timeout says what was waited for"
out_has "expect has no option tiemout" "a mistyped option is refused"
out_has "ended	nil	ENODEV: linux1/hvc0: the console has ended" "the end of the zone is the end of the console"

script <<'LUA'
local root, con = z:device "root", assert(z:device "hvc0":open {back = "all"})
con:expect("> ", {timeout = "30s"})
local function ask(line, answer) assert(con:write(line .. "\r")) return con:expect(answer, {timeout = "30s"}) end
print("found", root, root.type, root.zone, root.irq, root.state)
local function counted(f) for _ = 1, 3000 do if f(root.stats) then break end sleep "10ms" end end
counted(function(s) return s.read_bytes >= 4096 end)
print("before", root.stats.requests, root.stats.read_bytes, root.stats.errors)
ask("sum 0 65536", "\n%x+\r")
counted(function(s) return s.read_bytes >= 65536 + 4096 end)
local s = root.stats
print("after", s.requests > 1, s.read_bytes >= 65536 + 4096, s.kicks >= 0, s.interrupts > 0, s.p50 > 0, #s.latency > 0)
assert(root:pause())
assert(con:write("sum 0 512\r"))
print("paused", root.state, con:expect("\n%x%x%x+\r", {timeout = "300ms"}))
assert(root:resume())
print("resumed", con:expect("\n(%x%x%x+)\r", {timeout = "30s"}) ~= nil)
print("limit", root:limit {iops = 0.001, burst = 1}, root:limit {bps = "1M"}, root:limit {})
print(pcall(root.limit, root, {iosp = 1}))
print(pcall(root.limit, root, {iops = -1}))
print(pcall(root.limit, {}, {}))
print("link", z:device "eth0":link(false), z:device "eth0".link_up)
print("wrong", root:link(true))
print("none", z:device "rot")
print("list", #z:devices(), #virtio.list())
print(z:devices())
assert(root:detach())
print("detached", root.state, pcall(function() return root.image end))
print("again", root:detach())
local new = assert(z:attach(blk "data" {image = "images/rootfs2.ext4"}))
print("attached", new, new.at == 0xa003c00)
print("full", z:attach(rng "more" {}))
print("name", z:attach(rng "eth0" {}))
print("no file", (select(2, z:attach(blk "b" {image = "no.img"}))))
assert(zones.stop())
LUA
is 0 "a script looks after devices"
out_has "found	blk linux1/root: running	blk	linux1	78	running" "a device says what it is"
out_has "before	1	4096	0"
out_has "after	true	true	true	true	true	true" "its figures grow"
out_has "paused	paused	nil	ETIMEDOUT" "a paused disk answers nothing"
out_has "resumed	true"
out_has "limit	true	true	true"
out_has "limit has no option iosp (did you mean iops?)"
out_has "limit: iops is -1; a rate is"
out_has "call it with a colon: device:limit()"
out_has "link	true	false"
out_has "wrong	nil	EOPNOTSUPP: linux1/root is a blk device: only net can do this"
out_has "none	nil	ENOENT: zone linux1 has no device rot (did you mean root?)"
out_has "list	3	6"
out_has "linux1/root  blk      running" "the list is a table"
out_has "detached	detached	false"
out_has "linux1/root is gone: it was detached, or its zone has stopped"
out_has "again	nil	ENODEV"
out_has "attached	blk linux1/data: idle	true" "another one takes its window"
out_has "full	nil	ENOSPC: linux1/more (script.lua:33: devices.more): no planned window is free" "a window must have been planned"
out_has "name	nil	EEXIST"

cat >spare.lua <<'LUA'
local z = zone "linux1" {
  id = 1, cpus = {2}, board = require "board.qemu_virt", ram = {at = 0x50000000, size = "384M"},
  kernel = {image = "images/Image", at = 0x50400000}, dtb = "images/linux1.dtb",
  devices = {slot "spare" {at = 0xa003c00}, net "eth0" {switch = "lan", at = 0xa003600}, console "hvc0" {at = 0xa003800}},
}
assert(z:start())
-- A guest that still comes up would take it into use.
assert(z:device "hvc0":open {back = "all"}:expect("linux1> ", {timeout = "60s"}))
print(#z:devices(), z:attach(blk "late" {image = "images/rootfs1.ext4"}))
assert(z:stop())
LUA
run timeout 300 "$HVSH" --sim spare.lua
is 0 "a slot is planned for later"
out_has "2	blk linux1/late: idle"

# ---- what stands behind a device is checked first

sed 's,images/rootfs1.ext4,images/none.ext4,' boot_zones.lua >missing.lua
run hvsh --sim check missing.lua
is 1 "a disk image that is missing"
out_has "disk image images/none.ext4: No such file or directory"
out_has "missing.lua:36" "at its line"
sed 's,images/rootfs2.ext4,images/rootfs1.ext4,; s/tap1/tap0/; s/10:10:11/10:10:10/' boot_zones.lua >shared.lua
run hvsh --sim check shared.lua
is 1 "one disk, TAP and address for two zones"
out_has "disk image images/rootfs1.ext4 belongs to blk root of linux1"
out_has "TAP tap0 belongs to net eth0 of linux1"
out_has "hardware address 52:54:00:10:10:10 belongs to net eth0 of linux1"
: >empty.img
sed 's,images/rootfs1.ext4,empty.img,' boot_zones.lua >empty.lua
run hvsh --sim check empty.lua
out_has "disk image empty.img has 0 bytes, less than one sector"

# ---- as a service

"$HVSH" --sim=m boot_zones.lua 2>service.err &
echo $! >pid
until_has "linux2/hvc0" hvsh --sim=m list
out_has "linux1/root  blk" "list shows devices"
run hvsh --sim=m list --json
out_has '"requests"' "and their figures as JSON"
until_has "linux2> " hvsh --sim=m console --back all linux2
printf 'echo to the guest\r' >typed
# It leaves when its guest has been silent for a while, which a busy machine can make it.
for ((i = 0; i < 300; i++)); do
	"$HVSH" --sim=m console linux1/hvc0 <typed >console.out 2>console.err
	code=$? out=$(cat console.out) err=$(cat console.err)
	[[ $out == *$'\nto the guest'* ]] && break
done
is 0 "a console from another process"
out_has $'\nto the guest' "types and reads"
err_has "attached" "and says so"
run hvsh --sim=m console linux3
is 1 "a console that is not there"
err_has "there is no console linux3 (linux1/hvc0, linux2/hvc0)"
run hvsh --sim=m stop linux2
is 0 "stop goes through the service"
out_has "linux2 (2): stopped"
run hvsh --sim=m start linux2
is 0 "so does start"
run hvsh --sim=m restart linux1
is 0 "and restart"
run hvsh --sim=m start linux9
is 1 "a zone the service's script does not have"
err_has "there is no zone linux9"
until_has "linux1> " hvsh --sim=m console --back all linux1
printf 'panic\r' | "$HVSH" --sim=m console linux1 >/dev/null 2>&1
until_has "has crashed" cat service.err
# Long enough for the service to have looked again.
for _ in 1 2 3; do
	run hvsh --sim=m restart linux2
	until_has "linux2> " hvsh --sim=m console --back all linux2
done
run hvsh --sim=m list
out_has "FAILED"
[ "$(grep -c "hvsh: error: zone linux1 (1) has crashed; it stays in hvisor's list until it is stopped" service.err)" = 1 ]
tap $? "a guest that crashes is said, once"
run hvsh --sim=m restart linux1
is 0 "it is started again"
until_has "linux1> " hvsh --sim=m console --back all linux1
printf 'poweroff\r' | "$HVSH" --sim=m console linux1 >/dev/null 2>&1
until_has "linux1      defined" hvsh --sim=m list
out_has "linux1      defined" "a guest that powers itself off is noticed"
out_lacks "linux1/root" "and its devices are closed"
kill -TERM "$(cat pid)"
wait "$(cat pid)"
code=$? out='' err=$(cat service.err)
is 0 "SIGTERM ends it in order"
err_has "hvsh: serving 6 devices of 2 zones; Ctrl-C ends it"
err_has "zone linux1 (1) has ended, by itself or by another program; its devices are closed"
err_has "closing 3 devices; their zones are not stopped"
rm pid

run hvsh -d --sim=m2 boot_zones.lua
is 0 "-d comes back when the zones are served"
err_has "in the background"
run hvsh --sim=m2 list
out_has "linux2/hvc0"
run hvsh --sim=m2 stop linux1 linux2
is 0
until_has "SIMULATED hypervisor (" hvsh --sim=m2 list
out_lacks "linux1" "it ends with the last zone"
until_has "nothing is left to serve" cat m2/service.log
out_has "nothing is left to serve" "and says so in its log"
run hvsh -d --sim=m2 missing.lua
is 1 "a failure before that is the command's"
err_has "none.ext4"
run hvsh -d
is 2 "-d without a script"

# ---- the old tool's service

ln -s "$HVSH" hvisor
cp imported/virtio.json virtio.json
sed -i 's,\.\./images,images,' virtio.json
./hvisor --sim=m4 virtio start virtio.json 2>service.err &
echo $! >pid
until_has "zone1/console0" hvsh --sim=m4 list
out_has "zone1/disk0     blk      idle" "hvisor virtio start serves zones before they run"
kill -TERM "$(cat pid)"
wait "$(cat pid)"
code=$?
is 0 "until it is ended"
run ./hvisor --sim virtio start imported/zone1.json
is 1 "a zone file is not taken for a virtio file"
err_has "this is a zone file; a virtio file has zones with devices"

# ---- a script that goes wrong later

printf '%s\n' 'dofile "boot_zones.lua"' 'error "later"' >fails.lua
"$HVSH" --sim=m3 fails.lua 2>service.err &
echo $! >pid
until_has "linux2/hvc0" hvsh --sim=m3 list
out_has "linux2/hvc0" "a script that fails later goes on serving what it started"
run hvsh --sim=m3 stop linux1 linux2
wait "$(cat pid)"
code=$? err=$(cat service.err)
is 1 "and its exit code says that it failed"
err_has "later"
rm pid
finish
