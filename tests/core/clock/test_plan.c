// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock/plan.h"

static struct hv_err err;
static struct hv_fdt *tree;
static struct hv_clk_tree *clks;
static struct hv_hyp *hyp;
static struct hv_clock_host *host;

static struct hv_fdt *compile(const char *source)
{
	char name[] = "/tmp/hvsh-plan-XXXXXX", command[1024];
	struct hv_fdt *out = NULL;
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "dtc -q -@ -I dts -O dtb -o %s %s", name, source);
	assert_int_equal(system(command), 0);
	want(hv_fdt_open_file(name, &out, &err), 0, &err);
	unlink(name);
	return out;
}

static int set_up(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	char path[512];

	(void)state;
	memset(&err, 0, sizeof(err));
	snprintf(path, sizeof(path), "%s/core/clock/data/board.dts", getenv("HVSH_TESTS"));
	tree = compile(path);
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want(hv_clk_read_sim(hyp, &clks, &err), 0, &err);
	want(hv_clock_host_new(&hv_clock_backend_hyp, hyp, &host, &err), 0, &err);
	hv_clock_host_set_tree(host, tree);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hv_clock_host_put(host);
	hv_clk_free(clks);
	hv_hyp_close(hyp);
	hv_fdt_close(tree);
	return 0;
}

static void test_needs(void **state)
{
	struct hv_clock_facts facts = { .tree = tree, .clks = clks };
	struct hv_clock_need needs[HV_CLOCK_NEEDS];

	(void)state;
	want(hv_clock_needs(&facts, "/soc/pl011@9000000", needs, &err), 5, &err);
	/* By the device that uses it: uart0 of the simulated machine runs at 96 MHz. */
	assert_string_equal(needs[0].name, "uartclk");
	assert_string_equal(needs[0].provider, "/soc/cru@100000");
	assert_int_equal(needs[0].ref.cells[0], 5);
	assert_true(needs[0].known);
	assert_int_equal(needs[0].hz, 96000000);
	assert_string_equal(clks->clks[needs[0].clk].name, "uart0");
	assert_int_equal(needs[0].lent, 2);
	assert_int_equal(needs[1].hz, 24000000);
	assert_int_equal(needs[1].lent, 0);
	assert_int_equal(needs[2].hz, 12000000);
	assert_int_equal(needs[2].lent, -1);
	assert_false(needs[4].known);
	assert_non_null(strstr(needs[4].how, "clk_summary"));
	/* By the provider's names. An empty slot is none. */
	want(hv_clock_needs(&facts, "/soc/spi@9001000", needs, &err), 2, &err);
	assert_int_equal(needs[0].slot, 1);
	assert_string_equal(clks->clks[needs[0].clk].name, "i2c0");
	assert_int_equal(needs[0].hz, clks->clks[needs[0].clk].rate);
	assert_false(needs[1].known);
	want(hv_clock_needs(&facts, "/soc/plain@9002000", needs, &err), 0, &err);
	/* What the kernel lends it is asked for. */
	facts.host = host;
	want(hv_clock_needs(&facts, "serial0", needs, &err), 5, &err);
	assert_non_null(strstr(needs[0].how, "lends it as 2"));
	want(hv_clock_needs(&facts, "&uart0", needs, &err), 5, &err);
	/* Without any. */
	facts = (struct hv_clock_facts){ .tree = tree };
	want(hv_clock_needs(&facts, "&uart0", needs, &err), 5, &err);
	assert_false(needs[0].known);
	assert_true(needs[2].known);
}

static void test_rate_of(void **state)
{
	struct hv_clock_facts facts = { .tree = tree, .clks = clks };

	(void)state;
	assert_int_equal(hv_clock_rate_of("/soc/pl011@9000000", 0, &facts), 96000000);
	assert_int_equal(hv_clock_rate_of("/soc/pl011@9000000", 2, &facts), 12000000);
	assert_int_equal(hv_clock_rate_of("/soc/pl011@9000000", 4, &facts), 0);
	assert_int_equal(hv_clock_rate_of("/soc/pl011@9000000", 9, &facts), 0);
	assert_int_equal(hv_clock_rate_of("/soc/spi@9001000", 0, &facts), 0);
	assert_true(hv_clock_rate_of("/soc/spi@9001000", 1, &facts) > 0);
	assert_int_equal(hv_clock_rate_of("/nowhere", 0, &facts), 0);
}

static void test_broken(void **state)
{
	static const struct {
		const char *node;
		int rc;
		const char *says;
	} broken[] = {
		{ "/soc/broken@9003000", -EINVAL, "too early" },
		{ "/soc/dangling@9004000", -EINVAL, "phandle" },
		{ "/soc/none@0", -ENOENT, "/soc/none@0" },
		{ "&nolabel", -ENOENT, "nolabel" },
		{ "", -ENOENT, "node" },
	};
	struct hv_clock_facts facts = { .tree = tree };
	struct hv_clock_need needs[HV_CLOCK_NEEDS];

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		memset(&err, 0, sizeof(err));
		want(hv_clock_needs(&facts, broken[i].node, needs, &err), broken[i].rc, &err);
		want_text(&err, broken[i].says);
	}
}

