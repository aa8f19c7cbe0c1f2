// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/traceback.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "lua/embed.h"

#define PLACES 12

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

bool hv_traceback_message(lua_State *L)
{
	bool as_it_is;

	lua_pushcfunction(L, describe);
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
		lua_pop(L, 1);
		lua_pushliteral(L, "(an error whose text cannot be had)");
		return false;
	}
	as_it_is = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return as_it_is;
}

static bool is_embedded(const char *source)
{
	if (*source != '=')
		return false;
	for (unsigned int i = 0; i < hv_embedded_count; i++)
		if (!strcmp(hv_embedded[i].name, source + 1))
			return true;
	return !strncmp(source, "=hvsh.", 6);
}

bool hv_traceback_is_hidden(const lua_Debug *ar)
{
	return *ar->what == 'C' || is_embedded(ar->source);
}

static void add_place(struct hv_buf *out, const lua_Debug *ar)
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
static bool is_named(const char *message, const lua_Debug *ar)
{
	char place[LUA_IDSIZE + 16];
	int len = snprintf(place, sizeof(place), "%s:%d:", ar->short_src, ar->currentline);

	return !strncmp(message, place, (size_t)len);
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

void hv_traceback_places(lua_State *co, const char *message, struct hv_buf *out)
{
	lua_Debug ar, first;
	int shown = 0, level;

	for (level = 0; shown < PLACES && lua_getstack(co, level, &ar); level++) {
		lua_getinfo(co, "Sln", &ar);
		if (hv_traceback_is_hidden(&ar))
			continue;
		shown++;
		if (shown == 1)
			first = ar;
		else if (shown == 2)
			add_place(out, &first);
		if (shown > 1)
			add_place(out, &ar);
	}
	if (shown == 1 && !is_named(message, &first))
		add_place(out, &first);
	if (shown == PLACES && lua_getstack(co, level, &ar))
		hv_buf_printf(out, "\n    and %d more", count_levels(co) - level);
}

/* (message, coroutine or nil) -> text or nil */
static int excerpt(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.excerpt");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "of_file");
	lua_insert(L, 1);
	lua_settop(L, 3);
	lua_call(L, 2, 1);
	return 1;
}

void hv_traceback_line(lua_State *L, lua_State *co, const char *message, struct hv_buf *out)
{
	const char *text;
	size_t len;

	if (!lua_checkstack(L, 5) || (co && !lua_checkstack(co, 1)))
		return;
	lua_pushcfunction(L, excerpt);
	lua_pushstring(L, message);
	if (co) {
		lua_pushthread(co);
		lua_xmove(co, L, 1);
	} else {
		lua_pushnil(L);
	}
	/* An error is being told: one more, as of memory that has run out, says nothing about it.
	 */
	if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING) {
		text = lua_tolstring(L, -1, &len);
		hv_buf_puts(out, "\n");
		hv_buf_add(out, text, len);
	}
	lua_pop(L, 1);
}
