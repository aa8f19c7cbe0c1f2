# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh plan: what would be done, and that it is not done.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/zones.sh"

sim plan two.lua
is 2 "something to do is 2"
out_has "SIMULATED"
out_has "+  linux1"
out_has "+  rtos"
out_has "0x50400000"
out_has "97.7K"
out_has "2 to start"
sim list
out_lacks "rtos" "a plan starts nothing"

sim plan two.lua --json
is 2 "as JSON"
out_has '"state": "absent"'
out_has '"simulated": true'
out_has '"kind": "load"'
out_has '"ipa": 1346371584'

sim apply two.lua
is 0 "apply"
sim plan two.lua
is 0 "nothing to do is 0"
out_has "nothing to do"
out_has "=  linux1"

# Change a CPU and an image: both show, with from and to.
sed 's/cpus = {3}/cpus = {2}/; s/cpus = {2},$/&/' two.lua | sed '0,/cpus = {2}/s//cpus = {3}/' >swapped.lua
sim plan swapped.lua
is 2 "a changed zone is 2"
out_has "~  linux1"
out_has "changed, left as it runs"
out_has "cpus"
out_has "2 changed but left alone"
out_has "--restart"
sim plan --restart swapped.lua
is 2 "with --restart"
out_has "stop"
out_has "2 to restart"
sim list
out_has "rtos"

printf 'zone "x" {id = 1}\n' >wrong.lua
sim plan wrong.lua
is 1 "a wrong script is 1"
sed 's/0x58000000/0x51000000/; s/0x58400000/0x51400000/' two.lua >clash.lua
sim plan clash.lua
is 1 "findings are 1"
out_has "error: "
sim plan --json clash.lua
is 1 "findings as JSON are 1"
out_has '"findings": ['
run hvsh plan two.lua
is 1 "no hypervisor to plan for is 1"
err_has "hvisor"
sim plan missing.lua
is 1 "no script is 1"
err_has "no such script"
finish
