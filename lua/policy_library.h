/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_LIBRARY_H
#define HV_LUA_POLICY_LIBRARY_H

#include <lua.h>
#include <stdbool.h>

/*
 * The globals of a policy that has a Lua state to itself (lua/policy_state.h says which). print: a
 * C function. May raise: memory.
 */
void hv_policy_library(lua_State *L, bool bounded, lua_CFunction print);

#endif
