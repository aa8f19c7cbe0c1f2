// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <linux/input.h>
#include <linux/virtio_input.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/input.h"
#include "vrig.h"

struct box {
	struct hv_vdev dev;
	struct vrig rig;
	_Atomic unsigned int inputs;
};

static void on_event(struct hv_vdev *dev, enum hv_vdev_event event, const char *message, void *arg)
{
	struct box *b = arg;

	(void)dev;
	(void)message;
	if (event == HV_EV_INPUT)
		b->inputs++;
}

static void box_init(struct box *b, const struct hv_input_opts *opts)
{
	struct hv_err err = { 0 };

	memset(b, 0, sizeof(*b));
	if (hv_input_init(&b->dev, "rig/keys", opts, &err))
		fail_msg("%s", err.msg);
	b->dev.event = on_event;
	b->dev.event_arg = b;
	vrig_init(&b->rig, &b->dev, 1 << 20);
}

static void box_kind(struct box *b, enum hv_input_kind kind)
{
	box_init(b, &(struct hv_input_opts){ .kind = kind });
}

static void box_free(struct box *b)
{
	vrig_free(&b->rig);
	hv_vdev_destroy(&b->dev);
}

static unsigned int ask(struct box *b, uint8_t select, uint8_t subsel, uint8_t u[128])
{
	unsigned int size;

	vrig_set_config(&b->rig, 0, 1, select);
	vrig_set_config(&b->rig, 1, 1, subsel);
	size = (unsigned int)vrig_config(&b->rig, 2, 1);
	for (unsigned int i = 0; i < 128; i++)
		u[i] = (uint8_t)vrig_config(&b->rig, 8 + i, 1);
	return size;
}

static bool has(const uint8_t *bits, unsigned int i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static struct virtio_input_event *post(struct box *b, unsigned int n)
{
	struct virtio_input_event *e = vrig_alloc(&b->rig, n * sizeof(*e), 8);

	for (unsigned int i = 0; i < n; i++)
		assert_true(vrig_add(&b->rig, 0, (struct vrig_buf[]){ { &e[i], 8, true } }, 1) >=
			    0);
	vrig_kick(&b->rig, 0);
	return e;
}

/* The next event, in a buffer that is posted for it. */
static void expect(struct box *b, uint16_t type, uint16_t code, int32_t value)
{
	size_t mark = b->rig.ram_used;
	struct virtio_input_event *e = post(b, 1);

	assert_int_equal(vrig_wait(&b->rig, 0).len, 8);
	assert_int_equal(le16toh(e->type), type);
	assert_int_equal(le16toh(e->code), code);
	assert_int_equal((int32_t)le32toh(e->value), value);
	b->rig.ram_used = mark;
}

static void expect_report(struct box *b, uint16_t type, uint16_t code, int32_t value)
{
	expect(b, type, code, value);
	expect(b, EV_SYN, SYN_REPORT, 0);
}

static void send(struct box *b, uint16_t type, uint16_t code, int32_t value)
{
	struct hv_err err = { 0 };

	if (hv_input_send(&b->dev, &(struct hv_input_event){ type, code, value }, 1, &err))
		fail_msg("%s", err.msg);
}

static struct hv_input_info info(struct box *b)
{
	struct hv_input_info i;

	hv_input_info(&b->dev, &i);
	return i;
}

static void test_says_what_it_is(void **state)
{
	struct box b;
	uint8_t u[128];

	(void)state;
	box_kind(&b, HV_INPUT_KEYBOARD);
	assert_int_equal(vrig_read(&b.rig, 0x008), 18);
	assert_int_equal(b.dev.n_queues, 2);
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_UNSET, 0, u), 0);
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ID_NAME, 0, u), strlen("hvsh keyboard"));
	assert_string_equal((char *)u, "hvsh keyboard");
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ID_SERIAL, 0, u), strlen("rig/keys"));
	assert_string_equal((char *)u, "rig/keys");
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ID_DEVIDS, 0, u), 8);
	assert_int_equal(u[0] | u[1] << 8, BUS_VIRTUAL);
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_PROP_BITS, 0, u), 0);
	assert_in_range(ask(&b, VIRTIO_INPUT_CFG_EV_BITS, EV_KEY, u), KEY_Z / 8 + 1, 128);
	assert_true(has(u, KEY_A) && has(u, KEY_ENTER) && has(u, KEY_F24) && has(u, KEY_OK));
	assert_false(has(u, BTN_LEFT) || has(u, BTN_TOUCH) || has(u, KEY_RESERVED));
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_EV_BITS, EV_LED, u), 1);
	assert_int_equal(u[0], 1 << LED_NUML | 1 << LED_CAPSL | 1 << LED_SCROLLL);
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_EV_BITS, EV_REP, u), 1);
	for (unsigned int i = 0; i < 256; i++) {
		if (i != EV_KEY && i != EV_LED && i != EV_REP)
			assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_EV_BITS, (uint8_t)i, u), 0);
		assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ABS_INFO, (uint8_t)i, u), 0);
		if (i > VIRTIO_INPUT_CFG_ID_DEVIDS && i != VIRTIO_INPUT_CFG_EV_BITS)
			assert_int_equal(ask(&b, (uint8_t)i, 0, u), 0);
		if (i)
			assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ID_NAME, (uint8_t)i, u), 0);
	}
	box_free(&b);
}

