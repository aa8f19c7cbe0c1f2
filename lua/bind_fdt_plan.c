// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "fdt/passthrough.h"
#include "lua/bind.h"
#include "lua/bind_fdt.h"

#define PLAN "hvsh.fdt.plan"

static int plan_gc(lua_State *L)
{
	struct hv_fdt_passthrough **plan = luaL_checkudata(L, 1, PLAN);

	hv_fdt_passthrough_free(*plan);
	*plan = NULL;
	return 0;
}

const struct hv_fdt_passthrough *hv_bind_fdt_plan_check(lua_State *L, int idx)
{
	struct hv_fdt_passthrough **plan = luaL_checkudata(L, idx, PLAN);

	if (!*plan)
		luaL_error(L, "the plan is closed");
	return *plan;
}

/* Strings of a list field of the table at idx; the array is Lua's and anchored on the stack. */
static const char **strings(lua_State *L, int idx, const char *field, size_t *n)
{
	const char **list;

	lua_getfield(L, idx, field);
	*n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	luaL_argcheck(L, *n < 4096, idx, "too many devices");
	list = lua_newuserdatauv(L, (*n + 1) * sizeof(*list), 0);
	for (size_t i = 0; i < *n; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, idx, "devices are strings");
		/* The list keeps it. */
		list[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	return list;
}

struct rate {
	const char *path;
	unsigned int slot;
	uint64_t hz;
};

struct rates {
	size_t n;
	struct rate at[];
};

static uint64_t rate_of(const char *path, unsigned int slot, void *arg)
{
	const struct rates *rates = arg;

	for (size_t i = 0; i < rates->n; i++)
		if (rates->at[i].slot == slot && strcmp(rates->at[i].path, path) == 0)
			return rates->at[i].hz;
	return 0;
}

/* The list {{path, slot, hz}…} on top; the paths are the list's. */
static struct rates *take_rates(lua_State *L, int arg)
{
	size_t n = lua_rawlen(L, -1);
	struct rates *rates;

	luaL_argcheck(L, n < 65536, arg, "too many rates");
	rates = lua_newuserdatauv(L, sizeof(*rates) + n * sizeof(struct rate), 0);
	rates->n = n;
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		lua_getfield(L, -1, "path");
		lua_getfield(L, -2, "slot");
		lua_getfield(L, -3, "hz");
		rates->at[i].path = luaL_checkstring(L, -3);
		rates->at[i].slot = (unsigned int)luaL_checkinteger(L, -2) - 1;
		rates->at[i].hz = (uint64_t)luaL_checkinteger(L, -1);
		lua_pop(L, 4);
	}
	return rates;
}

static void push_next(lua_State *L)
{
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static void field_bool(lua_State *L, const char *key, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, key);
}

static void push_nodes(lua_State *L, const struct hv_fdt_plan *plan)
{
	lua_createtable(L, (int)plan->n_nodes, 0);
	for (size_t i = 0; i < plan->n_nodes; i++) {
		const struct hv_fdt_plan_node *n = &plan->nodes[i];

		lua_createtable(L, 0, 5);
		hv_bind_field(L, "path", n->path);
		hv_bind_field(L, "role", hv_fdt_role_name(n->role));
		field_bool(L, "enabled", n->enabled);
		field_bool(L, "registers", n->registers);
		hv_bind_field(L, "why", n->why);
		push_next(L);
	}
	lua_setfield(L, -2, "nodes");
}

static void push_needs(lua_State *L, const struct hv_fdt_plan *plan)
{
	lua_createtable(L, (int)plan->n_needs, 0);
	for (size_t i = 0; i < plan->n_needs; i++) {
		const struct hv_fdt_plan_need *n = &plan->needs[i];

		lua_createtable(L, 0, 9);
		hv_bind_field(L, "path", n->path);
		hv_bind_field(L, "kind", hv_fdt_ref_kind_name(n->kind));
		hv_bind_field(L, "property", n->property);
		hv_bind_field(L, "name", n->name);
		hv_bind_field_int(L, "slot", n->slot + 1);
		hv_bind_field(L, "provider", n->provider);
		hv_bind_field(L, "role", hv_fdt_role_name(n->role));
		lua_createtable(L, (int)n->n_args, 0);
		for (unsigned int k = 0; k < n->n_args; k++) {
			lua_pushinteger(L, n->args[k]);
			push_next(L);
		}
		lua_setfield(L, -2, "args");
		if (n->rate)
			hv_bind_field_int(L, "rate", (lua_Integer)n->rate);
		push_next(L);
	}
	lua_setfield(L, -2, "needs");
}

static void push_regions(lua_State *L, const char *key, const struct hv_fdt_plan_region *regions,
			 size_t n)
{
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_createtable(L, 0, 3);
		hv_bind_field_int(L, "start", (lua_Integer)regions[i].start);
		hv_bind_field_int(L, "size", (lua_Integer)regions[i].size);
		hv_bind_field(L, "what", regions[i].what);
		push_next(L);
	}
	lua_setfield(L, -2, key);
}

