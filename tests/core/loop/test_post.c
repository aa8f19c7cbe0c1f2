// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"

#define LONG (INT64_C(60000) * 1000000)
#define POSTERS 4
#define ROUNDS 20000

static struct hv_loop *loop_new(void)
{
	struct hv_loop *loop;

	assert_int_equal(hv_loop_new(&loop, NULL), 0);
	return loop;
}

static void count(struct hv_loop *loop, struct hv_post *post)
{
	(void)loop;
	++*(unsigned int *)post->arg;
}

static void test_coalesces(void **state)
{
	struct hv_loop *loop = loop_new();
	unsigned int n = 0;
	struct hv_post post = { .fn = count, .arg = &n };

	(void)state;
	assert_true(hv_loop_post(loop, &post));
	assert_false(hv_loop_post(loop, &post));
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	assert_true(hv_loop_post(loop, &post));
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(n, 2);
	hv_loop_free(loop);
}

static void test_unpost(void **state)
{
	struct hv_loop *loop = loop_new();
	unsigned int n[3] = { 0 };
	struct hv_post post[3];

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		post[i] = (struct hv_post){ .fn = count, .arg = &n[i] };
		assert_true(hv_loop_post(loop, &post[i]));
	}
	hv_loop_unpost(loop, &post[1]);
	hv_loop_unpost(loop, &post[1]);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 2);
	assert_int_equal(n[0] + n[2], 2);
	assert_int_equal(n[1], 0);
	/* Not lost either: it can be posted again. */
	assert_true(hv_loop_post(loop, &post[1]));
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	hv_loop_free(loop);
}

struct chain {
	struct hv_post post;
	struct hv_post *next, *victim;
	unsigned int calls;
};

static void go_on(struct hv_loop *loop, struct hv_post *post)
{
	struct chain *c = post->arg;

	c->calls++;
	if (c->next)
		hv_loop_post(loop, c->next);
	if (c->victim)
		hv_loop_unpost(loop, c->victim);
}

/* What is posted in a round comes in the next one; what is taken back in a round does not come. */
static void test_from_callbacks(void **state)
{
	struct hv_loop *loop = loop_new();
	struct chain a = { 0 }, b = { 0 };

	(void)state;
	a.post = (struct hv_post){ .fn = go_on, .arg = &a };
	b.post = (struct hv_post){ .fn = go_on, .arg = &b };
	a.next = &a.post;
	hv_loop_post(loop, &a.post);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(a.calls, 3);
	a.victim = &b.post;
	hv_loop_post(loop, &b.post);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(b.calls, 0);
	a.next = NULL;
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(a.calls, 5);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	hv_loop_free(loop);
}

static void defer_again(struct hv_loop *loop, struct hv_post *post)
{
	++*(unsigned int *)post->arg;
	hv_loop_defer(loop, post);
}

/* Deferred work keeps the next round from waiting, and comes once in a round. */
static void test_defer(void **state)
{
	struct hv_loop *loop = loop_new();
	unsigned int n[3] = { 0 };
	struct hv_post again = { .fn = defer_again, .arg = &n[0] };
	struct hv_post once = { .fn = count, .arg = &n[1] };
	struct hv_post posted = { .fn = count, .arg = &n[2] };

	(void)state;
	assert_true(hv_loop_defer(loop, &again));
	assert_false(hv_loop_defer(loop, &again));
	assert_true(hv_loop_defer(loop, &once));
	assert_int_equal(hv_loop_run_once(loop, -1, NULL), 2);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 1);
	for (unsigned int i = 2; i < 5; i++) {
		assert_int_equal(hv_loop_run_once(loop, -1, NULL), 1);
		assert_int_equal(n[0], i);
	}
	/* Others come all the same. */
	hv_loop_post(loop, &posted);
	while (!n[2])
		assert_true(hv_loop_run_once(loop, -1, NULL) > 0);
	hv_loop_unpost(loop, &again);
	hv_loop_defer(loop, &once);
	hv_loop_unpost(loop, &once);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	assert_true(hv_loop_defer(loop, &once));
	hv_loop_free(loop);
	assert_int_equal(n[1], 1);
}

static char letters[64];

static void read_letter(struct hv_loop *loop, const void *data, size_t size)
{
	(void)loop;
	strncat(letters, data, size);
}

