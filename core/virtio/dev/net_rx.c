// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "virtio/dev/net_priv.h"

static bool listed(const uint8_t (*macs)[6], unsigned int n, const uint8_t *mac)
{
	for (unsigned int i = 0; i < n; i++)
		if (!memcmp(macs[i], mac, 6))
			return true;
	return false;
}

bool hv_net_wanted(struct hv_net_lane *lane, const uint8_t *mac)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct hv_net *net = lane->net;
	const struct hv_net_filter *filter = &lane->filter;

	if (lane->filter_seen != atomic_load(&net->filter_changes)) {
		pthread_mutex_lock(&net->lock);
		lane->filter = net->filter;
		lane->filter_seen = atomic_load(&net->filter_changes);
		pthread_mutex_unlock(&net->lock);
	}
	if (filter->promisc)
		return true;
	if (mac[0] & 1)
		return filter->allmulti || filter->all_multi || !memcmp(mac, broadcast, 6) ||
		       listed(filter->multi, filter->n_multi, mac);
	return filter->all_uni || !memcmp(mac, filter->mac, 6) ||
	       listed(filter->uni, filter->n_uni, mac);
}

void hv_net_untake(struct hv_net_lane *lane, unsigned int taken)
{
	while (taken--)
		hv_queue_unpop(&lane->rx->ring);
}

void hv_net_complete(struct hv_net_lane *lane, unsigned int taken, size_t total)
{
	unsigned int used = 0;
	size_t left = total;

	while (used < taken && left) {
		if (lane->taken[used].len > left)
			lane->taken[used].len = (uint32_t)left;
		left -= lane->taken[used++].len;
	}
	hv_net_untake(lane, taken - used);
	for (unsigned int i = 0; i < used; i++)
		hv_queue_push(&lane->rx->ring, lane->taken[i].head, lane->taken[i].len);
	lane->in.frames++;
	lane->in.bytes += total - HV_NET_HDR;
}

/* [from_off, from_off + len) of one list to to_off of the other; both are long enough. */
static void copy(const struct iovec *to, size_t to_off, const struct iovec *from, size_t from_off,
		 size_t len)
{
	while (len) {
		size_t part;

		while (to_off >= to->iov_len)
			to_off -= to++->iov_len;
		while (from_off >= from->iov_len)
			from_off -= from++->iov_len;
		part = to->iov_len - to_off;
		if (part > from->iov_len - from_off)
			part = from->iov_len - from_off;
		if (part > len)
			part = len;
		memcpy((uint8_t *)to->iov_base + to_off, (const uint8_t *)from->iov_base + from_off,
		       part);
		to_off += part;
		from_off += part;
		len -= part;
	}
}

static uint8_t *byte_at(const struct iovec *iov, size_t off)
{
	while (off >= iov->iov_len)
		off -= iov++->iov_len;
	return (uint8_t *)iov->iov_base + off;
}

/* The next buffers: 1, or why not. The first must hold the header; those that cannot are given back
 * empty. */
static int take(struct hv_net_lane *lane, struct hv_chain *chain, bool first)
{
	struct hv_queue *q = &lane->rx->ring;

	for (unsigned int tries = 0; tries < q->size; tries++) {
		int rc = hv_queue_pop(q, chain);

		if (rc <= 0)
			return rc ? rc : -ENOBUFS;
		if (!first || chain->in_len >= HV_NET_HDR)
			return 1;
		hv_queue_push(q, chain->head, 0);
	}
	return -ENOBUFS;
}

