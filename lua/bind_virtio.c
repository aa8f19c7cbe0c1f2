// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/spec.h"
#include "virtio/dev/blk.h"
#include "virtio/dev/console.h"
#include "virtio/dev/net.h"
#include "zone/serve.h"

/* A register window whose length nobody said. */
#define HV_WINDOW_DEFAULT 0x200

/* Virtio devices of the zones this process serves. They are known by their serial: one that is gone
 * is never mistaken for another. */

struct hv_served *hv_bind_device(lua_State *L, const char *type, struct hv_err *err)
{
	const struct hv_serve *serve = hv_session_of(L)->serve;
	lua_Integer serial = luaL_checkinteger(L, 1);
	struct hv_served *dev = serve ? hv_serve_by_serial(serve, (uint64_t)serial) : NULL;

	if (!dev) {
		hv_err_set(err, ENODEV, "the device is gone");
		return NULL;
	}
	if (type && strcmp(dev->type, type) != 0) {
		hv_err_set(err, ENOTSUP, "%s is a %s device: only %s can do this", dev->dev.name,
			   dev->type, type);
		return NULL;
	}
	return dev;
}

static uint64_t count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* {requests=, …, latency = {n, …}}: latency[i] counts those that took less than 2^i ns. */
static void push_stats(lua_State *L, const struct hv_vdev_stats *s)
{
	int last = 0;

	lua_createtable(L, 0, 12);
	hv_bind_field_int(L, "requests", (lua_Integer)count(&s->requests));
	hv_bind_field_int(L, "read_bytes", (lua_Integer)count(&s->read_bytes));
	hv_bind_field_int(L, "write_bytes", (lua_Integer)count(&s->write_bytes));
	hv_bind_field_int(L, "errors", (lua_Integer)count(&s->errors));
	hv_bind_field_int(L, "dropped", (lua_Integer)count(&s->dropped));
	hv_bind_field_int(L, "kicks", (lua_Integer)count(&s->kicks));
	hv_bind_field_int(L, "interrupts", (lua_Integer)count(&s->interrupts));
	hv_bind_field_int(L, "suppressed", (lua_Integer)count(&s->suppressed));
	hv_bind_field_int(L, "wakeups", (lua_Integer)count(&s->wakeups));
	hv_bind_field_int(L, "latency_ns", (lua_Integer)count(&s->latency_ns));
	for (int i = 0; i < HV_LATENCY_BUCKETS; i++)
		if (count(&s->latency[i]))
			last = i + 1;
	lua_createtable(L, last, 0);
	for (int i = 0; i < last; i++) {
		lua_pushinteger(L, (lua_Integer)count(&s->latency[i]));
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "latency");
}

static const char *state_of(struct hv_served *d)
{
	uint32_t status;
	bool attached;

	if (atomic_load(&d->dev.broken))
		return "broken";
	if (atomic_load(&d->dev.paused))
		return "paused";
	pthread_mutex_lock(&d->dev.lock);
	attached = d->dev.bus != NULL;
	status = d->dev.status;
	pthread_mutex_unlock(&d->dev.lock);
	if (!attached)
		return "waiting";
	return status & 4 ? "running" : status ? "starting" : "idle";
}

static void push_blk(lua_State *L, struct hv_vdev *dev)
{
	struct hv_blk_info info;

	hv_blk_info(dev, &info);
	hv_bind_field(L, "image", info.image);
	hv_bind_field(L, "overlay", info.overlay);
	hv_bind_field(L, "engine", info.engine);
	hv_bind_field(L, "serial", info.serial);
	hv_bind_field_int(L, "capacity", (lua_Integer)info.bytes);
	lua_pushboolean(L, info.readonly);
	lua_setfield(L, -2, "readonly");
	lua_pushboolean(L, info.snapshot);
	lua_setfield(L, -2, "snapshot");
}

