// SPDX-License-Identifier: GPL-2.0-or-later
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "virtio/device.h"
#include "virtio/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Guest memory is the fuzzer's: two ranges that touch in guest addresses, with what is not
 * guest memory around them in ours. The first byte says whether a queue is driven or a device.
 */
#define BASE UINT64_C(0x40000000)
#define RAM 0x8000u
#define HOLE 0x10000u

static uint8_t *ram[2];
static struct hv_gmem mem;

struct input {
	const uint8_t *data;
	size_t left;
};

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint64_t)*in->data++ << (8 * i);
	return value;
}

static void poke(struct input *in)
{
	uint64_t at = take(in, 2);
	unsigned int len = (unsigned int)take(in, 1) % 64;
	uint8_t *host;

	for (unsigned int i = 0; i < len; i++) {
		host = hv_gmem_at(&mem, BASE + (at + i) % (2 * RAM), 1);
		__atomic_store_n(host, (uint8_t)take(in, 1), __ATOMIC_RELAXED);
	}
}

/* An address near something, or any. */
static uint64_t address(struct input *in)
{
	uint64_t value = take(in, 1);

	return value & 0x80 ? take(in, 8) : BASE + (value << 9);
}

static void check_part(const struct iovec *iov)
{
	for (unsigned int r = 0; r < 2; r++) {
		const uint8_t *at = iov->iov_base;

		if (iov->iov_len && at >= ram[r] && at < ram[r] + RAM &&
		    iov->iov_len <= (size_t)(ram[r] + RAM - at))
			return;
	}
	abort();
}

static void check_chain(const struct hv_queue *q, const struct hv_chain *chain)
{
	size_t out = 0, in = 0;

	if (chain->head >= q->size || chain->n_out + chain->n_in > q->size)
		abort();
	for (unsigned int i = 0; i < chain->n_out + chain->n_in; i++) {
		check_part(&chain->iov[i]);
		*(i < chain->n_out ? &out : &in) += chain->iov[i].iov_len;
	}
	if (out != chain->out_len || in != chain->in_len)
		abort();
}

static void fuzz_ring(struct input *in)
{
	struct hv_chain chain = { 0 };
	uint16_t held[HV_QUEUE_MAX], n_held = 0;
	struct hv_queue q = { 0 };
	uint8_t byte;

	while (in->left) {
		switch (take(in, 1) % 10) {
		case 0:
			hv_queue_stop(&q);
			n_held = 0;
			hv_queue_start(&q, &mem, (uint16_t)(1u << take(in, 1) % 12), address(in),
				       address(in), address(in), take(in, 1) << 27,
				       (uint16_t)take(in, 2), NULL);
			break;
		case 1:
		case 2:
		case 3:
			if (n_held == HV_QUEUE_MAX || hv_queue_pop(&q, &chain) != 1)
				break;
			check_chain(&q, &chain);
			if (n_held >= q.size)
				abort();
			held[n_held++] = chain.head;
			/* Into one's own bytes or the guest's; short where the chain is. */
			hv_iov_read(chain.iov, chain.n_out, take(in, 1), &byte, 1);
			hv_iov_write(chain.iov + chain.n_out, chain.n_in, take(in, 1), "x", 1);
			break;
		case 4:
			if (n_held)
				hv_queue_push(&q, held[--n_held], (uint32_t)take(in, 4));
			break;
		case 5:
			hv_queue_flush(&q);
			break;
		case 6:
			if (n_held) {
				hv_queue_unpop(&q);
				n_held--;
			}
			break;
		case 7:
			hv_queue_notify_off(&q);
			hv_queue_look(&q);
			hv_queue_notify_on(&q);
			if (hv_queue_waiting(&q) > q.size)
				abort();
			break;
		default:
			poke(in);
			break;
		}
	}
	hv_queue_stop(&q);
}

static uint8_t config[11];

static void config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	(void)dev;
	if (off > sizeof(config) || len > sizeof(config) - off)
		abort();
	memcpy(to, config + off, len);
}

static void config_write(struct hv_vdev *dev, unsigned int off, const void *from, unsigned int len)
{
	(void)dev;
	if (off > sizeof(config) || len > sizeof(config) - off)
		abort();
	memcpy(config + off, from, len);
}

static int work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_chain chain;
	int n = 0;

	for (unsigned int i = 0; i < dev->n_queues; i++) {
		struct hv_vq *vq = &dev->queues[i];

		if (!(w->queues >> i & 1))
			continue;
		for (unsigned int k = 0; k < 16 && hv_queue_pop(&vq->ring, &chain) == 1; k++, n++) {
			check_chain(&vq->ring, &chain);
			hv_queue_push(&vq->ring, chain.head, (uint32_t)chain.in_len);
		}
		hv_vq_flush(vq);
	}
	return n;
}

