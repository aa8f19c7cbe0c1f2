// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the largest stretch of memory, when there are few and when there are many. */
#define TALLEST_ROWS 8
#define SHORTEST_ROWS 3
#define TALL_ROWS_TOTAL 36
/* Its text, and what it is of. */
#define CONFLICT_ROWS 2
/* An empty stretch up to this many rows is drawn to scale. */
#define EMPTY_ROWS 2
/* Holes between neighbouring register windows that are not worth a row. */
#define NEGLIGIBLE (16 * HV_MIB)

/* More crossed-out places than this show nothing new; they are counted. */
#define KEPT_CONFLICTS 256

/* What lies between two neighbouring starts or ends of spans. */
struct stretch {
	uint64_t start, end;
	size_t covers; /* spans that get a block */
	size_t windows;
	size_t conflicts;
	bool memory;	    /* RAM of somebody; otherwise registers */
	size_t first, last; /* its rows */
};

struct builder {
	const struct hv_memmap *map;
	struct hv_picture *p;
	size_t n_cuts;
	uint64_t *cuts;
	size_t n;
	struct stretch *stretches;
	size_t cap_rows;
	bool skipped; /* see hv_picture_row */
	bool failed;
};

const char *hv_picture_kind(enum hv_span_kind kind)
{
	static const char *const names[HV_PICTURE_KINDS] = {
		[HV_SPAN_RAM] = "ram",		 [HV_SPAN_IO] = "io",
		[HV_SPAN_VIRTIO] = "virtio",	 [HV_SPAN_ROOT] = "ram",
		[HV_SPAN_RESERVED] = "reserved", [HV_SPAN_HYPERVISOR] = "memory",
		[HV_SPAN_WINDOW] = "RAM",	 [HV_SPAN_SHARED] = "shared",
	};

	return names[kind];
}

const char *hv_picture_size(uint64_t bytes, char out[HV_SIZE_TEXT])
{
	static const char units[] = "KMGTPE";
	unsigned int shift = 10;
	uint64_t tenths;

	if (bytes < HV_PAGE_SIZE) {
		snprintf(out, HV_SIZE_TEXT, "0x%" PRIx64, bytes);
		return out;
	}
	hv_size_format(bytes, out);
	if (out[1] != 'x' && strlen(out) <= (strchr(out, '.') ? 6 : 5))
		return out;
	while (shift < 60 && bytes >> (shift + 10))
		shift += 10;
	tenths = ((bytes >> (shift - 10)) * 10 + 512) >> 10;
	snprintf(out, HV_SIZE_TEXT, "~%" PRIu64, tenths / 10);
	if (tenths % 10)
		snprintf(out + strlen(out), 4, ".%u", (unsigned int)(tenths % 10));
	strncat(out, &units[shift / 10 - 1], 1);
	return out;
}

/* ---- owners */

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static size_t owner_index(const struct hv_picture *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->n_owners && strcmp(p->owners[i].name, name); i++)
		;
	return i;
}

static int by_class(const void *a, const void *b)
{
	const struct hv_picture_owner *x = a, *y = b;

	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int by_name(const void *a, const void *b)
{
	struct hv_picture_owner *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* From the name, so that a zone keeps its colour when another comes or goes. */
static int choose_hues(struct hv_picture *p)
{
	struct hv_picture_owner **sorted = hv_arena_array(p->arena, p->n_owners, sizeof(*sorted));
	unsigned int taken = 0;
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_owners; i++)
		if (p->owners[i].class == HV_OWNER_ZONE)
			sorted[n++] = &p->owners[i];
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++) {
		uint32_t hash = 0;

		for (const char *c = sorted[i]->name; *c; c++)
			hash = hash * 31 + (unsigned char)*c;
		if (taken == (1u << HV_PICTURE_HUES) - 1)
			taken = 0;
		hash %= HV_PICTURE_HUES;
		while (taken & 1u << hash)
			hash = (hash + 1) % HV_PICTURE_HUES;
		taken |= 1u << hash;
		sorted[i]->hue = hash;
	}
	return 0;
}

