/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_BLK_BOX_H
#define TESTS_LIB_BLK_BOX_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include <linux/virtio_blk.h>

#include "virtio/dev/blk.h"
#include "vrig.h"

/*
 * A directory with an image in it, a disk made of it, and a driver. Failures inside end the
 * test that runs.
 *
 *	blk_box_make(&box, 1 << 20);                        image: byte i of sector s is blk_box_byte(s, i)
 *	blk_box_open(&box, &(struct hv_blk_opts){ 0 });     image is filled in
 *	blk_box_start(&box, HV_FEATURE(VIRTIO_BLK_F_FLUSH), 0);
 *	assert_int_equal(blk_box_read(&box, 3, bytes, 512), VIRTIO_BLK_S_OK);
 *	blk_box_free(&box);
 */
#define BLK_BOX_RAM (64u << 20)

struct blk_box {
	char dir[64], image[96], overlay[96];
	uint64_t bytes;
	struct hv_vdev dev;
	struct vrig rig;
	bool open;
	void *scratch[HV_VDEV_QUEUES]; /* guest memory for one request per queue */
	pthread_mutex_t lock;
	_Atomic unsigned int events[HV_EV_RESIZE + 1];
	char message[1200];        /* of the last HV_EV_ERROR or HV_EV_RESIZE; under lock */
	_Atomic unsigned int lines;
	char log[4096];            /* what was logged; under lock */
};

#define BLK_BOX_SCRATCH (8u << 20)

uint8_t blk_box_byte(uint64_t sector, uint64_t i);
void blk_box_fill(uint8_t *to, uint64_t sector, uint64_t len);

void blk_box_make(struct blk_box *box, uint64_t bytes);
/* hv_blk_init only; image, origin are filled in. */
int blk_box_init(struct blk_box *box, const struct hv_blk_opts *opts, struct hv_err *err);
/* Both, and plugs it in. */
void blk_box_open(struct blk_box *box, const struct hv_blk_opts *opts);
/* features beyond VERSION_1; rings of 128. flags: VRIG_INDIRECT. */
void blk_box_start(struct blk_box *box, uint64_t features, unsigned int flags);
/* Unplugs and destroys the disk; its files stay. */
void blk_box_close(struct blk_box *box);
/* The same, and removes the files. */
void blk_box_free(struct blk_box *box);

/* One request by the driver; returns the status byte (0xee: none was written). */
uint8_t blk_box_request(struct blk_box *box, unsigned int queue, uint32_t type, uint64_t sector,
			void *data, uint32_t len);
uint8_t blk_box_read(struct blk_box *box, uint64_t sector, void *to, uint32_t len);
uint8_t blk_box_write(struct blk_box *box, uint64_t sector, const void *from, uint32_t len);
uint8_t blk_box_flush(struct blk_box *box);
/* DISCARD or WRITE_ZEROES of one range. */
uint8_t blk_box_range(struct blk_box *box, uint32_t type, uint64_t sector, uint32_t sectors,
		      uint32_t flags);
/* Of the image or another file. */
void blk_box_file_read(const char *path, uint64_t off, void *to, size_t len);
void blk_box_file_write(const char *path, uint64_t off, const void *from, size_t len);
uint64_t blk_box_file_size(const char *path);
void blk_box_wait_event(struct blk_box *box, enum hv_vdev_event event, unsigned int count);
bool blk_box_logged(struct blk_box *box, const char *text);

#endif
