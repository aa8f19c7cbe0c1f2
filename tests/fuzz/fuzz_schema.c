// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a script may hand to zone(): the first byte of the input chooses between
 *   - a table built from the rest: field names of the schema and others, numbers of every kind,
 * cycles, metatables, functions, devices;
 *   - a Lua text that is run, with a limit on instructions and memory;
 *   - a text in which lines are looked for, whether it is Lua or not.
 * Each ends in a message for a person or in a spec that C can read. A message from inside the
 * prelude is a bug.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "lua/session.h"
#include "lua/spec.h"
#include "lua/state.h"

#define MEMORY_MAX ((size_t)48 << 20)
#define LINES_MAX 300000
#define DEPTH_MAX 6
#define ENTRIES_MAX 12
#define TABLES_MAX 64

/* Called with what was thrown: the prelude names its chunks "hvsh.<name>". */
static const char set_up[] =
	"local dsl, schema, srcmap = require 'hvsh.dsl', require 'hvsh.schema', require "
	"'hvsh.srcmap'\n"
	"local names, seen = {}, {}\n"
	"local function visit(type, depth)\n"
	"  for _, f in ipairs(type.fields or {}) do\n"
	"    if not seen[f.name] then seen[f.name] = true; names[#names + 1] = f.name end\n"
	"    if depth < 8 then visit(f.of or f, depth + 1) end\n"
	"  end\n"
	"end\n"
	"visit(schema.zone, 0) visit(schema.board, 0)\n"
	"for _, name in ipairs {'blk', 'net', 'console', 'gpu', 'scmi', 'rng', 'input'} do\n"
	"  visit(schema.devices[name], 0)\n"
	"end\n"
	"local devices = {}\n"
	"for _, name in ipairs {'blk', 'net', 'console', 'gpu', 'scmi', 'rng', 'input'} do\n"
	"  devices[#devices + 1] = dsl.devices[name]\n"
	"end\n"
	/* A chunk of the input may not call string functions: their patterns have no limit. */
	"local methods, byte, strings = string, string.byte, getmetatable('')\n"
	"local function guarded(_, key)\n"
	"  if byte(debug.getinfo(2, 'S').source) == 32 then error('no string functions here', 2) "
	"end\n"
	"  return methods[key]\n"
	"end\n"
	"local function run(text)\n"
	"  local env = { zone = dsl.zone, setmetatable = setmetatable, huge = math.huge,\n"
	"    board = dsl.board, virt = require 'board.qemu_virt' }\n"
	"  for name, make in pairs(dsl.devices) do env[name] = make end\n"
	"  local chunk = load(text, ' ' .. text, 't', env)\n"
	"  strings.__index = guarded\n"
	"  if chunk then chunk() end\n"
	"end\n"
	"local function look(text)\n"
	"  local lines = srcmap.lines(text, 1, 'zone', 'a', {})\n"
	"  for path in pairs(lines) do srcmap.line_of({}, path) end\n"
	"  srcmap.lines(text, 2, 'blk', nil, {})\n"
	"end\n"
	/* That a right zone is taken, or everything below would pass for the wrong reason. */
	"run 'zone \"a\" {id = 1, cpus = {1}, ram = {at = 0, size = 1}, kernel = false}'\n"
	"assert(#dsl.zones == 1)\n"
	"local function reset() strings.__index = methods dsl.reset() end\n"
	"reset()\n"
	"return names, devices, dsl.zone, run, look, reset, dsl.zones, dsl.spec_of\n";

enum {
	NAMES = 1,
	DEVICES,
	ZONE,
	RUN,
	LOOK,
	RESET,
	ZONES,
	SPEC_OF,
};

struct bytes {
	const uint8_t *p, *end;
};

static struct hv_session session;
static lua_State *L;
static lua_Alloc real_alloc;
static void *real_ud;
static size_t in_use;
static unsigned int lines;

/* Lua itself is not instrumented: the lines that run in the prelude are what the fuzzer is to look
 * for. */
static uint8_t counters[8192] __attribute__((section("__libfuzzer_extra_counters"), used));

static void *limited(void *ud, void *ptr, size_t old, size_t size)
{
	void *p;

	(void)ud;
	if (!ptr)
		old = 0;
	if (size > old && in_use + (size - old) > MEMORY_MAX)
		return NULL;
	p = real_alloc(real_ud, ptr, old, size);
	if (p || !size)
		in_use += size - old;
	return p;
}

