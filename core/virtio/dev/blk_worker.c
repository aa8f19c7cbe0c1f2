// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "virtio/dev/blk_priv.h"

/* ---- turns */

static void flush_queues(struct blk_worker *bw)
{
	struct hv_vdev *dev = bw->blk->dev;

	for (unsigned int i = 0; i < dev->n_queues; i++)
		if (bw->w->queues >> i & 1)
			hv_vq_flush(&dev->queues[i]);
}

static void count(struct blk_worker *bw)
{
	struct hv_vdev_stats *stats = &bw->blk->dev->stats;

	if (bw->n_quick)
		hv_stat_latency(stats, hv_now() - bw->now, bw->n_quick);
	hv_stat_add(&stats->requests, bw->n_done);
	if (bw->n_errors)
		hv_stat_add(&stats->errors, bw->n_errors);
	if (bw->n_read)
		hv_stat_add(&stats->read_bytes, bw->n_read);
	if (bw->n_written)
		hv_stat_add(&stats->write_bytes, bw->n_written);
	bw->n_done = bw->n_quick = bw->n_errors = bw->n_read = bw->n_written = 0;
}

static void begin_turn(struct blk_worker *bw)
{
	bw->turn++;
	bw->now = hv_now();
	bw->length_known = false;
	bw->taken = 0;
}

static void report_engine(struct blk_worker *bw)
{
	const char *what;
	int code = hv_aio_trouble(bw->aio, &what);

	if (code)
		hv_vdev_warn(bw->blk->dev, "%s: %s; the disk is slow meanwhile", what,
			     strerror(code));
}

/* Sends off what was queued and takes in what has ended, until nothing more ends at once. */
static void run_engine(struct blk_worker *bw)
{
	if (!hv_aio_busy(bw->aio) && !bw->starving)
		return;
	hv_aio_reap(bw->aio);
	blk_io_starving(bw);
	/* The kernel takes nothing more now: look again in a moment. */
	if (!hv_aio_submit(bw->aio))
		bw->w->wake_at = bw->now + 1000000;
	hv_aio_reap(bw->aio);
	blk_io_starving(bw);
	if (!hv_aio_submit(bw->aio))
		bw->w->wake_at = bw->now + 1000000;
	report_engine(bw);
}

static void publish(struct blk_worker *bw)
{
	if (!bw->n_done)
		return;
	/* First: what a guest has seen done is in the figures. */
	count(bw);
	flush_queues(bw);
}

/*
 * Reads that miss the cache cost the kernel some µs each when they are submitted. What ends
 * meanwhile is not kept until all are: the guest would ask in bursts, and the disk idle between
 * them.
 */
static void relay(struct blk_worker *bw)
{
	hv_aio_submit(bw->aio);
	bw->unsent = 0;
	hv_aio_reap(bw->aio);
	publish(bw);
	bw->turn++; /* what ends from now on did not end at once */
}

int blk_worker_turn(struct blk_worker *bw)
{
	struct hv_vdev *dev = bw->blk->dev;
	enum blk_taken last = BLK_NOTHING_THERE;
	bool took = false, did;

	begin_turn(bw);
	bw->unsent = 0;
	bw->w->wake_at = 0;
	blk_policy_turn(bw);
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		unsigned int n = 0;

		if (!(bw->w->queues >> i & 1))
			continue;
		while (n < BLK_TURN_REQUESTS &&
		       (last = blk_req_take(bw, &dev->queues[i])) == BLK_TOOK) {
			n++;
			if (bw->unsent >= BLK_SUBMIT_BATCH)
				relay(bw);
		}
		/* The old policy's answers may be due yet: they wake us. */
		took = took || n || (last == BLK_OTHER_POLICY && !bw->w->policy.asked);
	}
	run_engine(bw);
	blk_policy_wake(bw);
	did = took || bw->n_done;
	publish(bw);
	return did;
}

