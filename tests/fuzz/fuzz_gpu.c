// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/virtio_gpu.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/gpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM 65536u
#define QUEUES 2
#define REQUEST 0x1000u /* where op 2 puts its requests */
#define ANSWER 0x2000u
#define ROOM 2048u
#define QUOTA (1u << 20)

#include "tests/fuzz/vdev_driver.h"

/* ---- an output that looks at all it is given */

static unsigned int mood; /* bits: refuses modes, refuses frames, is not ready */
static unsigned int shown;

static void preferred(struct hv_gpu_output *out, unsigned int scanout, struct hv_gpu_preferred *to)
{
	(void)out;
	*to = (struct hv_gpu_preferred){ .connected = scanout != 1,
					 .w = 64u << (mood & 7),
					 .h = 48 };
}

static int mode(struct hv_gpu_output *out, unsigned int scanout, uint32_t w, uint32_t h,
		struct hv_err *err)
{
	(void)out;
	if (scanout > 2 || !w || !h || w > HV_GPU_SIDE_MAX || h > HV_GPU_SIDE_MAX)
		abort();
	return mood & 1 ? hv_err_set(err, 22, "no") : 0;
}

static bool ready(struct hv_gpu_output *out, unsigned int scanout)
{
	(void)out;
	(void)scanout;
	return !(mood & 4);
}

static int frame(struct hv_gpu_output *out, unsigned int scanout, const struct hv_gpu_frame *f,
		 const struct hv_gpu_rect *damage, unsigned int n, struct hv_err *err)
{
	static uint32_t copy[QUOTA / 4];

	(void)out;
	(void)scanout;
	if (!n || n > HV_GPU_DAMAGE || (uint64_t)f->w * f->h * 4 > QUOTA)
		abort();
	if (mood & 2)
		return hv_err_set(err, 5, "no");
	for (unsigned int i = 0; i < n; i++) {
		const struct hv_gpu_rect *r = &damage[i];

		if (!r->w || !r->h || r->x >= f->w || r->y >= f->h || r->w > f->w - r->x ||
		    r->h > f->h - r->y)
			abort();
		for (uint32_t y = r->y; y < r->y + r->h; y++)
			memcpy(copy + (size_t)y * f->w + r->x,
			       (const uint8_t *)f->pixels + y * f->pitch + r->x * 4, r->w * 4u);
		if (f->cursor)
			hv_gpu_cursor_blend(copy, f->w * 4u, f->w, f->h, f->cursor, f->cursor_x,
					    f->cursor_y, r);
	}
	shown++;
	return 0;
}

static unsigned int dispatch(struct hv_gpu_output *out)
{
	(void)out;
	return mood >> 3;
}

static void close_output(struct hv_gpu_output *out)
{
	(void)out;
}

static const struct hv_gpu_output_ops ops = {
	.name = "fuzz",
	.preferred = preferred,
	.mode = mode,
	.ready = ready,
	.frame = frame,
	.dispatch = dispatch,
	.close = close_output,
};

/* ---- the driver */

/* Mostly small; one in sixteen any. */
static uint32_t number(struct input *in)
{
	uint32_t n = (uint32_t)take(in, 1);

	return n < 0xf0 ? n : (uint32_t)take(in, 4);
}

