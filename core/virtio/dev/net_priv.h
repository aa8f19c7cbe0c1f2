/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_NET_PRIV_H
#define HV_VIRTIO_DEV_NET_PRIV_H

#include <limits.h>
#include <sys/queue.h>

#include "virtio/dev/net.h"
#include "virtio/dev/net_frame.h"
#include "virtio/dev/tap.h"
#include "virtio/policy.h"

/* Private to core/virtio/dev/net*.c. */

#define HV_NET_HDR sizeof(struct virtio_net_hdr_v1)
#define HV_NET_BURST 64		     /* frames per direction and turn */
#define HV_NET_KEPT_MAX 512	     /* frames to the guest that wait for a policy, per lane */
#define HV_NET_KEPT_BYTES (2u << 20) /* of each direction of a lane, then one more frame */
#define HV_NET_MACS 64 /* of each kind in a filter; a longer list lets all of that kind through */

struct hv_net_filter {
	uint8_t mac[6];
	bool promisc, allmulti;	 /* as the driver set them */
	bool all_uni, all_multi; /* the lists were too long */
	unsigned int n_uni, n_multi;
	uint8_t uni[HV_NET_MACS][6], multi[HV_NET_MACS][6];
};

/* Of one turn, added to the device's counters at its end. */
struct hv_net_counts {
	uint64_t frames, bytes, errors, dropped;
};

/* A frame that a policy decides about; what it is to become is at `at`, virtio header first. */
struct hv_net_kept_frame {
	STAILQ_ENTRY(hv_net_kept_frame) next;
	enum hv_policy_stream kind;
	enum {
		HV_NET_UNASKED, /* the policy stalls */
		HV_NET_ASKED,
		HV_NET_ALLOWED, /* from `due` on, in its turn */
		HV_NET_DENIED,
	} state;
	uint16_t head; /* HV_POLICY_OUT */
	uint64_t due;  /* ns */
	struct hv_frame
		frame;	/* HV_POLICY_IN, on a switch: what its sender said; without buffers */
	size_t len;	/* virtio header included */
	size_t charged; /* bytes it counts for, whatever it is replaced by */
	uint8_t *at;
	uint8_t bytes[];
};

STAILQ_HEAD(hv_net_frames, hv_net_kept_frame);

/* The worker's. */
struct hv_net_fifo {
	struct hv_net_frames frames;
	unsigned int n;
	bool stalled; /* nothing is added */
	size_t bytes;
};

/* Nothing more is put in: the policy says so, or there is enough that a guest has others keep. */
static inline bool hv_net_kept_full(const struct hv_net_fifo *fifo)
{
	return fifo->stalled || fifo->n >= HV_NET_KEPT_MAX || fifo->bytes >= HV_NET_KEPT_BYTES;
}

/*
 * A pair of queues. Owned by its worker, except that on a switch the receiving half (marked
 * rx) belongs to whoever holds `lock`: senders fill the guest's buffers from their own threads.
 */
struct hv_net_lane {
	struct hv_net *net;
	struct hv_vq *rx, *tx;
	unsigned int index;
	uint64_t features;	     /* of this life; rx */
	pthread_mutex_t lock;	     /* switch only */
	bool open;		     /* rx: between start and stop */
	struct hv_net_filter filter; /* rx: copy of net->filter, as of filter_seen */
	unsigned int filter_seen;
	struct {
		uint16_t head;
		uint32_t len;
	} taken[HV_QUEUE_MAX]; /* rx: chains popped for one frame */
	/* TAP */
	uint64_t rx_until, tx_until; /* the limit says so; 0 = no */
	bool rx_starved, tx_stalled;
	bool rx_waits;	      /* for a policy */
	size_t held;	      /* bytes in hold, header included: a frame read but not delivered */
	bool paid;	      /* the limit has counted it */
	size_t want, largest; /* bytes of buffers to offer the TAP; seen since that was set */
	unsigned int since;
	struct iovec iov[HV_QUEUE_MAX + 2]; /* a chain's and two of ours */
	uint8_t hold[HV_NET_HDR + HV_FRAME_MAX];
	uint8_t scratch[HV_FRAME_MAX]; /* rx on a TAP; on a switch the sender's */
	uint8_t head[HV_FRAME_HEAD];
	struct hv_net_counts in; /* rx */
	struct hv_net_counts out;
	struct hv_net_fifo kept_in, kept_out;
	struct hv_net_frames posted; /* rx, switch only: by senders, for the worker */
	unsigned int n_posted;	     /* rx: of these and kept_in */
	size_t posted_bytes;	     /* the same */
};

/* What the driver has said, for the next process: a copy under the device's lock. */
struct hv_net_kept {
	struct hv_net_filter filter;
	unsigned int active;
};

struct hv_net {
	struct hv_vdev *dev;
	struct hv_tap tap; /* n = 0 on a switch */
	struct hv_switch *sw;
	struct hv_switch_port *port;
	unsigned int pairs;
	uint16_t mtu;
	uint8_t own_mac[6];
	/* what config space shows, under the device's lock */
	uint8_t mac[6];
	bool announce;
	struct hv_net_kept kept;
	/* */
	_Atomic bool link_wanted, gone;
	_Atomic unsigned int active; /* pairs in use */
	_Atomic uint64_t stalls, software;
	pthread_mutex_t lock; /* below, and the TAP's settings */
	struct hv_net_filter filter;
	_Atomic unsigned int filter_changes;
	unsigned int attached;	   /* queues of the TAP in use */
	struct hv_net_lane *lanes; /* one per pair */
};