static void push_irqs(lua_State *L, const struct hv_fdt_plan *plan)
{
	lua_createtable(L, (int)plan->n_irqs, 0);
	for (size_t i = 0; i < plan->n_irqs; i++) {
		const struct hv_fdt_plan_irq *irq = &plan->irqs[i];

		lua_createtable(L, 0, 5);
		hv_bind_field_int(L, "number", irq->number);
		hv_bind_field(L, "trigger", hv_irq_trigger_name(irq->trigger));
		hv_bind_field(L, "controller", hv_irq_controller_name(irq->controller));
		hv_bind_field(L, "path", irq->path);
		hv_bind_field(L, "name", irq->name);
		push_next(L);
	}
	lua_setfield(L, -2, "irqs");
}

static void push_pages(lua_State *L, const struct hv_fdt_plan *plan)
{
	lua_createtable(L, (int)plan->n_pages, 0);
	for (size_t i = 0; i < plan->n_pages; i++) {
		const struct hv_fdt_plan_page *page = &plan->pages[i];

		lua_createtable(L, 0, 5);
		hv_bind_field_int(L, "start", (lua_Integer)page->start);
		hv_bind_field_int(L, "size", (lua_Integer)page->size);
		hv_bind_field(L, "given", page->given);
		hv_bind_field(L, "others", page->others);
		field_bool(L, "enabled", page->enabled);
		push_next(L);
	}
	lua_setfield(L, -2, "pages");
}

static void push_dma(lua_State *L, const struct hv_fdt_plan *plan)
{
	lua_createtable(L, (int)plan->n_dma, 0);
	for (size_t i = 0; i < plan->n_dma; i++) {
		const struct hv_fdt_plan_dma *dma = &plan->dma[i];

		lua_createtable(L, 0, 6);
		hv_bind_field(L, "path", dma->path);
		hv_bind_field(L, "iommu", dma->iommu);
		field_bool(L, "identity", dma->identity);
		if (dma->ranged) {
			hv_bind_field_int(L, "bus", (lua_Integer)dma->bus);
			hv_bind_field_int(L, "start", (lua_Integer)dma->cpu);
			hv_bind_field_int(L, "size", (lua_Integer)dma->size);
		}
		push_next(L);
	}
	lua_setfield(L, -2, "dma");
}

static void push_problems(lua_State *L, const struct hv_fdt_plan *plan)
{
	static const char *const kinds[] = { "error", "warning", "note" };

	lua_createtable(L, (int)plan->n_problems, 0);
	for (size_t i = 0; i < plan->n_problems; i++) {
		const struct hv_fdt_plan_problem *problem = &plan->problems[i];

		lua_createtable(L, 0, 3);
		hv_bind_field(L, "severity", kinds[problem->kind]);
		hv_bind_field(L, "path", problem->path);
		hv_bind_field(L, "message", problem->text);
		push_next(L);
	}
	lua_setfield(L, -2, "problems");
}

/* plan:data() -> tables */
static int plan_data(lua_State *L)
{
	const struct hv_fdt_plan *plan = hv_fdt_passthrough_plan(hv_bind_fdt_plan_check(L, 1));

	lua_createtable(L, 0, 8);
	push_nodes(L, plan);
	push_needs(L, plan);
	push_regions(L, "regions", plan->regions, plan->n_regions);
	push_regions(L, "memory", plan->memory, plan->n_memory);
	push_irqs(L, plan);
	push_pages(L, plan);
	push_dma(L, plan);
	push_problems(L, plan);
	return 1;
}

static struct hv_fdt_passthrough **plan_new(lua_State *L)
{
	static const luaL_Reg methods[] = { { "data", plan_data }, { NULL, NULL } };
	struct hv_fdt_passthrough **plan;

	hv_bind_type(L, PLAN, methods, plan_gc);
	plan = lua_newuserdatauv(L, sizeof(struct hv_fdt_passthrough *), 0);
	*plan = NULL;
	luaL_setmetatable(L, PLAN);
	return plan;
}

/* fdt_pages(tree) -> plan that has but pages | nil, message, code */
static int shared_pages(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	struct hv_fdt_passthrough **plan = plan_new(L);
	struct hv_err err;

	if (hv_fdt_shared_pages_new(tree, plan, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* fdt_passthrough(tree, {devices=, compatible=, coalesce=, rates=}) -> plan | nil, message, code */
static int passthrough(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	struct hv_fdt_passthrough_opts opts = { 0 };
	struct hv_fdt_passthrough **plan;
	struct hv_err err;

	lua_settop(L, 2);
	luaL_checktype(L, 2, LUA_TTABLE);
	luaL_checkstack(L, 16, NULL);
	opts.devices = strings(L, 2, "devices", &opts.n_devices);
	opts.compatible = strings(L, 2, "compatible", &opts.n_compatible);
	lua_getfield(L, 2, "coalesce");
	opts.coalesce = lua_toboolean(L, -1);
	if (lua_getfield(L, 2, "rates") == LUA_TTABLE) {
		opts.rate_arg = take_rates(L, 2);
		opts.rate = rate_of;
	}
	plan = plan_new(L);
	if (hv_fdt_passthrough_new(tree, &opts, plan, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

void hv_bind_fdt_plan(lua_State *L)
{
	lua_pushcfunction(L, passthrough);
	lua_setfield(L, -2, "fdt_passthrough");
	lua_pushcfunction(L, shared_pages);
	lua_setfield(L, -2, "fdt_pages");
}
