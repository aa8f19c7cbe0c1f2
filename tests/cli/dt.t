# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh dt.
. "$HVSH_TESTS/lib/tap.sh"
cd "$work" || exit 1
dtc -q -f -I dts -O dtb -o sm1.dtb "$HVSH_TESTS/core/fdt/data/sm1.dts"
dtc -q -f -I dts -O dtb -o routes.dtb "$HVSH_TESTS/core/fdt/data/routes.dts"

run hvsh dt show sm1.dtb serial0
is 0 "show a node by alias"
out_has "serial@3000 {"
out_has "/* INTID 225 edge rising */"
run hvsh dt show sm1.dtb --depth 1
is 0 "show the whole tree"
out_has "soc {"
out_has "ethernet@ff3f0000 { … };" "children beyond the depth are named"
run hvsh dt show routes.dtb '&clk' /gpio@3000 --json
is 0 "show as JSON"
out_has '"label": "clk"'
out_has '"path": "/gpio@3000/hog"'
run hvsh dt show sm1.dtb /soc/nothing
is 1 "a node that is not there"
err_has "sm1.dtb: /soc has no node nothing"
run hvsh dt show sm1.dtb /ethernet@ff3f0000
err_has "(did you mean /soc/ethernet@ff3f0000?)" "a node of that name elsewhere"
run hvsh dt show sm1.dtb /soc/etehrnet@ff3f0000
err_has "(did you mean ethernet@ff3f0000?)" "a node of a near name"
run hvsh dt show sm1.dtb seriol0
err_has "there is no alias seriol0 (did you mean serial0?)"
run hvsh dt show routes.dtb '&clkk'
err_has "there is no label &clkk (did you mean &clk?)"

run hvsh dt irqs sm1.dtb
is 0 "irqs"
out_has " 40  gicv2  level high   /soc/ethernet@ff3f0000 macirq"
out_has "driver chooses a channel"
run hvsh dt irqs sm1.dtb --json
is 0 "irqs as JSON"
out_has '"number": 225'

run hvsh dt passthrough sm1.dtb mmc1 compatible=test,gpu
is 0 "passthrough"
out_has "0xffe07000"
out_has "rate not known"
run hvsh dt passthrough sm1.dtb mmc1 --rate mmc1:core=50000000,mmc1:3=24000000
out_has "50000000 Hz"
out_has "24000000 Hz"
run hvsh dt passthrough sm1.dtb mmc1 --coalesce --json
is 0 "passthrough as JSON"
out_has '"irqs": ['
out_has '"start": 4292870144' "2 MiB steps"
run hvsh dt passthrough sm1.dtb
is 2 "no devices"
run hvsh dt passthrough sm1.dtb mmc1 --rate nonsense
is 2 "a rate that is none"
err_has "DEVICE:CLOCK=HZ"
run hvsh dt passthrough sm1.dtb compatible=nobody
is 1 "nobody is compatible"
err_has "no enabled node is compatible with nobody"

run hvsh dt host --check sm1.dtb mmc1
is 1 "a root zone that is not prepared"
out_has "/soc/mmc@ffe07000 is enabled, though it is given away"
run hvsh dt host sm1.dtb mmc1 --wakeup 65
is 0 "the overlay"
out_has "interrupts = <0 33 1>;"
printf '%s\n' "$out" >host.dts
dtc -q -@ -I dts -O dtb -o host.dtbo host.dts
tap $? "it compiles"
run hvsh -e 'local t = assert(fdt.open "sm1.dtb"); assert(t:overlay "host.dtbo"); assert(t:save "root.dtb")'
is 0 "and applies"
run hvsh dt host --check root.dtb mmc1 --wakeup 65
is 0 "then the root zone is prepared"
run hvsh dt host --check root.dtb mmc1 --wakeup 65 --memory 0x20000000+256M
is 1 "but for the zone's memory"
out_has "0x20000000+256M is not reserved (no-map)"
run hvsh dt host sm1.dtb mmc1 --memory 0x20000000+256M,0x38000000+1M
out_has "zone@38000000 {"
printf '%s\n' "$out" >host.dts
dtc -q -@ -I dts -O dtb -o memory.dtbo host.dts
run hvsh dt overlay sm1.dtb memory.dtbo -o memory.dtb
is 0 "overlay"
run hvsh dt host --check memory.dtb mmc1 --memory 0x20000000+256M,0x38000000+1M
is 0 "the memory is reserved then"
cp host.dts kept.dts
run hvsh dt overlay sm1.dtb memory.dtbo -o host.dts
is 1 "not over a file that is no tree"
err_has "host.dts is there already and is no device tree (.dtb)"
same host.dts kept.dts "which is as it was"
run hvsh dt overlay sm1.dtb memory.dtbo -o memory.dtb
is 0 "over an earlier one"
run hvsh dt overlay sm1.dtb memory.dtbo
is 2 "no place for it"
err_has "where does the tree go? -o FILE"
run hvsh dt overlay sm1.dtb
is 2 "no overlay"
run hvsh dt overlay sm1.dtb missing.dtbo -o x.dtb
is 1 "an overlay that is not there"
[ ! -e x.dtb ]
tap $? "nothing is written then"
run hvsh dt host sm1.dtb mmc1 --memory 0x20000000
is 2 "memory that is none"
err_has "--memory 0x20000000 is not AT+SIZE"

run hvsh dt diff sm1.dtb root.dtb
is 1 "trees that differ"
out_has '+ /soc/mmc@ffe07000 status = "disabled"'
out_has "+ /hvisor_virtio_device"
run hvsh dt diff sm1.dtb sm1.dtb
is 0 "trees that do not"
out_is ""
run hvsh dt diff sm1.dtb root.dtb --json
out_has '"property": "status"'

run hvsh dt
is 2 "what of it"
run hvsh dt shwo sm1.dtb
is 2 "a verb that is none"
err_has "did you mean show?"
run hvsh dt show
is 2 "no tree"
err_has "which tree?"
run hvsh dt irqs sm1.dtb more
is 2 "too much"
run hvsh dt show missing.dtb
is 1 "no such file"
err_has "missing.dtb"
head -c 300 sm1.dtb >broken.dtb
run hvsh dt show broken.dtb
is 1 "a broken tree"
err_has "broken.dtb: truncated device tree"
run hvsh dt show "$HVSH_TESTS/core/fdt/data/sm1.dts"
is 1 "a source"
err_has "compiled with dtc"
finish
