/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_SANDBOX_SANDBOX_PRIV_H
#define HV_SANDBOX_SANDBOX_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Sanitizers look into their own process as a debugger does, and start threads to that end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SANDBOX_SANITIZER 1
#endif
#endif
#ifndef SANDBOX_SANITIZER
#define SANDBOX_SANITIZER 0
#endif

/*
 * Runs fn in every thread of the process, the calling one last. fn may only do what a signal
 * handler may. The first result but 0; -ETIMEDOUT when a thread does not come.
 */
int sandbox_everywhere(int (*fn)(void *arg), void *arg, struct hv_err *err);

/* ---- what a second process must not hold on to. a, b: above standard error, or -1 */

/* Closes all descriptors but these. */
void sandbox_close_but(int a, int b);
/* The same; standard input, output and error are /dev/null afterwards. */
void sandbox_leave(int a, int b);

/* ---- Landlock */

/* A ruleset as a descriptor, and the version; -EOPNOTSUPP: the kernel has none. */
int sandbox_ruleset(int *abi, struct hv_err *err);
/* For the calling thread; safe in a signal handler. 0 or -errno. */
int sandbox_restrict(int ruleset);

/* ---- seccomp */

/* For all threads. -EOPNOTSUPP: the kernel has none. */
int sandbox_filter(struct hv_err *err);
/*
 * Into a filter of libseccomp: `action` for all of these system calls. Names that this architecture
 * or the library does not know are passed over. 0 or -errno.
 */
int sandbox_filter_add(void *ctx, uint32_t action, const char *const *names, size_t n);
/* From the handler of SIGSYS: info and context are its arguments. */
void sandbox_refused(const void *info, void *context);

#endif
