// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/event.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/now.h"
#include "lua/bind.h"
#include "lua/serve.h"

#define PAUSE_NS UINT64_C(1000000000)
#define KINDS (HV_EV_RESIZE + 1)
#define SLOTS ((size_t)HV_BRIDGE_DEVICES * KINDS * 2)

/* Of one device and kind: what was told last, and what waits to be told. */
struct slot {
	uint64_t serial; /* 0 = free */
	enum hv_vdev_event kind;
	uint64_t until; /* the pause ends */
	uint64_t waiting;
	uint64_t last; /* the order in which things happened */
	char message[HV_ERR_MSG_MAX];
};

struct hv_events {
	struct hv_session *session;
	bool heard;
	bool known; /* the list below is one of this machine */
	int n;
	struct hv_zone_info zones[HV_MAX_ZONES];
	uint64_t stopping; /* a bit for each zone */
	uint64_t kept;
	uint64_t order;
	struct slot slots[SLOTS];
	struct hv_source *timer;
};

struct news {
	const char *event, *zone, *device, *what, *message;
	const char *level; /* the log says it as well, at this one; NULL = it does not */
	uint32_t id;
	uint64_t left_out;
};

/* Key in the registry: the function that gets the news. */
static const char emit_key = 'e';

/* ---- to Lua */

static int call_emit(lua_State *L)
{
	const struct news *news = lua_touserdata(L, 1);
	struct timespec now;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &emit_key) != LUA_TFUNCTION)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	lua_createtable(L, 0, 8);
	lua_pushnumber(L, (lua_Number)now.tv_sec +
				  (lua_Number)(now.tv_nsec / 1000000) / (lua_Number)1000);
	lua_setfield(L, -2, "time");
	hv_bind_field(L, "event", news->event);
	hv_bind_field(L, "zone", news->zone);
	hv_bind_field_int(L, "id", news->id);
	hv_bind_field(L, "device", news->device);
	hv_bind_field(L, "what", news->what);
	hv_bind_field(L, "message", news->message);
	if (news->left_out)
		hv_bind_field_int(L, "left_out", (lua_Integer)news->left_out);
	lua_pushstring(L, news->level);
	lua_pushboolean(L, true);
	lua_call(L, 3, 0);
	return 0;
}

static void emit(lua_State *L, struct news *news)
{
	if (!lua_checkstack(L, 8))
		return;
	lua_pushcfunction(L, call_emit);
	lua_pushlightuserdata(L, news);
	if (lua_pcall(L, 1, 0, 0) == LUA_OK)
		return;
	hv_log_error("an event of zone %s was not told: %s", news->zone,
		     lua_tostring(L, -1) ?: "an error that is no text");
	lua_pop(L, 1);
}

/* ---- zones */

static const struct hv_zone_info *find(const struct hv_zone_info *list, int n, uint32_t id)
{
	for (int i = 0; i < n; i++)
		if (list[i].id == id)
			return &list[i];
	return NULL;
}

static void tell_zone(lua_State *L, const struct hv_zone_info *zone, const char *event,
		      const char *what, const char *level, const char *text)
{
	char message[HV_ERR_MSG_MAX];
	struct news news = { .event = event,
			     .zone = zone->name,
			     .what = what,
			     .message = message,
			     .level = level,
			     .id = zone->id };

	snprintf(message, sizeof(message), "zone %s (%" PRIu32 ") %s", zone->name, zone->id, text);
	emit(L, &news);
}

static bool left_to_watch(const struct hv_session *s, uint32_t id)
{
	return s->serve && hv_serve_expects(s->serve, id);
}

