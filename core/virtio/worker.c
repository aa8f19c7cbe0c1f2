// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "virtio/barrier.h"
#include "virtio/device_priv.h"

#define SPIN_START 10000	     /* ns */
#define SPIN_MIN 2000		     /* below this polling is not worth its system calls */
#define FULL_NS UINT64_C(1000000000) /* from one HV_EV_FULL to the next */
#define SPIN_LOOKS 32		     /* looks at the rings between two looks at the clock */

static void ring(struct hv_worker *w)
{
	uint64_t one = 1;

	/* Who finds it asleep wakes it; the others need not. A full eventfd is a set one. */
	if (atomic_load(&w->sleeping) && atomic_exchange(&w->sleeping, false))
		(void)!write(w->eventfd, &one, sizeof(one));
}

void hv_worker_kick(struct hv_worker *w, unsigned int queue)
{
	atomic_fetch_or(&w->kicked, 1u << (queue & 31));
	hv_full_barrier();
	ring(w);
}

void hv_worker_post(struct hv_worker *w, uint32_t messages)
{
	atomic_fetch_or(&w->messages, messages);
	hv_full_barrier();
	ring(w);
}

static bool watched(const struct hv_worker *w, const struct hv_vq *vq)
{
	return (w->queues >> vq->index & 1) && !vq->quiet;
}

static bool called(struct hv_worker *w)
{
	return atomic_load_explicit(&w->messages, memory_order_relaxed) ||
	       atomic_load_explicit(&w->kicked, memory_order_relaxed);
}

static bool guest_moved(struct hv_worker *w)
{
	for (unsigned int i = 0; i < w->dev->n_queues; i++)
		if (watched(w, &w->dev->queues[i]) && hv_queue_moved(&w->dev->queues[i].ring))
			return true;
	return false;
}

static bool backend_ready(struct hv_worker *w)
{
	return w->dev->ops->ready && w->dev->ops->ready(w->dev, w);
}

/*
 * Waits a little for the guest, which saves it the kick and us the sleep. The CPU may be the only
 * one there is, so others get it between looks: when one of them is the guest, it gets on.
 */
static bool spin(struct hv_worker *w)
{
	uint64_t now, until;
	uint32_t length;

	w->spun_answered = atomic_exchange_explicit(&w->answered, false, memory_order_relaxed);
	length = w->spin_ns[w->spun_answered];
	if (length < SPIN_MIN)
		return false;
	now = hv_now();
	until = now + length;
	if (!hv_poll_allowed(&w->poll, now))
		return false;
	do {
		for (unsigned int i = 0; i < SPIN_LOOKS; i++) {
			if (called(w) || guest_moved(w) || backend_ready(w))
				return true;
			hv_cpu_relax();
		}
		now = hv_poll_yield(&w->poll, now);
	} while (now < until);
	return called(w) || guest_moved(w);
}

/* How long to poll next time: as long as it would have caught this kick, or not at all. */
static void adapt(struct hv_worker *w, uint64_t slept, bool by_kick)
{
	uint32_t *length = &w->spin_ns[w->spun_answered];

	if (by_kick && slept < HV_WORKER_SPIN_MAX)
		*length = *length < SPIN_START ? SPIN_START : *length * 2;
	else
		*length /= 2;
	if (*length > HV_WORKER_SPIN_MAX)
		*length = HV_WORKER_SPIN_MAX;
}

/* Who sleeps while the guest has no entry left is what the guest waits for. */
static void look_for_full(struct hv_worker *w)
{
	char text[64];

	for (unsigned int i = 0; w->live && i < w->dev->n_queues; i++) {
		const struct hv_vq *vq = &w->dev->queues[i];

		if (!(w->queues >> i & 1) || vq->stock || !hv_queue_is_full(&vq->ring))
			continue;
		if (w->full_until > hv_now())
			return;
		w->full_until = hv_now() + FULL_NS;
		snprintf(text, sizeof(text), "queue %u is full: %u requests wait in it", i,
			 vq->ring.size);
		hv_vdev_tell(w->dev, HV_EV_FULL, text);
		return;
	}
}

