// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/state.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "virtio/state_priv.h"

#define STATUS_BITS                                                                                \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |      \
	 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED)

struct hv_state {
	struct state_file *file;
	size_t size;	    /* bytes of it: the type's room lies behind */
	unsigned int newer; /* which copy of the registers */
	uint64_t seq;
	bool adopted;
	char path[PATH_MAX];
};

/* ---- files */

static int name_file(char path[PATH_MAX], const char *dir, const struct hv_state_id *id,
		     struct hv_err *err)
{
	int n = snprintf(path, PATH_MAX, "%s/%" PRIu32 "-%" PRIx64 "-%" PRIx64, dir, id->zone,
			 id->at, id->size);

	return n < PATH_MAX ? 0 : hv_err_set(err, ENAMETOOLONG, "%s: the path is too long", dir);
}

/* ---- registers */

static void fill_queue(const struct hv_vq *vq, struct state_queue *q)
{
	*q = (struct state_queue){
		.desc = vq->desc,
		.avail = vq->avail,
		.used = vq->used,
		.num = vq->num,
		.ready = vq->ready,
		.ending = vq->ending,
	};
}

void hv_state_save(struct hv_vdev *dev)
{
	struct hv_state *s = dev->kept;
	struct state_regs *r;

	if (!s)
		return;
	s->newer ^= 1;
	r = &s->file->regs[s->newer];
	/* Torn from here on, until the sum is right again. */
	r->seq = ++s->seq;
	r->driver_features = dev->driver_features;
	r->features = dev->features;
	r->status = dev->status;
	r->features_sel = dev->features_sel;
	r->driver_features_sel = dev->driver_features_sel;
	r->queue_sel = dev->queue_sel;
	r->config_generation = dev->config_generation;
	r->resetting = dev->resetting;
	for (unsigned int i = 0; i < dev->n_queues; i++)
		fill_queue(&dev->queues[i], &r->queues[i]);
	r->extra_size = (uint32_t)dev->ops->kept_size;
	if (dev->ops->kept_size)
		dev->ops->keep(dev, r->extra);
	r->sum = state_sum(r, offsetof(struct state_regs, sum));
	atomic_signal_fence(memory_order_seq_cst);
}

void hv_state_restore(struct hv_vdev *dev)
{
	struct hv_state *s = dev->kept;
	const struct state_regs *r = &s->file->regs[s->newer];

	if (r->resetting) {
		/* Done: nothing of that life is left. */
		if (dev->ops->restore_reset)
			dev->ops->restore_reset(dev, r->extra);
		return;
	}
	dev->driver_features = r->driver_features;
	dev->features = r->features;
	dev->status = r->status;
	dev->features_sel = r->features_sel;
	dev->driver_features_sel = r->driver_features_sel;
	dev->queue_sel = r->queue_sel;
	dev->config_generation = r->config_generation;
	atomic_store(&dev->interrupt_status,
		     s->file->interrupt_status & (VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG));
	atomic_store(&dev->broken, (r->status & VIRTIO_CONFIG_S_NEEDS_RESET) != 0);
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		const struct state_queue *q = &r->queues[i];
		struct hv_vq *vq = &dev->queues[i];

		if (q->ending)
			continue;
		vq->num = q->num;
		vq->desc = q->desc;
		vq->avail = q->avail;
		vq->used = q->used;
		vq->ready = q->ready;
	}
	if (dev->ops->kept_size)
		dev->ops->restore(dev, r->extra);
}

static bool whole(const struct state_regs *r)
{
	return r->sum == state_sum(r, offsetof(struct state_regs, sum));
}

static int pick_copy(struct hv_state *s, struct hv_err *err)
{
	const struct state_regs *r = s->file->regs;
	bool ok[2] = { whole(&r[0]), whole(&r[1]) };

	if (!ok[0] && !ok[1])
		return hv_err_set(err, EBADMSG, "%s: it is damaged", s->path);
	s->newer = ok[1] && (!ok[0] || r[1].seq > r[0].seq);
	s->seq = r[s->newer].seq;
	return 0;
}

/* ---- is it what it should be? */

static int check_format(const struct hv_state *s, struct hv_err *err)
{
	const struct state_header *h = &s->file->header;

	if (h->magic != STATE_MAGIC || h->size != s->size)
		return hv_err_set(err, EBADMSG, "%s: this is no state of a device", s->path);
	if (h->version != STATE_VERSION)
		return hv_err_set(err, EBADMSG,
				  "%s: written by another version of hvsh (format %" PRIu32
				  ", this one knows %d)",
				  s->path, h->version, STATE_VERSION);
	if (h->sum != state_sum(h, offsetof(struct state_header, sum)))
		return hv_err_set(err, EBADMSG, "%s: it is damaged", s->path);
	return 0;
}

