// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_mmio.h>

#include "blk_box.h"

#define KIB 1024u
#define F(name) HV_FEATURE(VIRTIO_BLK_F_##name)
#define QUEUES 4
#define REGION (256 * KIB) /* of the disk, per queue */

static struct blk_box box;

static int make(void **state)
{
	(void)state;
	blk_box_make(&box, QUEUES * REGION);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	blk_box_free(&box);
	return 0;
}

/* ---- several queues at once, each with its own part of the disk */

struct client {
	unsigned int queue;
	uint8_t model[REGION];
	unsigned int wrong;
};

static void *drive(void *arg)
{
	struct client *c = arg;
	unsigned int seed = c->queue + 1;
	uint64_t base = c->queue * REGION / 512;
	uint8_t buf[32 * 512];

	for (unsigned int i = 0; i < 400; i++) {
		uint32_t n = 1 + (uint32_t)rand_r(&seed) % 32;
		uint64_t at = (uint64_t)rand_r(&seed) % (REGION / 512 - n + 1);
		int what = rand_r(&seed) % 8;

		if (what < 4) {
			for (uint32_t b = 0; b < n * 512; b++)
				buf[b] = (uint8_t)rand_r(&seed);
			c->wrong += blk_box_request(&box, c->queue, VIRTIO_BLK_T_OUT, base + at,
						    buf, n * 512) != VIRTIO_BLK_S_OK;
			memcpy(c->model + at * 512, buf, n * 512);
		} else if (what < 7) {
			c->wrong += blk_box_request(&box, c->queue, VIRTIO_BLK_T_IN, base + at, buf,
						    n * 512) != VIRTIO_BLK_S_OK;
			c->wrong += memcmp(buf, c->model + at * 512, n * 512) != 0;
		} else {
			c->wrong += blk_box_request(&box, c->queue, VIRTIO_BLK_T_FLUSH, 0, NULL,
						    0) != VIRTIO_BLK_S_OK;
		}
	}
	return NULL;
}

static void all_queues(struct hv_blk_opts *opts)
{
	static struct client clients[QUEUES];
	pthread_t threads[QUEUES];

	opts->queues = QUEUES;
	blk_box_open(&box, opts);
	blk_box_start(&box, F(FLUSH) | F(MQ), 0);
	for (unsigned int i = 0; i < QUEUES; i++) {
		clients[i] = (struct client){ .queue = i };
		blk_box_fill(clients[i].model, i * REGION / 512, REGION);
		/* The rig's memory is handed out by one thread. */
		blk_box_request(&box, i, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	}
	for (unsigned int i = 0; i < QUEUES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, drive, &clients[i]), 0);
	for (unsigned int i = 0; i < QUEUES; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < QUEUES; i++)
		assert_int_equal(clients[i].wrong, 0);
}

static void queues_at_once(void **state)
{
	(void)state;
	all_queues(&(struct hv_blk_opts){ 0 });
}

static void queues_at_once_by_threads(void **state)
{
	(void)state;
	all_queues(&(struct hv_blk_opts){ .engine = HV_BLK_ENGINE_THREADS });
}

static void queues_at_once_on_an_overlay(void **state)
{
	(void)state;
	all_queues(&(struct hv_blk_opts){ .overlay = box.overlay });
}

static void queues_at_once_on_a_snapshot(void **state)
{
	(void)state;
	all_queues(&(struct hv_blk_opts){ .snapshot = true });
}

/* Two queues write neighbouring sectors of one cluster of the base: neither loses the other's. */
struct neighbour {
	unsigned int queue;
	uint8_t byte;
};

static void *write_neighbours(void *arg)
{
	const struct neighbour *n = arg;
	uint8_t data[512];

	memset(data, n->byte, sizeof(data));
	for (uint64_t cluster = 0; cluster < QUEUES * REGION / 4096; cluster++)
		blk_box_request(&box, n->queue, VIRTIO_BLK_T_OUT, cluster * 8 + n->queue, data,
				512);
	return NULL;
}

