// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "guest/drivers.h"

#define CONTROL 0
#define CURSOR 1
#define SCREEN 1 /* resources */
#define POINTER 2
#define EVENTS_CLEAR (VIRTIO_MMIO_CONFIG + offsetof(struct virtio_gpu_config, events_clear))
#define ROOM 512 /* bytes of a request, and of its answer behind it */

/* Sends what lies at gpu->at and waits for the answer of this type. */
static int send(struct hv_ggpu *gpu, unsigned int queue, uint32_t len, uint32_t answer)
{
	struct hv_gbuf out = { gpu->at, len }, in = { gpu->at + ROOM, ROOM };
	struct hv_gdev *dev = gpu->dev;
	struct virtio_gpu_ctrl_hdr hdr;
	uint32_t written = 0;
	void *token;
	/* The cursor queue has no answers, as far as Linux is concerned. */
	int rc = hv_gring_add(&dev->rings[queue], &out, 1, &in, queue == CONTROL, gpu);

	if (rc == 0)
		rc = hv_gdev_kick(dev, queue);
	if (rc < 0)
		return rc;
	rc = hv_gdev_wait(dev, queue, HV_GUEST_PATIENCE);
	if (rc == 1)
		rc = hv_gring_get(&dev->rings[queue], &token, &written);
	else if (rc == 0)
		rc = -ETIMEDOUT;
	if (rc < 0 || queue == CURSOR)
		return rc < 0 ? rc : 0;
	if (rc == 0 || written < sizeof(hdr) || written > ROOM)
		return -EPROTO;
	memcpy(&hdr, hv_guest_at(dev->g, in.addr, sizeof(hdr)), sizeof(hdr));
	if (le32toh(hdr.type) == VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY)
		return -ENOSPC;
	return le32toh(hdr.type) == answer ? 0 : -EPROTO;
}

static int command(struct hv_ggpu *gpu, unsigned int queue, const void *request, uint32_t len)
{
	memcpy(hv_guest_at(gpu->dev->g, gpu->at, len), request, len);
	return send(gpu, queue, len, VIRTIO_GPU_RESP_OK_NODATA);
}

static struct virtio_gpu_ctrl_hdr hdr_of(uint32_t type)
{
	return (struct virtio_gpu_ctrl_hdr){ .type = htole32(type) };
}

static struct virtio_gpu_rect rect_of(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	return (struct virtio_gpu_rect){ htole32(x), htole32(y), htole32(w), htole32(h) };
}

