// SPDX-License-Identifier: GPL-2.0-or-later
#include <lauxlib.h>

#include "lua/spec_read.h"

/* {name=} or {compatible=} each */
static void get_devices(struct hv_reader *r, int t, struct hv_spec_passthrough *p)
{
	struct hv_spec_given *devices;
	int list;

	if (!hv_read_push_table(r, t, "devices"))
		return;
	list = lua_gettop(r->L);
	p->n_devices = lua_rawlen(r->L, list);
	devices = hv_read_array(r, p->n_devices, sizeof(*devices));
	for (size_t i = 0; i < p->n_devices; i++) {
		int e = hv_read_push_entry(r, list, i);
		const char *compatible = hv_read_text(r, e, "compatible");

		devices[i].compatible = compatible;
		devices[i].name =
			compatible ? compatible : hv_read_need(r, hv_read_text(r, e, "name"));
		devices[i].origin = hv_read_origin_at(r, list, i);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	p->devices = devices;
}

/* {device=, clock= or slot=, hz=} each; slots count from 1 */
static void get_rates(struct hv_reader *r, int t, struct hv_spec_passthrough *p)
{
	struct hv_spec_rate *rates;
	int list;

	if (!hv_read_push_table(r, t, "rates"))
		return;
	list = lua_gettop(r->L);
	p->n_rates = lua_rawlen(r->L, list);
	rates = hv_read_array(r, p->n_rates, sizeof(*rates));
	for (size_t i = 0; i < p->n_rates; i++) {
		int e = hv_read_push_entry(r, list, i);
		uint32_t slot = 1;

		rates[i].device = hv_read_need(r, hv_read_text(r, e, "device"));
		rates[i].clock = hv_read_text(r, e, "clock");
		hv_read_u32(r, e, "slot", &slot);
		rates[i].slot = slot ? slot - 1 : 0;
		hv_read_u64(r, e, "hz", &rates[i].hz);
		rates[i].origin = hv_read_origin_at(r, list, i);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	p->rates = rates;
}

static void get_accept(struct hv_reader *r, int t, struct hv_spec_passthrough *p)
{
	struct hv_spec_accept *accept;
	int list;

	if (!hv_read_push_table(r, t, "accept"))
		return;
	list = lua_gettop(r->L);
	p->n_accept = lua_rawlen(r->L, list);
	accept = hv_read_array(r, p->n_accept, sizeof(*accept));
	for (size_t i = 0; i < p->n_accept; i++) {
		lua_rawgeti(r->L, list, (lua_Integer)i + 1);
		accept[i].name = hv_read_text_at(r, -1);
		accept[i].origin = hv_read_origin_at(r, list, i);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	p->accept = accept;
}

void hv_read_passthrough(struct hv_reader *r, int t, struct hv_spec_passthrough *p)
{
	int at;

	if (!hv_read_push_table(r, t, "passthrough"))
		return;
	at = lua_gettop(r->L);
	p->present = true;
	p->origin = hv_read_origin(r, t, "passthrough");
	p->tree = hv_read_text(r, at, "tree");
	p->tree_origin = p->tree ? hv_read_origin(r, at, "tree") : p->origin;
	p->coalesce = hv_read_bool(r, at, "coalesce");
	get_devices(r, at, p);
	get_rates(r, at, p);
	get_accept(r, at, p);
	lua_pop(r->L, 1);
}
