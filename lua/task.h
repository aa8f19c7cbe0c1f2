/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_TASK_H
#define HV_LUA_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

/*
 * Tasks: coroutines that wait on the loop of the main thread. What hv_run runs is one of them, the
 * foreground; the others are made by spawn, after and every. All of this is for the main thread.
 *
 * Tasks that may go on are resumed by the loop, in the order in which they were woken, some of
 * them in each round. A task that fails ends alone, with its traceback in the log.
 */
struct hv_session;
struct hv_task;
struct hv_tasks;

/* The loop of the process, made at first use. hv_task_loop raises when that fails. */
struct hv_loop *hv_task_loop(lua_State *L);
/* NULL with err. Lives until hv_tasks_free. */
struct hv_loop *hv_session_loop(struct hv_session *session, struct hv_err *err);

/* What tasks wait for. Zeroed = nobody waits. It stays where it is while somebody does. */
struct hv_waiter;
struct hv_cond {
	struct hv_waiter *first, *last;
};

/*
 * From a C function that Lua called: suspends the task until hv_cond_wake(cond), or until deadline
 * (hv_now's ns, 0 = none). Then k(L, LUA_YIELD, ctx) goes on with the stack as it was, as with
 * lua_yieldk: it looks again at what it waits for, and may wait again. cond NULL = the deadline
 * only. Whatever holds cond must be kept alive by the stack, or end with hv_cond_end. Never
 * returns: write `return hv_cond_wait(…)`. Raises "cannot wait here" where the coroutine cannot be
 * suspended (inside of a finalizer, table.sort, require …), and "interrupted" when Ctrl-C was
 * pressed, now or while it waits. A closed coroutine is not resumed: k is not called.
 */
int hv_cond_wait(lua_State *L, struct hv_cond *cond, uint64_t deadline, lua_KContext ctx,
		 lua_KFunction k);
/*
 * The running task can wait here, and has gone on for 10 ms since it last did: what finds something
 * at once every time lets the loop come round first, by a wait whose deadline is now.
 */
bool hv_task_is_due(lua_State *L);
/* In k: the deadline ended the wait, and not hv_cond_wake. */
bool hv_task_timed_out(lua_State *L);

/* All who wait go on, first come first served, when the loop comes round; not inside this call.
 * From Lua or from a callback of the loop; raises nothing. */
void hv_cond_wake(struct hv_cond *cond);
/* The same, before the memory of cond goes away. */
void hv_cond_end(struct hv_cond *cond);

/*
 * The deadline for a timeout at index idx: "10s", "250ms", a number of seconds; 0 for nil. Raises
 * when it is none of these, as an argument error for an argument (idx > 0). At most INT64_MAX, which
 * never comes.
 */
uint64_t hv_task_deadline(lua_State *L, int idx);

/* The ns of such a text or number, INT64_MAX for an infinite one: NULL, or what is wrong with it,
 * perhaps in err. */
const char *hv_task_duration(lua_State *L, int idx, uint64_t *ns, struct hv_err *err);

/*
 * Makes a task of the function below nargs arguments on top of L and pops them; it begins when the
 * loop comes round. name is for messages and copied. Raises nothing: a failure is in the log. From
 * a callback of the loop, L is the state's main thread.
 */
void hv_task_spawn(lua_State *L, int nargs, const char *name);

/* How many tasks and timers have not ended, without the one that calls and the foreground. */
unsigned int hv_tasks_alive(lua_State *L);

/*
 * For whom tasks work: nobody in particular, or a person at a prompt elsewhere. The owner is a
 * userdata whose block begins with a struct hv_interrupt_watch. The tasks a task makes have its
 * owner.
 */
struct hv_interrupt_watch;
/* The running task gets the userdata at idx, whose watch is asked from now on; nil = nobody. */
void hv_task_own(lua_State *L, int idx);
/* Of the running task; NULL = none. Pushes it if there is one. */
struct hv_interrupt_watch *hv_task_push_owner(lua_State *L);
bool hv_task_owned(lua_State *L);
/* The running task, only to be compared; NULL = none. */
const struct hv_task *hv_task_running(lua_State *L);
/* Whether that is the foreground. */
bool hv_task_in_foreground(lua_State *L);

/*
 * Closes all tasks but those that are running, the newest first, so that their __close handlers
 * run; none can be made any more. Before lua_close. L is the state's main thread.
 */
void hv_tasks_close(lua_State *L);
/* The same where the Lua state still lives (os.exit), and frees the loop. NULL is fine. After
 * lua_close: what Lua collects may still hold sources of the loop. */
void hv_tasks_free(struct hv_tasks *tasks);

/* ---- for lua/run.c and lua/bind_task.c */

enum hv_task_state {
	HV_TASK_WAITING, /* not begun yet, or for something, or ready to go on */
	HV_TASK_RUNNING,
	HV_TASK_DONE,
	HV_TASK_FAILED,
	HV_TASK_CANCELLED,
};

/* A task is a userdata of the type HV_TASK; bind_task.c fills its metatable. */
#define HV_TASK "hvsh.task"

/* As hv_task_spawn, but raises, and pushes the task. Lua keeps it alive until it has ended. */
struct hv_task *hv_task_new(lua_State *L, int nargs, const char *name);
enum hv_task_state hv_task_state(const struct hv_task *task);
const char *hv_task_name(const struct hv_task *task);
/* Woken when it has ended in whatever way. */
struct hv_cond *hv_task_ended(struct hv_task *task);
/* The calling code runs in it. */
bool hv_task_is_current(const struct hv_task *task);
/*
 * Of the task at idx. HV_TASK_DONE: pushes what its function returned, and returns how many values;
 * HV_TASK_FAILED: pushes the message.
 */
int hv_task_results(lua_State *L, int idx);
/*
 * Closes it; one that is running ends when it waits next. One that has ended is left as it is.
 * false: a __close handler failed, and its error was pushed on L.
 */
bool hv_task_cancel(lua_State *L, struct hv_task *task);

/*
 * Runs the function below nargs arguments on top of L, the state's main thread, as the foreground,
 * until it ends. Pops them and pushes its coroutine, which holds *n results or, for another status
 * than LUA_OK, the error object; LUA_YIELD: it yielded to nobody. Raises when it cannot begin or
 * the loop fails.
 */
int hv_task_foreground(lua_State *L, int nargs, int *n);

#endif
