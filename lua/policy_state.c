// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/policy_state.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/now.h"
#include "base/size.h"
#include "lua/policy_library.h"
#include "lua/run.h"
#include "lua/traceback.h"

#define STEP                                                                                       \
	200	 /* instructions between two looks at the clock; each may be about a large string  \
		  */
#define CALLS 50 /* and calls: C calls C without an instruction in between */
#define LARGE 65536 /* bytes that take so long that the clock is looked at */
#define LINE_MAX_BYTES 512
#define DEPTH 8 /* of the stack, for a decision */

struct hv_policy_state {
	struct hv_policy_source source;
	const struct hv_policy_stop *stop;
	bool bounded;
	lua_State *L; /* its stack is empty but for decide */
	size_t used;
	uint64_t until; /* processor time; 0 = without limit */
	uint64_t allowance;
	bool refused; /* memory, in this call */
	unsigned int calls;
	struct hv_buf
		explained; /* of the failure under way; not of its memory, which may be used up */
	/* Of the decision under way. */
	const struct hv_question *question;
	struct hv_answer *answer;
};

struct engine {
	struct hv_policy_engine base;
	struct hv_policy_state *state;
};

static struct hv_policy_state *state_of(lua_State *L)
{
	return *(struct hv_policy_state **)lua_getextraspace(L);
}

/* ---- time */

static bool is_stopped(const struct hv_policy_state *s)
{
	return s->stop && atomic_load_explicit(&s->stop->now, memory_order_relaxed);
}

static bool is_over(const struct hv_policy_state *s)
{
	return s->until && (is_stopped(s) || hv_cpu_time() >= s->until);
}

static void on_step(lua_State *L, lua_Debug *ar)
{
	struct hv_policy_state *s = state_of(L);
	char text[HV_DURATION_TEXT];

	if (ar->event != LUA_HOOKCOUNT && ++s->calls % CALLS)
		return;
	if (!is_over(s))
		return;
	/* Whoever catches it gets it again. */
	s->calls = CALLS - 1;
	lua_sethook(L, on_step, LUA_MASKCOUNT | LUA_MASKCALL, 1);
	hv_run_where(L);
	lua_pushfstring(L, "it has used up its %s of processor time",
			hv_duration_format(s->allowance, text));
	lua_concat(L, 2);
	lua_error(L);
}

static void start_clock(struct hv_policy_state *s, uint64_t allowance)
{
	s->allowance = allowance;
	s->until = hv_cpu_time() + allowance;
	s->refused = false;
	lua_sethook(s->L, on_step, LUA_MASKCOUNT | LUA_MASKCALL, STEP);
}

static void stop_clock(struct hv_policy_state *s)
{
	s->until = 0;
	lua_sethook(s->L, NULL, 0, 0);
}

/* ---- memory */

/* One instruction may copy or collect much. */
static void look_at_clock(struct hv_policy_state *s)
{
	if (s->L && is_over(s))
		lua_sethook(s->L, on_step, LUA_MASKCOUNT | LUA_MASKCALL, 1);
}

static void *allocate(void *arg, void *old, size_t old_size, size_t size)
{
	struct hv_policy_state *s = arg;
	void *new;

	if (!old)
		old_size = 0;
	if (!size) {
		s->used -= old_size;
		free(old);
		return NULL;
	}
	if (size >= LARGE)
		look_at_clock(s);
	if (size > old_size && size - old_size > s->source.memory - s->used) {
		s->refused = true;
		look_at_clock(s);
		return NULL;
	}
	new = realloc(old, size);
	if (new)
		s->used += size - old_size;
	return new;
}

/* ---- what it calls */

static int print(lua_State *L)
{
	struct hv_policy_state *s = state_of(L);
	int n = lua_gettop(L);
	luaL_Buffer line;
	size_t len;
	const char *text;

	luaL_buffinit(L, &line);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&line, '\t');
		luaL_tolstring(L, i, NULL);
		luaL_addvalue(&line);
	}
	luaL_pushresult(&line);
	text = lua_tolstring(L, -1, &len);
	if (s->source.print)
		s->source.print(text, len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES, s->source.arg);
	return 0;
}

/* ---- loading; runs protected */

static void load_text(lua_State *L, const char *text, size_t len, const char *name)
{
	if (luaL_loadbufferx(L, text, len, name, "t") != LUA_OK)
		lua_error(L);
}

/* Leaves the function that decides on the stack. */
static int load_file(lua_State *L)
{
	struct hv_policy_state *s = state_of(L);
	const struct hv_policy_source *source = &s->source;
	int base, n;

	hv_policy_library(L, s->bounded, print);
	start_clock(s, HV_POLICY_LOAD_NS);
	lua_settop(L, 0);
	lua_pushfstring(L, "@%s", source->name);
	load_text(L, source->text, source->len, lua_tostring(L, 1));
	base = lua_gettop(L);
	if (source->args_len) {
		load_text(L, source->args, source->args_len, "=args");
		lua_call(L, 0, LUA_MULTRET);
	}
	n = lua_gettop(L) - base;
	lua_call(L, n, 1);
	if (lua_istable(L, -1)) {
		lua_pushliteral(L, "decide");
		lua_rawget(L, -2);
		lua_replace(L, -2);
	}
	if (!lua_isfunction(L, -1))
		return luaL_error(L, "%s returns no function, and no table with a function decide",
				  source->name);
	return 1;
}

