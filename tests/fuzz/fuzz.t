# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzzer runs over its kept corpus and then a little beyond it.
. tests/lib/tap.sh

programs=$(ls build/fuzz/fuzz/fuzz_* 2>/dev/null | grep -v '\.d$')
[ -n "$programs" ]
code=$? out=$programs err=
tap $code "the fuzzers are built"
for program in $programs; do
	name=$(basename "$program")
	corpus=tests/fuzz/corpus/${name#fuzz_}
	mkdir -p "$work/$name"
	[ -n "$(ls "$corpus" 2>/dev/null)" ]
	code=$? out= err="no seeds in $corpus"
	tap $code "$name has a kept corpus"
	run "$program" -max_total_time=6 -timeout=60 -rss_limit_mb=2048 \
		-artifact_prefix="$work/$name-" "$work/$name" "$corpus"
	err=$(printf '%s' "$err" | tail -n 40)
	is 0 "$name finds nothing"
done
finish
