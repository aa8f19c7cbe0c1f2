// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/drawing.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "memmap/legend.h"

#define NARROWEST_COLUMN 12 /* below this a frame has no room for "ram 768M" */
#define WIDEST_COLUMN 26

static size_t label_width(const struct hv_span *s)
{
	char size[HV_SIZE_TEXT];

	return hv_utf8_width(s->what) + 1 + strlen(hv_picture_size(s->size, size));
}

/* What each column would like, then shares of what there is; false when that is too little. */
static bool fit_columns(struct drawing *d)
{
	size_t room = d->canvas.width - d->left, sum = 0, n = d->n_columns, x = d->left;

	for (size_t i = 0; i < d->p->n_blocks; i++) {
		const struct hv_picture_block *b = &d->p->blocks[i];
		struct column *c = &d->columns[d->column_of[b->owner]];
		/* A block of one row may run on into the empty columns beside it. */
		size_t want = label_width(b->span) + (b->first == b->last ? 2 : 4);

		c->wanted = want > c->wanted ? want : c->wanted;
	}
	for (size_t i = 0; i < n; i++) {
		struct column *c = &d->columns[i];
		size_t name = hv_utf8_width(c->owner->name);

		c->wanted = name > c->wanted ? name : c->wanted;
		if (c->wanted < NARROWEST_COLUMN)
			c->wanted = NARROWEST_COLUMN;
		if (c->wanted > WIDEST_COLUMN)
			c->wanted = WIDEST_COLUMN;
		sum += c->wanted + 1;
	}
	/* One column at a time: the widest gives, so that nobody suffers first. */
	while (sum > room + 1) {
		struct column *widest = NULL;

		for (size_t i = 0; i < n; i++)
			if (d->columns[i].wanted > NARROWEST_COLUMN &&
			    (!widest || d->columns[i].wanted >= widest->wanted))
				widest = &d->columns[i];
		if (!widest)
			return false;
		widest->wanted--;
		sum--;
	}
	for (size_t i = 0; i < n; i++) {
		struct column *c = &d->columns[i];
		size_t more = (room + 1 - sum) / (n - i);

		if (c->wanted + more > WIDEST_COLUMN)
			more = WIDEST_COLUMN - c->wanted;
		c->x = x;
		c->width = c->wanted + more;
		sum += more;
		x += c->width + 1;
	}
	return true;
}

static int make_columns(struct drawing *d)
{
	const struct hv_picture *p = d->p;

	d->columns = hv_arena_array(p->arena, p->n_owners, sizeof(*d->columns));
	d->column_of = hv_arena_array(p->arena, p->n_owners, sizeof(*d->column_of));
	if (!d->columns || !d->column_of)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_owners; i++) {
		if (!p->owners[i].column)
			continue;
		d->column_of[i] = d->n_columns;
		d->columns[d->n_columns++].owner = &p->owners[i];
	}
	return 0;
}

static int paint_blocks(struct drawing *d)
{
	d->top = hv_arena_array(d->p->arena, d->p->n_rows * d->n_columns, sizeof(*d->top));
	d->clash = hv_arena_array(d->p->arena, d->p->n_rows * d->n_columns, sizeof(*d->clash));
	if (!d->top || !d->clash)
		return -ENOMEM;
	for (size_t i = 0; i < d->p->n_blocks; i++) {
		const struct hv_picture_block *b = &d->p->blocks[i];

		for (size_t row = b->first; row <= b->last; row++)
			d->top[row * d->n_columns + d->column_of[b->owner]] = i + 1;
	}
	for (size_t i = 0; i < d->p->n_conflicts; i++) {
		const struct hv_picture_conflict *c = &d->p->conflicts[i];

		for (size_t row = c->first; row <= c->last; row++) {
			d->clash[row * d->n_columns + d->column_of[c->owner_a]] = true;
			d->clash[row * d->n_columns + d->column_of[c->owner_b]] = true;
		}
	}
	return 0;
}

/* Where the text of a block of one row must stop: at the next column that is not empty. */
static size_t run_on(const struct drawing *d, size_t row, size_t col)
{
	for (size_t i = col + 1; i < d->n_columns; i++)
		if (d->top[row * d->n_columns + i])
			return d->columns[i].x - 1;
	return d->canvas.width;
}

static void draw_flat(struct drawing *d, size_t row, size_t col, const struct hv_picture_block *b,
		      bool clash)
{
	const struct column *c = &d->columns[col];
	size_t limit = run_on(d, row, col), end;
	unsigned int style = hv_drawing_frame_style(d, b, clash);

	hv_canvas_fill(&d->canvas, c->x, c->width, clash ? d->set->clash : ' ', style);
	hv_canvas_fill(&d->canvas, c->x, 1, '[', style);
	end = c->x + 1;
	if (!b->bare)
		end = hv_canvas_text(&d->canvas, end, limit - 1,
				     hv_drawing_label(d, b->span, limit - 2 - c->x),
				     hv_drawing_text_style(d, b));
	if (end < c->x + c->width - 1)
		end = c->x + c->width - 1;
	hv_canvas_fill(&d->canvas, end, 1, ']', style);
}

