// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net_box.h"
#include "virtio/policy.h"

#define OUT (1u << HV_POLICY_OUT)
#define IN (1u << HV_POLICY_IN)
#define MRG HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF)

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa }, mac_b[6] = { 2, 0, 0, 0, 0, 0xb };
static struct hv_policy *policy;
static struct hv_desk *desk;
static uint8_t frame[70000], got[70000];

static struct hv_policy *make(struct hv_policy_opts opts)
{
	struct hv_policy *made;
	struct hv_err err = { 0 };

	opts.desk.depth = opts.desk.depth ?: 64;
	opts.desk.bytes = 8 << 20;
	if (hv_policy_new(&opts, &made, &err))
		fail_msg("%s", err.msg);
	return made;
}

static void set(struct hv_vdev *dev, struct hv_policy_opts opts)
{
	policy = make(opts);
	desk = hv_policy_desk(policy);
	hv_vdev_set_policy(dev, policy);
}

static struct hv_question take(void)
{
	struct hv_question q;
	uint64_t deadline = 0;

	while (!hv_desk_take(desk, &q))
		vrig_pause(&deadline, "a question");
	return q;
}

static void answer(const struct hv_question *q, struct hv_answer a)
{
	assert_int_equal(hv_desk_answer(desk, q->ticket, &a), 0);
}

static void add(struct net_box *box, uint32_t tag, size_t len)
{
	nb_frame(frame, NULL, NULL, tag, len);
	assert_true(nb_add(box, NB_TX, NULL, frame, len) >= 0);
	vrig_kick(&box->rig, NB_TX);
}

static void expect_at_peer(struct net_box *box, uint32_t tag, size_t len)
{
	struct virtio_net_hdr_v1 hdr;

	nb_frame(frame, NULL, NULL, tag, len);
	assert_int_equal(nb_peer_receive(box, &hdr, got, sizeof(got)), len);
	assert_memory_equal(got, frame, len);
}

