/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_REPL_H
#define HV_LUA_REPL_H

#include <lua.h>

/*
 * The prompt, on a terminal: reads statements and expressions from standard input until end of
 * file, runs each as hv_run does and prints the values of expressions. Ctrl-C clears the line, or
 * stops what runs. Lines are kept in $HOME/.hvsh_history. The caller is in a protected call.
 */
void hv_repl(lua_State *L);

#endif