static void draw_frame(struct drawing *d, size_t row, size_t col, const struct hv_picture_block *b,
		       bool clash)
{
	const struct column *c = &d->columns[col];
	const struct charset *set = d->set;
	bool top = row == b->first, bottom = row == b->last;
	bool reserved = b->span->kind == HV_SPAN_RESERVED;
	unsigned int style = hv_drawing_frame_style(d, b, clash);
	uint32_t left = top ? set->top_left : bottom ? set->bottom_left : set->down;
	uint32_t right = top ? set->top_right : bottom ? set->bottom_right : set->down;
	uint32_t fill = clash		? set->clash
			: top || bottom ? set->across
			: reserved	? set->reserved
					: ' ';
	size_t end;

	hv_canvas_fill(&d->canvas, c->x, 1, left, style);
	hv_canvas_fill(&d->canvas, c->x + 1, c->width - 2, fill, style);
	hv_canvas_fill(&d->canvas, c->x + c->width - 1, 1, right, style);
	if (b->bare || row != b->label)
		return;
	hv_canvas_fill(&d->canvas, c->x + 1, 1, ' ', style);
	end = hv_canvas_text(&d->canvas, c->x + 2, c->x + c->width - 1,
			     hv_drawing_label(d, b->span, c->width - 3),
			     hv_drawing_text_style(d, b));
	if (end < c->x + c->width - 1)
		hv_canvas_fill(&d->canvas, end, 1, ' ', style);
}

/* In the middle row of what is crossed out: who and how much. */
static void draw_conflicts(struct drawing *d, size_t row)
{
	const struct hv_picture_conflict *told = NULL;
	size_t more = 0, x = d->canvas.width;

	for (size_t i = 0; i < d->p->n_conflicts; i++) {
		const struct hv_picture_conflict *c = &d->p->conflicts[i];
		const struct column *a = &d->columns[d->column_of[c->owner_a]];
		const struct column *b = &d->columns[d->column_of[c->owner_b]];

		if (row != c->told)
			continue;
		x = a->x < x ? a->x : x;
		x = b->x < x ? b->x : x;
		if (told)
			more++;
		else
			told = c;
	}
	if (!told)
		return;
	hv_drawing_fresh(d);
	hv_buf_printf(&d->text, " %s ", d->set->mark);
	hv_legend_conflict(told, &d->text);
	if (more)
		hv_buf_printf(&d->text, " and %zu more", more);
	hv_buf_puts(&d->text, " ");
	hv_canvas_text(&d->canvas, x + 1, d->canvas.width, hv_drawing_scratch(d), HV_STYLE_ALERT);
}

static void draw_used(struct drawing *d, size_t row)
{
	hv_drawing_ground(d, &d->p->rows[row]);
	for (size_t i = 0; i < d->n_columns; i++) {
		size_t top = d->top[row * d->n_columns + i];
		const struct hv_picture_block *b = top ? &d->p->blocks[top - 1] : NULL;
		bool clash = d->clash[row * d->n_columns + i];

		if (!b)
			continue;
		if (b->first == b->last)
			draw_flat(d, row, i, b, clash);
		else
			draw_frame(d, row, i, b, clash);
	}
	draw_conflicts(d, row);
}

int hv_drawing_columns(struct drawing *d)
{
	const struct hv_picture *p = d->p;

	if (make_columns(d))
		return -ENOMEM;
	if (!d->n_columns || !fit_columns(d))
		return 0;
	if (paint_blocks(d))
		return -ENOMEM;
	for (size_t i = 0; i < d->n_columns; i++) {
		const struct column *c = &d->columns[i];

		d->right = c->x + c->width;
		hv_canvas_text(&d->canvas, c->x, d->right, c->owner->name,
			       hv_drawing_name_style(c->owner));
	}
	hv_canvas_flush(&d->canvas);
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct hv_picture_row *row = &p->rows[i];

		if (row->first)
			hv_drawing_address(d, row->start);
		if (row->kind == HV_ROW_USED)
			draw_used(d, i);
		else if (row->kind == HV_ROW_EMPTY || row->kind == HV_ROW_ELIDED)
			hv_drawing_gap(d, row);
		else
			hv_drawing_rule(d, row);
		hv_canvas_flush(&d->canvas);
	}
	if (d->last_shown != p->end) {
		hv_drawing_address(d, p->end);
		hv_canvas_flush(&d->canvas);
	}
	return 1;
}
