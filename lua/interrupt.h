/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_INTERRUPT_H
#define HV_LUA_INTERRUPT_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct hv_loop;

/*
 * Ctrl-C stops running Lua with an error, raised by a hook on the coroutine
 * that runs. Hooks belong to one coroutine each, so whoever resumes one says so here. An
 * error that a script catches comes again: a few times after a pause, in which __close handlers can
 * finish, then at every instruction. A second Ctrl-C before that has worked leaves out the pauses, a
 * third one ends the process.
 * All but the handler: only the thread that owns the Lua state.
 */

/* Takes over SIGINT. L is the state's main thread. */
void hv_interrupt_install(lua_State *L);

/* From now on SIGTERM and SIGHUP do the same: there is something to be closed in order. */
void hv_interrupt_also_ends(void);

/* Which signal it was; 0 = none. */
int hv_interrupt_signal(void);

/*
 * The state is about to be freed, or nothing is left to be done but the end of the process: there
 * is no Lua to be stopped any more, and a signal interrupts no write. The third one still ends it.
 */
void hv_interrupt_end(void);

/* The loop whose wait Ctrl-C ends, too; NULL = none any more. */
void hv_interrupt_wakes(struct hv_loop *loop);

bool hv_interrupted(void);

/* Raises the error of an interruption; or, before L is resumed so that something does so in it. */
int hv_interrupt_raise(lua_State *L);
void hv_interrupt_raised(lua_State *L);

/* The interruption was dealt with (the REPL is back at its prompt). */
void hv_interrupt_clear(void);

/* The statement that it was for has ended: a Ctrl-C for the foreground is dealt with, and whoever
 * watches is asked anew. Any other signal stays. */
void hv_interrupt_settled(void);

/*
 * Whether what is resumed from now on is in the background: it is interrupted only when it goes on
 * computing for a fraction of a second. Returns what was said before.
 */
bool hv_interrupt_background(bool now);

/*
 * Work of somebody who has another way to interrupt it than a signal, a prompt in another process.
 * While it runs, a hook asks `look`, at most every 20 ms; busy: ns since hv_interrupt_watch. It
 * must not touch Lua.
 */
enum hv_interrupt_level {
	HV_INTERRUPT_NOT,
	HV_INTERRUPT_ONCE,    /* as Ctrl-C: what is caught comes again */
	HV_INTERRUPT_AT_ONCE, /* at every instruction: nothing that catches it gets any further */
};
struct hv_interrupt_watch {
	enum hv_interrupt_level (*look)(struct hv_interrupt_watch *watch, uint64_t busy);
	/* What look has answered so far was dealt with. */
	void (*settled)(struct hv_interrupt_watch *watch);
	/* What a task of that work failed with, besides the log. Does not wait; NULL = nowhere. */
	void (*tell)(struct hv_interrupt_watch *watch, const char *text, size_t len);
	bool apart; /* only watches: what the work prints goes where everybody's does */
};

/* What is resumed from now on is that work; by NULL = nobody's. Returns what was before, to be given
 * to hv_interrupt_unwatch. */
struct hv_interrupt_watching {
	struct hv_interrupt_watch *by;
	uint64_t since, next;
	enum hv_interrupt_level level;
	int raised;
};
struct hv_interrupt_watching hv_interrupt_watch(struct hv_interrupt_watch *by);
void hv_interrupt_unwatch(const struct hv_interrupt_watching *before);

/* Before and after lua_resume of co. enter returns the coroutine that ran so far, for leave. */
lua_State *hv_interrupt_enter(lua_State *co);
void hv_interrupt_leave(lua_State *before);

#endif
