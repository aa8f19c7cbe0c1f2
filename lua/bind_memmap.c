// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <lauxlib.h>

#include "base/size.h"
#include "memmap/draw.h"

#define MEMMAP "hvsh.memmap"

struct memmap {
	struct hv_memmap *map;
};

static int memmap_gc(lua_State *L)
{
	struct memmap *m = luaL_checkudata(L, 1, MEMMAP);

	hv_memmap_free(m->map);
	m->map = NULL;
	return 0;
}

static const struct hv_memmap *check_map(lua_State *L)
{
	struct memmap *m = luaL_checkudata(L, 1, MEMMAP);

	if (!m->map)
		luaL_error(L, "the map is closed");
	return m->map;
}

/* Stable words: scripts and tests know them. */
static const char *kind_name(enum hv_span_kind kind)
{
	static const char *const names[] = {
		[HV_SPAN_RAM] = "ram",		 [HV_SPAN_IO] = "io",
		[HV_SPAN_VIRTIO] = "virtio",	 [HV_SPAN_ROOT] = "root",
		[HV_SPAN_RESERVED] = "reserved", [HV_SPAN_HYPERVISOR] = "hypervisor",
		[HV_SPAN_WINDOW] = "window",	 [HV_SPAN_SHARED] = "shared",
	};

	return names[kind];
}

/* map:draw{width=, color=, unicode=} -> text */
static int memmap_draw(lua_State *L)
{
	const struct hv_memmap *map = check_map(L);
	struct hv_draw_opts opts = { 0 };
	struct hv_err err;
	struct hv_buf *buf;

	lua_settop(L, 2);
	if (!lua_isnil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		lua_getfield(L, 2, "width");
		opts.width = (int)luaL_optinteger(L, -1, 0);
		lua_getfield(L, 2, "color");
		opts.color = lua_toboolean(L, -1);
		lua_getfield(L, 2, "unicode");
		opts.unicode = lua_toboolean(L, -1);
		luaL_argcheck(L, opts.width >= 0 && opts.width < 10000, 2,
			      "width is a number of columns");
	}
	buf = hv_bind_buf(L);
	if (hv_memmap_draw(map, &opts, buf, &err) < 0 || hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* map:svg() -> text */
static int memmap_svg(lua_State *L)
{
	const struct hv_memmap *map = check_map(L);
	struct hv_err err;
	struct hv_buf *buf = hv_bind_buf(L);

	if (hv_memmap_svg(map, buf, &err) < 0 || hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* map:spans() -> {start, size, kind, zone, what, file, line, field} each */
static int memmap_spans(lua_State *L)
{
	const struct hv_memmap *map = check_map(L);
	size_t n = hv_memmap_count(map);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		const struct hv_span *span = hv_memmap_at(map, i);

		lua_createtable(L, 0, 8);
		hv_bind_field_int(L, "start", (lua_Integer)span->start);
		hv_bind_field_int(L, "size", (lua_Integer)span->size);
		hv_bind_field(L, "kind", kind_name(span->kind));
		hv_bind_field(L, "zone", span->zone);
		hv_bind_field(L, "what", span->what);
		hv_bind_origin(L, &span->origin);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* map:free(size, align) -> address | nil, message, code */
static int memmap_free(lua_State *L)
{
	const struct hv_memmap *map = check_map(L);
	lua_Integer size = luaL_checkinteger(L, 2);
	lua_Integer align = luaL_optinteger(L, 3, (lua_Integer)HV_PAGE_SIZE);
	struct hv_err err;
	uint64_t start;

	luaL_argcheck(L, size > 0, 2, "a size is over 0");
	luaL_argcheck(L, align > 0 && (align & (align - 1)) == 0, 3,
		      "an alignment is a power of two");
	if (hv_memmap_find_free(map, (uint64_t)size, (uint64_t)align, &start, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushinteger(L, (lua_Integer)start);
	return 1;
}

static int memmap_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)hv_memmap_count(check_map(L)));
	return 1;
}

/* memmap(specs) -> map | nil, message, code */
static int memmap(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "draw", memmap_draw }, { "svg", memmap_svg },	  { "spans", memmap_spans },
		{ "free", memmap_free }, { "count", memmap_len }, { NULL, NULL },
	};
	struct hv_machine machine;
	struct hv_err err;
	struct hv_bind_set *s;
	struct memmap *m;

	lua_settop(L, 1);
	s = hv_bind_set_new(L, 1, &err);
	if (!s || hv_bind_set_run_check(L, s, HV_NEED_MAYBE, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	hv_bind_type(L, MEMMAP, methods, memmap_gc);
	m = lua_newuserdatauv(L, sizeof(*m), 0);
	*m = (struct memmap){ 0 };
	luaL_setmetatable(L, MEMMAP);
	if (hv_zone_set_memmap(s->set, &machine, &m->map, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

void hv_bind_memmap(lua_State *L)
{
	lua_pushcfunction(L, memmap);
	lua_setfield(L, -2, "memmap");
}
