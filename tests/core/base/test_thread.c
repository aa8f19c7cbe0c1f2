// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/now.h"
#include "base/thread.h"

struct seen {
	char name[16];
	bool signals;
	int policy, nice;
};

static void *look(void *arg)
{
	struct seen *seen = arg;
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	seen->signals = !sigismember(&set, SIGTERM) || !sigismember(&set, SIGINT);
	hv_thread_short_turns();
	seen->policy = sched_getscheduler(0);
	seen->nice = getpriority(PRIO_PROCESS, 0);
	return NULL;
}

static void test_start(void **state)
{
	struct seen seen = { .signals = true };
	pthread_t thread;
	sigset_t set;

	(void)state;
	assert_int_equal(hv_thread_start(&thread, look, &seen, "test-thread"), 0);
	pthread_getname_np(thread, seen.name, sizeof(seen.name));
	pthread_join(thread, NULL);
	assert_false(seen.signals);
	/* The caller goes on taking them. */
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_false(sigismember(&set, SIGTERM));
	/* Short turns are no priority. */
	assert_int_equal(seen.policy, sched_getscheduler(0));
	assert_int_equal(seen.nice, getpriority(PRIO_PROCESS, 0));
}

static void test_polling(void **state)
{
	struct hv_poll poll = { 0 };
	uint64_t now = hv_now();

	(void)state;
	assert_true(hv_poll_allowed(&poll, now));
	/* The CPU was away for 10 ms. */
	now = hv_poll_yield(&poll, now - 10000000);
	assert_false(hv_poll_allowed(&poll, now));
	assert_false(hv_poll_allowed(&poll, now + 100000000));
	assert_true(hv_poll_allowed(&poll, poll.off_until));
	assert_true(poll.off_until >= now + 320000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_polling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
