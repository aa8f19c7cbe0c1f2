// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/draw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "memmap/drawing.h"
#include "memmap/legend.h"

#define DEFAULT_WIDTH 80
#define LEAST_WIDTH 40
#define MOST_WIDTH 1000
#define LISTED_CONFLICTS 20

static const struct charset unicode_set = {
	.across = 0x2500,
	.down = 0x2502,
	.top_left = 0x250c,
	.top_right = 0x2510,
	.bottom_left = 0x2514,
	.bottom_right = 0x2518,
	.reserved = 0x2591,
	.ground = 0xb7,
	.clash = 0x2573,
	.dash = 0x254c,
	.window = 0x2502,
	.window_top = 0x256d,
	.window_bottom = 0x2570,
	.skip = 0x22ef,
	.bar = 0x2588,
	.sliver = 0x258f,
	.elision = "\u22ef",
	.mark = "\u2717",
};

static const struct charset ascii_set = {
	.across = '-',
	.down = '|',
	.top_left = '+',
	.top_right = '+',
	.bottom_left = '+',
	.bottom_right = '+',
	.reserved = ':',
	.ground = '.',
	.clash = 'X',
	.dash = '-',
	.window = '|',
	.window_top = '+',
	.window_bottom = '+',
	.skip = ':',
	.bar = '#',
	.sliver = '|',
	.elision = "...",
	.mark = "!!",
};

/* ---- one row per span, where columns do not fit */

static void draw_bar(struct drawing *d, const struct hv_picture_block *b, uint64_t largest,
		     size_t name_width)
{
	const struct hv_picture_owner *o = &d->p->owners[b->owner];
	bool reserved = b->span->kind == HV_SPAN_RESERVED;
	size_t x = d->left + name_width + 1;
	size_t room = (d->canvas.width - x) / 2;
	uint64_t size = b->span->size < largest ? b->span->size : largest;
	/* Shifted so that the product fits. */
	size_t len = (size_t)((size >> 10) * room / ((largest >> 10) + 1));

	hv_canvas_text(&d->canvas, d->left, d->left + name_width, o->name,
		       hv_drawing_name_style(o));
	hv_canvas_fill(&d->canvas, x, len ?: 1,
		       !len	  ? d->set->sliver
		       : reserved ? d->set->reserved
				  : d->set->bar,
		       hv_drawing_frame_style(d, b, false));
	x += (len ?: 1) + 1;
	hv_canvas_text(&d->canvas, x, d->canvas.width,
		       hv_drawing_label(d, b->span, d->canvas.width - x), HV_STYLE_PLAIN);
	hv_canvas_flush(&d->canvas);
}

static void draw_bars_at(struct drawing *d, size_t row, uint64_t largest, size_t name_width)
{
	const struct hv_picture *p = d->p;

	for (size_t i = 0; i < p->n_blocks; i++) {
		if (p->blocks[i].first != row)
			continue;
		hv_drawing_ground(d, &p->rows[row]);
		hv_drawing_address(d, p->blocks[i].span->start);
		draw_bar(d, &p->blocks[i], largest, name_width);
	}
	for (size_t i = 0; i < p->n_conflicts; i++) {
		if (p->conflicts[i].first != row)
			continue;
		hv_drawing_ground(d, &p->rows[row]);
		hv_drawing_address(d, p->conflicts[i].start);
		hv_drawing_fresh(d);
		hv_buf_printf(&d->text, "%s ", d->set->mark);
		hv_legend_conflict(&p->conflicts[i], &d->text);
		hv_canvas_text(&d->canvas, d->left, d->canvas.width, hv_drawing_scratch(d),
			       HV_STYLE_ALERT);
		hv_canvas_flush(&d->canvas);
	}
}

static void draw_bars(struct drawing *d)
{
	const struct hv_picture *p = d->p;
	size_t name_width = 0, room = (d->canvas.width - d->left) / 3;
	uint64_t largest = 0;

	d->right = d->left; /* no dots, short rules */
	for (size_t i = 0; i < p->n_owners; i++) {
		size_t width = hv_utf8_width(p->owners[i].name);

		if (p->owners[i].column && width > name_width)
			name_width = width;
	}
	if (name_width > room)
		name_width = room;
	for (size_t i = 0; i < p->n_blocks; i++)
		if (p->blocks[i].span->size > largest)
			largest = p->blocks[i].span->size;
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct hv_picture_row *row = &p->rows[i];

		if (!row->first)
			continue;
		if (row->kind == HV_ROW_USED) {
			draw_bars_at(d, i, largest, name_width);
			continue;
		}
		hv_drawing_address(d, row->start);
		if (row->kind == HV_ROW_EMPTY || row->kind == HV_ROW_ELIDED)
			hv_drawing_gap(d, row);
		else
			hv_drawing_rule(d, row);
		hv_canvas_flush(&d->canvas);
	}
}

