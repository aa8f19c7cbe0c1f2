// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <linux/input-event-codes.h>
#include <string.h>

#include "lua/task.h"
#include "virtio/dev/input.h"
#include "zone/serve.h"

static const struct {
	const char *name;
	int code;
} names[] = {
#include "input_names.h"
};

static const struct {
	const char *name;
	int code;
} leds[] = {
	{ "num", LED_NUML },	    { "caps", LED_CAPSL }, { "scroll", LED_SCROLLL },
	{ "compose", LED_COMPOSE }, { "kana", LED_KANA },
};

void hv_bind_push_input(lua_State *L, struct hv_vdev *dev)
{
	struct hv_input_info info;

	hv_input_info(dev, &info);
	hv_bind_field(L, "kind", hv_input_kind_name(info.kind));
	if (info.evdev)
		lua_pushstring(L, info.evdev);
	else
		lua_pushboolean(L, 0);
	lua_setfield(L, -2, "evdev");
	hv_bind_field(L, "model", info.model);
	hv_bind_field_int(L, "queued", (lua_Integer)info.waiting);
	if (info.kind == HV_INPUT_TABLET || info.kind == HV_INPUT_TOUCH) {
		hv_bind_field_int(L, "width", info.width);
		hv_bind_field_int(L, "height", info.height);
	}
	lua_pushboolean(L, info.gone);
	lua_setfield(L, -2, "gone");
	lua_createtable(L, 0, 5);
	for (size_t i = 0; i < sizeof(leds) / sizeof(leds[0]); i++) {
		lua_pushboolean(L, info.leds >> leds[i].code & 1);
		lua_setfield(L, -2, leds[i].name);
	}
	lua_setfield(L, -2, "leds");
}

static lua_Integer number(lua_State *L, int table, lua_Integer i)
{
	lua_Integer n;

	lua_rawgeti(L, table, i);
	n = luaL_checkinteger(L, -1);
	lua_pop(L, 1);
	return n;
}

/* Stack: handle, the report, deadline. */
static int send_more(lua_State *L, int status, lua_KContext ctx)
{
	struct hv_input_event events[HV_INPUT_REPORT];
	size_t n = lua_rawlen(L, 2) / 3;
	struct hv_served *d;
	struct hv_err err;
	int rc;

	(void)ctx;
	luaL_argcheck(L, n <= HV_INPUT_REPORT, 2, "too many events");
	for (size_t i = 0; i < n; i++)
		events[i] = (struct hv_input_event){
			.type = (uint16_t)number(L, 2, (lua_Integer)i * 3 + 1),
			.code = (uint16_t)number(L, 2, (lua_Integer)i * 3 + 2),
			.value = (int32_t)number(L, 2, (lua_Integer)i * 3 + 3),
		};
	d = hv_bind_device(L, "input", &err);
	rc = d ? hv_input_send(&d->dev, events, n, &err) : -err.code;
	if (rc == -EAGAIN && status == LUA_YIELD && hv_task_timed_out(L))
		rc = hv_err_set(&err, ETIMEDOUT, "%s: the guest did not take the input in time",
				d->dev.name);
	if (rc == -EAGAIN)
		return hv_cond_wait(L, &hv_session_of(L)->console_input,
				    (uint64_t)lua_tointeger(L, 3), 0, send_more);
	if (rc < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/*
 * input_send(handle, {type, code, value, …}, [deadline]) -> true when the device has one report of
 * them. Waits while it is full.
 */
static int input_send(lua_State *L)
{
	lua_Integer at;

	luaL_checkinteger(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 3);
	at = lua_isnil(L, 3) ? 0 : luaL_checkinteger(L, 3);
	lua_settop(L, 2);
	lua_pushinteger(L, at);
	return send_more(L, LUA_OK, 0);
}

/* input_codes() -> {KEY_A = 30, …}: keys and buttons by their names in linux/input-event-codes.h */
static int input_codes(lua_State *L)
{
	lua_createtable(L, 0, (int)(sizeof(names) / sizeof(names[0])));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		hv_bind_field_int(L, names[i].name, names[i].code);
	return 1;
}

void hv_bind_input(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "input_send", input_send },
		{ "input_codes", input_codes },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
