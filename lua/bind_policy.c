// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/now.h"
#include "lua/traceback.h"
#include "virtio/policy.h"
#include "zone/serve.h"

/*
 * Policies whose decisions a function of the script makes. It is called from the loop, once for
 * each question, and cannot wait; what it decides goes to the desk at once.
 */
#define GUARD "hvsh.guard"
#define TURN 64			     /* questions before the loop's other work has its turn */
#define STEP 10000		     /* instructions; of each coroutine */
#define STEPS 100		     /* for one decision */
#define FAILURES 10		     /* one after the other: it is asked no more */
#define SAY_NS UINT64_C(10000000000) /* between two tracebacks */
#define DATA_BYTES (UINT64_C(4) << 20)

enum type { BLK, NET, CONSOLE, TYPES };

static const char *const type_names[TYPES] = { "blk", "net", "console" };
static const char *const kinds[TYPES][HV_POLICY_BLK_KINDS] = {
	[BLK] = { "read", "write", "flush", "discard", "zero" },
	[NET] = { "out", "in" },
	[CONSOLE] = { "out", "in" },
};

struct guard {
	struct hv_session *session;
	struct hv_policy *policy;
	uint64_t serial;
	enum type type;
	char device[128];
	struct hv_loop *loop;
	struct hv_post post;
	lua_State *co; /* where decide runs; in the registry, as are decide and the guard */
	enum hv_policy_overload overload, on_error;
	bool observes, closed, failed;
	unsigned int in_a_row;
	uint64_t failures, say_next, unsaid;
	LIST_ENTRY(guard) all;
};

static LIST_HEAD(, guard) guards = LIST_HEAD_INITIALIZER(guards);

/* Of the decision under way. */
static bool deciding;
static unsigned int steps;

enum { DECIDE = 1, CO };

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
	if (q->len < 14)
		return;
	field_mac(L, "dst", frame);
	field_mac(L, "src", frame + 6);
	hv_bind_field_int(L, "ethertype", be16(frame + 12));
}

