// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind_fdt.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "fdt/print.h"
#include "fdt/refs.h"
#include "lua/bind.h"

/*
 * Nodes are offsets here; lua/prelude/fdt.lua makes objects of them, which find their node again
 * after a change.
 */

#define FDT "hvsh.fdt.tree"
#define LIST_MAX 65536u

static int fdt_gc(lua_State *L)
{
	struct hv_fdt **tree = luaL_checkudata(L, 1, FDT);

	hv_fdt_close(*tree);
	*tree = NULL;
	return 0;
}

struct hv_fdt *hv_bind_fdt_check(lua_State *L, int idx)
{
	struct hv_fdt **tree = luaL_checkudata(L, idx, FDT);

	if (!*tree)
		luaL_error(L, "the device tree is closed");
	return *tree;
}

int hv_bind_fdt_node(lua_State *L, int idx)
{
	lua_Integer node = luaL_checkinteger(L, idx);

	luaL_argcheck(L, node >= 0 && node <= INT32_MAX, idx, "no node");
	return (int)node;
}

void hv_bind_fdt_push_path(lua_State *L, const struct hv_fdt *tree, int node)
{
	char path[2048];

	lua_pushstring(L, hv_fdt_path(tree, node, path, sizeof(path)));
}

/* tree:find(name) -> node | nil, message, code */
static int fdt_find(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	struct hv_err err;
	int node = hv_fdt_find(tree, luaL_checkstring(L, 2), &err);

	if (node < 0)
		return hv_bind_fail(L, &err);
	lua_pushinteger(L, node);
	return 1;
}

static int push_node(lua_State *L, int node)
{
	if (node < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, node);
	return 1;
}

static int fdt_root(lua_State *L)
{
	return push_node(L, hv_fdt_root(hv_bind_fdt_check(L, 1)));
}

static int fdt_parent(lua_State *L)
{
	return push_node(L, hv_fdt_parent(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2)));
}

static int fdt_child(lua_State *L)
{
	return push_node(L, hv_fdt_child(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2)));
}

static int fdt_sibling(lua_State *L)
{
	return push_node(L, hv_fdt_sibling(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2)));
}

static int fdt_by_phandle(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	lua_Integer phandle = luaL_checkinteger(L, 2);

	luaL_argcheck(L, phandle > 0 && phandle <= UINT32_MAX, 2, "no phandle");
	return push_node(L, hv_fdt_by_phandle(tree, (uint32_t)phandle));
}

static int fdt_path(lua_State *L)
{
	hv_bind_fdt_push_path(L, hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2));
	return 1;
}

static int fdt_name(lua_State *L)
{
	lua_pushstring(L, hv_fdt_name(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2)));
	return 1;
}

static int fdt_symbol(lua_State *L)
{
	const char *label = hv_fdt_symbol(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2));

	lua_pushstring(L, label);
	return 1;
}

static int fdt_phandle(lua_State *L)
{
	uint32_t phandle = hv_fdt_phandle(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2));

	if (!phandle)
		return 0;
	lua_pushinteger(L, phandle);
	return 1;
}

static int fdt_enabled(lua_State *L)
{
	lua_pushboolean(L, hv_fdt_enabled(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2)));
	return 1;
}

static int fdt_compatible(lua_State *L)
{
	lua_pushboolean(L, hv_fdt_compatible(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2),
					     luaL_checkstring(L, 3)));
	return 1;
}

/* tree:prop(node, name) -> bytes | nothing */
static int fdt_prop(lua_State *L)
{
	size_t len;
	const void *value = hv_fdt_prop(hv_bind_fdt_check(L, 1), hv_bind_fdt_node(L, 2),
					luaL_checkstring(L, 3), &len);

	if (!value)
		return 0;
	lua_pushlstring(L, value, len);
	return 1;
}

static int push_prop(const char *name, const void *value, size_t len, void *arg)
{
	lua_State *L = arg;

	(void)value;
	(void)len;
	lua_pushstring(L, name);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	return 0;
}

/* tree:props(node) -> names in the tree's order */
static int fdt_props(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	int node = hv_bind_fdt_node(L, 2);

	luaL_checkstack(L, 8, NULL);
	lua_newtable(L);
	hv_fdt_each_prop(tree, node, push_prop, L);
	return 1;
}

static void push_problem(lua_State *L, const struct hv_err *err)
{
	hv_bind_field(L, "problem", err->msg);
	hv_bind_field(L, "code", hv_err_name(err->code));
}

