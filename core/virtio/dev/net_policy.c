// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/net_priv.h"

/*
 * Frames that a policy decides about are copied: what was decided about is what goes on. Each
 * direction of a lane keeps its order, so a frame waits for all those before it.
 */

static struct hv_net_kept_frame *new_frame(enum hv_policy_stream kind, size_t len)
{
	struct hv_net_kept_frame *f = malloc(sizeof(*f) + HV_NET_HDR + len);

	if (!f)
		return NULL;
	*f = (struct hv_net_kept_frame){ .kind = kind,
					 .len = HV_NET_HDR + len,
					 .charged = HV_NET_HDR + len };
	f->at = f->bytes;
	return f;
}

static void say_no_memory(struct hv_net_lane *lane)
{
	hv_vdev_warn(lane->net->dev, "not enough memory for a frame its policy decides about: it "
				     "is dropped");
}

static void free_frame(struct hv_net_kept_frame *f)
{
	if (f->at != f->bytes)
		free(f->at);
	free(f);
}

static void append(struct hv_net_fifo *fifo, struct hv_net_kept_frame *f)
{
	STAILQ_INSERT_TAIL(&fifo->frames, f, next);
	fifo->n++;
	fifo->bytes += f->charged;
	fifo->stalled |= f->state == HV_NET_UNASKED;
}

static void drop_first(struct hv_net_fifo *fifo)
{
	struct hv_net_kept_frame *f = STAILQ_FIRST(&fifo->frames);

	STAILQ_REMOVE_HEAD(&fifo->frames, next);
	fifo->n--;
	fifo->bytes -= f->charged;
	free_frame(f);
}

/* What a replaced frame may have at most: the link's, or what the original had. */
static size_t room_for(const struct hv_net *net, size_t len)
{
	size_t most = (size_t)net->mtu + HV_FRAME_MIN + 8;

	if (most < len)
		most = len;
	return most < HV_FRAME_MAX ? most : HV_FRAME_MAX;
}

static enum hv_verdict ask(struct hv_net_lane *lane, struct hv_net_kept_frame *f)
{
	struct hv_question question = {
		.kind = f->kind,
		.size = f->len - HV_NET_HDR,
		.data = f->bytes + HV_NET_HDR,
		.len = f->len - HV_NET_HDR,
		.room = room_for(lane->net, f->len - HV_NET_HDR),
	};

	return hv_policy_ask(lane->tx->worker, &question, f);
}

static void decide(struct hv_net_kept_frame *f, enum hv_verdict verdict)
{
	f->state = verdict == HV_VERDICT_GO	? HV_NET_ALLOWED
		   : verdict == HV_VERDICT_DENY ? HV_NET_DENIED
		   : verdict == HV_VERDICT_WAIT ? HV_NET_ASKED
						: HV_NET_UNASKED;
}

static void queue(struct hv_net_lane *lane, struct hv_net_fifo *fifo, struct hv_net_kept_frame *f)
{
	struct hv_worker *w = lane->tx->worker;

	if (fifo->stalled || hv_vdev_policy_changed(lane->net->dev, w))
		f->state = HV_NET_UNASKED;
	else if (hv_policy_concerns(w, f->kind, 0, f->len - HV_NET_HDR))
		decide(f, ask(lane, f));
	else
		f->state = HV_NET_ALLOWED;
	append(fifo, f);
}

int hv_net_policy_out(struct hv_net_lane *lane, const struct hv_chain *chain)
{
	struct hv_net_kept_frame *f = new_frame(HV_POLICY_OUT, chain->out_len - HV_NET_HDR);

	if (!f) {
		say_no_memory(lane);
		lane->out.dropped++;
		hv_queue_push(&lane->tx->ring, chain->head, 0);
		return 1;
	}
	hv_iov_read(chain->iov, chain->n_out, 0, f->bytes, f->len);
	f->head = chain->head;
	queue(lane, &lane->kept_out, f);
	return 1;
}

void hv_net_policy_in(struct hv_net_lane *lane)
{
	struct hv_net_kept_frame *f = new_frame(HV_POLICY_IN, lane->held - HV_NET_HDR);

	if (f) {
		memcpy(f->bytes, lane->hold, f->len);
		queue(lane, &lane->kept_in, f);
	} else {
		say_no_memory(lane);
		lane->in.dropped++;
	}
	lane->held = 0;
}

bool hv_net_policy_post(struct hv_net_lane *lane, const struct hv_frame *frame)
{
	struct hv_net_kept_frame *f;

	if (lane->n_posted >= HV_NET_KEPT_MAX || lane->posted_bytes >= HV_NET_KEPT_BYTES ||
	    !(f = new_frame(HV_POLICY_IN, frame->len)))
		return false;
	memset(f->bytes, 0, HV_NET_HDR);
	hv_iov_read(frame->iov, frame->n, 0, f->bytes + HV_NET_HDR, frame->len);
	f->frame = *frame;
	STAILQ_INSERT_TAIL(&lane->posted, f, next);
	lane->n_posted++;
	lane->posted_bytes += f->charged;
	hv_worker_post(lane->tx->worker, HV_MSG_POKE);
	return true;
}

/* The frames that others have left for this lane. */
static void collect(struct hv_net_lane *lane)
{
	struct hv_net_frames posted = STAILQ_HEAD_INITIALIZER(posted);
	struct hv_net_kept_frame *f;

	pthread_mutex_lock(&lane->lock);
	STAILQ_CONCAT(&posted, &lane->posted);
	pthread_mutex_unlock(&lane->lock);
	while ((f = STAILQ_FIRST(&posted)) != NULL) {
		STAILQ_REMOVE_HEAD(&posted, next);
		queue(lane, &lane->kept_in, f);
	}
}

