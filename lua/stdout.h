/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_STDOUT_H
#define HV_LUA_STDOUT_H

#include <lua.h>

/*
 * Output that could not be written is a failure. Closes standard output at exit, and makes exit
 * status 1 with a message of a write that failed (without one where the reader went away).
 * Takes SIGPIPE over, so that a reader who goes away is an error of the write.
 */
void hv_stdout_guard(void);

/*
 * Puts a `print` into L that raises an error when it cannot write, and an io.write that ends the
 * script quietly when its reader has gone: otherwise `hvsh x.lua | head` would go on unseen.
 *
 * In a task that works for a prompt in another process (lua/shell_channel.h), what is printed, or
 * written to io.stdout and io.stderr, goes there; reading standard input and os.exit are errors.
 */
void hv_stdout_functions(lua_State *L);

#endif
