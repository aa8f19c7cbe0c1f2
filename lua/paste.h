/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_PASTE_H
#define HV_LUA_PASTE_H

#include <stdbool.h>

/*
 * Text that a terminal says was pasted ("bracketed paste"). Its first line goes into the line that
 * is being edited and ends it; the others wait here and need no editing, nor a redraw each. Nothing
 * in it is a command of the editor: tabs are tabs. Main thread.
 */

/* Takes the key sequence over. Before the first line is read. */
void hv_paste_bind(void);

/* The next whole line that waits, malloc'ed; NULL when there is none. */
char *hv_paste_next(void);

/* Puts what is left, the beginning of a line, into the line being edited. */
void hv_paste_insert_rest(void);

void hv_paste_drop(void);

#endif
