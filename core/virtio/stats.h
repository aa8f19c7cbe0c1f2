/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_STATS_H
#define HV_VIRTIO_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Counters of a device, never reset while it lives (readers take differences).
 * Relaxed atomics: workers of one device may share them; the cost is measured, not assumed.
 *
 * What a guest sees done is counted already: requests, bytes, errors and times are added before the
 * completion is shown. What comes of the showing (interrupts, suppressed) and of the thread itself
 * (wakeups) is added after it.
 */
#define HV_LATENCY_BUCKETS 32 /* bucket i: requests that took [2^i, 2^(i+1)) ns */

struct hv_vdev_stats {
	_Atomic uint64_t requests;   /* chains completed */
	_Atomic uint64_t read_bytes; /* to the guest */
	_Atomic uint64_t write_bytes; /* from the guest */
	_Atomic uint64_t errors;     /* requests answered with an error */
	_Atomic uint64_t dropped;    /* frames or bytes lost, and why is in the log */
	_Atomic uint64_t kicks;      /* QueueNotify writes */
	_Atomic uint64_t interrupts; /* injected */
	_Atomic uint64_t suppressed; /* flushes for which the guest wanted none */
	_Atomic uint64_t wakeups;    /* the worker slept and was woken */
	/*
	 * From when a request was taken to its answer: one each for blk, console output and rng, a
	 * burst's time for each of its frames with net (but not for what a switch delivers).
	 */
	_Atomic uint64_t latency[HV_LATENCY_BUCKETS];
	_Atomic uint64_t latency_ns; /* of all of them together */
};

static inline void hv_stat_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* n requests that took ns each. */
static inline void hv_stat_latency(struct hv_vdev_stats *stats, uint64_t ns, uint64_t n)
{
	unsigned int bucket = ns ? 63 - (unsigned int)__builtin_clzll(ns) : 0;

	hv_stat_add(&stats->latency[bucket < HV_LATENCY_BUCKETS ? bucket : HV_LATENCY_BUCKETS - 1],
		    n);
	hv_stat_add(&stats->latency_ns, ns * n);
}

#endif
