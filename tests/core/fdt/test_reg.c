// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dts.h"

struct reg_case {
	const char *path;
	unsigned int i;
	int rc;
	uint64_t addr, size;
	const char *says; /* part of the message */
};

static void check(const char *name, const struct reg_case *cases, size_t n)
{
	struct hv_fdt *tree = dts_open(name);

	for (size_t i = 0; i < n; i++) {
		const struct reg_case *c = &cases[i];
		struct hv_err err = { 0 };
		uint64_t addr = 0, size = 0;
		int rc = hv_fdt_reg(tree, dts_node(tree, c->path), c->i, &addr, &size, &err);

		if (rc != c->rc || addr != c->addr || size != c->size)
			fail_msg("%s reg %u: %d %#llx+%#llx (%s)", c->path, c->i, rc,
				 (unsigned long long)addr, (unsigned long long)size, err.msg);
		assert_int_equal(err.code, -c->rc);
		if (rc && !strstr(err.msg, c->path))
			fail_msg("%s is not named in: %s", c->path, err.msg);
		if (c->says && !strstr(err.msg, c->says))
			fail_msg("%s reg %u says: %s", c->path, c->i, err.msg);
	}
	hv_fdt_close(tree);
}
#define CHECK(name, cases) check(name, cases, sizeof(cases) / sizeof(*(cases)))

static void test_translates_level_by_level(void **state)
{
	static const struct reg_case cases[] = {
		{ "/soc/bus@1000000/device@100", 0, 0, 0x101000100, 0x10, NULL },
		{ "/soc/bus@1000000/device@100", 1, 0, 0x10100fff0, 0x10, NULL },
		{ "/soc/bus@1000000/device@100", 2, -EXDEV, 0, 0, "reaches beyond" },
		{ "/soc/bus@1000000/device@100", 3, -EXDEV, 0, 0,
		  "no ranges entry of /soc/bus@1000000" },
		{ "/soc/bus@1000000/device@100", 4, -ENOENT, 0, 0, "no entry 4" },
		{ "/soc/high@20000000", 0, 0, 0xe0000800, 0x100, NULL },
		{ "/soc/high@20000000", 1, -EXDEV, 0, 0, "0x30000000" },
		{ "/soc/memory-controller@50000000/flash@3,100", 0, 0, 0x109000100, 0x1000, NULL },
		{ "/soc/identity/child@2000", 0, 0, 0x100002000, 0x1000, NULL },
		{ "/soc/defaults/child@3000", 0, 0, 0x100003000, 0x10, NULL },
		{ "/top@ffff", 0, -EINVAL, 0, 0, "beyond 64 bits" },
		{ "/top@ffff", 1, 0, 0xfffffffffffff000, 0xfff, NULL },
	};

	(void)state;
	CHECK("ranges", cases);
}

static void test_no_cells_and_no_ranges(void **state)
{
	static const struct reg_case cases[] = {
		{ "/soc/bus@1000000/i2c@200", 0, 0, 0x101000200, 0x100, NULL },
		{ "/soc/bus@1000000/i2c@200/eeprom@50", 0, -EXDEV, 0, 0, "i2c@200 has no ranges" },
		{ "/soc/unaddressed/child", 0, -EINVAL, 0, 0, "4 bytes" },
		{ "/soc/unaddressed/empty", 0, -ENOENT, 0, 0, NULL },
		{ "/soc/unaddressed/bare", 0, -ENOENT, 0, 0, "has no reg" },
		{ "/soc/sized/child", 0, -EXDEV, 0, 0, "#address-cells is 0" },
		{ "/soc/point/child@10", 0, -EXDEV, 0, 0, "no ranges entry" },
		{ "/soc/odd/child", 0, -EXDEV, 0, 0, "no PCI addresses" },
	};

	(void)state;
	CHECK("ranges", cases);
}

static void test_pci_spaces(void **state)
{
	static const struct reg_case cases[] = {
		{ "/pcie@10000000/dev@1", 0, -EXDEV, 0, 0, "configuration space" },
		{ "/pcie@10000000/dev@1", 1, 0, 0x20001000, 0x1000, NULL },
		{ "/pcie@10000000/dev@1", 2, 0, 0x3eff0100, 0x10, NULL },
		{ "/pcie@10000000/dev@1", 3, -EXDEV, 0, 0, "base address register" },
		{ "/pcie@10000000/dev@1", 4, 0, 0x8000001000, 0x1000, NULL },
		/* There is I/O space at that address, but no memory. */
		{ "/pcie@10000000/dev@1", 5, -EXDEV, 0, 0, "no ranges entry" },
	};

	(void)state;
	CHECK("interrupt_map", cases);
}

static void test_malformed(void **state)
{
	static const struct reg_case cases[] = {
		{ "/reg-length", 0, -EINVAL, 0, 0, "20 bytes" },
		{ "/bad-cells/child", 0, -EINVAL, 0, 0, "#address-cells of /bad-cells" },
		{ "/bad-ranges/child", 0, -EINVAL, 0, 0, "ranges of /bad-ranges has 12 bytes" },
		{ "/overflow/child", 0, -EINVAL, 0, 0, "64 bits" },
	};

	(void)state;
	CHECK("broken", cases);
}

static void test_offset_of_no_node(void **state)
{
	struct hv_fdt *tree = dts_open("ranges");
	struct hv_err err;
	uint64_t addr, size;

	(void)state;
	assert_int_equal(hv_fdt_reg(tree, 2, 0, &addr, &size, &err), -EINVAL);
	assert_int_equal(hv_fdt_reg(tree, -1, 0, &addr, &size, NULL), -EINVAL);
	hv_fdt_close(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translates_level_by_level),
		cmocka_unit_test(test_no_cells_and_no_ranges),
		cmocka_unit_test(test_pci_spaces),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_offset_of_no_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
