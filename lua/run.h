/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_RUN_H
#define HV_LUA_RUN_H

#include <lua.h>

enum hv_exit {
	HV_EXIT_OK = 0,
	HV_EXIT_FAILED = 1,
	HV_EXIT_USAGE = 2,
	HV_EXIT_INTERRUPTED = 130,
};

/*
 * Calls the function below nargs arguments on top of L, as a coroutine: what blocks may yield
 * some day; today a yield of it is an error. Pops both. HV_EXIT_OK leaves *n results on
 * L (n NULL: drops them). On an error it is reported on standard error,
 * nothing is left, and the exit code is returned (HV_EXIT_FAILED, HV_EXIT_INTERRUPTED). The caller
 * is in a protected call.
 */
int hv_run(lua_State *L, int nargs, int *n);

/*
 * Prints the error object on top of L, without traceback, and pops it. How errors are shown,
 * here and by hv_run:
 *   a table with a string field hvsh_report: that text alone, as it is; nothing when it is empty.
 *     For what is meant for the person: findings, usage, a refusal in many lines;
 *   anything else: "hvsh: " and the message (a __tostring is used), by hv_run followed by the
 *     places that led there, C functions and our own Lua ("=hvsh.*") left out, unless the message
 *     begins with the only one.
 */
void hv_run_report(lua_State *L);

/* Raises such a table. */
void hv_run_raise(lua_State *L, const char *text);

#endif