static void test_config_is_bounded(void **state)
{
	struct box b;
	uint8_t u[128];

	(void)state;
	box_kind(&b, HV_INPUT_KEYBOARD);
	ask(&b, VIRTIO_INPUT_CFG_ID_NAME, 0, u);
	/* Both with one write; the other fields are not the guest's. */
	vrig_set_config(&b.rig, 0, 2, VIRTIO_INPUT_CFG_EV_BITS | EV_LED << 8);
	vrig_set_config(&b.rig, 2, 1, 99);
	vrig_set_config(&b.rig, 8, 4, 0xffffffff);
	assert_int_equal(vrig_config(&b.rig, 0, 4),
			 VIRTIO_INPUT_CFG_EV_BITS | EV_LED << 8 | 1 << 16);
	assert_int_equal(vrig_config(&b.rig, 8, 4), 7);
	assert_int_equal(vrig_config(&b.rig, 135, 8), 0);
	assert_int_equal(vrig_config(&b.rig, 136, 8), 0);
	vrig_reset(&b.rig);
	assert_int_equal(vrig_config(&b.rig, 0, 4), 0);
	box_free(&b);
}

static void test_kinds(void **state)
{
	struct box b;
	uint8_t u[128];

	(void)state;
	box_kind(&b, HV_INPUT_MOUSE);
	ask(&b, VIRTIO_INPUT_CFG_EV_BITS, EV_KEY, u);
	assert_true(has(u, BTN_LEFT) && has(u, BTN_MIDDLE) && !has(u, KEY_A));
	ask(&b, VIRTIO_INPUT_CFG_EV_BITS, EV_REL, u);
	assert_true(has(u, REL_X) && has(u, REL_Y) && has(u, REL_WHEEL));
	box_free(&b);

	box_init(&b,
		 &(struct hv_input_opts){ .kind = HV_INPUT_TABLET, .width = 1280, .height = 800 });
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ABS_INFO, ABS_X, u), 20);
	assert_int_equal(u[4] | u[5] << 8, 1279);
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ABS_INFO, ABS_Y, u), 20);
	assert_int_equal(u[4] | u[5] << 8, 799);
	box_free(&b);

	box_kind(&b, HV_INPUT_TOUCH);
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_PROP_BITS, 0, u), 1);
	assert_true(has(u, INPUT_PROP_DIRECT));
	assert_int_equal(ask(&b, VIRTIO_INPUT_CFG_ABS_INFO, ABS_MT_SLOT, u), 20);
	assert_int_equal(u[4], HV_INPUT_SLOTS - 1);
	ask(&b, VIRTIO_INPUT_CFG_EV_BITS, EV_ABS, u);
	assert_true(has(u, ABS_MT_TRACKING_ID) && has(u, ABS_MT_POSITION_X));
	box_free(&b);
}

/* Also what is typed before the driver is there. */
static void test_events_arrive(void **state)
{
	struct box b;

	(void)state;
	box_kind(&b, HV_INPUT_KEYBOARD);
	send(&b, EV_KEY, KEY_H, 1);
	assert_int_equal(info(&b).waiting, 2);
	vrig_start(&b.rig, HV_FEATURE(HV_F_EVENT_IDX), 8, 0);
	expect_report(&b, EV_KEY, KEY_H, 1);
	send(&b, EV_KEY, KEY_H, 0);
	expect_report(&b, EV_KEY, KEY_H, 0);
	assert_int_equal(info(&b).waiting, 0);
	box_free(&b);
}

