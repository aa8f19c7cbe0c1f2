// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/rng.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/random.h>

#define QUEUE_SIZE 64

/*
 * A buffer gets at most so many bytes, which the driver has to expect (5.4.6.1), and
 * a turn makes at most so many: the thread must see a reset soon.
 */
#define BUFFER_BYTES 16384u
#define TURN_BYTES 65536u
#define TURN_CHAINS 64

/* The host has just started and has no randomness yet. */
#define RETRY 100000000u /* ns */

/* Returns how many bytes it made; 0 = none yet, see errno. */
static size_t fill(const struct hv_chain *chain, size_t len)
{
	size_t done = 0;

	for (unsigned int i = chain->n_out; i < chain->n_out + chain->n_in && done < len; i++) {
		uint8_t *at = chain->iov[i].iov_base;
		size_t left = chain->iov[i].iov_len;

		if (left > len - done)
			left = len - done;
		while (left) {
			ssize_t n = getrandom(at, left, GRND_NONBLOCK);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return done;
			at += n;
			left -= (size_t)n;
			done += (size_t)n;
		}
	}
	return done;
}

static void say_why(struct hv_vdev *dev, int error)
{
	/* That is a matter of time. */
	if (error != EAGAIN)
		hv_vdev_warn(dev, "the host makes no random numbers: %s; the guest waits",
			     strerror(error));
}

static int rng_work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_vq *vq = &dev->queues[0];
	size_t budget = TURN_BYTES;
	struct hv_chain chain;
	int done = 0;

	w->wake_at = 0;
	vq->quiet = false;
	while (budget && done < TURN_CHAINS && hv_queue_pop(&vq->ring, &chain) > 0) {
		size_t len = chain.in_len < BUFFER_BYTES ? chain.in_len : BUFFER_BYTES, n = 0;
		uint64_t now = hv_now();

		if (len > budget)
			len = budget;
		w->wake_at = hv_limit_take(&dev->limit, 1, len, now);
		if (!w->wake_at && len) {
			n = fill(&chain, len);
			if (!n) {
				w->wake_at = now + RETRY;
				say_why(dev, errno);
			}
		}
		if (w->wake_at) {
			hv_queue_unpop(&vq->ring);
			vq->quiet = true;
			break;
		}
		hv_queue_push(&vq->ring, chain.head, (uint32_t)n);
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_add(&dev->stats.read_bytes, n);
		hv_stat_latency(&dev->stats, hv_now() - now, 1);
		budget -= n;
		done++;
	}
	hv_vq_flush(vq);
	return done;
}

static void rng_stop(struct hv_vdev *dev, struct hv_worker *w)
{
	(void)dev;
	(void)w;
}

static const struct hv_vdev_ops rng_ops = {
	.type = "rng",
	.device_id = VIRTIO_ID_RNG,
	.work = rng_work,
	.stop = rng_stop,
	.keeps = true,
};

int hv_rng_init(struct hv_vdev *dev, const char *name, const struct hv_origin *origin,
		struct hv_err *err)
{
	uint16_t max = QUEUE_SIZE;
	int rc = hv_vdev_init(dev, &rng_ops, name, 1, &max, NULL, 0, err);

	if (!rc && origin)
		dev->origin = *origin;
	return rc;
}