static void replace(struct hv_net_lane *lane, struct hv_net_kept_frame *f,
		    const struct hv_policy_answer *answer)
{
	uint8_t *at = malloc(HV_NET_HDR + answer->len);

	if (!at) {
		say_no_memory(lane);
		f->state = HV_NET_DENIED;
		return;
	}
	/* Complete as it is: no checksum or segment is left to be done. */
	memset(at, 0, HV_NET_HDR);
	memcpy(at + HV_NET_HDR, answer->data, answer->len);
	f->at = at;
	f->len = HV_NET_HDR + answer->len;
	f->frame = (struct hv_frame){ 0 };
}

static void ask_again(struct hv_net_lane *lane, struct hv_net_fifo *fifo)
{
	struct hv_worker *w = lane->tx->worker;
	struct hv_net_kept_frame *f;

	if (!fifo->stalled || hv_vdev_policy_changed(lane->net->dev, w))
		return;
	fifo->stalled = false;
	STAILQ_FOREACH(f, &fifo->frames, next)
	{
		if (f->state != HV_NET_UNASKED)
			continue;
		if (hv_policy_concerns(w, f->kind, 0, f->len - HV_NET_HDR))
			decide(f, ask(lane, f));
		else
			f->state = HV_NET_ALLOWED;
		if (f->state == HV_NET_UNASKED) {
			fifo->stalled = true;
			break;
		}
	}
}

void hv_net_policy_turn(struct hv_net_lane *lane)
{
	struct hv_worker *w = lane->tx->worker;
	struct hv_policy_answer answer;
	uint64_t now = w->policy.asked ? hv_now() : 0;

	while (hv_policy_next(w, now, &answer)) {
		struct hv_net_kept_frame *f = answer.cookie;

		decide(f, answer.verdict);
		if (f->state == HV_NET_UNASKED)
			(f->kind == HV_POLICY_IN ? &lane->kept_in : &lane->kept_out)->stalled =
				true;
		f->due = answer.delay_ns ? hv_now() + answer.delay_ns : 0;
		if (answer.data)
			replace(lane, f, &answer);
		free(answer.data);
	}
	ask_again(lane, &lane->kept_out);
	ask_again(lane, &lane->kept_in);
	if (lane->net->port)
		collect(lane);
}

struct hv_net_kept_frame *hv_net_policy_first(struct hv_net_lane *lane, struct hv_net_fifo *fifo)
{
	struct hv_net_kept_frame *f;

	while ((f = STAILQ_FIRST(&fifo->frames)) != NULL) {
		if (f->state == HV_NET_ALLOWED)
			return !f->due || f->due <= hv_now() ? f : NULL;
		if (f->state != HV_NET_DENIED)
			return NULL;
		if (f->kind == HV_POLICY_OUT)
			lane->out.dropped++;
		else
			hv_stat_add(&lane->net->dev->stats.dropped, 1);
		hv_net_policy_gone(lane, fifo);
	}
	return NULL;
}

void hv_net_policy_gone(struct hv_net_lane *lane, struct hv_net_fifo *fifo)
{
	struct hv_net_kept_frame *f = STAILQ_FIRST(&fifo->frames);

	if (f->kind == HV_POLICY_OUT) {
		hv_queue_push(&lane->tx->ring, f->head, 0);
	} else if (lane->net->port) {
		pthread_mutex_lock(&lane->lock);
		lane->n_posted--;
		lane->posted_bytes -= f->charged;
		pthread_mutex_unlock(&lane->lock);
	}
	drop_first(fifo);
}

bool hv_net_policy_end(struct hv_net_lane *lane)
{
	struct hv_worker *w = lane->tx->worker;
	const struct hv_net_kept_frame *out = STAILQ_FIRST(&lane->kept_out.frames);
	const struct hv_net_kept_frame *in = STAILQ_FIRST(&lane->kept_in.frames);

	hv_worker_wake(w, hv_policy_deadline(w));
	if (out && out->state == HV_NET_ALLOWED)
		hv_worker_wake(w, out->due);
	if (in && in->state == HV_NET_ALLOWED)
		hv_worker_wake(w, in->due);
	/* The old policy's answers may be due yet: they wake us. */
	return hv_vdev_policy_changed(lane->net->dev, w) && !w->policy.asked;
}

void hv_net_policy_stop(struct hv_net_lane *lane, bool answer)
{
	hv_policy_leave(lane->tx->worker);
	while (lane->kept_out.n) {
		if (answer) {
			lane->out.dropped++;
			hv_net_policy_gone(lane, &lane->kept_out);
		} else {
			drop_first(&lane->kept_out);
		}
	}
	while (lane->kept_in.n)
		drop_first(&lane->kept_in);
	lane->kept_out.stalled = lane->kept_in.stalled = false;
	pthread_mutex_lock(&lane->lock);
	while (!STAILQ_EMPTY(&lane->posted)) {
		struct hv_net_kept_frame *f = STAILQ_FIRST(&lane->posted);

		STAILQ_REMOVE_HEAD(&lane->posted, next);
		free_frame(f);
	}
	lane->n_posted = 0;
	lane->posted_bytes = 0;
	pthread_mutex_unlock(&lane->lock);
}
