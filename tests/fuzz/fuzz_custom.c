// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/custom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM 32768u
#define QUEUES 4

#include "tests/fuzz/vdev_driver.h"

#define REQUESTS 8u
#define KEPT 16u /* questions of which the script knows: those it has, and old ones */
#define HOUR UINT64_C(3600000000000)

struct script {
	struct hv_vdev *dev;
	struct hv_custom_opts opts;
	struct kept {
		struct hv_question question;
		bool open; /* never answered, so that its data must still be there */
		bool done; /* answered, and that was taken */
	} kept[KEPT];
	unsigned int next; /* of kept */
	uint64_t old_life;
	bool gone;
};

static uint8_t bytes[HV_CUSTOM_REQUEST + 64];

#define must(right)                                                                                \
	do {                                                                                       \
		if (!(right)) {                                                                    \
			fprintf(stderr, "line %d: not so: %s\n", __LINE__, #right);                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void touch(const void *data, size_t len)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
}

static void take_question(struct script *s)
{
	struct hv_question q;
	struct kept *k;

	if (!hv_desk_take(hv_custom_desk(s->dev), &q))
		return;
	must(q.ticket && q.kind < s->opts.n_queues && !s->opts.queues[q.kind].receive);
	must(q.len <= s->opts.max_request && q.room <= s->opts.max_request);
	/* Old ones stay known for a while, so that they are answered again. */
	do {
		k = &s->kept[s->next++ % KEPT];
	} while (k->open);
	*k = (struct kept){ .question = q, .open = true };
}

static void answer(struct script *s, struct kept *k, const struct hv_answer *a)
{
	size_t len = a->data ? a->len : 0;
	int rc = hv_desk_answer(hv_custom_desk(s->dev), k->question.ticket, a);

	must(rc == 0 || rc == -ESTALE || rc == -EMSGSIZE || rc == -ENOBUFS);
	must(rc || (len <= k->question.room && k->open));
	must(!k->done || rc == -ESTALE || len > HV_DESK_DATA_MAX);
	k->done |= !rc;
	/* A desk where nobody answers keeps everything. */
	if ((!rc || rc == -ESTALE) && !s->gone)
		k->open = false;
}

static void answer_one(struct script *s, struct input *in)
{
	struct kept *k = &s->kept[take(in, 1) % KEPT];
	uint8_t how = (uint8_t)take(in, 1);
	size_t len = (size_t)take(in, 2);
	struct hv_answer a = {
		.word = how % 3 ? HV_ANSWER_ALLOW : HV_ANSWER_DENY,
		.status = how,
		.delay_ns = how,
		.data = how & 4 ? NULL : bytes,
		.len = how & 8 ? len << 2 : len % 64,
	};

	if (a.len > sizeof(bytes))
		a.len = sizeof(bytes);
	if (k->question.ticket)
		answer(s, k, &a);
}

/* A ticket that may be anybody's. */
static void answer_nobody(struct script *s, struct input *in)
{
	uint64_t ticket = take(in, 1) | take(in, 6) << 16;

	for (unsigned int i = 0; i < KEPT; i++)
		if (s->kept[i].question.ticket == ticket)
			return;
	/* One that nobody has taken is not to be answered, either. */
	must(hv_desk_answer(hv_custom_desk(s->dev), ticket,
			    &(struct hv_answer){ .word = HV_ANSWER_ALLOW }) == -ESTALE);
	must(!hv_desk_open(hv_custom_desk(s->dev), ticket));
}

static void send_message(struct script *s, struct input *in)
{
	unsigned int queue = (unsigned int)take(in, 1) % (QUEUES + 1);
	size_t len = (size_t)take(in, 2);
	int rc = hv_custom_send(s->dev, queue, bytes, len, NULL);

	must(rc == 0 || rc == -EINVAL || rc == -EMSGSIZE || rc == -EAGAIN);
	must(rc || (s->opts.queues[queue].receive && len <= s->opts.max_request));
}

static void change_config(struct script *s, struct input *in)
{
	size_t at = (size_t)take(in, 2), len = (size_t)take(in, 2) % (HV_CUSTOM_CONFIG + 8);
	uint8_t now[HV_CUSTOM_CONFIG];
	int rc;

	if (at & 0x8000)
		at = SIZE_MAX - (at & 0x7f);
	rc = hv_custom_set_config(s->dev, at, bytes, len, NULL);
	must(rc == (at <= s->opts.config_size && len <= s->opts.config_size - at ? 0 : -ERANGE));
	must(hv_custom_config(s->dev, now) == s->opts.config_size);
	must(rc || !memcmp(now + at, bytes, len));
}

static void hear_of_writes(struct script *s)
{
	uint8_t written[HV_CUSTOM_CONFIG];
	size_t at, len;

	if (!hv_custom_written(s->dev, &at, written, &len))
		return;
	must(s->opts.config_writable && at <= s->opts.config_size &&
	     len <= s->opts.config_size - at);
	touch(written, len);
}

static void fail(struct script *s, bool old)
{
	struct hv_custom_life life;

	hv_custom_life(s->dev, &life);
	must(life.n >= s->old_life);
	hv_custom_fail(s->dev, old ? s->old_life : life.n, "the model has failed");
	s->old_life = life.n;
}

static void act(struct script *s, struct input *in, unsigned int what)
{
	switch (what) {
	case 0:
	case 1:
		take_question(s);
		break;
	case 2:
	case 3:
	case 4:
		answer_one(s, in);
		break;
	case 5:
		answer_nobody(s, in);
		break;
	case 6:
	case 7:
		send_message(s, in);
		break;
	case 8:
		change_config(s, in);
		break;
	case 9:
		hear_of_writes(s);
		break;
	case 10:
		fail(s, take(in, 1) & 1);
		break;
	case 11:
		if (take(in, 1) == 0xaa) {
			hv_desk_close(hv_custom_desk(s->dev));
			s->gone = true;
		}
		break;
	default:
		memset(bytes, (int)take(in, 1), 64);
	}
}

/* Whatever was done to it: a driver that starts and keeps to the rules is served. */
static void must_work(struct script *s)
{
	struct hv_vdev *dev = s->dev;
	const struct hv_answer none = { .word = HV_ANSWER_ALLOW };
	const struct hv_answer a = { .word = HV_ANSWER_ALLOW, .data = bytes, .len = 5 };
	struct kept *k;
	uint16_t used;
	uint32_t len;

	for (unsigned int i = 0; i < KEPT; i++)
		if (s->kept[i].open)
			answer(s, &s->kept[i], &none);
	vdev_start(dev, 0, 0);
	vdev_put(0, 0, BASE + QUEUES * RING_STEP, 16, VRING_DESC_F_NEXT, 1);
	vdev_put(0, 1, BASE + QUEUES * RING_STEP + 16, 16, VRING_DESC_F_WRITE, 0);
	vdev_offer(dev, 0, 0);
	vdev_turn(dev);
	take_question(s);
	k = &s->kept[(s->next - 1) % KEPT];
	must(k->open && k->question.len == 16 && k->question.room == 16);
	answer(s, k, &a);
	must(k->done);
	vdev_turn(dev);
	memcpy(&used, ram + 514, 2);
	memcpy(&len, ram + 520, 4);
	must(le16toh(used) == 1 && le32toh(len) == 5);
	must(!memcmp(ram + QUEUES * RING_STEP + 16, bytes, 5));
}

static void look(struct script *s)
{
	struct hv_desk_stats stats;

	hv_desk_stats(hv_custom_desk(s->dev), &stats);
	must(stats.open <= s->opts.requests);
	for (unsigned int i = 0; i < KEPT; i++)
		if (s->kept[i].open)
			touch(s->kept[i].question.data, s->kept[i].question.len);
}

/*
 * A guest without scruples on a device whose model is a script that makes every mistake: answers of
 * any length, twice, too late, to nobody, to another life's requests; messages, changes and
 * failures at any moment.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hv_custom_queue queues[QUEUES] = {
		{ .size = 16 }, { .size = 16, .receive = true }, { .size = 8 }, { .size = 4 }
	};
	static const size_t sizes[] = { 64, 4096, 16, HV_CUSTOM_REQUEST };
	struct hv_gmem mem = { 0 };
	struct hv_vbus bus = {
		.mem = &mem, .zone = "fuzz", .interrupt = ignore_irq, .release = ignore_release
	};
	struct input in = { data, size };
	uint8_t kind = (uint8_t)take(&in, 1);
	struct script s = {
		.dev = calloc(1, sizeof(*s.dev)),
		.opts = {
			.id = 34,
			.features = 3,
			.config = bytes,
			.config_size = kind & 1 ? HV_CUSTOM_CONFIG : 7,
			.config_writable = kind & 2,
			.n_queues = QUEUES,
			.queues = queues,
			.requests = kind & 4 ? REQUESTS : 1,
			.max_request = sizes[kind >> 3 & 3],
			.memory = sizes[kind >> 3 & 3] * (kind & 32 ? 16 : 2),
			/* Whatever is not answered before the next turn is late, or nothing is. */
			.timeout_ns = kind & 64 ? 1 : HOUR,
			.model = "m",
		},
	};

	hv_log_set_level(HV_LOG_ERROR);
	memset(ram, 0, sizeof(ram));
	memset(bytes, 0x5a, sizeof(bytes));
	if (!s.dev || hv_gmem_add(&mem, BASE, RAM, ram, NULL) ||
	    hv_custom_init(s.dev, "fuzz/custom", &s.opts, NULL))
		abort();
	s.dev->bus = &bus;
	while (in.left) {
		uint8_t op = (uint8_t)take(&in, 1);

		if ((op & 7) != 7)
			vdev_drive(s.dev, &in, op, 3, s.opts.config_size);
		else
			act(&s, &in, op >> 3 & 15);
		look(&s);
	}
	if (!s.gone)
		must_work(&s);
	vdev_set(s.dev, VIRTIO_MMIO_STATUS, 0);
	if (hv_vdev_read(s.dev, VIRTIO_MMIO_STATUS, 4))
		abort();
	look(&s);
	s.dev->bus = NULL;
	hv_vdev_destroy(s.dev);
	free(s.dev);
	return 0;
}
