/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_BLK_IMAGE_H
#define HV_VIRTIO_DEV_BLK_IMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * Opening and locking files, and a disk made of one file, or of two: a base and the
 * overlay that holds what differs. Messages begin with the path.
 */

struct hv_overlay;

/* ---- files */

struct hv_blk_file {
	int fd;            /* -1 = closed */
	int direct_fd;     /* the same with O_DIRECT, or -1 */
	bool block_device, readonly;
	uint64_t bytes;    /* when opened */
	uint32_t block;    /* the smallest unit O_DIRECT takes, and a block device's own */
	uint32_t physical; /* what it likes to be written in; a multiple of block */
	bool punches;      /* can give space back */
	char *path;        /* owned */
};

/*
 * A regular file or block device (anything else is refused), locked: exclusively for writing,
 * shared for reading. A file system without locks gets a warning.
 */
int hv_blk_file_open(struct hv_blk_file *file, const char *path, bool readonly, bool direct,
		     struct hv_err *err);
void hv_blk_file_close(struct hv_blk_file *file);
/* Its size now; -errno. */
int64_t hv_blk_file_size(const struct hv_blk_file *file);

/* As if it had been opened without O_NONBLOCK, which io_uring takes literally. -errno. */
int hv_blk_set_blocking(int fd);
/* Locks an open description; -EBUSY names the process that has it. */
int hv_blk_lock(int fd, const char *path, bool write, struct hv_err *err);

/* ---- disks */

struct hv_blk_image {
	struct hv_blk_file base;
	struct hv_overlay *overlay; /* NULL = none */
	bool readonly;
};

/* Where a part of the disk is. */
enum hv_extent_kind {
	HV_EXTENT_FILE,  /* in fd at `at` */
	HV_EXTENT_ZERO,  /* nowhere: reads as zeroes */
	HV_EXTENT_ALLOC, /* writes need space in the overlay first: hv_overlay_write */
};

struct hv_extent {
	enum hv_extent_kind kind;
	int fd;
	uint64_t at;
	uint64_t len; /* at least 1, at most what was asked */
};

/* ---- overlays (blk_overlay.c documents the format). Any thread. */

/* Opens or makes the file above base. */
int hv_overlay_open(const char *path, const struct hv_blk_file *base, struct hv_overlay **overlay,
		    struct hv_err *err);
/* Above base in a nameless file in dir, or in memory: nothing outlives it. */
int hv_overlay_anonymous(const char *dir, const struct hv_blk_file *base,
			 struct hv_overlay **overlay, struct hv_err *err);
/* Brings everything to the disk first; -errno when that failed (closed all the same). */
int hv_overlay_close(struct hv_overlay *overlay);

uint64_t hv_overlay_bytes(const struct hv_overlay *overlay);
int hv_overlay_fd(const struct hv_overlay *overlay);
const char *hv_overlay_path(const struct hv_overlay *overlay);
uint32_t hv_overlay_cluster(const struct hv_overlay *overlay);

/* off + len must lie inside the disk; len > 0. */
void hv_overlay_map(struct hv_overlay *overlay, uint64_t off, uint64_t len, bool write,
		    struct hv_extent *extent);
/*
 * Writes all of iov at off, wherever that is. quick: only if nothing has to be read or waited
 * for, otherwise -EAGAIN. Returns the bytes or -errno (-ENODATA: its file was truncated).
 */
int64_t hv_overlay_write(struct hv_overlay *overlay, const struct iovec *iov, unsigned int n,
			 uint64_t off, uint64_t len, bool quick);
/* Makes the range read as zeroes. */
int hv_overlay_zero(struct hv_overlay *overlay, uint64_t off, uint64_t len);
/* The same for the whole clusters of the range; the rest stays. */
int hv_overlay_discard(struct hv_overlay *overlay, uint64_t off, uint64_t len);
/* What was written is durable afterwards: data first, then the map that refers to it. */
int hv_overlay_sync(struct hv_overlay *overlay);
/* Only to more bytes; -EFBIG when its map has no room. */
int hv_overlay_resize(struct hv_overlay *overlay, uint64_t bytes, struct hv_err *err);

static inline int hv_blk_image_fd(const struct hv_blk_image *image)
{
	return image->overlay ? hv_overlay_fd(image->overlay) : image->base.fd;
}

/* ---- blocking operations on either kind, for calls on other threads; 0 or -errno */
int hv_blk_image_sync(struct hv_blk_image *image);
/* unmap: the space may be given back. Never makes the file longer. */
int hv_blk_image_zero(struct hv_blk_image *image, uint64_t off, uint64_t len, bool unmap);
int hv_blk_image_discard(struct hv_blk_image *image, uint64_t off, uint64_t len);
/* pwrite of zeroes; shared with the overlay. */
int hv_blk_write_zeroes(int fd, uint64_t off, uint64_t len);

#endif
