#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# trees.sh HVSH: runs trees.lua over every 25th of Debian's device trees, where tests/long/trees.t has fetched them
# (HVSH_TREES, default build/trees), otherwise over the hand-made ones.
set -eu
hvsh=$1
folder=${HVSH_TREES:-build/trees}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -d "$folder" ]; then
	find "$folder" -name '*.dtb' | sort | awk 'NR % 25 == 0' >"$work/list"
else
	for source in tests/core/fdt/data/*.dts examples/images/*.dts; do
		dtc -q -f -I dts -O dtb -o "$work/$(basename "$source" .dts).dtb" "$source" 2>/dev/null || continue
		echo "$work/$(basename "$source" .dts).dtb"
	done >"$work/list"
fi
"$hvsh" tests/bench/trees.lua <"$work/list"
