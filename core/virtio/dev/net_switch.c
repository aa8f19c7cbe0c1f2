// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "virtio/dev/net_priv.h"

/* ---- to the guest: on the sender's thread */

/* Into the guest's buffers, or dropped. Lane locked. */
static const char *put(struct hv_net_lane *lane, struct hv_frame *frame, uint8_t *scratch, int *rc)
{
	*rc = hv_net_deliver(lane, frame, scratch);
	if (*rc == -ENOBUFS) {
		lane->in.dropped++;
		*rc = 0;
		return "frames from the switch were dropped: the guest has no receive buffers";
	}
	return NULL;
}

/* What became of a frame for this device, for the log; NULL = nothing to say. Lane locked. */
static const char *take_in(struct hv_net_lane *lane, const struct hv_frame *frame, uint8_t *scratch,
			   int *rc)
{
	struct hv_net *net = lane->net;
	struct hv_vdev *dev = net->dev;
	struct hv_frame mine = *frame;

	*rc = 0;
	/* Nobody is there, or asked not to be disturbed: as with the cable out. */
	if (!lane->open || lane->rx->ring.broken || atomic_load(&dev->broken) ||
	    atomic_load(&dev->paused) || !hv_net_link(net)) {
		lane->in.dropped++;
		return NULL;
	}
	if (!hv_net_wanted(lane, frame->iov[0].iov_base))
		return NULL;
	if (!hv_frame_within(frame, net->mtu)) {
		lane->in.dropped++;
		return "a frame larger than its MTU was dropped";
	}
	if (atomic_load(&dev->limit.on) && hv_limit_take(&dev->limit, 1, frame->len, hv_now())) {
		lane->in.dropped++;
		return NULL;
	}
	if (hv_vdev_has_policy(dev, HV_POLICY_IN) || lane->n_posted) {
		if (!hv_net_policy_post(lane, frame))
			lane->in.dropped++;
		return NULL;
	}
	return put(lane, &mine, scratch, rc);
}

static struct hv_net_lane *lane_for(struct hv_net *net, unsigned int lane)
{
	return &net->lanes[lane % atomic_load(&net->active)];
}

static void deliver(void *arg, unsigned int which, const struct hv_frame *frame, uint8_t *scratch)
{
	struct hv_net *net = arg;
	struct hv_net_lane *lane = lane_for(net, which);
	const char *complaint;
	int rc;

	pthread_mutex_lock(&lane->lock);
	complaint = take_in(lane, frame, scratch, &rc);
	/* Locked, or it could be said of the next life, or of a device that is there no more. */
	if (complaint)
		hv_vdev_warn(net->dev, "%s", complaint);
	if (rc)
		hv_vdev_broken(net->dev, lane->rx->ring.why);
	pthread_mutex_unlock(&lane->lock);
}

/* All lanes: the number of active ones may have changed during the burst. */
static void flush(void *arg, unsigned int which)
{
	struct hv_net *net = arg;

	(void)which;
	for (unsigned int i = 0; i < net->pairs; i++) {
		struct hv_net_lane *lane = &net->lanes[i];

		pthread_mutex_lock(&lane->lock);
		hv_net_rx_end(lane, 0);
		pthread_mutex_unlock(&lane->lock);
	}
}

/* On the lane's own worker: frames that a policy has let go on. */
static void deliver_kept(struct hv_net_lane *lane)
{
	struct hv_net_kept_frame *kept;
	bool any = false;

	while ((kept = hv_net_policy_first(lane, &lane->kept_in)) != NULL) {
		struct iovec iov = { kept->at + HV_NET_HDR, kept->len - HV_NET_HDR };
		struct hv_frame frame = kept->frame;
		const char *complaint, *why = NULL;
		int rc;

		frame.iov = &iov;
		frame.n = 1;
		frame.len = iov.iov_len;
		pthread_mutex_lock(&lane->lock);
		complaint = put(lane, &frame, lane->scratch, &rc);
		if (rc)
			why = lane->rx->ring.why;
		pthread_mutex_unlock(&lane->lock);
		any = true;
		hv_net_policy_gone(lane, &lane->kept_in);
		if (complaint)
			hv_vdev_warn(lane->net->dev, "%s", complaint);
		if (rc)
			hv_vdev_broken(lane->net->dev, why);
	}
	if (!any)
		return;
	pthread_mutex_lock(&lane->lock);
	hv_net_rx_end(lane, 0);
	pthread_mutex_unlock(&lane->lock);
}

