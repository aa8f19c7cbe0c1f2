// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/input.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/input_priv.h"
#include "virtio/state.h"

#define EVENTQ 0
#define STATUSQ 1
#define QUEUE_SIZE 64
#define TURN_CHAINS 64
#define TURN_STATUS 64 /* events of one chain that are looked at */

const char *hv_input_kind_name(enum hv_input_kind kind)
{
	static const char *const names[] = {
		[HV_INPUT_KEYBOARD] = "keyboard", [HV_INPUT_MOUSE] = "mouse",
		[HV_INPUT_TABLET] = "tablet",	  [HV_INPUT_TOUCH] = "touch",
		[HV_INPUT_EVDEV] = "evdev",
	};

	return names[kind];
}

/* ---- what waits for the guest */

unsigned int hv_input_room(struct hv_input *in)
{
	unsigned int room;

	pthread_mutex_lock(&in->lock);
	room = HV_INPUT_RING - (in->head - in->tail);
	pthread_mutex_unlock(&in->lock);
	return room;
}

static void put(struct hv_input *in, const struct hv_input_event *e)
{
	in->ring[in->head++ % HV_INPUT_RING] = (struct virtio_input_event){
		.type = htole16(e->type),
		.code = htole16(e->code),
		.value = htole32((uint32_t)e->value),
	};
	hv_input_state_apply(&in->state, e);
}

static void append(struct hv_input *in, const struct hv_input_event *events, size_t n)
{
	const struct hv_input_event end = { EV_SYN, SYN_REPORT, 0 };

	for (size_t i = 0; i < n; i++)
		put(in, &events[i]);
	put(in, &end);
}

void hv_input_append(struct hv_input *in, const struct hv_input_event *events, size_t n)
{
	pthread_mutex_lock(&in->lock);
	append(in, events, n);
	pthread_mutex_unlock(&in->lock);
}

int hv_input_append_diff(struct hv_input *in, const struct hv_input_state *to)
{
	struct hv_input_event events[HV_INPUT_DIFF];
	size_t n;

	pthread_mutex_lock(&in->lock);
	n = hv_input_state_diff(&in->state, to, &in->caps, events);
	if (n)
		append(in, events, n);
	pthread_mutex_unlock(&in->lock);
	return n != 0;
}

void hv_input_get_state(struct hv_input *in, struct hv_input_state *state)
{
	pthread_mutex_lock(&in->lock);
	*state = in->state;
	pthread_mutex_unlock(&in->lock);
}

void hv_input_settle(struct hv_input *in, const struct hv_input_state *to, bool places)
{
	if (!atomic_exchange(&in->doubtful, false))
		return;
	pthread_mutex_lock(&in->lock);
	hv_input_state_doubt(&in->state, to, in->kept.keys, in->kept.fingers, places);
	pthread_mutex_unlock(&in->lock);
}

int hv_input_send(struct hv_vdev *dev, const struct hv_input_event *events, size_t n,
		  struct hv_err *err)
{
	struct hv_input *in = dev->state;
	bool full;

	if (in->evdev)
		return hv_err_set(err, EINVAL, "%s: its input comes from %s", dev->name,
				  hv_evdev_path(in->evdev));
	if (!n || n >= HV_INPUT_REPORT)
		return hv_err_set(err, EINVAL, "%s: %zu events in a report; it has 1 to %u",
				  dev->name, n, HV_INPUT_REPORT - 1);
	for (size_t i = 0; i < n; i++)
		if (!hv_input_can(&in->caps, events[i].type, events[i].code))
			return hv_err_set(err, EINVAL, "%s: a %s has no event of type %u, code %u",
					  dev->name, hv_input_kind_name(in->kind), events[i].type,
					  events[i].code);
	pthread_mutex_lock(&in->lock);
	full = HV_INPUT_RING - (in->head - in->tail) <= n;
	if (full)
		in->refused = true;
	else
		append(in, events, n);
	pthread_mutex_unlock(&in->lock);
	if (full)
		return hv_err_set(err, EAGAIN, "%s: the guest has not taken %u events that wait",
				  dev->name, HV_INPUT_RING);
	hv_vdev_poke(dev);
	return 0;
}

