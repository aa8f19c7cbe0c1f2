// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <stdlib.h>

#include "abi/resource.h"
#include "clock/host.h"
#include "tests/core/hypervisor/fake_device.h"

/* The host on /dev/hvisor: what kernel modules answer, old ones too. */
static struct hv_err err;
static struct hv_hyp *hyp;
static struct hv_clock_host *host;
static struct hv_clock_agent *agent;

static struct {
	int on[2], power[4];
	bool attached[4];
	uint64_t rate;
	uint32_t last_flags, data_len;
} module;

/* As upstream's: no rates, no count of resets and power domains, which are taken up by name. */
static long upstream_clock(struct hv_ioc_clock *args)
{
	module.data_len = args->data_len;
	if (args->subcmd != HV_CLOCK_COUNT && args->attributes.id > 1)
		return -ENOENT;
	switch (args->subcmd) {
	case HV_CLOCK_COUNT:
		args->count = 2;
		return 0;
	case HV_CLOCK_RATES:
		return 0;
	case HV_CLOCK_RATE_GET:
		args->rate.rate = module.rate;
		return 0;
	case HV_CLOCK_RATE_SET:
		module.rate = args->rate_set.rate / 1000 * 1000;
		return 0;
	case HV_CLOCK_CONFIG_SET:
		module.on[args->config.id] += args->config.config & 1 ? 1 : -1;
		return 0;
	case HV_CLOCK_NAME:
		memset(args->name.name, 'x', sizeof(args->name.name));
		return 0;
	default:
		return -EINVAL;
	}
}

static long upstream_power(struct hv_ioc_power *args)
{
	uint32_t domain = args->state.domain;

	if (args->subcmd == HV_POWER_COUNT) {
		args->count = 0;
		return 0;
	}
	if (domain > 3)
		return -ENODEV;
	if (args->subcmd == HV_POWER_ATTRIBUTES) {
		module.attached[domain] = true;
		snprintf(args->attributes.name, sizeof(args->attributes.name), "pd_%u", domain);
		return 0;
	}
	if (!module.attached[domain])
		return -ENODEV;
	module.power[domain] += args->state.state == HV_POWER_ON ? 1 : -1;
	return 0;
}

static long upstream(unsigned long request, void *args)
{
	struct hv_ioc_reset *reset = args;

	if (request == HV_IOC_CLOCK)
		return upstream_clock(args);
	if (request == HV_IOC_POWER)
		return upstream_power(args);
	if (reset->subcmd != HV_RESET_RESET)
		return -EINVAL;
	module.last_flags = reset->reset.flags;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	memset(&fake, 0, sizeof(fake));
	memset(&module, 0, sizeof(module));
	module.rate = 24000000;
	fake.fd = fake.wake_fd = fake.truncate_fd = fake.unmappable_fd = fake.fail_nr = -1;
	fake.unknown = ENOTTY;
	fake.scratch = memfd_create("scratch", MFD_CLOEXEC);
	want(hv_hyp_open_device(FAKE_PATH, &hyp, &err), 0, &err);
	want(hv_clock_host_new(&hv_clock_backend_hyp, hyp, &host, &err), 0, &err);
	want(hv_clock_agent_new(host, "linux1", &agent, &err), 0, &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hv_clock_agent_free(agent);
	hv_clock_host_put(host);
	hv_hyp_close(hyp);
	close(fake.scratch);
	return 0;
}

static void test_without(void **state)
{
	static const int codes[] = { ENOTTY, EINVAL };
	uint32_t n = 9;

	(void)state;
	for (int i = 0; i < 2; i++) {
		fake.unknown = codes[i];
		for (int kind = 0; kind < HV_LENT_KINDS; kind++) {
			want(hv_clock_host_count(host, (enum hv_lent)kind, &n, &err), 0, &err);
			assert_int_equal(n, 0);
		}
		want(hv_clock_host_find(host, HV_LENT_CLOCK, "uart0", &n, &err), -ENOENT, &err);
		want_text(&err, "zone0 lends none");
	}
	fake.unknown = ENOTTY;
	want_error(hv_clock_enable(agent, 0, true, &err), ENOTTY, &err, "kernel module cannot");
	/* A failure that is no lack of the call is said. */
	fake.unknown = EIO;
	want(hv_clock_host_count(host, HV_LENT_CLOCK, &n, &err), -EIO, &err);
}

static void test_upstream(void **state)
{
	char name[HV_LENT_NAME];
	struct hv_lent_rates rates;
	uint64_t hz;
	uint32_t n;

	(void)state;
	fake.resource = upstream;
	want(hv_clock_host_count(host, HV_LENT_CLOCK, &n, &err), 0, &err);
	assert_int_equal(n, 2);
	want(hv_clock_host_count(host, HV_LENT_RESET, &n, &err), 0, &err);
	assert_int_equal(n, 0);
	want(hv_clock_host_name(host, HV_LENT_CLOCK, 1, name, &err), 0, &err);
	assert_int_equal(strlen(name), HV_LENT_NAME - 1);
	assert_int_equal(module.data_len, 68);
	want_error(hv_clock_host_name(host, HV_LENT_CLOCK, 2, name, &err), ENOENT, &err, "clock 2");
	want(hv_clock_rates(agent, 0, 0, &rates, &err), 0, &err);
	assert_int_equal(rates.n, 0);
	want(hv_clock_set_rate(agent, 0, 5000123, &err), 0, &err);
	want(hv_clock_rate(agent, 0, &hz, &err), 0, &err);
	assert_int_equal(hz, 5000000);
	want(hv_clock_enable(agent, 1, true, &err), 0, &err);
	assert_int_equal(module.on[1], 1);
	/* Numbers work where the module cannot count. */
	want(hv_clock_host_name(host, HV_LENT_RESET, 77, name, &err), 0, &err);
	want(hv_clock_reset(agent, 77, HV_RESET_ACT_PULSE, &err), 0, &err);
	assert_int_equal(module.last_flags, 1);
	want(hv_clock_reset(agent, 77, HV_RESET_ACT_ASSERT, &err), 0, &err);
	assert_int_equal(module.last_flags, 2);
	want(hv_clock_reset(agent, 77, HV_RESET_ACT_RELEASE, &err), 0, &err);
	assert_int_equal(module.last_flags, 0);
	want(hv_clock_power(agent, 3, true, &err), -ENODEV, &err);
	want(hv_clock_host_name(host, HV_LENT_POWER, 3, name, &err), 0, &err);
	want(hv_clock_power(agent, 3, true, &err), 0, &err);
	assert_int_equal(module.power[3], 1);
	hv_clock_agent_release(agent);
	assert_int_equal(module.power[3], 0);
	assert_int_equal(module.on[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_upstream, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
