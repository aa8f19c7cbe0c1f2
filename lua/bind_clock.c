// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "abi/resource.h"
#include "clock/plan.h"

#define FACTS "hvsh.clock_facts"

/* What a call has open; freed by Lua, whatever happens. */
struct facts {
	struct hv_clk_tree *clks;
	struct hv_clock_host *host;
	struct hv_fdt *tree, *guest;
	struct hv_clock_need needs[HV_CLOCK_NEEDS];
};

static int facts_gc(lua_State *L)
{
	struct facts *f = luaL_checkudata(L, 1, FACTS);

	hv_clk_free(f->clks);
	hv_clock_host_put(f->host);
	hv_fdt_close(f->tree);
	hv_fdt_close(f->guest);
	*f = (struct facts){ 0 };
	return 0;
}

static struct facts *facts_new(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	struct facts *f;

	hv_bind_type(L, FACTS, none, facts_gc);
	f = lua_newuserdatauv(L, sizeof(*f), 0);
	*f = (struct facts){ 0 };
	luaL_setmetatable(L, FACTS);
	return f;
}

static int open_machine(lua_State *L, enum hv_need need, struct hv_machine *machine,
			struct hv_err *err)
{
	struct hv_bind_set *s = hv_bind_set_new(L, 0, err);

	return s ? hv_bind_machine(L, s, need, machine, err) : -err->code;
}

/* The kernel's clocks, and what it lends where there is a hypervisor; under --sim the machine's. */
static int read_clocks(lua_State *L, struct facts *f, struct hv_err *err)
{
	bool sim = hv_session_of(L)->sim;
	struct hv_machine machine;
	int rc = open_machine(L, sim ? HV_NEED_HYP : HV_NEED_MAYBE, &machine, err);

	if (rc < 0)
		return rc;
	if (machine.hyp)
		rc = hv_clock_host_new(&hv_clock_backend_hyp, machine.hyp, &f->host, err);
	if (rc < 0)
		return rc;
	return sim ? hv_clk_read_sim(machine.hyp, &f->clks, err) : hv_clk_read(NULL, &f->clks, err);
}

