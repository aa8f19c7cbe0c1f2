// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/scmi.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_scmi.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/scmi_priv.h"

#define QUEUE_SIZE 64
#define TURN_MESSAGES 32
#define HEAD 4 /* the header of a message */

/* Reads a request and writes its answer; returns the bytes written. */
static uint32_t answer(struct scmi *scmi, const struct hv_chain *chain)
{
	const struct iovec *in = chain->iov + chain->n_out;
	uint8_t request[HEAD + SCMI_PAYLOAD], reply[HEAD + 4 + SCMI_PAYLOAD];
	size_t len = hv_iov_read(chain->iov, chain->n_out, 0, request, sizeof(request));
	enum scmi_status status = SCMI_PROTOCOL_ERROR;
	struct scmi_msg msg = { 0 };
	uint32_t header = 0;
	int32_t wire;

	if (len >= HEAD) {
		memcpy(&header, request, HEAD);
		header = le32toh(header);
	}
	msg.room = chain->in_len > HEAD + 4 ? chain->in_len - (HEAD + 4) : 0;
	if (msg.room > SCMI_PAYLOAD)
		msg.room = SCMI_PAYLOAD;
	if (len >= HEAD && chain->out_len <= sizeof(request)) {
		msg.params = request + HEAD;
		msg.params_len = len - HEAD;
		status = scmi_run(scmi, header, &msg);
	}
	if (status)
		hv_stat_add(&scmi->dev->stats.errors, 1);
	header = htole32(header);
	wire = (int32_t)htole32((uint32_t)status);
	memcpy(reply, &header, HEAD);
	memcpy(reply + HEAD, &wire, 4);
	memcpy(reply + HEAD + 4, msg.out, msg.out_len);
	len = HEAD + 4 + msg.out_len;
	if (len > chain->in_len)
		hv_vdev_warn(scmi->dev,
			     "the guest's buffer of %zu bytes is too small for the answer of %zu "
			     "to SCMI message 0x%x of protocol 0x%x",
			     chain->in_len, len, SCMI_HDR_ID(le32toh(header)),
			     SCMI_HDR_PROTOCOL(le32toh(header)));
	return (uint32_t)hv_iov_write(in, chain->n_in, 0, reply, len);
}

static int scmi_work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_vq *vq = &dev->queues[VIRTIO_SCMI_VQ_TX];
	struct scmi *scmi = dev->state;
	struct hv_chain chain;
	int done = 0;

	w->wake_at = 0;
	vq->quiet = false;
	while (done < TURN_MESSAGES && hv_queue_pop(&vq->ring, &chain) > 0) {
		uint32_t written;

		w->wake_at = hv_limit_take(&dev->limit, 1, chain.out_len + chain.in_len, hv_now());
		if (w->wake_at) {
			hv_queue_unpop(&vq->ring);
			vq->quiet = true;
			break;
		}
		written = answer(scmi, &chain);
		hv_queue_push(&vq->ring, chain.head, written);
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_add(&dev->stats.write_bytes, chain.out_len);
		hv_stat_add(&dev->stats.read_bytes, written);
		done++;
	}
	hv_vq_flush(vq);
	return done;
}

/* ---- for the next process */

static_assert(sizeof(struct scmi_kept) == 4 * SCMI_PROTOCOLS + 4 + 2 * SCMI_KEPT_HELD &&
		      sizeof(struct scmi_kept) <= HV_STATE_EXTRA,
	      "no padding, and room for it");

/* The host's lock is held, which comes before the device's. */
static void held_changed(void *arg)
{
	struct scmi *scmi = arg;
	struct scmi_kept *kept = &scmi->kept;
	unsigned int n;

	pthread_mutex_lock(&scmi->dev->lock);
	n = hv_clock_agent_list(scmi->agent, kept->held, SCMI_KEPT_HELD);
	kept->n_held = (uint16_t)(n < SCMI_KEPT_HELD ? n : SCMI_KEPT_HELD);
	kept->not_held = (uint16_t)(n - kept->n_held);
	hv_state_save(scmi->dev);
	pthread_mutex_unlock(&scmi->dev->lock);
}

void scmi_keep_versions(struct scmi *scmi)
{
	pthread_mutex_lock(&scmi->dev->lock);
	memcpy(scmi->kept.version, scmi->version, sizeof(scmi->version));
	hv_state_save(scmi->dev);
	pthread_mutex_unlock(&scmi->dev->lock);
}

static void scmi_keep(struct hv_vdev *dev, void *to)
{
	const struct scmi *scmi = dev->state;

	memcpy(to, &scmi->kept, sizeof(scmi->kept));
}

