// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/detach.h"
#include "lua/interrupt.h"
#include "lua/options.h"
#include "lua/policy_process.h"
#include "lua/repl.h"
#include "lua/run.h"
#include "lua/serve.h"
#include "lua/session.h"
#include "lua/state.h"
#include "lua/stdout.h"
#include "lua/task.h"
#include "sandbox/cell.h"

static struct hv_session session;

static int usage_error(const struct hv_err *err)
{
	fprintf(stderr,
		"hvsh: %s\nusage: hvsh [options] [script [args]], hvsh [options] command; "
		"hvsh --help says more\n",
		err->msg);
	return HV_EXIT_USAGE;
}

/* ---- scripts */

/* Runs what hv_state_load_* or luaL_load* left on the stack, nargs arguments above it. */
static int run_chunk(lua_State *L, int status, int nargs)
{
	if (status != LUA_OK) {
		hv_run_report(L);
		return HV_EXIT_FAILED;
	}
	return hv_run(L, nargs, NULL);
}

static int run_actions(lua_State *L, const struct hv_command_line *cl)
{
	int code = HV_EXIT_OK;

	for (int i = 0; i < cl->n_actions && code == HV_EXIT_OK; i++) {
		const char *text = cl->actions[i].text;

		if (cl->actions[i].kind == 'e') {
			code = run_chunk(
				L, luaL_loadbufferx(L, text, strlen(text), "=(command line)", "t"),
				0);
		} else {
			const char *equals = strchr(text, '=');
			int n;

			/* As in lua: -l module, or -l name=module for another global. */
			lua_getglobal(L, "require");
			lua_pushstring(L, equals ? equals + 1 : text);
			code = hv_run(L, 1, &n);
			if (code != HV_EXIT_OK)
				break;
			lua_settop(L, lua_gettop(L) - n + 1);
			lua_pushlstring(L, text, equals ? (size_t)(equals - text) : strlen(text));
			lua_insert(L, -2);
			lua_pushglobaltable(L);
			lua_insert(L, -3);
			lua_rawset(L, -3);
			lua_pop(L, 1);
		}
	}
	return code;
}

/* The global `arg`: the script is 0, its arguments follow, what stands before it is negative. */
static void set_arg(lua_State *L, const struct hv_command_line *cl)
{
	int script = cl->first < cl->argc ? cl->first : 0;

	lua_createtable(L, cl->argc - script - 1, script + 1);
	for (int i = 0; i < cl->argc; i++) {
		lua_pushstring(L, cl->argv[i]);
		lua_rawseti(L, -2, i - script);
	}
	lua_setglobal(L, "arg");
}

static int run_script(lua_State *L, const struct hv_command_line *cl)
{
	const char *path = cl->argv[cl->first];
	int n = cl->argc - cl->first - 1;
	int status;

	/* "-" is standard input, but for `hvsh -- -`. */
	if (!strcmp(path, "-") && strcmp(cl->argv[cl->first - 1], "--") != 0)
		path = NULL;
	status = hv_state_load_file(L, path);
	luaL_checkstack(L, n + 4, "too many arguments");
	for (int i = 0; status == LUA_OK && i < n; i++)
		lua_pushstring(L, cl->argv[cl->first + 1 + i]);
	return run_chunk(L, status, n);
}

/* A command may go on as a prompt: its result is the evaluator, whose close() gives the exit code.
 */
static int run_prompt(lua_State *L)
{
	int n, code, prompt;

	lua_pushvalue(L, -1);
	prompt = hv_repl_with(L);
	if (hv_interrupted())
		return prompt;
	lua_getfield(L, -1, "close");
	lua_insert(L, -2);
	code = hv_run(L, 1, &n);
	if (code == HV_EXIT_OK && n > 0)
		code = (int)lua_tointeger(L, -n);
	return prompt == HV_EXIT_OK ? code : prompt;
}

