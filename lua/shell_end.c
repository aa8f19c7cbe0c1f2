// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/shell_end.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

struct head {
	uint32_t len;
	bool data;
};

/* One that is never empty would grow for ever. */
static void drop_taken(struct hv_shell_end *end)
{
	if (end->at <= end->queue.len / 2)
		return;
	end->queue.len -= end->at;
	memmove(end->queue.data, end->queue.data + end->at, end->queue.len);
	end->queue.data[end->queue.len] = '\0';
	end->last = end->last > end->at ? end->last - end->at : 0;
	end->at = 0;
}

bool hv_shell_end_put(struct hv_shell_end *end, bool data, const void *bytes, size_t len)
{
	struct head head = { .len = (uint32_t)len, .data = data };
	size_t before;

	drop_taken(end);
	before = end->queue.len;
	if (data && end->last_is_data && end->at < end->queue.len) {
		hv_buf_add(&end->queue, bytes, len);
		if (end->queue.failed)
			return false;
		memcpy(&head, end->queue.data + end->last, sizeof(head));
		head.len += (uint32_t)len;
		memcpy(end->queue.data + end->last, &head, sizeof(head));
	} else {
		hv_buf_add(&end->queue, &head, sizeof(head));
		hv_buf_add(&end->queue, bytes, len);
		if (end->queue.failed) {
			/* A head without its body would be read beyond the buffer. */
			end->queue.len = before;
			return false;
		}
		end->last = before;
		end->last_is_data = data;
	}
	hv_cond_wake(&end->input);
	return true;
}

size_t hv_shell_end_waiting(const struct hv_shell_end *end)
{
	return end->queue.len - end->at;
}

void hv_shell_end_close(struct hv_shell_end *end, const char *reason)
{
	if (end->closed)
		return;
	end->closed = true;
	snprintf(end->reason, sizeof(end->reason), "%s", reason);
	hv_cond_wake(&end->input);
}

void hv_shell_end_free(struct hv_shell_end *end)
{
	hv_buf_free(&end->queue);
	end->queue = (struct hv_buf){ 0 };
	end->at = 0;
}

/* Pushes the first. */
static void take(lua_State *L, struct hv_shell_end *end)
{
	struct head head;

	memcpy(&head, end->queue.data + end->at, sizeof(head));
	lua_pushstring(L, head.data ? "data" : "event");
	lua_pushlstring(L, end->queue.data + end->at + sizeof(head), head.len);
	end->at += sizeof(head) + head.len;
	if (end->at == end->queue.len)
		hv_shell_end_free(end);
	if (!head.data || end->closed)
		return;
	end->used += head.len;
	/* Not with every line. */
	if (end->used >= HV_SHELL_WINDOW / 2) {
		end->grant(end, end->used);
		end->used = 0;
	}
}

static int receive_on(lua_State *L, int status, lua_KContext ctx)
{
	struct hv_shell_end *end = (struct hv_shell_end *)ctx;

	(void)status;
	if (hv_shell_end_waiting(end)) {
		take(L, end);
		return 2;
	}
	if (end->queue.failed)
		return luaL_error(L, "not enough memory");
	if (end->closed) {
		lua_pushnil(L);
		lua_pushstring(L, end->reason);
		return 2;
	}
	return hv_cond_wait(L, &end->input, 0, ctx, receive_on);
}

int hv_shell_end_receive(lua_State *L, struct hv_shell_end *end)
{
	return receive_on(L, LUA_OK, (lua_KContext)end);
}
