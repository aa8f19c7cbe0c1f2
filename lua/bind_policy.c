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
#include "lua/policy_decide.h"
#include "lua/policy_engine.h"
#include "lua/policy_file.h"
#include "lua/policy_thread.h"
#include "lua/traceback.h"
#include "virtio/policy.h"
#include "zone/serve.h"

/*
 * Policies over the requests of devices. A function of the script is called from the loop, once for
 * each question, and cannot wait; what it decides goes to the desk at once. A file's decides on a
 * thread of its own (lua/policy_thread.h), which tells the loop what goes wrong.
 */
#define GUARD "hvsh.guard"
#define TURN 64			     /* questions before the loop's other work has its turn */
#define STEP 10000		     /* instructions; of each coroutine */
#define STEPS 100		     /* for one decision */
#define FAILURES 10		     /* one after the other: it is asked no more */
#define SAY_NS UINT64_C(10000000000) /* between two tracebacks */
#define DATA_BYTES (UINT64_C(4) << 20)

struct guard {
	struct hv_session *session;
	struct hv_policy *policy;
	uint64_t serial;
	enum hv_policy_type type;
	char device[128];
	struct hv_loop *loop;
	struct hv_post post; /* of a function: there are questions; of a thread: there is news */
	lua_State *co;	     /* where decide runs; in the registry, as are decide and the guard */
	struct hv_policy_thread *thread; /* of a file; NULL once it has ended */
	char reason[1024];		 /* why it has failed */
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

/* ---- answers */

/* What one call is about, on the stack of the C function that makes it. */
struct call {
	struct guard *guard;
	const struct hv_question *question;
	struct hv_answer answer;
};

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

	lua_pushvalue(L, 1);
	hv_policy_push_request(L, call->guard->type, call->question);
	steps = 0;
	deciding = true;
	lua_sethook(L, on_step, LUA_MASKCOUNT, STEP);
	lua_call(L, 1, 2);
	lua_sethook(L, NULL, 0, 0);
	deciding = false;
	hv_policy_read_answer(L, call->guard->type, call->question, 3, &call->answer);
	return lua_gettop(L) - 2;
}

static int explain(lua_State *L)
{
	struct hv_buf text = { 0 };
	const char *message;

	/* Its text may come from a function of the script: still with the hook. */
	hv_traceback_message(L);
	deciding = false;
	lua_sethook(L, NULL, 0, 0);
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
	       : g->overload == HV_POLICY_PASS ? "; the requests it was for are allowed"
	       : g->overload == HV_POLICY_DENY ? "; the requests it was for are denied"
					       : "; the requests it was for wait";
}

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

static void note_failures(struct guard *g, uint64_t n, const char *message)
{
	uint64_t now = hv_now();
	char more[64] = "";

	g->failures += n;
	g->unsaid += n - 1;
	if (now < g->say_next) {
		g->unsaid++;
		return;
	}
	if (g->unsaid)
		snprintf(more, sizeof(more), " (%" PRIu64 " more before it, not shown)", g->unsaid);
	hv_log_error("%s: its policy failed%s%s: %s", g->device, what_then(g), more, message);
	g->say_next = now + SAY_NS;
	g->unsaid = 0;
}

/* It is asked no more. */
static void give_up(struct guard *g, const char *reason)
{
	struct hv_served *dev = device_of(g);

	g->failed = true;
	snprintf(g->reason, sizeof(g->reason), "%s", reason);
	hv_policy_close(g->policy);
	if (dev)
		hv_vdev_error(
			&dev->dev,
			"its policy is not asked any more, until it is closed or replaced: %s%s",
			reason, from_then_on(g));
}

static void failed(struct guard *g, const char *message)
{
	char reason[64];

	note_failures(g, 1, message ?: "an error that is no text");
	if (++g->in_a_row < FAILURES || g->closed)
		return;
	snprintf(reason, sizeof(reason), "it has failed %d times in a row", FAILURES);
	give_up(g, reason);
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
	hv_policy_reply(g->policy, q, &call.answer);
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

/* ---- files */

static void asked_thread(void *arg)
{
	hv_policy_thread_ask(((struct guard *)arg)->thread);
}

static void closed_thread(void *arg)
{
	hv_policy_thread_end(((struct guard *)arg)->thread);
}

static void told(void *arg)
{
	struct guard *g = arg;

	hv_loop_post(g->loop, &g->post);
}

/* Its policy is closed. */
static void end_thread(struct guard *g)
{
	if (!g->thread)
		return;
	hv_policy_thread_free(g->thread);
	g->thread = NULL;
	hv_loop_unpost(g->loop, &g->post);
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
		hv_policy_close(g->policy);
		end_thread(g);
		let_go(L, g);
	}
}

