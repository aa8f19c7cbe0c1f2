// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "virtio/dev/switch.h"
#include "virtio/limit.h"

#define SECOND UINT64_C(1000000000)
#define START (1000 * SECOND)

struct end {
	struct hv_switch_port *port;
	uint8_t mac[6];
	unsigned int frames, flushes, lane;
};

static struct hv_switch *sw;
static struct end ends[HV_SWITCH_PORTS];
static unsigned int n_ends;
static uint8_t scratch[HV_FRAME_MAX];

static void deliver(void *arg, unsigned int lane, const struct hv_frame *frame, uint8_t *space)
{
	struct end *end = arg;

	assert_int_equal(frame->len, 60);
	assert_ptr_equal(space, scratch);
	end->frames++;
	end->lane = lane;
}

static void flush(void *arg, unsigned int lane)
{
	struct end *end = arg;

	assert_int_equal(lane, end->lane);
	end->flushes++;
}

static const struct hv_switch_port_ops ops = { deliver, flush };

static int join(uint8_t last, struct hv_err *err)
{
	struct end *end = &ends[n_ends];
	int rc;

	memset(end, 0, sizeof(*end));
	memcpy(end->mac, (uint8_t[]){ 2, 0, 0, 0, 0, last }, 6);
	rc = hv_switch_join(sw, "zone/port", end->mac, &ops, end, &end->port, err);
	n_ends += !rc;
	return rc;
}

static void setup_ends(unsigned int n)
{
	struct hv_err err = { 0 };

	assert_int_equal(hv_switch_new("s0", &sw, &err), 0);
	n_ends = 0;
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(join((uint8_t)(i + 1), &err), 0);
}

static void end_all(void)
{
	hv_switch_put(sw);
	for (unsigned int i = 0; i < n_ends; i++)
		hv_switch_leave(ends[i].port);
}

static const char *send_at(uint64_t now, unsigned int from, const uint8_t dst[6],
			   const uint8_t src[6])
{
	uint8_t bytes[60];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct hv_frame frame = { .iov = &iov, .n = 1, .len = sizeof(bytes) };
	struct hv_switch_burst burst;
	const char *why;

	memcpy(bytes, dst, 6);
	memcpy(bytes + 6, src, 6);
	hv_switch_begin(&burst, ends[from].port, from, scratch, now);
	why = hv_switch_send(&burst, &frame);
	hv_switch_end(&burst);
	return why;
}

/* Frames each end got since the last question, as digits. */
static const char *got(void)
{
	static char text[HV_SWITCH_PORTS + 1];

	for (unsigned int i = 0; i < n_ends; i++) {
		text[i] = (char)('0' + ends[i].frames);
		assert_int_equal(ends[i].flushes, ends[i].frames);
		ends[i].frames = ends[i].flushes = 0;
	}
	text[n_ends] = 0;
	return text;
}

static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, group[6] = { 0x33, 0x33 },
		     far[6] = { 2, 1, 0, 0, 0, 1 }, unknown[6] = { 2, 9, 9, 9, 9, 9 };

static void test_forward(void **state)
{
	struct hv_switch_stats stats;

	(void)state;
	setup_ends(3);
	assert_null(send_at(START, 0, ends[1].mac, ends[0].mac));
	assert_string_equal(got(), "010");
	assert_null(send_at(START, 0, all, ends[0].mac));
	assert_string_equal(got(), "011");
	assert_null(send_at(START, 1, group, ends[1].mac));
	assert_string_equal(got(), "101");
	assert_null(send_at(START, 2, unknown, ends[2].mac));
	assert_string_equal(got(), "110");
	/* Not back to where it comes from. */
	assert_null(send_at(START, 0, ends[0].mac, ends[0].mac));
	assert_string_equal(got(), "000");
	hv_switch_stats(sw, &stats);
	assert_int_equal(stats.forwarded, 2);
	assert_int_equal(stats.flooded, 3);
	assert_int_equal(stats.ports, 3);
	assert_int_equal(stats.learned, 0);
	end_all();
}

