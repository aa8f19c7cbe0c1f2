// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <linux/virtio_input.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/dev/input.h"
#include "virtio/state.h"
#include "vrig.h"

/*
 * A device of the kernel's, as far as one can be had without one: what it answers is this
 * table, what it reports comes through a socket. The far end closed is the device unplugged.
 */
static struct {
	_Atomic int far; /* -1 = unplugged */
	_Atomic unsigned int opens;
	_Atomic bool not_evdev, grabbed_by_other, grabbed;
	const char *_Atomic name;
	uint8_t keys[KEY_CNT / 8];
	int32_t x;
	int32_t tracking[4];
	bool touch;		  /* has fingers and an axis as well */
	_Atomic unsigned int led; /* highest LED */
} fake;

static int fake_open(const char *path, int flags)
{
	int sv[2];

	assert_string_equal(path, "/dev/input/event7");
	assert_true(flags & O_NONBLOCK);
	fake.opens++;
	if (fake.far != -2) {
		errno = ENOENT;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv))
		return -1;
	fake.far = sv[1];
	fake.grabbed = false;
	return sv[0];
}

static void set(void *bits, unsigned int i)
{
	((uint8_t *)bits)[i / 8] |= (uint8_t)(1u << i % 8);
}

static int bits_of(unsigned int type, void *to, unsigned int size)
{
	memset(to, 0, size);
	switch (type) {
	case 0:
		set(to, EV_KEY);
		set(to, EV_LED);
		set(to, EV_REP);
		set(to, EV_REL);
		set(to, EV_FF);
		if (fake.touch)
			set(to, EV_ABS);
		break;
	case EV_KEY:
		for (unsigned int i = KEY_ESC; i <= KEY_KPDOT; i++)
			set(to, i);
		set(to, BTN_LEFT);
		break;
	case EV_LED:
		for (unsigned int i = 0; i <= fake.led; i++)
			set(to, i);
		break;
	case EV_REL:
		set(to, REL_X);
		break;
	case EV_ABS:
		set(to, ABS_X);
		set(to, ABS_MT_SLOT);
		set(to, ABS_MT_TRACKING_ID);
		break;
	default:
		fail_msg("asked for the codes of type %u", type);
	}
	return (int)size;
}

static int fingers(void *arg)
{
	uint32_t code;

	memcpy(&code, arg, sizeof(code));
	assert_int_equal(code, ABS_MT_TRACKING_ID);
	memcpy((uint8_t *)arg + 4, fake.tracking, sizeof(fake.tracking));
	return 0;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	unsigned int nr = _IOC_NR(request), size = _IOC_SIZE(request);
	struct input_absinfo *abs = arg;

	assert_true(fd >= 0);
	if (request == EVIOCGRAB) {
		errno = EBUSY;
		if (fake.grabbed_by_other)
			return -1;
		fake.grabbed = arg != NULL;
		return 0;
	}
	if (request == EVIOCGVERSION) {
		errno = ENOTTY;
		return fake.not_evdev ? -1 : 0;
	}
	assert_true(fake.grabbed);
	if (request == EVIOCGID) {
		*(struct input_id *)arg = (struct input_id){ BUS_USB, 0x1234, 0x5678, 2 };
		return 0;
	}
	if (nr == _IOC_NR(EVIOCGNAME(0)))
		return (int)strlen(strncpy(arg, fake.name, size));
	if (nr == _IOC_NR(EVIOCGKEY(0))) {
		memcpy(arg, fake.keys, size < sizeof(fake.keys) ? size : sizeof(fake.keys));
		return 0;
	}
	if (nr == _IOC_NR(EVIOCGMTSLOTS(0)))
		return fingers(arg);
	if (nr >= 0x20 && nr < 0x40)
		return bits_of(nr - 0x20, arg, size);
	if (nr == _IOC_NR(EVIOCGABS(ABS_X))) {
		*abs = (struct input_absinfo){ .value = fake.x, .minimum = -5, .maximum = 500 };
		return 0;
	}
	if (nr >= 0x40 && nr < 0x80) {
		*abs = (struct input_absinfo){ .maximum = 9 };
		return 0;
	}
	errno = ENOENT;
	return -1;
}

