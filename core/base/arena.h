/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_ARENA_H
#define HV_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/*
 * Memory that is given back all at once: a specification, a plan, a list of
 * findings each own one. Not thread-safe. Everything returned is aligned for
 * any type and zeroed; NULL when memory is out (callers say -ENOMEM).
 */
struct hv_arena;

struct hv_arena *hv_arena_new(void);
void hv_arena_free(struct hv_arena *arena);
void *hv_arena_alloc(struct hv_arena *arena, size_t size);
/* count * size, NULL as well when that overflows. */
void *hv_arena_array(struct hv_arena *arena, size_t count, size_t size);
/* Copies; a NULL text gives NULL. */
char *hv_arena_strdup(struct hv_arena *arena, const char *text);
/* At most len bytes, and none after a NUL. */
char *hv_arena_strndup(struct hv_arena *arena, const char *text, size_t len);
char *hv_arena_printf(struct hv_arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
