// SPDX-License-Identifier: GPL-2.0-or-later
#include "clock/host.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/near.h"
#include "clock/refs.h"

/* What an agent has of an id, a bit map each. */
enum held {
	HELD_CLOCK,
	HELD_RATE,
	HELD_RESET,
	HELD_POWER,
};
#define HELD_KINDS 4

struct hv_clock_agent {
	struct hv_clock_host *host;
	struct hv_clock_agent *next;
	char *who;
	uint64_t held[HELD_KINDS][HV_LENT_IDS / 64];
	void (*changed)(void *arg); /* may be NULL */
	void *arg;
};

struct hv_clock_host {
	const struct hv_clock_backend *backend;
	void *arg;
	/* Held across a command, so that what is counted is what the backend was told. */
	pthread_mutex_t lock;
	unsigned int refs;
	const struct hv_fdt *tree;
	struct hv_clock_agent *agents;
};

const char *hv_lent_name(enum hv_lent kind)
{
	static const char *const names[HV_LENT_KINDS] = { "clock", "reset", "power domain" };

	return names[kind];
}

int hv_clock_host_new(const struct hv_clock_backend *backend, void *arg,
		      struct hv_clock_host **host, struct hv_err *err)
{
	struct hv_clock_host *h = calloc(1, sizeof(*h));

	if (!h)
		return hv_err_nomem(err);
	h->backend = backend;
	h->arg = arg;
	h->refs = 1;
	pthread_mutex_init(&h->lock, NULL);
	*host = h;
	return 0;
}

struct hv_clock_host *hv_clock_host_get(struct hv_clock_host *host)
{
	pthread_mutex_lock(&host->lock);
	host->refs++;
	pthread_mutex_unlock(&host->lock);
	return host;
}

void hv_clock_host_put(struct hv_clock_host *host)
{
	unsigned int left;

	if (!host)
		return;
	pthread_mutex_lock(&host->lock);
	left = --host->refs;
	pthread_mutex_unlock(&host->lock);
	if (left)
		return;
	pthread_mutex_destroy(&host->lock);
	free(host);
}

void hv_clock_host_set_tree(struct hv_clock_host *host, const struct hv_fdt *tree)
{
	host->tree = tree;
}

int hv_clock_host_count(struct hv_clock_host *host, enum hv_lent kind, uint32_t *n,
			struct hv_err *err)
{
	int rc;

	*n = 0;
	pthread_mutex_lock(&host->lock);
	rc = host->backend->count(host->arg, kind, n, err);
	pthread_mutex_unlock(&host->lock);
	if (*n > HV_LENT_IDS)
		*n = HV_LENT_IDS;
	return rc == -ENOTTY ? 0 : rc;
}

int hv_clock_host_name(struct hv_clock_host *host, enum hv_lent kind, uint32_t id,
		       char name[HV_LENT_NAME], struct hv_err *err)
{
	int rc;

	if (id >= HV_LENT_IDS)
		return hv_err_set(err, ENOENT, "%s ids end at %d, there is no %u",
				  hv_lent_name(kind), HV_LENT_IDS - 1, id);
	pthread_mutex_lock(&host->lock);
	rc = host->backend->name(host->arg, kind, id, name, err);
	pthread_mutex_unlock(&host->lock);
	return rc;
}

static int find_name(struct hv_clock_host *host, enum hv_lent kind, const char *name, uint32_t *id,
		     struct hv_err *err)
{
	const char *what = hv_lent_name(kind);
	char candidate[HV_LENT_NAME];
	struct hv_near near = HV_NEAR(name);
	struct hv_buf names = { 0 };
	uint32_t n;
	int rc = hv_clock_host_count(host, kind, &n, err);