static void push_users(lua_State *L, const struct hv_clk_tree *clks, const struct hv_clk *clk)
{
	lua_createtable(L, (int)clk->n_users, 0);
	for (unsigned int i = 0; i < clk->n_users; i++) {
		lua_createtable(L, 0, 2);
		hv_bind_field(L, "device", clks->users[clk->first_user + i].device);
		hv_bind_field(L, "connection", clks->users[clk->first_user + i].connection);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_clock(lua_State *L, const struct hv_clk_tree *clks, const struct hv_clk *clk)
{
	lua_createtable(L, 0, 12);
	hv_bind_field(L, "name", clk->name);
	if (clk->parent >= 0)
		hv_bind_field(L, "parent", clks->clks[clk->parent].name);
	hv_bind_field_int(L, "rate", (lua_Integer)clk->rate);
	hv_bind_field_int(L, "enable_count", clk->enable_count);
	hv_bind_field_int(L, "prepare_count", clk->prepare_count);
	hv_bind_field_int(L, "protect_count", clk->protect_count);
	hv_bind_field_int(L, "accuracy", (lua_Integer)clk->accuracy);
	if (clk->phase >= 0)
		hv_bind_field_int(L, "phase", clk->phase);
	if (clk->duty >= 0)
		hv_bind_field_int(L, "duty", clk->duty);
	if (clk->hardware != '?') {
		lua_pushboolean(L, clk->hardware == 'Y');
		lua_setfield(L, -2, "running");
	}
	push_users(L, clks, clk);
	lua_setfield(L, -2, "users");
}

/* Ids of what zone0 lends, for the clocks in the list on top. */
static void push_lent(lua_State *L, const struct facts *f)
{
	char name[HV_LENT_NAME];
	struct hv_err err;
	uint32_t n = 0;

	if (!f->host || hv_clock_host_count(f->host, HV_LENT_CLOCK, &n, &err) < 0)
		return;
	for (uint32_t id = 0; id < n; id++) {
		if (hv_clock_host_name(f->host, HV_LENT_CLOCK, id, name, &err) < 0)
			continue;
		for (size_t i = 0; i < f->clks->n; i++) {
			if (strcmp(f->clks->clks[i].name, name))
				continue;
			lua_rawgeti(L, -1, (lua_Integer)i + 1);
			hv_bind_field_int(L, "lent", id);
			lua_pop(L, 1);
			break;
		}
	}
}

/* clock_list() -> {name, parent, rate, enable_count, …, lent, users = {{device, connection}}}… */
static int clock_list(lua_State *L)
{
	struct facts *f = facts_new(L);
	struct hv_err err = { 0 };

	if (read_clocks(L, f, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_createtable(L, (int)f->clks->n, 0);
	for (size_t i = 0; i < f->clks->n; i++) {
		push_clock(L, f->clks, &f->clks->clks[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	push_lent(L, f);
	return 1;
}

/* clock_lent(name) -> id | nil, message, code */
static int clock_lent(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct facts *f = facts_new(L);
	struct hv_machine machine;
	struct hv_err err = { 0 };
	uint32_t id;

	if (open_machine(L, HV_NEED_HYP, &machine, &err) < 0 ||
	    hv_clock_host_new(&hv_clock_backend_hyp, machine.hyp, &f->host, &err) < 0 ||
	    hv_clock_host_find(f->host, HV_LENT_CLOCK, name, &id, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushinteger(L, id);
	return 1;
}

static int run_clock(lua_State *L, struct hv_ioc_clock *args, struct hv_err *err)
{
	struct hv_machine machine;
	int rc = open_machine(L, HV_NEED_HYP, &machine, err);

	return rc < 0 ? rc : hv_hyp_clock(machine.hyp, args, err);
}

static uint32_t check_id(lua_State *L)
{
	lua_Integer id = luaL_checkinteger(L, 1);

	luaL_argcheck(L, id >= 0 && id < HV_LENT_IDS, 1, "an id of a lent clock");
	return (uint32_t)id;
}

/* clock_switch(id, on) -> true */
static int clock_switch(lua_State *L)
{
	struct hv_ioc_clock args = { .subcmd = HV_CLOCK_CONFIG_SET, .config.id = check_id(L) };
	struct hv_err err = { 0 };

	args.config.config = lua_toboolean(L, 2) ? HV_CLOCK_ON : 0;
	if (run_clock(L, &args, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* clock_set_rate(id, hz) -> the rate it has now */
static int clock_set_rate(lua_State *L)
{
	uint32_t id = check_id(L);
	lua_Integer hz = luaL_checkinteger(L, 2);
	struct hv_ioc_clock set = { .subcmd = HV_CLOCK_RATE_SET,
				    .rate_set = { .id = id, .rate = (uint64_t)hz } };
	struct hv_ioc_clock get = { .subcmd = HV_CLOCK_RATE_GET, .rate.id = id };
	struct hv_err err = { 0 };

	luaL_argcheck(L, hz > 0, 2, "a rate is over 0");
	if (run_clock(L, &set, &err) < 0 || run_clock(L, &get, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushinteger(L, (lua_Integer)get.rate.rate);
	return 1;
}

static int open_tree(lua_State *L, int idx, const char *label, struct hv_fdt **tree,
		     struct hv_err *err)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, idx, &len);

	return hv_fdt_open(bytes, len, label, tree, err);
}

static void push_need(lua_State *L, const struct facts *f, const struct hv_clock_need *need)
{
	lua_createtable(L, 0, 9);
	hv_bind_field_int(L, "slot", need->slot);
	hv_bind_field(L, "name", need->name);
	hv_bind_field(L, "provider", need->provider);
	hv_bind_field(L, "how", need->how);
	if (need->known)
		hv_bind_field_int(L, "rate", (lua_Integer)need->hz);
	if (need->lent >= 0)
		hv_bind_field_int(L, "lent", need->lent);
	if (need->clk >= 0)
		hv_bind_field(L, "clock", f->clks->clks[need->clk].name);
	lua_createtable(L, (int)need->ref.n_cells, 0);
	for (unsigned int i = 0; i < need->ref.n_cells; i++) {
		lua_pushinteger(L, need->ref.cells[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "cells");
}

/*
 * clock_plan(node, tree, label[, guest[, running]]) -> {clocks = {…}, root = source, guest =
 * source, why = message when the kernel's clocks cannot be read}; trees are bytes. The ids of what
 * is lent are the kernel's own only in the tree it runs with.
 */
static int clock_plan(lua_State *L)
{
	const char *node = luaL_checkstring(L, 1), *label = luaL_checkstring(L, 3);
	struct hv_err err = { 0 }, why = { 0 };
	struct hv_clock_facts facts = { 0 };
	struct hv_buf *root, *guest;
	struct facts *f;
	int n;

	lua_settop(L, 5);
	f = facts_new(L);
	if (open_tree(L, 2, label, &f->tree, &err) < 0 ||
	    (!lua_isnil(L, 4) && open_tree(L, 4, "the guest's tree", &f->guest, &err) < 0))
		return hv_bind_fail(L, &err);
	read_clocks(L, f, &why);
	facts = (struct hv_clock_facts){ .tree = f->tree, .clks = f->clks, .host = NULL };
	if (lua_toboolean(L, 5))
		facts.host = f->host;
	n = hv_clock_needs(&facts, node, f->needs, &err);
	if (n < 0)
		return hv_bind_fail(L, &err);
	lua_createtable(L, 0, 4);
	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		push_need(L, f, &f->needs[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "clocks");
	hv_bind_field(L, "why", why.code ? why.msg : NULL);
	root = hv_bind_buf(L);
	if (hv_clock_plan_root(&facts, f->needs, (unsigned int)n, root, &err) < 0 ||
	    hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_setfield(L, -2, "root");
	guest = hv_bind_buf(L);
	if (hv_clock_plan_guest(&facts, node, f->guest, f->needs, (unsigned int)n, guest, &err) <
		    0 ||
	    hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_setfield(L, -2, "guest");
	return 1;
}

/* clock_hertz("24M") -> 24000000 | nil, why */
static int clock_hertz(lua_State *L)
{
	uint64_t hz;
	int rc = hv_hz_parse(luaL_checkstring(L, 1), &hz);

	if (rc == 0) {
		lua_pushinteger(L, (lua_Integer)hz);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, rc == -ERANGE ? "it is too large" : "as in \"24M\" or \"32.768k\"");
	return 2;
}

/* clock_hertz_text(24000000) -> "24 MHz" */
static int clock_hertz_text(lua_State *L)
{
	lua_Integer hz = luaL_checkinteger(L, 1);
	char text[HV_HZ_TEXT];

	luaL_argcheck(L, hz >= 0, 1, "a rate is not negative");
	lua_pushstring(L, hv_hz_format((uint64_t)hz, text));
	return 1;
}

void hv_bind_clock(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "clock_list", clock_list },
		{ "clock_lent", clock_lent },
		{ "clock_switch", clock_switch },
		{ "clock_set_rate", clock_set_rate },
		{ "clock_plan", clock_plan },
		{ "clock_hertz", clock_hertz },
		{ "clock_hertz_text", clock_hertz_text },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
