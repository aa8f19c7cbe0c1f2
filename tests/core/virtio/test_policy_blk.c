// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blk_policy.h"

/* Each kind is put to the desk with what it touches, and what is answered happens. */
static void test_words(void **state)
{
	struct bp_request read, write, other;
	struct hv_question q;
	uint8_t bytes[512];

	(void)state;
	bp_begin((struct hv_policy_opts){ .ops = BP_ALL });
	read = bp_add(VIRTIO_BLK_T_IN, 3, 0);
	q = bp_take();
	assert_int_equal(q.kind, HV_POLICY_BLK_READ);
	assert_int_equal(q.at, 3 * 512);
	assert_int_equal(q.size, 512);
	write = bp_add(VIRTIO_BLK_T_OUT, 5, 0xaa);
	other = bp_add(VIRTIO_BLK_T_OUT, 6, 0xbb);
	bp_wait_open(3);
	assert_int_equal(bp_on_disk(5), blk_box_byte(5, 0));
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	assert_int_equal(bp_finish(&read), VIRTIO_BLK_S_OK);
	assert_int_equal(read.data[0], blk_box_byte(3, 0));
	q = bp_take();
	assert_int_equal(q.kind, HV_POLICY_BLK_WRITE);
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_DENY });
	assert_int_equal(bp_finish(&write), VIRTIO_BLK_S_IOERR);
	assert_int_equal(bp_on_disk(5), blk_box_byte(5, 0));
	q = bp_take();
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_DENY, .status = VIRTIO_BLK_S_UNSUPP });
	assert_int_equal(bp_finish(&other), VIRTIO_BLK_S_UNSUPP);
	write = bp_add(VIRTIO_BLK_T_OUT, 7, 0xcc);
	q = bp_take();
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	assert_int_equal(bp_finish(&write), VIRTIO_BLK_S_OK);
	assert_int_equal(bp_on_disk(7), 0xcc);
	hv_vdev_set_policy(&bp_box.dev, NULL);
	assert_int_equal(blk_box_read(&bp_box, 3, bytes, 512), VIRTIO_BLK_S_OK);
	bp_end();
}

/* A delayed request begins when its time has come; those behind it need not wait. */
static void test_delay(void **state)
{
	const uint64_t delay = UINT64_C(30000000);
	struct bp_request late, other;
	struct hv_question q;
	uint64_t begun;
	uint8_t bytes[512];

	(void)state;
	bp_begin((struct hv_policy_opts){ .ops = BP_BIT(HV_POLICY_BLK_WRITE) });
	late = bp_add(VIRTIO_BLK_T_OUT, 5, 0xaa);
	q = bp_take();
	begun = hv_now();
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW, .delay_ns = delay });
	other = bp_add(VIRTIO_BLK_T_IN, 9, 0);
	assert_int_equal(bp_finish(&other), VIRTIO_BLK_S_OK);
	/* A paused device brings what it has taken to its end. */
	hv_vdev_pause(&bp_box.dev, true);
	assert_int_equal(bp_finish(&late), VIRTIO_BLK_S_OK);
	assert_true(hv_now() - begun >= delay);
	hv_vdev_pause(&bp_box.dev, false);
	assert_int_equal(bp_on_disk(5), 0xaa);
	assert_int_equal(blk_box_read(&bp_box, 5, bytes, 512), VIRTIO_BLK_S_OK);
	bp_end();
}

