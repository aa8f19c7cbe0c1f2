// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "virtio/limit.h"

#define SECOND UINT64_C(1000000000)
#define START (UINT64_C(1) << 62) /* a clock far from 0: nothing may overflow */

/* Takes single operations as early as allowed, from start on; returns when the last was. */
static uint64_t drain(struct hv_limit *limit, unsigned int n, uint64_t start)
{
	uint64_t now = start, when;

	while (n) {
		when = hv_limit_take(limit, 1, 0, now);
		if (when) {
			assert_true(when > now);
			now = when;
		} else {
			n--;
		}
	}
	return now;
}

static void test_off(void **state)
{
	struct hv_limit limit;

	(void)state;
	hv_limit_init(&limit);
	assert_int_equal(hv_limit_take(&limit, UINT64_MAX, UINT64_MAX, 0), 0);
	hv_limit_set(&limit, 10, 0, 1, 0);
	assert_int_equal(hv_limit_take(&limit, 1, UINT64_MAX, START), 0);
	assert_int_not_equal(hv_limit_take(&limit, 1, 0, START), 0);
	hv_limit_set(&limit, 0, 0, 0, 0);
	assert_int_equal(hv_limit_take(&limit, 1000, 0, START), 0);
	hv_limit_destroy(&limit);
}

static void test_one_in_ten_seconds(void **state)
{
	struct hv_limit_rate rate = { .tokens = 1, .period_ns = 10 * SECOND };
	struct hv_limit limit;

	(void)state;
	hv_limit_init(&limit);
	hv_limit_set_rates(&limit, rate, (struct hv_limit_rate){ 0 });
	assert_int_equal(hv_limit_take(&limit, 1, 0, START), 0);
	assert_int_equal(hv_limit_take(&limit, 1, 0, START), START + 10 * SECOND);
	assert_int_equal(hv_limit_take(&limit, 1, 0, START + 10 * SECOND - 1), START + 10 * SECOND);
	assert_int_equal(hv_limit_take(&limit, 1, 0, START + 10 * SECOND), 0);
	assert_int_equal(drain(&limit, 100, START + 10 * SECOND), START + 1010 * SECOND);
	hv_limit_destroy(&limit);
}

/* A third of a second is no whole number of ns: over 3,000,000 operations nothing is lost or won.
 */
static void test_no_drift(void **state)
{
	struct hv_limit limit;

	(void)state;
	hv_limit_init(&limit);
	hv_limit_set(&limit, 3, 0, 1, 0);
	assert_int_equal(drain(&limit, 1, START), START);
	assert_int_equal(drain(&limit, 3000000, START), START + 1000000 * SECOND);
	hv_limit_set(&limit, 7000000, 0, 1, 0);
	assert_int_equal(drain(&limit, 1, START), START);
	/* Rounded up once in each wait, so up to 1 ns late each, but not adding up. */
	assert_in_range(drain(&limit, 7000000, START), START + SECOND, START + SECOND + 1);
	hv_limit_destroy(&limit);
}

static void test_burst(void **state)
{
	struct hv_limit limit;

	(void)state;
	hv_limit_init(&limit);
	hv_limit_set(&limit, 100, 0, 20, 0);
	assert_int_equal(drain(&limit, 20, START), START);
	assert_int_equal(hv_limit_take(&limit, 1, 0, START), START + SECOND / 100);
	/* A long rest fills the bucket, not more. */
	assert_int_equal(drain(&limit, 20, START + 1000 * SECOND), START + 1000 * SECOND);
	assert_int_not_equal(hv_limit_take(&limit, 1, 0, START + 1000 * SECOND), 0);
	/* Without a burst given: a tenth of a second's worth. */
	hv_limit_set(&limit, 100, 0, 0, 0);
	assert_int_equal(drain(&limit, 10, START), START);
	assert_int_not_equal(hv_limit_take(&limit, 1, 0, START), 0);
	hv_limit_set(&limit, 5, 0, 0, 0);
	assert_int_equal(drain(&limit, 1, START), START);
	assert_int_not_equal(hv_limit_take(&limit, 1, 0, START), 0);
	hv_limit_destroy(&limit);
}