static void neighbours_in_a_cluster(void **state)
{
	struct neighbour n[2] = { { 0, 0xa0 }, { 1, 0xb1 } };
	pthread_t threads[2];
	uint8_t data[4096], want[512];

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .overlay = box.overlay, .queues = 2 });
	blk_box_start(&box, F(FLUSH) | F(MQ), 0);
	for (unsigned int i = 0; i < 2; i++)
		blk_box_request(&box, i, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_neighbours, &n[i]), 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t c = 0; c < QUEUES * REGION / 4096; c++) {
		assert_int_equal(blk_box_read(&box, c * 8, data, 4096), VIRTIO_BLK_S_OK);
		assert_int_equal(data[0], 0xa0);
		assert_int_equal(data[512], 0xb1);
		blk_box_fill(want, c * 8 + 2, 512);
		assert_memory_equal(data + 1024, want, 512);
	}
}

/* ---- the end of a life with requests under way */

static void flood(unsigned int queue, unsigned int n, uint32_t len)
{
	for (unsigned int i = 0; i < n; i++) {
		struct virtio_blk_outhdr *header = vrig_alloc(&box.rig, 16, 16);
		uint8_t *data = vrig_alloc(&box.rig, len, 512),
			*status = vrig_alloc(&box.rig, 1, 1);
		bool write = i % 3 == 0;

		header->type = htole32(write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN);
		header->sector = htole64(i % 64 * 8);
		if (vrig_add(&box.rig, queue,
			     (struct vrig_buf[]){ { header, 16, false },
						  { data, len, !write },
						  { status, 1, true } },
			     3) < 0)
			break;
	}
	vrig_kick(&box.rig, queue);
}

static void resets(const struct hv_blk_opts *opts, uint64_t features)
{
	uint8_t data[512], want[512];

	for (unsigned int life = 0; life < 60; life++) {
		if (life % 20 == 0) {
			blk_box_close(&box);
			blk_box_open(&box, opts);
		}
		blk_box_start(&box, features | F(MQ), 0);
		for (unsigned int q = 0; q < box.dev.n_queues; q++)
			flood(q, 24, 4096);
		for (unsigned int i = 0; i < life * 50; i++)
			sched_yield();
		vrig_reset(&box.rig);
		/* Whatever was under way is over: the guest's memory is its own again. */
		memset(box.rig.ram, 0x99, 64 * KIB);
		for (unsigned int i = 0; i < 64 * KIB; i += 997)
			assert_int_equal(box.rig.ram[i], 0x99);
		box.rig.ram_used = 0;
		memset(box.scratch, 0, sizeof(box.scratch));
		memset(box.rig.ram, 0, 8 << 20);
	}
	blk_box_start(&box, features | F(MQ), 0);
	blk_box_fill(want, 1000, 512);
	assert_int_equal(blk_box_read(&box, 1000, data, 512), VIRTIO_BLK_S_OK);
	assert_memory_equal(data, want, 512);
}

static void reset_in_flight(void **state)
{
	(void)state;
	resets(&(struct hv_blk_opts){ .queues = 2 }, F(FLUSH));
}

static void reset_in_flight_by_threads(void **state)
{
	(void)state;
	resets(&(struct hv_blk_opts){ .queues = 2,
				      .engine = HV_BLK_ENGINE_THREADS,
				      .direct = true },
	       F(FLUSH));
}

static void reset_in_flight_past_the_cache(void **state)
{
	(void)state;
	resets(&(struct hv_blk_opts){ .queues = 2, .direct = true }, F(FLUSH));
}

static void reset_in_flight_on_an_overlay(void **state)
{
	(void)state;
	resets(&(struct hv_blk_opts){ .queues = 2, .overlay = box.overlay }, F(FLUSH));
}

