// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <string.h>

#include "virtio/dev/custom.h"
#include "vrig.h"

#define MEMORY (1 << 20)
#define HOUR UINT64_C(3600000000000)

struct box {
	struct hv_vdev dev;
	struct vrig rig;
	_Atomic unsigned int inputs, broken;
};

static void on_event(struct hv_vdev *dev, enum hv_vdev_event event, const char *message, void *arg)
{
	struct box *b = arg;

	(void)dev;
	(void)message;
	b->inputs += event == HV_EV_INPUT;
	b->broken += event == HV_EV_BROKEN;
}

static const struct hv_custom_queue two[] = { { .size = 16 }, { .size = 16, .receive = true } };

static struct hv_custom_opts good(void)
{
	return (struct hv_custom_opts){
		.origin = { .file = "boot.lua", .line = 3 },
		.id = 34,
		.features = 1,
		.config = (const uint8_t *)"abcdefgh",
		.config_size = 8,
		.config_writable = true,
		.n_queues = 2,
		.queues = two,
		.requests = 8,
		.max_request = 256,
		.memory = 4096,
		.timeout_ns = HOUR,
		.model = "m",
	};
}

static void box_init(struct box *b, const struct hv_custom_opts *opts)
{
	struct hv_err err = { 0 };

	memset(b, 0, sizeof(*b));
	if (hv_custom_init(&b->dev, "rig/custom", opts, &err))
		fail_msg("%s", err.msg);
	b->dev.event = on_event;
	b->dev.event_arg = b;
	vrig_init(&b->rig, &b->dev, MEMORY);
}

static void box_free(struct box *b)
{
	vrig_free(&b->rig);
	hv_vdev_destroy(&b->dev);
}

/* A request of `out` bytes of text with room for `in`; its head. in_at: where the answer comes. */
static int put(struct box *b, const char *out, uint32_t in, char **in_at)
{
	struct vrig_buf bufs[2] = { 0 };
	unsigned int n = 0;
	int head;

	if (*out) {
		bufs[n].at = vrig_alloc(&b->rig, strlen(out), 8);
		bufs[n].len = (uint32_t)strlen(out);
		memcpy(bufs[n++].at, out, strlen(out));
	}
	if (in) {
		*in_at = vrig_alloc(&b->rig, in + 1, 8);
		bufs[n++] = (struct vrig_buf){ *in_at, in, true };
	}
	head = vrig_add(&b->rig, 0, bufs, n);
	assert_true(head >= 0);
	vrig_kick(&b->rig, 0);
	return head;
}

static struct hv_question taken(struct box *b)
{
	struct hv_question q;
	uint64_t deadline = 0;

	while (!hv_desk_take(hv_custom_desk(&b->dev), &q))
		vrig_pause(&deadline, "a question");
	return q;
}

static int say(struct box *b, uint64_t ticket, const char *text)
{
	struct hv_answer answer = { .word = HV_ANSWER_ALLOW, .data = (void *)text };

	answer.len = strlen(text);
	return hv_desk_answer(hv_custom_desk(&b->dev), ticket, &answer);
}

/* One request and its answer, as proof that the device works. */
static void works(struct box *b)
{
	char *in;
	int head = put(b, "ping", 4, &in);
	struct hv_question q = taken(b);

	assert_int_equal(q.len, 4);
	assert_memory_equal(q.data, "ping", 4);
	assert_int_equal(say(b, q.ticket, "pong"), 0);
	assert_int_equal(vrig_finish(&b->rig, 0, head), 4);
	assert_string_equal(in, "pong");
}

