// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "virtio/dev/net_priv.h"

/*
 * A frame is read straight into the guest's buffers, as many as frames of late have needed; what
 * does not fit into those spills into `hold`, so that no frame is cut off and none is read that
 * could not be kept. Virtio and Ethernet header come into our own memory first: both decide things.
 */
struct headers {
	struct virtio_net_hdr_v1 net;
	uint8_t eth[HV_FRAME_MIN];
};

_Static_assert(sizeof(struct headers) == sizeof(struct virtio_net_hdr_v1) + HV_FRAME_MIN,
	       "no padding");

/* How long a TAP that cannot be read is left alone. */
#define REST_NS UINT64_C(100000000)
/* Frames after which the number of buffers offered follows the largest of them. */
#define WANT_FRAMES 64
/* Entries of the list that readv takes, less the headers' and the spill's. */
#define BUFFERS_MAX (IOV_MAX - 2)
_Static_assert(BUFFERS_MAX <= HV_QUEUE_MAX, "lane->iov");

static int tap_fd(const struct hv_net_lane *lane)
{
	return lane->net->tap.fd[lane->index];
}

static bool out_of_use(int error)
{
	return error == EBADFD || error == EBADF || error == ENODEV || error == ENXIO ||
	       error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == ECONNREFUSED;
}

/* 0 = go ahead; otherwise when. */
static uint64_t limited(const struct hv_net_lane *lane, size_t len)
{
	struct hv_limit *limit = &lane->net->dev->limit;

	return atomic_load(&limit->on) ? hv_limit_take(limit, 1, len, hv_now()) : 0;
}

/* ---- to the guest */

struct buffers {
	unsigned int n;				   /* chains */
	unsigned int n_iov;			   /* of lane->iov, the headers' entry included */
	unsigned int n_head;			   /* of head */
	size_t room;				   /* bytes */
	struct iovec head[sizeof(struct headers)]; /* where the headers go in the end */
};

/* Takes buffers for a frame of `want` bytes, or fewer. False: only hold will do. */
static int take_buffers(struct hv_net_lane *lane, size_t want, struct buffers *b)
{
	struct hv_chain chain;

	*b = (struct buffers){ .n_iov = 1 };
	do {
		const struct iovec *in;
		size_t skip = b->n ? 0 : sizeof(struct headers);
		int rc = hv_queue_pop(&lane->rx->ring, &chain);

		if (rc <= 0)
			return rc;
		if (b->n_iov + chain.n_in > BUFFERS_MAX || chain.in_len <= skip) {
			hv_queue_unpop(&lane->rx->ring);
			return 0;
		}
		in = chain.iov + chain.n_out;
		if (!b->n)
			b->n_head =
				hv_iov_slice(in, chain.n_in, 0, sizeof(struct headers), b->head);
		b->n_iov += hv_iov_slice(in, chain.n_in, skip, chain.in_len, lane->iov + b->n_iov);
		lane->taken[b->n].head = chain.head;
		lane->taken[b->n++].len = (uint32_t)chain.in_len;
		b->room += chain.in_len;
	} while (hv_net_can(lane, VIRTIO_NET_F_MRG_RXBUF) && b->room < want &&
		 b->n < lane->rx->ring.size);
	return 0;
}

/* Of the kernel's making, but perhaps from before the driver's features were known. */
static bool suits(const struct hv_net_lane *lane, struct hv_frame *frame)
{
	if (!hv_net_can(lane, VIRTIO_NET_F_GUEST_CSUM))
		frame->flags &= (uint8_t)~VIRTIO_NET_HDR_F_DATA_VALID;
	return hv_frame_fits(frame, lane->features);
}

static void note_size(struct hv_net_lane *lane, size_t len)
{
	if (len > lane->largest)
		lane->largest = len;
	if (len > lane->want || ++lane->since == WANT_FRAMES) {
		lane->want = lane->largest;
		lane->largest = 0;
		lane->since = 0;
	}
}

/* Delivers what is held. 1 = that is done; 0 = the limit; -ENOBUFS, -EPROTO. */
static int deliver_held(struct hv_net_lane *lane)
{
	struct iovec iov = { lane->hold + HV_NET_HDR, lane->held - HV_NET_HDR };
	struct hv_frame frame = { .iov = &iov, .n = 1, .len = iov.iov_len };
	struct virtio_net_hdr_v1 hdr;
	int rc;

	if (!lane->paid) {
		lane->rx_until = limited(lane, frame.len);
		if (lane->rx_until)
			return 0;
		lane->paid = true;
	}
	memcpy(&hdr, lane->hold, sizeof(hdr));
	hv_frame_header_read(&frame, &hdr);
	if (!suits(lane, &frame) && hv_frame_check(&frame, UINT64_MAX)) {
		lane->in.dropped++;
		lane->held = 0;
		return 1;
	}
	rc = hv_net_deliver(lane, &frame, lane->scratch);
	if (rc)
		return rc;
	lane->held = 0;
	return 1;
}