static void compare(struct hv_session *s, lua_State *L, const struct hv_zone_info *list, int n,
		    bool watching)
{
	struct hv_events *e = s->events;
	struct hv_zone_info before[HV_MAX_ZONES], after[HV_MAX_ZONES];
	int n_before = e->n, n_after = 0;
	bool known = e->known;

	memcpy(before, e->zones, sizeof(before));
	for (int i = 0; i < n && n_after < HV_MAX_ZONES; i++)
		after[n_after++] = list[i];
	for (int i = 0; known && !watching && i < n_before && n_after < HV_MAX_ZONES; i++)
		if (!find(list, n, before[i].id) && left_to_watch(s, before[i].id))
			after[n_after++] = before[i];
	memcpy(e->zones, after, sizeof(after));
	e->n = n_after;
	e->known = true;

	for (int i = 0; known && i < n_before; i++) {
		const struct hv_zone_info *now = find(after, n_after, before[i].id);
		bool asked = before[i].id < 64 && e->stopping >> before[i].id & 1;

		if (now && !strcmp(now->name, before[i].name))
			continue;
		hv_events_stopping(s, before[i].id, false);
		/* Of what is served here the watch says it, with what it does about it. */
		tell_zone(L, &before[i], "exit", asked ? "stopped" : "ended",
			  !asked && left_to_watch(s, before[i].id) ? "warn" : NULL,
			  asked ? "was stopped" : "has ended, by itself or by another program");
	}
	for (int i = 0; known && i < n_after; i++) {
		const struct hv_zone_info *then = find(before, n_before, after[i].id);

		if (then && strcmp(then->name, after[i].name) != 0)
			then = NULL;
		if (!then)
			tell_zone(L, &after[i], "start", NULL, NULL, "has started");
		if (after[i].is_err && !(then && then->is_err))
			tell_zone(L, &after[i], "error", NULL,
				  s->serve && hv_serve_has(s->serve, after[i].id) ? "error" : NULL,
				  "has crashed; it stays in hvisor's list until it is stopped");
	}
}

void hv_events_zones(struct hv_session *s, lua_State *L, const struct hv_zone_info *list, int n)
{
	if (hv_events_heard(s))
		compare(s, L, list, n, true);
}

void hv_events_look(struct hv_session *s, lua_State *L)
{
	struct hv_zone_info list[HV_MAX_ZONES];
	struct hv_err err;
	int n;

	if (!hv_events_heard(s) || !s->hyp)
		return;
	if (hv_serve_watch(s, &err) < 0)
		hv_log_error("the zones cannot be watched: %s", err.msg);
	n = hv_hyp_zone_list(s->hyp, list, HV_MAX_ZONES, &err);
	if (n < 0)
		return;
	hv_serve_say_crashed(s, list, n);
	compare(s, L, list, n, false);
}

void hv_events_stopping(struct hv_session *s, uint32_t zone, bool stopping)
{
	if (!s->events || zone >= 64)
		return;
	if (stopping)
		s->events->stopping |= UINT64_C(1) << zone;
	else
		s->events->stopping &= ~(UINT64_C(1) << zone);
}

/* ---- devices */

/* level: at which the device has said the same to the log; NULL = it has not. */
static const char *text_of(enum hv_vdev_event kind, const char **what, const char **level)
{
	static const struct {
		const char *what, *text, *level;
	} kinds[KINDS] = {
		[HV_EV_NEGOTIATED] = { "negotiated", "its driver has agreed on features", NULL },
		[HV_EV_READY] = { "ready", "its driver is ready", NULL },
		[HV_EV_RESET] = { "reset", "its driver has reset it", NULL },
		[HV_EV_BROKEN] = { "broken", "stopped until the guest resets it", "warn" },
		[HV_EV_ERROR] = { "error", "what is behind it has failed", "error" },
		[HV_EV_FULL] = { "full", "one of its queues is full", NULL },
		[HV_EV_LINK] = { "link", "its cable", NULL },
		[HV_EV_RESIZE] = { "resize", "its size has changed", NULL },
	};

	*what = kinds[kind].what;
	*level = kinds[kind].level;
	return kinds[kind].text;
}

static void tell_device(lua_State *L, const struct hv_served *dev, enum hv_vdev_event kind,
			const char *why, uint64_t left_out)
{
	char message[HV_ERR_MSG_MAX];
	struct news news = { .event = "device",
			     .zone = dev->zone_name,
			     .device = dev->name,
			     .message = message,
			     .id = dev->zone,
			     .left_out = left_out };
	const char *text = text_of(kind, &news.what, &news.level);

	if (kind == HV_EV_BROKEN)
		snprintf(message, sizeof(message), "%s: %s: %s", dev->dev.name, text, why);
	else
		snprintf(message, sizeof(message), "%s: %s", dev->dev.name, *why ? why : text);
	emit(L, &news);
}

static struct slot *slot_for(struct hv_events *e, uint64_t serial, enum hv_vdev_event kind)
{
	struct slot *free_one = NULL;
	uint64_t now = hv_now();

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &e->slots[i];

