/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_GPU_PRIV_H
#define HV_VIRTIO_DEV_GPU_PRIV_H

#include <linux/virtio_gpu.h>
#include <pthread.h>

#include "virtio/dev/gpu.h"

/*
 * Private to the gpu. Resources, scanouts and cursors are the I/O thread's, which reads them
 * without a lock and changes them under `lock`, so that the main thread can look. `output_lock` is
 * held around every call of the output; never taken with `lock` held, nor `lock` within.
 */
#define HV_GPU_BUCKETS 1024 /* a power of two */

/* Guest memory, in the order of the resource's bytes. */
struct hv_gpu_piece {
	const uint8_t *host;
	uint64_t addr; /* the guest's */
	uint64_t end;  /* where the piece after it begins */
};

struct hv_gpu_resource {
	struct hv_gpu_resource *next;
	uint32_t id, format;
	uint32_t w, h;
	void *block;	  /* that pixels lie in */
	uint32_t *pixels; /* w × h, 0xAARRGGBB whatever the format */
	struct hv_gpu_piece *pieces;
	uint32_t n_pieces;		  /* 0 = no backing */
	uint64_t charged, pieces_charged; /* bytes of the quota: all, and for the pieces */
};

/* Rectangles that changed; more than fit become the smallest one around all. */
struct hv_gpu_damage {
	unsigned int n;
	struct hv_gpu_rect rects[HV_GPU_DAMAGE];
};

struct hv_gpu_scanout {
	/* what the guest is told; under `lock` */
	struct hv_gpu_preferred wish;
	uint32_t width, height; /* of the script or hv_gpu_resize; 0 = the output's wish */
	bool pulled;		/* by hv_gpu_resize */

	struct hv_gpu_resource *res; /* NULL = off */
	struct hv_gpu_rect rect;     /* of res */
	bool has_cursor;
	struct hv_gpu_cursor cursor;
	int32_t cursor_x, cursor_y;
	uint64_t frames;

	/* the I/O thread's alone */
	bool mode_set, mode_failed;
	bool due;     /* the damage is to be shown: the guest has flushed */
	bool waiting; /* the output was not ready for the damage */
	struct hv_gpu_damage damage;
	bool drawn; /* the output has drawn the cursor here */
	struct hv_gpu_rect drawn_rect;
};

struct hv_gpu {
	struct hv_vdev *dev;
	pthread_mutex_t lock, output_lock;
	struct hv_gpu_output *out;
	bool away;	    /* the output was released; main thread */
	_Atomic bool lost;  /* everything is to be given to the output again */
	_Atomic bool ended; /* a life has ended since the last start */
	uint32_t events;    /* events_read; under the device's lock */
	unsigned int n_scanouts;
	struct hv_gpu_scanout scanouts[HV_GPU_SCANOUTS];
	struct hv_gpu_resource *buckets[HV_GPU_BUCKETS];
	unsigned int n_resources;
	uint64_t memory, memory_max;

	uint32_t life; /* how many lives before; under the device's lock */
	bool opened;   /* what is kept of a life is here already, for the first start */

	/* the I/O thread's alone */
	uint16_t at;	      /* place in the control queue of the command that is done */
	unsigned int again;   /* so many of the next ones were done by the process before */
	uint64_t kept_serial; /* of the last command noted */
	uint16_t kept_at;
};

/* gpu_command.c: reads a request, does it and writes the answer; returns the bytes written. */
uint32_t hv_gpu_command(struct hv_gpu *gpu, const struct hv_chain *chain, bool cursor_queue);
/* Bytes that a request will copy, for the limit; nothing of it is checked yet. */
uint64_t hv_gpu_command_bytes(const struct hv_gpu *gpu, const struct hv_chain *chain);

/* gpu_resource.c; all on the I/O thread; they return VIRTIO_GPU_RESP_*. */
struct hv_gpu_resource *hv_gpu_find(const struct hv_gpu *gpu, uint32_t id);
uint32_t hv_gpu_create(struct hv_gpu *gpu, uint32_t id, uint32_t format, uint32_t w, uint32_t h);
/* It is on no scanout any more. */
void hv_gpu_unref(struct hv_gpu *gpu, struct hv_gpu_resource *res);
void hv_gpu_unref_all(struct hv_gpu *gpu);
/* The entries lie in the chain from off on. */
uint32_t hv_gpu_attach(struct hv_gpu *gpu, struct hv_gpu_resource *res, const struct hv_gmem *mem,
		       const struct hv_chain *chain, size_t off, uint32_t n);
