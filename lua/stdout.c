// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/stdout.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/line.h"
#include "lua/run.h"
#include "lua/shell_channel.h"
#include "lua/task.h"

static bool reported;

/* A handler instead of SIG_IGN: programs that a script starts get the default back. */
static void on_sigpipe(int sig)
{
	(void)sig;
}

static bool reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) == 1 && out.revents & POLLERR;
}

static void close_stdout(void)
{
	bool bad = ferror(stdout);
	bool gone = bad && reader_is_gone();
	int why = 0;

	if (fclose(stdout) != 0) {
		bad = true;
		why = errno;
	}
	if (!bad || reported)
		return;
	if (why != EPIPE && !gone)
		fprintf(stderr, "hvsh: standard output could not be written%s%s\n", why ? ": " : "",
			why ? strerror(why) : "");
	_exit(HV_EXIT_FAILED);
}

void hv_stdout_guard(void)
{
	struct sigaction action = { .sa_handler = on_sigpipe, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	sigaction(SIGPIPE, &action, NULL);
	atexit(close_stdout);
}

/* ---- tasks that work for a prompt elsewhere: what they print is for that terminal */

static bool is_ours(lua_State *L, int idx, const FILE *file)
{
	const luaL_Stream *stream = luaL_testudata(L, idx, LUA_FILEHANDLE);

	return stream && stream->closef && stream->f == file;
}

/* For a prompt elsewhere, or above the line that is being typed here. */
static bool is_elsewhere(lua_State *L)
{
	return hv_task_owned(L) || hv_line_is_typed();
}

/* The text on top goes there. */
static int write_there(lua_State *L, int result)
{
	size_t len;
	const char *text;

	if (hv_task_owned(L))
		return hv_shell_write(L, result);
	text = lua_tolstring(L, -1, &len);
	hv_line_notice(text, len);
	if (!result)
		return 0;
	lua_pushvalue(L, result);
	return 1;
}

/* As io.write: the texts and numbers from index first on, in one. */
static void join(lua_State *L, int first)
{
	int n = lua_gettop(L);
	luaL_Buffer text;

	for (int i = first; i <= n; i++)
		luaL_checkstring(L, i);
	luaL_buffinit(L, &text);
	for (int i = first; i <= n; i++) {
		lua_pushvalue(L, i);
		luaL_addvalue(&text);
	}
	luaL_pushresult(&text);
}

static int print_there(lua_State *L)
{
	int n = lua_gettop(L);
	luaL_Buffer text;

	luaL_buffinit(L, &text);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&text, '\t');
		luaL_tolstring(L, i, NULL);
		luaL_addvalue(&text);
	}
	luaL_addchar(&text, '\n');
	luaL_pushresult(&text);
	return write_there(L, 0);
}

/* upvalue: a file's write itself. */
static int file_write(lua_State *L)
{
	if ((is_elsewhere(L) && is_ours(L, 1, stdout)) ||
	    ((hv_task_owned(L) || hv_line_log_is_typed()) && is_ours(L, 1, stderr))) {
		join(L, 2);
		return write_there(L, 1);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static bool default_is_ours(lua_State *L, const char *which, const FILE *file)
{
	bool ours;

	lua_getglobal(L, "io");
	lua_getfield(L, -1, which);
	lua_call(L, 0, 1);
	ours = is_ours(L, -1, file);
	lua_pop(L, 2);
	return ours;
}

/* upvalues: a function that reads, and whether it takes the file. */
static int read_checked(lua_State *L)
{
	bool is_method = lua_toboolean(L, lua_upvalueindex(2));

	if (hv_task_owned(L) &&
	    (is_method ? is_ours(L, 1, stdin)
		       : lua_type(L, 1) != LUA_TSTRING && default_is_ours(L, "input", stdin)))
		return luaL_error(L, "standard input is the service's: nothing that is typed here "
				     "can be read there");
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* upvalue: debug.debug itself, which reads lines until "cont". */
static int debug_checked(lua_State *L)
{
	if (hv_task_owned(L))
		return luaL_error(L, "debug.debug reads standard input, which is the service's: "
				     "nothing that is typed here can be read there");
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_call(L, 0, 0);
	return 0;
}

/* upvalue: os.exit itself. */
static int exit_checked(lua_State *L)
{
	int is_status;

	if (hv_task_owned(L))
		return luaL_error(L,
				  "os.exit would end the service and its devices with it; Ctrl-D "
				  "leaves this prompt");
	if (!lua_isnoneornil(L, 1) && !lua_isboolean(L, 1)) {
		lua_tointegerx(L, 1, &is_status);
		if (!is_status)
			return luaL_error(L,
					  "os.exit takes a status: a whole number, true or false");
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 0);
	return 0;
}

/* ---- standard output */

static int failed(lua_State *L)
{
	int why = errno;

	reported = true;
	if (why == EPIPE) {
		hv_run_raise(L, "");
		return 0;
	}
	return luaL_error(L, "standard output could not be written: %s", strerror(why));
}

/* upvalue: io.write itself. */
static int write_checked(lua_State *L)
{
	if (is_elsewhere(L) && default_is_ours(L, "output", stdout)) {
		lua_getglobal(L, "io");
		lua_getfield(L, -1, "stdout");
		lua_replace(L, -2);
		lua_insert(L, 1);
		join(L, 2);
		return write_there(L, 1);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	if (lua_isnil(L, 1) && lua_tointeger(L, 3) == EPIPE) {
		reported = true;
		hv_run_raise(L, "");
	}
	return lua_gettop(L);
}

static int print(lua_State *L)
{
	int n = lua_gettop(L);

	if (is_elsewhere(L))
		return print_there(L);
	for (int i = 1; i <= n; i++) {
		size_t len;
		const char *text = luaL_tolstring(L, i, &len);

		if ((i > 1 && putchar('\t') == EOF) || fwrite(text, 1, len, stdout) != len)
			return failed(L);
		lua_pop(L, 1);
	}
	if (putchar('\n') == EOF || fflush(stdout) != 0)
		return failed(L);
	return 0;
}

/* Puts the function around that of the table on top, with which it shares the name. */
static void wrap(lua_State *L, const char *name, lua_CFunction f, bool is_method)
{
	lua_getfield(L, -1, name);
	lua_pushboolean(L, is_method);
	lua_pushcclosure(L, f, 2);
	lua_setfield(L, -2, name);
}

void hv_stdout_functions(lua_State *L)
{
	lua_pushcfunction(L, print);
	lua_setglobal(L, "print");
	lua_getglobal(L, "io");
	wrap(L, "write", write_checked, false);
	wrap(L, "read", read_checked, false);
	wrap(L, "lines", read_checked, false);
	lua_getglobal(L, "os");
	wrap(L, "exit", exit_checked, false);
	lua_getglobal(L, "debug");
	wrap(L, "debug", debug_checked, false);
	luaL_getmetatable(L, LUA_FILEHANDLE);
	lua_getfield(L, -1, "__index");
	wrap(L, "write", file_write, true);
	wrap(L, "read", read_checked, true);
	wrap(L, "lines", read_checked, true);
	lua_pop(L, 5);
}
