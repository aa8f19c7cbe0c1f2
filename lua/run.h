/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_RUN_H
#define HV_LUA_RUN_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"

enum hv_exit {
	HV_EXIT_OK = 0,
	HV_EXIT_FAILED = 1,
	HV_EXIT_USAGE = 2,
	HV_EXIT_INTERRUPTED = 130,
};

/*
 * Calls the function below nargs arguments on top of L as the foreground task (lua/task.h): while
 * it waits, the loop goes round and other tasks run. A yield of it that is no wait is an error.
 * Pops both. HV_EXIT_OK leaves *n results on L (n NULL: drops them). On an error it is reported on
 * standard error, nothing is left, and the exit code is returned (HV_EXIT_FAILED,
 * HV_EXIT_INTERRUPTED). The caller is in a protected call.
 */
int hv_run(lua_State *L, int nargs, int *n);

/*
 * Prints the error object on top of L, of what did not compile, and pops it. How errors are shown,
 * here and by hv_run:
 *   a table with a string field hvsh_report: that text alone, as it is; nothing when it is empty.
 *     For what is meant for the person: findings, usage, a refusal in many lines;
 *   anything else: "hvsh: " and the message (a __tostring is used), the line that it names where a
 *     file has it, and by hv_run the places that led there, C functions and our own Lua ("=hvsh.*")
 *     left out, unless the message begins with the only one.
 */
void hv_run_report(lua_State *L);

/* The same text into out, without "hvsh: ", the line, and a newline at the end. co: whose frames
 * are named, NULL = none. Whether it is one that is printed as it is. */
bool hv_run_text(lua_State *L, lua_State *co, struct hv_buf *out);

/* Pushes "file:line: " of the place in a script that runs, or led to what runs; or "". */
void hv_run_where(lua_State *L);

/* Raises such a table. */
void hv_run_raise(lua_State *L, const char *text);

#endif
