// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/ivc.h"
#include "lua/task.h"

#define CHANNEL "hvsh.ivc_channel"
#define CHANNELS_MAX 64
#define SHARED (-1) /* in Lua */

/*
 * A script's end of a channel. Its descriptor is watched from the beginning, so that an interrupt
 * between two waits is not lost: it counts for the next one. While nobody waits the second one
 * switches the watching off, and a peer that interrupts for ever costs nothing more.
 */
struct channel {
	struct hv_ivc *ivc; /* NULL = closed */
	uint32_t id;
	struct hv_source *source;
	bool watched;
	uint64_t heard, told; /* interrupts; up to which one who waited was told */
	struct hv_cond news;
};

static struct channel *check(lua_State *L)
{
	return luaL_checkudata(L, 1, CHANNEL);
}

static int closed(lua_State *L, const struct channel *c)
{
	struct hv_err err;

	hv_err_set(&err, EBADF, "IVC %u: this end is closed", c->id);
	return hv_bind_fail(L, &err);
}

static uint32_t check_section(lua_State *L, int idx)
{
	lua_Integer n = luaL_checkinteger(L, idx);

	luaL_argcheck(L, n >= SHARED && n < UINT32_MAX, idx, "no section");
	return n == SHARED ? HV_IVC_SHARED : (uint32_t)n;
}

static uint64_t check_count(lua_State *L, int idx)
{
	lua_Integer n = luaL_checkinteger(L, idx);

	luaL_argcheck(L, n >= 0, idx, "less than 0");
	return (uint64_t)n;
}

/* channel:info() -> {id, peer, peers, shared, out} */
static int channel_info(lua_State *L)
{
	const struct channel *c = check(L);
	const struct hv_ivc_info *info;

	if (!c->ivc)
		return closed(L, c);
	info = hv_ivc_info(c->ivc);
	lua_createtable(L, 0, 5);
	hv_bind_field_int(L, "id", info->id);
	hv_bind_field_int(L, "peer", info->peer);
	hv_bind_field_int(L, "peers", info->max_peers);
	hv_bind_field_int(L, "shared", info->rw_size);
	hv_bind_field_int(L, "out", info->out_size);
	return 1;
}

/* channel:read(section, offset, length) -> bytes */
static int channel_read(lua_State *L)
{
	const struct channel *c = check(L);
	uint32_t section = check_section(L, 2);
	uint64_t offset = check_count(L, 3), length = check_count(L, 4);
	struct hv_err err;
	luaL_Buffer b;
	char *bytes;

	if (!c->ivc)
		return closed(L, c);
	/* Before there is memory for them. */
	if (hv_ivc_check(c->ivc, section, offset, length, &err) < 0)
		return hv_bind_fail(L, &err);
	bytes = luaL_buffinitsize(L, &b, (size_t)length);
	if (hv_ivc_read(c->ivc, section, offset, bytes, (size_t)length, &err) < 0)
		return hv_bind_fail(L, &err);
	luaL_pushresultsize(&b, (size_t)length);
	return 1;
}

