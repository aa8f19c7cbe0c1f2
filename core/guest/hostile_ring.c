// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/hostile_priv.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "guest/guest_priv.h"

#define IN_FLIGHT 8
#define PATIENCE_NS 20000000

/* Runs f for each queue of a fresh life, with a buffer. */
typedef void queue_fn(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf);
static void each_queue(struct hv_gdev *dev, uint64_t features, queue_fn *f)
{
	unsigned int n = 1;

	for (unsigned int q = 0; q < n; q++) {
		uint64_t mark = hv_guest_heap_mark(dev->g);

		hostile_set_up(dev, features);
		n = dev->n_rings;
		if (q < n)
			f(dev, q, &dev->rings[q], hostile_buffer(dev));
		hostile_pause(dev, q);
		/* The device may still be at the memory: the next life does not share it before
		 * this one is over. */
		hv_gdev_reset(dev);
		hv_guest_heap_reset(dev->g, mark);
	}
	hostile_set_up(dev, features);
}

/* One descriptor that cannot be, readable and writable, alone and at the end of a chain. */
static void bad_range(struct hv_gdev *dev, uint64_t addr, uint32_t len)
{
	for (unsigned int flags = 0; flags <= WRITE; flags += WRITE) {
		for (unsigned int q = 0; q < dev->n_rings; q++) {
			struct hv_gring *ring = &dev->rings[q];
			uint64_t buf = hostile_buffer(dev);

			hostile_put(&ring->desc[0], addr, len, flags, 0);
			hostile_show(dev, q, 0);
			hostile_put(&ring->desc[1], buf, 16, flags | NEXT, 2);
			hostile_put(&ring->desc[2], addr, len, flags, 0);
			hostile_show(dev, q, 1);
			hostile_pause(dev, q);
		}
		hv_gdev_reset(dev);
		hostile_set_up(dev, HV_GDEV_FEATURES);
	}
}

void hostile_ranges(struct hv_gdev *dev)
{
	const struct {
		uint64_t addr;
		uint32_t len;
	} ranges[] = {
		{ 0, 512 },
		{ hostile_ram_end(dev), 1 },
		{ hostile_ram_end(dev) - 1, 2 },
		{ hostile_ram_end(dev) - 512, UINT32_MAX },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX - 511, 512 },
		{ UINT64_MAX - 511, UINT32_MAX },
		{ dev->at, 0x200 },
		{ hostile_ram_end(dev) - 0x1000, 0 },
		{ UINT64_C(1) << 63, 4096 },
	};
	uint64_t mark = hv_guest_heap_mark(dev->g);

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		hostile_set_up(dev, HV_GDEV_FEATURES);
		bad_range(dev, ranges[i].addr, ranges[i].len);
		hv_gdev_reset(dev);
		hv_guest_heap_reset(dev->g, mark);
	}
}

static void q_next_beyond(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 16, NEXT, 0xffff);
	hostile_show(dev, q, 0);
}

static void q_next_size(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 16, NEXT | WRITE, ring->size);
	hostile_show(dev, q, 0);
}

static void q_self(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 16, NEXT, 0);
	hostile_show(dev, q, 0);
}

static void q_circle(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	for (unsigned int i = 0; i < ring->size; i++)
		hostile_put(&ring->desc[i], buf, BUFFER, NEXT | WRITE, (i + 1) % ring->size);
	hostile_show(dev, q, 5);
}

static void q_head_beyond(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	(void)buf;
	hostile_show(dev, q, ring->size);
	hostile_show(dev, q, 0xffff);
}

static void q_ahead(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 16, WRITE, 0);
	ring->avail_idx = (uint16_t)(ring->avail_idx + ring->size);
	hostile_show(dev, q, 0);
}

static void q_far_ahead(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 16, 0, 0);
	ring->avail_idx = 0x8000;
	hostile_show(dev, q, 0);
}

static void q_backwards(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 16, WRITE, 0);
	hostile_show(dev, q, 0);
	ring->avail_idx = (uint16_t)(ring->avail_idx - 3);
	hostile_show(dev, q, 0);
}

static void q_twice(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 512, WRITE, 0);
	for (unsigned int i = 0; i < ring->size; i++)
		hostile_show(dev, q, 0);
}

static void q_nothing(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 0, NEXT, 1);
	hostile_put(&ring->desc[1], buf, 0, WRITE, 0);
	hostile_show(dev, q, 0);
	hostile_put(&ring->desc[2], 0, 0, 0, 0);
	hostile_show(dev, q, 2);
}

static void q_order(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	hostile_put(&ring->desc[0], buf, 16, WRITE | NEXT, 1);
	hostile_put(&ring->desc[1], buf, 16, NEXT, 2);
	hostile_put(&ring->desc[2], buf, 16, WRITE, 0);
	hostile_show(dev, q, 0);
}

