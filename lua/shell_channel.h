/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SHELL_CHANNEL_H
#define HV_LUA_SHELL_CHANNEL_H

#include <lua.h>
#include <stdbool.h>

#include "base/err.h"
#include "control/server.h"

/*
 * The service's end of a prompt in another process (docs/control-protocol.md, Prompts): statements
 * come over a channel of the control socket, what they print goes back over it. It is the owner
 * (lua/task.h) of the tasks that work for that prompt. main thread.
 *
 * Output waits here, 64 KiB of it, while the client does not take it. The task of the statement
 * then waits in its print; other tasks of the same owner lose what there is no room for, and the
 * client is told how much. When the client has gone, output goes to the log at the level info.
 */

/*
 * Pushes a channel's userdata: receive() (lua/shell_end.h), number(), who(), own(),
 * begin(statement), try(f, …), finish(json), event(json) -> whether it was taken, write(text),
 * close(reason). -errno as hv_channel_open, nothing pushed.
 */
int hv_shell_channel_open(lua_State *L, struct hv_control_conn *conn, struct hv_err *err);

/*
 * For functions that print: in a task with such an owner, `return hv_shell_write(L, result)` with
 * the text on top takes it from there, and returns the value at index result (0 = nothing).
 */
int hv_shell_write(lua_State *L, int result);

#endif