static inline bool hv_net_link(const struct hv_net *net)
{
	return atomic_load_explicit(&net->link_wanted, memory_order_relaxed) &&
	       !atomic_load_explicit(&net->gone, memory_order_relaxed);
}

static inline bool hv_net_can(const struct hv_net_lane *lane, unsigned int feature)
{
	return lane->features >> feature & 1;
}

/* net_rx.c: the lane's worker, or on a switch who holds the lane's lock. */

/* Does the driver want frames for this address? */
bool hv_net_wanted(struct hv_net_lane *lane, const uint8_t *mac);
/*
 * Copies a frame that suits the driver into its buffers and counts it. -ENOBUFS: not enough of them
 * now, nothing has happened; -EMSGSIZE: they will never do; -EPROTO: the queue is broken.
 */
int hv_net_put(struct hv_net_lane *lane, const struct hv_frame *frame);
/*
 * Any frame: one with offloads the driver did not agree to is finished first. 0 also when it, or a
 * part of it after the first, was dropped and counted. -ENOBUFS and -EPROTO as above.
 */
int hv_net_deliver(struct hv_net_lane *lane, struct hv_frame *frame, uint8_t *scratch);
/* Completes the chains taken for a frame of `total` bytes, header included, and unpops those it did
 * not need. */
void hv_net_complete(struct hv_net_lane *lane, unsigned int taken, size_t total);
void hv_net_untake(struct hv_net_lane *lane, unsigned int taken);
/*
 * Adds the turn's counts to the device's and flushes the used ring. begun: when the frames were
 * taken, ns; 0 = unknown.
 */
void hv_net_rx_end(struct hv_net_lane *lane, uint64_t begun);
void hv_net_tx_end(struct hv_net_lane *lane, uint64_t begun);

/* net_tap.c, net_switch.c: a bounded turn on the lane's worker; whether anything was done. */
bool hv_net_tap_turn(struct hv_net_lane *lane, struct hv_worker *w);
bool hv_net_switch_turn(struct hv_net_lane *lane, struct hv_worker *w);
/* 0: the frame of a transmit chain is within bounds. Otherwise the chain was completed and counted
 * as an error. */
int hv_net_tx_check(struct hv_net_lane *lane, const struct hv_chain *chain);
extern const struct hv_switch_port_ops hv_net_port_ops;

/* net_policy.c: the lane's worker. */

/* May a policy be concerned with frames of this kind, or do some wait? */
static inline bool hv_net_policy_minds(const struct hv_net_lane *lane,
				       const struct hv_net_fifo *fifo, enum hv_policy_stream kind)
{
	const struct hv_worker *w = lane->tx->worker;

	return hv_policy_minds(&w->policy, kind) || fifo->n ||
	       hv_vdev_policy_changed(lane->net->dev, w);
}
/* Takes answers in; at the beginning of a turn. */
void hv_net_policy_turn(struct hv_net_lane *lane);
/* At its end, when wake_at is set for all else. true: there is more to do at once. */
bool hv_net_policy_end(struct hv_net_lane *lane);
/* Keeps the frame of a chain until it is decided about. Always 1. */
int hv_net_policy_out(struct hv_net_lane *lane, const struct hv_chain *chain);
/* The same with what is in lane->hold, which is free then. */
void hv_net_policy_in(struct hv_net_lane *lane);
/* The frame that is to go on now, and after it has; NULL = none. */
struct hv_net_kept_frame *hv_net_policy_first(struct hv_net_lane *lane, struct hv_net_fifo *fifo);
void hv_net_policy_gone(struct hv_net_lane *lane, struct hv_net_fifo *fifo);
/* Nothing is kept any more; answer: the chains of frames are completed. */
void hv_net_policy_stop(struct hv_net_lane *lane, bool answer);
/* On a sender's thread, lane locked: leaves a frame for the worker; false = no room. */
bool hv_net_policy_post(struct hv_net_lane *lane, const struct hv_frame *frame);

/* net_ctrl.c */
bool hv_net_ctrl_turn(struct hv_net *net, struct hv_vq *vq);
/* The filter as at the beginning of a life. net->lock held. */
void hv_net_ctrl_reset(struct hv_net *net);
/* Filter and pairs are as they shall be found by the next process. net->lock held. */
void hv_net_ctrl_keep(struct hv_net *net);

/* net_keep.c: what the next process gets to know, of struct hv_vdev_ops. */
#define HV_NET_STATE_SIZE (28 + 12 * HV_NET_MACS)
void hv_net_keep(struct hv_vdev *dev, void *to);
void hv_net_restore(struct hv_vdev *dev, const void *from);
void hv_net_restore_link(struct hv_vdev *dev, const void *from);

/* net.c */
bool hv_net_is_device_mac(const uint8_t *mac);
/* The first n pairs are in use from now on; -errno when the TAP does not follow. net->lock held. */
int hv_net_set_pairs(struct hv_net *net, unsigned int n);
/* The TAP of this lane answers that it does not exist: if that is so, takes the link down and says
 * so. */
void hv_net_tap_gone(struct hv_net_lane *lane, int error);

#endif
