# SPDX-License-Identifier: GPL-2.0-or-later
# scmi devices in zones: who may use which clock, reset and power domain. What a driver does with it is tested in
# tests/core/virtio/test_scmi; the simulated guest has no SCMI driver.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"

# zone NAME ID ADDRESS SCMI-TABLE: a zone with a console and one scmi device, in NAME.lua.
zone() {
	cat >"$1.lua" <<LUA
zone "$1" {
	id = $2,
	cpus = {$(($2 + 1))},
	board = require "board.qemu_virt",
	ram = {at = $3, size = "64M"},
	kernel = {image = "images/unikernel-arm64.bin", format = "raw", at = $3 + 0x80000},
	devices = {
		scmi "scmi0" $4,
	},
}
LUA
}

# start NAME: starts it by a script that shows its device and ends.
start() {
	cat >"run_$1.lua" <<LUA
dofile "$1.lua"
assert(zones.start())
print(zones.$1:device "scmi0")
print(assert(zones.stop()))
LUA
	run timeout 60 "$HVSH" --sim "run_$1.lua"
}

zone one 1 0x50000000 '{clocks = {"uart0", "spi0"}, resets = "all", powers = {0}}'
start one
is 0 "a zone with names, all and numbers comes up"
out_has "one/scmi0" "its device is there"
out_has "scmi"

zone one 1 0x50000000 '{clocks = {"uart0", "spi9"}}'
start one
is 1 "a clock that is not lent"
err_has "no clock spi9 (did you mean spi0?)" "what is wrong, and what is near"
run hvsh --sim check one.lua
is 1 "which check says beforehand"
out_has "one  scmi scmi0  one.lua:8  devices.scmi0.clocks" "with zone, device, line and field"
out_has "error: scmi scmi0: no clock spi9 (did you mean spi0?): zone0 lends 7"
zone one 1 0x50000000 '{resets = {"usb"}}'
start one
is 1 "a reset that is not lent"
err_has "no reset usb"
err_has "one.lua:8"
zone one 1 0x50000000 '{powers = {77}}'
start one
is 1 "a power domain that is not there"
err_has "77"
err_has "one.lua:8"
zone one 1 0x50000000 '{clocks = {"/soc/serial@9000000:baud"}}'
start one
is 1 "a reference without a tree to look it up in"
err_has "one.lua:8"
err_has "tree"
zone one 1 0x50000000 '{clock = {"uart0"}}'
run hvsh --sim check one.lua
is 1 "a misspelt list"
err_has "did you mean 'clocks'?"
zone one 1 0x50000000 '{clocks = 5}'
run hvsh --sim check one.lua
is 1 "a number is no list"
err_has "one.lua:8: devices.scmi0.clocks"

# Two zones with one clock: both get it, it is counted, and a person is told.
zone one 1 0x50000000 '{clocks = {"uart0", "spi0"}}'
zone two 2 0x60000000 '{clocks = {"uart0"}}'
cat >both.lua <<'LUA'
dofile "one.lua"
dofile "two.lua"
assert(zones.start())
LUA
run hvsh --sim check both.lua
is 0 "two zones may share a clock"
out_has "warning: clock uart0 may be used by one as well: it stays on while one of them wants it" "which is a warning"
out_has "two  scmi scmi0  two.lua:8" "with both devices"
out_has "one  scmi scmi0  one.lua:8"
out_lacks "spi0" "what only one has is none"
"$HVSH" -d --sim=served both.lua >d.out 2>d.err
code=$? out=$(cat d.out) err=$(cat d.err)
is 0 "both are served"
run hvsh --sim=served list
is 0 "hvsh list"
[[ $out =~ one[^$'\n']*scmi0|scmi0[^$'\n']*scmi ]]
tap $? "shows the devices"
run hvsh --sim=served stop one two
is 0 "and both stop"
finish
