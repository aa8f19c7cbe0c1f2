// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "told.h"

#include <stdio.h>

#include "kept_log.h"
#include "vrig.h"

#define LINES_MAX 4

void told(const char *who, const char *what, unsigned int place)
{
	uint64_t deadline = 0;
	char wait[256];

	if (!who && kept_log_lines())
		fail_msg("%s at place %u: said for nothing: %s", what, place, kept_log_text());
	if (!who)
		return;
	snprintf(wait, sizeof(wait), "\"%s\" in the log, after %s at place %u", who, what, place);
	while (!kept_log_has(who))
		vrig_pause(&deadline, wait);
	if (kept_log_lines() > LINES_MAX)
		fail_msg("%s at place %u is told %u times: %s", what, place, kept_log_lines(),
			 kept_log_text());
}
