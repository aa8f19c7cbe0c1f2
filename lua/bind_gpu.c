// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "virtio/dev/gpu.h"
#include "zone/serve.h"

#if HVSH_VIRTIO_GPU

static struct hv_vdev *find(lua_State *L, struct hv_err *err)
{
	struct hv_served *d = hv_bind_device(L, "gpu", err);

	return d ? &d->dev : NULL;
}

static unsigned int screen_number(lua_State *L, int idx)
{
	lua_Integer n = luaL_optinteger(L, idx, 0);

	luaL_argcheck(L, n >= 0 && n <= UINT16_MAX, idx, "screens are counted from 0");
	return (unsigned int)n;
}

static uint32_t side(lua_State *L, int idx)
{
	lua_Integer n = luaL_checkinteger(L, idx);

	luaL_argcheck(L, n >= 0 && n <= UINT32_MAX, idx, "a number of pixels was expected");
	return (uint32_t)n;
}

static void push_screen(lua_State *L, const struct hv_gpu_screen_info *s)
{
	lua_createtable(L, 0, 10);
	lua_pushboolean(L, s->connected);
	lua_setfield(L, -2, "connected");
	hv_bind_field_int(L, "width", s->width);
	hv_bind_field_int(L, "height", s->height);
	lua_pushboolean(L, s->on);
	lua_setfield(L, -2, "on");
	if (s->on) {
		hv_bind_field_int(L, "shown_width", s->shown_width);
		hv_bind_field_int(L, "shown_height", s->shown_height);
	}
	if (s->cursor) {
		hv_bind_field_int(L, "cursor_x", s->cursor_x);
		hv_bind_field_int(L, "cursor_y", s->cursor_y);
	}
	hv_bind_field_int(L, "frames", (lua_Integer)s->frames);
}

void hv_bind_push_gpu(lua_State *L, struct hv_vdev *dev)
{
	struct hv_gpu_info info;

	hv_gpu_info(dev, &info);
	hv_bind_field(L, "output", info.output);
	hv_bind_field_int(L, "resources", info.resources);
	hv_bind_field_int(L, "memory", (lua_Integer)info.memory);
	hv_bind_field_int(L, "memory_max", (lua_Integer)info.memory_max);
	lua_createtable(L, (int)info.scanouts, 0);
	for (unsigned int i = 0; i < info.scanouts; i++) {
		push_screen(L, &info.screen[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "screens");
}

/* gpu_screenshot(handle, path, screen) -> true */
static int gpu_screenshot(lua_State *L)
{
	struct hv_err err;
	const char *path = luaL_checkstring(L, 2);
	unsigned int screen = screen_number(L, 3);
	struct hv_vdev *dev = find(L, &err);

	if (!dev || hv_gpu_screenshot(dev, screen, path, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* gpu_resize(handle, width, height, screen) -> true; 0 × 0: it is pulled out */
static int gpu_resize(lua_State *L)
{
	struct hv_err err;
	uint32_t w = side(L, 2), h = side(L, 3);
	unsigned int screen = screen_number(L, 4);
	struct hv_vdev *dev = find(L, &err);

	if (!dev || hv_gpu_resize(dev, screen, w, h, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

/* gpu_hand_over(handle, boolean) -> true; the display is given away, or with true taken back */
static int gpu_hand_over(lua_State *L)
{
	struct hv_err err;
	bool take = lua_toboolean(L, 2);
	struct hv_vdev *dev = find(L, &err);

	if (!dev || (take ? hv_gpu_take(dev, &err) : hv_gpu_release(dev, &err)) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

#else

void hv_bind_push_gpu(lua_State *L, struct hv_vdev *dev)
{
	(void)L;
	(void)dev;
}

static int without(lua_State *L)
{
	struct hv_err err;

	hv_err_set(&err, ENOTSUP, "this hvsh was built without graphics cards (VIRTIO_GPU=n)");
	return hv_bind_fail(L, &err);
}
#define gpu_screenshot without
#define gpu_resize without
#define gpu_hand_over without

#endif

void hv_bind_gpu(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "gpu_screenshot", gpu_screenshot },
		{ "gpu_resize", gpu_resize },
		{ "gpu_hand_over", gpu_hand_over },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
