#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sysroot.sh ARCH [FOLDER]
#
# Prepares what hvsh and its tests are cross-built with, from Debian's own packages, and says how to use it: a root file
# system with the libraries, and in its folder compiler/ a compiler, which make finds there. ARCH: arm64, riscv64,
# loong64 (loongarch64), amd64 (x86_64). FOLDER: build/sysroot/ARCH unless given; it cannot be moved afterwards.
#
#   scripts/sysroot.sh arm64 && make ARCH=arm64 ROOT=build/sysroot/arm64
#
# HVSH_SUITE names another suite than the default: trixie; forky for loong64, which trixie does not have. A program
# built against it needs that suite's libc or a newer one. Nothing is installed; the same call again does nothing.
# Needed here: patchelf. HVSH_CACHE keeps what is downloaded (default: build/cache).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cd "$here/.."

[ $# -ge 1 ] || usage
architecture "$1"
suite=${HVSH_SUITE:-$suite}
folder=${2:-build/sysroot/$debian}
host=$(dpkg --print-architecture)

scripts/debian.sh -d "$suite" "$debian" "$folder" \
	libc6-dev linux-libc-dev liblua5.4-dev libfdt-dev libreadline-dev zlib1g-dev libjansson-dev liburing-dev libseccomp-dev \
	libpng-dev libdrm-dev libcmocka-dev libatomic1
if [ "$debian" != "$host" ]; then
	command -v patchelf >/dev/null || fail "patchelf is missing: apt-get install patchelf"
	scripts/debian.sh -d "$suite" "$host" "$folder/compiler" "gcc-$(echo "$triplet" | tr _ -)"
	own_libc "$(cd "$folder/compiler" && pwd)"
fi
echo "make ARCH=$make ROOT=$folder"
