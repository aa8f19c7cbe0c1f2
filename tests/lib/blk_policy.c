// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "blk_policy.h"

#include <endian.h>
#include <string.h>

struct blk_box bp_box;
struct hv_policy *bp_policy;
struct hv_desk *bp_desk;
_Atomic unsigned int bp_asked;

static void on_asked(void *arg)
{
	(void)arg;
	atomic_fetch_add(&bp_asked, 1);
}

struct hv_policy *bp_make(struct hv_policy_opts opts)
{
	struct hv_policy *made;
	struct hv_err err = { 0 };

	opts.desk.depth = opts.desk.depth ?: 64;
	opts.desk.bytes = 1 << 20;
	opts.desk.asked = on_asked;
	if (hv_policy_new(&opts, &made, &err))
		fail_msg("%s", err.msg);
	return made;
}

void bp_begin(struct hv_policy_opts opts)
{
	blk_box_make(&bp_box, BP_DISK);
	blk_box_open(&bp_box, &(struct hv_blk_opts){ 0 });
	blk_box_start(&bp_box, bp_box.dev.offered, 0);
	bp_policy = bp_make(opts);
	bp_desk = hv_policy_desk(bp_policy);
	hv_vdev_set_policy(&bp_box.dev, bp_policy);
}

void bp_end(void)
{
	blk_box_free(&bp_box);
	hv_policy_put(bp_policy);
}

/* On its way, one sector. */
struct bp_request bp_add_to(unsigned int queue, uint32_t type, uint64_t sector, uint8_t byte)
{
	bool in = type == VIRTIO_BLK_T_IN;
	uint32_t len = type == VIRTIO_BLK_T_FLUSH ? 0 : 512;
	struct bp_request r = { .queue = queue, .header = vrig_alloc(&bp_box.rig, 1024, 512) };
	struct vrig_buf bufs[3] = { { r.header, sizeof(*r.header), false } };
	unsigned int n = 1;

	r.status = (uint8_t *)r.header + 64;
	r.data = (uint8_t *)r.header + 512;
	*r.header = (struct virtio_blk_outhdr){ .type = htole32(type), .sector = htole64(sector) };
	*r.status = 0xee;
	memset(r.data, byte, 512);
	if (len)
		bufs[n++] = (struct vrig_buf){ r.data, len, in };
	bufs[n++] = (struct vrig_buf){ r.status, 1, true };
	r.head = vrig_add(&bp_box.rig, queue, bufs, n);
	vrig_kick(&bp_box.rig, queue);
	return r;
}

struct bp_request bp_add(uint32_t type, uint64_t sector, uint8_t byte)
{
	return bp_add_to(0, type, sector, byte);
}

uint8_t bp_finish(const struct bp_request *r)
{
	vrig_finish(&bp_box.rig, r->queue, r->head);
	return *r->status;
}

struct hv_question bp_take(void)
{
	struct hv_question q;
	uint64_t deadline = 0;

	while (!hv_desk_take(bp_desk, &q))
		vrig_pause(&deadline, "a question");
	return q;
}

void bp_answer(const struct hv_question *q, struct hv_answer a)
{
	assert_int_equal(hv_desk_answer(bp_desk, q->ticket, &a), 0);
}

void bp_wait_open(unsigned int n)
{
	struct hv_policy_stats stats;
	uint64_t deadline = 0;

	for (;;) {
		hv_policy_stats(bp_policy, &stats);
		if (stats.desk.open == n)
			return;
		vrig_pause(&deadline, "open questions");
	}
}

void bp_wait_refused(uint64_t n)
{
	struct hv_policy_stats stats;
	uint64_t deadline = 0;

	for (;;) {
		hv_policy_stats(bp_policy, &stats);
		if (stats.desk.refused >= n)
			return;
		vrig_pause(&deadline, "a question without room");
	}
}

uint8_t bp_on_disk(uint64_t sector)
{
	uint8_t byte;

	blk_box_file_read(bp_box.image, sector * 512, &byte, 1);
	return byte;
}
