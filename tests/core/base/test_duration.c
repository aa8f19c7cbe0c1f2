// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/duration.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t ns;
	} cases[] = {
		{ "0", 0, 0 },
		{ "10", 0, 10 * S },
		{ "1.5", 0, 1500 * MS },
		{ "10s", 0, 10 * S },
		{ "250ms", 0, 250 * MS },
		{ "1.5s", 0, 1500 * MS },
		{ "1.5 s", 0, 1500 * MS },
		{ "2m", 0, 120 * S },
		{ "1h", 0, 3600 * S },
		{ "1.25h", 0, 4500 * S },
		{ "100us", 0, 100 * US },
		{ "7ns", 0, 7 },
		{ "007s", 0, 7 * S },
		{ "0.000000001s", 0, 1 },
		{ "0.0000000010000000000000000s", 0, 1 },
		{ "0.0000000000005h", -ERANGE, 0 },
		{ "0.00000000001h", 0, 36 },
		{ "0.0000000025h", 0, 9000 },
		{ "0.0000000000025h", 0, 9 },
		{ "0.5us", 0, 500 },
		{ "9223372036.854775807s", 0, INT64_MAX },
		{ "9223372036854775807ns", 0, INT64_MAX },
		{ "9223372036.854775808s", -ERANGE, 0 },
		{ "9223372036854775808ns", -ERANGE, 0 },
		{ "18446744073709551616ns", -ERANGE, 0 },
		{ "99999999999999999999999999h", -ERANGE, 0 },
		{ "2562048h", -ERANGE, 0 },
		{ "0.5ns", -ERANGE, 0 },
		{ "0.0000000001s", -ERANGE, 0 },
		{ "1.00000000000000000000000000001s", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ " 1s", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
		{ "1s\n", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "+1s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ "1..5s", -EINVAL, 0 },
		{ "1,5s", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "1min", -EINVAL, 0 },
		{ "1m30s", -EINVAL, 0 },
		{ "1\tms", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 },
		{ "nan", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hv_err err = { 0 };
		uint64_t ns = 0x5a;
		int ret = hv_duration_parse(cases[i].text, &ns, &err);

		if (ret != cases[i].ret || ns != (ret ? 0x5a : cases[i].ns))
			fail_msg("\"%s\": %d, %llu", cases[i].text, ret, (unsigned long long)ns);
		if (ret && (err.code != -ret || !strchr(err.msg, '"')))
			fail_msg("\"%s\": says \"%s\"", cases[i].text, err.msg);
	}
}

static void test_format(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 999, "999ns" },
		{ 1500, "1.5us" },
		{ 250 * MS, "250ms" },
		{ 1234 * MS, "1.234s" },
		{ 10 * S, "10s" },
		{ 1200 * MS, "1.2s" },
		{ 61 * S, "61s" },
		{ 90 * S, "1.5m" },
		{ 120 * S, "2m" },
		{ 5400 * S, "1.5h" },
		{ 3600 * S + 1, "3600000000.001us" },
		{ UINT64_MAX, "18446744073709551.615us" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[HV_DURATION_TEXT];

		assert_string_equal(hv_duration_format(cases[i].ns, out), cases[i].text);
	}
}

static void test_there_and_back(void **state)
{
	(void)state;
	for (unsigned int shift = 0; shift < 63; shift++)
		for (uint64_t factor = 1; factor < 4000000; factor = factor * 10 + 7) {
			uint64_t ns = (UINT64_C(1) << shift) * factor & INT64_MAX, again = 0;
			char out[HV_DURATION_TEXT];

			assert_int_equal(
				hv_duration_parse(hv_duration_format(ns, out), &again, NULL), 0);
			assert_int_equal(again, ns);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