/* ---- the worker */

static void tell(struct hv_vdev *dev)
{
	if (dev->event)
		dev->event(dev, HV_EV_INPUT, NULL, dev->event_arg);
}

static bool waiting(struct hv_input *in)
{
	return hv_input_room(in) < HV_INPUT_RING;
}

/* ---- for the next process */

static_assert(sizeof(struct hv_input_kept) == 12 + KEY_CNT / 8, "no padding");

static struct hv_input_event read_event(const struct virtio_input_event *e)
{
	return (struct hv_input_event){ le16toh(e->type), le16toh(e->code),
					(int32_t)le32toh(e->value) };
}

static void keep_down(struct hv_input *in, const uint8_t keys[KEY_CNT / 8], uint32_t fingers)
{
	if (in->kept.fingers == fingers && !memcmp(in->kept.keys, keys, KEY_CNT / 8))
		return;
	pthread_mutex_lock(&in->dev->lock);
	memcpy(in->kept.keys, keys, KEY_CNT / 8);
	in->kept.fingers = fingers;
	hv_state_save(in->dev);
	pthread_mutex_unlock(&in->dev->lock);
}

/*
 * Before a turn: what may be down at any moment of it. Whoever is killed in it has said so. Returns
 * for how many events that holds.
 */
static unsigned int keep_before(struct hv_input *in)
{
	struct hv_input_state after = in->given;
	uint32_t fingers = hv_input_state_fingers(&after);
	uint8_t keys[KEY_CNT / 8];
	unsigned int n;

	if (!in->dev->kept)
		return TURN_CHAINS;
	memcpy(keys, after.keys, sizeof(keys));
	pthread_mutex_lock(&in->lock);
	for (n = 0; n < TURN_CHAINS && in->tail + n != in->head; n++) {
		struct hv_input_event e = read_event(&in->ring[(in->tail + n) % HV_INPUT_RING]);

		hv_input_state_apply(&after, &e);
		if (e.type == EV_KEY && e.code < KEY_CNT && e.value)
			keys[e.code / 8] |= (uint8_t)(1u << e.code % 8);
		if (e.type == EV_ABS)
			fingers |= hv_input_state_fingers(&after);
	}
	pthread_mutex_unlock(&in->lock);
	keep_down(in, keys, fingers);
	return n;
}

static void keep_after(struct hv_input *in)
{
	if (in->dev->kept)
		keep_down(in, in->given.keys, hv_input_state_fingers(&in->given));
}

static void input_keep(struct hv_vdev *dev, void *to)
{
	const struct hv_input *in = dev->state;
	struct hv_input_kept kept = in->kept;

	kept.select = in->select;
	kept.subsel = in->subsel;
	kept.leds = atomic_load(&in->leds);
	memcpy(to, &kept, sizeof(kept));
}

/* It comes from a file; none of it can be wrong. */
static void input_restore(struct hv_vdev *dev, const void *from)
{
	struct hv_input *in = dev->state;

	memcpy(&in->kept, from, sizeof(in->kept));
	in->select = in->kept.select;
	in->subsel = in->kept.subsel;
	atomic_store(&in->leds, in->kept.leds);
	atomic_store(&in->doubtful, true);
}

/* Nobody holds down any more what a script did; a real device says how it stands. */
static void take_up(struct hv_input *in)
{
	struct hv_input_state up;

	hv_input_state_init(&up);
	hv_input_state_doubt(&in->given, &up, in->kept.keys, in->kept.fingers, false);
	if (!in->evdev) {
		hv_input_settle(in, &up, false);
		hv_input_append_diff(in, &up);
		return;
	}
	for (uint16_t i = 0; i < LED_CNT; i++)
		if (atomic_load(&in->leds) >> i & 1)
			hv_evdev_tell(in->evdev, EV_LED, i, 1);
}

