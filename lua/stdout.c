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

#include "lua/run.h"

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

void hv_stdout_functions(lua_State *L)
{
	lua_pushcfunction(L, print);
	lua_setglobal(L, "print");
	lua_getglobal(L, "io");
	lua_getfield(L, -1, "write");
	lua_pushcclosure(L, write_checked, 1);
	lua_setfield(L, -2, "write");
	lua_pop(L, 1);
}
