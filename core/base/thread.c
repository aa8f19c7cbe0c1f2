// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/now.h"

#define TURN_NS 100000 /* the least the scheduler takes */
#define LATE_NS 500000 /* what a thread with short turns never keeps a CPU for */
#define OFF_FACTOR 32  /* what was lost costs 1/32 of the time at most */

int hv_thread_start(pthread_t *thread, void *(*body)(void *arg), void *arg, const char *name)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	/* The kernel sends it for what the thread itself did, and sandbox_everywhere to reach it. */
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(thread, NULL, body, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return -rc;
	pthread_setname_np(*thread, name);
	return 0;
}

/* As the kernel has it; the header that says so does not go together with the C library's. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void hv_thread_short_turns(void)
{
	struct attributes a = { .size = sizeof(a) };
	int saved = errno;

	/* A wish: what the kernel says to it does not matter. Other policies are somebody's
	 * decision. */
	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) == 0 && a.policy == SCHED_OTHER) {
		a.runtime = TURN_NS;
		syscall(SYS_sched_setattr, 0, &a, 0);
	}
	errno = saved;
}

uint64_t hv_poll_yield(struct hv_poll *poll, uint64_t before)
{
	uint64_t now;

	sched_yield();
	now = hv_now();
	if (now - before > LATE_NS)
		poll->off_until = now + OFF_FACTOR * (now - before);
	return now;
}