/* channel:write(section, offset, bytes) -> true */
static int channel_write(lua_State *L)
{
	struct channel *c = check(L);
	uint32_t section = check_section(L, 2);
	uint64_t offset = check_count(L, 3);
	size_t length;
	const char *bytes = luaL_checklstring(L, 4, &length);
	struct hv_err err;

	if (!c->ivc)
		return closed(L, c);
	if (hv_ivc_write(c->ivc, section, offset, bytes, length, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* channel:load(section, offset, size) -> integer */
static int channel_load(lua_State *L)
{
	const struct channel *c = check(L);
	uint32_t section = check_section(L, 2);
	uint64_t offset = check_count(L, 3), size = check_count(L, 4), value;
	struct hv_err err;

	if (!c->ivc)
		return closed(L, c);
	if (hv_ivc_load(c->ivc, section, offset, (unsigned int)size, &value, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushinteger(L, (lua_Integer)value);
	return 1;
}

/* channel:store(section, offset, size, integer) -> true */
static int channel_store(lua_State *L)
{
	struct channel *c = check(L);
	uint32_t section = check_section(L, 2);
	uint64_t offset = check_count(L, 3), size = check_count(L, 4);
	lua_Integer value = luaL_checkinteger(L, 5);
	struct hv_err err;

	if (!c->ivc)
		return closed(L, c);
	if (hv_ivc_store(c->ivc, section, offset, (unsigned int)size, (uint64_t)value, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* channel:notify(peer) -> true */
static int channel_notify(lua_State *L)
{
	struct channel *c = check(L);
	uint64_t peer = check_count(L, 2);
	struct hv_err err;

	if (!c->ivc)
		return closed(L, c);
	if (hv_ivc_notify(c->ivc, peer < UINT32_MAX ? (uint32_t)peer : UINT32_MAX, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- interrupts */

static void on_interrupt(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	(void)events;
	if (!hv_ivc_take(c->ivc))
		return;
	c->heard++;
	if (c->news.first)
		hv_cond_wake(&c->news);
	else if (c->heard - c->told > 1 && hv_fd_set(src, 0, NULL) == 0)
		c->watched = false;
}

/* What is taken here, or by the module as it is asked again, came before who waits is told. */
static int watch(struct channel *c, struct hv_err *err)
{
	int rc = 0;

	if (!c->watched) {
		(void)hv_ivc_take(c->ivc);
		rc = hv_fd_set(c->source, EPOLLIN, err);
	}
	c->watched = rc == 0;
	return rc;
}

/* Stack: channel, deadline, up to which interrupt the caller knows. */
static int wait_more(lua_State *L, int status, lua_KContext ctx)
{
	struct channel *c = check(L);
	struct hv_err err;

	(void)ctx;
	if (!c->ivc)
		return closed(L, c);
	if (c->heard != (uint64_t)lua_tointeger(L, 3)) {
		c->told = c->heard;
		if (watch(c, &err) < 0)
			return hv_bind_fail(L, &err);
		lua_pushboolean(L, 1);
		return 1;
	}
	if (status == LUA_YIELD && hv_task_timed_out(L)) {
		hv_err_set(&err, ETIMEDOUT, "IVC %u: no interrupt in time", c->id);
		return hv_bind_fail(L, &err);
	}
	return hv_cond_wait(L, &c->news, (uint64_t)lua_tointeger(L, 2), 0, wait_more);
}

/* channel:wait([timeout]) -> true after an interrupt that nobody was told of */
static int channel_wait(lua_State *L)
{
	const struct channel *c = check(L);
	uint64_t deadline;

	lua_settop(L, 2);
	deadline = hv_task_deadline(L, 2);
	lua_settop(L, 1);
	lua_pushinteger(L, (lua_Integer)deadline);
	lua_pushinteger(L, (lua_Integer)c->told);
	return wait_more(L, LUA_OK, 0);
}

/* ---- its life */

static int channel_gc(lua_State *L)
{
	struct channel *c = check(L);

	hv_source_remove(c->source);
	c->source = NULL;
	hv_ivc_close(c->ivc);
	c->ivc = NULL;
	return 0;
}

/* channel:close(): who waits here finds out. */
static int channel_close(lua_State *L)
{
	channel_gc(L);
	hv_cond_end(&check(L)->news);
	return 0;
}

/* The simulated machine; NULL: the kernel's devices. -errno when there is no machine. */
static int machine_of(lua_State *L, struct hv_hyp **hyp, struct hv_err *err)
{
	struct hv_machine machine;
	struct hv_bind_set *set;
	int rc;

	*hyp = NULL;
	if (!hv_session_of(L)->sim)
		return 0;
	set = hv_bind_set_new(L, 0, err);
	rc = set ? hv_bind_machine(L, set, HV_NEED_HYP, &machine, err) : -err->code;
	if (rc < 0)
		return rc;
	*hyp = machine.hyp;
	return 0;
}

/* ivc_open(id) -> channel */
static int ivc_open(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "info", channel_info },
		{ "read", channel_read },
		{ "write", channel_write },
		{ "load", channel_load },
		{ "store", channel_store },
		{ "wait", channel_wait },
		{ "notify", channel_notify },
		{ "close", channel_close },
		{ NULL, NULL },
	};
	lua_Integer id = luaL_checkinteger(L, 1);
	struct hv_loop *loop = hv_task_loop(L);
	struct channel *c;
	struct hv_hyp *hyp;
	struct hv_err err;
	char path[32];
	int rc;

	luaL_argcheck(L, id >= 0 && id <= UINT32_MAX, 1, "a channel's id has 32 bits");
	if (machine_of(L, &hyp, &err) < 0)
		return hv_bind_fail(L, &err);
	hv_bind_type(L, CHANNEL, methods, channel_gc);
	c = lua_newuserdatauv(L, sizeof(*c), 0);
	*c = (struct channel){ .id = (uint32_t)id, .watched = true };
	luaL_setmetatable(L, CHANNEL);
	snprintf(path, sizeof(path), "/dev/hivc%u", c->id);
	rc = hyp ? hv_ivc_open_sim(hyp, c->id, &c->ivc, &err)
		 : hv_ivc_open_device(path, c->id, &c->ivc, &err);
	if (rc == 0)
		rc = hv_loop_add_fd(loop, hv_ivc_fd(c->ivc), EPOLLIN, on_interrupt, c, &c->source,
				    &err);
	return rc < 0 ? hv_bind_fail(L, &err) : 1;
}

/* ivc_list() -> {id, …} */
static int ivc_list(lua_State *L)
{
	uint32_t ids[CHANNELS_MAX];
	struct hv_hyp *hyp;
	struct hv_err err;
	int n = machine_of(L, &hyp, &err);

	if (n == 0)
		n = hyp ? hv_ivc_list_sim(hyp, ids, CHANNELS_MAX, &err)
			: hv_ivc_list_device(ids, CHANNELS_MAX, &err);
	if (n < 0)
		return hv_bind_fail(L, &err);
	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		lua_pushinteger(L, ids[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

void hv_bind_ivc(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "ivc_open", ivc_open },
		{ "ivc_list", ivc_list },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
