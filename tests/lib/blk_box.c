// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "blk_box.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

uint8_t blk_box_byte(uint64_t sector, uint64_t i)
{
	return (uint8_t)(sector * 37 + i * 11 + (sector >> 8) + 1);
}

void blk_box_fill(uint8_t *to, uint64_t sector, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		to[i] = blk_box_byte(sector + i / 512, i % 512);
}

static void take_line(enum hv_log_level level, const char *line, void *arg)
{
	struct blk_box *box = arg;
	size_t used;

	(void)level;
	pthread_mutex_lock(&box->lock);
	used = strlen(box->log);
	snprintf(box->log + used, sizeof(box->log) - used, "%s\n", line);
	pthread_mutex_unlock(&box->lock);
	atomic_fetch_add(&box->lines, 1);
}

static void take_event(struct hv_vdev *dev, enum hv_vdev_event event, const char *message,
		       void *arg)
{
	struct blk_box *box = arg;

	(void)dev;
	if (message) {
		pthread_mutex_lock(&box->lock);
		snprintf(box->message, sizeof(box->message), "%s", message);
		pthread_mutex_unlock(&box->lock);
	}
	atomic_fetch_add(&box->events[event], 1);
}

void blk_box_make(struct blk_box *box, uint64_t bytes)
{
	uint8_t *all = malloc(bytes ? bytes : 1);
	int fd;

	memset(box, 0, sizeof(*box));
	pthread_mutex_init(&box->lock, NULL);
	hv_log_set_sink(take_line, box);
	snprintf(box->dir, sizeof(box->dir), "/tmp/hvsh-blk-XXXXXX");
	assert_non_null(mkdtemp(box->dir));
	snprintf(box->image, sizeof(box->image), "%s/disk.img", box->dir);
	snprintf(box->overlay, sizeof(box->overlay), "%s/disk.cow", box->dir);
	box->bytes = bytes;
	assert_non_null(all);
	blk_box_fill(all, 0, bytes);
	fd = open(box->image, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, all, bytes), bytes);
	close(fd);
	free(all);
}

int blk_box_init(struct blk_box *box, const struct hv_blk_opts *opts, struct hv_err *err)
{
	struct hv_blk_opts o = *opts;
	int rc;

	if (!o.image)
		o.image = box->image;
	if (!o.origin.file)
		o.origin = (struct hv_origin){ "boot.lua", 12, "devices.root" };
	memset(&box->dev, 0, sizeof(box->dev));
	box->dev.event = take_event;
	box->dev.event_arg = box;
	rc = hv_blk_init(&box->dev, "linux1/root", &o, err);
	box->open = !rc;
	return rc;
}

void blk_box_open(struct blk_box *box, const struct hv_blk_opts *opts)
{
	struct hv_err err = { 0 };

	if (blk_box_init(box, opts, &err))
		fail_msg("%s", err.msg);
	vrig_init(&box->rig, &box->dev, BLK_BOX_RAM);
	memset(box->scratch, 0, sizeof(box->scratch));
}

void blk_box_start(struct blk_box *box, uint64_t features, unsigned int flags)
{
	vrig_start(&box->rig, features, 128, flags);
}

void blk_box_close(struct blk_box *box)
{
	if (!box->open)
		return;
	vrig_free(&box->rig);
	hv_vdev_destroy(&box->dev);
	box->open = false;
}

void blk_box_free(struct blk_box *box)
{
	blk_box_close(box);
	hv_log_set_sink(NULL, NULL);
	unlink(box->image);
	unlink(box->overlay);
	rmdir(box->dir);
	pthread_mutex_destroy(&box->lock);
}

uint8_t blk_box_request(struct blk_box *box, unsigned int queue, uint32_t type, uint64_t sector,
			void *data, uint32_t len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct virtio_blk_outhdr *header;
	uint8_t *payload, *status;
	struct vrig_buf bufs[3];
	unsigned int n = 0;

	assert_true(len <= BLK_BOX_SCRATCH - 4096);
	if (!box->scratch[queue])
		box->scratch[queue] =
			vrig_alloc(&box->rig, queue ? 256 << 10 : BLK_BOX_SCRATCH, 4096);
	header = box->scratch[queue];
	status = (uint8_t *)(header + 1);
	payload = (uint8_t *)box->scratch[queue] + 4096;
	*header = (struct virtio_blk_outhdr){ .type = htole32(type), .sector = htole64(sector) };
	*status = 0xee;
	if (data && !in)
		memcpy(payload, data, len);
	else
		memset(payload, 0xdd, len);
	bufs[n++] = (struct vrig_buf){ header, sizeof(*header), false };
	if (len)
		bufs[n++] = (struct vrig_buf){ payload, len, in };
	bufs[n++] = (struct vrig_buf){ status, 1, true };
	vrig_request(&box->rig, queue, bufs, n);
	if (data && in)
		memcpy(data, payload, len);
	return *status;
}

uint8_t blk_box_read(struct blk_box *box, uint64_t sector, void *to, uint32_t len)
{
	return blk_box_request(box, 0, VIRTIO_BLK_T_IN, sector, to, len);
}

uint8_t blk_box_write(struct blk_box *box, uint64_t sector, const void *from, uint32_t len)
{
	return blk_box_request(box, 0, VIRTIO_BLK_T_OUT, sector, (void *)(uintptr_t)from, len);
}

uint8_t blk_box_flush(struct blk_box *box)
{
	return blk_box_request(box, 0, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
}

uint8_t blk_box_range(struct blk_box *box, uint32_t type, uint64_t sector, uint32_t sectors,
		      uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes range = {
		.sector = htole64(sector),
		.num_sectors = htole32(sectors),
		.flags = htole32(flags),
	};

	return blk_box_request(box, 0, type, 0, &range, sizeof(range));
}

void blk_box_file_read(const char *path, uint64_t off, void *to, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, to, len, (off_t)off), len);
	close(fd);
}

void blk_box_file_write(const char *path, uint64_t off, const void *from, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, from, len, (off_t)off), len);
	close(fd);
}

uint64_t blk_box_file_size(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

void blk_box_wait_event(struct blk_box *box, enum hv_vdev_event event, unsigned int count)
{
	uint64_t deadline = 0;

	while (atomic_load(&box->events[event]) < count)
		vrig_pause(&deadline, "an event");
}

bool blk_box_logged(struct blk_box *box, const char *text)
{
	bool found;

	pthread_mutex_lock(&box->lock);
	found = strstr(box->log, text);
	pthread_mutex_unlock(&box->lock);
	return found;
}