/* tree:regs(node) -> {start=, size=} or {problem=, code=} each */
static int fdt_regs(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	int node = hv_bind_fdt_node(L, 2);
	struct hv_err err;
	uint64_t start, size;

	lua_newtable(L);
	for (unsigned int i = 0; i < LIST_MAX; i++) {
		int rc = hv_fdt_reg(tree, node, i, &start, &size, &err);

		if (rc == -ENOENT)
			break;
		lua_createtable(L, 0, 2);
		if (rc) {
			push_problem(L, &err);
		} else {
			hv_bind_field_int(L, "start", (lua_Integer)start);
			hv_bind_field_int(L, "size", (lua_Integer)size);
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
		if (rc == -EINVAL)
			break;
	}
	return 1;
}

/* tree:irqs(node) -> {number=, controller=, type=, trigger=, via=} or {problem=, code=} each */
static int fdt_irqs(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	int node = hv_bind_fdt_node(L, 2);
	struct hv_fdt_irq irq;
	struct hv_err err;

	lua_newtable(L);
	for (unsigned int i = 0; i < LIST_MAX; i++) {
		int rc = hv_fdt_irq(tree, node, i, &irq, &err);

		if (rc == -ENOENT)
			break;
		lua_createtable(L, 0, 5);
		if (irq.controller_node >= 0) {
			hv_bind_fdt_push_path(L, tree, irq.controller_node);
			lua_setfield(L, -2, "controller");
			hv_bind_field(L, "type", hv_irq_controller_name(irq.controller));
		}
		if (rc) {
			push_problem(L, &err);
		} else {
			hv_bind_field_int(L, "number", irq.number);
			hv_bind_field(L, "trigger", hv_irq_trigger_name(irq.trigger));
		}
		if (irq.via_node >= 0) {
			hv_bind_fdt_push_path(L, tree, irq.via_node);
			lua_setfield(L, -2, "via");
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
		if (rc == -EINVAL)
			break;
	}
	return 1;
}

static int push_ref(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	lua_State *L = arg;

	(void)node;
	lua_createtable(L, 0, 7);
	hv_bind_field(L, "kind", hv_fdt_ref_kind_name(ref->kind));
	hv_bind_field(L, "property", ref->property);
	hv_bind_field(L, "name", ref->name);
	hv_bind_field_int(L, "slot", ref->slot);
	hv_bind_field_int(L, "phandle", ref->phandle);
	if (ref->node >= 0) {
		lua_pushinteger(L, ref->node);
		lua_setfield(L, -2, "node");
		hv_bind_fdt_push_path(L, tree, ref->node);
		lua_setfield(L, -2, "path");
		lua_createtable(L, (int)ref->n_args, 0);
		for (unsigned int i = 0; i < ref->n_args; i++) {
			lua_pushinteger(L, ref->args[i]);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		lua_setfield(L, -2, "args");
	}
	hv_bind_field(L, "problem", ref->problem);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	return 0;
}

/* tree:refs(node) -> {kind=, property=, slot=, node=, path=, args=, name=, problem=} each */
static int fdt_refs(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	int node = hv_bind_fdt_node(L, 2);

	luaL_checkstack(L, 8, NULL);
	lua_newtable(L);
	hv_fdt_each_ref(tree, node, push_ref, L);
	return 1;
}

/* tree:print(node, depth) -> text */
static int fdt_print(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	int node = hv_bind_fdt_node(L, 2);
	int depth = (int)luaL_optinteger(L, 3, -1);
	struct hv_err err;
	struct hv_buf *buf = hv_bind_buf(L);

	if (hv_fdt_print(tree, node, depth, buf, &err) < 0 || hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* tree:value(node, property) -> text */
static int fdt_value(lua_State *L)
{
	const struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	int node = hv_bind_fdt_node(L, 2);
	const char *name = luaL_checkstring(L, 3);
	struct hv_err err;
	struct hv_buf *buf = hv_bind_buf(L);

	if (hv_fdt_print_value(tree, node, name, buf, &err) < 0 || hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

static int done(lua_State *L, int rc, const struct hv_err *err)
{
	if (rc < 0)
		return hv_bind_fail(L, err);
	lua_pushboolean(L, 1);
	return 1;
}

/* tree:set(path, property, bytes | nil) -> true */
static int fdt_set(lua_State *L)
{
	struct hv_fdt *tree = hv_bind_fdt_check(L, 1);
	const char *path = luaL_checkstring(L, 2), *name = luaL_checkstring(L, 3);
	size_t len = 0;
	const char *value = luaL_optlstring(L, 4, NULL, &len);
	struct hv_err err;

	return done(L, hv_fdt_set_prop(tree, path, name, value, len, &err), &err);
}

static int fdt_add(lua_State *L)
{
	struct hv_err err;

	return done(L, hv_fdt_add_node(hv_bind_fdt_check(L, 1), luaL_checkstring(L, 2), &err),
		    &err);
}

static int fdt_delete(lua_State *L)
{
	struct hv_err err;

	return done(L, hv_fdt_del_node(hv_bind_fdt_check(L, 1), luaL_checkstring(L, 2), &err),
		    &err);
}

static int fdt_overlay(lua_State *L)
{
	struct hv_err err;

	return done(L, hv_fdt_overlay(hv_bind_fdt_check(L, 1), hv_bind_fdt_check(L, 2), &err),
		    &err);
}

static int fdt_save(lua_State *L)
{
	struct hv_err err;

	return done(L, hv_fdt_save(hv_bind_fdt_check(L, 1), luaL_checkstring(L, 2), &err), &err);
}

static int fdt_blob(lua_State *L)
{
	size_t size;
	const void *blob = hv_fdt_blob(hv_bind_fdt_check(L, 1), &size);

	lua_pushlstring(L, blob, size);
	return 1;
}

static int fdt_label(lua_State *L)
{
	lua_pushstring(L, hv_fdt_label(hv_bind_fdt_check(L, 1)));
	return 1;
}

static int fdt_generation(lua_State *L)
{
	lua_pushinteger(L, hv_fdt_generation(hv_bind_fdt_check(L, 1)));
	return 1;
}

static int fdt_closed(lua_State *L)
{
	struct hv_fdt **tree = luaL_checkudata(L, 1, FDT);

	lua_pushboolean(L, !*tree);
	return 1;
}

struct hv_fdt **hv_bind_fdt_new(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "find", fdt_find },
		{ "root", fdt_root },
		{ "parent", fdt_parent },
		{ "child", fdt_child },
		{ "sibling", fdt_sibling },
		{ "by_phandle", fdt_by_phandle },
		{ "path", fdt_path },
		{ "name", fdt_name },
		{ "symbol", fdt_symbol },
		{ "phandle", fdt_phandle },
		{ "enabled", fdt_enabled },
		{ "compatible", fdt_compatible },
		{ "prop", fdt_prop },
		{ "props", fdt_props },
		{ "regs", fdt_regs },
		{ "irqs", fdt_irqs },
		{ "refs", fdt_refs },
		{ "print", fdt_print },
		{ "value", fdt_value },
		{ "set", fdt_set },
		{ "add", fdt_add },
		{ "delete", fdt_delete },
		{ "overlay", fdt_overlay },
		{ "save", fdt_save },
		{ "blob", fdt_blob },
		{ "label", fdt_label },
		{ "generation", fdt_generation },
		{ "closed", fdt_closed },
		{ "close", fdt_gc },
		{ NULL, NULL },
	};
	struct hv_fdt **tree;

	hv_bind_type(L, FDT, methods, fdt_gc);
	tree = lua_newuserdatauv(L, sizeof(struct hv_fdt *), 0);
	*tree = NULL;
	luaL_setmetatable(L, FDT);
	return tree;
}

/* fdt_open(path) -> tree | nil, message, code */
static int open_file(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct hv_fdt **tree = hv_bind_fdt_new(L);
	struct hv_err err;

	if (hv_fdt_open_file(path, tree, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* fdt_folder(path) -> tree | nil, message, code */
static int open_folder(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct hv_fdt **tree = hv_bind_fdt_new(L);
	struct hv_err err;

	if (hv_fdt_open_folder(path, tree, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* fdt_parse(bytes, label) -> tree | nil, message, code */
static int parse(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	const char *label = luaL_optstring(L, 2, "device tree");
	struct hv_fdt **tree = hv_bind_fdt_new(L);
	struct hv_err err;

	if (hv_fdt_open(bytes, size, label, tree, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* fdt_machine() -> tree | nil, message, code */
static int open_machine(lua_State *L)
{
	struct hv_fdt **tree = hv_bind_fdt_new(L);
	struct hv_err err;

	if (hv_fdt_open_running(tree, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

void hv_bind_fdt(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "fdt_open", open_file },
		{ "fdt_folder", open_folder },
		{ "fdt_parse", parse },
		{ "fdt_machine", open_machine },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
	hv_bind_fdt_plan(L);
	hv_bind_fdt_guest(L);
}
