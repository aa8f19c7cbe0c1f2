/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSH_TESTS_VDEV_DRIVER_H
#define HVSH_TESTS_VDEV_DRIVER_H

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/vdev_turn.h"

/*
 * A driver whose mind is the fuzzer's input: queues at fixed places of a small memory, buffers
 * anywhere in it, in the rings too. Before it is included: RAM, the memory's size, and QUEUES.
 */
#define BASE UINT64_C(0x40000000)
#define ENTRIES 16
#define RING_STEP 1024u /* each queue's three rings */

static _Alignas(16) uint8_t ram[RAM];

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (; bytes && in->left; bytes--, in->left--)
		value = value << 8 | *in->at++;
	return value;
}

/* own: of features, the bits that are the type's; 4 and 5 are INDIRECT_DESC and EVENT_IDX. */
static inline void vdev_start(struct hv_vdev *dev, uint32_t features, uint32_t own)
{
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	vdev_set(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, (features & own) | (features & 0x30) << 24);
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

static inline void vdev_put(uint32_t q, unsigned int index, uint64_t addr, uint32_t len,
			    uint16_t flags, uint16_t next)
{
	struct vring_desc d = { htole64(addr), htole32(len), htole16(flags), htole16(next) };

	memcpy(ram + q * RING_STEP + index % ENTRIES * sizeof(d), &d, sizeof(d));
}

static inline void vdev_offer(struct hv_vdev *dev, uint32_t q, unsigned int head)
{
	uint8_t *rings = ram + q * RING_STEP;
	uint16_t idx;

	memcpy(&idx, rings + 258, 2);
	idx = le16toh(idx);
	rings[260 + idx % ENTRIES * 2] = (uint8_t)(head % ENTRIES);
	rings[261 + idx % ENTRIES * 2] = 0;
	idx = htole16((uint16_t)(idx + 1));
	memcpy(rings + 258, &idx, 2);
	hv_vdev_write(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 4, q, 0);
}

/* A descriptor, and with its highest bit set an available entry for it. */
static inline void vdev_add(struct hv_vdev *dev, struct input *in)
{
	uint32_t q = (uint32_t)take(in, 1) % QUEUES, index = (uint32_t)take(in, 1);
	uint64_t addr = BASE + take(in, 2);
	uint32_t len = (uint32_t)take(in, 2);

	vdev_put(q, index, addr, len, (uint16_t)(index >> 4 & 7), (uint16_t)take(in, 1));
	if (index & 0x80)
		vdev_offer(dev, q, index);
}

/*
 * What any driver may do, by the lower three bits of op: 0 begins anew, 1 and 2 offer buffers, 3 lets the
 * device have its turn, 4 changes memory, 5 and 6 write and read registers. own: as for vdev_start;
 * config: bytes of the type's.
 */
static inline void vdev_drive(struct hv_vdev *dev, struct input *in, uint8_t op, uint32_t own,
			      size_t config)
{
	unsigned int size = 1u << (op >> 3 & 3);
	uint64_t off;

	switch (op & 7) {
	case 0:
		vdev_start(dev, (uint32_t)take(in, 1), own);
		break;
	case 1:
	case 2:
		vdev_add(dev, in);
		break;
	case 3:
		vdev_turn(dev);
		break;
	case 4:
		off = take(in, 2) % RAM;
		ram[off] = (uint8_t)take(in, 1);
		break;
	case 5:
		off = take(in, 2) & 0x1ff;
		hv_vdev_write(dev, off, size, take(in, 4), 1);
		break;
	default:
		off = take(in, 2) & 0x1ff;
		if (hv_vdev_read(dev, off, size) && off >= VIRTIO_MMIO_CONFIG + config)
			abort();
	}
}

#endif
