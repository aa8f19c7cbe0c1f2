// SPDX-License-Identifier: GPL-2.0-or-later
#include "control_rig.h"

#include <errno.h>

#include "base/log.h"

#define POUR (3u << 20)

/* "echo" opens a channel that sends back what comes; "pour" one that sends 3 MiB and closes; "shut"
 * one that closes with the first byte; "tell" one that tells events until there is no room, and one
 * when there is again. The reply is the number. */
static _Atomic unsigned int closed_by_client;

struct flow {
	uint32_t sent;
};

static void echo_data(struct hv_channel *ch, const void *bytes, size_t len, void *arg)
{
	(void)arg;
	hv_channel_send(ch, bytes, len);
	hv_channel_grant(ch, (uint32_t)len);
}

static void echo_room(struct hv_channel *ch, void *arg)
{
	(void)arg;
	hv_channel_grant(ch, 1000);
}

static void echo_event(struct hv_channel *ch, const char *json, size_t len, void *arg)
{
	(void)arg;
	hv_channel_event(ch, json, len, NULL);
}

static void shut_data(struct hv_channel *ch, const void *bytes, size_t len, void *arg)
{
	(void)bytes;
	(void)len;
	(void)arg;
	hv_channel_close(ch, "enough");
}

static void pour_room(struct hv_channel *ch, void *arg)
{
	struct flow *flow = arg;
	uint8_t bytes[5000];
	size_t n = 1;

	while (n && flow->sent < POUR) {
		size_t len = POUR - flow->sent < sizeof(bytes) ? POUR - flow->sent : sizeof(bytes);

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)((flow->sent + i) % 251);
		n = hv_channel_send(ch, bytes, len);
		flow->sent += (uint32_t)n;
	}
	if (flow->sent < POUR)
		return;
	free(flow);
	hv_channel_close(ch, "all is said");
}

static void tell_event(struct hv_channel *ch, const char *json, size_t len, void *arg)
{
	char text[1000];
	struct hv_err err;

	(void)json;
	(void)len;
	(void)arg;
	memset(text, 'e', sizeof(text));
	while (!hv_channel_event(ch, text, sizeof(text), &err))
		;
	assert_int_equal(err.code, ENOBUFS);
}

static void tell_room(struct hv_channel *ch, void *arg)
{
	(void)arg;
	hv_channel_event(ch, "room", 4, NULL);
}

static void on_channel_closed(struct hv_channel *ch, const char *reason, void *arg)
{
	(void)ch;
	if (!strcmp(reason, "bye"))
		atomic_fetch_add(&closed_by_client, 1);
	free(arg);
}

static const struct hv_channel_ops echo = {
	.data = echo_data, .room = echo_room, .event = echo_event, .closed = on_channel_closed
};
static const struct hv_channel_ops shut = { .data = shut_data,
					    .room = echo_room,
					    .closed = on_channel_closed };
static const struct hv_channel_ops tell = { .event = tell_event, .room = tell_room };
static const struct hv_channel_ops pour = { .room = pour_room, .closed = on_channel_closed };

static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	const struct hv_channel_ops *which = json[0] == 'e'   ? &echo
					     : json[0] == 's' ? &shut
					     : json[0] == 't' ? &tell
							      : &pour;
	struct flow *flow = which == &pour ? calloc(1, sizeof(*flow)) : NULL;
	struct hv_err err = { 0 };
	struct hv_channel *ch;
	char text[300];

	(void)len;
	(void)arg;
	if (hv_channel_open(conn, which, flow, &ch, &err)) {
		free(flow);
		snprintf(text, sizeof(text), "%.200s", err.msg);
	} else {
		snprintf(text, sizeof(text), "%u", hv_channel_number(ch));
	}
	hv_control_reply(conn, id, text, strlen(text), NULL);
}

static const struct hv_control_ops ops = { .request = on_request };

struct seen {
	uint16_t channel;
	struct hv_buf bytes, events;
	char reason[128];
};

static void on_data(uint16_t channel, const void *bytes, size_t len, void *arg)
{
	struct seen *seen = arg;

	assert_int_equal(channel, seen->channel);
	hv_buf_add(&seen->bytes, bytes, len);
}

static void on_event(uint16_t channel, const char *json, size_t len, void *arg)
{
	struct seen *seen = arg;

	assert_int_equal(channel, seen->channel);
	hv_buf_add(&seen->events, json, len);
}

static void on_closed(uint16_t channel, const char *reason, void *arg)
{
	struct seen *seen = arg;

	assert_int_equal(channel, seen->channel);
	snprintf(seen->reason, sizeof(seen->reason), "%s", reason);
}

