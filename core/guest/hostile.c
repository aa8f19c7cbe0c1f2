// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/hostile_priv.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "guest/guest_priv.h"

#define QUEUES 3 /* of each device, where it has them */

static uint64_t patience = 20000000;

void hv_hostile_set_patience(uint64_t ns)
{
	patience = ns;
}

uint32_t hostile_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

void hostile_set_up(struct hv_gdev *dev, uint64_t features)
{
	if (hv_gdev_negotiate(dev, features) < 0)
		return;
	for (int i = 0; i < QUEUES; i++)
		hv_gdev_add_queue(dev, SIZE);
	hv_gdev_start(dev);
}

uint64_t hostile_buffer(struct hv_gdev *dev)
{
	return hv_guest_alloc(dev->g, BUFFER, 64);
}

void hostile_put(struct vring_desc *d, uint64_t addr, uint32_t len, unsigned int flags,
		 unsigned int next)
{
	*d = (struct vring_desc){ htole64(addr), htole32(len), htole16((uint16_t)flags),
				  htole16((uint16_t)next) };
}

void hostile_show(struct hv_gdev *dev, unsigned int q, unsigned int head)
{
	struct hv_gring *ring = &dev->rings[q];

	ring->avail->ring[ring->avail_idx & (ring->size - 1)] = htole16((uint16_t)head);
	ring->avail_idx++;
	hv_gring_publish(ring);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

void hostile_pause(struct hv_gdev *dev, unsigned int q)
{
	struct hv_gring *ring = &dev->rings[q];
	uint64_t start = hv_guest_now();

	if (q >= dev->n_rings)
		return;
	while ((!ring->avail_idx ||
		__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) != htole16(ring->avail_idx)) &&
	       !(hv_gdev_reg(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) &&
	       hv_guest_now() - start < patience)
		;
}

uint64_t hostile_ram_end(struct hv_gdev *dev)
{
	const struct hv_abi_zone *zone = hv_guest_zone(dev->g);

	for (uint32_t i = 0; i < zone->n_regions; i++)
		if (zone->regions[i].type == HV_REGION_RAM)
			return zone->regions[i].ipa + zone->regions[i].size;
	return 0;
}

/* In flight, and gone. */
static void run_reset(struct hv_gdev *dev)
{
	uint64_t mark = hv_guest_heap_mark(dev->g);

	for (unsigned int i = 0; i < 40; i++) {
		hostile_set_up(dev, HV_GDEV_FEATURES);
		for (unsigned int q = 0; q < dev->n_rings; q++) {
			uint64_t buf = hostile_buffer(dev);

			for (unsigned int d = 0; d < 16; d++) {
				hostile_put(&dev->rings[q].desc[d], buf, 512, d & 1 ? WRITE : 0, 0);
				hostile_show(dev, q, d);
			}
		}
		if (i % 3 == 0)
			hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 0);
		if (i % 3 == 1)
			hv_gdev_set(dev, 0xc0, 1);
		hv_gdev_reset(dev);
		hv_gdev_set(dev, VIRTIO_MMIO_STATUS, 0);
		hv_guest_heap_reset(dev->g, mark);
	}
}

static void run_ring_places(struct hv_gdev *dev)
{
	const uint64_t places[] = {
		0,
		1,
		hostile_ram_end(dev),
		hostile_ram_end(dev) - 16,
		hostile_ram_end(dev) - 4,
		UINT64_MAX,
		UINT64_MAX - 15,
		UINT64_MAX - 4095,
		dev->at,
		hv_guest_zone(dev->g)->regions[0].ipa + 1,
	};
	uint64_t mark = hv_guest_heap_mark(dev->g);

	for (unsigned int which = 0; which < 3; which++) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			uint64_t off = VIRTIO_MMIO_QUEUE_DESC_LOW + 0x10 * which;

			if (hv_gdev_negotiate(dev, HV_GDEV_FEATURES) < 0)
				return;
			hv_gdev_add_queue(dev, SIZE);
			hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, 0);
			hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 0);
			hv_gdev_set(dev, off, (uint32_t)places[i]);
			hv_gdev_set(dev, off + 4, (uint32_t)(places[i] >> 32));
			hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
			hv_gdev_start(dev);
			hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
			hostile_pause(dev, 0);
			hv_gdev_reset(dev);
			hv_guest_heap_reset(dev->g, mark);
		}
	}
}

