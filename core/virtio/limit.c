// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/limit.h"

#include <string.h>

#define SECOND 1000000000u
#define TOP (UINT64_C(1) << 48) /* keeps every product below 2^128 */

typedef unsigned __int128 u128;

static uint64_t at_most(uint64_t value, uint64_t top)
{
	return value < top ? value : top;
}

void hv_limit_init(struct hv_limit *limit)
{
	memset(limit, 0, sizeof(*limit));
	pthread_mutex_init(&limit->lock, NULL);
}

void hv_limit_destroy(struct hv_limit *limit)
{
	pthread_mutex_destroy(&limit->lock);
}

static struct hv_limit_bucket bucket(struct hv_limit_rate rate)
{
	rate.tokens = at_most(rate.tokens, TOP);
	rate.period_ns = at_most(rate.period_ns, TOP);
	if (!rate.period_ns)
		rate.tokens = 0;
	if (rate.tokens && !rate.burst)
		rate.burst = at_most((uint64_t)((u128)rate.tokens * (SECOND / 10) / rate.period_ns),
				     TOP);
	rate.burst = rate.burst ? at_most(rate.burst, TOP) : 1;
	return (struct hv_limit_bucket){ .rate = rate };
}

void hv_limit_set_rates(struct hv_limit *limit, struct hv_limit_rate ops,
			struct hv_limit_rate bytes)
{
	pthread_mutex_lock(&limit->lock);
	limit->ops = bucket(ops);
	limit->bytes = bucket(bytes);
	atomic_store(&limit->on, limit->ops.rate.tokens || limit->bytes.rate.tokens);
	pthread_mutex_unlock(&limit->lock);
}

void hv_limit_set(struct hv_limit *limit, uint64_t iops, uint64_t bps, uint64_t burst_ops,
		  uint64_t burst_bytes)
{
	hv_limit_set_rates(
		limit,
		(struct hv_limit_rate){ .tokens = iops, .period_ns = SECOND, .burst = burst_ops },
		(struct hv_limit_rate){ .tokens = bps, .period_ns = SECOND, .burst = burst_bytes });
}

/*
 * In units of ns * tokens a token costs exactly period_ns and a ns brings exactly
 * tokens. Returns when n tokens are there (up to now: they are), not before `now`.
 */
static uint64_t there_at(const struct hv_limit_bucket *b, uint64_t n, uint64_t now)
{
	u128 room, wait;

	if (!b->rate.tokens || !n)
		return now;
	/* A full bucket is enough for any request. */
	room = (u128)(b->rate.burst - at_most(n, b->rate.burst)) * b->rate.period_ns;
	if (b->due <= room + (u128)now * b->rate.tokens)
		return now;
	wait = (b->due - room + b->rate.tokens - 1) / b->rate.tokens;
	return wait > UINT64_MAX ? UINT64_MAX : (uint64_t)wait;
}

static void take(struct hv_limit_bucket *b, uint64_t n, uint64_t now)
{
	u128 full = (u128)now * b->rate.tokens;

	if (!b->rate.tokens)
		return;
	/* The time was rounded up to a whole ns: less than one of it is not a rest, or rates would
	 * drift. */
	if (b->due + b->rate.tokens <= full)
		b->due = full;
	b->due += (u128)at_most(n, TOP) * b->rate.period_ns;
}

uint64_t hv_limit_take(struct hv_limit *limit, uint64_t ops, uint64_t bytes, uint64_t now)
{
	uint64_t when, bytes_at;

	if (!atomic_load_explicit(&limit->on, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&limit->lock);
	when = there_at(&limit->ops, ops, now);
	bytes_at = there_at(&limit->bytes, bytes, now);
	if (when < bytes_at)
		when = bytes_at;
	if (when <= now) {
		take(&limit->ops, ops, now);
		take(&limit->bytes, bytes, now);
		when = 0;
	}
	pthread_mutex_unlock(&limit->lock);
	return when;
}
