// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"
#include "lua/control.h"
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <string.h>

#define BUF "hvsh.buf"

/* plain(message) -> what hv_bind_fail has pushed, without the name of its code */
static int plain(lua_State *L)
{
	size_t len;
	const char *text = luaL_tolstring(L, 1, &len);
	size_t name = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

	if (*text == 'E' && name > 1 && !strncmp(text + name, ": ", 2))
		lua_pushlstring(L, text + name + 2, len - name - 2);
	return 1;
}

int luaopen_hvsh_core(lua_State *L)
{
	lua_createtable(L, 0, 24);
	lua_pushcfunction(L, plain);
	lua_setfield(L, -2, "plain");
	hv_bind_check(L);
	hv_bind_plan(L);
	hv_bind_zone(L);
	hv_bind_memmap(L);
	hv_bind_fdt(L);
	hv_bind_clock(L);
	hv_bind_hv(L);
	hv_bind_virtio(L);
	hv_bind_console(L);
	hv_bind_input(L);
	hv_bind_ivc(L);
	hv_bind_gpu(L);
	hv_bind_custom(L);
	hv_bind_control(L);
	hv_bind_run(L);
	hv_bind_task(L);
	hv_bind_shell(L);
	hv_bind_embed(L);
	hv_bind_sandbox(L);
	hv_bind_policy(L);
	hv_bind_made_listen(L);
	hv_bind_event(L);
	hv_bind_signal(L);
	hv_bind_screen(L);
	return 1;
}

int hv_bind_fail(lua_State *L, const struct hv_err *err)
{
	const char *name = hv_err_name(err->code);

	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", name, err->msg);
	lua_pushstring(L, name);
	return 3;
}

void hv_bind_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
	if (luaL_newmetatable(L, name)) {
		lua_newtable(L);
		luaL_setfuncs(L, methods, 0);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, gc);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, gc);
		lua_setfield(L, -2, "__close");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

static int buf_gc(lua_State *L)
{
	hv_buf_free(luaL_checkudata(L, 1, BUF));
	return 0;
}

struct hv_buf *hv_bind_buf(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	struct hv_buf *buf;

	hv_bind_type(L, BUF, none, buf_gc);
	buf = lua_newuserdatauv(L, sizeof(*buf), 0);
	*buf = (struct hv_buf){ 0 };
	luaL_setmetatable(L, BUF);
	return buf;
}

int hv_bind_buf_text(lua_State *L, struct hv_err *err)
{
	struct hv_buf *buf = luaL_checkudata(L, -1, BUF);

	if (buf->failed)
		return hv_err_nomem(err);
	lua_pushlstring(L, buf->data ? buf->data : "", buf->len);
	hv_buf_free(buf);
	*buf = (struct hv_buf){ 0 };
	lua_remove(L, -2);
	return 0;
}

void hv_bind_field(lua_State *L, const char *key, const char *value)
{
	if (!value)
		return;
	lua_pushstring(L, value);
	lua_setfield(L, -2, key);
}

void hv_bind_field_int(lua_State *L, const char *key, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, key);
}

void hv_bind_origin(lua_State *L, const struct hv_origin *origin)
{
	hv_bind_field(L, "file", origin->file);
	if (origin->line > 0)
		hv_bind_field_int(L, "line", origin->line);
	hv_bind_field(L, "field", origin->field);
}

void hv_bind_push_cpus(lua_State *L, uint64_t cpus)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (int cpu = 0; cpu < 64; cpu++) {
		if (!(cpus >> cpu & 1))
			continue;
		lua_pushinteger(L, cpu);
		lua_rawseti(L, -2, ++n);
	}
}
