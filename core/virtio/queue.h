/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_QUEUE_H
#define HV_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memmap/gmem.h"

/*
 * A split virtqueue from the device's side (virtio 1.2, 2.7). Everything in
 * the rings is the guest's and hostile: each descriptor is read once, every
 * address goes through hv_gmem_at, chains are bounded. Owned by one I/O thread from
 * start to stop; nothing here locks. On a queue that is not started nothing is there and nothing
 * happens.
 */
#define HV_QUEUE_MAX 1024 /* largest size offered; a power of two */

struct hv_chain {
	uint16_t head;
	unsigned int n_out, n_in; /* iov[0..n_out) is for the device to read, then n_in to write */
	size_t out_len, in_len;	  /* bytes */
	struct iovec *iov;	  /* into the queue's own array; valid until the next pop */
};

/*
 * What is to outlive the process, kept in a file that it has mapped (virtio/state.h): with it
 * another process can go on with the queue, whatever this one was at when it died. Plain stores
 * in the order docs/restart.md gives reasons for.
 */
struct hv_queue_keep {
	uint32_t on;	   /* the queue is started; what follows counts */
	uint16_t used;	   /* used.idx up to which completions are no longer in `taken` */
	uint16_t pushed;   /* used.idx as it is being shown */
	uint64_t progress; /* the type's: how far the oldest chain in flight was brought */
	uint32_t taken[HV_QUEUE_MAX]; /* by head: in flight, as the how-manieth; 0 = is not */
	uint16_t done[HV_QUEUE_MAX];  /* by place in the used ring: heads completed */
};

struct hv_queue {
	const struct hv_gmem *mem;
	uint16_t size; /* 0 = not started */
	bool event_idx, indirect;
	bool broken;	     /* the guest broke a rule; nothing is processed until reset */
	const char *why;     /* what it broke, for the log */
	uint16_t last_avail; /* next avail entry to take */
	uint16_t looked;     /* avail.idx when last looked at */
	uint16_t used_idx;   /* private copy; never read back from the guest */
	uint16_t published;  /* used_idx the guest has been shown */
	uint16_t signalled;  /* used_idx at the last interrupt decision */
	bool signalled_valid;
	bool notify_on;		    /* the guest is asked to kick */
	void *desc, *avail, *used;  /* translated at start */
	struct iovec *iov;	    /* room for size */
	struct hv_queue_keep *keep; /* NULL = nothing outlives us */
	uint32_t order;		    /* of the last chain taken */
	uint16_t *heads;	    /* with keep: by place in the available ring, what was taken */
	/* Adopted in flight, the oldest first: they come before what the ring has. */
	uint16_t *owed;
	uint16_t n_owed, next_owed;
	uint64_t since_owed; /* chains taken from the ring after the last of them */
};

/*
 * Latches addresses and features (4.2.2: at QueueReady = 1). size: a power of two up to
 * HV_QUEUE_MAX. -EINVAL: size, alignment (16, 2, 4), or a ring not inside one range of memory;
 * -ENOMEM. avail_start: where both rings begin, 0 after reset.
 */
int hv_queue_start(struct hv_queue *q, const struct hv_gmem *mem, uint16_t size, uint64_t desc,
		   uint64_t avail, uint64_t used, uint64_t features, uint16_t avail_start,
		   struct hv_err *err);
/*
 * Of a queue just started: from now on keep says how far it is, until it is stopped. keep NULL does
 * nothing. -ENOMEM.
 */
int hv_queue_keep(struct hv_queue *q, struct hv_queue_keep *keep, struct hv_err *err);
/*
 * Starts a queue where another process left it: chains in flight then are popped again, the
 * oldest first, before what the ring has; completions the guest has seen are not. keep is not
 * trusted. -ESTALE: it does not fit itself or the guest's rings; as hv_queue_start.
 */
int hv_queue_adopt(struct hv_queue *q, const struct hv_gmem *mem, uint16_t size, uint64_t desc,
		   uint64_t avail, uint64_t used, uint64_t features, struct hv_queue_keep *keep,
		   struct hv_err *err);
void hv_queue_stop(struct hv_queue *q); /* frees; a stopped queue may be stopped again */
/* The same, but it stays as kept, to be adopted. */
void hv_queue_leave(struct hv_queue *q);

/*
 * Takes the next chain. 1 = got one; 0 = empty; -EPROTO = the queue is now
 * broken (why says how). Buffers of length 0 are left out; a chain without
 * usable buffers is returned with n_out = n_in = 0 and completes with length 0.
 */
int hv_queue_pop(struct hv_queue *q, struct hv_chain *chain);
/*
 * Gives the last popped chain back unread, e.g. when a receive buffer is not needed yet; called
 * again, the one before it. None of them may have been pushed.
 */
void hv_queue_unpop(struct hv_queue *q);
bool hv_queue_empty(const struct hv_queue *q);
/* How many chains wait (bounded by size); 0 when broken. */
unsigned int hv_queue_waiting(const struct hv_queue *q);

/* Completes a chain: written = bytes the device wrote. Not shown to the guest before flush. */
void hv_queue_push(struct hv_queue *q, uint16_t head, uint32_t written);
/*
 * Shows all pushed completions at once (release barrier, used.idx, full barrier) and
 * says whether the guest wants an interrupt for them (2.7.10).
 */
bool hv_queue_flush(struct hv_queue *q);

/*
 * Waiting for the guest is "has avail.idx moved since we looked", not "is the queue empty": a
 * receive queue is idle with buffers in it. pop looks by itself when it reaches what it saw last.
 */
void hv_queue_look(struct hv_queue *q);
/* avail.idx is another one than at the last look. */
bool hv_queue_moved(const struct hv_queue *q);
/* It holds as many chains as it has entries, of which the guest has none left. Looks as well. */
bool hv_queue_is_full(const struct hv_queue *q);
/* Asks the guest not to kick while we poll. */
void hv_queue_notify_off(struct hv_queue *q);
/* Asks for kicks from the last look on; true when it moved meanwhile (full barrier in between), so:
 * do not sleep. */
bool hv_queue_notify_on(struct hv_queue *q);

/*
 * How far the chain taken last is, of which a part is done for good: where to go on with it if it
 * is adopted. Said again with 0 before its completion is shown.
 */
static inline void hv_queue_note(struct hv_queue *q, uint16_t head, uint32_t done)
{
	if (q->keep)
		q->keep->progress = (uint64_t)head << 32 | done;
}

/* That of the chain popped last; 0 when it was not adopted. */
static inline uint32_t hv_queue_noted(const struct hv_queue *q, uint16_t head)
{
	return q->owed && !q->since_owed && q->keep->progress >> 32 == head
		       ? (uint32_t)q->keep->progress
		       : 0;
}

/* Scatter/gather helpers on a chain's parts; short counts when the list is too small. */
size_t hv_iov_read(const struct iovec *iov, unsigned int n, size_t off, void *to, size_t len);
size_t hv_iov_write(const struct iovec *iov, unsigned int n, size_t off, const void *from,
		    size_t len);
/* The part [off, off + len) of an iovec list as another list (room for n entries); returns its
 * entries. */
unsigned int hv_iov_slice(const struct iovec *iov, unsigned int n, size_t off, size_t len,
			  struct iovec *out);

#endif
