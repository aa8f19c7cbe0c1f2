#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# reference.sh [man FILE]: writes docs/reference.md and lua/meta/fields.lua anew, or the manual page hvsh-lua(7), from
# lua/meta and the schema that are inside the binary: HVSH (build/native/hvsh).
set -eu
cd "$(dirname "$0")/.."
hvsh=${HVSH:-build/native/hvsh}

# One file, whole or not at all.
write() {
	"$hvsh" scripts/reference.lua "$1" >"$2.tmp" || { rm -f "$2.tmp"; exit 1; }
	if cmp -s "$2.tmp" "$2"; then
		rm -f "$2.tmp"
	else
		mv "$2.tmp" "$2"
		echo "reference.sh: wrote $2"
	fi
}

case ${1-} in
'')
	write reference docs/reference.md
	write fields lua/meta/fields.lua
	;;
man)
	out=${2:-build/man/hvsh-lua.7}
	mkdir -p "$(dirname "$out")"
	write man "$out"
	;;
*)
	echo "usage: scripts/reference.sh [man [FILE]]" >&2
	exit 2
	;;
esac
