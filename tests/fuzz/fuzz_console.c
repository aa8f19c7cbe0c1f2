// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/console.h"
#include "tests/fuzz/vdev_turn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE UINT64_C(0x40000000)
#define RAM 65536u
#define QUEUES 8
#define ENTRIES 16
#define RING_STEP 1024u /* each queue's three rings; buffers are anywhere, in the rings too */

static _Alignas(16) uint8_t ram[RAM];

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (; bytes && in->left; bytes--, in->left--)
		value = value << 8 | *in->at++;
	return value;
}

static void start(struct hv_vdev *dev, uint32_t features)
{
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	vdev_set(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, (features & 7) | (features & 0x30) << 24);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	vdev_set(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FEATURES_OK);
	for (uint32_t i = 0; i < QUEUES; i++) {
		uint32_t at = (uint32_t)BASE + i * RING_STEP;

		memset(ram + i * RING_STEP, 0, RING_STEP);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, i);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_NUM, ENTRIES);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 256);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_USED_LOW, at + 512);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	vdev_set(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
}

/* A descriptor, and with `show` an available entry for it. */
static void add(struct hv_vdev *dev, struct input *in)
{
	uint32_t q = (uint32_t)take(in, 1) % QUEUES, index = (uint32_t)take(in, 1);
	uint8_t *rings = ram + q * RING_STEP;
	struct vring_desc d = { .addr = htole64(BASE + take(in, 2)),
				.len = htole32((uint32_t)take(in, 2)),
				.flags = htole16((uint16_t)(index >> 4 & 7)),
				.next = htole16((uint16_t)take(in, 1)) };
	uint16_t idx;

	memcpy(rings + index % ENTRIES * sizeof(d), &d, sizeof(d));
	if (!(index & 0x80))
		return;
	memcpy(&idx, rings + 258, 2);
	idx = le16toh(idx);
	rings[260 + idx % ENTRIES * 2] = (uint8_t)(index % ENTRIES);
	rings[261 + idx % ENTRIES * 2] = 0;
	idx = htole16((uint16_t)(idx + 1));
	memcpy(rings + 258, &idx, 2);
	hv_vdev_write(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 4, q, 0);
}

static void use_client(struct hv_console_client *client, struct input *in, uint8_t what)
{
	static uint8_t bytes[8192];
	size_t len = take(in, 2) % sizeof(bytes);
	uint64_t lost;
	ssize_t n;

	if (what & 1) {
		n = hv_console_write(client, bytes, len, NULL);
		if (n > (ssize_t)len)
			abort();
	} else {
		n = hv_console_read(client, bytes, len, &lost);
		if (n < 0 || n > (ssize_t)len || (lost && !n && len))
			abort();
	}
}

/* A guest without scruples, and a host that reads, types and resizes meanwhile. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hv_console_port_opts ports[] = {
		{ .output = 1024, .input = 512 },
		{ .name = "data", .data = true, .output = 256 },
		{ .name = "more" }
	};
	struct hv_console_opts opts = { .ports = ports, .n_ports = 3 };
	struct hv_gmem mem = { 0 };
	struct hv_vbus bus = {
		.mem = &mem, .zone = "fuzz", .interrupt = ignore_irq, .release = ignore_release
	};
	struct hv_console_client *client[3];
	struct input in = { data, size };
	struct hv_vdev *dev = calloc(1, sizeof(*dev));

	hv_log_set_level(HV_LOG_ERROR);
	memset(ram, 0, sizeof(ram));
	if (!dev || hv_gmem_add(&mem, BASE, RAM, ram, NULL) ||
	    hv_console_init(dev, "fuzz/console", &opts, NULL))
		abort();
	dev->bus = &bus;
	for (unsigned int i = 0; i < 3; i++) {
		struct hv_console_client_opts c = { .who = "fuzz",
						    .wake = -1,
						    .patience = i == 1 ? UINT64_MAX : 0 };

		if (hv_console_open(dev, i, &c, &client[i], NULL) ||
		    hv_console_claim(client[i], false, NULL))
			abort();
	}
	while (in.left) {
		uint8_t op = (uint8_t)take(&in, 1);
		uint64_t off;

		switch (op & 7) {
		case 0:
			start(dev, (uint32_t)take(&in, 1));
			break;
		case 1:
		case 2:
			add(dev, &in);
			break;
		case 3:
			vdev_turn(dev);
			break;
		case 4:
			off = take(&in, 2) % RAM;
			ram[off] = (uint8_t)take(&in, 1);
			break;
		case 5:
			off = take(&in, 2) & 0x1ff;
			hv_vdev_write(dev, off, 1u << (op >> 3 & 3), take(&in, 4), 1);
			break;
		case 6:
			off = take(&in, 2) & 0x1ff;
			if (hv_vdev_read(dev, off, 1u << (op >> 3 & 3)) && off >= 0x100 + 12)
				abort();
			break;
		default:
			if (op & 8)
				hv_console_resize(dev, op >> 4 & 3, op, 25, NULL);
			else
				use_client(client[(op >> 4) % 3], &in, op >> 6);
			break;
		}
	}
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	if (hv_vdev_read(dev, VIRTIO_MMIO_STATUS, 4))
		abort();
	dev->bus = NULL;
	hv_vdev_destroy(dev);
	for (unsigned int i = 0; i < 3; i++)
		hv_console_close(client[i]);
	free(dev);
	return 0;
}
