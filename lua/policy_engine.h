/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_ENGINE_H
#define HV_LUA_POLICY_ENGINE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "lua/policy_decide.h"

/*
 * A policy from a file, somewhere apart from the script: in a Lua state of its own
 * (lua/policy_state.h), or in a process of its own (lua/policy_process.h).
 */
#define HV_POLICY_TEXT_MAX (128u << 10) /* bytes of a policy's file */
/* What its options may be: the prelude has them from here, as hvsh.core's policy_limits. */
#define HV_POLICY_ARGS_MAX (16u << 10)
#define HV_POLICY_MEMORY_MIN (UINT64_C(256) << 10)
#define HV_POLICY_MEMORY_STATE_MAX (UINT64_C(4) << 20) /* also where nothing is said */
#define HV_POLICY_MEMORY_MAX (UINT64_C(64) << 20)      /* in a process of its own */
#define HV_POLICY_DEADLINE_NS UINT64_C(10000000)       /* where nothing is said */
#define HV_POLICY_DEADLINE_MAX_NS UINT64_C(10000000000)
#define HV_POLICY_PRINTS_MAX 16 /* lines for one decision; what is beyond them is dropped */
#define HV_POLICY_LOAD_NS UINT64_C(250000000) /* of processor time, to load it */

/* Texts are borrowed until the engine is made, but for device. */
struct hv_policy_source {
	enum hv_policy_type type;
	const char *device; /* "linux1/root"; NULL = not to be said */
	const char *name;   /* of the file, for messages */
	const char *text;
	size_t len;
	const char *args; /* Lua text of the values the file gets; "" = none */
	size_t args_len;
	uint64_t memory;   /* bytes */
	uint64_t deadline; /* ns of processor time for one decision */
	/* It prints: a line. Called on the thread that decides. */
	void (*print)(const char *line, size_t len, void *arg);
	void *arg;
};

/* One thread at a time. */
struct hv_policy_engine {
	const struct hv_policy_engine_ops *ops;
};

struct hv_policy_engine_ops {
	/*
	 * 0: the answer, whose data is the engine's until the next call. -EINVAL: it failed at this
	 * one, and why. -ECANCELED: it was told to stop. Anything else: it will never decide again,
	 * and why.
	 */
	int (*decide)(struct hv_policy_engine *engine, const struct hv_question *q,
		      struct hv_answer *answer, struct hv_buf *why);
	/* Readable when `idle` has something to say; NULL = never. */
	int (*fd)(struct hv_policy_engine *engine);
	/* Nothing is decided, and fd is readable: as decide. */
	int (*idle)(struct hv_policy_engine *engine, struct hv_buf *why);
	void (*free)(struct hv_policy_engine *engine);
};

/* What ends a decision that is under way: any thread. */
struct hv_policy_stop {
	atomic_bool now;
	int fd; /* readable by then */
};

#endif