bool blk_worker_drain(struct blk_worker *bw)
{
	begin_turn(bw);
	blk_policy_turn(bw);
	run_engine(bw);
	blk_policy_wake(bw);
	publish(bw);
	return hv_aio_busy(bw->aio) || bw->n_held;
}

bool blk_worker_ready(struct blk_worker *bw)
{
	return hv_aio_ended(bw->aio);
}

/* ---- lives */

static void free_reqs(struct blk_worker *bw)
{
	for (unsigned int i = 0; i < bw->n_reqs; i++) {
		free(bw->reqs[i].own);
		free(bw->reqs[i].segments);
	}
	free(bw->reqs);
}

static void free_worker(struct blk_worker *bw)
{
	if (!bw)
		return;
	hv_aio_free(bw->aio);
	free_reqs(bw);
	for (unsigned int i = 0; i < bw->n_bounce; i++)
		free(bw->bounce[i]);
	free(bw->cut);
	free(bw);
}

static int make_bounce(struct blk_worker *bw)
{
	size_t align =
		bw->blk->image.base.block < HV_PAGE_SIZE ? HV_PAGE_SIZE : bw->blk->image.base.block;

	if (bw->blk->image.base.direct_fd < 0)
		return 0;
	while (bw->n_bounce < BLK_BOUNCE_BUFFERS)
		if (posix_memalign(&bw->bounce[bw->n_bounce], align, BLK_BOUNCE_BYTES))
			return -ENOMEM;
		else
			bw->n_bounce++;
	return 0;
}

int blk_worker_start(struct hv_blk *blk, struct hv_worker *w, struct hv_err *err)
{
	struct blk_worker *bw = calloc(1, sizeof(*bw));
	int rc;

	if (!bw)
		return hv_err_nomem(err);
	bw->blk = blk;
	bw->w = w;
	bw->last_starving = &bw->starving;
	TAILQ_INIT(&bw->held);
	for (unsigned int i = 0; i < blk->dev->n_queues; i++)
		if (w->queues >> i & 1)
			bw->n_reqs += blk->dev->queues[i].ring.size;
	bw->reqs = calloc(bw->n_reqs, sizeof(*bw->reqs));
	bw->cut = calloc(HV_QUEUE_MAX, sizeof(*bw->cut));
	if (!bw->reqs || !bw->cut || make_bounce(bw)) {
		bw->n_reqs = bw->reqs ? bw->n_reqs : 0;
		rc = hv_err_nomem(err);
		goto fail;
	}
	for (unsigned int i = bw->n_reqs; i--;) {
		bw->reqs[i].bw = bw;
		blk_req_drop(&bw->reqs[i]);
	}
	rc = hv_aio_new(bw->n_reqs, blk->engine != HV_BLK_ENGINE_THREADS,
			blk->engine == HV_BLK_ENGINE_URING, &bw->aio, err);
	if (rc)
		goto fail;
	atomic_store(&blk->threads_only, !hv_aio_is_uring(bw->aio));
	if (hv_aio_is_uring(bw->aio)) {
		w->fds[0].fd = hv_aio_ring_fd(bw->aio);
		w->fds[0].events = POLLIN;
	}
	w->fds[1].fd = hv_aio_pool_fd(bw->aio);
	w->fds[1].events = POLLIN;
	w->state = bw;
	return 0;
fail:
	free_worker(bw);
	return rc;
}

static void call_off_reads(struct blk_worker *bw)
{
	bw->calling_off = true;
	for (unsigned int i = 0; i < bw->n_reqs; i++)
		if (bw->reqs[i].queued && bw->reqs[i].type == VIRTIO_BLK_T_IN)
			hv_aio_cancel(bw->aio, &bw->reqs[i].op);
}

void blk_worker_stop(struct blk_worker *bw, bool call_off)
{
	blk_policy_stop(bw, call_off);
	if (call_off)
		call_off_reads(bw);
	while (blk_worker_drain(bw))
		hv_aio_wait(bw->aio);
	bw->w->state = NULL;
	free_worker(bw);
}
