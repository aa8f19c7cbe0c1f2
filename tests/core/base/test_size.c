// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/size.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "010", 0, 10 },
		{ "0x1000", 0, 0x1000 },
		{ "0X1f", 0, 0x1f },
		{ "0x10M", 0, 16 * HV_MIB },
		{ "0x1B", 0, 0x1b }, /* a digit, not a unit */
		{ "512M", 0, 512 * HV_MIB },
		{ "512m", 0, 512 * HV_MIB },
		{ "512MB", 0, 512 * HV_MIB },
		{ "1GiB", 0, HV_GIB },
		{ "64 KiB", 0, 64 * HV_KIB },
		{ "64 kib", 0, 64 * HV_KIB },
		{ "7B", 0, 7 },
		{ "7 b", 0, 7 },
		{ "2T", 0, 2048 * HV_GIB },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "0x7fffffffffffffff", 0, INT64_MAX },
		{ "8388607T", 0, UINT64_C(8388607) << 40 },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999999", -ERANGE, 0 },
		{ "8388608T", -ERANGE, 0 },
		{ "9007199254740992K", -ERANGE, 0 },
		{ "18446744073709551615G", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },
		{ "0xg", -EINVAL, 0 },
		{ "x10", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "4Ki", -EINVAL, 0 },
		{ "4iB", -EINVAL, 0 },
		{ "4KiBB", -EINVAL, 0 },
		{ "4BB", -EINVAL, 0 },
		{ "4KK", -EINVAL, 0 },
		{ "4K ", -EINVAL, 0 },
		{ "4 K B", -EINVAL, 0 },
		{ "4P", -EINVAL, 0 },
		{ "4K\n", -EINVAL, 0 },
		{ "nan", -EINVAL, 0 },
		{ "99999999999999999999x", -EINVAL, 0 },
		{ "4\xc2\xb5", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 0x5a;
		int ret = hv_size_parse(cases[i].text, &bytes);

		if (ret != cases[i].ret || bytes != (ret ? 0x5a : cases[i].bytes))
			fail_msg("\"%s\": %d, %llu", cases[i].text, ret, (unsigned long long)bytes);
	}
}

static void test_format(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1023, "1023" },
		{ 1024, "1K" },
		{ 1536, "1.5K" },
		{ 1537, "0x601" },
		{ 768 * HV_MIB, "768M" },
		{ HV_GIB + HV_GIB / 2, "1.5G" },
		{ HV_GIB + HV_MIB, "1025M" },
		{ UINT64_C(1) << 40, "1T" },
		{ UINT64_C(1) << 63, "8388608T" },
		{ UINT64_MAX, "0xffffffffffffffff" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[HV_SIZE_TEXT];

		assert_string_equal(hv_size_format(cases[i].bytes, out), cases[i].text);
	}
}

/* What is written without a fraction reads back as it was. */
static void test_there_and_back(void **state)
{
	(void)state;
	for (unsigned int shift = 0; shift < 63; shift++)
		for (uint64_t add = 0; add < 3; add++) {
			uint64_t bytes = (UINT64_C(1) << shift) + add, again = 0;
			char out[HV_SIZE_TEXT];

			hv_size_format(bytes, out);
			if (strchr(out, '.'))
				continue;
			assert_int_equal(hv_size_parse(out, &again), 0);
			assert_int_equal(again, bytes);
		}
}

static void test_align(void **state)
{
	(void)state;
	assert_int_equal(hv_align_up(0, 4096), 0);
	assert_int_equal(hv_align_up(1, 4096), 4096);
	assert_int_equal(hv_align_up(4096, 4096), 4096);
	assert_int_equal(hv_align_up(UINT64_MAX, 4096), ~UINT64_C(4095));
	assert_int_equal(hv_align_up(UINT64_MAX, 1), UINT64_MAX);
	assert_int_equal(hv_align_down(UINT64_MAX, 4096), ~UINT64_C(4095));
	assert_true(hv_is_aligned(0x200000, 0x200000));
	assert_false(hv_is_aligned(0x200800, 0x1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_align),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