/* What it is not concerned with never gets there. */
static void test_filters(void **state)
{
	struct bp_request inside, segments;
	struct virtio_blk_discard_write_zeroes *range;
	struct hv_policy_stats stats;
	struct hv_question q;
	uint8_t bytes[2048];
	struct vrig_buf bufs[3];
	int head;

	(void)state;
	bp_begin((struct hv_policy_opts){
		.ops = BP_ALL & ~BP_BIT(HV_POLICY_BLK_READ), .from = 8 * 512, .to = 10 * 512 });
	assert_int_equal(blk_box_read(&bp_box, 8, bytes, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_write(&bp_box, 4, bytes, 2048), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_write(&bp_box, 10, bytes, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_flush(&bp_box), VIRTIO_BLK_S_OK);
	hv_policy_stats(bp_policy, &stats);
	assert_int_equal(stats.concerned, 0);
	assert_int_equal(atomic_load(&bp_asked), 0);
	inside = bp_add(VIRTIO_BLK_T_OUT, 9, 1);
	q = bp_take();
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	assert_int_equal(bp_finish(&inside), VIRTIO_BLK_S_OK);
	/* The second of two segments touches it. */
	segments.header = vrig_alloc(&bp_box.rig, 512, 512);
	segments.status = (uint8_t *)segments.header + 64;
	range = (void *)((uint8_t *)segments.header + 128);
	*segments.header = (struct virtio_blk_outhdr){ .type = htole32(VIRTIO_BLK_T_WRITE_ZEROES) };
	range[0] = (struct virtio_blk_discard_write_zeroes){ .sector = htole64(20),
							     .num_sectors = htole32(2) };
	range[1] = (struct virtio_blk_discard_write_zeroes){ .sector = htole64(9),
							     .num_sectors = htole32(1) };
	bufs[0] = (struct vrig_buf){ segments.header, sizeof(*segments.header), false };
	bufs[1] = (struct vrig_buf){ range, 2 * sizeof(*range), false };
	bufs[2] = (struct vrig_buf){ segments.status, 1, true };
	head = vrig_add(&bp_box.rig, 0, bufs, 3);
	vrig_kick(&bp_box.rig, 0);
	q = bp_take();
	assert_int_equal(q.kind, HV_POLICY_BLK_ZERO);
	assert_int_equal(q.at, 9 * 512);
	assert_int_equal(q.size, 13 * 512);
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_DENY });
	vrig_finish(&bp_box.rig, 0, head);
	assert_int_equal(*segments.status, VIRTIO_BLK_S_IOERR);
	bp_end();
}

/* A flush says that what was written before it is on the disk: it waits for writes not decided
 * about. */
