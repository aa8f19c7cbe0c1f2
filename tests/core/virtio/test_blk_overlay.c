// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blk_box.h"
#include "virtio/dev/blk_overlay_format.h"

#define KIB 1024u
#define F(name) HV_FEATURE(VIRTIO_BLK_F_##name)

static struct blk_box box;

static int make(void **state)
{
	(void)state;
	/* No whole number of clusters. */
	blk_box_make(&box, 1024 * KIB + 1536);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	blk_box_free(&box);
	return 0;
}

static void open_overlay(uint64_t features)
{
	blk_box_open(&box, &(struct hv_blk_opts){ .overlay = box.overlay });
	blk_box_start(&box, features, 0);
}

static void base_is_untouched(void)
{
	uint8_t *got = malloc(box.bytes), *want = malloc(box.bytes);

	blk_box_file_read(box.image, 0, got, box.bytes);
	blk_box_fill(want, 0, box.bytes);
	assert_memory_equal(got, want, box.bytes);
	free(got);
	free(want);
}

/* ---- a disk above another */

/* Everything a guest can do, at random, against an array in memory; now and then closed and opened.
 */
static void behaves_as_a_disk(const struct hv_blk_opts *opts, bool reopen, uint64_t features)
{
	uint64_t sectors = box.bytes / 512;
	uint8_t *model = malloc(box.bytes), *buf = malloc(256 * KIB);
	unsigned int seed = 7;

	blk_box_fill(model, 0, box.bytes);
	blk_box_open(&box, opts);
	blk_box_start(&box, features, 0);
	for (unsigned int i = 0; i < 1500; i++) {
		uint32_t n = 1 + (uint32_t)rand_r(&seed) % (rand_r(&seed) % 8 ? 24 : 400);
		uint64_t at = (uint64_t)rand_r(&seed) % (sectors - n + 1);
		int what = rand_r(&seed) % 16;

		if (what < 7) {
			for (uint32_t b = 0; b < n * 512; b++)
				buf[b] = (uint8_t)rand_r(&seed);
			assert_int_equal(blk_box_write(&box, at, buf, n * 512), VIRTIO_BLK_S_OK);
			memcpy(model + at * 512, buf, n * 512);
		} else if (what < 13) {
			assert_int_equal(blk_box_read(&box, at, buf, n * 512), VIRTIO_BLK_S_OK);
			assert_memory_equal(buf, model + at * 512, n * 512);
		} else if (what < 14) {
			assert_int_equal(
				blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, at, n, i % 2),
				VIRTIO_BLK_S_OK);
			memset(model + at * 512, 0, n * 512);
		} else if (what < 15) {
			/* Whole clusters are gone, the rest stays. */
			uint64_t from = (at + 7) / 8 * 8, to = (at + n) / 8 * 8;

			if (at + n == sectors)
				to = sectors;
			assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, at, n, 0),
					 VIRTIO_BLK_S_OK);
			if (from < to)
				memset(model + from * 512, 0, (to - from) * 512);
		} else if (i % 5 == 0 && reopen) {
			blk_box_close(&box);
			blk_box_open(&box, opts);
			blk_box_start(&box, features, 0);
		} else {
			assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
		}
	}
	for (uint64_t s = 0; s < sectors; s++) {
		assert_int_equal(blk_box_read(&box, s, buf, 512), VIRTIO_BLK_S_OK);
		assert_memory_equal(buf, model + s * 512, 512);
	}
	free(model);
	free(buf);
	base_is_untouched();
}

#define ALL (F(FLUSH) | F(WRITE_ZEROES) | F(DISCARD))

static void overlay_behaves(void **state)
{
	(void)state;
	behaves_as_a_disk(&(struct hv_blk_opts){ .overlay = box.overlay }, true, ALL);
}

static void overlay_behaves_write_through(void **state)
{
	(void)state;
	behaves_as_a_disk(&(struct hv_blk_opts){ .overlay = box.overlay }, true,
			  F(WRITE_ZEROES) | F(DISCARD));
}

static void overlay_behaves_by_threads(void **state)
{
	(void)state;
	behaves_as_a_disk(
		&(struct hv_blk_opts){ .overlay = box.overlay, .engine = HV_BLK_ENGINE_THREADS },
		true, ALL);
}

static void snapshot_behaves(void **state)
{
	(void)state;
	behaves_as_a_disk(&(struct hv_blk_opts){ .snapshot = true }, false, ALL);
}

