// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>

/* The first errors leave this many instructions to __close handlers; after them none. */
#define GRACE 20000
#define GRACE_ERRORS 3

static pthread_t owner;
static lua_State *volatile running;
static volatile sig_atomic_t pending;
static volatile sig_atomic_t raised;

static void stop(lua_State *L, lua_Debug *ar);

/* Safe in a signal handler, as the manual says of lua_sethook. */
static void arm(lua_State *L)
{
	if (raised > 0 && raised < GRACE_ERRORS)
		lua_sethook(L, stop, LUA_MASKCOUNT, GRACE);
	else
		lua_sethook(L, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void stop(lua_State *L, lua_Debug *ar)
{
	if (!pending) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (raised < GRACE_ERRORS)
		raised++;
	arm(L);
	if (lua_getinfo(L, "Sl", ar) && ar->currentline > 0)
		lua_pushfstring(L, "%s:%d: interrupted", ar->short_src, ar->currentline);
	else
		lua_pushliteral(L, "interrupted");
	lua_error(L);
}

static void on_sigint(int sig)
{
	int saved = errno;

	if (!pthread_equal(pthread_self(), owner)) {
		pthread_kill(owner, sig);
	} else if (pending) {
		signal(sig, SIG_DFL);
		raise(sig);
	} else {
		pending = 1;
		if (running)
			arm(running);
	}
	errno = saved;
}

void hv_interrupt_install(lua_State *L)
{
	struct sigaction action = { .sa_handler = on_sigint };

	owner = pthread_self();
	running = L;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
}

bool hv_interrupted(void)
{
	return pending;
}

void hv_interrupt_clear(void)
{
	pending = 0;
	raised = 0;
	lua_sethook(running, NULL, 0, 0);
}

/* Arming again would begin its grace anew, which a loop over short coroutines would never use up.
 */
static void arm_once(lua_State *L)
{
	if (lua_gethook(L) != stop)
		arm(L);
}

lua_State *hv_interrupt_enter(lua_State *co)
{
	lua_State *before = running;

	running = co;
	if (pending)
		arm_once(co);
	return before;
}

void hv_interrupt_leave(lua_State *before)
{
	running = before;
	if (pending && before)
		arm_once(before);
}

/* Resumes co with the nargs values on top of L. The number of results moved to L, or -1 and the
 * error on L. */
static int resume(lua_State *L, lua_State *co, int nargs)
{
	lua_State *before;
	int status, n;

	if (!lua_checkstack(co, nargs)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	lua_xmove(L, co, nargs);
	before = hv_interrupt_enter(co);
	status = lua_resume(co, L, nargs, &n);
	hv_interrupt_leave(before);
	if (status == LUA_OK || status == LUA_YIELD) {
		if (lua_checkstack(L, n + 1)) {
			lua_xmove(co, L, n);
			return n;
		}
		lua_pop(co, n);
		lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(co, L, 1);
	return -1;
}

static lua_State *check_thread(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argexpected(L, co, 1, "coroutine");
	return co;
}

static int co_resume(lua_State *L)
{
	lua_State *co = check_thread(L);
	int n = resume(L, co, lua_gettop(L) - 1);

	lua_pushboolean(L, n >= 0);
	lua_insert(L, n >= 0 ? -(n + 1) : -2);
	return n >= 0 ? n + 1 : 2;
}

/* Closes what the coroutine left open; the status of that, with an error left on co. */
static int close_thread(lua_State *co)
{
	lua_State *before = hv_interrupt_enter(co);
	int status = lua_resetthread(co);

	hv_interrupt_leave(before);
	return status;
}

static int wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int n = resume(L, co, lua_gettop(L));

	if (n >= 0)
		return n;
	if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) {
		/* It died; an error of its __close handlers takes the place of the one that killed
		 * it. */
		lua_pushvalue(L, -1);
		lua_xmove(L, co, 1);
		if (close_thread(co) != LUA_OK)
			lua_xmove(co, L, 1);
	}
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int co_wrap(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushcclosure(L, wrapped, 1);
	return 1;
}

static int co_close(lua_State *L)
{
	lua_State *co = check_thread(L);
	lua_Debug ar;

	if (co == L || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar)))
		return luaL_error(L, "cannot close a coroutine that is running");
	if (close_thread(co) == LUA_OK) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushboolean(L, 0);
	lua_xmove(co, L, 1);
	return 2;
}

void hv_interrupt_coroutines(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "resume", co_resume },
		{ "wrap", co_wrap },
		{ "close", co_close },
		{ NULL, NULL },
	};

	lua_getglobal(L, "coroutine");
	luaL_setfuncs(L, functions, 0);
	lua_pop(L, 1);
}
