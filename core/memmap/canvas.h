/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_MEMMAP_CANVAS_H
#define HV_MEMMAP_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * One line of a terminal at a time: characters are put at columns, in any
 * order, later ones over earlier ones; then the line is written with the fewest colour changes.
 */
enum hv_style {
	HV_STYLE_PLAIN,
	HV_STYLE_BOLD,
	HV_STYLE_DIM,
	HV_STYLE_ALERT,
	HV_STYLE_HUE,                          /* + a zone's hue */
	HV_STYLE_HUE_BOLD = HV_STYLE_HUE + 10, /* + a zone's hue */
	HV_STYLE_COUNT = HV_STYLE_HUE_BOLD + 10,
};

struct hv_canvas {
	size_t width;
	bool color, unicode;
	struct hv_buf *out;
	struct hv_glyph *line; /* width of them */
};

/* -ENOMEM. The canvas writes to out, which must outlive it. */
int hv_canvas_init(struct hv_canvas *canvas, size_t width, bool color, bool unicode,
		   struct hv_buf *out);
void hv_canvas_free(struct hv_canvas *canvas);

/* count times a character of one column, from x on. What is beyond the width is left out. */
void hv_canvas_fill(struct hv_canvas *canvas, size_t x, size_t count, uint32_t c,
		    unsigned int style);

/*
 * Text from x on, up to the column limit; longer text is cut with an ellipsis. Names may
 * be any bytes: what is no character becomes U+FFFD, or '?' for ASCII. Returns the column after it.
 */
size_t hv_canvas_text(struct hv_canvas *canvas, size_t x, size_t limit, const char *text,
		      unsigned int style);

/* Writes the line, without the blanks at its end, and starts an empty one. */
void hv_canvas_flush(struct hv_canvas *canvas);

#endif
