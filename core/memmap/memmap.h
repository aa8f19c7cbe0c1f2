/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_MEMMAP_MEMMAP_H
#define HV_MEMMAP_MEMMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"

/*
 * Ranges of one address space and who owns them: a machine's physical memory
 * with all zones, or the guest addresses of one zone. A map may hold ranges
 * that overlap (finding that is its purpose). It copies every string. Not thread-safe.
 */
enum hv_span_kind {
	HV_SPAN_RAM,        /* RAM given to a zone */
	HV_SPAN_IO,         /* device registers given to a zone */
	HV_SPAN_VIRTIO,     /* virtio register window: a guest address, trapped by the hypervisor */
	HV_SPAN_ROOT,       /* zone0's own RAM */
	HV_SPAN_RESERVED,   /* kept from zone0's kernel by its tree: background, zones may lie in it */
	HV_SPAN_HYPERVISOR, /* the hypervisor's own memory */
	HV_SPAN_WINDOW,     /* RAM that exists on the board: background for fit and drawing */
	HV_SPAN_SHARED,     /* shared on purpose: IVC memory, a region marked shared */
};

struct hv_span {
	uint64_t start, size; /* bytes; start + size does not wrap, size > 0 */
	enum hv_span_kind kind;
	const char *zone; /* owner, e.g. "linux1", "zone0", "hvisor", "board" */
	const char *what; /* e.g. "ram", "blk root", "gicd" */
	struct hv_origin origin;
};

static inline uint64_t hv_span_end(const struct hv_span *s)
{
	return s->start + s->size;
}

struct hv_memmap;

struct hv_memmap *hv_memmap_new(void); /* NULL when memory is out */
void hv_memmap_free(struct hv_memmap *map);

/* -EINVAL when the range is empty or goes beyond 2^64-1; -ENOMEM. */
int hv_memmap_add(struct hv_memmap *map, const struct hv_span *span, struct hv_err *err);

/*
 * Sorted by start, then by the order they were added. A span stays where it is until the map
 * is freed.
 */
size_t hv_memmap_count(const struct hv_memmap *map);
const struct hv_span *hv_memmap_at(const struct hv_memmap *map, size_t i);
/* How many spans were added before that one. */
size_t hv_memmap_order(const struct hv_memmap *map, size_t i);

/* WINDOW and RESERVED: what the others stand on. */
static inline bool hv_span_is_background(const struct hv_span *s)
{
	return s->kind == HV_SPAN_WINDOW || s->kind == HV_SPAN_RESERVED;
}

/*
 * Calls f for each pair of spans that overlap and may not: background never
 * conflicts, SHARED does not conflict with SHARED, and VIRTIO (nothing is mapped there, and
 * each zone has its own addresses) only with spans of the same zone. a was added before b;
 * [start, start + size) is what both cover. In the order of start. O(n log n + overlapping
 * pairs). Stops when f returns non-zero and returns that; -ENOMEM.
 */
typedef int hv_conflict_fn(const struct hv_span *a, const struct hv_span *b, uint64_t start,
			   uint64_t size, void *arg);
int hv_memmap_conflicts(const struct hv_memmap *map, hv_conflict_fn *f, void *arg);

/* Whether [start, start + size) lies in the union of the spans of one kind; false when it wraps. */
bool hv_memmap_covers(const struct hv_memmap *map, enum hv_span_kind kind, uint64_t start,
		      uint64_t size);

/*
 * Calls f for each stretch of the RAM windows that nothing but background
 * covers, ascending. Stops when f returns non-zero and returns that.
 */
typedef int hv_hole_fn(uint64_t start, uint64_t size, void *arg);
int hv_memmap_holes(const struct hv_memmap *map, hv_hole_fn *f, void *arg);

/*
 * The lowest place of that size and alignment (a power of two) inside a hole. -ENOSPC with the
 * largest hole in the message; -EINVAL for size 0 or another alignment.
 */
int hv_memmap_find_free(const struct hv_memmap *map, uint64_t size, uint64_t align, uint64_t *start,
			struct hv_err *err);

#endif
