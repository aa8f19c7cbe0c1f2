// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/policy.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "virtio/device.h"

/* When memory is short nobody says that there is some again. */
#define RETRY_NS UINT64_C(10000000)

struct hv_policy {
	_Atomic unsigned int refs;
	struct hv_policy_opts opts;
	struct hv_desk *desk;
	pthread_mutex_t lock; /* below: `asked` is not called once that is said */
	bool closed;
	_Atomic bool frozen;
	_Atomic uint64_t concerned, denied, overload;
};

static void on_asked(void *arg)
{
	struct hv_policy *policy = arg;

	pthread_mutex_lock(&policy->lock);
	if (!policy->closed)
		policy->opts.desk.asked(policy->opts.desk.arg);
	pthread_mutex_unlock(&policy->lock);
}

int hv_policy_new(const struct hv_policy_opts *opts, struct hv_policy **out, struct hv_err *err)
{
	struct hv_desk_opts desk = opts->desk;
	struct hv_policy *policy;
	int rc;

	if (opts->overload == HV_POLICY_STALL && desk.patience_ns)
		return hv_err_set(err, EINVAL,
				  "a policy that stalls waits for each answer, without a timeout");
	policy = calloc(1, sizeof(*policy));
	if (!policy)
		return hv_err_nomem(err);
	policy->refs = 1;
	policy->opts = *opts;
	pthread_mutex_init(&policy->lock, NULL);
	desk.asked = opts->desk.asked ? on_asked : NULL;
	desk.arg = policy;
	rc = hv_desk_new(&desk, &policy->desk, err);
	if (rc < 0)
		hv_policy_put(policy);
	else
		*out = policy;
	return rc;
}

void hv_policy_get(struct hv_policy *policy)
{
	atomic_fetch_add(&policy->refs, 1);
}

void hv_policy_put(struct hv_policy *policy)
{
	if (!policy || atomic_fetch_sub(&policy->refs, 1) > 1)
		return;
	hv_desk_put(policy->desk);
	pthread_mutex_destroy(&policy->lock);
	free(policy);
}

struct hv_desk *hv_policy_desk(struct hv_policy *policy)
{
	return policy->desk;
}

void hv_policy_close(struct hv_policy *policy)
{
	bool first;

	pthread_mutex_lock(&policy->lock);
	first = !policy->closed;
	policy->closed = true;
	pthread_mutex_unlock(&policy->lock);
	hv_desk_close(policy->desk);
	if (first && policy->opts.closed)
		policy->opts.closed(policy->opts.desk.arg);
}

void hv_policy_freeze(struct hv_policy *policy)
{
	atomic_store(&policy->frozen, true);
	hv_policy_close(policy);
}

void hv_vdev_set_policy(struct hv_vdev *dev, struct hv_policy *policy)
{
	struct hv_policy *old;

	if (policy)
		hv_policy_get(policy);
	pthread_mutex_lock(&dev->lock);
	old = dev->policy;
	dev->policy = policy;
	atomic_store(&dev->policy_ops, policy ? policy->opts.ops : 0);
	atomic_fetch_add(&dev->policy_changes, 1);
	pthread_mutex_unlock(&dev->lock);
	/* After the change: until then it decides, from then on nothing more is put to it. */
	if (old)
		hv_policy_close(old);
	hv_policy_put(old);
	hv_vdev_poke(dev);
}

void hv_policy_stats(struct hv_policy *policy, struct hv_policy_stats *out)
{
	out->concerned = atomic_load_explicit(&policy->concerned, memory_order_relaxed);
	out->denied = atomic_load_explicit(&policy->denied, memory_order_relaxed);
	out->overload = atomic_load_explicit(&policy->overload, memory_order_relaxed);
	hv_desk_stats(policy->desk, &out->desk);
}

/* ---- I/O threads */

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool touches(const struct hv_policy_opts *o, uint64_t at, uint64_t size)
{
	return !o->to || (size && at < o->to && (at >= o->from || size > o->from - at));
}

/* xorshift; whose dice it is and how they fall is nobody's secret. */
static uint32_t roll(struct hv_policy_seat *seat)
{
	seat->random ^= seat->random << 13;
	seat->random ^= seat->random >> 7;
	seat->random ^= seat->random << 17;
	return (uint32_t)(seat->random >> 32);
}

