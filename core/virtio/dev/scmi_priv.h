/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_SCMI_PRIV_H
#define HV_VIRTIO_DEV_SCMI_PRIV_H

#include "virtio/dev/scmi.h"

/* SCMI 3.2 (DEN0056E): header 4.1.2, status 4.1.4, common messages 4.2. */
#define SCMI_HDR_ID(h) ((h)&0xff)
#define SCMI_HDR_TYPE(h) ((h) >> 8 & 3)
#define SCMI_HDR_PROTOCOL(h) ((h) >> 10 & 0xff)
#define SCMI_HDR_MASK UINT32_C(0x0fffffff)

enum scmi_status {
	SCMI_SUCCESS = 0,
	SCMI_NOT_SUPPORTED = -1,
	SCMI_INVALID_PARAMETERS = -2,
	SCMI_DENIED = -3,
	SCMI_NOT_FOUND = -4,
	SCMI_OUT_OF_RANGE = -5,
	SCMI_BUSY = -6,
	SCMI_GENERIC_ERROR = -8,
	SCMI_HARDWARE_ERROR = -9,
	SCMI_PROTOCOL_ERROR = -10,
};

enum {
	SCMI_PROTOCOL_VERSION = 0x0,
	SCMI_PROTOCOL_ATTRIBUTES = 0x1,
	SCMI_MESSAGE_ATTRIBUTES = 0x2,
	SCMI_NEGOTIATE_VERSION = 0x10,
};

#define SCMI_BASE 0x10
#define SCMI_POWER 0x11
#define SCMI_CLOCK 0x14
#define SCMI_RESET 0x16

#define SCMI_MAJOR(version) ((version) >> 16)

/* Parameters and values behind the header; Linux's clients have room for as many. */
#define SCMI_PAYLOAD 128
#define SCMI_SHORT_NAME 16
#define SCMI_LONG_NAME 64

#define SCMI_PROTOCOLS 4

struct scmi;

/* A command and what is answered to it; little endian. */
struct scmi_msg {
	uint32_t id;
	const uint8_t *params;
	size_t params_len;
	uint8_t out[SCMI_PAYLOAD]; /* behind the status */
	size_t out_len;
	size_t room; /* of out: what the guest has left */
};

struct scmi_command {
	uint8_t id;
	uint8_t params_len; /* at least */
	enum scmi_status (*run)(struct scmi *scmi, struct scmi_msg *msg);
};

struct scmi_protocol {
	uint8_t number;
	uint32_t version;
	int kind; /* enum hv_lent, -1 = base */
	unsigned int n_commands;
	const struct scmi_command *commands;
	/* Versions that can be agreed on besides. */
	unsigned int n_versions;
	const uint32_t *versions;
};

/* The ids of one kind: bit per id; n is one beyond the last allowed. */
struct scmi_lent {
	uint32_t n;
	uint64_t allowed[HV_LENT_IDS / 64];
};

/* What the next process has to know. */
#define SCMI_KEPT_HELD HV_SCMI_HELD
struct scmi_kept {
	uint32_t version[SCMI_PROTOCOLS];
	uint16_t n_held, not_held; /* not_held: for so many there was no room */
	uint16_t held[SCMI_KEPT_HELD];
};

struct scmi {
	struct hv_vdev *dev;
	struct hv_clock_host *host;
	struct hv_clock_agent *agent;
	char zone[SCMI_SHORT_NAME];
	struct scmi_lent lent[HV_LENT_KINDS];
	uint32_t version[SCMI_PROTOCOLS]; /* agreed on; I/O thread */
	struct scmi_kept kept;		  /* under the device's lock */
	bool taken_up;			  /* this life began in another process; the same */
};

extern const struct scmi_protocol scmi_base, scmi_power, scmi_clock, scmi_reset;
/* In the order of struct scmi's versions. */
extern const struct scmi_protocol *const scmi_protocols[SCMI_PROTOCOLS];

/* Whether the zone has something of this protocol. */
bool scmi_offers(const struct scmi *scmi, const struct scmi_protocol *protocol);
uint32_t scmi_version(const struct scmi *scmi, const struct scmi_protocol *protocol);
/* Runs a command; in any case there is a status. I/O thread. */
enum scmi_status scmi_run(struct scmi *scmi, uint32_t header, struct scmi_msg *msg);

/* The versions are others. I/O thread. */
void scmi_keep_versions(struct scmi *scmi);

/* The id in a message's i-th word; false: not one of the zone's. */
bool scmi_id(const struct scmi *scmi, enum hv_lent kind, const struct scmi_msg *msg, unsigned int i,
	     uint32_t *id);
/* The i-th word of the parameters, 0 beyond their end. */
uint32_t scmi_word(const struct scmi_msg *msg, unsigned int i);

void scmi_put32(struct scmi_msg *msg, uint32_t value);
void scmi_put64(struct scmi_msg *msg, uint64_t value);
/* Padded with zeroes to size, and terminated. */
void scmi_put_name(struct scmi_msg *msg, const char *name, size_t size);
/* Answers …_NAME_GET of a kind. */
enum scmi_status scmi_put_long_name(struct scmi *scmi, enum hv_lent kind, struct scmi_msg *msg);

/* What to say to a command that the host refused with rc; logs it. */
enum scmi_status scmi_refused(struct scmi *scmi, int rc, const struct hv_err *err);

#endif
