// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>

#include "abi/resource.h"
#include "hypervisor/ops.h"

static int fail(const struct hv_hyp *hyp, const char *what, uint32_t id, int rc,
		const struct hv_err *detail, struct hv_err *err)
{
	char number[16] = "";

	if (id != UINT32_MAX)
		snprintf(number, sizeof(number), " %u", id);
	if (detail->code)
		return hv_err_set(err, -rc, "%s%s: %s", what, number, detail->msg);
	if (rc == -ENOTTY)
		return hv_err_set(err, ENOTTY,
				  "%s%s: this kernel module cannot do it (ENOTTY); a newer "
				  "hvisor.ko can",
				  what, number);
	return hv_err_set(err, -rc, "%s%s: the kernel module of %s answers %s", what, number,
			  hyp->speaker, hv_err_name(-rc));
}

int hv_hyp_clock(struct hv_hyp *hyp, struct hv_ioc_clock *args, struct hv_err *err)
{
	static const struct {
		const char *what;
		uint32_t len;
	} calls[] = {
		[HV_CLOCK_COUNT] = { "counting the clocks", sizeof(args->count) },
		[HV_CLOCK_ATTRIBUTES] = { "attributes of clock", sizeof(args->attributes) },
		[HV_CLOCK_RATES] = { "possible rates of clock", sizeof(args->rates) },
		[HV_CLOCK_RATE_GET] = { "rate of clock", sizeof(args->rate) },
		[HV_CLOCK_RATE_SET] = { "setting the rate of clock", sizeof(args->rate_set) },
		[HV_CLOCK_CONFIG_GET] = { "state of clock", sizeof(args->config) },
		[HV_CLOCK_CONFIG_SET] = { "switching clock", sizeof(args->config) },
		[HV_CLOCK_NAME] = { "name of clock", sizeof(args->name) },
	};
	uint32_t cmd = args->subcmd;
	/* The id is the first word of every member that has one. */
	uint32_t id = cmd == HV_CLOCK_COUNT ? UINT32_MAX : args->attributes.id;
	struct hv_err detail = { 0 };
	int rc;

	if (!cmd || cmd >= sizeof(calls) / sizeof(calls[0]))
		return hv_err_set(err, EINVAL, "no clock call has the number %u", cmd);
	args->data_len = calls[cmd].len;
	rc = hyp->ops->resource(hyp, HV_IOC_CLOCK, args, &detail);
	return rc < 0 ? fail(hyp, calls[cmd].what, id, rc, &detail, err) : 0;
}

int hv_hyp_reset(struct hv_hyp *hyp, struct hv_ioc_reset *args, struct hv_err *err)
{
	bool count = args->subcmd == HV_RESET_COUNT;
	struct hv_err detail = { 0 };
	uint32_t id = count ? UINT32_MAX : args->reset.domain;
	int rc;

	args->data_len = count ? sizeof(args->count) : sizeof(args->reset);
	rc = hyp->ops->resource(hyp, HV_IOC_RESET, args, &detail);
	return rc < 0 ? fail(hyp, count ? "counting the resets" : "reset", id, rc, &detail, err)
		      : 0;
}

int hv_hyp_power(struct hv_hyp *hyp, struct hv_ioc_power *args, struct hv_err *err)
{
	static const struct {
		const char *what;
		uint32_t len;
	} calls[] = {
		[HV_POWER_COUNT] = { "counting the power domains", sizeof(args->count) },
		[HV_POWER_ATTRIBUTES] = { "attributes of power domain", sizeof(args->attributes) },
		[HV_POWER_STATE_SET] = { "switching power domain", sizeof(args->state) },
		[HV_POWER_STATE_GET] = { "state of power domain", sizeof(args->state) },
	};
	uint32_t cmd = args->subcmd;
	uint32_t id = cmd == HV_POWER_COUNT ? UINT32_MAX : args->state.domain;
	struct hv_err detail = { 0 };
	int rc;

	if (!cmd || cmd >= sizeof(calls) / sizeof(calls[0]))
		return hv_err_set(err, EINVAL, "no power call has the number %u", cmd);
	args->data_len = calls[cmd].len;
	rc = hyp->ops->resource(hyp, HV_IOC_POWER, args, &detail);
	return rc < 0 ? fail(hyp, calls[cmd].what, id, rc, &detail, err) : 0;
}
