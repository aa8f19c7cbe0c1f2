// SPDX-License-Identifier: GPL-2.0-or-later
#include "control_rig.h"

#include <linux/virtio_console.h>

#include "console_rig.h"
#include "control/console_channel.h"

/* A service, its device and its clients in turns on one thread, as console.h wants it. */
static struct crig rig;
static struct service service;

static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	struct hv_console_channel_opts opts = {
		.back = 100,
		.readonly = len && json[0] == 'r',
		.force = len && json[0] == 'f',
		.who = len > 1 ? "a named one" : NULL,
		.ended = len && json[0] == 'e' ? "zone rig ended" : NULL,
	};
	struct hv_err err = { 0 };
	char text[300];
	int rc = hv_console_channel_open(conn, &rig.dev, 0, &opts, &err);

	(void)arg;
	snprintf(text, sizeof(text), "%d %.200s", rc, err.msg);
	hv_control_reply(conn, id, text, strlen(text), NULL);
}

static const struct hv_control_ops ops = { .request = on_request };

struct peer {
	struct hv_control_client *client;
	uint16_t channel;
	struct hv_buf bytes, events;
	char reason[128];
	/* for connecting */
	const char *request;
	_Atomic bool ready;
};

static void on_data(uint16_t channel, const void *bytes, size_t len, void *arg)
{
	struct peer *p = arg;

	assert_int_equal(channel, p->channel);
	hv_buf_add(&p->bytes, bytes, len);
}

static void on_event(uint16_t channel, const char *json, size_t len, void *arg)
{
	struct peer *p = arg;

	assert_int_equal(channel, p->channel);
	hv_buf_add(&p->events, json, len);
}

static void on_closed(uint16_t channel, const char *reason, void *arg)
{
	struct peer *p = arg;

	assert_int_equal(channel, p->channel);
	snprintf(p->reason, sizeof(p->reason), "%s", reason);
}

static const struct hv_control_handlers handlers = { .data = on_data,
						     .event = on_event,
						     .closed = on_closed };

static void *connect_main(void *arg)
{
	struct hv_buf reply = { 0 };
	struct peer *p = arg;

	p->client = service_connect(&service);
	hv_control_set_handlers(p->client, &handlers, p);
	assert_int_equal(
		hv_control_call(p->client, p->request, strlen(p->request), LONG, &reply, NULL), 0);
	p->channel = (uint16_t)atoi(reply.data);
	hv_buf_free(&reply);
	atomic_store(&p->ready, true);
	hv_loop_stop(service.loop);
	return NULL;
}

static void attach(struct peer *p, const char *request)
{
	pthread_t thread;

	*p = (struct peer){ .request = request };
	assert_int_equal(pthread_create(&thread, NULL, connect_main, p), 0);
	while (!atomic_load(&p->ready))
		assert_int_equal(hv_loop_run(service.loop, NULL), 0);
	pthread_join(thread, NULL);
	assert_true(p->channel > 0);
	hv_control_grant(p->client, p->channel, 1 << 20);
}

static void detach(struct peer *p)
{
	hv_control_disconnect(p->client);
	hv_buf_free(&p->bytes);
	hv_buf_free(&p->events);
	for (int i = 0; i < 4; i++)
		hv_loop_run_once(service.loop, 0, NULL);
}

static void turn(struct peer *p)
{
	assert_true(hv_loop_run_once(service.loop, 1000000, NULL) >= 0);
	assert_true(hv_control_wait(p->client, 0, NULL) >= 0);
}