/* 1 MiB at 64 KiB/s, with a burst of 4 KiB: passes when the bucket is full, then 16 s of debt. */
static void test_debt(void **state)
{
	struct hv_limit limit;

	(void)state;
	hv_limit_init(&limit);
	hv_limit_set(&limit, 0, 65536, 0, 4096);
	assert_int_equal(hv_limit_take(&limit, 1, 1, START), 0);
	assert_int_equal(hv_limit_take(&limit, 1, 1 << 20, START),
			 START + (SECOND + 65535) / 65536);
	assert_int_equal(hv_limit_take(&limit, 1, 1 << 20, START + SECOND), 0);
	/* Full again 16 s later; 4095 of 4096 bytes of that are not needed for one byte. */
	assert_int_equal(hv_limit_take(&limit, 1, 4096, START + SECOND), START + 17 * SECOND);
	assert_int_equal(hv_limit_take(&limit, 1, 4096, START + 17 * SECOND), 0);
	hv_limit_destroy(&limit);
}

/* Who is refused for one kind has not paid for the other. */
static void test_both(void **state)
{
	struct hv_limit limit;
	uint64_t when;

	(void)state;
	hv_limit_init(&limit);
	hv_limit_set(&limit, 10, 1000, 1, 100);
	assert_int_equal(hv_limit_take(&limit, 1, 100, START), 0);
	when = hv_limit_take(&limit, 1, 50, START);
	assert_int_equal(when, START + SECOND / 10);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(hv_limit_take(&limit, 1, 50, START), when);
	assert_int_equal(hv_limit_take(&limit, 1, 50, when), 0);
	hv_limit_destroy(&limit);
}

static void test_extremes(void **state)
{
	struct hv_limit limit;
	uint64_t when;

	(void)state;
	hv_limit_init(&limit);
	hv_limit_set(&limit, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	assert_int_equal(hv_limit_take(&limit, UINT64_MAX, UINT64_MAX, UINT64_MAX), 0);
	/* The greatest request at the smallest rate: never again, not a time in the past. */
	hv_limit_set_rates(
		&limit, (struct hv_limit_rate){ .tokens = 1, .period_ns = UINT64_MAX, .burst = 1 },
		(struct hv_limit_rate){ 0 });
	assert_int_equal(hv_limit_take(&limit, UINT64_MAX, 0, START), 0);
	when = hv_limit_take(&limit, 1, 0, START);
	assert_int_equal(when, UINT64_MAX);
	hv_limit_destroy(&limit);
}

struct taker {
	struct hv_limit *limit;
	unsigned int passed;
};

static void *take_all(void *arg)
{
	struct taker *t = arg;

	for (unsigned int i = 0; i < 20000; i++)
		if (!hv_limit_take(t->limit, 1, 10, START))
			t->passed++;
	return NULL;
}

static void test_workers_share(void **state)
{
	struct taker takers[4];
	pthread_t threads[4];
	struct hv_limit limit;
	unsigned int passed = 0;

	(void)state;
	hv_limit_init(&limit);
	hv_limit_set(&limit, 100, 100000, 777, 1000000);
	for (unsigned int i = 0; i < 4; i++) {
		takers[i] = (struct taker){ .limit = &limit };
		assert_int_equal(pthread_create(&threads[i], NULL, take_all, &takers[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		passed += takers[i].passed;
	}
	assert_int_equal(passed, 777);
	hv_limit_destroy(&limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),	 cmocka_unit_test(test_one_in_ten_seconds),
		cmocka_unit_test(test_no_drift), cmocka_unit_test(test_burst),
		cmocka_unit_test(test_debt),	 cmocka_unit_test(test_both),
		cmocka_unit_test(test_extremes), cmocka_unit_test(test_workers_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
