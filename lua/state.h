/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_STATE_H
#define HV_LUA_STATE_H

#include <lua.h>

struct hv_session;

/*
 * A Lua state for scripts of a root process: the standard libraries, but
 *   - LUA_INIT, LUA_PATH and LUA_CPATH are not looked at; package.path is fixed, there is no
 *     package.cpath and no package.loadlib;
 *   - only text is loaded (load, loadfile, dofile, require), never precompiled chunks;
 *   - the Lua files inside the binary are found by require, after package.path; chunks of our
 *     own are named "=hvsh.*", which tracebacks hide;
 *   - a global nobody has set is looked up in "hvsh.globals" (which `require "hvsh"` returns, too),
 *     loaded at the first such name; what is found there is set, so that it is looked up once;
 *   - print and coroutines as lua/stdout.h and lua/coroutine.h say.
 * session stays with the caller and must outlive the state. NULL when memory is out. The caller
 * ends it with lua_close.
 */
lua_State *hv_state_new(struct hv_session *session);

/* As luaL_loadfile, text only; path NULL = standard input, named "stdin" in messages. */
int hv_state_load_file(lua_State *L, const char *path);

#endif
