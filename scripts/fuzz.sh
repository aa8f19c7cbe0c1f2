#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz.sh BUILD SECONDS: every fuzzer for that long, starting from (and adding to) the kept corpus.
set -eu
build=$1
seconds=$2
status=0
for program in "$build"/fuzz/fuzz_*; do
	[ -x "$program" ] || continue
	name=$(basename "$program")
	corpus=tests/fuzz/corpus/${name#fuzz_}
	mkdir -p "$corpus" "$build/artifacts"
	echo "== $name, $seconds s"
	"$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$build/artifacts/$name-" "$corpus" 2>"$build/$name.log" || {
		status=1
		echo "not ok: see $build/$name.log"
		tail -n 30 "$build/$name.log"
	}
	grep -E 'stat::number_of_executed_units|cov:' "$build/$name.log" | tail -n 2
done
exit $status