static int check_header(const struct hv_state *s, const struct hv_state_id *id,
			const struct hv_vdev *dev, struct hv_err *err)
{
	const struct state_header *h = &s->file->header;
	int rc = check_format(s, err);

	if (rc)
		return rc;
	if (!id->life || h->life != id->life || h->zone != id->zone)
		return hv_err_set(err, ENOENT,
				  "%s: it is from before the zone was started the last time",
				  s->path);
	if (h->at != id->at || h->window != id->size || h->irq != id->irq ||
	    h->device_id != dev->ops->device_id || h->n_queues != dev->n_queues ||
	    h->config != id->config)
		return hv_err_set(err, ESTALE,
				  "%s: the device is set up otherwise than when the zone's driver "
				  "found it",
				  s->path);
	if (s->size != sizeof(*s->file) + dev->ops->kept_room)
		return hv_err_set(err, EBADMSG, "%s: written by another version of hvsh", s->path);
	return 0;
}

static int check_queue(const struct hv_vq *vq, const struct state_queue *q)
{
	if (q->ready > 1 || q->ending > 1 || q->num > vq->max || q->num & (q->num - 1))
		return -EBADMSG;
	return q->ready && !q->num ? -EBADMSG : 0;
}

static int check_regs(const struct hv_state *s, const struct hv_vdev *dev, struct hv_err *err)
{
	const struct state_regs *r = &s->file->regs[s->newer];
	bool agreed = r->status & VIRTIO_CONFIG_S_FEATURES_OK;

	if (r->status & ~(uint32_t)STATUS_BITS || r->resetting > 1 ||
	    (r->status & VIRTIO_CONFIG_S_DRIVER_OK && !agreed) || (!agreed && r->features) ||
	    (agreed && !(r->features >> HV_F_VERSION_1 & 1)))
		return hv_err_set(err, EBADMSG, "%s: its status cannot be", s->path);
	for (unsigned int i = 0; i < dev->n_queues; i++)
		if (check_queue(&dev->queues[i], &r->queues[i]))
			return hv_err_set(err, EBADMSG, "%s: queue %u cannot be as it says",
					  s->path, i);
	if (r->features & ~dev->offered)
		return hv_err_set(err, ESTALE,
				  "%s: the zone's driver uses features that the device does not "
				  "have any more (0x%" PRIx64 ")",
				  s->path, r->features & ~dev->offered);
	if (r->extra_size != dev->ops->kept_size)
		return hv_err_set(err, EBADMSG, "%s: written by another version of hvsh", s->path);
	return 0;
}

