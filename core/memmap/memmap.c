// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/memmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/size.h"

struct entry {
	struct hv_span span; /* first: hv_memmap_at() hands out its address */
	size_t seq;	     /* how many were added before it */
};

struct hv_memmap {
	struct hv_arena *arena;
	size_t n, cap;
	struct entry **sorted; /* by start, then by seq */
};

struct hv_memmap *hv_memmap_new(void)
{
	struct hv_memmap *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->arena = hv_arena_new();
	if (!map->arena) {
		free(map);
		return NULL;
	}
	return map;
}

void hv_memmap_free(struct hv_memmap *map)
{
	if (!map)
		return;
	hv_arena_free(map->arena);
	free(map->sorted);
	free(map);
}

static bool grow(struct hv_memmap *map)
{
	size_t cap = map->cap ? map->cap * 2 : 32;
	struct entry **sorted;

	if (map->n < map->cap)
		return true;
	sorted = reallocarray(map->sorted, cap, sizeof(struct entry *));
	if (!sorted)
		return false;
	map->sorted = sorted;
	map->cap = cap;
	return true;
}

/* A NULL stays NULL; anything else that cannot be copied clears *ok. */
static const char *copy(struct hv_memmap *map, const char *text, bool *ok)
{
	char *mine = hv_arena_strdup(map->arena, text);

	if (text && !mine)
		*ok = false;
	return mine;
}

