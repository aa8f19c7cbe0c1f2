// SPDX-License-Identifier: GPL-2.0-or-later
#include "control_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"

#define MIB (1u << 20)

static _Atomic unsigned int silent; /* requests that get no reply */

/* What clients may ask for: {"echo…} comes back, other words below. */
static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	char *big = NULL, text[64];

	(void)arg;
	if (len == 3 && !memcmp(json, "big", 3)) {
		big = calloc(1, MIB);
		memset(big, 'b', MIB);
		hv_control_reply(conn, id, big, MIB, NULL);
	} else if (len == 5 && !memcmp(json, "flood", 5)) {
		big = calloc(1, MIB);
		for (int i = 0; i < 64; i++)
			hv_control_reply(conn, id, big, MIB, NULL);
	} else if (len == 6 && !memcmp(json, "events", 6)) {
		big = calloc(1, MIB / 4);
		for (int i = 0; i < 16; i++)
			hv_control_event(conn, big, MIB / 4, NULL);
		hv_control_reply(conn, id, "done", 4, NULL);
	} else if (len == 6 && !memcmp(json, "silent", 6)) {
		atomic_fetch_add(&silent, 1);
		return;
	} else if (len == 4 && !memcmp(json, "drop", 4)) {
		hv_control_drop(conn, "because \"it\" asked");
		hv_control_reply(conn, id, "late", 4, NULL);
	} else if (len == 3 && !memcmp(json, "who", 3)) {
		snprintf(text, sizeof(text), "%s %d", hv_control_conn_program(conn),
			 (int)hv_control_conn_pid(conn));
		hv_control_reply(conn, id, text, strlen(text), NULL);
	} else {
		hv_control_reply(conn, id, json, len, NULL);
	}
	free(big);
}

static void on_closed(struct hv_control_conn *conn, void *arg)
{
	struct service *s = arg;

	(void)conn;
	atomic_fetch_add(&s->closed, 1);
}

static const struct hv_control_ops ops = { .request = on_request, .closed = on_closed };

static void begin(struct service *s)
{
	service_prepare(s, &ops);
	service_run(s);
}

static void end(struct service *s)
{
	service_halt(s);
	service_free(s);
}

static void call(struct hv_control_client *client, const char *request, const char *want)
{
	struct hv_buf reply = { 0 };
	struct hv_err err = { 0 };

	if (hv_control_call(client, request, strlen(request), LONG, &reply, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(reply.len, strlen(want));
	assert_string_equal(reply.data ? reply.data : "", want);
	hv_buf_free(&reply);
}

/* The service goes on for others. */
static void still_serves(const struct service *s)
{
	struct hv_control_client *client = service_connect(s);

	call(client, "echo", "echo");
	hv_control_disconnect(client);
}

static void wait_for(_Atomic unsigned int *count, unsigned int want)
{
	for (int i = 0; i < 6000 && atomic_load(count) < want; i++)
		usleep(10000);
	assert_int_equal(atomic_load(count), want);
}

static void test_calls(void **state)
{
	struct hv_control_client *client;
	struct service s;
	char text[64], want[64];

	(void)state;
	begin(&s);
	client = service_connect(&s);
	assert_int_equal(hv_control_client_pid(client), getpid());
	assert_string_equal(hv_control_client_program(client), "hvsh " HVSH_VERSION);
	snprintf(want, sizeof(want), "hvsh " HVSH_VERSION " %d", (int)getpid());
	call(client, "who", want);
	call(client, "", "");
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "{\"n\":%d}", i);
		call(client, text, text);
	}
	hv_control_disconnect(client);
	wait_for(&s.closed, 1);
	end(&s);
}

static void *many_calls(void *arg)
{
	struct hv_control_client *client = service_connect(arg);

	for (int i = 0; i < 300; i++)
		call(client, "from many", "from many");
	hv_control_disconnect(client);
	return NULL;
}

static void test_many_clients(void **state)
{
	pthread_t threads[16];
	struct service s;

	(void)state;
	begin(&s);
	for (int i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_calls, &s), 0);
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	wait_for(&s.closed, 16);
	end(&s);
}

/* A client that asks 10,000 times before it reads gets 10,000 answers, in order, after it has even
 * closed its sending side. */
