/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_BIND_FDT_H
#define HV_LUA_BIND_FDT_H

#include <lua.h>

#include "fdt/passthrough.h"

/* Between the files that bind core/fdt; the rest of the bindings knows hv_bind_fdt alone. */

/* The open tree at idx; raises when it is none, or closed. */
struct hv_fdt *hv_bind_fdt_check(lua_State *L, int idx);
/* Pushes a tree without content, which the caller fills through the result. */
struct hv_fdt **hv_bind_fdt_new(lua_State *L);
/* A node's offset as an argument. */
int hv_bind_fdt_node(lua_State *L, int idx);
/* Path of a node as a string. */
void hv_bind_fdt_push_path(lua_State *L, const struct hv_fdt *tree, int node);

/* The plan at idx; raises when it is none, or closed. */
const struct hv_fdt_passthrough *hv_bind_fdt_plan_check(lua_State *L, int idx);

/* Add their functions to the table on top. */
void hv_bind_fdt_plan(lua_State *L);
void hv_bind_fdt_guest(lua_State *L);

#endif
