// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/task_priv.h"

#include <errno.h>
#include <lauxlib.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lua/interrupt.h"
#include "lua/run.h"
#include "lua/session.h"

/* How many tasks go on in one round of the loop: descriptors and timers have their turn as well. */
#define ROUND 64
#define TURN_NS UINT64_C(10000000)

/* Keys in the registry. */
static const char live = 'l';
static const char guard = 'g'; /* collected when the state is closed */

/* ---- lists of those who wait */

static void list_add(struct hv_cond *list, struct hv_waiter *w)
{
	w->in = list;
	w->next = NULL;
	w->prev = list->last;
	if (w->prev)
		w->prev->next = w;
	else
		list->first = w;
	list->last = w;
}

static void list_remove(struct hv_waiter *w)
{
	if (!w->in)
		return;
	if (w->prev)
		w->prev->next = w->next;
	else
		w->in->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		w->in->last = w->prev;
	w->in = NULL;
}

static struct hv_task *task_of(struct hv_waiter *w)
{
	return (struct hv_task *)((char *)w - offsetof(struct hv_task, waiter));
}

void hv_task_stop_waiting(struct hv_task *task)
{
	list_remove(&task->waiter);
	if (task->timer)
		hv_timer_set(task->timer, 0, 0);
}

void hv_task_make_ready(struct hv_task *task)
{
	struct hv_tasks *tasks = task->tasks;

	hv_task_stop_waiting(task);
	list_add(&tasks->ready, &task->waiter);
	hv_loop_defer(tasks->loop, &tasks->round);
}

void hv_cond_wake(struct hv_cond *cond)
{
	while (cond->first)
		hv_task_make_ready(task_of(cond->first));
}

void hv_cond_end(struct hv_cond *cond)
{
	hv_cond_wake(cond);
}

/* ---- the loop and its tasks */

static void run_ready(struct hv_loop *loop, struct hv_post *post);

static struct hv_tasks *tasks_of(struct hv_session *session, struct hv_err *err)
{
	struct hv_tasks *tasks = session->tasks;

	if (tasks)
		return tasks;
	tasks = calloc(1, sizeof(*tasks));
	if (!tasks) {
		hv_err_nomem(err);
		return NULL;
	}
	tasks->round.fn = run_ready;
	tasks->round.arg = tasks;
	session->tasks = tasks;
	return tasks;
}

struct hv_loop *hv_session_loop(struct hv_session *session, struct hv_err *err)
{
	struct hv_tasks *tasks = tasks_of(session, err);

	if (!tasks)
		return NULL;
	if (!tasks->loop) {
		if (hv_loop_new(&tasks->loop, err) < 0)
			return NULL;
		hv_interrupt_wakes(tasks->loop);
	}
	return tasks->loop;
}

struct hv_loop *hv_task_loop(lua_State *L)
{
	struct hv_err err;
	struct hv_loop *loop = hv_session_loop(hv_session_of(L), &err);

	if (!loop)
		luaL_error(L, "%s", err.msg);
	return loop;
}

unsigned int hv_tasks_alive(lua_State *L)
{
	const struct hv_tasks *tasks = hv_session_of(L)->tasks;

	if (!tasks)
		return 0;
	return tasks->n_alive - (tasks->foreground != NULL) -
	       (tasks->running && tasks->running != tasks->foreground);
}

void hv_task_forget(struct hv_task *task)
{
	struct hv_tasks *tasks = task->tasks;

	hv_task_stop_waiting(task);
	hv_source_remove(task->timer);
	task->timer = NULL;
	if (task->older)
		task->older->newer = task->newer;
	else
		tasks->oldest = task->newer;
	if (task->newer)
		task->newer->older = task->older;
	else
		tasks->newest = task->older;
	tasks->n_alive--;
}

/* The state is being closed, and with it all memory of tasks goes away. */
static int guard_gc(lua_State *L)
{
	struct hv_tasks *tasks = hv_session_of(L)->tasks;

	/* Here, for os.exit closes it as well. */
	hv_interrupt_end();
	if (!tasks)
		return 0;
	while (tasks->newest)
		hv_task_forget(tasks->newest);
	tasks->closed = true;
	tasks->L = NULL;
	return 0;
}

