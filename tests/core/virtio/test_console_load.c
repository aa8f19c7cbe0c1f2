// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/virtio_console.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console_rig.h"

/* Threads at full speed: for the thread sanitizer, and that every byte arrives. */
#define TOTAL (8u << 20)
#define CHUNK 4096
#define SLOTS 32

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16) * 29);
}

struct side {
	pthread_t thread;
	struct crig *c;
	struct hv_console_client *client;
	_Atomic bool stop;
	uint64_t bytes, wrong, lost;
};

/* The guest sends TOTAL bytes in chains of odd lengths. */
static void *guest_sends(void *arg)
{
	struct side *s = arg;
	struct vrig *rig = &s->c->rig;
	uint8_t *slots = vrig_alloc(rig, SLOTS * CHUNK, 8);
	unsigned int out = 0, next = 0;

	while (s->bytes < TOTAL || out) {
		uint32_t len = (uint32_t)(1 + (s->bytes * 31) % CHUNK);

		if (s->bytes < TOTAL && out < SLOTS) {
			uint8_t *at = slots + next++ % SLOTS * CHUNK;

			for (uint32_t i = 0; i < len; i++)
				at[i] = pattern(s->bytes + i);
			assert_true(vrig_add(rig, 1, (struct vrig_buf[]){ { at, len, false } },
					     1) >= 0);
			s->bytes += len;
			out++;
			if (next % 8 == 0)
				vrig_kick(rig, 1);
			continue;
		}
		vrig_kick(rig, 1);
		vrig_wait(rig, 1);
		out--;
	}
	return NULL;
}

static void *host_reads(void *arg)
{
	struct side *s = arg;
	uint8_t bytes[5000];

	while (!atomic_load(&s->stop)) {
		uint64_t lost;
		ssize_t n = hv_console_read(s->client, bytes, sizeof(bytes), &lost);

		s->lost += lost;
		s->bytes += lost;
		for (ssize_t i = 0; i < n; i++)
			s->wrong += bytes[i] != pattern(s->bytes++);
		if (!n)
			sched_yield();
	}
	return NULL;
}

static void test_every_byte_out(void **state)
{
	struct side guest = { 0 }, patient = { 0 }, hasty = { 0 };
	uint64_t deadline = 0;
	struct crig c;

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	guest.c = patient.c = hasty.c = &c;
	patient.client = crig_open(&c, 0, "patient", 0, UINT64_MAX);
	hasty.client = crig_open(&c, 0, "hasty", 0, 0);
	pthread_create(&patient.thread, NULL, host_reads, &patient);
	pthread_create(&hasty.thread, NULL, host_reads, &hasty);
	guest_sends(&guest);
	while (c.dev.stats.write_bytes < guest.bytes)
		vrig_pause(&deadline, "the output");
	/* What has been completed is in the ring: both find its end. */
	atomic_store(&patient.stop, true);
	atomic_store(&hasty.stop, true);
	pthread_join(patient.thread, NULL);
	pthread_join(hasty.thread, NULL);
	atomic_store(&patient.stop, false);
	for (uint64_t d = 0; patient.bytes < guest.bytes;) {
		uint8_t byte;

		if (hv_console_read(patient.client, &byte, 1, NULL) == 1)
			patient.wrong += byte != pattern(patient.bytes++);
		else
			vrig_pause(&d, "the last bytes");
	}
	assert_int_equal(patient.lost, 0);
	assert_int_equal(patient.wrong, 0);
	assert_int_equal(hasty.wrong, 0);
	hv_console_close(patient.client);
	hv_console_close(hasty.client);
	crig_free(&c);
}

