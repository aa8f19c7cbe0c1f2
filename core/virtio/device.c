// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/device.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/device_priv.h"
#include "virtio/state.h"

/* Messages a guest can cause: this many at once, then one in this time. */
#define WARN_BURST 3
#define WARN_PERIOD 10000000000 /* ns */

int hv_vdev_init(struct hv_vdev *dev, const struct hv_vdev_ops *ops, const char *name,
		 unsigned int n_queues, const uint16_t *queue_max, const unsigned int *worker_of,
		 uint64_t offered, struct hv_err *err)
{
	if (!n_queues || n_queues > HV_VDEV_QUEUES)
		return hv_err_set(err, EINVAL, "%s: %u queues; a device has 1 to %d", name,
				  n_queues, HV_VDEV_QUEUES);
	for (unsigned int i = 0; i < n_queues; i++) {
		if (!queue_max[i] || queue_max[i] > HV_QUEUE_MAX ||
		    queue_max[i] & (queue_max[i] - 1))
			return hv_err_set(
				err, EINVAL,
				"%s: a queue of %u entries; it must be a power of two up to %d",
				name, queue_max[i], HV_QUEUE_MAX);
		if (worker_of && worker_of[i] >= HV_VDEV_WORKERS)
			return hv_err_set(err, EINVAL, "%s: a device has at most %d I/O threads",
					  name, HV_VDEV_WORKERS);
	}
	dev->ops = ops;
	dev->name = strdup(name);
	if (!dev->name)
		return hv_err_nomem(err);
	dev->offered = offered | HV_FEATURE(HV_F_VERSION_1) | HV_FEATURE(HV_F_INDIRECT_DESC) |
		       HV_FEATURE(HV_F_EVENT_IDX);
	dev->n_queues = n_queues;
	dev->n_workers = 1;
	for (unsigned int i = 0; i < n_queues; i++) {
		struct hv_vq *vq = &dev->queues[i];
		unsigned int w = worker_of ? worker_of[i] : 0;

		vq->dev = dev;
		vq->index = i;
		vq->max = vq->num = queue_max[i];
		vq->worker = &dev->workers[w];
		vq->worker->queues |= UINT64_C(1) << i;
		if (dev->n_workers <= w)
			dev->n_workers = w + 1;
	}
	for (unsigned int i = 0; i < dev->n_workers; i++) {
		dev->workers[i].dev = dev;
		dev->workers[i].index = i;
		dev->workers[i].eventfd = -1;
	}
	pthread_mutex_init(&dev->lock, NULL);
	pthread_cond_init(&dev->settled, NULL);
	hv_limit_init(&dev->limit);
	hv_limit_init(&dev->warnings);
	hv_limit_set_rates(&dev->warnings,
			   (struct hv_limit_rate){
				   .tokens = 1, .period_ns = WARN_PERIOD, .burst = WARN_BURST },
			   (struct hv_limit_rate){ 0 });
	return 0;
}

void hv_vdev_destroy(struct hv_vdev *dev)
{
	char *name = (char *)dev->name;
	int eventfds[HV_VDEV_WORKERS];
	unsigned int n = dev->n_workers;

	for (unsigned int i = 0; i < n; i++)
		eventfds[i] = dev->workers[i].eventfd;
	if (dev->policy)
		hv_policy_close(dev->policy);
	hv_policy_put(dev->policy);
	dev->policy = NULL;
	hv_limit_destroy(&dev->warnings);
	hv_limit_destroy(&dev->limit);
	pthread_cond_destroy(&dev->settled);
	pthread_mutex_destroy(&dev->lock);
	dev->name = NULL;
	if (dev->ops->destroy)
		dev->ops->destroy(dev); /* may free dev */
	/* A thread of the type's may have been about to ring until now. */
	for (unsigned int i = 0; i < n; i++)
		if (eventfds[i] >= 0)
			close(eventfds[i]);
	free(name);
}

