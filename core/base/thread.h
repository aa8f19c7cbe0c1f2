/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_THREAD_H
#define HV_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Starts a thread that takes no signals but SIGSYS (they are the main thread's) under a name of at
 * most 15 bytes. 0 or -errno.
 */
int hv_thread_start(pthread_t *thread, void *(*body)(void *arg), void *arg, const char *name);

/*
 * Asks the scheduler for short turns for the calling thread and those it starts from now on: its
 * share of the CPU stays what it is, but when it wakes it does not wait until who computes has used
 * up a turn of some ms. Linux 6.12 or later; without effect before.
 */
void hv_thread_short_turns(void);

/*
 * A thread that polls gives its CPU away between looks, to who may be the one it waits for. When
 * the CPU comes back late, somebody computes there, and polling costs it more than sleeping
 * would: for a while it is not allowed. One thread's.
 */
struct hv_poll {
	uint64_t off_until; /* CLOCK_MONOTONIC ns */
};

static inline bool hv_poll_allowed(const struct hv_poll *poll, uint64_t now)
{
	return now >= poll->off_until;
}

/* Gives the CPU away; before: the time. Returns the time after. */
uint64_t hv_poll_yield(struct hv_poll *poll, uint64_t before);

#endif
