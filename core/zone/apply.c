// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct apply {
	const struct hv_plan *plan;
	const struct hv_machine *machine;
	hv_apply_fn *progress;
	void *arg;
	size_t step;		     /* the one being taken */
	const struct hv_zone *begun; /* whose memory may be written: it was seen not to run */
};

static int find_running(const struct hv_machine *machine, uint32_t id, struct hv_zone_info *info,
			struct hv_err *err)
{
	struct hv_zone_info list[HV_MAX_ZONES];
	int n = hv_hyp_zone_list(machine->hyp, list, HV_MAX_ZONES, err);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		if (list[i].id == id) {
			*info = list[i];
			return 1;
		}
	return 0;
}

static int tell(struct apply *a, uint64_t done, uint64_t total, struct hv_err *err)
{
	if (!a->progress || !a->progress(&a->plan->steps[a->step], a->step, done, total, a->arg))
		return 0;
	return hv_err_set(err, ECANCELED, "cancelled");
}

static int load_progress(uint64_t done, uint64_t total, void *arg)
{
	struct apply *a = arg;

	return a->progress ? a->progress(&a->plan->steps[a->step], a->step, done, total, a->arg)
			   : 0;
}

/*
 * Between plan and now somebody may have started a zone of this id; loading over
 * it would kill its guest before hvisor refuses the start.
 */
static int begin_zone(struct apply *a, const struct hv_zone *zone, struct hv_err *err)
{
	struct hv_zone_info info;
	int ret;

	if (a->begun == zone)
		return 0;
	ret = find_running(a->machine, zone->spec->id, &info, err);
	if (ret > 0)
		return hv_err_set(err, EEXIST,
				  "zone %s (id %" PRIu32
				  ") was started in the meantime; its memory was "
				  "left alone",
				  info.name, info.id);
	a->begun = zone;
	return ret;
}

static int keep_record(struct apply *a, const struct hv_zone *zone, struct hv_err *err)
{
	struct hv_record *record;
	int ret;

	if (!a->machine->records)
		return 0;
	record = malloc(sizeof(*record));
	if (!record)
		return hv_err_nomem(err);
	hv_record_of(zone, record);
	if (a->machine->serve)
		record->life = hv_serve_life(a->machine->serve, zone->spec->id);
	ret = hv_records_put(a->machine->records, record, err);
	free(record);
	return ret;
}

static int stop(const struct hv_machine *machine, uint32_t id, struct hv_err *err)
{
	int ret = hv_hyp_zone_stop(machine->hyp, id, err);

	if (machine->serve && (!ret || ret == -ETIMEDOUT))
		hv_serve_gone(machine->serve, id);

	/* Also when a CPU of it is lost, the zone is gone. */
	if (ret == -ETIMEDOUT && machine->records)
		hv_records_drop(machine->records, id, NULL);
	else if (!ret && machine->records) {
		ret = hv_records_drop(machine->records, id, err);
		if (ret)
			hv_err_prefix(err, "the zone was stopped, but its record stays: ");
	}
	return ret;
}

/*
 * Of the start that is recorded; 0 = not known. A zone is served while it runs because its record
 * fits it: one that cannot be read any more is trouble, and says nothing of what was left.
 */
static int recorded_life(const struct hv_machine *machine, uint32_t id, uint64_t *life,
			 struct hv_err *err)
{
	struct hv_record *record;
	int ret;

	*life = 0;
	if (!machine->records)
		return 0;
	record = malloc(sizeof(*record));
	if (!record)
		return hv_err_nomem(err);
	ret = hv_records_get(machine->records, id, record, err);
	if (!ret)
		*life = record->life;
	free(record);
	return ret;
}

static void say_unserved(const struct hv_serve *serve, const struct hv_zone_spec *zone,
			 struct hv_err *err)
{
	size_t len = strlen(err->msg);

	snprintf(err->msg + len, sizeof(err->msg) - len,
		 "; zone %s is %s; hvsh restart %s starts it anew", zone->name,
		 hv_serve_waits(serve, zone->id) ? "left alone, and waits" : "not served",
		 zone->name);
}

static int go_on(struct apply *a, const struct hv_zone *zone, struct hv_err *err)
{
	uint64_t life;
	int ret = recorded_life(a->machine, zone->spec->id, &life, err);

	return ret ?: hv_serve_adopt(a->machine->serve, zone->spec->id, life, err);
}

/* The devices of a zone that runs go on where an earlier service left them, or begin anew. */
static int serve_zone(struct apply *a, const struct hv_zone *zone, struct hv_err *err)
{
	struct hv_serve *serve = a->machine->serve;
	struct hv_zone_info info;
	int ret;

	/* One that ended by itself. */
	hv_serve_drop(serve, zone->spec->id);
	ret = hv_serve_open_zone(serve, zone, err);
	if (ret)
		return ret;
	ret = find_running(a->machine, zone->spec->id, &info, err);
	if (ret > 0) {
		ret = go_on(a, zone, err);
		if (ret < 0) {
			hv_serve_drop(serve, zone->spec->id);
			say_unserved(serve, zone->spec, err);
			return ret;
		}
		if (ret > 0)
			hv_log_info("zone %s: its devices go on where an earlier service left them",
				    zone->spec->name);
		if (!ret)
			hv_log_warn("zone %s ran before this service did: what its drivers agreed "
				    "with an earlier one is lost, and they wait; hvsh restart %s "
				    "starts it anew",
				    zone->spec->name, zone->spec->name);
	}
	if (ret < 0)
		hv_serve_drop(serve, zone->spec->id);
	return ret < 0 ? ret : 0;
}

