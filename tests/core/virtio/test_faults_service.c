// SPDX-License-Identifier: GPL-2.0-or-later
/* docs/failures.md for the bridge thread and for the sleep of any worker, and for the random
 * numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "console_rig.h"
#include "fault_sweep.h"
#include "kept_log.h"
#include "srig.h"
#include "told.h"
#include "virtio/dev/rng.h"
#include "vrig.h"

#define PLACES_MAX 40 /* how often a thread sleeps is chance */

struct rng {
	struct hv_vdev dev;
	struct vrig rig;
	uint8_t *bytes;
};

static void rng_open(struct rng *r)
{
	struct hv_err err = { 0 };

	kept_log_begin();
	memset(r, 0, sizeof(*r));
	if (hv_rng_init(&r->dev, "linux1/rng", &(struct hv_origin){ "boot.lua", 3, "devices.rng" },
			&err))
		fail_msg("%s", err.msg);
	vrig_init(&r->rig, &r->dev, 1 << 20);
	vrig_start(&r->rig, 0, 8, 0);
	r->bytes = vrig_alloc(&r->rig, 4096, 8);
}

static void rng_close(struct rng *r)
{
	vrig_free(&r->rig);
	hv_vdev_destroy(&r->dev);
}

/* How many bytes came; each is what somebody drew. */
static uint32_t draw(struct rng *r)
{
	struct vrig_buf bufs[] = { { r->bytes, 512, true }, { r->bytes + 1024, 512, true } };
	unsigned int zeroes = 0;
	uint32_t n;

	memset(r->bytes, 0, 4096);
	n = vrig_request(&r->rig, 0, bufs, 2);
	assert_in_range(n, 1, 1024);
	for (uint32_t i = 0; i < n; i++)
		zeroes += !r->bytes[i < 512 ? i : 512 + i];
	assert_in_range(zeroes, 0, 64);
	return n;
}

enum outcome {
	NOTHING,
	TOLD,
};

static bool draw_once(const struct fault *f, unsigned int place, const void *arg)
{
	unsigned int hit;
	struct rng r;

	(void)arg;
	rng_open(&r);
	sf_arm(f->fault, place, 1);
	draw(&r);
	draw(&r);
	hit = sf_disarm();
	assert_int_equal(draw(&r), 1024);
	/* A buffer that is filled in part is enough. */
	if (place == 1 || !hit || f->outcome == NOTHING)
		told(hit && f->outcome == TOLD ? "linux1/rng (boot.lua:3: devices.rng): the host "
						 "makes no random numbers: "
					       : NULL,
		     sf_name(f->fault), place);
	rng_close(&r);
	return hit;
}

static void random_numbers(void **state)
{
	static const struct fault faults[] = {
		{ { SF_getrandom, EINTR }, NOTHING },	 { { SF_getrandom, EAGAIN }, NOTHING },
		{ { SF_getrandom, ENOSYS }, TOLD },	 { { SF_getrandom, EPERM }, TOLD },
		{ { SF_getrandom, SF_SHORT }, NOTHING },
	};

	(void)state;
	FAULT_SWEEP(draw_once, faults, NULL);
}

/* One device waits for ever, the other one does not notice. */
static void others_go_on(void **state)
{
	struct hv_console_client *client;
	uint64_t deadline = 0;
	struct crig c;
	struct rng r;
	int head;

	(void)state;
	rng_open(&r);
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "a reader", 0, 0);
	sf_arm((struct sf_fault){ SF_getrandom, EPERM }, 1, 0);
	head = vrig_add(&r.rig, 0, &(struct vrig_buf){ r.bytes, 64, true }, 1);
	vrig_kick(&r.rig, 0);
	while (sf_hits() < 3) {
		crig_puts(&c, "on");
		crig_expect(client, "on");
		vrig_pause(&deadline, "another try");
	}
	told("linux1/rng (boot.lua:3: devices.rng): ", "getrandom for ever", 1);
	sf_disarm();
	assert_int_equal(vrig_finish(&r.rig, 0, head), 64);
	hv_console_close(client);
	crig_free(&c);
	rng_close(&r);
}

/* Requests and registers, often enough for the threads to sleep in between. */
static void go_on(struct hv_gdev *dev)
{
	for (unsigned int i = 1; i <= 10; i++) {
		srig_ping(dev, 64 * i);
		assert_int_equal(hv_gdev_config(dev, i, 1), i);
	}
}

static void sleeps(void **state)
{
	static const struct {
		struct sf_fault fault;
		const char *thread;
	} faults[] = {
		{ { SF_ppoll, EINTR }, "bridge" },	 { { SF_ppoll, ENOMEM }, "bridge" },
		{ { SF_event_read, EAGAIN }, "bridge" }, { { SF_event_write, EAGAIN }, "bridge" },
		{ { SF_ppoll, EINTR }, NULL },		 { { SF_ppoll, ENOMEM }, NULL },
		{ { SF_event_read, EAGAIN }, NULL },	 { { SF_event_write, EAGAIN }, NULL },
	};
	struct sf_owned before = sf_count();
	struct srig rig;
	struct hv_gdev dev;

	(void)state;
	for (unsigned int i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct srig_echo *echo = srig_echo_new("zone1/echo");
		unsigned int place = 0;

		kept_log_begin();
		srig_open_one(&rig, echo, &dev);
		do {
			sf_arm_on(faults[i].fault, ++place, 1, faults[i].thread);
			go_on(&dev);
		} while (sf_disarm() && place < PLACES_MAX);
		sf_arm_on(faults[i].fault, 1, 0, faults[i].thread);
		go_on(&dev);
		sf_disarm();
		go_on(&dev);
		sf_arm_on(faults[i].fault, 1, 0, faults[i].thread);
		assert_int_equal(hv_gdev_reset(&dev), 0);
		sf_disarm();
		assert_int_equal(kept_log_lines(), 0);
		hv_gdev_free(&dev);
		srig_close(&rig);
		srig_echo_free(echo);
	}
	sf_expect(before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sf_begin, sf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_numbers),
		TEST(others_go_on),
		TEST(sleeps),
	};

	return cmocka_run_group_tests_name("service: every call fails once", tests, NULL, NULL);
}
