/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CORE_VIRTIO_GPU_RIG_H
#define TESTS_CORE_VIRTIO_GPU_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <linux/virtio_gpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lives.h"
#include "virtio/dev/gpu.h"

/* A graphics card and a driver of it; each function sends one command and wants its answer. */
#define GPU_RAM (64u << 20)

struct gpu_rig {
	struct hv_vdev dev;
	union { /* the rig is the first of them, for a card that outlives processes */
		struct vrig rig;
		struct lives lives;
	};
	uint8_t *req, *answer; /* in the guest's memory */
};

static inline void gpu_rig_start(struct gpu_rig *g)
{
	vrig_start(&g->rig, HV_FEATURE(VIRTIO_GPU_F_EDID) | HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	g->req = vrig_alloc(&g->rig, 65536, 16);
	g->answer = vrig_alloc(&g->rig, 4096, 16);
}

static inline void gpu_rig_init(struct gpu_rig *g, struct hv_gpu_opts opts)
{
	struct hv_err err = { 0 };

	memset(g, 0, sizeof(*g));
	opts.origin = (struct hv_origin){ .file = "boot.lua", .line = 7 };
	if (!opts.output && hv_gpu_memory_new(&opts.output, &err))
		fail_msg("%s", err.msg);
	if (hv_gpu_init(&g->dev, "rig/panel", &opts, &err))
		fail_msg("%s", err.msg);
	vrig_init(&g->rig, &g->dev, GPU_RAM);
	gpu_rig_start(g);
}

static inline void gpu_rig_free(struct gpu_rig *g)
{
	vrig_free(&g->rig);
	hv_vdev_destroy(&g->dev);
}

/* Returns the answer's type; the answer is in g->answer, of *len bytes. */
static inline uint32_t gpu_send(struct gpu_rig *g, unsigned int queue, const void *req,
				uint32_t req_len, uint32_t room, uint32_t *len)
{
	struct virtio_gpu_ctrl_hdr hdr;
	uint32_t written;

	memcpy(g->req, req, req_len);
	memset(g->answer, 0, 4096);
	written = vrig_request(
		&g->rig, queue,
		(struct vrig_buf[]){ { g->req, req_len, false }, { g->answer, room, true } }, 2);
	if (len)
		*len = written;
	if (written < sizeof(hdr))
		return 0;
	memcpy(&hdr, g->answer, sizeof(hdr));
	return le32toh(hdr.type);
}

#define gpu_command(g, req) gpu_send(g, 0, &(req), sizeof(req), 4096, NULL)

static inline struct virtio_gpu_ctrl_hdr gpu_hdr(uint32_t type)
{
	return (struct virtio_gpu_ctrl_hdr){ .type = htole32(type) };
}

static inline struct virtio_gpu_rect gpu_rect(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	return (struct virtio_gpu_rect){ htole32(x), htole32(y), htole32(w), htole32(h) };
}

static inline uint32_t gpu_create(struct gpu_rig *g, uint32_t id, uint32_t format, uint32_t w,
				  uint32_t h)
{
	struct virtio_gpu_resource_create_2d c = { gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
						   htole32(id), htole32(format), htole32(w),
						   htole32(h) };

	return gpu_command(g, c);
}

static inline uint32_t gpu_unref(struct gpu_rig *g, uint32_t id)
{
	struct virtio_gpu_resource_unref c = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_UNREF),
					       .resource_id = htole32(id) };

	return gpu_command(g, c);
}

/* count: what the command says, which may be another number than n. */
static inline uint32_t gpu_attach_as(struct gpu_rig *g, uint32_t id,
				     const struct virtio_gpu_mem_entry *entries, uint32_t n,
				     uint32_t count)
{
	struct virtio_gpu_resource_attach_backing c = {
		gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING), htole32(id), htole32(count)
	};
	uint8_t req[sizeof(c) + 512 * sizeof(*entries)];

	memcpy(req, &c, sizeof(c));
	memcpy(req + sizeof(c), entries, n * sizeof(*entries));
	return gpu_send(g, 0, req, (uint32_t)(sizeof(c) + n * sizeof(*entries)), 4096, NULL);
}

