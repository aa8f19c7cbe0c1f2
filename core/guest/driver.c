// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/driver.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "guest/guest_priv.h"

#define MAGIC 0x74726976
#define INDIRECT 28
#define EVENT_IDX 29
#define VERSION_1 32

uint32_t hv_gdev_reg(struct hv_gdev *dev, uint64_t off)
{
	return hv_guest_read32(dev->g, dev->cpu, dev->at + off);
}

int hv_gdev_set(struct hv_gdev *dev, uint64_t off, uint32_t value)
{
	return hv_guest_write(dev->g, dev->cpu, dev->at + off, 4, value);
}

uint64_t hv_gdev_config(struct hv_gdev *dev, unsigned int off, unsigned int size)
{
	uint64_t value = 0;

	hv_guest_read(dev->g, dev->cpu, dev->at + VIRTIO_MMIO_CONFIG + off, size, &value);
	return value;
}

int hv_gdev_probe(struct hv_gdev *dev, struct hv_guest *g, unsigned int cpu, uint64_t at,
		  uint32_t irq)
{
	uint64_t magic;
	int rc;

	memset(dev, 0, sizeof(*dev));
	dev->g = g;
	dev->cpu = cpu;
	dev->at = at;
	dev->irq = irq;
	rc = hv_guest_read(g, cpu, at + VIRTIO_MMIO_MAGIC_VALUE, 4, &magic);
	if (rc < 0)
		return rc;
	if (magic != MAGIC || hv_gdev_reg(dev, VIRTIO_MMIO_VERSION) != 2)
		return -ENXIO;
	dev->id = hv_gdev_reg(dev, VIRTIO_MMIO_DEVICE_ID);
	return dev->id ? 0 : -ENXIO;
}

void hv_gdev_free(struct hv_gdev *dev)
{
	for (unsigned int i = 0; i < dev->n_rings; i++)
		hv_gring_free(&dev->rings[i]);
	dev->n_rings = 0;
}

int hv_gdev_reset(struct hv_gdev *dev)
{
	int rc = hv_gdev_set(dev, VIRTIO_MMIO_STATUS, 0);

	if (rc < 0)
		return rc;
	while (hv_gdev_reg(dev, VIRTIO_MMIO_STATUS))
		if (hv_guest_stopping(dev->g))
			return -ESHUTDOWN;
	hv_gdev_free(dev);
	dev->features = 0;
	dev->needs_reset = false;
	return 0;
}

static int add_status(struct hv_gdev *dev, uint32_t bits)
{
	return hv_gdev_set(dev, VIRTIO_MMIO_STATUS, hv_gdev_reg(dev, VIRTIO_MMIO_STATUS) | bits);
}

int hv_gdev_negotiate(struct hv_gdev *dev, uint64_t wanted)
{
	int rc = hv_gdev_reset(dev);

	if (rc < 0)
		return rc;
	add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(dev, VIRTIO_CONFIG_S_DRIVER);
	dev->offered = 0;
	for (uint32_t i = 0; i < 2; i++) {
		hv_gdev_set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		dev->offered |= (uint64_t)hv_gdev_reg(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32 * i;
	}
	dev->features = dev->offered & wanted;
	for (uint32_t i = 0; i < 2; i++) {
		hv_gdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		hv_gdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(dev->features >> 32 * i));
	}
	rc = add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
	if (rc < 0)
		return rc;
	if (!hv_gdev_has(dev, VERSION_1) ||
	    !(hv_gdev_reg(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		add_status(dev, VIRTIO_CONFIG_S_FAILED);
		return -ENODEV;
	}
	return 0;
}

static void set_address(struct hv_gdev *dev, uint64_t off, uint64_t addr)
{
	hv_gdev_set(dev, off, (uint32_t)addr);
	hv_gdev_set(dev, off + 4, (uint32_t)(addr >> 32));
}

int hv_gdev_add_queue(struct hv_gdev *dev, uint16_t max)
{
	struct hv_gring *ring = &dev->rings[dev->n_rings];
	uint32_t size;
	int rc;

	if (dev->n_rings == HV_GDEV_QUEUES)
		return -ENOSPC;
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, dev->n_rings);
	size = hv_gdev_reg(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (!size)
		return hv_guest_stopping(dev->g) ? -ESHUTDOWN : -ENOENT;
	if (size > max)
		size = max;
	rc = hv_gring_init(ring, dev->g, (uint16_t)size, hv_gdev_has(dev, INDIRECT),
			   hv_gdev_has(dev, EVENT_IDX));
	if (rc < 0)
		return rc;
	dev->n_rings++;
	hv_gring_mute(ring);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NUM, size);
	set_address(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc_at);
	set_address(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, ring->avail_at);
	set_address(dev, VIRTIO_MMIO_QUEUE_USED_LOW, ring->used_at);
	return hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
}

int hv_gdev_start(struct hv_gdev *dev)
{
	return add_status(dev, VIRTIO_CONFIG_S_DRIVER_OK);
}

int hv_gdev_kick(struct hv_gdev *dev, unsigned int queue)
{
	if (!hv_gring_publish(&dev->rings[queue]))
		return 0;
	return hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

uint32_t hv_gdev_handle(struct hv_gdev *dev)
{
	uint32_t causes = hv_gdev_reg(dev, VIRTIO_MMIO_INTERRUPT_STATUS);

	dev->interrupts++;
	if (causes)
		hv_gdev_set(dev, VIRTIO_MMIO_INTERRUPT_ACK, causes);
	if (causes & VIRTIO_MMIO_INT_CONFIG &&
	    hv_gdev_reg(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
		dev->needs_reset = true;
	return causes;
}

int hv_gdev_wait(struct hv_gdev *dev, unsigned int queue, uint64_t timeout_ns)
{
	struct hv_gring *ring = &dev->rings[queue];
	uint64_t start = hv_guest_now(), passed = 0;

	while (!hv_gring_listen(ring)) {
		int rc;

		if (dev->needs_reset)
			return -EPROTO;
		rc = hv_guest_wait_irq(dev->g, dev->irq,
				       timeout_ns > passed ? timeout_ns - passed : 0);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return hv_gring_listen(ring);
		hv_gdev_handle(dev);
		passed = hv_guest_now() - start;
	}
	/* Until the next wait: whoever gets one looks for more anyway. */
	hv_gring_mute(ring);
	return 1;
}
