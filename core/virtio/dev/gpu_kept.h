/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_GPU_KEPT_H
#define HV_VIRTIO_DEV_GPU_KEPT_H

#include <assert.h>

#include "virtio/dev/gpu_priv.h"
#include "virtio/state_priv.h"

/*
 * Private to gpu*.c and what tests them. What is kept for the next process: a log of the commands
 * that leave something behind, in the order they were done. The next one does them again. When the
 * log is full, what there is by then is written to the other half, as the shortest log that leads
 * to it.
 *
 * Only plain stores of one thread, so that a killed process has done all of them before some point
 * (docs/restart.md); sums are against files that were edited.
 */
#define GPU_HALF (UINT32_C(1) << 20)
/* A half that is written anew and leaves less than this would soon be full again. */
#define GPU_HALF_LIVE (GPU_HALF / 4 * 3)
#define GPU_NO_SERIAL UINT64_MAX
#define GPU_MARK 0 /* no command: says how far the queue is */

struct gpu_record {
	uint64_t sum;	 /* of what is behind it */
	uint64_t serial; /* the commands on the control queue before the one it is of */
	uint32_t size;	 /* bytes of all of it, a multiple of 8 */
	uint32_t type;	 /* VIRTIO_GPU_CMD_* or GPU_MARK */
	uint32_t id;	 /* of the resource; 0 = none */
	uint16_t at;	 /* that command's place in the used ring */
	uint16_t pad;
};

struct gpu_made {
	uint32_t format, w, h, pad;
};

struct gpu_shown {
	uint32_t scanout, pad;
	struct hv_gpu_rect rect;
};

/* With its pixels: a driver may drop the resource as soon as it has said that it is the cursor. */
struct gpu_pointed {
	uint32_t scanout, on;
	struct hv_gpu_cursor cursor;
};

struct gpu_half {
	uint32_t life; /* of the device, whose commands these are */
	uint32_t tail; /* bytes in use */
	uint32_t full; /* there is more than fits: the log is of no use */
	uint32_t pad;
};

struct gpu_room {
	uint64_t done;	 /* commands on the control queue in this life */
	uint32_t active; /* which half */
	uint32_t pad;
	struct {
		int32_t x, y;
	} cursor[HV_GPU_SCANOUTS];
	struct gpu_half half[2];
	uint8_t data[2][GPU_HALF];
};

static_assert(sizeof(struct gpu_room) <= HV_STATE_ROOM && sizeof(struct gpu_room) % 8 == 0,
	      "it fits behind the queues");
static_assert(sizeof(struct gpu_record) == 32 && offsetof(struct gpu_room, data) % 8 == 0 &&
		      sizeof(struct gpu_made) % 8 == 0 && sizeof(struct gpu_shown) % 8 == 0 &&
		      sizeof(struct gpu_pointed) % 8 == 0 &&
		      sizeof(struct virtio_gpu_mem_entry) % 8 == 0,
	      "records are aligned");

#endif
