// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk that takes its time: nothing is in the page cache, and what waits for the disk waits for
 * the test. With threads for an engine every call goes through this program's own versions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <linux/virtio_mmio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blk_box.h"

#define F(name) HV_FEATURE(VIRTIO_BLK_F_##name)

static _Atomic bool gate; /* the disk is at work until it is false */
static _Atomic unsigned int begun;

static ssize_t move(long call, int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	if (flags & RWF_NOWAIT) {
		errno = EAGAIN;
		return -1;
	}
	atomic_fetch_add(&begun, 1);
	while (atomic_load(&gate))
		usleep(100);
	/* User emulation knows only the older calls. */
	if (!flags)
		call = call == SYS_preadv2 ? SYS_preadv : SYS_pwritev;
	return syscall(call, fd, iov, n, off, 0, flags);
}

ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	return move(SYS_preadv2, fd, iov, n, off, flags);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	return move(SYS_pwritev2, fd, iov, n, off, flags);
}

static struct blk_box box;

static int make(void **state)
{
	(void)state;
	atomic_store(&begun, 0);
	blk_box_make(&box, 1 << 20);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	atomic_store(&gate, false);
	blk_box_free(&box);
	return 0;
}

static void start(uint64_t features)
{
	blk_box_open(&box, &(struct hv_blk_opts){ .engine = HV_BLK_ENGINE_THREADS });
	blk_box_start(&box, features, 0);
}

#define POOL 8	     /* threads of the engine */
#define IN_A_TURN 30 /* requests that the worker takes in one, at least */

struct reads {
	struct virtio_blk_outhdr *header;
	uint8_t *status;
	int head[64];
};

static void send_reads(struct reads *r, unsigned int n)
{
	r->header = vrig_alloc(&box.rig, sizeof(*r->header) * n, 16);
	r->status = vrig_alloc(&box.rig, n, 1);
	for (unsigned int i = 0; i < n; i++) {
		r->status[i] = 0xee;
		r->header[i] = (struct virtio_blk_outhdr){ .sector = htole64(i * 8) };
		r->head[i] = vrig_add(
			&box.rig, 0,
			(struct vrig_buf[]){ { &r->header[i], sizeof(*r->header), false },
					     { vrig_alloc(&box.rig, 4096, 512), 4096, true },
					     { &r->status[i], 1, true } },
			3);
		assert_true(r->head[i] >= 0);
	}
	vrig_kick(&box.rig, 0);
}

static void wait_at_gate(unsigned int n)
{
	uint64_t deadline = 0;

	while (atomic_load(&begun) < n)
		vrig_pause(&deadline, "the reads to begin");
}

/* Paused with reads under way: they are answered, new ones are not begun. */
static void pause_answers_what_is_in_flight(void **state)
{
	struct reads before, after;
	uint64_t deadline = 0;

	(void)state;
	start(F(FLUSH));
	atomic_store(&gate, true);
	send_reads(&before, 3);
	wait_at_gate(3);
	hv_vdev_pause(&box.dev, true);
	/* From then on the worker knows. */
	while (!atomic_load(&box.dev.workers[0].sleeping))
		vrig_pause(&deadline, "the worker to sleep");
	send_reads(&after, 2);
	atomic_store(&gate, false);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(vrig_finish(&box.rig, 0, before.head[i]), 4097);
		assert_int_equal(before.status[i], VIRTIO_BLK_S_OK);
	}
	assert_int_equal(atomic_load(&begun), 3);
	assert_int_equal(after.status[0], 0xee);
	hv_vdev_pause(&box.dev, false);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(vrig_finish(&box.rig, 0, after.head[i]), 4097);
}

/* A reset waits for the reads that have begun, and the others do not begin any more. */
static void reset_calls_reads_off(void **state)
{
	uint64_t deadline = 0;
	uint8_t got[4096], want[4096];
	struct reads reads;
	bool later;

	(void)state;
	start(F(FLUSH));
	atomic_store(&gate, true);
	/* The worker finds all of them at once, and has taken them when it hears of the reset. */
	hv_vdev_pause(&box.dev, true);
	while (!atomic_load(&box.dev.workers[0].sleeping))
		vrig_pause(&deadline, "the worker to sleep");
	send_reads(&reads, IN_A_TURN);
	hv_vdev_pause(&box.dev, false);
	wait_at_gate(POOL);
	deadline = 0;
	later = vrig_write_async(&box.rig, VIRTIO_MMIO_STATUS, 0, 1);
	while (atomic_load(&box.dev.stats.requests) < IN_A_TURN - POOL)
		vrig_pause(&deadline, "the reads to be called off");
	assert_true(later);
	assert_int_equal(atomic_load(&box.rig.released[1]), 0);
	atomic_store(&gate, false);
	vrig_released(&box.rig, 1, 1);
	assert_int_equal(atomic_load(&begun), POOL);
	assert_int_equal(atomic_load(&box.dev.stats.errors), 0);
	assert_int_equal(atomic_load(&box.events[HV_EV_ERROR]), 0);
	blk_box_start(&box, F(FLUSH), 0);
	blk_box_fill(want, 8, sizeof(want));
	assert_int_equal(blk_box_read(&box, 8, got, sizeof(got)), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, want, sizeof(want));
}

/* What the guest wrote before it reset the disk is on the disk. */
static void reset_writes_on(void **state)
{
	uint8_t *data, got[4096], *status;
	struct virtio_blk_outhdr *header;
	uint64_t deadline = 0;

	(void)state;
	start(0); /* without FLUSH writes are the engine's */
	atomic_store(&gate, true);
	header = vrig_alloc(&box.rig, 20 * sizeof(*header), 16);
	data = vrig_alloc(&box.rig, 4096, 512);
	status = vrig_alloc(&box.rig, 20, 1);
	memset(data, 0x42, 4096);
	for (unsigned int i = 0; i < 20; i++) {
		header[i] = (struct virtio_blk_outhdr){ .type = htole32(VIRTIO_BLK_T_OUT),
							.sector = htole64(i * 8) };
		vrig_add(&box.rig, 0,
			 (struct vrig_buf[]){ { &header[i], sizeof(*header), false },
					      { data, 4096, false },
					      { &status[i], 1, true } },
			 3);
	}
	vrig_kick(&box.rig, 0);
	wait_at_gate(POOL);
	vrig_write_async(&box.rig, VIRTIO_MMIO_STATUS, 0, 1);
	while (!hv_vdev_ending(&box.dev))
		vrig_pause(&deadline, "the reset");
	atomic_store(&gate, false);
	vrig_released(&box.rig, 1, 1);
	for (unsigned int i = 0; i < 20; i++) {
		blk_box_file_read(box.image, i * 4096, got, sizeof(got));
		assert_int_equal(got[0], 0x42);
		assert_int_equal(got[4095], 0x42);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pause_answers_what_is_in_flight),
		TEST(reset_calls_reads_off),
		TEST(reset_writes_on),
	};

	return cmocka_run_group_tests_name("slow blk", tests, NULL, NULL);
}