const struct hv_switch_port_ops hv_net_port_ops = { .deliver = deliver, .flush = flush };

/* ---- from the guest */

/*
 * The headers are copied, once, to where no guest can change them after they were checked; the rest
 * is copied from buffer to buffer.
 */
static const char *forward(struct hv_net_lane *lane, struct hv_switch_burst *burst,
			   const struct iovec *from, unsigned int n, size_t len)
{
	struct virtio_net_hdr_v1 hdr;
	struct hv_frame frame = { .iov = lane->iov, .len = len - HV_NET_HDR };
	const char *wrong;
	size_t head;

	hv_iov_read(from, n, 0, &hdr, sizeof(hdr));
	hv_frame_header_read(&frame, &hdr);
	head = hv_frame_is_plain(&frame) ? HV_FRAME_MIN : HV_FRAME_HEAD;
	if (head > frame.len)
		head = frame.len;
	hv_iov_read(from, n, HV_NET_HDR, lane->head, head);
	lane->iov[0] = (struct iovec){ lane->head, head };
	frame.n = 1 + hv_iov_slice(from, n, HV_NET_HDR + head, frame.len - head, lane->iov + 1);
	wrong = hv_frame_check(&frame, lane->features);
	if (wrong) {
		lane->out.errors++;
		return wrong;
	}
	wrong = hv_switch_send(burst, &frame);
	if (wrong) {
		lane->out.dropped++;
		return wrong;
	}
	lane->out.frames++;
	lane->out.bytes += frame.len;
	return NULL;
}

static void send_on(struct hv_net_lane *lane, struct hv_switch_burst *burst,
		    const struct iovec *from, unsigned int n, size_t len)
{
	const char *wrong;

	if (!hv_net_link(lane->net)) {
		lane->out.dropped++;
		return;
	}
	wrong = forward(lane, burst, from, n, len);
	if (wrong)
		hv_vdev_warn(lane->net->dev, "the guest sent %s: dropped", wrong);
}

/* One frame. 1 = done; 0 = none there, the limit, or a policy; -EPROTO. */
static int transmit(struct hv_net_lane *lane, struct hv_switch_burst *burst, uint64_t *until)
{
	struct hv_net_kept_frame *kept = hv_net_policy_first(lane, &lane->kept_out);
	struct hv_queue *q = &lane->tx->ring;
	struct hv_limit *limit = &lane->net->dev->limit;
	struct hv_chain chain;
	int rc;

	if (kept) {
		struct iovec iov = { kept->at, kept->len };

		send_on(lane, burst, &iov, 1, kept->len);
		hv_net_policy_gone(lane, &lane->kept_out);
		return 1;
	}
	if (hv_net_kept_full(&lane->kept_out))
		return 0;
	rc = hv_queue_pop(q, &chain);
	if (rc <= 0)
		return rc;
	if (hv_net_tx_check(lane, &chain))
		return 1;
	if (atomic_load(&limit->on))
		*until = hv_limit_take(limit, 1, chain.out_len - HV_NET_HDR, hv_now());
	if (*until) {
		hv_queue_unpop(q);
		return 0;
	}
	if (hv_net_policy_minds(lane, &lane->kept_out, HV_POLICY_OUT))
		return hv_net_policy_out(lane, &chain);
	send_on(lane, burst, chain.iov, chain.n_out, chain.out_len);
	hv_queue_push(q, chain.head, 0);
	return 1;
}

bool hv_net_switch_turn(struct hv_net_lane *lane, struct hv_worker *w)
{
	struct hv_switch_burst burst;
	uint64_t until = 0;
	int rc = 1;

	lane->tx->quiet = false;
	w->wake_at = 0;
	hv_net_policy_turn(lane);
	deliver_kept(lane);
	if (hv_queue_empty(&lane->tx->ring) && !lane->kept_out.n)
		return hv_net_policy_end(lane);
	hv_switch_begin(&burst, lane->net->port, lane->index, lane->scratch, hv_now());
	for (unsigned int i = 0; i < HV_NET_BURST && rc == 1; i++)
		rc = transmit(lane, &burst, &until);
	hv_switch_end(&burst);
	hv_net_tx_end(lane, burst.now);
	lane->tx->quiet = until != 0 || hv_net_kept_full(&lane->kept_out);
	w->wake_at = until;
	return hv_net_policy_end(lane) || rc == 1;
}
