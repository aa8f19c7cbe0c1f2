/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_POLICY_H
#define HV_VIRTIO_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "virtio/ask.h"

/*
 * A policy decides about requests of a device: those it is concerned with are put to its desk and
 * wait there, each by itself, while the device goes on with the others. Whoever answers the desk
 * may be slow or fail: what happens then is said when the policy is made.
 *
 * What a policy is not concerned with costs no lock and no memory; without a policy a request costs
 * a load and a branch.
 */
struct hv_policy;
struct hv_vdev;

/* Kinds of questions: bits of `ops`. */
enum hv_policy_blk {
	HV_POLICY_BLK_READ,
	HV_POLICY_BLK_WRITE,
	HV_POLICY_BLK_FLUSH,
	HV_POLICY_BLK_DISCARD,
	HV_POLICY_BLK_ZERO,
	HV_POLICY_BLK_KINDS,
};
/* net: data is the frame. console: data are bytes, `at` is the port. */
enum hv_policy_stream {
	HV_POLICY_OUT, /* from the guest */
	HV_POLICY_IN,  /* to the guest */
	HV_POLICY_STREAM_KINDS,
};

/* With requests for which the desk has no room, or no answer in time, or nobody behind it. */
enum hv_policy_overload {
	HV_POLICY_PASS,
	HV_POLICY_DENY,
	HV_POLICY_STALL, /* they wait, and nothing more is taken from the ring */
};

struct hv_policy_opts {
	struct hv_desk_opts desk; /* not with HV_POLICY_STALL: patience */
	uint32_t ops;		  /* bit per kind */
	uint64_t from, to;	  /* only requests that touch these bytes; to 0 = all */
	/*
	 * Only looks on: answers are not waited for, and of all requests about chance / 2^32 are
	 * put to the desk, as far as it has room.
	 */
	bool observes;
	uint32_t chance;
	enum hv_policy_overload overload;
	/*
	 * It was closed, by whomever: called once, on that thread, with desk.arg. Must be quick,
	 * and may be NULL.
	 */
	void (*closed)(void *arg);
};

/* -EINVAL: depth, or patience with HV_POLICY_STALL. One reference is the caller's. main thread. */
int hv_policy_new(const struct hv_policy_opts *opts, struct hv_policy **policy, struct hv_err *err);
void hv_policy_get(struct hv_policy *policy);
void hv_policy_put(struct hv_policy *policy); /* NULL is fine */
struct hv_desk *hv_policy_desk(struct hv_policy *policy);
/*
 * Nobody answers any more: `asked` is not called after this, and all it is concerned with is dealt
 * with as `overload` says, for as long as a device has it. Any thread; may be called again.
 */
void hv_policy_close(struct hv_policy *policy);
/* The same, but all it is concerned with waits, whatever `overload` is: the process is about to
 * end. */
void hv_policy_freeze(struct hv_policy *policy);

/*
 * From its return on each request that the guest makes is under this policy; NULL takes the old one
 * off. That one is closed: of requests it has not decided about those under PASS and DENY are
 * treated so, those under STALL are put to the new policy, or go on. Takes a reference. main
 * thread; the device may run.
 */
void hv_vdev_set_policy(struct hv_vdev *dev, struct hv_policy *policy);

struct hv_policy_stats {
	uint64_t concerned; /* requests it was concerned with */
	uint64_t denied;    /* of them; for whatever reason */
	uint64_t overload;  /* dealt with as `overload` says */
	struct hv_desk_stats desk;
};
/* Any thread. */
void hv_policy_stats(struct hv_policy *policy, struct hv_policy_stats *out);

/* ---- I/O threads; a worker has a seat in struct hv_worker */

struct hv_policy_seat {
	struct hv_policy *policy; /* a reference */
	uint32_t ops;		  /* of it; 0 = none */
	uint32_t seen;		  /* hv_vdev.policy_changes when it was taken */
	unsigned int asked;	  /* questions whose answers it waits for */
	uint64_t retry;		  /* ns; memory was short */
	uint64_t random;
};

enum hv_verdict {
	HV_VERDICT_GO,
	HV_VERDICT_DENY,  /* with the type's own status */
	HV_VERDICT_WAIT,  /* hv_policy_next has the answer, with the cookie */
	HV_VERDICT_STALL, /* ask again in the turn that follows; nothing more is taken before */
};

/* May it matter? To be asked first, inline; then hv_policy_concerns, then hv_policy_ask. */
static inline bool hv_policy_minds(const struct hv_policy_seat *seat, uint32_t kind)
{
	return seat->ops >> kind & 1;
}
/* size 0 touches nothing. Counts it, and rolls the dice where it only looks on. */
bool hv_policy_concerns(struct hv_worker *w, uint32_t kind, uint64_t at, uint64_t size);
/* The question's data is copied. */
enum hv_verdict hv_policy_ask(struct hv_worker *w, const struct hv_question *question,
			      void *cookie);

struct hv_policy_answer {
	void *cookie;
	enum hv_verdict verdict; /* GO or DENY; STALL: it is to be asked again */
	uint32_t status;	 /* DENY: the type's own, 0 = as usual */
	uint64_t delay_ns;	 /* GO: not before so much later */
	void *data; /* GO: len bytes instead of its own, to be freed; NULL = unchanged */
	size_t len;
};
/*
 * The next answer. When there is none, the device's policy becomes the worker's, if it is another
 * one by now and the old one's answers are all here. To be called until false at the start of each
 * turn, also of a paused device.
 */
bool hv_policy_next(struct hv_worker *w, uint64_t now, struct hv_policy_answer *answer);
/* When the next turn is due without being woken; 0 = not by itself. At the end of each turn. */
uint64_t hv_policy_deadline(struct hv_worker *w);
/* Its questions are forgotten and the seat is empty. Before whatever the cookies point to is gone.
 */
void hv_policy_leave(struct hv_worker *w);

#endif
