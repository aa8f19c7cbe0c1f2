// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "memmap/gmem.h"

static _Alignas(16) uint8_t low[0x1000], high[0x2000];

static void add_two(struct hv_gmem *mem)
{
	struct hv_err err = { 0 };

	memset(mem, 0, sizeof(*mem));
	/* Given in the wrong order, and side by side: 0x1000..0x2000 and 0x2000..0x4000. */
	assert_int_equal(hv_gmem_add(mem, 0x2000, sizeof(high), high, &err), 0);
	assert_int_equal(hv_gmem_add(mem, 0x1000, sizeof(low), low, &err), 0);
}

static void test_inside(void **state)
{
	struct hv_gmem mem;

	(void)state;
	add_two(&mem);
	assert_ptr_equal(hv_gmem_at(&mem, 0x1000, 1), low);
	assert_ptr_equal(hv_gmem_at(&mem, 0x1000, 0x1000), low);
	assert_ptr_equal(hv_gmem_at(&mem, 0x1fff, 1), low + 0xfff);
	assert_ptr_equal(hv_gmem_at(&mem, 0x2000, 0x2000), high);
	assert_ptr_equal(hv_gmem_at(&mem, 0x3ffe, 2), high + 0x1ffe);
}

static void test_outside(void **state)
{
	struct hv_gmem mem;

	(void)state;
	add_two(&mem);
	assert_null(hv_gmem_at(&mem, 0x0fff, 1));
	assert_null(hv_gmem_at(&mem, 0x0fff, 2));
	assert_null(hv_gmem_at(&mem, 0x4000, 1));
	assert_null(hv_gmem_at(&mem, 0x3fff, 2));
	assert_null(hv_gmem_at(&mem, 0, UINT64_MAX));
	assert_null(hv_gmem_at(&mem, UINT64_MAX, 1));
	memset(&mem, 0, sizeof(mem));
	assert_null(hv_gmem_at(&mem, 0, 1));
}

/* The two ranges touch in the guest's addresses, but not in ours. */
static void test_across(void **state)
{
	struct hv_gmem mem;

	(void)state;
	add_two(&mem);
	assert_null(hv_gmem_at(&mem, 0x1fff, 2));
	assert_null(hv_gmem_at(&mem, 0x1000, 0x3000));
}

static void test_overflow(void **state)
{
	struct hv_gmem mem;

	(void)state;
	add_two(&mem);
	assert_null(hv_gmem_at(&mem, 0x1800, UINT64_MAX));
	assert_null(hv_gmem_at(&mem, 0x1800, UINT64_MAX - 0x17ff));
	assert_null(hv_gmem_at(&mem, 0x1800, UINT64_C(1) << 63));
	assert_null(hv_gmem_at(&mem, 0x1800, 0));
}

static void test_refused(void **state)
{
	struct hv_gmem mem;
	struct hv_err err = { 0 };

	(void)state;
	add_two(&mem);
	assert_int_equal(hv_gmem_add(&mem, 0x8000, 0, low, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "empty"));
	assert_int_equal(hv_gmem_add(&mem, UINT64_MAX - 0xf, 0x1000, low, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "end of the address space"));
	assert_int_equal(hv_gmem_add(&mem, 0x3ff0, 0x1000, low, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "overlaps"));
	assert_int_equal(hv_gmem_add(&mem, 0x0ff0, 0x20, low, &err), -EINVAL);
	assert_int_equal(hv_gmem_add(&mem, 0, 0x10000, low, &err), -EINVAL);
	assert_int_equal(hv_gmem_add(&mem, 0x8000, 0x10, NULL, &err), -EINVAL);
	assert_int_equal(hv_gmem_add(&mem, 0x8000, 0x10, low + 1, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "alignment"));
	assert_int_equal(mem.n, 2);
	memset(&mem, 0, sizeof(mem));
	for (unsigned int i = 0; i < HV_GMEM_MAX; i++)
		assert_int_equal(hv_gmem_add(&mem, 0x1000 * (HV_GMEM_MAX - i), 0x1000, low, &err),
				 0);
	assert_int_equal(hv_gmem_add(&mem, 0x1000000, 0x1000, low, &err), -ENOSPC);
	for (unsigned int i = 1; i < HV_GMEM_MAX; i++)
		assert_true(mem.range[i - 1].ipa < mem.range[i].ipa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inside),	cmocka_unit_test(test_outside),
		cmocka_unit_test(test_across),	cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
