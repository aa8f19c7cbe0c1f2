#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kmod.sh ARCH CROSS_COMPILE [KDIR]
#
# Builds hvisor.ko and ivc.ko for one kernel into build/kmod/ARCH-RELEASE. ARCH and CROSS_COMPILE are those of our
# Makefile, which calls it (CROSS_COMPILE may be empty); KDIR is a configured kernel or its headers, by default those of
# the running kernel.
#
#   make kmod KDIR=/path/to/linux ARCH=arm64
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cd "$here/.."

[ $# -ge 2 ] || usage
architecture "$1"
cross=$2 kdir=${3:-}
if [ -z "$kdir" ]; then
	[ "$make" = "$(architecture "$(uname -m)" && echo $make)" ] || fail "no kernel to build for: name one for $make with KDIR=folder"
	kdir=/lib/modules/$(uname -r)/build
	[ -e "$kdir/Makefile" ] ||
		fail "the running kernel has no headers here ($kdir): install its linux-headers package, or name another kernel with KDIR=folder"
fi
[ -e "$kdir/Makefile" ] || fail "KDIR=$kdir is no kernel: it has no Makefile"
kdir=$(cd "$kdir" && pwd)
config=$kdir/include/config
[ -e "$config/kernel.release" ] ||
	fail "KDIR=$kdir is not prepared: run make ARCH=$kernel oldconfig modules_prepare there"
grep -qx "CONFIG_$(echo $kernel | tr a-z A-Z)=y" "$config/auto.conf" || fail "KDIR=$kdir is not configured for $make: give its architecture with ARCH="
release=$(cat "$config/kernel.release")
out=build/kmod/$make-$release
# Debian's headers insist on a compiler found by its bare name.
case $cross in */*) PATH=$(realpath "${cross%/*}"):$PATH ;; esac
mkdir -p "$out"
make --no-print-directory -C kmod O="$PWD/$out" KDIR="$kdir" ARCH=$kernel CROSS_COMPILE="$cross"
echo "hvisor.ko and ivc.ko for $release: $out"
