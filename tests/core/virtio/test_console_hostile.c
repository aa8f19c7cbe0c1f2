// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <string.h>

#include "console_rig.h"

#define STATUS 0x070

static const struct hv_console_port_opts ports[] = {
	{ .output = 4096, .input = 4096 },
	{ .name = "data", .data = true, .output = 4096 },
};

/* Writes a chain's first descriptor past what the rig would, and shows it. */
static void break_chain(struct crig *c, unsigned int queue, uint64_t addr, uint32_t len,
			uint16_t flags, uint16_t next)
{
	struct vrig_queue *q = &c->rig.queue[queue];
	int head = vrig_add(&c->rig, queue, (struct vrig_buf[]){ { c->page, 8, false } }, 1);

	assert_true(head >= 0);
	q->desc[head] =
		(struct vring_desc){ .addr = addr, .len = len, .flags = flags, .next = next };
	vrig_kick(&c->rig, queue);
}

static void test_bad_chains(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} bad[] = {
		{ 0, 8, 0, 0 },
		{ VRIG_BASE + (4 << 20) - 4, 8, 0, 0 },
		{ UINT64_MAX - 3, 8, 0, 0 },
		{ VRIG_BASE, UINT32_MAX, 0, 0 },
		{ VRIG_BASE, 8, VRING_DESC_F_NEXT, 0 }, /* a loop */
		{ VRIG_BASE, 8, VRING_DESC_F_NEXT, 60000 },
		{ VRIG_BASE, 32, VRING_DESC_F_INDIRECT, 0 }, /* not negotiated */
		{ 0, 8, VRING_DESC_F_WRITE, 0 },
	};
	struct hv_console_client *client;
	struct crig c;

	(void)state;
	crig_init(&c, ports, 2);
	client = crig_open(&c, 0, "test", 0, 0);
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	hv_console_write(client, "x", 1, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* On each queue: receive, transmit, control in and out, the second port. */
		for (unsigned int queue = 0; queue < 6; queue++) {
			crig_start(&c, HV_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT), 16, 0);
			crig_say(&c, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
			crig_say(&c, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
			crig_say(&c, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
			if (queue == 4) {
				vrig_reset(&c.rig); /* nothing is typed there: never looked at */
				continue;
			}
			break_chain(&c, queue, bad[i].addr, bad[i].len, bad[i].flags, bad[i].next);
			vrig_wait_status(&c.rig, VIRTIO_CONFIG_S_NEEDS_RESET);
			assert_true(vrig_ack(&c.rig) & 2);
			/* Broken means silent, and a reset heals. */
			vrig_reset(&c.rig);
		}
	}
	crig_start(&c, 0, 16, 0);
	crig_puts(&c, "alive");
	crig_expect(client, "alive");
	hv_console_close(client);
	crig_free(&c);
}

/* Sixteen descriptors that all name the whole of memory: bounded turns, and a reset gets through.
 */
static void test_endless_chain(void **state)
{
	struct vrig_buf bufs[16];
	struct crig c;

	(void)state;
	crig_init(&c, ports, 2);
	crig_start(&c, 0, 64, 0);
	for (int i = 0; i < 16; i++)
		bufs[i] = (struct vrig_buf){ c.rig.ram, 4 << 20, false };
	for (int i = 0; i < 4; i++)
		assert_true(vrig_add(&c.rig, 1, bufs, 16) >= 0);
	vrig_kick(&c.rig, 1);
	vrig_reset(&c.rig);
	assert_true(atomic_load(&c.dev.stats.write_bytes) < UINT64_C(4) * 16 * (4 << 20));
	crig_free(&c);
}

/* The ring itself and the host's answers in the guest's own rings: it only hurts itself. */
static void test_overlaps(void **state)
{
	struct hv_console_client *client;
	struct crig c;

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 16, 0);
	client = crig_open(&c, 0, "test", 0, 0);
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	memset(c.page, 0xff, 4096);
	hv_console_write(client, c.page, 4096, NULL);
	vrig_add(&c.rig, 0, (struct vrig_buf[]){ { c.rig.queue[0].avail, 38, true } }, 1);
	vrig_add(&c.rig, 0, (struct vrig_buf[]){ { c.rig.queue[0].desc, 256, true } }, 1);
	vrig_kick(&c.rig, 0);
	vrig_wait_status(&c.rig, VIRTIO_CONFIG_S_NEEDS_RESET);
	hv_console_close(client);
	crig_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_chains),
		cmocka_unit_test(test_endless_chain),
		cmocka_unit_test(test_overlaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