static const struct hv_control_handlers handlers = { .data = on_data,
						     .event = on_event,
						     .closed = on_closed };

static void ask(struct hv_control_client *client, const char *what, char reply[512])
{
	struct hv_buf buf = { 0 };

	assert_int_equal(hv_control_call(client, what, strlen(what), LONG, &buf, NULL), 0);
	snprintf(reply, 512, "%s", buf.data);
	hv_buf_free(&buf);
}

static uint16_t open_channel(struct hv_control_client *client, const char *what)
{
	char reply[512];

	ask(client, what, reply);
	assert_true(atoi(reply) > 0);
	return (uint16_t)atoi(reply);
}

static void go_on(struct hv_control_client *client)
{
	struct hv_err err = { 0 };

	if (hv_control_wait(client, LONG, &err) <= 0)
		fail_msg("%s", err.msg);
}

static void test_echo(void **state)
{
	struct hv_control_client *client;
	struct seen seen = { 0 };
	struct service s;
	char text[2000];

	(void)state;
	memset(text, 'e', sizeof(text));
	service_prepare(&s, &ops);
	service_run(&s);
	client = service_connect(&s);
	hv_control_set_handlers(client, &handlers, &seen);
	seen.channel = open_channel(client, "echo");
	assert_int_equal(hv_control_room(client, seen.channel), 0);
	assert_int_equal(hv_control_send(client, seen.channel, "x", 1), 0);
	hv_control_grant(client, seen.channel, 1 << 20);
	while (!hv_control_room(client, seen.channel))
		go_on(client);
	/* As much as is granted, and more when it is granted anew. */
	assert_int_equal(hv_control_send(client, seen.channel, text, sizeof(text)), 1000);
	while (!hv_control_room(client, seen.channel))
		go_on(client);
	assert_int_equal(hv_control_send(client, seen.channel, text, 1000), 1000);
	while (seen.bytes.len < sizeof(text))
		go_on(client);
	assert_int_equal(seen.bytes.len, sizeof(text));
	assert_memory_equal(seen.bytes.data, text, sizeof(text));
	hv_control_tell(client, seen.channel, "{\"event\":1}", 11);
	while (!seen.events.len)
		go_on(client);
	assert_string_equal(seen.events.data, "{\"event\":1}");
	hv_control_close(client, seen.channel, "bye");
	assert_int_equal(hv_control_send(client, seen.channel, "x", 1), 0);
	open_channel(client, "echo");
	assert_int_equal(atomic_load(&closed_by_client), 1);
	hv_control_disconnect(client);
	hv_buf_free(&seen.bytes);
	hv_buf_free(&seen.events);
	service_halt(&s);
	service_free(&s);
}

/* Much output under little credit, in small steps: all of it, in order, and the end after it. */
static void test_pour(void **state)
{
	struct hv_control_client *client;
	struct seen seen = { 0 };
	struct service s;
	size_t granted = 0;

	(void)state;
	service_prepare(&s, &ops);
	service_run(&s);
	client = service_connect(&s);
	hv_control_set_handlers(client, &handlers, &seen);
	seen.channel = open_channel(client, "pour");
	while (!*seen.reason) {
		if (granted - seen.bytes.len < 7000) {
			hv_control_grant(client, seen.channel, 70001);
			granted += 70001;
		}
		go_on(client);
		assert_true(seen.bytes.len <= granted);
	}
	assert_string_equal(seen.reason, "all is said");
	assert_int_equal(seen.bytes.len, POUR);
	for (size_t i = 0; i < POUR; i++)
		if ((uint8_t)seen.bytes.data[i] != i % 251)
			fail_msg("byte %zu", i);
	hv_control_disconnect(client);
	hv_buf_free(&seen.bytes);
	service_halt(&s);
	service_free(&s);
}

/* A client by hand, with channel 1 open and so much credit. */
static int raw_open(const struct service *s, const char *what, uint32_t credit)
{
	int fd = raw_hello(s->path);

	raw_send(fd, HV_FRAME_REQUEST, 0, 1, what);
	raw_send(fd, HV_FRAME_WINDOW, 1, credit, "");
	return fd;
}