/* One event to a chain, as drivers expect. */
static bool give(struct hv_input *in, struct hv_vq *vq, const struct hv_chain *chain)
{
	const struct iovec *iov = chain->iov + chain->n_out;
	struct hv_input_event given;
	struct virtio_input_event *e;

	if (chain->in_len < sizeof(*e)) {
		hv_vdev_warn(in->dev,
			     "the guest gave a buffer of %zu bytes for an event, which has %zu",
			     chain->in_len, sizeof(*e));
		hv_queue_push(&vq->ring, chain->head, 0);
		return false;
	}
	pthread_mutex_lock(&in->lock);
	e = &in->ring[in->tail++ % HV_INPUT_RING];
	given = read_event(e);
	hv_input_state_apply(&in->given, &given);
	hv_iov_write(iov, chain->n_in, 0, e, sizeof(*e));
	pthread_mutex_unlock(&in->lock);
	hv_queue_push(&vq->ring, chain->head, sizeof(*e));
	return true;
}

static int deliver(struct hv_input *in)
{
	struct hv_vdev *dev = in->dev;
	struct hv_vq *vq = &dev->queues[EVENTQ];
	struct hv_chain chain;
	bool had_room;
	int done = 0, most = TURN_CHAINS;

	/* What comes meanwhile is not in what was kept: the next turn has it. */
	if (waiting(in))
		most = (int)keep_before(in);
	while (done < most) {
		vq->quiet = !waiting(in);
		if (vq->quiet || hv_queue_pop(&vq->ring, &chain) <= 0)
			break;
		done++;
		if (!give(in, vq, &chain))
			continue;
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_add(&dev->stats.read_bytes, sizeof(struct virtio_input_event));
	}
	hv_vq_flush(vq);
	if (done)
		keep_after(in);
	pthread_mutex_lock(&in->lock);
	had_room = !in->refused || in->head - in->tail > HV_INPUT_RING / 2;
	if (!had_room)
		in->refused = false;
	pthread_mutex_unlock(&in->lock);
	if (!had_room)
		tell(dev);
	return done;
}

/* What the guest says: LEDs, and the bell. */
static bool obey(struct hv_input *in, const struct virtio_input_event *e)
{
	uint16_t type = le16toh(e->type), code = le16toh(e->code);
	bool on = e->value;
	uint32_t leds;

	if ((type != EV_LED && type != EV_SND) || !hv_input_can(&in->caps, type, code))
		return false;
	if (type == EV_LED) {
		leds = atomic_load(&in->leds);
		if ((leds >> code & 1) == on)
			return false;
		atomic_store(&in->leds, leds ^ 1u << code);
	}
	if (in->evdev)
		hv_evdev_tell(in->evdev, type, code,
			      type == EV_LED ? on : (int32_t)le32toh(e->value));
	return type == EV_LED;
}

static int listen(struct hv_input *in)
{
	struct hv_vdev *dev = in->dev;
	struct hv_vq *vq = &dev->queues[STATUSQ];
	struct virtio_input_event e;
	struct hv_chain chain;
	bool changed = false;
	int done = 0;

	while (done < TURN_CHAINS && hv_queue_pop(&vq->ring, &chain) > 0) {
		for (size_t off = 0; off < TURN_STATUS * sizeof(e); off += sizeof(e)) {
			if (hv_iov_read(chain.iov, chain.n_out, off, &e, sizeof(e)) < sizeof(e))
				break;
			changed |= obey(in, &e);
			hv_stat_add(&dev->stats.write_bytes, sizeof(e));
		}
		hv_queue_push(&vq->ring, chain.head, 0);
		hv_stat_add(&dev->stats.requests, 1);
		done++;
	}
	if (changed)
		hv_vdev_kept(dev);
	hv_vq_flush(vq);
	if (changed)
		tell(dev);
	return done;
}

static int input_start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	struct hv_input *in = dev->state;

	(void)w;
	(void)err;
	if (in->begun)
		return 0;
	in->begun = true;
	hv_input_state_init(&in->given);
	if (in->evdev)
		hv_evdev_begin(in->evdev);
	if (atomic_load(&in->doubtful))
		take_up(in);
	return 0;
}

static int input_work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_input *in = dev->state;
	int done = in->evdev ? hv_evdev_turn(in->evdev, in, w) : 0;

	done += deliver(in);
	done += listen(in);
	return done;
}

