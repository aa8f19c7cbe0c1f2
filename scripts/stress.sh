#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# stress.sh BUILD ROUNDS [PATH…]: test.sh again and again, with more to do at once than there are CPUs
# for, of which others want a part as well: threads then stop where they hardly ever do. A test that
# fails here now and then has found a race, or has one.
set -eu
build=$1 rounds=$2
shift 2
cpus=$(nproc) failed=0 busy=''
trap 'kill $busy 2>/dev/null' EXIT
trap 'exit 130' INT TERM
for _ in $(seq "$cpus"); do
	while :; do :; done &
	busy="$busy $!"
done
for round in $(seq "$rounds"); do
	JOBS=$((2 * cpus + 1)) scripts/test.sh "$build" "$@" || failed=$((failed + 1))
	echo "stress.sh: round $round of $rounds, $failed failed"
done
[ "$failed" -eq 0 ]
