/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_COROUTINE_H
#define HV_LUA_COROUTINE_H

#include <lua.h>
#include <stdbool.h>

/*
 * Coroutines that wait. A wait suspends the coroutine that asks for it and all those that led
 * there, through the script's own coroutine.resume and wrap, down to the one that C resumed; an
 * ordinary yield goes to whoever resumed, as always. Meanwhile none of them can be resumed by
 * somebody else; coroutine.status calls them "normal".
 */

/* Who waits. One at most for each coroutine that C resumes. */
struct hv_co_wait {
	/* The coroutine was closed and will not go on; before its __close handlers run. Raises
	 * nothing. */
	void (*closed)(struct hv_co_wait *wait);
};

/* Puts coroutine.resume, wrap, close and status into L that know of waits and interruptions. */
void hv_coroutine_functions(lua_State *L);

/* Whether a wait of L would get down to C. */
bool hv_co_can_wait(lua_State *L);
/* Suspends L, which can wait; k gets the stack as it was. `return hv_co_wait(…)`. */
int hv_co_wait(lua_State *L, struct hv_co_wait *wait, lua_KContext ctx, lua_KFunction k);
/* Whether co is suspended by a wait, its own or that of a coroutine it resumed. */
bool hv_co_waits(lua_State *co);

/*
 * lua_resume, for C: tracked for interruptions. After a wait the status is LUA_YIELD and *n is -1;
 * nargs is 0 when it goes on.
 */
int hv_co_resume(lua_State *co, lua_State *from, int nargs, int *n);

/*
 * Closes co, and before that the coroutines it waits in. Not one that is running. As
 * lua_resetthread: LUA_OK, or the status of a __close handler's error, which is on co.
 */
int hv_co_close(lua_State *co);

#endif
