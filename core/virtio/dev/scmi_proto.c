// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "virtio/dev/scmi_priv.h"

const struct scmi_protocol *const scmi_protocols[SCMI_PROTOCOLS] = { &scmi_base, &scmi_power,
								     &scmi_clock, &scmi_reset };

/* ---- reading and writing */

uint32_t scmi_word(const struct scmi_msg *msg, unsigned int i)
{
	uint32_t value = 0;

	if (msg->params_len >= ((size_t)i + 1) * 4)
		memcpy(&value, msg->params + (size_t)i * 4, 4);
	return le32toh(value);
}

static void put(struct scmi_msg *msg, const void *bytes, size_t len)
{
	if (len > sizeof(msg->out) - msg->out_len)
		len = sizeof(msg->out) - msg->out_len;
	memcpy(msg->out + msg->out_len, bytes, len);
	msg->out_len += len;
}

void scmi_put32(struct scmi_msg *msg, uint32_t value)
{
	value = htole32(value);
	put(msg, &value, sizeof(value));
}

void scmi_put64(struct scmi_msg *msg, uint64_t value)
{
	value = htole64(value);
	put(msg, &value, sizeof(value));
}

void scmi_put_name(struct scmi_msg *msg, const char *name, size_t size)
{
	char field[SCMI_LONG_NAME] = "";

	memcpy(field, name, strnlen(name, size - 1));
	put(msg, field, size);
}

bool scmi_id(const struct scmi *scmi, enum hv_lent kind, const struct scmi_msg *msg, unsigned int i,
	     uint32_t *id)
{
	const struct scmi_lent *lent = &scmi->lent[kind];

	*id = scmi_word(msg, i);
	return *id < lent->n && lent->allowed[*id / 64] >> (*id % 64) & 1;
}

enum scmi_status scmi_put_long_name(struct scmi *scmi, enum hv_lent kind, struct scmi_msg *msg)
{
	char name[HV_LENT_NAME];
	struct hv_err err = { 0 };
	uint32_t id;
	int rc;

	if (!scmi_id(scmi, kind, msg, 0, &id))
		return SCMI_NOT_FOUND;
	rc = hv_clock_host_name(scmi->host, kind, id, name, &err);
	if (rc < 0)
		return scmi_refused(scmi, rc, &err);
	scmi_put32(msg, 0);
	scmi_put_name(msg, name, SCMI_LONG_NAME);
	return SCMI_SUCCESS;
}

/* ---- commands */

bool scmi_offers(const struct scmi *scmi, const struct scmi_protocol *protocol)
{
	return protocol->kind < 0 || scmi->lent[protocol->kind].n > 0;
}

static unsigned int index_of(const struct scmi_protocol *protocol)
{
	unsigned int i = 0;

	while (scmi_protocols[i] != protocol)
		i++;
	return i;
}

uint32_t scmi_version(const struct scmi *scmi, const struct scmi_protocol *protocol)
{
	return scmi->version[index_of(protocol)];
}

enum scmi_status scmi_refused(struct scmi *scmi, int rc, const struct hv_err *err)
{
	hv_vdev_warn(scmi->dev, "%s", err->msg);
	switch (-rc) {
	case ENOENT:
	case ENODEV:
		return SCMI_NOT_FOUND;
	case EINVAL:
		return SCMI_INVALID_PARAMETERS;
	case EPERM:
	case EACCES:
		return SCMI_DENIED;
	case ERANGE:
		return SCMI_OUT_OF_RANGE;
	case EBUSY:
		return SCMI_BUSY;
	case ENOTTY:
	case ENOSYS:
	case EOPNOTSUPP:
		return SCMI_NOT_SUPPORTED;
	case EIO:
		return SCMI_HARDWARE_ERROR;
	default:
		return SCMI_GENERIC_ERROR;
	}
}

static const struct scmi_command *find_command(const struct scmi_protocol *protocol, uint32_t id)
{
	for (unsigned int i = 0; i < protocol->n_commands; i++)
		if (protocol->commands[i].id == id)
			return &protocol->commands[i];
	return NULL;
}

static enum scmi_status message_attributes(const struct scmi_protocol *protocol,
					   struct scmi_msg *msg)
{
	uint32_t id = scmi_word(msg, 0);

	if (id != SCMI_PROTOCOL_VERSION && id != SCMI_MESSAGE_ATTRIBUTES &&
	    id != SCMI_NEGOTIATE_VERSION && !find_command(protocol, id))
		return SCMI_NOT_FOUND;
	scmi_put32(msg, 0);
	return SCMI_SUCCESS;
}

static enum scmi_status negotiate(struct scmi *scmi, const struct scmi_protocol *protocol,
				  struct scmi_msg *msg)
{
	uint32_t version = scmi_word(msg, 0);

	for (unsigned int i = 0; i < protocol->n_versions; i++)
		if (protocol->versions[i] == version) {
			scmi->version[index_of(protocol)] = version;
			scmi_keep_versions(scmi);
			return SCMI_SUCCESS;
		}
	return SCMI_NOT_SUPPORTED;
}

static enum scmi_status run_command(struct scmi *scmi, const struct scmi_protocol *protocol,
				    struct scmi_msg *msg)
{
	const struct scmi_command *command;

	switch (msg->id) {
	case SCMI_PROTOCOL_VERSION:
		scmi_put32(msg, protocol->version);
		return SCMI_SUCCESS;
	case SCMI_MESSAGE_ATTRIBUTES:
	case SCMI_NEGOTIATE_VERSION:
		if (msg->params_len < 4)
			return SCMI_PROTOCOL_ERROR;
		return msg->id == SCMI_NEGOTIATE_VERSION ? negotiate(scmi, protocol, msg)
							 : message_attributes(protocol, msg);
	}
	command = find_command(protocol, msg->id);
	if (!command)
		return SCMI_NOT_SUPPORTED;
	if (msg->params_len < command->params_len)
		return SCMI_PROTOCOL_ERROR;
	return command->run(scmi, msg);
}

enum scmi_status scmi_run(struct scmi *scmi, uint32_t header, struct scmi_msg *msg)
{
	const struct scmi_protocol *protocol = NULL;
	enum scmi_status status;

	msg->id = SCMI_HDR_ID(header);
	msg->out_len = 0;
	if (SCMI_HDR_TYPE(header) || header & ~SCMI_HDR_MASK)
		return SCMI_PROTOCOL_ERROR;
	for (unsigned int i = 0; i < SCMI_PROTOCOLS; i++)
		if (scmi_protocols[i]->number == SCMI_HDR_PROTOCOL(header))
			protocol = scmi_protocols[i];
	if (!protocol || !scmi_offers(scmi, protocol))
		return SCMI_NOT_SUPPORTED;
	status = run_command(scmi, protocol, msg);
	if (status)
		msg->out_len = 0;
	return status;
}
