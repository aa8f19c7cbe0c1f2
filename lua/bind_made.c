// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>

#include "zone/serve.h"

/* What a definition asks a script to do with a device that was made and is in no zone yet: its
 * policy (lua/prelude/policy/define.lua). */

struct call {
	const struct hv_served *dev;
	const struct hv_spec_option *option;
};

/* Stack: the listener, call. Gives what is wrong, or nil. */
static int call_made(lua_State *L)
{
	const struct call *call = lua_touserdata(L, 2);

	lua_pushvalue(L, 1);
	lua_pushinteger(L, (lua_Integer)call->dev->serial);
	lua_pushstring(L, call->option->string);
	lua_call(L, 2, 1);
	return 1;
}

int hv_bind_made(struct hv_session *s, struct hv_served *dev, const struct hv_spec_device *spec,
		 struct hv_err *err)
{
	struct call call = { .dev = dev, .option = hv_spec_option(spec, "policy") };
	lua_State *co = s->made;
	char where[HV_ORIGIN_TEXT];
	const char *why;
	int rc;

	if (!call.option)
		return 0;
	if (!co || !call.option->string || !lua_checkstack(co, 8))
		return hv_err_set(err, ENOTSUP, "%s: its policy cannot be put into force here",
				  dev->dev.name);
	lua_pushcfunction(co, call_made);
	lua_pushvalue(co, 1);
	lua_pushlightuserdata(co, &call);
	rc = lua_pcall(co, 2, 1, 0);
	why = rc == LUA_OK && lua_isnil(co, -1) ? NULL
						: lua_tostring(co, -1) ?: "an error that is no text";
	hv_origin_format(&call.option->origin, where);
	rc = !why ? 0
		  : hv_err_set(err, EINVAL, *where ? "%s (%s): %s" : "%s%s: %s", dev->dev.name,
			       where, why);
	lua_settop(co, 1);
	return rc;
}

/*
 * made_listen(function): it gets the handle of a device and what its definition says of its
 * policy, and gives what is wrong. It cannot wait.
 */
static int made_listen(lua_State *L)
{
	struct hv_session *s = hv_session_of(L);

	luaL_checktype(L, 1, LUA_TFUNCTION);
	if (!s->made) {
		/* Devices are made in the middle of whatever task applies a plan. */
		s->made = lua_newthread(L);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &s->made);
	}
	lua_settop(s->made, 0);
	lua_pushvalue(L, 1);
	lua_xmove(L, s->made, 1);
	return 0;
}

void hv_bind_made_listen(lua_State *L)
{
	lua_pushcfunction(L, made_listen);
	lua_setfield(L, -2, "made_listen");
}
