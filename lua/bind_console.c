// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/now.h"
#include "lua/task.h"
#include "virtio/dev/console.h"
#include "zone/serve.h"

#define CLIENT "hvsh.console_client"
#define CHUNK 16384

/* A script's place at a console. What happens there is announced by HV_EV_INPUT of the device. */
struct client {
	struct hv_console_client *client;
	char name[HV_CONSOLE_NAME_MAX + 1];
};

static struct client *check(lua_State *L)
{
	return luaL_checkudata(L, 1, CLIENT);
}

static int closed(lua_State *L, const struct client *c)
{
	struct hv_err err;

	hv_err_set(&err, EBADF, "%s: this reader is closed", c->name);
	return hv_bind_fail(L, &err);
}

static int gone(lua_State *L, const struct client *c)
{
	struct hv_err err;

	hv_err_set(&err, ENODEV, "%s: the console has ended", c->name);
	return hv_bind_fail(L, &err);
}

static int too_late(lua_State *L, const struct client *c, const char *what)
{
	struct hv_err err;

	hv_err_set(&err, ETIMEDOUT, "%s: %s in time", c->name, what);
	return hv_bind_fail(L, &err);
}

static int wait(lua_State *L, int deadline, lua_KFunction k)
{
	return hv_cond_wait(L, &hv_session_of(L)->console_input,
			    (uint64_t)lua_tointeger(L, deadline), 0, k);
}

/* Stack: client, deadline. */
static int read_more(lua_State *L, int status, lua_KContext ctx)
{
	struct client *c = check(L);
	char chunk[CHUNK];
	uint64_t lost = 0;
	ssize_t n;

	(void)status;
	(void)ctx;
	if (!c->client)
		return closed(L, c);
	n = hv_console_read(c->client, chunk, sizeof(chunk), &lost);
	if (n > 0) {
		lua_pushlstring(L, chunk, (size_t)n);
		lua_pushinteger(L, (lua_Integer)lost);
		return 2;
	}
	if (n < 0)
		return gone(L, c);
	if (status == LUA_YIELD && hv_task_timed_out(L))
		return too_late(L, c, "nothing was written");
	return wait(L, 2, read_more);
}

/* After others had their turn; no wait that was too late. */
static int read_on(lua_State *L, int status, lua_KContext ctx)
{
	(void)status;
	return read_more(L, LUA_OK, ctx);
}

/*
 * client:read([timeout]) -> what there is, as soon as there is something, and how many bytes before
 * it were lost. Waits; also a guest that prints without end leaves the loop to others.
 */
static int client_read(lua_State *L)
{
	uint64_t deadline;

	check(L);
	lua_settop(L, 2);
	deadline = hv_task_deadline(L, 2);
	lua_settop(L, 1);
	lua_pushinteger(L, (lua_Integer)deadline);
	if (hv_task_is_due(L))
		return hv_cond_wait(L, NULL, hv_now(), 0, read_on);
	return read_more(L, LUA_OK, 0);
}

/* Stack: client, deadline, bytes, how many were taken. */
static int write_more(lua_State *L, int status, lua_KContext ctx)
{
	struct client *c = check(L);
	size_t len, done = (size_t)lua_tointeger(L, 4);
	const char *bytes = lua_tolstring(L, 3, &len);
	struct hv_err err;
	ssize_t n;
	int rc;

	(void)ctx;
	if (!c->client)
		return closed(L, c);
	rc = hv_console_claim(c->client, false, &err);
	if (rc == -EBUSY && !(status == LUA_YIELD && hv_task_timed_out(L)))
		return wait(L, 2, write_more);
	if (rc < 0)
		return rc == -ENODEV ? gone(L, c) : hv_bind_fail(L, &err);
	n = hv_console_write(c->client, bytes + done, len - done, &err);
	if (n < 0)
		return n == -ENODEV ? gone(L, c) : hv_bind_fail(L, &err);
	done += (size_t)n;
	if (done == len) {
		lua_pushboolean(L, 1);
		return 1;
	}
	if (status == LUA_YIELD && hv_task_timed_out(L))
		return too_late(L, c, "the guest did not take all of the input");
	lua_pushinteger(L, (lua_Integer)done);
	lua_replace(L, 4);
	return wait(L, 2, write_more);
}