static void set_up(lua_State *L, struct hv_tasks *tasks)
{
	lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, guard_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &guard);

	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	tasks->L = lua_tothread(L, -1);
	lua_pop(L, 1);
}

int hv_tasks_push_live(lua_State *L)
{
	return lua_rawgetp(L, LUA_REGISTRYINDEX, &live);
}

void hv_tasks_set_live(lua_State *L)
{
	lua_rawsetp(L, LUA_REGISTRYINDEX, &live);
}

static void on_closed(struct hv_co_wait *wait)
{
	struct hv_task *task = (struct hv_task *)((char *)wait - offsetof(struct hv_task, wait));

	hv_task_stop_waiting(task);
	if (task->state == HV_TASK_WAITING)
		hv_task_make_ready(task);
}

/* The function below nargs arguments on top becomes a task, not yet ready. Pushes it. */
static struct hv_task *make(lua_State *L, int nargs, const char *name)
{
	struct hv_err err;
	struct hv_tasks *tasks = tasks_of(hv_session_of(L), &err);
	int function = lua_gettop(L) - nargs;
	size_t len = strlen(name) + 1;
	struct hv_task *task;

	if (!tasks)
		luaL_error(L, "%s", err.msg);
	if (tasks->closed)
		luaL_error(L, "hvsh is about to end: no task can begin any more");
	luaL_checkstack(L, 8, "too many arguments");
	if (!tasks->L)
		set_up(L, tasks);
	task = lua_newuserdatauv(L, sizeof(*task) + len, HV_TASK_OWNER);
	memset(task, 0, sizeof(*task));
	memcpy(task->name, name, len);
	task->tasks = tasks;
	task->wait.closed = on_closed;
	task->nargs = nargs;
	task->co = lua_newthread(L);
	lua_setiuservalue(L, -2, HV_TASK_COROUTINE);
	luaL_setmetatable(L, HV_TASK);
	if (!lua_checkstack(task->co, nargs + 1))
		luaL_error(L, "too many arguments");
	if (hv_tasks_push_live(L) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		hv_tasks_set_live(L);
	}
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, task);
	lua_pop(L, 1);
	task->owner = hv_task_push_owner(L);
	if (task->owner)
		lua_setiuservalue(L, -2, HV_TASK_OWNER);

	lua_insert(L, function);
	lua_xmove(L, task->co, nargs + 1);
	task->older = tasks->newest;
	if (task->older)
		task->older->newer = task;
	else
		tasks->oldest = task;
	tasks->newest = task;
	tasks->n_alive++;
	return task;
}

struct hv_task *hv_task_new(lua_State *L, int nargs, const char *name)
{
	struct hv_task *task;

	hv_task_loop(L);
	task = make(L, nargs, name);
	hv_task_make_ready(task);
	return task;
}

/* (function, arguments…, name) */
static int spawn(lua_State *L)
{
	const char *name = lua_touserdata(L, -1);

	lua_pop(L, 1);
	hv_task_new(L, lua_gettop(L) - 1, name);
	return 0;
}

void hv_task_spawn(lua_State *L, int nargs, const char *name)
{
	struct hv_buf why = { 0 };

	if (!lua_checkstack(L, 4)) {
		lua_pop(L, nargs + 1);
		hv_log_error("task %s cannot begin: too many arguments", name);
		return;
	}
	lua_pushcfunction(L, spawn);
	lua_insert(L, -(nargs + 2));
	lua_pushlightuserdata(L, (void *)name);
	if (lua_pcall(L, nargs + 2, 0, 0) == LUA_OK)
		return;
	hv_run_text(L, NULL, &why);
	hv_log_error("task %s cannot begin: %s", name, why.failed ? "not enough memory" : why.data);
	hv_buf_free(&why);
}

/* ---- whose they are */

