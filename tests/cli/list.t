# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh list, map and hv.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/zones.sh"

sim apply two.lua
sim list
is 0 "list"
out_has "SIMULATED"
out_has "ID  NAME"
[[ $out =~ 1\ +linux1\ +running\ +2\ +64M ]]
tap $? "id, name, state, CPUs and memory of a zone"
[[ $out =~ 0\ +[a-z0-9-]+\ +root\ +0,1 ]]
tap $? "the root zone"
sim list --json
is 0 "as JSON"
out_has '"simulated": true'
out_has '"name": "rtos"'
out_has '"memory": 33554432'
out_has '"state": "running"'
sim list x
is 2 "an argument too much"

run hvsh "--sim=$work/machine" -e 'print(hv.fault "crash:2")'
sim list
out_has "FAILED" "a crashed zone shows"
sim list --json
out_has '"state": "failed"'
sim plan two.lua
is 2 "a crashed zone is something to do"
out_has "!  rtos"
sim apply two.lua
is 1 "apply leaves it"
err_has "rtos has crashed"
sim apply two.lua --restart
is 0 "apply --restart starts it again"
sim list
out_lacks "FAILED"

sim hv
is 0 "hv"
out_has "SIMULATED"
out_has "arm64"
sim hv --json
out_has '"backend": "sim"'
run hvsh hv
is 1 "hv without a hypervisor"
err_has "hvisor"
run hvsh list
is 1 "list without a hypervisor"
err_has "hvisor"

sim map
is 0 "map of what runs"
out_has "linux1"
sim map two.lua
is 0 "map with a script"
out_has "rtos"
sim map two.lua --json
is 0 "map --json"
printf '%s' "$out" >map.json
cat >ranges.lua <<'LUA'
local o = assert(require("hvsh.json").decode(io.open("map.json"):read "a"))
local last = 0
for _, r in ipairs(o.ranges) do
	assert(math.ult(last, r.start + 1) and r.size > 0 and r.kind and r.zone and r.what)
	last = r.start
	if r.zone == "linux1" and r.what == "ram" then print(o.script, o.simulated, r.start, r.size, r.kind, r.file, r.line) end
end
LUA
run hvsh ranges.lua
out_has $'two.lua\ttrue\t1342177280\t67108864\tram\ttwo.lua\t5' "has the ranges, and where they are written"
sim map two.lua --json --svg map.svg
out_has '"written": "map.svg"' "or what was written"
sim map two.lua --svg map.svg
is 0 "map as a drawing"
head -c 200 map.svg | grep -q '<svg'
tap $? "which is SVG"
[ "$(ls map.svg* | wc -l)" = 1 ]
tap $? "and nothing temporary stays"
sim map --svg=/nonexistent/x.svg
is 1 "a drawing that cannot be written"
err_has "/nonexistent/x.svg"
sed 's/0x58000000/0x51000000/; s/0x58400000/0x51400000/' two.lua >clash.lua
sim map clash.lua
is 1 "the map of a wrong script is drawn and is 1"
out_has "rtos"
err_has "hvsh check"
finish
