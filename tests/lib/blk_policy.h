/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_BLK_POLICY_H
#define TESTS_LIB_BLK_POLICY_H

#include "blk_box.h"
#include "virtio/policy.h"

/*
 * A disk under a policy, whose desk the test itself answers. Failures inside end the test.
 *
 *	bp_begin((struct hv_policy_opts){ .ops = BP_ALL });
 *	r = bp_add(VIRTIO_BLK_T_IN, 3, 0);
 *	q = bp_take();
 *	bp_answer(&q, (struct hv_answer){ .word = HV_ANSWER_ALLOW });
 *	assert_int_equal(bp_finish(&r), VIRTIO_BLK_S_OK);
 *	bp_end();
 */
#define BP_DISK (1u << 20)
#define BP_BIT(kind) (1u << (kind))
#define BP_ALL ((1u << HV_POLICY_BLK_KINDS) - 1)

extern struct blk_box bp_box;
extern struct hv_policy *bp_policy;
extern struct hv_desk *bp_desk; /* of it */
extern _Atomic unsigned int bp_asked;

/* With room on its desk for 64 questions where opts do not say. */
struct hv_policy *bp_make(struct hv_policy_opts opts);
void bp_begin(struct hv_policy_opts opts);
void bp_end(void);

struct bp_request {
	unsigned int queue;
	int head;
	struct virtio_blk_outhdr *header;
	uint8_t *data, *status;
};

/* One sector, on its way when this returns; byte: what is written. */
struct bp_request bp_add_to(unsigned int queue, uint32_t type, uint64_t sector, uint8_t byte);
struct bp_request bp_add(uint32_t type, uint64_t sector, uint8_t byte);
/* Waits for its answer; the status. */
uint8_t bp_finish(const struct bp_request *r);
/* Waits for a question. */
struct hv_question bp_take(void);
void bp_answer(const struct hv_question *q, struct hv_answer a);
/* Until so many questions are open, or have found no room. */
void bp_wait_open(unsigned int n);
void bp_wait_refused(uint64_t n);
/* The first byte of a sector of the image. */
uint8_t bp_on_disk(uint64_t sector);

#endif
