// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/control.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/client.h"
#include "control/console_channel.h"
#include "control/server.h"
#include "lua/attach.h"
#include "lua/bind.h"
#include "lua/interrupt.h"
#include "lua/shell_channel.h"
#include "lua/shell_client.h"
#include "lua/task.h"
#include "virtio/dev/console.h"
#include "zone/serve.h"

/* NULL: a machine that is gone with its process, which nobody else can reach. */
static const char *socket_path(const struct hv_session *s, char out[4096])
{
	if (!s->sim)
		return HV_CONTROL_PATH;
	if (!s->sim_dir || (size_t)snprintf(out, 4096, "%s/control", s->sim_dir) >= 4096)
		return NULL;
	return out;
}

/* ---- the service's end */

/* A reply may come when the client is gone: connections are known by numbers of their own. */
static uintptr_t last_conn;

static uintptr_t number_of(struct hv_control_conn *conn)
{
	if (!hv_control_conn_data(conn))
		hv_control_conn_set_data(conn, (void *)++last_conn);
	return (uintptr_t)hv_control_conn_data(conn);
}

static struct hv_control_conn *find_conn(const struct hv_session *s, lua_Integer number)
{
	struct hv_control_conn *conn = NULL;

	while (s->control && (conn = hv_control_next(s->control, conn)))
		if (number_of(conn) == (uintptr_t)number)
			return conn;
	return NULL;
}

/* What Lua has no answer to is answered all the same: the client waits for it. */
static void give_up(struct hv_control_conn *conn, uint32_t id, const char *why)
{
	static const char reply[] = "{\"error\":\"the service could not handle this request; "
				    "its log says why\",\"code\":\"EFAULT\"}";
	struct hv_err err;

	hv_log_error("a request of process %d was not handled: %s", (int)hv_control_conn_pid(conn),
		     why ? why : "an error that is no text");
	if (hv_control_reply(conn, id, reply, sizeof(reply) - 1, &err) < 0)
		hv_log_warn("control: %s", err.msg);
}

/* Of a request that handle has been given. */
static int handled(lua_State *L, int status, lua_KContext ctx)
{
	struct hv_control_conn *conn;

	(void)ctx;
	if (status == LUA_OK || status == LUA_YIELD)
		return 0;
	conn = find_conn(hv_session_of(L), lua_tointeger(L, 1));
	if (conn)
		give_up(conn, (uint32_t)lua_tointeger(L, 2), lua_tostring(L, -1));
	return 0;
}

static int call_request(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.control");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "request");
	lua_replace(L, -2);
	lua_insert(L, 1);
	lua_callk(L, lua_gettop(L) - 1, 0, 0, NULL);
	return 0;
}

/* (connection, id, text): what follows is Lua's, and may wait. */
static int handle(lua_State *L)
{
	lua_pushcfunction(L, call_request);
	for (int i = 1; i <= 3; i++)
		lua_pushvalue(L, i);
	return handled(L, lua_pcallk(L, 3, 0, 0, 0, handled), 0);
}

struct request {
	struct hv_control_conn *conn;
	uint32_t id;
	const char *json;
	size_t len;
};

static int push_request(lua_State *L)
{
	const struct request *r = lua_touserdata(L, 1);

	lua_settop(L, 0);
	lua_pushcfunction(L, handle);
	lua_pushinteger(L, (lua_Integer)number_of(r->conn));
	lua_pushinteger(L, r->id);
	lua_pushlstring(L, r->json, r->len);
	hv_task_new(L, 3, "control request");
	return 0;
}

static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	struct hv_session *s = arg;
	struct request r = { .conn = conn, .id = id, .json = json, .len = len };
	lua_State *L = s->L;

	if (!lua_checkstack(L, 8)) {
		give_up(conn, id, "not enough memory");
		return;
	}
	lua_pushcfunction(L, push_request);
	lua_pushlightuserdata(L, &r);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		give_up(conn, id, lua_tostring(L, -1));
		lua_pop(L, 1);
	}
}

static int tell_gone(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.control");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "gone");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 0);
	return 0;
}

