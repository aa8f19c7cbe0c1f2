// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <string.h>

#include "loop/loop.h"
#include "lua/bind.h"
#include "lua/task.h"

#define SIGNAL "hvsh.signal"

/*
 * Those that a script may take. Ctrl-C and the window's size belong to the terminal, SIGUSR1 to
 * older kernel modules, which wake the service by it.
 */
static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "HUP", SIGHUP }, { "TERM", SIGTERM }, { "USR2", SIGUSR2 }, { "CONT", SIGCONT },
};

struct listener {
	struct hv_source *source; /* NULL = closed */
	lua_State *main;
	int function; /* in the registry */
	const char *name;
};

static int listener_close(lua_State *L)
{
	struct listener *l = luaL_checkudata(L, 1, SIGNAL);

	hv_source_remove(l->source);
	l->source = NULL;
	luaL_unref(L, LUA_REGISTRYINDEX, l->function);
	l->function = LUA_NOREF;
	return 0;
}

static void on_signal(struct hv_source *src, const struct signalfd_siginfo *info, void *arg)
{
	struct listener *l = arg;
	lua_State *L = l->main;

	(void)src;
	if (!lua_checkstack(L, 4))
		return;
	lua_rawgeti(L, LUA_REGISTRYINDEX, l->function);
	lua_pushinteger(L, info->ssi_pid);
	hv_task_spawn(L, 1, l->name);
}

static void ignore(int signo)
{
	(void)signo;
}

/*
 * Its default is to end the process at once, also while devices are closed behind the last
 * listener. Those of the others that end it are taken over where there are devices. A handler
 * instead of SIG_IGN: programs that a script starts get the default back.
 */
static void take_usr2(void)
{
	struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR2, &action, NULL);
}

/* signal_listen(name, f) -> what closes it, or false and the names there are; f(pid) becomes a task each time */
static int signal_listen(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	static const luaL_Reg methods[] = { { "close", listener_close }, { NULL, NULL } };
	struct hv_loop *loop = hv_task_loop(L);
	struct listener *l;
	struct hv_err err;
	size_t i = 0;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	if (!strncmp(name, "SIG", 3))
		name += 3;
	while (i < sizeof(signals) / sizeof(signals[0]) && strcmp(name, signals[i].name) != 0)
		i++;
	if (i == sizeof(signals) / sizeof(signals[0])) {
		lua_pushboolean(L, 0);
		for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
			lua_pushstring(L, signals[i].name);
		return 1 + (int)i;
	}
	hv_bind_type(L, SIGNAL, methods, listener_close);
	l = lua_newuserdatauv(L, sizeof(*l), 0);
	*l = (struct listener){ .function = LUA_NOREF, .name = signals[i].name };
	luaL_setmetatable(L, SIGNAL);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	l->main = lua_tothread(L, -1);
	lua_pop(L, 1);
	lua_pushvalue(L, 2);
	l->function = luaL_ref(L, LUA_REGISTRYINDEX);
	if (signals[i].number == SIGUSR2)
		take_usr2();
	if (hv_loop_add_signal(loop, signals[i].number, on_signal, l, &l->source, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

void hv_bind_signal(lua_State *L)
{
	lua_pushcfunction(L, signal_listen);
	lua_setfield(L, -2, "signal_listen");
}