static unsigned int files_in(const char *dir)
{
	unsigned int n = 0;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void snapshot_is_thrown_away(void **state)
{
	uint8_t data[512] = { 0 }, want[512];

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		blk_box_open(&box,
			     &(struct hv_blk_opts){ .snapshot = true, .snapshot_dir = box.dir });
		blk_box_start(&box, ALL, 0);
		blk_box_fill(want, 5, 512);
		assert_int_equal(blk_box_read(&box, 5, data, 512), VIRTIO_BLK_S_OK);
		assert_memory_equal(data, want, 512);
		memset(data, 0, 512);
		assert_int_equal(blk_box_write(&box, 5, data, 512), VIRTIO_BLK_S_OK);
		/* Nothing to be found, and nothing to be left behind by a kill. */
		assert_int_equal(files_in(box.dir), 1);
		blk_box_close(&box);
	}
	base_is_untouched();
}

/* ---- refusals */

static void refused(int code, const char *words)
{
	struct hv_err err = { 0 };

	assert_int_equal(blk_box_init(&box, &(struct hv_blk_opts){ .overlay = box.overlay }, &err),
			 -code);
	assert_non_null(strstr(err.msg, words));
	assert_non_null(strstr(err.msg, "linux1/root (boot.lua:12: devices.root): "));
}

static void make_overlay(void)
{
	uint8_t data[512] = { 1, 2, 3 };

	open_overlay(ALL);
	assert_int_equal(blk_box_write(&box, 8, data, 512), VIRTIO_BLK_S_OK);
	blk_box_close(&box);
}

static void changed_base_is_refused(void **state)
{
	uint8_t byte = 0x5a;

	(void)state;
	make_overlay();
	blk_box_file_write(box.image, 1025, &byte, 1);
	refused(ESTALE, "has been written to since");
	assert_int_equal(truncate(box.image, (off_t)box.bytes + 512), 0);
	refused(ESTALE, "was made above an image of");
}

static void other_files_are_refused(void **state)
{
	struct hv_err err = { 0 };
	uint8_t zero[8192] = { 0 };
	int fd;

	(void)state;
	fd = open(box.overlay, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, zero, sizeof(zero)), sizeof(zero));
	close(fd);
	refused(EINVAL, "is not an overlay");
	unlink(box.overlay);
	assert_int_equal(blk_box_init(&box, &(struct hv_blk_opts){ .overlay = box.dir }, &err),
			 -EISDIR);
	assert_int_equal(blk_box_init(&box, &(struct hv_blk_opts){ .overlay = box.image }, &err),
			 -EINVAL);
	assert_int_equal(
		blk_box_init(&box, &(struct hv_blk_opts){ .overlay = "/nonexistent/x" }, &err),
		-ENOENT);
	assert_int_equal(
		blk_box_init(&box,
			     &(struct hv_blk_opts){ .overlay = box.overlay, .readonly = true },
			     &err),
		-EINVAL);
	assert_int_equal(
		blk_box_init(&box,
			     &(struct hv_blk_opts){ .overlay = box.overlay, .snapshot = true },
			     &err),
		-EINVAL);
	base_is_untouched();
}

static void rewrite_header(void (*change)(struct hv_overlay_header *h))
{
	struct hv_overlay_header h;
	int fd = open(box.overlay, O_RDWR | O_CLOEXEC);

	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	change(&h);
	assert_int_equal(hv_overlay_header_write(fd, &h), 0);
	close(fd);
}

#define CHANGE(name, statement)                                                                    \
	static void name(struct hv_overlay_header *h)                                              \
	{                                                                                          \
		statement;                                                                         \
	}
CHANGE(change_version, h->version = 2)
CHANGE(change_shift, h->cluster_shift = 63)
CHANGE(change_shift_small, h->cluster_shift = 9)
CHANGE(change_bytes, h->bytes = UINT64_MAX & ~511ull)
CHANGE(change_bytes_odd, h->bytes += 1)
CHANGE(change_bytes_none, h->bytes = 0)
CHANGE(change_bytes_more, h->bytes += 512)
CHANGE(change_map, h->map_bytes = UINT64_MAX & ~4095ull)
CHANGE(change_map_none, h->map_bytes = 0)
CHANGE(change_data, h->data_at = 0)
CHANGE(change_data_far, h->data_at = UINT64_MAX - 4095)
CHANGE(change_boot, memset(h->boot, 'x', sizeof(h->boot)))

