/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_DRIVER_H
#define HV_GUEST_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/ring.h"

/*
 * A device as its driver has it: virtio-mmio version 2, found, negotiated, its queues set up. One
 * thread, which acts as the CPU `cpu`. Failures are -errno; -ESHUTDOWN: the zone ended.
 */
#define HV_GDEV_QUEUES 8
/* What the drivers here understand beyond their own bits. */
#define HV_GDEV_FEATURES                                                                           \
	(UINT64_C(1) << 32 /* VERSION_1 */ | UINT64_C(1) << 29 /* EVENT_IDX */ |                   \
	 UINT64_C(1) << 28 /* INDIRECT_DESC */)

struct hv_gdev {
	struct hv_guest *g;
	unsigned int cpu;
	uint64_t at;
	uint32_t irq;
	uint32_t id; /* virtio device id: 1 net, 2 blk, 3 console, 4 rng … */
	uint64_t offered, features;
	unsigned int n_rings;
	struct hv_gring rings[HV_GDEV_QUEUES];
	uint64_t interrupts; /* taken */
	bool needs_reset;    /* the device said so, or broke a rule itself */
};

/* -ENXIO: no virtio device there, or an empty slot. */
int hv_gdev_probe(struct hv_gdev *dev, struct hv_guest *g, unsigned int cpu, uint64_t at,
		  uint32_t irq);
/*
 * Reset, then negotiation of those of `wanted` that are offered. -ENODEV: without VERSION_1, or
 * refused by the device.
 */
int hv_gdev_negotiate(struct hv_gdev *dev, uint64_t wanted);
/* Sets up the next queue, of at most max entries; it asks for no interrupts yet. -ENOENT: the
 * device does not have it. */
int hv_gdev_add_queue(struct hv_gdev *dev, uint16_t max);
/* DRIVER_OK. */
int hv_gdev_start(struct hv_gdev *dev);
/* Status = 0 and back when it reads 0; the rings are gone afterwards. */
int hv_gdev_reset(struct hv_gdev *dev);
/* Frees the rings, without a word to the device. */
void hv_gdev_free(struct hv_gdev *dev);

static inline bool hv_gdev_has(const struct hv_gdev *dev, unsigned int bit)
{
	return dev->features >> bit & 1;
}

uint32_t hv_gdev_reg(struct hv_gdev *dev, uint64_t off);
int hv_gdev_set(struct hv_gdev *dev, uint64_t off, uint32_t value);
uint64_t hv_gdev_config(struct hv_gdev *dev, unsigned int off, unsigned int size);

/* Publishes what was added to a ring and notifies the device if it wants that. */
int hv_gdev_kick(struct hv_gdev *dev, unsigned int queue);
/* Its interrupt handler, after its interrupt was taken: reads InterruptStatus and acknowledges.
 * Returns the causes. */
uint32_t hv_gdev_handle(struct hv_gdev *dev);
/*
 * Waits until a ring has something to get: 1; 0 after timeout_ns; -EPROTO: the device needs a
 * reset. Looks, asks for an interrupt, looks again, sleeps.
 */
int hv_gdev_wait(struct hv_gdev *dev, unsigned int queue, uint64_t timeout_ns);

#endif
