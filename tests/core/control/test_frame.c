// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/frame.h"
#include "control/hello.h"

static void put(struct hv_buf *to, enum hv_frame_type type, uint16_t channel, uint32_t id,
		const void *payload, size_t len)
{
	uint8_t prefix[HV_FRAME_PREFIX];

	hv_buf_add(to, prefix, hv_frame_prefix(prefix, type, channel, id, len));
	hv_buf_add(to, payload, len);
}

static void put_unknown(struct hv_buf *to, uint8_t flags, uint8_t len)
{
	uint8_t head[HV_FRAME_HEAD] = { len, 0, 0, 0, 99, flags, 7, 0 };

	hv_buf_add(to, head, sizeof(head));
	hv_buf_repeat(to, "x", len);
}

static void test_bytes(void **state)
{
	static const uint8_t want[] = { 6, 0, 0, 0, 2, 0, 0, 0, 'D', 'C', 'B', 'A', '{', '}' };
	struct hv_buf b = { 0 };

	(void)state;
	put(&b, HV_FRAME_REQUEST, 0, 0x41424344, "{}", 2);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	hv_buf_free(&b);
}

/* One stream, in pieces of every size: the same frames. */
static void test_pieces(void **state)
{
	struct hv_buf b = { 0 };

	(void)state;
	put(&b, HV_FRAME_HELLO, 0, 0, "{\"a\":1}", 7);
	put(&b, HV_FRAME_REQUEST, 0, 77, "request", 7);
	put_unknown(&b, HV_FRAME_OPTIONAL, 20);
	put(&b, HV_FRAME_WINDOW, 3, 4096, NULL, 0);
	put_unknown(&b, HV_FRAME_OPTIONAL, 0);
	put(&b, HV_FRAME_DATA, 3, 0, "bytes", 5);
	put(&b, HV_FRAME_CLOSE, 3, 0, "", 0);
	for (size_t piece = 1; piece <= b.len; piece++) {
		struct hv_frame_decoder dec = { 0 };
		struct hv_buf seen = { 0 };

		for (size_t at = 0; at < b.len;) {
			/* Exactly as large as it is: reading on is seen by the sanitizer. */
			size_t len = b.len - at < piece ? b.len - at : piece, used = 0;
			char *copy = malloc(len);

			assert_non_null(copy);
			memcpy(copy, b.data + at, len);
			while (used < len) {
				struct hv_frame f;
				ssize_t n =
					hv_frame_decode(&dec, copy + used, len - used, &f, NULL);

				assert_in_range(n, 1, len - used);
				used += (size_t)n;
				if (f.type)
					hv_buf_printf(&seen, "%d/%d/%u/%.*s ", f.type, f.channel,
						      f.id, (int)f.len, (const char *)f.payload);
			}
			free(copy);
			at += len;
		}
		assert_string_equal(seen.data,
				    "1/0/0/{\"a\":1} 2/0/77/request 6/3/4096/ 5/3/0/bytes 7/3/0/ ");
		hv_buf_free(&seen);
		hv_frame_decoder_free(&dec);
	}
	hv_buf_free(&b);
}

static void refused(const uint8_t head[HV_FRAME_HEAD], const char *message)
{
	struct hv_frame_decoder dec = { 0 };
	struct hv_err err = { 0 };
	struct hv_frame frame;

	assert_int_equal(hv_frame_decode(&dec, head, HV_FRAME_HEAD, &frame, &err), -EPROTO);
	assert_string_equal(err.msg, message);
	hv_frame_decoder_free(&dec);
}

