# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh apply, start, restart and stop.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/zones.sh"

sim apply two.lua
is 0 "apply starts what is absent"
out_has "linux1 (1): started (simulated)"
out_has "rtos (2): started (simulated)"
sim apply two.lua
is 0 "applied again"
out_has "linux1 (1): runs as written"
out_lacks "started"

sed 's/size = "32M"/size = "16M"/' two.lua >changed.lua
sim apply changed.lua
is 1 "a changed zone is not touched without being asked, and that is a failure"
out_has "rtos (2): changed, left as it runs"
err_has "rtos runs, but from a different definition"
err_has "size"
err_has "apply --restart"
sim apply changed.lua --restart
is 0 "apply --restart"
out_has "linux1 (1): runs as written"
out_has "rtos (2): restarted"
sim apply changed.lua
is 0 "and agrees afterwards"

# A new image under the same name is a change.
head -c 4096 /dev/zero >image.bin
sim plan changed.lua
is 2 "a changed image shows"
sim restart changed.lua linux1
is 0 "restart of one"
out_has "linux1 (1): restarted"
out_lacks "rtos"

sim start changed.lua rtos
is 1 "start of a zone that runs from something else"
err_has "hvsh restart"

sim stop linux1
is 0 "stop by name"
out_has "linux1 (1): stopped (simulated)"
sim stop linux1
is 1 "stop of what does not run"
err_has "linux1"
sim stop rtso
is 1 "a wrong name"
err_has "did you mean rtos?"
sim stop 0
is 1 "zone 0 cannot be stopped"
err_has "root zone"
sim stop 31
is 1 "an id that does not run"
err_has "31"
sim stop abc
is 1 "a word that is no zone"
sim stop 2
is 0 "stop by id"
sim list
out_lacks "rtos"

sim start two.lua rtsos
is 1 "start of a zone that is not defined"
err_has "did you mean rtos?"
sim start two.lua linux1
is 0 "start of one"
sim list
out_has "linux1"
out_lacks "rtos"
sim start two.lua
is 0 "start of all, one of them running"
out_has "linux1 (1): runs as written"
out_has "rtos (2): started"
sim stop two.lua
is 0 "stop all of a script"
[ "$(printf '%s\n' "$out" | head -n 1)" = "rtos (2): stopped (simulated)" ]
tap $? "the last one first"
sim stop two.lua
is 0 "stop again: nothing runs"
out_has "linux1: does not run"

run hvsh "--sim=$work/machine" start
is 1 "without a script the default one"
err_has "/etc/hvsh/boot_zones.lua"

# Nothing is written when a check fails, not even the zone that is right.
sed 's/0x58000000/0x51000000/; s/0x58400000/0x51400000/' two.lua >clash.lua
sim apply clash.lua
is 1 "apply of a wrong script"
sim start clash.lua linux1
is 1 "start of one zone of a wrong script"
sim list
out_lacks "linux1"
run hvsh apply two.lua
is 1 "no hypervisor"
err_has "hvisor"
finish