static int explain(lua_State *L)
{
	struct hv_policy_state *s = state_of(L);
	const char *message;

	hv_buf_free(&s->explained);
	hv_traceback_message(L);
	message = lua_tostring(L, -1);
	hv_buf_puts(&s->explained, message);
	hv_traceback_places(L, message, &s->explained);
	return 1;
}

/* The error object on top, as text. */
static void say(struct hv_policy_state *s, struct hv_buf *why)
{
	const char *text = lua_gettop(s->L) && lua_type(s->L, -1) == LUA_TSTRING
				   ? lua_tostring(s->L, -1)
				   : NULL;
	char size[HV_SIZE_TEXT];

	if (s->refused && (!text || !strcmp(text, "not enough memory")))
		hv_buf_printf(why, "it has used up its %s of memory",
			      hv_size_format(s->source.memory, size));
	else if (s->explained.data && !s->explained.failed)
		hv_buf_puts(why, s->explained.data);
	else
		hv_buf_puts(why, text ?: "an error that is no text");
	hv_buf_free(&s->explained);
}

static int load(struct hv_policy_state *s, struct hv_err *err)
{
	struct hv_buf why = { 0 };
	int rc;

	lua_pushcfunction(s->L, load_file);
	rc = lua_pcall(s->L, 0, 1, 0);
	if (s->until)
		stop_clock(s);
	if (rc == LUA_OK)
		return 0;
	say(s, &why);
	if (why.data && !strncmp(why.data, s->source.name, strlen(s->source.name)))
		rc = hv_err_set(err, EINVAL, "%s", why.data);
	else
		rc = hv_err_set(err, EINVAL, "%s: %s", s->source.name,
				why.data ?: "not enough memory");
	hv_buf_free(&why);
	return rc;
}

int hv_policy_state_new(const struct hv_policy_source *source, bool bounded,
			const struct hv_policy_stop *stop, struct hv_policy_state **out,
			struct hv_err *err)
{
	struct hv_policy_state *s = calloc(1, sizeof(*s));
	lua_State *L;
	int rc;

	if (!s)
		return hv_err_nomem(err);
	s->source = *source;
	s->bounded = bounded;
	s->stop = stop;
	L = lua_newstate(allocate, s);
	if (!L) {
		free(s);
		return hv_err_nomem(err);
	}
	*(struct hv_policy_state **)lua_getextraspace(L) = s;
	s->L = L;
	rc = load(s, err);
	if (rc < 0)
		hv_policy_state_free(s);
	else
		*out = s;
	return rc;
}

void hv_policy_state_free(struct hv_policy_state *s)
{
	if (!s)
		return;
	lua_close(s->L);
	hv_buf_free(&s->explained);
	free(s);
}

/* ---- deciding */

/* Stack: decide. Leaves its results, whose strings the answer may point to. */
static int decide(lua_State *L)
{
	struct hv_policy_state *s = state_of(L);

	hv_policy_push_request(L, s->source.type, s->question);
	lua_call(L, 1, 2);
	hv_policy_read_answer(L, s->source.type, s->question, 1, s->answer);
	return lua_gettop(L);
}

int hv_policy_state_decide(struct hv_policy_state *s, const struct hv_question *q,
			   struct hv_answer *answer, struct hv_buf *why)
{
	lua_State *L = s->L;
	int rc;

	lua_settop(L, 1);
	s->question = q;
	s->answer = answer;
	*answer = (struct hv_answer){ .word = HV_ANSWER_ALLOW };
	start_clock(s, s->source.deadline);
	rc = LUA_ERRMEM;
	if (lua_checkstack(L, DEPTH)) {
		lua_pushcfunction(L, explain);
		lua_pushcfunction(L, decide);
		lua_pushvalue(L, 1);
		rc = lua_pcall(L, 1, LUA_MULTRET, 2);
	}
	stop_clock(s);
	if (rc == LUA_OK)
		return 0;
	answer->data = NULL;
	if (is_stopped(s))
		return -ECANCELED;
	say(s, why);
	lua_settop(L, 1);
	return -EINVAL;
}

/* ---- as an engine */

static int engine_decide(struct hv_policy_engine *engine, const struct hv_question *q,
			 struct hv_answer *answer, struct hv_buf *why)
{
	return hv_policy_state_decide(((struct engine *)engine)->state, q, answer, why);
}

static void engine_free(struct hv_policy_engine *engine)
{
	hv_policy_state_free(((struct engine *)engine)->state);
	free(engine);
}

int hv_policy_state_engine(const struct hv_policy_source *source, const struct hv_policy_stop *stop,
			   struct hv_policy_engine **out, struct hv_err *err)
{
	static const struct hv_policy_engine_ops ops = {
		.decide = engine_decide,
		.free = engine_free,
	};
	struct engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return hv_err_nomem(err);
	e->base.ops = &ops;
	rc = hv_policy_state_new(source, true, stop, &e->state, err);
	if (rc < 0)
		free(e);
	else
		*out = &e->base;
	return rc;
}