static void *ask_much(void *arg)
{
	int fd = *(int *)arg;

	for (uint32_t i = 0; i < 10000; i++)
		raw_send(fd, HV_FRAME_REQUEST, 0, i, "pipelined");
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void test_pipeline(void **state)
{
	char *payload = malloc(MIB + 16);
	struct service s;
	pthread_t asking;
	uint16_t channel;
	uint32_t id = 0;
	size_t len;
	int fd;

	(void)state;
	begin(&s);
	fd = raw_hello(s.path);
	assert_int_equal(pthread_create(&asking, NULL, ask_much, &fd), 0);
	assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), HV_FRAME_HELLO);
	for (uint32_t i = 0; i < 10000; i++) {
		assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), HV_FRAME_REPLY);
		assert_int_equal(id, i);
		assert_string_equal(payload, "pipelined");
	}
	assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), 0);
	pthread_join(asking, NULL);
	close(fd);
	wait_for(&s.closed, 1);
	free(payload);
	end(&s);
}

/* Large answers wait for the client, and the service does not wait. */
static void test_slow_client(void **state)
{
	char *payload = malloc(MIB + 16);
	struct service s;
	uint16_t channel;
	uint32_t id = 0;
	size_t len;
	int fd;

	(void)state;
	begin(&s);
	fd = raw_hello(s.path);
	for (uint32_t i = 0; i < 40; i++)
		raw_send(fd, HV_FRAME_REQUEST, 0, i, "big");
	still_serves(&s);
	assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), HV_FRAME_HELLO);
	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), HV_FRAME_REPLY);
		assert_int_equal(id, i);
		assert_int_equal(len, MIB);
	}
	close(fd);
	free(payload);
	end(&s);
}

static void test_unanswered(void **state)
{
	struct hv_control_client *client;
	struct hv_buf reply = { 0 };
	struct hv_err err = { 0 };
	struct service s;
	int fd;

	(void)state;
	begin(&s);
	client = service_connect(&s);
	assert_int_equal(hv_control_call(client, "silent", 6, 1000000, &reply, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "has not answered in time"));
	call(client, "after", "after");
	hv_control_disconnect(client);

	/* Of one whose requests all wait no more are read; that it goes is noticed. */
	atomic_store(&silent, 0);
	fd = raw_hello(s.path);
	for (uint32_t i = 0; i < 200; i++)
		raw_send(fd, HV_FRAME_REQUEST, 0, i, "silent");
	wait_for(&silent, HV_CONTROL_PENDING);
	still_serves(&s);
	assert_int_equal(atomic_load(&silent), HV_CONTROL_PENDING);
	close(fd);
	wait_for(&s.closed, 3);
	hv_buf_free(&reply);
	end(&s);
}

static void test_flood(void **state)
{
	char reason[1024];
	struct service s;
	int fd;

	(void)state;
	begin(&s);
	fd = raw_hello(s.path);
	raw_send(fd, HV_FRAME_REQUEST, 0, 1, "flood");
	wait_for(&s.closed, 1);
	raw_until_end(fd, reason);
	close(fd);
	still_serves(&s);
	end(&s);
}

/* 4 MiB of events to one that does not read: a part is lost, said so, and replies still pass. */
static void test_lost_events(void **state)
{
	char *payload = malloc(MIB + 16);
	unsigned int n = 0, lost = 0;
	bool replied = false;
	struct service s;
	uint16_t channel;
	uint32_t id = 0;
	uint8_t type;
	size_t len;
	int fd;

	(void)state;
	begin(&s);
	fd = raw_hello(s.path);
	raw_send(fd, HV_FRAME_REQUEST, 0, 5, "events");
	still_serves(&s);
	assert_int_equal(raw_frame(fd, &channel, &id, payload, &len), HV_FRAME_HELLO);
	while (n + lost < 16 || !replied) {
		type = raw_frame(fd, &channel, &id, payload, &len);
		if (type == HV_FRAME_REPLY)
			replied = true;
		else if (type == HV_FRAME_EVENT && len == MIB / 4)
			n++;
		else if (type == HV_FRAME_EVENT)
			assert_int_equal(
				sscanf(payload, "{\"event\":\"lost\",\"count\":%u}", &lost), 1);
		else
			fail_msg("a frame of type %u", type);
	}
	/* Once, with the number. */
	assert_in_range(lost, 4, 15);
	assert_int_equal(n + lost, 16);
	close(fd);
	free(payload);
	end(&s);
}

