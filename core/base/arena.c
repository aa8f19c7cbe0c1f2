// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 8192

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct hv_arena {
	struct chunk *chunks;
};

struct hv_arena *hv_arena_new(void)
{
	return calloc(1, sizeof(struct hv_arena));
}

void hv_arena_free(struct hv_arena *arena)
{
	struct chunk *c, *next;

	if (!arena)
		return;
	for (c = arena->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(arena);
}

void *hv_arena_alloc(struct hv_arena *arena, size_t size)
{
	const size_t align = sizeof(max_align_t);
	struct chunk *c = arena->chunks;
	size_t want;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + align - 1) / align * align;
	if (!c || c->size - c->used < size) {
		want = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		c = calloc(1, sizeof(*c) + want);
		if (!c)
			return NULL;
		c->size = want;
		c->next = arena->chunks;
		arena->chunks = c;
	}
	c->used += size;
	return (char *)c->data + c->used - size;
}

void *hv_arena_array(struct hv_arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return hv_arena_alloc(arena, bytes);
}

char *hv_arena_strndup(struct hv_arena *arena, const char *text, size_t len)
{
	char *copy;

	len = strnlen(text, len);
	copy = hv_arena_alloc(arena, len + 1);
	if (copy)
		memcpy(copy, text, len);
	return copy;
}

char *hv_arena_strdup(struct hv_arena *arena, const char *text)
{
	return text ? hv_arena_strndup(arena, text, strlen(text)) : NULL;
}

char *hv_arena_printf(struct hv_arena *arena, const char *fmt, ...)
{
	va_list ap, again;
	char *text = NULL;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len >= 0)
		text = hv_arena_alloc(arena, (size_t)len + 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}
