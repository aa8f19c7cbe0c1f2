#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sysroot.sh ARCH [FOLDER]
#
# Prepares the root file system that hvsh and its tests are cross-built against, from Debian's own packages, and says
# how to use it. ARCH: arm64, riscv64, amd64 (x86_64), loong64 (loongarch64). FOLDER: build/sysroot/ARCH unless given.
#
#   scripts/sysroot.sh arm64 && make ARCH=arm64 ROOT=build/sysroot/arm64
#
# HVSH_SUITE names another suite than the default: trixie; forky for loong64, which trixie does not have. A program
# built against it needs that suite's libc or a newer one. Nothing is installed; the same call again does nothing.
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
arm64 | aarch64) arch=arm64 make=arm64 suite=trixie ;;
riscv64 | riscv) arch=riscv64 make=riscv64 suite=trixie ;;
amd64 | x86_64) arch=amd64 make=x86_64 suite=trixie ;;
loong64 | loongarch64 | loongarch) arch=loong64 make=loongarch64 suite=forky ;;
*)
	sed -n '3,6s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
folder=${2:-build/sysroot/$arch}

scripts/debian.sh -d "${HVSH_SUITE:-$suite}" "$arch" "$folder" \
	libc6-dev linux-libc-dev liblua5.4-dev libfdt-dev libreadline-dev zlib1g-dev libjansson-dev liburing-dev \
	libcmocka-dev libatomic1
echo "make ARCH=$make ROOT=$folder"
