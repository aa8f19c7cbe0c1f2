// SPDX-License-Identifier: GPL-2.0-or-later
/* A thousand clients at once: as many as there is room for are let in, the others are told. */
#include "control_rig.h"

#include <dirent.h>
#include <sys/resource.h>

#include "base/log.h"

#define CROWD 1000

static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	(void)arg;
	hv_control_reply(conn, id, json, len, NULL);
}

static void on_closed(struct hv_control_conn *conn, void *arg)
{
	struct service *s = arg;

	(void)conn;
	atomic_fetch_add(&s->closed, 1);
}

static const struct hv_control_ops ops = { .request = on_request, .closed = on_closed };

static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void expect_echo(struct hv_control_client *client)
{
	struct hv_buf reply = { 0 };
	struct hv_err err = { 0 };

	if (hv_control_call(client, "{\"echo\":1}", 10, LONG, &reply, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(reply.data, "{\"echo\":1}");
	hv_buf_free(&reply);
}

/* Whether it was let in. */
static bool greeted(int fd)
{
	char payload[4096];
	uint16_t channel;
	uint32_t id;
	size_t len;
	bool in;

	assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), HV_FRAME_HELLO);
	in = !strstr(payload, "\"error\"");
	if (!in) {
		assert_non_null(strstr(payload, "the service has 64 clients"));
		assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), 0);
	}
	return in;
}

static void test_crowd(void **state)
{
	struct rlimit limit;
	struct hv_control_client *first, *last;
	struct service s;
	unsigned int in = 0, before;
	int fds[CROWD];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * CROWD)
		skip();
	limit.rlim_cur = 2 * CROWD;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	hv_log_set_level(HV_LOG_ERROR);
	service_prepare(&s, &ops);
	service_run(&s);
	first = service_connect(&s);
	expect_echo(first);
	before = count_descriptors();
	for (int i = 0; i < CROWD; i++) {
		/* Those that are let in greet: their places are theirs, however long this takes. */
		fds[i] = i < HV_CONTROL_CLIENTS - 1 ? raw_hello(s.path) : raw_connect(s.path);
		if (i % 100 == 0 || i == HV_CONTROL_CLIENTS - 2)
			expect_echo(first);
	}
	for (int i = 0; i < CROWD; i++)
		in += greeted(fds[i]);
	assert_int_equal(in, HV_CONTROL_CLIENTS - 1);
	expect_echo(first);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
	/* They go one after the other; there is room as soon as one has gone. */
	for (int i = 0; count_descriptors() != before; i++) {
		assert_in_range(i, 0, 60000);
		usleep(1000);
	}
	last = service_connect(&s);
	expect_echo(last);
	expect_echo(first);
	hv_control_disconnect(last);
	hv_control_disconnect(first);
	service_halt(&s);
	service_free(&s);
}

static bool let_in(const struct service *s, int *fd)
{
	*fd = raw_connect(s->path);
	if (greeted(*fd))
		return true;
	close(*fd);
	return false;
}

/* A client that is in greets and asks. */
static void expect_answer(int fd)
{
	char payload[4096];
	uint16_t channel;
	uint32_t id = 0;
	size_t len;

	raw_send(fd, HV_FRAME_HELLO, 0, 0, "{\"protocol\":1,\"oldest\":1}");
	raw_send(fd, HV_FRAME_REQUEST, 0, 7, "{}");
	assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), HV_FRAME_REPLY);
	assert_int_equal(id, 7);
}

/* All places are taken, by those that say nothing: who wants one gets it after a while. */
static void test_silent(void **state)
{
	struct hv_control_client *first;
	int fds[HV_CONTROL_CLIENTS], late;
	struct service s;
	char reason[1024];

	(void)state;
	hv_log_set_level(HV_LOG_ERROR);
	service_prepare(&s, &ops);
	service_run(&s);
	/* The oldest of all has greeted, and stays. */
	first = service_connect(&s);
	for (int i = 1; i < HV_CONTROL_CLIENTS; i++) {
		fds[i] = raw_connect(s.path);
		assert_true(greeted(fds[i]));
	}
	for (int i = 0; !let_in(&s, &late); i++) {
		assert_in_range(i, 0, 600);
		usleep(100000);
	}
	raw_until_end(fds[1], reason);
	assert_non_null(strstr(reason, "there was no hello"));
	/* One went, no more. */
	expect_answer(fds[2]);
	expect_answer(late);
	expect_echo(first);
	for (int i = 1; i < HV_CONTROL_CLIENTS; i++)
		close(fds[i]);
	close(late);
	hv_control_disconnect(first);
	service_halt(&s);
	service_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
