// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "virtio/dev/scmi_priv.h"

/* SCMI 3.2, 4.6. */

#define ATTR_ENABLED (1u << 0)
#define ATTR_LONG_NAME (1u << 29) /* from version 2 on */

#define RATES_TRIPLET (1u << 12) /* lowest, highest, step */
/* Linux takes up to 16 single rates of a clock, and refuses the clock with more. */
#define RATES_MAX 16

#define SET_ASYNC (1u << 0)

#define CONFIG_STATE 3u /* one bit before version 2.1 */
#define CONFIG_UNCHANGED 3u
#define CONFIG_EXTENDED 0xff0000u

static enum scmi_status attributes(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t words = scmi->lent[HV_LENT_CLOCK].n;

	scmi_put32(msg, words); /* how many; no asynchronous rate changes */
	return SCMI_SUCCESS;
}

/*
 * "Enabled" is whether this zone has it on. Others may have it on, too, but a zone that relied on
 * them would lose it when they end.
 */
static enum scmi_status clock_attributes(struct scmi *scmi, struct scmi_msg *msg)
{
	bool v2 = SCMI_MAJOR(scmi_version(scmi, &scmi_clock)) >= 2;
	char name[HV_LENT_NAME];
	struct hv_err err = { 0 };
	uint32_t id, attr = 0;
	int rc;

	if (!scmi_id(scmi, HV_LENT_CLOCK, msg, 0, &id))
		return SCMI_NOT_FOUND;
	rc = hv_clock_host_name(scmi->host, HV_LENT_CLOCK, id, name, &err);
	if (rc < 0)
		return scmi_refused(scmi, rc, &err);
	if (hv_clock_enabled(scmi->agent, id))
		attr |= ATTR_ENABLED;
	if (v2 && strlen(name) >= SCMI_SHORT_NAME)
		attr |= ATTR_LONG_NAME;
	scmi_put32(msg, attr);
	scmi_put_name(msg, name, SCMI_SHORT_NAME);
	if (v2)
		scmi_put32(msg, 0); /* the time it takes is not known */
	return SCMI_SUCCESS;
}

static enum scmi_status put_range(struct scmi_msg *msg, uint64_t lowest, uint64_t highest)
{
	scmi_put32(msg, 3 | RATES_TRIPLET);
	scmi_put64(msg, lowest);
	scmi_put64(msg, highest);
	scmi_put64(msg, 1);
	return SCMI_SUCCESS;
}

/*
 * Too many to name each: a range. Where the backend knows none, zone0's kernel rounds what it is
 * asked for.
 */
static int describe_range(struct scmi *scmi, uint32_t id, const struct hv_lent_rates *first,
			  struct scmi_msg *msg, struct hv_err *err)
{
	struct hv_lent_rates last;
	uint64_t now;
	int rc;

	if (!first->n) {
		rc = hv_clock_rate(scmi->agent, id, &now, err);
		return rc < 0 ? rc : put_range(msg, 1, now > UINT32_MAX ? now : UINT32_MAX);
	}
	rc = hv_clock_rates(scmi->agent, id, first->n + first->remaining - 1, &last, err);
	if (rc >= 0 && !last.n)
		return hv_err_set(err, EIO, "clock %u has %u rates, but not the last one", id,
				  first->n + first->remaining);
	return rc < 0 ? rc : put_range(msg, first->hz[0], last.hz[last.n - 1]);
}

static enum scmi_status describe_rates(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t id, fit, left, index = scmi_word(msg, 1);
	struct hv_lent_rates rates;
	struct hv_err err = { 0 };
	int rc;

	if (!scmi_id(scmi, HV_LENT_CLOCK, msg, 0, &id))
		return SCMI_NOT_FOUND;
	rc = hv_clock_rates(scmi->agent, id, index, &rates, &err);
	if (rc >= 0 && !index && (!rates.n || rates.remaining > RATES_MAX - rates.n)) {
		rc = describe_range(scmi, id, &rates, msg, &err);
		if (rc >= 0)
			return SCMI_SUCCESS;
	}
	if (rc < 0)
		return scmi_refused(scmi, rc, &err);
	if (!rates.n)
		return SCMI_OUT_OF_RANGE;
	/* As many as the guest has room for; it asks for the others. */
	fit = msg->room < 4 ? 0 : (uint32_t)((msg->room - 4) / 8);
	if (fit > rates.n)
		fit = rates.n;
	left = rates.remaining > RATES_MAX ? RATES_MAX : rates.remaining + rates.n - fit;
	if (!fit)
		left = 0; /* it would ask for ever */
	scmi_put32(msg, fit | left << 16);
	for (uint32_t i = 0; i < fit; i++)
		scmi_put64(msg, rates.hz[i]);
	return SCMI_SUCCESS;
}

