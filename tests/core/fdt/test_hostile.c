// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dts.h"

static int read_node(const struct hv_fdt *tree, int node, void *arg)
{
	struct hv_fdt_irq irq;
	uint64_t addr, size;
	char path[64];

	(void)arg;
	hv_fdt_path(tree, node, path, sizeof(path));
	for (unsigned int i = 0; i < 8; i++) {
		hv_fdt_reg(tree, node, i, &addr, &size, NULL);
		hv_fdt_irq(tree, node, i, &irq, NULL);
	}
	return 0;
}

/* Everything there is, on a blob that may be anything; the sanitizers do the asserting. */
static bool exercise(const void *blob, size_t size)
{
	struct hv_fdt_machine m;
	struct hv_fdt *tree;
	struct hv_err err;
	/* Exactly as large as it claims, so that a read beyond is seen. */
	void *copy = malloc(size ? size : 1);

	memcpy(copy, blob, size);
	err.code = 0;
	if (hv_fdt_open(copy, size, "x", &tree, &err)) {
		assert_int_not_equal(err.code, 0);
		free(copy);
		return false;
	}
	free(copy);
	hv_fdt_each(tree, read_node, NULL);
	assert_int_equal(hv_fdt_machine(tree, &m, NULL, NULL, &err), 0);
	hv_fdt_set_bootargs(tree, "console=hvc0", &err);
	hv_fdt_set_initrd(tree, 0x1000, 0x2000, &err);
	assert_int_equal(hv_fdt_machine(tree, &m, NULL, NULL, &err), 0);
	hv_fdt_close(tree);
	return true;
}

static const char *const names[] = { "virt_gicv3", "riscv_plic", "interrupt_map", "ranges" };

static void test_truncated_anywhere(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
		size_t size;
		char *blob = dts_compile(names[k], &size);

		assert_true(exercise(blob, size));
		for (size_t n = 0; n < size; n++)
			assert_false(exercise(blob, n));
		free(blob);
	}
}

/* Lengths that are negative as an int: to where reading began, before it, and just in front of the data. */
static void test_negative_lengths(void **state)
{
	static const uint32_t lengths[] = { 0xffffffff, 0xfffffff8, 0xfffffff4, 0xfffffff0, 0xffffff00,
					    0x80000000, 0x7ffffff0, 0x7fffffff };
	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
		size_t size, at = 0;
		unsigned char *blob = dts_compile(names[k], &size);

		for (size_t i = 56; i + 12 < size; i += 4) {
			unsigned char old[4];

			if (memcmp(blob + i, "\0\0\0\3", 4) != 0)
				continue;
			at++;
			memcpy(old, blob + i + 4, 4);
			for (size_t n = 0; n < sizeof(lengths) / sizeof(*lengths); n++) {
				for (int b = 0; b < 4; b++)
					blob[i + 4 + b] = (unsigned char)(lengths[n] >> (24 - 8 * b));
				exercise(blob, size);
			}
			memcpy(blob + i + 4, old, 4);
		}
		assert_true(at > 10);
		free(blob);
	}
}

static void test_shortened_with_header_mended(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
		size_t size;
		unsigned char *blob = dts_compile(names[k], &size);

		for (size_t n = 40; n < size; n++) {
			blob[6] = (unsigned char)(n >> 8);
			blob[7] = (unsigned char)n;
			exercise(blob, n);
		}
		free(blob);
	}
}

static void test_garbled_anywhere(void **state)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };

	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
		size_t size;
		unsigned char *blob = dts_compile(names[k], &size);

		for (size_t n = 0; n < size; n++)
			for (size_t f = 0; f < sizeof(flips); f++) {
				blob[n] ^= flips[f];
				exercise(blob, size);
				blob[n] ^= flips[f];
			}
		free(blob);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated_anywhere),
		cmocka_unit_test(test_negative_lengths),
		cmocka_unit_test(test_shortened_with_header_mended),
		cmocka_unit_test(test_garbled_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
