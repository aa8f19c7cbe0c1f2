// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/loop.h>
#include <linux/virtio_mmio.h>

#include "blk_box.h"

#define KIB 1024u
#define F(name) HV_FEATURE(VIRTIO_BLK_F_##name)

static struct blk_box box;

static int make(void **state)
{
	(void)state;
	blk_box_make(&box, 256 * KIB);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	blk_box_free(&box);
	return 0;
}

/* ---- opening */

static void refused(const struct hv_blk_opts *opts, int code, const char *words)
{
	struct hv_err err = { 0 };

	assert_int_equal(blk_box_init(&box, opts, &err), -code);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
	assert_memory_equal(err.msg, "linux1/root (boot.lua:12: devices.root): ", 41);
}

static void bad_images(void **state)
{
	char fifo[128];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", box.dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refused(&(struct hv_blk_opts){ .image = "/nonexistent/disk.img" }, ENOENT,
		"/nonexistent/disk.img: cannot open");
	refused(&(struct hv_blk_opts){ .image = box.dir }, EINVAL, "is a directory");
	refused(&(struct hv_blk_opts){ .image = fifo }, EINVAL, "is a pipe");
	refused(&(struct hv_blk_opts){ .image = "/dev/null" }, EINVAL, "is a character device");
	refused(&(struct hv_blk_opts){ .image = "" }, EINVAL, "needs an image");
	unlink(fifo);
	assert_int_equal(truncate(box.image, 511), 0);
	refused(&(struct hv_blk_opts){ 0 }, EINVAL, "at least 512");
}

static void bad_options(void **state)
{
	(void)state;
	refused(&(struct hv_blk_opts){ .serial = "one-and-twenty-bytes!" }, EINVAL, "at most 20");
	refused(&(struct hv_blk_opts){ .queues = 17 }, EINVAL, "at most 16");
	refused(&(struct hv_blk_opts){ .queue_size = 100 }, EINVAL, "power of two");
	refused(&(struct hv_blk_opts){ .queue_size = 2048 }, EINVAL, "power of two");
	refused(&(struct hv_blk_opts){ .block_size = 8192 }, EINVAL, "block_size 8192");
	refused(&(struct hv_blk_opts){ .snapshot = true, .direct = true }, EINVAL, "direct");
}

static void odd_tail_is_said(void **state)
{
	(void)state;
	assert_int_equal(truncate(box.image, 1500), 0);
	blk_box_open(&box, &(struct hv_blk_opts){ 0 });
	assert_int_equal(vrig_config(&box.rig, 0, 8), 2);
	assert_true(blk_box_logged(&box, "the last 476 are not part of the disk"));
}

