/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_MEMMAP_DRAWING_H
#define HV_MEMMAP_DRAWING_H

#include "memmap/canvas.h"
#include "memmap/picture.h"

/* What the two forms of the terminal picture share: columns.c, and the bars of draw.c. */
struct charset {
	uint32_t across, down, top_left, top_right, bottom_left, bottom_right;
	uint32_t reserved, ground, clash, dash, window, window_top, window_bottom, skip, bar, sliver;
	const char *elision, *mark;
};

struct column {
	size_t x, width, wanted;
	const struct hv_picture_owner *owner;
};

struct drawing {
	const struct hv_picture *p;
	const struct charset *set;
	struct hv_canvas canvas;
	struct hv_buf text; /* scratch */
	size_t left, right; /* where the columns begin and end */
	size_t n_columns;
	struct column *columns;
	size_t *column_of;   /* by owner */
	size_t *top;         /* block + 1 by row and column, 0 = none */
	bool *clash;         /* by row and column */
	uint64_t last_shown; /* address at the left */
	bool any_shown;
};

/* The scratch text: emptied, and as a string. */
struct hv_buf *hv_drawing_fresh(struct drawing *d);
const char *hv_drawing_scratch(const struct drawing *d);

/* Styles of an owner's name, of a block's frame, of a block's text. */
unsigned int hv_drawing_name_style(const struct hv_picture_owner *owner);
unsigned int hv_drawing_frame_style(const struct drawing *d, const struct hv_picture_block *b,
				    bool clash);
unsigned int hv_drawing_text_style(const struct drawing *d, const struct hv_picture_block *b);

/* "ram 768M" in room columns: the name gives way, the size stays. Lives in the scratch text. */
const char *hv_drawing_label(struct drawing *d, const struct hv_span *s, size_t room);

/*
 * Parts of a row: its address unless it stood there before, what lies behind the blocks, an empty
 * stretch, a window's edge.
 */
void hv_drawing_address(struct drawing *d, uint64_t addr);
void hv_drawing_ground(struct drawing *d, const struct hv_picture_row *row);
void hv_drawing_gap(struct drawing *d, const struct hv_picture_row *row);
void hv_drawing_rule(struct drawing *d, const struct hv_picture_row *row);

/* One column per owner: 1 when drawn, 0 when they do not fit the width, -ENOMEM. */
int hv_drawing_columns(struct drawing *d);

#endif
