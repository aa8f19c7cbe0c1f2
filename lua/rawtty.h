/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_RAWTTY_H
#define HV_LUA_RAWTTY_H

#include <stdbool.h>

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

#endif
