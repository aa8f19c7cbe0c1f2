#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes a C file that holds the Lua files named as arguments, in a table
# `hv_embedded` sorted by name. lua/prelude/x.lua becomes "hvsh.x", lua/meta/x.lua "hvsh.meta.x",
# modules/a/b.lua "a.b".
set -eu

printf '#include "lua/embed.h"\n'
i=0
for file in "$@"; do
	printf '__asm__(".section .rodata\\n.balign 16\\nhv_embed_%d:\\n.incbin \\"%s\\"\\nhv_embed_%d_end:\\n.byte 0\\n.previous\\n");\n' $i "$file" $i
	printf 'extern const char hv_embed_%d[], hv_embed_%d_end[];\n' $i $i
	i=$((i + 1))
done
printf 'const struct hv_embedded hv_embedded[] = {\n'
i=0
for file in "$@"; do
	name=$(printf '%s' "${file%.lua}" | sed 's,^lua/prelude/,hvsh/,; s,^lua/meta/,hvsh/meta/,; s,^modules/,,; s,/,.,g')
	printf '\t{ "%s", hv_embed_%d, hv_embed_%d_end },\n' "$name" $i $i
	i=$((i + 1))
done
printf '};\nconst unsigned int hv_embedded_count = %d;\n' $i
