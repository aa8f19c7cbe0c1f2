// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/resource.h"
#include "base/buf.h"
#include "clock/host.h"

static const char machine_clocks[] =
	"# a comment, and an empty line\n"
	"\n"
	"clock osc 24000000\n"
	"clock pll parent=osc mul=10..60 gate\n"
	"clock bus parent=pll div=4\n"
	"clock uart0 parent=bus div=1..16 gate lent for=9000000.serial:baud\n"
	"clock spi0 parent=bus div=1..64 gate lent\n"
	"clock fixed parent=osc lent\n"
	"reset uart0\n"
	"reset spi0\n"
	"power gpu\n";
enum { UART0, SPI0, FIXED };

static struct hv_err err;
static struct hv_hyp *hyp;
static struct hv_clock_host *host;
static struct hv_clock_agent *a, *b;

static int set_up(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);

	(void)state;
	memset(&err, 0, sizeof(err));
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want(hv_sim_set_clocks(hyp, machine_clocks, &err), 0, &err);
	want(hv_clock_host_new(&hv_clock_backend_hyp, hyp, &host, &err), 0, &err);
	want(hv_clock_agent_new(host, "linux1", &a, &err), 0, &err);
	want(hv_clock_agent_new(host, "linux2", &b, &err), 0, &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hv_clock_agent_free(a);
	hv_clock_agent_free(b);
	hv_clock_host_put(host);
	hv_hyp_close(hyp);
	return 0;
}

static bool is_on(uint32_t id)
{
	struct hv_ioc_clock args = { .subcmd = HV_CLOCK_CONFIG_GET, .config.id = id };

	want(hv_hyp_clock(hyp, &args, &err), 0, &err);
	return args.config.config & HV_CLOCK_ON;
}

static uint64_t rate(uint32_t id)
{
	uint64_t hz = 0;

	want(hv_clock_rate(a, id, &hz, &err), 0, &err);
	return hz;
}

static void test_shared_clock(void **state)
{
	(void)state;
	assert_false(is_on(SPI0));
	want(hv_clock_enable(a, SPI0, true, &err), 0, &err);
	want(hv_clock_enable(a, SPI0, true, &err), 0, &err);
	want(hv_clock_enable(b, SPI0, true, &err), 0, &err);
	want(hv_clock_enable(a, SPI0, false, &err), 0, &err);
	assert_true(is_on(SPI0));
	assert_false(hv_clock_enabled(a, SPI0));
	assert_true(hv_clock_enabled(b, SPI0));
	/* What one has not switched on one cannot switch off. */
	want(hv_clock_enable(a, SPI0, false, &err), 0, &err);
	assert_true(is_on(SPI0));
	want(hv_clock_enable(b, SPI0, false, &err), 0, &err);
	assert_false(is_on(SPI0));
	/* zone0's own is not touched. */
	assert_true(is_on(UART0));
	want(hv_clock_enable(a, UART0, true, &err), 0, &err);
	want(hv_clock_enable(a, UART0, false, &err), 0, &err);
	assert_true(is_on(UART0));
	want(hv_clock_enable(a, 3, true, &err), -ENOENT, NULL);
	assert_non_null(strstr(err.msg, "3"));
	want(hv_clock_enable(a, HV_LENT_IDS, true, &err), -ENOENT, NULL);
	want(hv_clock_enable(a, UINT32_MAX, true, &err), -ENOENT, NULL);
}

static void test_end_gives_back(void **state)
{
	uint32_t users;

	(void)state;
	want(hv_clock_enable(a, SPI0, true, &err), 0, &err);
	want(hv_clock_enable(a, FIXED, true, &err), 0, &err);
	want(hv_clock_power(a, 0, true, &err), 0, &err);
	want(hv_clock_enable(b, FIXED, true, &err), 0, &err);
	hv_clock_agent_release(a);
	assert_false(is_on(SPI0));
	assert_true(is_on(FIXED));
	assert_int_equal(hv_sim_power_users(hyp, 0, &users), 0);
	assert_int_equal(users, 0);
	assert_false(hv_clock_powered(a, 0));
	hv_clock_agent_free(b);
	b = NULL;
	assert_false(is_on(FIXED));
}

