/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_UTF8_H
#define HV_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Text for a terminal, without the locale: names come from scripts and device
 * trees and may be any bytes. Any thread.
 */

/*
 * The character at *text, which moves on by at least one byte; 0 at the end.
 * Malformed bytes, surrogates, control and direction-changing characters
 * come back as U+FFFD.
 */
uint32_t hv_utf8_next(const char **text);

/* Terminal columns: 2 for East Asian wide characters, 0 for combining marks. */
unsigned int hv_utf8_char_width(uint32_t c);
size_t hv_utf8_width(const char *text);

/* Appends one character. */
void hv_utf8_put(struct hv_buf *out, uint32_t c);

#endif