static const struct hv_evdev_host fake_host = { fake_open, fake_ioctl };

struct box {
	struct hv_vdev dev;
	struct vrig rig;
	_Atomic unsigned int errors, links;
	char message[256];
};

static void on_event(struct hv_vdev *dev, enum hv_vdev_event event, const char *message, void *arg)
{
	struct box *b = arg;

	(void)dev;
	if (event == HV_EV_ERROR) {
		snprintf(b->message, sizeof(b->message), "%s", message);
		b->errors++;
	}
	if (event == HV_EV_LINK)
		b->links++;
}

static const struct hv_input_opts opts = {
	.kind = HV_INPUT_EVDEV,
	.evdev = "/dev/input/event7",
	.host = &fake_host,
};

static int setup(void **state)
{
	(void)state;
	memset((void *)&fake, 0, sizeof(fake));
	fake.far = -2;
	fake.name = "A Keyboard";
	fake.led = LED_SCROLLL;
	hv_log_set_level(HV_LOG_ERROR);
	return 0;
}

static void box_init(struct box *b)
{
	struct hv_err err = { 0 };

	memset(b, 0, sizeof(*b));
	if (hv_input_init(&b->dev, "rig/kbd", &opts, &err))
		fail_msg("%s", err.msg);
	b->dev.event = on_event;
	b->dev.event_arg = b;
	vrig_init(&b->rig, &b->dev, 1 << 20);
}

static void box_free(struct box *b)
{
	vrig_free(&b->rig);
	hv_vdev_destroy(&b->dev);
	if (fake.far >= 0)
		close(fake.far);
}

static void report(unsigned int n, const struct input_event *events)
{
	size_t len = n * sizeof(*events);

	assert_int_equal(send(fake.far, events, len, 0), len);
}

#define EVENT(t, c, v)                                                                             \
	{                                                                                          \
		.type = (t), .code = (c), .value = (v)                                             \
	}
#define REPORT(...)                                                                                \
	report(sizeof((struct input_event[]){ __VA_ARGS__ }) / sizeof(struct input_event),         \
	       (struct input_event[]){ __VA_ARGS__ })
#define END EVENT(EV_SYN, SYN_REPORT, 0)

static void expect(struct box *b, uint16_t type, uint16_t code, int32_t value)
{
	size_t mark = b->rig.ram_used;
	struct virtio_input_event *e = vrig_alloc(&b->rig, sizeof(*e), 8);

	assert_int_equal(vrig_request(&b->rig, 0, (struct vrig_buf[]){ { e, 8, true } }, 1), 8);
	assert_int_equal(le16toh(e->type), type);
	assert_int_equal(le16toh(e->code), code);
	assert_int_equal((int32_t)le32toh(e->value), value);
	b->rig.ram_used = mark;
}

static void expect_key(struct box *b, uint16_t code, int32_t value)
{
	expect(b, EV_KEY, code, value);
	expect(b, EV_SYN, SYN_REPORT, 0);
}

/* The worker reads, and comes back for more, once it has seen that this life has begun. */
static void begin(struct box *b)
{
	vrig_start(&b->rig, 0, 8, 0);
	/* What it reports from here on may still be taken for old news; a key of no interest is
	 * repeated until one arrives. */
	for (uint64_t deadline = 0;;) {
		struct vrig_used used;
		size_t mark = b->rig.ram_used;
		struct virtio_input_event *e = vrig_alloc(&b->rig, 2 * sizeof(*e), 8);
		bool seen = false;

		vrig_add(&b->rig, 0, (struct vrig_buf[]){ { e, 8, true } }, 1);
		vrig_add(&b->rig, 0, (struct vrig_buf[]){ { e + 1, 8, true } }, 1);
		vrig_kick(&b->rig, 0);
		while (!seen) {
			REPORT(EVENT(EV_REL, REL_X, 1), END);
			for (int i = 0; i < 100 && !seen; i++) {
				seen = vrig_poll(&b->rig, 0, &used);
				vrig_pause(&deadline, "the first event");
			}
		}
		vrig_wait(&b->rig, 0);
		b->rig.ram_used = mark;
		break;
	}
}

