// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <string.h>

#include "virtio/dev/net_priv.h"
#include "virtio/state.h"

/* Commands in one turn. */
#define BURST 16

void hv_net_ctrl_reset(struct hv_net *net)
{
	struct hv_net_filter *filter = &net->filter;

	memset(filter, 0, sizeof(*filter));
	memcpy(filter->mac, net->own_mac, 6);
	/* Until the driver says what it wants it gets all (5.1.6.5.1); one that never does asked
	 * for no filter. */
	filter->promisc = true;
	atomic_fetch_add(&net->filter_changes, 1);
}

void hv_net_ctrl_keep(struct hv_net *net)
{
	pthread_mutex_lock(&net->dev->lock);
	net->kept.filter = net->filter;
	net->kept.active = atomic_load(&net->active);
	hv_state_save(net->dev);
	pthread_mutex_unlock(&net->dev->lock);
}

/* What the driver sent with a command, after class and command. */
struct command {
	const struct hv_chain *chain;
	size_t at;
};

static bool fetch(struct command *c, void *to, size_t len)
{
	if (hv_iov_read(c->chain->iov, c->chain->n_out, c->at, to, len) != len)
		return false;
	c->at += len;
	return true;
}

static bool ended(const struct command *c)
{
	return c->at == c->chain->out_len;
}

static bool set_rx_mode(struct hv_net *net, uint8_t what, struct command *c)
{
	uint8_t on;

	if (!fetch(c, &on, 1) || !ended(c) || on > 1)
		return false;
	if (what == VIRTIO_NET_CTRL_RX_PROMISC)
		net->filter.promisc = on;
	else if (what == VIRTIO_NET_CTRL_RX_ALLMULTI)
		net->filter.allmulti = on;
	else
		return false;
	return true;
}

/* A list longer than ours is read to its end, and lets all of its kind through. */
static bool fetch_macs(struct command *c, uint8_t (*macs)[6], unsigned int *n, bool *all)
{
	uint32_t count;

	if (!fetch(c, &count, sizeof(count)))
		return false;
	count = le32toh(count);
	if (count > (c->chain->out_len - c->at) / 6)
		return false;
	*all = count > HV_NET_MACS;
	*n = *all ? 0 : count;
	if (!*all)
		return !count || fetch(c, macs, 6 * (size_t)count);
	c->at += 6 * (size_t)count;
	return true;
}

static bool set_mac_table(struct hv_net *net, struct command *c)
{
	struct hv_net_filter new = net->filter;

	if (!fetch_macs(c, new.uni, &new.n_uni, &new.all_uni) ||
	    !fetch_macs(c, new.multi, &new.n_multi, &new.all_multi) || !ended(c))
		return false;
	net->filter = new;
	return true;
}

static bool set_mac(struct hv_net *net, struct command *c)
{
	uint8_t mac[6];

	if (!fetch(c, mac, 6) || !ended(c) || !hv_net_is_device_mac(mac))
		return false;
	memcpy(net->filter.mac, mac, 6);
	pthread_mutex_lock(&net->dev->lock);
	memcpy(net->mac, mac, 6);
	pthread_mutex_unlock(&net->dev->lock);
	return true;
}

static bool set_pairs(struct hv_net *net, struct command *c)
{
	uint16_t pairs;

	if (!fetch(c, &pairs, sizeof(pairs)) || !ended(c))
		return false;
	pairs = le16toh(pairs);
	return pairs && pairs <= net->pairs && !hv_net_set_pairs(net, pairs);
}

static bool acknowledge_announce(struct hv_net *net, struct command *c)
{
	if (!ended(c))
		return false;
	pthread_mutex_lock(&net->dev->lock);
	net->announce = false;
	pthread_mutex_unlock(&net->dev->lock);
	return true;
}

/* net->lock held. False = the command is unknown, not negotiated, or wrong. */
static bool obey(struct hv_net *net, struct command *c)
{
	const struct hv_vdev *dev = net->dev;
	struct virtio_net_ctrl_hdr hdr;

	if (!fetch(c, &hdr, sizeof(hdr)))
		return false;
	switch (hdr.class) {
	case VIRTIO_NET_CTRL_RX:
		return hv_vdev_has(dev, VIRTIO_NET_F_CTRL_RX) && set_rx_mode(net, hdr.cmd, c);
	case VIRTIO_NET_CTRL_MAC:
		if (hdr.cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET)
			return hv_vdev_has(dev, VIRTIO_NET_F_CTRL_RX) && set_mac_table(net, c);
		return hdr.cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET &&
		       hv_vdev_has(dev, VIRTIO_NET_F_CTRL_MAC_ADDR) && set_mac(net, c);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return hdr.cmd == VIRTIO_NET_CTRL_ANNOUNCE_ACK &&
		       hv_vdev_has(dev, VIRTIO_NET_F_GUEST_ANNOUNCE) &&
		       acknowledge_announce(net, c);
	case VIRTIO_NET_CTRL_MQ:
		return hdr.cmd == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET &&
		       hv_vdev_has(dev, VIRTIO_NET_F_MQ) && set_pairs(net, c);
	default:
		return false;
	}
}

static void answer(struct hv_net *net, struct hv_vq *vq, const struct hv_chain *chain)
{
	struct command c = { .chain = chain };
	uint8_t ack;
	bool done;

	pthread_mutex_lock(&net->lock);
	done = obey(net, &c);
	if (done)
		atomic_fetch_add(&net->filter_changes, 1);
	if (done)
		hv_net_ctrl_keep(net);
	pthread_mutex_unlock(&net->lock);
	if (!done)
		hv_stat_add(&net->dev->stats.errors, 1);
	ack = done ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
	hv_queue_push(&vq->ring, chain->head,
		      (uint32_t)hv_iov_write(chain->iov + chain->n_out, chain->n_in, 0, &ack, 1));
}

bool hv_net_ctrl_turn(struct hv_net *net, struct hv_vq *vq)
{
	struct hv_chain chain;
	unsigned int n = 0;

	while (n < BURST && hv_queue_pop(&vq->ring, &chain) == 1) {
		answer(net, vq, &chain);
		n++;
	}
	hv_vq_flush(vq);
	return n == BURST;
}
