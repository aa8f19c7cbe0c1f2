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
		fds[i] = raw_connect(s.path);
		if (i % 100 == 0)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
