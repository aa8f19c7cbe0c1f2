/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SHELL_CLIENT_H
#define HV_LUA_SHELL_CLIENT_H

#include <lua.h>

#include "base/err.h"
#include "control/client.h"

/*
 * The terminal's end of a prompt inside the service (lua/shell_channel.h). Pushes its userdata,
 * which reads the connection in the loop of the tasks and keeps the one at index remote alive:
 * receive() (lua/shell_end.h), send(text), tell(json), wait() until wake(), credit or the end of
 * the channel, close(). The client's handlers are replaced; one such end for a connection.
 */
int hv_shell_client_open(lua_State *L, int remote, struct hv_control_client *client,
			 uint16_t channel, struct hv_err *err);

#endif
