// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "vdev_turn.h"
#include "virtio/dev/console.h"
#include "virtio/device_priv.h"
#include "virtio/state_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A console that another process left with chains in flight, and then the input changes bytes of
 * what is kept and of the guest's memory. It is refused, or goes on with it.
 */
#define BASE UINT64_C(0x40000000)
#define RAM 0x8000u
#define ENTRIES 8u

static uint8_t ram[RAM], left_ram[RAM];
static struct state_file left_file;
static struct hv_gmem mem;
static char dir[64], path[128];
static const struct hv_state_id id = {
	.life = 1, .at = 0xa000000, .size = 0x200, .config = 2, .zone = 1, .irq = 50
};
static const struct hv_vbus bus = {
	.mem = &mem, .zone = "fuzz", .interrupt = ignore_irq, .release = ignore_release
};

struct input {
	const uint8_t *data;
	size_t left;
};

static uint32_t take(struct input *in, unsigned int bytes)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint32_t)*in->data++ << (8 * i);
	return value;
}

static struct hv_vdev *make(void)
{
	static const struct hv_console_port_opts ports[] = { { .output = 1024, .input = 512 },
							     { .name = "data", .data = true } };
	struct hv_console_opts opts = { .ports = ports, .n_ports = 2 };
	struct hv_vdev *dev = calloc(1, sizeof(*dev));

	if (!dev || hv_console_init(dev, "fuzz/console", &opts, NULL))
		abort();
	return dev;
}

static void end(struct hv_vdev *dev)
{
	struct hv_state *kept = dev->kept;

	dev->bus = NULL;
	hv_vdev_destroy(dev);
	hv_state_close(kept, false);
	free(dev);
}

static void set_queue(struct hv_vdev *dev, uint32_t queue)
{
	uint32_t at = (uint32_t)BASE + 0x800 * queue;
	struct vring_desc {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc = { .addr = BASE + 0x7000, .len = 16, .flags = queue & 1 ? 0 : 2 };
	uint16_t *avail = (uint16_t *)(void *)(ram + 0x800 * queue + 0x100);

	for (unsigned int i = 0; i < ENTRIES; i++) {
		memcpy(ram + 0x800 * queue + sizeof(desc) * i, &desc, sizeof(desc));
		avail[2 + i] = (uint16_t)i;
	}
	avail[1] = ENTRIES / 2;
	vdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, queue);
	vdev_set(dev, VIRTIO_MMIO_QUEUE_NUM, ENTRIES);
	vdev_set(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	vdev_set(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 0x100);
	vdev_set(dev, VIRTIO_MMIO_QUEUE_USED_LOW, at + 0x200);
	vdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void read_left(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &left_file, sizeof(left_file)) != sizeof(left_file))
		abort();
	close(fd);
	memcpy(left_ram, ram, sizeof(ram));
}

static void tidy(void)
{
	unlink(path);
	rmdir(dir);
}

static void leave(void)
{
	struct hv_vdev *dev = make();

	hv_log_set_level(HV_LOG_ERROR);
	snprintf(dir, sizeof(dir), "/tmp/hvsh-fuzz-XXXXXX");
	if (!mkdtemp(dir) || hv_gmem_add(&mem, BASE, RAM, ram, NULL) ||
	    hv_state_create(dir, &id, dev, NULL))
		abort();
	snprintf(path, sizeof(path), "%s/1-a000000-200", dir);
	atexit(tidy);
	dev->bus = &bus;
	vdev_set(dev, VIRTIO_MMIO_STATUS, 3);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, 3); /* SIZE, MULTIPORT */
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	vdev_set(dev, VIRTIO_MMIO_STATUS, 11);
	for (uint32_t i = 0; i < 6; i++)
		set_queue(dev, i);
	vdev_set(dev, VIRTIO_MMIO_STATUS, 15);
	read_left();
	/* In flight: taken, and one batch about to be shown. */
	for (unsigned int i = 0; i < 6; i++) {
		left_file.queues[i].taken[ENTRIES - 1 - i] = i + 1;
		left_file.queues[i].done[0] = (uint16_t)i;
	}
	for (unsigned int i = 0; i < dev->n_queues; i++)
		hv_queue_leave(&dev->queues[i].ring);
	end(dev);
}

static void mend(void)
{
	struct state_header *h = &left_file.header;

	h->sum = state_sum(h, offsetof(struct state_header, sum));
	for (int i = 0; i < 2; i++)
		left_file.regs[i].sum =
			state_sum(&left_file.regs[i], offsetof(struct state_regs, sum));
}

static void write_left(void)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, &left_file, sizeof(left_file)) != sizeof(left_file))
		abort();
	close(fd);
}

static void go_on(struct hv_vdev *dev)
{
	dev->bus = &bus;
	pthread_mutex_lock(&dev->lock);
	hv_state_restore(dev);
	for (unsigned int i = 0; i < dev->n_queues; i++)
		dev->queues[i].adopt = dev->queues[i].ready &&
				       dev->status & VIRTIO_CONFIG_S_DRIVER_OK &&
				       hv_state_queue(dev->kept, i)->on;
	hv_vdev_want(dev, hv_vdev_all_workers(dev));
	pthread_mutex_unlock(&dev->lock);
	for (int i = 0; i < 3; i++)
		vdev_turn(dev);
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	if (hv_vdev_read(dev, VIRTIO_MMIO_STATUS, 4))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state_file whole;
	struct input in = { data, size };
	struct hv_vdev *dev;
	struct hv_err err;

	if (!*dir) {
		leave();
		whole = left_file;
	}
	left_file = whole;
	memcpy(ram, left_ram, sizeof(ram));
	while (in.left > 1) {
		uint8_t op = (uint8_t)take(&in, 1);
		uint32_t at = take(&in, op & 1 ? 2 : 3);

		switch (op & 3) {
		case 0:
			((uint8_t *)&left_file)[at % sizeof(left_file)] = (uint8_t)take(&in, 1);
			break;
		case 2: /* where it hurts: registers, and the beginnings of the queues' parts */
			at = op & 4 ? (uint32_t)(offsetof(struct state_file, queues) +
						 at / 64 % HV_VDEV_QUEUES *
							 sizeof(struct hv_queue_keep) +
						 at % 64)
				    : at % (uint32_t)offsetof(struct state_file, queues);
			((uint8_t *)&left_file)[at] = (uint8_t)take(&in, 1);
			break;
		default:
			ram[at % RAM] = (uint8_t)take(&in, 1);
			break;
		}
	}
	if (in.left && !(*in.data & 1))
		mend();
	write_left();
	dev = make();
	if (!hv_state_open(dir, &id, dev, &mem, &err))
		go_on(dev);
	else if (!*err.msg)
		abort();
	end(dev);
	return 0;
}
