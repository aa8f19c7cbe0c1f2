// SPDX-License-Identifier: GPL-2.0-or-later
#include "ring.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vecho.h"

#define PATIENCE UINT64_C(60000000000) /* ns */
#define QUEUE_SIZE 64

static struct vecho *echo;
static struct hv_gmem mem;
static _Atomic unsigned int irqs, released;

static void count_irq(const struct hv_vbus *bus, uint32_t irq)
{
	(void)bus;
	(void)irq;
	atomic_fetch_add(&irqs, 1);
}

static void count_release(const struct hv_vbus *bus, unsigned int cpu)
{
	(void)bus;
	(void)cpu;
	atomic_fetch_add(&released, 1);
}

/* Until the counter is not 0 any more, which takes one away. */
static bool take(_Atomic unsigned int *counter)
{
	uint64_t deadline = hv_now() + PATIENCE;

	while (!atomic_load(counter)) {
		if (hv_now() > deadline)
			return false;
		sched_yield();
	}
	atomic_fetch_sub(counter, 1);
	return true;
}

uint32_t machine_read(uint64_t off)
{
	return (uint32_t)hv_vdev_read(&echo->dev, off, 4);
}

void machine_write(uint64_t off, uint32_t value)
{
	if (hv_vdev_write(&echo->dev, off, 4, value, 0) && !take(&released)) {
		fprintf(stderr, "a register write is never answered\n");
		exit(1);
	}
}

bool machine_wait_irq(void)
{
	return take(&irqs);
}

int main(int argc, char **argv)
{
	static const struct hv_vbus bus = {
		.mem = &mem, .zone = "linux", .interrupt = count_irq, .release = count_release
	};
	unsigned int flags = 0;
	struct hv_err err = { 0 };
	int bad;

	for (int i = 2; i < argc; i++)
		flags |= !strcmp(argv[i], "indirect")	 ? RUN_INDIRECT
			 : !strcmp(argv[i], "event_idx") ? RUN_EVENT_IDX
							 : RUN_RESET;
	/* All of this process: what the driver gets from malloc is guest memory. */
	if (argc < 2 || hv_gmem_add(&mem, 4096, (UINT64_C(1) << 47) - 8192, (void *)4096, &err)) {
		fprintf(stderr, "usage: linux_ring REQUESTS [indirect] [event_idx] [reset]; %s\n",
			err.msg);
		return 2;
	}
	echo = vecho_new(1, QUEUE_SIZE, false, 0);
	if (hv_vdev_attach(&echo->dev, &bus, 0, 0x200, 1, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	bad = driver_run(flags, (unsigned int)atoi(argv[1]));
	hv_vdev_detach(&echo->dev);
	hv_vdev_destroy(&echo->dev);
	return bad != 0;
}