static void q_flags(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	for (unsigned int bit = 3; bit < 16; bit++) {
		hostile_put(&ring->desc[bit], buf, 16, 1u << bit, bit);
		hostile_show(dev, q, bit);
	}
}

/* The device writes where its own orders stand. */
static void q_own_rings(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	(void)buf;
	hostile_put(&ring->desc[0], ring->desc_at, 16 * ring->size, WRITE, 0);
	hostile_put(&ring->desc[1], ring->avail_at, 6 + 2u * ring->size, WRITE, 0);
	hostile_put(&ring->desc[2], ring->used_at, 6 + 8u * ring->size, WRITE, 0);
	hostile_put(&ring->desc[3], ring->desc_at, 16 * ring->size, NEXT, 4);
	hostile_put(&ring->desc[4], ring->used_at, 6 + 8u * ring->size, WRITE, 0);
	for (unsigned int i = 0; i < 4; i++)
		hostile_show(dev, q, i);
}

static void indirect(struct hv_gdev *dev, unsigned int q, uint64_t table, uint32_t len,
		     unsigned int flags)
{
	hostile_put(&dev->rings[q].desc[0], table, len, INDIRECT | flags, 1);
	hostile_show(dev, q, 0);
}

static struct vring_desc *table_at(struct hv_gdev *dev, uint64_t buf)
{
	return hv_guest_at(dev->g, buf, BUFFER);
}

static void q_nested(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	(void)ring;
	hostile_put(&table_at(dev, buf)[0], buf, 32, INDIRECT, 0);
	indirect(dev, q, buf, 16, 0);
}

static void q_indirect_next(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			    uint64_t buf)
{
	hostile_put(&table_at(dev, buf)[0], buf, 16, 0, 0);
	hostile_put(&ring->desc[1], buf, 16, WRITE, 0);
	indirect(dev, q, buf, 16, NEXT);
}

static void q_indirect_odd(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	(void)ring;
	hostile_put(&table_at(dev, buf)[0], buf, 16, 0, 0);
	indirect(dev, q, buf, 17, 0);
}

static void q_indirect_empty(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			     uint64_t buf)
{
	(void)ring;
	indirect(dev, q, buf, 0, 0);
}

static void q_indirect_huge(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			    uint64_t buf)
{
	(void)ring;
	indirect(dev, q, buf, 0xfffffff0, 0);
}

static void q_indirect_long(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			    uint64_t buf)
{
	struct vring_desc *table = table_at(dev, buf);
	unsigned int n = BUFFER / 16;

	(void)ring;
	for (unsigned int i = 0; i < n; i++)
		hostile_put(&table[i], buf, 16, i + 1 < n ? NEXT | WRITE : WRITE, i + 1);
	indirect(dev, q, buf, BUFFER, 0);
}

static void q_indirect_loop(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			    uint64_t buf)
{
	struct vring_desc *table = table_at(dev, buf);

	(void)ring;
	hostile_put(&table[0], buf, 16, NEXT, 1);
	hostile_put(&table[1], buf, 16, NEXT, 0);
	indirect(dev, q, buf, 32, 0);
}

static void q_indirect_beyond(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			      uint64_t buf)
{
	(void)ring;
	hostile_put(&table_at(dev, buf)[0], buf, 16, NEXT, 2);
	indirect(dev, q, buf, 32, 0);
}

static void q_indirect_outside(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			       uint64_t buf)
{
	(void)ring;
	(void)buf;
	indirect(dev, q, hostile_ram_end(dev) - 16, 32, 0);
}

static void q_indirect_write(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring,
			     uint64_t buf)
{
	(void)ring;
	hostile_put(&table_at(dev, buf)[0], buf + 64, 16, WRITE, 0);
	indirect(dev, q, buf, 16, WRITE);
}

static void q_event(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	for (unsigned int i = 0; i < ring->size; i++) {
		ring->avail->ring[ring->size] = htole16((uint16_t)(i * 331));
		ring->used->idx = htole16((uint16_t)(i * 77));
		hostile_put(&ring->desc[i], buf, 16, WRITE, 0);
		hostile_show(dev, q, i);
	}
}

/* Descriptors change while the device looks at them. */
static void q_changing(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	uint32_t seed = 7;

	for (unsigned int i = 0; i < 300; i++) {
		struct vring_desc *d = &ring->desc[i % 4];

		hostile_put(d, buf, 512, NEXT | WRITE, (i + 1) % 4);
		hostile_put(&ring->desc[(i + 1) % 4], buf, 16, WRITE, 0);
		hostile_show(dev, q, i % 4);
		for (int n = 0; n < 8; n++) {
			__atomic_store_n(&d->addr, htole64(n & 1 ? buf : UINT64_MAX - 64),
					 __ATOMIC_RELAXED);
			__atomic_store_n(&d->len, htole32(hostile_random(&seed)), __ATOMIC_RELAXED);
			__atomic_store_n(&d->next, htole16((uint16_t)hostile_random(&seed)),
					 __ATOMIC_RELAXED);
		}
	}
}

