// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/net.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtio/dev/net_priv.h"
#include "virtio/state.h"

/* Up to and including mtu (5.1.4). */
struct config {
	uint8_t mac[6];
	uint16_t status, max_pairs, mtu;
};

static_assert(sizeof(struct config) == 12, "configuration layout");

#define CTRL_QUEUE_SIZE 64

/* Always, whatever is behind the device. */
#define FEATURES                                                                                   \
	(HV_FEATURE(VIRTIO_NET_F_MTU) | HV_FEATURE(VIRTIO_NET_F_MAC) |                             \
	 HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | HV_FEATURE(VIRTIO_NET_F_STATUS) |                    \
	 HV_FEATURE(VIRTIO_NET_F_CTRL_VQ) | HV_FEATURE(VIRTIO_NET_F_CTRL_RX) |                     \
	 HV_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | HV_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE))
/* The switch does in software what a receiver has not agreed to. */
#define SWITCH_OFFLOADS                                                                            \
	(HV_FEATURE(VIRTIO_NET_F_CSUM) | HV_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |                     \
	 HV_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | HV_FEATURE(VIRTIO_NET_F_GUEST_TSO6) |               \
	 HV_FEATURE(VIRTIO_NET_F_GUEST_ECN) | HV_FEATURE(VIRTIO_NET_F_HOST_TSO4) |                 \
	 HV_FEATURE(VIRTIO_NET_F_HOST_TSO6) | HV_FEATURE(VIRTIO_NET_F_HOST_ECN) |                  \
	 HV_FEATURE(HV_NET_F_GUEST_USO4) | HV_FEATURE(HV_NET_F_GUEST_USO6) |                       \
	 HV_FEATURE(HV_NET_F_HOST_USO))

/* Features that mean nothing without another one (5.1.3.1); in an order that lets one pass do. */
static const struct {
	uint8_t feature, needs;
} needs[] = {
	{ VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM },
	{ HV_NET_F_GUEST_USO4, VIRTIO_NET_F_GUEST_CSUM },
	{ HV_NET_F_GUEST_USO6, VIRTIO_NET_F_GUEST_CSUM },
	{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM },
	{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM },
	{ HV_NET_F_HOST_USO, VIRTIO_NET_F_CSUM },
};

static uint64_t usable(uint64_t features)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (!(features >> needs[i].needs & 1))
			features &= ~HV_FEATURE(needs[i].feature);
	return features;
}

bool hv_net_is_device_mac(const uint8_t *mac)
{
	static const uint8_t none[6];

	return !(mac[0] & 1) && memcmp(mac, none, 6);
}

int hv_mac_parse(const char *text, uint8_t mac[6], struct hv_err *err)
{
	unsigned int byte[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3],
		   &byte[4], &byte[5], &end) != 6 ||
	    end != HV_MAC_TEXT - 1 || text[end] || strspn(text, "0123456789abcdefABCDEF:") != 17)
		return hv_err_set(err, EINVAL,
				  "\"%.40s\" is no MAC address: six bytes as in 52:54:00:12:34:56",
				  text);
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)byte[i];
	if (!hv_net_is_device_mac(mac))
		return hv_err_set(err, EINVAL, "%s is no address for one device: %s", text,
				  mac[0] & 1 ? "its first byte is odd, which names a group"
					     : "it is all zero");
	return 0;
}

const char *hv_mac_format(const uint8_t mac[6], char out[HV_MAC_TEXT])
{
	snprintf(out, HV_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return out;
}

/* FNV-1a of the name. */
void hv_mac_derive(const char *name, uint8_t mac[6])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> 8 * i);
	mac[0] = (uint8_t)((mac[0] & ~3u) | 2);
}

/* ---- configuration space: device lock held */

