# SPDX-License-Identifier: GPL-2.0-or-later
# Zones that are given devices of the machine's tree, and trees made for zones.
. "$HVSH_TESTS/lib/tap.sh"
data=$HVSH_TESTS/core/fdt/data
. "$HVSH_TESTS/lib/examples.sh"
dtc -q -f -I dts -O dtb -o sm1.dtb "$data/sm1.dts"
dtc -q -I dtb -O dtb -o /dev/null sm1.dtb
mkdir -p sub && cp sm1.dtb sub/

cat >board.lua <<'LUA'
return require("board.qemu_virt_gicv2"):extend {
	name = "sm1", ram = {at = 0, size = "2G"}, hypervisor = {at = 0x40000000, size = "16M"},
	root = {cpus = {0, 1}, ram = {at = 0x60000000, size = "256M"}},
	slots = {{at = 0xfe000000, irq = 200, count = 8}},
	gic = {
		gicd = {at = 0xffc01000, size = "4K"}, gicc = {at = 0xffc02000, size = "8K"},
		gich = {at = 0xffc04000, size = "8K"}, gicv = {at = 0xffc06000, size = "8K"},
	},
}
LUA

# script NAME PASSTHROUGH [MORE FIELDS]: a zone that is given devices.
script() {
	local tree=${3:-'dtb = "auto"'}
	cat >"$1.lua" <<LUA
local folder = debug.getinfo(1, "S").source:match "^@(.*/)[^/]*$" or ""
zone "drivers" {
	id = 1, cpus = {2, 3}, board = dofile(folder .. "board.lua"),
	ram = {at = 0x50000000, size = "64M"},
	kernel = {image = "images/Image", cmdline = "console=hvc0"},
	passthrough = {
		$2
	},
	$tree,
	devices = {console "hvc0" {}},
}
LUA
}
line=7 # of what is given

script good '"/soc/ethernet@ff3f0000", tree = "sm1.dtb",
		rates = {["/soc/ethernet@ff3f0000"] = {stmmaceth = "125M", clkin0 = 1000000000, [3] = "250M"}},
		accept = {"/soc/bus@ff600000", "/soc/bus@ffd00000/watchdog@f0d0"},'
