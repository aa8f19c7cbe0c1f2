// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <linux/input.h>
#include <linux/virtio_input.h>
#include <string.h>

#include "lives.h"
#include "virtio/dev/input.h"

/* A guest's keyboard and touch screen when another process goes on with them. */
static struct {
	struct hv_vdev dev;
	struct lives lives;
	enum hv_input_kind kind;
} box;
static struct vrig *const rig = &box.lives.rig;
static struct hv_err err;

static void new_process(void)
{
	const struct hv_input_opts opts = { .kind = box.kind };

	memset(&box.dev, 0, sizeof(box.dev));
	assert_int_equal(hv_input_init(&box.dev, "linux1/keys", &opts, &err), 0);
}

static void next_process(void)
{
	lives_leave(&box.lives, &box.dev);
	new_process();
	lives_open(&box.lives, &box.dev);
	lives_attach(&box.lives, &box.dev);
}

static void begin(enum hv_input_kind kind)
{
	memset(&box, 0, sizeof(box));
	box.kind = kind;
	new_process();
	lives_begin(&box.lives, &box.dev);
	vrig_start(rig, 0, 64, 0);
}

static int setup_keyboard(void **state)
{
	(void)state;
	begin(HV_INPUT_KEYBOARD);
	return 0;
}

static int setup_touch(void **state)
{
	(void)state;
	begin(HV_INPUT_TOUCH);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return lives_close(&box.lives, &box.dev);
}

static struct virtio_input_event *post(void)
{
	struct virtio_input_event *e = vrig_alloc(rig, sizeof(*e), 8);

	assert_true(vrig_add(rig, 0, (struct vrig_buf[]){ { e, 8, true } }, 1) >= 0);
	vrig_kick(rig, 0);
	return e;
}

static void expect(uint16_t type, uint16_t code, int32_t value)
{
	struct virtio_input_event *e = post();

	assert_int_equal(vrig_wait(rig, 0).len, 8);
	assert_int_equal(le16toh(e->type), type);
	assert_int_equal(le16toh(e->code), code);
	assert_int_equal((int32_t)le32toh(e->value), value);
}

static void send(uint16_t type, uint16_t code, int32_t value)
{
	assert_int_equal(
		hv_input_send(&box.dev, &(struct hv_input_event){ type, code, value }, 1, &err), 0);
}

static void press(uint16_t code, int32_t value)
{
	send(EV_KEY, code, value);
	expect(EV_KEY, code, value);
	expect(EV_SYN, SYN_REPORT, 0);
}

/* The next thing the guest hears is this key: nothing came before. */
static void nothing_but(uint16_t code)
{
	press(code, 1);
	press(code, 0);
}

static void what_a_script_held_is_let_go(void **state)
{
	(void)state;
	press(KEY_LEFTSHIFT, 1);
	press(KEY_A, 1);
	press(KEY_A, 0);
	next_process();
	expect(EV_KEY, KEY_LEFTSHIFT, 0);
	expect(EV_SYN, SYN_REPORT, 0);
	nothing_but(KEY_B);
	/* And is not let go again by the one after. */
	next_process();
	nothing_but(KEY_C);
}

/* The guest was told that a key is up, or had no buffer for it: in doubt it is told again. */
static void what_was_not_delivered_does_not_stick(void **state)
{
	(void)state;
	press(KEY_A, 1);
	send(EV_KEY, KEY_A, 0);
	next_process();
	expect(EV_KEY, KEY_A, 0);
	expect(EV_SYN, SYN_REPORT, 0);
	nothing_but(KEY_B);
}

static void registers_and_lights_are_kept(void **state)
{
	struct virtio_input_event *e = vrig_alloc(rig, sizeof(*e), 8);
	struct hv_input_info info;

	(void)state;
	*e = (struct virtio_input_event){ htole16(EV_LED), htole16(LED_CAPSL), htole32(1) };
	vrig_request(rig, 1, (struct vrig_buf[]){ { e, 8, false } }, 1);
	vrig_set_config(rig, 0, 1, VIRTIO_INPUT_CFG_EV_BITS);
	vrig_set_config(rig, 1, 1, EV_LED);
	next_process();
	hv_input_info(&box.dev, &info);
	assert_int_equal(info.leds, 1u << LED_CAPSL);
	assert_int_equal(vrig_config(rig, 0, 1), VIRTIO_INPUT_CFG_EV_BITS);
	assert_int_equal(vrig_config(rig, 1, 1), EV_LED);
	assert_int_equal(vrig_config(rig, 2, 1), 1);
	nothing_but(KEY_B);
}

/* Another driver knows nothing of the old one's keys. */
static void a_reset_forgets(void **state)
{
	(void)state;
	press(KEY_A, 1);
	vrig_reset(rig);
	next_process();
	vrig_start(rig, 0, 64, 0);
	nothing_but(KEY_B);
}

static void fingers_are_lifted(void **state)
{
	const struct hv_input_event down[] = {
		{ EV_ABS, ABS_MT_SLOT, 1 },
		{ EV_ABS, ABS_MT_TRACKING_ID, 7 },
		{ EV_ABS, ABS_MT_POSITION_X, 100 },
	};

	(void)state;
	assert_int_equal(hv_input_send(&box.dev, down, 3, &err), 0);
	for (int i = 0; i < 3; i++)
		expect(down[i].type, down[i].code, down[i].value);
	expect(EV_SYN, SYN_REPORT, 0);
	next_process();
	expect(EV_ABS, ABS_MT_SLOT, 1);
	expect(EV_ABS, ABS_MT_TRACKING_ID, -1);
	expect(EV_ABS, ABS_MT_SLOT, 0);
	expect(EV_SYN, SYN_REPORT, 0);
}

#define KEYS(name) cmocka_unit_test_setup_teardown(name, setup_keyboard, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEYS(what_a_script_held_is_let_go),
		KEYS(what_was_not_delivered_does_not_stick),
		KEYS(registers_and_lights_are_kept),
		KEYS(a_reset_forgets),
		cmocka_unit_test_setup_teardown(fingers_are_lifted, setup_touch, teardown),
	};

	return cmocka_run_group_tests_name("input_lives", tests, NULL, NULL);
}
