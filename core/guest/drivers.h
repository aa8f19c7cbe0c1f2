/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_DRIVERS_H
#define HV_GUEST_DRIVERS_H

#include "guest/pair.h"

/*
 * The small guest's drivers, each on a device that hv_gdev_probe has found. start negotiates, sets
 * up and starts; failures are -errno: those of driver.h, -ENOMEM, -ETIMEDOUT when the device does
 * not answer within HV_GUEST_PATIENCE, -EPROTO when it answers nonsense.
 */
#define HV_GUEST_PATIENCE UINT64_C(10000000000) /* ns */

/* Console: one port. */
struct hv_gconsole {
	struct hv_gpair pair;
	/* What was received and not yet read: a buffer of the device's. */
	unsigned int have, have_buf, have_off;
};
int hv_gconsole_start(struct hv_gconsole *con, struct hv_gdev *dev);
int hv_gconsole_write(struct hv_gconsole *con, const void *bytes, size_t len);
/* What is there, up to cap bytes; 0 = nothing now. */
int hv_gconsole_read(struct hv_gconsole *con, void *bytes, size_t cap);

/* Block: requests in flight up to the depth, on several queues; or one at a time. */
#define HV_GBLK_DEPTH 128 /* per queue */
struct hv_gblk_request {
	uint32_t queue;
	bool busy;
	uint64_t at; /* header and status, in the guest's memory */
	void *token;
};
struct hv_gblk {
	struct hv_gdev *dev;
	uint64_t sectors; /* of 512 bytes */
	bool read_only, can_flush;
	unsigned int n_queues;
	uint64_t bounce; /* for the calls that copy */
	struct hv_gblk_request requests[HV_GDEV_QUEUES][HV_GBLK_DEPTH];
};
/* queues: as many as wanted; fewer where the device has fewer. features: beyond the driver's own.
 */
int hv_gblk_start(struct hv_gblk *blk, struct hv_gdev *dev, unsigned int queues, uint64_t features);
/* One request of `type` with one data buffer (len 0: none), added and not yet kicked. -EAGAIN: none
 * free. */
int hv_gblk_submit(struct hv_gblk *blk, unsigned int queue, uint32_t type, uint64_t sector,
		   uint64_t addr, uint32_t len, void *token);
/* 1: one came back, with its status (virtio's: 0 ok, 1 I/O error, 2 unsupported); 0; -EPROTO. */
int hv_gblk_complete(struct hv_gblk *blk, unsigned int queue, void **token, uint8_t *status);
/* One request, and its answer: 0, -EIO, -EOPNOTSUPP. */
int hv_gblk_do(struct hv_gblk *blk, uint32_t type, uint64_t sector, uint64_t addr, uint32_t len);
/* Any range, with a copy; -ERANGE beyond the end, -EROFS. A write ends with a flush where there is
 * one. */
int hv_gblk_read(struct hv_gblk *blk, uint64_t offset, void *bytes, size_t len);
int hv_gblk_write(struct hv_gblk *blk, uint64_t offset, const void *bytes, size_t len);

/* Network: whole frames, one at a time, without offloads. */
#define HV_GNET_FRAME 1514
struct hv_gnet {
	struct hv_gpair pair;
	uint8_t mac[6];
	uint64_t received, sent;
};
int hv_gnet_start(struct hv_gnet *net, struct hv_gdev *dev);
/* Waits for room, not for the frame to be sent. */
int hv_gnet_send(struct hv_gnet *net, const void *frame, size_t len);
/* The next frame: its length (longer ones than cap are cut); 0 = none now. */
int hv_gnet_receive(struct hv_gnet *net, void *frame, size_t cap);

/* Input. */
struct hv_ginput {
	struct hv_gdev *dev;
	char name[64]; /* what the device calls itself */
	uint64_t events_at, status_at;
	bool open;	   /* the program has begun to say a report */
	bool caps;	   /* its light is on */
	unsigned int held; /* keyboard.c: shift and control */
};
int hv_ginput_start(struct hv_ginput *in, struct hv_gdev *dev);
/* Whether it has this key or button. Before or after start. */
bool hv_ginput_has_key(struct hv_gdev *dev, uint16_t code);
/* The next event (linux/input-event-codes.h): 1; 0 = none now. */
int hv_ginput_get(struct hv_ginput *in, uint16_t *type, uint16_t *code, int32_t *value);
/* An LED, or the bell; returns when the device has taken it. */
int hv_ginput_tell(struct hv_ginput *in, uint16_t type, uint16_t code, int32_t value);

/* Graphics: the first screen, and a cursor. */
#define HV_GGPU_CURSOR 64 /* pixels, both ways */
struct hv_ggpu {
	struct hv_gdev *dev;
	uint64_t at; /* a request and its answer */
	uint64_t pixels_at, pixels_size;
	uint32_t w, h; /* 0 = no mode is set */
};
int hv_ggpu_start(struct hv_ggpu *gpu, struct hv_gdev *dev);
/* As large as the screen is by now; -ENODEV: there is none; -ENOSPC: the device has no room. What
 * was shown is gone. */
int hv_ggpu_set_mode(struct hv_ggpu *gpu);
/* w × h of 0xXXRRGGBB. */
uint32_t *hv_ggpu_pixels(struct hv_ggpu *gpu);
int hv_ggpu_show(struct hv_ggpu *gpu, uint32_t x, uint32_t y, uint32_t w, uint32_t h);
/* 0xAARRGGBB; at the top left corner. Once. */
int hv_ggpu_set_cursor(struct hv_ggpu *gpu, const uint32_t pixels[HV_GGPU_CURSOR * HV_GGPU_CURSOR]);
int hv_ggpu_move_cursor(struct hv_ggpu *gpu, int32_t x, int32_t y);

/* Entropy. */
int hv_grng_start(struct hv_gdev *dev);
int hv_grng_read(struct hv_gdev *dev, void *bytes, size_t len);

#endif