/* The n bytes just read go to hold, where they are not yet. */
static void hold(struct hv_net_lane *lane, const struct headers *headers, const struct buffers *b,
		 size_t n)
{
	size_t there = b->room < n ? b->room : n;

	memcpy(lane->hold, headers, sizeof(*headers));
	if (there > sizeof(*headers))
		hv_iov_read(lane->iov + 1, b->n_iov - 1, 0, lane->hold + sizeof(*headers),
			    there - sizeof(*headers));
	lane->held = n;
	lane->paid = false;
}

/* What does not end by itself must neither go unsaid nor keep a CPU busy. */
static void cannot_read(struct hv_net_lane *lane, int error)
{
	struct hv_net *net = lane->net;

	/* Nor is one that was switched off meanwhile in trouble. */
	if (error == EAGAIN || error == EINTR || atomic_load(&net->gone) ||
	    lane->index >= atomic_load(&net->active))
		return;
	lane->rx_until = hv_now() + REST_NS;
	hv_vdev_warn(net->dev, "the TAP %s cannot be read: %s", net->tap.name, strerror(error));
}

/* One frame. 1 = done; 0 = none there, or the limit; -ENOBUFS, -EPROTO. */
static int receive(struct hv_net_lane *lane)
{
	struct headers headers;
	struct hv_frame frame = { 0 };
	struct hv_net_kept_frame *kept;
	struct buffers b;
	size_t spill;
	ssize_t n;
	int rc;

	if (lane->held)
		return deliver_held(lane);
	kept = hv_net_policy_first(lane, &lane->kept_in);
	if (kept) {
		memcpy(lane->hold, kept->at, kept->len);
		lane->held = kept->len;
		lane->paid = false;
		hv_net_policy_gone(lane, &lane->kept_in);
		return deliver_held(lane);
	}
	lane->rx_waits = hv_net_kept_full(&lane->kept_in);
	if (lane->rx_waits)
		return 0;
	if (hv_queue_empty(&lane->rx->ring))
		return -ENOBUFS;
	if (atomic_load(&lane->net->dev->limit.on) ||
	    hv_net_policy_minds(lane, &lane->kept_in, HV_POLICY_IN))
		b = (struct buffers){ .n_iov = 1 };
	else if ((rc = take_buffers(lane, lane->want, &b)))
		return rc;
	lane->iov[0] = (struct iovec){ &headers, sizeof(headers) };
	spill = b.room > sizeof(headers) ? b.room : sizeof(headers);
	if (spill < sizeof(lane->hold))
		lane->iov[b.n_iov] =
			(struct iovec){ lane->hold + spill, sizeof(lane->hold) - spill };
	n = readv(tap_fd(lane), lane->iov, (int)b.n_iov + (spill < sizeof(lane->hold)));
	if (n < (ssize_t)sizeof(headers) || !hv_net_link(lane->net) ||
	    !hv_net_wanted(lane, headers.eth)) {
		int error = n < 0 ? errno : EPIPE;

		hv_net_untake(lane, b.n);
		if (n <= 0 && out_of_use(error))
			hv_net_tap_gone(lane, error);
		if (n < 0)
			cannot_read(lane, error);
		else if (n && (n < (ssize_t)sizeof(headers) || !hv_net_link(lane->net)))
			lane->in.dropped++;
		return n > 0;
	}
	note_size(lane, (size_t)n);
	if (hv_net_policy_minds(lane, &lane->kept_in, HV_POLICY_IN)) {
		hold(lane, &headers, &b, (size_t)n);
		hv_net_untake(lane, b.n);
		hv_net_policy_in(lane);
		return 1;
	}
	hv_frame_header_read(&frame, &headers.net);
	frame.len = (size_t)n - HV_NET_HDR;
	if ((size_t)n <= b.room && suits(lane, &frame)) {
		unsigned int used = 0;

		for (size_t left = (size_t)n; left; used++)
			left -= lane->taken[used].len < left ? lane->taken[used].len : left;
		hv_frame_header_write(&frame, &headers.net);
		headers.net.num_buffers = htole16((uint16_t)used);
		hv_iov_write(b.head, b.n_head, 0, &headers, sizeof(headers));
		hv_net_complete(lane, b.n, (size_t)n);
		return 1;
	}
	hold(lane, &headers, &b, (size_t)n);
	hv_net_untake(lane, b.n);
	return deliver_held(lane);
}

