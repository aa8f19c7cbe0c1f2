// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "virtio/dev/blk_priv.h"
#include "virtio/policy.h"

static enum hv_policy_blk kind_of(const struct blk_req *req)
{
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		return HV_POLICY_BLK_READ;
	case VIRTIO_BLK_T_OUT:
		return HV_POLICY_BLK_WRITE;
	case VIRTIO_BLK_T_FLUSH:
		return HV_POLICY_BLK_FLUSH;
	case VIRTIO_BLK_T_DISCARD:
		return HV_POLICY_BLK_DISCARD;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return HV_POLICY_BLK_ZERO;
	default:
		return HV_POLICY_BLK_KINDS;
	}
}

static bool changes_disk(const struct blk_req *req)
{
	return req->type != VIRTIO_BLK_T_IN && req->type != VIRTIO_BLK_T_FLUSH;
}

/* From the first byte of all segments to the last. */
static void extent_of(const struct blk_req *req, uint64_t *at, uint64_t *size)
{
	uint64_t from = UINT64_MAX, to = 0;

	*at = req->off;
	*size = req->type == VIRTIO_BLK_T_FLUSH ? 0 : req->size;
	if (!changes_disk(req) || req->type == VIRTIO_BLK_T_OUT)
		return;
	for (unsigned int i = 0; i < req->n_segments; i++) {
		const struct blk_segment *s = &req->segments[i];

		if (s->off < from)
			from = s->off;
		if (s->off + s->len > to)
			to = s->off + s->len;
	}
	*at = from;
	*size = to - from;
}

static uint8_t status_of(uint32_t status)
{
	return status == VIRTIO_BLK_S_UNSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

static void hold(struct blk_req *req, enum blk_held held)
{
	struct blk_worker *bw = req->bw;

	req->held = held;
	req->due = 0;
	req->queued = true;
	bw->in_flight += req->size;
	bw->n_held++;
	TAILQ_INSERT_TAIL(&bw->held, req, turn_held);
	bw->stalled |= held == BLK_UNASKED;
}

static void let_go(struct blk_req *req)
{
	TAILQ_REMOVE(&req->bw->held, req, turn_held);
	req->bw->n_held--;
}

static enum hv_verdict ask(struct blk_req *req)
{
	struct hv_worker *w = req->bw->w;
	struct hv_question question = { .kind = kind_of(req) };

	extent_of(req, &question.at, &question.size);
	if (!hv_policy_concerns(w, question.kind, question.at, question.size))
		return HV_VERDICT_GO;
	if (blk_io_keep(req)) {
		hv_vdev_warn(req->bw->blk->dev, "not enough memory for a request its policy "
						"decides about: it is refused");
		return HV_VERDICT_DENY;
	}
	return hv_policy_ask(w, &question, req);
}

bool blk_policy_hold(struct blk_req *req)
{
	struct blk_worker *bw = req->bw;

	switch (ask(req)) {
	case HV_VERDICT_DENY:
		blk_req_refuse(req, VIRTIO_BLK_S_IOERR);
		return true;
	case HV_VERDICT_WAIT:
		hold(req, BLK_ASKED);
		return true;
	case HV_VERDICT_STALL:
		hold(req, BLK_UNASKED);
		return true;
	case HV_VERDICT_GO:
		break;
	}
	/* What was written before a flush is durable after it. */
	if (req->type != VIRTIO_BLK_T_FLUSH || !bw->n_held)
		return false;
	hold(req, BLK_ALLOWED);
	return true;
}

static void take_answers(struct blk_worker *bw)
{
	struct hv_policy_answer answer;

	while (hv_policy_next(bw->w, bw->now, &answer)) {
		struct blk_req *req = answer.cookie;

		switch (answer.verdict) {
		case HV_VERDICT_DENY:
			let_go(req);
			blk_req_refuse(req, status_of(answer.status));
			break;
		case HV_VERDICT_STALL:
			req->held = BLK_UNASKED;
			break;
		default:
			req->held = BLK_ALLOWED;
			req->due = answer.delay_ns ? hv_now() + answer.delay_ns : 0;
			break;
		}
		free(answer.data);
	}
}

/* Asks again; whether the request is still held. */
static bool ask_again(struct blk_req *req)
{
	switch (ask(req)) {
	case HV_VERDICT_DENY:
		let_go(req);
		blk_req_refuse(req, VIRTIO_BLK_S_IOERR);
		return false;
	case HV_VERDICT_WAIT:
		req->held = BLK_ASKED;
		break;
	case HV_VERDICT_STALL:
		req->bw->stalled = true;
		break;
	case HV_VERDICT_GO:
		req->held = BLK_ALLOWED;
		req->due = 0;
		break;
	}
	return true;
}

void blk_policy_turn(struct blk_worker *bw)
{
	struct blk_req *req, *next;
	bool changes = false;

	take_answers(bw);
	bw->stalled = false;
	for (req = TAILQ_FIRST(&bw->held); req; req = next) {
		next = TAILQ_NEXT(req, turn_held);
		if (req->held == BLK_UNASKED && !bw->stalled && !ask_again(req))
			continue;
		if (req->held == BLK_ALLOWED && req->due <= bw->now &&
		    !(req->type == VIRTIO_BLK_T_FLUSH && changes)) {
			let_go(req);
			blk_req_begin(req);
			continue;
		}
		changes |= changes_disk(req);
	}
}

void blk_policy_wake(struct blk_worker *bw)
{
	struct blk_req *req;

	if (!bw->n_held)
		return;
	hv_worker_wake(bw->w, hv_policy_deadline(bw->w));
	TAILQ_FOREACH(req, &bw->held, turn_held)
		if (req->held == BLK_ALLOWED && req->due > bw->now)
			hv_worker_wake(bw->w, req->due);
}

void blk_policy_stop(struct blk_worker *bw, bool ending)
{
	bool leaving = !ending && hv_vdev_leaving(bw->blk->dev);
	struct blk_req *req;

	hv_policy_leave(bw->w);
	bw->stalled = false;
	while ((req = TAILQ_FIRST(&bw->held)) != NULL) {
		let_go(req);
		/* The next process finds it in flight, and asks its own policy. */
		if (ending || leaving)
			blk_req_drop(req);
		else
			blk_req_refuse(req, VIRTIO_BLK_S_IOERR);
	}
}