static void run_one_ring(struct hv_gdev *dev)
{
	uint64_t at = hv_guest_alloc(dev->g, BUFFER, BUFFER);

	if (hv_gdev_negotiate(dev, HV_GDEV_FEATURES) < 0)
		return;
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, 0);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NUM, SIZE);
	for (unsigned int i = 0; i < 3; i++) {
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_DESC_LOW + 0x10 * i, (uint32_t)at);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_DESC_HIGH + 0x10 * i, (uint32_t)(at >> 32));
	}
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	hv_gdev_start(dev);
	for (unsigned int i = 0; i < 50; i++) {
		memset(hv_guest_at(dev->g, at, BUFFER), (int)i, BUFFER);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	}
}

static void run_queue_sizes(struct hv_gdev *dev)
{
	static const uint32_t sizes[] = { 0,	   3,	    5,		0x8000,	   0xffff,
					  0x10000, 0x10040, 0x80000000, UINT32_MAX };
	uint64_t mark = hv_guest_heap_mark(dev->g);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (hv_gdev_negotiate(dev, HV_GDEV_FEATURES) < 0)
			return;
		hv_gdev_add_queue(dev, SIZE);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 0);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NUM, sizes[i]);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
		hv_gdev_start(dev);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NUM, sizes[i]);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		hv_gdev_reset(dev);
		hv_guest_heap_reset(dev->g, mark);
	}
}

static void run_queue_select(struct hv_gdev *dev)
{
	static const uint32_t queues[] = {
		3, 16, 17, 31, 32, 255, 0x10000, 0x80000000, UINT32_MAX
	};

	hostile_set_up(dev, HV_GDEV_FEATURES);
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, queues[i]);
		for (uint64_t off = VIRTIO_MMIO_QUEUE_NUM_MAX; off < 0x100; off += 4) {
			if (off == VIRTIO_MMIO_STATUS)
				continue;
			hv_gdev_reg(dev, off);
			hv_gdev_set(dev, off, UINT32_MAX);
		}
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, queues[i]);
		hv_gdev_set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, queues[i]);
		hv_gdev_reg(dev, VIRTIO_MMIO_DEVICE_FEATURES);
		hv_gdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, queues[i]);
		hv_gdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
	}
}

static void run_ready_twice(struct hv_gdev *dev)
{
	hostile_set_up(dev, HV_GDEV_FEATURES);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, 0);
	for (uint64_t off = VIRTIO_MMIO_QUEUE_DESC_LOW; off < 0xa8; off += 4)
		hv_gdev_set(dev, off, 0xfffffff0);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 0);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/* Every register with every size and odd values, the window's end included. */
static void run_registers(struct hv_gdev *dev)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8 };
	uint32_t seed = 99;

	hostile_set_up(dev, HV_GDEV_FEATURES);
	for (unsigned int s = 0; s < 4; s++) {
		for (uint64_t off = 0; off <= 0x200 - sizes[s];
		     off += off & 1 ? 1 : hostile_random(&seed) % 2 + 1) {
			uint64_t value;

			hv_guest_read(dev->g, dev->cpu, dev->at + off, sizes[s], &value);
			hv_guest_write(dev->g, dev->cpu, dev->at + off, sizes[s],
				       (uint64_t)hostile_random(&seed) << 32 |
					       hostile_random(&seed));
		}
	}
}

static void run_status(struct hv_gdev *dev)
{
	static const uint32_t steps[] = {
		VIRTIO_CONFIG_S_DRIVER_OK,
		VIRTIO_CONFIG_S_FEATURES_OK,
		VIRTIO_CONFIG_S_NEEDS_RESET,
		VIRTIO_CONFIG_S_FAILED,
		0xff,
		0xffffff00,
		UINT32_MAX,
		VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK,
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		hv_gdev_reset(dev);
		hv_gdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i & 1);
		hv_gdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, i & 2 ? UINT32_MAX : 0);
		hv_gdev_set(dev, VIRTIO_MMIO_STATUS, steps[i]);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		/* Bits taken back. */
		hv_gdev_set(dev, VIRTIO_MMIO_STATUS, 1);
	}
}

