// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/json.h"

#include <ctype.h>
#include <jansson.h>
#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define BOX_NAME "hvsh.json.box"
#define ARRAY_NAME "hvsh.json.array"
#define OBJECT_NAME "hvsh.json.object"

/* jansson's tree and text in a userdata, so that a Lua error (no memory) frees them. */
struct box {
	json_t *root;
	char *text;
};

static int box_gc(lua_State *L)
{
	struct box *box = luaL_checkudata(L, 1, BOX_NAME);

	json_decref(box->root);
	free(box->text);
	*box = (struct box){ 0 };
	return 0;
}

static struct box *box_new(lua_State *L)
{
	struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);

	*box = (struct box){ 0 };
	luaL_setmetatable(L, BOX_NAME);
	return box;
}

static int too_deep(const json_t *value, int depth)
{
	const json_t *item;
	const char *key;
	size_t i;

	if (!json_is_array(value) && !json_is_object(value))
		return 0;
	if (depth == DEPTH_MAX)
		return 1;
	json_array_foreach((json_t *)value, i, item) if (too_deep(item, depth + 1)) return 1;
	json_object_foreach((json_t *)value, key, item) if (too_deep(item, depth + 1)) return 1;
	return 0;
}

/* The order of keys is kept beside the table: a weak table from object to list of keys, upvalue `order`. */
static void push_value(lua_State *L, json_t *value, int order)
{
	const char *key;
	json_t *item;
	lua_Integer n = 0;
	size_t i;

	luaL_checkstack(L, 6, "JSON nested too deeply");
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		lua_createtable(L, 0, (int)json_object_size(value));
		luaL_setmetatable(L, OBJECT_NAME);
		lua_createtable(L, (int)json_object_size(value), 0);
		json_object_foreach(value, key, item) {
			lua_pushstring(L, key);
			lua_pushvalue(L, -1);
			lua_rawseti(L, -3, ++n);
			push_value(L, item, order);
			lua_rawset(L, -4);
		}
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, order);
		break;
	case JSON_ARRAY:
		lua_createtable(L, (int)json_array_size(value), 0);
		luaL_setmetatable(L, ARRAY_NAME);
		json_array_foreach(value, i, item) {
			push_value(L, item, order);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(value));
		break;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(value));
		break;
	case JSON_NULL:
		lua_pushlightuserdata(L, NULL);
		break;
	}
}

static int l_decode(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct box *box = box_new(L);
	json_error_t error;

	box->root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!box->root) {
		lua_pushnil(L);
		lua_pushstring(L, error.text);
		lua_pushinteger(L, error.line);
		lua_pushinteger(L, error.column);
		return 4;
	}
	if (too_deep(box->root, 0)) {
		lua_pushnil(L);
		lua_pushfstring(L, "nested more than %d levels deep", DEPTH_MAX);
		lua_pushinteger(L, 1);
		lua_pushinteger(L, 1);
		return 4;
	}
	push_value(L, box->root, lua_upvalueindex(1));
	return 1;
}

/*
 * Attaches the Lua value at idx to parent (an array, an object under key, or the box when
 * NULL): what is built always hangs on the root, so that nothing leaks when Lua raises.
 */
static void build(lua_State *L, struct box *box, json_t *parent, const char *key, int idx, int depth);

static void attach(lua_State *L, struct box *box, json_t *parent, const char *key, json_t *value)
{
	int failed = !value;

	if (!failed && !parent)
		box->root = value;
	else if (!failed && key)
		failed = json_object_set_new(parent, key, value);
	else if (!failed)
		failed = json_array_append_new(parent, value);
	if (failed)
		luaL_error(L, "not valid UTF-8, or out of memory");
}

static int is_sequence(lua_State *L, int idx)
{
	int marked;

	if (lua_getmetatable(L, idx)) {
		luaL_getmetatable(L, ARRAY_NAME);
		marked = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
		if (marked)
			return 1;
	}
	return lua_rawlen(L, idx) > 0;
}

static void build_table(lua_State *L, struct box *box, json_t *parent, const char *key, int idx,
			int depth)
{
	json_t *value;

	if (depth == DEPTH_MAX)
		luaL_error(L, "nested more than %d levels deep, or a cycle", DEPTH_MAX);
	luaL_checkstack(L, 6, "nested too deeply");
	if (is_sequence(L, idx)) {
		lua_Integer n = (lua_Integer)lua_rawlen(L, idx);

		value = json_array();
		attach(L, box, parent, key, value);
		for (lua_Integer i = 1; i <= n; i++) {
			lua_rawgeti(L, idx, i);
			build(L, box, value, NULL, lua_gettop(L), depth + 1);
			lua_pop(L, 1);
		}
		return;
	}
	value = json_object();
	attach(L, box, parent, key, value);
	lua_pushnil(L);
	while (lua_next(L, idx)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "a %s is no key of an object", luaL_typename(L, -2));
		build(L, box, value, lua_tostring(L, -2), lua_gettop(L), depth + 1);
		lua_pop(L, 1);
	}
}

