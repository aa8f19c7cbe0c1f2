/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_MEMMAP_DRAW_H
#define HV_MEMMAP_DRAW_H

#include "base/buf.h"
#include "memmap/memmap.h"

struct hv_draw_opts {
	int width;    /* columns, 0 = 80; at least 40 are used */
	bool color;   /* ANSI colours */
	bool unicode; /* box drawing; otherwise ASCII */
};

/*
 * The map as a picture: addresses grow downwards, one column per owner (or one labelled bar
 * per span, where the width is too small for the columns), memory to scale, long empty
 * stretches elided and marked with what was left out. Conflicts are shown where they are and
 * listed at the end. The same map always gives the same text; names may be any bytes.
 * Appends to out; -ENOMEM.
 */
int hv_memmap_draw(const struct hv_memmap *map, const struct hv_draw_opts *opts, struct hv_buf *out,
		   struct hv_err *err);

/*
 * The same as a stand-alone SVG document: no scripts, nothing fetched, texts escaped, readable in
 * light and dark; each block tells its addresses and where it was written when pointed at.
 */
int hv_memmap_svg(const struct hv_memmap *map, struct hv_buf *out, struct hv_err *err);

#endif