int hv_net_put(struct hv_net_lane *lane, const struct hv_frame *frame)
{
	struct hv_queue *q = &lane->rx->ring;
	size_t total = HV_NET_HDR + frame->len, done = 0;
	struct virtio_net_hdr_v1 hdr;
	struct iovec hdr_iov = { &hdr, sizeof(hdr) };
	struct hv_chain chain;
	uint8_t *count[2] = { NULL, NULL };
	unsigned int n = 0;

	hv_frame_header_write(frame, &hdr);
	while (done < total) {
		const struct iovec *in;
		size_t part, at = 0;
		int rc = take(lane, &chain, n == 0);

		if (rc == 1 && !hv_net_can(lane, VIRTIO_NET_F_MRG_RXBUF) && chain.in_len < total) {
			hv_queue_unpop(q);
			return -EMSGSIZE;
		}
		if (rc < 0) {
			hv_net_untake(lane, n);
			return rc == -ENOBUFS && n == q->size ? -EMSGSIZE : rc;
		}
		in = chain.iov + chain.n_out;
		part = chain.in_len < total - done ? chain.in_len : total - done;
		if (!n) {
			copy(in, 0, &hdr_iov, 0, sizeof(hdr));
			count[0] = byte_at(in, offsetof(struct virtio_net_hdr_v1, num_buffers));
			count[1] = byte_at(in, offsetof(struct virtio_net_hdr_v1, num_buffers) + 1);
			at = sizeof(hdr);
		}
		copy(in, at, frame->iov, done + at - HV_NET_HDR, part - at);
		lane->taken[n].head = chain.head;
		lane->taken[n++].len = (uint32_t)part;
		done += part;
	}
	*count[0] = (uint8_t)n;
	*count[1] = (uint8_t)(n >> 8);
	hv_net_complete(lane, n, total);
	return 0;
}

struct put_all {
	struct hv_net_lane *lane;
	bool begun;
};

static int put_piece(const struct hv_frame *plain, void *arg)
{
	struct put_all *all = arg;
	int rc = hv_net_put(all->lane, plain);

	if (rc == -EMSGSIZE || (rc == -ENOBUFS && all->begun)) {
		all->lane->in.dropped++;
		rc = 0;
	}
	all->begun = true;
	return rc;
}

int hv_net_deliver(struct hv_net_lane *lane, struct hv_frame *frame, uint8_t *scratch)
{
	struct put_all all = { .lane = lane };

	if (!hv_net_can(lane, VIRTIO_NET_F_GUEST_CSUM))
		frame->flags &= (uint8_t)~VIRTIO_NET_HDR_F_DATA_VALID;
	if (hv_frame_fits(frame, lane->features))
		return put_piece(frame, &all);
	hv_stat_add(&lane->net->software, 1);
	return hv_frame_finish(frame, scratch, put_piece, &all);
}

int hv_net_tx_check(struct hv_net_lane *lane, const struct hv_chain *chain)
{
	const char *what;

	if (chain->out_len < HV_NET_HDR + HV_FRAME_MIN)
		what = "shorter than its headers";
	else if (chain->out_len > HV_NET_HDR + HV_FRAME_MAX)
		what = "longer than any packet";
	else
		return 0;
	hv_queue_push(&lane->tx->ring, chain->head, 0);
	lane->out.errors++;
	hv_vdev_warn(lane->net->dev, "the guest sent a frame %s (%zu bytes): dropped", what,
		     chain->out_len);
	return -EINVAL;
}

static void count(struct hv_vdev_stats *stats, struct hv_net_counts *counts,
		  _Atomic uint64_t *bytes, uint64_t begun)
{
	if (counts->frames) {
		hv_stat_add(&stats->requests, counts->frames);
		hv_stat_add(bytes, counts->bytes);
		if (begun)
			hv_stat_latency(stats, hv_now() - begun, counts->frames);
	}
	if (counts->errors)
		hv_stat_add(&stats->errors, counts->errors);
	if (counts->dropped)
		hv_stat_add(&stats->dropped, counts->dropped);
	*counts = (struct hv_net_counts){ 0 };
}

void hv_net_rx_end(struct hv_net_lane *lane, uint64_t begun)
{
	struct hv_vdev_stats *stats = &lane->net->dev->stats;

	count(stats, &lane->in, &stats->read_bytes, begun);
	if (lane->open)
		hv_vq_flush(lane->rx);
}

void hv_net_tx_end(struct hv_net_lane *lane, uint64_t begun)
{
	struct hv_vdev_stats *stats = &lane->net->dev->stats;

	count(stats, &lane->out, &stats->write_bytes, begun);
	hv_vq_flush(lane->tx);
}
