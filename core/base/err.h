/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_ERR_H
#define HV_BASE_ERR_H

#include <stdarg.h>

#define HV_ERR_MSG_MAX 1024

/*
 * One error, written where it is known and worded for a person.
 * code is a positive errno, 0 = no error. msg never ends in a newline and is
 * always terminated; a message too long is cut.
 *
 * Functions that can fail return 0 (or a count) or -errno and take a trailing
 * struct hv_err *, which may be NULL. On success they leave it alone.
 */
struct hv_err {
	int code;
	char msg[HV_ERR_MSG_MAX];
};

/* Sets code and message; returns -code, so that `return hv_err_set(...)` reads well. */
int hv_err_set(struct hv_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int hv_err_setv(struct hv_err *err, int code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* Sets "<message>: <strerror(code)>". */
int hv_err_sys(struct hv_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts context before the message that is there ("zone linux1: " + msg); returns -err->code. */
int hv_err_prefix(struct hv_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* -ENOMEM with the usual words. */
int hv_err_nomem(struct hv_err *err);

/* "ENOENT" for 2; "E<number>" for a number without a name (static or per-thread storage). */
const char *hv_err_name(int code);

#endif
