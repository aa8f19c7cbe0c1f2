// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"

static void test_buf(void **state)
{
	struct hv_buf buf = { 0 };

	(void)state;
	hv_buf_puts(&buf, "");
	assert_string_equal(buf.data, "");
	hv_buf_puts(&buf, "ab");
	hv_buf_printf(&buf, "%d", 12);
	hv_buf_repeat(&buf, "-", 3);
	hv_buf_add(&buf, "\0z", 2);
	assert_int_equal(buf.len, 9);
	assert_memory_equal(buf.data, "ab12---\0z", 10);
	for (int i = 0; i < 5000; i++)
		hv_buf_printf(&buf, "%04d", i);
	assert_int_equal(buf.len, 20009);
	assert_string_equal(buf.data + 20005, "4999");
	assert_false(buf.failed);
	hv_buf_free(&buf);
	assert_null(buf.data);
	hv_buf_free(&buf);
}

/* Once failed it stays so, and what was there stays whole. */
static void test_failure(void **state)
{
	struct hv_buf buf = { 0 };

	(void)state;
	hv_buf_puts(&buf, "kept");
	hv_buf_add(&buf, "x", SIZE_MAX - 2);
	assert_true(buf.failed);
	hv_buf_puts(&buf, "more");
	hv_buf_printf(&buf, "more");
	assert_string_equal(buf.data, "kept");
	assert_int_equal(buf.len, 4);
	hv_buf_free(&buf);
}

static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *clean;
	} cases[] = {
		{ "", 0, "" },
		{ "abc", 3, "abc" },
		{ "ä€", 2, "ä€" },
		{ "漢字", 4, "漢字" },
		{ "\U0001f600", 2, "\U0001f600" },
		{ "e\u0301", 1, "e\u0301" },
		{ "\xff", 1, "\ufffd" },
		{ "a\x80z", 3, "a\ufffdz" },
		{ "\xc3", 1, "\ufffd" }, /* cut short */
		{ "\xe2\x82", 2, "\ufffd\ufffd" },
		{ "\xc0\xaf", 2, "\ufffd\ufffd" }, /* overlong */
		{ "\xe0\x80\xaf", 1, "\ufffd" },
		{ "\xed\xa0\x80", 1, "\ufffd" },     /* surrogate */
		{ "\xf4\x90\x80\x80", 1, "\ufffd" }, /* beyond Unicode */
		{ "\xf5\x80\x80\x80", 4, "\ufffd\ufffd\ufffd\ufffd" },
		{ "\033[2J", 4, "\ufffd[2J" },
		{ "\u202eabc", 4,
		  "\ufffd"
		  "abc" },
		{ "\xc2\x85\n\x7f", 3, "\ufffd\ufffd\ufffd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hv_buf clean = { 0 };
		const char *at = cases[i].text;
		uint32_t c;

		hv_buf_puts(&clean, "");
		while ((c = hv_utf8_next(&at)))
			hv_utf8_put(&clean, c);
		assert_string_equal(clean.data, cases[i].clean);
		assert_int_equal(hv_utf8_width(cases[i].text), cases[i].width);
		hv_buf_free(&clean);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
