// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * docs/failures.md for disks: each system call of a disk's threads fails, falls short or is
 * interrupted at each place where it is made, once. A request is answered with an error or with
 * what is right; the others and the device go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <liburing.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "blk_box.h"
#include "fault_sweep.h"
#include "kept_log.h"
#include "told.h"

#define SECTORS 512u
#define F(name) HV_FEATURE(VIRTIO_BLK_F_##name)
#define RANGES (F(WRITE_ZEROES) | F(DISCARD))
#define NAME "linux1/root (boot.lua:12: devices.root): "

static struct blk_box box;

/* What the disk holds; a failed write leaves old or new, sector by sector. */
static struct {
	uint8_t bytes[SECTORS * 512];
	bool unknown[SECTORS];
} model;

static uint8_t *scratch;      /* guest memory */
static unsigned int failures; /* requests answered with an error */

static void forget(uint64_t sector, uint64_t n)
{
	memset(model.unknown + sector, true, n);
}

static void learn(uint64_t sector, const void *bytes, uint64_t n)
{
	memset(model.unknown + sector, false, n);
	memcpy(model.bytes + sector * 512, bytes, n * 512);
}

static bool broken(void)
{
	return vrig_read(&box.rig, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* Status, or -1: the device asks for a reset. The data lies in three buffers. */
static int request(uint32_t type, uint64_t sector, void *data, uint32_t len)
{
	bool in = type == VIRTIO_BLK_T_IN;
	uint8_t *all = scratch, *status = all + 16;
	struct virtio_blk_outhdr *header = (void *)all;
	uint32_t cut = len / 3 & ~7u;
	struct vrig_used used;
	struct vrig_buf bufs[5];
	uint64_t deadline = 0;
	unsigned int n = 0;

	if (broken())
		return -1;
	*header = (struct virtio_blk_outhdr){ .type = htole32(type), .sector = htole64(sector) };
	*status = 0xee;
	memset(all + 4096, 0xdd, len);
	if (!in && len)
		memcpy(all + 4096, data, len);
	bufs[n++] = (struct vrig_buf){ header, sizeof(*header), false };
	for (uint32_t at = 0, size; at < len; at += size) {
		size = n == 3 || !cut ? len - at : cut;
		bufs[n++] = (struct vrig_buf){ all + 4096 + at, size, in };
	}
	bufs[n++] = (struct vrig_buf){ status, 1, true };
	assert_true(vrig_add(&box.rig, 0, bufs, n) >= 0);
	vrig_kick(&box.rig, 0);
	while (!vrig_poll(&box.rig, 0, &used)) {
		vrig_ack(&box.rig);
		if (broken())
			return -1;
		vrig_pause(&deadline, "a request's end");
	}
	if (in)
		memcpy(data, all + 4096, len);
	assert_true(*status == VIRTIO_BLK_S_OK || *status == VIRTIO_BLK_S_IOERR);
	failures += *status != VIRTIO_BLK_S_OK;
	return *status;
}

static void read_back(uint64_t sector, uint32_t n)
{
	uint8_t *got = malloc(n * 512);

	if (request(VIRTIO_BLK_T_IN, sector, got, n * 512) == VIRTIO_BLK_S_OK)
		for (uint32_t i = 0; i < n; i++)
			if (!model.unknown[sector + i] &&
			    memcmp(got + i * 512, model.bytes + (sector + i) * 512, 512))
				fail_msg("sector %u is not what was written",
					 (unsigned int)sector + i);
	free(got);
}

static void write_new(uint64_t sector, uint32_t n)
{
	static uint64_t version;
	uint8_t *data = malloc(n * 512);

	blk_box_fill(data, sector + ++version * 7919, n * 512);
	if (request(VIRTIO_BLK_T_OUT, sector, data, n * 512) == VIRTIO_BLK_S_OK)
		learn(sector, data, n);
	else
		forget(sector, n);
	free(data);
}

static void range(uint32_t type, uint64_t sector, uint32_t n)
{
	struct virtio_blk_discard_write_zeroes wire = { .sector = htole64(sector),
							.num_sectors = htole32(n) };
	static const uint8_t zero[SECTORS * 512];

	if (request(type, 0, &wire, sizeof(wire)) == VIRTIO_BLK_S_OK &&
	    type == VIRTIO_BLK_T_WRITE_ZEROES)
		learn(sector, zero, n);
	else
		forget(sector, n);
}

/* Whatever a driver asks for. */
static void drive(void)
{
	write_new(3, 6);
	read_back(0, 16);
	write_new(200, 160); /* whole clusters of an overlay, and parts */
	request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	range(VIRTIO_BLK_T_WRITE_ZEROES, 60, 200);
	range(VIRTIO_BLK_T_DISCARD, 300, 200);
	read_back(0, SECTORS);
	request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	assert_false(broken());
}

struct kind {
	const char *name;
	struct hv_blk_opts opts;
	uint64_t features;
	bool overlay, misses;
};

static const struct kind kinds[] = {
	{ "cached", { .engine = HV_BLK_ENGINE_THREADS }, F(FLUSH) | RANGES, .misses = false },
	{ "threads", { .engine = HV_BLK_ENGINE_THREADS }, F(FLUSH) | RANGES, .misses = true },
	{ "ring", { .engine = HV_BLK_ENGINE_URING }, F(FLUSH) | RANGES, .misses = true },
	{ "direct",
	  { .engine = HV_BLK_ENGINE_URING, .direct = true },
	  F(FLUSH) | RANGES,
	  .misses = false },
	{ "overlay", { .engine = HV_BLK_ENGINE_AUTO }, F(FLUSH) | RANGES, .overlay = true },
	{ "durable", { .engine = HV_BLK_ENGINE_THREADS }, RANGES, .overlay = true },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A new one each time: clusters are allocated only once. */
static void begin_overlay(void)
{
	unlink(box.overlay);
	memset(model.unknown, false, sizeof(model.unknown));
	blk_box_fill(model.bytes, 0, sizeof(model.bytes));
}

static bool open_kind(const struct kind *kind)
{
	struct hv_blk_opts opts = kind->opts;
	struct hv_err err = { 0 };

	if (kind->overlay)
		opts.overlay = box.overlay;
	atomic_store(&sf_nowait_refused, kind->misses);
	if (kind->overlay)
		begin_overlay();
	failures = 0;
	kept_log_begin();
	for (unsigned int i = 0; i <= HV_EV_RESIZE; i++)
		atomic_store(&box.events[i], 0);
	if (blk_box_init(&box, &opts, &err)) {
		/* Here there is no direct access to files. */
		if (!opts.direct)
			fail_msg("%s", err.msg);
		return false;
	}
	vrig_init(&box.rig, &box.dev, 1 << 20);
	return true;
}

static void start(const struct kind *kind)
{
	blk_box_start(&box, kind->features, 0);
	scratch = vrig_alloc(&box.rig, 4096 + sizeof(model.bytes), 4096);
}

/* Until its threads have done with that, too. */
static void start_whole(const struct kind *kind)
{
	start(kind);
	read_back(0, 1);
}

static void close_kind(void)
{
	blk_box_close(&box);
}

/* What a fault may lead to. */
enum outcome {
	NOTHING, /* it is tried again, or done otherwise: no request fails */
	ONE,	 /* one request, which is said */
	SILENT,	 /* one request, which the kernel calls a matter of course */
};

/* For a message of the test. */
static const char *with(const struct kind *kind, const struct fault *f)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s: %s", kind->name, sf_name(f->fault));
	return text;
}

static bool once(const struct fault *f, unsigned int place, const void *arg)
{
	const struct kind *kind = arg;
	unsigned int failed, hit;

	assert_true(open_kind(kind));
	start_whole(kind);
	sf_arm(f->fault, place, 1);
	drive();
	hit = sf_disarm();
	failed = failures;
	if (failed > (hit && f->outcome != NOTHING))
		fail_msg("%s at place %u: %u requests failed: %s", with(kind, f), place, failed,
			 kept_log_text());
	told(failed || (hit && kept_log_lines()) ? NAME : NULL, with(kind, f), place);
	drive();
	if (failures != failed)
		fail_msg("%s at place %u: it does not work afterwards: %s", with(kind, f), place,
			 kept_log_text());
	close_kind();
	return hit;
}

static void sweep(const struct kind *kind, const struct fault *f)
{
	fault_places(once, f, kind);
}

static bool ring_is_to_be_had(void)
{
	struct io_uring ring;

	if (io_uring_queue_init(8, &ring, 0))
		return false;
	io_uring_queue_exit(&ring);
	return true;
}

static void make_files(void)
{
	blk_box_make(&box, sizeof(model.bytes));
	memset(model.unknown, false, sizeof(model.unknown));
	blk_box_fill(model.bytes, 0, sizeof(model.bytes));
}

typedef void visit_fn(const struct kind *kind, const struct fault *f);

/* Nothing is lost on the way. */
static void for_each_kind(visit_fn *visit, const struct fault *faults, unsigned int n)
{
	struct sf_owned before;

	for (unsigned int k = 0; k < KINDS; k++) {
		if (kinds[k].opts.engine == HV_BLK_ENGINE_URING && !ring_is_to_be_had())
			continue;
		make_files();
		if (open_kind(&kinds[k])) {
			close_kind();
			before = sf_count();
			for (unsigned int i = 0; i < n; i++)
				visit(&kinds[k], &faults[i]);
			sf_expect(before);
		}
		blk_box_free(&box);
		memset(&box, 0, sizeof(box));
	}
}

#define EACH(visit, ...)                                                                           \
	do {                                                                                       \
		static const struct fault faults[] = { __VA_ARGS__ };                              \
		for_each_kind(visit, faults, sizeof(faults) / sizeof(faults[0]));                  \
	} while (0)

static void on_the_spot(void **state)
{
	(void)state;
	EACH(sweep, { { SF_preadv2, EIO }, ONE }, { { SF_preadv2, ENOMEM }, ONE },
	     { { SF_preadv2, EINTR }, NOTHING }, { { SF_preadv2, EAGAIN }, NOTHING },
	     { { SF_preadv2, EOPNOTSUPP }, NOTHING }, { { SF_preadv2, SF_SHORT }, NOTHING },
	     { { SF_preadv2, SF_ZERO }, ONE }, { { SF_pwritev2, EIO }, ONE },
	     { { SF_pwritev2, ENOSPC }, ONE }, { { SF_pwritev2, EINTR }, NOTHING },
	     { { SF_pwritev2, EAGAIN }, NOTHING }, { { SF_pwritev2, SF_SHORT }, NOTHING },
	     { { SF_pwritev2, SF_ZERO }, ONE });
}

static void by_the_ring(void **state)
{
	(void)state;
	if (!ring_is_to_be_had())
		skip();
	EACH(sweep, { { SF_sqe, EIO }, ONE }, { { SF_sqe, ENOSPC }, ONE },
	     { { SF_sqe, EAGAIN }, NOTHING }, { { SF_sqe, SF_SHORT }, NOTHING },
	     { { SF_sqe, SF_ZERO }, ONE }, { { SF_io_uring_submit, EAGAIN }, NOTHING },
	     { { SF_io_uring_submit, EBUSY }, NOTHING }, { { SF_io_uring_submit, EINTR }, NOTHING },
	     { { SF_io_uring_submit, ENOMEM }, NOTHING },
	     { { SF_io_uring_submit, SF_ZERO }, NOTHING });
}

static void by_threads(void **state)
{
	(void)state;
	EACH(sweep, { { SF_preadv, EIO }, ONE }, { { SF_preadv, EINTR }, NOTHING },
	     { { SF_preadv, SF_SHORT }, NOTHING }, { { SF_preadv, SF_ZERO }, ONE },
	     { { SF_pwritev, EIO }, ONE }, { { SF_pwritev, ENOSPC }, ONE },
	     { { SF_pwritev, EINTR }, NOTHING }, { { SF_pwritev, SF_SHORT }, NOTHING },
	     { { SF_pwritev, SF_ZERO }, ONE }, { { SF_pwrite, EIO }, ONE },
	     { { SF_pwrite, ENOSPC }, ONE }, { { SF_pwrite, EINTR }, NOTHING },
	     { { SF_pwrite, SF_SHORT }, NOTHING }, { { SF_pwrite, SF_ZERO }, ONE },
	     { { SF_pread, EIO }, ONE }, { { SF_pread, EINTR }, NOTHING },
	     { { SF_pread, SF_SHORT }, NOTHING }, { { SF_pread, SF_ZERO }, ONE });
}

static void flushes_and_lengths(void **state)
{
	(void)state;
	EACH(sweep, { { SF_fdatasync, EIO }, ONE }, { { SF_fdatasync, ENOSPC }, ONE },
	     { { SF_fdatasync, EINTR }, NOTHING }, { { SF_fallocate, EIO }, ONE },
	     { { SF_fallocate, ENOSPC }, ONE }, { { SF_fallocate, EINTR }, NOTHING },
	     { { SF_fallocate, EOPNOTSUPP }, NOTHING }, { { SF_fallocate, ENOSYS }, NOTHING },
	     { { SF_fstat, EIO }, ONE }, { { SF_fstat, ENOMEM }, ONE });
}

static void memory_and_threads(void **state)
{
	(void)state;
	EACH(sweep, { { SF_malloc, ENOMEM }, ONE }, { { SF_calloc, ENOMEM }, ONE },
	     { { SF_pthread_create, EAGAIN }, NOTHING });
}

/* ---- for as long as it lasts */

static void lasting_for(const struct kind *kind, const struct fault *f, unsigned int times)
{
	unsigned int failed, hit;

	assert_true(open_kind(kind));
	start_whole(kind);
	sf_arm(f->fault, 1, times);
	drive();
	drive();
	hit = sf_disarm();
	failed = failures;
	if (failed && f->outcome == NOTHING)
		fail_msg("%s lasts: %u requests failed: %s", with(kind, f), failed,
			 kept_log_text());
	if (failed || (hit && (f->fault.call == SF_io_uring_submit || kept_log_lines())))
		told(NAME, with(kind, f), 1);
	drive();
	if (failures != failed)
		fail_msg("%s: it does not work afterwards: %s", with(kind, f), kept_log_text());
	close_kind();
}

static void lasting(const struct kind *kind, const struct fault *f)
{
	lasting_for(kind, f, 0);
}

static void lasting_a_while(const struct kind *kind, const struct fault *f)
{
	lasting_for(kind, f, 20);
}

static void lasting_faults(void **state)
{
	(void)state;
	EACH(lasting, { { SF_preadv2, EIO }, ONE }, { { SF_preadv2, EOPNOTSUPP }, NOTHING },
	     { { SF_pwritev2, ENOSPC }, ONE }, { { SF_pwritev, ENOSPC }, ONE },
	     { { SF_pwrite, EIO }, ONE }, { { SF_pread, EIO }, ONE }, { { SF_sqe, EIO }, ONE },
	     { { SF_sqe, EAGAIN }, NOTHING }, { { SF_sqe, SF_SHORT }, NOTHING },
	     { { SF_fdatasync, EIO }, ONE }, { { SF_fallocate, ENOSPC }, ONE },
	     { { SF_fallocate, EOPNOTSUPP }, NOTHING }, { { SF_fstat, EIO }, ONE },
	     { { SF_malloc, ENOMEM }, ONE }, { { SF_calloc, ENOMEM }, ONE },
	     { { SF_pthread_create, EAGAIN }, NOTHING }, { { SF_ppoll, ENOMEM }, NOTHING },
	     { { SF_event_read, EAGAIN }, NOTHING }, { { SF_event_write, EAGAIN }, NOTHING });
}

/* The ring takes nothing for a while: everything is done after it. */
static void a_ring_that_refuses(void **state)
{
	(void)state;
	EACH(lasting_a_while, { { SF_io_uring_submit, ENOMEM }, NOTHING },
	     { { SF_io_uring_submit, EPERM }, NOTHING });
}

/* A reset waits for what is under way, and ends. */
static void reset_in_flight(const struct kind *kind, const struct fault *f)
{
	assert_true(open_kind(kind));
	start_whole(kind);
	sf_arm(f->fault, 1, 20);
	for (unsigned int i = 0; i < 16; i++) {
		struct virtio_blk_outhdr *header = (void *)(scratch + 64 * i);
		uint8_t *status = (uint8_t *)(header + 1);

		*header = (struct virtio_blk_outhdr){ .type = htole32(VIRTIO_BLK_T_IN) };
		assert_true(vrig_add(&box.rig, 0,
				     (struct vrig_buf[]){ { header, sizeof(*header), false },
							  { scratch + 4096, 65536, true },
							  { status, 1, true } },
				     3) >= 0);
	}
	vrig_kick(&box.rig, 0);
	vrig_reclaim(&box.rig);
	sf_disarm();
	start(kind);
	drive();
	assert_int_equal(failures, 0);
	close_kind();
}

static void resets(void **state)
{
	(void)state;
	EACH(reset_in_flight, { { SF_poll, EINTR }, NOTHING }, { { SF_poll, ENOMEM }, NOTHING },
	     { { SF_io_uring_submit, EAGAIN }, NOTHING }, { { SF_event_read, EAGAIN }, NOTHING },
	     { { SF_event_write, EAGAIN }, NOTHING });
}

/* ---- at the start of a life: it works, or asks for a reset and says why */

static bool start_once(const struct fault *f, unsigned int place, const void *arg)
{
	const struct kind *kind = arg;
	unsigned int hit;
	uint8_t sector[512];
	int status;

	assert_true(open_kind(kind));
	sf_arm(f->fault, place, 1);
	start(kind);
	status = request(VIRTIO_BLK_T_IN, 0, sector, 512);
	hit = sf_disarm();
	if (status && !hit)
		fail_msg("%s: the first request fails for nothing: %s", with(kind, f),
			 kept_log_text());
	if (status < 0) {
		told(NAME, with(kind, f), place);
		vrig_reclaim(&box.rig);
		start(kind);
	}
	failures = 0;
	drive();
	if (failures)
		fail_msg("%s at place %u: it does not work afterwards: %s", with(kind, f), place,
			 kept_log_text());
	close_kind();
	return hit;
}

static void sweep_start(const struct kind *kind, const struct fault *f)
{
	fault_places(start_once, f, kind);
}

static void starts(void **state)
{
	(void)state;
	EACH(sweep_start, { { SF_calloc, ENOMEM }, ONE }, { { SF_malloc, ENOMEM }, ONE },
	     { { SF_posix_memalign, ENOMEM }, ONE }, { { SF_eventfd, EMFILE }, ONE },
	     { { SF_io_uring_queue_init, ENOMEM }, ONE },
	     { { SF_io_uring_get_probe_ring, ENOMEM }, ONE }, { { SF_syscall, EPERM }, ONE },
	     { { SF_io_uring_queue_init, EMFILE }, ONE });
}

/* Where everything waits for threads or the ring there is most of that. */
static void sweep_waiting(const struct kind *kind, const struct fault *f)
{
	if (kind->misses)
		sweep(kind, f);
}

static void sleeps(void **state)
{
	(void)state;
	EACH(sweep_waiting, { { SF_ppoll, EINTR }, NOTHING }, { { SF_ppoll, ENOMEM }, NOTHING },
	     { { SF_event_read, EAGAIN }, NOTHING }, { { SF_event_write, EAGAIN }, NOTHING });
}

/* After a failure there is something to do, too. */
static int drop(void **state)
{
	sf_end(state);
	if (box.dir[0])
		blk_box_free(&box);
	memset(&box, 0, sizeof(box));
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sf_begin, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(on_the_spot),
		TEST(by_the_ring),
		TEST(by_threads),
		TEST(flushes_and_lengths),
		TEST(memory_and_threads),
		TEST(sleeps),
		TEST(a_ring_that_refuses),
		TEST(lasting_faults),
		TEST(resets),
		TEST(starts),
	};

	return cmocka_run_group_tests_name("blk: every call fails once", tests, NULL, NULL);
}