static bool receive_turn(struct hv_net_lane *lane)
{
	uint64_t begun = hv_now();
	int rc = 1;

	for (unsigned int i = 0; i < HV_NET_BURST && rc == 1; i++)
		rc = receive(lane);
	lane->rx_starved = rc == -ENOBUFS;
	hv_net_rx_end(lane, begun);
	return rc == 1;
}

/* ---- from the guest */

/* A frame behind its virtio header. false: the TAP takes none now. */
static bool send_on(struct hv_net_lane *lane, const struct iovec *iov, unsigned int n, size_t len)
{
	ssize_t done;

	if (!hv_net_link(lane->net)) {
		lane->out.dropped++;
		return true;
	}
	do {
		done = writev(tap_fd(lane), iov, (int)n);
	} while (done < 0 && errno == EINTR);
	if (done >= 0) {
		lane->out.frames++;
		lane->out.bytes += len - HV_NET_HDR;
	} else if (errno == EAGAIN) {
		lane->tx_stalled = true;
		hv_stat_add(&lane->net->stalls, 1);
		return false;
	} else {
		int error = errno;

		lane->out.dropped++;
		if (out_of_use(error))
			hv_net_tap_gone(lane, error);
		else if (error == EIO)
			hv_vdev_warn(lane->net->dev,
				     "the TAP %s is down on the host: frames are dropped (`ip link "
				     "set %s up`)",
				     lane->net->tap.name, lane->net->tap.name);
		else
			hv_vdev_warn(lane->net->dev, "the TAP %s refused a frame of %zu bytes: %s",
				     lane->net->tap.name, len - HV_NET_HDR, strerror(error));
	}
	return true;
}

/* One frame. 1 = done; 0 = none there, the limit, or the TAP or a policy takes none; -EPROTO. */
static int transmit(struct hv_net_lane *lane)
{
	struct hv_net_kept_frame *kept = hv_net_policy_first(lane, &lane->kept_out);
	struct hv_queue *q = &lane->tx->ring;
	struct hv_chain chain;
	int rc;

	if (kept) {
		struct iovec iov = { kept->at, kept->len };

		if (!send_on(lane, &iov, 1, kept->len))
			return 0;
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
	lane->tx_until = limited(lane, chain.out_len - HV_NET_HDR);
	if (lane->tx_until) {
		hv_queue_unpop(q);
		return 0;
	}
	if (hv_net_policy_minds(lane, &lane->kept_out, HV_POLICY_OUT))
		return hv_net_policy_out(lane, &chain);
	if (!send_on(lane, chain.iov, chain.n_out, chain.out_len)) {
		hv_queue_unpop(q);
		return 0;
	}
	hv_queue_push(q, chain.head, 0);
	return 1;
}

static bool transmit_turn(struct hv_net_lane *lane)
{
	uint64_t begun = hv_now();
	int rc = 1;

	for (unsigned int i = 0; i < HV_NET_BURST && rc == 1; i++)
		rc = transmit(lane);
	hv_net_tx_end(lane, begun);
	return rc == 1;
}

bool hv_net_tap_turn(struct hv_net_lane *lane, struct hv_worker *w)
{
	struct hv_net *net = lane->net;
	bool in_use = lane->index < atomic_load(&net->active), reads, done = false;

	lane->rx_starved = lane->rx_waits = lane->tx_stalled = false;
	lane->rx_until = lane->tx_until = 0;
	hv_net_policy_turn(lane);
	if (in_use && !atomic_load(&net->gone))
		done = receive_turn(lane);
	if (in_use && transmit_turn(lane))
		done = true;
	reads = in_use && !lane->rx_starved && !lane->rx_waits && !lane->rx_until &&
		!atomic_load(&net->gone);
	/* Where we wait for the TAP or the clock, the guest need not tell us of buffers. */
	lane->rx->quiet = !lane->rx_starved;
	lane->tx->quiet = lane->tx_stalled || lane->tx_until || hv_net_kept_full(&lane->kept_out);
	w->fds[0].fd = tap_fd(lane);
	w->fds[0].events = (short)((reads ? POLLIN : 0) | (lane->tx_stalled ? POLLOUT : 0));
	w->wake_at = lane->rx_until;
	hv_worker_wake(w, lane->tx_until);
	return hv_net_policy_end(lane) || done;
}
