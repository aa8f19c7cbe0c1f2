# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh devices and hvsh limit, and what --json promises of all commands.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

sim devices
is 1 "devices without a service"
err_has "no service"
sim devices --json
is 1
json_is 'o.code' ENOENT "an error is an object as well"
sim -d boot_zones.lua
is 0 "a service"

sim devices
is 0 "devices"
out_has "SIMULATED hypervisor"
out_has "ZONE    DEVICE  TYPE        WINDOW  IRQ  STATE"
[[ $out =~ linux1\ +root\ +blk\ +0xa003c00\ +78\  ]]
tap $? "with window and interrupt"
sim devices --json
is 0
json_is '#o.devices' 6
json_is 'o.devices[1].zone .. o.devices[1].name .. o.devices[1].at .. "/" .. o.devices[1].irq' "linux1root$((0xa003c00))/78"
json_is 'require("hvsh.json").is_object(o.devices[1].limits)' true "without limits an empty object"
json_is 'o.devices[1].stats.requests >= 0 and #o.devices[1].queues' 1

# ---- limit

sim limit linux1/root iops=500 bps=20M
is 0 "limit"
out_is "linux1/root: at most 500 requests/s and 20M/s (simulated)"
sim limit linux1/root
out_is "linux1/root: at most 500 requests/s and 20M/s (simulated)" "shows what was set"
sim limit linux1/root iops=0.5 --json
is 0
json_is 'o.device' linux1/root
json_is 'o.limits.iops' 0.5
json_is 'o.limits.bps' nil "what is not given is without limit"
sim limit linux2/root --json
json_is 'next(o.limits)' nil "another device has none"
sim limit linux1/root off
out_is "linux1/root: no limit (simulated)" "off"
sim limit linux1/root --json
json_is 'next(o.limits)' nil
sim limit linux1/rot off
is 1 "a device that is not there"
err_has "there is no device linux1/rot (did you mean linux1/root?)"
sim limit linux1/root iosp=5
is 2 "a word that is none"
err_has "iosp=5: it takes iops=N, bps=SIZE or off (did you mean iops?)"
sim limit linux1/root iops=many
is 2
err_has 'iops: "many" is no number'
sim limit linux1/root bps=5X
is 2
err_has 'bps: "5X" is no size'
sim limit linux1/root iops=-1
is 2
err_has "a rate is 0 (no limit), or a number from 0.0001 to 10^12 per second"
sim limit linux1/root iops=nan
is 2
sim limit linux1/root iops=1e13
is 2
sim limit linux1/root iops=1 iops=2
is 2
err_has "iops is given twice"
sim limit linux1/root off iops=1
is 2
err_has "off stands alone"
sim limit
is 2
err_has "ZONE/DEVICE is missing"
# Requests that no command would make.
cat >ask.lua <<'LUA'
local control = require "hvsh.control"
for _, r in ipairs {
	{request = "limit"}, {request = "limit", name = 7}, {request = "limit", name = "linux1/root", iops = "5"},
	{request = "limit", name = "linux1/root", bps = -5}, {request = "limits", name = {}}, {request = "limit", name = "linux1/root", iops = true},
} do print((select(2, control.ask(r)))) end
LUA
sim ask.lua
is 0 "requests that are wrong"
out_lacks nil "are all refused"
out_has "EINVAL: iops is 5; a rate is"
out_has "EINVAL: a device is named by its zone and its name, as linux1/root"

# ---- every command that says what it did, for programs

sim restart linux1 --json
is 0 "restart --json"
json_is 'o.zones[1].zone .. o.zones[1].id .. o.zones[1].outcome' linux11restarted
sim start linux1 --json
json_is 'o.zones[1].outcome' running "start --json"
sim stop linux1 --json
is 0 "stop --json"
json_is '#o.zones .. o.zones[1].zone .. o.zones[1].outcome' 1linux1stopped
sim stop linux1 nobody linux2 --json
is 1 "stop --json of some that do not run"
json_is 'o.zones[1].outcome .. o.zones[2].outcome .. o.zones[3].outcome' failedfailedstopped
json_is 'o.zones[2].code .. o.code' ENOENTENOENT
json_is 'o.error' "zone linux1 does not run" "the first failure is that of the command"
err_has "hvsh: zone linux1 does not run" "and standard error has them, too"
err_has "hvsh: no zone nobody runs or is defined"
for ((i = 0; i < 300; i++)); do [ -S m/control ] || break; sleep 0.1; done
sim apply --no-serve boot_zones.lua --json
is 0 "apply --json"
json_is 'o.zones[1].outcome .. o.zones[2].outcome .. o.script' startedstartedboot_zones.lua
sed 's/root=.dev.vda rw"/root=\/dev\/vda rw quiet"/' boot_zones.lua >changed.lua
sim apply --no-serve changed.lua --json
is 1 "apply --json of what has changed"
json_is 'o.zones[1].outcome .. o.code' changedEEXIST
json_is 'o.error:match "^zone linux1 runs, but from a different definition" ~= nil' true
sim stop changed.lua --json
is 0
json_is 'o.zones[1].zone .. o.zones[2].outcome' linux2stopped
sim stop changed.lua --json
json_is 'o.zones[1].outcome' absent "those that do not run"
sim apply missing.lua --json
is 1
json_is 'o.error .. o.code' "missing.lua: no such scriptEINVAL"
sed 's/at = 0x50000000/at = 0x50000001/' boot_zones.lua >wrong.lua
sim apply wrong.lua --json
is 1 "apply --json of zones that are wrong"
json_is 'o.code .. tostring(o.errors > 0)' EINVALtrue
json_is 'o.findings[1].severity' error
sim import imported/zone1.json --json
is 0 "import --json"
json_is 'o.script:find([[zone "linux1"]], 1, true) ~= nil' true
mkdir exported
sim export hvisor boot_zones.lua exported --json
is 0 "export --json"
json_is '#o.written > 1' true
sim limit --json
is 2 "a misused command"
json_is 'o.code .. ": " .. o.error' "EINVAL: ZONE/DEVICE is missing"
sim list --json
json_is 'o.zones[1].id' 0
finish