static void *host_types(void *arg)
{
	struct side *s = arg;
	uint8_t bytes[3000];

	while (s->bytes < TOTAL) {
		size_t len = 1 + (size_t)(s->bytes * 17) % sizeof(bytes);
		ssize_t n;

		if (len > TOTAL - s->bytes)
			len = (size_t)(TOTAL - s->bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = pattern(s->bytes + i);
		n = hv_console_write(s->client, bytes, len, NULL);
		if (n <= 0)
			sched_yield();
		else
			s->bytes += (uint64_t)n;
	}
	return NULL;
}

static void test_every_byte_in(void **state)
{
	struct side host = { 0 };
	uint8_t *slots, *of[64];
	uint64_t got = 0, wrong = 0;
	struct crig c;

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, HV_FEATURE(HV_F_EVENT_IDX), 32, 0);
	slots = vrig_alloc(&c.rig, SLOTS * CHUNK, 8);
	for (unsigned int i = 0; i < SLOTS; i++) {
		int head = vrig_add(&c.rig, 0,
				    (struct vrig_buf[]){ { slots + i * CHUNK, CHUNK, true } }, 1);

		of[head] = slots + i * CHUNK;
	}
	vrig_kick(&c.rig, 0);
	host.c = &c;
	host.client = crig_open(&c, 0, "typist", 0, 0);
	assert_int_equal(hv_console_claim(host.client, false, NULL), 0);
	pthread_create(&host.thread, NULL, host_types, &host);
	while (got < TOTAL) {
		struct vrig_used used = vrig_wait(&c.rig, 0);
		uint8_t *at = of[used.id];
		int head;

		for (uint32_t i = 0; i < used.len; i++)
			wrong += at[i] != pattern(got++);
		head = vrig_add(&c.rig, 0, (struct vrig_buf[]){ { at, CHUNK, true } }, 1);
		of[head] = at;
		vrig_kick(&c.rig, 0);
	}
	pthread_join(host.thread, NULL);
	assert_int_equal(got, host.bytes);
	assert_int_equal(wrong, 0);
	hv_console_close(host.client);
	crig_free(&c);
}

/* Reads, types, opens and closes for as long as the guest resets. */
static void *busy_client(void *arg)
{
	struct side *s = arg;
	char bytes[1000];

	do {
		struct hv_console_client *client;
		struct hv_console_client_opts opts = {
			.who = "busy", .back = 100, .wake = -1, .patience = 1000000
		};

		hv_console_open(&s->c->dev, 0, &opts, &client, NULL);
		hv_console_claim(client, true, NULL);
		for (int i = 0; i < 50; i++) {
			hv_console_read(client, bytes, sizeof(bytes), NULL);
			hv_console_write(client, bytes, sizeof(bytes), NULL);
		}
		hv_console_close(client);
		s->bytes++;
	} while (!atomic_load(&s->stop));
	return NULL;
}

/* Reset and detach in the middle of everything. */
static void test_resets(void **state)
{
	struct hv_console_port_opts ports[] = { { .output = 4096, .pty = true },
						{ .name = "two", .output = 4096 } };
	struct side s = { 0 };
	struct crig c;

	(void)state;
	crig_init(&c, ports, 2);
	s.c = &c;
	pthread_create(&s.thread, NULL, busy_client, &s);
	for (int life = 0; life < 50; life++) {
		crig_start(&c,
			   HV_FEATURE(HV_F_EVENT_IDX) |
				   (life & 1 ? HV_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT) : 0),
			   16, 0);
		for (int i = 0; i < 8; i++) {
			vrig_add(&c.rig, 0, (struct vrig_buf[]){ { c.page, 100, true } }, 1);
			vrig_add(&c.rig, 1,
				 (struct vrig_buf[]){ { (char *)c.page + 8192, 30000, false } }, 1);
		}
		vrig_kick(&c.rig, 0);
		vrig_kick(&c.rig, 1);
		if (life % 3)
			vrig_wait(&c.rig, 1);
		vrig_set_config(&c.rig, 8, 4, 'e');
		if (life % 7 == 6) {
			vrig_write(&c.rig, 0x030, 1);
			vrig_write(&c.rig, 0x044, 0);
		}
		vrig_reset(&c.rig);
	}
	vrig_free(&c.rig);
	atomic_store(&s.stop, true);
	pthread_join(s.thread, NULL);
	hv_vdev_destroy(&c.dev);
	assert_true(s.bytes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_out),
		cmocka_unit_test(test_every_byte_in),
		cmocka_unit_test(test_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
