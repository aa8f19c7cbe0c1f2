# SPDX-License-Identifier: GPL-2.0-or-later
# Clocks as an operator meets them: listed, looked up, switched and set, and what a device's clocks take when it goes
# to a zone. Where the kernel's own clocks cannot be read, that is said.
. "$HVSH_TESTS/lib/tap.sh"
dtc -q -@ -I dts -O dtb -o "$work/board.dtb" "$HVSH_TESTS/core/clock/data/board.dts" || exit 1

run hvsh --sim clocks
is 0 "the clocks"
out_has "SIMULATED" "a simulated machine is called so"
[[ $out =~ NAME\ +RATE\ +ENABLED\ +PARENT\ +LENT\ +USED\ BY ]]
tap $? "a table with titles"
[[ $out =~ "      uart0"\ +"96 MHz"\ +1\ +apb\ +0\ +"9000000.pl011:uartclk" ]]
tap $? "name below its parent, rate, count, parent, id, user"
[[ $out =~ "  rtc"\ +"32.768 kHz"\ +0\ +osc32k\ +6 ]]
tap $? "rates that are no round number of MHz"
run hvsh --sim clocks apb
is 0 "one of them"
out_has "osc24m" "with what it comes from"
out_has "uart0" "and what it feeds"
out_lacks "osc32k" "and nothing else"
out_lacks "mmc0"
run hvsh --sim clocks uart9
is 1 "one that is not there"
err_has "there is no clock uart9 (did you mean uart0?)"
run hvsh --sim clocks uart0 uart1
is 2 "two are too many"
run hvsh --sim clocks uart0 --json
is 0 "as JSON"
printf '%s' "$out" >"$work/clocks.json"
cat >"$work/json.lua" <<'LUA'
local list = assert(require("hvsh.json").decode(io.open(arg[1]):read "a"))
local c = list[#list]
print(#list, c.name, c.rate, c.parent, c.enable_count, c.lent, c.users[1].device, c.users[1].connection, list[1].parent)
LUA
run hvsh "$work/json.lua" "$work/clocks.json"
out_is "4	uart0	96000000	apb	1	0	9000000.pl011	uartclk	nil" "with every field under its name"

# Switching and setting.
cat >"$work/set.lua" <<'LUA'
local c = assert(clock.find {consumer = "9000000.pl011:uartclk"})
print(c.name, c.enable_count)
local spi = assert(clock.find "spi0")
print(assert(spi:enable()), spi.enable_count, assert(spi:set_rate "24M"), spi)
print(clock.find("rtc"):set_rate "1M")
print(clock.find("apb"):enable())
print(spi:disable(), spi.enable_count, spi:disable())
LUA
run hvsh --sim "$work/set.lua"
is 0 "a script switches and sets clocks"
out_has "uart0	1" "found by its consumer"
out_has "true	1	24000000	spi0: 24 MHz from apb, enable count 1" "on, and set to the rate asked for"
out_has "rtc has a fixed rate" "a rate that cannot be set"
out_has "no clock apb" "a clock that is not lent"
out_has "true	0	nil	EINVAL: clock spi0 was not switched on here" "only who switched it on takes it back"

# What used to be done by hand for each device.
run hvsh --sim -e "print(clock.plan('/soc/pl011@9000000', {tree = '$work/board.dtb'}))"
is 0 "a plan for a device"
out_has "/soc/pl011@9000000 uses 5 clocks:"
out_has "96 MHz" "with rates of the machine"
out_has "Root zone: its tree must list them"
out_has "&{/hvisor_virtio_device} {" "what goes into the root zone's tree"
out_has 'compatible = "fixed-clock";' "and what into the guest's"
out_has "clock-frequency = <96000000>;"
run hvsh --sim -e "print(clock.plan('/soc/pl011@900000', {tree = '$work/board.dtb'}))"
is 0 "a device that is not there"
out_has "nil	ENOENT"
out_has "/soc/pl011@900000"
run hvsh --sim -e "io.write(assert(clock.plan('&uart0', {tree = '$work/board.dtb', guest = '$work/board.dtb'})).guest)"
is 0 "the guest's part for a tree that has phandles of its own"
{
	echo '/dts-v1/;'
	printf '%s\n' "$out" | sed '/^clocks = /,$d'
	echo '/ { device {'
	printf '%s\n' "$out" | sed -n '/^clocks = /,$p'
	echo '}; };'
} >"$work/guest.dts"
dtc -q -I dts -O dtb -o "$work/guest.dtb" "$work/guest.dts" 2>"$work/dtc.err"
tap $? "compiles"
run hvsh dt show "$work/guest.dtb" /device
out_has "clocks = <&{/clock-" "and what the device refers to are its fixed clocks"

# Without --sim the kernel's own; the machine the tests run on may have none to show.
run hvsh clocks
if [ "$code" = 0 ]; then
	out_has "NAME" "this machine's clocks"
else
	err_has "/sys/kernel/debug/clk" "what cannot be read, and what to do, is said"
fi
run hvsh help clocks
out_has "--json"
finish
