// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "lua/spec.h"

#define SET "hvsh.set"

/* ---- sets */

static int set_gc(lua_State *L)
{
	struct hv_bind_set *s = luaL_checkudata(L, 1, SET);

	if (s->has_findings)
		hv_findings_free(&s->findings);
	s->has_findings = false;
	hv_zone_set_free(s->set);
	s->set = NULL;
	return 0;
}

struct hv_bind_set *hv_bind_set_check(lua_State *L, int idx)
{
	return luaL_checkudata(L, idx, SET);
}

static int check_boards(const struct hv_zone_set *set, struct hv_err *err)
{
	const struct hv_zone_spec *first = NULL;

	for (size_t i = 0; i < hv_zone_set_count(set); i++) {
		const struct hv_zone_spec *spec = hv_zone_set_at(set, i)->spec;
		const char *difference;

		if (!spec->board)
			continue;
		if (!first)
			first = spec;
		difference = hv_board_difference(first->board, spec->board);
		if (difference)
			return hv_err_set(
				err, EINVAL,
				"zone %s is for board %s and zone %s for board %s, which differ in "
				"%s: all zones of a script are for one machine",
				first->name, first->board->name, spec->name, spec->board->name,
				difference);
	}
	return 0;
}

static int fill(lua_State *L, int idx, struct hv_zone_set *set, struct hv_err *err)
{
	lua_Integer n;

	if (!idx)
		return 0;
	luaL_checktype(L, idx, LUA_TTABLE);
	n = luaL_len(L, idx);
	for (lua_Integer i = 1; i <= n; i++) {
		int rc;

		lua_geti(L, idx, i);
		rc = hv_spec_add_from_lua(L, lua_absindex(L, -1), set, err);
		if (rc < 0)
			return rc;
		lua_pop(L, 1);
	}
	return check_boards(set, err);
}

struct hv_bind_set *hv_bind_set_new(lua_State *L, int idx, struct hv_err *err)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	struct hv_bind_set *s;
	int top;

	hv_bind_type(L, SET, none, set_gc);
	s = lua_newuserdatauv(L, sizeof(*s), 0);
	*s = (struct hv_bind_set){ 0 };
	luaL_setmetatable(L, SET);
	top = lua_gettop(L);

	if (hv_findings_init(&s->findings) < 0) {
		hv_err_nomem(err);
	} else {
		s->has_findings = true;
		if (hv_zone_set_new(&s->set, err) >= 0 && fill(L, idx, s->set, err) >= 0)
			return s;
	}
	lua_settop(L, top - 1);
	return NULL;
}

/* The board the zones name, else that of --board; NULL when neither says. May raise. */
static const struct hv_board *board_of(lua_State *L, const struct hv_bind_set *s, int *arch)
{
	const struct hv_session *session = hv_session_of(L);
	const struct hv_board *board = NULL;

	*arch = -1;
	for (size_t i = 0; i < hv_zone_set_count(s->set); i++) {
		const struct hv_zone_spec *spec = hv_zone_set_at(s->set, i)->spec;

		if (*arch < 0)
			*arch = (int)spec->arch;
		if (spec->board)
			return spec->board;
	}
	if (session->board) {
		lua_getglobal(L, "require");
		lua_pushfstring(L, "board.%s", session->board);
		lua_call(L, 1, 1);
		board = hv_board_from_lua(L, lua_absindex(L, -1), hv_zone_set_arena(s->set));
		lua_pop(L, 1);
	}
	return board;
}

int hv_bind_machine(lua_State *L, struct hv_bind_set *s, enum hv_need need,
		    struct hv_machine *machine, struct hv_err *err)
{
	struct hv_session *session = hv_session_of(L);
	struct hv_err why = { 0 };
	int arch, rc;
	const struct hv_board *board = board_of(L, s, &arch);

	rc = hv_session_machine(session, board, arch, need, machine, &why);
	if (rc < 0) {
		if (err)
			*err = why;
		return rc;
	}
	if (need == HV_NEED_MAYBE && !machine->hyp)
		hv_findings_add(&s->findings, HV_NOTE, "no-hypervisor",
				"checked without the zones that run: %s", why.msg);
	return 0;
}

int hv_bind_set_run_check(lua_State *L, struct hv_bind_set *s, enum hv_need need,
			  struct hv_machine *machine, struct hv_err *err)
{
	int rc = hv_bind_machine(L, s, need, machine, err);

	if (rc >= 0)
		rc = hv_zone_set_check(s->set, machine, &s->findings, err);
	if (rc >= 0 && s->findings.failed)
		rc = hv_err_nomem(err);
	return rc;
}

/* ---- findings */

static void push_party(lua_State *L, const struct hv_party *party)
{
	lua_createtable(L, 0, 5);
	hv_bind_field(L, "zone", party->zone);
	hv_bind_field(L, "what", party->what);
	hv_bind_origin(L, &party->origin);
}

