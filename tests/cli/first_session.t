# SPDX-License-Identifier: GPL-2.0-or-later
# What docs/first-session.md shows is what terminals show when the same is typed into them.
. tests/lib/tap.sh

command -v tmux >/dev/null || { echo "Bail out! tmux is missing: scripts/setup.sh test installs it"; exit 1; }
mkdir -p "$work/bin"
ln -s "$HVSH" "$work/bin/hvsh"
PATH=$work/bin:$PATH scripts/replay-terminal docs/first-session.md >"$work/page.md" 2>"$work/why"
code=$?
out=$(diff docs/first-session.md "$work/page.md") err=$(cat "$work/why")
is 0 "it can be typed into terminals"
out_is "" "and they show what the page does"
run grep -c '^hvsh(sim)> ' docs/first-session.md
[ "$out" -ge 10 ]
tap $? "which is a whole session"
finish