#define UNTIL(p, condition)                                                                        \
	do {                                                                                       \
		uint64_t until = hv_now() + LONG;                                                  \
		while (!(condition)) {                                                             \
			turn(p);                                                                   \
			if (hv_now() > until)                                                      \
				fail_msg("waited in vain for " #condition);                        \
		}                                                                                  \
	} while (0)

static bool heard(const struct peer *p, const char *text)
{
	return p->events.data && strstr(p->events.data, text);
}

static void expect(struct peer *p, const char *text)
{
	UNTIL(p, p->bytes.len >= strlen(text));
	assert_string_equal(p->bytes.data, text);
	p->bytes.len = 0;
}

static void tell(struct peer *p, const char *json)
{
	hv_control_tell(p->client, p->channel, json, strlen(json));
}

static int begin(void **state)
{
	(void)state;
	crig_init(&rig, NULL, 0);
	crig_start(&rig, HV_FEATURE(VIRTIO_CONSOLE_F_SIZE), 16, 0);
	service_prepare(&service, &ops);
	return 0;
}

static int end(void **state)
{
	(void)state;
	service_free(&service);
	crig_free(&rig);
	return 0;
}

static size_t input(void)
{
	struct hv_console_info info;

	assert_int_equal(hv_console_port_info(&rig.dev, 0, &info), 0);
	return info.input;
}

static void test_both_ways(void **state)
{
	char text[16] = "";
	struct peer p;

	(void)state;
	crig_puts(&rig, "before");
	attach(&p, "x");
	expect(&p, "before");
	assert_true(heard(&p, "{\"event\":\"keyboard\",\"mine\":true}"));
	crig_puts(&rig, " and after");
	expect(&p, " and after");
	UNTIL(&p, hv_control_room(p.client, p.channel) == 16384);
	assert_int_equal(hv_control_send(p.client, p.channel, "typed", 5), 5);
	UNTIL(&p, input() == 5);
	assert_int_equal(crig_receive(&rig, 0, text, 10), 5);
	assert_string_equal(text, "typed");
	detach(&p);
}

static void test_keyboard(void **state)
{
	struct peer a, b;
	char want[96];

	(void)state;
	attach(&a, "x");
	UNTIL(&a, heard(&a, "\"mine\":true"));
	attach(&b, "x");
	snprintf(want, sizeof(want), "\"mine\":false,\"who\":\"hvsh console (pid %d)\"",
		 (int)getpid());
	UNTIL(&b, heard(&b, want));
	assert_int_equal(hv_control_room(b.client, b.channel), 0);

	/* Taken: the other learns it with the next output at the latest. */
	tell(&b, "{\"event\":\"take\"}");
	UNTIL(&b, heard(&b, "\"mine\":true"));
	UNTIL(&b, hv_control_room(b.client, b.channel));
	a.events.len = 0;
	UNTIL(&a, hv_control_room(a.client, a.channel));
	assert_int_equal(hv_control_send(a.client, a.channel, "lost", 4), 4);
	UNTIL(&a, heard(&a, "\"mine\":false"));
	tell(&a, "{\"event\":\"flush\"}");
	UNTIL(&a, heard(&a, "{\"event\":\"flushed\",\"dropped\":4}"));
	assert_int_equal(input(), 0);

	/* Given back: whoever waits has it. */
	a.events.len = 0;
	detach(&b);
	UNTIL(&a, heard(&a, "\"mine\":true"));
	attach(&b, "fn");
	UNTIL(&b, heard(&b, "\"mine\":true"));
	a.events.len = 0;
	crig_puts(&rig, "echo");
	UNTIL(&a, heard(&a, "\"who\":\"a named one\""));
	detach(&a);
	detach(&b);
}

static void test_readonly(void **state)
{
	struct hv_console_info info;
	struct peer a, b;

	(void)state;
	attach(&a, "r");
	UNTIL(&a, heard(&a, "{\"event\":\"keyboard\",\"mine\":false,\"who\":\"\"}"));
	tell(&a, "{\"event\":\"take\"}");
	tell(&a, "{\"event\":\"resize\",\"cols\":33,\"rows\":44}");
	tell(&a, "{\"event\":\"flush\"}");
	UNTIL(&a, heard(&a, "flushed"));
	attach(&b, "x");
	tell(&b, "nonsense");
	tell(&b, "{\"event\":\"resize\",\"cols\":70000,\"rows\":1}");
	tell(&b, "{\"event\":\"resize\",\"cols\":101,\"rows\":50}");
	tell(&b, "{\"event\":\"unheard of\"}");
	tell(&b, "{\"event\":\"flush\"}");
	UNTIL(&b, heard(&b, "flushed"));
	assert_true(heard(&b, "\"mine\":true"));
	assert_int_equal(hv_console_port_info(&rig.dev, 0, &info), 0);
	assert_int_equal(info.cols, 101);
	assert_int_equal(info.rows, 50);
	detach(&a);
	detach(&b);
}

static size_t send_pattern(struct peer *p, size_t from, size_t len)
{
	char bytes[4096];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)((from + i) % 251);
	return hv_control_send(p->client, p->channel, bytes, len);
}

/* A guest that takes nothing for a while gets every byte afterwards; until then the client waits,
 * and a flush does. */
static void test_slow_guest(void **state)
{
	enum { TOTAL = 200000 };
	char *got = malloc(TOTAL + 4096);
	size_t sent = 0, n_got = 0;
	struct peer p;

	(void)state;
	attach(&p, "x");
	while (input() < HV_CONSOLE_INPUT || hv_control_room(p.client, p.channel)) {
		sent += send_pattern(&p, sent, 4096);
		turn(&p);
	}
	assert_in_range(sent, HV_CONSOLE_INPUT, HV_CONSOLE_INPUT + 16384);
	tell(&p, "{\"event\":\"flush\"}");
	while (sent < TOTAL || n_got < TOTAL) {
		sent += send_pattern(&p, sent, TOTAL - sent < 4096 ? TOTAL - sent : 4096);
		turn(&p);
		if (!input())
			continue;
		/* Buffers are of a bounded memory: large ones, few. */
		n_got += crig_receive(&rig, 0, got + n_got, 4096);
	}
	UNTIL(&p, heard(&p, "{\"event\":\"flushed\",\"dropped\":0}"));
	assert_int_equal(n_got, TOTAL);
	for (size_t i = 0; i < TOTAL; i++)
		if ((uint8_t)got[i] != i % 251)
			fail_msg("byte %zu", i);
	free(got);
	detach(&p);
}

static void test_device_ends(void **state)
{
	struct peer a, b;

	(void)state;
	attach(&a, "e");
	attach(&b, "x");
	UNTIL(&a, heard(&a, "\"mine\":true"));
	UNTIL(&b, heard(&b, "\"mine\":false"));
	crig_puts(&rig, "last words");
	crig_free(&rig);
	UNTIL(&a, *a.reason);
	assert_string_equal(a.reason, "zone rig ended");
	assert_string_equal(a.bytes.data, "last words");
	UNTIL(&b, *b.reason);
	assert_string_equal(b.reason, "rig/hvc0 is gone");
	assert_string_equal(b.bytes.data, "last words");
	detach(&a);
	detach(&b);
	service_free(&service);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, begin, end),
		cmocka_unit_test_setup_teardown(test_keyboard, begin, end),
		cmocka_unit_test_setup_teardown(test_readonly, begin, end),
		cmocka_unit_test_setup_teardown(test_slow_guest, begin, end),
		cmocka_unit_test_setup(test_device_ends, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
