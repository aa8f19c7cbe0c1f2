/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_EVENT_H
#define HV_LUA_EVENT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "lua/session.h"

/*
 * What happens to zones and their devices, told to prelude/event.lua while somebody there listens;
 * before, none of this costs anything. hvisor tells nobody about its zones: what has happened is
 * the difference between two lists. Guests can make devices say things as often as they like: of
 * each device and kind one is told at once, and then one a second, with how many were left out.
 *
 * Main thread. Nothing here raises; what fails is in the log.
 */

/* L: where to call from, the coroutine that runs or, from the loop, the main thread. */
void hv_events_zones(struct hv_session *s, lua_State *L, const struct hv_zone_info *list, int n);
/*
 * Asks for the list itself, when this process has changed it. Zones that it serves and that are
 * gone all the same are left to the watch, which closes their devices first.
 */
void hv_events_look(struct hv_session *s, lua_State *L);
/* This process stops the zone; or it could not. */
void hv_events_stopping(struct hv_session *s, uint32_t zone, bool stopping);

void hv_events_device(struct hv_session *s, const struct hv_served *dev, enum hv_vdev_event event,
		      const char *message);

bool hv_events_heard(const struct hv_session *s);
/* A zone runs that a script waits for. */
bool hv_events_alive(const struct hv_session *s);

/* The machine is closed: the next one's zones are no news. */
void hv_events_forget(struct hv_session *s);
/* Before the loop is freed. */
void hv_events_free(struct hv_session *s);

#endif
