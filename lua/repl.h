/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_REPL_H
#define HV_LUA_REPL_H

#include <lua.h>

/*
 * The prompt, on a terminal: reads lines from standard input until end of file and gives them to an
 * evaluator, a table (or what can be indexed) with
 *   prompt                          a text
 *   run(self, text)                 "more" (half a statement), "done" or "quit"
 *   complete(self, text, line, n)   where the word before byte n of line begins, and a list of what
 *                                   it may become; text: the lines before this one
 * Methods are called as the foreground task (lua/run.h): they may wait. An error of theirs is
 * reported, and the prompt goes on. Ctrl-C clears the line, or stops what runs; another signal of
 * lua/interrupt.h ends it. Not from a task, nor from a callback of the loop. The caller is in a
 * protected call.
 */

/* The prompt of this process. HV_EXIT_OK; HV_EXIT_FAILED when there can be none, which was said. */
int hv_repl(lua_State *L);

/* One with the evaluator on top of L, which is popped. As hv_repl. */
int hv_repl_with(lua_State *L);

#endif
