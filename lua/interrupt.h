/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_INTERRUPT_H
#define HV_LUA_INTERRUPT_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>

/*
 * Ctrl-C stops running Lua with an error, raised by a hook on the coroutine
 * that runs. Hooks belong to one coroutine each, so whoever resumes one says so here. An
 * error that a script catches comes again: a few times after a pause, in which __close handlers can
 * finish, then at every instruction. A second Ctrl-C before that has worked ends the process.
 * All but the handler: only the thread that owns the Lua state.
 */

/* Takes over SIGINT. L is the state's main thread. */
void hv_interrupt_install(lua_State *L);

bool hv_interrupted(void);

/* The interruption was dealt with (the REPL is back at its prompt). */
void hv_interrupt_clear(void);

/* Before and after lua_resume of co. enter returns the coroutine that ran so far, for leave. */
lua_State *hv_interrupt_enter(lua_State *co);
void hv_interrupt_leave(lua_State *before);

/* Puts coroutine.resume, wrap and close into L that keep track of it. */
void hv_interrupt_coroutines(lua_State *L);

#endif
