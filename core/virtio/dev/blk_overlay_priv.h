/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_BLK_OVERLAY_PRIV_H
#define HV_VIRTIO_DEV_BLK_OVERLAY_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "virtio/dev/blk_overlay_format.h"

/* Private to the overlay: blk_overlay_file.c opens and closes, blk_overlay.c reads, writes, syncs. */
struct hv_overlay {
	int fd, base_fd;
	char *path;          /* owned */
	bool lasting;        /* a file with header and maps; otherwise only clusters, from 0 */
	struct hv_overlay_header header; /* bytes under lock */
	uint64_t base_bytes; /* whole sectors; beyond it the base reads as zeroes */
	uint64_t cluster;
	_Atomic uint64_t *map; /* header.map_bytes; bits are set under lock, after their data is there */
	/*
	 * Held while clusters come into being: two writers of one cluster must not both copy the
	 * base's part of it.
	 */
	pthread_mutex_t lock;
	uint8_t *dirty;      /* per page of the map: the stable map in the file is behind */
	uint8_t *scratch;    /* one cluster */
	pthread_mutex_t syncing;
};

#endif
