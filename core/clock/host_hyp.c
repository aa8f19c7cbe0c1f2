// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/resource.h"
#include "clock/host.h"
#include "hypervisor/hypervisor.h"

static_assert(HV_LENT_NAME == HV_RESOURCE_NAME_LEN, "names are handed through");
static_assert(HV_LENT_RATES == HV_CLOCK_RATES_MAX, "rates are handed through");

/* A count has no argument that could be wrong: a module that answers so does not know the call. */
static bool is_unknown(int rc)
{
	return rc == -ENOTTY || rc == -EINVAL || rc == -ENOSYS;
}

static int hyp_count(void *arg, enum hv_lent kind, uint32_t *n, struct hv_err *err)
{
	struct hv_ioc_clock clock = { .subcmd = HV_CLOCK_COUNT };
	struct hv_ioc_reset reset = { .subcmd = HV_RESET_COUNT };
	struct hv_ioc_power power = { .subcmd = HV_POWER_COUNT };
	int rc;

	switch (kind) {
	case HV_LENT_CLOCK:
		rc = hv_hyp_clock(arg, &clock, err);
		*n = clock.count;
		break;
	case HV_LENT_RESET:
		rc = hv_hyp_reset(arg, &reset, err);
		*n = reset.count;
		break;
	default:
		rc = hv_hyp_power(arg, &power, err);
		*n = power.count;
		break;
	}
	if (rc >= 0)
		return 0;
	*n = 0;
	return is_unknown(rc) ? -ENOTTY : rc;
}

/* Resets have no names in the kernel. Older modules take up a power domain when they are asked for
 * its name, and not before. */
static int hyp_name(void *arg, enum hv_lent kind, uint32_t id, char name[HV_LENT_NAME],
		    struct hv_err *err)
{
	struct hv_ioc_clock clock = { .subcmd = HV_CLOCK_NAME, .name.id = id };
	struct hv_ioc_power power = { .subcmd = HV_POWER_ATTRIBUTES, .attributes.domain = id };
	uint32_t n;
	int rc;

	switch (kind) {
	case HV_LENT_CLOCK:
		rc = hv_hyp_clock(arg, &clock, err);
		memcpy(name, clock.name.name, HV_LENT_NAME);
		break;
	case HV_LENT_POWER:
		rc = hv_hyp_power(arg, &power, err);
		memcpy(name, power.attributes.name, HV_LENT_NAME);
		break;
	default:
		rc = hyp_count(arg, kind, &n, err);
		if (rc == 0 && id >= n)
			rc = hv_err_set(err, ENOENT, "there is no reset %u, zone0 lends %u", id, n);
		if (rc == -ENOTTY)
			rc = 0; /* it resets all the same */
		snprintf(name, HV_LENT_NAME, "reset%u", id);
		break;
	}
	name[HV_LENT_NAME - 1] = '\0';
	return rc;
}

static int hyp_rates(void *arg, uint32_t id, uint32_t index, struct hv_lent_rates *rates,
		     struct hv_err *err)
{
	struct hv_ioc_clock clock = { .subcmd = HV_CLOCK_RATES,
				      .rates = { .id = id, .index = index } };
	int rc = hv_hyp_clock(arg, &clock, err);

	if (rc < 0)
		return rc;
	/* Upstream's module writes nothing here. */
	rates->n = clock.rates.num_rates;
	if (rates->n > HV_LENT_RATES)
		rates->n = HV_LENT_RATES;
	rates->remaining = clock.rates.remaining;
	memcpy(rates->hz, clock.rates.rates, sizeof(rates->hz));
	return 0;
}

static int hyp_rate(void *arg, uint32_t id, uint64_t *hz, struct hv_err *err)
{
	struct hv_ioc_clock clock = { .subcmd = HV_CLOCK_RATE_GET, .rate.id = id };
	int rc = hv_hyp_clock(arg, &clock, err);

	*hz = rc < 0 ? 0 : clock.rate.rate;
	return rc;
}

static int hyp_set_rate(void *arg, uint32_t id, uint64_t hz, struct hv_err *err)
{
	struct hv_ioc_clock clock = { .subcmd = HV_CLOCK_RATE_SET,
				      .rate_set = { .id = id, .rate = hz } };

	return hv_hyp_clock(arg, &clock, err);
}

static int hyp_enable(void *arg, uint32_t id, bool on, struct hv_err *err)
{
	struct hv_ioc_clock clock = { .subcmd = HV_CLOCK_CONFIG_SET,
				      .config = { .id = id, .config = on ? HV_CLOCK_ON : 0 } };

	return hv_hyp_clock(arg, &clock, err);
}

static int hyp_reset(void *arg, uint32_t id, enum hv_reset_action action, struct hv_err *err)
{
	static const uint32_t flags[] = {
		[HV_RESET_ACT_RELEASE] = 0,
		[HV_RESET_ACT_PULSE] = HV_RESET_PULSE,
		[HV_RESET_ACT_ASSERT] = HV_RESET_ASSERT,
	};
	struct hv_ioc_reset reset = { .subcmd = HV_RESET_RESET,
				      .reset = { .domain = id, .flags = flags[action] } };

	return hv_hyp_reset(arg, &reset, err);
}

static int hyp_power(void *arg, uint32_t id, bool on, struct hv_err *err)
{
	struct hv_ioc_power power = { .subcmd = HV_POWER_STATE_SET,
				      .state = { .domain = id,
						 .state = on ? HV_POWER_ON : HV_POWER_OFF } };

	return hv_hyp_power(arg, &power, err);
}

const struct hv_clock_backend hv_clock_backend_hyp = {
	.count = hyp_count,
	.name = hyp_name,
	.rates = hyp_rates,
	.rate = hyp_rate,
	.set_rate = hyp_set_rate,
	.enable = hyp_enable,
	.reset = hyp_reset,
	.power = hyp_power,
};