struct hv_interrupt_watch *hv_task_push_owner(lua_State *L)
{
	const struct hv_tasks *tasks = hv_session_of(L)->tasks;
	struct hv_task *running = tasks ? tasks->running : NULL;

	if (!running || !running->owner)
		return NULL;
	hv_tasks_push_live(L);
	lua_rawgetp(L, -1, running);
	lua_getiuservalue(L, -1, HV_TASK_OWNER);
	lua_replace(L, -3);
	lua_pop(L, 1);
	return running->owner;
}

bool hv_task_owned(lua_State *L)
{
	const struct hv_tasks *tasks = hv_session_of(L)->tasks;

	return tasks && tasks->running && tasks->running->owner && !tasks->running->owner->apart;
}

void hv_task_own(lua_State *L, int idx)
{
	struct hv_task *running = hv_session_of(L)->tasks->running;

	idx = lua_absindex(L, idx);
	hv_tasks_push_live(L);
	lua_rawgetp(L, -1, running);
	lua_pushvalue(L, idx);
	lua_setiuservalue(L, -2, HV_TASK_OWNER);
	lua_pop(L, 2);
	running->owner = lua_touserdata(L, idx);
	/* The one before may be collected from now on: nothing may ask it any more. */
	(void)hv_interrupt_watch(running->owner);
	(void)hv_interrupt_enter(L);
}

const struct hv_task *hv_task_running(lua_State *L)
{
	const struct hv_tasks *tasks = hv_session_of(L)->tasks;

	return tasks ? tasks->running : NULL;
}

bool hv_task_in_foreground(lua_State *L)
{
	const struct hv_tasks *tasks = hv_session_of(L)->tasks;

	return tasks && tasks->running && tasks->running == tasks->foreground;
}

/* ---- how they run */

static void resume(struct hv_task *task)
{
	struct hv_tasks *tasks = task->tasks;
	struct hv_task *before = tasks->running;
	struct hv_interrupt_watching watched;
	bool was_background;
	int status, n;

	hv_task_stop_waiting(task);
	/* Somebody may have closed the coroutine by itself. */
	if (task->to_cancel || (task->begun && !hv_co_waits(task->co))) {
		hv_task_close_logged(tasks->L, task);
		return;
	}
	task->state = HV_TASK_RUNNING;
	task->resumed_at = hv_now();
	tasks->running = task;
	was_background = hv_interrupt_background(task != tasks->foreground);
	watched = hv_interrupt_watch(task->owner);
	status = hv_co_resume(task->co, tasks->L, task->begun ? 0 : task->nargs, &n);
	hv_interrupt_background(was_background);
	task->begun = true;
	tasks->running = before;
	if (status != LUA_YIELD || n >= 0) {
		hv_task_finish(task, status, n);
		hv_interrupt_unwatch(&watched);
		return;
	}
	hv_interrupt_unwatch(&watched);
	task->state = HV_TASK_WAITING;
	if (task->to_cancel)
		hv_task_close_logged(tasks->L, task);
}

static void run_ready(struct hv_loop *loop, struct hv_post *post)
{
	struct hv_tasks *tasks = post->arg;

	/* An interruption is for the foreground: others would die of it first. */
	for (int i = 0; i < ROUND && tasks->ready.first && !hv_interrupted(); i++)
		resume(task_of(tasks->ready.first));
	if (tasks->ready.first)
		hv_loop_defer(loop, &tasks->round);
}

/* One round for the foreground, which waits. */
static void go_round(lua_State *L, struct hv_task *task)
{
	struct hv_err err;

	if (hv_interrupted()) {
		hv_interrupt_raised(task->co);
		resume(task);
		return;
	}
	if (hv_loop_run_once(task->tasks->loop, -1, &err) >= 0 || err.code == EINTR)
		return;
	hv_task_close_logged(L, task);
	task->tasks->foreground = NULL;
	luaL_error(L, "%s", err.msg);
}

