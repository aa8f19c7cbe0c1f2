// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The disk's system calls go through this program's own versions, which fail, fall short or
 * note what was asked, for the files of the test only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blk_box.h"
#include "virtio/dev/blk_overlay_format.h"

#define KIB 1024u
#define F(name) HV_FEATURE(VIRTIO_BLK_F_##name)

enum what {
	DATA_READ,
	DATA_WRITE,
	PLAIN_WRITE, /* pwrite: maps, headers, zeroes */
	SYNC,
	ALLOCATE,
	WHATS,
};

static struct {
	_Atomic int fail[WHATS];    /* errno; for all calls of the kind */
	_Atomic bool refuse_nowait; /* as if nothing were in the page cache */
	_Atomic bool no_nowait;	    /* as a file system that does not know it */
	_Atomic size_t shorten;	    /* no call moves more than so many bytes; 0 = no limit */
	_Atomic unsigned int calls[WHATS], durable, waiting;
	char order[256]; /* d data, m map or header, s sync */
	_Atomic unsigned int n_order;
} fault;

static void note(char what)
{
	unsigned int i = atomic_fetch_add(&fault.n_order, 1);

	if (i < sizeof(fault.order))
		fault.order[i] = what;
}

static size_t total(const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

static ssize_t move(enum what what, int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	size_t most = atomic_load(&fault.shorten);
	struct iovec part[64];
	int code = atomic_load(&fault.fail[what]);
	long call;

	atomic_fetch_add(&fault.calls[what], 1);
	if (flags & RWF_DSYNC)
		atomic_fetch_add(&fault.durable, 1);
	if (flags & RWF_NOWAIT && atomic_load(&fault.refuse_nowait)) {
		errno = EAGAIN;
		return -1;
	}
	if (flags & RWF_NOWAIT && atomic_load(&fault.no_nowait)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (code) {
		errno = code;
		return -1;
	}
	if (!(flags & RWF_NOWAIT))
		atomic_fetch_add(&fault.waiting, 1);
	if (what == DATA_WRITE)
		note('d');
	if (most && total(iov, n) > most) {
		n = (int)hv_iov_slice(iov, (unsigned int)(n < 64 ? n : 64), 0, most, part);
		iov = part;
	}
	/* User emulation knows only the older calls. */
	if (flags)
		call = what == DATA_READ ? SYS_preadv2 : SYS_pwritev2;
	else
		call = what == DATA_READ ? SYS_preadv : SYS_pwritev;
	return syscall(call, fd, iov, n, off, 0, flags);
}

ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	return move(DATA_READ, fd, iov, n, off, flags);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	return move(DATA_WRITE, fd, iov, n, off, flags);
}

ssize_t preadv(int fd, const struct iovec *iov, int n, off_t off)
{
	return move(DATA_READ, fd, iov, n, off, 0);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	return move(DATA_WRITE, fd, iov, n, off, 0);
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t off)
{
	int code = atomic_load(&fault.fail[PLAIN_WRITE]);

	atomic_fetch_add(&fault.calls[PLAIN_WRITE], 1);
	note('m');
	if (code) {
		errno = code;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, from, len, off);
}

int fdatasync(int fd)
{
	int code = atomic_load(&fault.fail[SYNC]);

	atomic_fetch_add(&fault.calls[SYNC], 1);
	note('s');
	if (code) {
		errno = code;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	int code = atomic_load(&fault.fail[ALLOCATE]);

	atomic_fetch_add(&fault.calls[ALLOCATE], 1);
	if (code) {
		errno = code;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, off, len);
}

static struct blk_box box;

static int make(void **state)
{
	(void)state;
	memset(&fault, 0, sizeof(fault));
	blk_box_make(&box, 2048 * KIB);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	memset(&fault, 0, sizeof(fault));
	blk_box_free(&box);
	return 0;
}

/* With threads for an engine every call can be seen. */
static void open_and_start(uint64_t features)
{
	blk_box_open(&box, &(struct hv_blk_opts){ .engine = HV_BLK_ENGINE_THREADS });
	blk_box_start(&box, features, 0);
}

static void check_read(uint64_t sector, uint32_t len)
{
	uint8_t *got = malloc(len), *want = malloc(len);

	blk_box_fill(want, sector, len);
	assert_int_equal(blk_box_read(&box, sector, got, len), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, want, len);
	free(got);
	free(want);
}

/* ---- durability (5.2.6.2) */

static void without_flush_writes_are_durable(void **state)
{
	uint8_t data[512] = { 0 };

	(void)state;
	open_and_start(0);
	assert_int_equal(blk_box_write(&box, 1, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(atomic_load(&fault.durable), 1);
	assert_int_equal(atomic_load(&fault.calls[DATA_WRITE]), 1);
}

static void with_flush_they_are_not(void **state)
{
	uint8_t data[512] = { 0 };

	(void)state;
	open_and_start(F(FLUSH));
	assert_int_equal(blk_box_write(&box, 1, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(atomic_load(&fault.durable), 0);
	assert_int_equal(atomic_load(&fault.calls[SYNC]), 0);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	assert_int_equal(atomic_load(&fault.calls[SYNC]), 1);
}

static void the_cache_can_be_turned_off(void **state)
{
	uint8_t data[512] = { 0 };

	(void)state;
	open_and_start(F(FLUSH) | F(CONFIG_WCE) | F(WRITE_ZEROES));
	assert_int_equal(blk_box_write(&box, 1, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(atomic_load(&fault.durable), 0);
	vrig_set_config(&box.rig, offsetof(struct virtio_blk_config, wce), 1, 0);
	assert_int_equal(blk_box_write(&box, 1, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(atomic_load(&fault.durable), 1);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(atomic_load(&fault.calls[SYNC]), 1);
	vrig_set_config(&box.rig, offsetof(struct virtio_blk_config, wce), 1, 1);
	assert_int_equal(blk_box_write(&box, 1, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(atomic_load(&fault.durable), 1);
}

static void failed_flush_is_said(void **state)
{
	(void)state;
	open_and_start(F(FLUSH));
	atomic_store(&fault.fail[SYNC], EIO);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_IOERR);
	blk_box_wait_event(&box, HV_EV_ERROR, 1);
	assert_non_null(strstr(box.message, "disk.img: flushing"));
	atomic_store(&fault.fail[SYNC], 0);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
}

static void closing_flushes(void **state)
{
	unsigned int before;

	(void)state;
	open_and_start(F(FLUSH));
	before = atomic_load(&fault.calls[SYNC]);
	blk_box_close(&box);
	assert_int_equal(atomic_load(&fault.calls[SYNC]), before + 1);
	open_and_start(F(FLUSH));
	atomic_store(&fault.fail[SYNC], EIO);
	blk_box_close(&box);
	assert_true(blk_box_logged(&box, "could not be brought to the disk"));
}

/* ---- errors of the disk */

static void errors_are_answered_and_said_once(void **state)
{
	uint8_t data[4096] = { 0 };

	(void)state;
	open_and_start(F(FLUSH));
	atomic_store(&fault.fail[DATA_READ], EIO);
	for (unsigned int i = 0; i < 50; i++)
		assert_int_equal(blk_box_read(&box, 16, data, 4096), VIRTIO_BLK_S_IOERR);
	blk_box_wait_event(&box, HV_EV_ERROR, 1);
	assert_non_null(strstr(box.message, "disk.img: reading at byte 8192: Input/output error"));
	assert_int_equal(atomic_load(&box.lines), 1);
	/* Another kind of trouble is news. */
	atomic_store(&fault.fail[DATA_WRITE], ENOSPC);
	for (unsigned int i = 0; i < 50; i++)
		assert_int_equal(blk_box_write(&box, 16, data, 4096), VIRTIO_BLK_S_IOERR);
	blk_box_wait_event(&box, HV_EV_ERROR, 2);
	assert_int_equal(atomic_load(&box.lines), 2);
	atomic_store(&fault.fail[DATA_READ], 0);
	check_read(16, 4096);
}

static void failed_read_claims_no_bytes(void **state)
{
	struct virtio_blk_outhdr *header;
	uint8_t *data;

	(void)state;
	open_and_start(F(FLUSH));
	header = vrig_alloc(&box.rig, sizeof(*header), 16);
	data = vrig_alloc(&box.rig, 513, 1);
	atomic_store(&fault.fail[DATA_READ], EIO);
	assert_int_equal(vrig_request(&box.rig, 0,
				      (struct vrig_buf[]){ { header, sizeof(*header), false },
							   { data, 513, true } },
				      2),
			 0);
	assert_int_equal(data[512], VIRTIO_BLK_S_IOERR);
}

static void errors_of_waiting_requests(void **state)
{
	uint8_t data[4096] = { 0 };

	(void)state;
	open_and_start(0);
	atomic_store(&fault.fail[DATA_WRITE], EIO);
	assert_int_equal(blk_box_write(&box, 16, data, 4096), VIRTIO_BLK_S_IOERR);
	atomic_store(&fault.fail[DATA_WRITE], 0);
	assert_int_equal(blk_box_write(&box, 16, data, 4096), VIRTIO_BLK_S_OK);
}

/* ---- less than was asked */

static void short_transfers_go_on(void **state)
{
	const uint32_t len = 10 * KIB;
	uint8_t put[10 * KIB], got[10 * KIB];

	(void)state;
	atomic_store(&fault.shorten, 1000);
	for (unsigned int refuse = 0; refuse < 2; refuse++) {
		for (unsigned int through = 0; through < 2; through++) {
			blk_box_open(&box,
				     &(struct hv_blk_opts){ .engine = HV_BLK_ENGINE_THREADS });
			blk_box_start(&box, through ? 0 : F(FLUSH), VRIG_INDIRECT);
			atomic_store(&fault.refuse_nowait, refuse);
			blk_box_fill(put, 5000 + refuse * 2 + through, len);
			assert_int_equal(blk_box_write(&box, 7, put, len), VIRTIO_BLK_S_OK);
			assert_int_equal(blk_box_read(&box, 7, got, len), VIRTIO_BLK_S_OK);
			assert_memory_equal(got, put, len);
			blk_box_file_read(box.image, 7 * 512, got, len);
			assert_memory_equal(got, put, len);
			blk_box_close(&box);
		}
	}
}

static void short_overlay_writes_go_on(void **state)
{
	uint8_t put[40 * KIB], got[40 * KIB];

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .overlay = box.overlay });
	blk_box_start(&box, F(FLUSH), 0);
	atomic_store(&fault.shorten, 700);
	blk_box_fill(put, 900, sizeof(put));
	assert_int_equal(blk_box_write(&box, 3, put, sizeof(put)), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_read(&box, 3, got, sizeof(got)), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, put, sizeof(got));
}

/* ---- what is not in the page cache is read elsewhere */

static void misses_go_to_the_engine(void **state)
{
	(void)state;
	open_and_start(F(FLUSH));
	check_read(0, 4096);
	assert_int_equal(atomic_load(&fault.waiting), 0);
	atomic_store(&fault.refuse_nowait, true);
	for (unsigned int i = 0; i < 100; i++)
		check_read(i * 8, 4096);
	assert_int_equal(atomic_load(&fault.waiting), 100);
	/* It does not ask the cache each time when the cache has nothing. */
	assert_true(atomic_load(&fault.calls[DATA_READ]) < 1 + 100 + 30);
	/* And comes back when it has. */
	atomic_store(&fault.refuse_nowait, false);
	for (unsigned int i = 0; i < 200; i++)
		check_read(i * 8, 4096);
	assert_true(atomic_load(&fault.waiting) < 100 + 200);
}

static void no_nowait_at_all(void **state)
{
	uint8_t data[4096] = { 0 };

	(void)state;
	atomic_store(&fault.no_nowait, true);
	open_and_start(F(FLUSH));
	for (unsigned int i = 0; i < 20; i++)
		check_read(i, 4096);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(blk_box_write(&box, i, data, 512), VIRTIO_BLK_S_OK);
	/* It is asked once, and then no more. */
	assert_int_equal(atomic_load(&fault.calls[DATA_READ]), 21);
	assert_int_equal(atomic_load(&fault.calls[DATA_WRITE]), 21);
	assert_int_equal(atomic_load(&fault.waiting), 40);
}

/* ---- zeroes where the file system cannot */

static void zeroes_by_writing(void **state)
{
	static const uint8_t zero[100 * KIB];
	uint8_t *data = malloc(100 * KIB);

	(void)state;
	open_and_start(F(FLUSH) | F(WRITE_ZEROES) | F(DISCARD));
	atomic_store(&fault.fail[ALLOCATE], EOPNOTSUPP);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 9, 200, 1),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_read(&box, 9, data, 100 * KIB), VIRTIO_BLK_S_OK);
	assert_memory_equal(data, zero, 100 * KIB);
	check_read(8, 512);
	check_read(209, 512);
	/* A discard may as well do nothing. */
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, 300, 200, 0), VIRTIO_BLK_S_OK);
	atomic_store(&fault.fail[ALLOCATE], ENOSPC);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 9, 200, 0),
			 VIRTIO_BLK_S_IOERR);
	blk_box_wait_event(&box, HV_EV_ERROR, 1);
	free(data);
}

/* ---- the overlay's order: data is durable before the stable map says that it is there */

static void data_before_map(void **state)
{
	uint8_t data[4096] = { 1 };

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .overlay = box.overlay });
	blk_box_start(&box, F(FLUSH), 0);
	memset(fault.order, 0, sizeof(fault.order));
	atomic_store(&fault.n_order, 0);
	assert_int_equal(blk_box_write(&box, 8, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_write(&box, 80, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	assert_string_equal(fault.order, "dmdmsms");
	/* In place nothing but the data changes. */
	memset(fault.order, 0, sizeof(fault.order));
	atomic_store(&fault.n_order, 0);
	assert_int_equal(blk_box_write(&box, 8, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	assert_true(strspn(fault.order, "d") >= 1);
	assert_string_equal(fault.order + strspn(fault.order, "d"), "s");
}

static void failed_map_fails_the_flush(void **state)
{
	uint8_t data[4096] = { 1 }, map[8];

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .overlay = box.overlay });
	blk_box_start(&box, F(FLUSH), 0);
	assert_int_equal(blk_box_write(&box, 8, data, 4096), VIRTIO_BLK_S_OK);
	atomic_store(&fault.fail[PLAIN_WRITE], ENOSPC);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_IOERR);
	/* A cluster whose map cannot be written is not there. */
	assert_int_equal(blk_box_write(&box, 800, data, 4096), VIRTIO_BLK_S_IOERR);
	check_read(800, 4096);
	atomic_store(&fault.fail[PLAIN_WRITE], 0);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	blk_box_file_read(box.overlay, HV_OVERLAY_HEADER_BYTES, map, sizeof(map));
	assert_int_equal(map[0], 1u << 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_flush_writes_are_durable),
		TEST(with_flush_they_are_not),
		TEST(the_cache_can_be_turned_off),
		TEST(failed_flush_is_said),
		TEST(closing_flushes),
		TEST(errors_are_answered_and_said_once),
		TEST(failed_read_claims_no_bytes),
		TEST(errors_of_waiting_requests),
		TEST(short_transfers_go_on),
		TEST(short_overlay_writes_go_on),
		TEST(misses_go_to_the_engine),
		TEST(no_nowait_at_all),
		TEST(zeroes_by_writing),
		TEST(data_before_map),
		TEST(failed_map_fails_the_flush),
	};

	return cmocka_run_group_tests_name("blk faults", tests, NULL, NULL);
}