/* Holds the image open as another process would; returns when it has it. */
static pid_t other_process(bool readonly, int *end)
{
	int ready[2], done[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		static struct hv_vdev dev;

		close(ready[0]);
		close(done[1]);
		byte = hv_blk_init(
			       &dev, "other/root",
			       &(struct hv_blk_opts){ .image = box.image, .readonly = readonly },
			       NULL)
			       ? 'n'
			       : 'y';
		(void)!write(ready[1], &byte, 1);
		(void)!read(done[0], &byte, 1);
		_exit(0);
	}
	close(ready[1]);
	close(done[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(ready[0]);
	*end = done[1];
	return child;
}

static void end_process(pid_t child, int end)
{
	close(end);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void one_writer(void **state)
{
	char words[64];
	int end;
	pid_t child = other_process(false, &end);

	(void)state;
	snprintf(words, sizeof(words), "disk.img: in use by process %d (", (int)child);
	refused(&(struct hv_blk_opts){ 0 }, EBUSY, words);
	refused(&(struct hv_blk_opts){ .readonly = true }, EBUSY, words);
	refused(&(struct hv_blk_opts){ .snapshot = true }, EBUSY, words);
	end_process(child, end);
	blk_box_open(&box, &(struct hv_blk_opts){ 0 });
}

static void many_readers(void **state)
{
	int end;
	pid_t child = other_process(true, &end);

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .readonly = true });
	blk_box_close(&box);
	blk_box_open(&box, &(struct hv_blk_opts){ .snapshot = true });
	blk_box_close(&box);
	refused(&(struct hv_blk_opts){ 0 }, EBUSY, "must be its only user");
	end_process(child, end);
}

/* ---- what happens to the image while it is in use */

static void truncated_underneath(void **state)
{
	uint8_t data[8192] = { 0 };
	unsigned int lines;

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ 0 });
	blk_box_start(&box, F(FLUSH) | F(WRITE_ZEROES), 0);
	assert_int_equal(truncate(box.image, 64 * KIB), 0);
	assert_int_equal(blk_box_read(&box, 120, data, 8192), VIRTIO_BLK_S_IOERR);
	blk_box_wait_event(&box, HV_EV_ERROR, 1);
	assert_non_null(strstr(box.message, "disk.img: was truncated while in use"));
	assert_true(blk_box_logged(&box, "linux1/root (boot.lua:12: devices.root): "));
	lines = atomic_load(&box.lines);
	assert_int_equal(blk_box_write(&box, 120, data, 8192), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_write(&box, 400, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 300, 8, 0),
			 VIRTIO_BLK_S_IOERR);
	/* Nothing made it longer again; what is left works. */
	assert_int_equal(blk_box_file_size(box.image), 64 * KIB);
	assert_int_equal(blk_box_write(&box, 120, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_read(&box, 0, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(data[1], blk_box_byte(0, 1));
	/* The guest can repeat it; the log does not. */
	assert_int_equal(atomic_load(&box.lines), lines);
}

static void truncated_underneath_write_through(void **state)
{
	uint8_t data[4096] = { 0 };

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .engine = HV_BLK_ENGINE_THREADS });
	blk_box_start(&box, 0, 0);
	assert_int_equal(truncate(box.image, 64 * KIB), 0);
	assert_int_equal(blk_box_write(&box, 400, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_read(&box, 400, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_file_size(box.image), 64 * KIB);
}

/* A small file system of our own; false when we may not have one. */
static bool small_disk(const char *at)
{
	if (geteuid() && unshare(CLONE_NEWUSER))
		return false;
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", at, "tmpfs", 0, "size=512k,mode=0700");
}

static void disk_full(void **state)
{
	struct hv_blk_opts opts = { 0 };
	uint8_t data[4096];
	unsigned int ok = 0, failed = 0;
	char dir[96], image[128];
	int fd;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/small", box.dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (!small_disk(dir)) {
		rmdir(dir);
		print_message("no mount namespace to be had: a full disk was not tried\n");
		skip();
	}
	snprintf(image, sizeof(image), "%s/sparse.img", dir);
	fd = open(image, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	close(fd);
	opts.image = image;
	blk_box_open(&box, &opts);
	blk_box_start(&box, F(FLUSH), 0);
	memset(data, 0x77, sizeof(data));
	for (unsigned int i = 0; i < 256; i++)
		if (blk_box_write(&box, i * 8, data, 4096) == VIRTIO_BLK_S_OK)
			ok++;
		else
			failed++;
	assert_true(ok >= 64 && failed >= 64);
	blk_box_wait_event(&box, HV_EV_ERROR, 1);
	assert_non_null(strstr(box.message, "no room for what the guest writes: No space left"));
	/* The disk goes on. */
	assert_int_equal(blk_box_read(&box, 0, data, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(data[9], 0x77);
	assert_int_equal(atomic_load(&box.events[HV_EV_ERROR]), 1);
	blk_box_close(&box);
	umount(dir);
	rmdir(dir);
}

/* The image as a loop device; false when we may not have one. */
static bool make_loop(char path[32], int *fd)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), image, n = -1;

	if (control < 0)
		return false;
	n = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, 32, "/dev/loop%d", n);
	*fd = n < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
	image = open(box.image, O_RDWR | O_CLOEXEC);
	if (*fd >= 0 && image >= 0 && !ioctl(*fd, LOOP_SET_FD, image)) {
		close(image);
		return true;
	}
	if (*fd >= 0)
		close(*fd);
	close(image);
	return false;
}

static void block_device(void **state)
{
	uint8_t data[4096], want[4096] = { 0 };
	struct hv_blk_info info;
	struct hv_err err = { 0 };
	char path[32];
	int loop = -1;

	(void)state;
	if (!make_loop(path, &loop)) {
		print_message("no loop device to be had: block devices were not tried\n");
		skip();
	}
	blk_box_open(&box, &(struct hv_blk_opts){ .image = path });
	blk_box_start(&box, F(FLUSH) | F(WRITE_ZEROES), 0);
	hv_blk_info(&box.dev, &info);
	assert_true(info.block_device);
	assert_int_equal(info.bytes, 256 * KIB);
	blk_box_fill(want, 77, 4096);
	assert_int_equal(blk_box_write(&box, 8, want, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	blk_box_file_read(box.image, 4096, data, 4096);
	assert_memory_equal(data, want, 4096);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_read(&box, 8, data, 4096), VIRTIO_BLK_S_OK);
	memset(want, 0, sizeof(want));
	assert_memory_equal(data, want, 4096);
	assert_int_equal(blk_box_write(&box, 512, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(hv_blk_resize(&box.dev, 512 * KIB, &err), -EINVAL);
	blk_box_close(&box);
	blk_box_open(&box, &(struct hv_blk_opts){ .image = path, .direct = true });
	blk_box_start(&box, F(FLUSH), 0);
	assert_int_equal(blk_box_read(&box, 16, data, 4096), VIRTIO_BLK_S_OK);
	blk_box_fill(want, 16, 4096);
	assert_memory_equal(data, want, 4096);
	blk_box_close(&box);
	/* Somebody holds it as a mount does. */
	{
		int holder = open(path, O_RDWR | O_EXCL | O_CLOEXEC);

		assert_true(holder >= 0);
		refused(&(struct hv_blk_opts){ .image = path }, EBUSY, "the kernel has it in use");
		close(holder);
	}
	ioctl(loop, LOOP_CLR_FD);
	close(loop);
}

/* ---- live changes */

static void resize(void **state)
{
	uint8_t data[512] = { 5 };
	struct hv_err err = { 0 };
	uint64_t irqs;
	uint32_t generation;

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ 0 });
	blk_box_start(&box, F(FLUSH), 0);
	assert_int_equal(blk_box_write(&box, 512, data, 512), VIRTIO_BLK_S_IOERR);
	vrig_ack(&box.rig);
	irqs = atomic_load(&box.rig.irqs);
	generation = vrig_read(&box.rig, VIRTIO_MMIO_CONFIG_GENERATION);
	assert_int_equal(hv_blk_resize(&box.dev, 512 * KIB, &err), 0);
	assert_int_equal(vrig_config(&box.rig, 0, 8), 1024);
	assert_int_not_equal(vrig_read(&box.rig, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	assert_int_equal(vrig_read(&box.rig, VIRTIO_MMIO_INTERRUPT_STATUS) & 2, 2);
	/* That of the write may have come only now. */
	assert_in_range(atomic_load(&box.rig.irqs), irqs + 1, irqs + 2);
	assert_int_equal(atomic_load(&box.events[HV_EV_RESIZE]), 1);
	assert_int_equal(blk_box_file_size(box.image), 512 * KIB);
	assert_int_equal(blk_box_write(&box, 1023, data, 512), VIRTIO_BLK_S_OK);
	/* Somebody else made it longer. */
	assert_int_equal(truncate(box.image, 600 * KIB), 0);
	assert_int_equal(hv_blk_resize(&box.dev, 0, &err), 0);
	assert_int_equal(vrig_config(&box.rig, 0, 8), 1200);
	/* The same again is no news. */
	assert_int_equal(hv_blk_resize(&box.dev, 0, &err), 0);
	assert_int_equal(atomic_load(&box.events[HV_EV_RESIZE]), 2);
	assert_int_equal(hv_blk_resize(&box.dev, 256 * KIB, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "would cut data off"));
	assert_int_equal(hv_blk_resize(&box.dev, 700 * KIB + 1, &err), -EINVAL);
	assert_int_equal(blk_box_file_size(box.image), 600 * KIB);
}

static void resize_read_only(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ .readonly = true });
	assert_int_equal(hv_blk_resize(&box.dev, 512 * KIB, &err), -EROFS);
}

static void sync_and_info(void **state)
{
	struct hv_blk_info info;
	struct hv_err err = { 0 };

	(void)state;
	blk_box_open(&box,
		     &(struct hv_blk_opts){ .engine = HV_BLK_ENGINE_THREADS, .serial = "s1" });
	blk_box_start(&box, F(FLUSH), 0);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	assert_int_equal(hv_blk_sync(&box.dev, &err), 0);
	hv_blk_info(&box.dev, &info);
	assert_string_equal(info.image, box.image);
	assert_null(info.overlay);
	assert_string_equal(info.engine, "threads");
	assert_string_equal(info.serial, "s1");
	assert_int_equal(info.bytes, 256 * KIB);
	assert_false(info.readonly || info.snapshot || info.direct || info.block_device);
}

static void limited(void **state)
{
	uint8_t data[4096];
	uint64_t began;

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ 0 });
	blk_box_start(&box, F(FLUSH), 0);
	/* 50 a second, one at once: 11 requests cannot be done in less than 10 periods. */
	hv_limit_set(&box.dev.limit, 50, 0, 1, 0);
	began = hv_now();
	for (unsigned int i = 0; i < 11; i++)
		assert_int_equal(blk_box_read(&box, i, data, 512), VIRTIO_BLK_S_OK);
	assert_true(hv_now() - began >= UINT64_C(200000000));
	hv_limit_set(&box.dev.limit, 0, 0, 0, 0);
	hv_vdev_poke(&box.dev);
	assert_int_equal(blk_box_read(&box, 0, data, 4096), VIRTIO_BLK_S_OK);
}

