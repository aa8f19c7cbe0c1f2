/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_LIMIT_H
#define HV_VIRTIO_LIMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Token buckets for operations and bytes per second (GCRA). Exact for any rate, one
 * operation in ten seconds as well: time is kept in fractions of a ns that divide by the rate. A
 * request larger than the burst passes when the bucket is full and goes into debt, so it is
 * slowed, never stuck.
 */
struct hv_limit_rate {
	uint64_t tokens; /* per period; 0 = unlimited */
	uint64_t period_ns;
	uint64_t burst; /* tokens; 0 = a tenth of a second's worth, at least 1 */
};

struct hv_limit_bucket {
	struct hv_limit_rate rate;
	unsigned __int128 due; /* when it will be full again, in ns * rate.tokens */
};

struct hv_limit {
	pthread_mutex_t lock; /* several workers share one limit; set from main */
	_Atomic bool on;
	struct hv_limit_bucket ops, bytes;
};

void hv_limit_init(struct hv_limit *limit);
void hv_limit_destroy(struct hv_limit *limit);
/* Per second; 0 = unlimited; burst 0 = a tenth of a second's worth, at least 1. The buckets begin
 * full. Any thread. */
void hv_limit_set(struct hv_limit *limit, uint64_t iops, uint64_t bps, uint64_t burst_ops,
		  uint64_t burst_bytes);
/* The same with periods of one's own: 1 token per 10 s. tokens and period_ns up to 2^48. */
void hv_limit_set_rates(struct hv_limit *limit, struct hv_limit_rate ops,
			struct hv_limit_rate bytes);
/*
 * Takes the tokens and returns 0, or takes nothing and returns the time (CLOCK_MONOTONIC ns, > now)
 * to ask again.
 */
uint64_t hv_limit_take(struct hv_limit *limit, uint64_t ops, uint64_t bytes, uint64_t now);

#endif