static void test_rates(void **state)
{
	struct hv_lent_rates rates;

	(void)state;
	assert_int_equal(rate(SPI0), 60000000);
	want(hv_clock_set_rate(a, SPI0, 25000000, &err), 0, &err);
	assert_int_equal(rate(SPI0), 20000000); /* 60 MHz / 3: never faster than asked for */
	want(hv_clock_set_rate(a, SPI0, 1, &err), 0, &err);
	assert_int_equal(rate(SPI0), 60000000 / 64);
	want(hv_clock_set_rate(a, FIXED, 24000000, &err), 0, &err);
	want(hv_clock_set_rate(a, FIXED, 24000001, &err), -EINVAL, NULL);
	want(hv_clock_rates(a, SPI0, 60, &rates, &err), 0, &err);
	assert_int_equal(rates.n, 4);
	assert_int_equal(rates.remaining, 0);
	assert_int_equal(rates.hz[3], 60000000);
	want(hv_clock_rates(a, SPI0, 0, &rates, &err), 0, &err);
	assert_int_equal(rates.n, 8);
	assert_int_equal(rates.remaining, 56);
	assert_int_equal(rates.hz[0], 60000000 / 64);
	want(hv_clock_rates(a, SPI0, 64, &rates, &err), 0, &err);
	assert_int_equal(rates.n, 0);
	assert_int_equal(rate(SPI0), 60000000 / 64);
}

/* A rate that another zone lives on stands. */
static void test_rate_of_others(void **state)
{
	(void)state;
	want(hv_clock_enable(b, SPI0, true, &err), 0, &err);
	want(hv_clock_set_rate(a, SPI0, 1000000, &err), -EBUSY, NULL);
	assert_non_null(strstr(err.msg, "linux2"));
	assert_int_equal(rate(SPI0), 60000000);
	want(hv_clock_set_rate(a, SPI0, 60000000, &err), 0, &err);
	want(hv_clock_set_rate(b, SPI0, 1000000, &err), -EBUSY, NULL);
	hv_clock_agent_release(a);
	want(hv_clock_set_rate(b, SPI0, 1000000, &err), 0, &err);
}

static void test_resets(void **state)
{
	uint32_t pulses;
	bool asserted;

	(void)state;
	want(hv_clock_reset(a, 1, HV_RESET_ACT_ASSERT, &err), 0, &err);
	hv_sim_reset_state(hyp, 1, &asserted, &pulses);
	assert_true(asserted);
	want(hv_clock_reset(a, 1, HV_RESET_ACT_RELEASE, &err), 0, &err);
	hv_sim_reset_state(hyp, 1, &asserted, &pulses);
	assert_false(asserted);
	want(hv_clock_reset(b, 1, HV_RESET_ACT_ASSERT, &err), -EBUSY, NULL);
	want(hv_clock_reset(b, 1, HV_RESET_ACT_PULSE, &err), -EBUSY, NULL);
	assert_non_null(strstr(err.msg, "linux1"));
	hv_sim_reset_state(hyp, 1, &asserted, &pulses);
	assert_false(asserted);
	assert_int_equal(pulses, 0);
	want(hv_clock_reset(a, 1, HV_RESET_ACT_ASSERT, &err), 0, &err);
	want(hv_clock_reset(b, 1, HV_RESET_ACT_PULSE, &err), 0, &err);
	hv_sim_reset_state(hyp, 1, &asserted, &pulses);
	assert_int_equal(pulses, 1);
	want(hv_clock_reset(a, 2, HV_RESET_ACT_PULSE, &err), -ENOENT, NULL);
}

static void test_power(void **state)
{
	uint32_t users;

	(void)state;
	want(hv_clock_power(a, 0, true, &err), 0, &err);
	/* A zone that saw another's as its own would not switch it on for itself. */
	assert_false(hv_clock_powered(b, 0));
	want(hv_clock_power(b, 0, true, &err), 0, &err);
	want(hv_clock_power(a, 0, false, &err), 0, &err);
	hv_sim_power_users(hyp, 0, &users);
	assert_true(users > 0);
	want(hv_clock_power(b, 0, false, &err), 0, &err);
	hv_sim_power_users(hyp, 0, &users);
	assert_int_equal(users, 0);
	want(hv_clock_power(a, 7, true, &err), -ENOENT, NULL);
}