static void on_line(lua_State *state, lua_Debug *ar)
{
	uint32_t hash = 2166136261u;

	if (++lines > LINES_MAX)
		luaL_error(state, "it takes too long");
	if (lines > LINES_MAX / 10)
		return;
	lua_getinfo(state, "S", ar);
	if (strncmp(ar->source, "=hvsh.", 6) != 0)
		return;
	for (const char *p = ar->source + 6; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	hash = (hash ^ (uint32_t)ar->currentline) * 16777619u;
	counters[(hash ^ hash >> 16) % sizeof(counters)] = 1;
}

static uint8_t byte(struct bytes *b)
{
	return b->p < b->end ? *b->p++ : 0;
}

static uint64_t word(struct bytes *b)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | byte(b);
	return v;
}

/* A known name, or bytes of the input. */
static void push_string(struct bytes *b)
{
	uint8_t kind = byte(b);

	if (kind < 160) {
		static const char *const texts[] = {
			"512M",
			"4K",
			"Image",
			"null",
			"auto",
			"2-3,5",
			"all",
			"arm64",
			"riscv64",
			"x86_64",
			"52:54:00:00:00:01",
			"06:00.1",
			"0000:00:11.0",
			"raw",
			"ram",
			"io",
			"virtio",
			"0x5000",
			"12",
			"",
			"-1",
			"99999999999999999999",
			"drm",
			"x\0y",
		};

		if (kind < 64)
			lua_pushstring(L, texts[kind % (sizeof(texts) / sizeof(texts[0]))]);
		else
			lua_rawgeti(L, NAMES, 1 + byte(b) % (lua_Integer)lua_rawlen(L, NAMES));
	} else {
		size_t n = byte(b), left = (size_t)(b->end - b->p);

		if (n > left)
			n = left;
		lua_pushlstring(L, (const char *)b->p, n);
		b->p += n;
	}
}

static void push_number(struct bytes *b)
{
	static const lua_Integer edges[] = {
		0, 1, 2, 3, 64, 4096, 0x50000000, LUA_MAXINTEGER, LUA_MININTEGER, -1
	};

	switch (byte(b) % 8) {
	case 0:
		lua_pushnumber(L, 0.0 / 0.0);
		break;
	case 1:
		lua_pushnumber(L, byte(b) & 1 ? 1e308 * 10 : -1e308 * 10);
		break;
	case 2:
		lua_pushnumber(L, (lua_Number)(int64_t)word(b) / 2);
		break;
	case 3:
		lua_pushinteger(L, (lua_Integer)word(b));
		break;
	case 4:
		lua_pushinteger(L, edges[byte(b) % (sizeof(edges) / sizeof(edges[0]))]);
		break;
	default:
		lua_pushinteger(L, byte(b));
	}
}

/* tables: index of a list of all tables made so far, for cycles. */
static void push_value(struct bytes *b, int tables, int depth);

static void push_table(struct bytes *b, int tables, int depth)
{
	unsigned int n = byte(b) % ENTRIES_MAX;
	lua_Integer next = 1;

	luaL_checkstack(L, 16, NULL);
	lua_newtable(L);
	if (lua_rawlen(L, tables) < TABLES_MAX) {
		lua_pushvalue(L, -1);
		lua_rawseti(L, tables, 1 + (lua_Integer)lua_rawlen(L, tables));
	}
	while (n-- && b->p < b->end) {
		switch (byte(b) % 8) {
		case 0:
			push_number(b);
			if (lua_isnumber(L, -1) && lua_tonumber(L, -1) != lua_tonumber(L, -1)) {
				lua_pop(L, 1);
				lua_pushinteger(L, 0);
			}
			break;
		case 1:
			push_string(b);
			break;
		case 2:
		case 3:
			lua_pushinteger(L, next++);
			break;
		default:
			lua_rawgeti(L, NAMES, 1 + byte(b) % (lua_Integer)lua_rawlen(L, NAMES));
		}
		push_value(b, tables, depth + 1);
		lua_rawset(L, -3);
	}
	if (byte(b) == 0xff) {
		lua_newtable(L);
		push_value(b, tables, depth + 1);
		lua_setfield(L, -2, "__index");
		lua_setmetatable(L, -2);
	}
}

static void push_value(struct bytes *b, int tables, int depth)
{
	luaL_checkstack(L, 16, NULL);
	switch (byte(b) % 16) {
	case 0:
		lua_pushnil(L);
		break;
	case 1:
		lua_pushboolean(L, byte(b) & 1);
		break;
	case 2:
	case 3:
	case 4:
		push_number(b);
		break;
	case 5:
	case 6:
	case 7:
		push_string(b);
		break;
	case 8:
		if (lua_rawlen(L, tables))
			lua_rawgeti(L, tables, 1 + byte(b) % (lua_Integer)lua_rawlen(L, tables));
		else
			lua_pushvalue(L, ZONE);
		break;
	case 9:
		lua_pushvalue(L, ZONE);
		break;
	case 10: /* a device, or what a wrong one raises */
		lua_rawgeti(L, DEVICES, 1 + byte(b) % (lua_Integer)lua_rawlen(L, DEVICES));
		if (depth < DEPTH_MAX)
			push_table(b, tables, depth + 1);
		else
			push_string(b);
		if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
			lua_pop(L, 1);
			lua_pushnil(L);
		}
		break;
	default:
		if (depth < DEPTH_MAX)
			push_table(b, tables, depth);
		else
			lua_newtable(L);
	}
}