/* From then on the worker knows. */
static void pause_it(void)
{
	uint64_t deadline = 0;

	hv_vdev_pause(&box.dev, true);
	while (!atomic_load(&box.dev.workers[0].sleeping))
		vrig_pause(&deadline, "the worker to sleep");
}

static void paused(void **state)
{
	struct virtio_blk_outhdr *header;
	struct vrig_used used;
	uint8_t *status;
	int head;

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ 0 });
	blk_box_start(&box, F(FLUSH), 0);
	pause_it();
	header = vrig_alloc(&box.rig, 16, 16);
	status = vrig_alloc(&box.rig, 513, 1);
	head = vrig_add(&box.rig, 0,
			(struct vrig_buf[]){ { header, 16, false }, { status, 513, true } }, 2);
	vrig_kick(&box.rig, 0);
	assert_false(vrig_poll(&box.rig, 0, &used));
	hv_vdev_pause(&box.dev, false);
	assert_int_equal(vrig_finish(&box.rig, 0, head), 513);
	pause_it();
	vrig_add(&box.rig, 0, (struct vrig_buf[]){ { header, 16, false }, { status, 513, true } },
		 2);
	vrig_kick(&box.rig, 0);
	/* A reset gets through all the same. */
	vrig_reset(&box.rig);
	hv_vdev_pause(&box.dev, false);
	blk_box_start(&box, F(FLUSH), 0);
	assert_int_equal(blk_box_read(&box, 0, status, 512), VIRTIO_BLK_S_OK);
}

