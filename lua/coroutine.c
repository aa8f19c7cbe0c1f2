// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/coroutine.h"

#include <lauxlib.h>
#include <stddef.h>

#include "lua/interrupt.h"

/*
 * What lies on top of a coroutine that waits: the address of one of these. Below it is, in the
 * coroutine that asked, its hv_co_wait; in those that led there, the coroutine it resumed.
 */
static const char asks = 'a', leads = 'l';

/* The coroutine that has just suspended itself for a wait, until its resumer has seen it. */
static lua_State *suspended;
/* Whoever resumed the running coroutine can be suspended, down to C. */
static bool can_wait;

/* What resume returns instead of a number of results. */
#define FAILED (-1)
#define WAITS (-2)

bool hv_co_can_wait(lua_State *L)
{
	return can_wait && lua_isyieldable(L);
}

bool hv_co_waits(lua_State *co)
{
	const void *mark;

	if (lua_status(co) != LUA_YIELD || lua_gettop(co) < 2)
		return false;
	mark = lua_touserdata(co, -1);
	return mark == &asks || mark == &leads;
}

static int suspend(lua_State *L, const char *mark, lua_KContext ctx, lua_KFunction k)
{
	lua_pushlightuserdata(L, (void *)mark);
	suspended = L;
	/* The mark stays on the stack: whoever resumes L takes it off. */
	return lua_yieldk(L, 1, ctx, k);
}

int hv_co_wait(lua_State *L, struct hv_co_wait *wait, lua_KContext ctx, lua_KFunction k)
{
	luaL_checkstack(L, 2, "too much to wait with");
	lua_pushlightuserdata(L, wait);
	return suspend(L, &asks, ctx, k);
}

static int go_on(lua_State *co, lua_State *from, int nargs, bool could_wait, int *n)
{
	lua_State *ran;
	bool before = can_wait;
	int status;

	if (hv_co_waits(co))
		lua_pop(co, 2);
	can_wait = could_wait;
	ran = hv_interrupt_enter(co);
	status = lua_resume(co, from, nargs, n);
	hv_interrupt_leave(ran);
	can_wait = before;
	if (status == LUA_YIELD && suspended == co)
		*n = -1;
	suspended = NULL;
	return status;
}

int hv_co_resume(lua_State *co, lua_State *from, int nargs, int *n)
{
	return go_on(co, from, nargs, true, n);
}

int hv_co_close(lua_State *co)
{
	lua_State *inner = NULL, *ran;
	int status, inner_status = LUA_OK;

	if (hv_co_waits(co)) {
		if (lua_touserdata(co, -1) == &leads) {
			inner = lua_tothread(co, -2);
			/* It may have been closed alone. */
			if (hv_co_waits(inner))
				inner_status = hv_co_close(inner);
		} else {
			struct hv_co_wait *wait = lua_touserdata(co, -2);

			wait->closed(wait);
		}
	}
	ran = hv_interrupt_enter(co);
	status = lua_resetthread(co);
	hv_interrupt_leave(ran);
	if (status != LUA_OK || inner_status == LUA_OK)
		return status;
	lua_xmove(inner, co, 1);
	return inner_status;
}

/*
 * Resumes co with the nargs values on top of L. The number of results moved to L; FAILED with the
 * error on L; or WAITS.
 */
static int resume(lua_State *L, lua_State *co, int nargs)
{
	int status, n;

	if (!lua_checkstack(co, nargs)) {
		lua_pushliteral(L, "too many arguments to resume");
		return FAILED;
	}
	lua_xmove(L, co, nargs);
	status = go_on(co, L, nargs, hv_co_can_wait(L), &n);
	if (status == LUA_YIELD && n < 0)
		return WAITS;
	if (status == LUA_OK || status == LUA_YIELD) {
		if (lua_checkstack(L, n + 1)) {
			lua_xmove(co, L, n);
			return n;
		}
		lua_pop(co, n);
		lua_pushliteral(L, "too many results to resume");
		return FAILED;
	}
	lua_xmove(co, L, 1);
	return FAILED;
}

/* The coroutine at idx, which L resumed, waits: so does L. Room was made before it was resumed: an
 * error here would leave it waiting for nobody. */
static int lead(lua_State *L, int idx, lua_KFunction k)
{
	lua_pushvalue(L, idx);
	return suspend(L, &leads, 0, k);
}

static lua_State *check_thread(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argexpected(L, co, 1, "coroutine");
	return co;
}

static int resumed(lua_State *L, int n, lua_KFunction k)
{
	if (n == WAITS)
		return lead(L, 1, k);
	lua_pushboolean(L, n >= 0);
	lua_insert(L, n >= 0 ? -(n + 1) : -2);
	return n >= 0 ? n + 1 : 2;
}

/* The coroutine is still the first argument. */
static int resume_on(lua_State *L, int status, lua_KContext ctx)
{
	(void)status;
	(void)ctx;
	return resumed(L, resume(L, lua_tothread(L, 1), 0), resume_on);
}

static int co_resume(lua_State *L)
{
	lua_State *co = check_thread(L);

	luaL_checkstack(L, 2, "too many arguments to resume");
	if (hv_co_waits(co)) {
		lua_pushboolean(L, 0);
		lua_pushliteral(L, "cannot resume non-suspended coroutine");
		return 2;
	}
	return resumed(L, resume(L, co, lua_gettop(L) - 1), resume_on);
}

static int raise_located(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int wrap_resumed(lua_State *L, lua_State *co, int n, lua_KFunction k)
{
	if (n == WAITS)
		return lead(L, lua_upvalueindex(1), k);
	if (n >= 0)
		return n;
	if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) {
		/* It died; an error of its __close handlers takes the place of the one that killed
		 * it. */
		lua_pushvalue(L, -1);
		lua_xmove(L, co, 1);
		if (hv_co_close(co) != LUA_OK)
			lua_xmove(co, L, 1);
	}
	return raise_located(L);
}

static int wrap_on(lua_State *L, int status, lua_KContext ctx)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));

	(void)status;
	(void)ctx;
	return wrap_resumed(L, co, resume(L, co, 0), wrap_on);
}

static int wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));

	luaL_checkstack(L, 2, "too many arguments to resume");
	if (hv_co_waits(co)) {
		lua_pushliteral(L, "cannot resume non-suspended coroutine");
		return raise_located(L);
	}
	return wrap_resumed(L, co, resume(L, co, lua_gettop(L)), wrap_on);
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
	if (hv_co_close(co) == LUA_OK) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushboolean(L, 0);
	lua_xmove(co, L, 1);
	return 2;
}

/* upvalue: coroutine.status itself. */
static int co_status(lua_State *L)
{
	if (hv_co_waits(check_thread(L))) {
		lua_pushliteral(L, "normal");
		return 1;
	}
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

void hv_coroutine_functions(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "resume", co_resume },
		{ "wrap", co_wrap },
		{ "close", co_close },
		{ NULL, NULL },
	};

	lua_getglobal(L, "coroutine");
	luaL_setfuncs(L, functions, 0);
	lua_getfield(L, -1, "status");
	lua_pushcclosure(L, co_status, 1);
	lua_setfield(L, -2, "status");
	lua_pop(L, 1);
}
