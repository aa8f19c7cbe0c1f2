// SPDX-License-Identifier: GPL-2.0-or-later
#include <lauxlib.h>
#include <string.h>

#include "fdt/guest.h"
#include "lua/bind.h"
#include "lua/bind_fdt.h"

/*
 * The description of a guest as a table of plain fields, checked by lua/prelude/fdt_guest.lua.
 * Arrays are Lua's and stay on the stack; strings are the table's.
 */

static lua_Integer integer(lua_State *L, int idx, const char *key, lua_Integer absent)
{
	lua_Integer value;

	lua_getfield(L, idx, key);
	value = luaL_optinteger(L, -1, absent);
	lua_pop(L, 1);
	return value;
}

static const char *text(lua_State *L, int idx, const char *key)
{
	const char *value;

	lua_getfield(L, idx, key);
	value = luaL_optstring(L, -1, NULL);
	lua_pop(L, 1);
	return value;
}

/* Pushes the list and an array for it; *n = its length. */
static void *array(lua_State *L, int idx, const char *key, size_t size, size_t *n)
{
	void *at;

	lua_getfield(L, idx, key);
	*n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	luaL_argcheck(L, *n < 4096, idx, "too many entries");
	at = lua_newuserdatauv(L, (*n + 1) * size, 0);
	memset(at, 0, (*n + 1) * size);
	return at;
}

static struct hv_fdt_range *ranges(lua_State *L, int idx, const char *key, size_t *n)
{
	struct hv_fdt_range *at = array(L, idx, key, sizeof(*at), n);

	for (size_t i = 0; i < *n; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		at[i].start = (uint64_t)integer(L, lua_gettop(L), "at", 0);
		at[i].size = (uint64_t)integer(L, lua_gettop(L), "size", 0);
		lua_pop(L, 1);
	}
	return at;
}

static void take_cpus(lua_State *L, struct hv_fdt_guest *d)
{
	struct hv_fdt_guest_cpu *cpus = array(L, 3, "cpus", sizeof(*cpus), &d->n_cpus);

	for (size_t i = 0; i < d->n_cpus; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		cpus[i].id = (uint64_t)integer(L, lua_gettop(L), "id", 0);
		cpus[i].compatible = text(L, lua_gettop(L), "compatible");
		lua_pop(L, 1);
	}
	d->cpus = cpus;
}

static void take_reserved(lua_State *L, struct hv_fdt_guest *d)
{
	struct hv_fdt_guest_reserved *r = array(L, 3, "reserved", sizeof(*r), &d->n_reserved);

	for (size_t i = 0; i < d->n_reserved; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		r[i].name = text(L, lua_gettop(L), "name");
		r[i].start = (uint64_t)integer(L, lua_gettop(L), "at", 0);
		r[i].size = (uint64_t)integer(L, lua_gettop(L), "size", 0);
		lua_getfield(L, -1, "no_map");
		r[i].no_map = lua_toboolean(L, -1);
		lua_pop(L, 2);
		if (!r[i].name)
			r[i].name = "memory";
	}
	d->reserved = r;
}

static void take_virtio(lua_State *L, struct hv_fdt_guest *d)
{
	struct hv_fdt_guest_virtio *v = array(L, 3, "virtio", sizeof(*v), &d->n_virtio);
	uint32_t *ivc;

	for (size_t i = 0; i < d->n_virtio; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		v[i].at = (uint64_t)integer(L, lua_gettop(L), "at", 0);
		v[i].size = (uint64_t)integer(L, lua_gettop(L), "size", 0x200);
		v[i].irq = (uint32_t)integer(L, lua_gettop(L), "irq", 0);
		lua_pop(L, 1);
	}
	d->virtio = v;
	ivc = array(L, 3, "ivc", sizeof(*ivc), &d->n_ivc_irqs);
	for (size_t i = 0; i < d->n_ivc_irqs; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		ivc[i] = (uint32_t)luaL_checkinteger(L, -1);
		lua_pop(L, 1);
	}
	d->ivc_irqs = ivc;
}

static enum hv_irq_controller controller(lua_State *L)
{
	const char *name = text(L, 3, "controller");

	for (enum hv_irq_controller c = HV_IRQC_GICV2; c <= HV_IRQC_APLIC; c++)
		if (name && strcmp(name, hv_irq_controller_name(c)) == 0)
			return c;
	return HV_IRQC_OTHER;
}