static void push_request(lua_State *L, const struct guard *g, const struct hv_question *q)
{
	lua_createtable(L, 0, 6);
	hv_bind_field(L, "op", kinds[g->type][q->kind]);
	switch (g->type) {
	case BLK:
		hv_bind_field_int(L, "sector", (lua_Integer)(q->at / 512));
		hv_bind_field_int(L, "bytes", (lua_Integer)q->size);
		break;
	case NET:
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

/* What one call is about, on the stack of the C function that makes it. */
struct call {
	struct guard *guard;
	const struct hv_question *question;
	struct hv_answer answer;
};

static int wrong(lua_State *L, const char *what)
{
	return luaL_error(
		L,
		"decide answered %s; it answers nothing or \"allow\", \"deny\" and perhaps a "
		"status, or a table with delay or data",
		what);
}

static uint32_t status_at(lua_State *L, const struct guard *g, int idx)
{
	const char *word = lua_isnil(L, idx) ? NULL : luaL_tolstring(L, idx, NULL);

	if (!word)
		return 0;
	if (g->type != BLK || (strcmp(word, "ioerr") != 0 && strcmp(word, "unsupp") != 0))
		luaL_error(L, "decide denied with the status %s; %s", word,
			   g->type == BLK ? "a disk has ioerr and unsupp" : "only disks have one");
	return !strcmp(word, "ioerr") ? 1 : 2;
}

static void read_table(lua_State *L, struct call *call, int idx)
{
	struct hv_err err = { 0 };
	const char *why;
	size_t len;

	lua_getfield(L, idx, "delay");
	if (!lua_isnil(L, -1)) {
		why = hv_task_duration(L, -1, &call->answer.delay_ns, &err);
		if (why)
			luaL_error(L, "decide: delay: %s", why);
	}
	lua_getfield(L, idx, "data");
	if (lua_isnil(L, -1))
		return;
	if (call->guard->type == BLK)
		luaL_error(L, "decide: the data of a disk's request cannot be replaced");
	if (lua_type(L, -1) != LUA_TSTRING)
		wrong(L, "with data that is no string");
	call->answer.data = (void *)lua_tolstring(L, -1, &len);
	call->answer.len = len;
	if (len > call->question->room)
		luaL_error(L, "decide: %d bytes of data; at most %d have room", (int)len,
			   (int)call->question->room);
	if (call->guard->type == NET && len < 14)
		luaL_error(L, "decide: a frame of %d bytes is shorter than its header", (int)len);
}

/* Coroutines that decide has made have the hook as well, and may live longer. */
static void on_step(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (!deciding) {
		lua_sethook(L, NULL, 0, 0);
	} else if (++steps > STEPS) {
		/* Whoever catches it gets it again. */
		lua_sethook(L, on_step, LUA_MASKCOUNT, 1);
		luaL_error(L, "decide has used up its %d instructions", STEPS * STEP);
	}
}

/* Stack: decide, call. The strings of its answer stay on it. */
static int decide(lua_State *L)
{
	struct call *call = lua_touserdata(L, 2);
	const char *word;

	lua_pushvalue(L, 1);
	push_request(L, call->guard, call->question);
	steps = 0;
	deciding = true;
	lua_sethook(L, on_step, LUA_MASKCOUNT, STEP);
	lua_call(L, 1, 2);
	lua_sethook(L, NULL, 0, 0);
	deciding = false;
	call->answer = (struct hv_answer){ .word = HV_ANSWER_ALLOW };
	switch (lua_type(L, 3)) {
	case LUA_TNIL:
		break;
	case LUA_TBOOLEAN:
		if (!lua_toboolean(L, 3))
			wrong(L, "false");
		break;
	case LUA_TTABLE:
		read_table(L, call, 3);
		break;
	case LUA_TSTRING:
		word = lua_tostring(L, 3);
		if (!strcmp(word, "deny")) {
			call->answer.word = HV_ANSWER_DENY;
			call->answer.status = status_at(L, call->guard, 4);
		} else if (strcmp(word, "allow") != 0) {
			lua_pushfstring(L, "\"%s\"", word);
			wrong(L, lua_tostring(L, -1));
		}
		break;
	default:
		wrong(L, luaL_typename(L, 3));
	}
	return lua_gettop(L) - 2;
}

static int explain(lua_State *L)
{
	struct hv_buf text = { 0 };
	const char *message;

	deciding = false;
	lua_sethook(L, NULL, 0, 0);
	hv_traceback_message(L);
	message = lua_tostring(L, -1);
	hv_buf_puts(&text, message);
	hv_traceback_places(L, message, &text);
	if (!text.failed && text.data)
		lua_pushlstring(L, text.data, text.len);
	hv_buf_free(&text);
	return 1;
}

static const char *what_then(const struct guard *g)
{
	return g->observes		       ? ""
	       : g->on_error == HV_POLICY_PASS ? ", and a request was allowed"
					       : ", and a request was denied";
}

static const char *from_then_on(const struct guard *g)
{
	return g->observes		       ? ""
	       : g->overload == HV_POLICY_PASS ? ": the requests it was for are allowed"
	       : g->overload == HV_POLICY_DENY ? ": the requests it was for are denied"
					       : ": the requests it was for wait";
}

static void failed(struct guard *g, const char *message)
{
	struct hv_served *dev =
		g->session->serve ? hv_serve_by_serial(g->session->serve, g->serial) : NULL;
	uint64_t now = hv_now();
	char more[64] = "";

	g->failures++;
	if (now >= g->say_next) {
		if (g->unsaid)
			snprintf(more, sizeof(more), " (%" PRIu64 " more before it, not shown)",
				 g->unsaid);
		hv_log_error("%s: its policy failed%s%s: %s", g->device, what_then(g), more,
			     message ?: "an error that is no text");
		g->say_next = now + SAY_NS;
		g->unsaid = 0;
	} else {
		g->unsaid++;
	}
	if (++g->in_a_row < FAILURES || g->closed)
		return;
	g->failed = true;
	hv_policy_close(g->policy);
	if (dev)
		hv_vdev_error(&dev->dev,
			      "its policy has failed %d times in a row and is not asked any more, "
			      "until it is closed or replaced%s",
			      FAILURES, from_then_on(g));
}

/* Called in g->co, whose stack is empty but for decide. */
static void answer_one(struct guard *g, const struct hv_question *q)
{
	lua_State *co = g->co;
	struct call call = { .guard = g, .question = q };
	int rc = LUA_ERRMEM;

	if (lua_checkstack(co, 8)) {
		lua_pushcfunction(co, explain);
		lua_pushcfunction(co, decide);
		lua_pushvalue(co, 1);
		lua_pushlightuserdata(co, &call);
		rc = lua_pcall(co, 2, LUA_MULTRET, 2);
	}
	if (rc == LUA_OK) {
		g->in_a_row = 0;
	} else {
		call.answer = (struct hv_answer){ .word = g->on_error == HV_POLICY_PASS
								  ? HV_ANSWER_ALLOW
								  : HV_ANSWER_DENY };
		deciding = false;
		lua_sethook(co, NULL, 0, 0);
		failed(g, lua_gettop(co) > 2 ? lua_tostring(co, -1) : NULL);
	}
	/* Nobody waits for it any more, or there is no memory for new data. */
	if (hv_desk_answer(hv_policy_desk(g->policy), q->ticket, &call.answer) < 0 &&
	    call.answer.data) {
		call.answer = (struct hv_answer){ .word = HV_ANSWER_DENY };
		(void)hv_desk_answer(hv_policy_desk(g->policy), q->ticket, &call.answer);
	}
	lua_settop(co, 1);
}

static void on_asked(struct hv_loop *loop, struct hv_post *post)
{
	struct guard *g = post->arg;
	lua_State *L = g->session->L;
	struct hv_question q;
	unsigned int i = 0;

	if (g->closed || !lua_checkstack(L, 1))
		return;
	/* decide may close it and give it to the collector. */
	lua_rawgetp(L, LUA_REGISTRYINDEX, g);
	for (; i < TURN && !g->closed && !g->failed; i++) {
		if (!hv_desk_take(hv_policy_desk(g->policy), &q))
			break;
		answer_one(g, &q);
	}
	if (i == TURN)
		hv_loop_defer(loop, post);
	lua_pop(L, 1);
}

static void asked(void *arg)
{
	struct guard *g = arg;

	hv_loop_post(g->loop, &g->post);
}

/* ---- guards */

static struct hv_served *device_of(const struct guard *g)
{
	struct hv_serve *serve = g->session->serve;

	return serve ? hv_serve_by_serial(serve, g->serial) : NULL;
}

static bool in_force(const struct guard *g)
{
	const struct hv_served *dev = device_of(g);

	return g->policy && dev && dev->dev.policy == g->policy;
}

static int guard_gc(lua_State *L)
{
	struct guard *g = luaL_checkudata(L, 1, GUARD);

	if (!g->policy)
		return 0;
	LIST_REMOVE(g, all);
	/* Only the end of the process collects one in force: nothing is decided by that. */
	if (in_force(g))
		hv_policy_freeze(g->policy);
	else
		hv_policy_close(g->policy);
	if (!g->session->closed)
		hv_loop_unpost(g->loop, &g->post);
	hv_policy_put(g->policy);
	g->policy = NULL;
	return 0;
}

static void let_go(lua_State *L, struct guard *g)
{
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, g);
}

/* Of those whose device is gone, or has another policy. */
static void sweep(lua_State *L)
{
	struct guard *g;

	LIST_FOREACH(g, &guards, all)
	{
		if (g->closed || in_force(g))
			continue;
		g->closed = true;
		let_go(L, g);
	}
}

/* close(guard): the device goes on without it */
static int guard_close(lua_State *L)
{
	struct guard *g = luaL_checkudata(L, 1, GUARD);

	if (!g->closed) {
		g->closed = true;
		if (in_force(g))
			hv_vdev_set_policy(&device_of(g)->dev, NULL);
		hv_policy_close(g->policy);
		let_go(L, g);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* state(guard) -> "active", "failed", "closed" */
static int guard_state(lua_State *L)
{
	struct guard *g = luaL_checkudata(L, 1, GUARD);

	sweep(L);
	lua_pushstring(L, g->closed ? "closed" : g->failed ? "failed" : "active");
	return 1;
}

/* stats(guard) -> {concerned=, asked=, …} */
static int guard_stats(lua_State *L)
{
	struct guard *g = luaL_checkudata(L, 1, GUARD);
	struct hv_policy_stats s;

	hv_policy_stats(g->policy, &s);
	lua_createtable(L, 0, 8);
	hv_bind_field_int(L, "concerned", (lua_Integer)s.concerned);
	hv_bind_field_int(L, "asked", (lua_Integer)s.desk.asked);
	hv_bind_field_int(L, "answered", (lua_Integer)s.desk.answered);
	hv_bind_field_int(L, "waiting", s.desk.open);
	hv_bind_field_int(L, "denied", (lua_Integer)s.denied);
	hv_bind_field_int(L, "late", (lua_Integer)s.desk.late);
	hv_bind_field_int(L, "refused", (lua_Integer)s.desk.refused);
	hv_bind_field_int(L, "overload", (lua_Integer)s.overload);
	hv_bind_field_int(L, "failures", (lua_Integer)g->failures);
	return 1;
}

static uint32_t read_ops(lua_State *L, int idx, enum type type)
{
	uint32_t ops = 0;

	for (lua_Integer i = 1; lua_rawgeti(L, idx, i) != LUA_TNIL; i++) {
		const char *word = luaL_checkstring(L, -1);

		for (unsigned int k = 0; k < HV_POLICY_BLK_KINDS; k++)
			if (kinds[type][k] && !strcmp(kinds[type][k], word))
				ops |= 1u << k;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return ops;
}

static lua_Integer number(lua_State *L, int idx, const char *key)
{
	lua_Integer n;

	lua_getfield(L, idx, key);
	n = luaL_optinteger(L, -1, 0);
	lua_pop(L, 1);
	return n;
}

/*
 * policy(handle, {ops=, from=, to=, chance=, queue=, timeout=, overload=, on_error=}, decide) ->
 * guard. ops: words; from, to: bytes; chance: of 2^32, 0 = it decides; timeout: ns; the words as
 * enum hv_policy_overload. What is there was checked by prelude/policy.lua.
 */
static int policy(lua_State *L)
{
	static const luaL_Reg methods[] = { { "close", guard_close },
					    { "state", guard_state },
					    { "stats", guard_stats },
					    { NULL, NULL } };
	struct hv_session *session = hv_session_of(L);
	uint64_t serial = (uint64_t)luaL_checkinteger(L, 1);
	struct hv_loop *loop = hv_task_loop(L);
	struct hv_policy_opts opts = { 0 };
	struct hv_served *dev;
	struct hv_err err;
	struct guard *g;

	luaL_checktype(L, 2, LUA_TTABLE);
	luaL_checktype(L, 3, LUA_TFUNCTION);
	hv_bind_type(L, GUARD, methods, guard_gc);
	g = lua_newuserdatauv(L, sizeof(*g), CO);
	*g = (struct guard){ .session = session, .serial = serial, .loop = loop };
	luaL_setmetatable(L, GUARD);
	lua_pushvalue(L, 3);
	lua_setiuservalue(L, 4, DECIDE);
	g->co = lua_newthread(L);
	lua_setiuservalue(L, 4, CO);
	lua_pushvalue(L, 3);
	lua_xmove(L, g->co, 1);
	g->post = (struct hv_post){ .fn = on_asked, .arg = g };
	dev = session->serve ? hv_serve_by_serial(session->serve, serial) : NULL;
	if (!dev) {
		hv_err_set(&err, ENODEV, "the device is gone");
		return hv_bind_fail(L, &err);
	}
	while (g->type < TYPES && strcmp(type_names[g->type], dev->type) != 0)
		g->type++;
	if (g->type == TYPES) {
		hv_err_set(&err, ENOTSUP,
			   "%s is a %s device: policies are for blk, net and console",
			   dev->dev.name, dev->type);
		return hv_bind_fail(L, &err);
	}
	snprintf(g->device, sizeof(g->device), "%s", dev->dev.name);
	lua_getfield(L, 2, "ops");
	opts.ops = read_ops(L, lua_gettop(L), g->type);
	opts.from = (uint64_t)number(L, 2, "from");
	opts.to = (uint64_t)number(L, 2, "to");
	opts.chance = (uint32_t)number(L, 2, "chance");
	opts.observes = opts.chance != 0;
	opts.overload = g->overload = (enum hv_policy_overload)number(L, 2, "overload");
	g->on_error = (enum hv_policy_overload)number(L, 2, "on_error");
	opts.desk = (struct hv_desk_opts){
		.depth = (unsigned int)number(L, 2, "queue"),
		.patience_ns = (uint64_t)number(L, 2, "timeout"),
		.bytes = DATA_BYTES + (size_t)number(L, 2, "queue") * 2048,
		.asked = asked,
		.arg = g,
	};
	g->observes = opts.observes;
	if (hv_policy_new(&opts, &g->policy, &err) < 0)
		return hv_bind_fail(L, &err);
	LIST_INSERT_HEAD(&guards, g, all);
	/* It is in force, also when nobody refers to it. */
	lua_pushvalue(L, 4);
	lua_rawsetp(L, LUA_REGISTRYINDEX, g);
	hv_vdev_set_policy(&dev->dev, g->policy);
	sweep(L);
	lua_settop(L, 4);
	return 1;
}

void hv_bind_policy(lua_State *L)
{
	lua_pushcfunction(L, policy);
	lua_setfield(L, -2, "policy");
}
