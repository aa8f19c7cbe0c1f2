#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu-user-test.sh ARCH [TEST…]
#
# Cross-builds the C tests of tests/core for arm64 or riscv64 and runs them in QEMU's user emulation, as TAP. TEST
# limits them (fdt/test_irq). What user emulation cannot do fails there, and only there: those tests are listed below
# with the reason, run all the same, and are reported as "# TODO reason". Any other failure is one.
#
# O (build/ARCH) is where to build, ROOT (build/sysroot/DEBIAN-ARCH) the sysroot, LIMIT (900) the seconds for one program.
set -euo pipefail
cd "$(dirname "$0")/.."

# program    tests (a regular expression)    why
limits='
hypervisor/test_device   test_open  user emulation answers ENOSYS to ioctls that it does not know, Linux ENOTTY
virtio/test_blk          moves_data_write_through|moves_data_by_threads|moves_data_past_the_cache_by_threads|any_framing  user emulation has no preadv2 and pwritev2
virtio/test_blk_faults   .*  user emulation has no preadv2 and pwritev2, and the faults are put there
virtio/test_tap          .*  user emulation does not know all ioctls of TAP devices and bridges
'

if [ "${1:-}" = --run ]; then
	# How prove runs one program.
	program=$2
	name=${program##*/tests/core/}
	listed=$(awk -v name="$name" '$1 == name' <<<"$limits")
	tests=$(awk '{ print $2 }' <<<"$listed")
	why=$(sed 's/^[^ ]* *[^ ]* *//' <<<"$listed")
	status=0
	output=$(timeout -k 5 "${LIMIT:-900}" "$QEMU" "$program") || status=$?
	# cmocka says "not ok" of a test that skipped itself; its exit status is the number of failures.
	awk -v tests="^(${tests:-/})\$" -v why="$why" '
		/^not ok .*# SKIP/ { sub(/^not /, "") }
		/^not ok [0-9]/ { if ($5 ~ tests) { $0 = $0 " # TODO " why; known++ } }
		{ print } END { print known + 0 > "/dev/fd/3" }
	' <<<"$output" 3>"$KNOWN/${name//\//-}"
	known=$(cat "$KNOWN/${name//\//-}")
	[ "$status" -lt 124 ] || { echo "Bail out! $name ended with status $status"; exit "$status"; }
	exit $((status > known ? status - known : 0))
fi

case ${1:-} in
arm64) debian=arm64 emulator=qemu-aarch64-static triplet=aarch64-linux-gnu ;;
riscv64) debian=riscv64 emulator=qemu-riscv64-static triplet=riscv64-linux-gnu ;;
*)
	sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
arch=$1
shift
for program in "$emulator" "$triplet-gcc" dtc prove; do
	command -v "$program" >/dev/null || {
		echo "qemu-user-test.sh: $program is missing: apt-get install qemu-user-static gcc-$triplet device-tree-compiler perl" >&2
		exit 1
	}
done
ROOT=${ROOT:-build/sysroot/$debian}
O=${O:-build/$arch}
scripts/sysroot.sh "$debian" "$ROOT" >/dev/null
make --no-print-directory -j"${JOBS:-$(nproc)}" ARCH="$arch" ROOT="$ROOT" O="$O" test-build

if [ $# -gt 0 ]; then
	programs=("${@/#/$O/tests/core/}")
else
	mapfile -t programs < <(find tests/core -name 'test_*.c' | sort | sed "s,^\(.*\)\.c$,$O/\1,")
	echo "# not run: $(find tests/core -name '*.t' | tr '\n' ' ')(they build programs for this machine)"
fi
KNOWN=$(mktemp -d)
trap 'rm -rf "$KNOWN"' EXIT
QEMU_LD_PREFIX=$(realpath "$ROOT") HVSH=$(realpath "$O/hvsh") HVSH_BUILD=$(realpath "$O") HVSH_TESTS=$(realpath tests)
export KNOWN QEMU_LD_PREFIX HVSH HVSH_BUILD HVSH_TESTS QEMU=$emulator CMOCKA_MESSAGE_OUTPUT=TAP
unset HVSH_LOG NO_COLOR 2>/dev/null || true
prove --jobs "${JOBS:-$(nproc)}" --exec "$0 --run" "${programs[@]}"