	for (uint32_t i = 0; rc >= 0 && i < n; i++) {
		rc = hv_clock_host_name(host, kind, i, candidate, err);
		if (rc == -ENOENT) {
			rc = 0; /* a clock that zone0's kernel has not got (yet) */
			continue;
		}
		if (rc < 0)
			break;
		if (!strcmp(candidate, name)) {
			*id = i;
			goto out;
		}
		hv_near_offer(&near, candidate);
		if (names.len < 512)
			hv_buf_printf(&names, "%s%s", names.len ? ", " : "", candidate);
	}
	if (rc < 0)
		goto out;
	if (!n)
		rc = hv_err_set(err, ENOENT,
				"no %s %s: zone0 lends none, its tree's /hvisor_virtio_device "
				"lists them (or this kernel module cannot lend any)",
				what, name);
	else
		rc = hv_err_set(err, ENOENT, "no %s %s%s%s%s: zone0 lends %u (%s)", what, name,
				*near.best ? " (did you mean " : "", near.best,
				*near.best ? "?)" : "", n,
				names.data ? names.data : "without names");
out:
	hv_buf_free(&names);
	return rc;
}

int hv_clock_host_find(struct hv_clock_host *host, enum hv_lent kind, const char *name,
		       uint32_t *id, struct hv_err *err)
{
	if (!hv_clock_ref_is(name))
		return find_name(host, kind, name, id, err);
	if (!host->tree)
		return hv_err_set(
			err, ENOENT,
			"%s %s: a reference needs zone0's device tree, which is not there",
			hv_lent_name(kind), name);
	return hv_clock_ref_id(host->tree, kind, name, id, err);
}

/* ---- agents */

static bool has(const struct hv_clock_agent *agent, enum held what, uint32_t id)
{
	return id < HV_LENT_IDS && agent->held[what][id / 64] >> (id % 64) & 1;
}

static void hold(struct hv_clock_agent *agent, enum held what, uint32_t id, bool on)
{
	uint64_t bit = UINT64_C(1) << (id % 64);

	if (on)
		agent->held[what][id / 64] |= bit;
	else
		agent->held[what][id / 64] &= ~bit;
}

static void note(struct hv_clock_agent *agent, enum held what, uint32_t id, bool on)
{
	bool before = has(agent, what, id);

	hold(agent, what, id, on);
	if (before != on && agent->changed)
		agent->changed(agent->arg);
}

/* Another agent that has it; NULL when there is none. The host's lock is held. */
static const struct hv_clock_agent *other(const struct hv_clock_agent *agent, enum held what,
					  uint32_t id)
{
	for (const struct hv_clock_agent *a = agent->host->agents; a; a = a->next)
		if (a != agent && has(a, what, id))
			return a;
	return NULL;
}

static int no_id(enum hv_lent kind, uint32_t id, struct hv_err *err)
{
	return hv_err_set(err, ENOENT, "there is no %s %u", hv_lent_name(kind), id);
}

int hv_clock_agent_new(struct hv_clock_host *host, const char *who, struct hv_clock_agent **agent,
		       struct hv_err *err)
{
	struct hv_clock_agent *a = calloc(1, sizeof(*a));

	if (a)
		a->who = strdup(who);
	if (!a || !a->who) {
		free(a);
		return hv_err_nomem(err);
	}
	a->host = hv_clock_host_get(host);
	pthread_mutex_lock(&host->lock);
	a->next = host->agents;
	host->agents = a;
	pthread_mutex_unlock(&host->lock);
	*agent = a;
	return 0;
}

/* Clocks and power domains alike: the backend is told of the first "on" and of the last "off". */
static int change(struct hv_clock_agent *agent, enum held what, uint32_t id, bool on,
		  struct hv_err *err)
{
	struct hv_clock_host *host = agent->host;
	int rc = 0;

	if (has(agent, what, id) == on)
		return 0;
	/* Whoever is killed in between leaves it on, and never off while somebody counts on it. */
	if (!on)
		note(agent, what, id, false);
	if (!other(agent, what, id)) {
		if (what == HELD_POWER)
			rc = host->backend->power(host->arg, id, on, err);
		else
			rc = host->backend->enable(host->arg, id, on, err);
	}
	if (on ? rc >= 0 : rc < 0)
		note(agent, what, id, true);
	return rc;
}

