// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vecho.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 16

/* The registers must not ask for more than there is. */
static void assert_in_config(unsigned int off, unsigned int len)
{
	if (off > VECHO_CONFIG || len > VECHO_CONFIG - off)
		abort();
}

static void config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	struct vecho *echo = dev->state;

	assert_in_config(off, len);
	memcpy(to, echo->config + off, len);
}

static void config_write(struct hv_vdev *dev, unsigned int off, const void *from, unsigned int len)
{
	struct vecho *echo = dev->state;

	assert_in_config(off, len);
	memcpy(echo->config + off, from, len);
}

static int start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	struct vecho *echo = dev->state;
	int fail = atomic_load(&echo->fail), fd = atomic_load(&echo->fd);

	if (fail)
		return hv_err_set(err, fail, "told to fail");
	atomic_fetch_add(&echo->starts, 1);
	if (atomic_load(&echo->shared)) {
		struct hv_vq *last = &dev->queues[dev->n_queues - 1];

		last->shared = last->quiet = true;
	}
	if (fd) {
		w->fds[0].fd = fd - 1;
		w->fds[0].events = POLLIN;
	}
	return 0;
}

static size_t echo_chain(const struct hv_chain *chain)
{
	uint8_t bytes[4096];
	size_t off = 0, n;

	do {
		n = hv_iov_read(chain->iov, chain->n_out, off, bytes, sizeof(bytes));
		n = hv_iov_write(chain->iov + chain->n_out, chain->n_in, off, bytes, n);
		off += n;
	} while (n);
	return off;
}

static int work_queue(struct vecho *echo, struct hv_vq *vq)
{
	struct hv_chain chain;
	int n = 0;

	while (n < BATCH && hv_queue_pop(&vq->ring, &chain) > 0) {
		n++;
		if (atomic_load(&echo->keep))
			echo->kept[vq->index][echo->n_kept[vq->index]++] = chain.head;
		else
			hv_queue_push(&vq->ring, chain.head, (uint32_t)echo_chain(&chain));
	}
	hv_stat_add(&echo->dev.stats.requests, (uint64_t)n);
	hv_vq_flush(vq);
	return n;
}

static int work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct vecho *echo = dev->state;
	uint64_t wake_in = atomic_load(&echo->wake_in);
	int n = 0;

	atomic_fetch_add(&echo->turns, 1);
	if (atomic_load(&echo->was_ready))
		atomic_store(&echo->worked_ready, true);
	while (atomic_load(&echo->hold)) {
		atomic_store(&echo->inside, true);
		sched_yield();
	}
	atomic_store(&echo->inside, false);
	if (w->fds[0].events && w->fds[0].revents & POLLIN) {
		char byte;

		if (read(w->fds[0].fd, &byte, 1) == 1)
			atomic_fetch_add(&echo->fd_reads, 1);
		n++;
	}
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		if (!(w->queues >> i & 1) || dev->queues[i].shared)
			continue;
		dev->queues[i].quiet = atomic_load(&echo->quiet);
		if (!atomic_load(&echo->sleepy))
			n += work_queue(echo, &dev->queues[i]);
	}
	if (wake_in && !(atomic_load(&echo->wake_once) && atomic_load(&echo->turns) > 1))
		w->wake_at = hv_now() + wake_in;
	return n;
}

static void stop_worker(struct hv_vdev *dev, struct hv_worker *w)
{
	struct vecho *echo = dev->state;

	while (atomic_load(&echo->stop_gate) == atomic_load(&echo->stops) + 1) {
		atomic_store(&echo->in_stop, true);
		sched_yield();
	}
	atomic_store(&echo->in_stop, false);
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		struct hv_vq *vq = &dev->queues[i];

		if (!(w->queues >> i & 1))
			continue;
		vq->shared = false;
		for (unsigned int k = 0; k < echo->n_kept[i]; k++)
			hv_queue_push(&vq->ring, echo->kept[i][k], 0);
		echo->n_kept[i] = 0;
		hv_vq_flush(vq);
	}
	atomic_fetch_add(&echo->stops, 1);
}

static bool ready(struct hv_vdev *dev, struct hv_worker *w)
{
	struct vecho *echo = dev->state;

	(void)w;
	if (!atomic_exchange(&echo->want_ready, false))
		return false;
	atomic_store(&echo->was_ready, true);
	return true;
}

static void reset(struct hv_vdev *dev)
{
	struct vecho *echo = dev->state;

	/* Under the device's lock: nobody else gets it. */
	if (pthread_mutex_trylock(&dev->lock) == 0)
		abort();
	memset(echo->config, 0, sizeof(echo->config));
	atomic_fetch_add(&echo->resets, 1);
}

static void destroy(struct hv_vdev *dev)
{
	free(dev->state);
}

static const struct hv_vdev_ops ops = {
	.type = "echo",
	.device_id = VECHO_ID,
	.config_size = VECHO_CONFIG,
	.config_read = config_read,
	.config_write = config_write,
	.start = start,
	.work = work,
	.ready = ready,
	.reset = reset,
	.stop = stop_worker,
	.destroy = destroy,
};

struct vecho *vecho_new(unsigned int queues, uint16_t size, bool own_workers, uint64_t offered)
{
	struct vecho *echo = calloc(1, sizeof(*echo));
	unsigned int workers[HV_VDEV_QUEUES];
	uint16_t sizes[HV_VDEV_QUEUES];
	struct hv_err err = { 0 };

	assert_non_null(echo);
	for (unsigned int i = 0; i < HV_VDEV_QUEUES; i++) {
		workers[i] = own_workers ? i : 0;
		sizes[i] = size;
	}
	echo->dev.state = echo;
	echo->dev.origin = (struct hv_origin){ "boot.lua", 12, "devices.echo" };
	if (hv_vdev_init(&echo->dev, &ops, "linux1/echo", queues, sizes, workers, offered, &err))
		fail_msg("%s", err.msg);
	return echo;
}

void vecho_once(struct vrig *rig, unsigned int queue)
{
	char *out = vrig_alloc(rig, 16, 1), *in = vrig_alloc(rig, 16, 1);
	struct vrig_buf bufs[] = { { out, 16, false }, { in, 16, true } };

	memcpy(out, "fifteen letters", 16);
	assert_int_equal(vrig_request(rig, queue, bufs, 2), 16);
	assert_memory_equal(in, out, 16);
}

int vecho_send(struct vrig *rig, unsigned int queue)
{
	struct vrig_buf bufs[] = { { vrig_alloc(rig, 8, 1), 8, false },
				   { vrig_alloc(rig, 8, 1), 8, true } };
	int head = vrig_add(rig, queue, bufs, 2);

	vrig_kick(rig, queue);
	return head;
}

void vecho_wait_inside(struct vecho *echo)
{
	uint64_t deadline = 0;

	while (!atomic_load(&echo->inside))
		vrig_pause(&deadline, "the worker to be inside work");
}
