/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_TASK_PRIV_H
#define HV_LUA_TASK_PRIV_H

#include "lua/coroutine.h"
#include "lua/interrupt.h"
#include "lua/task.h"

/* Private to lua/task*.c. */
struct hv_waiter {
	struct hv_waiter *prev, *next;
	struct hv_cond *in; /* NULL = in no list */
};

struct hv_task {
	struct hv_waiter waiter;
	struct hv_co_wait wait;
	struct hv_tasks *tasks;
	struct hv_task *older, *newer; /* of those that have not ended */
	lua_State *co;
	struct hv_source *timer; /* made at its first deadline */
	lua_KFunction k;	 /* goes on after this wait */
	lua_KContext ctx;
	uint64_t resumed_at;   /* ns */
	int nargs;	       /* to begin with */
	int status, n_results; /* of its end */
	enum hv_task_state state;
	bool begun, timed_out;
	bool to_cancel; /* as soon as it does not run */
	struct hv_cond ended;
	struct hv_interrupt_watch *owner; /* in its userdata; NULL = nobody in particular */
	char name[];
};

struct hv_tasks {
	lua_State *L; /* the state's main thread; NULL = none yet, or closed */
	struct hv_loop *loop;
	struct hv_post round;
	struct hv_cond ready;
	struct hv_task *oldest, *newest;
	unsigned int n_alive;
	struct hv_task *running;
	struct hv_task *foreground;
	int close_depth;
	bool closed;
};

/* user values of a task */
enum {
	HV_TASK_COROUTINE = 1,
	HV_TASK_RESULTS, /* a table with n, nil when there are none; of one that failed, the message
			  */
	HV_TASK_OWNER,
};

/* Pushes the table lightuserdata → task of those that have not ended; nil when there was none yet.
 */
int hv_tasks_push_live(lua_State *L);
/* nil or a table takes its place. Raises nothing when there was one. */
void hv_tasks_set_live(lua_State *L);

/* Ends its wait, whatever it was for. */
void hv_task_stop_waiting(struct hv_task *task);
/* The same, and it goes on when the loop comes round. */
void hv_task_make_ready(struct hv_task *task);
/* Takes it out of all lists; its timer is gone. */
void hv_task_forget(struct hv_task *task);

/* Its coroutine has ended, with n results or an error on it, or yielded to nobody. */
void hv_task_finish(struct hv_task *task, int status, int n);
/* Closes one that does not run; an error of its handlers is in the log. */
void hv_task_close_logged(lua_State *L, struct hv_task *task);

#endif
