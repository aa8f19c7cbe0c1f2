/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_THREAD_H
#define HV_LUA_POLICY_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "lua/policy_engine.h"
#include "virtio/policy.h"

/*
 * Answers a policy's desk on a thread of its own, out of an engine. The policy that fails too
 * often, or whose engine is at its end, is closed by the thread; when it was closed, by whomever,
 * the thread ends by itself, and with it the engine.
 */
struct hv_policy_thread;

struct hv_policy_thread_opts {
	struct hv_policy_source source; /* print and arg are the thread's */
	bool process;
	bool denies_on_error;
	/* There is something in hv_policy_thread_news. On the thread, which does nothing after the
	 * last time. */
	void (*told)(void *arg);
	void *arg;
};

/*
 * Makes the engine and loads the file, on the calling thread. -EINVAL: the file; or what starting a
 * process answers.
 */
int hv_policy_thread_new(const struct hv_policy_thread_opts *opts, struct hv_policy_thread **out,
			 struct hv_err *err);
/* Answers it from now on; takes a reference. */
int hv_policy_thread_start(struct hv_policy_thread *thread, struct hv_policy *policy,
			   struct hv_err *err);
/* There is a question. Any thread. */
void hv_policy_thread_ask(struct hv_policy_thread *thread);
/* Its policy is closed: it answers no more. Any thread. */
void hv_policy_thread_end(struct hv_policy_thread *thread);
/* Ends it and waits for that. Its policy must be closed. NULL is fine. */
void hv_policy_thread_free(struct hv_policy_thread *thread);

struct hv_policy_news {
	uint64_t failures;  /* decisions, since the last time */
	char failure[1024]; /* what the last one of them says */
	bool over;	    /* it has given up, and why */
	char reason[1024];
	bool ended; /* the thread does nothing any more */
};
/* What has happened since it was asked last; `over`, `reason` and `ended` stay. */
void hv_policy_thread_news(struct hv_policy_thread *thread, struct hv_policy_news *out);

#endif