/* What could not be told to one that did not read is told when it has read. */
static void test_told_later(void **state)
{
	struct timeval limit = { .tv_sec = 60 };
	char payload[4096];
	struct service s;
	uint16_t channel;
	unsigned int n = 0, rooms = 0;
	size_t len;
	uint32_t id;
	uint8_t type;
	int fd;

	(void)state;
	service_prepare(&s, &ops);
	service_run(&s);
	fd = raw_open(&s, "tell", 1);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	raw_send(fd, HV_FRAME_EVENT, 1, 0, "go");
	/* The first room there is was before anything was told. */
	do {
		type = raw_frame(fd, &channel, &id, payload, &len);
		rooms += type == HV_FRAME_EVENT && len == 4 && !memcmp(payload, "room", 4);
		n += type == HV_FRAME_EVENT && len == 1000;
	} while (type && (!n || rooms < 2));
	assert_int_equal(type, HV_FRAME_EVENT);
	assert_int_equal(rooms, 2);
	close(fd);
	service_halt(&s);
	service_free(&s);
}

/* Credit without end to one that does not read: the queue stays small and others are served. */
static void test_not_read(void **state)
{
	struct hv_control_client *other;
	char *payload = malloc((1 << 20) + 16);
	struct service s;
	uint16_t channel;
	size_t len, got = 0;
	uint32_t id;
	uint8_t type;
	int fd;

	(void)state;
	service_prepare(&s, &ops);
	service_run(&s);
	fd = raw_open(&s, "pour", 0x7fffffff);
	other = service_connect(&s);
	for (int i = 0; i < 100; i++) {
		uint16_t number = open_channel(other, "echo");

		hv_control_grant(other, number, 1);
		hv_control_close(other, number, "bye");
	}
	hv_control_disconnect(other);
	do {
		type = raw_frame(fd, &channel, &id, payload, &len);
		got += type == HV_FRAME_DATA ? len : 0;
	} while (type && type != HV_FRAME_CLOSE);
	assert_int_equal(type, HV_FRAME_CLOSE);
	assert_int_equal(channel, 1);
	assert_int_equal(got, POUR);
	close(fd);
	free(payload);
	service_halt(&s);
	service_free(&s);
}

static void test_late_data(void **state)
{
	char reason[1024];
	struct service s;
	int fd;

	(void)state;
	hv_log_set_level(HV_LOG_ERROR);
	service_prepare(&s, &ops);
	service_run(&s);
	fd = raw_hello(s.path);
	raw_send(fd, HV_FRAME_REQUEST, 0, 1, "shut");
	raw_send(fd, HV_FRAME_WINDOW, 1, 100, "");
	/* The first closes it; the others were on their way and are nobody's fault. */
	for (int i = 0; i < 10; i++)
		raw_send(fd, HV_FRAME_DATA, 1, 0, "late");
	raw_send(fd, HV_FRAME_EVENT, 1, 0, "{}");
	raw_send(fd, HV_FRAME_CLOSE, 1, 0, "{}");
	raw_send(fd, HV_FRAME_REQUEST, 0, 2, "echo");
	/* A new number, so that nothing late reaches the new channel. */
	raw_send(fd, HV_FRAME_DATA, 1, 0, "late");
	raw_send(fd, HV_FRAME_WINDOW, 2, 100, "");
	raw_send(fd, HV_FRAME_DATA, 2, 0, "fine");
	raw_send(fd, HV_FRAME_WINDOW, 2, 0x7fffffff, "");
	raw_until_end(fd, reason);
	assert_non_null(strstr(reason, "more than 2147483647 bytes granted on channel 2"));
	close(fd);

	fd = raw_hello(s.path);
	raw_send(fd, HV_FRAME_REQUEST, 0, 1, "echo");
	raw_send(fd, HV_FRAME_DATA, 1, 0, "not granted");
	raw_until_end(fd, reason);
	assert_non_null(strstr(reason, "11 bytes on channel 1, which may have 0 more"));
	close(fd);
	service_halt(&s);
	service_free(&s);
}

static void test_limit(void **state)
{
	struct hv_control_client *client;
	struct service s;
	char reply[512];

	(void)state;
	service_prepare(&s, &ops);
	service_run(&s);
	client = service_connect(&s);
	for (int i = 1; i <= HV_CONTROL_CHANNELS; i++)
		assert_int_equal(open_channel(client, i & 1 ? "pour" : "echo"), i);
	ask(client, "echo", reply);
	assert_string_equal(reply, "16 channels are open on this connection; no more");
	/* With all of them the client may go. */
	hv_control_disconnect(client);
	client = service_connect(&s);
	assert_int_equal(open_channel(client, "echo"), 1);
	service_halt(&s);
	service_free(&s);
	hv_control_disconnect(client);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),	   cmocka_unit_test(test_pour),
		cmocka_unit_test(test_told_later), cmocka_unit_test(test_not_read),
		cmocka_unit_test(test_late_data),  cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
