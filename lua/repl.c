// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/repl.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "lua/interrupt.h"
#include "lua/run.h"
#include "lua/session.h"
#include "lua/task.h"

#define HISTORY_LINES 1000

/* ---- history */

/*
 * Whoever can write to the folder must not make root read or write another file through it:
 * a plain file of ours, with one name, or none at all. -1 when it is not to be had.
 */
static int open_history(int flags)
{
	const char *home = getenv("HOME");
	char path[4096];
	struct stat st;
	int fd;

	if (!home || *home != '/' ||
	    (size_t)snprintf(path, sizeof(path), "%s/.hvsh_history", home) >= sizeof(path))
		return -1;
	fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_nlink != 1 || ((st.st_mode & 077) && fchmod(fd, 0600) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void load_history(void)
{
	int fd = open_history(O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;

	using_history();
	stifle_history(HISTORY_LINES);
	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (; (len = getline(&line, &cap, file)) > 0; n++) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		add_history(line);
	}
	free(line);
	fclose(file);
	/* Every prompt appends; one of many cuts what has become long. */
	if (n <= 4 * HISTORY_LINES)
		return;
	fd = open_history(O_WRONLY | O_TRUNC);
	for (int i = 0; fd >= 0 && i < history_length; i++)
		dprintf(fd, "%s\n", history_get(history_base + i)->line);
	if (fd >= 0)
		close(fd);
}

static void remember(const char *line)
{
	HIST_ENTRY *last = history_length ? history_get(history_base + history_length - 1) : NULL;
	int fd;

	if (!line[strspn(line, " \t")] || (last && !strcmp(last->line, line)))
		return;
	add_history(line);
	fd = open_history(O_WRONLY | O_APPEND | O_CREAT);
	if (fd < 0)
		return;
	dprintf(fd, "%s\n", line);
	close(fd);
}

/* ---- lines */

static char *got_line; /* freed by the next read: nothing is lost when Lua raises meanwhile */
static enum { READING, GOT_LINE, GOT_EOF, GOT_INTERRUPT } reading;

static void on_line(char *line)
{
	got_line = line;
	reading = line ? GOT_LINE : GOT_EOF;
	rl_callback_handler_remove();
}

static void on_stdin(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	(void)src;
	(void)fd;
	(void)events;
	(void)arg;
	if (reading == READING)
		rl_callback_read_char();
}

/* While nothing is typed, the loop goes round: tasks go on. */
static void read_line(lua_State *L, const char *prompt)
{
	struct hv_loop *loop = hv_task_loop(L);
	struct hv_source *src;
	struct hv_err err;

	free(got_line);
	got_line = NULL;
	if (hv_loop_add_fd(loop, STDIN_FILENO, EPOLLIN, on_stdin, NULL, &src, &err) < 0)
		luaL_error(L, "%s", err.msg);
	reading = READING;
	rl_callback_handler_install(prompt, on_line);
	while (reading == READING) {
		int rc = hv_loop_run_once(loop, -1, &err);

		if (hv_interrupted()) {
			rl_callback_handler_remove();
			reading = GOT_INTERRUPT;
		} else if (rc < 0 && rc != -EINTR) {
			rl_callback_handler_remove();
			reading = GOT_EOF;
		}
	}
	hv_source_remove(src);
	if (reading != GOT_LINE) {
		putchar('\n');
		fflush(stdout);
	}
}

/* ---- statements */

/* Whether the error on top says that more lines may make it right. */
static bool is_incomplete(lua_State *L, int status)
{
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);

	return status == LUA_ERRSYNTAX && len >= 5 && !strcmp(text + len - 5, "<eof>");
}

/* "zones.start?": asks what that is. No Lua has a question mark after a name. */
static bool is_question(const char *text)
{
	static const char blank[] = " \t";
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:";

	text += strspn(text, blank);
	text += strspn(text, name);
	text += strspn(text, blank);
	return *text == '?' && !text[1 + strspn(text + 1, blank)];
}

/* Compiles the text at index idx, as an expression if it is one. Pushes the function or the error.
 */
static int compile(lua_State *L, int idx)
{
	size_t len;
	const char *text;
	int status;

	if (is_question(lua_tostring(L, idx))) {
		text = lua_pushfstring(L, "require 'hvsh.help'.prompt '%s'", lua_tostring(L, idx));
		status = luaL_loadbufferx(L, text, strlen(text), "=stdin", "t");
		lua_remove(L, -2);
		return status;
	}
	lua_pushliteral(L, "return ");
	lua_pushvalue(L, idx);
	lua_concat(L, 2);
	text = lua_tolstring(L, -1, &len);
	status = luaL_loadbufferx(L, text, len, "=stdin", "t");
	lua_remove(L, -2);
	if (status == LUA_OK)
		return status;
	lua_pop(L, 1);
	text = lua_tolstring(L, idx, &len);
	return luaL_loadbufferx(L, text, len, "=stdin", "t");
}

/*
 * Pushes the function of one statement, of as many lines as it has, and returns true; false
 * without pushing when there is none to run: reading says whether that was the end.
 */
static bool read_statement(lua_State *L, const char *prompt)
{
	char more[32];
	int text = lua_gettop(L) + 1;
	int status;

	snprintf(more, sizeof(more), "%*s ", (int)strlen(prompt) - 1, ">>");
	lua_pushliteral(L, "");
	for (;;) {
		read_line(L, lua_rawlen(L, text) ? more : prompt);
		if (reading != GOT_LINE)
			break;
		remember(got_line);
		if (lua_rawlen(L, text)) {
			lua_pushfstring(L, "%s\n%s", lua_tostring(L, text), got_line);
			lua_replace(L, text);
		} else {
			lua_pushstring(L, got_line);
			lua_replace(L, text);
		}
		status = compile(L, text);
		if (status == LUA_OK) {
			lua_remove(L, text);
			return true;
		}
		if (!is_incomplete(L, status)) {
			hv_run_report(L);
			break;
		}
		lua_pop(L, 1);
	}
	/* Half a statement and the end of file: the next read says end again. */
	if (reading == GOT_EOF && lua_rawlen(L, text))
		reading = GOT_INTERRUPT;
	lua_settop(L, text - 1);
	return false;
}

/* Prints its arguments, as hvsh.print words them. */
static int show(lua_State *L)
{
	const struct hv_session *session = hv_session_of(L);
	int n = lua_gettop(L);

	lua_getglobal(L, "require");
	lua_pushliteral(L, "hvsh.print");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "value");
	for (int i = 1; i <= n; i++) {
		lua_pushvalue(L, -1);
		lua_pushvalue(L, i);
		lua_createtable(L, 0, 2);
		lua_pushinteger(L, hv_session_columns(STDOUT_FILENO));
		lua_setfield(L, -2, "width");
		lua_pushboolean(L, hv_session_color(session, STDOUT_FILENO));
		lua_setfield(L, -2, "color");
		lua_call(L, 2, 1);
		puts(luaL_tolstring(L, -1, NULL));
		lua_pop(L, 2);
	}
	return 0;
}

/* Ctrl-C leads back to the prompt; what else ends the process ends it here, too. */
static bool told_to_leave(void)
{
	return hv_interrupted() && hv_interrupt_signal() != SIGINT;
}

void hv_repl(lua_State *L)
{
	struct hv_session *session = hv_session_of(L);
	const char *prompt = session->sim ? "hvsh(sim)> " : "hvsh> ";

	session->mode = HV_MODE_REPL;
	rl_readline_name = "hvsh";
	rl_bind_key('\t', rl_insert);
	load_history();
	printf("hvsh %s (%s). help() explains, Ctrl-D leaves.\n", HVSH_VERSION, LUA_VERSION);
	do {
		int n;

		lua_settop(L, 0);
		if (!read_statement(L, prompt)) {
			if (told_to_leave())
				break;
			hv_interrupt_clear();
			continue;
		}
		if (hv_run(L, 0, &n) == HV_EXIT_OK && n > 0) {
			lua_pushcfunction(L, show);
			lua_insert(L, 1);
			hv_run(L, n, NULL);
		}
		if (told_to_leave())
			break;
		hv_interrupt_clear();
	} while (reading != GOT_EOF);
	lua_settop(L, 0);
	free(got_line);
	got_line = NULL;
}