static void test_hostile(void **state)
{
	(void)state;
	refused((uint8_t[]){ 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0 },
		"a request of 4294967295 bytes; it has 4 to 1048580");
	refused((uint8_t[]){ 3, 0, 0, 0, 3, 0, 0, 0 }, "a reply of 3 bytes; it has 4 to 1048580");
	refused((uint8_t[]){ 1, 0, 1, 0, 5, 0, 1, 0 }, "data of 65537 bytes; it has 1 to 65536");
	refused((uint8_t[]){ 0, 0, 0, 0, 5, 0, 1, 0 }, "data of 0 bytes; it has 1 to 65536");
	refused((uint8_t[]){ 5, 0, 0, 0, 6, 0, 1, 0 }, "a window of 5 bytes; it has 4 to 4");
	refused((uint8_t[]){ 9, 0, 0, 0, 5, 0, 0, 0 },
		"data on channel 0; it belongs to a channel");
	refused((uint8_t[]){ 9, 0, 0, 0, 2, 0, 9, 0 },
		"a request on channel 9; it belongs to channel 0");
	refused((uint8_t[]){ 9, 0, 0, 0, 2, 2, 0, 0 }, "a frame with flags 0x2; 0 and 1 are known");
	refused((uint8_t[]){ 9, 0, 0, 0, 8, 0, 0, 0 },
		"a frame of type 8, which is not known here");
	refused((uint8_t[]){ 9, 0, 0, 0, 0, 0, 0, 0 },
		"a frame of type 0, which is not known here");
	refused((uint8_t[]){ 1, 0, 0x10, 0, 8, 1, 0, 0 },
		"a frame of type 8 with 1048577 bytes; at most 1048576");
}

/* What is announced costs nothing; only what has come does. */
static void test_memory(void **state)
{
	static const uint8_t head[HV_FRAME_HEAD] = { 0, 0, 0x10, 0, 2, 0, 0, 0 };
	struct hv_frame_decoder dec = { 0 };
	struct hv_frame frame;
	size_t left = HV_FRAME_JSON_MAX;
	char *bytes = calloc(1, 1 << 16);

	(void)state;
	assert_int_equal(hv_frame_decode(&dec, head, sizeof(head), &frame, NULL), sizeof(head));
	assert_int_equal(hv_frame_decode(&dec, bytes, 100, &frame, NULL), 100);
	assert_in_range(dec.body.cap, 100, 1024);
	for (left -= 100; left > 1 << 16; left -= 1 << 16) {
		assert_int_equal(hv_frame_decode(&dec, bytes, 1 << 16, &frame, NULL), 1 << 16);
		assert_int_equal(frame.type, 0);
	}
	assert_int_equal(hv_frame_decode(&dec, bytes, 1 << 16, &frame, NULL), left);
	assert_int_equal(frame.type, HV_FRAME_REQUEST);
	assert_int_equal(frame.len, HV_FRAME_JSON_MAX - 4);
	/* The memory goes with the next call. */
	assert_int_equal(hv_frame_decode(&dec, bytes, 0, &frame, NULL), 0);
	assert_null(dec.body.data);
	free(bytes);
}

static void hello_refused(const char *json, int code)
{
	struct hv_hello hello;
	struct hv_err err = { 0 };
	int rc = hv_hello_read(json, strlen(json), &hello, &err);

	if (!rc)
		rc = hv_hello_version(&hello, "the service", &err);
	assert_int_equal(rc, -code);
	assert_true(*err.msg);
}

static void test_hello(void **state)
{
	struct hv_buf b = { 0 };
	struct hv_hello hello;
	struct hv_err err = { 0 };
	char reason[HV_REASON_MAX];

	(void)state;
	hv_hello_write(&b, "bad \x1b[2J \xff text");
	assert_int_equal(hv_hello_read(b.data, b.len, &hello, &err), 0);
	assert_int_equal(hv_hello_version(&hello, "the service", &err), HV_CONTROL_PROTOCOL);
	assert_string_equal(hello.error, "bad \xef\xbf\xbd[2J \xef\xbf\xbd text");
	hv_buf_free(&b);
	hello_refused("", EPROTO);
	hello_refused("[]", EPROTO);
	hello_refused("{\"protocol\":1}", EPROTO);
	hello_refused("{\"protocol\":\"1\",\"oldest\":1}", EPROTO);
	hello_refused("{\"protocol\":9,\"oldest\":7,\"program\":\"hvsh 9\"}", EPROTONOSUPPORT);
	hello_refused("{\"protocol\":0,\"oldest\":0}", EPROTONOSUPPORT);
	hello_refused("{\"protocol\":-1,\"oldest\":-2147483648}", EPROTONOSUPPORT);

	hv_reason_write(&b, "zone \"a\" ended\n");
	hv_reason_read(b.data, b.len, reason);
	assert_string_equal(reason, "zone \"a\" ended\xef\xbf\xbd");
	hv_buf_free(&b);
	hv_reason_read("{}", 2, reason);
	assert_string_equal(reason, "");
	hv_reason_read("", 0, reason);
	assert_string_equal(reason, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),	cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_memory),
		cmocka_unit_test(test_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