static int find_owners(struct builder *b)
{
	struct hv_picture *p = b->p;
	size_t n = hv_memmap_count(b->map);

	p->owners = hv_arena_array(p->arena, n, sizeof(*p->owners));
	if (!p->owners)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct hv_span *s = hv_memmap_at(b->map, i);
		size_t order = hv_memmap_order(b->map, i);
		size_t k = owner_index(p, s->zone);
		struct hv_picture_owner *o = &p->owners[k];

		if (k == p->n_owners) {
			p->n_owners++;
			o->name = s->zone;
			o->class = strcmp(s->zone, "zone0") ? HV_OWNER_ZONE : HV_OWNER_ROOT;
			o->order = order;
		}
		o->order = order < o->order ? order : o->order;
		o->column |= s->kind != HV_SPAN_WINDOW;
		o->bytes[s->kind] = add_saturated(o->bytes[s->kind], s->size);
		o->count[s->kind]++;
		if (s->kind == HV_SPAN_HYPERVISOR)
			o->class = HV_OWNER_HYPERVISOR;
		else if (s->kind == HV_SPAN_WINDOW)
			o->class = HV_OWNER_BOARD;
	}
	qsort(p->owners, p->n_owners, sizeof(*p->owners), by_class);
	return choose_hues(p);
}

/* ---- stretches */

static int by_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The stretch that starts at a cut. */
static size_t cut_index(const struct builder *b, uint64_t addr)
{
	const uint64_t *at = bsearch(&addr, b->cuts, b->n_cuts, sizeof(*b->cuts), by_address);

	return (size_t)(at - b->cuts);
}

static int note_conflict(const struct hv_span *a, const struct hv_span *b, uint64_t start,
			 uint64_t size, void *arg)
{
	struct builder *build = arg;
	struct hv_picture *p = build->p;

	p->conflicts_found++;
	if (p->n_conflicts == KEPT_CONFLICTS)
		return 0;
	if (!p->conflicts)
		p->conflicts = hv_arena_array(p->arena, KEPT_CONFLICTS, sizeof(*p->conflicts));
	if (!p->conflicts)
		return -ENOMEM;
	p->conflicts[p->n_conflicts++] = (struct hv_picture_conflict){
		.a = a,
		.b = b,
		.start = start,
		.size = size,
		.owner_a = owner_index(p, a->zone),
		.owner_b = owner_index(p, b->zone),
	};
	return 0;
}

static bool is_memory(const struct hv_span *s)
{
	return s->kind != HV_SPAN_IO && s->kind != HV_SPAN_VIRTIO;
}

/*
 * Differences first, sums afterwards: n log n however the spans nest. Unsigned
 * counts may wrap in between and come out right.
 */
static int find_stretches(struct builder *b)
{
	size_t n = hv_memmap_count(b->map), unique = 0;
	struct hv_picture *p = b->p;
	size_t *memory;

	b->cuts = hv_arena_array(p->arena, 2 * n, sizeof(*b->cuts));
	b->stretches = hv_arena_array(p->arena, 2 * n, sizeof(*b->stretches));
	memory = hv_arena_array(p->arena, 2 * n, sizeof(*memory));
	if (!b->cuts || !b->stretches || !memory)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		b->cuts[2 * i] = hv_memmap_at(b->map, i)->start;
		b->cuts[2 * i + 1] = hv_span_end(hv_memmap_at(b->map, i));
	}
	qsort(b->cuts, 2 * n, sizeof(*b->cuts), by_address);
	for (size_t i = 0; i < 2 * n; i++)
		if (!i || b->cuts[i] != b->cuts[unique - 1])
			b->cuts[unique++] = b->cuts[i];
	b->n_cuts = unique;
	b->n = unique - 1;
	p->end = b->cuts[unique - 1];
	for (size_t i = 0; i < n; i++) {
		const struct hv_span *s = hv_memmap_at(b->map, i);
		size_t from = cut_index(b, s->start), to = cut_index(b, hv_span_end(s));

		if (s->kind == HV_SPAN_WINDOW) {
			b->stretches[from].windows++;
			b->stretches[to].windows--;
			continue;
		}
		b->stretches[from].covers++;
		b->stretches[to].covers--;
		memory[from] += is_memory(s);
		memory[to] -= is_memory(s);
	}
	for (size_t i = 0; i < p->n_conflicts; i++) {
		const struct hv_picture_conflict *c = &p->conflicts[i];

		b->stretches[cut_index(b, c->start)].conflicts++;
		b->stretches[cut_index(b, c->start + c->size)].conflicts--;
	}
	for (size_t i = 0; i < b->n; i++) {
		struct stretch *s = &b->stretches[i];

		s->start = b->cuts[i];
		s->end = b->cuts[i + 1];
		if (i) {
			s->covers += s[-1].covers;
			s->windows += s[-1].windows;
			s->conflicts += s[-1].conflicts;
			memory[i] += memory[i - 1];
		}
		s->memory = memory[i] > 0;
	}
	return 0;
}

