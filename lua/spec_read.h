/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SPEC_READ_H
#define HV_LUA_SPEC_READ_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/zone_config.h"
#include "base/arena.h"
#include "base/origin.h"
#include "zone/board.h"
#include "zone/spec.h"

/*
 * Raw reading of the tables that hvsh.dsl checked and normalised. A wrong type
 * here is a bug (or someone with the debug library): it raises, it never crashes. `t` is always the
 * absolute stack index of a table. What is copied goes to the arena.
 */
struct hv_reader {
	lua_State *L;
	struct hv_arena *arena;
	int places;	  /* {[table] = {[key] = path}}; boards have none */
	int origins;	  /* {[path] = {file=, line=}} */
	const char *file; /* the last file name copied: most origins share it */
};

/* p, or a Lua error when memory was out. */
void *hv_read_need(struct hv_reader *r, const void *p);
/* NULL for n = 0. */
void *hv_read_array(struct hv_reader *r, size_t n, size_t size);

/* Pushes t[key] when it is there; otherwise pushes nothing and is false. */
bool hv_read_push(struct hv_reader *r, int t, const char *key);
bool hv_read_push_table(struct hv_reader *r, int t, const char *key);
/* Pushes the table t[i + 1] and returns its index. */
int hv_read_push_entry(struct hv_reader *r, int t, size_t i);

const char *hv_read_text_at(struct hv_reader *r, int idx);
int64_t hv_read_integer_at(struct hv_reader *r, int idx);
/* NULL when there is none. */
const char *hv_read_text(struct hv_reader *r, int t, const char *key);
/* False, and *value unchanged, when there is none. */
bool hv_read_u64(struct hv_reader *r, int t, const char *key, uint64_t *value);
bool hv_read_u32(struct hv_reader *r, int t, const char *key, uint32_t *value);
/* 0 when there is none. */
uint8_t hv_read_u8(struct hv_reader *r, int t, const char *key);
bool hv_read_bool(struct hv_reader *r, int t, const char *key);
/* A list of CPU numbers as a bitmap. */
uint64_t hv_read_cpus(struct hv_reader *r, int t, const char *key);
/* {at=, size=} */
bool hv_read_window(struct hv_reader *r, int t, const char *key, uint64_t *at, uint64_t *size);

/* What zones and boards have in common; false when there is none. */
bool hv_read_gic(struct hv_reader *r, int t, struct hv_abi_arm64 *arm64);
bool hv_read_plic(struct hv_reader *r, int t, struct hv_abi_riscv64 *plic);
/* This machine's when there is none. */
enum hv_arch hv_read_arch(struct hv_reader *r, int t);
const struct hv_board *hv_read_board(struct hv_reader *r, int t);
/* t.passthrough, where there is one. */
void hv_read_passthrough(struct hv_reader *r, int t, struct hv_spec_passthrough *p);

/* Where t[key], t[i + 1], or the part with this path was written; all empty when that is not known.
 */
struct hv_origin hv_read_origin(struct hv_reader *r, int t, const char *key);
struct hv_origin hv_read_origin_at(struct hv_reader *r, int t, size_t i);
struct hv_origin hv_read_origin_of(struct hv_reader *r, const char *path);

/* Pushes what hvsh.dsl keeps behind the object at idx (registry table "hvsh.specs" or
 * "hvsh.boards"), nil when it is not one. */
int hv_read_behind(lua_State *L, int idx, const char *table);

#endif