static void test_flush(void **state)
{
	struct bp_request write, flush, read;
	struct hv_question q;

	(void)state;
	bp_begin((struct hv_policy_opts){ .ops = BP_BIT(HV_POLICY_BLK_WRITE) });
	write = bp_add(VIRTIO_BLK_T_OUT, 5, 0xaa);
	q = bp_take();
	flush = bp_add(VIRTIO_BLK_T_FLUSH, 0, 0);
	/* Time for one that does not wait. */
	for (unsigned int i = 0; i < 200; i++) {
		read = bp_add(VIRTIO_BLK_T_IN, i, 0);
		assert_int_equal(bp_finish(&read), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(*flush.status, 0xee);
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	assert_int_equal(bp_finish(&flush), VIRTIO_BLK_S_OK);
	assert_int_equal(*write.status, VIRTIO_BLK_S_OK);
	assert_int_equal(bp_finish(&write), VIRTIO_BLK_S_OK);
	bp_end();
}

static void test_overload(void **state)
{
	const struct {
		enum hv_policy_overload word;
		uint8_t status;
	} cases[] = { { HV_POLICY_PASS, VIRTIO_BLK_S_OK }, { HV_POLICY_DENY, VIRTIO_BLK_S_IOERR } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bp_request first, more;
		struct hv_policy_stats stats;
		struct hv_question q;
		uint64_t deadline;
		bool taken;

		/* Full. */
		bp_begin((struct hv_policy_opts){
			.ops = BP_ALL, .desk.depth = 1, .overload = cases[i].word });
		first = bp_add(VIRTIO_BLK_T_IN, 1, 0);
		q = bp_take();
		more = bp_add(VIRTIO_BLK_T_IN, 2, 0);
		assert_int_equal(bp_finish(&more), cases[i].status);
		/* Nobody there. */
		hv_policy_close(bp_policy);
		assert_int_equal(bp_finish(&first), cases[i].status);
		assert_int_equal(hv_desk_answer(bp_desk, q.ticket, &(struct hv_answer){ 0 }),
				 -ESTALE);
		more = bp_add(VIRTIO_BLK_T_IN, 2, 0);
		assert_int_equal(bp_finish(&more), cases[i].status);
		hv_policy_stats(bp_policy, &stats);
		assert_int_equal(stats.concerned, 3);
		assert_int_equal(stats.overload, 3);
		assert_int_equal(stats.denied, i ? 3 : 0);
		bp_end();
		/* Late. */
		bp_begin((struct hv_policy_opts){
			.ops = BP_ALL, .desk.patience_ns = 5000000, .overload = cases[i].word });
		first = bp_add(VIRTIO_BLK_T_IN, 1, 0);
		deadline = 0;
		while (!(taken = hv_desk_take(bp_desk, &q)) &&
		       __atomic_load_n(first.status, __ATOMIC_ACQUIRE) == 0xee)
			vrig_pause(&deadline, "a question");
		/* One that nobody has taken in time is not asked any more. */
		assert_int_equal(bp_finish(&first), cases[i].status);
		if (taken)
			assert_int_equal(
				hv_desk_answer(bp_desk, q.ticket, &(struct hv_answer){ 0 }),
				-ESTALE);
		else
			assert_false(hv_desk_take(bp_desk, &q));
		hv_policy_stats(bp_policy, &stats);
		assert_int_equal(stats.desk.late, 1);
		bp_end();
	}
}

/* Nothing more is taken until there is room; a new policy is asked what the old one left open. */
static void test_stall(void **state)
{
	struct bp_request r[4];
	struct hv_question q;
	struct hv_policy *old;

	(void)state;
	bp_begin((struct hv_policy_opts){
		.ops = BP_BIT(HV_POLICY_BLK_WRITE), .desk.depth = 1, .overload = HV_POLICY_STALL });
	for (unsigned int i = 0; i < 3; i++)
		r[i] = bp_add(VIRTIO_BLK_T_OUT, i, (uint8_t)(i + 1));
	r[3] = bp_add(VIRTIO_BLK_T_IN, 9, 0);
	for (unsigned int i = 0; i < 2; i++) {
		q = bp_take();
		assert_int_equal(q.at, i * 512);
		/* Behind one that stalls. */
		assert_int_equal(*r[3].status, 0xee);
		bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
		assert_int_equal(bp_finish(&r[i]), VIRTIO_BLK_S_OK);
	}
	q = bp_take();
	assert_int_equal(bp_finish(&r[3]), VIRTIO_BLK_S_OK);
	old = bp_policy;
	bp_policy = bp_make((struct hv_policy_opts){ .ops = BP_ALL });
	bp_desk = hv_policy_desk(bp_policy);
	hv_vdev_set_policy(&bp_box.dev, bp_policy);
	hv_policy_put(old);
	q = bp_take();
	assert_int_equal(q.at, 2 * 512);
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_DENY });
	assert_int_equal(bp_finish(&r[2]), VIRTIO_BLK_S_IOERR);
	bp_end();
}

/* Each queue has a thread of its own; one that stalls goes on when another one has made room. */
static void test_queues(void **state)
{
	struct bp_request first, second;
	struct hv_policy_stats stats;
	struct hv_question q;

	(void)state;
	blk_box_make(&bp_box, BP_DISK);
	blk_box_open(&bp_box, &(struct hv_blk_opts){ .queues = 2 });
	blk_box_start(&bp_box, bp_box.dev.offered, 0);
	bp_policy = bp_make((struct hv_policy_opts){
		.ops = BP_ALL, .desk.depth = 1, .overload = HV_POLICY_STALL });
	bp_desk = hv_policy_desk(bp_policy);
	hv_vdev_set_policy(&bp_box.dev, bp_policy);
	for (unsigned int i = 0; i < 50; i++) {
		first = bp_add_to(i % 2, VIRTIO_BLK_T_IN, 1, 0);
		q = bp_take();
		hv_policy_stats(bp_policy, &stats);
		second = bp_add_to((i + 1) % 2, VIRTIO_BLK_T_IN, 2, 0);
		if (i % 3)
			bp_wait_refused(stats.desk.refused + 1);
		bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
		q = bp_take();
		assert_int_equal(q.at, 2 * 512);
		bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
		assert_int_equal(bp_finish(&first), VIRTIO_BLK_S_OK);
		assert_int_equal(bp_finish(&second), VIRTIO_BLK_S_OK);
	}
	bp_end();
}

