// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dts.h"

static void refused(const void *blob, size_t size, int code, const char *says)
{
	struct hv_fdt *tree = NULL;
	struct hv_err err = { 0 };

	assert_int_equal(hv_fdt_open(blob, size, "guest.dtb", &tree, &err), -code);
	assert_null(tree);
	assert_int_equal(err.code, code);
	assert_memory_equal(err.msg, "guest.dtb: ", 11);
	if (!strstr(err.msg, says))
		fail_msg("says: %s", err.msg);
}

static void test_refusals(void **state)
{
	size_t size;
	char *blob = dts_compile("gicv2", &size);
	char *copy = malloc(size);

	(void)state;
	refused("", 0, EINVAL, "0 bytes");
	refused(blob, 39, EINVAL, "39 bytes");
	refused("/dts-v1/; / { compatible = \"some\"; };      ", 44, EINVAL, "compiled with dtc");
	refused(blob, size - 1, EINVAL, "truncated");
	memcpy(copy, blob, size);
	fdt_set_version(copy, 3);
	refused(copy, size, EINVAL, "format version 3");
	memcpy(copy, blob, size);
	fdt_set_off_dt_struct(copy, 0x7fffff00);
	refused(copy, size, EINVAL, "do not fit");
	memcpy(copy, blob, size);
	/* The root's begin becomes no token at all; the message says where. */
	copy[fdt_off_dt_struct(blob) + 3] = 0x55;
	refused(copy, size, EINVAL, "offset 0x38");
	memcpy(copy, blob, size);
	copy[fdt_off_dt_struct(blob) + 3] = FDT_END;
	refused(copy, size, EINVAL, "no root node");
	free(copy);
	free(blob);
}

static void test_depth(void **state)
{
	struct hv_fdt *tree;
	static char blob[8192];

	(void)state;
	for (int depth = 63; depth <= 64; depth++) {
		assert_int_equal(fdt_create(blob, sizeof(blob)), 0);
		fdt_finish_reservemap(blob);
		fdt_begin_node(blob, "");
		for (int i = 0; i < depth; i++)
			fdt_begin_node(blob, "n");
		for (int i = 0; i <= depth; i++)
			fdt_end_node(blob);
		assert_int_equal(fdt_finish(blob), 0);
		if (depth == 63) {
			assert_int_equal(hv_fdt_open(blob, sizeof(blob), "d", &tree, NULL), 0);
			hv_fdt_close(tree);
		} else {
			refused(blob, sizeof(blob), EINVAL, "deeper than 64");
		}
	}
}

static void test_too_large(void **state)
{
	size_t size = ((size_t)16 << 20) + 1;
	char *blob = calloc(1, size);

	(void)state;
	refused(blob, size, EFBIG, "too many");
	free(blob);
}

static void test_cells_of_wrong_length(void **state)
{
	struct hv_fdt *tree;
	struct hv_err err;
	uint64_t addr, size;
	char blob[1024];

	(void)state;
	fdt_create(blob, sizeof(blob));
	fdt_finish_reservemap(blob);
	fdt_begin_node(blob, "");
	fdt_property(blob, "#size-cells", "\0\1", 2);
	fdt_begin_node(blob, "child");
	fdt_property_u64(blob, "reg", 1);
	fdt_property_u64(blob, "interrupt-parent", 1);
	fdt_property_u32(blob, "interrupts", 1);
	fdt_end_node(blob);
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	assert_int_equal(hv_fdt_open(blob, sizeof(blob), "c", &tree, NULL), 0);
	assert_int_equal(hv_fdt_reg(tree, dts_node(tree, "/child"), 0, &addr, &size, &err),
			 -EINVAL);
	assert_string_equal(err.msg,
			    "c: /child: #size-cells of / is not one cell with a number up to 4");
	assert_int_equal(
		hv_fdt_irq(tree, dts_node(tree, "/child"), 0, &(struct hv_fdt_irq){ 0 }, &err),
		-EINVAL);
	assert_non_null(strstr(err.msg, "interrupt-parent of /child is not one cell"));
	hv_fdt_close(tree);
}

static void test_paths(void **state)
{
	struct hv_fdt *tree = dts_open("virt_gicv3");
	int node = dts_node(tree, "/disabled-bus/virtio@a003e00");
	char out[64];

	(void)state;
	assert_string_equal(hv_fdt_label(tree), "virt_gicv3.dtb");
	assert_string_equal(hv_fdt_path(tree, 0, out, sizeof(out)), "/");
	assert_string_equal(hv_fdt_path(tree, node, out, sizeof(out)),
			    "/disabled-bus/virtio@a003e00");
	assert_string_equal(hv_fdt_path(tree, node, out, 29), "/disabled-bus/virtio@a003e00");
	assert_string_equal(hv_fdt_path(tree, node, out, 28), "…abled-bus/virtio@a003e00");
	assert_string_equal(hv_fdt_path(tree, node, out, 17), "…irtio@a003e00");
	assert_string_equal(hv_fdt_path(tree, node, out, 8), "…3e00");
	for (size_t cap = 0; cap < 40; cap++) {
		memset(out, 'x', sizeof(out));
		hv_fdt_path(tree, node, out, cap);
		assert_int_equal(out[cap], 'x');
		assert_true(cap == 0 || memchr(out, '\0', cap));
	}
	assert_string_equal(hv_fdt_path(tree, 3, out, sizeof(out)), "");
	hv_fdt_close(tree);
}

