// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

const char *hv_zone_state_name(enum hv_zone_state state)
{
	static const char *const names[] = {
		[HV_ZONE_ABSENT] = "absent",   [HV_ZONE_SAME] = "same",
		[HV_ZONE_CHANGED] = "changed", [HV_ZONE_FOREIGN] = "foreign",
		[HV_ZONE_FAILED] = "failed",
	};

	return names[state];
}

const char *hv_step_kind_name(enum hv_step_kind kind)
{
	static const char *const names[] = {
		[HV_STEP_STOP] = "stop",   [HV_STEP_SERVE] = "serve", [HV_STEP_LOAD] = "load",
		[HV_STEP_WRITE] = "write", [HV_STEP_START] = "start",
	};

	return names[kind];
}

static int unknown_name(const struct hv_zone_set *set, const char *name, struct hv_err *err)
{
	struct hv_buf known = { 0 };
	int ret;

	for (size_t i = 0; i < set->n; i++)
		hv_buf_printf(&known, "%s%s", i ? ", " : "", set->entries[i]->zone.spec->name);
	ret = hv_err_set(err, ENOENT, "there is no zone %s; the script has %s", name,
			 set->n ? known.data ?: "others" : "none");
	hv_buf_free(&known);
	return ret;
}

static bool named(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* How a zone stands to what runs. */
static int make_delta(struct hv_plan *plan, const struct hv_zone *zone, const struct hv_view *view,
		      struct hv_zone_delta *delta, struct hv_err *err)
{
	const struct hv_running *r = hv_view_find(view, zone->spec->id);
	struct hv_record *now;
	int ret = 0;

	*delta = (struct hv_zone_delta){ .zone = zone, .state = HV_ZONE_ABSENT };
	if (!r)
		return 0;
	if (r->known) {
		now = malloc(sizeof(*now));
		if (!now)
			return hv_err_nomem(err);
		hv_record_of(zone, now);
		ret = hv_record_diff(&r->record, now, plan->arena, &delta->changes,
				     &delta->n_changes, err);
		free(now);
	}
	delta->state = r->info.is_err	  ? HV_ZONE_FAILED
		       : !r->known	  ? HV_ZONE_FOREIGN
		       : delta->n_changes ? HV_ZONE_CHANGED
					  : HV_ZONE_SAME;
	return ret;
}

static bool is_started(const struct hv_zone_delta *d, unsigned int flags)
{
	if (d->state == HV_ZONE_ABSENT || flags & HV_PLAN_FORCE)
		return true;
	return flags & HV_PLAN_RESTART &&
	       (d->state == HV_ZONE_CHANGED || d->state == HV_ZONE_FAILED);
}

static void add_step(struct hv_plan *plan, enum hv_step_kind kind, const struct hv_zone *zone,
		     const struct hv_placement *placement)
{
	plan->steps[plan->n_steps++] = (struct hv_step){
		.kind = kind,
		.zone = zone,
		.placement = placement,
	};
}

/* What is stopped is closed first; what runs and is served stays as it is. */
static bool is_served_anew(const struct hv_zone_delta *d, const struct hv_serve *serve,
			   unsigned int flags)
{
	if (!serve || !d->zone->n_devices)
		return false;
	return is_started(d, flags) ||
	       (d->state == HV_ZONE_SAME && !hv_serve_has(serve, d->zone->spec->id));
}

static int make_steps(struct hv_plan *plan, const struct hv_serve *serve, unsigned int flags,
		      struct hv_err *err)
{
	size_t max = 0;

	for (size_t i = 0; i < plan->n_deltas; i++)
		max += plan->deltas[i].zone->n_placements + 3;
	plan->steps = hv_arena_array(plan->arena, max, sizeof(*plan->steps));
	if (!plan->steps)
		return hv_err_nomem(err);
	for (size_t i = 0; i < plan->n_deltas; i++)
		if (is_started(&plan->deltas[i], flags) && plan->deltas[i].state != HV_ZONE_ABSENT)
			add_step(plan, HV_STEP_STOP, plan->deltas[i].zone, NULL);
	for (size_t i = 0; i < plan->n_deltas; i++)
		if (is_served_anew(&plan->deltas[i], serve, flags))
			add_step(plan, HV_STEP_SERVE, plan->deltas[i].zone, NULL);
	for (size_t i = 0; i < plan->n_deltas; i++) {
		const struct hv_zone *z = plan->deltas[i].zone;

		if (!is_started(&plan->deltas[i], flags))
			continue;
		for (size_t p = 0; p < z->n_placements; p++)
			add_step(plan, z->placements[p].image ? HV_STEP_LOAD : HV_STEP_WRITE, z,
				 &z->placements[p]);
		add_step(plan, HV_STEP_START, z, NULL);
	}
	return 0;
}

static bool plan_stops(const struct hv_plan *plan, uint32_t id)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].kind == HV_STEP_STOP && plan->steps[i].zone->spec->id == id)
			return true;
	return false;
}

