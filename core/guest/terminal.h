/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_TERMINAL_H
#define HV_GUEST_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/canvas.h"

/*
 * Text on the lower part of a screen. What is printed is remembered in cells, and drawn later, so
 * that a picture is changed once for all of it. Private to core/guest.
 */
#define TERMINAL_COLS 160
#define TERMINAL_ROWS 64
#define TERMINAL_GROUND 0x11161c /* what is behind and around the text */

struct terminal {
	bool on;		  /* the program has one; nobody else looks at this */
	bool placed;		  /* it has room on the screen */
	uint32_t left, top, unit; /* pixels: of its first cell, of a dot */
	unsigned int cols, rows;
	/* Where the next character goes; x == cols: to the beginning of the next row. */
	unsigned int x, y;
	char cells[TERMINAL_ROWS][TERMINAL_COLS];
	bool wrapped[TERMINAL_ROWS];		 /* the row goes on with what did not fit above */
	unsigned int caret_x, caret_y;		 /* as drawn last */
	unsigned int from_x, from_y, to_x, to_y; /* cells to be drawn; none when to_x is 0 */
};

/* Empty, of a size to print on before there is a screen. */
void terminal_init(struct terminal *t);
/*
 * Gives it the place below the line `top` on a screen of w × h pixels; text that still has room
 * stays. false: there is no room worth it, and it is not placed.
 */
bool terminal_place(struct terminal *t, uint32_t w, uint32_t h, uint32_t top);
uint32_t terminal_cell_w(const struct terminal *t);
uint32_t terminal_cell_h(const struct terminal *t);

/* \r, \n and \b move; what else is not printable is a box. */
void terminal_print(struct terminal *t, const char *text, size_t len);
/*
 * Draws what has changed since it was last called, or all cells after terminal_place; c is the
 * whole screen. changed: the x, y, w and h of it in pixels. false: nothing has, or it is not
 * placed.
 */
bool terminal_draw(struct terminal *t, const struct canvas *c, uint32_t changed[4]);

#endif