void hv_vdev_tell(struct hv_vdev *dev, enum hv_vdev_event what, const char *message)
{
	if (dev->event)
		dev->event(dev, what, message, dev->event_arg);
}

static void interrupt(struct hv_vdev *dev, uint32_t cause)
{
	uint32_t before = atomic_fetch_or(&dev->interrupt_status, cause);

	hv_state_raise(dev->kept, cause);
	if (before & cause) {
		/* Still asserted: the guest looks at everything after it has acknowledged. */
		hv_stat_add(&dev->stats.suppressed, 1);
		return;
	}
	hv_stat_add(&dev->stats.interrupts, 1);
	dev->bus->interrupt(dev->bus, dev->irq);
}

void hv_vq_flush(struct hv_vq *vq)
{
	uint16_t n = (uint16_t)(vq->ring.used_idx - vq->ring.published);

	if (!n)
		return;
	atomic_store_explicit(&vq->worker->answered, true, memory_order_relaxed);
	hv_stat_add(&vq->completed, n);
	if (hv_queue_flush(&vq->ring)) {
		hv_stat_add(&vq->interrupts, 1);
		interrupt(vq->dev, VIRTIO_MMIO_INT_VRING);
	} else {
		hv_stat_add(&vq->dev->stats.suppressed, 1);
	}
}

