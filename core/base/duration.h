/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_DURATION_H
#define HV_BASE_DURATION_H

#include <stdint.h>

#include "base/err.h"

/*
 * Reads "10s", "250ms", "1.5 s", "2m", "1h", "100us", "5ns"; a plain number is seconds. Any thread.
 * -EINVAL: not a duration; -ERANGE: finer than a nanosecond, or longer than 2^63-1 of them, which
 * a Lua integer must hold.
 */
int hv_duration_parse(const char *text, uint64_t *ns, struct hv_err *err);

/* The shortest text that reads back as exactly that, with at most three decimals: "2m", "1.5s",
 * "250ms"; returns out. */
#define HV_DURATION_TEXT 28
const char *hv_duration_format(uint64_t ns, char out[HV_DURATION_TEXT]);

#endif