static void doze(struct hv_worker *w, bool backend)
{
	struct pollfd fds[HV_WORKER_FDS + 1] = { { .fd = w->eventfd, .events = POLLIN } };
	struct timespec timeout, *limit = NULL;
	uint64_t before = hv_now(), now, count;

	look_for_full(w);
	for (unsigned int i = 0; i < HV_WORKER_FDS; i++) {
		bool asked = backend && w->live && w->fds[i].events;

		fds[i + 1].fd = asked ? w->fds[i].fd : -1;
		fds[i + 1].events = w->fds[i].events;
		w->fds[i].revents = 0;
	}
	if (backend && w->live && w->wake_at) {
		uint64_t left = w->wake_at > before ? w->wake_at - before : 0;

		timeout.tv_sec = (time_t)(left / 1000000000u);
		timeout.tv_nsec = (long)(left % 1000000000u);
		limit = &timeout;
	}
	atomic_store(&w->sleeping, true);
	hv_full_barrier();
	if (called(w)) {
		atomic_store(&w->sleeping, false);
		return;
	}
	if (ppoll(fds, HV_WORKER_FDS + 1, limit, NULL) < 0)
		for (unsigned int i = 0; i <= HV_WORKER_FDS; i++)
			fds[i].revents = 0;
	/* Whoever took the flag away has rung or is about to; a ring too late only costs one more
	 * turn. */
	atomic_store(&w->sleeping, false);
	if (fds[0].revents)
		(void)!read(w->eventfd, &count, sizeof(count));
	for (unsigned int i = 0; i < HV_WORKER_FDS; i++)
		w->fds[i].revents = fds[i + 1].revents;
	hv_stat_add(&w->dev->stats.wakeups, 1);
	now = hv_now();
	if (w->wake_at && now >= w->wake_at)
		w->wake_at = 0;
	/* What the guest has filled while there was nothing to be done about it. */
	if (!fds[0].revents)
		look_for_full(w);
	adapt(w, now - before, fds[0].revents != 0);
}

/* Asks for kicks; false when there is something to do instead. */
static bool listen(struct hv_worker *w)
{
	bool moved = false;

	for (unsigned int i = 0; i < w->dev->n_queues; i++)
		if (watched(w, &w->dev->queues[i]))
			moved |= hv_queue_notify_on(&w->dev->queues[i].ring);
	return !moved;
}

/* From here on new chains are found without kicks. What arrived before is work, what arrives later
 * has moved. */
static void attend(struct hv_worker *w)
{
	atomic_store(&w->kicked, 0);
	for (unsigned int i = 0; i < w->dev->n_queues; i++) {
		struct hv_vq *vq = &w->dev->queues[i];

		if (!(w->queues >> i & 1) || vq->shared)
			continue;
		hv_queue_notify_off(&vq->ring);
		hv_queue_look(&vq->ring);
	}
}

static int turn(struct hv_worker *w)
{
	int done = w->dev->ops->work(w->dev, w);

	for (unsigned int i = 0; i < HV_WORKER_FDS; i++)
		w->fds[i].revents = 0;
	for (unsigned int i = 0; i < w->dev->n_queues; i++) {
		const struct hv_vq *vq = &w->dev->queues[i];

		if ((w->queues >> i & 1) && !vq->shared && vq->ring.broken)
			hv_vdev_broken(w->dev, vq->ring.why);
	}
	return done;
}

/* Whether a paused device still waits for its backend. */
static bool drain(struct hv_worker *w)
{
	return w->live && !atomic_load(&w->dev->broken) && w->dev->ops->drain &&
	       w->dev->ops->drain(w->dev, w);
}

static void *worker_main(void *arg)
{
	struct hv_worker *w = arg;
	struct hv_vdev *dev = w->dev;

	hv_thread_short_turns();
	for (;;) {
		uint32_t messages = atomic_exchange(&w->messages, 0);

		if (messages & HV_MSG_LIFE)
			hv_vdev_settle(dev, w);
		if (messages & HV_MSG_QUIT)
			break;
		if (!w->live || atomic_load(&dev->broken) || atomic_load(&dev->paused)) {
			atomic_store(&w->kicked, 0);
			doze(w, drain(w));
			continue;
		}
		attend(w);
		if (turn(w) > 0)
			continue;
		if (!atomic_load(&dev->broken) && !spin(w) && listen(w))
			doze(w, true);
	}
	return NULL;
}

int hv_worker_start(struct hv_worker *w, struct hv_vdev *dev, unsigned int index,
		    struct hv_err *err)
{
	char name[16];
	int rc;

	w->dev = dev;
	w->index = index;
	w->spin_ns[false] = w->spin_ns[true] = SPIN_START;
	atomic_store(&w->answered, false);
	if (w->eventfd < 0)
		w->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->eventfd < 0)
		return hv_err_sys(err, errno, "%s: cannot make an eventfd", dev->name);
	snprintf(name, sizeof(name), "%s-%u", dev->ops->type, index);
	rc = hv_thread_start(&w->thread, worker_main, w, name);
	if (rc < 0)
		return hv_err_sys(err, -rc, "%s: cannot start its I/O thread", dev->name);
	w->running = true;
	return 0;
}

void hv_worker_end(struct hv_worker *w)
{
	if (!w->running)
		return;
	hv_worker_post(w, HV_MSG_QUIT);
	pthread_join(w->thread, NULL);
	w->running = false;
	atomic_store(&w->messages, 0);
	atomic_store(&w->kicked, 0);
	atomic_store(&w->sleeping, false);
}
