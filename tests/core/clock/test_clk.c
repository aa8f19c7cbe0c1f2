// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "clock/clk.h"

static struct hv_err err;

static struct hv_clk_tree *parse(const char *text)
{
	struct hv_clk_tree *tree = NULL;

	memset(&err, 0, sizeof(err));
	want(hv_clk_parse(text, strlen(text), "text", &tree, &err), 0, &err);
	return tree;
}

static struct hv_clk_tree *parse_file(const char *name)
{
	static char text[65536];
	struct hv_clk_tree *tree;
	char path[512];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/core/clock/data/%s", getenv("HVSH_TESTS"), name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	tree = parse(text);
	return tree;
}

static const struct hv_clk *get(const struct hv_clk_tree *tree, const char *name)
{
	int i = hv_clk_find(tree, name);

	if (i < 0)
		fail_msg("no clock %s", name);
	return &tree->clks[i];
}

static const char *parent(const struct hv_clk_tree *tree, const char *name)
{
	int i = get(tree, name)->parent;

	return i < 0 ? "" : tree->clks[i].name;
}

static void test_summary(void **state)
{
	struct hv_clk_tree *tree = parse_file("summary-5.4");
	const struct hv_clk *clk;

	(void)state;
	assert_int_equal(tree->n, 8);
	assert_string_equal(parent(tree, "osc24m"), "");
	assert_string_equal(parent(tree, "serial"), "bus");
	assert_string_equal(parent(tree, "gpu"), "pll_main");
	assert_string_equal(parent(tree, "timer"), "osc24m");
	assert_string_equal(parent(tree, "rtc 32k"), "");
	clk = get(tree, "pll_main");
	assert_int_equal(clk->enable_count, 2);
	assert_int_equal(clk->prepare_count, 2);
	assert_int_equal(clk->protect_count, 1);
	assert_int_equal(clk->rate, 1200000000);
	assert_int_equal(clk->accuracy, 50000);
	assert_int_equal(clk->hardware, '?');
	clk = get(tree, "a_clock_whose_name_has_no_room");
	assert_int_equal(clk->rate, 9375000);
	assert_int_equal(clk->phase, 180);
	assert_int_equal(clk->duty, 25000);
	hv_clk_free(tree);

	tree = parse_file("summary-4.9");
	assert_int_equal(tree->n, 3);
	assert_string_equal(parent(tree, "pll"), "osc");
	assert_int_equal(get(tree, "pll")->rate, 832000000);
	assert_int_equal(get(tree, "aux")->phase, 90);
	assert_int_equal(get(tree, "aux")->duty, -1);
	hv_clk_free(tree);

	tree = parse_file("summary-5.19");
	assert_int_equal(tree->n, 3);
	assert_int_equal(get(tree, "osc24m")->hardware, 'Y');
	assert_int_equal(get(tree, "pll_main")->hardware, '?');
	assert_int_equal(get(tree, "pll_main")->phase, -1);
	assert_int_equal(get(tree, "uart")->hardware, 'N');
	assert_string_equal(parent(tree, "uart"), "pll_main");
	hv_clk_free(tree);
}

static void test_consumers(void **state)
{
	struct hv_clk_tree *tree = parse_file("summary-6.12");
	const struct hv_clk *clk;

	(void)state;
	assert_int_equal(tree->n, 4);
	assert_string_equal(parent(tree, "serial"), "pll_main");
	assert_int_equal(get(tree, "serial")->rate, 75000000);
	assert_int_equal(get(tree, "osc24m")->n_users, 1);
	clk = get(tree, "serial");
	assert_int_equal(clk->n_users, 2);
	assert_string_equal(tree->users[clk->first_user].device, "fe010000.serial");
	assert_string_equal(tree->users[clk->first_user].connection, "baud");
	assert_null(tree->users[clk->first_user + 1].connection);
	clk = get(tree, "pll 2 x");
	assert_int_equal(clk->hardware, 'N');
	assert_int_equal(clk->phase, 180);
	assert_string_equal(tree->users[clk->first_user].connection, "two words");
	assert_int_equal(hv_clk_find_user(tree, 0, "fe010000.serial", "baud"), 2);
	assert_int_equal(hv_clk_find_user(tree, 0, "fe010000.serial", NULL), 2);
	assert_int_equal(hv_clk_find_user(tree, 3, "fe010000.serial", NULL), -1);
	assert_int_equal(hv_clk_find_user(tree, 0, "fe010000.serial", "apb"), -1);
	hv_clk_free(tree);
}