static void test_send(void **state)
{
	struct hv_loop *loop = loop_new();
	char *big = calloc(1, HV_LOOP_SEND_MAX);
	int rc = 0, sent = 0;

	(void)state;
	letters[0] = '\0';
	assert_int_equal(hv_loop_send(loop, read_letter, "one ", 4), 0);
	assert_int_equal(hv_loop_send(loop, read_letter, "two ", 4), 0);
	assert_int_equal(hv_loop_send(loop, read_letter, NULL, 0), 0);
	assert_int_equal(hv_loop_send(loop, read_letter, "three", 5), 0);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 4);
	assert_string_equal(letters, "one two three");

	/* Bounded, and good again when read. */
	assert_int_equal(hv_loop_send(loop, read_letter, big, HV_LOOP_SEND_MAX), -ENOBUFS);
	assert_int_equal(hv_loop_send(loop, read_letter, big, SIZE_MAX), -ENOBUFS);
	while (!(rc = hv_loop_send(loop, read_letter, big, 65536)))
		sent++;
	assert_int_equal(rc, -ENOBUFS);
	assert_in_range(sent, 60, 64);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), sent);
	assert_int_equal(hv_loop_send(loop, read_letter, big, 65536), 0);
	/* The one that waits goes with the loop. */
	hv_loop_free(loop);
	free(big);
}

static void end_it(struct hv_loop *loop, struct hv_post *post)
{
	free(post);
	hv_loop_free(loop);
	exit(0);
}

/* As os.exit does in a callback: what stands behind it goes with the loop, says the sanitizer. */
static void test_end_inside(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (!child) {
		struct hv_loop *loop = loop_new();
		struct hv_post *post = calloc(1, sizeof(*post));

		post->fn = end_it;
		hv_loop_post(loop, post);
		for (unsigned int i = 0; i < 8; i++)
			hv_loop_send(loop, read_letter, "letter", 6);
		hv_loop_run_once(loop, LONG, NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

struct poster {
	pthread_t thread;
	struct hv_loop *loop;
	unsigned int id, sent;	 /* poster's */
	unsigned int got, calls; /* loop's */
	struct hv_post post;
};

struct numbered {
	struct poster *from;
	unsigned int n;
};

static void in_order(struct hv_loop *loop, const void *data, size_t size)
{
	const struct numbered *m = data;

	(void)loop;
	assert_int_equal(size, sizeof(*m));
	assert_int_equal(m->n, m->from->got);
	m->from->got++;
}

static void tap_shoulder(struct hv_loop *loop, struct hv_post *post)
{
	(void)loop;
	((struct poster *)post->arg)->calls++;
}

static void *poster_main(void *arg)
{
	struct poster *p = arg;

	while (p->sent < ROUNDS) {
		struct numbered m = { p, p->sent };

		if (hv_loop_send(p->loop, in_order, &m, sizeof(m)) == 0)
			p->sent++;
		hv_loop_post(p->loop, &p->post);
	}
	return NULL;
}

/* Nothing is lost, nothing comes twice, the order of each thread is kept, and the loop always
 * wakes. */
static void test_threads(void **state)
{
	struct hv_loop *loop = loop_new();
	struct poster p[POSTERS] = { { 0 } };
	unsigned int got = 0;

	(void)state;
	for (unsigned int i = 0; i < POSTERS; i++) {
		p[i] = (struct poster){ .loop = loop,
					.id = i,
					.post = { .fn = tap_shoulder, .arg = &p[i] } };
		assert_int_equal(pthread_create(&p[i].thread, NULL, poster_main, &p[i]), 0);
	}
	while (got < POSTERS * ROUNDS) {
		assert_true(hv_loop_run_once(loop, LONG, NULL) > 0);
		got = 0;
		for (unsigned int i = 0; i < POSTERS; i++)
			got += p[i].got;
	}
	for (unsigned int i = 0; i < POSTERS; i++)
		pthread_join(p[i].thread, NULL);
	while (hv_loop_run_once(loop, 0, NULL) > 0)
		;
	for (unsigned int i = 0; i < POSTERS; i++)
		assert_in_range(p[i].calls, 1, ROUNDS);
	hv_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coalesces),      cmocka_unit_test(test_unpost),
		cmocka_unit_test(test_from_callbacks), cmocka_unit_test(test_send),
		cmocka_unit_test(test_threads),	       cmocka_unit_test(test_defer),
		cmocka_unit_test(test_end_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
