// SPDX-License-Identifier: GPL-2.0-or-later
#include <lauxlib.h>
#include <string.h>

#include "lua/spec.h"
#include "lua/spec_read.h"

static const struct hv_board_range *get_ranges(struct hv_reader *r, int t, const char *key,
					       unsigned int *count)
{
	struct hv_board_range *ranges;
	size_t i, n;
	int list;

	*count = 0;
	if (!hv_read_push_table(r, t, key))
		return NULL;
	list = lua_gettop(r->L);
	n = lua_rawlen(r->L, list);
	ranges = hv_read_array(r, n, sizeof(*ranges));
	for (i = 0; i < n; i++) {
		int e = hv_read_push_entry(r, list, i);

		hv_read_u64(r, e, "at", &ranges[i].start);
		hv_read_u64(r, e, "size", &ranges[i].size);
		ranges[i].name = hv_read_text(r, e, "name");
		if (!ranges[i].name)
			ranges[i].name = "ram";
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	*count = (unsigned int)n;
	return ranges;
}

static void get_slots(struct hv_reader *r, int t, struct hv_board *board)
{
	struct hv_board_slots *slots;
	size_t i, n;
	int list;

	if (!hv_read_push_table(r, t, "slots"))
		return;
	list = lua_gettop(r->L);
	n = lua_rawlen(r->L, list);
	slots = hv_read_array(r, n, sizeof(*slots));
	for (i = 0; i < n; i++) {
		int e = hv_read_push_entry(r, list, i);

		hv_read_u64(r, e, "at", &slots[i].at);
		hv_read_u64(r, e, "size", &slots[i].size);
		hv_read_u64(r, e, "stride", &slots[i].stride);
		hv_read_u32(r, e, "irq", &slots[i].first_irq);
		hv_read_u32(r, e, "count", &slots[i].count);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	board->slots = slots;
	board->n_slots = (unsigned int)n;
}

const struct hv_board *hv_read_board(struct hv_reader *r, int t)
{
	struct hv_board *board = hv_read_need(r, hv_arena_alloc(r->arena, sizeof(*board)));
	const char *controller;
	uint32_t n_cpus = 0;

	board->name = hv_read_text(r, t, "name");
	board->arch = hv_read_arch(r, t);
	hv_read_u32(r, t, "cpus", &n_cpus);
	board->n_cpus = n_cpus;
	board->ram = get_ranges(r, t, "ram", &board->n_ram);
	board->hypervisor.name = "hvisor";
	hv_read_window(r, t, "hypervisor", &board->hypervisor.start, &board->hypervisor.size);
	if (hv_read_push_table(r, t, "root")) {
		int root = lua_gettop(r->L);

		board->root_cpus = hv_read_cpus(r, root, "cpus");
		board->root_ram = get_ranges(r, root, "ram", &board->n_root_ram);
		lua_pop(r->L, 1);
	}
	get_slots(r, t, board);
	board->has_gic = hv_read_gic(r, t, &board->gic);
	hv_read_plic(r, t, &board->plic);
	hv_read_window(r, t, "ioapic", &board->ioapic_base, &board->ioapic_size);
	board->tree = hv_read_text(r, t, "tree");
	controller = hv_read_text(r, t, "controller");
	board->uses_aplic = controller && !strcmp(controller, "aplic");
	hv_read_u32(r, t, "wakeup_irq", &board->wakeup_irq);
	hv_read_u32(r, t, "max_zones", &board->max_zones);
	return board;
}

const struct hv_board *hv_board_from_lua(lua_State *L, int idx, struct hv_arena *arena)
{
	struct hv_reader r = { .L = L, .arena = arena };
	int top = lua_gettop(L);
	const struct hv_board *board;
	int t = hv_read_behind(L, idx, "hvsh.boards");

	if (!lua_istable(L, t))
		luaL_error(L, "a board was expected, got %s", luaL_typename(L, idx));
	board = hv_read_board(&r, t);
	lua_settop(L, top);
	return board;
}
