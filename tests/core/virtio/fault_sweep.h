/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_VIRTIO_FAULT_SWEEP_H
#define TESTS_VIRTIO_FAULT_SWEEP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>

#include "syscall_faults.h"

/* Every call of a kind fails once, at each place where it is made. */

#define FAULT_PLACES_MAX 200 /* a run makes far fewer calls of a kind */

struct fault {
	struct sf_fault fault;
	int outcome; /* what may come of it, in the test's own words */
};

/* A run of a device from its start to its end, in which the place-th call fails. Returns whether
 * there was one. */
typedef bool fault_once_fn(const struct fault *f, unsigned int place, const void *arg);

static inline void fault_places(fault_once_fn *once, const struct fault *f, const void *arg)
{
	unsigned int place = 1;

	while (once(f, place, arg))
		if (++place > FAULT_PLACES_MAX)
			fail_msg("%s: no end of places", sf_name(f->fault));
	if (getenv("SF_VERBOSE"))
		print_message("%s: %u places\n", sf_name(f->fault), place - 1);
}

/* And nothing is lost on the way. */
static inline void fault_sweep(fault_once_fn *once, const struct fault *faults, size_t n,
			       const void *arg)
{
	struct sf_owned before;

	/* The first threads of a program bring some of the sanitizer's. */
	assert_false(once(&faults[0], UINT_MAX, arg));
	before = sf_count();
	for (size_t i = 0; i < n; i++)
		fault_places(once, &faults[i], arg);
	sf_expect(before);
}

#define FAULT_SWEEP(once, faults, arg)                                                             \
	fault_sweep(once, faults, sizeof(faults) / sizeof((faults)[0]), arg)

#endif
