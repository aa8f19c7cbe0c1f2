// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_console.h>
#include <stdlib.h>
#include <string.h>

#include "console_rig.h"
#include "virtio/policy.h"

#define OUT (1u << HV_POLICY_OUT)
#define IN (1u << HV_POLICY_IN)

static struct crig c;
static struct hv_console_client *client;
static struct hv_policy *policy;
static struct hv_desk *desk;

static void set(struct hv_policy_opts opts)
{
	struct hv_err err = { 0 };

	hv_policy_put(policy);
	opts.desk.depth = 8;
	opts.desk.bytes = 1 << 20;
	if (hv_policy_new(&opts, &policy, &err))
		fail_msg("%s", err.msg);
	desk = hv_policy_desk(policy);
	hv_vdev_set_policy(&c.dev, policy);
}

static void begin(struct hv_policy_opts opts)
{
	policy = NULL;
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "a test", 0, UINT64_C(60000000000));
	set(opts);
}

static void end(void)
{
	hv_console_close(client);
	crig_free(&c);
	hv_policy_put(policy);
}

static struct hv_question take(const char *text)
{
	struct hv_question q;
	uint64_t deadline = 0;

	while (!hv_desk_take(desk, &q))
		vrig_pause(&deadline, "a question");
	assert_int_equal(q.len, strlen(text));
	assert_memory_equal(q.data, text, q.len);
	return q;
}

static void answer(const struct hv_question *q, enum hv_answer_word word, const char *text)
{
	const struct hv_answer a = { .word = word,
				     .data = (void *)(uintptr_t)text,
				     .len = text ? strlen(text) : 0 };

	assert_int_equal(hv_desk_answer(desk, q->ticket, &a), 0);
}

static int add(const char *text)
{
	char *at = vrig_alloc(&c.rig, 64, 16);
	int head;

	memcpy(at, text, strlen(text));
	head = vrig_add(&c.rig, 1, &(struct vrig_buf){ at, (uint32_t)strlen(text), false }, 1);
	vrig_kick(&c.rig, 1);
	return head;
}

static void test_out(void **state)
{
	struct hv_question q;
	int head[4];

	(void)state;
	begin((struct hv_policy_opts){ .ops = OUT });
	head[0] = add("one ");
	head[1] = add("two ");
	head[2] = add("three ");
	head[3] = add("four");
	q = take("one ");
	crig_expect_nothing(client);
	answer(&q, HV_ANSWER_ALLOW, NULL);
	q = take("two ");
	answer(&q, HV_ANSWER_DENY, NULL);
	q = take("three ");
	answer(&q, HV_ANSWER_ALLOW, "[longer than it was] ");
	q = take("four");
	answer(&q, HV_ANSWER_ALLOW, NULL);
	crig_expect(client, "one [longer than it was] four");
	for (unsigned int i = 0; i < 4; i++)
		vrig_finish(&c.rig, 1, head[i]);
	vrig_wait_count(&c.dev.stats.dropped, 4);
	end();
}

/* What comes through the register that needs no queue is under the policy as well. */
static void test_emergency(void **state)
{
	struct hv_question q;

	(void)state;
	begin((struct hv_policy_opts){ .ops = OUT });
	vrig_set_config(&c.rig, offsetof(struct virtio_console_config, emerg_wr), 4, '!');
	q = take("!");
	add("later");
	crig_expect_nothing(client);
	answer(&q, HV_ANSWER_DENY, NULL);
	q = take("later");
	answer(&q, HV_ANSWER_ALLOW, NULL);
	crig_expect(client, "later");
	hv_vdev_set_policy(&c.dev, NULL);
	vrig_set_config(&c.rig, offsetof(struct virtio_console_config, emerg_wr), 4, '?');
	crig_expect(client, "?");
	end();
}

static void test_in(void **state)
{
	struct hv_question q;
	struct hv_err err;
	char got[64];

	(void)state;
	begin((struct hv_policy_opts){ .ops = IN });
	assert_int_equal(hv_console_claim(client, false, &err), 0);
	assert_int_equal(hv_console_write(client, "reboot\r", 7, &err), 7);
	q = take("reboot\r");
	assert_int_equal(hv_console_write(client, "ls\r", 3, &err), 3);
	answer(&q, HV_ANSWER_DENY, NULL);
	q = take("ls\r");
	answer(&q, HV_ANSWER_ALLOW, "ls -l\r");
	/* In buffers smaller than it. */
	assert_int_equal(crig_receive(&c, 0, got, 4), 4);
	assert_int_equal(crig_receive(&c, 0, got + 4, 4), 2);
	assert_memory_equal(got, "ls -l\r", 6);
	hv_vdev_set_policy(&c.dev, NULL);
	assert_int_equal(hv_console_write(client, "x", 1, &err), 1);
	assert_int_equal(crig_receive(&c, 0, got, 4), 1);
	end();
}

static void test_overload(void **state)
{
	uint64_t deadline = 0;

	(void)state;
	begin((struct hv_policy_opts){
		.ops = OUT, .desk.patience_ns = 3000000, .overload = HV_POLICY_PASS });
	add("late");
	crig_expect(client, "late");
	set((struct hv_policy_opts){
		.ops = OUT, .desk.patience_ns = 3000000, .overload = HV_POLICY_DENY });
	add("late");
	while (!atomic_load(&c.dev.stats.dropped))
		vrig_pause(&deadline, "late bytes to be dropped");
	set((struct hv_policy_opts){ .ops = OUT, .overload = HV_POLICY_STALL });
	add("kept");
	take("kept");
	hv_policy_close(policy);
	add(", too");
	crig_expect_nothing(client);
	hv_vdev_set_policy(&c.dev, NULL);
	crig_expect(client, "kept, too");
	end();
}

/* A reset takes what was not decided about with it. */
static void test_reset(void **state)
{
	struct hv_question q;

	(void)state;
	begin((struct hv_policy_opts){ .ops = OUT });
	add("old");
	q = take("old");
	vrig_reset(&c.rig);
	assert_int_equal(hv_desk_answer(desk, q.ticket, &(struct hv_answer){ 0 }), -ESTALE);
	crig_start(&c, 0, 64, 0);
	add("new");
	q = take("new");
	answer(&q, HV_ANSWER_ALLOW, NULL);
	crig_expect(client, "new");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),   cmocka_unit_test(test_emergency),
		cmocka_unit_test(test_in),    cmocka_unit_test(test_overload),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
