// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/virtio_console.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console_rig.h"
#include "virtio/state.h"

#define MULTIPORT HV_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT)
#define SIZE HV_FEATURE(VIRTIO_CONSOLE_F_SIZE)

static const struct hv_console_port_opts ports[] = {
	{ .cols = 80, .rows = 24 },
	{ .name = "org.example.agent", .data = true },
	{ .name = "second" },
};

static void hear(struct crig *c, uint32_t id, uint16_t event, uint16_t value, const void *more,
		 size_t len)
{
	uint16_t got_event, got_value;
	char got[512];
	uint32_t got_id;
	size_t n = crig_hear(c, &got_id, &got_event, &got_value, got);

	assert_int_equal(got_event, event);
	assert_int_equal(got_id, id);
	assert_int_equal(got_value, value);
	assert_int_equal(n, len);
	assert_memory_equal(got, more, len);
}

/* As Linux' driver comes up. */
static void come_up(struct crig *c)
{
	crig_start(c, MULTIPORT | SIZE, 64, 0);
	crig_say(c, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	for (uint32_t id = 0; id < 3; id++)
		hear(c, id, VIRTIO_CONSOLE_PORT_ADD, 1, "", 0);
}

static void test_handshake(void **state)
{
	struct hv_console_info info;
	struct vrig_used used;
	struct crig c;
	void *at;
	int head;

	(void)state;
	crig_init(&c, ports, 3);
	at = vrig_alloc(&c.rig, 64, 8);
	assert_int_equal(c.dev.n_queues, 8);
	assert_int_equal(vrig_config(&c.rig, 4, 4), 3);
	come_up(&c);
	/* A port is not spoken of before its driver is ready for it. */
	assert_int_equal(hv_console_resize(&c.dev, 1, 7, 8, NULL), 0);
	head = vrig_add(&c.rig, 2, (struct vrig_buf[]){ { at, 64, true } }, 1);
	vrig_kick(&c.rig, 2);
	crig_say(&c, 9, 9, 9);
	assert_false(vrig_poll(&c.rig, 2, &used));
	crig_say(&c, 0, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_int_equal(vrig_finish(&c.rig, 2, head), 8);
	assert_memory_equal(at, "\0\0\0\0\4\0\1\0", 8);
	hear(&c, 0, VIRTIO_CONSOLE_PORT_OPEN, 1, "", 0);
	hear(&c, 0, VIRTIO_CONSOLE_RESIZE, 1, "\x50\0\x18\0", 4);
	/* A data port is no console, but has a name. */
	crig_say(&c, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(&c, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "org.example.agent", 17);
	hear(&c, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "", 0);
	hear(&c, 1, VIRTIO_CONSOLE_RESIZE, 1, "\7\0\x8\0", 4);
	crig_say(&c, 2, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(&c, 2, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "", 0);
	hear(&c, 2, VIRTIO_CONSOLE_PORT_NAME, 1, "second", 6);
	hear(&c, 2, VIRTIO_CONSOLE_PORT_OPEN, 1, "", 0);
	hear(&c, 2, VIRTIO_CONSOLE_RESIZE, 1, "\0\0\0\0", 4);

	assert_int_equal(hv_console_resize(&c.dev, 2, 100, 40, NULL), 0);
	hear(&c, 2, VIRTIO_CONSOLE_RESIZE, 1, "\x64\0\x28\0", 4);
	/* The other ports' sizes are not the register's. */
	assert_int_equal(vrig_config(&c.rig, 0, 2), 80);
	crig_say(&c, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(hv_console_port_info(&c.dev, 1, &info), 0);
	assert_true(info.guest_open);
	assert_true(info.data);
	assert_string_equal(info.name, "org.example.agent");
	assert_int_equal(hv_console_find(&c.dev, "second"), 2);
	/* A new life knows nothing of the old one. */
	vrig_reset(&c.rig);
	assert_int_equal(hv_console_port_info(&c.dev, 1, &info), 0);
	assert_false(info.guest_open);
	come_up(&c);
	crig_free(&c);
}

static struct {
	struct hv_vdev_ops ops;
	const struct hv_vdev_ops *real;
	struct crig *c;
	bool all_due, lost;
} watched;

/* What no process would say any more must have been shown to the guest. */
static void watch_keep(struct hv_vdev *dev, void *to)
{
	const struct vring_used *used = watched.c->rig.queue[2].used;
	const uint8_t *bytes = to;
	unsigned int due = 0;

	watched.real->keep(dev, to);
	for (unsigned int i = 0; i < 3; i++)
		due += bytes[2 * i + 1] & 1;
	watched.all_due |= due == 3;
	watched.lost |= watched.all_due && __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) < 3 - due;
}

static void test_messages_are_kept_until_shown(void **state)
{
	const struct hv_state_id id = { .life = 1, .zone = 1, .at = 0xa000000, .size = 0x200 };
	char dir[] = "/tmp/hvsh-ports-XXXXXX", command[64];
	struct hv_state *kept;
	struct hv_err err;
	struct crig c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	crig_init(&c, ports, 3);
	watched.c = &c;
	watched.real = c.dev.ops;
	watched.ops = *c.dev.ops;
	watched.ops.keep = watch_keep;
	watched.all_due = watched.lost = false;
	assert_int_equal(hv_state_create(dir, &id, &c.dev, &err), 0);
	kept = c.dev.kept;
	c.dev.ops = &watched.ops;
	come_up(&c);
	c.dev.ops = watched.real;
	assert_true(watched.all_due);
	assert_false(watched.lost);
	crig_free(&c);
	hv_state_close(kept, true);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* Each port's bytes go their own way, and nothing is sent to a port before the guest has opened it.
 */
static void test_data(void **state)
{
	struct hv_console_client *client[3];
	char got[32], text[16];
	struct crig c;

	(void)state;
	crig_init(&c, ports, 3);
	come_up(&c);
	for (uint32_t i = 0; i < 3; i++) {
		unsigned int in = i ? 2 * i + 2 : 0;
		struct vrig_used used;
		void *at = vrig_alloc(&c.rig, 32, 8);
		int head;

		client[i] = crig_open(&c, i, "test", 0, 0);
		snprintf(text, sizeof(text), "out %u", i);
		crig_send(&c, in + 1, text, strlen(text));
		crig_expect(client[i], text);
		assert_int_equal(hv_console_claim(client[i], false, NULL), 0);
		snprintf(text, sizeof(text), "in %u", i);
		hv_console_write(client[i], text, strlen(text), NULL);
		head = vrig_add(&c.rig, in, (struct vrig_buf[]){ { at, 32, true } }, 1);
		vrig_kick(&c.rig, in);
		/* A round trip through the worker: it has seen the buffer and left it. */
		crig_say(&c, i, VIRTIO_CONSOLE_PORT_OPEN, 0);
		assert_false(vrig_poll(&c.rig, in, &used));
		crig_say(&c, i, VIRTIO_CONSOLE_PORT_OPEN, 1);
		assert_int_equal(vrig_finish(&c.rig, in, head), strlen(text));
		memcpy(got, at, strlen(text));
		assert_memory_equal(got, text, strlen(text));
	}
	for (uint32_t i = 0; i < 3; i++) {
		crig_expect_nothing(client[i]);
		hv_console_close(client[i]);
	}
	crig_free(&c);
}

/* A driver without the feature gets port 0, and the others' clients wait for a better one. */
static void test_not_negotiated(void **state)
{
	struct hv_console_client *a, *b;
	char got[8];
	struct crig c;

	(void)state;
	crig_init(&c, ports, 3);
	crig_start(&c, 0, 64, 0);
	a = crig_open(&c, 0, "a", 0, 0);
	b = crig_open(&c, 1, "b", 0, 0);
	assert_int_equal(hv_console_claim(b, false, NULL), 0);
	assert_int_equal(hv_console_write(b, "kept", 4, NULL), 4);
	crig_puts(&c, "hello");
	crig_expect(a, "hello");
	assert_int_equal(hv_console_claim(a, false, NULL), 0);
	assert_int_equal(hv_console_write(a, "hi", 2, NULL), 2);
	assert_int_equal(crig_receive(&c, 0, got, 8), 2);
	come_up(&c);
	crig_say(&c, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(crig_receive(&c, 4, got, 8), 4);
	assert_memory_equal(got, "kept", 4);
	hv_console_close(a);
	hv_console_close(b);
	crig_free(&c);
}

/* Nonsense on the control queues is answered with silence; the device goes on. */
static void test_nonsense(void **state)
{
	static const struct {
		uint32_t id;
		uint16_t event, value;
	} said[] = {
		{ 3, VIRTIO_CONSOLE_PORT_READY, 1 },
		{ UINT32_MAX, VIRTIO_CONSOLE_PORT_OPEN, 1 },
		{ 0, VIRTIO_CONSOLE_PORT_ADD, 1 },
		{ 0, VIRTIO_CONSOLE_RESIZE, 1 },
		{ 0, 0xffff, 0xffff },
		{ 7, VIRTIO_CONSOLE_PORT_READY, 0 },
		{ 1, VIRTIO_CONSOLE_PORT_READY, 0 },
		{ 0, VIRTIO_CONSOLE_DEVICE_READY, 0 },
	};
	struct vrig_used used;
	uint8_t *small;
	struct crig c;
	int head;

	(void)state;
	crig_init(&c, ports, 3);
	crig_start(&c, MULTIPORT, 64, 0);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		crig_say(&c, said[i].id, said[i].event, said[i].value);
	for (size_t len = 0; len < 8; len++)
		crig_send(&c, 3, "\0\0\0\0\0\0\0", len);
	/* Nothing of it has made the host say anything. */
	small = vrig_alloc(&c.rig, 64, 8);
	head = vrig_add(&c.rig, 2, (struct vrig_buf[]){ { small, 7, true } }, 1);
	vrig_kick(&c.rig, 2);
	crig_say(&c, 9, 9, 9);
	assert_false(vrig_poll(&c.rig, 2, &used));
	/* A buffer too small for the message comes back empty; the message comes in the next. */
	crig_say(&c, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	assert_int_equal(vrig_finish(&c.rig, 2, head), 0);
	for (uint32_t id = 0; id < 3; id++)
		hear(&c, id, VIRTIO_CONSOLE_PORT_ADD, 1, "", 0);
	/* Said a thousand times and never listened to, it is still said once; SIZE was not
	 * negotiated. */
	for (int i = 0; i < 1000; i++)
		crig_say(&c, 2, VIRTIO_CONSOLE_PORT_READY, 1);
	head = vrig_add(&c.rig, 2,
			(struct vrig_buf[]){ { small, 3, true }, { small + 3, 61, true } }, 2);
	vrig_kick(&c.rig, 2);
	assert_int_equal(vrig_finish(&c.rig, 2, head), 8);
	assert_int_equal(small[4], VIRTIO_CONSOLE_CONSOLE_PORT);
	hear(&c, 2, VIRTIO_CONSOLE_PORT_NAME, 1, "second", 6);
	hear(&c, 2, VIRTIO_CONSOLE_PORT_OPEN, 1, "", 0);
	head = vrig_add(&c.rig, 2, (struct vrig_buf[]){ { small, 64, true } }, 1);
	vrig_kick(&c.rig, 2);
	crig_say(&c, 9, 9, 9);
	assert_false(vrig_poll(&c.rig, 2, &used));
	crig_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_messages_are_kept_until_shown),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_not_negotiated),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
