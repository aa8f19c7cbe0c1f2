/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_EMBED_H
#define HV_LUA_EMBED_H

/* The Lua files inside the binary, made by scripts/embed.sh: the prelude as "hvsh.<name>", its
 * documentation as "hvsh.meta.<name>", modules as "board.qemu_virt". */
struct hv_embedded {
	const char *name;
	const char *start, *end;
};

extern const struct hv_embedded hv_embedded[];
extern const unsigned int hv_embedded_count;

#endif
