/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_BLK_PRIV_H
#define HV_VIRTIO_DEV_BLK_PRIV_H

#include <linux/virtio_blk.h>
#include <sys/queue.h>

#include "virtio/dev/blk.h"
#include "virtio/dev/blk_aio.h"
#include "virtio/dev/blk_image.h"

/*
 * Private to virtio-blk: blk.c is the device (options, registers), blk_worker.c the turns and lives
 * of its threads, blk_req.c takes requests from the rings and answers them, blk_policy.c keeps those
 * that a policy decides about, blk_io.c moves their data.
 */
#define BLK_SECTOR 512u
#define BLK_CHUNK (UINT64_C(1) << 20)          /* one operation moves at most this */
#define BLK_REQUEST_MAX (UINT64_C(1) << 30)    /* more in one request is answered with an error */
#define BLK_IN_FLIGHT_MAX (UINT64_C(64) << 20) /* bytes per worker, so that a stop ends soon */
#define BLK_TURN_REQUESTS 32                   /* per queue and turn */
#define BLK_SUBMIT_BATCH 8                     /* to the engine at a time */
#define BLK_TURN_BYTES (UINT64_C(4) << 20)     /* per worker and turn, then one more */
#define BLK_BOUNCE_BYTES (UINT64_C(256) << 10)
#define BLK_BOUNCE_BUFFERS 16
#define BLK_SEGMENTS 8                         /* per discard or write-zeroes request */
#define BLK_ZERO_SECTORS ((UINT32_C(256) << 20) / BLK_SECTOR)
#define BLK_DISCARD_SECTORS ((UINT32_C(2) << 30) / BLK_SECTOR)

/* What is said about the image, each kind once in a while. */
enum blk_trouble {
	BLK_TROUBLE_FULL,
	BLK_TROUBLE_TRUNCATED,
	BLK_TROUBLE_OTHER,
	BLK_TROUBLES,
};

struct hv_blk {
	struct hv_vdev *dev;
	struct hv_blk_image image;
	_Atomic uint64_t sectors;
	_Atomic bool writeback;        /* config space; counts with CONFIG_WCE */
	_Atomic bool writeback_set;    /* the driver wrote it in this life */
	_Atomic bool threads_only;     /* what the last start found */
	bool snapshot;
	enum hv_blk_engine engine;
	uint32_t block_size;
	uint16_t seg_max;
	char serial[HV_BLK_SERIAL_MAX];
	_Atomic uint64_t trouble_next[BLK_TROUBLES]; /* ns from which on it is said again */
	_Atomic uint64_t trouble_unsaid[BLK_TROUBLES];
};

/*
 * Is it worth trying on the spot? Reads that miss the page cache are refused by RWF_NOWAIT; where
 * the file system has no such thing, time tells. After a refusal the next ones go straight to the
 * engine, in batches: the more of them, the more were refused lately.
 */
struct blk_pace {
	bool no_nowait;
	uint32_t skip, streak;
};

struct blk_segment {
	uint64_t off, len; /* bytes */
	bool unmap;
};

struct blk_worker;

/* Of a request that a policy is concerned with. */
enum blk_held {
	BLK_UNASKED, /* the policy stalls */
	BLK_ASKED,
	BLK_ALLOWED, /* from `due` on */
};

struct blk_req {
	struct hv_aio_op op; /* first */
	struct blk_worker *bw;
	struct hv_vq *vq;
	struct blk_req *next;
	uint32_t type;
	uint16_t head;
	bool queued;         /* counted in bw->in_flight */
	bool by_thread;      /* the ring has refused it */
	uint8_t *status;
	uint32_t written;    /* what the used element says when it succeeds */
	uint64_t off, left;  /* bytes of the disk */
	uint64_t size;       /* bytes in all */
	uint64_t now;        /* bytes of the operation under way */
	uint64_t turn;       /* when it was queued */
	uint64_t begun;      /* ns */
	/* Buffers still to be used: in the ring's array, or in own once it waits. */
	struct iovec *iov;
	unsigned int n_iov;
	struct iovec *own, *cut; /* room for `room` each */
	unsigned int room;
	struct blk_segment *segments;
	unsigned int n_segments;
	void *bounce;
	struct iovec bounce_iov;
	/* While it is held. */
	TAILQ_ENTRY(blk_req) turn_held;
	enum blk_held held;
	uint64_t due; /* ns */
};

