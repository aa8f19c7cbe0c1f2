// SPDX-License-Identifier: GPL-2.0-or-later
/* A callback that keeps the loop from its rounds still sees what its client sends meanwhile. */
#include "control_rig.h"

#include <poll.h>

#include "base/now.h"

struct seen {
	unsigned int interrupts, others;
};

static _Atomic bool busy, gone, enough;
static _Atomic unsigned int handled;

static void on_peeked(const char *json, size_t len, void *arg)
{
	struct seen *seen = arg;

	if (len == 9 && !memcmp(json, "interrupt", 9))
		seen->interrupts++;
	else
		seen->others++;
}

/* Until the client has sent an interrupt, or has gone. */
static void keep_busy(struct hv_loop *loop, struct hv_post *post)
{
	struct hv_channel *ch = post->arg;
	struct seen seen = { 0 };
	uint64_t until = hv_now() + LONG;
	bool there = true;

	(void)loop;
	atomic_store(&busy, true);
	while (there && !seen.interrupts && hv_now() < until && !atomic_load(&enough)) {
		poll(NULL, 0, 1);
		seen = (struct seen){ 0 };
		there = hv_channel_peek(ch, on_peeked, &seen);
	}
	atomic_store(&gone, !there);
	atomic_store(&busy, false);
	if (there)
		hv_channel_event(ch, seen.interrupts == 1 ? "seen" : "none", 4, NULL);
}

static struct hv_post work = { .fn = keep_busy };

static void on_event(struct hv_channel *ch, const char *json, size_t len, void *arg)
{
	const struct service *s = arg;

	if (len == 9 && !memcmp(json, "interrupt", 9))
		atomic_fetch_add(&handled, 1);
	if (len != 4 || memcmp(json, "busy", 4))
		return;
	work.arg = ch;
	hv_loop_defer(s->loop, &work);
}

static void on_data(struct hv_channel *ch, const void *bytes, size_t len, void *arg)
{
	(void)bytes;
	(void)arg;
	hv_channel_grant(ch, (uint32_t)len);
}

static const struct hv_channel_ops channel_ops = { .data = on_data, .event = on_event };

static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	struct hv_channel *ch;

	if (len == 6 && !memcmp(json, "silent", 6))
		return;
	assert_int_equal(hv_channel_open(conn, &channel_ops, arg, &ch, NULL), 0);
	hv_channel_grant(ch, 65536);
	hv_control_reply(conn, id, "open", 4, NULL);
}

static const struct hv_control_ops ops = { .request = on_request };

static void wait_until_busy(void)
{
	for (int i = 0; !atomic_load(&busy); i++) {
		assert_in_range(i, 0, 60000);
		poll(NULL, 0, 1);
	}
}

/* A client with channel 1 open. */
static int open_channel(struct service *s)
{
	char payload[4096];
	uint16_t channel;
	uint32_t id;
	uint8_t type;
	size_t n;
	int fd;

	service_prepare(s, &ops);
	atomic_store(&handled, 0);
	atomic_store(&gone, false);
	atomic_store(&enough, false);
	service_run(s);
	fd = raw_hello(s->path);
	raw_send(fd, HV_FRAME_REQUEST, 0, 1, "open");
	do
		type = raw_frame(fd, &channel, &id, payload, &n);
	while (type && type != HV_FRAME_REPLY);
	assert_int_equal(type, HV_FRAME_REPLY);
	return fd;
}

/* And its callback is busy. */
static int begin(struct service *s, const void *first, size_t len)
{
	int fd = open_channel(s);

	raw_send(fd, HV_FRAME_EVENT, 1, 0, "busy");
	assert_int_equal(send(fd, first, len, MSG_NOSIGNAL), len);
	wait_until_busy();
	return fd;
}

static void end(struct service *s)
{
	service_halt(s);
	service_free(s);
}

