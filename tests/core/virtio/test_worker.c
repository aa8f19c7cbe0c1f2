// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vecho.h"
#include "vrig.h"

static struct vecho *echo;
static struct vrig rig;

static void begin(unsigned int queues, bool own_workers)
{
	echo = vecho_new(queues, 64, own_workers, 0);
	vrig_init(&rig, &echo->dev, 1 << 20);
}

static void end(void)
{
	vrig_free(&rig);
	hv_vdev_destroy(&echo->dev);
}

static void wait_asleep(struct hv_worker *w)
{
	uint64_t deadline = 0;

	while (!atomic_load(&w->sleeping))
		vrig_pause(&deadline, "the worker to sleep");
}

/* The worker lives, so it sleeps for what work told it. */
static void wait_asleep_again(struct hv_worker *w, unsigned int turns)
{
	uint64_t deadline = 0;

	while (atomic_load(&echo->turns) < turns)
		vrig_pause(&deadline, "a turn");
	wait_asleep(w);
}

static bool is_eventfd(int fd)
{
	char path[32], text[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, text, sizeof(text) - 1) > 0 && strstr(text, "eventfd");
}

/* A thread that is about to ring, and is late, must not write into what somebody opened since. */
static void test_late_ring(void **state)
{
	int fd;

	(void)state;
	begin(1, false);
	fd = echo->dev.workers[0].eventfd;
	for (int i = 0; i < 2; i++) {
		assert_true(is_eventfd(fd));
		hv_vdev_detach(&echo->dev);
		assert_true(is_eventfd(fd));
		assert_int_equal(hv_vdev_attach(&echo->dev, &rig.bus, 0xa000000, 0x200, VRIG_IRQ,
						NULL),
				 0);
		assert_int_equal(echo->dev.workers[0].eventfd, fd);
	}
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	end();
	assert_false(is_eventfd(fd));
}

/* One request at a time, with every mixture of polling and sleeping that comes about. A lost kick
 * hangs. */
static void ping_pong(uint64_t features, unsigned int flags)
{
	uint64_t *out, *in;

	begin(1, false);
	vrig_start(&rig, features, 16, flags);
	out = vrig_alloc(&rig, 8, 8);
	in = vrig_alloc(&rig, 8, 8);
	for (uint64_t i = 1; i <= 20000; i++) {
		struct vrig_buf bufs[] = { { out, 8, false }, { in, 8, true } };

		*out = i;
		assert_int_equal(vrig_request(&rig, 0, bufs, 2), 8);
		assert_int_equal(*in, i);
		if (i % 4000 == 0)
			wait_asleep(&echo->dev.workers[0]);
	}
	assert_int_equal(atomic_load(&echo->dev.stats.requests), 20000);
	end();
}

static void test_ping_pong(void **state)
{
	(void)state;
	ping_pong(0, 0);
	ping_pong(0, VRIG_INDIRECT);
	ping_pong(HV_FEATURE(HV_F_EVENT_IDX), 0);
	ping_pong(HV_FEATURE(HV_F_EVENT_IDX), VRIG_INDIRECT);
}

/* A driver that waits for interrupts and looks at the ring only then. A lost interrupt hangs. */
static void by_interrupt(uint64_t features)
{
	uint64_t *out, *in, done = 0, sent = 0;
	struct vrig_used used;

	begin(1, false);
	vrig_start(&rig, features, 16, 0);
	out = vrig_alloc(&rig, 8, 8);
	in = vrig_alloc(&rig, 8, 8);
	while (done < 20000) {
		struct vrig_buf bufs[] = { { out, 8, false }, { in, 8, true } };
		uint64_t deadline = 0;

		while (sent < done + 1 + done % 8 && vrig_add(&rig, 0, bufs, 2) >= 0)
			sent++;
		vrig_kick(&rig, 0);
		while (!vrig_ack(&rig))
			vrig_pause(&deadline, "an interrupt");
		/* Off while looking, on again, one more look: as NAPI does it. */
		do {
			vrig_interrupts(&rig, 0, false);
			while (vrig_poll(&rig, 0, &used))
				done++;
		} while (vrig_interrupts(&rig, 0, true));
		if (done == sent)
			continue;
	}
	end();
}

static void test_by_interrupt(void **state)
{
	(void)state;
	by_interrupt(0);
	by_interrupt(HV_FEATURE(HV_F_EVENT_IDX));
}

