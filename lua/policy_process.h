/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_PROCESS_H
#define HV_LUA_POLICY_PROCESS_H

#include "lua/policy_engine.h"

/*
 * A policy in a process of its own (sandbox/cell.h), which has all of Lua's string and table: one
 * that computes in a C function without end is killed some time after its deadline. So is one that
 * says what it was not asked, or not what it should.
 */

/* Starts it and waits until it is loaded, some seconds at most. -EINVAL: what it says is wrong. */
int hv_policy_process_engine(const struct hv_policy_source *source,
			     const struct hv_policy_stop *stop, struct hv_policy_engine **engine,
			     struct hv_err *err);

/* In the cell: confines itself and answers. The exit status. */
int hv_policy_child_run(int fd);
/* The program when it was started by its name for that (HV_CELL_NAME); the exit status. */
int hv_policy_child_main(void);

#endif
