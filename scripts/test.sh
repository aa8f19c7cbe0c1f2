#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# test.sh BUILD [PATH…]: runs the tests with prove. PATH limits them (tests/cli, tests/core/abi,
# one file). C tests are programs under BUILD, *.lua run in hvsh, *.t in bash. What a sanitizer and a strict filter of
# system calls cannot do together is run once more from PLAIN (build/native), where BUILD has sanitizers.
set -eu
build=$1
shift
HVSH=$(realpath "$build/hvsh")
HVSH_BUILD=$(realpath "$build")
HVSH_TESTS=$(realpath tests)
PLAIN=$build
case $build in *san*) PLAIN=${PLAIN_BUILD:-build/native} ;; esac
HVSH_PLAIN=$(realpath "$PLAIN")
export HVSH HVSH_BUILD HVSH_TESTS HVSH_PLAIN
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export CMOCKA_MESSAGE_OUTPUT=TAP
unset HVSH_LOG NO_COLOR LUA_INIT LUA_PATH LUA_CPATH 2>/dev/null || true
[ $# -gt 0 ] || set -- tests/core tests/lua tests/cli tests/fuzz
list=$(mktemp)
trap 'rm -f "$list"' EXIT
for path in "$@"; do
	path=${path%/}
	{
		find "$path" -path 'tests/core*' -name 'test_*.c' | sed "s,^\(.*\)\.c$,$build/\1,"
		find "$path" \( -path 'tests/lua*' -o -path 'tests/modules*' -o -path 'tests/examples*' \) -name 'test_*.lua'
		find "$path" -name '*.t'
		[ "$PLAIN" = "$build" ] || find "$path" -path 'tests/core/sandbox/*' -name 'test_*.c' | sed "s,^\(.*\)\.c$,$PLAIN/\1,"
	} | sort >>"$list"
done
[ -s "$list" ] || { echo "test.sh: no test under $*" >&2; exit 2; }
xargs -a "$list" prove --jobs "${JOBS:-$(nproc)}" --exec scripts/run-test
