#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# reference.sh: writes anew what is made of lua/meta, the schema and the table of commands that are inside the binary HVSH
# (build/native/hvsh): docs/reference.md, lua/meta/fields.lua, and the manual pages in docs/man.
set -eu
cd "$(dirname "$0")/.."
hvsh=${HVSH:-build/native/hvsh}

# write FILE SCRIPT ARG: one file, whole or not at all.
write() {
	"$hvsh" "$2" "$3" >"$1.tmp" || { rm -f "$1.tmp"; exit 1; }
	if cmp -s "$1.tmp" "$1"; then
		rm -f "$1.tmp"
	else
		mv "$1.tmp" "$1"
		echo "reference.sh: wrote $1"
	fi
}

[ $# = 0 ] || { echo "usage: scripts/reference.sh" >&2; exit 2; }
write docs/reference.md scripts/reference.lua reference
write lua/meta/fields.lua scripts/reference.lua fields
write docs/man/hvsh-lua.7 scripts/reference.lua man
for page in docs/man/*.in; do write "${page%.in}" scripts/manual.lua "$page"; done