/* The description in the table at 3. */
static void describe(lua_State *L, struct hv_fdt_guest *d)
{
	luaL_checktype(L, 3, LUA_TTABLE);
	luaL_checkstack(L, 40, NULL);
	*d = (struct hv_fdt_guest){ .irqc = controller(L) };
	d->irqc_reg = ranges(L, 3, "registers", &d->n_irqc_reg);
	if (lua_getfield(L, 3, "its") == LUA_TTABLE) {
		d->its.start = (uint64_t)integer(L, lua_gettop(L), "at", 0);
		d->its.size = (uint64_t)integer(L, lua_gettop(L), "size", 0);
	}
	d->n_sources = (uint32_t)integer(L, 3, "sources", 0);
	take_cpus(L, d);
	d->isa = text(L, 3, "isa");
	d->timebase_frequency = (uint32_t)integer(L, 3, "timebase", 0);
	d->memory = ranges(L, 3, "memory", &d->n_memory);
	take_reserved(L, d);
	d->model = text(L, 3, "model");
	d->bootargs = text(L, 3, "bootargs");
	d->stdout_path = text(L, 3, "stdout");
	if (lua_getfield(L, 3, "initrd") == LUA_TTABLE) {
		d->has_initrd = true;
		d->initrd_start = (uint64_t)integer(L, lua_gettop(L), "at", 0);
		d->initrd_end = d->initrd_start + (uint64_t)integer(L, lua_gettop(L), "size", 0);
	}
	take_virtio(L, d);
}

/* fdt_guest(tree | nil, plan | nil, description) -> tree | nil, message, code */
static int build(lua_State *L)
{
	const struct hv_fdt *host = lua_isnil(L, 1) ? NULL : hv_bind_fdt_check(L, 1);
	const struct hv_fdt_passthrough *plan =
		lua_isnil(L, 2) ? NULL : hv_bind_fdt_plan_check(L, 2);
	struct hv_fdt_guest desc;
	struct hv_fdt **tree;
	struct hv_err err;

	lua_settop(L, 3);
	describe(L, &desc);
	desc.plan = plan;
	tree = hv_bind_fdt_new(L);
	if (hv_fdt_guest_build(host, &desc, tree, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* fdt_patch(tree, {chosen=, memory=, virtio=}, description) -> true | nil, message, code */
static int patch(lua_State *L)
{
	struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	struct hv_fdt_guest desc;
	struct hv_err err;
	unsigned int what = 0;

	lua_settop(L, 3);
	luaL_checktype(L, 2, LUA_TTABLE);
	describe(L, &desc);
	lua_getfield(L, 2, "chosen");
	what |= lua_toboolean(L, -1) ? HV_PATCH_CHOSEN : 0;
	lua_getfield(L, 2, "memory");
	what |= lua_toboolean(L, -1) ? HV_PATCH_MEMORY : 0;
	lua_getfield(L, 2, "virtio");
	what |= lua_toboolean(L, -1) ? HV_PATCH_VIRTIO : 0;
	if (hv_fdt_guest_patch(tree, &desc, what, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static int first_known(const struct hv_fdt *tree, int node, void *arg)
{
	enum hv_irq_controller kind = hv_fdt_controller(tree, node);

	if (kind == HV_IRQC_NONE || kind == HV_IRQC_OTHER || !hv_fdt_enabled(tree, node))
		return 0;
	*(int *)arg = node;
	return 1;
}

/* fdt_controller(tree) -> {controller=, path=, registers={{at=,size=}…}}: the first that is known
 */
static int machine(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	uint64_t start, size;
	int node = -1;

	lua_createtable(L, 0, 2);
	if (!hv_fdt_each(tree, first_known, &node))
		return 1;
	hv_bind_field(L, "controller", hv_irq_controller_name(hv_fdt_controller(tree, node)));
	hv_bind_fdt_push_path(L, tree, node);
	lua_setfield(L, -2, "path");
	lua_newtable(L);
	for (unsigned int i = 0; i < 8 && !hv_fdt_reg(tree, node, i, &start, &size, NULL); i++) {
		lua_createtable(L, 0, 2);
		hv_bind_field_int(L, "at", (lua_Integer)start);
		hv_bind_field_int(L, "size", (lua_Integer)size);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "registers");
	return 1;
}

void hv_bind_fdt_guest(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "fdt_guest", build },
		{ "fdt_patch", patch },
		{ "fdt_controller", machine },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
