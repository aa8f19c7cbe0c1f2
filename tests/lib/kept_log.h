/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_KEPT_LOG_H
#define TESTS_LIB_KEPT_LOG_H

#include <stdbool.h>

/* Lines of the log, kept for a test instead of printed. Any thread. */
/* From here on; what was kept before is forgotten. */
void kept_log_begin(void);
bool kept_log_has(const char *text);
unsigned int kept_log_lines(void);
/* All of them, for a message of the test. */
const char *kept_log_text(void);

#endif