static void push_net(lua_State *L, struct hv_vdev *dev)
{
	struct hv_net_info info;
	char mac[HV_MAC_TEXT];

	hv_net_info(dev, &info);
	hv_bind_field(L, "tap", info.tap);
	hv_bind_field(L, "switch", info.sw);
	hv_bind_field(L, "mac", hv_mac_format(info.mac, mac));
	hv_bind_field_int(L, "mtu", info.mtu);
	lua_pushboolean(L, info.link);
	lua_setfield(L, -2, "link_up");
	lua_pushboolean(L, info.gone);
	lua_setfield(L, -2, "gone");
}

static void push_console(lua_State *L, struct hv_vdev *dev)
{
	struct hv_console_info info;

	lua_newtable(L);
	for (unsigned int i = 0; i < hv_console_ports(dev); i++) {
		hv_console_port_info(dev, i, &info);
		lua_createtable(L, 0, 12);
		hv_bind_field(L, "name", info.name);
		hv_bind_field(L, "log", info.log);
		hv_bind_field(L, "pty", info.pty);
		hv_bind_field(L, "writer", *info.writer ? info.writer : NULL);
		hv_bind_field_int(L, "output", (lua_Integer)info.output);
		hv_bind_field_int(L, "input", (lua_Integer)info.input);
		hv_bind_field_int(L, "clients", info.clients);
		if (info.cols && info.rows) {
			hv_bind_field_int(L, "columns", info.cols);
			hv_bind_field_int(L, "rows", info.rows);
		}
		lua_pushboolean(L, info.guest_open);
		lua_setfield(L, -2, "open");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "ports");
}

/* Whole where it is: 500, and 0.1 for one in ten seconds. */
static void push_rate(lua_State *L, const char *key, const struct hv_limit_rate *rate)
{
	lua_Number n;

	if (!rate->tokens)
		return;
	n = (lua_Number)rate->tokens * 1e9 / (lua_Number)rate->period_ns;
	if (n == floor(n))
		lua_pushinteger(L, (lua_Integer)n);
	else
		lua_pushnumber(L, n);
	lua_setfield(L, -2, key);
}

/* {iops=, bps=}: those that are set. */
static void push_limits(lua_State *L, struct hv_limit *limit)
{
	struct hv_limit_rate ops, bytes;

	pthread_mutex_lock(&limit->lock);
	ops = limit->ops.rate;
	bytes = limit->bytes.rate;
	pthread_mutex_unlock(&limit->lock);
	lua_createtable(L, 0, 2);
	push_rate(L, "iops", &ops);
	push_rate(L, "bps", &bytes);
}

