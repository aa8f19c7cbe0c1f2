// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/now.h"
#include "lua/interrupt.h"
#include "lua/task.h"
#include "virtio/dev/custom.h"
#include "zone/serve.h"

/* Devices whose model is a script (lua/prelude/custom.lua). */

/* Key in the registry: the function that looks after them. */
static const char look_key = 'c';

#define CONTAINED "hvsh.contained"
/* What a callback may compute in one go: ns of processor time. All other tasks wait meanwhile. */
#define COMPUTES UINT64_C(1000000000)

static struct hv_vdev *find(lua_State *L, struct hv_err *err)
{
	struct hv_served *d = hv_bind_device(L, "custom", err);

	return d ? &d->dev : NULL;
}

void hv_bind_push_custom(lua_State *L, struct hv_vdev *dev)
{
	struct hv_desk_stats stats;

	hv_desk_stats(hv_custom_desk(dev), &stats);
	hv_bind_field_int(L, "virtio_id", dev->ops->device_id);
	hv_bind_field_int(L, "in_flight", stats.open);
}

/* ---- what has happened */

/* (handle, or nil when some have ended) */
static int call_look(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &look_key) != LUA_TFUNCTION)
		return 0;
	lua_insert(L, 1);
	lua_call(L, 1, 0);
	return 0;
}

/* The handle, or nil, is on top. */
static void tell(lua_State *L, const char *whose)
{
	lua_pushcfunction(L, call_look);
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 0, 0) == LUA_OK)
		return;
	hv_log_error("%s cannot be called: %s", whose,
		     lua_tostring(L, -1) ?: "an error that is no text");
	lua_pop(L, 1);
}

void hv_bind_custom_event(lua_State *L, struct hv_served *dev)
{
	char whose[HV_ERR_MSG_MAX];

	if (!lua_checkstack(L, 8))
		return;
	/* It may be gone afterwards. */
	snprintf(whose, sizeof(whose), "%s: its model", dev->dev.name);
	lua_pushinteger(L, (lua_Integer)dev->serial);
	tell(L, whose);
}

void hv_bind_custom_ended(lua_State *L)
{
	if (!lua_checkstack(L, 8))
		return;
	lua_pushnil(L);
	tell(L, "the models of devices that have ended");
}

/* custom_listen(function): it gets the handle of a device where there is something to be looked at,
 * and nil where some are gone */
static int custom_listen(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &look_key);
	return 0;
}

/* custom_life(handle) -> number, running, broken, features, model | nil when it is gone */
static int custom_life(lua_State *L)
{
	struct hv_custom_life life;
	struct hv_err err;
	struct hv_vdev *dev = find(L, &err);

	if (!dev) {
		lua_pushnil(L);
		return 1;
	}
	hv_custom_life(dev, &life);
	lua_pushinteger(L, (lua_Integer)life.n);
	lua_pushboolean(L, life.running);
	lua_pushboolean(L, life.broken);
	lua_pushinteger(L, (lua_Integer)life.features);
	lua_pushstring(L, hv_custom_model(dev));
	return 5;
}

/* custom_take(handle) -> ticket, queue, life, bytes, room | nil */
static int custom_take(lua_State *L)
{
	struct hv_question q;
	struct hv_err err;
	struct hv_vdev *dev = find(L, &err);

	if (!dev || !hv_desk_take(hv_custom_desk(dev), &q)) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, (lua_Integer)q.ticket);
	lua_pushinteger(L, q.kind);
	lua_pushinteger(L, (lua_Integer)q.at);
	lua_pushlstring(L, q.data ?: "", q.len);
	lua_pushinteger(L, (lua_Integer)q.room);
	return 5;
}