static void test_enabled(void **state)
{
	struct hv_fdt *tree = dts_open("virt_gicv3");

	(void)state;
	assert_true(hv_fdt_enabled(tree, 0));
	assert_true(hv_fdt_enabled(tree, dts_node(tree, "/virtio@a003600")));
	assert_true(hv_fdt_enabled(tree, dts_node(tree, "/virtio@a003c00")));
	assert_false(hv_fdt_enabled(tree, dts_node(tree, "/virtio@a003800")));
	assert_false(hv_fdt_enabled(tree, dts_node(tree, "/disabled-bus")));
	assert_false(hv_fdt_enabled(tree, dts_node(tree, "/disabled-bus/virtio@a003e00")));
	assert_false(hv_fdt_enabled(tree, 1));
	hv_fdt_close(tree);
}

static int count(const struct hv_fdt *tree, int node, void *arg)
{
	(void)tree;
	(void)node;
	return ++*(int *)arg == 5 ? 42 : 0;
}

static void test_each(void **state)
{
	struct hv_fdt *tree = dts_open("virt_gicv3");
	int n = 0;

	(void)state;
	assert_int_equal(hv_fdt_each(tree, count, &n), 42);
	assert_int_equal(n, 5);
	n = 0;
	assert_int_equal(hv_fdt_each_compatible(tree, "virtio,mmio", count, &n), 0);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(hv_fdt_each_compatible(tree, "arm,primecell", count, &n), 0);
	assert_int_equal(n, 1);
	hv_fdt_close(tree);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/hvsh-test-XXXXXX";
	char path[64];
	struct hv_fdt *tree;
	struct hv_err err;
	size_t size, got;
	char *blob = dts_compile("gicv2", &size);
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.dtb", dir);
	assert_int_equal(hv_fdt_open_file(path, &tree, &err), -ENOENT);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(hv_fdt_open_file(dir, &tree, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "regular file"));
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(hv_fdt_open_file(path, &tree, &err), -EINVAL);
	assert_int_equal(write(fd, blob, size), (ssize_t)size);
	/* What a partition holds beyond the tree is not the tree's. */
	assert_int_equal(write(fd, "tail", 4), 4);
	assert_int_equal(hv_fdt_open_file(path, &tree, &err), 0);
	assert_memory_equal(hv_fdt_blob(tree, &got), blob, size);
	assert_int_equal(got, size);
	assert_string_equal(hv_fdt_label(tree), path);
	hv_fdt_close(tree);
	assert_int_equal(ftruncate(fd, (16 << 20) + 1), 0);
	assert_int_equal(hv_fdt_open_file(path, &tree, &err), -EFBIG);
	close(fd);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(hv_fdt_open_file(path, &tree, &err), -EINVAL);
	unlink(path);
	rmdir(dir);
	free(blob);
}

static void test_edits(void **state)
{
	static const char *const names[] = { "gicv2", "virt_gicv3" }; /* without and with /chosen */
	char *args = malloc(100001);
	struct hv_fdt_machine m;
	struct hv_fdt *tree, *again;
	struct hv_err err;
	const void *blob;
	size_t size, before;

	(void)state;
	memset(args, 'a', 100000);
	args[100000] = '\0';
	for (int i = 0; i < 2; i++) {
		tree = dts_open(names[i]);
		assert_int_equal(hv_fdt_set_initrd(tree, 0x880000000, 0x880001234, &err), 0);
		assert_int_equal(hv_fdt_set_bootargs(tree, args, &err), 0);
		hv_fdt_blob(tree, &before);
		assert_int_equal(hv_fdt_set_bootargs(tree, "quiet", &err), 0);
		assert_int_equal(hv_fdt_set_bootargs(tree, args, &err), 0);
		blob = hv_fdt_blob(tree, &size);
		assert_int_equal(size, before);
		assert_int_equal(fdt_totalsize(blob), size);
		assert_int_equal(hv_fdt_open(blob, size, "again", &again, &err), 0);
		assert_int_equal(hv_fdt_machine(again, &m, NULL, NULL, &err), 0);
		assert_string_equal(m.bootargs, args);
		assert_true(m.has_initrd);
		assert_int_equal(m.initrd_start, 0x880000000);
		assert_int_equal(m.initrd_end, 0x880001234);
		hv_fdt_close(again);
		/* The tree itself went on with the new offsets. */
		assert_int_equal(hv_fdt_machine(tree, &m, NULL, NULL, &err), 0);
		assert_string_equal(m.bootargs, args);
		assert_int_equal(
			m.irqc_node,
			dts_node(tree, i ? "/intc@8000000" : "/soc/interrupt-controller@8000000"));
		hv_fdt_close(tree);
	}
	free(args);
}

static void test_failed_edit_changes_nothing(void **state)
{
	struct hv_fdt *tree = dts_open("virt_gicv3");
	char *args = malloc((17 << 20) + 1);
	struct hv_err err;
	size_t size, after;
	void *before;

	(void)state;
	memset(args, 'a', 17 << 20);
	args[17 << 20] = '\0';
	hv_fdt_blob(tree, &size);
	before = malloc(size);
	memcpy(before, hv_fdt_blob(tree, &size), size);
	assert_int_equal(hv_fdt_set_bootargs(tree, args, &err), -EFBIG);
	args[(16 << 20) - 100] = '\0';
	assert_int_equal(hv_fdt_set_bootargs(tree, args, &err), -EFBIG);
	assert_int_equal(hv_fdt_set_initrd(tree, 2, 1, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "before its start"));
	assert_memory_equal(hv_fdt_blob(tree, &after), before, size);
	assert_int_equal(after, size);
	free(before);
	free(args);
	hv_fdt_close(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_cells_of_wrong_length),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_enabled),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_failed_edit_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