/* Its guest may ask for its devices with its first instruction. */
static int start_zone(struct apply *a, const struct hv_zone *zone, struct hv_err *err)
{
	struct hv_serve *serve = a->machine->serve;
	int ret = 0;

	if (serve && hv_serve_has(serve, zone->spec->id))
		ret = hv_serve_attach(serve, zone->spec->id, err);
	return ret ?: hv_hyp_zone_start(a->machine->hyp, &zone->abi, err);
}

static int take_step(struct apply *a, const struct hv_step *step, struct hv_err *err)
{
	const struct hv_placement *p = step->placement;
	struct hv_zone *zone = (struct hv_zone *)step->zone; /* hv_image_phys_fn takes void * */
	struct hv_zone_info info;
	int ret;

	ret = tell(a, 0, p ? p->size : 0, err);
	if (ret)
		return ret;
	if (step->kind == HV_STEP_STOP) {
		/* Gone by itself since the plan was made: what was wanted. */
		ret = find_running(a->machine, zone->spec->id, &info, err);
		return ret > 0 ? stop(a->machine, zone->spec->id, err) : ret;
	}
	if (step->kind == HV_STEP_SERVE)
		return serve_zone(a, zone, err);
	ret = begin_zone(a, zone, err);
	if (ret)
		return ret;
	switch (step->kind) {
	case HV_STEP_LOAD:
		return hv_image_load(p->image, p->base, a->machine->hyp, hv_zone_phys_fn, zone,
				     load_progress, a, err);
	case HV_STEP_WRITE:
		return hv_hyp_load_mem(a->machine->hyp, p->bytes, p->size, p->phys, err);
	default:
		return start_zone(a, zone, err);
	}
}

static const char *step_text(const struct hv_step *s, char out[160])
{
	snprintf(out, 160, "zone %s: %s%s%.80s", s->zone->spec->name, hv_step_kind_name(s->kind),
		 s->placement ? " " : "", s->placement ? s->placement->what : "");
	return out;
}

/* Stops what this plan started, last first, and says so behind the error. */
static void undo(struct apply *a, size_t done, struct hv_err *err)
{
	size_t len = strlen(err->msg);
	struct hv_err why;

	for (size_t i = done; i-- > 0;) {
		const struct hv_step *s = &a->plan->steps[i];
		const char *name = s->zone->spec->name;

		if (s->kind == HV_STEP_START) {
			if (!stop(a->machine, s->zone->spec->id, &why))
				snprintf(err->msg + len, sizeof(err->msg) - len,
					 "; zone %s was stopped again", name);
			else
				snprintf(err->msg + len, sizeof(err->msg) - len,
					 "; zone %s could not be stopped again (%.200s)", name,
					 why.msg);
		} else if (s->kind == HV_STEP_SERVE) {
			if (hv_serve_give_up(a->machine->serve, s->zone->spec->id))
				snprintf(err->msg + len, sizeof(err->msg) - len,
					 "; zone %s waits until it is served again", name);
		} else if (s->kind == HV_STEP_STOP) {
			snprintf(err->msg + len, sizeof(err->msg) - len,
				 "; zone %s had been stopped and stays so", name);
		}
		len = strlen(err->msg);
	}
}

int hv_plan_apply(struct hv_plan *plan, const struct hv_machine *machine, hv_apply_fn *progress,
		  void *arg, struct hv_err *err)
{
	struct apply a = { .plan = plan, .machine = machine, .progress = progress, .arg = arg };
	struct hv_err why = { 0 };
	char text[160];
	int ret = 0;

	if (!plan->n_steps)
		return 0;
	if (!machine->hyp)
		return hv_err_set(err, ENODEV, "there is no hypervisor to do this");
	for (a.step = 0; a.step < plan->n_steps; a.step++) {
		const struct hv_step *step = &plan->steps[a.step];
		size_t done = a.step;

		ret = take_step(&a, step, &why);
		if (!ret && step->kind == HV_STEP_START) {
			done++; /* it runs now: a record that cannot be written stops it again */
			ret = keep_record(&a, step->zone, &why);
		}
		if (ret) {
			hv_err_prefix(&why, "%s: ", step_text(step, text));
			undo(&a, done, &why);
			return hv_err_set(err, why.code, "%s", why.msg);
		}
	}
	return 0;
}

int hv_zone_stop(const struct hv_machine *machine, uint32_t id, struct hv_err *err)
{
	struct hv_zone_info info;
	int ret;

	if (id == 0)
		return hv_err_set(err, EPERM, "zone 0 is the root zone and cannot be stopped");
	if (!machine->hyp)
		return hv_err_set(err, ENODEV, "there is no hypervisor to do this");
	ret = find_running(machine, id, &info, err);
	if (ret < 0)
		return ret;
	if (!ret)
		return hv_err_set(err, ENOENT, "no zone with id %" PRIu32 " runs", id);
	ret = stop(machine, id, err);
	if (ret)
		hv_err_prefix(err, "zone %s: ", info.name);
	return ret;
}