static bool agreed(const struct scmi_protocol *protocol, uint32_t version)
{
	for (unsigned int i = 0; i < protocol->n_versions; i++)
		if (protocol->versions[i] == version)
			return true;
	return version == protocol->version;
}

/* It comes from a file: what is not lent to the zone, or is no version, is left out. */
static void take_up(struct scmi *scmi)
{
	const struct scmi_kept *kept = &scmi->kept;
	enum hv_lent kind;
	uint32_t id;

	for (unsigned int i = 0; i < SCMI_PROTOCOLS; i++)
		if (agreed(scmi_protocols[i], kept->version[i]))
			scmi->version[i] = kept->version[i];
	for (unsigned int i = 0; i < kept->n_held && i < SCMI_KEPT_HELD; i++)
		if (hv_clock_held_of(kept->held[i], &kind, &id) &&
		    scmi->lent[kind].allowed[id / 64] >> (id % 64) & 1)
			hv_clock_agent_take(scmi->agent, kept->held[i]);
	if (kept->not_held)
		hv_log_warn("%s: %u of the clocks and power domains that its zone has on stay on "
			    "until the machine boots: only %d could be noted",
			    scmi->dev->name, kept->not_held, SCMI_KEPT_HELD);
}

int hv_scmi_held(const char *dir, const struct hv_state_id *id, uint16_t held[HV_SCMI_HELD],
		 struct hv_err *err)
{
	struct scmi_kept kept;
	int rc = hv_state_read(dir, id, VIRTIO_ID_SCMI, &kept, sizeof(kept), err);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	if (kept.n_held > SCMI_KEPT_HELD)
		return hv_err_set(err, EBADMSG, "zone %" PRIu32 ": what it has on cannot be read",
				  id->zone);
	memcpy(held, kept.held, sizeof(kept.held));
	return kept.n_held;
}

void hv_scmi_take_over(struct hv_vdev *dev, struct hv_clock_agent *stand_in)
{
	const struct scmi *scmi = dev->state;

	hv_clock_agent_replace(scmi->agent, stand_in);
}

static void scmi_restore(struct hv_vdev *dev, const void *from)
{
	struct scmi *scmi = dev->state;

	memcpy(&scmi->kept, from, sizeof(scmi->kept));
	scmi->taken_up = dev->status & VIRTIO_CONFIG_S_DRIVER_OK;
	/* The host's lock comes first; nobody else knows the device yet. */
	pthread_mutex_unlock(&dev->lock);
	take_up(scmi);
	pthread_mutex_lock(&dev->lock);
}

/* A life has ended: the next one begins by itself. */
static void scmi_reset_device(struct hv_vdev *dev)
{
	struct scmi *scmi = dev->state;

	scmi->taken_up = false;
}

static int scmi_start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	struct scmi *scmi = dev->state;
	bool taken_up;

	(void)w;
	(void)err;
	/* There are no notifications: buffers for them wait for ever. */
	dev->queues[VIRTIO_SCMI_VQ_RX].quiet = true;
	pthread_mutex_lock(&dev->lock);
	taken_up = scmi->taken_up;
	scmi->taken_up = false;
	pthread_mutex_unlock(&dev->lock);
	if (taken_up)
		return 0;
	/* Of a life that was taken up, and ended before it began here. */
	hv_clock_agent_release(scmi->agent);
	for (unsigned int i = 0; i < SCMI_PROTOCOLS; i++)
		scmi->version[i] = scmi_protocols[i]->version;
	scmi_keep_versions(scmi);
	return 0;
}

/* The driver that switched it on is gone, or goes on with another process. */
static void scmi_stop(struct hv_vdev *dev, struct hv_worker *w)
{
	struct scmi *scmi = dev->state;

	(void)w;
	if (!hv_vdev_leaving(dev))
		hv_clock_agent_release(scmi->agent);
}

static void scmi_destroy(struct hv_vdev *dev)
{
	struct scmi *scmi = dev->state;

	if (!scmi)
		return;
	/* Also what no driver was served with here: it is on, and kept as such. */
	if (dev->left)
		hv_clock_agent_leave(scmi->agent);
	else
		hv_clock_agent_free(scmi->agent);
	hv_clock_host_put(scmi->host);
	free(scmi);
	dev->state = NULL;
}

