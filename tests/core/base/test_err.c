// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/origin.h"

static void test_set(void **state)
{
	struct hv_err err;
	char text[3000];

	(void)state;
	assert_int_equal(hv_err_set(&err, ENOENT, "no %s", "zone"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.msg, "no zone");
	assert_int_equal(hv_err_set(NULL, EIO, "x"), -EIO);
	hv_err_set(&err, EIO, "old");
	hv_err_set(&err, EBUSY, "new, was: %s\n\n", err.msg);
	assert_string_equal(err.msg, "new, was: old");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	hv_err_set(&err, EIO, "%s", text);
	assert_int_equal(strlen(err.msg), HV_ERR_MSG_MAX - 1);
	assert_int_equal(hv_err_sys(&err, ENOENT, "cannot open %s", "f"), -ENOENT);
	assert_string_equal(err.msg, "cannot open f: No such file or directory");
	assert_int_equal(hv_err_sys(&err, 99999, "odd"), -99999);
	assert_string_equal(err.msg, "odd: unknown error");
	assert_int_equal(hv_err_sys(NULL, EIO, "x"), -EIO);
	assert_int_equal(hv_err_nomem(&err), -ENOMEM);
}

static void test_prefix(void **state)
{
	struct hv_err err;
	char text[3000];

	(void)state;
	hv_err_set(&err, EBUSY, "taken");
	assert_int_equal(hv_err_prefix(&err, "zone %d: ", 1), -EBUSY);
	assert_string_equal(err.msg, "zone 1: taken");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(hv_err_prefix(&err, "%s", text), -EBUSY);
	assert_int_equal(strlen(err.msg), HV_ERR_MSG_MAX - 1);
	assert_true(hv_err_prefix(NULL, "x") < 0);
}

static void test_name(void **state)
{
	(void)state;
	assert_string_equal(hv_err_name(ENOENT), "ENOENT");
	assert_string_equal(hv_err_name(EBUSY), "EBUSY");
	assert_string_equal(hv_err_name(123456), "E123456");
}

static void test_origin(void **state)
{
	char out[HV_ORIGIN_TEXT];

	(void)state;
	assert_string_equal(hv_origin_format(&(struct hv_origin){ "a.lua", 3, "ram.size" }, out),
			    "a.lua:3: ram.size");
	assert_string_equal(hv_origin_format(&(struct hv_origin){ "a.lua", 0, NULL }, out),
			    "a.lua");
	assert_string_equal(hv_origin_format(&(struct hv_origin){ NULL, 3, "/cpus/0" }, out),
			    "/cpus/0");
	assert_string_equal(hv_origin_format(&(struct hv_origin){ 0 }, out), "");
}

static char lines[1024];

static void collect(enum hv_log_level level, const char *line, void *arg)
{
	size_t len = strlen(lines);

	assert_ptr_equal(arg, lines);
	snprintf(lines + len, sizeof(lines) - len, "<%s:%s>", hv_log_level_name(level), line);
	errno = EPIPE;
}

static void test_log(void **state)
{
	char big[5000];

	(void)state;
	hv_log_set_sink(collect, lines);
	hv_log_set_level(HV_LOG_WARN);
	hv_log_info("not %s", "heard");
	assert_string_equal(lines, "");
	errno = EINTR;
	hv_log_warn("one\n\ntwo\n");
	assert_int_equal(errno, EINTR);
	hv_log_error("\033[31mred");
	assert_string_equal(lines, "<warn:one><warn:two><error:?[31mred>");
	*lines = '\0';
	hv_log_set_level(HV_LOG_DEBUG);
	assert_int_equal(hv_log_level(), HV_LOG_DEBUG);
	hv_log_debug("d");
	hv_log_info("%s", "");
	assert_string_equal(lines, "<debug:d><info:>");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	hv_log_warn("%s", big);
	hv_log_set_sink(NULL, NULL);
}

static void test_level(void **state)
{
	(void)state;
	for (int i = HV_LOG_ERROR; i <= HV_LOG_DEBUG; i++)
		assert_int_equal(hv_log_level_parse(hv_log_level_name((enum hv_log_level)i)), i);
	assert_int_equal(hv_log_level_parse("loud"), -EINVAL);
	assert_int_equal(hv_log_level_parse(""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),  cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_name), cmocka_unit_test(test_origin),
		cmocka_unit_test(test_log),  cmocka_unit_test(test_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
