// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/sandbox.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lua/bind.h"
#include "sandbox/cell.h"
#include "sandbox/opener.h"
#include "sandbox/sandbox.h"
#include "virtio/dev/tap_opener.h"
#include "zone/serve.h"

#define RUN_DIR "/run/hvsh"

/* Where records, locks and sockets are; NULL: nowhere, the machine is gone with the process. */
static const char *state_dir(const struct hv_session *s)
{
	return s->sim ? s->sim_dir : RUN_DIR;
}

/* The socket of the opener; NULL where nobody else can reach this machine. */
static const char *opener_path(const struct hv_session *s, char out[4096])
{
	const char *dir = state_dir(s);

	return dir && (size_t)snprintf(out, 4096, "%s/opener", dir) < 4096 ? out : NULL;
}

/* What the opener does besides opening. */
static int serve_call(const void *arg, size_t len,
		      bool (*allowed)(unsigned int what, const char *name), void *reply,
		      size_t *reply_len, int *fds, unsigned int *n_fds, struct hv_err *err)
{
	if (hv_cell_is_call(arg, len))
		return hv_cell_serve(reply, reply_len, fds, n_fds, err);
	return hv_tap_opener_serve(arg, len, allowed, reply, reply_len, fds, n_fds, err);
}

void hv_sandbox_prepare(struct hv_session *s)
{
	char path[4096];
	struct hv_err err;

	if (s->no_sandbox || hv_opener_started() || hv_sandbox_state()->closed)
		return;
	if (hv_opener_start(opener_path(s, path), serve_call, &err) < 0)
		hv_log_warn("the service will open only what the sandbox itself allows: %s",
			    err.msg);
}

void hv_sandbox_script(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	char *folder, *real;

	if (!path || hv_opener_sealed())
		return;
	folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	real = folder ? realpath(folder, NULL) : NULL;
	/* A script in / does not open the whole machine. */
	if (real && strcmp(real, "/") != 0)
		hv_opener_allow(HV_ALLOW_READ | HV_ALLOW_BENEATH, real);
	else
		hv_opener_allow(HV_ALLOW_READ, path);
	free(folder);
	free(real);
}

/* What the definitions name, and what cannot be had any more: prelude/sandbox.lua. */
static int prepare_lua(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.sandbox");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "prepare");
	lua_call(L, 0, 0);
	return 0;
}

void hv_sandbox_enter(lua_State *L)
{
	const struct hv_session *s = hv_session_of(L);
	const char *dir = state_dir(s);
	char text[128];
	struct hv_err err;

	if (s->no_sandbox || hv_sandbox_state()->closed || !s->serve || !hv_serve_count(s->serve))
		return;
	lua_pushcfunction(L, prepare_lua);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
		hv_log_error("what the definitions name is not known to the sandbox: %s",
			     lua_tostring(L, -1) ?: "an error that is no text");
		lua_pop(L, 1);
	}
	if (dir)
		hv_opener_allow(HV_ALLOW_WRITE | HV_ALLOW_BENEATH, dir);
	for (unsigned int i = 0; i < s->n_allowed; i++)
		hv_opener_allow(HV_ALLOW_WRITE | HV_ALLOW_BENEATH, s->allowed[i]);
	if (hv_sandbox_close(&err) < 0)
		hv_log_error("the sandbox is not whole: %s", err.msg);
	hv_sandbox_describe(text, sizeof(text));
	hv_log_info("sandbox: %s", text);
}

void hv_sandbox_end(void)
{
	hv_opener_stop();
}

/* ---- hvsh.core */

static const char *const words[] = { "read", "write", "tap", "bridge", NULL };
static const unsigned int meanings[] = {
	HV_ALLOW_READ,
	HV_ALLOW_WRITE,
	HV_ALLOW_TAP,
	HV_ALLOW_BRIDGE,
};

/* sandbox_allow("read"|"write"|"tap"|"bridge", name) */
static int sandbox_allow(lua_State *L)
{
	hv_opener_allow(meanings[luaL_checkoption(L, 1, NULL, words)], luaL_checkstring(L, 2));
	return 0;
}

/* sandbox_grant({{"read", path}, …}) -> true; a command allows its service what its script names */
static int sandbox_grant(lua_State *L)
{
	const struct hv_session *s = hv_session_of(L);
	size_t n;
	struct hv_opener_grant *grants;
	char path[4096];
	struct hv_err err;

	luaL_checktype(L, 1, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, 1);
	lua_settop(L, 1);
	grants = lua_newuserdatauv(L, (n + 1) * sizeof(*grants), 0);
	/* The strings stay in the list. */
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		luaL_checktype(L, -1, LUA_TTABLE);
		lua_rawgeti(L, -1, 1);
		lua_rawgeti(L, -2, 2);
		grants[i].what = meanings[luaL_checkoption(L, -2, NULL, words)];
		grants[i].path = luaL_checkstring(L, -1);
		lua_settop(L, 2);
	}
	/* A service without an opener has no sandbox, or is of a machine nobody else can reach. */
	if (n && opener_path(s, path) && hv_opener_grant(path, grants, n, &err) < 0 &&
	    err.code != ENOENT)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

void hv_sandbox_words(lua_State *L)
{
	const struct hv_session *s = hv_session_of(L);
	char text[128];

	if (s->no_sandbox)
		snprintf(text, sizeof(text), "none (--no-sandbox)");
	else if (!hv_sandbox_state()->closed)
		snprintf(text, sizeof(text), "%s",
			 s->serve && hv_serve_count(s->serve) ? "open, until the set-up is over"
							      : "none: no guest is served");
	else
		hv_sandbox_describe(text, sizeof(text));
	lua_pushstring(L, text);
}

void hv_bind_sandbox(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "sandbox_allow", sandbox_allow },
		{ "sandbox_grant", sandbox_grant },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
