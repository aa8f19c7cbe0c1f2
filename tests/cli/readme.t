# SPDX-License-Identifier: GPL-2.0-or-later
# What README.md shows is what happens: its console blocks come out as they stand there.
. tests/lib/tap.sh

mkdir -p "$work/bin"
ln -s "$HVSH" "$work/bin/hvsh"
PATH=$work/bin:$PATH scripts/replay README.md >"$work/README.md"
code=$?
out=$(diff README.md "$work/README.md") err=
is 0 "it can be replayed"
out_is "" "and every command prints what the page shows"
run grep -c '^\$ hvsh' README.md
[ "$out" -ge 8 ]
tap $? "the page shows its commands"
finish
