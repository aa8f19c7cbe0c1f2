// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/repl.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/history.h"
#include "lua/interrupt.h"
#include "lua/line.h"
#include "lua/readline.h"
#include "lua/run.h"
#include "lua/session.h"
#include "lua/task.h"

struct repl {
	lua_State *L;
	int object; /* index of the evaluator */
	int text;   /* index of the lines of a statement that is not whole */
	int prompt; /* index of the prompt */
};

/* Calls a method with the nargs values on top, which are popped. As hv_run. */
static int call(const struct repl *r, const char *method, int nargs, int *n)
{
	lua_State *L = r->L;

	lua_pushvalue(L, r->object);
	lua_insert(L, -(nargs + 1));
	lua_getfield(L, r->object, method);
	lua_insert(L, -(nargs + 2));
	return hv_run(L, nargs + 1, n);
}

/* The list on top of the stack. */
static void take_words(lua_State *L, struct hv_line_words *out)
{
	size_t n = lua_rawlen(L, -1);

	out->words = n ? calloc(n, sizeof(*out->words)) : NULL;
	for (size_t i = 1; out->words && i <= n; i++) {
		if (lua_rawgeti(L, -1, (lua_Integer)i) == LUA_TSTRING) {
			out->words[out->n] = strdup(lua_tostring(L, -1));
			out->n += out->words[out->n] != NULL;
		}
		lua_pop(L, 1);
	}
}

static void complete(void *arg, const char *line, size_t cursor, struct hv_line_words *out)
{
	const struct repl *r = arg;
	lua_State *L = r->L;
	int top = lua_gettop(L), n;

	luaL_checkstack(L, 8, "completion");
	lua_pushvalue(L, r->text);
	lua_pushstring(L, line);
	lua_pushinteger(L, (lua_Integer)cursor);
	if (call(r, "complete", 3, &n) == HV_EXIT_OK && n >= 2 && lua_isinteger(L, top + 1) &&
	    lua_tointeger(L, top + 1) > 0 && lua_istable(L, top + 2)) {
		lua_settop(L, top + 2);
		out->from = (size_t)lua_tointeger(L, top + 1) - 1;
		take_words(L, out);
	}
	lua_settop(L, top);
}

/* Ctrl-C leads back to the prompt; what else ends the process ends it here, too. */
static bool told_to_leave(void)
{
	return hv_interrupted() && hv_interrupt_signal() != SIGINT;
}

/* Puts the prompt of the next line at r->prompt. */
static const char *make_prompt(const struct repl *r)
{
	lua_State *L = r->L;
	const char *prompt;

	lua_getfield(L, r->object, "prompt");
	prompt = luaL_optstring(L, -1, "hvsh> ");
	if (lua_rawlen(L, r->text)) {
		char more[64];

		snprintf(more, sizeof(more), "%*s ", (int)strlen(prompt) - 1, ">>");
		lua_pushstring(L, more);
		lua_remove(L, -2);
	}
	lua_replace(L, r->prompt);
	return lua_tostring(L, r->prompt);
}

/* What is typed so far is to be run; whether that was told to leave. */
static bool run_text(const struct repl *r)
{
	lua_State *L = r->L;
	bool more = false, quit = false;
	int n;

	lua_pushvalue(L, r->text);
	if (call(r, "run", 1, &n) == HV_EXIT_OK) {
		const char *state = n > 0 ? lua_tostring(L, -n) : NULL;

		more = state && !strcmp(state, "more");
		quit = state && !strcmp(state, "quit");
		lua_pop(L, n);
	}
	if (!more) {
		lua_pushliteral(L, "");
		lua_replace(L, r->text);
	}
	return quit;
}

/* One line; whether the prompt goes on. */
static bool step(const struct repl *r)
{
	lua_State *L = r->L;
	const char *line;
	struct hv_err err;
	bool half = lua_rawlen(L, r->text) > 0;
	int end = hv_line_read(make_prompt(r), &line, &err);

	if (end < 0) {
		fprintf(stderr, "hvsh: the terminal cannot be read: %s\n", err.msg);
		return false;
	}
	if (end != HV_LINE_TYPED) {
		lua_pushliteral(L, "");
		lua_replace(L, r->text);
		/* The end of input ends half a statement first. */
		return end == HV_LINE_INTERRUPTED || half;
	}
	hv_history_add(line);
	if (half)
		lua_pushfstring(L, "%s\n%s", lua_tostring(L, r->text), line);
	else
		lua_pushstring(L, line);
	lua_replace(L, r->text);
	return !run_text(r);
}

int hv_repl_with(lua_State *L)
{
	struct repl r = { .L = L, .object = lua_gettop(L) };
	bool more = true;
	struct hv_err err;

	lua_pushliteral(L, "");
	lua_pushliteral(L, "");
	r.text = r.object + 1;
	r.prompt = r.object + 2;
	if (hv_line_open(hv_task_loop(L), complete, &r, &err) < 0) {
		fprintf(stderr, "hvsh: %s\n", err.msg);
		lua_settop(L, r.object - 1);
		return HV_EXIT_FAILED;
	}
	/* The terminal is to be as it was. */
	hv_interrupt_also_ends();
	hv_history_load();
	while (more && !told_to_leave()) {
		more = step(&r);
		if (!told_to_leave())
			hv_interrupt_clear();
	}
	hv_line_close();
	lua_settop(L, r.object - 1);
	return HV_EXIT_OK;
}

int hv_repl(lua_State *L)
{
	struct hv_err err;
	int code;

	if (hv_readline_load(&err) < 0) {
		fprintf(stderr, "hvsh: %s\n", err.msg);
		return HV_EXIT_FAILED;
	}
	hv_session_of(L)->mode = HV_MODE_REPL;
	printf("hvsh %s (%s). help() explains, .help has commands, Ctrl-D leaves.\n", HVSH_VERSION,
	       LUA_VERSION);
	fflush(stdout);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.shell");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "of_terminal");
	lua_call(L, 0, 1);
	lua_replace(L, -2);
	lua_pushvalue(L, -1);
	code = hv_repl_with(L);
	if (hv_interrupted())
		return code;
	lua_getfield(L, -1, "close");
	lua_insert(L, -2);
	hv_run(L, 1, NULL);
	return code;
}
