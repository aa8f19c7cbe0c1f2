// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "lua/event.h"
#include "lua/interrupt.h"
#include "lua/run.h"

#define PLAN "hvsh.plan"

/* User value 1 is the set, which the plan points into. */
struct plan {
	struct hv_plan *plan;
	bool applied;
};

static int plan_gc(lua_State *L)
{
	struct plan *p = luaL_checkudata(L, 1, PLAN);

	hv_plan_free(p->plan);
	p->plan = NULL;
	return 0;
}

static struct plan *check_plan(lua_State *L)
{
	struct plan *p = luaL_checkudata(L, 1, PLAN);

	if (!p->plan)
		luaL_error(L, "the plan is closed");
	return p;
}

/* Devices of the machine, by path, or "compatible=…". */
static void push_given(lua_State *L, const struct hv_zone_spec *spec)
{
	const struct hv_spec_passthrough *p = &spec->passthrough;

	lua_createtable(L, (int)p->n_devices, 0);
	for (size_t i = 0; i < p->n_devices; i++) {
		lua_pushfstring(L, p->devices[i].compatible ? "compatible=%s" : "%s",
				p->devices[i].name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* plan:deltas() -> {zone, id, state, given, changes = {{field, from, to}}} each */
static int plan_deltas(lua_State *L)
{
	const struct hv_plan *plan = check_plan(L)->plan;

	lua_createtable(L, (int)plan->n_deltas, 0);
	for (size_t i = 0; i < plan->n_deltas; i++) {
		const struct hv_zone_delta *d = &plan->deltas[i];

		lua_createtable(L, 0, 4);
		hv_bind_field(L, "zone", d->zone->spec->name);
		hv_bind_field_int(L, "id", d->zone->spec->id);
		hv_bind_field(L, "state", hv_zone_state_name(d->state));
		lua_createtable(L, (int)d->n_changes, 0);
		for (size_t k = 0; k < d->n_changes; k++) {
			lua_createtable(L, 0, 3);
			hv_bind_field(L, "field", d->changes[k].field);
			hv_bind_field(L, "from", d->changes[k].from);
			hv_bind_field(L, "to", d->changes[k].to);
			lua_rawseti(L, -2, (lua_Integer)k + 1);
		}
		lua_setfield(L, -2, "changes");
		push_given(L, d->zone->spec);
		lua_setfield(L, -2, "given");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* "root, eth0, hvc0" */
static void push_device_names(lua_State *L, const struct hv_zone *zone)
{
	luaL_Buffer text;

	luaL_buffinit(L, &text);
	for (size_t i = 0; i < zone->n_devices; i++) {
		if (i)
			luaL_addstring(&text, ", ");
		luaL_addstring(&text, zone->devices[i].spec->name);
	}
	luaL_pushresult(&text);
}

/* plan:steps() -> {kind, zone, id, what, path, ipa, phys, size} each */
static int plan_steps(lua_State *L)
{
	const struct hv_plan *plan = check_plan(L)->plan;

	lua_createtable(L, (int)plan->n_steps, 0);
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct hv_step *step = &plan->steps[i];
		const struct hv_placement *place = step->placement;

		lua_createtable(L, 0, 8);
		hv_bind_field(L, "kind", hv_step_kind_name(step->kind));
		hv_bind_field(L, "zone", step->zone->spec->name);
		hv_bind_field_int(L, "id", step->zone->spec->id);
		if (step->kind == HV_STEP_SERVE) {
			push_device_names(L, step->zone);
			lua_setfield(L, -2, "what");
		}
		if (place) {
			hv_bind_field(L, "what", place->what);
			hv_bind_field(L, "path", place->image ? hv_image_path(place->image) : NULL);
			hv_bind_field_int(L, "ipa", (lua_Integer)place->ipa);
			hv_bind_field_int(L, "phys", (lua_Integer)place->phys);
			hv_bind_field_int(L, "size", (lua_Integer)place->size);
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int plan_findings(lua_State *L)
{
	check_plan(L);
	lua_getiuservalue(L, 1, 1);
	hv_bind_push_findings(L, &hv_bind_set_check(L, -1)->findings);
	return 1;
}

/* ---- apply */

struct progress {
	lua_State *L;
	size_t steps; /* that have begun */
	int function; /* stack index; 0 = none */
	bool failed;  /* its error object is on top of the stack */
};

/* Everything that may raise happens in here. Arguments: function, index, done, total. */
static int call_progress(lua_State *L)
{
	lua_call(L, 3, 0);
	return 0;
}

static int on_progress(const struct hv_step *step, size_t index, uint64_t done, uint64_t total,
		       void *arg)
{
	struct progress *p = arg;
	lua_State *L = p->L;

	if (index >= p->steps) {
		hv_events_look(hv_session_of(L), L);
		if (step->kind == HV_STEP_STOP)
			hv_events_stopping(hv_session_of(L), step->zone->spec->id, true);
		p->steps = index + 1;
	}
	if (hv_interrupted())
		return 1;
	if (!p->function)
		return 0;
	lua_pushcfunction(L, call_progress);
	lua_pushvalue(L, p->function);
	lua_pushinteger(L, (lua_Integer)index + 1);
	lua_pushinteger(L, (lua_Integer)done);
	lua_pushinteger(L, (lua_Integer)total);
	p->failed = lua_pcall(L, 4, 0, 0) != LUA_OK;
	return p->failed;
}

static bool serves(const struct hv_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].kind == HV_STEP_SERVE)
			return true;
	return false;
}

/* Zones that were started by a plan that failed were stopped again by it. */
static void tell_events(lua_State *L, const struct hv_plan *plan, bool failed)
{
	struct hv_session *s = hv_session_of(L);

	for (size_t i = 0; i < plan->n_steps; i++)
		if (failed && plan->steps[i].kind == HV_STEP_START)
			hv_events_stopping(s, plan->steps[i].zone->spec->id, true);
	hv_events_look(s, L);
	for (size_t i = 0; i < plan->n_steps; i++)
		hv_events_stopping(s, plan->steps[i].zone->spec->id, false);
}

/* plan:apply([progress]) -> true | nil, message, code. progress(index of the step, done, total). */
static int plan_apply(lua_State *L)
{
	struct plan *p = check_plan(L);
	struct progress progress = { .L = L };
	struct hv_machine machine;
	struct hv_err err = { 0 };
	int rc;

	lua_settop(L, 2);
	if (!lua_isnil(L, 2)) {
		luaL_checktype(L, 2, LUA_TFUNCTION);
		progress.function = 2;
	}
	if (p->applied)
		return luaL_error(L, "the plan has been applied: it needs a new one");
	lua_getiuservalue(L, 1, 1);
	if (hv_bind_machine(L, hv_bind_set_check(L, -1), HV_NEED_HYP, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	if (serves(p->plan) && hv_session_populate(hv_session_of(L), &err) < 0)
		return hv_bind_fail(L, &err);
	luaL_checkstack(L, 8, NULL);
	p->applied = true;
	rc = hv_plan_apply(p->plan, &machine, on_progress, &progress, &err);
	tell_events(L, p->plan, rc < 0);
	/* Guests of zones that ran before find their devices as well. */
	if (rc >= 0 && serves(p->plan))
		rc = hv_session_run_guests(hv_session_of(L), &err);
	if (rc >= 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	if (hv_interrupted()) {
		lua_pushfstring(L, "hvsh: interrupted: %s", err.msg);
		hv_run_raise(L, lua_tostring(L, -1));
	}
	if (progress.failed) {
		lua_pushfstring(L, "ECANCELED: the progress function failed: %s; %s",
				luaL_tolstring(L, -1, NULL), err.msg);
		lua_pushnil(L);
		lua_insert(L, -2);
		lua_pushliteral(L, "ECANCELED");
		return 3;
	}
	return hv_bind_fail(L, &err);
}

/* ---- making */

/* A list of names at idx, copied to the set's arena; NULL and *n 0 when it is nil. */
static const char *const *names_arg(lua_State *L, int idx, struct hv_arena *arena, size_t *n)
{
	lua_Integer count;
	const char **names;

	*n = 0;
	if (lua_isnil(L, idx))
		return NULL;
	luaL_checktype(L, idx, LUA_TTABLE);
	count = luaL_len(L, idx);
	/* An empty list names no zone, which is not the same as all. */
	names = hv_arena_array(arena, (size_t)count + 1, sizeof(*names));
	if (!names)
		luaL_error(L, "not enough memory");
	for (lua_Integer i = 1; i <= count; i++) {
		lua_geti(L, idx, i);
		names[*n] = hv_arena_strdup(arena, luaL_checkstring(L, -1));
		if (!names[(*n)++])
			luaL_error(L, "not enough memory");
		lua_pop(L, 1);
	}
	return names;
}

static unsigned int flag_arg(lua_State *L, int idx, const char *key, unsigned int flag)
{
	bool set;

	lua_getfield(L, idx, key);
	set = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return set ? flag : 0;
}

/* plan(specs, {names=, restart=, force=}) -> plan | nil, message, code, findings */
static int plan(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "deltas", plan_deltas }, { "steps", plan_steps }, { "findings", plan_findings },
		{ "apply", plan_apply },   { NULL, NULL },
	};
	struct hv_machine machine;
	struct hv_err err;
	struct hv_bind_set *s;
	const char *const *names;
	unsigned int flags;
	size_t n_names;
	struct plan *p;

	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_newtable(L);
		lua_replace(L, 2);
	}
	luaL_checktype(L, 2, LUA_TTABLE);
	flags = flag_arg(L, 2, "restart", HV_PLAN_RESTART) | flag_arg(L, 2, "force", HV_PLAN_FORCE);
	s = hv_bind_set_new(L, 1, &err);
	if (!s)
		return hv_bind_fail(L, &err);
	lua_getfield(L, 2, "names");
	names = names_arg(L, lua_gettop(L), hv_zone_set_arena(s->set), &n_names);

	if (hv_bind_set_run_check(L, s, HV_NEED_HYP, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	if (s->findings.n_errors > 0) {
		hv_bind_refuse(&s->findings, &err);
		hv_bind_fail(L, &err);
		hv_bind_push_findings(L, &s->findings);
		return 4;
	}
	hv_bind_type(L, PLAN, methods, plan_gc);
	p = lua_newuserdatauv(L, sizeof(*p), 1);
	*p = (struct plan){ 0 };
	luaL_setmetatable(L, PLAN);
	lua_pushvalue(L, 3);
	lua_setiuservalue(L, -2, 1);
	if (hv_plan_make(s->set, &machine, names, n_names, flags, &p->plan, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

void hv_bind_plan(lua_State *L)
{
	lua_pushcfunction(L, plan);
	lua_setfield(L, -2, "plan");
}