/* Takes what is left of begin's own reports, then this key. */
static void expect_key_soon(struct box *b, uint16_t code, int32_t value)
{
	size_t mark = b->rig.ram_used;
	struct virtio_input_event *e = vrig_alloc(&b->rig, sizeof(*e), 8);

	do {
		assert_int_equal(vrig_request(&b->rig, 0, (struct vrig_buf[]){ { e, 8, true } }, 1),
				 8);
	} while (le16toh(e->type) == EV_REL ||
		 (le16toh(e->type) == EV_SYN && le16toh(e->code) == SYN_REPORT));
	assert_int_equal(le16toh(e->type), EV_KEY);
	assert_int_equal(le16toh(e->code), code);
	assert_int_equal((int32_t)le32toh(e->value), value);
	expect(b, EV_SYN, SYN_REPORT, 0);
	b->rig.ram_used = mark;
}

static void test_copies_the_device(void **state)
{
	struct hv_input_info info;
	struct box b;

	(void)state;
	fake.touch = true;
	box_init(&b);
	assert_true(fake.grabbed);
	vrig_set_config(&b.rig, 0, 1, VIRTIO_INPUT_CFG_ID_NAME);
	assert_int_equal(vrig_config(&b.rig, 2, 1), 10);
	assert_int_equal(vrig_config(&b.rig, 8, 4), 'A' | ' ' << 8 | 'K' << 16 | 'e' << 24);
	vrig_set_config(&b.rig, 0, 1, VIRTIO_INPUT_CFG_ID_DEVIDS);
	assert_int_equal(vrig_config(&b.rig, 10, 2), 0x1234);
	vrig_set_config(&b.rig, 0, 2, VIRTIO_INPUT_CFG_EV_BITS | EV_FF << 8);
	assert_int_equal(vrig_config(&b.rig, 2, 1), 0);
	vrig_set_config(&b.rig, 0, 2, VIRTIO_INPUT_CFG_EV_BITS | EV_KEY << 8);
	assert_int_equal(vrig_config(&b.rig, 2, 1), BTN_LEFT / 8 + 1);
	vrig_set_config(&b.rig, 0, 2, VIRTIO_INPUT_CFG_ABS_INFO | ABS_X << 8);
	assert_int_equal(vrig_config(&b.rig, 2, 1), 20);
	assert_int_equal((int32_t)vrig_config(&b.rig, 8, 4), -5);
	assert_int_equal(vrig_config(&b.rig, 12, 4), 500);
	hv_input_info(&b.dev, &info);
	assert_string_equal(info.evdev, "/dev/input/event7");
	assert_string_equal(info.model, "A Keyboard");
	assert_int_equal(
		hv_input_send(&b.dev, &(struct hv_input_event){ EV_KEY, KEY_A, 1 }, 1, NULL),
		-EINVAL);
	box_free(&b);
}

static void refused(int code, const char *says)
{
	struct hv_vdev dev = { 0 };
	struct hv_err err = { 0 };

	assert_int_equal(hv_input_init(&dev, "rig/kbd", &opts, &err), -code);
	if (!strstr(err.msg, says))
		fail_msg("%s: says nothing of: %s", err.msg, says);
	if (fake.far >= 0)
		close(fake.far);
	fake.far = -2;
}

static void test_cannot_be_had(void **state)
{
	(void)state;
	fake.not_evdev = true;
	refused(ENOTTY, "/dev/input/event7 is no input device");
	fake.not_evdev = false;
	fake.grabbed_by_other = true;
	refused(EBUSY, "another program");
	fake.far = -1;
	refused(ENOENT, "/dev/input/event7 cannot be opened: No such file");
}

static void test_passes_on(void **state)
{
	struct box b;

	(void)state;
	box_init(&b);
	begin(&b);
	REPORT(EVENT(EV_KEY, KEY_A, 1), END);
	expect_key_soon(&b, KEY_A, 1);
	/* The guest repeats by itself; what the device cannot do and LEDs are left out. */
	REPORT(EVENT(EV_KEY, KEY_A, 2), END);
	REPORT(EVENT(EV_LED, LED_NUML, 1), EVENT(EV_MSC, MSC_SCAN, 4), END);
	/* A report comes in two parts. */
	REPORT(EVENT(EV_KEY, KEY_A, 0));
	REPORT(EVENT(EV_KEY, KEY_B, 1), END, EVENT(EV_KEY, KEY_B, 0), END);
	expect(&b, EV_KEY, KEY_A, 0);
	expect_key(&b, KEY_B, 1);
	expect_key(&b, KEY_B, 0);
	box_free(&b);
}

