// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/run.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lua/coroutine.h"
#include "lua/interrupt.h"
#include "lua/task.h"
#include "lua/traceback.h"

/* The error object is on top of L, and popped. */
static bool add_text(lua_State *L, lua_State *co, bool with_line, struct hv_buf *out)
{
	bool as_it_is = hv_traceback_message(L);
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);

	hv_buf_add(out, text, len);
	if (with_line && !as_it_is)
		hv_traceback_line(L, co, text, out);
	if (co && !as_it_is)
		hv_traceback_places(co, text, out);
	lua_pop(L, 1);
	return as_it_is;
}

bool hv_run_text(lua_State *L, lua_State *co, struct hv_buf *out)
{
	return add_text(L, co, false, out);
}

/* The error object is on top of L; co, where its frames still stand, may be NULL. */
static void report(lua_State *L, lua_State *co)
{
	struct hv_buf out = { 0 };
	bool as_it_is = add_text(L, co, true, &out);

	fflush(stdout);
	if (!as_it_is)
		fputs("hvsh: ", stderr);
	if (out.failed)
		fputs("not enough memory to say what went wrong", stderr);
	else if (out.len > 0)
		fwrite(out.data, 1, out.len, stderr);
	if (!as_it_is || (out.len > 0 && out.data[out.len - 1] != '\n'))
		fputc('\n', stderr);
	hv_buf_free(&out);
}

void hv_run_where(lua_State *L)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (hv_traceback_is_hidden(&ar) || ar.currentline <= 0)
			continue;
		lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
		return;
	}
	lua_pushliteral(L, "");
}

void hv_run_report(lua_State *L)
{
	report(L, NULL);
}

void hv_run_raise(lua_State *L, const char *text)
{
	lua_createtable(L, 0, 1);
	lua_pushstring(L, text);
	lua_setfield(L, -2, "hvsh_report");
	lua_error(L);
}

int hv_run(lua_State *L, int nargs, int *n)
{
	int base = lua_gettop(L) - nargs;
	int count, status = hv_task_foreground(L, nargs, &count);
	lua_State *co = lua_tothread(L, base);

	/* An interruption ends the coroutine; what is said about it is not interrupted. */
	lua_sethook(L, NULL, 0, 0);

	if (status == LUA_OK) {
		if (n) {
			luaL_checkstack(L, count, "too many results");
			lua_xmove(co, L, count);
			*n = count;
		}
		lua_remove(L, base);
		return HV_EXIT_OK;
	}
	if (status == LUA_YIELD)
		lua_pushliteral(
			L,
			"the script yielded outside of its coroutines, and nothing will resume it");
	else
		lua_xmove(co, L, 1);
	report(L, co);
	if (hv_co_close(co) != LUA_OK)
		lua_settop(co, 0);
	lua_sethook(L, NULL, 0, 0);
	lua_remove(L, base);
	return hv_interrupted() ? HV_EXIT_INTERRUPTED : HV_EXIT_FAILED;
}