run hvsh --sim check good.lua
is 0 "a device is given away"
out_lacks "warning" "nothing is wrong with it"
run hvsh --sim plan good.lua
is 2 "its plan"
out_has "is given  /soc/ethernet@ff3f0000"
out_has "dtb auto" "its tree is made"
run hvsh --sim map good.lua
out_has "/soc/ethernet@ff3f0000" "the map has its registers"
run hvsh encode good.lua --abi 6 -o config
is 0 "what hvisor is told"
run hvsh decode config --abi 6 --arch arm64
for region in ff3f0000 ff634000 ffd0f000; do out_has "0x$region" "region $region"; done
cat >tree.lua <<'LUA'
dofile(arg[1])
local z = zones.drivers
local tree = assert(z:tree())
assert(tree:save "guest.dtb")
local eth = assert(tree:find "/soc/ethernet@ff3f0000")
print("regs", #eth.regs, ("%x"):format(eth.regs[2].start), "irq", eth.irqs[1].number, eth.irqs[1].type)
for _, ref in ipairs(eth:refs()) do
	if ref.property == "clocks" then print("clock", ref.name, tree:find(ref.path):prop("clock-frequency", "u32")) end
end
for node in tree:walk() do
	if node:is "virtio,mmio" then print("virtio", ("%x"):format(node.regs[1].start), node.irqs[1].number) end
end
print("args", tree:find "/chosen":prop("bootargs", "string"))
print("cpus", #tree:find "/cpus".children, tree:find "/cpus".children[2].name)
print("memory", ("%x %x"):format(tree:find "/memory".regs[1].start, tree:find "/memory".regs[1].size))
local plan = assert(z:passthrough())
print("plan", #plan.regions, #plan.irqs, #plan.missing_rates)
LUA
run hvsh --sim tree.lua good.lua
is 0 "the zone's tree"
out_has "regs	2	ff634540	irq	40	gicv2" "has the device"
out_has "clock	stmmaceth	125000000" "fixed clocks with the rates given"
out_has "clock	timing-adjustment	1000000000" "one clock has one rate for all who use it"
out_has "virtio	fe000000	200" "the virtio devices"
out_has "args	console=hvc0" "the command line"
out_has "cpus	2	cpu@3" "the zone's CPUs"
out_has "memory	50000000 4000000" "its memory"
out_has "plan	3	9	0" "the plan can be had as well"
warnings() { dtc -I dtb -O dtb -o /dev/null "$1" 2>&1 | sed -n 's/^[^:]*: \(Warning .*\)/\1/p' | sort -u; }
out=$(comm -23 <(warnings guest.dtb) <(warnings sm1.dtb))
out_is "" "dtc says nothing of it that it does not say of the machine's tree"

# Paths follow the script; a tree may be the board's; one list or a field, a device or a compatible string.
cd sub || exit 1
run hvsh --sim check ../good.lua
is 0 "from another folder"
cd ..
sed -i 's/name = "sm1"/tree = "sm1.dtb", &/' board.lua
script compat 'devices = {{compatible = "test,gpu"}}, rates = {["/soc/gpu@ffe40000"] = {"24M"}}'
run hvsh --sim plan compat.lua
is 2 "the board's tree, a compatible string"
out_has "is given  compatible=test,gpu"
run hvsh --sim check compat.lua
out_lacks "warning"
sed -i 's/tree = "sm1.dtb", //' board.lua

# ---- what stands against it, each at its line

script bad 'tree = "sm1.dtb",
		"/soc/ethernet@ff3f0000",
		"/soc/ethernt@ff3f0000",
		{compatible = "test,nobody"},'
run hvsh --sim check bad.lua
is 1 "devices that are not there"
out_has "sm1.dtb: /soc has no node ethernt@ff3f0000"
out_has "bad.lua:$((line + 2))  passthrough[2]"
out_has "no enabled node is compatible with test,nobody"
out_has "bad.lua:$((line + 3))  passthrough[3]"

script conflict 'tree = "sm1.dtb", accept = {"/soc/bus@ff600000/temperature-sensor@34800"},
		"/soc/ethernet@ff3f0000",
		"/soc/mmc@ffe05000",
		rates = {["/soc/mmc@ffe07000"] = {core = 1}},'
run hvsh --sim check conflict.lua
is 1 "conflicts"
out_has "page 0xff634000 of /soc/ethernet@ff3f0000 holds registers of"
out_has 'accept = {"/soc/bus@ff600000/bus@34400/pinctrl/bank@40"} in passthrough' "what is accepted already is not asked for"
out_has "conflict.lua:$((line + 1))  passthrough[1]"
out_has "interrupt 222 is /soc/twin@ffe80000's as well" "a shared interrupt"
out_has "conflict.lua:$((line + 2))  passthrough[2]"
out_has "/reserved-memory/shared@3f000000: memory of /soc/mmc@ffe05000"
out_has "the rates of clocks core, clkin0, clkin1 of /soc/mmc@ffe05000 are not known here"
out_has 'rates = {["/soc/mmc@ffe05000"] = {core = …, clkin0 = …, clkin1 = …}} in passthrough'
out_has "its rate is not needed" "a rate for nothing is said"

script words 'tree = "sm1.dtb", "/soc/ethernet@ff3f0000",
		rates = {
			["/soc/ethernet@ff3f0000"] = {stmaceth = 1},
			["/soc/nowhere"] = {1},
		},
		accept = {"/soc/ethernet@ff3f0000", "/soc/nobody"},'
run hvsh --sim check words.lua
is 1 "names that are none"
out_has "/soc/ethernet@ff3f0000 has no clock stmaceth (stmmaceth, clkin0, clkin1, timing-adjustment)"
out_has "words.lua:$((line + 1))"
out_has "/soc has no node nowhere"
run hvsh --sim plan words.lua
is 1 "nothing is planned then"

script accept 'tree = "sm1.dtb", "/soc/vpu@ff900000", accept = {"/soc/ethernet@ff3f0000", "/soc/nobody"},'
run hvsh --sim check accept.lua
is 1 "accepting what is not there"
out_has "there is no conflict with /soc/ethernet@ff3f0000 that would have to be accepted"
out_has "/soc has no node nobody"

script notree '"/soc/vpu@ff900000"'
run hvsh --sim check notree.lua
is 1 "no tree"
out_has "nothing says where the machine's device tree is"
script missing 'tree = "none.dtb", "/soc/vpu@ff900000"'
run hvsh --sim check missing.lua
is 1 "a tree that is not there"
out_has "none.dtb: cannot open: No such file or directory"
out_has "missing.lua:$line  passthrough.tree"

sed 's/dofile(folder .. "board.lua")/require "board.qemu_virt"/; s/at = 0x50000000, size/at = 0x60000000, size/' good.lua >machine.lua
run hvsh --sim check machine.lua
is 1 "the tree of another machine"
out_has "go to a gicv2, and the zone has a gicv3: this is the tree of another machine"

script vpu 'tree = "sm1.dtb", "/soc/vpu@ff900000", accept = {"/soc/bus@ff600000/bus@3c000"},'
sed 's/"drivers"/"other"/; s/id = 1/id = 2/; s/{2, 3}/{1}/; s/0x50000000/0x58000000/' vpu.lua >other.lua
cat >both.lua <<'LUA'
dofile "vpu.lua"
dofile "other.lua"
LUA
sed -i 's/cpus = {0, 1}/cpus = {0}/' board.lua
run hvsh --sim check both.lua
is 1 "one device for two zones"
out_has "physical memory 0xff900000..0xffa00000 (1M) belongs to drivers as well"
out_has "interrupt 35" "its interrupt as well"
sed -i 's/cpus = {0}/cpus = {0, 1}/' board.lua

# Memory that a device has for itself is the zone's, and nothing is loaded there.
run hvsh --sim map vpu.lua
out_has "/reserved-memory/frame@3e000000"

script field '"/soc/vpu@ff900000", 7, {compatble = "x"}, "/soc/vpu@ff900000", tre = "sm1.dtb", rates = {["/x"] = {a = "fast"}}'
run hvsh --sim check field.lua
is 1 "fields that are wrong"
err_has "passthrough[2]: is 7, not a path, &label or alias in quotes"
err_has "passthrough[3]: is a table: it has one field, compatible"
err_has 'passthrough[4]: "/soc/vpu@ff900000" is listed twice'
err_has "passthrough.tre: unknown field 'tre' (did you mean 'tree'?)"
err_has 'passthrough.rates["/x"].a: "fast" is no rate'
script none 'tree = "sm1.dtb"'
run hvsh --sim check none.lua
err_has "passthrough: names no devices"

# ---- a given tree instead

dtc -q -I dts -O dtb -o mine.dtb - <<'DTS'
/dts-v1/;
/ {
	#address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;
	gic: interrupt-controller@ffc01000 {
		compatible = "arm,gic-400"; interrupt-controller; #interrupt-cells = <3>; #address-cells = <0>;
		reg = <0 0xffc01000 0 0x1000>, <0 0xffc02000 0 0x2000>;
	};
	cpus {
		#address-cells = <1>; #size-cells = <0>;
		cpu@2 { device_type = "cpu"; compatible = "arm,armv8"; reg = <2>; };
		cpu@3 { device_type = "cpu"; compatible = "arm,armv8"; reg = <3>; };
	};
	memory@0 { device_type = "memory"; reg = <0 0 0 0x10000000>; };
	virtio@a000000 { compatible = "virtio,mmio"; reg = <0 0xa000000 0 0x200>; interrupts = <0 16 1>; };
};
DTS
script given 'tree = "sm1.dtb", "/soc/gpu@ffe40000", rates = {["/soc/gpu@ffe40000"] = {"24M"}}' 'dtb = "mine.dtb"'
run hvsh --sim check given.lua
is 1 "a given tree that says something else"
out_has "is not all RAM of the zone"
script patched 'tree = "sm1.dtb", "/soc/gpu@ffe40000", rates = {["/soc/gpu@ffe40000"] = {"24M"}}' 'dtb = {image = "mine.dtb", patch = true, stdout = "/pl011@0:9600"}'
run hvsh --sim check patched.lua
is 0 "is patched to say what the zone is"
out_lacks "warning"
run hvsh --sim -e 'dofile "patched.lua"; print(zones.drivers:tree():text())'
out_has 'stdout-path = "/pl011@0:9600"'
out_has "virtio_mmio@fe000000"
script both2 'tree = "sm1.dtb", "/soc/gpu@ffe40000", rates = {["/soc/gpu@ffe40000"] = {"24M"}}' 'dtb = {image = "auto", patch = true}'
run hvsh --sim check both2.lua
err_has "dtb.patch: is for a given file"

# ---- without a tree of the machine: from the board alone, and the guest finds its devices in it

start() {
	cat >"$1.lua" <<LUA
local z = zone "$1" {
	id = 1, cpus = {3}, board = require "board.$1", ram = {at = $2, size = "64M"},
	kernel = {image = "images/Image", format = "raw", cmdline = "console=hvc0"},
	dtb = "auto", initrd = "images/initrd",
	devices = {console "hvc0" {}, blk "root" {image = "images/rootfs1.ext4"}, rng "rng0" {}},
}
assert(z:start())
local con <close> = assert(z:device "hvc0":open {back = "all"})
print("banner", con:expect("zone ([%w_]+) %(id (%d)%)", {timeout = "30s"}))
assert(con:expect("$1> ", {timeout = "30s"}))
assert(con:write("devices\r"))
print("disk", (con:expect("irq (%d+): type 2", {timeout = "30s"})))
assert(z:tree()):save "$1.dtb"
assert(z:stop())
LUA
	run timeout 60 "$HVSH" --sim "$1.lua"
	is 0 "$1: a guest starts from a made tree"
	out_has "banner	$1	1" "$1: it finds its console"
	out_lacks "disk	nil" "$1: it finds its disk"
	out=$(warnings "$1.dtb")
	out_is "" "$1: dtc says nothing of it"
	run hvsh --sim check "$1.lua"
	is 0 "$1: check"
	out_lacks "error"
}
start qemu_virt 0x60000000
start qemu_virt_gicv2 0x60000000
start qemu_riscv64_plic 0x90000000
start qemu_riscv64_aia 0x90000000
run hvsh dt show qemu_riscv64_aia.dtb
out_has "riscv,aplic" "the board says which controller it has"

# A serial port with two clocks, on CPUs whose ids are not their numbers.
mkdir out
run hvsh --sim --no-serve rk3588_uart.lua images/rk3588_uart.dtb out
is 0 "rk3588_uart.lua writes the trees"
run hvsh dt show out/uart.dtb
out_has "cpu@600 {" "CPU 6 has the id the machine's tree gives it"
out_has 'stdout-path = "/serial@feb60000:1500000n8"'
out_has "clocks = <&{/zone-clock-24000000}>, <&{/zone-clock-100000000}>;" "both clocks are fixed ones"
out_has "INTID 366 level high"
out=$(comm -23 <(warnings out/uart.dtb) <(warnings images/rk3588_uart.dtb))
out_is "" "dtc says nothing of it that it does not say of the machine's tree"
dtc -q -@ -I dts -O dtb -o out/root.dtbo out/root.dts
run hvsh dt overlay images/rk3588_uart.dtb out/root.dtbo -o out/root.dtb
is 0 "the root zone's overlay applies"
run hvsh dt host --check out/root.dtb /serial@feb60000 --memory 0x30000000+128M
is 0 "and then it has what it needs"

# Nothing can be made for others.
cat >x86.lua <<'LUA'
zone "x" {
	id = 1, cpus = {3}, board = require "board.qemu_x86_64", ram = {at = 0, size = "64M"},
	kernel = false, entry = 0x1000, dtb = "auto",
}
LUA
run hvsh --sim check x86.lua
is 1 "no trees for x86_64"
out_has "give the zone a dtb"
finish