static void expect_seen(int fd)
{
	char payload[4096];
	uint16_t channel;
	uint32_t id;
	uint8_t type;
	size_t n;

	do
		type = raw_frame(fd, &channel, &id, payload, &n);
	while (type && type != HV_FRAME_EVENT);
	assert_int_equal(type, HV_FRAME_EVENT);
	assert_string_equal(payload, "seen");
}

static void test_seen(void **state)
{
	struct service s;
	int fd = begin(&s, "", 0);

	(void)state;
	raw_send(fd, HV_FRAME_EVENT, 1, 0, "another");
	raw_send(fd, HV_FRAME_WINDOW, 1, 100, "");
	raw_send(fd, HV_FRAME_DATA, 1, 0, "typed");
	raw_send(fd, HV_FRAME_REQUEST, 0, 7, "a request waits");
	raw_send(fd, HV_FRAME_EVENT, 1, 0, "interrupt");
	expect_seen(fd);
	/* And comes in its turn. */
	for (int i = 0; !atomic_load(&handled); i++) {
		assert_in_range(i, 0, 60000);
		poll(NULL, 0, 1);
	}
	close(fd);
	end(&s);
	assert_int_equal(atomic_load(&handled), 1);
}

/* Frames in parts, cut at every byte, before the one that counts. */
static void test_in_parts(void **state)
{
	uint8_t frame[HV_FRAME_PREFIX + 16];
	size_t len = hv_frame_prefix(frame, HV_FRAME_EVENT, 1, 0, 7);

	(void)state;
	memcpy(frame + len, "another", 7);
	len += 7;
	for (size_t cut = 1; cut < len; cut++) {
		struct service s;
		int fd = begin(&s, frame, cut);

		assert_int_equal(send(fd, frame + cut, len - cut, MSG_NOSIGNAL), len - cut);
		raw_send(fd, HV_FRAME_EVENT, 1, 0, "interrupt");
		expect_seen(fd);
		close(fd);
		end(&s);
	}
}

static size_t put(uint8_t *to, enum hv_frame_type type, uint16_t channel, const char *payload)
{
	size_t n = hv_frame_prefix(to, type, channel, 1, strlen(payload));

	memcpy(to + n, payload, strlen(payload));
	return n + strlen(payload);
}

static void wait_until_gone(void)
{
	for (int i = 0; !atomic_load(&gone); i++) {
		assert_in_range(i, 0, 60000);
		poll(NULL, 0, 1);
	}
}

static void test_gone(void **state)
{
	static const uint8_t noise[] = { 0xff, 0xff, 0xff, 0xff, 9, 9, 9, 9, 9, 9 };
	uint8_t bytes[4096];
	char reason[1024];
	size_t n;
	struct service s;
	int fd = begin(&s, "", 0);

	(void)state;
	close(fd);
	wait_until_gone();
	end(&s);
	/* Also behind what is not read because too much is unanswered, and what no client may send.
	 */
	fd = open_channel(&s);
	n = put(bytes, HV_FRAME_EVENT, 1, "busy");
	for (unsigned int i = 0; i < HV_CONTROL_PENDING; i++)
		n += put(bytes + n, HV_FRAME_REQUEST, 0, "silent");
	memcpy(bytes + n, noise, sizeof(noise));
	n += sizeof(noise);
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
	wait_until_busy();
	close(fd);
	wait_until_gone();
	end(&s);
	/* Also behind what it sent last. */
	fd = begin(&s, "", 0);
	raw_send(fd, HV_FRAME_WINDOW, 1, 100, "");
	close(fd);
	wait_until_gone();
	end(&s);
	/* What no client may send tells nothing. */
	fd = begin(&s, "", 0);
	assert_int_equal(send(fd, noise, sizeof(noise), MSG_NOSIGNAL), sizeof(noise));
	raw_send(fd, HV_FRAME_EVENT, 1, 0, "interrupt");
	atomic_store(&enough, true);
	raw_until_end(fd, reason);
	assert_non_null(strstr(reason, "flags"));
	close(fd);
	end(&s);
	assert_int_equal(atomic_load(&handled), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_in_parts),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
