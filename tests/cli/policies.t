# SPDX-License-Identifier: GPL-2.0-or-later
# The policies in examples/policies, each with what it is for, over the zones of examples/boot_zones.lua.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/page.sh"
replayed docs/policies.md
. "$HVSH_TESTS/lib/examples.sh"
head -c 1M /dev/zero >images/rootfs1.ext4

# guarded DEVICE POLICY: the zones of script from now on, with a policy in that device's definition.
boot=boot_zones.lua
guarded() {
	sed "/linux2/,\$!s|$1\" {|& policy = $2,|" boot_zones.lua >guarded.lua
	boot=guarded.lua
}

script() {
	{
		printf 'dofile "%s"\n' "$boot"
		cat "$HVSH_TESTS/lib/until.lua"
		cat <<'LUA'
z = zones.linux1
function ready()
  local con = assert(z:device "hvc0":open {back = "all"})
  assert(con:expect("linux1> ", {timeout = "60s"}))
  return con
end
function ask(con, line, answer) assert(con:write(line .. "\r")) return assert(con:expect("\n" .. answer, {timeout = "60s"})) end
function bps(disk) return disk and disk.limits.bps or 0 end
LUA
		cat
		printf '%s\n' 'os.exit(0)'
	} >script.lua
	run timeout 300 "$HVSH" --sim script.lua
}

for policy in policies/*.lua; do
	lines=$(wc -l <"$policy")
	[ "$lines" -le 40 ]
	tap $? "$policy has $lines lines"
	grep -q "${policy##*/}" "$HVSH_TESTS/../docs/policies.md"
	tap $? "and stands in docs/policies.md"
done

script <<'LUA'
local s = dofile "policies/supervise.lua"
print("ready", s:wait {timeout = "60s"})
assert(ready():write "panic\r")
until_(function() return s:status()[1].starts == 2 end)
print("again", s:wait {timeout = "60s"})
print("stop", s:stop())
LUA
is 0 "supervise.lua"
out_has "ready	true" "its zones become ready"
out_has "again	true" "also after a crash"
out_has "stop	true" "and stop"

script <<'LUA'
ready()
local hour = 3
local look = dofile "policies/night_limit.lua" (z, {
  disk = "root", day = {7, 22}, bps = "20M", iops = 500, look = "5ms", hour = function() return hour end,
})
print("night", bps(z:device "root"))
hour = 7
until_(function() return bps(z:device "root") > 0 end)
print("day", z:device "root".limits.bps, z:device "root".limits.iops)
assert(z:restart())
until_(function() return bps(z:device "root") > 0 end)
print("next life", z:device "root".limits.iops)
hour = 22
until_(function() return bps(z:device "root") == 0 end)
print("evening", look.state)
LUA
is 0 "night_limit.lua"
out_has "night	0" "no limit at night"
out_has "day	20971520	500" "by day it is limited"
out_has "next life	500" "also after the zone was started anew"
out_has "evening	" "until the evening"

guarded root 'dofile "policies/read_only_window.lua" {from = 22, to = 4, hour = function() return HOUR or 12 end}'
script <<'LUA'
local con = ready()
print("day", ask(con, "write 8K hello", "[^\r\n]* bytes written"))
HOUR = 23
print("window", ask(con, "write 8K jelly", "write: [^\r\n]*"))
print("reads", ask(con, "sum 8K 4K", "%x%x%x%x%x%x%x%x"))
HOUR = 3
print("window", ask(con, "write 8K jelly", "write: [^\r\n]*"))
HOUR = 4
print("morning", ask(con, "write 8K hello", "[^\r\n]* bytes written"))
HOUR = 0
assert(z:restart())
print("next life", ask(ready(), "write 8K jelly", "write: [^\r\n]*"))
LUA
is 0 "read_only_window.lua"
out_has "5 bytes written" "outside of the window the guest writes"
out_has $'window\t\nwrite: Input/output error' "inside it does not"
out_has "reads	" "but reads"
out_has "morning	" "until it is over"
out_has $'next life\t\nwrite: Input/output error' "also after the zone was started anew"

