/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_JSON_H
#define HV_LUA_JSON_H

#include <lua.h>

/*
 * The C module "hvsh.json":
 *   decode(text)            value | nil, message, line, column. Objects become tables with string keys,
 *                           arrays sequences; integers stay integers, null is json.null. Duplicate
 *                           keys, invalid UTF-8 and nesting over 64 levels are refused
 *   encode(value[, indent]) text | nil, message. Keys sorted; indent in spaces, 0 = one line
 *   array(t)                marks t (also an empty one) as an array and returns it
 *   is_array(t), is_object(t)  for decoded tables
 *   keys(t)                 the keys of a decoded object in the order of the file
 *   locate(text, pointer)   line of the value a JSON pointer names in a valid text; nil when there is none
 */
int luaopen_hvsh_json(lua_State *L);

#endif
