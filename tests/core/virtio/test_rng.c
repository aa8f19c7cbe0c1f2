// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "virtio/dev/rng.h"
#include "vrig.h"

struct rng {
	struct hv_vdev dev;
	struct vrig rig;
};

static void rng_init(struct rng *r, size_t memory)
{
	struct hv_err err = { 0 };

	memset(r, 0, sizeof(*r));
	if (hv_rng_init(&r->dev, "rig/rng", &(struct hv_origin){ .file = "boot.lua", .line = 3 },
			&err))
		fail_msg("%s", err.msg);
	vrig_init(&r->rig, &r->dev, memory);
}

static void rng_free(struct rng *r)
{
	vrig_free(&r->rig);
	hv_vdev_destroy(&r->dev);
}

/* How many of the bytes are not zero. */
static size_t changed(const uint8_t *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += p[i] != 0;
	return count;
}

static void test_fills(void **state)
{
	struct rng r;
	uint8_t *a, *b;

	(void)state;
	rng_init(&r, 1 << 20);
	assert_int_equal(vrig_read(&r.rig, 0x008), 4);
	assert_int_equal(r.dev.n_queues, 1);
	vrig_start(&r.rig, HV_FEATURE(HV_F_EVENT_IDX), 8, 0);
	a = vrig_alloc(&r.rig, 1024, 8);
	b = vrig_alloc(&r.rig, 1024, 8);
	assert_int_equal(vrig_request(&r.rig, 0, (struct vrig_buf[]){ { a, 512, true } }, 1), 512);
	assert_int_equal(vrig_request(&r.rig, 0,
				      (struct vrig_buf[]){ { b, 1, true },
							   { b + 1, 500, true },
							   { b + 501, 11, true } },
				      3),
			 512);
	assert_true(changed(a, 512) > 400);
	assert_true(changed(b, 512) > 400);
	assert_memory_not_equal(a, b, 512);
	/* Not one byte beyond. */
	assert_int_equal(changed(a + 512, 512), 0);
	assert_int_equal(changed(b + 512, 512), 0);
	assert_int_equal(r.dev.stats.requests, 2);
	assert_int_equal(r.dev.stats.read_bytes, 1024);
	rng_free(&r);
}

/* At least one byte for each buffer that has room for one; nothing for the others, completed once
 * each. */
static void test_every_buffer(void **state)
{
	struct rng r;
	uint8_t *p;

	(void)state;
	rng_init(&r, 1 << 20);
	vrig_start(&r.rig, 0, 64, VRIG_INDIRECT);
	p = vrig_alloc(&r.rig, 4096, 8);
	assert_int_equal(vrig_request(&r.rig, 0, (struct vrig_buf[]){ { p, 1, true } }, 1), 1);
	assert_int_equal(vrig_request(&r.rig, 0, (struct vrig_buf[]){ { p, 0, true } }, 1), 0);
	assert_int_equal(vrig_request(&r.rig, 0, (struct vrig_buf[]){ { p, 64, false } }, 1), 0);
	assert_int_equal(vrig_request(&r.rig, 0,
				      (struct vrig_buf[]){ { p, 8, false }, { p + 8, 8, true } },
				      2),
			 8);
	assert_int_equal(changed(p + 16, 4080), 0);
	rng_free(&r);
}

/* A buffer without end gets a bounded part; many of them take many turns, and all come back. */
static void test_bounded(void **state)
{
	struct rng r;
	uint8_t *p;
	uint32_t n;

	(void)state;
	rng_init(&r, 16 << 20);
	vrig_start(&r.rig, 0, 64, 0);
	p = vrig_alloc(&r.rig, 8 << 20, 8);
	n = vrig_request(&r.rig, 0, (struct vrig_buf[]){ { p, 8 << 20, true } }, 1);
	assert_in_range(n, 1, 1 << 20);
	assert_int_equal(changed(p + n, (8 << 20) - n), 0);
	for (int i = 0; i < 64; i++)
		assert_true(vrig_add(&r.rig, 0, (struct vrig_buf[]){ { p, 8 << 20, true } }, 1) >=
			    0);
	vrig_kick(&r.rig, 0);
	for (int i = 0; i < 64; i++)
		assert_in_range(vrig_wait(&r.rig, 0).len, 1, 1 << 20);
	rng_free(&r);
}

/* Buffers for which there are no tokens yet wait, and are filled by themselves when there are. */
static void test_limit(void **state)
{
	struct rng r;
	uint8_t *p;

	(void)state;
	rng_init(&r, 1 << 20);
	vrig_start(&r.rig, 0, 8, 0);
	p = vrig_alloc(&r.rig, 64, 8);
	hv_limit_set_rates(&r.dev.limit,
			   (struct hv_limit_rate){ .tokens = 1, .burst = 1, .period_ns = 3000000 },
			   (struct hv_limit_rate){ 0 });
	for (int i = 0; i < 8; i++)
		vrig_add(&r.rig, 0, (struct vrig_buf[]){ { p, 64, true } }, 1);
	vrig_kick(&r.rig, 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(vrig_wait(&r.rig, 0).len, 64);
	/* None in sight: not before the limit is lifted. */
	hv_limit_set_rates(
		&r.dev.limit,
		(struct hv_limit_rate){ .tokens = 1, .burst = 1, .period_ns = UINT64_C(1) << 47 },
		(struct hv_limit_rate){ 0 });
	vrig_add(&r.rig, 0, (struct vrig_buf[]){ { p, 64, true } }, 1);
	vrig_add(&r.rig, 0, (struct vrig_buf[]){ { p, 64, true } }, 1);
	vrig_kick(&r.rig, 0);
	assert_int_equal(vrig_wait(&r.rig, 0).len, 64);
	hv_limit_set(&r.dev.limit, 0, 0, 0, 0);
	hv_vdev_poke(&r.dev);
	assert_int_equal(vrig_wait(&r.rig, 0).len, 64);
	rng_free(&r);
}

/* A reset with buffers in the queue and a thread at work; then a new life. */
static void test_reset_under_load(void **state)
{
	struct rng r;
	uint8_t *p;

	(void)state;
	rng_init(&r, 16 << 20);
	p = vrig_alloc(&r.rig, 1 << 20, 8);
	for (int life = 0; life < 50; life++) {
		vrig_start(&r.rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
		for (int i = 0; i < 64; i++)
			vrig_add(&r.rig, 0, (struct vrig_buf[]){ { p, 1 << 20, true } }, 1);
		vrig_kick(&r.rig, 0);
		vrig_wait(&r.rig, 0);
		vrig_reset(&r.rig);
	}
	rng_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fills),
		cmocka_unit_test(test_every_buffer),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reset_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