guarded eth0 'dofile "policies/mac_filter.lua" {mac = "52:54:00:10:10:10"}'
script <<'LUA'
local con, eth0 = ready(), z:device "eth0"
local function dropped() return eth0:policy():stats().denied end
ask(con, "say ff:ff:ff:ff:ff:ff hello", "linux1> ")
until_(function() return eth0.stats.requests > 0 end)
print("own", dropped())
eth0:policy(dofile "policies/mac_filter.lua" {mac = "52:54:00:99:99:99"})
ask(con, "say ff:ff:ff:ff:ff:ff hello", "linux1> ")
until_(function() return dropped() > 0 end)
LUA
boot=boot_zones.lua
is 0 "mac_filter.lua"
out_has "own	0" "its own frames pass"
err_has "a guest sends as 52:54:00:10:10:10, and is 52:54:00:99:99:99: dropped" "others do not, and it is said"

script <<'LUA'
local con = ready()
local faults = dofile "policies/fault_injector.lua" (z, {disk = "root", fail = 0.5, ops = {"write"}})
local good, bad = 0, 0
for i = 1, 40 do
  if ask(con, "write 8K number" .. i, "[%w:]+ %w+"):find "write:" then bad = bad + 1 else good = good + 1 end
end
print("some", good > 0 and bad > 0, good + bad)
faults:close()
print("closed", ask(con, "write 8K hello", "[^\r\n]* bytes written"))
faults = dofile "policies/fault_injector.lua" (z, {disk = "root", slow = 1, delay = "30ms"})
local before = require("hvsh.core").now()
ask(con, "write 8K hello", "[^\r\n]* bytes written")
print("slow", require("hvsh.core").now() - before >= 30000000)
LUA
is 0 "fault_injector.lua"
out_has "some	true	40" "some writes fail"
out_has "closed	" "until it is closed"
out_has "slow	true" "or take their time"

script <<'LUA'
ready()
local login = dofile "policies/login.lua"
print("in", login(z, {command = "echo one two", quiet = "2s"}))
print("dialog", login(z, {
  asks = {"linux1> $", "\nSecret:"}, user = "echo Secret:", password = "echo inside", prompt = "\ninside", command = "echo three",
  quiet = "2s",
}))
print("refused", login(z, {
  asks = {"linux1> $", "\nSecret:"}, user = "echo Secret:", password = "echo incorrect", prompt = "\ninside", command = "echo three",
}))
print("silent", login(z, {prompt = "never", asks = {"never", "never"}, command = "x", within = "50ms"}))
print("no console", login(z, {console = "hvc7", command = "x"}))
LUA
is 0 "login.lua"
out_has "in	one two" "a command's output"
out_has "three" "after a name and a password"
out_has "refused	nil	EACCES" "a refusal is one"
out_has "silent	nil	ETIMEDOUT" "so is silence"
out_has "no console	nil	ENODEV"

mkdir crashes
script <<'LUA'
local con = ready()
dofile "policies/crash_report.lua" (z, {folder = "crashes"})
ask(con, "echo last words", "last words")
con:write "panic\r"
until_(function() return z:state() == "failed" end)
local name = until_(function() return io.popen "ls crashes":read "l" end)
print("file", name)
until_(function() return io.open("crashes/" .. name):read "a":find "panic: asked for" end)
LUA
is 0 "crash_report.lua"
out=$(cat crashes/linux1-*.txt)
out_has "zone linux1 (1) has crashed" "says what happened"
out_has "linux1/root" "what its devices had done"
out_has "last words" "and what it said before"

script <<'LUA'
local con = ready()
local con2 = assert(zones.linux2:device "hvc0":open {back = "all"})
assert(con2:expect("linux2> ", {timeout = "60s"}))
local a, b = z:device "root", zones.linux2:device "root"
local faults = dofile "policies/fault_injector.lua" (z, {disk = "root", slow = 1, delay = "40ms"})
local task = dofile "policies/fair_disks.lua" {disks = {a, b}, slow = 30e6, bps = "50M", look = "150ms"}
local slow = every("10ms", function() ask(con, "sum 0 512", "%x%x%x%x%x%x%x%x") end)
local busy = every("10ms", function() ask(con2, "sum 0 64K", "%x%x%x%x%x%x%x%x") end)
until_(function() return bps(b) > 0 end)
print("limited", bps(a), bps(b))
faults:close()
until_(function() return bps(b) == 0 end)
print("free", task.state)
LUA
is 0 "fair_disks.lua"
out_has "limited	0" "the busy one is limited, the slow one is not"
out_has "free	waiting" "until it is slow no more"
finish
