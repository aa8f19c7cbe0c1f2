// SPDX-License-Identifier: GPL-2.0-or-later
/* A console's limit counts what the guest writes once, also where memory is short on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "console_rig.h"
#include "kept_log.h"
#include "syscall_faults.h"
#include "virtio/policy.h"

#define PLACES_MAX 40
#define TEXT "12345678"
#define BURST 10 /* once is allowed, twice is not */

static const struct sf_fault no_memory = { SF_malloc, ENOMEM };

static void allow(struct hv_desk *desk)
{
	const struct hv_answer answer = { .word = HV_ANSWER_ALLOW };
	struct hv_question q;
	uint64_t deadline = 0;

	while (!hv_desk_take(desk, &q))
		vrig_pause(&deadline, "a question");
	assert_int_equal(hv_desk_answer(desk, q.ticket, &answer), 0);
}

static unsigned int once(unsigned int place)
{
	const struct hv_policy_opts opts = { .desk = { .depth = 8, .bytes = 1 << 20 },
					     .ops = 1u << HV_POLICY_OUT,
					     .overload = HV_POLICY_STALL };
	struct hv_console_client *client;
	struct hv_policy *policy;
	struct hv_err err;
	struct crig c;
	unsigned int hit;
	int head;

	kept_log_begin();
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "test", 0, 0);
	assert_int_equal(hv_policy_new(&opts, &policy, &err), 0);
	hv_vdev_set_policy(&c.dev, policy);
	hv_limit_set_rates(&c.dev.limit, (struct hv_limit_rate){ 0 },
			   (struct hv_limit_rate){
				   .tokens = 1, .period_ns = UINT64_C(1) << 47, .burst = BURST });
	memcpy(c.page, TEXT, strlen(TEXT));
	sf_arm(no_memory, place, 1);
	head = vrig_add(&c.rig, 1, &(struct vrig_buf){ c.page, strlen(TEXT), false }, 1);
	vrig_kick(&c.rig, 1);
	allow(hv_policy_desk(policy));
	crig_expect(client, TEXT);
	hit = sf_disarm();
	assert_int_equal(vrig_finish(&c.rig, 1, head), 0);
	hv_console_close(client);
	crig_free(&c);
	hv_policy_put(policy);
	return hit;
}

static void counted_once(void **state)
{
	unsigned int place = 1;

	(void)state;
	while (once(place))
		assert_true(++place < PLACES_MAX);
	/* The copy of the guest's bytes is one of them. */
	assert_true(place > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counted_once, sf_begin, sf_end),
	};

	return cmocka_run_group_tests_name("console: limits where memory is short", tests, NULL,
					   NULL);
}