static void hostile(const struct service *s, bool hello, const void *bytes, size_t len,
		    const char *want)
{
	int fd = hello ? raw_hello(s->path) : raw_connect(s->path);
	char reason[1024];

	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
	raw_until_end(fd, reason);
	if (!strstr(reason, want))
		fail_msg("'%s' instead of '%s'", reason, want);
	close(fd);
	still_serves(s);
}
#define HOSTILE(s, hello, want, ...)                                                               \
	hostile(s, hello, (uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), want)

static void test_hostile(void **state)
{
	uint32_t seed = 1;
	struct service s;

	(void)state;
	hv_log_set_level(HV_LOG_ERROR);
	begin(&s);
	HOSTILE(&s, false, "its first frame is no hello", 6, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 'h',
		'i');
	HOSTILE(&s, false, "its hello is no JSON", 2, 0, 0, 0, 1, 0, 0, 0, 'h', 'i');
	HOSTILE(&s, false, "not known here", 'G', 'E', 'T', ' ', '/', 0, '\r', '\n');
	HOSTILE(&s, true, "only a service sends", 4, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0);
	HOSTILE(&s, true, "channel 5 was never opened", 1, 0, 0, 0, 5, 0, 5, 0, 'x');
	HOSTILE(&s, true, "a request of 4294967295 bytes", 255, 255, 255, 255, 2, 0, 0, 0);
	HOSTILE(&s, true, "only a service sends", 2, 0, 0, 0, 1, 0, 0, 0, '{', '}');
	for (int round = 0; round < 300; round++) {
		uint8_t bytes[256];
		char reason[1024];
		int fd = round & 1 ? raw_hello(s.path) : raw_connect(s.path);

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(seed >> 24) & (round & 2 ? 7 : 255);
		}
		(void)!send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		raw_until_end(fd, reason);
		close(fd);
	}
	still_serves(&s);
	end(&s);
}

static void test_drop(void **state)
{
	struct hv_control_client *client;
	struct hv_buf reply = { 0 };
	struct hv_err err = { 0 };
	struct service s;

	(void)state;
	begin(&s);
	client = service_connect(&s);
	assert_int_equal(hv_control_call(client, "drop", 4, LONG, &reply, &err), -EPIPE);
	assert_non_null(strstr(err.msg, "ended the connection: because \"it\" asked"));
	assert_int_equal(hv_control_call(client, "echo", 4, LONG, &reply, &err), -EPIPE);
	hv_control_disconnect(client);
	wait_for(&s.closed, 1);

	client = service_connect(&s);
	call(client, "echo", "echo");
	end(&s);
	assert_int_equal(hv_control_call(client, "echo", 4, LONG, &reply, &err), -EPIPE);
	assert_non_null(strstr(err.msg, "the test is over"));
	hv_control_disconnect(client);
}

static void test_limit(void **state)
{
	struct hv_control_client *clients[HV_CONTROL_CLIENTS], *one_more;
	struct hv_err err = { 0 };
	struct service s;

	(void)state;
	hv_log_set_level(HV_LOG_ERROR);
	begin(&s);
	for (int i = 0; i < HV_CONTROL_CLIENTS; i++)
		clients[i] = service_connect(&s);
	assert_int_equal(hv_control_connect(s.path, &one_more, &err), -EACCES);
	assert_non_null(strstr(err.msg, "the service has 64 clients"));
	hv_control_disconnect(clients[0]);
	wait_for(&s.closed, 1);
	still_serves(&s);
	for (int i = 1; i < HV_CONTROL_CLIENTS; i++)
		hv_control_disconnect(clients[i]);
	end(&s);
}

/* ---- whose it is */

