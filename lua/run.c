// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/run.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lua/interrupt.h"

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

static void print_frame(const lua_Debug *ar)
{
	fprintf(stderr, "    at %s", ar->short_src);
	if (ar->currentline > 0)
		fprintf(stderr, ":%d", ar->currentline);
	if (*ar->what == 'm')
		fputs(", main chunk\n", stderr);
	else if (ar->name)
		fprintf(stderr, ", in %s %s\n", *ar->namewhat ? ar->namewhat : "function",
			ar->name);
	else
		fprintf(stderr, ", in the function of line %d\n", ar->linedefined);
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

static void trace(lua_State *co, const char *text)
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
			print_frame(&first);
		if (shown > 1)
			print_frame(&ar);
	}
	if (shown == 1 && !is_named(text, &first))
		print_frame(&first);
	if (shown == TRACE_LINES && lua_getstack(co, level, &ar))
		fprintf(stderr, "    and %d more\n", count_levels(co) - level);
}

/* The error object is on top of L; co, where its frames still stand, may be NULL. */
static void report(lua_State *L, lua_State *co)
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
	fflush(stdout);
	if (as_it_is) {
		fwrite(text, 1, len, stderr);
		if (len > 0 && text[len - 1] != '\n')
			fputc('\n', stderr);
	} else {
		fprintf(stderr, "hvsh: %s\n", text);
		if (co)
			trace(co, text);
	}
	lua_pop(L, 1);
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
	lua_State *co = lua_newthread(L);
	lua_State *before;
	int base = lua_absindex(L, -1) - nargs - 1;
	int status, count;

	/* The coroutine stays below its function on the stack, so that it lives. */
	lua_insert(L, base);
	if (!lua_checkstack(co, nargs + 1))
		return luaL_error(L, "too many arguments");
	lua_xmove(L, co, nargs + 1);
	before = hv_interrupt_enter(co);
	status = lua_resume(co, L, nargs, &count);
	hv_interrupt_leave(before);
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
	before = hv_interrupt_enter(co);
	status = lua_resetthread(co);
	hv_interrupt_leave(before);
	lua_sethook(L, NULL, 0, 0);
	if (status != LUA_OK && status != LUA_YIELD)
		lua_settop(co, 0);
	lua_remove(L, base);
	return hv_interrupted() ? HV_EXIT_INTERRUPTED : HV_EXIT_FAILED;
}