uint32_t hv_gpu_detach(struct hv_gpu *gpu, struct hv_gpu_resource *res);
uint32_t hv_gpu_transfer(struct hv_gpu *gpu, struct hv_gpu_resource *res,
			 const struct hv_gpu_rect *rect, uint64_t offset);
/* Not empty, and inside w × h. */
bool hv_gpu_inside(const struct hv_gpu_rect *rect, uint32_t w, uint32_t h);

/* gpu_pixels.c: whether the format is one of virtio's, and what makes 0xAARRGGBB of it, in place.
 */
bool hv_gpu_format_known(uint32_t format);
bool hv_gpu_format_native(uint32_t format); /* nothing to convert */
bool hv_gpu_format_alpha(uint32_t format);
void hv_gpu_convert(uint32_t *pixels, size_t n, uint32_t format);
/* The part both have; false when there is none. */
bool hv_gpu_intersect(const struct hv_gpu_rect *a, const struct hv_gpu_rect *b,
		      struct hv_gpu_rect *to);
void hv_gpu_damage_add(struct hv_gpu_damage *damage, const struct hv_gpu_rect *rect);
/* The part of a cursor that is on a screen; false when nothing is. */
bool hv_gpu_cursor_rect(int32_t x, int32_t y, uint32_t w, uint32_t h, struct hv_gpu_rect *to);

/* gpu_scanout.c: I/O thread */
uint32_t hv_gpu_set_scanout(struct hv_gpu *gpu, uint32_t scanout, struct hv_gpu_resource *res,
			    const struct hv_gpu_rect *rect);
uint32_t hv_gpu_flush(struct hv_gpu *gpu, struct hv_gpu_resource *res,
		      const struct hv_gpu_rect *rect);
uint32_t hv_gpu_cursor(struct hv_gpu *gpu, const struct virtio_gpu_update_cursor *cmd, bool move);
/* Off, wherever it is shown; all of them for NULL. */
void hv_gpu_blank(struct hv_gpu *gpu, const struct hv_gpu_resource *res);
/* As at the beginning: nothing shown, no resources. */
void hv_gpu_forget(struct hv_gpu *gpu);
/* Gives the outputs what they have not got and can take by now. True when something was shown. */
bool hv_gpu_show(struct hv_gpu *gpu);
/* The output's descriptor has something: hv_gpu_show follows. */
void hv_gpu_dispatch(struct hv_gpu *gpu);
bool hv_gpu_waiting(const struct hv_gpu *gpu);

/*
 * gpu_keep.c: what the next process needs to go on. The notes are taken on the I/O thread, when the
 * command was done and before the guest learns it; where nothing is kept they do nothing.
 */

/* A command was done, whatever it leaves behind. id: its resource; 0 = none. */
void hv_gpu_note(struct hv_gpu *gpu, uint32_t type, uint32_t id, unsigned int scanout);
/* Any command on the control queue. */
void hv_gpu_note_done(struct hv_gpu *gpu);
/* A life begins, with nothing in it. */
void hv_gpu_keep_begin(struct hv_gpu *gpu, uint32_t life);
/* The control queue begins, or goes on where another process was: then gpu->again is right. */
void hv_gpu_keep_queue(struct hv_gpu *gpu, const struct hv_queue *ring, bool taken_up);
/*
 * Makes of the bytes what the gpu was; gpu->opened when that life had begun. -EBADMSG: they are
 * damaged; -ESTALE: there was more than fits. main thread, before the gpu has any.
 */
int hv_gpu_open_kept(struct hv_gpu *gpu, uint32_t life, const void *bytes,
		     const struct hv_gmem *mem, struct hv_err *err);

/* gpu.c: -EINVAL when there is none of that number. */
int hv_gpu_check_scanout(const struct hv_gpu *gpu, unsigned int scanout, struct hv_err *err);
/* What the guest is told of a screen; `lock` held. */
struct hv_gpu_preferred hv_gpu_told(const struct hv_gpu *gpu, unsigned int scanout);
/* Takes over what the output prefers by now; the guest hears of changes. */
void hv_gpu_ask_output(struct hv_gpu *gpu);
/* events_read gets the display bit: the guest looks again. Any thread, no lock held. */
void hv_gpu_display_changed(struct hv_gpu *gpu);

/* gpu_edid.c: the bytes it makes, at most HV_GPU_EDID_MAX. */
#define HV_GPU_EDID_MAX 256
size_t hv_gpu_edid(const struct hv_gpu_preferred *screen, unsigned int serial,
		   uint8_t to[HV_GPU_EDID_MAX]);

#endif
