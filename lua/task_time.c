// SPDX-License-Identifier: GPL-2.0-or-later
/* Times as scripts give them: "10s", 0.25, math.huge. */
#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/duration.h"
#include "base/now.h"
#include "lua/task.h"

/* Seconds of what a Lua integer of nanoseconds holds. */
#define LONGEST (0x1p63 / 1e9)

const char *hv_task_duration(lua_State *L, int idx, uint64_t *ns, struct hv_err *err)
{
	size_t len;
	const char *text;

	if (lua_type(L, idx) == LUA_TNUMBER) {
		lua_Number seconds = lua_tonumber(L, idx);

		/* What is not a number compares as false. */
		if (!(seconds >= 0))
			return "a time is not less than 0";
		if (seconds > LONGEST && !isinf(seconds)) {
			hv_err_set(err, ERANGE, "%.14g is too long: at most 292 years", seconds);
			return err->msg;
		}
		*ns = seconds < LONGEST ? (uint64_t)(seconds * 1e9) : INT64_MAX;
		return NULL;
	}
	if (lua_type(L, idx) != LUA_TSTRING)
		return "a time is a text (as in 10s, 250ms) or a number of seconds";
	text = lua_tolstring(L, idx, &len);
	if (strlen(text) != len)
		return "a time is a text as in 10s, 250ms";
	return hv_duration_parse(text, ns, err) < 0 ? err->msg : NULL;
}

uint64_t hv_task_deadline(lua_State *L, int idx)
{
	struct hv_err err;
	const char *wrong;
	uint64_t ns, now;

	if (lua_isnoneornil(L, idx))
		return 0;
	wrong = hv_task_duration(L, idx, &ns, &err);
	if (wrong && idx > 0)
		luaL_argerror(L, idx, wrong);
	if (wrong)
		luaL_error(L, "timeout: %s", wrong);
	now = hv_now();
	return ns < INT64_MAX - now ? now + ns : INT64_MAX;
}