struct blk_worker {
	struct hv_blk *blk;
	struct hv_worker *w;
	struct hv_aio *aio;
	struct blk_req *reqs, *free;
	unsigned int n_reqs;
	struct iovec *cut;       /* room for HV_QUEUE_MAX */
	struct blk_pace reading[2], writing; /* of the base, of the overlay */
	uint64_t turn, now;      /* ns; of this turn */
	uint64_t in_flight;      /* bytes */
	uint64_t taken;          /* bytes, this turn */
	unsigned int unsent;     /* queued for the engine, this turn */
	bool calling_off;        /* reads are not gone on with */
	bool length_known;       /* this turn */
	uint64_t length;
	/* figures of this turn */
	uint64_t n_done, n_quick, n_errors, n_read, n_written;
	void *bounce[BLK_BOUNCE_BUFFERS];
	unsigned int n_bounce;
	struct blk_req *starving, **last_starving; /* wait for a bounce buffer */
	TAILQ_HEAD(, blk_req) held; /* by a policy, in the order in which they were taken */
	unsigned int n_held;
	bool stalled; /* nothing is taken on */
};

static inline struct hv_blk *blk_of(struct hv_vdev *dev)
{
	return dev->state;
}

/* blk_worker.c */
int blk_worker_start(struct hv_blk *blk, struct hv_worker *w, struct hv_err *err);
/*
 * Waits for what is in flight. call_off: nobody will read the answers, so reads that have not begun
 * are called off; what the guest writes is written all the same.
 */
void blk_worker_stop(struct blk_worker *bw, bool call_off);
/* Answers what has ended; true while something is in flight. */
bool blk_worker_drain(struct blk_worker *bw);
/* A turn; > 0 when something was done. */
int blk_worker_turn(struct blk_worker *bw);
/* Something in flight has ended. */
bool blk_worker_ready(struct blk_worker *bw);

/* blk_req.c */

enum blk_taken {
	BLK_TOOK,
	BLK_NOTHING_THERE,
	BLK_MUST_WAIT,    /* for a limit, or until less is under way */
	BLK_OTHER_POLICY, /* than the one this turn began with */
};
/* The queue's next request: checked, and begun, held or answered. */
enum blk_taken blk_req_take(struct blk_worker *bw, struct hv_vq *vq);
/* rc 0: answers OK; < 0: IOERR, and says what is wrong with the image. */
void blk_req_finish(struct blk_req *req, int rc);
/* Answers a request that was not begun with that status. */
void blk_req_refuse(struct blk_req *req, uint8_t status);
/* Gives its place back without an answer. */
void blk_req_drop(struct blk_req *req);
void blk_req_begin(struct blk_req *req);

/* blk_policy.c */

/* Of a request that was taken and checked: true = it is not to be begun now. */
bool blk_policy_hold(struct blk_req *req);
/* Begins or refuses what was decided about; at the beginning of a turn. */
void blk_policy_turn(struct blk_worker *bw);
/* When the next turn is due, into w->wake_at. At the end of one. */
void blk_policy_wake(struct blk_worker *bw);
/* Nothing is held any more. ending: nobody reads answers. */
void blk_policy_stop(struct blk_worker *bw, bool ending);

static inline bool blk_policy_minds(const struct blk_worker *bw)
{
	return bw->w->policy.ops || bw->n_held;
}

/* blk_io.c: each ends in blk_req_finish, at once or later. */
void blk_io_data(struct blk_req *req);    /* VIRTIO_BLK_T_IN or _OUT, off and left checked */
void blk_io_flush(struct blk_req *req);
/* The ring's array is the next chain's: who waits needs one of its own. -ENOMEM. */
int blk_io_keep(struct blk_req *req);
void blk_io_segments(struct blk_req *req); /* DISCARD, WRITE_ZEROES, segments checked */
void blk_io_starving(struct blk_worker *bw);

/* Writes are durable when they are answered: without FLUSH, or with a cache that was turned off. */
bool blk_write_through(const struct hv_blk *blk);

#endif
