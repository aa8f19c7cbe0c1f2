#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels.sh [NAME…]     builds hvisor.ko and ivc.ko for Debian kernels into build/kmod/NAME; without a NAME, for all
# kernels.sh -p NAME     prepares one and prints, as shell assignments, what building against it takes:
#                        release, KDIR, ARCH, CROSS_COMPILE, TOOLS (a folder for the front of PATH)
#
#   scripts/kernels.sh arm64-6.12
#
# Headers, compiler and the kernel's own build programs all come from the suite that has the kernel, unpacked by
# debian.sh, and run with that suite's C library: nothing of it is installed. Needed here: make, patchelf.
# HVSH_CACHE keeps it all (default: build/cache); MAKEFLAGS goes through (W=1, C=2, V=1, -j2). Each kernel is the newest
# of its suite; the headers of those before stay in HVSH_CACHE/kernels.
set -eu

# name, architecture and suite
kernels="
	arm64-6.1     arm64    bookworm
	arm64-6.12    arm64    trixie
	riscv64-6.12  riscv64  trixie
	amd64-6.1     amd64    bookworm
	amd64-6.12    amd64    trixie
	loong64       loong64  forky
"

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
top=$(dirname "$here")
cache_folder
host=$(dpkg --print-architecture)

for program in make patchelf; do
	command -v $program >/dev/null || fail "$program is missing: apt-get install $program"
done

# Sets root, release, KDIR, TOOLS and CROSS_COMPILE.
prepare() {
	line=$(echo "$kernels" | awk -v name="$1" '$1 == name')
	[ -n "$line" ] || fail "no kernel $1; there are:$(echo "$kernels" | awk '{ printf " %s", $1 }')"
	set -- $line
	architecture $2
	suite=$3 ARCH=$kernel
	package=$("$here/debian.sh" -r $suite $debian linux-headers-$debian | grep "^linux-headers-.*-$debian\$" || true)
	[ -n "$package" ] || fail "$suite has no kernel headers for $debian"
	release=${package#linux-headers-}
	root=$HVSH_CACHE/kernels/$release
	KDIR=$root/usr/src/$package
	TOOLS=$root/usr/bin
	CROSS_COMPILE=$triplet-
	[ "$host" != "$debian" ] || CROSS_COMPILE=
	mkdir -p "$HVSH_CACHE/kernels"
	exec 8>"$root.lock"
	flock 8
	# What was prepared names itself by absolute path: it is of no use in a copy.
	if [ "$(cat "$root/.ready" 2>/dev/null)" != "$root" ]; then
		rm -rf "$root"
		"$here/debian.sh" $suite $debian "$root" "$package" "${package%-"$debian"}-common"
		kbuild=$(basename "$(dirname "$(readlink "$KDIR/scripts")")")
		gcc=$(sed -n 's/.*CROSS_COMPILE)\(gcc-[0-9]*\).*/\1/p' "$KDIR/.kernelvariables")
		[ "$host" = "$debian" ] || gcc=$gcc-$(echo $triplet | tr _ -)
		"$here/debian.sh" -d $suite "$host" "$root" "$kbuild" "$gcc"
		own_libc "$root"
		# The headers name each other by absolute path.
		sed -i "s,/usr/src/,$root/usr/src/,g" "$KDIR/Makefile"
		# With it, the build wants to add type information, which takes pahole.
		rm -f "$KDIR/vmlinux"
		echo "$root" >"$root/.ready"
	fi
	exec 8>&-
}

build() {
	prepare "$1"
	out=$top/build/kmod/$1
	mkdir -p "$out"
	PATH=$TOOLS:$PATH make --no-print-directory -C "$top/kmod" O="$out" KDIR="$KDIR" ARCH=$ARCH \
		CROSS_COMPILE=$CROSS_COMPILE >"$out/log" 2>&1 || {
		cat "$out/log" >&2
		fail "$1: the modules do not build against $release"
	}
	# What the compiler or modpost has to say is nothing to hide.
	grep -i -e warning -e error: "$out/log" >&2 || true
	echo "$release" >"$out/release"
	echo "$1: hvisor.ko and ivc.ko for $release in ${out#"$top"/}"
}

case ${1:-} in
-p)
	[ $# = 2 ] || fail "-p takes one name"
	prepare "$2"
	for variable in release KDIR ARCH CROSS_COMPILE TOOLS; do
		eval "echo \"$variable='\$$variable'\""
	done
	exit ;;
-*) usage ;;
esac
[ $# -gt 0 ] || set -- $(echo "$kernels" | awk '{ print $1 }')
for name; do
	build "$name"
done
