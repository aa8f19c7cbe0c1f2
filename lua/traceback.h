/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_TRACEBACK_H
#define HV_LUA_TRACEBACK_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"

/* Errors as people read them: the message, and the places that led there. */

/*
 * Replaces the error object on top of L by its text (a __tostring is used, protected). Whether it
 * is one that is printed as it is: a table with a string field hvsh_report.
 */
bool hv_traceback_message(lua_State *L);

/*
 * Adds "\n    at file:line, in function f" for each place in co that led to the error, C functions
 * and our own Lua left out; nothing when the message begins with the only one.
 */
void hv_traceback_places(lua_State *co, const char *message, struct hv_buf *out);

/*
 * Adds the line that the message names, and a mark below what it speaks of: "\n    7 | x.y.z()\n…".
 * Nothing when the line is not to be had. co: whose error it is, NULL = a file that does not
 * compile.
 */
void hv_traceback_line(lua_State *L, lua_State *co, const char *message, struct hv_buf *out);

/* A frame that is left out: C, or our own Lua: the prelude and the modules inside the binary. */
bool hv_traceback_is_hidden(const lua_Debug *ar);

#endif
