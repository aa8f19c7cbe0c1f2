#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# trees.sh FOLDER [SUITE]: the device trees of Debian's kernel packages for arm64 and riscv64 (about 1,000), unpacked
# below FOLDER (default suite: trixie). Prints their names. They are fetched once and kept in HVSH_CACHE
# (default: build/cache). Nothing is installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ $# -ge 1 ] || usage
folder=$1
suite=${2:-trixie}

for arch in arm64 riscv64; do
	kernel=$("$here/debian.sh" -r "$suite" "$arch" "linux-image-$arch")
	"$here/debian.sh" "$suite" "$arch" "$folder/$arch" "$kernel"
done
find "$folder/arm64" "$folder/riscv64" -name '*.dtb' | sort