static enum scmi_status rate_set(struct scmi *scmi, struct scmi_msg *msg)
{
	struct hv_err err = { 0 };
	uint32_t id;
	int rc;

	if (!scmi_id(scmi, HV_LENT_CLOCK, msg, 1, &id))
		return SCMI_NOT_FOUND;
	if (scmi_word(msg, 0) & SET_ASYNC)
		return SCMI_NOT_SUPPORTED;
	rc = hv_clock_set_rate(scmi->agent, id,
			       scmi_word(msg, 2) | (uint64_t)scmi_word(msg, 3) << 32, &err);
	return rc < 0 ? scmi_refused(scmi, rc, &err) : SCMI_SUCCESS;
}

static enum scmi_status rate_get(struct scmi *scmi, struct scmi_msg *msg)
{
	struct hv_err err = { 0 };
	uint64_t hz;
	uint32_t id;
	int rc;

	if (!scmi_id(scmi, HV_LENT_CLOCK, msg, 0, &id))
		return SCMI_NOT_FOUND;
	rc = hv_clock_rate(scmi->agent, id, &hz, &err);
	if (rc < 0)
		return scmi_refused(scmi, rc, &err);
	scmi_put64(msg, hz);
	return SCMI_SUCCESS;
}

static enum scmi_status config_set(struct scmi *scmi, struct scmi_msg *msg)
{
	bool v3 = SCMI_MAJOR(scmi_version(scmi, &scmi_clock)) >= 3;
	uint32_t id, config = scmi_word(msg, 1), state;
	struct hv_err err = { 0 };
	int rc;

	if (!scmi_id(scmi, HV_LENT_CLOCK, msg, 0, &id))
		return SCMI_NOT_FOUND;
	if (v3 && config & CONFIG_EXTENDED)
		return SCMI_NOT_SUPPORTED;
	state = config & (v3 ? CONFIG_STATE : 1);
	if (state == CONFIG_UNCHANGED)
		return SCMI_SUCCESS;
	if (state > 1)
		return SCMI_INVALID_PARAMETERS;
	rc = hv_clock_enable(scmi->agent, id, state, &err);
	return rc < 0 ? scmi_refused(scmi, rc, &err) : SCMI_SUCCESS;
}

static enum scmi_status config_get(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t id;

	if (!scmi_id(scmi, HV_LENT_CLOCK, msg, 0, &id))
		return SCMI_NOT_FOUND;
	if (scmi_word(msg, 1) & 0xff)
		return SCMI_NOT_SUPPORTED; /* a vendor's own configuration */
	scmi_put32(msg, 0);
	scmi_put32(msg, hv_clock_enabled(scmi->agent, id));
	scmi_put32(msg, 0);
	return SCMI_SUCCESS;
}

static enum scmi_status name_get(struct scmi *scmi, struct scmi_msg *msg)
{
	return scmi_put_long_name(scmi, HV_LENT_CLOCK, msg);
}

/* Older clients leave the last word of 0x7 out, whatever the version. */
static const struct scmi_command commands[] = {
	{ 0x1, 0, attributes }, { 0x3, 4, clock_attributes }, { 0x4, 8, describe_rates },
	{ 0x5, 16, rate_set },	{ 0x6, 4, rate_get },	      { 0x7, 8, config_set },
	{ 0x8, 4, name_get },	{ 0xb, 8, config_get },
};

static const uint32_t versions[] = { 0x10000, 0x20000, 0x30000 };

const struct scmi_protocol scmi_clock = {
	.number = SCMI_CLOCK,
	.version = 0x30000,
	.kind = HV_LENT_CLOCK,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
	.commands = commands,
	.n_versions = sizeof(versions) / sizeof(versions[0]),
	.versions = versions,
};