/* Kicks for a worker that is awake: its eventfd is not touched. */
static void test_awake_costs_no_system_call(void **state)
{
	struct hv_worker *w;
	struct pollfd p;

	(void)state;
	begin(1, false);
	w = &echo->dev.workers[0];
	vrig_start(&rig, 0, 16, 0);
	atomic_store(&echo->hold, true);
	vecho_send(&rig, 0);
	vecho_wait_inside(echo);
	p = (struct pollfd){ .fd = w->eventfd, .events = POLLIN };
	for (unsigned int i = 0; i < 1000; i++)
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	/* Nor does the guest kick at all: it is told not to. */
	assert_int_equal(rig.queue[0].used->flags, VRING_USED_F_NO_NOTIFY);
	vrig_add(&rig, 0, (struct vrig_buf[]){ { vrig_alloc(&rig, 8, 1), 8, true } }, 1);
	assert_false(vrig_kick(&rig, 0));
	atomic_store(&echo->hold, false);
	vrig_wait(&rig, 0);
	vrig_wait(&rig, 0);
	wait_asleep(w);
	assert_int_equal(rig.queue[0].used->flags, 0);
	end();
}

static void test_backend_wakes(void **state)
{
	uint64_t deadline = 0;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	begin(1, false);
	atomic_store(&echo->fd, pipes[0] + 1);
	vrig_start(&rig, 0, 16, 0);
	for (unsigned int i = 1; i <= 200; i++) {
		if (i % 10 == 0)
			wait_asleep(&echo->dev.workers[0]);
		assert_int_equal(write(pipes[1], "x", 1), 1);
		while (atomic_load(&echo->fd_reads) < i)
			vrig_pause(&deadline, "the backend's byte");
		deadline = 0;
	}
	/* Paused, it is left unread, and does not spin about it either. */
	hv_vdev_pause(&echo->dev, true);
	vrig_start(&rig, 0, 16, 0);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	wait_asleep(&echo->dev.workers[0]);
	assert_int_equal(atomic_load(&echo->fd_reads), 200);
	hv_vdev_pause(&echo->dev, false);
	while (atomic_load(&echo->fd_reads) < 201)
		vrig_pause(&deadline, "the backend's byte");
	end();
	close(pipes[0]);
	close(pipes[1]);
}

/* Without kicks and descriptors, wake_at alone brings it back. */
static void test_wake_at(void **state)
{
	uint64_t deadline = 0;

	(void)state;
	begin(1, false);
	atomic_store(&echo->wake_in, 1000000);
	vrig_start(&rig, 0, 16, 0);
	while (atomic_load(&echo->turns) < 20)
		vrig_pause(&deadline, "the time set");
	vecho_once(&rig, 0);
	end();
	/* And it is cleared when reached, as the thread, which is gone now, has left it. */
	begin(1, false);
	atomic_store(&echo->wake_once, true);
	atomic_store(&echo->wake_in, 1000);
	vrig_start(&rig, 0, 16, 0);
	while (atomic_load(&echo->turns) < 2)
		vrig_pause(&deadline, "the time set");
	wait_asleep(&echo->dev.workers[0]);
	/* No stop, which would clear it as well: only the thread ends. */
	hv_worker_end(&echo->dev.workers[0]);
	assert_int_equal(echo->dev.workers[0].wake_at, 0);
	assert_int_equal(hv_worker_start(&echo->dev.workers[0], &echo->dev, 0, NULL), 0);
	end();
}

static void test_poke(void **state)
{
	unsigned int turns;
	uint64_t deadline = 0;

	(void)state;
	begin(1, false);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	for (unsigned int i = 0; i < 100; i++) {
		wait_asleep(&echo->dev.workers[0]);
		turns = atomic_load(&echo->turns);
		hv_vdev_poke(&echo->dev);
		while (atomic_load(&echo->turns) == turns)
			vrig_pause(&deadline, "a turn");
		deadline = 0;
	}
	end();
}

/*
 * Chains the device leaves where they are (a receive queue, a limit) are no reason to stay awake;
 * more of them are, once, unless the type said that they are not.
 */
static void test_idle_with_buffers(void **state)
{
	unsigned int turns;

	(void)state;
	begin(1, false);
	atomic_store(&echo->sleepy, true);
	vrig_start(&rig, HV_FEATURE(HV_F_EVENT_IDX), 16, 0);
	vecho_send(&rig, 0);
	wait_asleep_again(&echo->dev.workers[0], 1);
	turns = atomic_load(&echo->turns);
	vecho_send(&rig, 0);
	wait_asleep_again(&echo->dev.workers[0], turns + 1);
	atomic_store(&echo->quiet, true);
	turns = atomic_load(&echo->turns);
	hv_vdev_poke(&echo->dev);
	wait_asleep_again(&echo->dev.workers[0], turns + 1);
	vecho_send(&rig, 0);
	wait_asleep(&echo->dev.workers[0]);
	atomic_store(&echo->sleepy, false);
	atomic_store(&echo->quiet, false);
	hv_vdev_poke(&echo->dev);
	for (unsigned int i = 0; i < 3; i++)
		vrig_wait(&rig, 0);
	end();
}

