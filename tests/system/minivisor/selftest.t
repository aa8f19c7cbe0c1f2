#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# minivisor against a small EL1 program of its own, without Linux. Builds both; needs QEMU and a cross compiler.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/tap.sh
. "$here/../../lib/tap.sh"

for program in qemu-system-aarch64 "${CROSS_COMPILE:-aarch64-linux-gnu-}gcc" cc make; do
	if ! command -v "$program" >/dev/null; then
		echo "1..0 # SKIP $program is not installed"
		exit 0
	fi
done

# boot OPTIONS MODE [ENTRY] [QEMU ARGUMENTS]: $out is the UART. "none" = no options page at all.
boot() {
	local options=$1 mode=$2 entry=${3:-0x40400000}
	shift $(($# < 3 ? $# : 3))
	local page=()
	if [ "$options" != none ]; then
		printf '%s' "$options" >"$work/options"
		page=(-device "loader,file=$work/options,addr=0x40200000,force-raw=on")
	fi
	run timeout 300 qemu-system-aarch64 -M virt,gic-version=3,virtualization=on -cpu cortex-a72 -smp 4 -m 2G \
		-display none -serial stdio -monitor none -nic none -no-reboot \
		-device "loader,file=$work/o/minivisor.bin,addr=0x40400000,force-raw=on" \
		-device "loader,file=$work/o/groupstub.bin,addr=0x40300000,force-raw=on" \
		-device "loader,addr=$entry,cpu-num=0" "${page[@]}" \
		-device "loader,file=$work/o/selftest/zone0.bin,addr=0xa0400000,force-raw=on" \
		-device "loader,file=$work/o/selftest/guest.bin,addr=0xa1000000,force-raw=on" \
		-device "loader,file=$work/o/selftest/configs.bin,addr=0xa2000000,force-raw=on" \
		-device "loader,addr=0xa0000000,data=$mode,data-len=4" "$@"
	out=${out//$'\r'/}
}
tests=0 facts=1 crash=2 reset=3

# The checks of another program among these; what else it said, as comments where one failed.
fold() {
	local line failed=1
	while IFS= read -r line; do
		case $line in
		"ok "*) (exit 0) ;;
		"not ok "*) failed=0 && false ;;
		*) continue ;;
		esac
		local result=$?
		tap_n=$((tap_n + 1))
		line=${line#not }
		[ $result = 0 ] && echo "ok $tap_n -${line#*-}" || echo "not ok $tap_n -${line#*-}"
		[ $result = 0 ] || tap_failed=$((tap_failed + 1))
	done <<<"$out"
	[ $failed = 1 ] || printf '%s\n' "$out" | sed 's/^/# /'
}

run make -C "$here" O="$work/o" HOST_CC=cc selftest
is 0 "it builds without a warning"
[ "$code" = 0 ] || finish

run "$work/o/selftest/check_config"
is 0 "hvsh's configs are read as they are meant"
fold

# Messages of other CPUs would fall into the lines of results.
boot 'ivc=on log=off' $tests
is 0 "the machine is switched off by zone0"
out_has $'\ndone '"$(grep -cE '^(not )?ok - ' <<<"$out")" "the tests reach their end, and all are seen"
fold

boot none $facts
out_has "minivisor: 4 CPUs, zone0 on 0x3, zone config layout 5A" "says what it is"
out_has "fact version=5" "without options, layout 5A"
out_has "fact cpus=3" "zone0 has CPUs 0 and 1"
out_has "fact ivc=-19" "and no IVC"
out_has "fact start5A=0" "and starts a zone"
out_has "fact start5B=-22" "of that layout only"

for layout in 3 4A 4B 5B 6; do
	boot "layout=$layout" $facts
	out_has "fact version=${layout:0:1}" "layout=$layout: the version"
	out_has "fact start$layout=0" "layout=$layout: a zone starts"
	out_has "fact start5A=-22" "layout=$layout: not one of another layout"
done

boot $'layout=5C cpus=1 ivc=maybe\ttypo=1 fault=late,refuse:7,die:0,nostop:5m\nlog=loud cpus=0,1,4' $facts
is 0 "wrong options do not stop it"
for word in layout=5C cpus=1 ivc=maybe typo=1 late die:0 nostop:5m log=loud cpus=0,1,4; do
	out_has "option '$word' is not understood: " "complains of $word"
done
out_lacks "option 'refuse:7'" "not of the right one between them"
out_has "fact version=5" "the layout stays 5A"
out_has "fact cpus=3" "the CPUs stay 0 and 1"
out_has "fact start3=-7" "the right fault is set"

boot "$(printf 'x%.0s' {1..5000})" $facts
out_has "option 'xxx" "a page without an end is cut"
is 0 "and does no harm"

boot 'log=off cpus=0,1,2 ivc=on fault=version:77' $facts
out_lacks "[mv]" "log=off is silent"
out_has "fact version=77" "fault=version:77"
out_has "fact cpus=7" "cpus=0,1,2"
out_has "fact ivc=0" "ivc=on"

boot log=off $crash
is 0 "when zone0 crashes the machine is switched off"
out_has "zone 0 CPU 0: an access to nothing" "and it is said, whatever the log"

boot '' $reset
is 0 "zone0 can reset the machine"
out_has "zone0: system reset" "and it is said"
out_lacks $'\ndone' "it does not come back"

boot '' $facts 0x40300000
out_has "fact start5A=0" "the group stub goes on in it"

boot '' $facts 0x40400000 -smp 8
out_has "minivisor: 8 CPUs" "eight CPUs"
out_has "fact start5A=0" "work as well"

finish
