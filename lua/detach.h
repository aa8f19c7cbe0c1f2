/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_DETACH_H
#define HV_LUA_DETACH_H

#include "base/err.h"

/*
 * -d: the program goes on in the background as soon as it serves. Until then it speaks to the
 * terminal it was called from, and its failures are those of the command.
 */

/*
 * Splits into two before anything else was begun. The caller's half returns the exit code to end
 * with (>= 0) once the other one is ready or has ended; the other half goes on with -EAGAIN.
 * Anything else: with err.
 */
int hv_detach_begin(struct hv_err *err);

/* It serves: the command ends now with this code. What is printed from now on goes to log, which is
 * appended to. Does nothing without hv_detach_begin. */
int hv_detach_ready(int code, const char *log, struct hv_err *err);

/* Between the two. */
int hv_detach_pending(void);

#endif
