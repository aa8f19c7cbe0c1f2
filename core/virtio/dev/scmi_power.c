// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "virtio/dev/scmi_priv.h"

/* SCMI 3.2, 4.3. */

#define ATTR_LONG_NAME (1u << 27) /* from version 3 on */
#define ATTR_SYNC (1u << 29)

#define SET_ASYNC (1u << 0)

#define STATE_ON 0u
#define STATE_OFF (1u << 30)

static enum scmi_status attributes(struct scmi *scmi, struct scmi_msg *msg)
{
	scmi_put32(msg, scmi->lent[HV_LENT_POWER].n);
	scmi_put64(msg, 0); /* no statistics */
	scmi_put32(msg, 0);
	return SCMI_SUCCESS;
}

static enum scmi_status domain_attributes(struct scmi *scmi, struct scmi_msg *msg)
{
	bool v3 = SCMI_MAJOR(scmi_version(scmi, &scmi_power)) >= 3;
	char name[HV_LENT_NAME];
	struct hv_err err = { 0 };
	uint32_t id, attr = ATTR_SYNC;
	int rc;

	if (!scmi_id(scmi, HV_LENT_POWER, msg, 0, &id))
		return SCMI_NOT_FOUND;
	rc = hv_clock_host_name(scmi->host, HV_LENT_POWER, id, name, &err);
	if (rc < 0)
		return scmi_refused(scmi, rc, &err);
	if (v3 && strlen(name) >= SCMI_SHORT_NAME)
		attr |= ATTR_LONG_NAME;
	scmi_put32(msg, attr);
	scmi_put_name(msg, name, SCMI_SHORT_NAME);
	return SCMI_SUCCESS;
}

static enum scmi_status state_set(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t id, state = scmi_word(msg, 2);
	struct hv_err err = { 0 };
	int rc;

	if (!scmi_id(scmi, HV_LENT_POWER, msg, 1, &id))
		return SCMI_NOT_FOUND;
	if (scmi_word(msg, 0) & SET_ASYNC)
		return SCMI_NOT_SUPPORTED;
	if (state != STATE_ON && state != STATE_OFF)
		return SCMI_INVALID_PARAMETERS;
	rc = hv_clock_power(scmi->agent, id, state == STATE_ON, &err);
	return rc < 0 ? scmi_refused(scmi, rc, &err) : SCMI_SUCCESS;
}

/*
 * Of this zone alone. Linux does not switch on what it finds on: it would use a domain that only
 * another zone keeps alive.
 */
static enum scmi_status state_get(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t id;

	if (!scmi_id(scmi, HV_LENT_POWER, msg, 0, &id))
		return SCMI_NOT_FOUND;
	scmi_put32(msg, hv_clock_powered(scmi->agent, id) ? STATE_ON : STATE_OFF);
	return SCMI_SUCCESS;
}

static enum scmi_status name_get(struct scmi *scmi, struct scmi_msg *msg)
{
	return scmi_put_long_name(scmi, HV_LENT_POWER, msg);
}

static const struct scmi_command commands[] = {
	{ 0x1, 0, attributes }, { 0x3, 4, domain_attributes }, { 0x4, 12, state_set },
	{ 0x5, 4, state_get },	{ 0x8, 4, name_get },
};

static const uint32_t versions[] = { 0x10000, 0x20000, 0x30000, 0x30001 };

const struct scmi_protocol scmi_power = {
	.number = SCMI_POWER,
	.version = 0x30001,
	.kind = HV_LENT_POWER,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
	.commands = commands,
	.n_versions = sizeof(versions) / sizeof(versions[0]),
	.versions = versions,
};