static int from_table(lua_State *state)
{
	struct bytes *b = lua_touserdata(state, -1);
	int tables;

	lua_pop(L, 1);
	lua_newtable(L);
	tables = lua_gettop(L);
	lua_pushvalue(L, ZONE);
	lua_pushstring(L, "z");
	push_table(b, tables, 0);
	/* Enough of a zone that the rest matters. */
	if (byte(b) & 1) {
		static const char base[] =
			"local t = ... t.id = 1 t.cpus = {1} t.kernel = t.kernel or false "
			"t.ram = t.ram or {at = 0, size = 1}";

		luaL_loadstring(L, base);
		lua_pushvalue(L, -2);
		lua_call(L, 1, 0);
	}
	lua_call(L, 2, 0);
	return 0;
}

static int from_text(lua_State *state)
{
	struct bytes *b = lua_touserdata(state, -1);

	lua_pushvalue(state, b->p < b->end && *b->p++ & 1 ? RUN : LOOK);
	lua_pushlstring(state, (const char *)b->p, (size_t)(b->end - b->p));
	lua_call(state, 1, 0);
	return 0;
}

/* Every zone that was taken must be readable. */
static int read_specs(lua_State *state)
{
	lua_Integer n = (lua_Integer)lua_rawlen(state, ZONES);

	for (lua_Integer i = 1; i <= n; i++) {
		struct hv_arena *arena = hv_arena_new();

		lua_pushvalue(state, SPEC_OF);
		lua_rawgeti(state, ZONES, i);
		lua_call(state, 1, 1);
		hv_spec_from_lua(state, -1, arena);
		luaL_tolstring(state, -1, NULL);
		lua_pop(state, 2);
		hv_arena_free(arena);
	}
	return 0;
}

static void check_message(const char *what)
{
	static const char *const own[] = { "hvsh.dsl:", "hvsh.validate:", "hvsh.schema:",
					   "hvsh.srcmap:", "spec: " };
	const char *message = lua_tostring(L, -1);

	if (!message || !*message) {
		fprintf(stderr, "%s raised a %s\n", what, luaL_typename(L, -1));
		abort();
	}
	if (strstr(message, "too long") || strstr(message, "not enough memory") ||
	    strstr(message, "stack overflow"))
		return;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (strncmp(message, own[i], strlen(own[i])) == 0) {
			fprintf(stderr, "%s: %s\n", what, message);
			abort();
		}
	}
}

static void new_state(void)
{
	session = HV_SESSION_INIT;
	L = hv_state_new(&session);
	if (!L)
		abort();
	real_alloc = lua_getallocf(L, &real_ud);
	in_use = (size_t)lua_gc(L, LUA_GCCOUNT) << 10;
	lua_setallocf(L, limited, NULL);
	if (luaL_dostring(L, set_up) != LUA_OK || lua_gettop(L) != SPEC_OF) {
		fprintf(stderr, "set-up: %s\n", lua_tostring(L, -1));
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data + 1, data + size };
	static unsigned int runs;

	if (size < 2 || size > 65536)
		return 0;
	if (!L)
		new_state();
	lines = 0;
	lua_sethook(L, on_line, LUA_MASKLINE, 0);
	lua_settop(L, SPEC_OF);
	for (int i = NAMES; i <= SPEC_OF; i++) /* the arguments of the protected call */
		lua_pushvalue(L, i);
	lua_pushcfunction(L, data[0] & 1 ? from_text : from_table);
	lua_insert(L, SPEC_OF + 1);
	lua_pushlightuserdata(L, &b);
	if (lua_pcall(L, SPEC_OF + 1, 0, 0) != LUA_OK)
		check_message("zone");
	lines = 0;
	lua_settop(L, SPEC_OF);
	lua_pushcfunction(L, read_specs);
	for (int i = NAMES; i <= SPEC_OF; i++)
		lua_pushvalue(L, i);
	if (lua_pcall(L, SPEC_OF, 0, 0) != LUA_OK) {
		fprintf(stderr, "a zone that was taken cannot be read: %s\n", lua_tostring(L, -1));
		abort();
	}
	lua_sethook(L, NULL, 0, 0);
	lua_settop(L, SPEC_OF);
	lua_pushvalue(L, RESET);
	lua_call(L, 0, 0);
	if (++runs % 64 == 0)
		lua_gc(L, LUA_GCCOLLECT);
	return 0;
}