/* Closed and left in place it holds the device up, until it is taken off. */
static void test_stall_closed(void **state)
{
	struct bp_request asked_for, waiting, read;
	uint8_t bytes[512];

	(void)state;
	bp_begin((struct hv_policy_opts){ .ops = BP_BIT(HV_POLICY_BLK_WRITE),
					  .overload = HV_POLICY_STALL });
	asked_for = bp_add(VIRTIO_BLK_T_OUT, 1, 1);
	bp_take();
	hv_policy_close(bp_policy);
	waiting = bp_add(VIRTIO_BLK_T_OUT, 2, 2);
	read = bp_add(VIRTIO_BLK_T_IN, 2, 2);
	/* A paused device answers what it holds as soon as it is decided about. */
	hv_vdev_pause(&bp_box.dev, true);
	assert_int_equal(*asked_for.status, 0xee);
	hv_vdev_set_policy(&bp_box.dev, NULL);
	assert_int_equal(bp_finish(&asked_for), VIRTIO_BLK_S_OK);
	hv_vdev_pause(&bp_box.dev, false);
	assert_int_equal(bp_finish(&waiting), VIRTIO_BLK_S_OK);
	assert_int_equal(bp_finish(&read), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_read(&bp_box, 2, bytes, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(bytes[0], 2);
	bp_end();
}

/* Who only looks on keeps nobody waiting. */
static void test_observe(void **state)
{
	struct hv_policy_stats stats;
	struct hv_question q;
	uint8_t bytes[512];

	(void)state;
	bp_begin((struct hv_policy_opts){
		.ops = BP_ALL, .observes = true, .chance = UINT32_MAX, .desk.depth = 3 });
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(blk_box_read(&bp_box, i, bytes, 512), VIRTIO_BLK_S_OK);
	for (unsigned int i = 0; i < 3; i++) {
		q = bp_take();
		assert_int_equal(q.at, i * 512);
		assert_int_equal(hv_desk_answer(bp_desk, q.ticket, &(struct hv_answer){ 0 }), 0);
	}
	assert_false(hv_desk_take(bp_desk, &q));
	hv_policy_stats(bp_policy, &stats);
	assert_int_equal(stats.concerned, 5);
	assert_int_equal(stats.desk.refused, 2);
	assert_int_equal(stats.desk.open, 0);
	bp_end();
}

static void test_sample(void **state)
{
	struct hv_policy_stats stats;
	uint8_t bytes[512];

	(void)state;
	bp_begin((struct hv_policy_opts){
		.ops = BP_ALL, .observes = true, .chance = UINT32_MAX / 4, .desk.depth = 1024 });
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(blk_box_read(&bp_box, i, bytes, 512), VIRTIO_BLK_S_OK);
	hv_policy_stats(bp_policy, &stats);
	assert_in_range(stats.desk.asked, 120, 400);
	bp_end();
}

static int reset_counts(void **state)
{
	(void)state;
	atomic_store(&bp_asked, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_words, reset_counts),
		cmocka_unit_test_setup(test_delay, reset_counts),
		cmocka_unit_test_setup(test_filters, reset_counts),
		cmocka_unit_test_setup(test_flush, reset_counts),
		cmocka_unit_test_setup(test_overload, reset_counts),
		cmocka_unit_test_setup(test_stall, reset_counts),
		cmocka_unit_test_setup(test_queues, reset_counts),
		cmocka_unit_test_setup(test_stall_closed, reset_counts),
		cmocka_unit_test_setup(test_observe, reset_counts),
		cmocka_unit_test_setup(test_sample, reset_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
