// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/drawing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "memmap/legend.h"

const char *hv_drawing_scratch(const struct drawing *d)
{
	return d->text.data ?: "";
}

struct hv_buf *hv_drawing_fresh(struct drawing *d)
{
	d->text.len = 0;
	if (d->text.data)
		*d->text.data = '\0';
	return &d->text;
}

static unsigned int style_of(const struct hv_picture_owner *o, bool bold)
{
	if (o->class == HV_OWNER_ZONE)
		return (bold ? HV_STYLE_HUE_BOLD : HV_STYLE_HUE) + o->hue;
	return bold ? HV_STYLE_BOLD : o->class == HV_OWNER_ROOT ? HV_STYLE_PLAIN : HV_STYLE_DIM;
}

unsigned int hv_drawing_name_style(const struct hv_picture_owner *owner)
{
	return style_of(owner, true);
}

unsigned int hv_drawing_frame_style(const struct drawing *d, const struct hv_picture_block *b,
				    bool clash)
{
	if (clash)
		return HV_STYLE_ALERT;
	if (b->span->kind == HV_SPAN_RESERVED)
		return HV_STYLE_DIM;
	return style_of(&d->p->owners[b->owner], false);
}

/* Of a block's text: what is only reserved stays in the background. */
unsigned int hv_drawing_text_style(const struct drawing *d, const struct hv_picture_block *b)
{
	if (b->span->kind == HV_SPAN_RESERVED)
		return HV_STYLE_DIM;
	return hv_drawing_name_style(&d->p->owners[b->owner]);
}

const char *hv_drawing_label(struct drawing *d, const struct hv_span *s, size_t room)
{
	char size[HV_SIZE_TEXT];
	size_t keep, width;
	const char *what = s->what;
	uint32_t c;

	hv_picture_size(s->size, size);
	hv_drawing_fresh(d);
	keep = strlen(size) + 1;
	if (hv_utf8_width(what) + keep <= room) {
		hv_buf_printf(&d->text, "%s %s", what, size);
		return hv_drawing_scratch(d);
	}
	if (room < keep + 3) {
		hv_buf_puts(&d->text, room >= keep - 1 ? size : what);
		return hv_drawing_scratch(d);
	}
	for (room -= keep + 1; (c = hv_utf8_next(&what)); room -= width) {
		width = hv_utf8_char_width(c);
		if (width > room)
			break;
		hv_utf8_put(&d->text, c);
	}
	hv_buf_printf(&d->text, "%s %s", d->canvas.unicode ? "\u2026" : "~", size);
	return hv_drawing_scratch(d);
}

void hv_drawing_address(struct drawing *d, uint64_t addr)
{
	char text[24];

	if (d->any_shown && d->last_shown == addr)
		return;
	snprintf(text, sizeof(text), "0x%" PRIx64, addr);
	hv_canvas_text(&d->canvas, d->left - 3 - strlen(text), d->left, text, HV_STYLE_DIM);
	d->last_shown = addr;
	d->any_shown = true;
}

/* Where RAM is: a line at the left, and dots where nothing stands. Elsewhere a mark where a hole
 * was left out. */
void hv_drawing_ground(struct drawing *d, const struct hv_picture_row *row)
{
	if (row->in_window || row->skipped)
		hv_canvas_fill(&d->canvas, d->left - 2, 1,
			       row->in_window ? d->set->window : d->set->skip, HV_STYLE_DIM);
	for (size_t x = d->left + 2; row->in_window && x < d->right; x += 4)
		hv_canvas_fill(&d->canvas, x, 1, d->set->ground, HV_STYLE_DIM);
}

void hv_drawing_gap(struct drawing *d, const struct hv_picture_row *row)
{
	hv_drawing_ground(d, row);
	if (!row->first)
		return;
	hv_drawing_fresh(d);
	if (row->kind == HV_ROW_ELIDED)
		hv_buf_printf(&d->text, "%s ", d->set->elision);
	hv_legend_gap(row, &d->text);
	hv_buf_puts(&d->text, " ");
	hv_canvas_text(&d->canvas, d->left, d->canvas.width, hv_drawing_scratch(d), HV_STYLE_DIM);
}

void hv_drawing_rule(struct drawing *d, const struct hv_picture_row *row)
{
	bool start = row->kind == HV_ROW_WINDOW_START;
	char size[HV_SIZE_TEXT];

	hv_canvas_fill(&d->canvas, d->left - 2, 1,
		       start ? d->set->window_top : d->set->window_bottom, HV_STYLE_DIM);
	hv_canvas_fill(&d->canvas, d->left - 1, d->right - d->left + 1, d->set->dash, HV_STYLE_DIM);
	if (!start)
		return;
	hv_drawing_fresh(d);
	hv_buf_printf(&d->text, " %s %s %s ", row->window->zone, row->window->what,
		      hv_picture_size(row->window->size, size));
	hv_canvas_text(&d->canvas, d->left, d->canvas.width, hv_drawing_scratch(d), HV_STYLE_DIM);
}
