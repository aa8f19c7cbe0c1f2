// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/policy_decide.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "lua/bind.h"
#include "lua/task.h"

#define FRAME_HEAD 14
#define STATUSES 2 /* ioerr, unsupp */

static const char *const type_names[HV_POLICY_TYPES] = { "blk", "net", "console" };
static const char *const kinds[HV_POLICY_TYPES][HV_POLICY_BLK_KINDS] = {
	[HV_POLICY_OF_BLK] = { "read", "write", "flush", "discard", "zero" },
	[HV_POLICY_OF_NET] = { "out", "in" },
	[HV_POLICY_OF_CONSOLE] = { "out", "in" },
};

enum hv_policy_type hv_policy_type(const char *name)
{
	unsigned int type = 0;

	while (type < HV_POLICY_TYPES && strcmp(type_names[type], name) != 0)
		type++;
	return (enum hv_policy_type)type;
}

const char *hv_policy_op(enum hv_policy_type type, unsigned int kind)
{
	return kind < HV_POLICY_BLK_KINDS ? kinds[type][kind] : NULL;
}

/* ---- questions */

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void field_mac(lua_State *L, const char *key, const uint8_t *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	hv_bind_field(L, key, text);
}

static void push_frame(lua_State *L, const struct hv_question *q)
{
	const uint8_t *frame = q->data;

	lua_pushlstring(L, q->data, q->len);
	lua_setfield(L, -2, "frame");
	if (q->len < FRAME_HEAD)
		return;
	field_mac(L, "dst", frame);
	field_mac(L, "src", frame + 6);
	hv_bind_field_int(L, "ethertype", be16(frame + 12));
}

void hv_policy_push_request(lua_State *L, enum hv_policy_type type, const struct hv_question *q)
{
	lua_createtable(L, 0, 6);
	hv_bind_field(L, "op", hv_policy_op(type, q->kind));
	switch (type) {
	case HV_POLICY_OF_BLK:
		hv_bind_field_int(L, "sector", (lua_Integer)(q->at / 512));
		hv_bind_field_int(L, "bytes", (lua_Integer)q->size);
		break;
	case HV_POLICY_OF_NET:
		push_frame(L, q);
		hv_bind_field_int(L, "bytes", (lua_Integer)q->len);
		break;
	default:
		lua_pushlstring(L, q->data, q->len);
		lua_setfield(L, -2, "data");
		hv_bind_field_int(L, "port", (lua_Integer)q->at);
		break;
	}
}

/* ---- answers */

static int wrong(lua_State *L, const char *what)
{
	return luaL_error(
		L,
		"decide answered %s; it answers nothing or \"allow\", \"deny\" and perhaps a "
		"status, or a table with delay or data",
		what);
}

static uint32_t status_at(lua_State *L, enum hv_policy_type type, int idx)
{
	const char *word = lua_isnil(L, idx) ? NULL : luaL_tolstring(L, idx, NULL);

	if (!word)
		return 0;
	if (type != HV_POLICY_OF_BLK || (strcmp(word, "ioerr") != 0 && strcmp(word, "unsupp") != 0))
		luaL_error(L, "decide denied with the status %s; %s", word,
			   type == HV_POLICY_OF_BLK ? "a disk has ioerr and unsupp"
						    : "only disks have one");
	return !strcmp(word, "ioerr") ? 1 : 2;
}

const char *hv_policy_answer_wrong(enum hv_policy_type type, const struct hv_question *q,
				   const struct hv_answer *answer)
{
	if (answer->word != HV_ANSWER_ALLOW && answer->word != HV_ANSWER_DENY)
		return "neither allow nor deny";
	if (answer->status > (type == HV_POLICY_OF_BLK ? STATUSES : 0))
		return "a status that its device has not";
	if (answer->delay_ns > INT64_MAX)
		return "a delay longer than any";
	if (!answer->data)
		return NULL;
	if (type == HV_POLICY_OF_BLK)
		return "data in place of a disk's";
	if (answer->len > q->room)
		return "more data than has room";
	return type == HV_POLICY_OF_NET && answer->len < FRAME_HEAD
		       ? "a frame that is shorter than its header"
		       : NULL;
}

static void read_table(lua_State *L, enum hv_policy_type type, const struct hv_question *q, int idx,
		       struct hv_answer *answer)
{
	struct hv_err err = { 0 };
	const char *why;
	size_t len;

	lua_getfield(L, idx, "delay");
	if (!lua_isnil(L, -1)) {
		why = hv_task_duration(L, -1, &answer->delay_ns, &err);
		if (why)
			luaL_error(L, "decide: delay: %s", why);
	}
	lua_getfield(L, idx, "data");
	if (lua_isnil(L, -1))
		return;
	if (type == HV_POLICY_OF_BLK)
		luaL_error(L, "decide: the data of a disk's request cannot be replaced");
	if (lua_type(L, -1) != LUA_TSTRING)
		wrong(L, "with data that is no string");
	answer->data = (void *)lua_tolstring(L, -1, &len);
	answer->len = len;
	if (len > q->room)
		luaL_error(L, "decide: %d bytes of data; at most %d have room", (int)len,
			   (int)q->room);
	if (type == HV_POLICY_OF_NET && len < FRAME_HEAD)
		luaL_error(L, "decide: a frame of %d bytes is shorter than its header", (int)len);
}

void hv_policy_read_answer(lua_State *L, enum hv_policy_type type, const struct hv_question *q,
			   int idx, struct hv_answer *answer)
{
	const char *word;

	*answer = (struct hv_answer){ .word = HV_ANSWER_ALLOW };
	switch (lua_type(L, idx)) {
	case LUA_TNIL:
		break;
	case LUA_TBOOLEAN:
		if (!lua_toboolean(L, idx))
			wrong(L, "false");
		break;
	case LUA_TTABLE:
		read_table(L, type, q, idx, answer);
		break;
	case LUA_TSTRING:
		word = lua_tostring(L, idx);
		if (!strcmp(word, "deny")) {
			answer->word = HV_ANSWER_DENY;
			answer->status = status_at(L, type, idx + 1);
		} else if (strcmp(word, "allow") != 0) {
			lua_pushfstring(L, "\"%s\"", word);
			wrong(L, lua_tostring(L, -1));
		}
		break;
	default:
		wrong(L, luaL_typename(L, idx));
	}
}

void hv_policy_reply(struct hv_policy *policy, const struct hv_question *q,
		     const struct hv_answer *answer)
{
	const struct hv_answer deny = { .word = HV_ANSWER_DENY };
	struct hv_desk *desk = hv_policy_desk(policy);

	if (hv_desk_answer(desk, q->ticket, answer) < 0 && answer->data)
		(void)hv_desk_answer(desk, q->ticket, &deny);
}