static void config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	struct hv_net *net = dev->state;
	struct config config = {
		.status = htole16((uint16_t)((hv_net_link(net) ? VIRTIO_NET_S_LINK_UP : 0) |
					     (net->announce ? VIRTIO_NET_S_ANNOUNCE : 0))),
		.max_pairs = htole16((uint16_t)net->pairs),
		.mtu = htole16(net->mtu),
	};

	memcpy(config.mac, net->mac, 6);
	memcpy(to, (const uint8_t *)&config + off, len);
}

/* ---- link */

static void report_link(struct hv_vdev *dev, bool up)
{
	if (dev->event)
		dev->event(dev, HV_EV_LINK, up ? "link up" : "link down", dev->event_arg);
}

void hv_net_set_link(struct hv_vdev *dev, bool up)
{
	struct hv_net *net = dev->state;
	bool before, after;

	hv_vdev_config_begin(dev);
	before = hv_net_link(net);
	atomic_store(&net->link_wanted, up);
	after = hv_net_link(net);
	if (after && !before && hv_vdev_has(dev, VIRTIO_NET_F_GUEST_ANNOUNCE))
		net->announce = true;
	if (after == before) {
		hv_state_save(dev);
		pthread_mutex_unlock(&dev->lock);
		return;
	}
	hv_vdev_config_end(dev);
	report_link(dev, after);
}

static bool is_gone(const struct hv_net_lane *lane)
{
	struct pollfd fd = { .fd = lane->net->tap.fd[lane->index] };

	return poll(&fd, 1, 0) > 0 && fd.revents & (POLLERR | POLLHUP | POLLNVAL);
}

void hv_net_tap_gone(struct hv_net_lane *lane, int error)
{
	struct hv_net *net = lane->net;
	struct hv_vdev *dev = net->dev;
	bool gone, news;

	/* A queue that was switched off for a moment may answer the same. */
	pthread_mutex_lock(&net->lock);
	gone = lane->index < net->attached && is_gone(lane);
	pthread_mutex_unlock(&net->lock);
	if (!gone)
		return;
	hv_vdev_config_begin(dev);
	news = !atomic_exchange(&net->gone, true);
	hv_vdev_config_end(dev);
	if (!news)
		return;
	hv_vdev_error(dev,
		      "the TAP %s has vanished (%s): the device goes on without a link; start it "
		      "again when "
		      "the TAP is back",
		      net->tap.name, strerror(error));
	report_link(dev, false);
}

/* ---- lives */

static struct hv_net_lane *lane_of(const struct hv_net *net, const struct hv_worker *w)
{
	return &net->lanes[w->index];
}

/* Without multi-queue there is one pair, and the control queue lies where the second would (5.1.2).
 */
static bool serves(const struct hv_vdev *dev, const struct hv_worker *w)
{
	return !w->index || hv_vdev_has(dev, VIRTIO_NET_F_MQ);
}

static struct hv_vq *control_queue(struct hv_vdev *dev)
{
	const struct hv_net *net = dev->state;

	if (!hv_vdev_has(dev, VIRTIO_NET_F_CTRL_VQ))
		return NULL;
	return &dev->queues[hv_vdev_has(dev, VIRTIO_NET_F_MQ) ? 2 * net->pairs : 2];
}

/* Switches queues on or off until n are on. */
static int attach(struct hv_net *net, unsigned int n, struct hv_err *err)
{
	int rc = 0;

	while (net->tap.n && !rc && net->attached != n) {
		bool on = net->attached < n;

		rc = hv_tap_queue(&net->tap, on ? net->attached : net->attached - 1, on, err);
		if (!rc)
			net->attached = on ? net->attached + 1 : net->attached - 1;
	}
	return rc;
}

