# SPDX-License-Identifier: GPL-2.0-or-later
# What README.md and the manual show is what happens: their console blocks come out as they stand there.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/page.sh"
for page in README.md docs/bring-up.md; do replayed $page; done
run grep -c '^\$ hvsh' README.md
[ "$out" -ge 8 ]
tap $? "README.md shows its commands"
unknown=
for board in modules/board/*.lua; do
	board=${board##*/}
	grep -q "\`${board%.lua}\`" docs/bring-up.md || unknown+=" $board"
done
out=$unknown
out_is "" "docs/bring-up.md names every board there is"
finish
