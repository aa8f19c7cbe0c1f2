// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/terminal.h"

#include <string.h>

#define COLS_MIN 20
#define ROWS_MIN 3
/* Dots: a cell has a column beside the glyph, a row above it, and one below it for the caret. */
#define CELL_W (CANVAS_GLYPH_W + 1u)
#define CELL_H (CANVAS_GLYPH_H + 2u)
#define MARGIN 4u

#define TEXT 0xd6dde4
#define CARET 0x6fc3a4

uint32_t terminal_cell_w(const struct terminal *t)
{
	return CELL_W * t->unit;
}

uint32_t terminal_cell_h(const struct terminal *t)
{
	return CELL_H * t->unit;
}

static void touch(struct terminal *t, unsigned int x, unsigned int y)
{
	if (!t->to_x) {
		t->from_x = x;
		t->from_y = y;
	}
	t->from_x = x < t->from_x ? x : t->from_x;
	t->from_y = y < t->from_y ? y : t->from_y;
	t->to_x = x < t->to_x ? t->to_x : x + 1;
	t->to_y = y < t->to_y ? t->to_y : y + 1;
}

static void touch_all(struct terminal *t)
{
	touch(t, 0, 0);
	touch(t, t->cols - 1, t->rows - 1);
}

static void clear_rows(struct terminal *t, unsigned int from)
{
	memset(t->cells[from], ' ', (TERMINAL_ROWS - from) * sizeof(t->cells[0]));
	memset(&t->wrapped[from], 0, (TERMINAL_ROWS - from) * sizeof(t->wrapped[0]));
}

void terminal_init(struct terminal *t)
{
	memset(t, 0, sizeof(*t));
	t->unit = 1;
	t->cols = 80;
	t->rows = TERMINAL_ROWS;
	clear_rows(t, 0);
}

static void scroll(struct terminal *t, unsigned int by)
{
	memmove(t->cells[0], t->cells[by], (TERMINAL_ROWS - by) * sizeof(t->cells[0]));
	memmove(&t->wrapped[0], &t->wrapped[by], (TERMINAL_ROWS - by) * sizeof(t->wrapped[0]));
	clear_rows(t, TERMINAL_ROWS - by);
	t->y -= by;
	touch_all(t);
}

bool terminal_place(struct terminal *t, uint32_t w, uint32_t h, uint32_t top)
{
	uint32_t unit = h / 400 ? h / 400 : 1, margin = MARGIN * unit;
	uint32_t cols, rows;

	t->placed = false;
	if (w < 2 * margin || h < top + 2 * margin)
		return false;
	cols = (w - 2 * margin) / (CELL_W * unit);
	rows = (h - top - 2 * margin) / (CELL_H * unit);
	if (cols < COLS_MIN || rows < ROWS_MIN)
		return false;
	t->placed = true;
	t->unit = unit;
	t->left = margin;
	t->top = top + margin;
	t->cols = cols < TERMINAL_COLS ? cols : TERMINAL_COLS;
	t->rows = rows < TERMINAL_ROWS ? rows : TERMINAL_ROWS;
	if (t->x > t->cols)
		t->x = t->cols;
	t->to_x = t->to_y = 0;
	if (t->y >= t->rows)
		scroll(t, t->y - t->rows + 1);
	if (t->rows < TERMINAL_ROWS)
		clear_rows(t, t->rows);
	touch_all(t);
	return true;
}

static void feed(struct terminal *t)
{
	if (++t->y == t->rows)
		scroll(t, 1);
}

static void back(struct terminal *t)
{
	if (t->x) {
		t->x--;
	} else if (t->y && t->wrapped[t->y]) {
		t->wrapped[t->y--] = false;
		t->x = t->cols - 1;
	}
}

static void put(struct terminal *t, char c)
{
	if (t->x == t->cols) {
		feed(t);
		t->x = 0;
		t->wrapped[t->y] = true;
	}
	t->cells[t->y][t->x] = c;
	touch(t, t->x++, t->y);
}

void terminal_print(struct terminal *t, const char *text, size_t len)
{
	for (; len; len--, text++) {
		if (*text == '\r')
			t->x = 0;
		else if (*text == '\n')
			feed(t);
		else if (*text == '\b')
			back(t);
		/* One box for all bytes of a character. */
		else if (((unsigned char)*text & 0xc0) != 0x80)
			put(t, *text);
	}
}

static void draw_cell(const struct terminal *t, const struct canvas *c, unsigned int x,
		      unsigned int y)
{
	uint32_t at_x = t->left + x * CELL_W * t->unit, at_y = t->top + y * CELL_H * t->unit;

	canvas_fill(c, at_x, at_y, CELL_W * t->unit, CELL_H * t->unit, TERMINAL_GROUND);
	canvas_glyph(c, t->cells[y][x], at_x, at_y + t->unit, t->unit, TEXT);
	if (x == t->caret_x && y == t->caret_y)
		canvas_fill(c, at_x, at_y + (CELL_H - 1) * t->unit, CANVAS_GLYPH_W * t->unit,
			    t->unit, CARET);
}

bool terminal_draw(struct terminal *t, const struct canvas *c, uint32_t changed[4])
{
	unsigned int caret_x = t->x < t->cols ? t->x : t->cols - 1;

	if (!t->placed)
		return false;
	if (caret_x != t->caret_x || t->y != t->caret_y) {
		if (t->caret_x < t->cols && t->caret_y < t->rows)
			touch(t, t->caret_x, t->caret_y);
		touch(t, caret_x, t->y);
		t->caret_x = caret_x;
		t->caret_y = t->y;
	}
	if (!t->to_x)
		return false;
	for (unsigned int y = t->from_y; y < t->to_y; y++)
		for (unsigned int x = t->from_x; x < t->to_x; x++)
			draw_cell(t, c, x, y);
	changed[0] = t->left + t->from_x * CELL_W * t->unit;
	changed[1] = t->top + t->from_y * CELL_H * t->unit;
	changed[2] = (t->to_x - t->from_x) * CELL_W * t->unit;
	changed[3] = (t->to_y - t->from_y) * CELL_H * t->unit;
	t->to_x = t->to_y = 0;
	return true;
}