static void run_no_queues(struct hv_gdev *dev)
{
	if (hv_gdev_negotiate(dev, HV_GDEV_FEATURES) < 0)
		return;
	hv_gdev_start(dev);
	for (uint32_t q = 0; q < 40; q++)
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

static void run_early_kick(struct hv_gdev *dev)
{
	uint64_t buf = hostile_buffer(dev);

	if (hv_gdev_negotiate(dev, HV_GDEV_FEATURES) < 0)
		return;
	hv_gdev_add_queue(dev, SIZE);
	if (!dev->n_rings)
		return;
	hostile_put(&dev->rings[0].desc[0], buf, 16, WRITE, 0);
	hostile_show(dev, 0, 0);
	hostile_pause(dev, 0);
}

static void run_kick_storm(struct hv_gdev *dev)
{
	hostile_set_up(dev, HV_GDEV_FEATURES);
	for (uint32_t i = 0; i < 20000; i++)
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, i % 5 ? i % 3 : i);
}

static void run_ack_storm(struct hv_gdev *dev)
{
	hostile_set_up(dev, HV_GDEV_FEATURES);
	for (uint32_t i = 0; i < 2000; i++) {
		hv_gdev_reg(dev, VIRTIO_MMIO_INTERRUPT_STATUS);
		hv_gdev_set(dev, VIRTIO_MMIO_INTERRUPT_ACK, i & 1 ? UINT32_MAX : i);
	}
}

/* Work without end whose interrupts nobody acknowledges. */
static void run_never_ack(struct hv_gdev *dev)
{
	hostile_set_up(dev, HV_GDEV_FEATURES);
	for (unsigned int i = 0; i < 500; i++) {
		for (unsigned int q = 0; q < dev->n_rings; q++) {
			struct hv_gbuf buf = { dev->rings[q].desc_at, 16 };
			void *token;

			hv_gring_listen(&dev->rings[q]);
			hv_gring_add(&dev->rings[q], &buf, 1, NULL, 0, dev);
			hv_gdev_kick(dev, q);
			while (hv_gring_get(&dev->rings[q], &token, NULL) == 1)
				;
		}
	}
}

static const struct hv_hostile behaviours[] = {
	{ "buffers outside of memory", true, hostile_ranges },
	{ "a next beyond the table", true, hostile_next_beyond },
	{ "a next just beyond the table", true, hostile_next_size },
	{ "a descriptor that follows itself", true, hostile_self },
	{ "a chain that is a circle", true, hostile_circle },
	{ "heads beyond the table", true, hostile_head_beyond },
	{ "more available than the queue holds", true, hostile_ahead },
	{ "half the index space available", true, hostile_far_ahead },
	{ "an available index that goes back", true, hostile_backwards },
	{ "the same chain again and again", false, hostile_twice },
	{ "chains of nothing", false, hostile_nothing },
	{ "readable buffers after writable ones", true, hostile_order },
	{ "unknown descriptor flags", false, hostile_flags },
	{ "the rings as buffers", false, hostile_own_rings },
	{ "nested indirect tables", true, hostile_nested },
	{ "an indirect table with a next", true, hostile_indirect_next },
	{ "an indirect table of 17 bytes", true, hostile_indirect_odd },
	{ "an indirect table of 0 bytes", true, hostile_indirect_empty },
	{ "an indirect table of 4 GiB", true, hostile_indirect_huge },
	{ "an indirect table longer than the queue", true, hostile_indirect_long },
	{ "an indirect table that is a circle", true, hostile_indirect_loop },
	{ "a next beyond the indirect table", true, hostile_indirect_beyond },
	{ "an indirect table half outside of memory", true, hostile_indirect_outside },
	{ "an indirect table marked as writable", true, hostile_indirect_write },
	{ "event indexes and used.idx at will", false, hostile_event },
	{ "descriptors that change under the device", true, hostile_changing },
	{ "rings of noise", true, hostile_noise },
	{ "requests of noise", false, hostile_requests },
	{ "resets with everything in flight", false, run_reset },
	{ "rings outside of memory", true, run_ring_places },
	{ "three rings at one place", true, run_one_ring },
	{ "queue sizes that cannot be", false, run_queue_sizes },
	{ "queues that do not exist", false, run_queue_select },
	{ "addresses changed while ready", true, run_ready_twice },
	{ "registers of any size and place", false, run_registers },
	{ "status bits at will", false, run_status },
	{ "a driver without queues", false, run_no_queues },
	{ "a kick before its time", false, run_early_kick },
	{ "a storm of kicks", false, run_kick_storm },
	{ "acknowledgements at will", false, run_ack_storm },
	{ "interrupts never acknowledged", false, run_never_ack },
};

const struct hv_hostile *hv_hostile_list(unsigned int *n)
{
	*n = sizeof(behaviours) / sizeof(behaviours[0]);
	return behaviours;
}
