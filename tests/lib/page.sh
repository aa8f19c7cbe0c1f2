# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced after tap.sh, in the project's folder.
#   replayed PAGE  its commands print what it shows; two checks
replayed() {
	mkdir -p "$work/bin"
	ln -sf "$HVSH" "$work/bin/hvsh"
	code=0
	PATH=$work/bin:$PATH timeout 300 scripts/replay "$1" >"$work/page.md" || code=$?
	out=$(diff "$1" "$work/page.md") err=
	is 0 "$1 can be replayed"
	out_is "" "and every command prints what it shows"
}
