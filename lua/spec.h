/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SPEC_H
#define HV_LUA_SPEC_H

#include <lua.h>

#include "base/arena.h"
#include "zone/board.h"
#include "zone/zone.h"

/*
 * What hvsh.dsl froze, as C data. Only specs and boards of hvsh.dsl are taken: it keeps what
 * is behind them in the registry, out of reach of __index and friends, and it is read with raw
 * access only. Both may raise a Lua error (not a spec, no memory); everything is allocated in the
 * arena, so nothing leaks when they do.
 */

/* Reads the frozen spec at idx into the set's arena and adds it. -errno: what hv_zone_set_add says. */
int hv_spec_add_from_lua(lua_State *L, int idx, struct hv_zone_set *set, struct hv_err *err);

/* The same without a set. */
const struct hv_zone_spec *hv_spec_from_lua(lua_State *L, int idx, struct hv_arena *arena);

/* What hvsh.dsl.devices_spec made; returns how many. */
size_t hv_spec_devices_from_lua(lua_State *L, int idx, struct hv_arena *arena,
				const struct hv_spec_device **devices);

/* The board at idx. */
const struct hv_board *hv_board_from_lua(lua_State *L, int idx, struct hv_arena *arena);

#endif
