// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/sim/machine.h"

#define ERRNO_MAX 256

static const char *const op_names[HV_OP_COUNT] = {
	[HV_OP_START] = "start",     [HV_OP_STOP] = "stop",	[HV_OP_LIST] = "list",
	[HV_OP_VERSION] = "version", [HV_OP_LOAD] = "load",	[HV_OP_MAP] = "map",
	[HV_OP_BRIDGE] = "bridge",   [HV_OP_INJECT] = "inject",
};

static int what_exists(const char *fault, const char *why, struct hv_err *err)
{
	return hv_err_set(
		err, EINVAL,
		"fault \"%.100s\": %s; there are busy-cpu:N, stuck-cpu:N, errno:OP:NAME and "
		"errno:OP:NAME:* (OP is start, stop, list, version, load, map, bridge or "
		"inject), die:ID, die:ID:MS, crash:ID, crash:ID:MS, no-load-image",
		fault, why);
}

/* Takes a decimal number up to max off the front of *text. */
static bool take_number(const char **text, uint64_t max, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	*text = end;
	return !errno && *value <= max;
}

/* The word up to the next ':' or the end, if it is one of names; -1 otherwise. */
static int take_word(const char **text, const char *const *names, int n)
{
	size_t len = strcspn(*text, ":");

	for (int i = 0; i < n; i++) {
		if (!names[i] || strlen(names[i]) != len || strncmp(*text, names[i], len))
			continue;
		*text += len;
		return i;
	}
	return -1;
}

static int take_errno(const char **text)
{
	const char *names[ERRNO_MAX];

	for (int i = 0; i < ERRNO_MAX; i++)
		names[i] = i ? strerrorname_np(i) : NULL;
	return take_word(text, names, ERRNO_MAX);
}

static int fault_cpu(struct hv_sim *sim, const char *fault, const char *rest, uint64_t *mask,
		     struct hv_err *err)
{
	uint64_t cpu;

	if (!take_number(&rest, sim->state.n_cpus - 1, &cpu) || *rest)
		return what_exists(fault, "that CPU does not exist", err);
	*mask |= UINT64_C(1) << cpu;
	return 0;
}

static int fault_errno(struct hv_sim *sim, const char *fault, const char *rest, struct hv_err *err)
{
	struct sim_op_fault order = { 0 };
	int op = take_word(&rest, op_names, HV_OP_COUNT);

	if (op < 0 || *rest++ != ':')
		return what_exists(fault, "no such OP", err);
	order.code = take_errno(&rest);
	if (order.code <= 0)
		return what_exists(fault, "NAME is no errno (EIO, ENOSYS …)", err);
	if (!strcmp(rest, ":*"))
		order.sticky = 1;
	else if (*rest)
		return what_exists(fault, "only \":*\" may follow NAME", err);
	sim->state.faults[op] = order;
	return 0;
}

static int fault_doom(struct hv_sim *sim, const char *fault, const char *rest, enum sim_doom doom,
		      struct hv_err *err)
{
	struct sim_state *s = &sim->state;
	struct sim_zone *zone;
	uint64_t id, ms = 0;
	uint32_t i;

	if (!take_number(&rest, UINT32_MAX, &id) || !id)
		return what_exists(fault, "ID is the number of a zone, 1 or more", err);
	if (*rest == ':') {
		rest++;
		if (!take_number(&rest, UINT32_MAX, &ms))
			return what_exists(fault, "MS is a number of milliseconds", err);
	}
	if (*rest)
		return what_exists(fault, "there is something after it", err);
	zone = hv_sim_zone(sim, (uint32_t)id);
	if (zone) {
		zone->doom = doom;
		zone->doom_at = hv_sim_now() + (int64_t)(ms * 1000000);
		return 0;
	}
	for (i = 0; i < s->n_orders && s->orders[i].id != id; i++)
		;
	if (i == HV_MAX_ZONES)
		return what_exists(fault, "too many zones are waited for", err);
	s->orders[i] = (struct sim_doom_order){ (uint32_t)id, doom, ms * 1000000 };
	if (i == s->n_orders)
		s->n_orders++;
	return 0;
}

static int set_fault(struct hv_sim *sim, const char *fault, struct hv_err *err)
{
	enum { BUSY, STUCK, ERRNO, DIE, CRASH, NO_LOAD_IMAGE };
	static const char *const kinds[] = {
		[BUSY] = "busy-cpu", [STUCK] = "stuck-cpu", [ERRNO] = "errno",
		[DIE] = "die",	     [CRASH] = "crash",	    [NO_LOAD_IMAGE] = "no-load-image",
	};
	const char *rest = fault;
	int kind = take_word(&rest, kinds, sizeof(kinds) / sizeof(kinds[0]));

	if (kind < 0)
		return what_exists(fault, "no such fault", err);
	if (kind == NO_LOAD_IMAGE) {
		if (*rest)
			return what_exists(fault, "there is something after it", err);
		sim->state.no_load_image = 1;
		return 0;
	}
	if (*rest++ != ':')
		return what_exists(fault, "something is missing", err);
	switch (kind) {
	case BUSY:
		return fault_cpu(sim, fault, rest, &sim->state.busy_cpus, err);
	case STUCK:
		return fault_cpu(sim, fault, rest, &sim->state.stuck_cpus, err);
	case ERRNO:
		return fault_errno(sim, fault, rest, err);
	default:
		return fault_doom(sim, fault, rest, kind == DIE ? SIM_DOOM_DIE : SIM_DOOM_CRASH,
				  err);
	}
}

int hv_sim_fault(struct hv_hyp *hyp, const char *fault, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc;

	if (!hv_hyp_is_sim(hyp))
		return hv_err_set(err, EINVAL,
				  "faults exist on the simulated hypervisor only, not on %s",
				  hyp->name);
	pthread_mutex_lock(&sim->lock);
	rc = set_fault(sim, fault, err);
	if (rc == 0)
		rc = hv_sim_state_save(sim, err);
	pthread_mutex_unlock(&sim->lock);
	return rc;
}