/* {{size=, ready=, completed=, kicks=, interrupts=}…}: size 0 before the driver has said. */
static void push_queues(lua_State *L, struct hv_vdev *dev)
{
	uint16_t size[HV_VDEV_QUEUES];
	bool ready[HV_VDEV_QUEUES];

	pthread_mutex_lock(&dev->lock);
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		size[i] = dev->queues[i].num;
		ready[i] = dev->queues[i].ready;
	}
	pthread_mutex_unlock(&dev->lock);
	lua_createtable(L, (int)dev->n_queues, 0);
	for (unsigned int i = 0; i < dev->n_queues; i++) {
		const struct hv_vq *vq = &dev->queues[i];

		lua_createtable(L, 0, 5);
		hv_bind_field_int(L, "size", size[i]);
		hv_bind_field_int(L, "completed", (lua_Integer)count(&vq->completed));
		hv_bind_field_int(L, "kicks", (lua_Integer)count(&vq->kicks));
		hv_bind_field_int(L, "interrupts", (lua_Integer)count(&vq->interrupts));
		lua_pushboolean(L, ready[i]);
		lua_setfield(L, -2, "ready");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_device(lua_State *L, struct hv_served *d)
{
	lua_createtable(L, 0, 22);
	hv_bind_field_int(L, "handle", (lua_Integer)d->serial);
	hv_bind_field_int(L, "zone_id", d->zone);
	hv_bind_field(L, "zone", d->zone_name);
	hv_bind_field(L, "name", d->name);
	hv_bind_field(L, "type", d->type);
	hv_bind_field_int(L, "at", (lua_Integer)d->at);
	hv_bind_field_int(L, "size", (lua_Integer)d->size);
	hv_bind_field_int(L, "irq", d->irq);
	hv_bind_field(L, "state", state_of(d));
	push_stats(L, &d->dev.stats);
	lua_setfield(L, -2, "stats");
	push_limits(L, &d->dev.limit);
	lua_setfield(L, -2, "limits");
	push_queues(L, &d->dev);
	lua_setfield(L, -2, "queues");
	if (!strcmp(d->type, "blk"))
		push_blk(L, &d->dev);
	else if (!strcmp(d->type, "net"))
		push_net(L, &d->dev);
	else if (!strcmp(d->type, "console"))
		push_console(L, &d->dev);
	else if (!strcmp(d->type, "input"))
		hv_bind_push_input(L, &d->dev);
	else if (!strcmp(d->type, "gpu"))
		hv_bind_push_gpu(L, &d->dev);
	else if (!strcmp(d->type, "custom"))
		hv_bind_push_custom(L, &d->dev);
}

/* devices() -> all that are served here, in the order they were made */
static int devices(lua_State *L)
{
	const struct hv_serve *serve = hv_session_of(L)->serve;
	struct hv_served *d = NULL;
	lua_Integer n = 0;

	lua_newtable(L);
	while (serve && (d = hv_serve_next(serve, d))) {
		push_device(L, d);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* device(handle) -> its facts as of now; nil when it is gone */
static int device(lua_State *L)
{
	struct hv_served *d = hv_bind_device(L, NULL, NULL);

	if (d)
		push_device(L, d);
	else
		lua_pushnil(L);
	return 1;
}

/* A rate per second; below one, one in so much time. */
static struct hv_limit_rate rate(lua_State *L, int idx, int burst)
{
	struct hv_limit_rate r = { .period_ns = UINT64_C(1000000000) };
	lua_Number n = luaL_optnumber(L, idx, 0);

	luaL_argcheck(L, n >= 0 && n <= 1e12, idx, "a rate is a number from 0 to 10^12");
	luaL_argcheck(L, n == 0 || n >= 1e-4, idx, "the smallest rate is one in 10,000 seconds");
	if (n > 0 && n < 1) {
		r.tokens = 1;
		r.period_ns = (uint64_t)llround(1e9 / n);
	} else if (n == floor(n)) {
		r.tokens = (uint64_t)n;
	} else {
		r.tokens = (uint64_t)llround(n * 1000);
		r.period_ns *= 1000;
	}
	r.burst = (uint64_t)luaL_optinteger(L, burst, 0);
	luaL_argcheck(L, r.burst <= UINT64_C(1) << 40, burst, "a burst is a number from 0 to 2^40");
	return r;
}

/* device_limit(handle, iops, iops_burst, bps, bps_burst) -> true; rates 0 or nil: without limit */
static int device_limit(lua_State *L)
{
	struct hv_err err;
	struct hv_served *d = hv_bind_device(L, NULL, &err);
	struct hv_limit_rate ops = rate(L, 2, 3), bytes = rate(L, 4, 5);

	if (!d)
		return hv_bind_fail(L, &err);
	hv_limit_set_rates(&d->dev.limit, ops, bytes);
	hv_vdev_poke(&d->dev);
	lua_pushboolean(L, 1);
	return 1;
}

/* device_pause(handle, boolean) -> true */
static int device_pause(lua_State *L)
{
	struct hv_err err;
	struct hv_served *d = hv_bind_device(L, NULL, &err);

	if (!d)
		return hv_bind_fail(L, &err);
	hv_vdev_pause(&d->dev, lua_toboolean(L, 2));
	lua_pushboolean(L, 1);
	return 1;
}

/* device_detach(handle) -> true */
static int device_detach(lua_State *L)
{
	struct hv_err err;
	struct hv_served *d = hv_bind_device(L, NULL, &err);

	if (!d)
		return hv_bind_fail(L, &err);
	hv_serve_remove(d);
	lua_pushboolean(L, 1);
	return 1;
}

static int arena_gc(lua_State *L)
{
	struct hv_arena **arena = luaL_checkudata(L, 1, "hvsh.arena");

	hv_arena_free(*arena);
	*arena = NULL;
	return 0;
}

static struct hv_arena *push_arena(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	struct hv_arena **arena;

	hv_bind_type(L, "hvsh.arena", none, arena_gc);
	arena = lua_newuserdatauv(L, sizeof(*arena), 0);
	*arena = NULL;
	luaL_setmetatable(L, "hvsh.arena");
	*arena = hv_arena_new();
	if (!*arena)
		luaL_error(L, "not enough memory");
	return *arena;
}

/* device_attach(zone id, spec of one device) -> handle */
static int device_attach(lua_State *L)
{
	struct hv_session *session = hv_session_of(L);
	uint32_t zone = (uint32_t)luaL_checkinteger(L, 1);
	const struct hv_spec_device *spec;
	struct hv_served *d;
	struct hv_err err;

	if (hv_spec_devices_from_lua(L, 2, push_arena(L), &spec) != 1)
		return luaL_error(L, "one device was expected, and one that is enabled");
	if (!session->serve) {
		hv_err_set(&err, ENOENT, "%s: its zone is not served here", spec->name);
		return hv_bind_fail(L, &err);
	}
	if (hv_serve_add(session->serve, zone, spec, &d, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushinteger(L, (lua_Integer)d->serial);
	return 1;
}

static uint64_t address(lua_State *L, const char *key)
{
	lua_Integer n;

	lua_getfield(L, -1, key);
	n = luaL_checkinteger(L, -1);
	lua_pop(L, 1);
	return (uint64_t)n;
}

/*
 * serve_zone(id, name, {{ipa=, phys=, size=}…}, spec of its devices) -> true: of a zone that
 * somebody else starts. Every device says where its window is.
 */
static int serve_zone(lua_State *L)
{
	struct hv_session *session = hv_session_of(L);
	struct hv_serve_zone zone = {
		.id = (uint32_t)luaL_checkinteger(L, 1),
		.name = luaL_checkstring(L, 2),
		.standing = true,
	};
	struct hv_arena *arena = push_arena(L);
	const struct hv_spec_device *devices;
	struct hv_device_slot *slots;
	struct hv_vzone_ram *ram;
	struct hv_machine machine;
	struct hv_err err;

	luaL_checktype(L, 3, LUA_TTABLE);
	zone.n_ram = (unsigned int)lua_rawlen(L, 3);
	ram = hv_arena_array(arena, zone.n_ram, sizeof(*ram));
	for (unsigned int i = 0; ram && i < zone.n_ram; i++) {
		lua_rawgeti(L, 3, (lua_Integer)i + 1);
		ram[i] = (struct hv_vzone_ram){
			.ipa = address(L, "ipa"),
			.phys = address(L, "phys"),
			.size = address(L, "size"),
		};
		lua_pop(L, 1);
	}
	zone.n_slots = hv_spec_devices_from_lua(L, 4, arena, &devices);
	slots = hv_arena_array(arena, zone.n_slots, sizeof(*slots));
	if ((zone.n_ram && !ram) || (zone.n_slots && !slots))
		return luaL_error(L, "not enough memory");
	for (size_t i = 0; i < zone.n_slots; i++)
		slots[i] = (struct hv_device_slot){
			.spec = &devices[i],
			.at = devices[i].at,
			.size = devices[i].size ?: HV_WINDOW_DEFAULT,
			.irq = devices[i].irq,
		};
	zone.ram = ram;
	zone.slots = slots;
	if (hv_session_machine(session, NULL, -1, HV_NEED_HYP, &machine, &err) < 0 ||
	    hv_session_populate(session, &err) < 0 || hv_serve_open(machine.serve, &zone, &err) < 0)
		return hv_bind_fail(L, &err);
	if (hv_serve_attach(machine.serve, zone.id, &err) < 0 ||
	    hv_session_run_guests(session, &err) < 0) {
		hv_serve_drop(machine.serve, zone.id);
		return hv_bind_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* blk_resize(handle, bytes): 0 = as large as its image is now -> capacity */
static int blk_resize(lua_State *L)
{
	struct hv_err err;
	struct hv_served *d = hv_bind_device(L, "blk", &err);
	lua_Integer bytes = luaL_optinteger(L, 2, 0);
	struct hv_blk_info info;

	luaL_argcheck(L, bytes >= 0, 2, "a size is not negative");
	if (!d || hv_blk_resize(&d->dev, (uint64_t)bytes, &err) < 0)
		return hv_bind_fail(L, &err);
	hv_blk_info(&d->dev, &info);
	lua_pushinteger(L, (lua_Integer)info.bytes);
	return 1;
}

/* blk_sync(handle) -> true */
static int blk_sync(lua_State *L)
{
	struct hv_err err;
	struct hv_served *d = hv_bind_device(L, "blk", &err);

	if (!d || hv_blk_sync(&d->dev, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* net_link(handle, boolean) -> true */
static int net_link(lua_State *L)
{
	struct hv_err err;
	struct hv_served *d = hv_bind_device(L, "net", &err);

	if (!d)
		return hv_bind_fail(L, &err);
	hv_net_set_link(&d->dev, lua_toboolean(L, 2));
	lua_pushboolean(L, 1);
	return 1;
}

/* console_resize(handle, columns, rows) -> true */
static int console_resize(lua_State *L)
{
	struct hv_err err;
	struct hv_served *d = hv_bind_device(L, "console", &err);
	lua_Integer cols = luaL_checkinteger(L, 2), rows = luaL_checkinteger(L, 3);

	luaL_argcheck(L, cols > 0 && cols <= UINT16_MAX, 2, "1 to 65535 columns");
	luaL_argcheck(L, rows > 0 && rows <= UINT16_MAX, 3, "1 to 65535 rows");
	if (!d || hv_console_resize(&d->dev, 0, (uint16_t)cols, (uint16_t)rows, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* bridge_stats() -> what the thread that answers registers has done */
static int bridge_stats(lua_State *L)
{
	struct hv_serve *serve = hv_session_of(L)->serve;
	struct hv_service_stats s = { 0 };

	if (serve)
		hv_serve_stats(serve, &s);
	lua_createtable(L, 0, 8);
	hv_bind_field_int(L, "registers", (lua_Integer)s.registers);
	hv_bind_field_int(L, "unknown", (lua_Integer)s.unknown);
	hv_bind_field_int(L, "sleeps", (lua_Integer)s.sleeps);
	hv_bind_field_int(L, "wakeups", (lua_Integer)s.wakeups);
	hv_bind_field_int(L, "lost_wakeups", (lua_Integer)s.timeouts);
	hv_bind_field_int(L, "injections", (lua_Integer)s.injections);
	hv_bind_field_int(L, "polling_ns", (lua_Integer)s.spin_ns);
	return 1;
}

void hv_bind_virtio(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "devices", devices },
		{ "device", device },
		{ "device_limit", device_limit },
		{ "device_pause", device_pause },
		{ "device_detach", device_detach },
		{ "device_attach", device_attach },
		{ "serve_zone", serve_zone },
		{ "blk_resize", blk_resize },
		{ "blk_sync", blk_sync },
		{ "net_link", net_link },
		{ "console_resize", console_resize },
		{ "bridge_stats", bridge_stats },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