/* The kernel had to drop some: the guest is told what is different by now, and nothing twice. */
static void test_makes_up_for_drops(void **state)
{
	struct box b;

	(void)state;
	fake.touch = true;
	for (int i = 0; i < 4; i++)
		fake.tracking[i] = -1;
	box_init(&b);
	begin(&b);
	REPORT(EVENT(EV_KEY, KEY_A, 1), END);
	expect_key_soon(&b, KEY_A, 1);
	set(fake.keys, KEY_S);
	fake.x = 77;
	fake.tracking[1] = 42;
	REPORT(EVENT(EV_KEY, KEY_D, 1), EVENT(EV_SYN, SYN_DROPPED, 0), EVENT(EV_KEY, KEY_F, 1),
	       END);
	expect(&b, EV_ABS, ABS_X, 77);
	expect(&b, EV_ABS, ABS_MT_SLOT, 1);
	expect(&b, EV_ABS, ABS_MT_TRACKING_ID, 42);
	expect(&b, EV_ABS, ABS_MT_SLOT, 0);
	expect(&b, EV_KEY, KEY_A, 0);
	expect_key(&b, KEY_S, 1);
	REPORT(EVENT(EV_KEY, KEY_S, 0), END);
	expect_key(&b, KEY_S, 0);
	box_free(&b);
}

static void test_unplugged(void **state)
{
	struct hv_input_info info;
	uint64_t deadline = 0;
	struct box b;
	unsigned int opens;

	(void)state;
	box_init(&b);
	begin(&b);
	REPORT(EVENT(EV_KEY, KEY_A, 1), END);
	expect_key_soon(&b, KEY_A, 1);
	close(fake.far);
	fake.far = -1;
	/* Nothing is held down for ever. */
	expect_key(&b, KEY_A, 0);
	while (!b.errors)
		vrig_pause(&deadline, "the event that it is gone");
	assert_non_null(strstr(b.message, "/dev/input/event7 is gone"));
	hv_input_info(&b.dev, &info);
	assert_true(info.gone);
	/* Another device in its place is none the guest knows. */
	opens = fake.opens;
	fake.led = LED_MAX;
	fake.name = "A Gamepad";
	fake.far = -2;
	deadline = 0;
	while (b.errors < 2)
		vrig_pause(&deadline, "the event that it is another one");
	assert_true(fake.opens > opens);
	assert_non_null(strstr(b.message, "A Gamepad"));
	assert_int_equal(b.links, 0);
	close(fake.far);
	fake.led = LED_SCROLLL;
	fake.name = "A Keyboard";
	fake.far = -2;
	deadline = 0;
	while (!b.links)
		vrig_pause(&deadline, "the event that it is back");
	hv_input_info(&b.dev, &info);
	assert_false(info.gone);
	assert_true(fake.grabbed);
	set(fake.keys, KEY_Q);
	deadline = 0;
	REPORT(EVENT(EV_SYN, SYN_DROPPED, 0), END);
	expect_key_soon(&b, KEY_Q, 1);
	box_free(&b);
}

static void hear(uint16_t type, uint16_t code, int32_t value)
{
	struct input_event e[2];
	uint64_t deadline = 0;
	ssize_t n;

	while ((n = recv(fake.far, e, sizeof(e), 0)) < 0)
		vrig_pause(&deadline, "what the device is told");
	assert_int_equal(n, sizeof(e));
	assert_int_equal(e[0].type, type);
	assert_int_equal(e[0].code, code);
	assert_int_equal(e[0].value, value);
	assert_int_equal(e[1].type, EV_SYN);
}

