/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_DECIDE_H
#define HV_LUA_POLICY_DECIDE_H

#include <lua.h>
#include <stdbool.h>

#include "virtio/ask.h"
#include "virtio/policy.h"

/* What a function that decides about requests gets, and what it answers: docs/reference.md. */

enum hv_policy_type {
	HV_POLICY_OF_BLK,
	HV_POLICY_OF_NET,
	HV_POLICY_OF_CONSOLE,
	HV_POLICY_TYPES,
};

/* By the device's type as the service names it; HV_POLICY_TYPES = none. */
enum hv_policy_type hv_policy_type(const char *name);
/* "read" …; NULL = such a device has no requests of this kind. */
const char *hv_policy_op(enum hv_policy_type type, unsigned int kind);

/* Pushes the table for the function. May raise. */
void hv_policy_push_request(lua_State *L, enum hv_policy_type type, const struct hv_question *q);

/*
 * Reads the two results at idx; raises for what is no answer. The answer's data is the string's:
 * valid until the stack is cut back.
 */
void hv_policy_read_answer(lua_State *L, enum hv_policy_type type, const struct hv_question *q,
			   int idx, struct hv_answer *answer);

/* What is wrong with an answer that somebody else has read, for a person; NULL = nothing. */
const char *hv_policy_answer_wrong(enum hv_policy_type type, const struct hv_question *q,
				   const struct hv_answer *answer);

/*
 * Puts the answer on the policy's desk, where nobody may wait for it any more. Without memory for
 * its data the request is denied. Any thread.
 */
void hv_policy_reply(struct hv_policy *policy, const struct hv_question *q,
		     const struct hv_answer *answer);

#endif