/* Fields that any command may have where it expects them: words, the entries behind them. */
static void command(struct hv_vdev *dev, struct input *in)
{
	static const uint32_t types[] = {
		VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
		VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		VIRTIO_GPU_CMD_RESOURCE_UNREF,
		VIRTIO_GPU_CMD_SET_SCANOUT,
		VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
		VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
		VIRTIO_GPU_CMD_GET_EDID,
		VIRTIO_GPU_CMD_UPDATE_CURSOR,
		VIRTIO_GPU_CMD_MOVE_CURSOR,
		VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		VIRTIO_GPU_CMD_CTX_CREATE,
		0xffffffff,
	};
	uint32_t which = (uint32_t)take(in, 1), words = (uint32_t)take(in, 1) % 40;
	uint32_t q = which >> 4 & 1, type = types[(which & 15) % (sizeof(types) / 4)];
	struct virtio_gpu_ctrl_hdr hdr = { .type = htole32(type),
					   .flags = htole32(which >> 5 & 1) };
	uint32_t room = which & 0x80 ? 24 : ROOM, used_at = q * RING_STEP + 512, got;
	uint16_t idx, now;

	memcpy(ram + REQUEST, &hdr, sizeof(hdr));
	for (uint32_t i = 0; i < words; i++) {
		uint32_t n = htole32(number(in));

		/* Entries' addresses are the guest's. */
		if (type == VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING && i > 1 && i % 4 == 2)
			n = htole32((uint32_t)BASE + le32toh(n) * 256);
		memcpy(ram + REQUEST + sizeof(hdr) + i * 4, &n, 4);
	}
	memset(ram + ANSWER, 0, ROOM);
	vdev_put(q, 14, BASE + REQUEST, (uint32_t)(sizeof(hdr) + words * 4), VRING_DESC_F_NEXT, 15);
	vdev_put(q, 15, BASE + ANSWER, room, VRING_DESC_F_WRITE, 0);
	memcpy(&idx, ram + used_at + 2, 2);
	vdev_offer(dev, q, 14);
	vdev_turn(dev);
	memcpy(&now, ram + used_at + 2, 2);
	/* What was left of earlier chains may have been done as well: then this one is not alone.
	 */
	if ((uint16_t)(le16toh(now) - le16toh(idx)) != 1)
		return;
	memcpy(&got, ram + used_at + 4 + le16toh(idx) % ENTRIES * 8 + 4, 4);
	if (le32toh(got) > room)
		abort();
}

static void check(struct hv_vdev *dev)
{
	struct hv_gpu_info info;

	hv_gpu_info(dev, &info);
	if (info.memory > info.memory_max || (!info.resources && info.memory))
		abort();
	for (unsigned int i = 0; i < info.scanouts; i++)
		if (info.screen[i].on && !info.resources)
			abort();
}

/* A guest without scruples, and a display that comes, goes and refuses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_gpu_output out = { .ops = &ops, .fd = -1, .soft_cursor = true };
	struct hv_gpu_opts opts = { .scanouts = 3, .memory = QUOTA, .output = &out };
	struct hv_gmem mem = { 0 };
	struct hv_vbus bus = {
		.mem = &mem, .zone = "fuzz", .interrupt = ignore_irq, .release = ignore_release
	};
	struct input in = { data, size };
	struct hv_vdev *dev = calloc(1, sizeof(*dev));

	hv_log_set_level(HV_LOG_ERROR);
	memset(ram, 0, sizeof(ram));
	mood = 0;
	if (!dev || hv_gmem_add(&mem, BASE, RAM, ram, NULL) ||
	    hv_gpu_init(dev, "fuzz/gpu", &opts, NULL))
		abort();
	dev->bus = &bus;
	vdev_start(dev, 0x32, 2);
	while (in.left) {
		uint8_t op = (uint8_t)take(&in, 1);

		switch (op & 7) {
		case 2:
		case 3:
			command(dev, &in);
			break;
		case 7:
			mood = op >> 3;
			if (op & 0x80)
				hv_gpu_resize(dev, op >> 3 & 3, op & 0x40 ? 0 : 100u * op, 0, NULL);
			vdev_turn(dev);
			break;
		default:
			vdev_drive(dev, &in, op, 2, 16);
			if ((op & 7) == 5)
				vdev_turn(dev);
		}
		check(dev);
	}
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	if (hv_vdev_read(dev, VIRTIO_MMIO_STATUS, 4))
		abort();
	check(dev);
	dev->bus = NULL;
	hv_vdev_destroy(dev);
	free(dev);
	return 0;
}