static void test_lights_the_leds(void **state)
{
	struct virtio_input_event *e;
	struct box b;

	(void)state;
	box_init(&b);
	begin(&b);
	e = vrig_alloc(&b.rig, sizeof(*e), 8);
	*e = (struct virtio_input_event){ EV_LED, LED_CAPSL, 1 };
	vrig_request(&b.rig, 1, (struct vrig_buf[]){ { e, 8, false } }, 1);
	hear(EV_LED, LED_CAPSL, 1);
	vrig_reset(&b.rig);
	hear(EV_LED, LED_CAPSL, 0);
	box_free(&b);
}

/* Without buffers of the guest's it is not read any more; nothing is lost when there are some. */
static void test_backs_up(void **state)
{
	unsigned int sent = 0, tries = 0;
	struct input_event pair[2] = { EVENT(EV_KEY, KEY_Z, 1), END };
	struct box b;

	(void)state;
	box_init(&b);
	begin(&b);
	REPORT(EVENT(EV_KEY, KEY_A, 1), END);
	expect_key_soon(&b, KEY_A, 1);
	while (tries < 50 && sent < 5000) {
		pair[0].value = sent % 2 ? 0 : 1;
		if (send(fake.far, pair, sizeof(pair), 0) == sizeof(pair)) {
			sent++;
			tries = 0;
			continue;
		}
		tries++;
		usleep(1000);
	}
	for (unsigned int i = 0; i < sent; i++)
		expect_key(&b, KEY_Z, i % 2 ? 0 : 1);
	box_free(&b);
}

static void attach_next(struct box *b, const struct hv_state_id *id, const char *dir)
{
	struct hv_err err = { 0 };

	memset(&b->dev, 0, sizeof(b->dev));
	assert_int_equal(hv_input_init(&b->dev, "rig/kbd", &opts, &err), 0);
	assert_int_equal(hv_state_open(dir, id, &b->dev, &b->rig.mem, &err), 0);
	b->rig.dev = &b->dev;
	assert_int_equal(hv_vdev_attach(&b->dev, &b->rig.bus, id->at, id->size, VRIG_IRQ, &err), 0);
}

/* What was pressed and let go while no process read the device. */
static void test_next_process(void **state)
{
	const struct hv_state_id id = {
		.life = 1, .at = 0xa000000, .size = 0x200, .zone = 1, .irq = VRIG_IRQ
	};
	char dir[] = "/tmp/hvsh-evdev-XXXXXX", command[64];
	struct hv_state *kept;
	struct hv_err err = { 0 };
	struct box b;

	(void)state;
	assert_non_null(mkdtemp(dir));
	memset(&b, 0, sizeof(b));
	assert_int_equal(hv_input_init(&b.dev, "rig/kbd", &opts, &err), 0);
	assert_int_equal(hv_state_create(dir, &id, &b.dev, &err), 0);
	vrig_init(&b.rig, &b.dev, 1 << 20);
	begin(&b);
	REPORT(EVENT(EV_KEY, KEY_A, 1), END);
	expect_key_soon(&b, KEY_A, 1);
	REPORT(EVENT(EV_KEY, KEY_LEFTSHIFT, 1), END);
	expect_key(&b, KEY_LEFTSHIFT, 1);
	hv_vdev_leave(&b.dev);
	kept = b.dev.kept;
	hv_vdev_destroy(&b.dev);
	hv_state_close(kept, false);
	close(fake.far);
	fake.far = -2;
	set(fake.keys, KEY_LEFTSHIFT);
	set(fake.keys, KEY_B);
	attach_next(&b, &id, dir);
	expect(&b, EV_KEY, KEY_A, 0);
	/* Held all the time: said again, which tells the guest nothing new. */
	expect(&b, EV_KEY, KEY_LEFTSHIFT, 1);
	expect_key(&b, KEY_B, 1);
	kept = b.dev.kept;
	box_free(&b);
	hv_state_close(kept, false);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_copies_the_device, setup),
		cmocka_unit_test_setup(test_cannot_be_had, setup),
		cmocka_unit_test_setup(test_passes_on, setup),
		cmocka_unit_test_setup(test_makes_up_for_drops, setup),
		cmocka_unit_test_setup(test_unplugged, setup),
		cmocka_unit_test_setup(test_lights_the_leds, setup),
		cmocka_unit_test_setup(test_backs_up, setup),
		cmocka_unit_test_setup(test_next_process, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