static void input_stop(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_input *in = dev->state;

	(void)w;
	if (!hv_vdev_ending(dev))
		return;
	in->begun = false;
	if (in->evdev)
		hv_evdev_end(in->evdev);
	atomic_store(&in->leds, 0);
	pthread_mutex_lock(&in->lock);
	in->tail = in->head;
	in->refused = false;
	hv_input_state_init(&in->state);
	pthread_mutex_unlock(&in->lock);
	tell(dev);
}

/* ---- registers: bridge thread, device's lock held */

static void input_config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	const struct hv_input *in = dev->state;
	struct virtio_input_config config = { .select = in->select, .subsel = in->subsel };

	config.size =
		(uint8_t)hv_input_caps_answer(&in->caps, in->select, in->subsel, config.u.bitmap);
	memcpy(to, (const uint8_t *)&config + off, len);
}

static void input_config_write(struct hv_vdev *dev, unsigned int off, const void *from,
			       unsigned int len)
{
	struct hv_input *in = dev->state;

	for (unsigned int i = 0; i < len; i++) {
		uint8_t byte = ((const uint8_t *)from)[i];

		if (off + i == offsetof(struct virtio_input_config, select))
			in->select = byte;
		else if (off + i == offsetof(struct virtio_input_config, subsel))
			in->subsel = byte;
	}
}

static void input_reset(struct hv_vdev *dev)
{
	struct hv_input *in = dev->state;

	in->select = in->subsel = 0;
	memset(&in->kept, 0, sizeof(in->kept));
	atomic_store(&in->doubtful, false);
}

/* ---- main thread */

static void free_input(struct hv_input *in)
{
	hv_evdev_free(in->evdev);
	pthread_mutex_destroy(&in->lock);
	free(in);
}

static void input_destroy(struct hv_vdev *dev)
{
	if (dev->state)
		free_input(dev->state);
	dev->state = NULL;
}

static const struct hv_vdev_ops input_ops = {
	.type = "input",
	.device_id = VIRTIO_ID_INPUT,
	.config_size = sizeof(struct virtio_input_config),
	.config_read = input_config_read,
	.config_write = input_config_write,
	.reset = input_reset,
	.start = input_start,
	.work = input_work,
	.stop = input_stop,
	.keeps = true,
	.kept_size = sizeof(struct hv_input_kept),
	.keep = input_keep,
	.restore = input_restore,
	.destroy = input_destroy,
};

int hv_input_init(struct hv_vdev *dev, const char *name, const struct hv_input_opts *opts,
		  struct hv_err *err)
{
	static const uint16_t max[] = { QUEUE_SIZE, QUEUE_SIZE };
	struct hv_input *in = calloc(1, sizeof(*in));
	int ret = 0;

	if (!in)
		return hv_err_nomem(err);
	in->dev = dev;
	in->kind = opts->kind;
	in->width = opts->width ?: HV_INPUT_SIDE;
	in->height = opts->height ?: HV_INPUT_SIDE;
	pthread_mutex_init(&in->lock, NULL);
	hv_input_state_init(&in->state);
	hv_input_caps_of_kind(&in->caps, in->kind, in->width, in->height);
	snprintf(in->caps.serial, sizeof(in->caps.serial), "%s", name);
	if (opts->kind == HV_INPUT_EVDEV) {
		ret = hv_evdev_new(opts->evdev, opts->host, &in->caps, &in->evdev, err);
		if (ret)
			hv_err_prefix(err, "%s: ", name);
	}
	if (!ret)
		ret = hv_vdev_init(dev, &input_ops, name, 2, max, NULL, 0, err);
	if (ret) {
		free_input(in);
		return ret;
	}
	dev->state = in;
	dev->origin = opts->origin;
	dev->queues[EVENTQ].stock = true;
	return 0;
}

void hv_input_info(struct hv_vdev *dev, struct hv_input_info *info)
{
	struct hv_input *in = dev->state;

	*info = (struct hv_input_info){
		.kind = in->kind,
		.evdev = in->evdev ? hv_evdev_path(in->evdev) : NULL,
		.model = in->caps.name,
		.gone = in->evdev && hv_evdev_gone(in->evdev),
		.leds = atomic_load(&in->leds),
		.width = in->width,
		.height = in->height,
		.waiting = HV_INPUT_RING - hv_input_room(in),
	};
}
