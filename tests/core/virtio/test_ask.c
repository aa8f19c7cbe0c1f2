// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/ask.h"
#include "virtio/worker.h"

static struct hv_desk *desk;
static struct hv_worker one, two;
static _Atomic unsigned int asked;

static void on_asked(void *arg)
{
	assert_ptr_equal(arg, &asked);
	atomic_fetch_add(&asked, 1);
}

static void begin(unsigned int depth, size_t bytes, uint64_t patience)
{
	const struct hv_desk_opts opts = {
		.depth = depth,
		.bytes = bytes,
		.patience_ns = patience,
		.asked = on_asked,
		.arg = &asked,
	};
	struct hv_err err;

	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	one.eventfd = eventfd(0, EFD_NONBLOCK);
	two.eventfd = eventfd(0, EFD_NONBLOCK);
	atomic_store(&asked, 0);
	assert_int_equal(hv_desk_new(&opts, &desk, &err), 0);
}

static void end(void)
{
	hv_desk_put(desk);
	close(one.eventfd);
	close(two.eventfd);
}

static int ask(struct hv_worker *w, uintptr_t cookie, const char *text)
{
	struct hv_question q = {
		.kind = 7, .at = cookie, .data = text, .len = strlen(text), .room = 64
	};

	return hv_desk_ask(desk, w, &q, (void *)cookie);
}

static uint64_t take(uintptr_t cookie)
{
	struct hv_question q;

	assert_true(hv_desk_take(desk, &q));
	assert_int_equal(q.at, cookie);
	assert_int_equal(q.kind, 7);
	return q.ticket;
}

static void expect(struct hv_worker *w, uintptr_t cookie, enum hv_answer_word word)
{
	struct hv_answer a;
	void *got;

	assert_true(hv_desk_answered(desk, w, 0, &a, &got));
	assert_int_equal((uintptr_t)got, cookie);
	assert_int_equal(a.word, word);
	free(a.data);
}

static void expect_none(struct hv_worker *w, uint64_t now)
{
	struct hv_answer a;
	void *got;

	assert_false(hv_desk_answered(desk, w, now, &a, &got));
}

/* Each worker gets its own answers, in the order in which they were given. */
static void test_order(void **state)
{
	const struct hv_answer allow = { .word = HV_ANSWER_ALLOW },
			       deny = { .word = HV_ANSWER_DENY };
	uint64_t a, b, c;

	(void)state;
	begin(8, 4096, 0);
	assert_int_equal(ask(&one, 1, "one"), 0);
	assert_int_equal(ask(&two, 2, "two"), 0);
	assert_int_equal(ask(&one, 3, "three"), 0);
	assert_int_equal(atomic_load(&asked), 1);
	a = take(1);
	b = take(2);
	c = take(3);
	expect_none(&one, UINT64_MAX);
	assert_int_equal(hv_desk_answer(desk, c, &deny), 0);
	assert_int_equal(hv_desk_answer(desk, b, &allow), 0);
	assert_int_equal(hv_desk_answer(desk, a, &allow), 0);
	assert_int_equal(atomic_load(&one.messages) & HV_MSG_POKE, HV_MSG_POKE);
	assert_int_equal(atomic_load(&two.messages) & HV_MSG_POKE, HV_MSG_POKE);
	expect(&one, 3, HV_ANSWER_DENY);
	expect(&one, 1, HV_ANSWER_ALLOW);
	expect_none(&one, UINT64_MAX);
	expect(&two, 2, HV_ANSWER_ALLOW);
	/* A ticket is good for one answer, also when its place is used again. */
	assert_int_equal(hv_desk_answer(desk, a, &allow), -ESTALE);
	for (uintptr_t i = 10; i < 18; i++)
		assert_int_equal(ask(&one, i, ""), 0);
	for (uintptr_t i = 10; i < 18; i++)
		take(i);
	assert_int_equal(hv_desk_answer(desk, a, &allow), -ESTALE);
	assert_int_equal(hv_desk_answer(desk, UINT64_MAX, &allow), -ESTALE);
	end();
}

