// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/state.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lua/bind.h"
#include "lua/coroutine.h"
#include "lua/embed.h"
#include "lua/json.h"
#include "lua/run.h"
#include "lua/sandbox.h"
#include "lua/session.h"
#include "lua/stdout.h"

#define MODULE_PATH "/etc/hvsh/modules/?.lua;" HVSH_PREFIX "/share/hvsh/modules/?.lua"

/* Nothing in here runs unprotected but the creation of the state, so this is a bug of ours. */
static int on_panic(lua_State *L)
{
	const char *text = lua_tostring(L, -1);

	fprintf(stderr, "hvsh: internal error: %s\n",
		text ? text : "error outside of a protected call");
	fflush(stderr);
	_exit(HV_EXIT_FAILED);
}

/* ---- loading, text only */

/* Position of the mode argument: of load 3, of loadfile 2. Sets it to "t"; "b" alone cannot be had.
 */
static void text_mode(lua_State *L, int mode)
{
	const char *given = luaL_optstring(L, mode, "t");

	luaL_argcheck(L, strchr(given, 't'), mode, "only text is loaded, no precompiled code");
	if (lua_gettop(L) < mode)
		lua_settop(L, mode);
	lua_pushliteral(L, "t");
	lua_replace(L, mode);
}

/* upvalue: load itself. */
static int load_text(lua_State *L)
{
	luaL_checkany(L, 1);
	text_mode(L, 3);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int loadfile_text(lua_State *L)
{
	if (lua_gettop(L) < 1)
		lua_settop(L, 1);
	text_mode(L, 2);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

int hv_state_load_file(lua_State *L, const char *path)
{
	hv_sandbox_script(path);
	return luaL_loadfilex(L, path, "t");
}

static int dofile_results(lua_State *L, int status, lua_KContext base)
{
	(void)status;
	return lua_gettop(L) - (int)base;
}

static int dofile_text(lua_State *L)
{
	const char *path = luaL_optstring(L, 1, NULL);

	lua_settop(L, 1);
	if (hv_state_load_file(L, path) != LUA_OK)
		return lua_error(L);
	lua_callk(L, 0, LUA_MULTRET, 1, dofile_results);
	return dofile_results(L, LUA_OK, 1);
}

/* ---- require */

/* In package.path, as Lua's own searcher; upvalue: the package table. */
static int search_path(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const char *file;

	lua_getfield(L, lua_upvalueindex(1), "searchpath");
	lua_pushvalue(L, 1);
	if (lua_getfield(L, lua_upvalueindex(1), "path") != LUA_TSTRING)
		return luaL_error(L, "package.path must be a string");
	lua_call(L, 2, 2);
	if (lua_isnil(L, -2))
		return 1;
	lua_pop(L, 1);
	file = lua_tostring(L, -1);
	if (hv_state_load_file(L, file) != LUA_OK)
		return luaL_error(L, "module %s cannot be loaded from %s:\n\t%s", name, file,
				  lua_tostring(L, -1));
	lua_insert(L, -2);
	return 2;
}

static int search_embedded(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	for (unsigned int i = 0; i < hv_embedded_count; i++) {
		const struct hv_embedded *e = &hv_embedded[i];

		if (strcmp(e->name, name) != 0)
			continue;
		lua_pushfstring(L, "=%s", name);
		if (luaL_loadbufferx(L, e->start, (size_t)(e->end - e->start), lua_tostring(L, -1),
				     "t") != LUA_OK)
			return lua_error(L);
		lua_pushliteral(L, "inside hvsh");
		return 2;
	}
	lua_pushfstring(L, "no module %s inside hvsh", name);
	return 1;
}

static int open_hvsh(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.globals");
	lua_call(L, 1, 1);
	return 1;
}

static void set_up_package(lua_State *L)
{
	static const luaL_Reg preload[] = {
		{ "hvsh", open_hvsh },
		{ "hvsh.core", luaopen_hvsh_core },
		{ "hvsh.json", luaopen_hvsh_json },
		{ NULL, NULL },
	};

	lua_getglobal(L, "package");
	lua_pushliteral(L, MODULE_PATH);
	lua_setfield(L, -2, "path");
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "cpath");
	lua_pushnil(L);
	lua_setfield(L, -2, "loadlib");

	lua_getfield(L, -1, "preload");
	luaL_setfuncs(L, preload, 0);
	lua_pop(L, 1);

	/* 1 looks into preload and stays; 3 and 4 would load C libraries. */
	lua_getfield(L, -1, "searchers");
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, search_path, 1);
	lua_rawseti(L, -2, 2);
	lua_pushcfunction(L, search_embedded);
	lua_rawseti(L, -2, 3);
	lua_pushnil(L);
	lua_rawseti(L, -2, 4);
	lua_pop(L, 2);
}

/* ---- globals */

/* __index of _G. The name is left alone while hvsh.globals is being loaded: its own unknown globals
 * are nil. */
static int find_global(lua_State *L)
{
	struct hv_session *session = hv_session_of(L);
	int status;

	if (lua_type(L, 2) != LUA_TSTRING || session->loading_globals)
		return 0;
	session->loading_globals = true;
	lua_pushcfunction(L, open_hvsh);
	status = lua_pcall(L, 0, 1, 0);
	session->loading_globals = false;
	if (status != LUA_OK)
		return lua_error(L);
	lua_pushvalue(L, 2);
	lua_gettable(L, -2);
	if (!lua_isnil(L, -1)) {
		lua_pushvalue(L, 2);
		lua_pushvalue(L, -2);
		lua_rawset(L, 1);
	}
	return 1;
}

static void set_up_globals(lua_State *L)
{
	lua_getglobal(L, "load");
	lua_pushcclosure(L, load_text, 1);
	lua_setglobal(L, "load");
	lua_getglobal(L, "loadfile");
	lua_pushcclosure(L, loadfile_text, 1);
	lua_setglobal(L, "loadfile");
	lua_pushcfunction(L, dofile_text);
	lua_setglobal(L, "dofile");

	lua_pushglobaltable(L);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, find_global);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

/* Runs protected: each of these may be out of memory. Argument: the session. */
static int set_up(lua_State *L)
{
	struct hv_session *session = lua_touserdata(L, 1);

	hv_session_attach(session, L);
	/* Asked by the package library: no LUA_PATH, no LUA_CPATH. */
	lua_pushboolean(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	luaL_openlibs(L);
	set_up_package(L);
	set_up_globals(L);
	hv_stdout_functions(L);
	hv_coroutine_functions(L);
	return 0;
}

lua_State *hv_state_new(struct hv_session *session)
{
	lua_State *L = luaL_newstate();

	if (!L)
		return NULL;
	lua_atpanic(L, on_panic);
	lua_pushcfunction(L, set_up);
	lua_pushlightuserdata(L, session);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		lua_close(L);
		return NULL;
	}
	return L;
}
