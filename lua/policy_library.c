// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/policy_library.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>
#include <string.h>

#define VALUES_MAX 65536
#define FORMAT_MAX 64

/* Calls what the first upvalue is in the place of, with all that is on the stack. */
static int call_original(lua_State *L, int results)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, results);
	return lua_gettop(L);
}

/* ---- what would run where no hook is called */

/* (table, metatable); upvalue: setmetatable itself */
static int set_metatable(lua_State *L)
{
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a policy has no finalizers (__gc)");
		lua_pop(L, 1);
	}
	return call_original(L, LUA_MULTRET);
}

/*
 * (function, handler, …): the handler is called when the error has left the function. Lua itself
 * calls it where the error is raised, which may be the hook, and there no hook is called.
 */
static int protected_call(lua_State *L)
{
	int n = lua_gettop(L);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 1);
	lua_insert(L, 3);
	if (lua_pcall(L, n - 2, LUA_MULTRET, 0) == LUA_OK) {
		lua_pushboolean(L, 1);
		lua_insert(L, 3);
		return lua_gettop(L) - 2;
	}
	lua_pushboolean(L, 0);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_call(L, 1, 1);
	return 2;
}

static int no_patterns(lua_State *L)
{
	return luaL_error(L, "patterns are for policies with isolate = \"process\"; here there are "
			     "string.sub, string.byte, and string.find of plain text");
}

/* (text, part [, init [, plain]]) */
static int find_plain(lua_State *L)
{
	size_t len, n;
	const char *text = luaL_checklstring(L, 1, &len);
	const char *part = luaL_checklstring(L, 2, &n);
	lua_Integer from = luaL_optinteger(L, 3, 1);
	const char *at;

	if (!lua_toboolean(L, 4) && strpbrk(part, "^$*+?.([%-"))
		return no_patterns(L);
	if (from < 0)
		from = from < -(lua_Integer)len ? 1 : (lua_Integer)len + from + 1;
	else if (from == 0)
		from = 1;
	if (from > (lua_Integer)len + 1) {
		lua_pushnil(L);
		return 1;
	}
	at = n ? memmem(text + from - 1, len - (size_t)from + 1, part, n) : text + from - 1;
	if (!at) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, at - text + 1);
	lua_pushinteger(L, at - text + (lua_Integer)n);
	return 2;
}

/* (text, n [, separator]); upvalue: string.rep, which goes n times round also for nothing */
static int repeat(lua_State *L)
{
	size_t len, separator;

	luaL_checklstring(L, 1, &len);
	luaL_checkinteger(L, 2);
	luaL_optlstring(L, 3, "", &separator);
	if (!len && !separator) {
		lua_pushliteral(L, "");
		return 1;
	}
	lua_settop(L, 3);
	return call_original(L, 1);
}

/* (format, …); upvalue: string.format, which measures each text, however little of it is used */
static int format(lua_State *L)
{
	if (lua_gettop(L) > FORMAT_MAX + 1)
		return luaL_error(L, "in a policy's file this takes %d values at most", FORMAT_MAX);
	return call_original(L, 1);
}

static void check_plain(lua_State *L, int idx)
{
	luaL_checktype(L, idx, LUA_TTABLE);
	if (lua_getmetatable(L, idx))
		luaL_argerror(L, idx, "in a policy's file this takes no table with a metatable");
	if (lua_rawlen(L, idx) > VALUES_MAX)
		luaL_argerror(L, idx, "in a policy's file this takes 65536 values at most");
}

/* Upvalues: the function of table; its first argument that says how far it goes, 0 = none does. */
static int bounded_table(lua_State *L)
{
	int first = (int)lua_tointeger(L, lua_upvalueindex(2));
	int n = lua_gettop(L);

	check_plain(L, 1);
	if (first && !lua_isnoneornil(L, 5))
		check_plain(L, 5);
	for (int i = first; i && i <= n && i <= 4; i++) {
		int is_number;
		lua_Integer value = lua_tointegerx(L, i, &is_number);

		if (is_number && (value > VALUES_MAX || value < -VALUES_MAX))
			luaL_argerror(L, i, "in a policy's file this is 65536 at most");
	}
	return call_original(L, LUA_MULTRET);
}

/* (list [, less]); upvalues: table.sort; what is less, in Lua, so that the hook is called */
static int sort(lua_State *L)
{
	check_plain(L, 1);
	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_replace(L, 2);
	}
	luaL_checktype(L, 2, LUA_TFUNCTION);
	return call_original(L, 0);
}

/* ---- libraries; each leaves L as it was */

static void remove_fields(lua_State *L, const char *const *names)
{
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
}

/* The field of the table on top becomes fn with what it was as upvalue, and `more` others on top.
 */
static void wrap(lua_State *L, const char *name, lua_CFunction fn)
{
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

static void set_up_base(lua_State *L, lua_CFunction print)
{
	static const char *const left_out[] = { "collectgarbage", "dofile", "load",
						"loadfile",	  "warn",   NULL };

	luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
	remove_fields(L, left_out);
	wrap(L, "setmetatable", set_metatable);
	lua_pushcfunction(L, protected_call);
	lua_setfield(L, -2, "xpcall");
	lua_pushcfunction(L, print);
	lua_setfield(L, -2, "print");
	lua_pop(L, 1);
}

static void set_up_string(lua_State *L, bool bounded)
{
	static const char *const left_out[] = { "dump", NULL };
	static const luaL_Reg instead[] = {
		{ "find", find_plain },	 { "match", no_patterns }, { "gmatch", no_patterns },
		{ "gsub", no_patterns }, { NULL, NULL },
	};

	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
	remove_fields(L, left_out);
	if (bounded) {
		luaL_setfuncs(L, instead, 0);
		wrap(L, "rep", repeat);
		wrap(L, "format", format);
	}
	lua_pop(L, 1);
}

static void set_up_table(lua_State *L, bool bounded)
{
	static const struct {
		const char *name;
		int first;
	} functions[] = {
		{ "concat", 3 }, { "insert", 0 }, { "move", 2 }, { "remove", 0 }, { "unpack", 2 },
	};

	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
	for (size_t i = 0; bounded && i < sizeof(functions) / sizeof(functions[0]); i++) {
		lua_getfield(L, -1, functions[i].name);
		lua_pushinteger(L, functions[i].first);
		lua_pushcclosure(L, bounded_table, 2);
		lua_setfield(L, -2, functions[i].name);
	}
	if (bounded) {
		static const char less[] = "local a, b = ... return a < b";

		lua_getfield(L, -1, "sort");
		if (luaL_loadbuffer(L, less, sizeof(less) - 1, "=hvsh.policy") != LUA_OK)
			lua_error(L);
		lua_pushcclosure(L, sort, 2);
		lua_setfield(L, -2, "sort");
	}
	lua_pop(L, 1);
}

static void set_up_os(lua_State *L)
{
	static const char *const kept[] = { "clock", "date", "time" };

	luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0);
	lua_createtable(L, 0, 3);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		lua_getfield(L, -2, kept[i]);
		lua_setfield(L, -2, kept[i]);
	}
	lua_setglobal(L, LUA_OSLIBNAME);
	lua_pop(L, 1);
}

void hv_policy_library(lua_State *L, bool bounded, lua_CFunction print)
{
	set_up_base(L, print);
	set_up_string(L, bounded);
	set_up_table(L, bounded);
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
	luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
	lua_pop(L, 2);
	set_up_os(L);
}