static void test_bounds(void **state)
{
	static char large[HV_DESK_DATA_MAX + 1];
	struct hv_question q = { .data = large, .len = sizeof(large) };
	const struct hv_desk_opts none = { .depth = 0 };
	struct hv_answer a = { .data = large, .len = 65 };
	struct hv_desk_stats stats;
	struct hv_desk *no = NULL;
	struct hv_err err;
	uint64_t ticket;

	(void)state;
	assert_int_equal(hv_desk_new(&none, &no, &err), -EINVAL);
	begin(2, 10, 0);
	assert_int_equal(hv_desk_ask(desk, &one, &q, NULL), -EMSGSIZE);
	q.len = 1;
	q.room = sizeof(large);
	assert_int_equal(hv_desk_ask(desk, &one, &q, NULL), -EMSGSIZE);
	assert_int_equal(ask(&one, 1, "12345678"), 0);
	assert_int_equal(ask(&one, 2, "123"), -ENOBUFS);
	assert_int_equal(ask(&one, 2, "12"), 0);
	assert_int_equal(ask(&one, 3, ""), -ENOBUFS);
	ticket = take(1);
	assert_int_equal(hv_desk_answer(desk, ticket, &a), -EMSGSIZE);
	a.len = 9;
	assert_int_equal(hv_desk_answer(desk, ticket, &a), -ENOBUFS);
	assert_true(hv_desk_open(desk, ticket));
	a.len = 8;
	assert_int_equal(hv_desk_answer(desk, ticket, &a), 0);
	assert_false(hv_desk_open(desk, ticket));
	hv_desk_stats(desk, &stats);
	assert_int_equal(stats.asked, 2);
	assert_int_equal(stats.refused, 2);
	assert_int_equal(stats.answered, 1);
	assert_int_equal(stats.open, 1);
	/* What is answered is still on the desk. */
	assert_int_equal(ask(&one, 3, ""), -ENOBUFS);
	expect(&one, 1, HV_ANSWER_ALLOW);
	assert_int_equal(ask(&one, 3, "12345678"), 0);
	end();
}

static void test_late(void **state)
{
	const struct hv_answer allow = { .word = HV_ANSWER_ALLOW };
	uint64_t deadline, ticket;
	struct hv_answer a;
	void *got;

	(void)state;
	begin(3, 4096, UINT64_C(1) << 40);
	assert_int_equal(hv_desk_deadline(desk, &one), 0);
	assert_int_equal(ask(&two, 1, "x"), 0);
	assert_int_equal(ask(&one, 2, "y"), 0);
	assert_int_equal(ask(&one, 3, "z"), 0);
	deadline = hv_desk_deadline(desk, &one);
	assert_true(deadline > UINT64_C(1) << 40);
	take(1);
	ticket = take(2);
	expect_none(&one, deadline - 1);
	assert_true(hv_desk_answered(desk, &one, deadline, &a, &got));
	assert_int_equal((uintptr_t)got, 2);
	assert_int_equal(a.word, HV_ANSWER_LATE);
	assert_false(hv_desk_open(desk, ticket));
	/* Its place is taken until he who thinks about it has said so. */
	assert_int_equal(ask(&one, 4, ""), -ENOBUFS);
	assert_int_equal(hv_desk_answer(desk, ticket, &allow), -ESTALE);
	assert_int_equal(ask(&one, 4, ""), 0);
	/* One that nobody has taken is not asked any more. */
	assert_true(hv_desk_answered(desk, &one, UINT64_MAX, &a, &got));
	assert_int_equal((uintptr_t)got, 3);
	take(4);
	end();
}

/* What a worker has forgotten is never told to it, whatever became of the question. */
static void test_forget(void **state)
{
	const struct hv_answer allow = { .word = HV_ANSWER_ALLOW, .data = (void *)"abc", .len = 3 };
	uint64_t answered, taken;
	struct hv_desk_stats stats;

	(void)state;
	begin(8, 4096, 0);
	for (uintptr_t i = 1; i <= 3; i++)
		assert_int_equal(ask(&one, i, "x"), 0);
	assert_int_equal(ask(&two, 4, "y"), 0);
	answered = take(1);
	taken = take(2);
	assert_int_equal(hv_desk_answer(desk, answered, &allow), 0);
	hv_desk_forget(desk, &one);
	expect_none(&one, UINT64_MAX);
	assert_int_equal(hv_desk_answer(desk, taken, &allow), -ESTALE);
	hv_desk_stats(desk, &stats);
	assert_int_equal(stats.open, 1);
	assert_int_equal(hv_desk_answer(desk, take(4), &allow), 0);
	expect(&two, 4, HV_ANSWER_ALLOW);
	end();
}

static void test_close(void **state)
{
	const struct hv_answer allow = { .word = HV_ANSWER_ALLOW };
	uint64_t taken;

	(void)state;
	begin(8, 4096, 0);
	assert_int_equal(ask(&one, 1, "x"), 0);
	assert_int_equal(ask(&one, 2, "y"), 0);
	assert_int_equal(ask(&two, 3, "z"), 0);
	taken = take(1);
	hv_desk_close(desk);
	hv_desk_close(desk);
	assert_int_equal(atomic_load(&two.messages) & HV_MSG_POKE, HV_MSG_POKE);
	assert_int_equal(hv_desk_answer(desk, taken, &allow), -ESTALE);
	assert_int_equal(ask(&one, 4, ""), -ESHUTDOWN);
	expect(&one, 1, HV_ANSWER_GONE);
	expect(&one, 2, HV_ANSWER_GONE);
	expect(&two, 3, HV_ANSWER_GONE);
	expect_none(&one, UINT64_MAX);
	end();
}

