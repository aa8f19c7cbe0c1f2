// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/task_priv.h"

#include <lauxlib.h>

#include "base/log.h"
#include "lua/interrupt.h"
#include "lua/run.h"
#include "lua/session.h"

/*
 * How tasks end. Nothing in here raises, but where L is that of a caller; the loop has nobody to
 * tell.
 */

/* Cancelling from a __close handler runs on the C stack of that handler; deeper ones take their
 * turn. */
#define CLOSE_DEPTH 16

static void push_task(lua_State *L, struct hv_task *task)
{
	hv_tasks_push_live(L);
	lua_rawgetp(L, -1, task);
	lua_remove(L, -2);
}

/* The task is on top of L, and stays there. Its coroutine is no longer needed. */
static void end(lua_State *L, struct hv_task *task)
{
	hv_task_forget(task);
	/* Keys that are there take no memory: nothing here raises. The table never shrinks. */
	if (task->tasks->n_alive == 0) {
		lua_pushnil(L);
		hv_tasks_set_live(L);
	} else {
		hv_tasks_push_live(L);
		lua_pushnil(L);
		lua_rawsetp(L, -2, task);
		lua_pop(L, 1);
	}
	lua_pushnil(L);
	lua_setiuservalue(L, -2, HV_TASK_COROUTINE);
	task->co = NULL;
	hv_cond_wake(&task->ended);
}

static void log_error(lua_State *L, const struct hv_task *task, lua_State *co, const char *what)
{
	struct hv_buf text = { 0 }, line = { 0 };
	const char *why;

	hv_run_text(L, co, &text);
	why = text.failed ? "not enough memory to say what went wrong" : text.data ? text.data : "";
	hv_log_error("task %s: %s%s", task->name, what, why);
	/* Whoever typed it does not see the log. */
	if (task->owner && task->owner->tell) {
		hv_buf_printf(&line, "hvsh: error: task %s: %s%s\n", task->name, what, why);
		if (!line.failed)
			task->owner->tell(task->owner, line.data, line.len);
		hv_buf_free(&line);
	}
	hv_buf_free(&text);
}

/* (values…) -> a table of them, with n */
static int collect(lua_State *L)
{
	int n = lua_gettop(L);

	lua_createtable(L, n, 1);
	lua_insert(L, 1);
	for (int i = n; i >= 1; i--)
		lua_rawseti(L, 1, i);
	lua_pushinteger(L, n);
	lua_setfield(L, 1, "n");
	return 1;
}

/* (error object) -> its text */
static int error_text(lua_State *L)
{
	struct hv_buf *buf = lua_touserdata(L, 2);

	lua_settop(L, 1);
	hv_run_text(L, NULL, buf);
	lua_pushlstring(L, buf->data ? buf->data : "", buf->failed ? 0 : buf->len);
	return 1;
}

/* The task is on top of L. What its function returned becomes its user value. */
static bool keep_results(lua_State *L, struct hv_task *task, int n)
{
	if (n == 0)
		return true;
	if (lua_checkstack(L, n + 8)) {
		lua_pushcfunction(L, collect);
		lua_xmove(task->co, L, n);
		if (lua_pcall(L, n, 1, 0) == LUA_OK) {
			lua_setiuservalue(L, -2, HV_TASK_RESULTS);
			return true;
		}
	} else {
		lua_pushliteral(L, "too many of them");
	}
	log_error(L, task, NULL, "its results are lost: ");
	return false;
}