static void is_broken(struct box *b)
{
	vrig_wait_status(&b->rig, VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void start(struct box *b)
{
	vrig_reclaim(&b->rig);
	vrig_start(&b->rig, 1, 16, 0);
}

static void test_answers(void **state)
{
	struct hv_custom_opts opts = good();
	struct hv_custom_life life;
	struct hv_question first, second;
	struct hv_answer nothing = { .word = HV_ANSWER_ALLOW };
	struct box b;
	char *one, *two_at;
	int head_one, head_two;

	(void)state;
	box_init(&b, &opts);
	assert_int_equal(vrig_read(&b.rig, 0x008), 34);
	hv_custom_life(&b.dev, &life);
	assert_false(life.running);
	vrig_start(&b.rig, 1, 16, VRIG_INDIRECT);
	hv_custom_life(&b.dev, &life);
	assert_true(life.running);
	assert_int_equal(life.features & 3, 1);
	head_one = put(&b, "first", 8, &one);
	first = taken(&b);
	head_two = put(&b, "second", 300, &two_at);
	second = taken(&b);
	assert_true(b.inputs > 0);
	assert_int_equal(first.kind, 0);
	assert_int_equal(first.at, life.n);
	assert_int_equal(first.room, 8);
	assert_int_equal(second.room, 256);
	/* In whatever order, and not one byte more than there is room for. */
	assert_int_equal(say(&b, second.ticket, "2"), 0);
	assert_int_equal(vrig_wait(&b.rig, 0).id, head_two);
	assert_int_equal(say(&b, first.ticket, "123456789"), -EMSGSIZE);
	assert_int_equal(say(&b, first.ticket, "12345678"), 0);
	assert_int_equal(vrig_finish(&b.rig, 0, head_one), 8);
	assert_string_equal(one, "12345678");
	assert_string_equal(two_at, "2");
	head_one = put(&b, "quiet", 0, NULL);
	assert_int_equal(hv_desk_answer(hv_custom_desk(&b.dev), taken(&b).ticket, &nothing), 0);
	assert_int_equal(vrig_finish(&b.rig, 0, head_one), 0);
	assert_int_equal(b.dev.stats.requests, 3);
	assert_int_equal(b.dev.stats.read_bytes, 9);
	assert_int_equal(b.dev.stats.write_bytes, 16);
	box_free(&b);
}

static void test_fails(void **state)
{
	struct hv_answer deny = { .word = HV_ANSWER_DENY };
	struct hv_custom_opts opts = good();
	struct hv_custom_life life;
	struct box b;
	uint8_t *big;
	char *in;

	(void)state;
	box_init(&b, &opts);
	start(&b);
	put(&b, "x", 4, &in);
	assert_int_equal(hv_desk_answer(hv_custom_desk(&b.dev), taken(&b).ticket, &deny), 0);
	is_broken(&b);
	hv_custom_life(&b.dev, &life);
	assert_true(life.broken);
	start(&b);
	works(&b);
	/* What is said of a life that is over breaks nothing. */
	hv_custom_fail(&b.dev, life.n, "late");
	works(&b);
	hv_custom_life(&b.dev, &life);
	hv_custom_fail(&b.dev, life.n, "in time");
	is_broken(&b);
	start(&b);
	big = vrig_alloc(&b.rig, 257, 8);
	vrig_add(&b.rig, 0, (struct vrig_buf[]){ { big, 257, false } }, 1);
	vrig_kick(&b.rig, 0);
	is_broken(&b);
	for (uint64_t deadline = 0; b.broken < 3;)
		vrig_pause(&deadline, "three events");
	start(&b);
	works(&b);
	box_free(&b);
}

static void test_late(void **state)
{
	struct hv_custom_opts opts = good();
	struct hv_question q;
	uint64_t deadline = 0;
	struct box b;
	bool got;
	char *in;

	(void)state;
	opts.timeout_ns = 20000000;
	box_init(&b, &opts);
	/* It may be too late before it is taken; then once more. */
	do {
		vrig_pause(&deadline, "a question taken in time");
		start(&b);
		put(&b, "x", 4, &in);
		while (!(got = hv_desk_take(hv_custom_desk(&b.dev), &q)) &&
		       !(vrig_read(&b.rig, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET))
			vrig_pause(&deadline, "a question");
	} while (!got);
	is_broken(&b);
	assert_int_equal(say(&b, q.ticket, "late"), -ESTALE);
	assert_string_equal(in, "");
	/* One that nobody has taken, too. */
	start(&b);
	put(&b, "x", 4, &in);
	is_broken(&b);
	box_free(&b);
}

/* The guest resets with requests on the desk and with the answering side: nothing of them reaches
 * the next life. */
static void test_reset(void **state)
{
	struct hv_custom_opts opts = good();
	struct hv_custom_life before, after;
	struct hv_desk_stats stats;
	struct hv_question q;
	struct box b;
	char *in;

	(void)state;
	box_init(&b, &opts);
	for (int i = 0; i < 50; i++) {
		start(&b);
		hv_custom_life(&b.dev, &before);
		for (int j = 0; j < 4; j++)
			put(&b, "old", 4, &in);
		q = taken(&b);
		assert_int_equal(q.at, before.n);
		vrig_reset(&b.rig);
		assert_int_equal(say(&b, q.ticket, "old"), -ESTALE);
		hv_custom_life(&b.dev, &after);
		assert_true(after.n > before.n);
		assert_false(after.running);
		start(&b);
		works(&b);
	}
	hv_desk_stats(hv_custom_desk(&b.dev), &stats);
	assert_int_equal(stats.open, 0);
	box_free(&b);
}

/* More than the desk holds: they wait in the ring, and all come back. */
static void test_full(void **state)
{
	struct hv_custom_opts opts = good();
	struct hv_question q[2];
	struct box b;
	char *in[8];

	(void)state;
	opts.requests = 2;
	box_init(&b, &opts);
	start(&b);
	for (int i = 0; i < 8; i++)
		put(&b, "x", 4, &in[i]);
	for (int i = 0; i < 8; i += 2) {
		struct hv_question none;

		q[0] = taken(&b);
		q[1] = taken(&b);
		assert_false(hv_desk_take(hv_custom_desk(&b.dev), &none));
		assert_int_equal(say(&b, q[1].ticket, "y"), 0);
		assert_int_equal(say(&b, q[0].ticket, "y"), 0);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(vrig_wait(&b.rig, 0).len, 1);
	for (int i = 0; i < 8; i++)
		assert_string_equal(in[i], "y");
	box_free(&b);
}

static void test_send(void **state)
{
	struct hv_custom_opts opts = good();
	struct hv_err err;
	struct box b;
	char *in;
	int head;

	(void)state;
	box_init(&b, &opts);
	assert_int_equal(hv_custom_send(&b.dev, 1, "early", 5, &err), -EAGAIN);
	start(&b);
	assert_int_equal(hv_custom_send(&b.dev, 0, "x", 1, &err), -EINVAL);
	assert_int_equal(hv_custom_send(&b.dev, 2, "x", 1, &err), -EINVAL);
	in = vrig_alloc(&b.rig, 257, 8);
	assert_int_equal(hv_custom_send(&b.dev, 1, in, 257, &err), -EMSGSIZE);
	head = vrig_add(&b.rig, 1, (struct vrig_buf[]){ { in, 8, true } }, 1);
	vrig_kick(&b.rig, 1);
	assert_int_equal(hv_custom_send(&b.dev, 1, "news", 4, &err), 0);
	assert_int_equal(vrig_finish(&b.rig, 1, head), 4);
	assert_string_equal(in, "news");
	/* As many as may wait; then the guest takes them, in their order. */
	for (int i = 0; i < 8; i++)
		assert_int_equal(hv_custom_send(&b.dev, 1, &"01234567"[i], 1, &err), 0);
	assert_int_equal(hv_custom_send(&b.dev, 1, "8", 1, &err), -EAGAIN);
	for (int i = 0; i < 8; i++) {
		head = vrig_add(&b.rig, 1, (struct vrig_buf[]){ { in, 8, true } }, 1);
		vrig_kick(&b.rig, 1);
		assert_int_equal(vrig_finish(&b.rig, 1, head), 1);
		assert_int_equal(in[0], '0' + i);
	}
	/* What waits is forgotten by a reset. */
	assert_int_equal(hv_custom_send(&b.dev, 1, "old", 3, &err), 0);
	start(&b);
	in = vrig_alloc(&b.rig, 8, 8);
	assert_int_equal(hv_custom_send(&b.dev, 1, "new", 3, &err), 0);
	head = vrig_add(&b.rig, 1, (struct vrig_buf[]){ { in, 8, true } }, 1);
	vrig_kick(&b.rig, 1);
	assert_int_equal(vrig_finish(&b.rig, 1, head), 3);
	assert_string_equal(in, "new");
	/* A buffer that is too short for what is sent. */
	assert_int_equal(hv_custom_send(&b.dev, 1, "longer", 6, &err), 0);
	vrig_add(&b.rig, 1, (struct vrig_buf[]){ { in, 5, true } }, 1);
	vrig_kick(&b.rig, 1);
	is_broken(&b);
	start(&b);
	works(&b);
	box_free(&b);
}

static void test_config(void **state)
{
	struct hv_custom_opts opts = good();
	uint8_t bytes[HV_CUSTOM_CONFIG];
	struct hv_err err;
	uint32_t generation;
	size_t at, len;
	struct box b;

	(void)state;
	box_init(&b, &opts);
	start(&b);
	assert_int_equal(vrig_config(&b.rig, 0, 4), 0x64636261);
	assert_int_equal(vrig_config(&b.rig, 6, 4), 0x6867);
	assert_int_equal(vrig_config(&b.rig, 8, 4), 0);
	generation = vrig_read(&b.rig, 0x0fc);
	vrig_ack(&b.rig);
	assert_int_equal(hv_custom_set_config(&b.dev, 6, "yz", 2, &err), 0);
	assert_int_not_equal(vrig_read(&b.rig, 0x0fc), generation);
	assert_int_equal(vrig_ack(&b.rig) & 2, 2);
	assert_int_equal(vrig_config(&b.rig, 6, 2), 0x7a79);
	assert_int_equal(hv_custom_set_config(&b.dev, 7, "yz", 2, &err), -ERANGE);
	assert_int_equal(hv_custom_set_config(&b.dev, SIZE_MAX, "yz", 2, &err), -ERANGE);

	assert_false(hv_custom_written(&b.dev, &at, bytes, &len));
	vrig_set_config(&b.rig, 2, 2, 0x3231);
	vrig_set_config(&b.rig, 7, 4, 0x33333333);
	vrig_set_config(&b.rig, 100, 4, 0x33333333);
	assert_true(hv_custom_written(&b.dev, &at, bytes, &len));
	assert_int_equal(at, 2);
	assert_int_equal(len, 2);
	assert_memory_equal(bytes, "12", 2);
	assert_true(hv_custom_written(&b.dev, &at, bytes, &len));
	assert_int_equal(at, 7);
	assert_int_equal(len, 1);
	assert_false(hv_custom_written(&b.dev, &at, bytes, &len));
	/* Faster than somebody looks: then all of it counts as written, once. */
	for (int i = 0; i < 10000; i++)
		vrig_set_config(&b.rig, 0, 1, (uint64_t)i & 0xff);
	assert_true(hv_custom_written(&b.dev, &at, bytes, &len));
	assert_int_equal(at, 0);
	assert_int_equal(len, 8);
	assert_int_equal(bytes[0], 9999 & 0xff);
	assert_int_equal(bytes[3], '2');
	assert_false(hv_custom_written(&b.dev, &at, bytes, &len));
	box_free(&b);
}

struct answerer {
	struct box *b;
	_Atomic bool over;
};

static void *answer_all(void *arg)
{
	struct answerer *a = arg;
	struct hv_question q;

	while (!a->over)
		if (hv_desk_take(hv_custom_desk(&a->b->dev), &q))
			(void)say(a->b, q.ticket, "pong");
	return NULL;
}

/* Answers come while the guest asks, resets, and asks again. */
static void test_race(void **state)
{
	struct hv_custom_opts opts = good();
	struct answerer a = { 0 };
	pthread_t thread;
	struct box b;
	char *in;

	(void)state;
	box_init(&b, &opts);
	a.b = &b;
	assert_int_equal(pthread_create(&thread, NULL, answer_all, &a), 0);
	for (int i = 0; i < 100; i++) {
		int head;

		start(&b);
		for (int j = 0; j < 6; j++)
			put(&b, "ping", 4, &in);
		if (i % 2)
			vrig_wait(&b.rig, 0);
		start(&b);
		head = put(&b, "ping", 4, &in);
		assert_int_equal(vrig_finish(&b.rig, 0, head), 4);
		assert_string_equal(in, "pong");
	}
	a.over = true;
	pthread_join(thread, NULL);
	assert_int_equal(b.broken, 0);
	box_free(&b);
}

static void refuse(struct hv_custom_opts opts, const char *why)
{
	struct hv_vdev dev = { 0 };
	struct hv_err err;

	assert_int_equal(hv_custom_init(&dev, "linux1/x", &opts, &err), -EINVAL);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

static void test_options(void **state)
{
	static const struct hv_custom_queue odd[] = { { .size = 6 } };
	struct hv_custom_opts o = good();

	(void)state;
	o.id = 0;
	refuse(o, "id 0");
	o = good();
	o.features = HV_FEATURE(29);
	refuse(o, "0 to 23 and 50 to 63");
	o = good();
	o.config_size = 257;
	refuse(o, "257 bytes of configuration; 256 fit");
	o = good();
	o.n_queues = 9;
	refuse(o, "9 queues");
	o = good();
	o.n_queues = 1;
	o.queues = odd;
	refuse(o, "queue 0 has 6 entries");
	o = good();
	o.max_request = HV_CUSTOM_REQUEST + 1;
	refuse(o, "max_request");
	o = good();
	o.memory = 511;
	refuse(o, "memory is 511");
	o = good();
	o.requests = 0;
	refuse(o, "at a time");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_fails),
		cmocka_unit_test(test_late),	cmocka_unit_test(test_reset),
		cmocka_unit_test(test_full),	cmocka_unit_test(test_send),
		cmocka_unit_test(test_config),	cmocka_unit_test(test_race),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