static void build(lua_State *L, struct box *box, json_t *parent, const char *key, int idx, int depth)
{
	const char *text;
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TTABLE:
		build_table(L, box, parent, key, idx, depth);
		break;
	case LUA_TSTRING:
		text = lua_tolstring(L, idx, &len);
		attach(L, box, parent, key, json_stringn(text, len));
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx))
			attach(L, box, parent, key, json_integer(lua_tointeger(L, idx)));
		else if (isfinite(lua_tonumber(L, idx)))
			attach(L, box, parent, key, json_real(lua_tonumber(L, idx)));
		else
			luaL_error(L, "NaN and infinity cannot be written");
		break;
	case LUA_TBOOLEAN:
		attach(L, box, parent, key, json_boolean(lua_toboolean(L, idx)));
		break;
	case LUA_TLIGHTUSERDATA:
		if (lua_touserdata(L, idx))
			luaL_error(L, "a pointer cannot be written");
		attach(L, box, parent, key, json_null());
		break;
	default:
		luaL_error(L, "a %s cannot be written", luaL_typename(L, idx));
	}
}

static int encode_protected(lua_State *L)
{
	struct box *box = lua_touserdata(L, 2);
	/* 0.1 is 0.1; the digits beyond say what binary has made of it. */
	size_t flags = JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
	lua_Integer indent = luaL_optinteger(L, 3, 0);

	luaL_argcheck(L, indent >= 0 && indent <= 16, 3, "0 to 16 expected");
	build(L, box, NULL, NULL, 1, 0);
	flags |= indent ? JSON_INDENT((size_t)indent) : JSON_COMPACT;
	box->text = json_dumps(box->root, flags);
	if (!box->text)
		return luaL_error(L, "out of memory");
	lua_pushstring(L, box->text);
	return 1;
}

static int l_encode(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_settop(L, 2);
	lua_pushcfunction(L, encode_protected);
	lua_pushvalue(L, 1);
	box_new(L);
	lua_pushvalue(L, 2);
	if (lua_pcall(L, 3, 1, 0) == LUA_OK)
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

static int has_mark(lua_State *L, const char *name)
{
	int same;

	if (!lua_istable(L, 1) || !lua_getmetatable(L, 1))
		return 0;
	luaL_getmetatable(L, name);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

static int l_is_array(lua_State *L)
{
	lua_pushboolean(L, has_mark(L, ARRAY_NAME));
	return 1;
}

static int l_is_object(lua_State *L)
{
	lua_pushboolean(L, has_mark(L, OBJECT_NAME));
	return 1;
}

static int l_array(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	luaL_setmetatable(L, ARRAY_NAME);
	return 1;
}

static int l_keys(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_rawget(L, lua_upvalueindex(1));
	return 1;
}

/* ---- where a value stands: the text is known to be valid JSON, but it ends where it ends */

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
	int depth = 0;

	do {
		p = skip_space(p, end);
		if (p >= end)
			break;
		if (*p == '"') {
			p = skip_string(p, end);
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			depth--;
			p++;
		} else if (*p == ',' || *p == ':') {
			p++;
		} else {
			while (p < end && !strchr(",:]} \t\r\n", *p))
				p++;
		}
	} while (depth > 0);
	return p;
}

/* One step of the pointer: the value of a key, or of an index. NULL when there is none. */
static const char *step_into(const char *p, const char *end, const char *token, size_t len)
{
	int object = p < end && *p == '{';
	unsigned long index = 0;
	char *tail = NULL;

	if (p >= end || (*p != '{' && *p != '['))
		return NULL;
	if (!object) {
		index = strtoul(token, &tail, 10);
		if (tail != token + len)
			return NULL;
	}
	for (p = skip_space(p + 1, end); p < end && *p != '}' && *p != ']';) {
		int found = !object && index-- == 0;

		if (object) {
			const char *key = p + 1;

			p = skip_string(p, end);
			found = (size_t)(p - 1 - key) == len && !memcmp(key, token, len);
			p = skip_space(p, end);
			p = skip_space(p < end ? p + 1 : end, end);
		}
		if (found)
			return p;
		p = skip_space(skip_value(p, end), end);
		if (p < end && *p == ',')
			p = skip_space(p + 1, end);
	}
	return NULL;
}

static int l_locate(lua_State *L)
{
	size_t len, pointer_len;
	const char *text = luaL_checklstring(L, 1, &len);
	const char *pointer = luaL_checklstring(L, 2, &pointer_len);
	const char *end = text + len, *p = skip_space(text, end);
	lua_Integer line = 1;

	while (*pointer == '/') {
		size_t n = strcspn(++pointer, "/");

		p = step_into(p, end, pointer, n);
		if (!p)
			return 0;
		pointer += n;
	}
	for (const char *q = text; q < p; q++)
		line += *q == '\n';
	lua_pushinteger(L, line);
	return 1;
}

static void named_metatable(lua_State *L, const char *name, lua_CFunction gc)
{
	luaL_newmetatable(L, name);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	if (gc) {
		lua_pushcfunction(L, gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_pop(L, 1);
}

int luaopen_hvsh_json(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "decode", l_decode },       { "encode", l_encode },
		{ "array", l_array },	      { "is_array", l_is_array },
		{ "is_object", l_is_object }, { "keys", l_keys },
		{ "locate", l_locate },	      { NULL, NULL },
	};

	named_metatable(L, BOX_NAME, box_gc);
	named_metatable(L, ARRAY_NAME, NULL);
	named_metatable(L, OBJECT_NAME, NULL);
	luaL_newlibtable(L, functions);
	lua_newtable(L);
	lua_newtable(L);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	luaL_setfuncs(L, functions, 1);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	return 1;
}
