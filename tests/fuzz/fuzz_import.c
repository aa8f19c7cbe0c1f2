// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files of the old tool: the input is one or more JSON texts, a NUL byte between them. Each ends
 * in problems with a place, or in a script that defines its zones or says why not. An error
 * raised by the importer itself is a bug.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/session.h"
#include "lua/state.h"

/* Lua itself is not instrumented: the lines that run in the importer are what is looked for. */
static uint8_t counters[8192] __attribute__((section("__libfuzzer_extra_counters"), used));

static const char set_up[] =
	"local import, dsl = require 'import.json', require 'hvsh.dsl'\n"
	"local function run(text)\n"
	"  local files = {}\n"
	"  for part in (text .. '\\0'):gmatch '([^%z]*)%z' do\n"
	"    files[#files + 1] = {name = 'f' .. #files .. '.json', text = part}\n"
	"  end\n"
	"  local result, problems = import.files(files)\n"
	"  for _, place in ipairs(result and result.notes or problems) do\n"
	"    assert(place.file and place.message and #import.format(place) > 0)\n"
	"  end\n"
	"  if not result then assert(#problems > 0) return end\n"
	"  assert(load((result.script:gsub('^#[^\\n]*', '')), '=script', 't'))\n"
	"  dsl.reset()\n"
	"  import.define(result)\n"
	"end\n"
	/* That a right file is taken, or everything below would pass for the wrong reason. */
	"local good = '{\"zone_id\":1,\"name\":\"a\",\"cpus\":[1],\"arch\":\"arm64\",\"memory_regions\":'\n"
	"  .. '[{\"type\":\"ram\",\"physical_start\":\"0x0\",\"virtual_start\":\"0x0\",\"size\":\"0x1000\"}],'\n"
	"  .. '\"kernel_filepath\":\"null\",\"entry_point\":\"0x0\"}'\n"
	"assert(import.define(assert(import.files {{name = 'good.json', text = good}})))\n"
	"assert(#dsl.zones == 1)\n"
	"return run\n";

static struct hv_session session;
static lua_State *L;

static void on_line(lua_State *state, lua_Debug *ar)
{
	uint32_t hash = 2166136261u;

	lua_getinfo(state, "S", ar);
	for (const char *p = ar->source; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	hash = (hash ^ (uint32_t)ar->currentline) * 16777619u;
	counters[(hash ^ hash >> 16) % sizeof(counters)] = 1;
}

static void new_state(void)
{
	session = HV_SESSION_INIT;
	session.sim = true;
	L = hv_state_new(&session);
	if (!L || luaL_loadbufferx(L, set_up, sizeof(set_up) - 1, "=set_up", "t") != LUA_OK ||
	    lua_pcall(L, 0, 1, 0) != LUA_OK) {
		fprintf(stderr, "fuzz_import: %s\n", L ? lua_tostring(L, -1) : "no memory");
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned int runs;

	if (size > 16384)
		return 0;
	if (!L)
		new_state();
	lua_sethook(L, on_line, LUA_MASKLINE, 0);
	lua_settop(L, 1);
	lua_pushvalue(L, 1);
	lua_pushlstring(L, (const char *)data, size);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		fprintf(stderr, "the importer raised: %s\n", lua_tostring(L, -1));
		abort();
	}
	if (++runs % 64 == 0)
		lua_gc(L, LUA_GCCOLLECT);
	return 0;
}
