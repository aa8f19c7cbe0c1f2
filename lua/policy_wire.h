/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_WIRE_H
#define HV_LUA_POLICY_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Between a service and a policy in a process of its own: records, each a packet of a socket. A
 * record is a head of 4 bytes ('H', 'P', version, verb), the verb's numbers (8 bytes each), the
 * lengths of its texts (4 bytes each) and the texts; little endian, nothing beyond.
 *
 *     service                             policy
 *     LOAD    ------------------------->
 *             <-------------------------  PRINT…, then READY or FAILED
 *     ASK     ------------------------->
 *             <-------------------------  PRINT…, then ANSWER or FAILED
 *
 * One question at a time; the policy says nothing else. What it says is hostile.
 */
#define HV_POLICY_WIRE_VERSION 1
#define HV_POLICY_WIRE_MAX (160u << 10) /* bytes of a record */
#define HV_POLICY_WIRE_NUMBERS 5
#define HV_POLICY_WIRE_TEXTS 4

enum hv_policy_verb {
	HV_POLICY_LOAD = 1, /* type, memory, deadline in ns; device, file's name, its text, args */
	HV_POLICY_READY,
	HV_POLICY_ASK,	  /* ticket, kind, at, size, room; data */
	HV_POLICY_ANSWER, /* ticket, word, status, delay in ns, 1 = data replaces; data */
	HV_POLICY_FAILED, /* ticket, 0 of loading; why */
	HV_POLICY_PRINT,  /* a line */
	HV_POLICY_VERBS,
};

struct hv_policy_record {
	enum hv_policy_verb verb;
	uint64_t number[HV_POLICY_WIRE_NUMBERS]; /* those that the verb has; else 0 */
	struct {
		const char *bytes;
		size_t len;
	} text[HV_POLICY_WIRE_TEXTS];
};

/* The texts point into bytes. -EPROTO: it is no record of ours. */
int hv_policy_wire_read(const void *bytes, size_t len, struct hv_policy_record *record,
			struct hv_err *err);
/* Into bytes, of which there are HV_POLICY_WIRE_MAX: how many. -EMSGSIZE. */
int hv_policy_wire_write(const struct hv_policy_record *record, void *bytes, struct hv_err *err);

/* flags: of send(2). -EPIPE: nobody is there; -EAGAIN with MSG_DONTWAIT; -EMSGSIZE. */
int hv_policy_wire_send(int fd, const struct hv_policy_record *record, int flags,
			struct hv_err *err);
/*
 * One record, into bytes, of which there are HV_POLICY_WIRE_MAX; the record's texts are there.
 * -EPIPE: the other side is gone; -EPROTO; -EAGAIN with MSG_DONTWAIT.
 */
int hv_policy_wire_receive(int fd, void *bytes, int flags, struct hv_policy_record *record,
			   struct hv_err *err);

#endif
