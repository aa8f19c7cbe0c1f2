/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_BLK_OVERLAY_FORMAT_H
#define HV_VIRTIO_DEV_BLK_OVERLAY_FORMAT_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "virtio/dev/blk_image.h"

/*
 * The file of an overlay, version 1, little endian:
 *
 *   0            header, one page
 *   4096         stable map: a bit per cluster (cluster 0 = lowest bit of byte 0), 1 = in this file
 *   + map_bytes  live map: the same
 *   data_at      the clusters, each where it would be in a raw image; holes where there is none
 *
 * A bit of the stable map is written after its cluster is known to be on the disk, so it can be
 * trusted after a power failure. The live map is written along with the data, so that it and the
 * data, both in the page cache, survive the end of this process; it can be trusted as long as the
 * machine has not been booted again (boot).
 */
#define HV_OVERLAY_VERSION 1u
#define HV_OVERLAY_MAGIC "HVSHCOW1"
#define HV_OVERLAY_HEADER_BYTES 4096u
#define HV_OVERLAY_BOOT_BYTES 40

struct hv_overlay_header {
	char magic[8];
	uint32_t version;
	uint32_t cluster_shift;   /* clusters of 1 << this bytes */
	uint64_t bytes;           /* of the disk, a multiple of 512 */
	uint64_t base_bytes;      /* of the image below, when the overlay was made */
	uint64_t map_bytes;       /* of each map, a multiple of 4096; may be more than needed */
	uint64_t data_at;         /* a multiple of the cluster */
	uint32_t base_print;      /* CRC-32 of the base's first and last 64 KiB */
	uint32_t reserved;
	char boot[HV_OVERLAY_BOOT_BYTES]; /* the kernel's boot id of the last writer */
	uint32_t zero;
	uint32_t crc;             /* CRC-32 of all before it */
};
static_assert(sizeof(struct hv_overlay_header) == 104, "overlay format");
static_assert(offsetof(struct hv_overlay_header, crc) == 100, "overlay format");
/* The maps are used in memory as they are in the file. */
static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "overlay format");

#define HV_OVERLAY_SHIFT_MIN 12
#define HV_OVERLAY_SHIFT_MAX 20
#define HV_OVERLAY_MAP_MAX (UINT64_C(64) << 20) /* bytes of one map, in memory, too */
#define HV_OVERLAY_DISK_MAX (UINT64_C(1) << 48)

/* A header for a new overlay of that many bytes; sums are not filled. -EFBIG. */
int hv_overlay_header_plan(struct hv_overlay_header *header, uint64_t bytes, struct hv_err *err);
/* Reads and checks: magic, version, sum, every field, the file's length. Hostile input. */
int hv_overlay_header_read(int fd, const char *path, struct hv_overlay_header *header,
			   struct hv_err *err);
int hv_overlay_header_write(int fd, struct hv_overlay_header *header); /* fills crc; 0 or -errno */
int hv_overlay_base_print(const struct hv_blk_file *base, uint32_t *print, struct hv_err *err);
/* The kernel's boot id; "" when it cannot be known, which equals none. */
void hv_overlay_boot_id(char boot[HV_OVERLAY_BOOT_BYTES]);
/* All len bytes; 0 or -errno (-ENODATA: the file ended). */
int hv_overlay_pread(int fd, void *to, uint64_t len, uint64_t off);
int hv_overlay_pwrite(int fd, const void *from, uint64_t len, uint64_t off);

#endif
