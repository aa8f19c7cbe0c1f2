/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SERVE_H
#define HV_LUA_SERVE_H

#include <lua.h>
#include <stdbool.h>

#include "lua/session.h"

/* What a process that serves zones does besides: it watches them, and goes on after its script. */

/* Something is left that only this process can do: devices of zones, tasks, timers, zones that a
 * script waits for. Settles the session; not from a script. */
bool hv_serve_alive(lua_State *L);

/*
 * Goes round the loop until a signal ends it (SIGTERM, SIGINT, SIGHUP), or nothing is left to do.
 * Returns the exit code; what was done so far ended with `code`, which counts when nothing goes
 * wrong later. The caller is in a protected call.
 */
int hv_serve_run(lua_State *L, int code);

/* Tells who started the process (hv_notify) that what it was started for is done or runs. */
void hv_serve_ready(void);

/* Says, if so, that guests are about to lose their devices. */
void hv_serve_farewell(const struct hv_session *session);

/*
 * From now on zones that end by themselves are noticed, and what was open for them is closed. While
 * at least one zone is served, or somebody listens; called again it does nothing.
 */
int hv_serve_watch(struct hv_session *session, struct hv_err *err);
void hv_serve_unwatch(struct hv_session *session);
/* The log says it of each zone served here that is listed as crashed, once. The watch does it, and
 * who has the list before. */
void hv_serve_say_crashed(const struct hv_session *session, const struct hv_zone_info *list, int n);

#endif