void hv_bind_push_findings(lua_State *L, const struct hv_findings *findings)
{
	luaL_checkstack(L, 6, NULL);
	lua_createtable(L, (int)findings->n, 0);
	for (size_t i = 0; i < findings->n; i++) {
		const struct hv_finding *f = &findings->items[i];

		lua_createtable(L, 0, 6);
		hv_bind_field(L, "severity", hv_severity_name(f->severity));
		hv_bind_field(L, "code", f->code);
		hv_bind_field(L, "message", f->message);
		hv_bind_field(L, "fix", f->fix);
		push_party(L, &f->a);
		lua_setfield(L, -2, "a");
		if (f->b.zone || f->b.what) {
			push_party(L, &f->b);
			lua_setfield(L, -2, "b");
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

int hv_bind_refuse(const struct hv_findings *findings, struct hv_err *err)
{
	for (size_t i = 0; i < findings->n; i++) {
		const struct hv_finding *f = &findings->items[i];
		char place[HV_ORIGIN_TEXT];

		if (f->severity != HV_ERROR)
			continue;
		hv_origin_format(&f->a.origin, place);
		if (findings->n_errors > 1)
			return hv_err_set(err, EINVAL, "%s%s%s (and %zu more errors)", place,
					  *place ? ": " : "", f->message, findings->n_errors - 1);
		return hv_err_set(err, EINVAL, "%s%s%s", place, *place ? ": " : "", f->message);
	}
	return 0;
}

/* check(specs) -> findings */
static int check(lua_State *L)
{
	struct hv_machine machine;
	struct hv_err err;
	struct hv_bind_set *s;

	lua_settop(L, 1);
	s = hv_bind_set_new(L, 1, &err);
	if (!s || hv_bind_set_run_check(L, s, HV_NEED_MAYBE, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	hv_bind_push_findings(L, &s->findings);
	return 1;
}

/* ---- the bytes of a zone */

/* The argument, else the option of the command line, else fallback. */
static int arch_arg(lua_State *L, int idx, int fallback, struct hv_err *err)
{
	const char *text = luaL_optstring(L, idx, NULL);
	const struct hv_session *session = hv_session_of(L);
	int arch;

	if (!text)
		return session->arch >= 0 ? session->arch : fallback;
	arch = hv_arch_parse(text);
	if (arch < 0)
		return hv_err_set(err, EINVAL,
				  "%s is no architecture: arm64, riscv64, loongarch64 or x86_64",
				  text);
	return arch;
}

static int layout_arg(lua_State *L, int idx, int fallback, struct hv_err *err)
{
	const char *text = luaL_optstring(L, idx, NULL);
	const struct hv_session *session = hv_session_of(L);

	if (!text)
		return session->layout >= 0 ? session->layout : fallback;
	return hv_layout_parse(text, err);
}

/* encode(spec, arch, layout) -> bytes | nil, message, code, findings */
static int encode(lua_State *L)
{
	unsigned char bytes[HV_ZONE_CONFIG_MAX];
	struct hv_machine machine;
	struct hv_err err;
	struct hv_bind_set *s;
	const struct hv_zone *zone;
	int arch, layout, n;

	luaL_argcheck(L, !lua_isnoneornil(L, 1), 1, "a spec expected");
	lua_settop(L, 3);
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, 1);
	lua_rawseti(L, -2, 1);
	s = hv_bind_set_new(L, 4, &err);
	if (!s)
		return hv_bind_fail(L, &err);
	zone = hv_zone_set_at(s->set, 0);
	arch = arch_arg(L, 2, (int)zone->spec->arch, &err);
	if (arch < 0)
		return hv_bind_fail(L, &err);
	layout = layout_arg(L, 3, HV_LAYOUT_6, &err);
	if (layout < 0)
		return hv_bind_fail(L, &err);
	if (arch != (int)zone->spec->arch) {
		hv_err_set(&err, EINVAL, "zone %s is for %s: it has no %s form", zone->spec->name,
			   hv_arch_name(zone->spec->arch), hv_arch_name((enum hv_arch)arch));
		return hv_bind_fail(L, &err);
	}
	if (hv_bind_set_run_check(L, s, HV_NEED_NONE, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	if (s->findings.n_errors > 0) {
		hv_bind_refuse(&s->findings, &err);
		hv_bind_fail(L, &err);
		hv_bind_push_findings(L, &s->findings);
		return 4;
	}
	n = hv_zone_config_encode((enum hv_layout)layout, (enum hv_arch)arch, &zone->abi, bytes,
				  sizeof(bytes), &err);
	if (n < 0)
		return hv_bind_fail(L, &err);
	lua_pushlstring(L, (const char *)bytes, (size_t)n);
	return 1;
}

/* decode(bytes, layout, arch) -> text */
static int decode(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	struct hv_err err;
	struct hv_buf *buf;
	int arch, layout;

	lua_settop(L, 3);
	err.code = 0;
	layout = layout_arg(L, 2, -1, &err);
	arch = err.code ? -1 : arch_arg(L, 3, -1, &err);
	if (err.code)
		return hv_bind_fail(L, &err);
	buf = hv_bind_buf(L);
	if (hv_zone_config_explain(layout, arch, bytes, size, buf, &err) < 0 ||
	    hv_bind_buf_text(L, &err) < 0)
		return hv_bind_fail(L, &err);
	return 1;
}

void hv_bind_check(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "check", check },
		{ "encode", encode },
		{ "decode", decode },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