static void figures(void **state)
{
	uint8_t data[4096] = { 0 };
	uint64_t in_buckets = 0;

	(void)state;
	blk_box_open(&box, &(struct hv_blk_opts){ 0 });
	blk_box_start(&box, F(FLUSH), 0);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(blk_box_read(&box, i, data, 4096), VIRTIO_BLK_S_OK);
		assert_int_equal(blk_box_write(&box, i, data, 512), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_read(&box, 512, data, 512), VIRTIO_BLK_S_IOERR);
	/* The worker counts after the guest has its answers: a reset waits for it. */
	vrig_reset(&box.rig);
	assert_int_equal(atomic_load(&box.dev.stats.requests), 22);
	assert_int_equal(atomic_load(&box.dev.stats.read_bytes), 10 * 4096);
	assert_int_equal(atomic_load(&box.dev.stats.write_bytes), 10 * 512);
	assert_int_equal(atomic_load(&box.dev.stats.errors), 1);
	for (unsigned int i = 0; i < HV_LATENCY_BUCKETS; i++)
		in_buckets += atomic_load(&box.dev.stats.latency[i]);
	assert_int_equal(in_buckets, 22);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_images),
		TEST(bad_options),
		TEST(odd_tail_is_said),
		TEST(one_writer),
		TEST(many_readers),
		TEST(truncated_underneath),
		TEST(truncated_underneath_write_through),
		TEST(block_device),
		TEST(resize),
		TEST(resize_read_only),
		TEST(sync_and_info),
		TEST(limited),
		TEST(paused),
		TEST(figures),
		/* Last: it takes the process into a mount namespace of its own. */
		TEST(disk_full),
	};

	return cmocka_run_group_tests_name("blk backend", tests, NULL, NULL);
}