/* ---- rows */

static void add_row(struct builder *b, const struct hv_picture_row *row)
{
	struct hv_picture *p = b->p;

	if (p->n_rows == b->cap_rows) {
		size_t cap = b->cap_rows ? 2 * b->cap_rows : 64;
		struct hv_picture_row *rows = hv_arena_array(p->arena, cap, sizeof(*rows));

		if (!rows) {
			b->failed = true;
			return;
		}
		if (p->n_rows)
			memcpy(rows, p->rows, p->n_rows * sizeof(*rows));
		p->rows = rows;
		b->cap_rows = cap;
	}
	p->rows[p->n_rows++] = *row;
}

/* Bytes a row stands for where it is drawn to scale, and the most rows one stretch gets. */
static uint64_t row_scale(const struct builder *b, uint64_t *tallest)
{
	uint64_t largest = 0, largest_io = 0;
	size_t tall = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct stretch *s = &b->stretches[i];
		uint64_t size = s->end - s->start;

		if (s->covers && s->memory && size > largest)
			largest = size;
		if (s->covers && size > largest_io)
			largest_io = size;
	}
	/* Registers alone: the picture is small, whatever they are. */
	if (!largest) {
		*tallest = SHORTEST_ROWS;
		return largest_io / SHORTEST_ROWS + 1;
	}
	for (size_t i = 0; i < b->n; i++)
		if (b->stretches[i].memory &&
		    b->stretches[i].end - b->stretches[i].start > largest / 4)
			tall++;
	*tallest = TALL_ROWS_TOTAL / tall;
	if (*tallest > TALLEST_ROWS)
		*tallest = TALLEST_ROWS;
	if (*tallest < SHORTEST_ROWS)
		*tallest = SHORTEST_ROWS;
	return largest / *tallest + 1;
}