static void test_references(void **state)
{
	uint32_t id = 99;

	(void)state;
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "/soc/pl011@9000000:uartclk", &id, &err), 0,
	     &err);
	assert_int_equal(id, 2);
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "/soc/pl011@9000000:1", &id, &err), 0, &err);
	assert_int_equal(id, 0);
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "&uart0", &id, &err), 0, &err);
	assert_int_equal(id, 2);
	want(hv_clock_host_find(host, HV_LENT_RESET, "&uart0", &id, &err), 0, &err);
	assert_int_equal(id, 1);
	want(hv_clock_host_find(host, HV_LENT_POWER, "&uart0", &id, &err), -ENOENT, &err);
	want_text(&err, "not lent");
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "&uart0:half", &id, &err), -ENOENT, &err);
	want_text(&err, "not lent");
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "&uart0:none", &id, &err), -ENOENT, &err);
	want_text(&err, "\"none\" in clock-names");
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "&uart0:7", &id, &err), -ENOENT, &err);
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "/soc/spi@9001000:0", &id, &err), -ENOENT,
	     &err);
	want_text(&err, "empty slot");
}

/* The board's source with both parts after it, the guest's up to what goes into the node. */
static void compiles(const char *root, const char *guest)
{
	char name[] = "/tmp/hvsh-plan-XXXXXX", command[1024];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	snprintf(command, sizeof(command), "cat %s/core/clock/data/board.dts > %s",
		 getenv("HVSH_TESTS"), name);
	assert_int_equal(system(command), 0);
	assert_true(lseek(fd, 0, SEEK_END) > 0);
	dprintf(fd, "%s%.*s", root, (int)(strstr(guest, "/* in the guest") - guest), guest);
	close(fd);
	snprintf(command, sizeof(command), "dtc -q -f -@ -I dts -O dtb -o /dev/null %s", name);
	assert_int_equal(system(command), 0);
	unlink(name);
}

/* The source that is printed is one that dtc takes, and it says what was asked for. */
static void test_source(void **state)
{
	struct hv_clock_facts facts = { .tree = tree, .clks = clks };
	struct hv_clock_need needs[HV_CLOCK_NEEDS];
	struct hv_buf root = { 0 }, guest = { 0 };
	int n = hv_clock_needs(&facts, "&uart0", needs, &err), stand_ins = 0;

	(void)state;
	want(n, 5, &err);
	want(hv_clock_plan_root(&facts, needs, 5, &root, &err), 0, &err);
	assert_string_equal(root.data,
			    "&{/hvisor_virtio_device} {\n"
			    "\tclocks = <&{/osc}>, <0>, <&{/soc/cru@100000} 5>, <&{/half}>, "
			    "<&{/soc/cru@100000} 9>;\n"
			    "\tclock-names = \"osc\", \"none\", \"uart\", \"half\", \"unknown\";\n"
			    "};\n");
	want(hv_clock_plan_guest(&facts, "&uart0", NULL, needs, 5, &guest, &err), 0, &err);
	assert_non_null(strstr(guest.data, "clock-frequency = <96000000>"));
	assert_non_null(strstr(guest.data, "clock-frequency = <12000000>"));
	assert_non_null(strstr(guest.data, "unknown: the rate is not known"));
	assert_non_null(strstr(guest.data, "\"uartclk\", \"ref\", \"half\", \"again\", "));
	compiles(root.data, guest.data);
	/* One for both entries of the same clock. */
	for (const char *at = guest.data; (at = strstr(at, "fixed-clock")); at++)
		stand_ins++;
	assert_int_equal(stand_ins, 4);
	/* Nothing is missing: nothing to change. */
	root.len = 0;
	want(hv_clock_plan_root(&facts, needs, 2, &root, &err), 0, &err);
	assert_int_equal(root.len, 0);
	hv_buf_free(&root);
	hv_buf_free(&guest);
}

/* A tree that has no such node yet gets one, in source that dtc takes. */
static void test_new_node(void **state)
{
	char path[512], name[] = "/tmp/hvsh-plan-XXXXXX", command[2048];
	struct hv_clock_facts facts = { .clks = clks };
	struct hv_clock_need needs[HV_CLOCK_NEEDS];
	struct hv_buf root = { 0 };
	struct hv_fdt *bare;
	int fd = mkstemp(name), n;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/core/clock/data/board.dts", getenv("HVSH_TESTS"));
	snprintf(command, sizeof(command),
		 "{ cat %s; echo '/ { /delete-node/ hvisor_virtio_device; };'; } > %s", path, name);
	assert_int_equal(system(command), 0);
	facts.tree = bare = compile(name);
	n = hv_clock_needs(&facts, "&uart0", needs, &err);
	assert_true(n > 0);
	want(hv_clock_plan_root(&facts, needs, (unsigned int)n, &root, &err), 0, &err);
	assert_non_null(strstr(root.data, "&{/} {\n\thvisor_virtio_device {\n\t\tclocks = <"));
	snprintf(command, sizeof(command),
		 "{ cat %s; cat <<'END'\n%sEND\n} | dtc -q -f -@ -I dts -O dtb -o /dev/null -", name,
		 root.data);
	assert_int_equal(system(command), 0);
	unlink(name);
	hv_fdt_close(bare);
	hv_buf_free(&root);
}

/* Faster than a cell can say, and names that would end a comment. */
static void test_odd_source(void **state)
{
	struct hv_clock_facts facts = { .tree = tree };
	struct hv_clock_need needs[2] = {
		{ .name = "a*/\"\\\033b",
		  .known = true,
		  .hz = UINT64_C(5000000000),
		  .ref.phandle = 1 },
		{ .provider = "/x", .known = true, .hz = 1, .ref.phandle = 2, .lent = -1 },
	};
	struct hv_buf guest = { 0 };

	(void)state;
	want(hv_clock_plan_guest(&facts, "/x", NULL, needs, 2, &guest, &err), 0, &err);
	assert_non_null(strstr(guest.data, "/* a/b: 5 GHz is more than"));
	assert_null(strstr(guest.data, "<5000000000>"));
	assert_null(strstr(guest.data, "clock-names"));
	hv_buf_free(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_needs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rate_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_references, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_source, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_node, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_odd_source, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
