// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk_policy.h"
#include "virtio/state.h"

/* Devices and policies that come and go while requests are not decided about. */

static void test_reset(void **state)
{
	struct hv_question first, again;
	struct bp_request r;

	(void)state;
	bp_begin((struct hv_policy_opts){ .ops = BP_ALL });
	bp_add(VIRTIO_BLK_T_OUT, 1, 1);
	first = bp_take();
	bp_add(VIRTIO_BLK_T_OUT, 2, 2);
	bp_wait_open(2);
	vrig_reclaim(&bp_box.rig);
	memset(bp_box.scratch, 0, sizeof(bp_box.scratch));
	bp_wait_open(0);
	assert_false(hv_desk_open(bp_desk, first.ticket));
	blk_box_start(&bp_box, 0, 0);
	/* The next life is under the same policy, and gets no answers of the last one. */
	r = bp_add(VIRTIO_BLK_T_IN, 3, 0);
	again = bp_take();
	assert_int_equal(again.kind, HV_POLICY_BLK_READ);
	assert_int_equal(hv_desk_answer(bp_desk, first.ticket,
					&(struct hv_answer){ .word = HV_ANSWER_DENY }),
			 -ESTALE);
	bp_answer(&again, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	assert_int_equal(bp_finish(&r), VIRTIO_BLK_S_OK);
	assert_int_equal(bp_on_disk(1), blk_box_byte(1, 0));
	bp_end();
}

/* What the process had not decided about when it ended, the next one's policy is asked. */
static void test_next_process(void **state)
{
	const struct hv_state_id id = {
		.life = 1, .at = 0xa000000, .size = 0x200, .config = 9, .zone = 1, .irq = VRIG_IRQ
	};
	struct hv_state *kept;
	struct hv_err err = { 0 };
	struct hv_question q;
	struct bp_request held, waiting;
	char path[160];

	(void)state;
	blk_box_make(&bp_box, BP_DISK);
	assert_int_equal(blk_box_init(&bp_box, &(struct hv_blk_opts){ 0 }, &err), 0);
	assert_int_equal(hv_state_create(bp_box.dir, &id, &bp_box.dev, &err), 0);
	vrig_init(&bp_box.rig, &bp_box.dev, BLK_BOX_RAM);
	blk_box_start(&bp_box, 0, 0);
	bp_policy = bp_make((struct hv_policy_opts){ .ops = BP_ALL });
	bp_desk = hv_policy_desk(bp_policy);
	hv_vdev_set_policy(&bp_box.dev, bp_policy);
	held = bp_add(VIRTIO_BLK_T_OUT, 5, 0xaa);
	bp_take();
	waiting = bp_add(VIRTIO_BLK_T_OUT, 6, 0xbb);
	bp_wait_open(2);
	kept = bp_box.dev.kept;
	hv_vdev_leave(&bp_box.dev);
	hv_state_close(kept, false);
	hv_vdev_destroy(&bp_box.dev);
	hv_policy_put(bp_policy);
	assert_int_equal(*held.status, 0xee);
	assert_int_equal(bp_on_disk(5), blk_box_byte(5, 0));

	assert_int_equal(blk_box_init(&bp_box, &(struct hv_blk_opts){ 0 }, &err), 0);
	assert_int_equal(hv_state_open(bp_box.dir, &id, &bp_box.dev, &bp_box.rig.mem, &err), 0);
	bp_policy = bp_make((struct hv_policy_opts){ .ops = BP_ALL });
	bp_desk = hv_policy_desk(bp_policy);
	hv_vdev_set_policy(&bp_box.dev, bp_policy);
	assert_int_equal(
		hv_vdev_attach(&bp_box.dev, &bp_box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	q = bp_take();
	assert_int_equal(q.at, 5 * 512);
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
	assert_int_equal(bp_finish(&held), VIRTIO_BLK_S_OK);
	q = bp_take();
	assert_int_equal(q.at, 6 * 512);
	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_DENY });
	assert_int_equal(bp_finish(&waiting), VIRTIO_BLK_S_IOERR);
	assert_int_equal(bp_on_disk(5), 0xaa);
	kept = bp_box.dev.kept;
	snprintf(path, sizeof(path), "%s/1-a000000-200", bp_box.dir);
	unlink(path);
	vrig_free(&bp_box.rig);
	hv_state_close(kept, false);
	hv_vdev_destroy(&bp_box.dev);
	bp_box.open = false;
	blk_box_free(&bp_box);
	hv_policy_put(bp_policy);
}

static _Atomic bool over;

static void *answerer(void *arg)
{
	unsigned int n = 0;

	(void)arg;
	while (!atomic_load(&over)) {
		struct hv_policy *mine = bp_make((struct hv_policy_opts){
			.ops = BP_ALL,
			.desk.depth = n % 3 ? 64 : 2,
			.overload = n % 2 ? HV_POLICY_STALL : HV_POLICY_PASS });

		hv_vdev_set_policy(&bp_box.dev, n % 7 ? mine : NULL);
		for (unsigned int i = 0; i < 200; i++) {
			struct hv_question q;

			if (hv_desk_take(hv_policy_desk(mine), &q))
				(void)hv_desk_answer(
					hv_policy_desk(mine), q.ticket,
					&(struct hv_answer){ .delay_ns = n % 5 ? 0 : 10000 });
		}
		hv_policy_put(mine);
		n++;
	}
	hv_vdev_set_policy(&bp_box.dev, NULL);
	return NULL;
}

/* Policies come and go while a guest has many requests out: each is answered once, rightly. */
static void test_swap(void **state)
{
	struct bp_request r[24];
	pthread_t thread;

	(void)state;
	bp_begin((struct hv_policy_opts){ .ops = BP_ALL, .overload = HV_POLICY_PASS });
	atomic_store(&over, false);
	assert_int_equal(pthread_create(&thread, NULL, answerer, NULL), 0);
	for (unsigned int round = 0; round < 60; round++) {
		for (unsigned int i = 0; i < 24; i++)
			r[i] = i % 8 == 7 ? bp_add(VIRTIO_BLK_T_FLUSH, 0, 0)
			       : i % 2	  ? bp_add(VIRTIO_BLK_T_OUT, i, (uint8_t)(round + i))
					  : bp_add(VIRTIO_BLK_T_IN, 100 + i, 0);
		for (unsigned int i = 0; i < 24; i++) {
			assert_int_equal(bp_finish(&r[i]), VIRTIO_BLK_S_OK);
			if (i % 8 != 7 && i % 2)
				assert_int_equal(bp_on_disk(i), (uint8_t)(round + i));
		}
		if (round % 20 == 19) {
			for (unsigned int i = 0; i < 24; i++)
				bp_add(VIRTIO_BLK_T_IN, i, 0);
			vrig_reclaim(&bp_box.rig);
			blk_box_start(&bp_box, bp_box.dev.offered, 0);
		}
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	bp_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_next_process),
		cmocka_unit_test(test_swap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