static void on_told(struct hv_loop *loop, struct hv_post *post)
{
	struct guard *g = post->arg;
	lua_State *L = g->session->L;
	struct hv_policy_news news;

	(void)loop;
	if (!g->thread)
		return;
	hv_policy_thread_news(g->thread, &news);
	if (news.failures)
		note_failures(g, news.failures, news.failure);
	if (news.over && !g->failed && !g->closed)
		give_up(g, news.reason);
	if (news.ended) {
		end_thread(g);
		if (lua_checkstack(L, 1))
			sweep(L);
	}
}

/* ---- guards */

static void end_guard(struct guard *g)
{
	/* Only the end of the process meets one in force: nothing is decided by that. */
	if (in_force(g))
		hv_policy_freeze(g->policy);
	else
		hv_policy_close(g->policy);
	end_thread(g);
}

static int guard_gc(lua_State *L)
{
	struct guard *g = luaL_checkudata(L, 1, GUARD);

	if (g->policy) {
		LIST_REMOVE(g, all);
		end_guard(g);
		if (!g->session->closed)
			hv_loop_unpost(g->loop, &g->post);
		hv_policy_put(g->policy);
		g->policy = NULL;
	} else {
		hv_policy_thread_free(g->thread);
		g->thread = NULL;
	}
	return 0;
}