int hv_net_set_pairs(struct hv_net *net, unsigned int n)
{
	unsigned int was = atomic_load(&net->active);
	struct hv_err err = { 0 };
	int rc;

	/* Who is not to use its queue any more must know before the queue is gone. */
	if (n < was)
		atomic_store(&net->active, n);
	rc = attach(net, n, &err);
	/* A TAP that has vanished has no queues to switch. */
	if (rc && !atomic_load(&net->gone)) {
		/* The driver goes on with those it had; one that is on and read by nobody would
		 * swallow its share of the frames. */
		attach(net, was, NULL);
		atomic_store(&net->active, was < net->attached ? was : net->attached);
		hv_vdev_warn(net->dev, "%s; pairs of queues in use: %u", err.msg,
			     atomic_load(&net->active));
	} else {
		atomic_store(&net->active, n);
		rc = 0;
	}
	/* A worker that saw its queue out of use for that moment waits for nothing any more. */
	hv_vdev_poke(net->dev);
	return rc;
}

static int set_offloads(struct hv_net_lane *lane, struct hv_err *err)
{
	struct hv_net *net = lane->net;
	int rc;

	if (!net->tap.n || atomic_load(&net->gone))
		return 0;
	pthread_mutex_lock(&net->lock);
	rc = hv_tap_offload(&net->tap, lane->features, err);
	pthread_mutex_unlock(&net->lock);
	if (rc && is_gone(&net->lanes[0])) {
		hv_net_tap_gone(&net->lanes[0], -rc);
		return 0;
	}
	return rc;
}

static int start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	struct hv_net *net = dev->state;
	struct hv_net_lane *lane = lane_of(net, w);
	int rc;

	if (!serves(dev, w))
		return 0;
	pthread_mutex_lock(&lane->lock);
	lane->features = usable(dev->features);
	pthread_mutex_unlock(&lane->lock);
	rc = set_offloads(lane, err);
	if (rc)
		return rc;
	pthread_mutex_lock(&lane->lock);
	lane->open = true;
	lane->rx->shared = lane->rx->quiet = net->port != NULL;
	if (net->port)
		hv_queue_notify_off(&lane->rx->ring);
	pthread_mutex_unlock(&lane->lock);
	return 0;
}

static int work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_net *net = dev->state;
	struct hv_vq *control = control_queue(dev);
	bool done = false;

	if (control && control->worker == w)
		done = hv_net_ctrl_turn(net, control);
	if (!serves(dev, w))
		return done;
	if (net->port)
		return hv_net_switch_turn(lane_of(net, w), w) || done;
	return hv_net_tap_turn(lane_of(net, w), w) || done;
}

static void end_life(struct hv_net *net)
{
	struct hv_vdev *dev = net->dev;

	pthread_mutex_lock(&net->lock);
	hv_net_ctrl_reset(net);
	hv_net_set_pairs(net, 1);
	hv_net_ctrl_keep(net);
	if (net->tap.n)
		hv_tap_offload(&net->tap, 0, NULL);
	pthread_mutex_unlock(&net->lock);
	pthread_mutex_lock(&dev->lock);
	memcpy(net->mac, net->own_mac, 6);
	net->announce = false;
	pthread_mutex_unlock(&dev->lock);
}

static void stop(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_net *net = dev->state;
	struct hv_net_lane *lane = lane_of(net, w);
	bool over = hv_vdev_ending(dev);

	pthread_mutex_lock(&lane->lock);
	/* The next driver has other buffers, and perhaps no use for this frame. */
	if (over && lane->held) {
		lane->held = 0;
		lane->in.dropped++;
	}
	hv_net_rx_end(lane, 0);
	lane->open = false;
	lane->rx->shared = false;
	pthread_mutex_unlock(&lane->lock);
	hv_net_policy_stop(lane, !over && !hv_vdev_leaving(dev));
	hv_net_tx_end(lane, 0);
	if (over)
		end_life(net);
}

static void free_net(struct hv_net *net)
{
	if (!net)
		return;
	hv_switch_leave(net->port);
	hv_tap_close(&net->tap);
	for (unsigned int i = 0; net->lanes && i < net->pairs; i++)
		pthread_mutex_destroy(&net->lanes[i].lock);
	free(net->lanes);
	pthread_mutex_destroy(&net->lock);
	free(net);
}

static void destroy(struct hv_vdev *dev)
{
	free_net(dev->state);
	dev->state = NULL;
}