static void hostile_headers_are_refused(void **state)
{
	static void (*const changes[])(struct hv_overlay_header *) = {
		change_version,	  change_shift,	     change_shift_small, change_bytes,
		change_bytes_odd, change_bytes_none, change_bytes_more,	 change_map,
		change_map_none,  change_data,	     change_data_far,	 change_boot,
	};
	struct hv_overlay_header good;
	struct hv_err err = { 0 };

	(void)state;
	make_overlay();
	blk_box_file_read(box.overlay, 0, &good, sizeof(good));
	for (unsigned int i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		rewrite_header(changes[i]);
		assert_int_equal(
			blk_box_init(&box, &(struct hv_blk_opts){ .overlay = box.overlay }, &err),
			-EINVAL);
		blk_box_file_write(box.overlay, 0, &good, sizeof(good));
	}
	/* Any bit. */
	for (unsigned int bit = 0; bit < sizeof(good) * 8; bit += 5) {
		struct hv_overlay_header bad = good;

		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		blk_box_file_write(box.overlay, 0, &bad, sizeof(bad));
		refused(EINVAL, "overlay");
	}
	blk_box_file_write(box.overlay, 0, &good, sizeof(good));
	assert_int_equal(truncate(box.overlay, 20000), 0);
	refused(EINVAL, "was cut off");
}

static void locked_against_a_second_writer(void **state)
{
	static struct hv_vdev first;
	struct hv_err err = { 0 };

	(void)state;
	memset(&first, 0, sizeof(first));
	assert_int_equal(
		hv_blk_init(&first, "linux2/root",
			    &(struct hv_blk_opts){ .image = box.image, .overlay = box.overlay },
			    &err),
		0);
	refused(EBUSY, "disk.cow: in use by another device of this process");
	/* The base may have other overlays, but no writer. */
	assert_int_equal(blk_box_init(&box, &(struct hv_blk_opts){ 0 }, &err), -EBUSY);
	assert_int_equal(blk_box_init(&box, &(struct hv_blk_opts){ .snapshot = true }, &err), 0);
	hv_vdev_destroy(&box.dev);
	hv_vdev_destroy(&first);
	box.open = false;
}

/* ---- what survives what */

static void check_sector(uint64_t sector, uint8_t byte)
{
	uint8_t data[512];

	assert_int_equal(blk_box_read(&box, sector, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], byte);
	assert_int_equal(data[511], byte);
}

static void survives_a_kill(void **state)
{
	uint8_t got[512], want[512];
	pid_t child;
	int status;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		struct hv_blk_file base;
		struct hv_overlay *ov;
		struct iovec iov;
		uint8_t data[5 * 512];

		memset(data, 0xa7, sizeof(data));
		iov = (struct iovec){ data, sizeof(data) };
		if (hv_blk_file_open(&base, box.image, true, false, NULL) ||
		    hv_overlay_open(box.overlay, &base, &ov, NULL) ||
		    hv_overlay_write(ov, &iov, 1, 100 * 512, sizeof(data), false) != sizeof(data))
			_exit(1);
		/* As kill -9 would: nothing is closed, nothing synced. */
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	open_overlay(ALL);
	for (unsigned int s = 100; s < 105; s++)
		check_sector(s, 0xa7);
	/* The rest of the cluster came from the base. */
	blk_box_fill(want, 99, 512);
	assert_int_equal(blk_box_read(&box, 99, got, 512), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, want, 512);
}

CHANGE(other_boot, strcpy(h->boot, "00000000-0000-0000-0000-000000000000"))

