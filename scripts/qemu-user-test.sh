#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu-user-test.sh ARCH [TEST…]
#
# Cross-builds hvsh and the C tests of tests/core for arm64, riscv64 or loong64 and runs the tests in QEMU's user
# emulation, as TAP. TEST, a path, limits them. What user emulation cannot do fails there, and only there: those
# tests are listed below with the reason, run all the same, and are reported as failures that are expected, in
# the way TAP has for it. Any other failure is one.
#
#   scripts/qemu-user-test.sh riscv64 tests/core/loop tests/core/virtio/test_queue.c
#
# QEMU is Debian 13's, unpacked into build/qemu-user. ROOT (build/sysroot/ARCH) is the sysroot, O (build/ARCH) where to
# build, JOBS (all CPUs) how many at once, LIMIT (900) the seconds for one program. Needed here: what
# scripts/setup.sh cross installs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
cd "$here/.."

# program                tests (a regular expression)    why
limits='
guest/test_guest         test_soak  memory that the emulator needs for itself is counted, too
hypervisor/test_device   test_open  user emulation answers ENOSYS to ioctls that it does not know, Linux ENOTTY
virtio/test_blk          moves_data_(write_through|by_threads|past_the_cache_by_threads)|any_framing  user emulation has no preadv2 and pwritev2
virtio/test_blk_faults   without_flush_.*|the_cache_can_.*|errors_of_waiting_.*|short_transfers_.*|misses_go_.*  user emulation has no preadv2 and pwritev2
virtio/test_blk_slow     reset_writes_on  user emulation has no pwritev2
virtio/test_faults_net   queues_are_switched_.*|offloads_at_the_start  user emulation does not know all ioctls of TAP devices and bridges
virtio/test_tap          test_(offload|queues|vanish|down|refusals|bridge|reset_under_load)  user emulation does not know all ioctls of TAP devices and bridges
'

if [ "${1:-}" = --run ]; then
	# How prove runs one program.
	program=$2
	name=${program##*/tests/core/}
	listed=$(awk -v name="$name" '$1 == name' <<<"$limits")
	tests=$(awk '{ print $2 }' <<<"$listed")
	why=$(sed 's/^[^ ]* *[^ ]* *//' <<<"$listed")
	status=0
	output=$(timeout -k 5 "${LIMIT:-900}" "$HVSH_EMULATOR" "$program") || status=$?
	# cmocka says "not ok" of a test that skipped itself; its exit status is the number of failures. Why one failed goes
	# to stderr, which prove shows.
	awk -v tests="^(${tests:-/})\$" -v why="$why" '
		/^TAP version/ { next } # cmocka 2 says 14, which prove does not know
		/^not ok .*# SKIP/ { sub(/^not /, "") }
		/^(not )?ok/ { failed = 0 }
		/^not ok [0-9]/ { if ($5 ~ tests) { $0 = $0 " # TODO " why; known++ } else failed = 1 }
		failed { print > "/dev/stderr" }
		{ print } END { print known + 0 > "/dev/fd/3" }
	' <<<"$output" 3>"$KNOWN/${name//\//-}"
	known=$(cat "$KNOWN/${name//\//-}")
	[ "$status" != 124 ] || echo "$name: not done after ${LIMIT:-900} s" >&2
	[ "$status" -lt 124 ] || exit "$status"
	exit $((status > known ? status - known : 0))
fi

[ $# -ge 1 ] || usage
architecture "$1"
shift
for program in patchelf dtc prove; do
	command -v "$program" >/dev/null || fail "$program is missing: scripts/setup.sh cross installs it"
done
ROOT=${ROOT:-build/sysroot/$debian}
O=${O:-build/$make}
scripts/debian.sh trixie "$(dpkg --print-architecture)" build/qemu-user qemu-user
scripts/sysroot.sh "$debian" "$ROOT" >/dev/null
make --no-print-directory -j"${JOBS:-$(nproc)}" ARCH="$make" ROOT="$ROOT" O="$O" test-build

[ $# -gt 0 ] || set -- tests/core
# User emulation has threads of its own that no filter reaches, and knows no seccomp.
mapfile -t sources < <(find "$@" -path 'tests/core/*' ! -path 'tests/core/sandbox/*' -name 'test_*.c' | sort)
[ ${#sources[@]} -gt 0 ] || fail "no C test under $*"
programs=("${sources[@]/#/$O/}")
programs=("${programs[@]%.c}")
others=$(find "$@" -path 'tests/core/*' \( -name '*.t' -o -path 'tests/core/sandbox/test_*.c' \) | tr '\n' ' ')
[ -z "$others" ] || echo "# not run: $others(for this machine alone)"

KNOWN=$(mktemp -d)
trap 'rm -rf "$KNOWN"' EXIT
QEMU_LD_PREFIX=$(realpath "$ROOT") HVSH=$(realpath "$O/hvsh") HVSH_BUILD=$(realpath "$O") HVSH_TESTS=$(realpath tests)
# The richest CPU, which is the default, has pointer authentication: emulated, it takes ten times as long.
[ "$make" != arm64 ] || export QEMU_CPU=${QEMU_CPU:-cortex-a72}
# For a test that starts itself.
HVSH_EMULATOR=$(realpath build/qemu-user/usr/bin/qemu-$emulator)
export HVSH_EMULATOR KNOWN QEMU_LD_PREFIX HVSH HVSH_BUILD HVSH_TESTS CMOCKA_MESSAGE_OUTPUT=TAP
unset HVSH_LOG NO_COLOR LUA_INIT LUA_PATH LUA_CPATH 2>/dev/null || true
prove --jobs "${JOBS:-$(nproc)}" --exec "$here/qemu-user-test.sh --run" "${programs[@]}"
