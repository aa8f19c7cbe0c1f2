// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/device.h"

#include <endian.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <string.h>

#include "virtio/device_priv.h"
#include "virtio/state.h"

#define MAGIC 0x74726976 /* "virt" */
#define VERSION 2
#define VENDOR 0x48535648 /* "HVSH" */
/* linux/virtio_mmio.h has no name for it in older headers. */
#define QUEUE_RESET 0x0c0

#define STATUS_BITS                                                                                \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |      \
	 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

static uint64_t read_config(struct hv_vdev *dev, uint64_t off, unsigned int size)
{
	uint8_t bytes[8] = { 0 };
	uint64_t value;

	if (off < dev->ops->config_size && dev->ops->config_read) {
		uint64_t there = dev->ops->config_size - off;

		dev->ops->config_read(dev, (unsigned int)off, bytes,
				      there < size ? (unsigned int)there : size);
	}
	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

static void write_config(struct hv_vdev *dev, uint64_t off, unsigned int size, uint64_t value)
{
	uint64_t bytes = htole64(value);

	if (off < dev->ops->config_size && dev->ops->config_write) {
		uint64_t there = dev->ops->config_size - off;

		dev->ops->config_write(dev, (unsigned int)off, &bytes,
				       there < size ? (unsigned int)there : size);
	}
}

static struct hv_vq *selected(struct hv_vdev *dev)
{
	return dev->queue_sel < dev->n_queues ? &dev->queues[dev->queue_sel] : NULL;
}

static uint32_t half(uint64_t value, uint32_t sel)
{
	return sel > 1 ? 0 : (uint32_t)(value >> (32 * sel));
}

static void set_half(uint64_t *value, unsigned int sel, uint32_t to)
{
	if (sel > 1)
		return;
	*value &= ~((uint64_t)UINT32_MAX << (32 * sel));
	*value |= (uint64_t)to << (32 * sel);
}

static uint32_t read_register(struct hv_vdev *dev, uint64_t off)
{
	const struct hv_vq *vq = selected(dev);

	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->ops->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return half(dev->offered, dev->features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return vq ? vq->max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return vq && vq->ready;
	case QUEUE_RESET:
		return vq && vq->ending;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return atomic_load(&dev->interrupt_status);
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* no such region */
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return dev->config_generation;
	default:
		return 0;
	}
}

static bool features_fit(const struct hv_vdev *dev)
{
	return !(dev->driver_features & ~dev->offered) &&
	       dev->driver_features & HV_FEATURE(HV_F_VERSION_1);
}

static bool write_status(struct hv_vdev *dev, uint32_t value, unsigned int cpu)
{
	uint32_t news = value & STATUS_BITS & ~dev->status;
	char text[64];

	if (!value)
		return hv_vdev_begin_reset(dev, cpu);
	if (news & VIRTIO_CONFIG_S_FEATURES_OK) {
		if (features_fit(dev))
			dev->features = dev->driver_features;
		else
			news &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	}
	/* Who goes on without agreed features gets no device (3.1.1). */
	if (!((dev->status | news) & VIRTIO_CONFIG_S_FEATURES_OK))
		news &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	dev->status |= news;
	if (news & VIRTIO_CONFIG_S_FEATURES_OK) {
		snprintf(text, sizeof(text), "its driver takes the features 0x%" PRIx64,
			 dev->features);
		hv_vdev_tell(dev, HV_EV_NEGOTIATED, text);
	}
	if (news & VIRTIO_CONFIG_S_DRIVER_OK) {
		hv_vdev_want(dev, hv_vdev_all_workers(dev));
		hv_vdev_tell(dev, HV_EV_READY, NULL);
	}
	return false;
}

static void make_ready(struct hv_vdev *dev, struct hv_vq *vq)
{
	if (vq->ready || !vq->num)
		return;
	vq->ready = true;
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		hv_vdev_want(dev, 1u << vq->worker->index);
}

static void notify(struct hv_vdev *dev, uint32_t index)
{
	hv_stat_add(&dev->stats.kicks, 1);
	if (index < dev->n_queues)
		hv_stat_add(&dev->queues[index].kicks, 1);
	if (index < dev->n_queues && dev->queues[index].ready && !dev->queues[index].ending &&
	    dev->status & VIRTIO_CONFIG_S_DRIVER_OK && !atomic_load(&dev->broken))
		hv_worker_kick(dev->queues[index].worker, index);
}

/* Registers of the selected queue. */
static bool write_queue(struct hv_vdev *dev, uint64_t off, uint32_t value, unsigned int cpu)
{
	struct hv_vq *vq = selected(dev);

	if (!vq || vq->ending)
		return false;
	if (off == VIRTIO_MMIO_QUEUE_READY && !value)
		return hv_vdev_end_queue(dev, vq, cpu);
	if (off == QUEUE_RESET && value == 1 && dev->features & HV_FEATURE(HV_F_RING_RESET))
		return hv_vdev_end_queue(dev, vq, cpu);
	if (vq->ready)
		return false;
	switch (off) {
	case VIRTIO_MMIO_QUEUE_READY:
		make_ready(dev, vq);
		break;
	case VIRTIO_MMIO_QUEUE_NUM:
		/* A size that cannot be leaves none: the queue does not become ready. */
		vq->num = value && value <= vq->max && !(value & (value - 1)) ? (uint16_t)value : 0;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&vq->desc, off == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&vq->avail, off == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&vq->used, off == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	default:
		break;
	}
	return false;
}

static bool write_register(struct hv_vdev *dev, uint64_t off, uint32_t value, unsigned int cpu)
{
	/* What is written into a dying life dies with it; a second reset waits for the first. */
	if (dev->resetting)
		return off == VIRTIO_MMIO_STATUS && !value && hv_vdev_begin_reset(dev, cpu);
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->features_sel = value;
		return false;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (!(dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&dev->driver_features, dev->driver_features_sel, value);
		return false;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_features_sel = value;
		return false;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = value;
		return false;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		notify(dev, value);
		return false;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		hv_state_lower(dev->kept, value);
		atomic_fetch_and(&dev->interrupt_status, ~value);
		return false;
	case VIRTIO_MMIO_STATUS:
		return write_status(dev, value, cpu);
	default:
		return write_queue(dev, off, value, cpu);
	}
}

static bool size_known(unsigned int size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

uint64_t hv_vdev_read(struct hv_vdev *dev, uint64_t off, unsigned int size)
{
	uint64_t value = 0;

	pthread_mutex_lock(&dev->lock);
	if (off >= VIRTIO_MMIO_CONFIG && size_known(size))
		value = read_config(dev, off - VIRTIO_MMIO_CONFIG, size);
	else if (off < VIRTIO_MMIO_CONFIG && size == 4)
		value = read_register(dev, off);
	pthread_mutex_unlock(&dev->lock);
	return value;
}

bool hv_vdev_write(struct hv_vdev *dev, uint64_t off, unsigned int size, uint64_t value,
		   unsigned int cpu)
{
	bool later = false;

	pthread_mutex_lock(&dev->lock);
	if (off >= VIRTIO_MMIO_CONFIG && size_known(size))
		write_config(dev, off - VIRTIO_MMIO_CONFIG, size, value);
	else if (off < VIRTIO_MMIO_CONFIG && size == 4)
		later = write_register(dev, off, (uint32_t)value, cpu);
	if (off != VIRTIO_MMIO_QUEUE_NOTIFY && off != VIRTIO_MMIO_INTERRUPT_ACK)
		hv_state_save(dev);
	pthread_mutex_unlock(&dev->lock);
	return later;
}