/* While it polls for the guest, the backend's word is enough: no kick, no descriptor. */
static void test_ready(void **state)
{
	uint64_t deadline = 0;

	(void)state;
	begin(1, false);
	vrig_start(&rig, 0, 16, 0);
	atomic_store(&echo->want_ready, true);
	/* Where others need the CPU it does not poll after every request. */
	while (!atomic_load(&echo->was_ready)) {
		vecho_once(&rig, 0);
		vrig_pause(&deadline, "the worker to ask the backend");
	}
	while (!atomic_load(&echo->worked_ready))
		vrig_pause(&deadline, "a turn");
	end();
}

/* A shared queue is not the worker's: others pop from it, and what a guest does to it breaks
 * nothing here. */
static void test_shared_queue(void **state)
{
	struct vrig_buf buf = { NULL, 8, true };
	struct hv_chain chain;
	struct hv_queue *ring;
	int head;

	(void)state;
	begin(2, false);
	atomic_store(&echo->shared, true);
	vrig_start(&rig, 0, 16, 0);
	ring = &echo->dev.queues[1].ring;
	vecho_once(&rig, 0);
	buf.at = vrig_alloc(&rig, 8, 8);
	for (unsigned int i = 0; i < 200; i++) {
		head = vrig_add(&rig, 1, &buf, 1);
		vrig_kick(&rig, 1);
		vecho_send(&rig, 0);
		assert_int_equal(hv_queue_pop(ring, &chain), 1);
		assert_int_equal(chain.head, head);
		hv_queue_push(ring, chain.head, 4);
		hv_vq_flush(&echo->dev.queues[1]);
		assert_int_equal(vrig_finish(&rig, 1, head), 4);
		vrig_wait(&rig, 0);
	}
	/* It was never told to be still, nor looked at. */
	assert_int_equal(rig.queue[1].used->flags, 0);
	rig.queue[1].avail->idx = (uint16_t)(rig.queue[1].avail->idx + 1000);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	vecho_once(&rig, 0);
	vecho_once(&rig, 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	end();
}

static void *notify_all_the_time(void *arg)
{
	_Atomic bool *enough = arg;
	uint32_t i = 0;

	while (!atomic_load(enough))
		vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, i++ % 5, 1);
	return NULL;
}

/* Lives begun and ended under load, by one CPU, while another storms with notifications. */
static void test_lives_under_load(void **state)
{
	_Atomic bool enough = false;
	pthread_t storm;

	(void)state;
	begin(4, true);
	assert_int_equal(pthread_create(&storm, NULL, notify_all_the_time, &enough), 0);
	for (unsigned int round = 0; round < 400; round++) {
		vrig_reclaim(&rig);
		vrig_start(&rig, round % 2 ? HV_FEATURE(HV_F_EVENT_IDX) : 0, 32,
			   round % 4 < 2 ? VRIG_INDIRECT : 0);
		for (unsigned int i = 0; i < round % 24; i++)
			vecho_send(&rig, i % 4);
		if (round % 3 == 0)
			vecho_once(&rig, round % 4);
		if (round % 50 == 49) {
			struct hv_err err = { 0 };

			atomic_store(&enough, true);
			pthread_join(storm, NULL);
			hv_vdev_detach(&echo->dev);
			assert_int_equal(
				hv_vdev_attach(&echo->dev, &rig.bus, 0, 0x200, VRIG_IRQ, &err), 0);
			atomic_store(&enough, false);
			assert_int_equal(pthread_create(&storm, NULL, notify_all_the_time, &enough),
					 0);
		}
	}
	atomic_store(&enough, true);
	pthread_join(storm, NULL);
	vrig_reset(&rig);
	assert_int_equal(atomic_load(&echo->starts), atomic_load(&echo->stops));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_ring),
		cmocka_unit_test(test_ping_pong),
		cmocka_unit_test(test_by_interrupt),
		cmocka_unit_test(test_awake_costs_no_system_call),
		cmocka_unit_test(test_backend_wakes),
		cmocka_unit_test(test_wake_at),
		cmocka_unit_test(test_poke),
		cmocka_unit_test(test_idle_with_buffers),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_shared_queue),
		cmocka_unit_test(test_lives_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
