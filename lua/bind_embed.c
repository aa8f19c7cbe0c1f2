// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <string.h>

#include "lua/embed.h"

/* embedded(prefix) -> {name = text}: the Lua files inside the binary whose names begin so. */
static int embedded(lua_State *L)
{
	size_t len;
	const char *prefix = luaL_checklstring(L, 1, &len);

	lua_newtable(L);
	for (unsigned int i = 0; i < hv_embedded_count; i++) {
		const struct hv_embedded *e = &hv_embedded[i];

		if (strncmp(e->name, prefix, len) != 0)
			continue;
		lua_pushlstring(L, e->start, (size_t)(e->end - e->start));
		lua_setfield(L, -2, e->name);
	}
	return 1;
}

void hv_bind_embed(lua_State *L)
{
	lua_pushcfunction(L, embedded);
	lua_setfield(L, -2, "embedded");
}
