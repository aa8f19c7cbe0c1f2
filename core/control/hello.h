/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CONTROL_HELLO_H
#define HV_CONTROL_HELLO_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The JSON that the transport itself writes and reads. */
#define HV_CONTROL_PROTOCOL 1 /* the newest version spoken here, and the oldest */
#define HV_CONTROL_OLDEST 1
#define HV_REASON_MAX 512

struct hv_hello {
	int protocol, oldest, pid;
	char program[64];
	char error[HV_REASON_MAX]; /* "" = welcome */
};

/* {"protocol":1,"oldest":1,"program":"hvsh 0.1.0","pid":712,"error":…}; error may be NULL. */
void hv_hello_write(struct hv_buf *to, const char *error);
/* -EPROTO: no hello. Control characters in its texts are replaced. */
int hv_hello_read(const void *json, size_t len, struct hv_hello *hello, struct hv_err *err);
/* The version both speak, or -EPROTONOSUPPORT with a message about `they`. */
int hv_hello_version(const struct hv_hello *hello, const char *they, struct hv_err *err);

/* {"reason":TEXT}, as a close has it; to: at most HV_FRAME_SMALL_MAX bytes. */
void hv_reason_write(struct hv_buf *to, const char *text);
/* "" when there is none. */
void hv_reason_read(const void *json, size_t len, char to[HV_REASON_MAX]);

#endif
