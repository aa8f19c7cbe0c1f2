// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/shell_client.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "lua/bind.h"
#include "lua/shell_end.h"
#include "lua/task.h"

#define CLIENT "hvsh.shell_client"

struct shell_client {
	struct hv_shell_end end;
	struct hv_control_client *client;
	struct hv_source *src;
	uint16_t channel;
	struct hv_cond changed;
};

static struct shell_client *check_client(lua_State *L)
{
	return luaL_checkudata(L, 1, CLIENT);
}

static void watch(struct shell_client *c)
{
	if (c->src)
		hv_fd_set(c->src, EPOLLIN | (hv_control_unsent(c->client) ? EPOLLOUT : 0u), NULL);
}

static void finish(struct shell_client *c, const char *reason)
{
	hv_source_remove(c->src);
	c->src = NULL;
	hv_shell_end_close(&c->end, reason);
	hv_cond_wake(&c->changed);
}

static void put(struct shell_client *c, uint16_t channel, bool data, const void *bytes, size_t len)
{
	if (channel == c->channel && !hv_shell_end_put(&c->end, data, bytes, len))
		finish(c, "not enough memory");
}

static void on_data(uint16_t channel, const void *bytes, size_t len, void *arg)
{
	put(arg, channel, true, bytes, len);
}

static void on_event(uint16_t channel, const char *json, size_t len, void *arg)
{
	put(arg, channel, false, json, len);
}

static void on_room(uint16_t channel, void *arg)
{
	struct shell_client *c = arg;

	(void)channel;
	hv_cond_wake(&c->changed);
}

static void on_closed(uint16_t channel, const char *reason, void *arg)
{
	struct shell_client *c = arg;

	if (channel == c->channel)
		finish(c, reason);
}

static const struct hv_control_handlers handlers = {
	.event = on_event,
	.data = on_data,
	.room = on_room,
	.closed = on_closed,
};

static void on_socket(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct shell_client *c = arg;
	struct hv_err err = { 0 };

	(void)src;
	(void)fd;
	(void)events;
	if (hv_control_wait(c->client, 0, &err) < 0 && err.code != EINTR)
		finish(c, err.msg);
	watch(c);
}

static void grant(struct hv_shell_end *end, uint32_t len)
{
	struct shell_client *c = (struct shell_client *)end;

	hv_control_grant(c->client, c->channel, len);
	watch(c);
}

/* ---- methods */

static int client_receive(lua_State *L)
{
	struct shell_client *c = check_client(L);

	lua_settop(L, 1);
	return hv_shell_end_receive(L, &c->end);
}

/* Stack: the end, the text, how much of it is sent. */
static int send_on(lua_State *L, int status, lua_KContext ctx)
{
	struct shell_client *c = lua_touserdata(L, 1);
	size_t len, at = (size_t)lua_tointeger(L, 3);
	const char *text = lua_tolstring(L, 2, &len);

	(void)status;
	if (c->end.closed)
		return 0;
	at += hv_control_send(c->client, c->channel, text + at, len - at);
	watch(c);
	if (at == len)
		return 0;
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)at);
	return hv_cond_wait(L, &c->changed, 0, ctx, send_on);
}

/* send(text): waits while the service does not take it; when it has gone, receive says so */
static int client_send(lua_State *L)
{
	check_client(L);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	return send_on(L, LUA_OK, 0);
}

static int client_tell(lua_State *L)
{
	struct shell_client *c = check_client(L);
	size_t len;
	const char *json = luaL_checklstring(L, 2, &len);

	if (!c->end.closed)
		hv_control_tell(c->client, c->channel, json, len);
	watch(c);
	return 0;
}

static int waited(lua_State *L, int status, lua_KContext ctx)
{
	(void)L;
	(void)status;
	(void)ctx;
	return 0;
}

static int client_wait(lua_State *L)
{
	struct shell_client *c = check_client(L);

	lua_settop(L, 1);
	return hv_cond_wait(L, &c->changed, 0, 0, waited);
}

static int client_wake(lua_State *L)
{
	hv_cond_wake(&check_client(L)->changed);
	return 0;
}

static int client_close(lua_State *L)
{
	struct shell_client *c = check_client(L);

	if (!c->client)
		return 0;
	if (!c->end.closed)
		hv_control_close(c->client, c->channel, "the client has left");
	hv_control_set_handlers(c->client, NULL, NULL);
	finish(c, "the prompt was closed");
	c->client = NULL;
	hv_shell_end_free(&c->end);
	return 0;
}

int hv_shell_client_open(lua_State *L, int remote, struct hv_control_client *client,
			 uint16_t channel, struct hv_err *err)
{
	static const luaL_Reg methods[] = {
		{ "receive", client_receive },
		{ "send", client_send },
		{ "tell", client_tell },
		{ "wait", client_wait },
		{ "wake", client_wake },
		{ "close", client_close },
		{ NULL, NULL },
	};
	struct hv_loop *loop = hv_task_loop(L);
	struct shell_client *c;
	int rc;

	remote = lua_absindex(L, remote);
	hv_bind_type(L, CLIENT, methods, client_close);
	c = lua_newuserdatauv(L, sizeof(*c), 1);
	memset(c, 0, sizeof(*c));
	luaL_setmetatable(L, CLIENT);
	lua_pushvalue(L, remote);
	lua_setiuservalue(L, -2, 1);
	c->channel = channel;
	c->end.grant = grant;
	rc = hv_loop_add_fd(loop, hv_control_client_fd(client), EPOLLIN, on_socket, c, &c->src,
			    err);
	if (rc < 0)
		return rc;
	c->client = client;
	hv_control_set_handlers(client, &handlers, c);
	hv_control_grant(client, channel, HV_SHELL_WINDOW);
	watch(c);
	return 0;
}