static void test_names(void **state)
{
	char name[HV_LENT_NAME];
	uint32_t id = 99, n;

	(void)state;
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "fixed", &id, &err), 0, &err);
	assert_int_equal(id, FIXED);
	want(hv_clock_host_find(host, HV_LENT_POWER, "gpu", &id, &err), 0, &err);
	assert_int_equal(id, 0);
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "bus", &id, &err), -ENOENT, NULL);
	assert_non_null(strstr(err.msg, "uart0, spi0, fixed"));
	want(hv_clock_host_find(host, HV_LENT_CLOCK, "/soc/uart:0", &id, &err), -ENOENT, NULL);
	want(hv_clock_host_count(host, HV_LENT_RESET, &n, &err), 0, &err);
	assert_int_equal(n, 2);
	want(hv_clock_host_name(host, HV_LENT_RESET, 1, name, &err), 0, &err);
	assert_string_equal(name, "reset1");
	want(hv_clock_host_name(host, HV_LENT_RESET, 2, name, &err), -ENOENT, NULL);
	want(hv_sim_set_clocks(hyp, "clock osc 1\n", &err), 0, &err);
	want(hv_clock_host_find(host, HV_LENT_POWER, "gpu", &id, &err), -ENOENT, NULL);
	assert_non_null(strstr(err.msg, "hvisor_virtio_device"));
}

static void test_bad_descriptions(void **state)
{
	static const char *const bad[] = {
		"clock",
		"clock x",
		"clock x 0",
		"clock x 1 1x",
		"clock x parent=y",
		"clock x 5\nclock x 6",
		"clock x 5\nclock y parent=x div=0",
		"clock x 5\nclock y parent=x div=5..2",
		"clock x 5\nclock y parent=x div=1..70000",
		"clock x 5\nclock y parent=x div=1..2 mul=1..2",
		"clock x 5\nclock y parent=x 7",
		"clock x 99999999999999999999",
		"reset r x",
		"power",
		"fan f",
		"clock 0123456789012345678901234567890123456789012345678901234567890123 5",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&err, 0, sizeof(err));
		if (hv_sim_set_clocks(hyp, bad[i], &err) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(strstr(err.msg, "line "));
	}
	/* The old ones are there still. */
	assert_int_equal(rate(SPI0), 60000000);
}

/* ---- a backend in trouble */

struct trouble {
	int rc;
	unsigned int on, off;
};

static int no_count(void *arg, enum hv_lent kind, uint32_t *n, struct hv_err *e)
{
	(void)arg;
	(void)kind;
	*n = 0;
	return hv_err_set(e, ENOTTY, "no");
}

static int count_enable(void *arg, uint32_t id, bool on, struct hv_err *e)
{
	struct trouble *t = arg;

	(void)id;
	t->on += on;
	t->off += !on;
	return t->rc ? hv_err_set(e, -t->rc, "trouble") : 0;
}

static void test_trouble(void **state)
{
	const struct hv_clock_backend backend = { .count = no_count, .enable = count_enable };
	struct trouble t = { .rc = -EIO };
	struct hv_clock_agent *c;
	struct hv_clock_host *h;
	uint32_t n = 7;

	(void)state;
	want(hv_clock_host_new(&backend, &t, &h, &err), 0, &err);
	want(hv_clock_agent_new(h, "linux1", &c, &err), 0, &err);
	hv_clock_host_put(h);
	want(hv_clock_host_count(h, HV_LENT_CLOCK, &n, &err), 0, &err);
	assert_int_equal(n, 0);
	want(hv_clock_enable(c, 5, true, &err), -EIO, NULL);
	assert_false(hv_clock_enabled(c, 5));
	t.rc = 0;
	want(hv_clock_enable(c, 5, true, &err), 0, &err);
	assert_int_equal(t.on, 2);
	t.rc = -EIO;
	want(hv_clock_enable(c, 5, false, &err), -EIO, NULL);
	assert_true(hv_clock_enabled(c, 5));
	t.rc = 0;
	hv_clock_agent_free(c);
	assert_int_equal(t.off, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shared_clock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end_gives_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rate_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_resets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_power, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_descriptions, set_up, tear_down),
		cmocka_unit_test(test_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
