// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/spec_read.h"

#include <lauxlib.h>
#include <string.h>

void *hv_read_need(struct hv_reader *r, const void *p)
{
	if (!p)
		luaL_error(r->L, "not enough memory");
	return (void *)p;
}

void *hv_read_array(struct hv_reader *r, size_t n, size_t size)
{
	return n ? hv_read_need(r, hv_arena_array(r->arena, n, size)) : NULL;
}

/* Pushes t[key]; true when it is there. Otherwise pushes nothing. */
bool hv_read_push(struct hv_reader *r, int t, const char *key)
{
	lua_pushstring(r->L, key);
	if (lua_rawget(r->L, t) != LUA_TNIL)
		return true;
	lua_pop(r->L, 1);
	return false;
}

bool hv_read_push_table(struct hv_reader *r, int t, const char *key)
{
	if (!hv_read_push(r, t, key))
		return false;
	if (!lua_istable(r->L, -1))
		luaL_error(r->L, "spec: %s is a %s", key, luaL_typename(r->L, -1));
	luaL_checkstack(r->L, 16, "spec");
	return true;
}

/* t[i] as a table, on top of the stack. */
int hv_read_push_entry(struct hv_reader *r, int t, size_t i)
{
	luaL_checkstack(r->L, 16, "spec");
	if (lua_rawgeti(r->L, t, (lua_Integer)i + 1) != LUA_TTABLE)
		luaL_error(r->L, "spec: entry %d is a %s", (int)i + 1, luaL_typename(r->L, -1));
	return lua_gettop(r->L);
}

const char *hv_read_text_at(struct hv_reader *r, int idx)
{
	if (lua_type(r->L, idx) != LUA_TSTRING)
		luaL_error(r->L, "spec: text expected, got %s", luaL_typename(r->L, idx));
	return hv_read_need(r, hv_arena_strdup(r->arena, lua_tostring(r->L, idx)));
}

const char *hv_read_text(struct hv_reader *r, int t, const char *key)
{
	const char *text = NULL;

	if (hv_read_push(r, t, key)) {
		text = hv_read_text_at(r, -1);
		lua_pop(r->L, 1);
	}
	return text;
}

int64_t hv_read_integer_at(struct hv_reader *r, int idx)
{
	if (!lua_isinteger(r->L, idx))
		luaL_error(r->L, "spec: an integer expected, got %s", luaL_typename(r->L, idx));
	return lua_tointeger(r->L, idx);
}

/* False, and *value unchanged, when there is none. Negative numbers do not occur in specs. */
bool hv_read_u64(struct hv_reader *r, int t, const char *key, uint64_t *value)
{
	int64_t n;

	if (!hv_read_push(r, t, key))
		return false;
	n = hv_read_integer_at(r, -1);
	if (n < 0)
		luaL_error(r->L, "spec: %s is negative", key);
	*value = (uint64_t)n;
	lua_pop(r->L, 1);
	return true;
}

bool hv_read_u32(struct hv_reader *r, int t, const char *key, uint32_t *value)
{
	uint64_t n;

	if (!hv_read_u64(r, t, key, &n))
		return false;
	if (n > UINT32_MAX)
		luaL_error(r->L, "spec: %s is over 32 bits", key);
	*value = (uint32_t)n;
	return true;
}

uint8_t hv_read_u8(struct hv_reader *r, int t, const char *key)
{
	uint32_t n = 0;

	hv_read_u32(r, t, key, &n);
	if (n > UINT8_MAX)
		luaL_error(r->L, "spec: %s is over 8 bits", key);
	return (uint8_t)n;
}

bool hv_read_bool(struct hv_reader *r, int t, const char *key)
{
	bool value = false;

	if (hv_read_push(r, t, key)) {
		value = lua_toboolean(r->L, -1);
		lua_pop(r->L, 1);
	}
	return value;
}