/* One piece. */
static inline uint32_t gpu_attach(struct gpu_rig *g, uint32_t id, const void *at, uint32_t len)
{
	struct virtio_gpu_mem_entry e = { htole64(vrig_ipa(&g->rig, at)), htole32(len), 0 };

	return gpu_attach_as(g, id, &e, 1, 1);
}

static inline uint32_t gpu_detach(struct gpu_rig *g, uint32_t id)
{
	struct virtio_gpu_resource_detach_backing c = {
		.hdr = gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING), .resource_id = htole32(id)
	};

	return gpu_command(g, c);
}

static inline uint32_t gpu_transfer(struct gpu_rig *g, uint32_t id, uint32_t x, uint32_t y,
				    uint32_t w, uint32_t h, uint64_t offset)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		.hdr = gpu_hdr(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
		.r = gpu_rect(x, y, w, h),
		.offset = htole64(offset),
		.resource_id = htole32(id),
	};

	return gpu_command(g, c);
}

static inline uint32_t gpu_set_scanout(struct gpu_rig *g, uint32_t scanout, uint32_t id, uint32_t x,
				       uint32_t y, uint32_t w, uint32_t h)
{
	struct virtio_gpu_set_scanout c = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_SET_SCANOUT),
					    .r = gpu_rect(x, y, w, h),
					    .scanout_id = htole32(scanout),
					    .resource_id = htole32(id) };

	return gpu_command(g, c);
}

static inline uint32_t gpu_flush(struct gpu_rig *g, uint32_t id, uint32_t x, uint32_t y, uint32_t w,
				 uint32_t h)
{
	struct virtio_gpu_resource_flush c = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
					       .r = gpu_rect(x, y, w, h),
					       .resource_id = htole32(id) };

	return gpu_command(g, c);
}

static inline uint32_t gpu_cursor(struct gpu_rig *g, uint32_t type, uint32_t scanout, int32_t x,
				  int32_t y, uint32_t id, uint32_t hot)
{
	struct virtio_gpu_update_cursor c = {
		.hdr = gpu_hdr(type),
		.pos = { htole32(scanout), htole32((uint32_t)x), htole32((uint32_t)y), 0 },
		.resource_id = htole32(id),
		.hot_x = htole32(hot),
		.hot_y = htole32(hot),
	};

	return gpu_send(g, 1, &c, sizeof(c), 64, NULL);
}

#define gpu_ok(call) assert_int_equal(call, VIRTIO_GPU_RESP_OK_NODATA)

/* A resource with backing on a screen; returns the backing. */
static inline uint32_t *gpu_picture(struct gpu_rig *g, uint32_t id, uint32_t scanout, uint32_t w,
				    uint32_t h)
{
	uint32_t *pixels = vrig_alloc(&g->rig, (size_t)w * h * 4, 4096);

	gpu_ok(gpu_create(g, id, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, w, h));
	gpu_ok(gpu_attach(g, id, pixels, w * h * 4));
	gpu_ok(gpu_set_scanout(g, scanout, id, 0, 0, w, h));
	return pixels;
}

/* A cursor all of one colour, as resource id. */
static inline void gpu_plain_cursor(struct gpu_rig *g, uint32_t id, uint32_t colour)
{
	uint32_t *pixels = vrig_alloc(&g->rig, 64 * 64 * 4, 4096);

	for (int i = 0; i < 64 * 64; i++)
		pixels[i] = htole32(colour);
	gpu_ok(gpu_create(g, id, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64));
	gpu_ok(gpu_attach(g, id, pixels, 64 * 64 * 4));
	gpu_ok(gpu_transfer(g, id, 0, 0, 64, 64, 0));
}

#endif
