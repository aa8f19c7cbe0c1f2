/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_RAWTTY_H
#define HV_LUA_RAWTTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

/*
 * The terminal in raw mode: every key is a byte, every byte is shown as it is. One at a time, main
 * thread. Its settings come back with leave, at exit, and when a signal like SIGSEGV ends the
 * program.
 */
/* signals: Ctrl-C, Ctrl-\ and Ctrl-Z still make them. fd stays open until leave. */
int hv_rawtty_enter(int fd, bool signals, struct hv_err *err);
void hv_rawtty_leave(void); /* fine when not entered */
/* Around a stop of the program, and after one that came without warning: raw again. */
void hv_rawtty_pause(void);
void hv_rawtty_resume(void);

/*
 * The raw terminal is where standard output and error go, too, and a guest's bytes are shown there:
 * what hv_rawtty_say and the log say stands at the left of a line of its own. *at_start says
 * whether the cursor is at the start of one, and is kept up by both sides. NULL ends it. Main
 * thread.
 */
void hv_rawtty_lend(_Atomic bool *at_start);
bool hv_rawtty_is_lent(void);

/* A text of one line or more; to that stream where no console has the terminal. Any thread. */
void hv_rawtty_say(FILE *out, const char *text, size_t len);

#endif