static void test_refuses(void **state)
{
	struct hv_input_event many[HV_INPUT_REPORT] = { { EV_KEY, KEY_A, 1 } };
	struct hv_err err;
	struct box b;

	(void)state;
	for (unsigned int i = 0; i < HV_INPUT_REPORT; i++)
		many[i] = many[0];
	box_kind(&b, HV_INPUT_KEYBOARD);
	assert_int_equal(
		hv_input_send(&b.dev, &(struct hv_input_event){ EV_REL, REL_X, 1 }, 1, &err),
		-EINVAL);
	assert_non_null(strstr(err.msg, "a keyboard has no event of type 2, code 0"));
	assert_int_equal(
		hv_input_send(&b.dev, &(struct hv_input_event){ EV_KEY, 9999, 1 }, 1, NULL),
		-EINVAL);
	assert_int_equal(hv_input_send(&b.dev, &(struct hv_input_event){ 77, 0, 1 }, 1, NULL),
			 -EINVAL);
	assert_int_equal(hv_input_send(&b.dev, many, 0, NULL), -EINVAL);
	assert_int_equal(hv_input_send(&b.dev, many, HV_INPUT_REPORT, NULL), -EINVAL);
	assert_int_equal(hv_input_send(&b.dev, many, HV_INPUT_REPORT - 1, NULL), 0);
	assert_int_equal(info(&b).waiting, HV_INPUT_REPORT);
	box_free(&b);
}

/* What was taken arrives whole, what was not leaves no trace, and who was refused hears of room. */
static void test_full(void **state)
{
	struct box b;
	struct hv_input_event e[3] = { { EV_KEY, KEY_A, 1 }, { EV_KEY, KEY_B, 1 }, { 0 } };
	unsigned int sent = 0, before;
	uint64_t deadline = 0;

	(void)state;
	box_kind(&b, HV_INPUT_KEYBOARD);
	vrig_start(&b.rig, 0, 64, 0);
	e[2] = (struct hv_input_event){ EV_KEY, KEY_C, 1 };
	while (!hv_input_send(&b.dev, e, 2 + sent % 2, NULL)) {
		sent++;
		e[0].value = e[1].value = e[2].value = (int32_t)sent;
		assert_in_range(sent, 1, 100000);
	}
	assert_int_equal(hv_input_send(&b.dev, e, 2, NULL), -EAGAIN);
	before = b.inputs;
	for (unsigned int i = 0; i < sent; i++) {
		int32_t value = i ? (int32_t)i : 1;

		if (i % 1000 == 0)
			vrig_ack(&b.rig);
		expect(&b, EV_KEY, KEY_A, value);
		expect(&b, EV_KEY, KEY_B, value);
		if (i % 2)
			expect(&b, EV_KEY, KEY_C, value);
		expect(&b, EV_SYN, SYN_REPORT, 0);
	}
	while (b.inputs == before)
		vrig_pause(&deadline, "the event that there is room");
	assert_int_equal(info(&b).waiting, 0);
	send(&b, EV_KEY, KEY_A, 0);
	expect_report(&b, EV_KEY, KEY_A, 0);
	box_free(&b);
}

/* One place is left, and a report needs one more than its events. */
static void test_to_the_last_place(void **state)
{
	struct hv_input_event e[2] = { { EV_KEY, KEY_A, 1 }, { EV_KEY, KEY_B, 1 } };
	size_t before;
	struct box b;

	(void)state;
	box_kind(&b, HV_INPUT_KEYBOARD);
	assert_int_equal(hv_input_send(&b.dev, e, 2, NULL), 0);
	while (!hv_input_send(&b.dev, e, 1, NULL))
		assert_in_range(info(&b).waiting, 1, 100000);
	before = info(&b).waiting;
	assert_int_equal(before % 2, 1);
	assert_int_equal(hv_input_send(&b.dev, e, 1, NULL), -EAGAIN);
	assert_int_equal(info(&b).waiting, before);
	vrig_start(&b.rig, 0, 64, 0);
	expect(&b, EV_KEY, KEY_A, 1);
	expect(&b, EV_KEY, KEY_B, 1);
	expect(&b, EV_SYN, SYN_REPORT, 0);
	box_free(&b);
}

