/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_STATE_H
#define HV_LUA_POLICY_STATE_H

#include <stdbool.h>

#include "lua/policy_engine.h"

/*
 * A Lua state that a policy has to itself: base without what loads or collects, string, table,
 * math, utf8, the time, and print, which goes to the log. Memory and the processor time of each
 * decision are bounded.
 *
 * A hook ends what runs too long, and none runs inside of a C function or a finalizer. So there are
 * no finalizers, and no coroutines, whose hooks are their own; with `bounded`, for those who cannot
 * be killed, no functions that compute for longer than their arguments are large: no patterns, only
 * plain tables of at most 65536 values for table's functions.
 */
struct hv_policy_state;

/*
 * Loads the file and runs it: on the calling thread. stop may be NULL. -EINVAL: what it says is
 * wrong, with file and line; -ENOMEM.
 */
int hv_policy_state_new(const struct hv_policy_source *source, bool bounded,
			const struct hv_policy_stop *stop, struct hv_policy_state **out,
			struct hv_err *err);
void hv_policy_state_free(struct hv_policy_state *state); /* NULL is fine */
/* As hv_policy_engine_ops.decide. */
int hv_policy_state_decide(struct hv_policy_state *state, const struct hv_question *q,
			   struct hv_answer *answer, struct hv_buf *why);

/* An engine that is such a state, bounded. */
int hv_policy_state_engine(const struct hv_policy_source *source, const struct hv_policy_stop *stop,
			   struct hv_policy_engine **engine, struct hv_err *err);

#endif
