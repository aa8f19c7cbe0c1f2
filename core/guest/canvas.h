/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_CANVAS_H
#define HV_GUEST_CANVAS_H

#include <stdint.h>

/* Drawing into a picture, or a part of one. What is outside is cut off. Private to core/guest. */
struct canvas {
	uint32_t *pixels; /* 0xXXRRGGBB */
	uint32_t stride;  /* pixels from one line to the next */
	uint32_t w, h;
};

void canvas_fill(const struct canvas *c, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
		 uint32_t colour);

/* Dots of a character. The last row is for what goes below the line. */
#define CANVAS_GLYPH_W 5
#define CANVAS_GLYPH_H 8
/* unit: pixels of a dot. What is not printable ASCII becomes a box. */
void canvas_glyph(const struct canvas *c, char ch, uint32_t x, uint32_t y, uint32_t unit,
		  uint32_t colour);

#endif
