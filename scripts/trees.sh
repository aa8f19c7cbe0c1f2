#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# trees.sh FOLDER [SUITE]: the device trees of Debian's kernel packages for arm64 and riscv64 (about 1,000), unpacked
# below FOLDER (default suite: trixie). Prints their names. They are fetched once and kept in HVSH_CACHE
# (default: build/cache). Nothing is installed.
set -eu
[ $# -ge 1 ] || {
	sed -n '3,5s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
folder=$1
suite=${2:-trixie}
here=$(dirname "$0")
cache=${HVSH_CACHE:-$here/../build/cache}

for arch in arm64 riscv64; do
	# The package of the current kernel is what the package without a version depends on.
	"$here/debian.sh" "$suite" "$arch" "$folder/$arch-meta" "linux-image-$arch"
	version=$(sed -n "s/^linux-image-$arch \([^ ]*\) .*/\1/p" "$folder/$arch-meta/.packages" | tail -n 1)
	deb=$(ls "$cache/debian/$suite-$arch/archives/linux-image-${arch}_$(echo "$version" | sed 's/:/%3a/g')"_*.deb)
	kernel=$(dpkg-deb -f "$deb" Depends | sed 's/^\([^ ,]*\).*/\1/')
	"$here/debian.sh" "$suite" "$arch" "$folder/$arch" "$kernel"
done
find "$folder/arm64" "$folder/riscv64" -name '*.dtb' | sort