/* The task is on top of L. Says what ended its coroutine, keeps the text, and closes it. */
static void keep_error(lua_State *L, struct hv_task *task)
{
	struct hv_buf buf = { 0 };

	lua_xmove(task->co, L, 1);
	lua_pushvalue(L, -1);
	log_error(L, task, task->co, "");

	lua_pushcfunction(L, error_text);
	lua_pushvalue(L, -2);
	lua_pushlightuserdata(L, &buf);
	if (lua_pcall(L, 2, 1, 0) == LUA_OK)
		lua_setiuservalue(L, -3, HV_TASK_RESULTS);
	else
		lua_pop(L, 1);
	hv_buf_free(&buf);

	lua_pushvalue(L, -1);
	lua_xmove(L, task->co, 1);
	/* The error of a __close handler takes the place of the one that was there. */
	if (hv_co_close(task->co) != LUA_OK) {
		lua_xmove(task->co, L, 1);
		if (lua_rawequal(L, -1, -2))
			lua_pop(L, 1);
		else
			log_error(L, task, NULL, "while it was closed: ");
	}
	lua_pop(L, 1);
}

void hv_task_finish(struct hv_task *task, int status, int n)
{
	lua_State *L = task->tasks->L;
	bool done = status == LUA_OK;

	task->status = status;
	task->n_results = n;
	lua_checkstack(L, 16);
	push_task(L, task);
	if (task != task->tasks->foreground) {
		if (status == LUA_YIELD)
			lua_pushliteral(task->co, "the task yielded outside of its coroutines, and "
						  "nothing will resume it");
		if (!done)
			keep_error(L, task);
		else
			done = keep_results(L, task, n);
	}
	task->state = done ? HV_TASK_DONE : HV_TASK_FAILED;
	end(L, task);
	lua_pop(L, 1);
}

/* false: a __close handler's error was pushed on L. */
static bool close_task(lua_State *L, struct hv_task *task)
{
	struct hv_interrupt_watching watched;
	int status;

	task->state = HV_TASK_CANCELLED;
	push_task(L, task);
	hv_task_stop_waiting(task);
	task->tasks->close_depth++;
	watched = hv_interrupt_watch(task->owner);
	status = hv_co_close(task->co);
	hv_interrupt_unwatch(&watched);
	task->tasks->close_depth--;
	if (status != LUA_OK) {
		lua_xmove(task->co, L, 1);
		lua_insert(L, -2);
	}
	end(L, task);
	lua_pop(L, 1);
	return status == LUA_OK;
}

void hv_task_close_logged(lua_State *L, struct hv_task *task)
{
	lua_checkstack(L, 16);
	/* Its name is needed after it was closed. */
	push_task(L, task);
	if (!close_task(L, task))
		log_error(L, task, NULL, "while it was closed: ");
	lua_pop(L, 1);
}

bool hv_task_cancel(lua_State *L, struct hv_task *task)
{
	if (task->state != HV_TASK_WAITING && task->state != HV_TASK_RUNNING)
		return true;
	luaL_checkstack(L, 6, "too much to cancel a task");
	if (task->state == HV_TASK_WAITING && task->tasks->close_depth < CLOSE_DEPTH)
		return close_task(L, task);
	task->to_cancel = true;
	if (task->state == HV_TASK_WAITING)
		hv_task_make_ready(task);
	return true;
}

int hv_task_results(lua_State *L, int idx)
{
	int table, n;

	if (lua_getiuservalue(L, idx, HV_TASK_RESULTS) != LUA_TTABLE)
		return !lua_isnil(L, -1);
	table = lua_gettop(L);
	lua_getfield(L, table, "n");
	n = (int)lua_tointeger(L, -1);
	luaL_checkstack(L, n, "too many results");
	for (int i = 1; i <= n; i++)
		lua_rawgeti(L, table, i);
	return n;
}

void hv_tasks_close(lua_State *L)
{
	struct hv_tasks *tasks = hv_session_of(L)->tasks;
	struct hv_task *task;

	if (!tasks)
		return;
	tasks->closed = true;
	/* The handlers have their time; another Ctrl-C cuts it short. */
	hv_interrupt_clear();
	for (;;) {
		for (task = tasks->newest; task && task->state != HV_TASK_WAITING;)
			task = task->older;
		if (!task)
			return;
		hv_task_close_logged(L, task);
	}
}