static void stop(struct hv_vdev *dev, struct hv_worker *w)
{
	(void)dev;
	(void)w;
}

static const struct hv_vdev_ops ops = {
	.type = "fuzz",
	.device_id = 1,
	.config_size = sizeof(config),
	.config_read = config_read,
	.config_write = config_write,
	.work = work,
	.stop = stop,
};

static struct hv_vdev dev;
static _Atomic uint32_t waiting; /* CPUs whose write is not answered yet */

static void interrupt(const struct hv_vbus *bus, uint32_t irq)
{
	(void)bus;
	if (irq != 5)
		abort();
}

static void release(const struct hv_vbus *bus, unsigned int cpu)
{
	(void)bus;
	/* Exactly one answer for each. */
	if (!(atomic_fetch_and(&waiting, ~(1u << cpu)) >> cpu & 1))
		abort();
}

static void mmio_write(uint64_t off, unsigned int size, uint64_t value, unsigned int cpu)
{
	/* Set before: the release may come before the return. */
	if (atomic_fetch_or(&waiting, 1u << cpu) >> cpu & 1)
		return;
	if (!hv_vdev_write(&dev, off, size, value, cpu))
		atomic_fetch_and(&waiting, ~(1u << cpu));
}

/* Offset 0 again and again is dull: most accesses go to a register. */
static uint64_t offset(struct input *in)
{
	uint64_t value = take(in, 1);

	return value < 0xf0 ? value << 2 : take(in, 8);
}

static void set_up(struct input *in)
{
	uint64_t ring = BASE + (take(in, 1) << 8) % RAM;
	unsigned int queue = (unsigned int)take(in, 1) % 3;

	mmio_write(0x70, 4, 3, 0);
	for (uint32_t i = 0; i < 2; i++) {
		mmio_write(0x24, 4, i, 0);
		mmio_write(0x20, 4, i ? 1 : take(in, 1) << 28 & 0x30000000, 0);
	}
	mmio_write(0x70, 4, 11, 0);
	mmio_write(0x30, 4, queue, 0);
	mmio_write(0x38, 4, 1u << take(in, 1) % 8, 0);
	for (unsigned int i = 0; i < 3; i++)
		mmio_write(0x80 + 0x10 * i, 4, ring + 0x800 * i, 0);
	mmio_write(0x44, 4, 1, 0);
	mmio_write(0x70, 4, 15, 0);
	mmio_write(0x50, 4, queue, 0);
}

static void fuzz_device(struct input *in)
{
	while (in->left) {
		unsigned int cpu = (unsigned int)take(in, 1), what = cpu >> 5;

		cpu &= 31;
		if (what < 2)
			poke(in);
		else if (what < 3)
			set_up(in);
		else if (what < 6)
			mmio_write(offset(in), (unsigned int)take(in, 1) & 15, take(in, 8), cpu);
		else if (what < 7)
			mmio_write(offset(in), 4, take(in, 4), cpu);
		else
			hv_vdev_read(&dev, offset(in), (unsigned int)take(in, 1) & 15);
	}
	while (atomic_load(&waiting))
		sched_yield();
	mmio_write(0x70, 4, 0, 0);
	while (atomic_load(&waiting))
		sched_yield();
	if (hv_vdev_read(&dev, 0x70, 4))
		abort();
}

static void begin(void)
{
	static const struct hv_vbus bus = {
		.mem = &mem, .zone = "fuzz", .interrupt = interrupt, .release = release
	};
	static const uint16_t sizes[] = { 64, 128, 4 };
	static const unsigned int workers[] = { 0, 1, 1 };

	for (unsigned int r = 0; r < 2; r++) {
		/* In the middle of what may not be touched. */
		ram[r] = mmap(NULL, RAM + 2 * HOLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (ram[r] == MAP_FAILED || mprotect(ram[r] += HOLE, RAM, PROT_READ | PROT_WRITE) ||
		    hv_gmem_add(&mem, BASE + r * RAM, RAM, ram[r], NULL))
			abort();
	}
	hv_log_set_level(HV_LOG_ERROR);
	if (hv_vdev_init(&dev, &ops, "fuzz/fuzz", 3, sizes, workers, HV_FEATURE(HV_F_RING_RESET),
			 NULL) ||
	    hv_vdev_attach(&dev, &bus, 0, 0x200, 5, NULL))
		abort();
}

/* Hostile rings and register accesses: nothing outside guest memory, one answer for each CPU that
 * waits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!mem.n)
		begin();
	memset(ram[0], 0, RAM);
	memset(ram[1], 0, RAM);
	if (take(&in, 1) & 1)
		fuzz_device(&in);
	else
		fuzz_ring(&in);
	return 0;
}
