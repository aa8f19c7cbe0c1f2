/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_BLK_H
#define HV_VIRTIO_DEV_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"
#include "virtio/device.h"

/*
 * virtio-blk (virtio 1.2, 5.2): a disk from a raw file or a block device, alone or below a
 * copy-on-write overlay. Requests that the page cache can answer are answered at once on the
 * worker; the others go through io_uring, or threads where the kernel has none. Guest memory
 * is only touched by buffered I/O, since on a real machine it has no struct pages.
 */
#define HV_BLK_SERIAL_MAX 20 /* bytes, without a terminator (5.2.6) */
#define HV_BLK_QUEUE_SIZE 256

enum hv_blk_engine {
	HV_BLK_ENGINE_AUTO,    /* io_uring, threads where it is missing or forbidden */
	HV_BLK_ENGINE_URING,   /* fails without it */
	HV_BLK_ENGINE_THREADS,
};

struct hv_blk_opts {
	struct hv_origin origin;
	const char *image;       /* a raw file or block device; with an overlay it is only read */
	const char *overlay;     /* copy-on-write file, made when it does not exist; NULL = none */
	bool snapshot;           /* writes go to a nameless file that ends with the device */
	const char *snapshot_dir; /* where that file is; NULL = in memory */
	bool readonly;
	bool direct;             /* past the page cache; without overlay and snapshot */
	const char *serial;      /* at most HV_BLK_SERIAL_MAX bytes; NULL: from the name */
	unsigned int queues;     /* 1..HV_VDEV_QUEUES; 0 = 1. A worker each up to HV_VDEV_WORKERS */
	unsigned int queue_size; /* a power of two, 4..HV_QUEUE_MAX; 0 = HV_BLK_QUEUE_SIZE */
	unsigned int block_size; /* for the guest: 512..4096; 0 = the device's own, or 512 */
	enum hv_blk_engine engine;
};

/*
 * Opens and locks the image (a writer excludes everybody, readers share) and prepares dev, zeroed
 * before, which hv_vdev_destroy ends: it brings what was written to the disk and closes. The
 * strings of opts, those of origin excepted, are copied. A refusal names device, script line, path
 * and, where it can be found, the process that holds the image. main thread.
 */
int hv_blk_init(struct hv_vdev *dev, const char *name, const struct hv_blk_opts *opts,
		struct hv_err *err);

/*
 * bytes 0: takes over the size the image has by now. Otherwise grows image or overlay to that
 * (a multiple of 512; less than now is -EINVAL, since it would cut data off). The guest hears of it
 * by a config interrupt, the service by HV_EV_RESIZE. main thread.
 */
int hv_blk_resize(struct hv_vdev *dev, uint64_t bytes, struct hv_err *err);

/* Brings everything completed so far to the disk; blocks meanwhile. Any thread but the bridge's. */
int hv_blk_sync(struct hv_vdev *dev, struct hv_err *err);

struct hv_blk_info {
	const char *image, *overlay; /* overlay NULL without one */
	const char *engine;          /* "io_uring" or "threads"; what the last start found */
	uint64_t bytes;
	bool readonly, snapshot, direct, block_device;
	char serial[HV_BLK_SERIAL_MAX + 1];
};
/* The strings live as long as the device. Any thread. */
void hv_blk_info(struct hv_vdev *dev, struct hv_blk_info *info);

#endif
