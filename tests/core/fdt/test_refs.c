// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dts.h"
#include "fdt/print.h"
#include "fdt/refs.h"

struct lines {
	char text[2048];
};

static int put(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	struct lines *l = arg;
	size_t used = strlen(l->text);
	char path[64];

	(void)node;
	used += (size_t)snprintf(l->text + used, sizeof(l->text) - used, "%s %s %u %s",
				 hv_fdt_ref_kind_name(ref->kind), ref->property, ref->slot,
				 ref->node < 0 ? "?" : hv_fdt_path(tree, ref->node, path, 64));
	for (unsigned int i = 0; i < ref->n_args; i++)
		used += (size_t)snprintf(l->text + used, sizeof(l->text) - used, " %u",
					 ref->args[i]);
	if (ref->name)
		used += (size_t)snprintf(l->text + used, sizeof(l->text) - used, " %s", ref->name);
	if (ref->problem)
		used += (size_t)snprintf(l->text + used, sizeof(l->text) - used, " %s",
					 ref->problem);
	snprintf(l->text + used, sizeof(l->text) - used, "\n");
	return 0;
}

static void check(const char *path, const char *want)
{
	struct hv_fdt *tree = dts_open("routes");
	struct lines got = { "" };

	assert_int_equal(hv_fdt_each_ref(tree, dts_node(tree, path), put, &got), 0);
	assert_string_equal(got.text, want);
	hv_fdt_close(tree);
}

static void test_all_forms(void **state)
{
	(void)state;
	check("/consumer", "clock clocks 0 /clk@1000 1 2 a\n"
			   "clock clocks 2 /fixed c\n"
			   "gpio reset-gpios 0 /gpio@3000 4 1\n"
			   "nvmem nvmem-cells 0 /cell\n"
			   "supply vdd-supply 0 /fixed\n"
			   "pinctrl pinctrl-1 0 /cell\n"
			   "pinctrl pinctrl-1 1 /fixed\n"
			   "iommu iommu-map 0 /clk@1000 256 5 32\n"
			   "iommu iommu-map 1 /fixed 512 6 16\n");
}

static void test_what_cannot_be_followed(void **state)
{
	(void)state;
	check("/broken", "reset resets 0 ? /clk@1000 has no #reset-cells\n"
			 "power-domain power-domains 0 ? no node has phandle 0x999\n"
			 "dma dmas 0 ? /clk@1000 has no #dma-cells\n"
			 "clock clocks 0 ? it ends inside an entry\n"
			 "other leds 0 ? it has 3 bytes, no multiple of 4\n");
	/* Numbers of lines, and words that people chose. */
	check("/gpio@3000/hog", "");
	check("/__symbols__", "");
	check("/aliases", "");
}

static void test_find(void **state)
{
	struct hv_fdt *tree = dts_open("routes");
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_fdt_find(tree, "/clk@1000", NULL), dts_node(tree, "/clk@1000"));
	assert_int_equal(hv_fdt_find(tree, "/clk", NULL), dts_node(tree, "/clk@1000"));
	assert_int_equal(hv_fdt_find(tree, "&clk", NULL), dts_node(tree, "/clk@1000"));
	assert_int_equal(hv_fdt_find(tree, "leds", NULL), dts_node(tree, "/consumer"));
	assert_int_equal(hv_fdt_find(tree, "/", NULL), hv_fdt_root(tree));
	assert_int_equal(hv_fdt_find(tree, "/gpio@3000/hog/more", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/gpio@3000/hog has no node more"));
	assert_int_equal(hv_fdt_find(tree, "&lost", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no label &lost"));
	/* An alias that leads to itself. */
	assert_int_equal(hv_fdt_find(tree, "loop", &err), -ENOENT);
	assert_int_equal(hv_fdt_find(tree, "", &err), -ENOENT);
	assert_string_equal(hv_fdt_symbol(tree, dts_node(tree, "/clk@1000")), "clk");
	assert_null(hv_fdt_symbol(tree, dts_node(tree, "/fixed")));
	hv_fdt_close(tree);
}

static void test_walk(void **state)
{
	struct hv_fdt *tree = dts_open("routes");
	int gpio = dts_node(tree, "/gpio@3000");
	int hog = hv_fdt_child(tree, gpio);

	(void)state;
	assert_string_equal(hv_fdt_name(tree, hog), "hog");
	assert_int_equal(hv_fdt_parent(tree, hog), gpio);
	assert_int_equal(hv_fdt_child(tree, hog), -1);
	assert_int_equal(hv_fdt_sibling(tree, hog), -1);
	assert_string_equal(hv_fdt_name(tree, hv_fdt_sibling(tree, gpio)), "cell");
	assert_int_equal(hv_fdt_parent(tree, hv_fdt_root(tree)), -1);
	assert_int_equal(hv_fdt_by_phandle(tree, hv_fdt_phandle(tree, gpio)), gpio);
	assert_int_equal(hv_fdt_by_phandle(tree, 0), -1);
	hv_fdt_close(tree);
}

static void test_print(void **state)
{
	struct hv_fdt *tree = dts_open("routes");
	struct hv_buf buf = { 0 };
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_fdt_print(tree, dts_node(tree, "/consumer"), -1, &buf, &err), 0);
	assert_non_null(strstr(buf.data, "leds: consumer {"));
	assert_non_null(strstr(buf.data, "clocks = <&clk 1 2>, <0>, <&{/fixed}>;"));
	assert_non_null(strstr(buf.data, "clock-names = \"a\", \"b\", \"c\";"));
	hv_buf_free(&buf);
	buf = (struct hv_buf){ 0 };
	assert_int_equal(hv_fdt_print(tree, dts_node(tree, "/by-front"), -1, &buf, &err), 0);
	assert_non_null(strstr(buf.data, "/* INTID 42 level high, INTID 43 edge rising */"));
	hv_buf_free(&buf);
	buf = (struct hv_buf){ 0 };
	assert_int_equal(hv_fdt_print(tree, hv_fdt_root(tree), 0, &buf, &err), 0);
	assert_non_null(strstr(buf.data, "gpio@3000 { … };"));
	hv_buf_free(&buf);
	hv_fdt_close(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_forms), cmocka_unit_test(test_what_cannot_be_followed),
		cmocka_unit_test(test_find),	  cmocka_unit_test(test_walk),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
