/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSH_TESTS_VDEV_TURN_H
#define HVSH_TESTS_VDEV_TURN_H

#include "virtio/device.h"
#include "virtio/worker.h"

/* A device without threads: what happens depends on the input alone. */

static inline void ignore_irq(const struct hv_vbus *bus, uint32_t irq)
{
	(void)bus;
	(void)irq;
}

static inline void ignore_release(const struct hv_vbus *bus, unsigned int cpu)
{
	(void)bus;
	(void)cpu;
}

/* The part of one worker, on this thread. */
static inline void vdev_worker_turn(struct hv_vdev *dev, struct hv_worker *w)
{
	if (atomic_exchange(&w->messages, 0) & HV_MSG_LIFE)
		hv_vdev_settle(dev, w);
	atomic_store(&w->kicked, 0);
	if (!w->live || atomic_load(&dev->broken))
		return;
	dev->ops->work(dev, w);
	for (unsigned int i = 0; i < dev->n_queues; i++)
		if ((w->queues >> i & 1) && dev->queues[i].ring.broken)
			hv_vdev_broken(dev, dev->queues[i].ring.why);
}

static inline void vdev_turn(struct hv_vdev *dev)
{
	for (unsigned int i = 0; i < dev->n_workers; i++)
		vdev_worker_turn(dev, &dev->workers[i]);
}

/* A write of the driver's, and what it sets off. */
static inline void vdev_set(struct hv_vdev *dev, uint64_t off, uint32_t value)
{
	hv_vdev_write(dev, off, 4, value, 0);
	vdev_turn(dev);
}

#endif