/* Whoever has asked something may have left something behind. */
static void on_closed(struct hv_control_conn *conn, void *arg)
{
	struct hv_session *s = arg;
	lua_State *L = s->L;

	if (s->closed || !hv_control_conn_data(conn) || !lua_checkstack(L, 8))
		return;
	lua_pushcfunction(L, tell_gone);
	lua_pushinteger(L, (lua_Integer)number_of(conn));
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		hv_log_error("what process %d asked for goes on without it: %s",
			     (int)hv_control_conn_pid(conn),
			     lua_tostring(L, -1) ?: "an error that is no text");
		lua_pop(L, 1);
	}
}

int hv_control_start(struct hv_session *s, struct hv_err *err)
{
	static const struct hv_control_ops ops = { .request = on_request, .closed = on_closed };
	char path[4096];
	const char *at = socket_path(s, path);
	struct hv_loop *loop = hv_session_loop(s, err);

	if (!loop)
		return -err->code;
	return !at || s->control ? 0 : hv_control_listen(loop, at, &ops, s, &s->control, err);
}

void hv_control_stop(struct hv_session *s)
{
	hv_control_free(s->control, NULL);
	s->control = NULL;
}

/* control_reply(connection, id, text) -> true; a client that is gone needs none */
static int control_reply(lua_State *L)
{
	struct hv_control_conn *conn = find_conn(hv_session_of(L), luaL_checkinteger(L, 1));
	uint32_t id = (uint32_t)luaL_checkinteger(L, 2);
	size_t len;
	const char *text = luaL_checklstring(L, 3, &len);
	struct hv_err err;

	if (conn && hv_control_reply(conn, id, text, len, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static bool option(lua_State *L, const char *key)
{
	bool set = lua_getfield(L, 4, key) != LUA_TNIL && lua_toboolean(L, -1);

	lua_pop(L, 1);
	return set;
}

/* control_console(connection, handle, port, {back=, readonly=, force=}) -> number of the channel */
static int control_console(lua_State *L)
{
	struct hv_session *s = hv_session_of(L);
	struct hv_control_conn *conn = find_conn(s, luaL_checkinteger(L, 1));
	uint64_t serial = (uint64_t)luaL_checkinteger(L, 2);
	struct hv_served *d = s->serve ? hv_serve_by_serial(s->serve, serial) : NULL;
	struct hv_console_channel_opts opts = { 0 };
	struct hv_err err;
	lua_Integer back;
	int port, rc;

	luaL_checktype(L, 4, LUA_TTABLE);
	if (!conn || !d || strcmp(d->type, "console") != 0) {
		hv_err_set(&err, ENODEV, "the console is gone");
		return hv_bind_fail(L, &err);
	}
	port = lua_isstring(L, 3) && !lua_isinteger(L, 3)
		       ? hv_console_find(&d->dev, lua_tostring(L, 3))
		       : (int)luaL_optinteger(L, 3, 0);
	lua_getfield(L, 4, "back");
	back = luaL_optinteger(L, -1, 4096);
	opts.back = back < 0 ? HV_CONSOLE_ALL : (uint64_t)back;
	opts.readonly = option(L, "readonly");
	opts.force = option(L, "force");
	if (port < 0 || (unsigned int)port >= hv_console_ports(&d->dev))
		rc = hv_err_set(&err, ENOENT, "%s has no such port", d->dev.name);
	else
		rc = hv_console_channel_open(conn, &d->dev, (unsigned int)port, &opts, &err);
	if (rc < 0)
		return hv_bind_fail(L, &err);
	lua_pushinteger(L, rc);
	return 1;
}

/* control_connected(connection) -> whether the client is still there; when it goes, control.gone is
 * told */
static int control_connected(lua_State *L)
{
	lua_pushboolean(L, find_conn(hv_session_of(L), luaL_checkinteger(L, 1)) != NULL);
	return 1;
}

/* control_event(connection, text) -> true; false: the client is gone. One that does not read is
 * told later how many it has missed. */
static int control_event(lua_State *L)
{
	struct hv_control_conn *conn = find_conn(hv_session_of(L), luaL_checkinteger(L, 1));
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	struct hv_err err;

	if (conn)
		(void)hv_control_event(conn, text, len, &err);
	lua_pushboolean(L, conn != NULL);
	return 1;
}

/* shell_open(connection) -> the channel of a prompt */
static int shell_open(lua_State *L)
{
	struct hv_control_conn *conn = find_conn(hv_session_of(L), luaL_checkinteger(L, 1));
	struct hv_err err;

	if (!conn) {
		hv_err_set(&err, EPIPE, "the client has gone");
		return hv_bind_fail(L, &err);
	}
	return hv_shell_channel_open(L, conn, &err) < 0 ? hv_bind_fail(L, &err) : 1;
}

/* ---- the commands' end */

#define REMOTE "hvsh.remote"

struct remote {
	struct hv_control_client *client; /* NULL = closed */
	struct hv_buf events; /* that have come and were not asked for yet, each with a NUL */
	size_t taken;
};

static int remote_gc(lua_State *L)
{
	struct remote *remote = luaL_checkudata(L, 1, REMOTE);

	hv_control_disconnect(remote->client);
	remote->client = NULL;
	hv_buf_free(&remote->events);
	remote->events = (struct hv_buf){ 0 };
	return 0;
}

static struct hv_control_client *check_remote(lua_State *L)
{
	struct remote *remote = luaL_checkudata(L, 1, REMOTE);

	if (!remote->client)
		luaL_error(L, "the connection is closed");
	return remote->client;
}

static void on_remote_event(uint16_t channel, const char *json, size_t len, void *arg)
{
	struct remote *remote = arg;

	/* JSON has no NUL. */
	if (channel || memchr(json, 0, len))
		return;
	hv_buf_add(&remote->events, json, len);
	hv_buf_add(&remote->events, "", 1);
}

/*
 * remote:event() -> the text of the next one | nil, message, code[, signal]. Waits for it. EINTR:
 * the signal is how one ends this, and is dealt with.
 */
static int remote_event(lua_State *L)
{
	struct hv_control_client *client = check_remote(L);
	struct remote *remote = lua_touserdata(L, 1);
	struct hv_err err;

	while (remote->taken == remote->events.len) {
		if (remote->events.failed) {
			hv_err_nomem(&err);
			return hv_bind_fail(L, &err);
		}
		remote->taken = remote->events.len = 0;
		if (hv_control_wait(client, -1, &err) >= 0)
			continue;
		hv_bind_fail(L, &err);
		if (!hv_interrupted())
			return 3;
		lua_pushinteger(L, hv_interrupt_signal());
		hv_interrupt_clear();
		return 4;
	}
	lua_pushstring(L, remote->events.data + remote->taken);
	remote->taken += strlen(remote->events.data + remote->taken) + 1;
	return 1;
}

/* remote:call(text) -> reply | nil, message, code */
static int remote_call(lua_State *L)
{
	struct hv_control_client *client = check_remote(L);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	struct hv_buf *reply = hv_bind_buf(L);
	struct hv_err err;

	if (hv_control_call(client, text, len, -1, reply, &err) < 0 ||
	    hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* remote:pid() -> of the service */
static int remote_pid(lua_State *L)
{
	lua_pushinteger(L, hv_control_client_pid(check_remote(L)));
	return 1;
}

/* remote:shell(number) -> our end of the prompt on that channel */
static int remote_shell(lua_State *L)
{
	struct hv_control_client *client = check_remote(L);
	lua_Integer number = luaL_checkinteger(L, 2);
	struct hv_err err;

	luaL_argcheck(L, number > 0 && number <= UINT16_MAX, 2, "no channel");
	if (hv_shell_client_open(L, 1, client, (uint16_t)number, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

/* {back=, readonly=, force=} at idx. */
static void read_attach_opts(lua_State *L, int idx, struct hv_attach_opts *opts)
{
	lua_Integer back;

	luaL_checktype(L, idx, LUA_TTABLE);
	*opts = (struct hv_attach_opts){ .escape = HV_ATTACH_ESCAPE };
	lua_getfield(L, idx, "back");
	back = luaL_optinteger(L, -1, 4096);
	opts->back = back < 0 ? HV_CONSOLE_ALL : (uint64_t)back;
	opts->readonly = lua_getfield(L, idx, "readonly") != LUA_TNIL && lua_toboolean(L, -1);
	opts->force = lua_getfield(L, idx, "force") != LUA_TNIL && lua_toboolean(L, -1);
	lua_pop(L, 3);
}

/* true, or the signal that ended it as a number. */
static int attached(lua_State *L, int rc, const struct hv_err *err)
{
	if (rc < 0)
		return hv_bind_fail(L, err);
	if (rc > 0)
		lua_pushinteger(L, rc);
	else
		lua_pushboolean(L, 1);
	return 1;
}

/* console_attach(handle, port, opts): in this process, and this one alone: not while it waits */
static int console_attach(lua_State *L)
{
	struct hv_session *s = hv_session_of(L);
	uint64_t serial = (uint64_t)luaL_checkinteger(L, 1);
	struct hv_served *d = s->serve ? hv_serve_by_serial(s->serve, serial) : NULL;
	struct hv_attach_opts opts;
	struct hv_err err;

	read_attach_opts(L, 3, &opts);
	if (hv_task_owned(L)) {
		hv_err_set(&err, ENOTTY,
			   "this terminal belongs to another process: type .console %s",
			   d ? d->dev.name : "NAME");
		return hv_bind_fail(L, &err);
	}
	if (!d || strcmp(d->type, "console") != 0) {
		hv_err_set(&err, ENODEV, "the console is gone");
		return hv_bind_fail(L, &err);
	}
	return attached(L,
			hv_attach_local(&d->dev, (unsigned int)luaL_checkinteger(L, 2),
					hv_task_loop(L), &opts, &err),
			&err);
}

/*
 * remote:attach(name, {port=, back=, readonly=, force=}) -> true: the terminal is the console's
 * until the person leaves it
 */
static int remote_attach(lua_State *L)
{
	struct hv_control_client *client = check_remote(L);
	const char *name = luaL_checkstring(L, 2);
	struct hv_attach_opts opts;
	struct hv_err err;

	lua_settop(L, 3);
	read_attach_opts(L, 3, &opts);
	return attached(L, hv_attach_remote(client, name, &opts, &err), &err);
}

/* control_connect() -> remote | nil, message, code (ENOENT: no service runs) */
static int control_connect(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "call", remote_call },
		{ "pid", remote_pid },
		{ "attach", remote_attach },
		{ "event", remote_event },
		{ "shell", remote_shell },
		{ "close", remote_gc },
		{ NULL, NULL },
	};
	static const struct hv_control_handlers handlers = { .event = on_remote_event };
	struct remote *remote;
	char path[4096];
	const char *at = socket_path(hv_session_of(L), path);
	struct hv_err err;

	if (!at) {
		hv_err_set(&err, ENOENT,
			   "the simulated machine of another process cannot be "
			   "reached: use --sim=DIR for both");
		return hv_bind_fail(L, &err);
	}
	hv_bind_type(L, REMOTE, methods, remote_gc);
	remote = lua_newuserdatauv(L, sizeof(*remote), 0);
	*remote = (struct remote){ 0 };
	luaL_setmetatable(L, REMOTE);
	if (hv_control_connect(at, &remote->client, &err) < 0)
		return hv_bind_fail(L, &err);
	hv_control_set_handlers(remote->client, &handlers, remote);
	return 1;
}

/* working_folder() -> its path */
static int working_folder(lua_State *L)
{
	char *path = getcwd(NULL, 0);
	struct hv_err err;

	if (!path) {
		hv_err_sys(&err, errno, "asking for the working folder");
		return hv_bind_fail(L, &err);
	}
	lua_pushstring(L, path);
	free(path);
	return 1;
}

void hv_bind_control(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "control_reply", control_reply },
		{ "control_console", control_console },
		{ "console_attach", console_attach },
		{ "control_connect", control_connect },
		{ "working_folder", working_folder },
		{ "control_event", control_event },
		{ "shell_open", shell_open },
		{ "control_connected", control_connected },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