/* A list of CPU numbers as a bitmap. */
uint64_t hv_read_cpus(struct hv_reader *r, int t, const char *key)
{
	uint64_t cpus = 0;
	size_t i, n;

	if (!hv_read_push_table(r, t, key))
		return 0;
	n = lua_rawlen(r->L, -1);
	for (i = 0; i < n; i++) {
		int64_t cpu;

		lua_rawgeti(r->L, -1, (lua_Integer)i + 1);
		cpu = hv_read_integer_at(r, -1);
		if (cpu < 0 || cpu > 63)
			luaL_error(r->L, "spec: CPU %d", (int)cpu);
		cpus |= UINT64_C(1) << cpu;
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	return cpus;
}

/* {at=, size=} */
bool hv_read_window(struct hv_reader *r, int t, const char *key, uint64_t *at, uint64_t *size)
{
	int w;

	if (!hv_read_push_table(r, t, key))
		return false;
	w = lua_gettop(r->L);
	hv_read_u64(r, w, "at", at);
	hv_read_u64(r, w, "size", size);
	lua_pop(r->L, 1);
	return true;
}

/* ---- origins */

/* Pops a path (or nil) and says where that was written. */
static struct hv_origin origin_of_path(struct hv_reader *r)
{
	struct hv_origin origin = { 0 };
	uint64_t line = 0;
	const char *file;
	int o;

	if (lua_type(r->L, -1) != LUA_TSTRING) {
		lua_pop(r->L, 1);
		return origin;
	}
	origin.field = *lua_tostring(r->L, -1) ? hv_read_text_at(r, -1) : NULL;
	if (lua_rawget(r->L, r->origins) != LUA_TTABLE) {
		lua_pop(r->L, 1);
		return origin;
	}
	o = lua_gettop(r->L);
	if (hv_read_push(r, o, "file")) {
		file = lua_tostring(r->L, -1);
		if (file && (!r->file || strcmp(file, r->file)))
			r->file = hv_read_text_at(r, -1);
		origin.file = file ? r->file : NULL;
		lua_pop(r->L, 1);
	}
	hv_read_u64(r, o, "line", &line);
	origin.line = line < INT32_MAX ? (int)line : 0;
	lua_pop(r->L, 1);
	return origin;
}

/* Pushes places[t], or nil. */
static void push_places(struct hv_reader *r, int t)
{
	lua_pushvalue(r->L, t);
	lua_rawget(r->L, r->places);
}

/* Where t[key] was written. */
struct hv_origin hv_read_origin(struct hv_reader *r, int t, const char *key)
{
	struct hv_origin o;

	push_places(r, t);
	if (!lua_istable(r->L, -1)) {
		lua_pop(r->L, 1);
		return (struct hv_origin){ 0 };
	}
	lua_pushstring(r->L, key);
	lua_rawget(r->L, -2);
	o = origin_of_path(r);
	lua_pop(r->L, 1);
	return o;
}

/* Where t[i + 1] was written. */
struct hv_origin hv_read_origin_at(struct hv_reader *r, int t, size_t i)
{
	struct hv_origin o;

	push_places(r, t);
	if (!lua_istable(r->L, -1)) {
		lua_pop(r->L, 1);
		return (struct hv_origin){ 0 };
	}
	lua_rawgeti(r->L, -1, (lua_Integer)i + 1);
	o = origin_of_path(r);
	lua_pop(r->L, 1);
	return o;
}

/* Where the part with this path was written. */
struct hv_origin hv_read_origin_of(struct hv_reader *r, const char *path)
{
	lua_pushstring(r->L, path);
	return origin_of_path(r);
}

/* ---- parts that zones and boards share */

bool hv_read_gic(struct hv_reader *r, int t, struct hv_abi_arm64 *arm64)
{
	uint64_t version = 0;
	int g;

	if (!hv_read_push_table(r, t, "gic"))
		return false;
	g = lua_gettop(r->L);
	hv_read_u64(r, g, "version", &version);
	arm64->gic_version = version == 2 ? 2 : 3;
	hv_read_window(r, g, "gicd", &arm64->gicd_base, &arm64->gicd_size);
	hv_read_window(r, g, "gicr", &arm64->gicr_base, &arm64->gicr_size);
	hv_read_window(r, g, "its", &arm64->gits_base, &arm64->gits_size);
	hv_read_window(r, g, "gich", &arm64->gich_base, &arm64->gich_size);
	hv_read_window(r, g, "gicv", &arm64->gicv_base, &arm64->gicv_size);
	if (hv_read_push_table(r, g, "gicc")) {
		int c = lua_gettop(r->L);

		hv_read_u64(r, c, "at", &arm64->gicc_base);
		hv_read_u64(r, c, "size", &arm64->gicc_size);
		hv_read_u64(r, c, "offset", &arm64->gicc_offset);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	return true;
}

bool hv_read_plic(struct hv_reader *r, int t, struct hv_abi_riscv64 *plic)
{
	bool has = hv_read_window(r, t, "plic", &plic->plic_base, &plic->plic_size);

	return hv_read_window(r, t, "aplic", &plic->aplic_base, &plic->aplic_size) || has;
}

enum hv_arch hv_read_arch(struct hv_reader *r, int t)
{
	enum hv_arch arch = hv_arch_native();
	int known;

	if (hv_read_push(r, t, "arch")) {
		known = lua_isstring(r->L, -1) ? hv_arch_parse(lua_tostring(r->L, -1)) : -1;
		if (known < 0)
			luaL_error(r->L, "spec: unknown architecture");
		arch = (enum hv_arch)known;
		lua_pop(r->L, 1);
	}
	return arch;
}

/* Pushes what hvsh.dsl keeps behind the object at idx; nil when it is none of its own. */
int hv_read_behind(lua_State *L, int idx, const char *table)
{
	idx = lua_absindex(L, idx);
	luaL_checkstack(L, 24, "spec");
	if (lua_getfield(L, LUA_REGISTRYINDEX, table) != LUA_TTABLE || lua_isnoneornil(L, idx)) {
		lua_pushnil(L);
	} else {
		lua_pushvalue(L, idx);
		lua_rawget(L, -2);
	}
	lua_remove(L, -2);
	return lua_gettop(L);
}