/*
 * The check compared the zones as the script has them. A zone that was changed
 * in the script but is left running still holds what it was started with.
 */
static int check_left_running(const struct hv_plan *plan, const struct hv_view *view,
			      struct hv_err *err)
{
	char text[HV_LIST_TEXT];

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct hv_zone *z = plan->steps[i].zone;

		if (plan->steps[i].kind != HV_STEP_START)
			continue;
		for (size_t k = 0; k < view->n; k++) {
			const struct hv_running *r = &view->zones[k];

			if (!r->self || !r->known || r->info.id == z->spec->id ||
			    plan_stops(plan, r->info.id) ||
			    !hv_abi_clash(&z->abi, &r->record.config, text))
				continue;
			return hv_err_set(
				err, EBUSY,
				"zone %s cannot start: %s is still held by zone %s as it runs "
				"now; its script changed since, restart it first",
				z->spec->name, text, r->info.name);
		}
	}
	return 0;
}

static int fill_plan(struct hv_plan *plan, struct hv_zone_set *set, const struct hv_serve *serve,
		     const struct hv_view *view, const char *const *names, size_t n_names,
		     unsigned int flags, struct hv_err *err)
{
	int ret = 0;

	plan->deltas = hv_arena_array(plan->arena, set->n, sizeof(*plan->deltas));
	if (!plan->deltas)
		return hv_err_nomem(err);
	for (size_t i = 0; i < set->n && !ret; i++) {
		const struct hv_entry *e = set->entries[i];

		if (names && !named(e->zone.spec->name, names, n_names))
			continue;
		if (e->n_errors || !e->zone.resolved)
			return hv_err_set(
				err, EINVAL,
				"zone %s has %zu error%s: nothing is done before they are "
				"mended",
				e->zone.spec->name, e->n_errors, e->n_errors == 1 ? "" : "s");
		ret = make_delta(plan, &e->zone, view, &plan->deltas[plan->n_deltas++], err);
	}
	if (!ret)
		ret = make_steps(plan, serve, flags, err);
	return ret ?: check_left_running(plan, view, err);
}

int hv_plan_make(struct hv_zone_set *set, const struct hv_machine *machine,
		 const char *const *names, size_t n_names, unsigned int flags, struct hv_plan **out,
		 struct hv_err *err)
{
	struct hv_plan *plan = NULL;
	struct hv_view view = { 0 };
	int ret;

	if (!set->checked)
		return hv_err_set(err, EINVAL, "the zones have not been checked");
	for (size_t i = 0; i < n_names; i++)
		if (!hv_set_find(set, names[i]))
			return unknown_name(set, names[i], err);

	plan = calloc(1, sizeof(*plan));
	if (plan)
		plan->arena = hv_arena_new();
	ret = plan && plan->arena ? hv_view_read(set, machine, &view, err) : hv_err_nomem(err);
	if (!ret)
		ret = fill_plan(plan, set, machine->serve, &view, names, n_names, flags, err);
	hv_view_free(&view);
	if (ret) {
		hv_plan_free(plan);
		return ret;
	}
	*out = plan;
	return 0;
}

void hv_plan_free(struct hv_plan *plan)
{
	if (!plan)
		return;
	hv_arena_free(plan->arena);
	free(plan);
}
