// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * console: MB/s guest → host and host → guest through a virtio console, one guest thread, one host
 * thread, every byte compared. Prints "OUT IN WRONG": two rates, and how many bytes were wrong or
 * missing. Links tests/lib/vrig.c and cmocka (its checks end the program).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/dev/console.h"
#include "vrig.h"

#define TOTAL (512u << 20)
#define CHUNK 4096u
#define SLOTS 64u
#define PERIOD 251u /* a prime: misplaced chunks show */

static uint8_t pattern[CHUNK + PERIOD];
static struct hv_console_client *client;
static int event;
static uint64_t bad;

static void wait_event(void)
{
	struct pollfd fd = { .fd = event, .events = POLLIN };
	uint64_t count;

	poll(&fd, 1, 1000);
	(void)!read(event, &count, sizeof(count));
}

static void *read_all(void *arg)
{
	static uint8_t buf[65536];
	uint64_t got = 0;

	(void)arg;
	while (got < TOTAL) {
		uint64_t lost;
		ssize_t n = hv_console_read(client, buf, sizeof(buf), &lost);

		bad += lost;
		got += lost;
		for (ssize_t at = 0; at < n;) {
			size_t part = (size_t)(n - at) < CHUNK ? (size_t)(n - at) : CHUNK;

			if (memcmp(buf + at, pattern + got % PERIOD, part))
				bad += part;
			at += (ssize_t)part;
			got += part;
		}
		if (!n)
			wait_event();
	}
	return NULL;
}

static void *write_all(void *arg)
{
	uint64_t sent = 0;

	(void)arg;
	while (sent < TOTAL) {
		size_t len = TOTAL - sent < CHUNK ? (size_t)(TOTAL - sent) : CHUNK;
		ssize_t n = hv_console_write(client, pattern + sent % PERIOD, len, NULL);

		if (n < (ssize_t)len)
			wait_event();
		sent += n > 0 ? (uint64_t)n : 0;
	}
	return NULL;
}

static double out(struct vrig *rig, uint8_t *slots)
{
	uint64_t begin = hv_now(), sent = 0;
	unsigned int in_flight = 0, next = 0;
	pthread_t reader;

	pthread_create(&reader, NULL, read_all, NULL);
	while (sent < TOTAL || in_flight) {
		while (sent < TOTAL && in_flight < SLOTS) {
			uint8_t *at = slots + next++ % SLOTS * CHUNK;

			memcpy(at, pattern + sent % PERIOD, CHUNK);
			vrig_add(rig, 1, (struct vrig_buf[]){ { at, CHUNK, false } }, 1);
			sent += CHUNK;
			in_flight++;
		}
		vrig_kick(rig, 1);
		vrig_wait(rig, 1);
		in_flight--;
	}
	pthread_join(reader, NULL);
	return TOTAL / 1e6 / ((double)(hv_now() - begin) / 1e9);
}

static double in(struct vrig *rig, uint8_t *slots)
{
	uint64_t begin = hv_now(), got = 0;
	uint8_t *of[SLOTS];
	pthread_t writer;

	for (unsigned int i = 0; i < SLOTS; i++)
		of[vrig_add(rig, 0, (struct vrig_buf[]){ { slots + i * CHUNK, CHUNK, true } }, 1)] =
			slots + i * CHUNK;
	vrig_kick(rig, 0);
	pthread_create(&writer, NULL, write_all, NULL);
	while (got < TOTAL) {
		struct vrig_used used = vrig_wait(rig, 0);
		uint8_t *at = of[used.id];

		if (memcmp(at, pattern + got % PERIOD, used.len))
			bad += used.len;
		got += used.len;
		of[vrig_add(rig, 0, (struct vrig_buf[]){ { at, CHUNK, true } }, 1)] = at;
		vrig_kick(rig, 0);
	}
	pthread_join(writer, NULL);
	return TOTAL / 1e6 / ((double)(hv_now() - begin) / 1e9);
}

int main(void)
{
	struct hv_console_client_opts opts = { .who = "bench", .patience = UINT64_MAX };
	struct hv_vdev dev = { 0 };
	struct vrig rig;
	double to_host, to_guest;
	uint8_t *slots;

	for (unsigned int i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i % PERIOD);
	event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	opts.wake = event;
	if (hv_console_init(&dev, "bench/hvc0", &(struct hv_console_opts){ 0 }, NULL))
		return 1;
	vrig_init(&rig, &dev, 8 << 20);
	vrig_start(&rig, HV_FEATURE(HV_F_EVENT_IDX), SLOTS, 0);
	slots = vrig_alloc(&rig, SLOTS * CHUNK, 4096);
	if (hv_console_open(&dev, 0, &opts, &client, NULL) || hv_console_claim(client, false, NULL))
		return 1;
	to_host = out(&rig, slots);
	to_guest = in(&rig, slots);
	printf("%.0f %.0f %llu\n", to_host, to_guest, (unsigned long long)bad);
	hv_console_close(client);
	vrig_free(&rig);
	hv_vdev_destroy(&dev);
	return bad != 0;
}