static uint64_t clamped(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void add_rows(struct builder *b, struct stretch *s, enum hv_row_kind kind, uint64_t rows)
{
	uint64_t size = s->end - s->start;

	s->first = b->p->n_rows;
	for (uint64_t i = 0; i < rows; i++) {
		struct hv_picture_row row = {
			.kind = kind,
			.in_window = s->windows > 0,
			.first = !i,
			.skipped = !i && b->skipped,
			.start = s->start + size / rows * i,
			.end = i + 1 < rows ? s->start + size / rows * (i + 1) : s->end,
			.size = size,
		};

		add_row(b, &row);
	}
	s->last = b->p->n_rows - 1;
	b->skipped = false;
}

static void add_empty(struct builder *b, struct stretch *s, uint64_t scale)
{
	uint64_t size = s->end - s->start;
	uint64_t rows = size / scale + (size % scale > scale / 2);

	if (!s->windows && size < NEGLIGIBLE && b->p->n_rows) {
		b->skipped = true;
		return;
	}
	if (rows <= EMPTY_ROWS && s->windows)
		add_rows(b, s, HV_ROW_EMPTY, rows ? rows : 1);
	else
		add_rows(b, s, HV_ROW_ELIDED, 1);
}

static void add_window_rule(struct builder *b, uint64_t at, const struct hv_span *window)
{
	struct hv_picture_row row = {
		.kind = window ? HV_ROW_WINDOW_START : HV_ROW_WINDOW_END,
		.in_window = true,
		.first = true,
		.start = at,
		.end = at,
		.window = window,
	};

	add_row(b, &row);
}

static int make_rows(struct builder *b)
{
	size_t n = hv_memmap_count(b->map), next = 0;
	uint64_t tallest, scale = row_scale(b, &tallest);

	for (size_t i = 0; i < b->n; i++) {
		struct stretch *s = &b->stretches[i];
		uint64_t rows = (s->end - s->start) / scale + 1;

		if (i && s[-1].windows && !s->windows)
			add_window_rule(b, s->start, NULL);
		for (; next < n && hv_memmap_at(b->map, next)->start <= s->start; next++)
			if (hv_memmap_at(b->map, next)->kind == HV_SPAN_WINDOW)
				add_window_rule(b, s->start, hv_memmap_at(b->map, next));
		/* Two windows that touch leave a cut in what is one empty stretch. */
		while (!s->covers && i + 1 < b->n && !s[1].covers && !s->windows == !s[1].windows &&
		       (next == n || hv_memmap_at(b->map, next)->start > s->end)) {
			s[1].start = s->start;
			s++;
			i++;
		}
		if (s->covers)
			add_rows(b, s, HV_ROW_USED,
				 clamped(rows, s->conflicts ? CONFLICT_ROWS : 1,
					 s->memory ? tallest : SHORTEST_ROWS));
		else
			add_empty(b, s, scale);
	}
	if (b->stretches[b->n - 1].windows)
		add_window_rule(b, b->p->end, NULL);
	return b->failed ? -ENOMEM : 0;
}

/* ---- what stands on the rows */

static int by_layer(const void *a, const void *b)
{
	const struct hv_picture_block *x = a, *y = b;
	bool bx = hv_span_is_background(x->span), by = hv_span_is_background(y->span);

	if (bx != by)
		return bx ? -1 : 1;
	if (x->span->start != y->span->start)
		return x->span->start < y->span->start ? -1 : 1;
	/* The shorter one on top, or it would not be seen. */
	if (x->span->size != y->span->size)
		return x->span->size > y->span->size ? -1 : 1;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static void rows_of(const struct builder *b, uint64_t start, uint64_t size, size_t *first,
		    size_t *last)
{
	*first = b->stretches[cut_index(b, start)].first;
	*last = b->stretches[cut_index(b, start + size) - 1].last;
}

/* Inside the frame if there is an inside; not where a conflict is written. */
static void choose_label(struct hv_picture_block *block, const bool *busy)
{
	size_t from = block->first + (block->last > block->first + 1);

	for (size_t i = 0; i <= block->last - block->first; i++) {
		size_t row = from + i > block->last ? block->first : from + i;

		if (!busy[row]) {
			block->label = row;
			return;
		}
	}
	block->bare = true;
}

static int place_blocks(struct builder *b)
{
	struct hv_picture *p = b->p;
	bool *busy = hv_arena_array(p->arena, p->n_rows, sizeof(*busy));
	size_t n = hv_memmap_count(b->map);

	p->blocks = hv_arena_array(p->arena, n, sizeof(*p->blocks));
	if (!busy || !p->blocks)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_conflicts; i++) {
		struct hv_picture_conflict *c = &p->conflicts[i];

		rows_of(b, c->start, c->size, &c->first, &c->last);
		c->told = c->first + (c->last - c->first) / 2;
		busy[c->told] = true;
	}
	for (size_t i = 0; i < n; i++) {
		const struct hv_span *s = hv_memmap_at(b->map, i);
		struct hv_picture_block *block = &p->blocks[p->n_blocks];

		if (s->kind == HV_SPAN_WINDOW)
			continue;
		block->span = s;
		block->owner = owner_index(p, s->zone);
		rows_of(b, s->start, s->size, &block->first, &block->last);
		choose_label(block, busy);
		p->n_blocks++;
	}
	if (p->n_blocks)
		qsort(p->blocks, p->n_blocks, sizeof(*p->blocks), by_layer);
	return 0;
}

static int count_hole(uint64_t start, uint64_t size, void *arg)
{
	struct hv_picture *p = arg;

	p->free = add_saturated(p->free, size);
	if (size > p->largest) {
		p->largest = size;
		p->largest_at = start;
	}
	return 0;
}

static void count_ram(struct builder *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->stretches[i].windows) {
			b->p->has_windows = true;
			b->p->ram += b->cuts[i + 1] - b->cuts[i];
		}
	hv_memmap_holes(b->map, count_hole, b->p);
}

int hv_picture_new(const struct hv_memmap *map, struct hv_picture **out, struct hv_err *err)
{
	struct builder b = { .map = map };
	struct hv_arena *arena = hv_arena_new();

	b.p = arena ? hv_arena_alloc(arena, sizeof(*b.p)) : NULL;
	if (!b.p) {
		hv_arena_free(arena);
		return hv_err_nomem(err);
	}
	b.p->arena = arena;
	if (hv_memmap_count(map) &&
	    (find_owners(&b) || hv_memmap_conflicts(map, note_conflict, &b) || find_stretches(&b) ||
	     make_rows(&b) || place_blocks(&b))) {
		hv_arena_free(arena);
		return hv_err_nomem(err);
	}
	if (b.n)
		count_ram(&b);
	*out = b.p;
	return 0;
}

void hv_picture_free(struct hv_picture *picture)
{
	if (picture)
		hv_arena_free(picture->arena);
}
