// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/scmi_priv.h"

/* SCMI 3.2, 4.2: what there is, and who speaks. */

#define AGENT_PLATFORM 0
#define AGENT_ZONE 1
#define AGENT_ME UINT32_MAX

static enum scmi_status attributes(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t n = 0;

	for (unsigned int i = 1; i < SCMI_PROTOCOLS; i++)
		n += scmi_offers(scmi, scmi_protocols[i]);
	scmi_put32(msg, n | 1u << 8); /* protocols besides this one; agents */
	return SCMI_SUCCESS;
}

static enum scmi_status vendor(struct scmi *scmi, struct scmi_msg *msg)
{
	(void)scmi;
	scmi_put_name(msg, "hvsh", SCMI_SHORT_NAME);
	return SCMI_SUCCESS;
}

static enum scmi_status sub_vendor(struct scmi *scmi, struct scmi_msg *msg)
{
	(void)scmi;
	scmi_put_name(msg, "hvisor", SCMI_SHORT_NAME);
	return SCMI_SUCCESS;
}

static enum scmi_status implementation(struct scmi *scmi, struct scmi_msg *msg)
{
	(void)scmi;
	scmi_put32(msg, 1);
	return SCMI_SUCCESS;
}

static enum scmi_status list_protocols(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t skip = scmi_word(msg, 0), words = 0;
	uint32_t n = 0, seen = 0;

	for (unsigned int i = 1; i < SCMI_PROTOCOLS; i++) {
		if (!scmi_offers(scmi, scmi_protocols[i]) || seen++ < skip)
			continue;
		words |= (uint32_t)scmi_protocols[i]->number << (8 * n++);
	}
	if (skip > seen)
		return SCMI_INVALID_PARAMETERS;
	scmi_put32(msg, n);
	if (n)
		scmi_put32(msg, words);
	return SCMI_SUCCESS;
}

static enum scmi_status discover_agent(struct scmi *scmi, struct scmi_msg *msg)
{
	uint32_t id = scmi_word(msg, 0);

	if (id == AGENT_ME)
		id = AGENT_ZONE;
	if (id > AGENT_ZONE)
		return SCMI_NOT_FOUND;
	scmi_put32(msg, id);
	scmi_put_name(msg, id == AGENT_PLATFORM ? "platform" : scmi->zone, SCMI_SHORT_NAME);
	return SCMI_SUCCESS;
}

static enum scmi_status reset_agent(struct scmi *scmi, struct scmi_msg *msg)
{
	if (scmi_word(msg, 0) != AGENT_ZONE)
		return SCMI_NOT_FOUND;
	hv_clock_agent_release(scmi->agent);
	return SCMI_SUCCESS;
}

static const struct scmi_command commands[] = {
	{ 0x1, 0, attributes },	    { 0x3, 0, vendor },		{ 0x4, 0, sub_vendor },
	{ 0x5, 0, implementation }, { 0x6, 4, list_protocols }, { 0x7, 4, discover_agent },
	{ 0xb, 8, reset_agent },
};

static const uint32_t versions[] = { 0x10000, 0x20000, 0x20001 };

const struct scmi_protocol scmi_base = {
	.number = SCMI_BASE,
	.version = 0x20001,
	.kind = -1,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
	.commands = commands,
	.n_versions = sizeof(versions) / sizeof(versions[0]),
	.versions = versions,
};