static bool peer_has(const struct net_box *box)
{
	struct pollfd fd = { .fd = box->peer, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* A flood goes on while it is looked at: at least so many. */
static void wait_dropped(struct net_box *box, uint64_t n)
{
	uint64_t deadline = 0;

	while (atomic_load(&box->dev.stats.dropped) < n)
		vrig_pause(&deadline, "a frame to be dropped");
}

static void open_pair(struct net_box *box, struct hv_policy_opts opts)
{
	nb_open_pair(box, SOCK_DGRAM);
	vrig_start(&box->rig, MRG, 256, 0);
	set(&box->dev, opts);
}

static void close_box(struct net_box *box)
{
	nb_close(box);
	hv_policy_put(policy);
}

/* A frame waits for those before it, whatever was said about it. */
static void test_out(void **state)
{
	struct hv_question q[4];
	struct net_box box;

	(void)state;
	open_pair(&box, (struct hv_policy_opts){ .ops = OUT });
	for (uint32_t i = 0; i < 4; i++)
		add(&box, i, 100 + i);
	for (uint32_t i = 0; i < 4; i++) {
		q[i] = take();
		nb_frame(frame, NULL, NULL, i, 100 + i);
		assert_int_equal(q[i].kind, HV_POLICY_OUT);
		assert_int_equal(q[i].len, 100 + i);
		assert_memory_equal(q[i].data, frame, 100 + i);
	}
	answer(&q[3], (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	answer(&q[1], (struct hv_answer){ .word = HV_ANSWER_DENY });
	nb_frame(frame, NULL, NULL, 77, 60);
	answer(&q[2], (struct hv_answer){ .word = HV_ANSWER_ALLOW, .data = frame, .len = 60 });
	assert_false(peer_has(&box));
	answer(&q[0], (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	expect_at_peer(&box, 0, 100);
	expect_at_peer(&box, 77, 60);
	expect_at_peer(&box, 3, 103);
	for (unsigned int i = 0; i < 4; i++)
		vrig_wait(&box.rig, NB_TX);
	vrig_wait_count(&box.dev.stats.dropped, 1);
	close_box(&box);
}

/* What was decided about is what goes out, whatever the guest makes of its buffer meanwhile. */
static void test_changed_behind(void **state)
{
	struct hv_question q;
	struct net_box box;
	uint8_t *buffer;
	int head;

	(void)state;
	open_pair(&box, (struct hv_policy_opts){ .ops = OUT });
	buffer = vrig_alloc(&box.rig, 256, 16);
	nb_frame(buffer + NB_HDR, NULL, NULL, 5, 100);
	head = vrig_add(&box.rig, NB_TX,
			&(struct vrig_buf){ buffer, (uint32_t)(NB_HDR + 100), false }, 1);
	vrig_kick(&box.rig, NB_TX);
	q = take();
	memset(buffer, 0xff, NB_HDR + 100);
	answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	expect_at_peer(&box, 5, 100);
	vrig_finish(&box.rig, NB_TX, head);
	close_box(&box);
}

static void test_in(void **state)
{
	struct hv_question q[3];
	struct net_box box;
	uint8_t *buf[3];
	int head[3];

	(void)state;
	open_pair(&box, (struct hv_policy_opts){ .ops = IN });
	for (unsigned int i = 0; i < 3; i++)
		buf[i] = nb_post(&box, NB_RX, 2000, &head[i]);
	vrig_kick(&box.rig, NB_RX);
	for (uint32_t i = 0; i < 3; i++) {
		nb_frame(frame, (uint8_t[6]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, NULL, i,
			 200 + i);
		nb_peer_send(&box, NULL, frame, 200 + i);
	}
	for (unsigned int i = 0; i < 3; i++) {
		q[i] = take();
		assert_int_equal(q[i].kind, HV_POLICY_IN);
		assert_int_equal(q[i].len, 200 + i);
	}
	answer(&q[2], (struct hv_answer){ .word = HV_ANSWER_ALLOW, .delay_ns = 2000000 });
	answer(&q[1], (struct hv_answer){ .word = HV_ANSWER_DENY });
	memset(frame, 0x5a, 64);
	answer(&q[0], (struct hv_answer){ .word = HV_ANSWER_ALLOW, .data = frame, .len = 64 });
	assert_int_equal(vrig_finish(&box.rig, NB_RX, head[0]), NB_HDR + 64);
	assert_memory_equal(buf[0] + NB_HDR, frame, 64);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, head[1]), NB_HDR + 202);
	vrig_wait_count(&box.dev.stats.dropped, 1);
	close_box(&box);
}

static void test_overload(void **state)
{
	struct hv_policy_stats stats;
	struct hv_question q;
	struct net_box box;
	uint64_t deadline = 0;

	(void)state;
	open_pair(&box, (struct hv_policy_opts){
				.ops = OUT, .desk.depth = 1, .overload = HV_POLICY_DENY });
	add(&box, 0, 100);
	q = take();
	add(&box, 1, 100);
	add(&box, 2, 100);
	do {
		hv_policy_stats(policy, &stats);
		vrig_pause(&deadline, "two frames without room");
	} while (stats.overload < 2);
	answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	expect_at_peer(&box, 0, 100);
	wait_dropped(&box, 2);
	/* Late. */
	hv_policy_put(policy);
	set(&box.dev, (struct hv_policy_opts){ .ops = OUT,
					       .desk.patience_ns = 3000000,
					       .overload = HV_POLICY_PASS });
	add(&box, 3, 100);
	expect_at_peer(&box, 3, 100);
	hv_policy_stats(policy, &stats);
	assert_int_equal(stats.desk.late, 1);
	/* In the ring until there is room. */
	hv_policy_put(policy);
	set(&box.dev,
	    (struct hv_policy_opts){ .ops = OUT, .desk.depth = 1, .overload = HV_POLICY_STALL });
	for (uint32_t i = 4; i < 10; i++)
		add(&box, i, 100);
	for (uint32_t i = 4; i < 9; i++) {
		q = take();
		answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
		expect_at_peer(&box, i, 100);
	}
	take();
	hv_vdev_set_policy(&box.dev, NULL);
	expect_at_peer(&box, 9, 100);
	for (unsigned int i = 0; i < 10; i++)
		vrig_wait(&box.rig, NB_TX);
	close_box(&box);
}

static void test_reset(void **state)
{
	struct hv_question q;
	struct net_box box;

	(void)state;
	open_pair(&box, (struct hv_policy_opts){ .ops = OUT | IN });
	add(&box, 1, 100);
	q = take();
	add(&box, 2, 100);
	nb_post(&box, NB_RX, 2000, NULL);
	vrig_kick(&box.rig, NB_RX);
	memset(frame, 0xff, 6);
	nb_peer_send(&box, NULL, frame, 100);
	/* Both of them: one that was still in the socket would be asked about in the next life. */
	while (take().kind != HV_POLICY_IN)
		;
	vrig_reclaim(&box.rig);
	assert_int_equal(hv_desk_answer(desk, q.ticket, &(struct hv_answer){ 0 }), -ESTALE);
	vrig_start(&box.rig, MRG, 256, 0);
	add(&box, 3, 100);
	q = take();
	answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	expect_at_peer(&box, 3, 100);
	assert_false(peer_has(&box));
	close_box(&box);
}

/* ---- on a switch */

struct two {
	struct hv_switch *sw;
	struct net_box a, b;
};

static void open_one(struct net_box *box, struct hv_switch *sw, const uint8_t mac[6])
{
	struct hv_net_opts opts = { .sw = sw, .has_mac = true, .mtu = 65000 };

	memcpy(opts.mac, mac, 6);
	nb_open(box, &opts, 32 << 20);
	vrig_start(&box->rig, MRG, 256, 0);
}

static void open_two(struct two *p)
{
	assert_int_equal(hv_switch_new("s0", &p->sw, NULL), 0);
	open_one(&p->a, p->sw, mac_a);
	open_one(&p->b, p->sw, mac_b);
	/* Until this has been answered the receiving side may not have begun. */
	nb_frame(frame, mac_a, mac_b, 0, 60);
	nb_send(&p->b, NB_TX, NULL, frame, 60);
	nb_send(&p->a, NB_TX, NULL, frame, 13);
}

static void close_two(struct two *p)
{
	nb_close(&p->a);
	nb_close(&p->b);
	hv_switch_put(p->sw);
	hv_policy_put(policy);
}

static void test_switch(void **state)
{
	struct hv_question q[3];
	struct two p;
	uint8_t *buf[4];
	int head[4];

	(void)state;
	open_two(&p);
	for (unsigned int i = 0; i < 4; i++)
		buf[i] = nb_post(&p.b, NB_RX, 2000, &head[i]);
	vrig_kick(&p.b.rig, NB_RX);
	/* The receiver's: its sender does not wait. */
	set(&p.b.dev, (struct hv_policy_opts){ .ops = IN });
	for (uint32_t i = 0; i < 3; i++) {
		nb_frame(frame, mac_b, mac_a, i, 100 + i);
		nb_send(&p.a, NB_TX, NULL, frame, 100 + i);
	}
	for (unsigned int i = 0; i < 3; i++) {
		q[i] = take();
		assert_int_equal(q[i].kind, HV_POLICY_IN);
		assert_int_equal(q[i].len, 100 + i);
	}
	answer(&q[2], (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	answer(&q[0], (struct hv_answer){ .word = HV_ANSWER_DENY });
	answer(&q[1], (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	for (uint32_t i = 1; i < 3; i++) {
		assert_int_equal(vrig_finish(&p.b.rig, NB_RX, head[i - 1]), NB_HDR + 100 + i);
		nb_frame(frame, mac_b, mac_a, i, 100 + i);
		assert_memory_equal(buf[i - 1] + NB_HDR, frame, 100 + i);
	}
	wait_dropped(&p.b, 1);
	/* The sender's. */
	hv_vdev_set_policy(&p.b.dev, NULL);
	hv_policy_put(policy);
	set(&p.a.dev, (struct hv_policy_opts){ .ops = OUT });
	nb_frame(frame, mac_b, mac_a, 9, 300);
	nb_add(&p.a, NB_TX, NULL, frame, 300);
	vrig_kick(&p.a.rig, NB_TX);
	q[0] = take();
	answer(&q[0], (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	assert_int_equal(vrig_finish(&p.b.rig, NB_RX, head[2]), NB_HDR + 300);
	close_two(&p);
}

/* A neighbour that floods takes no memory without end and no room from the rest. */
static void test_flood(void **state)
{
	struct hv_policy_stats stats;
	struct two p;

	(void)state;
	open_two(&p);
	set(&p.b.dev,
	    (struct hv_policy_opts){ .ops = IN, .desk.depth = 4096, .overload = HV_POLICY_STALL });
	nb_frame(frame, mac_b, mac_a, 1, 100);
	for (unsigned int i = 0; i < 2000; i++)
		nb_send(&p.a, NB_TX, NULL, frame, 100);
	wait_dropped(&p.b, 2000 - 512);
	hv_policy_stats(policy, &stats);
	assert_true(stats.desk.asked <= 512);
	close_two(&p);
}

/* Nor one that floods with few, large ones. */
static void test_flood_of_bytes(void **state)
{
	struct two p;

	(void)state;
	open_two(&p);
	set(&p.b.dev,
	    (struct hv_policy_opts){ .ops = IN, .desk.depth = 4096, .overload = HV_POLICY_STALL });
	nb_frame(frame, mac_b, mac_a, 1, 60000);
	for (unsigned int i = 0; i < 60; i++)
		nb_send(&p.a, NB_TX, NULL, frame, 60000);
	/* 2 MiB are kept, and what makes them full. */
	wait_dropped(&p.b, 60 - 35);
	close_two(&p);
}

/* ---- under load */

static _Atomic bool over;

static void *answerer(void *arg)
{
	struct hv_vdev *dev = arg;
	unsigned int n = 0;

	while (!atomic_load(&over)) {
		struct hv_policy *mine = make((struct hv_policy_opts){
			.ops = OUT | IN,
			.desk.depth = n % 3 ? 64 : 2,
			.overload = n % 2 ? HV_POLICY_STALL : HV_POLICY_PASS });

		hv_vdev_set_policy(dev, n % 7 ? mine : NULL);
		for (unsigned int i = 0; i < 200; i++) {
			struct hv_question q;

			if (hv_desk_take(hv_policy_desk(mine), &q))
				(void)hv_desk_answer(hv_policy_desk(mine), q.ticket,
						     &(struct hv_answer){ 0 });
		}
		hv_policy_put(mine);
		n++;
	}
	hv_vdev_set_policy(dev, NULL);
	return NULL;
}

/* Policies come and go: each frame arrives once, in order, in both directions. */
static void test_swap(void **state)
{
	pthread_t thread;
	struct two p;

	(void)state;
	open_two(&p);
	policy = NULL;
	atomic_store(&over, false);
	assert_int_equal(pthread_create(&thread, NULL, answerer, &p.b.dev), 0);
	for (uint32_t round = 0; round < 200; round++) {
		uint8_t *buf[8];
		int head[8];

		for (unsigned int i = 0; i < 8; i++)
			buf[i] = nb_post(&p.b, NB_RX, 300, &head[i]);
		vrig_kick(&p.b.rig, NB_RX);
		for (uint32_t i = 0; i < 8; i++) {
			nb_frame(frame, mac_b, mac_a, round * 8 + i, 100);
			nb_send(&p.a, NB_TX, NULL, frame, 100);
			nb_frame(frame, mac_a, mac_b, i, 100);
			nb_add(&p.b, NB_TX, NULL, frame, 100);
			vrig_kick(&p.b.rig, NB_TX);
		}
		for (uint32_t i = 0; i < 8; i++) {
			vrig_finish(&p.b.rig, NB_RX, head[i]);
			nb_frame(frame, mac_b, mac_a, round * 8 + i, 100);
			assert_memory_equal(buf[i] + NB_HDR, frame, 100);
			vrig_wait(&p.b.rig, NB_TX);
		}
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	close_two(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),   cmocka_unit_test(test_changed_behind),
		cmocka_unit_test(test_in),    cmocka_unit_test(test_overload),
		cmocka_unit_test(test_reset), cmocka_unit_test(test_switch),
		cmocka_unit_test(test_flood), cmocka_unit_test(test_flood_of_bytes),
		cmocka_unit_test(test_swap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
