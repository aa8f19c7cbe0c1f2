/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_GPU_OUTPUT_H
#define HV_VIRTIO_DEV_GPU_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Where a virtio-gpu's screens are shown: a card with its connectors, or nowhere but in memory.
 *
 * Threads. An output is made on the main thread and given to hv_gpu_init, which may ask `preferred`
 * there. From the attachment to the detachment of the device everything is called on its I/O
 * thread, but for release and take, which the main thread calls; `close` comes after the
 * detachment, on the main thread. Never two calls at once: the device sees to that. No call waits
 * for a display (vblank, the end of a flip): it delays the guest's next command and the answer to
 * its reset. Other devices have threads of their own and are not concerned.
 *
 * Pixels are 32 bits, 0xXXRRGGBB in the machine's byte order (DRM_FORMAT_XRGB8888 on the machines
 * hvisor knows); those of a cursor are 0xAARRGGBB, premultiplied. The device has converted the
 * guest's formats before.
 */
struct hv_gpu_output;

#define HV_GPU_SCANOUTS 16
#define HV_GPU_CURSOR_SIZE 64 /* pixels, both ways */
#define HV_GPU_DAMAGE 16      /* rectangles of one frame, at most */

/* In pixels, from the top left corner. Inside the frame, never empty. */
struct hv_gpu_rect {
	uint32_t x, y, w, h;
};

struct hv_gpu_cursor {
	uint32_t pixels[HV_GPU_CURSOR_SIZE * HV_GPU_CURSOR_SIZE];
	uint32_t hot_x, hot_y; /* the point of it that points; smaller than its size */
};

struct hv_gpu_frame {
	const uint32_t *pixels; /* the whole screen; valid during the call only */
	size_t pitch;		/* bytes from one line to the next, a multiple of 4 */
	uint32_t w, h;
	/*
	 * For an output that has soft_cursor set: the cursor to draw over the picture wherever the
	 * damage covers it, and where its top left corner is. NULL: there is none.
	 */
	const struct hv_gpu_cursor *cursor;
	int32_t cursor_x, cursor_y;
};

/* What a screen would like to be. */
struct hv_gpu_preferred {
	bool connected;
	uint32_t w, h;	      /* pixels; 0 = no wish. What the script asks for comes first */
	uint32_t w_mm, h_mm;  /* 0 = not known */
	uint32_t refresh_mhz; /* thousandths of a Hertz; 0 = not known */
	char name[14];	      /* for the EDID the guest is shown; "" = the device's name */
};

/* What dispatch tells of. */
enum {
	/* A screen that was not ready may be. */
	HV_GPU_OUTPUT_READY = 1,
	/* `preferred` may answer otherwise: the guest is told. */
	HV_GPU_OUTPUT_CHANGED = 2,
	/* What was shown is not shown any more: mode, cursor and a whole frame are given again. */
	HV_GPU_OUTPUT_LOST = 4,
};

struct hv_gpu_output_ops {
	const char *name; /* "drm" */
	/* May be NULL: connected, no wish. */
	void (*preferred)(struct hv_gpu_output *out, unsigned int scanout,
			  struct hv_gpu_preferred *to);
	/*
	 * Frames of this size follow. A screen without such a mode shows them centred in the one it
	 * has, cut where they are larger. -errno with a message, which is logged with a limit: it
	 * stays dark until the guest sets a size again or dispatch answers LOST.
	 */
	int (*mode)(struct hv_gpu_output *out, unsigned int scanout, uint32_t w, uint32_t h,
		    struct hv_err *err);
	/*
	 * Whether it takes a frame now: false while the previous one waits to be shown. The device
	 * then gathers damage, and asks again when dispatch has answered READY. NULL: always.
	 */
	bool (*ready)(struct hv_gpu_output *out, unsigned int scanout);
	/*
	 * Copies the damage, 1 to HV_GPU_DAMAGE rectangles that may overlap, and shows it. Between
	 * two frames nothing outside the damage has changed; the first one after `mode` is damaged
	 * as a whole. Only when ready and after a `mode` that succeeded. -errno with a message,
	 * logged with a limit; the damage is kept and given again with the next frame.
	 */
	int (*frame)(struct hv_gpu_output *out, unsigned int scanout,
		     const struct hv_gpu_frame *frame, const struct hv_gpu_rect *damage,
		     unsigned int n_damage, struct hv_err *err);
	/*
	 * Shows another cursor, NULL: none; the output copies it. Both calls with its top left
	 * corner, which may be outside. -errno: it cannot; it has set soft_cursor, and gets the
	 * cursor with the frames. NULL with soft_cursor set from the beginning.
	 */
	int (*cursor)(struct hv_gpu_output *out, unsigned int scanout,
		      const struct hv_gpu_cursor *cursor, int32_t x, int32_t y);
	int (*move_cursor)(struct hv_gpu_output *out, unsigned int scanout, int32_t x, int32_t y);
	/* The guest shows nothing there any more. `mode` comes before the next frame. May be NULL.
	 */
	void (*blank)(struct hv_gpu_output *out, unsigned int scanout);
	/* The descriptor of the output has something, or POLLERR. HV_GPU_OUTPUT_* bits. May be NULL
	 * when fd is -1. */
	unsigned int (*dispatch)(struct hv_gpu_output *out);
	/*
	 * Gives the display to others and takes it back. Between them `mode` and `frame` may be
	 * called and keep silent. take: afterwards everything is given again, as for LOST. Both
	 * NULL where there is nothing to give. Called any number of times.
	 */
	int (*release)(struct hv_gpu_output *out, struct hv_err *err);
	int (*take)(struct hv_gpu_output *out, struct hv_err *err);
	/* Frees it. */
	void (*close)(struct hv_gpu_output *out);
};

/* The beginning of every output's own structure. */
struct hv_gpu_output {
	const struct hv_gpu_output_ops *ops;
	int fd; /* waited for POLLIN while the guest's driver is there; -1 = none. Constant. */
	bool soft_cursor;
};

/* Frames go nowhere; screenshots are taken from the device itself. main thread. */
int hv_gpu_memory_new(struct hv_gpu_output **out, struct hv_err *err);

/*
 * For outputs and screenshots: blends the part of a cursor that lies in clip over pixels, which
 * start at the top left corner of the screen, whose size is w × h.
 */
void hv_gpu_cursor_blend(uint32_t *pixels, size_t pitch, uint32_t w, uint32_t h,
			 const struct hv_gpu_cursor *cursor, int32_t x, int32_t y,
			 const struct hv_gpu_rect *clip);

#endif