static void config_interrupt(struct hv_vdev *dev)
{
	if (dev->bus && dev->status & VIRTIO_CONFIG_S_DRIVER_OK && !dev->resetting)
		interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

void hv_vdev_config_begin(struct hv_vdev *dev)
{
	pthread_mutex_lock(&dev->lock);
}

void hv_vdev_config_end(struct hv_vdev *dev)
{
	dev->config_generation++;
	hv_state_save(dev);
	config_interrupt(dev);
	pthread_mutex_unlock(&dev->lock);
}

void hv_vdev_config_changed(struct hv_vdev *dev)
{
	hv_vdev_config_begin(dev);
	hv_vdev_config_end(dev);
}

void hv_vdev_broken(struct hv_vdev *dev, const char *why)
{
	bool news;

	pthread_mutex_lock(&dev->lock);
	/* A life that ends anyway takes its trouble with it. */
	news = dev->status & VIRTIO_CONFIG_S_DRIVER_OK && !dev->resetting &&
	       !atomic_exchange(&dev->broken, true);
	if (news) {
		dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
		hv_state_save(dev);
		config_interrupt(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	if (!news)
		return;
	hv_vdev_warn(dev, "stopped until the guest resets it: %s", why);
	hv_vdev_tell(dev, HV_EV_BROKEN, why);
}

static void say(struct hv_vdev *dev, enum hv_log_level level, const char *text, uint64_t unsaid)
{
	char origin[HV_ORIGIN_TEXT];

	hv_origin_format(&dev->origin, origin);
	if (unsaid)
		hv_log(level, "%s%s%s%s: %s (%llu more before it, not shown)", dev->name,
		       *origin ? " (" : "", origin, *origin ? ")" : "", text,
		       (unsigned long long)unsaid);
	else
		hv_log(level, "%s%s%s%s: %s", dev->name, *origin ? " (" : "", origin,
		       *origin ? ")" : "", text);
}

void hv_vdev_warn(struct hv_vdev *dev, const char *fmt, ...)
{
	char text[HV_ERR_MSG_MAX];
	va_list ap;

	if (hv_limit_take(&dev->warnings, 1, 0, hv_now())) {
		atomic_fetch_add(&dev->unsaid, 1);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(dev, HV_LOG_WARN, text, atomic_exchange(&dev->unsaid, 0));
}

void hv_vdev_error(struct hv_vdev *dev, const char *fmt, ...)
{
	char text[HV_ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(dev, HV_LOG_ERROR, text, 0);
	hv_vdev_tell(dev, HV_EV_ERROR, text);
}

void hv_vdev_poke(struct hv_vdev *dev)
{
	for (unsigned int i = 0; i < dev->n_workers; i++)
		hv_worker_post(&dev->workers[i], HV_MSG_POKE);
}

void hv_vdev_pause(struct hv_vdev *dev, bool pause)
{
	atomic_store(&dev->paused, pause);
	hv_vdev_poke(dev);
}

static void reset_queue(struct hv_vq *vq)
{
	struct hv_queue_keep *keep = hv_state_queue(vq->dev->kept, vq->index);

	/* One that was to be taken up, and ends before, is stopped by nobody. */
	if (keep)
		__atomic_store_n(&keep->on, 0, __ATOMIC_RELEASE);
	vq->ready = vq->ending = vq->adopt = false;
	vq->num = vq->max;
	vq->desc = vq->avail = vq->used = 0;
}

static void reset_registers(struct hv_vdev *dev)
{
	dev->status = 0;
	dev->features = dev->driver_features = 0;
	dev->features_sel = dev->driver_features_sel = dev->queue_sel = 0;
	hv_state_lower(dev->kept, UINT32_MAX);
	atomic_store(&dev->interrupt_status, 0);
	atomic_store(&dev->broken, false);
	for (unsigned int i = 0; i < dev->n_queues; i++)
		reset_queue(&dev->queues[i]);
	if (dev->ops->reset)
		dev->ops->reset(dev);
}

/* Every worker has done as asked: the registers may show it, and whoever waits may go. */
static void finish(struct hv_vdev *dev)
{
	bool reset = dev->resetting;
	uint32_t cpus = dev->waiting_cpus;

	if (reset)
		reset_registers(dev);
	dev->resetting = false;
	for (unsigned int i = 0; i < dev->n_queues; i++)
		if (dev->queues[i].ending)
			reset_queue(&dev->queues[i]);
	dev->waiting_cpus = 0;
	/* Before they run on: who was let go is not served again by another process. */
	hv_state_save(dev);
	for (; cpus; cpus &= cpus - 1)
		dev->bus->release(dev->bus, (unsigned int)__builtin_ctz(cpus));
	pthread_cond_broadcast(&dev->settled);
	if (reset)
		hv_vdev_tell(dev, HV_EV_RESET, NULL);
}

void hv_vdev_want(struct hv_vdev *dev, uint32_t workers)
{
	dev->wanted++;
	workers |= dev->acks_due;
	for (; workers; workers &= workers - 1)
		hv_worker_post(&dev->workers[__builtin_ctz(workers)], HV_MSG_LIFE);
}

uint32_t hv_vdev_all_workers(const struct hv_vdev *dev)
{
	return (1u << dev->n_workers) - 1;
}

static bool want_and_wait(struct hv_vdev *dev, uint32_t workers, unsigned int cpu)
{
	dev->acks_due |= workers;
	hv_vdev_want(dev, workers);
	if (cpu >= 32)
		return false;
	dev->waiting_cpus |= 1u << cpu;
	return true;
}

bool hv_vdev_begin_reset(struct hv_vdev *dev, unsigned int cpu)
{
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
		reset_registers(dev);
		hv_vdev_tell(dev, HV_EV_RESET, NULL);
		return false;
	}
	dev->resetting = true;
	return want_and_wait(dev, hv_vdev_all_workers(dev), cpu);
}

bool hv_vdev_end_queue(struct hv_vdev *dev, struct hv_vq *vq, unsigned int cpu)
{
	if (!vq->ready || !(dev->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
		reset_queue(vq);
		return false;
	}
	vq->ending = true;
	return want_and_wait(dev, 1u << vq->worker->index, cpu);
}

/* What one worker is to serve, copied under the lock. */
struct life {
	uint64_t wanted;
	bool leaving;
	uint64_t on; /* bit per queue */
	uint64_t features;
	struct {
		uint16_t num;
		uint64_t desc, avail, used;
	} queue[HV_VDEV_QUEUES];
};

static void read_life(struct hv_vdev *dev, const struct hv_worker *w, struct life *life)
{
	*life = (struct life){
		.wanted = dev->wanted,
		.features = dev->features,
		.leaving = dev->leaving && !dev->resetting,
	};
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER_OK) || dev->resetting || dev->leaving)
		return;
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		const struct hv_vq *vq = &dev->queues[i];

		if (!(w->queues >> i & 1) || !vq->ready || vq->ending)
			continue;
		life->on |= UINT64_C(1) << i;
		life->queue[i].num = vq->num;
		life->queue[i].desc = vq->desc;
		life->queue[i].avail = vq->avail;
		life->queue[i].used = vq->used;
	}
}

bool hv_vdev_ending(struct hv_vdev *dev)
{
	bool ending;

	pthread_mutex_lock(&dev->lock);
	ending = dev->resetting;
	pthread_mutex_unlock(&dev->lock);
	return ending;
}

bool hv_vdev_leaving(struct hv_vdev *dev)
{
	bool leaving;

	pthread_mutex_lock(&dev->lock);
	leaving = dev->leaving && !dev->resetting;
	pthread_mutex_unlock(&dev->lock);
	return leaving;
}

void hv_vdev_kept(struct hv_vdev *dev)
{
	pthread_mutex_lock(&dev->lock);
	hv_state_save(dev);
	pthread_mutex_unlock(&dev->lock);
}

static void end_type(struct hv_vdev *dev, struct hv_worker *w)
{
	if (!w->live)
		return;
	dev->ops->stop(dev, w);
	hv_policy_leave(w);
	w->live = false;
	w->wake_at = 0;
	memset(w->fds, 0, sizeof(w->fds));
}

static int start_queue(struct hv_vq *vq, const struct life *life, struct hv_err *err)
{
	struct hv_vdev *dev = vq->dev;
	struct hv_queue_keep *keep = hv_state_queue(dev->kept, vq->index);
	unsigned int i = vq->index;
	bool adopt = vq->adopt;
	int rc;

	vq->quiet = false;
	vq->adopt = false;
	if (adopt)
		return hv_queue_adopt(&vq->ring, dev->bus->mem, life->queue[i].num,
				      life->queue[i].desc, life->queue[i].avail,
				      life->queue[i].used, life->features, keep, err);
	rc = hv_queue_start(&vq->ring, dev->bus->mem, life->queue[i].num, life->queue[i].desc,
			    life->queue[i].avail, life->queue[i].used, life->features, 0, err);
	if (rc)
		return rc;
	rc = hv_queue_keep(&vq->ring, keep, err);
	if (rc)
		hv_queue_stop(&vq->ring);
	return rc;
}

/* On the worker, no lock held. */
static void apply_life(struct hv_vdev *dev, struct hv_worker *w, const struct life *life)
{
	struct hv_err err = { 0 };
	uint64_t started = 0;
	int rc = 0;

	for (unsigned int i = 0; i < dev->n_queues; i++)
		if ((w->queues >> i & 1) && dev->queues[i].ring.size)
			started |= UINT64_C(1) << i;
	if (started == life->on)
		return;
	end_type(dev, w);
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		struct hv_vq *vq = &dev->queues[i];

		if (started & ~life->on & UINT64_C(1) << i) {
			if (life->leaving)
				hv_queue_leave(&vq->ring);
			else
				hv_queue_stop(&vq->ring);
		} else if (~started & life->on & UINT64_C(1) << i) {
			rc = start_queue(vq, life, &err);
			if (rc) {
				hv_err_prefix(&err, "queue %u: ", i);
				break;
			}
		}
	}
	if (!rc && life->on) {
		rc = dev->ops->start ? dev->ops->start(dev, w, &err) : 0;
		w->live = !rc;
	}
	if (rc)
		hv_vdev_broken(dev, err.msg);
}

void hv_vdev_settle(struct hv_vdev *dev, struct hv_worker *w)
{
	struct life life;

	pthread_mutex_lock(&dev->lock);
	read_life(dev, w, &life);
	pthread_mutex_unlock(&dev->lock);
	apply_life(dev, w, &life);
	pthread_mutex_lock(&dev->lock);
	/* More was wanted meanwhile: the message for it is on its way, and answered then. */
	if (life.wanted == dev->wanted && dev->acks_due >> w->index & 1) {
		dev->acks_due &= ~(1u << w->index);
		if (!dev->acks_due)
			finish(dev);
	}
	pthread_mutex_unlock(&dev->lock);
}

static void unplug(struct hv_vdev *dev)
{
	for (unsigned int i = 0; i < dev->n_workers; i++)
		hv_worker_end(&dev->workers[i]);
	pthread_mutex_lock(&dev->lock);
	dev->bus = NULL;
	/* Only now: a message of before, if one was still on its way, must begin nothing again. */
	dev->leaving = false;
	pthread_mutex_unlock(&dev->lock);
}

/* Device lock held, no thread of the device runs yet. */
static void restore(struct hv_vdev *dev)
{
	hv_state_restore(dev);
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		struct hv_vq *vq = &dev->queues[i];

		vq->adopt = vq->ready && dev->status & VIRTIO_CONFIG_S_DRIVER_OK &&
			    hv_state_queue(dev->kept, i)->on;
		/* What is kept of one that ended fits no ring that a driver sets up from now on. */
		if (!vq->adopt)
			hv_state_queue(dev->kept, i)->on = 0;
	}
	hv_state_save(dev);
}

