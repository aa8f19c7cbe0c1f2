#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Both modules build for every kernel of scripts/kernels.sh, without a warning, and would load there.
. "$HVSH_TESTS/lib/tap.sh"
top=$(dirname "$HVSH_TESTS")
cd "$top" || exit 1

modinfo_of() { tr '\0' '\n' <"$2" | sed -n "s/^$1=//p"; }

for name in $(sed -n '/^kernels="/,/^"/s/^\t\([^ ]*\) .*/\1/p' scripts/kernels.sh); do
	run scripts/kernels.sh -p "$name"
	is 0 "$name: headers and compiler are there, and what they are is told"
	[ "$code" = 0 ] || continue
	eval "$out"
	export MAKEFLAGS=W=1
	run scripts/kernels.sh "$name"
	unset MAKEFLAGS
	is 0 "$name: the modules build"
	[ "$code" = 0 ] || continue
	[ -z "$err" ]
	tap $? "$name: compiler and modpost have nothing to say"
	# Modules with Module.symvers' versions: a kernel refuses what is not among them.
	awk '{ print $2 }' "$KDIR/Module.symvers" | sort >"$work/exported"
	for module in hvisor ivc; do
		file=build/kmod/$name/$module.ko
		out=$(modinfo_of vermagic "$file")
		[[ $out == "$release "* ]]
		tap $? "$name: $module.ko is for $release"
		out=$(modinfo_of license "$file")
		out_is "GPL v2" "$name: $module.ko may use what is GPL only"
		out=$(PATH=$TOOLS:$PATH "${CROSS_COMPILE}nm" -u "$file" | awk '{ print $2 }' |
			grep -vx -e __this_module -e _GLOBAL_OFFSET_TABLE_ | sort -u | comm -23 - "$work/exported")
		out_is "" "$name: $module.ko uses only what that kernel exports"
	done
	out=$(modinfo_of alias "build/kmod/$name/hvisor.ko")
	out_has "of:N*T*Chvisor" "$name: hvisor.ko is loaded by the tree's node"
done
finish
