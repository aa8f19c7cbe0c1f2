/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_GPU_H
#define HV_VIRTIO_DEV_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"
#include "virtio/dev/gpu_output.h"
#include "virtio/device.h"

/*
 * virtio-gpu (virtio 1.2, 5.7), 2D with EDID: the guest's resources are copied here when it
 * transfers them, screens are rectangles of resources, and an output shows what the guest flushes.
 * A screenshot has what was transferred, also where it was not flushed yet. Neither VIRGL nor BLOB
 * is offered.
 */
#define HV_GPU_SIDE_MAX 16384u /* pixels, of a resource and a screen */
#define HV_GPU_MEMORY (UINT64_C(256) << 20)
#define HV_GPU_MEMORY_MAX (UINT64_C(4) << 30)
#define HV_GPU_RESOURCES 4096
#define HV_GPU_WIDTH 1280u
#define HV_GPU_HEIGHT 800u

struct hv_gpu_opts {
	struct hv_origin origin;
	unsigned int scanouts;	/* 0 = 1; at most HV_GPU_SCANOUTS */
	uint32_t width, height; /* of each screen; 0: what the output prefers, or 1280 × 800 */
	uint64_t memory;	/* bytes that the guest may fill; 0 = HV_GPU_MEMORY */
	struct hv_gpu_output *output; /* taken over, also on failure */
};

/*
 * Prepares dev, which is zeroed and ended by hv_vdev_destroy. The strings of origin are not copied.
 * dev->limit counts commands and bytes transferred. main thread.
 */
int hv_gpu_init(struct hv_vdev *dev, const char *name, const struct hv_gpu_opts *opts,
		struct hv_err *err);

/*
 * Writes what is on a screen, with the cursor, into a PNG file: all of it or nothing; a link of
 * that name is replaced, not followed. -EINVAL: no such screen; -ENODATA: the guest shows nothing
 * there; what the file system answers. main thread; the device waits for a copy only.
 */
int hv_gpu_screenshot(struct hv_vdev *dev, unsigned int scanout, const char *path,
		      struct hv_err *err);

/*
 * Plugs in another screen: the guest is told of its size, and decides. 0 × 0: pulls the screen out.
 * -EINVAL: no such screen, or a bad size. main thread.
 */
int hv_gpu_resize(struct hv_vdev *dev, unsigned int scanout, uint32_t width, uint32_t height,
		  struct hv_err *err);

/* Gives the display to other programs, and takes it back. -ENOTSUP: nothing to give. main thread.
 */
int hv_gpu_release(struct hv_vdev *dev, struct hv_err *err);
int hv_gpu_take(struct hv_vdev *dev, struct hv_err *err);

struct hv_gpu_screen_info {
	bool connected;
	uint32_t width, height; /* what the guest is told */
	bool on;
	uint32_t shown_width, shown_height; /* what it shows, when on */
	bool cursor;
	int32_t cursor_x, cursor_y; /* top left corner, when there is a cursor */
	uint64_t frames;	    /* given to the output */
};
struct hv_gpu_info {
	const char *output; /* "memory"; constant */
	unsigned int scanouts;
	struct hv_gpu_screen_info screen[HV_GPU_SCANOUTS];
	unsigned int resources;
	uint64_t memory, memory_max; /* bytes */
	bool away;		     /* the display is given to others */
};
void hv_gpu_info(struct hv_vdev *dev, struct hv_gpu_info *info);

#endif
