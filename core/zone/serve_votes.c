// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/serve_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/scmi.h"

/*
 * Zones are taken up one after the other, and a clock that two of them have on must not go off in
 * between: whatever is kept of a zone that is still to come has a vote (docs/restart.md). A device
 * that has nothing on is here as well, since its window is held until its zone has ended.
 */
struct hv_serve_vote {
	uint32_t zone;
	uint64_t at;
	struct hv_clock_agent *agent; /* NULL = it has nothing on */
	struct hv_serve_vote *next;
};

static struct hv_serve_vote **find(struct hv_serve *serve, uint32_t zone, const uint64_t *at)
{
	struct hv_serve_vote **v = &serve->votes;

	while (*v && ((*v)->zone != zone || (at && (*v)->at != *at)))
		v = &(*v)->next;
	return v;
}

static struct hv_clock_agent *pull(struct hv_serve_vote **at)
{
	struct hv_serve_vote *vote = *at;
	struct hv_clock_agent *agent = vote->agent;

	*at = vote->next;
	free(vote);
	return agent;
}

static struct hv_serve_vote *add(struct hv_serve *serve, uint32_t zone, uint64_t at)
{
	struct hv_serve_vote *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->zone = zone;
	v->at = at;
	v->next = serve->votes;
	serve->votes = v;
	return v;
}

static int vote(struct hv_serve *serve, struct hv_serve_vote *v, const uint16_t *held, int n,
		struct hv_err *err)
{
	char who[32];
	int ret;

	if (!v)
		return hv_err_nomem(err);
	snprintf(who, sizeof(who), "zone %" PRIu32, v->zone);
	ret = hv_serve_need_clocks(serve, err);
	if (!ret)
		ret = hv_clock_agent_new(serve->clocks, who, &v->agent, err);
	for (int i = 0; i < n && !ret; i++)
		hv_clock_agent_take(v->agent, held[i]);
	return ret;
}

struct look {
	struct hv_serve *serve;
	bool all; /* or this zone: */
	uint32_t zone;
};

static void look(void *arg, uint32_t zone, uint64_t at, uint64_t size)
{
	const struct look *l = arg;
	const struct hv_state_id id = { .zone = zone, .at = at, .size = size };
	struct hv_serve_vote *v;
	uint16_t held[HV_SCMI_HELD];
	struct hv_err err = { 0 };
	int n;

	if ((!l->all && zone != l->zone) || *find(l->serve, zone, &at))
		return;
	v = add(l->serve, zone, at);
	if (!v)
		hv_log_warn("zone %" PRIu32 " will not be seen to end before it is served: "
			    "out of memory",
			    zone);
	n = hv_scmi_held(l->serve->state_dir, &id, held, &err);
	if (n > 0)
		n = vote(l->serve, v, held, n, &err);
	/* A device that cannot be read is refused with its zone, and said then. */
	if (n < 0 && n != -EBADMSG)
		hv_log_warn("clocks that zone %" PRIu32
			    " has on may go off before it is served: %s",
			    zone, err.msg);
}

static bool is_gone(const struct hv_zone_info *zones, int n, uint32_t zone)
{
	for (int i = 0; i < n; i++)
		if (zones[i].id == zone)
			return false;
	return true;
}

void hv_serve_running(struct hv_serve *serve, const struct hv_zone_info *zones, int n)
{
	struct hv_serve_vote *v = serve->votes;

	while (v) {
		uint32_t zone = v->zone;

		if (is_gone(zones, n, zone)) {
			hv_serve_forget(serve, zone);
			hv_service_forget(serve->service, zone);
			v = serve->votes;
		} else {
			v = v->next;
		}
	}
}

bool hv_serve_waits(const struct hv_serve *serve, uint32_t zone)
{
	const struct hv_serve_vote *v = serve->votes;

	while (v && zone && v->zone != zone)
		v = v->next;
	return v;
}

void hv_serve_votes_begin(struct hv_serve *serve)
{
	struct hv_zone_info zones[HV_MAX_ZONES];
	int n;

	if (!serve->state_dir)
		return;
	hv_state_each(serve->state_dir, look, &(struct look){ .serve = serve, .all = true });
	n = serve->votes ? hv_hyp_zone_list(serve->hyp, zones, HV_MAX_ZONES, NULL) : -ENOENT;
	if (n >= 0)
		hv_serve_running(serve, zones, n);
}

void hv_serve_votes_keep(struct hv_serve *serve, uint32_t zone)
{
	if (serve->state_dir)
		hv_state_each(serve->state_dir, look,
			      &(struct look){ .serve = serve, .zone = zone });
}

void hv_serve_votes_take(struct hv_serve *serve, struct hv_served *dev)
{
	struct hv_serve_vote **v = find(serve, dev->zone, &dev->at);

	if (!*v)
		return;
	if (strcmp(dev->type, "scmi") != 0)
		hv_clock_agent_free(pull(v));
	else
		hv_scmi_take_over(&dev->dev, pull(v));
}

void hv_serve_votes_drop(struct hv_serve *serve, uint32_t zone, uint64_t at)
{
	struct hv_serve_vote **v = find(serve, zone, &at);

	if (*v)
		hv_clock_agent_free(pull(v));
}

void hv_serve_votes_end(struct hv_serve *serve, uint32_t zone)
{
	struct hv_serve_vote **v;

	while (*(v = find(serve, zone, NULL)))
		hv_clock_agent_free(pull(v));
}

void hv_serve_votes_leave(struct hv_serve *serve)
{
	while (serve->votes)
		hv_clock_agent_leave(pull(&serve->votes));
}
