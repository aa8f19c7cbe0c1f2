#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh test [FILE…]   builds all that is needed, boots it in QEMU and runs tests/system/*.t (or those), as TAP
# run.sh demo           the same machine for a person: zone0's shell on this terminal; Ctrl-A X ends QEMU
# run.sh images         only builds
#
# A hypervisor at EL2, Debian's kernel as zone0, and in it hvsh, which starts more. docs/system-test.md tells more.
#
# HVISOR=hvisor.bin   a real hvisor, built for its board qemu-gicv3, in the place of tests/system/minivisor
# OUT=build/system    where everything is built; transcript.txt is there, too
# HVSH_SLOW=3         all bounds three times as long
# BOUND=1500          seconds for all tests together
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-}
[ $# = 0 ] || shift
case $mode in
test | demo | images) ;;
*)
	sed -n '3,12s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
OUT=${OUT:-build/system}
HVSH_SLOW=${HVSH_SLOW:-1}
mkdir -p "$OUT"
OUT=$(realpath "$OUT")
kernel=arm64-6.12

scripts/setup.sh build system
scripts/sysroot.sh arm64 >/dev/null
make --no-print-directory -j"$(nproc)" ARCH=arm64 ROOT=build/sysroot/arm64 O="$OUT/hvsh"
scripts/kernels.sh $kernel
make --no-print-directory -C tests/system/minivisor O="$OUT/minivisor"
mkdir -p "$OUT/extra"
for file in tests/system/*.c; do
	aarch64-linux-gnu-gcc --sysroot=build/sysroot/arm64 -Ibuild/sysroot/arm64/usr/include -O2 -Wall -Wextra -Werror -static \
		-Icore -o "$OUT/extra/$(basename "$file" .c)" "$file"
done
scripts/system/images.sh "$OUT" "$OUT/hvsh/hvsh" build/kmod/$kernel

export HVSH_SYSTEM=$OUT HVSH_SLOW HVSH_GROUPSTUB=$OUT/minivisor/groupstub.bin HVSH_HYPERVISOR=$OUT/minivisor/minivisor.bin
if [ -n "${HVISOR:-}" ]; then
	HVISOR=$(realpath "$HVISOR")
	export HVISOR
fi

case $mode in
test)
	: >"$OUT/transcript.txt"
	[ $# -gt 0 ] || set -- tests/system/*.t
	# The kernel's own kill comes last: each test ends its QEMU, and QEMU ends by itself at its bound.
	exec timeout -k 30 $((${BOUND:-1500} * HVSH_SLOW)) prove --verbose --timer "$@"
	;;
demo)
	exec perl -Itests/system/lib -MMachine -e 'Machine->watch'
	;;
esac
