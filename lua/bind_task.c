// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "base/duration.h"
#include "lua/task.h"

static struct hv_task *check_task(lua_State *L)
{
	return luaL_checkudata(L, 1, HV_TASK);
}

static struct hv_task *task_of_method(lua_State *L, const char *method)
{
	struct hv_task *task = luaL_testudata(L, 1, HV_TASK);

	if (!task)
		luaL_error(L, "call it with a colon: task:%s()", method);
	return task;
}

static const char *state_name(const struct hv_task *task)
{
	static const char *const names[] = {
		[HV_TASK_WAITING] = "waiting",	   [HV_TASK_RUNNING] = "running",
		[HV_TASK_DONE] = "done",	   [HV_TASK_FAILED] = "failed",
		[HV_TASK_CANCELLED] = "cancelled",
	};

	return names[hv_task_state(task)];
}

/* The option timeout of the table at idx, if there is one. */
static uint64_t timeout_option(lua_State *L, int idx)
{
	uint64_t deadline;

	if (lua_isnoneornil(L, idx))
		return 0;
	luaL_checktype(L, idx, LUA_TTABLE);
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), "timeout") != 0)
			luaL_error(L, "task:wait has no option %s (timeout is one)",
				   luaL_tolstring(L, -1, NULL));
	}
	lua_getfield(L, idx, "timeout");
	deadline = hv_task_deadline(L, -1);
	lua_pop(L, 1);
	return deadline;
}

/* Stack: the task, its deadline. */
static int wait_on(lua_State *L, int status, lua_KContext ctx)
{
	struct hv_task *task = lua_touserdata(L, 1);
	uint64_t deadline = (uint64_t)lua_tointeger(L, 2);
	struct hv_err err;

	switch (hv_task_state(task)) {
	case HV_TASK_DONE:
		return hv_task_results(L, 1);
	case HV_TASK_FAILED:
		lua_pushnil(L);
		if (hv_task_results(L, 1) == 0)
			lua_pushliteral(L, "not enough memory");
		lua_pushfstring(L, "EFAULT: %s", lua_tostring(L, -1));
		lua_replace(L, -2);
		lua_pushliteral(L, "EFAULT");
		return 3;
	case HV_TASK_CANCELLED:
		hv_err_set(&err, ECANCELED, "task %s was cancelled", hv_task_name(task));
		return hv_bind_fail(L, &err);
	default:
		if (status == LUA_YIELD && hv_task_timed_out(L)) {
			hv_err_set(&err, ETIMEDOUT, "task %s has not ended in time",
				   hv_task_name(task));
			return hv_bind_fail(L, &err);
		}
		return hv_cond_wait(L, hv_task_ended(task), deadline, ctx, wait_on);
	}
}

/* task:wait{timeout = …} -> what its function returned | nil, message, code */
static int wait(lua_State *L)
{
	struct hv_task *task = task_of_method(L, "wait");
	uint64_t deadline = timeout_option(L, 2);

	if (hv_task_is_current(task))
		return luaL_error(L, "a task cannot wait for itself");
	lua_settop(L, 1);
	lua_pushinteger(L, (lua_Integer)deadline);
	return wait_on(L, LUA_OK, 0);
}

/* task:cancel() -> true | nil, message, code */
static int cancel(lua_State *L)
{
	struct hv_task *task = task_of_method(L, "cancel");
	const char *text;

	if (hv_task_cancel(L, task)) {
		lua_pushboolean(L, 1);
		return 1;
	}
	text = luaL_tolstring(L, -1, NULL);
	lua_pushnil(L);
	lua_pushfstring(L, "EFAULT: task %s, while it was closed: %s", hv_task_name(task), text);
	lua_pushliteral(L, "EFAULT");
	return 3;
}

static int tostring(lua_State *L)
{
	struct hv_task *task = check_task(L);

	lua_pushfstring(L, "task %s: %s", hv_task_name(task), state_name(task));
	return 1;
}

/* upvalue: the methods */
static int field(lua_State *L)
{
	struct hv_task *task = check_task(L);
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	if (!strcmp(key, "state")) {
		lua_pushstring(L, state_name(task));
	} else if (!strcmp(key, "name")) {
		lua_pushstring(L, hv_task_name(task));
	} else {
		lua_pushvalue(L, 2);
		if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
			return luaL_error(L,
					  "task has no field %s (it has wait, cancel, state, name)",
					  luaL_tolstring(L, 2, NULL));
	}
	return 1;
}

static void make_type(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "wait", wait },
		{ "cancel", cancel },
		{ NULL, NULL },
	};

	if (luaL_newmetatable(L, HV_TASK)) {
		luaL_newlib(L, methods);
		lua_pushcclosure(L, field, 1);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, tostring);
		lua_setfield(L, -2, "__tostring");
		lua_pushcfunction(L, cancel);
		lua_setfield(L, -2, "__close");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

/* spawn(name, function, arguments…) -> task */
static int spawn(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	hv_task_new(L, lua_gettop(L) - 2, name);
	return 1;
}

/* now() -> ns of the clock that deadlines are on */
static int now(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)hv_now());
	return 1;
}

/* duration("250ms" | seconds) -> ns | nil, what is wrong */
static int duration(lua_State *L)
{
	const char *wrong;
	struct hv_err err;
	uint64_t ns;

	wrong = hv_task_duration(L, 1, &ns, &err);
	if (wrong) {
		lua_pushnil(L);
		lua_pushstring(L, wrong);
		return 2;
	}
	lua_pushinteger(L, (lua_Integer)ns);
	return 1;
}

/* duration_text(ns) -> "250ms" */
static int duration_text(lua_State *L)
{
	char text[HV_DURATION_TEXT];

	lua_pushstring(L, hv_duration_format((uint64_t)luaL_checkinteger(L, 1), text));
	return 1;
}

static int slept(lua_State *L, int status, lua_KContext ctx)
{
	(void)L;
	(void)status;
	(void)ctx;
	return 0;
}

/* sleep_until(ns) */
static int sleep_until(lua_State *L)
{
	lua_Integer at = luaL_checkinteger(L, 1);

	luaL_argcheck(L, at > 0, 1, "no time");
	return hv_cond_wait(L, NULL, (uint64_t)at, 0, slept);
}

/* in_foreground() -> whether the caller is the script, not a task or callback it made */
static int in_foreground(lua_State *L)
{
	lua_pushboolean(L, hv_task_in_foreground(L));
	return 1;
}

/* owner() -> for whom this task works (lua/task.h); nil = nobody in particular */
static int owner(lua_State *L)
{
	if (!hv_task_push_owner(L))
		lua_pushnil(L);
	return 1;
}

/* own(owner): this task works for who owner() has returned elsewhere */
static int own(lua_State *L)
{
	lua_settop(L, 1);
	hv_task_own(L, 1);
	return 0;
}

/* tasks_alive() -> how many but the caller's and the foreground */
static int tasks_alive(lua_State *L)
{
	lua_pushinteger(L, hv_tasks_alive(L));
	return 1;
}

void hv_bind_task(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "spawn", spawn },
		{ "now", now },
		{ "duration", duration },
		{ "duration_text", duration_text },
		{ "sleep_until", sleep_until },
		{ "tasks_alive", tasks_alive },
		{ "in_foreground", in_foreground },
		{ "owner", owner },
		{ "own", own },
		{ NULL, NULL },
	};

	make_type(L);
	luaL_setfuncs(L, functions, 0);
}
