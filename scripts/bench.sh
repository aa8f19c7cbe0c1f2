#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# bench.sh BUILD: each line is a figure of this run beside its goal. Ratios come
# from one run on one machine, the two sides in turn; nothing here fails a build.
set -eu
build=$1
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hvsh=$(realpath "$build/hvsh")
$cc -O2 -D_GNU_SOURCE -o "$work/median_exec" tests/bench/median_exec.c
$cc -O2 -D_GNU_SOURCE -std=gnu11 -Icore -o "$work/load" tests/bench/load.c "$build/libhvcore.a" -lz -lfdt -luring -pthread

line() { printf '%-58s %12s   goal %s\n' "$1" "$2" "$3"; }
ratio() { echo "$1 $2" | awk '{ printf "%.2f", $1 / $2 }'; }

set -- $("$work/median_exec" 201 "$hvsh" -e '' -- lua5.4 -e '')
line "start: hvsh -e '' / lua5.4 -e ''  ($1 / $2 us)" "$(ratio "$1" "$2")" "<= 1.5"

cp -R examples "$work/examples"
"$hvsh" "$work/examples/images/make.lua" "$work/examples/images" >/dev/null
cp tests/bench/zones16.lua "$work/examples/zones16.lua"
set -- $("$work/median_exec" 31 "$hvsh" --sim plan "$work/examples/zones16.lua" -- "$hvsh" -e '')
line "check + plan of 16 zones, the process's start included" "$(echo "$1" | awk '{ printf "%.1f ms", $1 / 1000 }')" "<= 20 ms"

set -- $(tests/bench/trees.sh "$hvsh")
line "device trees: plan of every node, time per tree ($1 trees, longest $4 ms)" "$3 ms" "<= 500 ms"

cp tests/bench/zones32.lua "$work/examples/zones32.lua"
"$hvsh" --sim="$work/machine" -d "$work/examples/zones32.lua" 2>/dev/null
set -- $("$hvsh" --sim="$work/machine" tests/bench/attach.lua)
kill "$(cat "$work/machine/lock")"
line "attached prompt: one statement, there and back" "$1 us" "<= 1000 us"
line "list of $3 zones from the service" "$(echo "$2" | awk '{ printf "%.1f ms", $1 / 1000 }')" "<= 5 ms"

$cc -O2 -D_GNU_SOURCE -o "$work/prompt" tests/bench/prompt.c -lutil
set -- $("$work/prompt" "$hvsh")
line "prompt: from the start to the prompt" "$1 ms" "<= 20 ms"
line "prompt: first completion, with what is loaded for it" "$2 ms" "<= 5 ms"

set -- $("$work/load")
line "load 256 MiB: plain read() / hvsh  ($1 / $2 ms)" "$(ratio "$1" "$2")" ">= 0.9"
line "heap needed while loading 256 MiB" "$3 KiB" "no copy of the image"

# ---- virtio devices, each against the same work done natively; about two minutes
bench_libs="$build/libhvcore.a -luring -lz -lfdt -pthread"
$cc -O2 -D_GNU_SOURCE -std=gnu11 -Icore -o "$work/blk" tests/bench/blk.c $bench_libs
$cc -O2 -D_GNU_SOURCE -std=gnu11 -Icore -o "$work/net" tests/bench/net.c $bench_libs
$cc -O2 -D_GNU_SOURCE -std=gnu11 -Icore -Itests/lib -o "$work/console" tests/bench/console.c tests/lib/vrig.c \
	-lcmocka $bench_libs
$cc -O2 -D_GNU_SOURCE -std=gnu11 -Icore -o "$work/bridge" tests/bench/bridge.c $bench_libs
"$work/bridge"
set -- $("$work/console")
line "console: guest to host, every byte arriving ($3 wrong)" "$1 MB/s" ">= 100 MB/s"
line "console: host to guest" "$2 MB/s" ">= 100 MB/s"
if $cc -O2 -D_GNU_SOURCE -std=gnu11 -Icore -Itests/lib -o "$work/gpu" tests/bench/gpu.c tests/lib/vrig.c \
	-lcmocka $bench_libs 2>/dev/null; then
	set -- $("$work/gpu" 2>/dev/null | sed -n 's/^BENCH //p')
	line "gpu: full-screen flushes / plain copies  ($1 / $2 a second)" "$(ratio "$1" "$2")" ">= 0.7"
	line "gpu: CPU while the guest is idle" "$3 ms/s" "0"
fi
echo "disk, against fio's io_uring on the same file:"
"$work/blk" "$work" 1
set -- $("$build/tests/bench/policy" "$work/policy-bench.img")
line "policy: reads QD32, one not concerned / none  ($2 / $1)" "$(ratio "$2" "$1")" ">= 0.97"
line "policy: one that looks on at 1% / none  ($3 / $1)" "$(ratio "$3" "$1")" ">= 0.9"
line "policy: one that another thread answers / none  ($4 / $1)" "$(ratio "$4" "$1")" "-"
line "policy: one that a Lua function answers / none  ($5 / $1)" "$(ratio "$5" "$1")" "-"
set -- $("$hvsh" --sim tests/bench/policy.lua "$work/examples" 2>/dev/null)
line "policy: a request waits for Lua, one at a time  ($1 us without, $2 us unmatched)" "$3 us" "-"
echo "network, against reads and writes of a TAP:"
if [ "$(id -u)" = 0 ]; then
	"$work/net" 0.5
else
	echo "  needs root, for a network namespace with TAPs"
fi
