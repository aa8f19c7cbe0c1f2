// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/run.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lua/coroutine.h"
#include "lua/interrupt.h"
#include "lua/task.h"

#define TRACE_LINES 12

/* (error object) -> text, whether it is printed as it is. Runs protected: a __tostring may raise.
 */
static int describe(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TTABLE) {
		lua_pushliteral(L, "hvsh_report");
		if (lua_rawget(L, 1) == LUA_TSTRING) {
			lua_pushboolean(L, 1);
			return 2;
		}
	}
	if (lua_type(L, 1) == LUA_TSTRING || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL)
		luaL_tolstring(L, 1, NULL);
	else
		lua_pushfstring(L, "(an error that is a %s value)", luaL_typename(L, 1));
	lua_pushboolean(L, 0);
	return 2;
}

static bool is_hidden(const lua_Debug *ar)
{
	return *ar->what == 'C' || !strncmp(ar->source, "=hvsh.", 6);
}

static void add_frame(struct hv_buf *out, const lua_Debug *ar)
{
	hv_buf_printf(out, "\n    at %s", ar->short_src);
	if (ar->currentline > 0)
		hv_buf_printf(out, ":%d", ar->currentline);
	if (*ar->what == 'm')
		hv_buf_puts(out, ", main chunk");
	else if (ar->name)
		hv_buf_printf(out, ", in %s %s", *ar->namewhat ? ar->namewhat : "function",
			      ar->name);
	else
		hv_buf_printf(out, ", in the function of line %d", ar->linedefined);
}

/* Does the message begin with the place of this frame? */
static bool is_named(const char *text, const lua_Debug *ar)
{
	char place[LUA_IDSIZE + 16];
	int len = snprintf(place, sizeof(place), "%s:%d:", ar->short_src, ar->currentline);

	return !strncmp(text, place, (size_t)len);
}

/* How many levels there are. Reaching level n takes n steps, so they are not counted one by one. */
static int count_levels(lua_State *co)
{
	lua_Debug ar;
	int low = 0, high = 1;

	while (lua_getstack(co, high, &ar)) {
		low = high;
		high *= 2;
	}
	while (low < high) {
		int middle = low + (high - low) / 2;

		if (lua_getstack(co, middle, &ar))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void trace(lua_State *co, const char *text, struct hv_buf *out)
{
	lua_Debug ar, first;
	int shown = 0, level;

	for (level = 0; shown < TRACE_LINES && lua_getstack(co, level, &ar); level++) {
		lua_getinfo(co, "Sln", &ar);
		if (is_hidden(&ar))
			continue;
		shown++;
		if (shown == 1)
			first = ar;
		else if (shown == 2)
			add_frame(out, &first);
		if (shown > 1)
			add_frame(out, &ar);
	}
	if (shown == 1 && !is_named(text, &first))
		add_frame(out, &first);
	if (shown == TRACE_LINES && lua_getstack(co, level, &ar))
		hv_buf_printf(out, "\n    and %d more", count_levels(co) - level);
}

bool hv_run_text(lua_State *L, lua_State *co, struct hv_buf *out)
{
	const char *text = "(an error whose text cannot be had)";
	bool as_it_is = false;
	size_t len = strlen(text);

	lua_pushcfunction(L, describe);
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 2, 0) == LUA_OK) {
		as_it_is = lua_toboolean(L, -1);
		lua_pop(L, 1);
		text = lua_tolstring(L, -1, &len);
	}
	hv_buf_add(out, text, len);
	if (co && !as_it_is)
		trace(co, text, out);
	lua_pop(L, 1);
	return as_it_is;
}

/* The error object is on top of L; co, where its frames still stand, may be NULL. */
static void report(lua_State *L, lua_State *co)
{
	struct hv_buf out = { 0 };
	bool as_it_is = hv_run_text(L, co, &out);

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
		if (is_hidden(&ar) || ar.currentline <= 0)
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
