/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_SANDBOX_SANDBOX_H
#define HV_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * What a process that serves guests keeps of its rights: docs/security.md says what, and why. It
 * cannot be undone.
 */
struct hv_sandbox {
	bool closed;
	unsigned int capabilities; /* how many are left */
	bool seccomp;
	int landlock; /* version of the kernel's interface; 0 = not in force */
	bool opener;
};

/*
 * Closes it around all threads: no new privileges, no core dumps, no capabilities, a filter of
 * system calls, and of files only what hv_opener_allow has said beneath folders, and what every
 * program needs. Seals the opener first, where one was started. What this kernel has not is left
 * out and told in the log, at info. Main thread, in its own time: every thread is made to stop for
 * a moment.
 *
 * On failure as much as possible is in force, and hv_sandbox_state tells what.
 */
int hv_sandbox_close(struct hv_err *err);

const struct hv_sandbox *hv_sandbox_state(void);

/* "capabilities 0, seccomp, landlock 4, opener"; "open" before it is closed. */
void hv_sandbox_describe(char *out, size_t size);

#endif
