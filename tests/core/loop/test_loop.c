// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"

#define MS UINT64_C(1000000)
#define LONG (INT64_C(60000) * 1000000) /* a time no working loop needs */

static struct hv_loop *loop_new(void)
{
	struct hv_loop *loop;

	assert_int_equal(hv_loop_new(&loop, NULL), 0);
	return loop;
}

/* What a callback saw, and what it should do. */
struct seen {
	unsigned int calls;
	uint64_t times;
	uint32_t events;
	int signo;
	unsigned int order;
	struct hv_source *victim; /* removed by the callback */
	struct hv_source *rearm;  /* armed for now by the callback */
};

static unsigned int order;

static void on_fd(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct seen *seen = arg;
	char byte;

	(void)src;
	if (events & EPOLLIN)
		assert_int_equal(read(fd, &byte, 1), 1);
	seen->calls++;
	seen->events = events;
	seen->order = ++order;
	hv_source_remove(seen->victim);
	seen->victim = NULL;
}

static void on_timer(struct hv_source *src, uint64_t times, void *arg)
{
	struct seen *seen = arg;

	(void)src;
	seen->calls++;
	seen->times = times;
	seen->order = ++order;
	hv_source_remove(seen->victim);
	seen->victim = NULL;
	if (seen->rearm)
		hv_timer_set(seen->rearm, 1, 0);
}

static void on_signal(struct hv_source *src, const struct signalfd_siginfo *info, void *arg)
{
	struct seen *seen = arg;

	(void)src;
	seen->calls++;
	seen->signo = (int)info->ssi_signo;
	hv_source_remove(seen->victim);
	seen->victim = NULL;
}

static void test_fd(void **state)
{
	struct hv_loop *loop = loop_new();
	struct hv_source *src, *again;
	struct seen seen = { 0 };
	struct hv_err err;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(hv_loop_add_fd(loop, fds[0], EPOLLIN, on_fd, &seen, &src, NULL), 0);
	assert_ptr_equal(hv_source_loop(src), loop);
	assert_int_equal(hv_loop_add_fd(loop, fds[0], EPOLLIN, on_fd, &seen, &again, &err),
			 -EEXIST);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);

	/* Not looked at: not even the end of the other side. */
	assert_int_equal(hv_fd_set(src, 0, NULL), 0);
	close(fds[1]);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	assert_int_equal(hv_fd_set(src, EPOLLOUT, NULL), 0);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_true(seen.events & EPOLLHUP);
	hv_source_remove(src);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	close(fds[0]);
	hv_loop_free(loop);
}

static void test_bad_fd(void **state)
{
	struct hv_loop *loop = loop_new();
	struct hv_source *src;
	struct seen seen = { 0 };
	struct hv_err err;
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(hv_loop_add_fd(loop, fd, EPOLLIN, on_fd, &seen, &src, &err), -EPERM);
	assert_non_null(strstr(err.msg, "is a file"));
	close(fd);
	assert_int_equal(hv_loop_add_fd(loop, 12345, EPOLLIN, on_fd, &seen, &src, &err), -EBADF);
	hv_loop_free(loop);
}

/* Whichever comes first in a round removes the other: that one is never called. */
static void test_remove_while_running(void **state)
{
	struct hv_loop *loop = loop_new();
	struct seen a = { 0 }, b = { 0 };
	struct hv_source *sa, *sb;
	int fa[2], fb[2];

	(void)state;
	assert_int_equal(pipe(fa) | pipe(fb), 0);
	assert_int_equal(hv_loop_add_fd(loop, fa[0], EPOLLIN, on_fd, &a, &sa, NULL), 0);
	assert_int_equal(hv_loop_add_fd(loop, fb[0], EPOLLIN, on_fd, &b, &sb, NULL), 0);
	a.victim = sb;
	b.victim = sa;
	assert_int_equal(write(fa[1], "x", 1) + write(fb[1], "x", 1), 2);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	assert_int_equal(a.calls + b.calls, 1);

	/* Itself: also fine. */
	assert_int_equal(hv_loop_add_timer(loop, 1, 1, on_timer, &a, &sa, NULL), 0);
	a = (struct seen){ .victim = sa };
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	assert_int_equal(a.calls, 1);
	for (int i = 0; i < 2; i++) {
		close(fa[i]);
		close(fb[i]);
	}
	hv_loop_free(loop);
}

static void test_timers_in_order(void **state)
{
	struct hv_loop *loop = loop_new();
	uint64_t base = hv_now();
	struct seen seen[100] = { { 0 } };
	struct hv_source *src[100];
	int ran = 0;

	(void)state;
	order = 0;
	/* Deadlines in a scrambled order, each of them twice. */
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(hv_loop_add_timer(loop, base + (i * 37 % 50) * MS / 10, 0,
						   on_timer, &seen[i], &src[i], NULL),
				 0);
	for (unsigned int i = 0; i < 100; i += 10)
		hv_source_remove(src[i]);
	while (ran < 90) {
		int n = hv_loop_run_once(loop, LONG, NULL);

		assert_true(n >= 0);
		ran += n;
	}
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(seen[i].calls, i % 10 != 0);
		assert_false(i % 10 && hv_timer_armed(src[i]));
		for (unsigned int j = 0; j < i; j++) {
			unsigned int a = i * 37 % 50, b = j * 37 % 50;

			if (i % 10 && j % 10)
				assert_int_equal(seen[i].order > seen[j].order, a >= b);
		}
	}
	hv_loop_free(loop);
}

