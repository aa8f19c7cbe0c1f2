/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_BUF_H
#define HV_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A byte string that grows. Start from `struct hv_buf b = {0}`. When memory is
 * out, failed is set, later appends do nothing, and the caller asks once at the end.
 * data is always terminated by a NUL beyond len (NULL while empty).
 */
struct hv_buf {
	char *data;
	size_t len, cap;
	bool failed;
};

void hv_buf_add(struct hv_buf *buf, const void *bytes, size_t len);
void hv_buf_puts(struct hv_buf *buf, const char *text);
/* count times the text. */
void hv_buf_repeat(struct hv_buf *buf, const char *text, size_t count);
void hv_buf_printf(struct hv_buf *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void hv_buf_free(struct hv_buf *buf);

#endif