		if (slot->serial == serial && slot->kind == kind)
			return slot;
		if (!free_one && (!slot->serial || (slot->until <= now && !slot->waiting)))
			free_one = slot;
	}
	if (free_one)
		*free_one = (struct slot){ .serial = serial, .kind = kind };
	return free_one;
}

static void on_pause_over(struct hv_source *src, uint64_t times, void *arg)
{
	struct hv_events *e = arg;
	struct hv_session *s = e->session;
	uint64_t now = hv_now(), next = 0;

	(void)times;
	for (;;) {
		struct slot *first = NULL;
		const struct hv_served *dev;
		uint64_t left_out;

		for (size_t i = 0; i < SLOTS; i++) {
			struct slot *slot = &e->slots[i];

			if (slot->waiting && slot->until <= now &&
			    (!first || slot->last < first->last))
				first = slot;
		}
		if (!first)
			break;
		left_out = first->waiting - 1;
		first->waiting = 0;
		first->until = now + PAUSE_NS;
		dev = s->serve ? hv_serve_by_serial(s->serve, first->serial) : NULL;
		if (dev && e->heard)
			tell_device(s->L, dev, first->kind, first->message, left_out);
	}
	for (size_t i = 0; i < SLOTS; i++)
		if (e->slots[i].waiting && (!next || e->slots[i].until < next))
			next = e->slots[i].until;
	hv_timer_set(src, next, 0);
}

void hv_events_device(struct hv_session *s, const struct hv_served *dev, enum hv_vdev_event kind,
		      const char *message)
{
	struct hv_events *e = s->events;
	struct hv_err err;
	struct slot *slot;

	if (!hv_events_heard(s) || kind == HV_EV_INPUT)
		return;
	slot = slot_for(e, dev->serial, kind);
	/* A device's events are of use for as long as it is the one a script knows. */
	if (!slot)
		return;
	slot->last = ++e->order;
	if (slot->until <= hv_now() && !slot->waiting) {
		slot->until = hv_now() + PAUSE_NS;
		tell_device(s->L, dev, kind, message ?: "", 0);
		return;
	}
	slot->waiting++;
	snprintf(slot->message, sizeof(slot->message), "%s", message ?: "");
	if (!e->timer && hv_loop_add_timer(hv_session_loop(s, &err), 0, 0, on_pause_over, e,
					   &e->timer, &err) < 0) {
		hv_log_error("events of %s wait for the next one: %s", dev->dev.name, err.msg);
		return;
	}
	if (!hv_timer_armed(e->timer))
		hv_timer_set(e->timer, slot->until, 0);
}

/* ---- who listens */

bool hv_events_heard(const struct hv_session *s)
{
	return s->events && s->events->heard;
}

bool hv_events_alive(const struct hv_session *s)
{
	const struct hv_events *e = s->events;

	for (int i = 0; hv_events_heard(s) && s->hyp && i < e->n; i++)
		if (e->zones[i].id < 64 && e->kept >> e->zones[i].id & 1)
			return true;
	return false;
}

void hv_events_forget(struct hv_session *s)
{
	if (!s->events)
		return;
	s->events->known = false;
	s->events->n = 0;
	s->events->stopping = 0;
}

void hv_events_free(struct hv_session *s)
{
	if (s->events)
		hv_source_remove(s->events->timer);
	free(s->events);
	s->events = NULL;
}

/* events_listen(function or nil, kept): it gets all events as tables. kept: a bit for each zone
 * that the process goes on for. */
static int events_listen(lua_State *L)
{
	struct hv_session *s = hv_session_of(L);
	uint64_t kept = (uint64_t)luaL_optinteger(L, 2, 0);
	bool listens = !lua_isnoneornil(L, 1);

	lua_settop(L, 1);
	if (listens)
		luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &emit_key);
	if (!s->events) {
		if (!listens || s->closed)
			return 0;
		s->events = calloc(1, sizeof(*s->events));
		if (!s->events)
			return luaL_error(L, "not enough memory");
		s->events->session = s;
	}
	if (!listens)
		hv_events_forget(s);
	s->events->kept = kept;
	if (s->events->heard == listens)
		return 0;
	s->events->heard = listens;
	hv_events_look(s, L);
	return 0;
}

void hv_bind_event(lua_State *L)
{
	lua_pushcfunction(L, events_listen);
	lua_setfield(L, -2, "events_listen");
}
