// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size.h"
#include "lua/interrupt.h"

/* log(level, text) */
static int log_line(lua_State *L)
{
	const char *word = luaL_checkstring(L, 1);
	const char *text = luaL_checkstring(L, 2);
	int level = hv_log_level_parse(word);

	luaL_argcheck(L, level >= 0, 1, "a level is error, warn, info or debug");
	hv_log((enum hv_log_level)level, "%s", text);
	return 0;
}

/* log_level([level]) -> the level that was in force */
static int log_level(lua_State *L)
{
	const char *word = luaL_optstring(L, 1, NULL);
	int level = word ? hv_log_level_parse(word) : 0;

	luaL_argcheck(L, level >= 0, 1, "a level is error, warn, info or debug");
	lua_pushstring(L, hv_log_level_name(hv_log_level()));
	if (word)
		hv_log_set_level((enum hv_log_level)level);
	return 1;
}

/* size("768M") -> 805306368 | nil, message */
static int size(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	uint64_t bytes;
	int rc = -EINVAL;

	/* A NUL inside would hide what follows it. */
	if (strlen(text) == len)
		rc = hv_size_parse(text, &bytes);
	if (rc >= 0) {
		lua_pushinteger(L, (lua_Integer)bytes);
		return 1;
	}
	lua_pushnil(L);
	lua_pushfstring(L,
			rc == -ERANGE ? "\"%s\" is too large"
				      : "\"%s\" is no size (as in 4096, 0x1000, 512M)",
			text);
	return 2;
}

/* size_text(805306368) -> "768M" */
static int size_text(lua_State *L)
{
	char text[HV_SIZE_TEXT];

	lua_pushstring(L, hv_size_format((uint64_t)luaL_checkinteger(L, 1), text));
	return 1;
}

/* mode([new]) -> the mode that was in force */
static int mode(lua_State *L)
{
	static const char *const names[] = { "run", "define", "repl", NULL };
	struct hv_session *session = hv_session_of(L);
	enum hv_mode was = session->mode;

	if (!lua_isnoneornil(L, 1))
		session->mode = (enum hv_mode)luaL_checkoption(L, 1, NULL, names);
	lua_pushstring(L, names[was]);
	return 1;
}

static int fd_arg(lua_State *L, int idx)
{
	lua_Integer fd = luaL_optinteger(L, idx, STDOUT_FILENO);

	luaL_argcheck(L, fd >= 0 && fd < 3, idx, "0, 1 or 2");
	return (int)fd;
}

/* tty([fd]), color([fd]) -> boolean; columns([fd]) -> integer */
static int tty(lua_State *L)
{
	lua_pushboolean(L, isatty(fd_arg(L, 1)));
	return 1;
}

static int color(lua_State *L)
{
	lua_pushboolean(L, hv_session_color(hv_session_of(L), fd_arg(L, 1)));
	return 1;
}

static int columns(lua_State *L)
{
	lua_pushinteger(L, hv_session_columns(fd_arg(L, 1)));
	return 1;
}

/* options() -> what the command line said for all commands */
static int options(lua_State *L)
{
	static const char *const colors[] = { "auto", "always", "never" };
	const struct hv_session *s = hv_session_of(L);

	lua_createtable(L, 0, 7);
	lua_pushboolean(L, s->sim);
	lua_setfield(L, -2, "sim");
	lua_pushboolean(L, hv_session_of(L)->no_serve);
	lua_setfield(L, -2, "no_serve");
	lua_pushboolean(L, s->json);
	lua_setfield(L, -2, "json");
	hv_bind_field(L, "sim_dir", s->sim_dir);
	hv_bind_field(L, "board", s->board);
	hv_bind_field(L, "color", colors[s->color]);
	if (s->arch >= 0)
		hv_bind_field(L, "arch", hv_arch_name((enum hv_arch)s->arch));
	if (s->layout >= 0)
		hv_bind_field(L, "abi", hv_layout_name((enum hv_layout)s->layout));
	return 1;
}

/* interrupted() -> whether Ctrl-C was pressed, or what ends the process has come; whether it is the latter */
static int interrupted(lua_State *L)
{
	lua_pushboolean(L, hv_interrupted());
	lua_pushboolean(L, hv_interrupted() && hv_interrupt_signal() != SIGINT);
	return 2;
}

/* interrupt_clear(): it was dealt with */
static int interrupt_clear(lua_State *L)
{
	(void)L;
	hv_interrupt_clear();
	return 0;
}

void hv_bind_run(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "log", log_line },	{ "log_level", log_level },
		{ "size", size },	{ "size_text", size_text },
		{ "mode", mode },	{ "tty", tty },
		{ "color", color },	{ "columns", columns },
		{ "options", options },	{ "interrupted", interrupted },
		{ "interrupt_clear", interrupt_clear },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