/* After a power failure only what was flushed counts; never a map that is ahead of its data. */
static void trusts_only_the_stable_map_after_a_reboot(void **state)
{
	uint8_t data[4096], copy[4096];
	struct hv_overlay_header h;

	(void)state;
	open_overlay(ALL);
	memset(data, 0xb1, sizeof(data));
	assert_int_equal(blk_box_write(&box, 8, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	memset(data, 0xb2, sizeof(data));
	assert_int_equal(blk_box_write(&box, 16, data, 4096), VIRTIO_BLK_S_OK);
	/* The machine dies here: keep the stable map as it is now. */
	blk_box_file_read(box.overlay, HV_OVERLAY_HEADER_BYTES, copy, sizeof(copy));
	blk_box_close(&box);
	blk_box_file_write(box.overlay, HV_OVERLAY_HEADER_BYTES, copy, sizeof(copy));
	rewrite_header(other_boot);
	open_overlay(ALL);
	check_sector(8, 0xb1);
	assert_int_equal(blk_box_read(&box, 16, data, 4096), VIRTIO_BLK_S_OK);
	blk_box_fill(copy, 16, 4096);
	assert_memory_equal(data, copy, 4096);
	/* From now on the live map counts again. */
	blk_box_file_read(box.overlay, 0, &h, sizeof(h));
	assert_string_not_equal(h.boot, "00000000-0000-0000-0000-000000000000");
	blk_box_close(&box);
	open_overlay(ALL);
	check_sector(8, 0xb1);
}

/* Without a cache every answered write is there after a reboot. */
static void write_through_is_durable_at_once(void **state)
{
	uint8_t data[512], stable[4096];
	struct hv_overlay_header h;

	(void)state;
	open_overlay(F(CONFIG_WCE));
	memset(data, 0xc3, sizeof(data));
	assert_int_equal(blk_box_write(&box, 40, data, 512), VIRTIO_BLK_S_OK);
	blk_box_file_read(box.overlay, HV_OVERLAY_HEADER_BYTES, stable, sizeof(stable));
	assert_int_equal(stable[0], 1u << 5);
	blk_box_file_read(box.overlay, 0, &h, sizeof(h));
	blk_box_file_read(box.overlay, h.data_at + 40 * 512, data, 512);
	assert_int_equal(data[77], 0xc3);
}

static void unfinished_file_is_laid_out_again(void **state)
{
	uint8_t data[512] = { 9 };

	(void)state;
	make_overlay();
	/* Power failed between header and length. */
	assert_int_equal(truncate(box.overlay, sizeof(struct hv_overlay_header)), 0);
	open_overlay(ALL);
	assert_int_equal(blk_box_write(&box, 0, data, 512), VIRTIO_BLK_S_OK);
}

static void truncated_while_in_use(void **state)
{
	uint8_t data[4096] = { 0 };

	(void)state;
	open_overlay(ALL);
	assert_int_equal(blk_box_write(&box, 2000, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(truncate(box.overlay, 200000), 0);
	assert_int_equal(blk_box_read(&box, 2000, data, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_write(&box, 2000, data, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_write(&box, 1000, data, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 1000, 64, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_file_size(box.overlay), 200000);
	blk_box_wait_event(&box, HV_EV_ERROR, 1);
	assert_non_null(strstr(box.message, "truncated"));
	assert_non_null(strstr(box.message, box.overlay));
}

static void grows_beyond_its_base(void **state)
{
	uint8_t data[4096], zero[4096] = { 0 };
	struct hv_err err = { 0 };
	uint64_t before = box.bytes / 512;

	(void)state;
	open_overlay(ALL);
	assert_int_equal(hv_blk_resize(&box.dev, 2048 * KIB, &err), 0);
	assert_int_equal(vrig_config(&box.rig, 0, 8), 4096);
	assert_int_equal(blk_box_read(&box, before, data, 4096), VIRTIO_BLK_S_OK);
	assert_memory_equal(data, zero, 4096);
	memset(data, 0x3c, 4096);
	assert_int_equal(blk_box_write(&box, 4088, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(hv_blk_resize(&box.dev, UINT64_C(1) << 45, &err), -EFBIG);
	assert_int_equal(hv_blk_resize(&box.dev, 0, &err), -EINVAL);
	assert_int_equal(hv_blk_resize(&box.dev, 1024 * KIB, &err), -EINVAL);
	blk_box_close(&box);
	open_overlay(ALL);
	assert_int_equal(vrig_config(&box.rig, 0, 8), 4096);
	check_sector(4090, 0x3c);
	base_is_untouched();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(overlay_behaves),
		TEST(overlay_behaves_write_through),
		TEST(overlay_behaves_by_threads),
		TEST(snapshot_behaves),
		TEST(snapshot_is_thrown_away),
		TEST(changed_base_is_refused),
		TEST(other_files_are_refused),
		TEST(hostile_headers_are_refused),
		TEST(locked_against_a_second_writer),
		TEST(survives_a_kill),
		TEST(trusts_only_the_stable_map_after_a_reboot),
		TEST(write_through_is_durable_at_once),
		TEST(unfinished_file_is_laid_out_again),
		TEST(truncated_while_in_use),
		TEST(grows_beyond_its_base),
	};

	return cmocka_run_group_tests_name("blk overlay", tests, NULL, NULL);
}
