/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_WORKER_H
#define HV_VIRTIO_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/now.h"
#include "base/thread.h"
#include "virtio/policy.h"

/*
 * An I/O thread of a device. It works while there is work, polls for a bounded
 * time, asks the guest for kicks again, and sleeps on its eventfd and the
 * backend's descriptors. Messages are a word of bits.
 *
 * A kick costs a system call only when the worker sleeps: the kicker sets the
 * flag, full barrier, and looks whether it sleeps; the worker says that it
 * sleeps, full barrier, and looks at flag and queues once more.
 *
 * A paused or broken device's workers sleep until a message: ops->work is not called, the
 * backend's descriptors and wake_at are not looked at; but for a paused device with requests in
 * flight, whose ops->drain is called until there are none.
 */
#define HV_WORKER_FDS 4

struct hv_vdev;

struct hv_worker {
	struct hv_vdev *dev;
	unsigned int index;
	pthread_t thread;
	bool running;
	int eventfd; /* from the first start until the device is destroyed; -1 = none yet */
	_Atomic uint32_t kicked;   /* queues (bit per index) notified since the last look */
	_Atomic uint32_t messages; /* HV_MSG_* */
	_Atomic bool sleeping;
	bool live;	 /* between ops->start and ops->stop; the worker's own */
	uint64_t queues; /* bit per queue it serves */
	/*
	 * Backend descriptors it sleeps on besides; set by ops->start/work on this thread,
	 * forgotten after ops->stop. events 0 = skip. revents: what the sleep right before this
	 * turn ended with, 0 in the next. A worker that is busy does not ask, so data is tried
	 * without blocking in any turn; revents is for POLLERR and POLLHUP.
	 */
	struct {
		int fd;
		short events, revents;
	} fds[HV_WORKER_FDS];
	uint64_t wake_at; /* CLOCK_MONOTONIC ns at which to work again without a kick; 0 = never.
			     Cleared when reached */
	void *state;	  /* the type's own per worker */
	/*
	 * How long to poll before a sleep, adaptive, bounded by HV_WORKER_SPIN_MAX: after it has
	 * answered the guest, which is then likely to ask again, and after it has not.
	 */
	uint32_t spin_ns[2];
	_Atomic bool answered; /* something was shown as used since it last waited */
	bool spun_answered;    /* what its last wait went by */
	struct hv_poll poll;
	uint64_t full_until;	      /* ns; HV_EV_FULL is not said again before */
	struct hv_policy_seat policy; /* the worker's own */
};

#define HV_WORKER_SPIN_MAX 50000 /* ns */

enum {
	HV_MSG_LIFE =
		1u << 0, /* the registers ask for other queues than are started: hv_vdev_settle */
	HV_MSG_QUIT = 1u << 1,
	HV_MSG_POKE = 1u << 2, /* look again: limit or pause changed, console input, resize */
};

int hv_worker_start(struct hv_worker *w, struct hv_vdev *dev, unsigned int index,
		    struct hv_err *err);
/* Sends QUIT and joins. main thread. */
void hv_worker_end(struct hv_worker *w);

/* On its own thread: works again at `when` at the latest; 0 = no matter when. */
static inline void hv_worker_wake(struct hv_worker *w, uint64_t when)
{
	if (when && (!w->wake_at || when < w->wake_at))
		w->wake_at = when;
}

/* Any thread; never blocks. */
void hv_worker_kick(struct hv_worker *w, unsigned int queue);
void hv_worker_post(struct hv_worker *w, uint32_t messages);

#endif