static void test_dump(void **state)
{
	struct hv_clk_tree *tree = parse_file("dump-5.4");

	(void)state;
	assert_int_equal(tree->n, 4);
	assert_string_equal(parent(tree, "serial"), "pll_main");
	assert_string_equal(parent(tree, "rtc \"32k\""), "");
	assert_int_equal(get(tree, "pll_main")->rate, 1200000000);
	assert_int_equal(get(tree, "pll_main")->protect_count, 1);
	assert_int_equal(get(tree, "serial")->accuracy, 50000);
	hv_clk_free(tree);

	tree = parse_file("dump-6.12");
	assert_int_equal(tree->n, 2);
	assert_int_equal(get(tree, "uart")->min_rate, 1000);
	assert_int_equal(get(tree, "uart")->phase, -1);
	assert_int_equal(get(tree, "osc24m")->phase, -1);
	assert_int_equal(get(tree, "osc24m")->max_rate, INT64_MAX);
	assert_int_equal(get(tree, "osc24m")->enable_count, 1);
	hv_clk_free(tree);
}

#define HEAD "   clock enable_cnt prepare_cnt rate accuracy phase\n----------------------\n"

static void test_broken(void **state)
{
	static const struct {
		const char *text, *says;
	} broken[] = {
		{ "", "neither" },
		{ "\n\n\n", "neither" },
		{ "a\nb\nc\nd\ne\nf\ng\nh\ni\n", "neither" },
		{ "----------\n", "header" },
		{ "  clock count rate\nx\n-----------\n", "header" },
		{ "  clock phase\n-----------\n", "rate" },
		{ HEAD " osc 1 1 24 0\n", "text:3:" },
		{ HEAD " osc 1 1 24 0 0 0 x\n", "text:3:" },
		{ HEAD " osc 1 1 24 0 0\n  pll 1 1 99999999999999999999 0 0\n", "text:4:" },
		{ HEAD " osc 1 1 -24 0 0\n", "text:3:" },
		{ HEAD " osc 99999999999 1 24 0 0\n", "text:3:" },
		{ "{", "ends" },
		{ "{\"a\"", "ends" },
		{ "{\"a\":", "number or an object" },
		{ "{\"a\": {\"rate\": 5}", "ends" },
		{ "{\"a\": {\"rate\": \"5\"}}", "number" },
		{ "{\"a\": {\"rate\": 5},}", "a name" },
		{ "{\"a\n\": {}}", "does not end" },
		{ "{\"a\\", "does not end" },
		{ "{\"a\\u12", "does not end" },
		{ "{} x", "follows" },
		{ "{\n\n\"a\": [1]}", "text:3:" },
	};
	struct hv_clk_tree *tree;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const char *text = broken[i].text;

		memset(&err, 0, sizeof(err));
		if (hv_clk_parse(text, strlen(text), "text", &tree, &err) != -EINVAL)
			fail_msg("accepted: %s", text);
		want_text(&err, broken[i].says);
		assert_int_equal(hv_clk_parse(text, strlen(text), "text", &tree, NULL), -EINVAL);
	}
}

static void test_deep(void **state)
{
	struct hv_buf text = { 0 };
	struct hv_clk_tree *tree;

	(void)state;
	for (int levels = HV_CLK_DEPTH; levels <= HV_CLK_DEPTH + 1; levels++) {
		int rc = levels > HV_CLK_DEPTH ? -EINVAL : 0;

		text.len = 0;
		hv_buf_puts(&text, HEAD);
		for (int i = 0; i < levels; i++)
			hv_buf_printf(&text, "%*sclk%d 1 1 24 0 0\n", 3 * i + 1, "", i);
		want(hv_clk_parse(text.data, text.len, "text", &tree, &err), rc, &err);
		if (!rc) {
			assert_string_equal(parent(tree, "clk63"), "clk62");
			hv_clk_free(tree);
		}
		text.len = 0;
		for (int i = 0; i < levels; i++)
			hv_buf_printf(&text, "{\"clk%d\": ", i);
		hv_buf_puts(&text, "{}");
		hv_buf_repeat(&text, "}", (size_t)levels);
		want(hv_clk_parse(text.data, text.len, "text", &tree, &err), rc, &err);
		if (!rc)
			hv_clk_free(tree);
	}
	text.len = 0;
	hv_buf_repeat(&text, "{\"a\":", 1000000);
	want(hv_clk_parse(text.data, text.len, "text", &tree, &err), -EINVAL, &err);
	hv_buf_free(&text);
}