static void test_timer_changes(void **state)
{
	struct hv_loop *loop = loop_new();
	struct seen seen = { 0 }, far = { 0 };
	struct hv_source *src, *other;

	(void)state;
	assert_int_equal(hv_loop_add_timer(loop, 0, 0, on_timer, &seen, &src, NULL), 0);
	assert_int_equal(hv_loop_add_timer(loop, UINT64_MAX, 0, on_timer, &far, &other, NULL), 0);
	assert_false(hv_timer_armed(src));
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	/* An earlier deadline counts although the loop was set to a later one. */
	hv_timer_set(src, hv_now() + 3600 * 1000 * MS, 0);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	hv_timer_set(src, hv_now() + MS, 0);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_false(hv_timer_armed(src));
	hv_timer_set(src, 1, 0);
	hv_timer_set(src, 0, 0);
	assert_int_equal(hv_loop_run_once(loop, 0, NULL), 0);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(far.calls, 0);
	hv_loop_free(loop);
}

/* Deadlines that nobody could serve are counted, not replayed. */
static void test_timer_period(void **state)
{
	struct hv_loop *loop = loop_new();
	struct seen seen = { 0 };
	struct hv_source *src;
	uint64_t start = hv_now();

	(void)state;
	assert_int_equal(
		hv_loop_add_timer(loop, start - 10 * MS + 1, MS, on_timer, &seen, &src, NULL), 0);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_true(seen.times >= 10);
	assert_true(hv_timer_armed(src));
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(seen.calls, 2);
	assert_true(hv_now() >= start);
	hv_loop_free(loop);
}

/* A timer that is always due again does not keep the others waiting. */
static void test_fair(void **state)
{
	struct hv_loop *loop = loop_new();
	struct seen greedy = { 0 }, other = { 0 };
	struct hv_source *timer, *src;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(hv_loop_add_timer(loop, 1, 0, on_timer, &greedy, &timer, NULL), 0);
	greedy.rearm = timer;
	assert_int_equal(hv_loop_add_fd(loop, fds[0], EPOLLIN, on_fd, &other, &src, NULL), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 2);
	assert_int_equal(greedy.calls, 1);
	assert_int_equal(other.calls, 1);
	close(fds[0]);
	close(fds[1]);
	hv_loop_free(loop);
}

static void test_signals(void **state)
{
	struct hv_loop *loop = loop_new();
	struct seen a = { 0 }, b = { 0 };
	struct hv_source *sa, *sb, *bad;
	sigset_t mask;
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_loop_add_signal(loop, SIGKILL, on_signal, &a, &bad, &err), -EINVAL);
	assert_int_equal(hv_loop_add_signal(loop, 1000, on_signal, &a, &bad, &err), -EINVAL);
	assert_int_equal(hv_loop_add_signal(loop, SIGUSR1, on_signal, &a, &sa, NULL), 0);
	assert_int_equal(hv_loop_add_signal(loop, SIGUSR1, on_signal, &b, &sb, NULL), 0);
	raise(SIGUSR1);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 2);
	assert_int_equal(a.signo, SIGUSR1);
	/* One of them takes both away: it is not called any more, nor the mask forgotten. */
	a.victim = sb;
	b.victim = sa;
	raise(SIGUSR1);
	assert_int_equal(hv_loop_run_once(loop, LONG, NULL), 1);
	assert_int_equal(a.calls + b.calls, 3);
	hv_source_remove(a.calls == 2 ? sa : sb);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	assert_false(sigismember(&mask, SIGUSR1));
	hv_loop_free(loop);
}

static void nothing(int signo)
{
	(void)signo;
}

static void test_interrupted(void **state)
{
	struct hv_loop *loop = loop_new();
	struct sigaction act = { .sa_handler = nothing };
	timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec soon = { .it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000 };
	struct hv_err err;

	(void)state;
	sigaction(SIGUSR2, &act, NULL);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	timer_settime(timer, 0, &soon, NULL);
	assert_int_equal(hv_loop_run_once(loop, -1, &err), -EINTR);
	timer_delete(timer);
	signal(SIGUSR2, SIG_DFL);
	hv_loop_free(loop);
}

static struct hv_loop *woken;

static void wake(int signo)
{
	(void)signo;
	hv_loop_wake(woken);
}

/* A handler that ran before the wait ends it all the same, and once. */
static void test_wake(void **state)
{
	struct sigaction act = { .sa_handler = wake };

	(void)state;
	woken = loop_new();
	sigaction(SIGUSR2, &act, NULL);
	raise(SIGUSR2);
	raise(SIGUSR2);
	assert_int_equal(hv_loop_run_once(woken, -1, NULL), 0);
	signal(SIGUSR2, SIG_DFL);
	hv_loop_free(woken);
}

static void nested(struct hv_source *src, uint64_t times, void *arg)
{
	(void)times;
	*(int *)arg = hv_loop_run_once(hv_source_loop(src), 0, NULL);
	hv_loop_stop(hv_source_loop(src));
}

static void test_run_and_stop(void **state)
{
	struct hv_loop *loop = loop_new();
	struct hv_source *src;
	int rc = 0;

	(void)state;
	assert_int_equal(hv_loop_add_timer(loop, 1, 0, nested, &rc, &src, NULL), 0);
	assert_int_equal(hv_loop_run(loop, NULL), 0);
	assert_int_equal(rc, -EBUSY);
	/* A stop that came first counts once. */
	hv_loop_stop(loop);
	assert_int_equal(hv_loop_run(loop, NULL), 0);
	hv_timer_set(src, 1, 0);
	rc = 0;
	assert_int_equal(hv_loop_run(loop, NULL), 0);
	assert_int_equal(rc, -EBUSY);
	hv_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_bad_fd),
		cmocka_unit_test(test_remove_while_running),
		cmocka_unit_test(test_timers_in_order),
		cmocka_unit_test(test_timer_changes),
		cmocka_unit_test(test_timer_period),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_run_and_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