static const struct hv_vdev_ops scmi_ops = {
	.type = "scmi",
	.device_id = VIRTIO_ID_SCMI,
	.reset = scmi_reset_device,
	.start = scmi_start,
	.work = scmi_work,
	.stop = scmi_stop,
	.keeps = true,
	.kept_size = sizeof(struct scmi_kept),
	.keep = scmi_keep,
	.restore = scmi_restore,
	.restore_reset = scmi_restore,
	.destroy = scmi_destroy,
};

/* ---- who may use what */

static int allow(struct scmi *scmi, enum hv_lent kind, int64_t id, struct hv_err *err)
{
	struct scmi_lent *lent = &scmi->lent[kind];
	char name[HV_LENT_NAME];
	int rc;

	if (id < 0 || id >= HV_LENT_IDS)
		return hv_err_set(err, EINVAL, "%s %" PRId64 ": ids are 0 to %d",
				  hv_lent_name(kind), id, HV_LENT_IDS - 1);
	rc = hv_clock_host_name(scmi->host, kind, (uint32_t)id, name, err);
	if (rc < 0)
		return rc;
	lent->allowed[id / 64] |= UINT64_C(1) << (id % 64);
	if (lent->n <= id)
		lent->n = (uint32_t)id + 1;
	return 0;
}

static int allow_all(struct scmi *scmi, enum hv_lent kind, struct hv_err *err)
{
	uint32_t n;
	int rc = hv_clock_host_count(scmi->host, kind, &n, err);

	if (rc == 0 && !n)
		return hv_err_set(err, ENOENT,
				  "all %ss: zone0 lends none (its tree's /hvisor_virtio_device "
				  "lists them), or its kernel module cannot say how many: give "
				  "the ids",
				  hv_lent_name(kind));
	for (uint32_t i = 0; rc >= 0 && i < n; i++) {
		rc = allow(scmi, kind, i, err);
		if (rc == -ENOENT)
			rc = 0;
	}
	return rc;
}

static int allow_list(struct scmi *scmi, enum hv_lent kind, const struct hv_scmi_allow *list,
		      struct hv_err *err)
{
	uint32_t id;
	int rc = 0;

	if (list->all)
		return allow_all(scmi, kind, err);
	for (size_t i = 0; rc >= 0 && i < list->n_ids; i++)
		rc = allow(scmi, kind, list->ids[i], err);
	for (size_t i = 0; rc >= 0 && i < list->n_names; i++) {
		rc = hv_clock_host_find(scmi->host, kind, list->names[i], &id, err);
		if (rc >= 0)
			rc = allow(scmi, kind, id, err);
	}
	return rc;
}

static int allow_lists(struct scmi *scmi, const struct hv_scmi_opts *opts, struct hv_err *err)
{
	char where[HV_ORIGIN_TEXT];

	for (int kind = 0; kind < HV_LENT_KINDS; kind++) {
		const struct hv_scmi_allow *list = &opts->allow[kind];
		int rc = allow_list(scmi, (enum hv_lent)kind, list, err);

		if (rc >= 0)
			continue;
		hv_origin_format(&list->origin, where);
		if (*where && err)
			hv_err_prefix(err, "%s: ", where);
		return rc;
	}
	return 0;
}

int hv_scmi_init(struct hv_vdev *dev, const char *name, const struct hv_scmi_opts *opts,
		 struct hv_err *err)
{
	uint16_t max[VIRTIO_SCMI_VQ_MAX_CNT] = { QUEUE_SIZE, QUEUE_SIZE };
	struct scmi *scmi = calloc(1, sizeof(*scmi));
	int rc;

	if (!scmi)
		return hv_err_nomem(err);
	scmi->dev = dev;
	scmi->host = hv_clock_host_get(opts->host);
	memcpy(scmi->zone, opts->zone, strnlen(opts->zone, sizeof(scmi->zone) - 1));
	for (unsigned int i = 0; i < SCMI_PROTOCOLS; i++)
		scmi->version[i] = scmi_protocols[i]->version;
	rc = allow_lists(scmi, opts, err);
	if (rc >= 0)
		rc = hv_clock_agent_new(scmi->host, opts->zone, &scmi->agent, err);
	if (rc >= 0)
		rc = hv_vdev_init(dev, &scmi_ops, name, VIRTIO_SCMI_VQ_MAX_CNT, max, NULL, 0, err);
	if (rc < 0) {
		hv_clock_agent_free(scmi->agent);
		hv_clock_host_put(scmi->host);
		free(scmi);
		return rc;
	}
	dev->state = scmi;
	dev->origin = opts->origin;
	dev->queues[VIRTIO_SCMI_VQ_RX].stock = true;
	hv_clock_agent_watch(scmi->agent, held_changed, scmi);
	return 0;
}