/* One queue of a worker's two ends; the requests of the other are all answered, well. */
static void one_queue_of_two_ends(void **state)
{
	enum { N = 30 };
	const uint64_t unwritten = 64 * 8; /* the flood writes in front of it */
	struct virtio_blk_outhdr *header;
	uint8_t *data[N], *status, want[4096];
	int head[N];

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .queues = 9, .direct = true });
	blk_box_start(&box, F(FLUSH) | F(MQ), 0);
	/* Queues 0 and 8 share a worker. */
	assert_ptr_equal(box.dev.queues[0].worker, box.dev.queues[8].worker);
	header = vrig_alloc(&box.rig, sizeof(*header) * N, 16);
	status = vrig_alloc(&box.rig, N, 1);
	for (unsigned int i = 0; i < N; i++) {
		data[i] = vrig_alloc(&box.rig, 4096, 512);
		status[i] = 0xee;
		header[i] = (struct virtio_blk_outhdr){ .sector = htole64(unwritten + i * 8) };
		head[i] = vrig_add(&box.rig, 0,
				   (struct vrig_buf[]){ { &header[i], 16, false },
							{ data[i], 4096, true },
							{ &status[i], 1, true } },
				   3);
	}
	flood(8, 20, 4096);
	vrig_kick(&box.rig, 0);
	vrig_write(&box.rig, VIRTIO_MMIO_QUEUE_SEL, 8);
	vrig_write(&box.rig, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(vrig_read(&box.rig, VIRTIO_MMIO_QUEUE_READY), 0);
	for (unsigned int i = 0; i < N; i++) {
		assert_int_equal(vrig_finish(&box.rig, 0, head[i]), 4097);
		assert_int_equal(status[i], VIRTIO_BLK_S_OK);
		blk_box_fill(want, unwritten + i * 8, 4096);
		assert_memory_equal(data[i], want, 4096);
	}
}

/* Growing, limiting and syncing from the main thread while the queues work. */
static void *poke(void *arg)
{
	_Atomic bool *end = arg;
	struct hv_blk_info info;
	uint64_t bytes = QUEUES * REGION;

	while (!atomic_load(end)) {
		hv_blk_resize(&box.dev, bytes += 4096, NULL);
		hv_blk_sync(&box.dev, NULL);
		hv_blk_info(&box.dev, &info);
		hv_limit_set(&box.dev.limit, bytes % 3 ? 0 : 1000000, 0, 0, 0);
		hv_vdev_pause(&box.dev, true);
		hv_vdev_pause(&box.dev, false);
		sched_yield();
	}
	return NULL;
}

static void changes_under_load(void **state)
{
	_Atomic bool end = false;
	uint8_t data[4096], want[4096];
	pthread_t thread;

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .overlay = box.overlay });
	blk_box_start(&box, F(FLUSH), 0);
	assert_int_equal(pthread_create(&thread, NULL, poke, &end), 0);
	for (unsigned int i = 0; i < 300; i++) {
		blk_box_fill(want, i, 4096);
		assert_int_equal(blk_box_write(&box, i % 200 * 8, want, 4096), VIRTIO_BLK_S_OK);
		assert_int_equal(blk_box_read(&box, i % 200 * 8, data, 4096), VIRTIO_BLK_S_OK);
		assert_memory_equal(data, want, 4096);
	}
	atomic_store(&end, true);
	pthread_join(thread, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(queues_at_once),
		TEST(queues_at_once_by_threads),
		TEST(queues_at_once_on_an_overlay),
		TEST(queues_at_once_on_a_snapshot),
		TEST(neighbours_in_a_cluster),
		TEST(reset_in_flight),
		TEST(reset_in_flight_by_threads),
		TEST(reset_in_flight_past_the_cache),
		TEST(reset_in_flight_on_an_overlay),
		TEST(one_queue_of_two_ends),
		TEST(changes_under_load),
	};

	return cmocka_run_group_tests_name("blk threads", tests, NULL, NULL);
}
