// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lua/interrupt.h"
#include "lua/rawtty.h"

/*
 * The whole terminal for a command that draws on it: a screen of its own without a cursor, keys one
 * by one. Before the program ends or stops the terminal is as it was.
 */
static const char enter_text[] = "\033[?1049h\033[?25l\033[2J";
static const char leave_text[] = "\033[0m\033[?25h\033[?1049l";

static bool entered;
static volatile sig_atomic_t resized, stopped;

/* What cannot be written now is lost with the terminal. */
static void put(const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else
		stopped = 1;
}

static void leave(void)
{
	if (!entered)
		return;
	entered = false;
	put(leave_text);
	hv_rawtty_leave();
	signal(SIGWINCH, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
}

/* screen_enter() -> true | nil, message, code */
static int screen_enter(lua_State *L)
{
	static bool at_exit;
	struct sigaction action = { .sa_handler = on_signal };
	struct hv_err err;

	if (!at_exit && atexit(leave)) {
		hv_err_nomem(&err);
		return hv_bind_fail(L, &err);
	}
	at_exit = true;
	if (hv_rawtty_enter(STDIN_FILENO, true, &err) < 0)
		return hv_bind_fail(L, &err);
	entered = true;
	hv_interrupt_also_ends();
	sigemptyset(&action.sa_mask);
	sigaction(SIGWINCH, &action, NULL);
	sigaction(SIGTSTP, &action, NULL);
	put(enter_text);
	lua_pushboolean(L, 1);
	return 1;
}

/* screen_leave() */
static int screen_leave(lua_State *L)
{
	(void)L;
	leave();
	return 0;
}

/* screen_size() -> columns, rows */
static int screen_size(lua_State *L)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		size = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	lua_pushinteger(L, size.ws_col);
	lua_pushinteger(L, size.ws_row);
	return 2;
}

static void stop_and_go_on(void)
{
	put(leave_text);
	hv_rawtty_pause();
	raise(SIGSTOP);
	hv_rawtty_resume();
	put(enter_text);
}

/*
 * screen_key(ns) -> what was typed, a key or a few | nil, why: "time" (so long nothing was),
 * "resize" (all of it is to be drawn anew), "end" (the terminal is gone), "signal" and
 * its number (it is dealt with)
 */
static int screen_key(lua_State *L)
{
	lua_Integer ns = luaL_checkinteger(L, 1);
	struct timespec timeout = { .tv_sec = (time_t)(ns / 1000000000),
				    .tv_nsec = (long)(ns % 1000000000) };
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	sigset_t blocked, before;
	const char *why = "time";
	ssize_t len = 0;
	char keys[16];
	int n;

	luaL_argcheck(L, ns >= 0, 1, "a time is not less than 0");
	/* A signal that comes right before the wait ends it all the same. */
	sigfillset(&blocked);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	n = hv_interrupted() || resized || stopped ? -1 : ppoll(&fd, 1, &timeout, &before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (n > 0) {
		len = read(STDIN_FILENO, keys, sizeof(keys));
		why = len == 0 || (len < 0 && errno != EINTR) ? "end" : "time";
	}
	if (hv_interrupted()) {
		lua_pushnil(L);
		lua_pushliteral(L, "signal");
		lua_pushinteger(L, hv_interrupt_signal());
		hv_interrupt_clear();
		return 3;
	}
	if (stopped) {
		stopped = 0;
		stop_and_go_on();
		why = "resize";
	} else if (resized) {
		resized = 0;
		why = "resize";
	} else if (len > 0) {
		lua_pushlstring(L, keys, (size_t)len);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

void hv_bind_screen(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "screen_enter", screen_enter },
		{ "screen_leave", screen_leave },
		{ "screen_size", screen_size },
		{ "screen_key", screen_key },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