static void test_learn(void **state)
{
	struct hv_switch_stats stats;

	(void)state;
	setup_ends(3);
	assert_null(send_at(START, 1, ends[0].mac, far));
	assert_string_equal(got(), "100");
	assert_null(send_at(START, 0, far, ends[0].mac));
	assert_string_equal(got(), "010");
	/* It moves. */
	assert_null(send_at(START, 2, ends[0].mac, far));
	got();
	assert_null(send_at(START, 0, far, ends[0].mac));
	assert_string_equal(got(), "001");
	hv_switch_stats(sw, &stats);
	assert_int_equal(stats.learned, 1);
	/* Used, it stays known; silent, it is forgotten. */
	assert_null(send_at(START + HV_SWITCH_AGE, 2, ends[0].mac, far));
	got();
	assert_null(send_at(START + 2 * HV_SWITCH_AGE, 0, far, ends[0].mac));
	assert_string_equal(got(), "001");
	assert_null(send_at(START + 2 * HV_SWITCH_AGE + 1, 0, far, ends[0].mac));
	assert_string_equal(got(), "011");
	/* A port takes what it knew with it. */
	assert_null(send_at(START + 3 * HV_SWITCH_AGE, 2, ends[0].mac, far));
	got();
	hv_switch_leave(ends[2].port);
	ends[2].port = NULL;
	assert_null(send_at(START + 3 * HV_SWITCH_AGE, 0, far, ends[0].mac));
	assert_string_equal(got(), "010");
	hv_switch_stats(sw, &stats);
	assert_int_equal(stats.ports, 2);
	assert_int_equal(stats.learned, 0);
	end_all();
}

/* A device's own address is its own. */
static void test_spoof(void **state)
{
	struct hv_switch_stats stats;

	(void)state;
	setup_ends(3);
	assert_non_null(
		strstr(send_at(START, 1, ends[2].mac, ends[0].mac), "another zone's device"));
	assert_string_equal(got(), "000");
	assert_null(send_at(START, 2, ends[0].mac, ends[2].mac));
	assert_string_equal(got(), "100");
	hv_switch_stats(sw, &stats);
	assert_int_equal(stats.spoofed, 1);
	end_all();
}

static void invent(uint8_t mac[6], uint32_t n)
{
	memcpy(mac,
	       (uint8_t[]){ 2, 7, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			    (uint8_t)n },
	       6);
}

/* Who invents addresses fills only its own share, and does not push out others'. */
static void test_invented(void **state)
{
	struct hv_switch_stats stats;
	uint8_t mac[6];

	(void)state;
	setup_ends(3);
	assert_null(send_at(START, 2, ends[1].mac, far));
	for (uint32_t i = 0; i < 20000; i++) {
		invent(mac, i);
		send_at(START + i * (SECOND / 500), 1, ends[0].mac, mac);
	}
	got();
	hv_switch_stats(sw, &stats);
	assert_in_range(stats.learned, HV_SWITCH_LEARNED, HV_SWITCH_LEARNED + 1);
	assert_null(send_at(START + 40 * SECOND, 0, far, ends[0].mac));
	assert_string_equal(got(), "001");
	/* Room again when they have expired. */
	for (uint32_t i = 0; i < 200; i++) {
		invent(mac, 1000000 + i);
		send_at(START + 2 * HV_SWITCH_AGE + i * (SECOND / 500), 1, ends[0].mac, mac);
	}
	invent(mac, 1000199);
	got();
	assert_null(send_at(START + 2 * HV_SWITCH_AGE + SECOND, 0, mac, ends[0].mac));
	assert_string_equal(got(), "010");
	end_all();
}

static void test_flood_limit(void **state)
{
	struct hv_switch_stats stats;
	unsigned int through = 0;

	(void)state;
	setup_ends(2);
	for (unsigned int i = 0; i < 10000; i++)
		through += !send_at(START, 0, all, ends[0].mac);
	assert_in_range(through, 1, HV_SWITCH_FLOOD_PER_SECOND / 10 + 1);
	hv_switch_stats(sw, &stats);
	assert_int_equal(stats.limited, 10000 - through);
	/* What is for one is not limited, and neither are other ports. */
	ends[0].frames = ends[1].frames = ends[0].flushes = ends[1].flushes = 0;
	assert_null(send_at(START, 0, ends[1].mac, ends[0].mac));
	assert_null(send_at(START, 1, all, ends[1].mac));
	assert_string_equal(got(), "11");
	assert_null(send_at(START + SECOND, 0, all, ends[0].mac));
	end_all();
}

static void test_ports(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	setup_ends(HV_SWITCH_PORTS);
	n_ends = HV_SWITCH_PORTS - 1;
	hv_switch_leave(ends[n_ends].port);
	assert_int_equal(join(1, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "zone/port"));
	assert_non_null(strstr(err.msg, "s0"));
	assert_int_equal(join(100, &err), 0);
	{
		static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 200 };
		struct hv_switch_port *port;

		assert_int_equal(hv_switch_join(sw, "one more", mac, &ops, NULL, &port, &err),
				 -ENOSPC);
		assert_non_null(strstr(err.msg, "s0"));
	}
	assert_string_equal(hv_switch_name(sw), "s0");
	end_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forward),	    cmocka_unit_test(test_learn),
		cmocka_unit_test(test_spoof),	    cmocka_unit_test(test_invented),
		cmocka_unit_test(test_flood_limit), cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