/* Whoever closes it, what somebody reads at that moment stays; and nothing more is given out. */
static void test_close_while_read(void **state)
{
	struct hv_question q, other;

	(void)state;
	begin(2, 4096, 0);
	assert_int_equal(ask(&one, 1, "text"), 0);
	assert_int_equal(ask(&one, 2, "more"), 0);
	assert_int_equal(ask(&two, 3, "full"), -ENOBUFS);
	assert_true(hv_desk_take(desk, &q));
	atomic_store(&two.messages, 0);
	hv_desk_close(desk);
	assert_int_equal(atomic_load(&two.messages) & HV_MSG_POKE, HV_MSG_POKE);
	assert_false(hv_desk_take(desk, &other));
	assert_false(hv_desk_open(desk, q.ticket));
	expect(&one, 1, HV_ANSWER_GONE);
	expect(&one, 2, HV_ANSWER_GONE);
	assert_memory_equal(q.data, "text", q.len);
	end();
}

/* ---- both sides at once */

#define QUESTIONS 20000

static _Atomic bool done;

static void *answer_all(void *arg)
{
	struct hv_question q;
	uint64_t n = 0;

	while (!atomic_load(&done)) {
		struct hv_answer a = { .word = HV_ANSWER_ALLOW };

		if (!hv_desk_take(desk, &q))
			continue;
		n++;
		if (q.len) {
			a.data = (void *)q.data;
			a.len = q.len;
		}
		if (n % 7)
			hv_desk_answer(desk, q.ticket, &a);
		else if (hv_desk_open(desk, q.ticket))
			hv_desk_answer(desk, q.ticket,
				       &(struct hv_answer){ .word = HV_ANSWER_DENY });
		else
			hv_desk_answer(desk, q.ticket, &a);
	}
	return arg;
}

/* Every question is answered once, to whom it belongs, whatever the two do at the same time. */
static void test_race(void **state)
{
	static bool open[QUESTIONS];
	unsigned int put = 0, got = 0;
	pthread_t thread;
	struct hv_answer a;
	void *cookie;

	(void)state;
	begin(64, 1 << 16, 1000);
	atomic_store(&done, false);
	memset(open, 0, sizeof(open));
	assert_int_equal(pthread_create(&thread, NULL, answer_all, NULL), 0);
	while (got < QUESTIONS) {
		if (put < QUESTIONS && ask(&one, put, put % 3 ? "some bytes" : "") == 0)
			open[put++] = true;
		if (put % 1000 == 0 && put != got && put < QUESTIONS) {
			hv_desk_forget(desk, &one);
			for (unsigned int i = 0; i < put; i++) {
				got += open[i];
				open[i] = false;
			}
		}
		while (hv_desk_answered(desk, &one, UINT64_MAX, &a, &cookie)) {
			assert_true(open[(uintptr_t)cookie]);
			open[(uintptr_t)cookie] = false;
			free(a.data);
			got++;
		}
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	end();
}

/* Who found it full hears of room, also of room that another one's answer has made. */
static void test_room(void **state)
{
	const struct hv_answer allow = { .word = HV_ANSWER_ALLOW };
	uint64_t ticket;

	(void)state;
	begin(1, 4096, 0);
	assert_int_equal(ask(&one, 1, "one"), 0);
	assert_int_equal(ask(&two, 2, "two"), -ENOBUFS);
	ticket = take(1);
	assert_int_equal(hv_desk_answer(desk, ticket, &allow), 0);
	assert_int_equal(atomic_load(&two.messages), 0);
	expect(&one, 1, HV_ANSWER_ALLOW);
	assert_int_equal(atomic_load(&two.messages), HV_MSG_POKE);
	/* Not once it has forgotten. */
	atomic_store(&two.messages, 0);
	assert_int_equal(ask(&one, 1, "one"), 0);
	assert_int_equal(ask(&two, 2, "two"), -ENOBUFS);
	hv_desk_forget(desk, &two);
	hv_desk_forget(desk, &one);
	assert_int_equal(atomic_load(&two.messages), 0);
	end();
}

/* A question for whose answer nobody waits takes its place until it is answered, and no longer. */
static void test_nobody(void **state)
{
	const struct hv_answer allow = { .word = HV_ANSWER_ALLOW };
	struct hv_desk_stats stats;
	uint64_t ticket;

	(void)state;
	begin(2, 4096, 1);
	assert_int_equal(ask(NULL, 1, "one"), 0);
	assert_int_equal(ask(NULL, 2, "two"), 0);
	assert_int_equal(ask(NULL, 3, "three"), -ENOBUFS);
	expect_none(&one, UINT64_MAX);
	assert_int_equal(hv_desk_deadline(desk, &one), 0);
	ticket = take(1);
	assert_int_equal(hv_desk_answer(desk, ticket, &allow), 0);
	assert_int_equal(hv_desk_answer(desk, ticket, &allow), -ESTALE);
	assert_int_equal(ask(NULL, 3, "three"), 0);
	take(2);
	hv_desk_stats(desk, &stats);
	assert_int_equal(stats.open, 2);
	assert_int_equal(stats.answered, 1);
	hv_desk_close(desk);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),  cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_late),   cmocka_unit_test(test_forget),
		cmocka_unit_test(test_close),  cmocka_unit_test(test_close_while_read),
		cmocka_unit_test(test_race),   cmocka_unit_test(test_room),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