static void q_noise(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	uint32_t seed = 12345 + q;

	(void)buf;
	for (unsigned int round = 0; round < 20; round++) {
		uint8_t *bytes = (uint8_t *)ring->desc;

		for (unsigned int i = 0; i < 16u * ring->size; i++)
			bytes[i] = (uint8_t)hostile_random(&seed);
		bytes = (uint8_t *)ring->avail;
		for (unsigned int i = 0; i < 6 + 2u * ring->size; i++)
			bytes[i] = (uint8_t)hostile_random(&seed);
		hv_gdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, q);
		if (hv_gdev_reg(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
			break;
	}
}

/* Waits until few chains are with the device; false when it does not give them back. */
static bool make_room(struct hv_gdev *dev, struct hv_gring *ring)
{
	uint64_t start = hv_guest_now();

	while ((uint16_t)(ring->avail_idx -
			  le16toh(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE))) >=
	       IN_FLIGHT) {
		if (hv_guest_now() - start > PATIENCE_NS)
			return false;
		/* Somewhere to be while the device's side gets the CPU. */
		hv_gdev_reg(dev, VIRTIO_MMIO_STATUS);
	}
	return true;
}

/* Chains as they should be, with anything in them. */
static void q_requests(struct hv_gdev *dev, unsigned int q, struct hv_gring *ring, uint64_t buf)
{
	uint8_t *bytes = hv_guest_at(dev->g, buf, BUFFER);
	uint32_t seed = 4711;

	for (unsigned int i = 0; i < 500 && make_room(dev, ring); i++) {
		unsigned int n = 1 + hostile_random(&seed) % 5, first = i * 5 % (ring->size - 5);
		bool write = false;

		for (unsigned int b = 0; b < 64; b++)
			bytes[b] = (uint8_t)(hostile_random(&seed) &
					     (b % 4 ? hostile_random(&seed) & 1 : 0x1f));
		for (unsigned int k = 0; k < n; k++) {
			write |= hostile_random(&seed) % 3 == 0;
			hostile_put(&ring->desc[first + k], buf + hostile_random(&seed) % 64,
				    hostile_random(&seed) % 4 ? hostile_random(&seed) % 600
							      : hostile_random(&seed) % 20,
				    (k + 1 < n ? NEXT : 0) | (write ? WRITE : 0), first + k + 1);
		}
		hostile_show(dev, q, first);
	}
}

/* Those on each queue in turn, each in a fresh life, with and without indirect descriptors and
 * event index. */
#define QUEUE_BEHAVIOUR(f)                                                                         \
	void hostile_##f(struct hv_gdev *dev)                                                      \
	{                                                                                          \
		each_queue(dev, HV_GDEV_FEATURES, q_##f);                                          \
		each_queue(dev, UINT64_C(1) << 32, q_##f);                                         \
	}
QUEUE_BEHAVIOUR(next_beyond)
QUEUE_BEHAVIOUR(next_size)
QUEUE_BEHAVIOUR(self)
QUEUE_BEHAVIOUR(circle)
QUEUE_BEHAVIOUR(head_beyond)
QUEUE_BEHAVIOUR(ahead)
QUEUE_BEHAVIOUR(far_ahead)
QUEUE_BEHAVIOUR(backwards)
QUEUE_BEHAVIOUR(twice)
QUEUE_BEHAVIOUR(nothing)
QUEUE_BEHAVIOUR(order)
QUEUE_BEHAVIOUR(flags)
QUEUE_BEHAVIOUR(own_rings)
QUEUE_BEHAVIOUR(nested)
QUEUE_BEHAVIOUR(indirect_next)
QUEUE_BEHAVIOUR(indirect_odd)
QUEUE_BEHAVIOUR(indirect_empty)
QUEUE_BEHAVIOUR(indirect_huge)
QUEUE_BEHAVIOUR(indirect_long)
QUEUE_BEHAVIOUR(indirect_loop)
QUEUE_BEHAVIOUR(indirect_beyond)
QUEUE_BEHAVIOUR(indirect_outside)
QUEUE_BEHAVIOUR(indirect_write)
QUEUE_BEHAVIOUR(event)
QUEUE_BEHAVIOUR(changing)
QUEUE_BEHAVIOUR(noise)
QUEUE_BEHAVIOUR(requests)
