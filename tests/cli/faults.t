# SPDX-License-Identifier: GPL-2.0-or-later
# Trouble with the hypervisor: every failure is said, is not 0, and leaves nothing half done.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/zones.sh"

# Runs the script, with code behind it, on a machine of its own that has the fault.
with_fault() {
	{ cat two.lua; printf '%s\n' "$2"; } >fault.lua
	run hvsh --sim "--sim-fault=$1" fault.lua
}
LIST='for _, z in ipairs(assert(zones.list())) do print(z.id, z.name, z.state) end'

with_fault busy-cpu:3 'assert(zones.start())'
is 1 "a busy CPU"
err_has "rtos"
err_has "EBUSY"
with_fault busy-cpu:3 "print(zones.start()) $LIST"
out_has "1	linux1	defined" "the zone started before is stopped again"
with_fault errno:start:EIO 'assert(zones.linux1:start())'
is 1 "EIO at the start"
err_has "EIO"
with_fault errno:load:EIO "print(zones.start()) $LIST"
out_has "EIO" "EIO while loading"
out_has "1	linux1	defined"
out_has "2	rtos	defined" "no zone is started after that"
with_fault 'errno:list:ENOSYS:*' 'assert(zones.list())'
is 1 "a list that cannot be had"
err_has "ENOSYS"
with_fault 'errno:version:EIO:*' 'assert(zones.start())'
is 1 "a version that cannot be had"
err_has "EIO"
with_fault 'errno:stop:EIO' 'assert(zones.start()) print(zones.stop()) print(zones.linux1)'
out_has "EIO" "one that does not stop"
out_has "zone linux1 (1): not running" "the others are stopped all the same"
with_fault stuck-cpu:2 'assert(zones.linux1:start()) print(zones.linux1:stop()) print(zones.linux1:start())'
out_has "ETIMEDOUT" "a CPU that does not stop is no success"
out_has "EBUSY" "and makes the next start EBUSY"
with_fault no-load-image 'assert(zones.start()) print(zones.linux1)'
is 0 "a kernel module without the load call"
out_has "zone linux1 (1): running"

# Faults while zones run.
with_fault no-load-image 'assert(zones.start()) assert(hv.fault "crash:1") print(zones.linux1) print(zones.linux1:start())'
out_has "zone linux1 (1): failed"
out_has "EEXIST"
out_has "restart"
with_fault no-load-image 'assert(zones.start()) assert(hv.fault "crash:1") print(zones.linux1:restart(), zones.linux1:state())'
out_has "true	same" "a crashed zone restarts"
with_fault no-load-image 'assert(zones.start()) assert(hv.fault "die:1") print(zones.linux1) print(zones.linux1:start())'
out_has "zone linux1 (1): not running" "a zone that switched itself off"
out_has "true" "starts again"

# The commands say the same, and a start that failed leaves nothing.
sim --sim-fault=errno:start:EIO apply two.lua
is 1 "apply"
err_has "EIO"
out_lacks "started"
sim list
out_lacks "linux1"
sim apply two.lua
sim --sim-fault=errno:stop:EIO stop rtos
is 1 "stop"
err_has "EIO"
sim list
out_has "rtos"
run hvsh --sim-fault=busy-cpu:1 list
is 2 "a fault needs --sim"

run hvsh --sim -e 'print(hv.fault "nonsense")'
out_has "busy-cpu" "an unknown fault lists those there are"
run hvsh -e 'print(hv.fault "busy-cpu:1")'
out_lacks "true" "no faults without a simulated hypervisor"

# One zone that runs already is not harmed by starting it again (its memory is not written to).
cat two.lua - >twice.lua <<'LUA'
assert(zones.start())
assert(zones.start())
assert(zones.linux1:start())
print "fine"
LUA
run hvsh --sim twice.lua
is 0 "starting twice"
out_has "fine"
finish
