/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_BLK_AIO_H
#define HV_VIRTIO_DEV_BLK_AIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * I/O that may block, done elsewhere: reads and writes by io_uring or, without it, by a few
 * threads; calls (everything that is neither) always by threads. Owned by one I/O
 * thread, which alone calls these functions and in which the `done`s run.
 */
struct hv_aio;

enum hv_aio_kind {
	HV_AIO_READ,
	HV_AIO_WRITE,
	HV_AIO_CALL,
};

struct hv_aio_op {
	enum hv_aio_kind kind;
	bool by_thread;          /* also a read or write */
	int fd;
	int flags;               /* RWF_* */
	const struct iovec *iov; /* at most IOV_MAX entries; stays until done */
	unsigned int n_iov;
	uint64_t off;
	/* HV_AIO_CALL: runs on another thread; the result goes to done. */
	int64_t (*call)(struct hv_aio_op *op);
	/* res: bytes, or -errno. May queue further operations, this one included. */
	void (*done)(struct hv_aio_op *op, int64_t res);
	int64_t res;             /* private, as what follows */
	struct hv_aio_op *next;
};

/* depth: how many operations may be under way. uring: try io_uring; need_uring: fail without it. */
int hv_aio_new(unsigned int depth, bool uring, bool need_uring, struct hv_aio **aio,
	       struct hv_err *err);
/* Nothing may be under way. */
void hv_aio_free(struct hv_aio *aio);
bool hv_aio_is_uring(const struct hv_aio *aio);

/* Descriptors that are readable when something is to be reaped; -1 = none (yet). */
int hv_aio_ring_fd(const struct hv_aio *aio);
int hv_aio_pool_fd(const struct hv_aio *aio);

/* Takes an operation; it begins at the latest with the next submit. */
void hv_aio_queue(struct hv_aio *aio, struct hv_aio_op *op);
/*
 * Calls an operation off that is under way, if it has not begun: it ends with -ECANCELED, in a reap
 * as always; one that has begun ends as it would have, or soon with -EINTR. op may have ended
 * already, but not been queued again.
 */
void hv_aio_cancel(struct hv_aio *aio, struct hv_aio_op *op);
/*
 * What the kernel has refused since the last call of this: 0, or an errno, and what it was. The work
 * is done all the same: by the I/O thread itself where no other could be started, later where the
 * ring takes nothing.
 */
int hv_aio_trouble(struct hv_aio *aio, const char **what);
/* One system call for all that was queued. false: the kernel takes no more now, ask again soon. */
bool hv_aio_submit(struct hv_aio *aio);
/* Calls done for everything that has ended; returns how many. No system call when there is nothing. */
unsigned int hv_aio_reap(struct hv_aio *aio);
/* Is there something to reap, as far as can be seen without a system call? */
bool hv_aio_ended(struct hv_aio *aio);
/* Operations queued or under way. */
unsigned int hv_aio_busy(const struct hv_aio *aio);
/* Sleeps until something can be reaped. */
void hv_aio_wait(struct hv_aio *aio);

#endif
