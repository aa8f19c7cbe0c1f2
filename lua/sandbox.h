/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SANDBOX_H
#define HV_LUA_SANDBOX_H

#include <lua.h>

#include "lua/session.h"

/*
 * When a service closes the sandbox around itself (sandbox/sandbox.h): after its set-up, as soon as it
 * serves a guest's device and goes round the loop. Not where a person types at its own prompt, and
 * not with --no-sandbox.
 */

/* Before the first guest: the opener is started, which keeps the rights that are given away. */
void hv_sandbox_prepare(struct hv_session *session);

/* In each turn of the service's loop; closes it once. What fails is in the log, and guests go on. */
void hv_sandbox_enter(lua_State *L);

/* A script is read: its folder may be read from now on. */
void hv_sandbox_script(const char *path);

/* After the last guest. */
void hv_sandbox_end(void);

/* Pushes what is in force, "capabilities 0, seccomp, landlock 4, opener", or why nothing is. */
void hv_sandbox_words(lua_State *L);

void hv_bind_sandbox(lua_State *L); /* sandbox_allow, sandbox_grant */

#endif