int hv_task_foreground(lua_State *L, int nargs, int *n)
{
	struct hv_task *task = make(L, nargs, "in the foreground");
	struct hv_tasks *tasks = task->tasks;
	lua_State *co = task->co;
	int status;

	/* Of the two, the coroutine stays: hv_run wants its frames. */
	lua_getiuservalue(L, -1, HV_TASK_COROUTINE);
	lua_insert(L, -2);
	tasks->foreground = task;
	resume(task);
	while (task->state == HV_TASK_WAITING)
		go_round(L, task);
	tasks->foreground = NULL;
	if (task->state == HV_TASK_CANCELLED) {
		task->status = LUA_ERRRUN;
		lua_pushliteral(co, "the script was closed by one of its tasks");
	}
	*n = task->n_results;
	status = task->status;
	lua_pop(L, 1);
	return status;
}

/* ---- waiting */

static int raise_here(lua_State *L, const char *text)
{
	hv_run_where(L);
	lua_pushstring(L, text);
	lua_concat(L, 2);
	return lua_error(L);
}

static void on_deadline(struct hv_source *src, uint64_t times, void *arg)
{
	struct hv_task *task = arg;

	(void)src;
	(void)times;
	task->timed_out = true;
	hv_task_make_ready(task);
}

/* Others than the foreground may wait until that has ended. */
static bool is_interrupted(const struct hv_task *task)
{
	return task == task->tasks->foreground && hv_interrupted();
}

static int go_on(lua_State *L, int status, lua_KContext unused)
{
	struct hv_task *task = hv_session_of(L)->tasks->running;

	(void)unused;
	if (is_interrupted(task))
		return hv_interrupt_raise(L);
	return task->k(L, status, task->ctx);
}

int hv_cond_wait(lua_State *L, struct hv_cond *cond, uint64_t deadline, lua_KContext ctx,
		 lua_KFunction k)
{
	struct hv_tasks *tasks = hv_session_of(L)->tasks;
	struct hv_task *task = tasks ? tasks->running : NULL;
	struct hv_loop *loop;
	struct hv_err err;
	bool over;

	luaL_checkstack(L, 4, "too much to wait with");
	if (!task || !hv_co_can_wait(L))
		return raise_here(
			L, "cannot wait here: require, table.sort, string.gsub, __gc and the "
			   "closing of a task cannot be suspended");
	if (is_interrupted(task))
		return hv_interrupt_raise(L);
	loop = hv_task_loop(L);
	over = deadline && deadline <= hv_now();
	if (deadline && !over && !task->timer &&
	    hv_loop_add_timer(loop, 0, 0, on_deadline, task, &task->timer, &err) < 0)
		return luaL_error(L, "%s", err.msg);
	task->k = k;
	task->ctx = ctx;
	task->timed_out = over;
	if (over) {
		hv_task_make_ready(task);
	} else {
		if (cond)
			list_add(cond, &task->waiter);
		if (deadline)
			hv_timer_set(task->timer, deadline, 0);
	}
	return hv_co_wait(L, &task->wait, 0, go_on);
}

bool hv_task_is_due(lua_State *L)
{
	const struct hv_task *task = hv_task_running(L);

	return task && hv_now() - task->resumed_at > TURN_NS && hv_co_can_wait(L);
}

bool hv_task_timed_out(lua_State *L)
{
	return hv_session_of(L)->tasks->running->timed_out;
}

/* ---- what bind_task.c asks */

enum hv_task_state hv_task_state(const struct hv_task *task)
{
	return task->state;
}

const char *hv_task_name(const struct hv_task *task)
{
	return task->name;
}

struct hv_cond *hv_task_ended(struct hv_task *task)
{
	return &task->ended;
}

bool hv_task_is_current(const struct hv_task *task)
{
	return task->tasks->running == task;
}

void hv_tasks_free(struct hv_tasks *tasks)
{
	if (!tasks)
		return;
	if (tasks->L)
		hv_tasks_close(tasks->L);
	hv_interrupt_wakes(NULL);
	hv_loop_free(tasks->loop);
	free(tasks);
}