static void test_other_user(void **state)
{
	struct service s;
	struct stat st;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid())
		skip();
	hv_log_set_level(HV_LOG_ERROR);
	begin(&s);
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(s.dir, 0755), 0);
	for (int open = 0; open < 2; open++) {
		assert_int_equal(chmod(s.path, open ? 0666 : 0600), 0);
		pid = fork();
		if (!pid) {
			struct hv_control_client *client;
			struct hv_err err = { 0 };
			int rc;

			if (setgid(65534) || setuid(65534))
				_exit(1);
			rc = hv_control_connect(s.path, &client, &err);
			if (rc != -EACCES)
				_exit(2);
			_exit(strstr(err.msg, open ? "user 65534 may not use this service"
						   : "only root may talk")
				      ? 0
				      : 3);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	still_serves(&s);
	end(&s);
}

static void test_taken(void **state)
{
	struct hv_control *other;
	struct hv_err err = { 0 };
	struct service s;
	char want[64];

	(void)state;
	begin(&s);
	assert_int_equal(hv_control_listen(s.loop, s.path, &ops, NULL, &other, &err), -EADDRINUSE);
	snprintf(want, sizeof(want), "process %d listens on", (int)getpid());
	assert_non_null(strstr(err.msg, want));
	still_serves(&s);
	end(&s);
}

static void test_stale(void **state)
{
	char dir[] = "/tmp/hvsh-control-XXXXXX", path[64], lock[80];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct hv_control_client *client;
	struct hv_control *ctl;
	struct hv_err err = { 0 };
	struct hv_loop *loop;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control", dir);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(hv_loop_new(&loop, NULL), 0);
	assert_int_equal(hv_control_connect(path, &client, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no service runs"));

	/* Somebody without the lock listens. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(hv_control_listen(loop, path, &ops, NULL, &ctl, &err), -EADDRINUSE);
	close(fd);

	/* Nobody does any more. */
	assert_int_equal(hv_control_connect(path, &client, &err), -ENOENT);
	assert_int_equal(hv_control_listen(loop, path, &ops, NULL, &ctl, &err), 0);
	hv_control_free(ctl, NULL);
	assert_int_equal(access(path, F_OK), -1);

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(hv_control_listen(loop, path, &ops, NULL, &ctl, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "is no socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(symlink("/nowhere", lock), 0);
	assert_int_equal(hv_control_listen(loop, path, &ops, NULL, &ctl, &err), -ELOOP);
	unlink(lock);
	rmdir(dir);
	hv_loop_free(loop);
}

/* ---- a service that is none of ours */

struct fake {
	int fd;
	const char *says;
};

static void *fake_main(void *arg)
{
	struct fake *fake = arg;
	int fd = accept(fake->fd, NULL, NULL);

	raw_send(fd, HV_FRAME_HELLO, 0, 0, fake->says);
	close(fd);
	return NULL;
}

static void test_versions(void **state)
{
	static const struct {
		const char *says, *want;
		int code;
	} cases[] = {
		{ "{\"protocol\":9,\"oldest\":8,\"program\":\"hvsh 9.0\"}",
		  "the service is hvsh 9.0 and speaks version 8 to 9", EPROTONOSUPPORT },
		{ "{\"protocol\":9,\"oldest\":8,\"error\":\"you are too old\"}",
		  "speaks version 8 to 9", EPROTONOSUPPORT },
		{ "{\"protocol\":1,\"oldest\":1,\"error\":\"full\"}", "refuses: full", EACCES },
		{ "no hello", "its hello is no JSON", EPROTO },
	};
	char dir[] = "/tmp/hvsh-control-XXXXXX";
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct fake fake;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/control", dir);
	fake.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fake.fd, 1), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hv_control_client *client;
		struct hv_err err = { 0 };
		pthread_t thread;

		fake.says = cases[i].says;
		assert_int_equal(pthread_create(&thread, NULL, fake_main, &fake), 0);
		assert_int_equal(hv_control_connect(at.sun_path, &client, &err), -cases[i].code);
		if (!strstr(err.msg, cases[i].want))
			fail_msg("'%s' instead of '%s'", err.msg, cases[i].want);
		pthread_join(thread, NULL);
	}
	close(fake.fd);
	unlink(at.sun_path);
	rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),	    cmocka_unit_test(test_many_clients),
		cmocka_unit_test(test_pipeline),    cmocka_unit_test(test_slow_client),
		cmocka_unit_test(test_unanswered),  cmocka_unit_test(test_flood),
		cmocka_unit_test(test_lost_events), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_drop),	    cmocka_unit_test(test_limit),
		cmocka_unit_test(test_other_user),  cmocka_unit_test(test_taken),
		cmocka_unit_test(test_stale),	    cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