/*
 * The guest may wait for an interrupt that nobody lived to raise. One too many is looked into and
 * found empty.
 */
static void go_on(struct hv_vdev *dev)
{
	pthread_mutex_lock(&dev->lock);
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) {
		hv_vdev_want(dev, hv_vdev_all_workers(dev));
		hv_state_raise(dev->kept, VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
		atomic_fetch_or(&dev->interrupt_status,
				VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
		hv_stat_add(&dev->stats.interrupts, 1);
		dev->bus->interrupt(dev->bus, dev->irq);
		hv_vdev_tell(dev, HV_EV_READY, NULL);
	}
	pthread_mutex_unlock(&dev->lock);
}

int hv_vdev_attach(struct hv_vdev *dev, const struct hv_vbus *bus, uint64_t at, uint64_t size,
		   uint32_t irq, struct hv_err *err)
{
	if (dev->bus)
		return hv_err_set(err, EBUSY, "%s is attached already, to zone %s", dev->name,
				  dev->bus->zone);
	pthread_mutex_lock(&dev->lock);
	dev->bus = bus;
	dev->at = at;
	dev->size = size;
	dev->irq = irq;
	dev->left = false;
	if (hv_state_is_adopted(dev->kept))
		restore(dev);
	pthread_mutex_unlock(&dev->lock);
	for (unsigned int i = 0; i < dev->n_workers; i++) {
		int rc = hv_worker_start(&dev->workers[i], dev, i, err);

		if (rc) {
			unplug(dev);
			return rc;
		}
	}
	if (hv_state_is_adopted(dev->kept))
		go_on(dev);
	return 0;
}

void hv_vdev_detach(struct hv_vdev *dev)
{
	if (!dev->bus)
		return;
	pthread_mutex_lock(&dev->lock);
	hv_vdev_begin_reset(dev, HV_NO_CPU);
	/* Before any queue stops: another process must find no driver that it is to go on with. */
	hv_state_save(dev);
	while (dev->acks_due)
		pthread_cond_wait(&dev->settled, &dev->lock);
	pthread_mutex_unlock(&dev->lock);
	unplug(dev);
}

void hv_vdev_leave(struct hv_vdev *dev)
{
	dev->left = true;
	if (!dev->bus)
		return;
	pthread_mutex_lock(&dev->lock);
	dev->leaving = true;
	dev->acks_due |= hv_vdev_all_workers(dev);
	hv_vdev_want(dev, 0);
	while (dev->acks_due)
		pthread_cond_wait(&dev->settled, &dev->lock);
	hv_state_save(dev);
	pthread_mutex_unlock(&dev->lock);
	unplug(dev);
}