static void test_control_characters(void **state)
{
	struct hv_clk_tree *tree = parse(HEAD " os\033[2Jc 1 1 24 0 0\n");

	(void)state;
	assert_string_equal(tree->clks[0].name, "os?[2Jc");
	hv_clk_free(tree);
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* The table has the users; the other one is there in case it cannot be read. */
static void test_read(void **state)
{
	char dir[] = "/tmp/hvsh-clk-XXXXXX", command[64];
	struct hv_clk_tree *tree;

	(void)state;
	assert_non_null(mkdtemp(dir));
	memset(&err, 0, sizeof(err));
	want(hv_clk_read(dir, &tree, &err), -ENOENT, &err);
	want_text(&err, "clk_summary");
	put_file(dir, "clk_dump", "{\"from_dump\": {\"rate\": 5}}");
	want(hv_clk_read(dir, &tree, &err), 0, &err);
	assert_int_equal(get(tree, "from_dump")->rate, 5);
	hv_clk_free(tree);
	put_file(dir, "clk_summary", "a table of the future\n");
	want(hv_clk_read(dir, &tree, &err), 0, &err);
	assert_int_equal(hv_clk_find(tree, "from_dump"), 0);
	hv_clk_free(tree);
	put_file(dir, "clk_summary", HEAD " from_summary 1 1 24 0 0\n");
	want(hv_clk_read(dir, &tree, &err), 0, &err);
	assert_int_equal(hv_clk_find(tree, "from_summary"), 0);
	hv_clk_free(tree);
	put_file(dir, "clk_dump", "{");
	put_file(dir, "clk_summary", HEAD " broken\n");
	want(hv_clk_read(dir, &tree, &err), -EINVAL, &err);
	want_text(&err, "clk_summary:3:");
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void test_simulated(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_clk_tree *tree;
	struct hv_hyp *hyp;
	int i;

	(void)state;
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want(hv_clk_read_sim(hyp, &tree, &err), 0, &err);
	assert_string_equal(parent(tree, "uart0"), "apb");
	assert_string_equal(parent(tree, "apb"), "pll0");
	assert_int_equal(get(tree, "osc24m")->rate, 24000000);
	assert_int_equal(get(tree, "uart0")->enable_count, 1);
	assert_int_equal(get(tree, "pll0")->hardware, 'Y');
	assert_int_equal(get(tree, "gpu")->hardware, 'N');
	i = hv_clk_find_user(tree, 0, "9000000.pl011", "uartclk");
	assert_int_equal(i, hv_clk_find(tree, "uart0"));
	hv_clk_free(tree);
	hv_hyp_close(hyp);
}

static void test_hertz(void **state)
{
	static const struct {
		const char *text;
		uint64_t hz;
	} good[] = {
		{ "0", 0 },
		{ "1000000", 1000000 },
		{ "24M", 24000000 },
		{ "24MHz", 24000000 },
		{ "24 MHz", 24000000 },
		{ "32.768k", 32768 },
		{ "32.768 KHz", 32768 },
		{ "1.2G", 1200000000 },
		{ "7Hz", 7 },
		{ "9223372036854775807", INT64_MAX },
	};
	static const char *const bad[] = { "",	   "M",	    "-1",    "1.M",	"1.5",
					   "24 m", "24MiB", "0x100", "1.2345k", "24M x" };
	static const char *const large[] = { "9223372036854775808", "99999999999999999999999",
					     "10000000000G" };
	static const struct {
		uint64_t hz;
		const char *text;
	} formats[] = {
		{ 0, "0 Hz" },
		{ 999, "999 Hz" },
		{ 32768, "32.768 kHz" },
		{ 24000000, "24 MHz" },
		{ 133333333, "133333.333 kHz" },
		{ 74250000, "74.25 MHz" },
		{ 1200000000, "1.2 GHz" },
		{ 1, "1 Hz" },
		{ 1000001, "1000.001 kHz" },
	};
	char text[HV_HZ_TEXT];
	uint64_t hz;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (hv_hz_parse(good[i].text, &hz) || hz != good[i].hz)
			fail_msg("%s is %" PRIu64, good[i].text, hz);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (hv_hz_parse(bad[i], &hz) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(hv_hz_parse(large[i], &hz), -ERANGE);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		assert_string_equal(hv_hz_format(formats[i].hz, text), formats[i].text);
		assert_int_equal(hv_hz_parse(text, &hz), 0);
		assert_int_equal(hz, formats[i].hz);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_summary), cmocka_unit_test(test_consumers),
		cmocka_unit_test(test_dump),	cmocka_unit_test(test_broken),
		cmocka_unit_test(test_deep),	cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_read),	cmocka_unit_test(test_simulated),
		cmocka_unit_test(test_hertz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