/* A new life knows nothing of the old one's events. */
static void test_reset_forgets(void **state)
{
	struct box b;

	(void)state;
	box_kind(&b, HV_INPUT_KEYBOARD);
	for (int i = 0; i < 20; i++) {
		vrig_start(&b.rig, 0, 8, VRIG_INDIRECT);
		send(&b, EV_KEY, KEY_A, 1);
		send(&b, EV_KEY, KEY_B, 1);
		expect(&b, EV_KEY, KEY_A, 1);
		vrig_reset(&b.rig);
		assert_int_equal(info(&b).waiting, 0);
		assert_int_equal(vrig_config(&b.rig, 0, 2), 0);
		vrig_reclaim(&b.rig);
	}
	vrig_start(&b.rig, 0, 8, 0);
	send(&b, EV_KEY, KEY_C, 1);
	expect_report(&b, EV_KEY, KEY_C, 1);
	box_free(&b);
}

static void status(struct box *b, unsigned int n, const struct virtio_input_event *events)
{
	struct virtio_input_event *e = vrig_alloc(&b->rig, n * sizeof(*e), 8);

	memcpy(e, events, n * sizeof(*e));
	assert_int_equal(
		vrig_request(&b->rig, 1,
			     (struct vrig_buf[]){ { e, (uint32_t)(n * sizeof(*e)), false } }, 1),
		0);
}

static void test_leds(void **state)
{
	struct box b;
	unsigned int before;
	uint64_t deadline = 0;

	(void)state;
	box_kind(&b, HV_INPUT_KEYBOARD);
	vrig_start(&b.rig, 0, 8, 0);
	before = b.inputs;
	status(&b, 1, &(struct virtio_input_event){ EV_LED, LED_CAPSL, 1 });
	assert_int_equal(info(&b).leds, 1 << LED_CAPSL);
	while (b.inputs == before)
		vrig_pause(&deadline, "the event of the LED");
	status(&b, 4,
	       (struct virtio_input_event[]){ { EV_LED, LED_NUML, 1 },
					      { EV_LED, 0xffff, 1 },
					      { 0xffff, 0xffff, 1 },
					      { EV_LED, LED_CAPSL, 0 } });
	assert_int_equal(info(&b).leds, 1 << LED_NUML);
	/* Not LEDs of a keyboard, no bell, not a whole event. */
	status(&b, 2,
	       (struct virtio_input_event[]){ { EV_LED, LED_MAIL, 1 }, { EV_SND, SND_BELL, 1 } });
	assert_int_equal(vrig_request(&b.rig, 1,
				      (struct vrig_buf[]){ { vrig_alloc(&b.rig, 8, 8), 7, false } },
				      1),
			 0);
	assert_int_equal(info(&b).leds, 1 << LED_NUML);
	vrig_reset(&b.rig);
	assert_int_equal(info(&b).leds, 0);
	box_free(&b);
}

/* Buffers in which no event fits come back empty, and cost none. */
static void test_odd_buffers(void **state)
{
	struct box b;
	uint8_t *p;

	(void)state;
	hv_log_set_level(HV_LOG_ERROR);
	box_kind(&b, HV_INPUT_KEYBOARD);
	vrig_start(&b.rig, 0, 64, 0);
	p = vrig_alloc(&b.rig, 64, 8);
	send(&b, EV_KEY, KEY_A, 1);
	assert_int_equal(vrig_request(&b.rig, 0, (struct vrig_buf[]){ { p, 7, true } }, 1), 0);
	assert_int_equal(vrig_request(&b.rig, 0, (struct vrig_buf[]){ { p, 64, false } }, 1), 0);
	assert_int_equal(vrig_request(&b.rig, 0, (struct vrig_buf[]){ { p, 0, true } }, 1), 0);
	assert_int_equal(vrig_request(&b.rig, 0,
				      (struct vrig_buf[]){ { p, 1, true },
							   { p + 8, 1, true },
							   { p + 16, 30, true } },
				      3),
			 8);
	assert_int_equal(p[0], EV_KEY);
	assert_int_equal(p[8], 0);
	assert_int_equal(p[16], KEY_A);
	assert_int_equal(p[18], 1);
	expect(&b, EV_SYN, SYN_REPORT, 0);
	box_free(&b);
	hv_log_set_level(HV_LOG_WARN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_what_it_is), cmocka_unit_test(test_config_is_bounded),
		cmocka_unit_test(test_kinds),		cmocka_unit_test(test_events_arrive),
		cmocka_unit_test(test_refuses),		cmocka_unit_test(test_full),
		cmocka_unit_test(test_reset_forgets),	cmocka_unit_test(test_leds),
		cmocka_unit_test(test_odd_buffers),	cmocka_unit_test(test_to_the_last_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