/* Calls a function of hvsh.commands with argv as a list; its result is the exit code. */
static int run_command(lua_State *L, const char *function, int argc, char *const *argv)
{
	int n, code;

	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.commands");
	lua_call(L, 1, 1);
	if (lua_getfield(L, -1, function) == LUA_TNIL)
		return luaL_error(L, "hvsh.commands has no %s", function);
	lua_createtable(L, argc, 0);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i + 1);
	}
	code = hv_run(L, 1, &n);
	if (code == HV_EXIT_OK && n == 1 && lua_istable(L, -1))
		return run_prompt(L);
	if (code == HV_EXIT_OK && n > 0)
		code = (int)lua_tointeger(L, -n);
	return code;
}

/* A script that defined zones may have something to say at its end. */
static int finish(lua_State *L)
{
	int n, code;

	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, -1, "hvsh.dsl") == LUA_TNIL)
		return HV_EXIT_OK;
	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.commands");
	lua_call(L, 1, 1);
	if (lua_getfield(L, -1, "finish") == LUA_TNIL)
		return HV_EXIT_OK;
	code = hv_run(L, 0, &n);
	if (code == HV_EXIT_OK && n > 0)
		code = (int)lua_tointeger(L, -n);
	return code;
}

/*
 * What was begun goes on until it ends or is ended. A failure does not stop it: guests that have
 * been started would be left without their devices.
 */
static int serve(lua_State *L, int code)
{
	if (hv_interrupted() || !hv_serve_alive(L)) {
		if (code == HV_EXIT_OK)
			hv_serve_ready();
		return code;
	}
	if (code != HV_EXIT_OK)
		fprintf(stderr, "hvsh: that failed; what was started before goes on\n");
	return hv_serve_run(L, code);
}

/* ---- which of them */

static bool is_command(lua_State *L, const char *word)
{
	bool known;

	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.commands");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "is_command");
	lua_pushstring(L, word);
	lua_call(L, 1, 1);
	known = lua_toboolean(L, -1);
	lua_pop(L, 2);
	return known;
}

/* A subcommand's options that are for all commands may stand behind it. Leaves its own in argv. */
static int subcommand(lua_State *L, struct hv_command_line *cl)
{
	char **argv = &cl->argv[cl->first];
	int argc = cl->argc - cl->first;
	bool json_before = session.json;
	char **kept;
	int n = 0;

	kept = lua_newuserdatauv(L, (size_t)(argc + 2) * sizeof(*kept), 0);
	kept[n++] = argv[0];
	if (json_before)
		kept[n++] = (char *)"--json";
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		bool stays = false;
		int rc;

		if (!strcmp(word, "--")) {
			while (i < argc)
				kept[n++] = argv[i++];
			break;
		}
		rc = hv_options_take(cl, argv, &i, &stays);
		if (rc < 0)
			return usage_error(&cl->err);
		if (!rc || stays)
			kept[n++] = word;
	}
	if (hv_options_check(cl, &cl->err) < 0)
		return usage_error(&cl->err);
	return serve(L, run_command(L, "run", n, kept));
}

/* A first word with a slash or .lua is meant as a file; any other may be a command, and those go
 * first. */
static int first_word(lua_State *L, struct hv_command_line *cl)
{
	const char *word = cl->argv[cl->first];
	size_t len = strlen(word);
	bool is_path = strchr(word, '/') || (len > 4 && !strcmp(word + len - 4, ".lua"));
	int code;

	if (strcmp(word, "-") != 0 && access(word, F_OK) < 0 && is_path) {
		hv_err_sys(&cl->err, errno, "%s", word);
		return usage_error(&cl->err);
	}
	if (strcmp(word, "-") != 0 && !is_path && (is_command(L, word) || access(word, F_OK) < 0))
		return subcommand(L, cl);
	code = run_script(L, cl);
	if (code == HV_EXIT_OK)
		code = finish(L);
	return cl->interactive ? code : serve(L, code);
}

