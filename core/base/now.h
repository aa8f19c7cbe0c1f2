/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_NOW_H
#define HV_BASE_NOW_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in ns (vDSO): the clock of all deadlines. Any thread. */
static inline uint64_t hv_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Processor time of the calling thread in ns: on a busy machine the clock on the wall says little. Any thread. */
static inline uint64_t hv_cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif
