// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vrig.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "virtio/barrier.h"

#define PATIENCE UINT64_C(60000000000) /* ns; only a hang takes it */

void vrig_pause(uint64_t *deadline, const char *what)
{
	uint64_t now = hv_now();

	if (!*deadline)
		*deadline = now + PATIENCE;
	else if (now > *deadline)
		fail_msg("waited in vain for %s", what);
	sched_yield();
}

static void count_irq(const struct hv_vbus *bus, uint32_t irq)
{
	struct vrig *rig = bus->arg;

	if (irq != VRIG_IRQ)
		abort();
	atomic_fetch_add(&rig->irqs, 1);
}

static void count_release(const struct hv_vbus *bus, unsigned int cpu)
{
	struct vrig *rig = bus->arg;

	atomic_fetch_add(&rig->released[cpu], 1);
}

void vrig_init(struct vrig *rig, struct hv_vdev *dev, size_t mem_size)
{
	struct hv_err err = { 0 };

	memset(rig, 0, sizeof(*rig));
	rig->dev = dev;
	rig->ram_size = mem_size;
	rig->ram = mmap(NULL, mem_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(rig->ram != MAP_FAILED);
	if (hv_gmem_add(&rig->mem, VRIG_BASE, mem_size, rig->ram, &err))
		fail_msg("%s", err.msg);
	rig->bus = (struct hv_vbus){ .mem = &rig->mem,
				     .zone = "rig",
				     .interrupt = count_irq,
				     .release = count_release,
				     .arg = rig };
	if (hv_vdev_attach(dev, &rig->bus, 0xa000000, 0x200, VRIG_IRQ, &err))
		fail_msg("%s", err.msg);
}

static void forget_queue(struct vrig_queue *q)
{
	free(q->tables);
	free(q->done_len);
	free(q->done);
	memset(q, 0, sizeof(*q));
}

void vrig_free(struct vrig *rig)
{
	hv_vdev_detach(rig->dev);
	for (unsigned int i = 0; i < HV_VDEV_QUEUES; i++)
		forget_queue(&rig->queue[i]);
	munmap(rig->ram, rig->ram_size);
	rig->ram = NULL;
}

void *vrig_alloc(struct vrig *rig, size_t size, size_t align)
{
	size_t at = (rig->ram_used + align - 1) & ~(align - 1);

	if (at > rig->ram_size || size > rig->ram_size - at)
		fail_msg("the rig's memory is too small for %zu more bytes", size);
	rig->ram_used = at + size;
	return rig->ram + at;
}

uint64_t vrig_ipa(const struct vrig *rig, const void *at)
{
	return VRIG_BASE + (uint64_t)((const uint8_t *)at - rig->ram);
}

uint32_t vrig_read(struct vrig *rig, uint64_t off)
{
	return (uint32_t)hv_vdev_read(rig->dev, off, 4);
}

bool vrig_write_async(struct vrig *rig, uint64_t off, uint32_t value, unsigned int cpu)
{
	return hv_vdev_write(rig->dev, off, 4, value, cpu);
}

void vrig_released(struct vrig *rig, unsigned int cpu, uint64_t count)
{
	uint64_t deadline = 0;

	while (atomic_load(&rig->released[cpu]) < count)
		vrig_pause(&deadline, "a deferred register write");
	assert_int_equal(atomic_load(&rig->released[cpu]), count);
}

void vrig_write_cpu(struct vrig *rig, uint64_t off, uint32_t value, unsigned int cpu)
{
	uint64_t before = atomic_load(&rig->released[cpu]);

	if (vrig_write_async(rig, off, value, cpu))
		vrig_released(rig, cpu, before + 1);
	else
		assert_int_equal(atomic_load(&rig->released[cpu]), before);
}

void vrig_write(struct vrig *rig, uint64_t off, uint32_t value)
{
	vrig_write_cpu(rig, off, value, 0);
}

uint64_t vrig_config(struct vrig *rig, unsigned int off, unsigned int size)
{
	return hv_vdev_read(rig->dev, VIRTIO_MMIO_CONFIG + off, size);
}

void vrig_set_config(struct vrig *rig, unsigned int off, unsigned int size, uint64_t value)
{
	hv_vdev_write(rig->dev, VIRTIO_MMIO_CONFIG + off, size, value, 0);
}

void vrig_reset(struct vrig *rig)
{
	vrig_write(rig, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(vrig_read(rig, VIRTIO_MMIO_STATUS), 0);
	for (unsigned int i = 0; i < HV_VDEV_QUEUES; i++)
		forget_queue(&rig->queue[i]);
	rig->features = 0;
}

void vrig_reclaim(struct vrig *rig)
{
	vrig_reset(rig);
	memset(rig->ram, 0, rig->ram_used);
	rig->ram_used = 0;
}

bool vrig_negotiate(struct vrig *rig, uint64_t features)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE;

	features |= HV_FEATURE(HV_F_VERSION_1);
	vrig_reset(rig);
	vrig_write(rig, VIRTIO_MMIO_STATUS, status);
	vrig_write(rig, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		vrig_write(rig, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		vrig_write(rig, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
	}
	vrig_write(rig, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_FEATURES_OK);
	if (vrig_read(rig, VIRTIO_MMIO_STATUS) != status)
		return false;
	rig->features = features;
	return true;
}

static void write_address(struct vrig *rig, uint64_t low, const void *at)
{
	uint64_t ipa = vrig_ipa(rig, at);

	vrig_write(rig, low, (uint32_t)ipa);
	vrig_write(rig, low + 4, (uint32_t)(ipa >> 32));
}

void vrig_setup(struct vrig *rig, unsigned int queue, uint16_t size, unsigned int flags)
{
	struct vrig_queue *q = &rig->queue[queue];

	forget_queue(q);
	q->size = q->n_free = size;
	q->flags = flags;
	q->event_idx = rig->features >> HV_F_EVENT_IDX & 1;
	q->desc = vrig_alloc(rig, 16u * size, 16);
	q->avail = vrig_alloc(rig, 6 + 2u * size, 2);
	q->used = vrig_alloc(rig, 6 + 8u * size, 4);
	q->used_event = (uint16_t *)&q->avail->ring[size];
	q->avail_event = (uint16_t *)&q->used->ring[size];
	for (unsigned int i = 0; i < size; i++)
		q->desc[i].next = (uint16_t)(i + 1);
	q->tables = calloc(size, sizeof(*q->tables));
	q->done_len = calloc(size, sizeof(*q->done_len));
	q->done = calloc(size, sizeof(*q->done));
	assert_true(q->tables && q->done_len && q->done);
	vrig_write(rig, VIRTIO_MMIO_QUEUE_SEL, queue);
	vrig_write(rig, VIRTIO_MMIO_QUEUE_NUM, size);
	write_address(rig, VIRTIO_MMIO_QUEUE_DESC_LOW, q->desc);
	write_address(rig, VIRTIO_MMIO_QUEUE_AVAIL_LOW, q->avail);
	write_address(rig, VIRTIO_MMIO_QUEUE_USED_LOW, q->used);
	vrig_write(rig, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(vrig_read(rig, VIRTIO_MMIO_QUEUE_READY), 1);
}

void vrig_driver_ok(struct vrig *rig)
{
	vrig_write(rig, VIRTIO_MMIO_STATUS,
		   vrig_read(rig, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

void vrig_start(struct vrig *rig, uint64_t features, uint16_t size, unsigned int flags)
{
	if (flags & VRIG_INDIRECT)
		features |= HV_FEATURE(HV_F_INDIRECT_DESC);
	assert_true(vrig_negotiate(rig, features));
	for (unsigned int i = 0; i < rig->dev->n_queues; i++) {
		uint32_t max;

		vrig_write(rig, VIRTIO_MMIO_QUEUE_SEL, i);
		max = vrig_read(rig, VIRTIO_MMIO_QUEUE_NUM_MAX);
		vrig_setup(rig, i, size < max ? size : (uint16_t)max, flags);
	}
	vrig_driver_ok(rig);
}

static void fill(struct vrig *rig, struct vring_desc *d, const struct vrig_buf *buf, bool last)
{
	d->addr = vrig_ipa(rig, buf->at);
	d->len = buf->len;
	d->flags = (buf->in ? VRING_DESC_F_WRITE : 0) | (last ? 0 : VRING_DESC_F_NEXT);
}

int vrig_add(struct vrig *rig, unsigned int queue, const struct vrig_buf *bufs, unsigned int n)
{
	struct vrig_queue *q = &rig->queue[queue];
	uint16_t head = q->next_free, index = head;

	assert_true(n);
	if (q->flags & VRIG_INDIRECT) {
		struct vring_desc *table;

		if (!q->n_free)
			return -1;
		/* One table per head, large enough for any chain, is kept for the next time. */
		if (!q->tables[head])
			q->tables[head] = vrig_alloc(rig, sizeof(*table) * q->size, 16);
		table = q->tables[head];
		assert_true(n <= q->size);
		for (unsigned int i = 0; i < n; i++) {
			fill(rig, &table[i], &bufs[i], i == n - 1);
			table[i].next = (uint16_t)(i + 1);
		}
		q->next_free = q->desc[head].next;
		q->n_free--;
		q->desc[head].addr = vrig_ipa(rig, table);
		q->desc[head].len = (uint32_t)sizeof(*table) * n;
		q->desc[head].flags = VRING_DESC_F_INDIRECT;
	} else {
		if (q->n_free < n)
			return -1;
		for (unsigned int i = 0; i < n; i++) {
			fill(rig, &q->desc[index], &bufs[i], i == n - 1);
			q->next_free = q->desc[index].next;
			index = q->next_free;
		}
		q->n_free = (uint16_t)(q->n_free - n);
	}
	q->done[head] = false;
	q->avail->ring[q->avail_idx++ & (q->size - 1)] = head;
	return head;
}

bool vrig_kick(struct vrig *rig, unsigned int queue)
{
	struct vrig_queue *q = &rig->queue[queue];
	uint16_t before = q->shown, event;
	bool notify;

	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	q->shown = q->avail_idx;
	hv_full_barrier();
	if (q->event_idx) {
		event = __atomic_load_n(q->avail_event, __ATOMIC_RELAXED);
		notify = (uint16_t)(q->shown - event - 1) < (uint16_t)(q->shown - before);
	} else {
		notify = !(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) &
			   VRING_USED_F_NO_NOTIFY);
	}
	if (notify)
		vrig_write(rig, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
	return notify;
}

static void give_back(struct vrig_queue *q, uint16_t head)
{
	uint16_t last = head, n = 1;

	while (!(q->desc[last].flags & VRING_DESC_F_INDIRECT) &&
	       (q->desc[last].flags & VRING_DESC_F_NEXT)) {
		last = q->desc[last].next;
		n++;
	}
	q->desc[last].next = q->next_free;
	q->next_free = head;
	q->n_free = (uint16_t)(q->n_free + n);
}

bool vrig_poll(struct vrig *rig, unsigned int queue, struct vrig_used *used)
{
	struct vrig_queue *q = &rig->queue[queue];
	struct vring_used_elem e;

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->used_seen)
		return false;
	e = q->used->ring[q->used_seen++ & (q->size - 1)];
	assert_true(e.id < q->size);
	give_back(q, (uint16_t)e.id);
	*used = (struct vrig_used){ .id = e.id, .len = e.len };
	/* As a driver that wants to hear of each completion. */
	if (q->event_idx && !q->interrupts_off)
		__atomic_store_n(q->used_event, q->used_seen, __ATOMIC_RELEASE);
	return true;
}

struct vrig_used vrig_wait(struct vrig *rig, unsigned int queue)
{
	struct vrig_used used;
	uint64_t deadline = 0;

	while (!vrig_poll(rig, queue, &used)) {
		vrig_ack(rig);
		vrig_pause(&deadline, "a completion");
	}
	return used;
}

uint32_t vrig_finish(struct vrig *rig, unsigned int queue, int head)
{
	struct vrig_queue *q = &rig->queue[queue];

	assert_in_range(head, 0, q->size - 1);
	while (!q->done[head]) {
		struct vrig_used used = vrig_wait(rig, queue);

		assert_false(q->done[used.id]);
		q->done[used.id] = true;
		q->done_len[used.id] = used.len;
	}
	q->done[head] = false;
	return q->done_len[head];
}

uint32_t vrig_request(struct vrig *rig, unsigned int queue, const struct vrig_buf *bufs,
		      unsigned int n)
{
	int head = vrig_add(rig, queue, bufs, n);

	if (head < 0)
		fail_msg("no room in queue %u", queue);
	vrig_kick(rig, queue);
	return vrig_finish(rig, queue, head);
}

bool vrig_interrupts(struct vrig *rig, unsigned int queue, bool on)
{
	struct vrig_queue *q = &rig->queue[queue];

	q->interrupts_off = !on;
	if (!q->event_idx)
		__atomic_store_n(&q->avail->flags, on ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
	else
		/* Off: an event that used.idx does not reach for a whole turn of 2^16. */
		__atomic_store_n(q->used_event, on ? q->used_seen : (uint16_t)(q->used_seen - 1),
				 __ATOMIC_RELAXED);
	hv_full_barrier();
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->used_seen;
}

uint32_t vrig_ack(struct vrig *rig)
{
	uint32_t status = vrig_read(rig, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (status)
		vrig_write(rig, VIRTIO_MMIO_INTERRUPT_ACK, status);
	return status;
}

void vrig_wait_irqs(struct vrig *rig, uint64_t count)
{
	uint64_t deadline = 0;

	while (atomic_load(&rig->irqs) < count)
		vrig_pause(&deadline, "an interrupt");
}

void vrig_wait_count(const _Atomic uint64_t *count, uint64_t n)
{
	uint64_t deadline = 0;

	while (atomic_load(count) < n)
		vrig_pause(&deadline, "something to be counted");
	assert_int_equal(atomic_load(count), n);
}

void vrig_wait_status(struct vrig *rig, uint32_t bits)
{
	uint64_t deadline = 0;

	while ((vrig_read(rig, VIRTIO_MMIO_STATUS) & bits) != bits)
		vrig_pause(&deadline, "the device's status");
}