static int run(lua_State *L, struct hv_command_line *cl)
{
	bool tty = isatty(STDIN_FILENO);
	int code;

	if (cl->help) {
		char *const help[] = { (char *)"help" };

		return run_command(L, "run", 1, help);
	}
	set_arg(L, cl);
	code = run_actions(L, cl);
	if (code != HV_EXIT_OK)
		return code;
	if (cl->first < cl->argc) {
		code = first_word(L, cl);
		if (code != HV_EXIT_OK || !cl->interactive)
			return code;
	} else if (cl->n_actions && !cl->interactive) {
		return serve(L, finish(L));
	}
	if (tty) {
		code = hv_repl(L);
		if (code != HV_EXIT_OK)
			return serve(L, code);
		hv_serve_farewell(&session);
		return HV_EXIT_OK;
	}
	code = run_chunk(L, hv_state_load_file(L, NULL), 0);
	if (code == HV_EXIT_OK)
		code = finish(L);
	return serve(L, code);
}

/* ---- the program */

static bool called_hvisor(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	return argv0 && !strcmp(slash ? slash + 1 : argv0, "hvisor");
}

/* Protected. Argument: the command line. Result: the exit code. */
static int protected_main(lua_State *L)
{
	struct hv_command_line *cl = lua_touserdata(L, 1);
	char *const help[] = { (char *)"--help" };
	int code;

	lua_settop(L, 0);
	if (called_hvisor(cl->argv[0]) && cl->help)
		code = run_command(L, "run_hvisor", 1, help);
	else if (called_hvisor(cl->argv[0]))
		code = serve(L, run_command(L, "run_hvisor", cl->argc - cl->first,
					    &cl->argv[cl->first]));
	else
		code = run(L, cl);
	lua_pushinteger(L, hv_interrupted() ? 128 + hv_interrupt_signal() : code);
	return 1;
}

static void close_session(void)
{
	hv_session_close(&session);
	hv_interrupt_end();
}

static int start(struct hv_command_line *cl)
{
	lua_State *L;
	int code;

	if (hv_options_read(cl) < 0 || hv_options_check(cl, &cl->err) < 0)
		return usage_error(&cl->err);
	if (cl->version) {
		printf("hvsh %s (%s, %s)\n", HVSH_VERSION, LUA_RELEASE,
		       hv_arch_name(hv_arch_native()));
		return HV_EXIT_OK;
	}
	if (cl->detach) {
		code = hv_detach_begin(&cl->err);
		if (code != -EAGAIN) {
			if (code < 0)
				fprintf(stderr, "hvsh: %s\n", cl->err.msg);
			return code < 0 ? HV_EXIT_FAILED : code;
		}
	}
	L = hv_state_new(&session);
	if (!L) {
		fprintf(stderr, "hvsh: not enough memory\n");
		return HV_EXIT_FAILED;
	}
	/* Also where a script leaves through os.exit. */
	atexit(close_session);
	hv_interrupt_install(L);
	lua_pushcfunction(L, protected_main);
	lua_pushlightuserdata(L, cl);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
		code = (int)lua_tointeger(L, -1);
	} else {
		const char *text = lua_tostring(L, -1);

		fprintf(stderr, "hvsh: %s\n", text ? text : "an error that is no text");
		code = hv_interrupted() ? 128 + hv_interrupt_signal() : HV_EXIT_FAILED;
	}
	hv_tasks_close(L);
	lua_close(L);
	return code;
}

/*
 * A closed standard descriptor must not become the number of a file of ours. What is put in its
 * place refuses to be written, so that lost output is still a failure.
 */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", O_RDONLY);
}

int main(int argc, char **argv)
{
	struct hv_command_line cl = {
		.session = &session, .argc = argc, .argv = argv, .first = argc
	};
	int code;

	if (argc == 1 && !strcmp(argv[0], HV_CELL_NAME))
		return hv_policy_child_main();
	session = HV_SESSION_INIT;
	hold_standard_descriptors();
	hv_stdout_guard();
	cl.actions = calloc((size_t)argc + 1, sizeof(*cl.actions));
	if (!cl.actions) {
		fprintf(stderr, "hvsh: not enough memory\n");
		return HV_EXIT_FAILED;
	}
	code = start(&cl);
	free(cl.actions);
	return code;
}