void hv_bind_policy_end(void)
{
	struct guard *g;

	LIST_FOREACH(g, &guards, all)
	{
		if (g->thread)
			end_guard(g);
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
		end_thread(g);
		let_go(L, g);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* state(guard) -> "active", "failed", "closed"; why it has failed */
static int guard_state(lua_State *L)
{
	struct guard *g = luaL_checkudata(L, 1, GUARD);

	sweep(L);
	lua_pushstring(L, g->closed ? "closed" : g->failed ? "failed" : "active");
	lua_pushstring(L, g->failed ? g->reason : NULL);
	return 2;
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

static uint32_t read_ops(lua_State *L, int idx, enum hv_policy_type type)
{
	uint32_t ops = 0;

	for (lua_Integer i = 1; lua_rawgeti(L, idx, i) != LUA_TNIL; i++) {
		const char *word = luaL_checkstring(L, -1), *op;

		for (unsigned int k = 0; (op = hv_policy_op(type, k)) != NULL; k++)
			if (!strcmp(op, word))
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

/* The options at idx; strings stay theirs. */
static const char *text_at(lua_State *L, int idx, const char *key, size_t *len)
{
	const char *text;

	lua_getfield(L, idx, key);
	text = luaL_optlstring(L, -1, "", len);
	lua_pop(L, 1);
	return text;
}

/* Its file becomes a thread that decides; 0 or -errno. */
static int load_file(lua_State *L, struct guard *g, struct hv_err *err)
{
	struct hv_policy_thread_opts opts = {
		.source = { .type = g->type,
			    .device = g->device,
			    .name = text_at(L, 2, "file", NULL),
			    .memory = (uint64_t)number(L, 2, "memory"),
			    .deadline = (uint64_t)number(L, 2, "deadline") },
		.process = number(L, 2, "process") != 0,
		.denies_on_error = g->on_error != HV_POLICY_PASS,
		.told = told,
		.arg = g,
	};
	struct hv_buf *text = hv_bind_buf(L);
	int rc;

	opts.source.args = text_at(L, 2, "args", &opts.source.args_len);
	rc = hv_policy_file_read(opts.source.name, text, err);
	if (rc < 0)
		return rc;
	opts.source.text = text->data ?: "";
	opts.source.len = text->len;
	return hv_policy_thread_new(&opts, &g->thread, err);
}

static int find_device(struct guard *g, struct hv_served **out, struct hv_err *err)
{
	struct hv_served *dev = device_of(g);

	*out = dev;
	if (!dev)
		return hv_err_set(err, ENODEV, "the device is gone");
	g->type = hv_policy_type(dev->type);
	if (g->type == HV_POLICY_TYPES)
		return hv_err_set(err, ENOTSUP,
				  "%s is a %s device: policies are for blk, net and console",
				  dev->dev.name, dev->type);
	snprintf(g->device, sizeof(g->device), "%s", dev->dev.name);
	return 0;
}

static void read_opts(lua_State *L, struct guard *g, struct hv_policy_opts *opts)
{
	lua_getfield(L, 2, "ops");
	opts->ops = read_ops(L, lua_gettop(L), g->type);
	lua_pop(L, 1);
	opts->from = (uint64_t)number(L, 2, "from");
	opts->to = (uint64_t)number(L, 2, "to");
	opts->chance = (uint32_t)number(L, 2, "chance");
	opts->observes = g->observes = opts->chance != 0;
	opts->overload = g->overload = (enum hv_policy_overload)number(L, 2, "overload");
	g->on_error = (enum hv_policy_overload)number(L, 2, "on_error");
	opts->desk = (struct hv_desk_opts){
		.depth = (unsigned int)number(L, 2, "queue"),
		.patience_ns = (uint64_t)number(L, 2, "timeout"),
		.bytes = DATA_BYTES + (size_t)number(L, 2, "queue") * 2048,
		.asked = g->co ? asked : asked_thread,
		.arg = g,
	};
	opts->closed = g->co ? NULL : closed_thread;
}

/*
 * policy(handle, {ops=, from=, to=, chance=, queue=, timeout=, overload=, on_error=, file=, args=,
 * memory=, deadline=, process=}, decide) -> guard. ops: words; from, to: bytes; chance: of 2^32, 0
 * = it decides; timeout: ns; the words as enum hv_policy_overload; decide: nil with a file; args:
 * their Lua text; memory: bytes; deadline: ns; process: 1 = of its own. What is there was checked
 * by prelude/policy.lua.
 */
static int policy(lua_State *L)
{
	static const luaL_Reg methods[] = { { "close", guard_close },
					    { "state", guard_state },
					    { "stats", guard_stats },
					    { NULL, NULL } };
	struct hv_policy_opts opts = { 0 };
	struct hv_served *dev;
	struct hv_err err;
	struct guard *g;
	int rc;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 3);
	if (!lua_isnil(L, 3))
		luaL_checktype(L, 3, LUA_TFUNCTION);
	hv_bind_type(L, GUARD, methods, guard_gc);
	g = lua_newuserdatauv(L, sizeof(*g), CO);
	*g = (struct guard){ .session = hv_session_of(L),
			     .serial = (uint64_t)luaL_checkinteger(L, 1),
			     .loop = hv_task_loop(L) };
	luaL_setmetatable(L, GUARD);
	if (!lua_isnil(L, 3)) {
		lua_pushvalue(L, 3);
		lua_setiuservalue(L, 4, DECIDE);
		g->co = lua_newthread(L);
		lua_setiuservalue(L, 4, CO);
		lua_pushvalue(L, 3);
		lua_xmove(L, g->co, 1);
	}
	g->post = (struct hv_post){ .fn = g->co ? on_asked : on_told, .arg = g };
	rc = find_device(g, &dev, &err);
	if (!rc) {
		read_opts(L, g, &opts);
		rc = g->co ? 0 : load_file(L, g, &err);
	}
	if (!rc)
		rc = hv_policy_new(&opts, &g->policy, &err);
	if (rc < 0)
		return hv_bind_fail(L, &err);
	LIST_INSERT_HEAD(&guards, g, all);
	rc = g->thread ? hv_policy_thread_start(g->thread, g->policy, &err) : 0;
	if (rc < 0)
		return hv_bind_fail(L, &err);
	/* It is in force, also when nobody refers to it. */
	lua_pushvalue(L, 4);
	lua_rawsetp(L, LUA_REGISTRYINDEX, g);
	hv_vdev_set_policy(&dev->dev, g->policy);
	sweep(L);
	lua_settop(L, 4);
	return 1;
}

/* policy_limits: what the options of a policy may be; bytes, ns, requests */
static void push_limits(lua_State *L)
{
	lua_createtable(L, 0, 7);
	hv_bind_field_int(L, "queue_max", HV_DESK_DEPTH_MAX);
	hv_bind_field_int(L, "args_max", HV_POLICY_ARGS_MAX);
	hv_bind_field_int(L, "memory_min", (lua_Integer)HV_POLICY_MEMORY_MIN);
	hv_bind_field_int(L, "memory_state_max", (lua_Integer)HV_POLICY_MEMORY_STATE_MAX);
	hv_bind_field_int(L, "memory_process_max", (lua_Integer)HV_POLICY_MEMORY_MAX);
	hv_bind_field_int(L, "deadline", (lua_Integer)HV_POLICY_DEADLINE_NS);
	hv_bind_field_int(L, "deadline_max", (lua_Integer)HV_POLICY_DEADLINE_MAX_NS);
}

void hv_bind_policy(lua_State *L)
{
	lua_pushcfunction(L, policy);
	lua_setfield(L, -2, "policy");
	push_limits(L);
	lua_setfield(L, -2, "policy_limits");
}
