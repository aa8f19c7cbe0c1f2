/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_CONTROL_H
#define HV_LUA_CONTROL_H

#include <lua.h>

#include "base/err.h"
#include "lua/session.h"

/*
 * The control socket of the process that serves zones, and the same socket seen by the commands.
 * What a request means is said by lua/prelude/control.lua; docs/control-protocol.md has the wire.
 */

/* Listens from now on; called again it does nothing. -EADDRINUSE: another process serves. */
int hv_control_start(struct hv_session *session, struct hv_err *err);
/* Before the devices are closed. */
void hv_control_stop(struct hv_session *session);

/* Into the table on top: control_reply, control_console, console_attach; control_connect. */
void hv_bind_control(lua_State *L);

#endif