static const struct hv_vdev_ops ops = {
	.type = "net",
	.device_id = 1,
	.config_size = sizeof(struct config),
	.config_read = config_read,
	.start = start,
	.work = work,
	.stop = stop,
	.keeps = true,
	.kept_size = HV_NET_STATE_SIZE,
	.keep = hv_net_keep,
	.restore = hv_net_restore,
	.restore_reset = hv_net_restore_link,
	.destroy = destroy,
};

/* ---- creation */

static int check_options(const struct hv_net_opts *opts, struct hv_err *err)
{
	char text[HV_MAC_TEXT];
	int behind = (opts->tap != NULL) + (opts->sw != NULL) + (opts->fds != NULL);

	if (behind != 1)
		return hv_err_set(err, EINVAL, "it needs either a TAP or a switch%s",
				  behind ? ", not both" : "");
	if (opts->bridge && !opts->tap)
		return hv_err_set(err, EINVAL, "a bridge is joined by a TAP, and it has none");
	if (opts->has_mac && !hv_net_is_device_mac(opts->mac))
		return hv_err_set(err, EINVAL, "%s is no address for one device",
				  hv_mac_format(opts->mac, text));
	if (opts->mtu && opts->mtu < HV_NET_MTU_MIN)
		return hv_err_set(err, EINVAL, "an MTU of %u: it must be %d to 65535", opts->mtu,
				  HV_NET_MTU_MIN);
	if (opts->pairs > HV_NET_PAIRS)
		return hv_err_set(err, EINVAL, "%u pairs of queues: 1 to %d are possible",
				  opts->pairs, HV_NET_PAIRS);
	if (opts->fds && opts->n_fds != (opts->pairs ? opts->pairs : 1))
		return hv_err_set(err, EINVAL, "%u descriptors for %u pairs of queues", opts->n_fds,
				  opts->pairs ? opts->pairs : 1);
	return 0;
}

static int connect_tap(struct hv_net *net, const struct hv_net_opts *opts, struct hv_err *err)
{
	const struct hv_tap_opts tap = {
		.name = opts->tap, .bridge = opts->bridge, .queues = net->pairs, .mtu = opts->mtu
	};
	int rc = 0;

	if (opts->fds)
		hv_tap_adopt(&net->tap, opts->fds, opts->n_fds, opts->mtu ? opts->mtu : HV_NET_MTU);
	else
		rc = hv_tap_open(&tap, &net->tap, err);
	/* The driver begins with one pair. */
	net->attached = net->tap.n;
	for (; !rc && net->attached > 1; net->attached--)
		rc = hv_tap_queue(&net->tap, net->attached - 1, false, err);
	net->mtu = net->tap.mtu;
	return rc;
}

static int make(struct hv_net *net, struct hv_vdev *dev, const char *name,
		const struct hv_net_opts *opts, struct hv_err *err)
{
	net->dev = dev;
	net->pairs = opts->pairs ? opts->pairs : 1;
	pthread_mutex_init(&net->lock, NULL);
	atomic_store(&net->link_wanted, true);
	atomic_store(&net->active, 1);
	if (opts->has_mac)
		memcpy(net->own_mac, opts->mac, 6);
	else
		hv_mac_derive(name, net->own_mac);
	memcpy(net->mac, net->own_mac, 6);
	hv_net_ctrl_reset(net);
	net->lanes = calloc(net->pairs, sizeof(*net->lanes));
	if (!net->lanes)
		return hv_err_nomem(err);
	net->kept = (struct hv_net_kept){ .filter = net->filter, .active = 1 };
	for (unsigned int i = 0; i < net->pairs; i++) {
		struct hv_net_lane *lane = &net->lanes[i];

		pthread_mutex_init(&lane->lock, NULL);
		lane->net = net;
		lane->index = i;
		lane->rx = &dev->queues[2 * i];
		lane->tx = &dev->queues[2 * i + 1];
		STAILQ_INIT(&lane->kept_in.frames);
		STAILQ_INIT(&lane->kept_out.frames);
		STAILQ_INIT(&lane->posted);
	}
	return 0;
}