void hv_clock_agent_release(struct hv_clock_agent *agent)
{
	static const enum held switched[] = { HELD_CLOCK, HELD_POWER };
	struct hv_err err = { 0 };

	pthread_mutex_lock(&agent->host->lock);
	for (unsigned int k = 0; k < 2; k++)
		for (uint32_t id = 0; id < HV_LENT_IDS; id++) {
			if (!agent->held[switched[k]][id / 64]) {
				id |= 63;
				continue;
			}
			if (change(agent, switched[k], id, false, &err) < 0)
				hv_log_warn("%s ended, but what it had on stays on: %s", agent->who,
					    err.msg);
		}
	memset(agent->held, 0, sizeof(agent->held));
	if (agent->changed)
		agent->changed(agent->arg);
	pthread_mutex_unlock(&agent->host->lock);
}

void hv_clock_agent_free(struct hv_clock_agent *agent)
{
	if (!agent)
		return;
	hv_clock_agent_watch(agent, NULL, NULL);
	hv_clock_agent_release(agent);
	hv_clock_agent_leave(agent);
}

/* The host's lock is held. */
static void forget(struct hv_clock_agent *agent)
{
	struct hv_clock_agent **at;

	for (at = &agent->host->agents; *at != agent; at = &(*at)->next)
		;
	*at = agent->next;
}

static void free_agent(struct hv_clock_agent *agent)
{
	hv_clock_host_put(agent->host);
	free(agent->who);
	free(agent);
}

void hv_clock_agent_leave(struct hv_clock_agent *agent)
{
	if (!agent)
		return;
	pthread_mutex_lock(&agent->host->lock);
	forget(agent);
	pthread_mutex_unlock(&agent->host->lock);
	free_agent(agent);
}

/* ---- from one process to the next */

static_assert(HELD_KINDS * HV_LENT_IDS <= UINT16_MAX + 1, "a number for each");

void hv_clock_agent_watch(struct hv_clock_agent *agent, void (*changed)(void *arg), void *arg)
{
	pthread_mutex_lock(&agent->host->lock);
	agent->changed = changed;
	agent->arg = arg;
	pthread_mutex_unlock(&agent->host->lock);
}

unsigned int hv_clock_agent_list(const struct hv_clock_agent *agent, uint16_t *list,
				 unsigned int max)
{
	unsigned int n = 0;

	for (unsigned int what = 0; what < HELD_KINDS; what++)
		for (uint32_t id = 0; id < HV_LENT_IDS; id++) {
			if (!agent->held[what][id / 64]) {
				id |= 63;
				continue;
			}
			if (has(agent, (enum held)what, id) && n++ < max)
				list[n - 1] = (uint16_t)(what * HV_LENT_IDS + id);
		}
	return n;
}

bool hv_clock_held_of(uint16_t entry, enum hv_lent *kind, uint32_t *id)
{
	static const enum hv_lent kinds[HELD_KINDS] = {
		[HELD_CLOCK] = HV_LENT_CLOCK,
		[HELD_RATE] = HV_LENT_CLOCK,
		[HELD_RESET] = HV_LENT_RESET,
		[HELD_POWER] = HV_LENT_POWER,
	};

	if (entry >= HELD_KINDS * HV_LENT_IDS)
		return false;
	*kind = kinds[entry / HV_LENT_IDS];
	*id = entry % HV_LENT_IDS;
	return true;
}

void hv_clock_agent_take(struct hv_clock_agent *agent, uint16_t entry)
{
	if (entry >= HELD_KINDS * HV_LENT_IDS)
		return;
	pthread_mutex_lock(&agent->host->lock);
	hold(agent, (enum held)(entry / HV_LENT_IDS), entry % HV_LENT_IDS, true);
	pthread_mutex_unlock(&agent->host->lock);
}

void hv_clock_agent_replace(struct hv_clock_agent *agent, struct hv_clock_agent *stand_in)
{
	if (!stand_in)
		return;
	pthread_mutex_lock(&agent->host->lock);
	for (unsigned int what = 0; what < HELD_KINDS; what++)
		for (unsigned int i = 0; i < HV_LENT_IDS / 64; i++)
			agent->held[what][i] |= stand_in->held[what][i];
	forget(stand_in);
	pthread_mutex_unlock(&agent->host->lock);
	free_agent(stand_in);
}

/* ---- commands */

