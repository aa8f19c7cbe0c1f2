/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_HISTORY_H
#define HV_LUA_HISTORY_H

/*
 * What was typed at prompts: readline's list, and $HOME/.hvsh_history behind it. The file is used
 * only when it is a plain file of ours with one name; it is readable by its owner alone. A history
 * that cannot be had is no failure. Between hv_line_open and hv_line_close; main thread.
 */

/* Reads the file; once. */
void hv_history_load(void);

/* Remembers a line (or several, pasted as one), unless it is blank or the one before. */
void hv_history_add(const char *line);

#endif
