// SPDX-License-Identifier: GPL-2.0-or-later
/* What Lua makes of requests, when there is no memory for it: the client is answered all the same.
 */
#include "control_rig.h"

#include "base/log.h"
#include "lua/control.h"
#include "lua/session.h"
#include "lua/state.h"

#define REQUEST "{\"request\":\"log\"}"

static unsigned int said; /* why they were not handled */

static void on_line(enum hv_log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	said += strstr(line, "was not handled: not enough memory") != NULL;
}

static lua_Alloc plain;
static void *plain_arg;
static _Atomic long left = -1; /* so many blocks may still be made; -1 = any number */

static void *limited(void *arg, void *block, size_t old, size_t size)
{
	(void)arg;
	/* Lua counts on being able to shrink. */
	if (size && (!block || size > old) && atomic_load(&left) >= 0) {
		if (!atomic_load(&left))
			return NULL;
		atomic_fetch_sub(&left, 1);
	}
	return plain(plain_arg, block, old, size);
}

struct asker {
	char path[96];
	struct hv_loop *loop;
	unsigned int refused, answered;
	bool went_wrong;
};

/* false: the service could not. */
static bool ask(struct asker *a, struct hv_control_client *client)
{
	struct hv_buf reply = { 0 };
	struct hv_err err = { 0 };
	bool done = false;

	if (hv_control_call(client, REQUEST, strlen(REQUEST), LONG, &reply, &err)) {
		print_error("%s\n", err.msg);
		a->went_wrong = true;
		return true;
	}
	done = strstr(reply.data, "\"was\":");
	if (!done && !strstr(reply.data, "\"code\":\"EFAULT\"")) {
		print_error("%s\n", reply.data);
		a->went_wrong = true;
	}
	hv_buf_free(&reply);
	return done;
}

/* Lets each of the blocks that a request takes be the first that cannot be had. */
static void *asker_main(void *arg)
{
	struct asker *a = arg;
	struct hv_control_client *client;
	struct hv_err err = { 0 };

	if (hv_control_connect(a->path, &client, &err)) {
		print_error("%s\n", err.msg);
		a->went_wrong = true;
		hv_loop_stop(a->loop);
		return NULL;
	}
	/* Loads the modules. */
	a->answered += ask(a, client);
	for (long n = 0; !a->went_wrong; n++) {
		bool done;

		atomic_store(&left, n);
		done = ask(a, client);
		atomic_store(&left, -1);
		if (done)
			break;
		a->refused++;
	}
	a->answered += ask(a, client);
	hv_control_disconnect(client);
	hv_loop_stop(a->loop);
	return NULL;
}

static void test_no_memory(void **state)
{
	struct hv_session session = HV_SESSION_INIT;
	struct asker a = { 0 };
	char dir[] = "/tmp/hvsh-requests-XXXXXX", lock[128];
	struct hv_err err = { 0 };
	pthread_t thread;

	(void)state;
	hv_log_set_sink(on_line, NULL);
	assert_non_null(mkdtemp(dir));
	session.sim = true;
	session.sim_dir = dir;
	session.L = hv_state_new(&session);
	assert_non_null(session.L);
	if (hv_control_start(&session, &err))
		fail_msg("%s", err.msg);
	plain = lua_getallocf(session.L, &plain_arg);
	lua_setallocf(session.L, limited, NULL);
	a.loop = hv_session_loop(&session, &err);
	snprintf(a.path, sizeof(a.path), "%s/control", dir);
	assert_int_equal(pthread_create(&thread, NULL, asker_main, &a), 0);
	hv_loop_run(a.loop, NULL);
	pthread_join(thread, NULL);
	assert_false(a.went_wrong);
	assert_int_equal(a.answered, 2);
	/* At least: the text of the request, its task, the task's coroutine. */
	assert_in_range(a.refused, 3, 100000);
	assert_int_equal(said, a.refused);
	hv_tasks_close(session.L);
	lua_close(session.L);
	hv_session_close(&session);
	hv_log_set_sink(NULL, NULL);
	snprintf(lock, sizeof(lock), "%s/control.lock", dir);
	unlink(lock);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