/* custom_answer(handle, ticket, bytes | nil) -> true; nil refuses the request */
static int custom_answer(lua_State *L)
{
	struct hv_answer answer = { .word = HV_ANSWER_DENY };
	uint64_t ticket = (uint64_t)luaL_checkinteger(L, 2);
	struct hv_err err;
	struct hv_vdev *dev = find(L, &err);
	int rc;

	if (!lua_isnoneornil(L, 3)) {
		answer.word = HV_ANSWER_ALLOW;
		answer.data = (void *)luaL_checklstring(L, 3, &answer.len);
	}
	if (!dev)
		return hv_bind_fail(L, &err);
	rc = hv_desk_answer(hv_custom_desk(dev), ticket, &answer);
	if (rc < 0 && rc != -ESTALE) {
		hv_err_set(&err, -rc,
			   rc == -ENOBUFS ? "%s: memory is too small for all answers"
					  : "%s: the answer cannot be kept",
			   dev->name);
		return hv_bind_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* custom_fail(handle, life, why) */
static int custom_fail(lua_State *L)
{
	const char *why = luaL_checkstring(L, 3);
	struct hv_err err;
	struct hv_vdev *dev = find(L, &err);

	if (dev)
		hv_custom_fail(dev, (uint64_t)luaL_checkinteger(L, 2), why);
	return 0;
}

/* custom_config(handle) -> bytes; custom_config(handle, offset, bytes) -> true */
static int custom_config(lua_State *L)
{
	uint8_t config[HV_CUSTOM_CONFIG];
	struct hv_err err;
	struct hv_vdev *dev = find(L, &err);
	lua_Integer at;
	const char *bytes;
	size_t len;

	if (lua_isnoneornil(L, 2)) {
		if (!dev)
			return hv_bind_fail(L, &err);
		len = hv_custom_config(dev, config);
		lua_pushlstring(L, (const char *)config, len);
		return 1;
	}
	at = luaL_checkinteger(L, 2);
	luaL_argcheck(L, at >= 0, 2, "an offset is not negative");
	bytes = luaL_checklstring(L, 3, &len);
	if (!dev || hv_custom_set_config(dev, (size_t)at, bytes, len, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* custom_written(handle) -> offset, bytes | nil */
static int custom_written(lua_State *L)
{
	char bytes[HV_CUSTOM_CONFIG];
	struct hv_err err;
	struct hv_vdev *dev = find(L, &err);
	size_t at, len;

	if (!dev || !hv_custom_written(dev, &at, bytes, &len)) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, (lua_Integer)at);
	lua_pushlstring(L, bytes, len);
	return 2;
}

/* custom_send(handle, queue, bytes) -> true */
static int custom_send(lua_State *L)
{
	lua_Integer queue = luaL_checkinteger(L, 2);
	struct hv_err err;
	struct hv_vdev *dev = find(L, &err);
	const char *bytes;
	size_t len;

	luaL_argcheck(L, queue >= 0 && queue < HV_CUSTOM_QUEUES, 2, "queues are counted from 0");
	bytes = luaL_checklstring(L, 3, &len);
	if (!dev || hv_custom_send(dev, (unsigned int)queue, bytes, len, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- a model that does not end */

struct contained {
	struct hv_interrupt_watch watch; /* first: see hv_task_own */
	uint64_t busy, cpu;
	bool over;
};

/* On a busy machine the clock on the wall says little about a callback. */
static enum hv_interrupt_level look(struct hv_interrupt_watch *watch, uint64_t busy)
{
	struct contained *c = (struct contained *)watch;
	uint64_t now = hv_cpu_time();

	if (!c->busy || busy < c->busy)
		c->cpu = now;
	c->busy = busy;
	if (now - c->cpu < COMPUTES)
		return HV_INTERRUPT_NOT;
	c->over = true;
	return HV_INTERRUPT_ONCE;
}

static void settled(struct hv_interrupt_watch *watch)
{
	(void)watch;
}

/*
 * custom_contain() -> something for custom_over: from now on the running task, and those it makes,
 * may not compute without end
 */
static int custom_contain(lua_State *L)
{
	struct contained *c = lua_newuserdatauv(L, sizeof(*c), 0);

	*c = (struct contained){ .watch = { .look = look, .settled = settled, .apart = true } };
	luaL_newmetatable(L, CONTAINED);
	lua_setmetatable(L, -2);
	hv_task_own(L, -1);
	return 1;
}

/* custom_over(what custom_contain gave) -> whether it was interrupted */
static int custom_over(lua_State *L)
{
	const struct contained *c = luaL_checkudata(L, 1, CONTAINED);

	lua_pushboolean(L, c->over);
	return 1;
}

void hv_bind_custom(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "custom_listen", custom_listen },
		{ "custom_life", custom_life },
		{ "custom_take", custom_take },
		{ "custom_answer", custom_answer },
		{ "custom_fail", custom_fail },
		{ "custom_config", custom_config },
		{ "custom_written", custom_written },
		{ "custom_send", custom_send },
		{ "custom_contain", custom_contain },
		{ "custom_over", custom_over },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