bool hv_policy_concerns(struct hv_worker *w, uint32_t kind, uint64_t at, uint64_t size)
{
	struct hv_policy *policy = w->policy.policy;

	if (!hv_policy_minds(&w->policy, kind) || !touches(&policy->opts, at, size))
		return false;
	count(&policy->concerned);
	return !policy->opts.observes || roll(&w->policy) <= policy->opts.chance;
}

static enum hv_verdict overloaded(struct hv_policy *policy)
{
	if (policy->opts.overload == HV_POLICY_STALL || atomic_load(&policy->frozen))
		return HV_VERDICT_STALL;
	count(&policy->overload);
	if (policy->opts.overload == HV_POLICY_PASS)
		return HV_VERDICT_GO;
	count(&policy->denied);
	return HV_VERDICT_DENY;
}

enum hv_verdict hv_policy_ask(struct hv_worker *w, const struct hv_question *question, void *cookie)
{
	struct hv_policy *policy = w->policy.policy;
	enum hv_verdict verdict;
	int rc;

	if (policy->opts.observes) {
		(void)hv_desk_ask(policy->desk, NULL, question, NULL);
		return HV_VERDICT_GO;
	}
	rc = hv_desk_ask(policy->desk, w, question, cookie);
	if (!rc) {
		w->policy.asked++;
		return HV_VERDICT_WAIT;
	}
	verdict = overloaded(policy);
	if (rc != -ENOMEM)
		return verdict;
	if (verdict == HV_VERDICT_STALL)
		w->policy.retry = hv_now() + RETRY_NS;
	hv_vdev_warn(w->dev, "not enough memory to ask its policy: the request %s",
		     verdict == HV_VERDICT_STALL ? "waits"
		     : verdict == HV_VERDICT_GO	 ? "passes"
						 : "is refused");
	return verdict;
}

static void sit_down(struct hv_worker *w)
{
	struct hv_policy_seat *seat = &w->policy;
	struct hv_vdev *dev = w->dev;
	struct hv_policy *old = seat->policy;

	pthread_mutex_lock(&dev->lock);
	seat->policy = dev->policy;
	seat->seen = atomic_load(&dev->policy_changes);
	if (seat->policy)
		hv_policy_get(seat->policy);
	pthread_mutex_unlock(&dev->lock);
	seat->ops = seat->policy ? seat->policy->opts.ops : 0;
	if (!seat->random)
		seat->random = hv_now() | 1;
	if (old)
		hv_desk_forget(old->desk, w);
	hv_policy_put(old);
}

bool hv_policy_next(struct hv_worker *w, uint64_t now, struct hv_policy_answer *out)
{
	struct hv_policy_seat *seat = &w->policy;
	struct hv_answer answer;
	void *cookie;

	if (!seat->asked || !hv_desk_answered(seat->policy->desk, w, now, &answer, &cookie)) {
		if (!seat->asked && hv_vdev_policy_changed(w->dev, w))
			sit_down(w);
		return false;
	}
	seat->asked--;
	*out = (struct hv_policy_answer){ .cookie = cookie };
	switch (answer.word) {
	case HV_ANSWER_ALLOW:
		out->verdict = HV_VERDICT_GO;
		out->delay_ns = answer.delay_ns;
		out->data = answer.data;
		out->len = answer.len;
		return true;
	case HV_ANSWER_DENY:
		out->verdict = HV_VERDICT_DENY;
		out->status = answer.status;
		count(&seat->policy->denied);
		break;
	case HV_ANSWER_LATE:
	case HV_ANSWER_GONE:
		out->verdict = overloaded(seat->policy);
		break;
	}
	free(answer.data);
	return true;
}

uint64_t hv_policy_deadline(struct hv_worker *w)
{
	uint64_t retry = w->policy.retry, deadline;

	w->policy.retry = 0;
	if (!w->policy.asked)
		return retry;
	deadline = hv_desk_deadline(w->policy.policy->desk, w);
	return retry && (!deadline || retry < deadline) ? retry : deadline;
}

void hv_policy_leave(struct hv_worker *w)
{
	if (!w->policy.policy)
		return;
	hv_desk_forget(w->policy.policy->desk, w);
	hv_policy_put(w->policy.policy);
	w->policy = (struct hv_policy_seat){ .random = w->policy.random };
}