/* What the first screen would like to be; -ENODEV: it is not connected. */
static int ask_size(struct hv_ggpu *gpu, uint32_t *w, uint32_t *h)
{
	struct virtio_gpu_ctrl_hdr request = hdr_of(VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
	struct virtio_gpu_resp_display_info info;
	int rc;

	memcpy(hv_guest_at(gpu->dev->g, gpu->at, sizeof(request)), &request, sizeof(request));
	rc = send(gpu, CONTROL, sizeof(request), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	if (rc < 0)
		return rc;
	memcpy(&info, hv_guest_at(gpu->dev->g, gpu->at + ROOM, sizeof(info)), sizeof(info));
	*w = le32toh(info.pmodes[0].r.width);
	*h = le32toh(info.pmodes[0].r.height);
	return le32toh(info.pmodes[0].enabled) ? 0 : -ENODEV;
}

/* A resource with memory of the guest behind it. */
static int make(struct hv_ggpu *gpu, uint32_t id, uint32_t format, uint32_t w, uint32_t h,
		uint64_t at)
{
	struct virtio_gpu_resource_create_2d create = { hdr_of(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
							htole32(id), htole32(format), htole32(w),
							htole32(h) };
	struct {
		struct virtio_gpu_resource_attach_backing head;
		struct virtio_gpu_mem_entry entry;
	} attach = {
		{ hdr_of(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING), htole32(id), htole32(1) },
		{ htole64(at), htole32(w * h * 4), 0 },
	};
	int rc = command(gpu, CONTROL, &create, sizeof(create));

	return rc ?: command(gpu, CONTROL, &attach, sizeof(attach));
}

static int transfer(struct hv_ggpu *gpu, uint32_t id, uint32_t x, uint32_t y, uint32_t w,
		    uint32_t h, uint32_t stride)
{
	struct virtio_gpu_transfer_to_host_2d request = {
		.hdr = hdr_of(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
		.r = rect_of(x, y, w, h),
		.offset = htole64((uint64_t)y * stride + x * 4),
		.resource_id = htole32(id),
	};

	return command(gpu, CONTROL, &request, sizeof(request));
}

static int leave_mode(struct hv_ggpu *gpu)
{
	struct virtio_gpu_resource_unref request = {
		.hdr = hdr_of(VIRTIO_GPU_CMD_RESOURCE_UNREF),
		.resource_id = htole32(SCREEN),
	};
	int rc = gpu->w ? command(gpu, CONTROL, &request, sizeof(request)) : 0;

	gpu->w = gpu->h = 0;
	return rc;
}

int hv_ggpu_set_mode(struct hv_ggpu *gpu)
{
	struct virtio_gpu_set_scanout scanout = { .hdr = hdr_of(VIRTIO_GPU_CMD_SET_SCANOUT),
						  .resource_id = htole32(SCREEN) };
	uint32_t w = 0, h = 0;
	int rc = leave_mode(gpu);

	/* Cleared first: what changes from here on is another event. */
	if (rc == 0)
		rc = hv_gdev_set(gpu->dev, EVENTS_CLEAR, VIRTIO_GPU_EVENT_DISPLAY);
	if (rc == 0)
		rc = ask_size(gpu, &w, &h);
	if (rc < 0 || !w || !h)
		return rc < 0 ? rc : -EPROTO;
	if ((uint64_t)w * h * 4 > gpu->pixels_size) {
		gpu->pixels_size = (uint64_t)w * h * 4;
		gpu->pixels_at = hv_guest_alloc(gpu->dev->g, gpu->pixels_size, 4096);
	}
	if (!gpu->pixels_at) {
		gpu->pixels_size = 0;
		return -ENOMEM;
	}
	rc = make(gpu, SCREEN, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, w, h, gpu->pixels_at);
	if (rc < 0)
		return rc;
	gpu->w = w;
	gpu->h = h;
	scanout.r = rect_of(0, 0, w, h);
	return command(gpu, CONTROL, &scanout, sizeof(scanout));
}

uint32_t *hv_ggpu_pixels(struct hv_ggpu *gpu)
{
	return hv_guest_at(gpu->dev->g, gpu->pixels_at, (uint64_t)gpu->w * gpu->h * 4);
}

int hv_ggpu_show(struct hv_ggpu *gpu, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	struct virtio_gpu_resource_flush flush = { .hdr = hdr_of(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
						   .r = rect_of(x, y, w, h),
						   .resource_id = htole32(SCREEN) };
	int rc = transfer(gpu, SCREEN, x, y, w, h, gpu->w * 4);

	return rc ?: command(gpu, CONTROL, &flush, sizeof(flush));
}

static int tell_cursor(struct hv_ggpu *gpu, uint32_t type, int32_t x, int32_t y)
{
	struct virtio_gpu_update_cursor request = {
		.hdr = hdr_of(type),
		.pos = { 0, htole32((uint32_t)x), htole32((uint32_t)y), 0 },
		.resource_id = htole32(POINTER),
	};

	return command(gpu, CURSOR, &request, sizeof(request));
}

int hv_ggpu_set_cursor(struct hv_ggpu *gpu, const uint32_t pixels[HV_GGPU_CURSOR * HV_GGPU_CURSOR])
{
	uint32_t bytes = HV_GGPU_CURSOR * HV_GGPU_CURSOR * 4;
	uint64_t at = hv_guest_alloc(gpu->dev->g, bytes, 4096);
	int rc;

	if (!at)
		return -ENOMEM;
	memcpy(hv_guest_at(gpu->dev->g, at, bytes), pixels, bytes);
	rc = make(gpu, POINTER, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, HV_GGPU_CURSOR, HV_GGPU_CURSOR,
		  at);
	if (rc == 0)
		rc = transfer(gpu, POINTER, 0, 0, HV_GGPU_CURSOR, HV_GGPU_CURSOR,
			      HV_GGPU_CURSOR * 4);
	return rc ?: tell_cursor(gpu, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0);
}

int hv_ggpu_move_cursor(struct hv_ggpu *gpu, int32_t x, int32_t y)
{
	return tell_cursor(gpu, VIRTIO_GPU_CMD_MOVE_CURSOR, x, y);
}

int hv_ggpu_start(struct hv_ggpu *gpu, struct hv_gdev *dev)
{
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES);

	memset(gpu, 0, sizeof(*gpu));
	gpu->dev = dev;
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = hv_gdev_add_queue(dev, 16);
	if (rc < 0)
		return rc;
	gpu->at = hv_guest_alloc(dev->g, 2 * ROOM, 16);
	if (!gpu->at)
		return -ENOMEM;
	return hv_gdev_start(dev);
}