int hv_clock_enable(struct hv_clock_agent *agent, uint32_t id, bool on, struct hv_err *err)
{
	int rc;

	if (id >= HV_LENT_IDS)
		return no_id(HV_LENT_CLOCK, id, err);
	pthread_mutex_lock(&agent->host->lock);
	rc = change(agent, HELD_CLOCK, id, on, err);
	pthread_mutex_unlock(&agent->host->lock);
	return rc;
}

static bool holds(struct hv_clock_agent *agent, enum held what, uint32_t id)
{
	bool yes;

	pthread_mutex_lock(&agent->host->lock);
	yes = has(agent, what, id);
	pthread_mutex_unlock(&agent->host->lock);
	return yes;
}

bool hv_clock_enabled(struct hv_clock_agent *agent, uint32_t id)
{
	return holds(agent, HELD_CLOCK, id);
}

int hv_clock_rate(struct hv_clock_agent *agent, uint32_t id, uint64_t *hz, struct hv_err *err)
{
	struct hv_clock_host *host = agent->host;
	int rc;

	pthread_mutex_lock(&host->lock);
	rc = host->backend->rate(host->arg, id, hz, err);
	pthread_mutex_unlock(&host->lock);
	return rc;
}

int hv_clock_rates(struct hv_clock_agent *agent, uint32_t id, uint32_t index,
		   struct hv_lent_rates *rates, struct hv_err *err)
{
	struct hv_clock_host *host = agent->host;
	int rc;

	*rates = (struct hv_lent_rates){ 0 };
	pthread_mutex_lock(&host->lock);
	rc = host->backend->rates(host->arg, id, index, rates, err);
	pthread_mutex_unlock(&host->lock);
	if (rates->n > HV_LENT_RATES)
		rates->n = HV_LENT_RATES;
	return rc;
}

int hv_clock_set_rate(struct hv_clock_agent *agent, uint32_t id, uint64_t hz, struct hv_err *err)
{
	struct hv_clock_host *host = agent->host;
	const struct hv_clock_agent *user;
	uint64_t now;
	int rc;

	if (id >= HV_LENT_IDS)
		return no_id(HV_LENT_CLOCK, id, err);
	pthread_mutex_lock(&host->lock);
	rc = host->backend->rate(host->arg, id, &now, err);
	if (rc < 0)
		goto out;
	if (now != hz) {
		user = other(agent, HELD_CLOCK, id);
		if (!user)
			user = other(agent, HELD_RATE, id);
		if (user)
			rc = hv_err_set(err, EBUSY,
					"clock %u stays at %" PRIu64 " Hz: %s uses it, too", id,
					now, user->who);
		else
			rc = host->backend->set_rate(host->arg, id, hz, err);
	}
	if (rc >= 0)
		note(agent, HELD_RATE, id, true);
out:
	pthread_mutex_unlock(&host->lock);
	return rc;
}

int hv_clock_reset(struct hv_clock_agent *agent, uint32_t id, enum hv_reset_action action,
		   struct hv_err *err)
{
	struct hv_clock_host *host = agent->host;
	const struct hv_clock_agent *user = NULL;
	int rc;

	if (id >= HV_LENT_IDS)
		return no_id(HV_LENT_RESET, id, err);
	pthread_mutex_lock(&host->lock);
	if (action != HV_RESET_ACT_RELEASE)
		user = other(agent, HELD_RESET, id);
	if (user)
		rc = hv_err_set(err, EBUSY, "reset %u is not done: %s uses what hangs on it", id,
				user->who);
	else
		rc = host->backend->reset(host->arg, id, action, err);
	if (rc >= 0)
		note(agent, HELD_RESET, id, action != HV_RESET_ACT_ASSERT);
	pthread_mutex_unlock(&host->lock);
	return rc;
}

int hv_clock_power(struct hv_clock_agent *agent, uint32_t id, bool on, struct hv_err *err)
{
	int rc;

	if (id >= HV_LENT_IDS)
		return no_id(HV_LENT_POWER, id, err);
	pthread_mutex_lock(&agent->host->lock);
	rc = change(agent, HELD_POWER, id, on, err);
	pthread_mutex_unlock(&agent->host->lock);
	return rc;
}

bool hv_clock_powered(struct hv_clock_agent *agent, uint32_t id)
{
	return holds(agent, HELD_POWER, id);
}
