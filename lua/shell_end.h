/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SHELL_END_H
#define HV_LUA_SHELL_END_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "lua/task.h"

/*
 * What both ends of a prompt's channel share: data and events from the other side, in their order,
 * until a task takes them. main thread.
 */
#define HV_SHELL_WINDOW (64u << 10) /* bytes of data the other side may be ahead */

struct hv_shell_end {
	struct hv_buf queue; /* each with its kind and length before it */
	size_t at, last;     /* of the first and the last; last counts while it is data */
	bool last_is_data;
	struct hv_cond input;
	uint32_t used; /* data that was taken, and not granted again */
	bool closed;
	char reason[512];
	/* The other side may send so much more. */
	void (*grant)(struct hv_shell_end *end, uint32_t len);
};

/* Wakes who waits in receive. false: no memory, and nothing was added; the channel is to be ended.
 */
bool hv_shell_end_put(struct hv_shell_end *end, bool data, const void *bytes, size_t len);
/* Bytes that wait, with what they cost. */
size_t hv_shell_end_waiting(const struct hv_shell_end *end);
/* Nothing more comes. */
void hv_shell_end_close(struct hv_shell_end *end, const char *reason);
void hv_shell_end_free(struct hv_shell_end *end);

/*
 * For a method `receive`: the stack has the userdata of end alone. Suspends the task until there is
 * something: "data", bytes; "event", JSON; nil, the reason when the channel has ended.
 */
int hv_shell_end_receive(lua_State *L, struct hv_shell_end *end);

#endif