/*
 * client:write(bytes, [timeout]) -> true when the console has taken all of them. Waits while
 * somebody else has the keyboard, and for the guest. The caller gives the keyboard back, as a
 * __close of client: one that is cancelled or interrupted while it waits does not come back here.
 */
static int client_write(lua_State *L)
{
	uint64_t deadline;

	check(L);
	luaL_checkstring(L, 2);
	lua_settop(L, 3);
	deadline = hv_task_deadline(L, 3);
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)deadline);
	lua_insert(L, 2);
	lua_pushinteger(L, 0);
	return write_more(L, LUA_OK, 0);
}

static int client_gc(lua_State *L)
{
	struct client *c = check(L);

	hv_console_close(c->client);
	c->client = NULL;
	return 0;
}

/* The __close of a client, which stays open. In C: no interruption gets in between. */
static int client_release(lua_State *L)
{
	struct client *c = check(L);

	if (c->client)
		hv_console_release(c->client);
	return 0;
}

/* client:close(): who waits here finds out. */
static int client_close(lua_State *L)
{
	client_gc(L);
	hv_cond_wake(&hv_session_of(L)->console_input);
	return 0;
}

/* console_open(handle, port, back, who): port a number or a name; back in bytes, -1 = all */
static int console_open(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "read", client_read },
		{ "write", client_write },
		{ "close", client_close },
		{ NULL, NULL },
	};
	const struct hv_serve *serve = hv_session_of(L)->serve;
	uint64_t serial = (uint64_t)luaL_checkinteger(L, 1);
	struct hv_served *d = serve ? hv_serve_by_serial(serve, serial) : NULL;
	lua_Integer back = luaL_optinteger(L, 3, 0);
	struct hv_console_client_opts opts = {
		.who = luaL_optstring(L, 4, "a script"),
		.back = back < 0 ? HV_CONSOLE_ALL : (uint64_t)back,
		.wake = -1,
	};
	struct hv_err err;
	struct client *c;
	int port = 0;

	if (!d)
		hv_err_set(&err, ENODEV, "the device is gone");
	else if (strcmp(d->type, "console") != 0)
		hv_err_set(&err, ENOTSUP, "%s is a %s device, not a console", d->dev.name, d->type);
	else if (lua_type(L, 2) == LUA_TSTRING)
		port = hv_console_find(&d->dev, lua_tostring(L, 2));
	else
		port = (int)luaL_optinteger(L, 2, 0);
	if (!d || strcmp(d->type, "console") != 0)
		return hv_bind_fail(L, &err);
	if (port < 0 || (unsigned int)port >= hv_console_ports(&d->dev)) {
		hv_err_set(&err, ENOENT, "%s has no port %s", d->dev.name,
			   luaL_tolstring(L, 2, NULL));
		return hv_bind_fail(L, &err);
	}
	hv_bind_type(L, CLIENT, methods, client_gc);
	c = lua_newuserdatauv(L, sizeof(*c), 0);
	*c = (struct client){ 0 };
	luaL_setmetatable(L, CLIENT);
	lua_getmetatable(L, -1);
	lua_pushcfunction(L, client_release);
	lua_setfield(L, -2, "__close");
	lua_pop(L, 1);
	snprintf(c->name, sizeof(c->name), "%s", d->dev.name);
	if (hv_console_open(&d->dev, (unsigned int)port, &opts, &c->client, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* deadline(timeout) -> a point in time; nil for nil. left(point) -> seconds until then */
static int deadline(lua_State *L)
{
	lua_settop(L, 1);
	if (!lua_isnil(L, 1))
		lua_pushinteger(L, (lua_Integer)hv_task_deadline(L, 1));
	return 1;
}

static int left(lua_State *L)
{
	uint64_t at = (uint64_t)luaL_checkinteger(L, 1), now = hv_now();

	lua_pushnumber(L, at > now ? (lua_Number)(at - now) / 1e9 : 0);
	return 1;
}

void hv_bind_console(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "console_open", console_open },
		{ "deadline", deadline },
		{ "left", left },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
