// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"
#include "lua/event.h"
#include "lua/sandbox.h"

#include <errno.h>
#include <lauxlib.h>

/* The machine for calls that are about no zone in particular. Pushes the empty set that holds its
 * board. */
static int any_machine(lua_State *L, struct hv_machine *machine, struct hv_err *err)
{
	struct hv_bind_set *s = hv_bind_set_new(L, 0, err);

	if (!s)
		return -err->code;
	return hv_bind_machine(L, s, HV_NEED_HYP, machine, err);
}

/* list() -> {id, name, cpus = {…}, failed} each, the root zone first */
static int list(lua_State *L)
{
	struct hv_zone_info zones[HV_MAX_ZONES];
	struct hv_machine machine;
	struct hv_err err;
	int n;

	if (any_machine(L, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	n = hv_hyp_zone_list(machine.hyp, zones, HV_MAX_ZONES, &err);
	if (n < 0)
		return hv_bind_fail(L, &err);
	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		lua_createtable(L, 0, 4);
		hv_bind_field_int(L, "id", zones[i].id);
		hv_bind_field(L, "name", zones[i].name);
		hv_bind_push_cpus(L, zones[i].cpus);
		lua_setfield(L, -2, "cpus");
		lua_pushboolean(L, zones[i].is_err);
		lua_setfield(L, -2, "failed");
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* stop(id) -> true */
static int stop(lua_State *L)
{
	lua_Integer id = luaL_checkinteger(L, 1);
	struct hv_session *s = hv_session_of(L);
	struct hv_machine machine;
	struct hv_err err;
	int rc;

	luaL_argcheck(L, id >= 0 && id <= UINT32_MAX, 1, "a zone id is a number from 1 to 31");
	if (any_machine(L, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	hv_events_look(s, L);
	hv_events_stopping(s, (uint32_t)id, true);
	rc = hv_zone_stop(&machine, (uint32_t)id, &err);
	hv_events_look(s, L);
	hv_events_stopping(s, (uint32_t)id, false);
	if (rc < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static void push_limits(lua_State *L, const struct hv_machine *machine)
{
	const struct hv_board *board = machine->board;

	lua_createtable(L, 0, 8);
	hv_bind_field_int(L, "zones", board && board->max_zones ? board->max_zones : HV_MAX_ZONES);
	hv_bind_field_int(L, "cpus", board && board->n_cpus ? board->n_cpus : HV_MAX_CPUS);
	hv_bind_field_int(L, "regions", HV_MAX_REGIONS);
	hv_bind_field_int(L, "irqs", HV_MAX_IRQ);
	hv_bind_field_int(L, "virtio_devices", HV_BRIDGE_DEVICES);
	hv_bind_field_int(L, "pci_buses", HV_MAX_PCI_BUSES);
	hv_bind_field_int(L, "pci_devices", HV_MAX_PCI_DEVICES);
	hv_bind_field_int(L, "ivc", HV_MAX_IVC);
	hv_bind_field_int(L, "name", HV_ZONE_NAME_MAX);
}

/* info() -> {backend, name, arch, version, layout or nil, limits} */
static int info(lua_State *L)
{
	struct hv_machine machine;
	struct hv_err err;
	enum hv_layout layout;
	uint64_t version;

	if (any_machine(L, &machine, &err) < 0 || hv_hyp_version(machine.hyp, &version, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_createtable(L, 0, 7);
	hv_bind_field(L, "backend", hv_hyp_is_sim(machine.hyp) ? "sim" : "device");
	hv_bind_field(L, "name", hv_hyp_name(machine.hyp));
	hv_bind_field(L, "arch", hv_arch_name(hv_hyp_arch(machine.hyp)));
	hv_bind_field_int(L, "version", (lua_Integer)version);
	/* Which of two layouts it is shows at the first start; a version nobody knows has none. */
	if (hv_hyp_layout(machine.hyp, &layout, NULL) >= 0)
		hv_bind_field(L, "layout", hv_layout_name(layout));
	hv_sandbox_words(L);
	lua_setfield(L, -2, "sandbox");
	push_limits(L, &machine);
	lua_setfield(L, -2, "limits");
	return 1;
}

/* fault(text) -> true; the simulated hypervisor's faults on request */
static int fault(lua_State *L)
{
	const char *text = luaL_checkstring(L, 1);
	struct hv_machine machine;
	struct hv_err err;

	if (any_machine(L, &machine, &err) < 0 ||
	    hv_session_fault(hv_session_of(L), machine.hyp, text, &err) < 0)
		return hv_bind_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

void hv_bind_hv(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "list", list },   { "stop", stop }, { "info", info },
		{ "fault", fault }, { NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