/* ---- legend */

/* Text over as many lines as it needs, broken at blanks where that works. */
static void draw_wrapped(struct drawing *d, const char *text, size_t indent)
{
	size_t room = d->canvas.width - indent;

	while (*text) {
		const char *end = text, *blank = NULL;
		size_t width = 0;
		char *line;

		while (*end && width < room) {
			const char *next = end;

			width += hv_utf8_char_width(hv_utf8_next(&next));
			if (width > room)
				break;
			end = next;
			if (!*end || *end == ' ')
				blank = end;
		}
		if (blank)
			end = blank;
		line = hv_arena_strndup(d->p->arena, text, (size_t)(end - text));
		hv_canvas_text(&d->canvas, indent, d->canvas.width, line ?: "", HV_STYLE_PLAIN);
		hv_canvas_flush(&d->canvas);
		text = end + strspn(end, " ");
	}
}

static void draw_legend(struct drawing *d)
{
	const struct hv_picture *p = d->p;
	size_t name_width = 4, width = d->canvas.width;

	for (size_t i = 0; i < p->n_owners; i++) {
		size_t w = hv_utf8_width(p->owners[i].name);

		name_width = w > name_width ? w : name_width;
	}
	if (name_width > width / 3)
		name_width = width / 3;
	hv_canvas_flush(&d->canvas);
	for (size_t i = 0; i < p->n_owners; i++) {
		const struct hv_picture_owner *o = &p->owners[i];

		hv_canvas_text(&d->canvas, 1, name_width + 1, o->name, hv_drawing_name_style(o));
		hv_legend_owner(o, hv_drawing_fresh(d));
		draw_wrapped(d, hv_drawing_scratch(d), name_width + 3);
	}
	if (p->has_windows) {
		hv_canvas_text(&d->canvas, 1, width, "free", HV_STYLE_DIM);
		hv_legend_free(p, hv_drawing_fresh(d));
		draw_wrapped(d, hv_drawing_scratch(d), name_width + 3);
	}
}

static void list_conflicts(struct drawing *d)
{
	const struct hv_picture *p = d->p;
	size_t shown = p->n_conflicts < LISTED_CONFLICTS ? p->n_conflicts : LISTED_CONFLICTS;

	if (!p->n_conflicts)
		return;
	hv_buf_printf(hv_drawing_fresh(d), "%s %zu overlap%s", d->set->mark, p->conflicts_found,
		      p->conflicts_found > 1 ? "s" : "");
	hv_canvas_text(&d->canvas, 1, d->canvas.width, hv_drawing_scratch(d), HV_STYLE_ALERT);
	hv_canvas_flush(&d->canvas);
	for (size_t i = 0; i < shown; i++) {
		hv_legend_conflict_long(&p->conflicts[i], hv_drawing_fresh(d));
		draw_wrapped(d, hv_drawing_scratch(d), 3);
	}
	if (shown < p->conflicts_found) {
		hv_buf_printf(hv_drawing_fresh(d), "and %zu more", p->conflicts_found - shown);
		draw_wrapped(d, hv_drawing_scratch(d), 3);
	}
}

int hv_memmap_draw(const struct hv_memmap *map, const struct hv_draw_opts *opts, struct hv_buf *out,
		   struct hv_err *err)
{
	struct drawing d = { .set = opts->unicode ? &unicode_set : &ascii_set };
	int width = opts->width ? opts->width : DEFAULT_WIDTH;
	struct hv_picture *p;
	char end[24];
	int ret = hv_picture_new(map, &p, err);

	if (ret)
		return ret;
	if (!p->n_rows) {
		hv_buf_puts(out, "the map is empty\n");
		goto out;
	}
	width = width < LEAST_WIDTH ? LEAST_WIDTH : width > MOST_WIDTH ? MOST_WIDTH : width;
	d.p = p;
	ret = hv_canvas_init(&d.canvas, (size_t)width, opts->color, opts->unicode, out);
	if (ret)
		goto out;
	d.left = (size_t)snprintf(end, sizeof(end), "0x%" PRIx64, p->end) + 3;
	ret = hv_drawing_columns(&d);
	if (ret < 0)
		goto out;
	if (!ret)
		draw_bars(&d);
	ret = 0;
	draw_legend(&d);
	list_conflicts(&d);
out:
	if (!ret && (out->failed || d.text.failed))
		ret = -ENOMEM;
	hv_canvas_free(&d.canvas);
	hv_buf_free(&d.text);
	hv_picture_free(p);
	return ret ? hv_err_nomem(err) : 0;
}
