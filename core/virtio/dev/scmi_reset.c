// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "virtio/dev/scmi_priv.h"

/* SCMI 3.2, 4.8. */

#define ATTR_LONG_NAME (1u << 29) /* from version 3 on */
#define LATENCY_UNKNOWN UINT32_MAX

#define RESET_AUTO (1u << 0)
#define RESET_ASSERT (1u << 1)
#define RESET_ASYNC (1u << 2)

static enum scmi_status attributes(struct scmi *scmi, struct scmi_msg *msg)
{
	scmi_put32(msg, scmi->lent[HV_LENT_RESET].n);
	return SCMI_SUCCESS;
}

static enum scmi_status domain_attributes(struct scmi *scmi, struct scmi_msg *msg)
{
	bool v3 = SCMI_MAJOR(scmi_version(scmi, &scmi_reset)) >= 3;
	char name[HV_LENT_NAME];
	struct hv_err err = { 0 };
	uint32_t id;
	int rc;

	if (!scmi_id(scmi, HV_LENT_RESET, msg, 0, &id))
		return SCMI_NOT_FOUND;
	rc = hv_clock_host_name(scmi->host, HV_LENT_RESET, id, name, &err);
	if (rc < 0)
		return scmi_refused(scmi, rc, &err);
	scmi_put32(msg, v3 && strlen(name) >= SCMI_SHORT_NAME ? ATTR_LONG_NAME : 0);
	scmi_put32(msg, LATENCY_UNKNOWN);
	scmi_put_name(msg, name, SCMI_SHORT_NAME);
	return SCMI_SUCCESS;
}

static enum scmi_status reset(struct scmi *scmi, struct scmi_msg *msg)
{
	enum hv_reset_action action = HV_RESET_ACT_RELEASE;
	uint32_t id, flags = scmi_word(msg, 1);
	struct hv_err err = { 0 };
	int rc;

	if (!scmi_id(scmi, HV_LENT_RESET, msg, 0, &id))
		return SCMI_NOT_FOUND;
	if (flags & RESET_ASYNC)
		return SCMI_NOT_SUPPORTED;
	/* Word 2 is which reset: there is the architectural cold one only. */
	if (flags & ~(RESET_AUTO | RESET_ASSERT) || (flags & RESET_AUTO && scmi_word(msg, 2)))
		return SCMI_INVALID_PARAMETERS;
	if (flags & RESET_AUTO)
		action = HV_RESET_ACT_PULSE;
	else if (flags & RESET_ASSERT)
		action = HV_RESET_ACT_ASSERT;
	rc = hv_clock_reset(scmi->agent, id, action, &err);
	return rc < 0 ? scmi_refused(scmi, rc, &err) : SCMI_SUCCESS;
}

static enum scmi_status name_get(struct scmi *scmi, struct scmi_msg *msg)
{
	return scmi_put_long_name(scmi, HV_LENT_RESET, msg);
}

static const struct scmi_command commands[] = {
	{ 0x1, 0, attributes },
	{ 0x3, 4, domain_attributes },
	{ 0x4, 12, reset },
	{ 0x6, 4, name_get },
};

static const uint32_t versions[] = { 0x10000, 0x20000, 0x30000, 0x30001 };

const struct scmi_protocol scmi_reset = {
	.number = SCMI_RESET,
	.version = 0x30001,
	.kind = HV_LENT_RESET,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
	.commands = commands,
	.n_versions = sizeof(versions) / sizeof(versions[0]),
	.versions = versions,
};