/* There is a driver that is served. */
static bool goes_on(const struct state_regs *r)
{
	return r->status & VIRTIO_CONFIG_S_DRIVER_OK && !r->resetting &&
	       !(r->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* Each queue is taken over once for a try: the real thing happens on its own thread. */
static int check_rings(const struct hv_state *s, const struct hv_vdev *dev,
		       const struct hv_gmem *mem, struct hv_err *err)
{
	const struct state_regs *r = &s->file->regs[s->newer];

	for (unsigned int i = 0; i < dev->n_queues; i++) {
		const struct state_queue *q = &r->queues[i];
		struct hv_queue ring;
		int rc;

		if (!q->ready || q->ending || !s->file->queues[i].on)
			continue;
		rc = hv_queue_adopt(&ring, mem, q->num, q->desc, q->avail, q->used, r->features,
				    &s->file->queues[i], err);
		if (rc)
			return hv_err_prefix(err, "%s: queue %u: ", s->path, i);
		hv_queue_leave(&ring);
	}
	return 0;
}

static int open_room(struct hv_state *s, struct hv_vdev *dev, const struct hv_gmem *mem,
		     struct hv_err *err)
{
	int rc = dev->ops->open_kept ? dev->ops->open_kept(dev, s->file->regs[s->newer].extra,
							   hv_state_room(s), mem, err)
				     : 0;

	return rc ? hv_err_prefix(err, "%s: ", s->path) : 0;
}

/* ---- lives */

static int new_state(const char *dir, const struct hv_state_id *id, struct hv_state **out,
		     struct hv_err *err)
{
	struct hv_state *s = calloc(1, sizeof(*s));
	int rc = s ? name_file(s->path, dir, id, err) : hv_err_nomem(err);

	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

int hv_state_create(const char *dir, const struct hv_state_id *id, struct hv_vdev *dev,
		    struct hv_err *err)
{
	struct state_header *h;
	struct hv_state *s = NULL;
	int rc = state_make_dir(dir, err);

	if (!rc)
		rc = new_state(dir, id, &s, err);
	if (!rc)
		rc = state_make_file(s->path, s->size = sizeof(*s->file) + dev->ops->kept_room,
				     (void **)&s->file, err);
	if (rc) {
		free(s);
		return rc;
	}
	h = &s->file->header;
	*h = (struct state_header){
		.magic = STATE_MAGIC,
		.version = STATE_VERSION,
		.size = (uint32_t)s->size,
		.life = id->life,
		.at = id->at,
		.window = id->size,
		.config = id->config,
		.zone = id->zone,
		.irq = id->irq,
		.device_id = dev->ops->device_id,
		.n_queues = dev->n_queues,
	};
	h->sum = state_sum(h, offsetof(struct state_header, sum));
	dev->kept = s;
	pthread_mutex_lock(&dev->lock);
	hv_state_save(dev);
	pthread_mutex_unlock(&dev->lock);
	rc = state_place_file(s->path, err);
	if (rc) {
		dev->kept = NULL;
		hv_state_close(s, false);
	}
	return rc;
}

static int open_state(const char *dir, const struct hv_state_id *id, struct hv_state **out,
		      struct hv_err *err)
{
	struct hv_state *s;
	int rc = new_state(dir, id, &s, err);

	if (rc)
		return rc;
	s->size = sizeof(*s->file);
	rc = state_open_file(s->path, &s->size, HV_STATE_ROOM, (void **)&s->file, err);
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

int hv_state_read(const char *dir, const struct hv_state_id *id, uint32_t device_id, void *extra,
		  size_t size, struct hv_err *err)
{
	const struct state_header *h;
	const struct state_regs *r;
	struct hv_state *s;
	int rc = open_state(dir, id, &s, err);

	if (rc)
		return rc;
	h = &s->file->header;
	rc = check_format(s, err);
	if (!rc && h->device_id != device_id)
		rc = hv_err_set(err, ENOENT, "%s: it is of another type of device", s->path);
	if (!rc)
		rc = pick_copy(s, err);
	r = &s->file->regs[s->newer];
	if (!rc && (h->zone != id->zone || h->at != id->at || h->window != id->size ||
		    r->extra_size != size))
		rc = hv_err_set(err, EBADMSG, "%s: it is damaged", s->path);
	if (!rc)
		memcpy(extra, r->extra, size);
	hv_state_close(s, false);
	return rc;
}

int hv_state_open(const char *dir, const struct hv_state_id *id, struct hv_vdev *dev,
		  const struct hv_gmem *mem, struct hv_err *err)
{
	struct hv_state *s;
	int rc = open_state(dir, id, &s, err);

	if (rc)
		return rc;
	rc = check_header(s, id, dev, err);
	if (!rc)
		rc = pick_copy(s, err);
	if (!rc)
		rc = check_regs(s, dev, err);
	if (!rc && goes_on(&s->file->regs[s->newer]))
		rc = check_rings(s, dev, mem, err) ?: open_room(s, dev, mem, err);
	if (rc) {
		hv_state_close(s, false);
		return rc;
	}
	s->adopted = true;
	dev->kept = s;
	return 0;
}

void hv_state_close(struct hv_state *s, bool remove)
{
	if (!s)
		return;
	if (remove)
		unlink(s->path);
	munmap(s->file, s->size);
	free(s);
}

bool hv_state_has_driver(const struct hv_state *s)
{
	return s && s->file->regs[s->newer].status & VIRTIO_CONFIG_S_DRIVER_OK;
}

bool hv_state_is_adopted(const struct hv_state *s)
{
	return s && s->adopted;
}

struct hv_queue_keep *hv_state_queue(struct hv_state *s, unsigned int queue)
{
	return s ? &s->file->queues[queue] : NULL;
}

void *hv_state_room(struct hv_state *s)
{
	return s ? s->file + 1 : NULL;
}

void hv_state_raise(struct hv_state *s, uint32_t cause)
{
	if (s)
		__atomic_fetch_or(&s->file->interrupt_status, cause, __ATOMIC_RELAXED);
}

void hv_state_lower(struct hv_state *s, uint32_t cause)
{
	if (s)
		__atomic_fetch_and(&s->file->interrupt_status, ~cause, __ATOMIC_RELAXED);
}

uint32_t *hv_state_injected(struct hv_state *s)
{
	return s ? &s->file->injected : NULL;
}

/* ---- the folder */

void hv_state_each(const char *dir,
		   void (*fn)(void *arg, uint32_t zone, uint64_t at, uint64_t size), void *arg)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		uint32_t zone;
		uint64_t at, size;
		int end = 0;

		if (sscanf(e->d_name, "%" SCNu32 "-%" SCNx64 "-%" SCNx64 "%n", &zone, &at, &size,
			   &end) == 3 &&
		    end && !e->d_name[end])
			fn(arg, zone, at, size);
	}
	if (d)
		closedir(d);
}

struct forget {
	const char *dir;
	uint32_t zone;
};

static void forget_one(void *arg, uint32_t zone, uint64_t at, uint64_t size)
{
	const struct forget *f = arg;
	const struct hv_state_id id = { .zone = zone, .at = at, .size = size };
	char path[PATH_MAX];

	if (zone == f->zone && !name_file(path, f->dir, &id, NULL))
		unlink(path);
}

void hv_state_forget(const char *dir, uint32_t zone)
{
	hv_state_each(dir, forget_one, &(struct forget){ dir, zone });
}
