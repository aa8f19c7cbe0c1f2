# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh export: the examples in the forms of other tools, read again.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
mkdir out

run hvsh export hvisor boot_zones.lua out
is 0 "two zones are exported"
out_is "" "standard output is left alone"
err_has "hvsh: wrote out/linux1.json"
err_has "hvsh: wrote out/virtio_cfg.json"
err_has "root is read back as disk0" "names that are lost are said"
err_has "boot_zones.lua:" "with file and line"
run hvsh import out/linux1.json out/linux2.json out/virtio_cfg.json -o again.lua
is 0 "they are imported again"
for zone in linux1 linux2; do
	run hvsh encode boot_zones.lua --zone "$zone" -o a
	run hvsh encode again.lua --zone "$zone" -o b
	same a b "$zone: the same bytes for the hypervisor"
done
run hvsh --sim --board qemu_virt check again.lua
is 0 "what comes back is right"

# Every example goes through; what is wrong is refused as a whole.
for script in *.lua; do
	[ "$script" = again.lua ] && continue
	rm -rf each && mkdir each
	run hvsh export hvisor "$script" each
	is 0 "$script: exported"
	run hvsh import each/*.json
	is 0 "$script: imported again"
done
cat >wrong.lua <<'LUA'
zone "wrong" { id = 1, cpus = {9}, board = require "board.qemu_virt", ram = {at = 0x50000000, size = "16M"},
	kernel = {image = "images/Image", at = 0x50400000} }
LUA
rm -rf each && mkdir each
run hvsh export hvisor wrong.lua each
is 1 "a wrong zone is not exported"
err_has "CPU 9" "its findings are shown"
err_has "nothing was written"
[ -z "$(ls each)" ]
tap $? "and nothing is"
run hvsh export microkit wrong.lua each/x.system
is 1 "nor to Microkit"

run hvsh export microkit passthrough.lua uni.system
is 0 "a system description"
run cat uni.system
out_has '<irq irq="33" id="1" trigger="level" />' "the trigger is that of the zone's tree"
out_has '<map mr="unikernel_uart0" vaddr="0x9000000" perms="rw" cached="false" />' "registers"
out_has 'phys_addr="0x50000000"' "memory where the zone has it"
out_lacks 'irq="78"' "virtio interrupts are the monitor's"
if command -v xmllint >/dev/null; then
	run xmllint --noout uni.system
	is 0 "it is well-formed"
fi
run hvsh export microkit x86_64.lua x.system
is 1 "no system for x86_64"
err_has "described for arm64 and riscv64"

# A module's call in a script writes when the script runs, not when it is only read.
cat >call.lua <<'LUA'
local u = zone "uni" { id = 1, cpus = {2}, board = require "board.qemu_virt", ram = {at = 0x50000000, size = "16M"},
	kernel = {image = "images/unikernel-arm64.bin", format = "raw", at = 0x50400000} }
print(assert(require "export.microkit".write("call.system", {zone = u})))
LUA
run hvsh check call.lua
is 0 "the script is only read"
[ ! -e call.system ]
tap $? "and writes nothing"
run hvsh call.lua
is 0 "the script runs"
[ -s call.system ]
tap $? "and writes"

run hvsh export hvisor boot_zones.lua nowhere
is 1 "a folder that is not there"
err_has "nowhere/linux1.json: cannot be written"
run hvsh export microkit boot_zones.lua boot_zones.lua
is 1 "the script itself is not overwritten"
err_has "boot_zones.lua is what this is made from"
run hvsh export
is 2 "export what?"
run hvsh export microkti boot_zones.lua x
is 2 "a misspelt form"
err_has "did you mean microkit?"
run hvsh export hvisor
is 2 "of which script?"
run hvsh export hvisor boot_zones.lua
is 2 "into which folder?"
run hvsh export hvisor nothing.lua out
is 1 "a script that is not there"
finish