/* How many entries start at or before addr. */
static size_t starts_until(const struct hv_memmap *map, uint64_t addr)
{
	size_t lo = 0, hi = map->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (map->sorted[mid]->span.start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int hv_memmap_add(struct hv_memmap *map, const struct hv_span *span, struct hv_err *err)
{
	struct entry *e;
	bool ok = true;
	uint64_t end;
	size_t i;

	if (!span->size)
		return hv_err_set(err, EINVAL, "%s %s at 0x%" PRIx64 " is empty", span->zone ?: "?",
				  span->what ?: "range", span->start);
	if (__builtin_add_overflow(span->start, span->size, &end))
		return hv_err_set(err, EINVAL,
				  "%s %s at 0x%" PRIx64 " with size 0x%" PRIx64
				  " goes beyond the last 64-bit address",
				  span->zone ?: "?", span->what ?: "range", span->start,
				  span->size);
	e = hv_arena_alloc(map->arena, sizeof(*e));
	if (!e || !grow(map))
		return hv_err_nomem(err);
	e->span = *span;
	e->seq = map->n;
	e->span.zone = copy(map, span->zone ?: "?", &ok);
	e->span.what = copy(map, span->what ?: "range", &ok);
	e->span.origin.file = copy(map, span->origin.file, &ok);
	e->span.origin.field = copy(map, span->origin.field, &ok);
	if (!ok)
		return hv_err_nomem(err);
	i = starts_until(map, span->start);
	memmove(map->sorted + i + 1, map->sorted + i, (map->n - i) * sizeof(struct entry *));
	map->sorted[i] = e;
	map->n++;
	return 0;
}

size_t hv_memmap_count(const struct hv_memmap *map)
{
	return map->n;
}

const struct hv_span *hv_memmap_at(const struct hv_memmap *map, size_t i)
{
	return &map->sorted[i]->span;
}

size_t hv_memmap_order(const struct hv_memmap *map, size_t i)
{
	return map->sorted[i]->seq;
}

static bool may_overlap(const struct hv_span *a, const struct hv_span *b)
{
	if (a->kind == HV_SPAN_SHARED && b->kind == HV_SPAN_SHARED)
		return true;
	if (a->kind == HV_SPAN_VIRTIO || b->kind == HV_SPAN_VIRTIO)
		return strcmp(a->zone, b->zone) != 0;
	return false;
}

static int report(const struct entry *x, const struct entry *y, hv_conflict_fn *f, void *arg)
{
	uint64_t x_end = hv_span_end(&x->span), y_end = hv_span_end(&y->span);
	uint64_t end = x_end < y_end ? x_end : y_end;
	bool in_order = x->seq < y->seq;

	if (may_overlap(&x->span, &y->span))
		return 0;
	/* x starts first: what both cover starts with y. */
	return f(in_order ? &x->span : &y->span, in_order ? &y->span : &x->span, y->span.start,
		 end - y->span.start, arg);
}

int hv_memmap_conflicts(const struct hv_memmap *map, hv_conflict_fn *f, void *arg)
{
	const struct entry **open;
	size_t n_open = 0;
	int ret = 0;

	if (!map->n)
		return 0;
	open = calloc(map->n, sizeof(*open));
	if (!open)
		return -ENOMEM;
	for (size_t i = 0; i < map->n && !ret; i++) {
		const struct entry *e = map->sorted[i];
		size_t kept = 0;

		if (hv_span_is_background(&e->span))
			continue;
		for (size_t k = 0; k < n_open; k++)
			if (hv_span_end(&open[k]->span) > e->span.start)
				open[kept++] = open[k];
		n_open = kept;
		for (size_t k = 0; k < n_open && !ret; k++)
			ret = report(open[k], e, f, arg);
		open[n_open++] = e;
	}
	free(open);
	return ret;
}

bool hv_memmap_covers(const struct hv_memmap *map, enum hv_span_kind kind, uint64_t start,
		      uint64_t size)
{
	uint64_t end;

	if (__builtin_add_overflow(start, size, &end))
		return false;
	for (size_t i = 0; i < map->n && start < end; i++) {
		const struct hv_span *s = &map->sorted[i]->span;

		if (s->start > start)
			break;
		if (s->kind == kind && hv_span_end(s) > start)
			start = hv_span_end(s);
	}
	return start >= end;
}

/* The next stretch of windows that touch each other; false when there is none from *i on. */
static bool next_window(const struct hv_memmap *map, size_t *i, uint64_t *start, uint64_t *end)
{
	bool found = false;

	for (; *i < map->n; (*i)++) {
		const struct hv_span *s = &map->sorted[*i]->span;

		if (s->kind != HV_SPAN_WINDOW)
			continue;
		if (found && s->start > *end)
			break;
		if (!found)
			*start = s->start;
		if (!found || hv_span_end(s) > *end)
			*end = hv_span_end(s);
		found = true;
	}
	return found;
}

int hv_memmap_holes(const struct hv_memmap *map, hv_hole_fn *f, void *arg)
{
	uint64_t start = 0, end = 0, at = 0;
	size_t w = 0, i = 0;
	int ret = 0;

	/* at only grows: a span that reaches over one window's end counts in the next, too. */
	while (!ret && next_window(map, &w, &start, &end)) {
		if (at < start)
			at = start;
		for (; !ret && i < map->n && map->sorted[i]->span.start < end; i++) {
			const struct hv_span *s = &map->sorted[i]->span;

			if (hv_span_is_background(s))
				continue;
			if (s->start > at)
				ret = f(at, s->start - at, arg);
			if (hv_span_end(s) > at)
				at = hv_span_end(s);
		}
		if (!ret && at < end)
			ret = f(at, end - at, arg);
		if (at < end)
			at = end;
	}
	return ret;
}

struct search {
	uint64_t size, align;
	uint64_t found;
	bool any;
	uint64_t largest, largest_at;
};

static int try_hole(uint64_t start, uint64_t size, void *arg)
{
	struct search *s = arg;
	uint64_t at = hv_align_up(start, s->align);

	s->any = true;
	if (size > s->largest) {
		s->largest = size;
		s->largest_at = start;
	}
	if (at < start || at - start >= size || size - (at - start) < s->size)
		return 0;
	s->found = at;
	return 1;
}

int hv_memmap_find_free(const struct hv_memmap *map, uint64_t size, uint64_t align, uint64_t *start,
			struct hv_err *err)
{
	char want[HV_SIZE_TEXT], step[HV_SIZE_TEXT], hole[HV_SIZE_TEXT];
	struct search s = { .size = size, .align = align };

	if (!size)
		return hv_err_set(err, EINVAL, "a place of size 0 was asked for");
	if (!align || (align & (align - 1)))
		return hv_err_set(err, EINVAL, "alignment 0x%" PRIx64 " is no power of two", align);
	if (hv_memmap_holes(map, try_hole, &s)) {
		*start = s.found;
		return 0;
	}
	hv_size_format(size, want);
	if (!s.any)
		return hv_err_set(err, ENOSPC,
				  "no free place for %s: nothing of the known RAM is free", want);
	return hv_err_set(
		err, ENOSPC,
		"no free place for %s aligned to %s: the largest hole is %s at 0x%" PRIx64, want,
		hv_size_format(align, step), hv_size_format(s.largest, hole), s.largest_at);
}