static int init_queues(struct hv_vdev *dev, const char *name, const struct hv_net_opts *opts,
		       const struct hv_net *net, struct hv_err *err)
{
	unsigned int size = opts->queue_size ? opts->queue_size : HV_NET_QUEUE_SIZE;
	unsigned int n = 2 * net->pairs + 1, worker_of[HV_VDEV_QUEUES];
	uint64_t offered = FEATURES | (opts->sw ? SWITCH_OFFLOADS : net->tap.offloads);
	uint16_t max[HV_VDEV_QUEUES];

	if (size > HV_QUEUE_MAX)
		return hv_err_set(err, EINVAL, "queues of %u entries: a power of two up to %d",
				  size, HV_QUEUE_MAX);
	for (unsigned int i = 0; i < n; i++) {
		worker_of[i] = i < 2 * net->pairs ? i / 2 : 0;
		max[i] = i < 2 * net->pairs ? (uint16_t)size : CTRL_QUEUE_SIZE;
	}
	if (net->pairs > 1)
		offered |= HV_FEATURE(VIRTIO_NET_F_MQ);
	return hv_vdev_init(dev, &ops, name, n, max, worker_of, offered, err);
}

static void close_given(const struct hv_net_opts *opts)
{
	for (unsigned int i = 0; opts->fds && i < opts->n_fds; i++)
		close(opts->fds[i]);
}

static int init(struct hv_vdev *dev, const char *name, const struct hv_net_opts *opts,
		struct hv_err *err)
{
	struct hv_net *net = calloc(1, sizeof(*net));
	int rc;

	if (!net) {
		close_given(opts);
		return hv_err_nomem(err);
	}
	net->mtu = opts->mtu ? opts->mtu : HV_NET_MTU;
	net->sw = opts->sw;
	rc = make(net, dev, name, opts, err);
	if (!rc && !opts->sw)
		rc = connect_tap(net, opts, err);
	else if (rc)
		close_given(opts);
	if (!rc)
		rc = init_queues(dev, name, opts, net, err);
	if (rc) {
		free_net(net);
		return rc;
	}
	dev->state = net;
	dev->origin = opts->origin;
	for (unsigned int i = 0; i < net->pairs; i++)
		net->lanes[i].rx->stock = true;
	if (opts->sw)
		rc = hv_switch_join(opts->sw, dev->name, net->own_mac, &hv_net_port_ops, net,
				    &net->port, err);
	if (rc)
		hv_vdev_destroy(dev);
	return rc;
}

int hv_net_init(struct hv_vdev *dev, const char *name, const struct hv_net_opts *opts,
		struct hv_err *err)
{
	char origin[HV_ORIGIN_TEXT];
	int rc = check_options(opts, err);

	if (rc)
		close_given(opts);
	else
		rc = init(dev, name, opts, err);
	if (!rc)
		return 0;
	hv_origin_format(&opts->origin, origin);
	hv_err_prefix(err, "%s%s%s%s: ", name, *origin ? " (" : "", origin, *origin ? ")" : "");
	return rc;
}

void hv_net_info(struct hv_vdev *dev, struct hv_net_info *info)
{
	struct hv_net *net = dev->state;

	*info = (struct hv_net_info){
		.tap = net->tap.n ? net->tap.name : NULL,
		.sw = net->sw ? hv_switch_name(net->sw) : NULL,
		.made = net->tap.made,
		.link = hv_net_link(net),
		.gone = atomic_load(&net->gone),
		.mtu = net->mtu,
		.pairs = net->pairs,
		.active = atomic_load(&net->active),
		.stalls = atomic_load(&net->stalls),
		.software = atomic_load(&net->software),
	};
	pthread_mutex_lock(&dev->lock);
	memcpy(info->mac, net->mac, 6);
	pthread_mutex_unlock(&dev->lock);
}
