/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_MEMMAP_PICTURE_H
#define HV_MEMMAP_PICTURE_H

#include "base/arena.h"
#include "base/size.h"
#include "memmap/memmap.h"

/*
 * What the terminal drawing and the SVG have in common: which rows the picture has, which
 * addresses each row stands for, and where each span lies on them. Built once, then only read.
 */
#define HV_PICTURE_KINDS (HV_SPAN_SHARED + 1)

enum hv_owner_class {
	HV_OWNER_ROOT,
	HV_OWNER_ZONE,
	HV_OWNER_HYPERVISOR,
	HV_OWNER_BOARD,
};

struct hv_picture_owner {
	const char *name;
	enum hv_owner_class class;
	unsigned int hue;   /* of a zone, from its name: the same in every picture but for clashes */
	bool column;        /* false when all it has are RAM windows, drawn behind the others */
	uint64_t bytes[HV_PICTURE_KINDS]; /* saturating */
	size_t count[HV_PICTURE_KINDS];
	size_t order;       /* of the first span added */
};
#define HV_PICTURE_HUES 10

enum hv_row_kind {
	HV_ROW_USED,
	HV_ROW_EMPTY,        /* to scale */
	HV_ROW_ELIDED,       /* too long to be drawn to scale */
	HV_ROW_WINDOW_START, /* before the first row of a RAM window; start is its address */
	HV_ROW_WINDOW_END,
};

struct hv_picture_row {
	enum hv_row_kind kind;
	bool in_window; /* RAM exists here */
	bool first;     /* of its stretch: start is where something begins or ends */
	bool skipped;   /* a hole before it, too small for a row of its own, is left out */
	uint64_t start, end;
	uint64_t size;                /* of the whole stretch */
	const struct hv_span *window; /* of WINDOW_START */
};

/* A span but a RAM window, on rows [first, last]. */
struct hv_picture_block {
	const struct hv_span *span;
	size_t owner;
	size_t first, last;
	size_t label; /* the row for its text: one that no conflict needs where there is one */
	bool bare;    /* no such row: the text is left to the legend */
};

struct hv_picture_conflict {
	const struct hv_span *a, *b;
	uint64_t start, size;
	size_t owner_a, owner_b;
	size_t first, last;
	size_t told; /* the row for its text */
};

struct hv_picture {
	struct hv_arena *arena;
	size_t n_owners;
	struct hv_picture_owner *owners; /* the root zone, zones as added, hypervisor, board */
	size_t n_rows;
	struct hv_picture_row *rows;
	size_t n_blocks;
	struct hv_picture_block *blocks; /* background first, then by start */
	size_t conflicts_found;
	size_t n_conflicts; /* the first of them */
	struct hv_picture_conflict *conflicts;
	bool has_windows;
	uint64_t ram, free, largest, largest_at; /* windows in all, holes in all, the largest hole */
	uint64_t end;                            /* the highest address */
};

int hv_picture_new(const struct hv_memmap *map, struct hv_picture **picture, struct hv_err *err);
void hv_picture_free(struct hv_picture *picture);

/* "768M", "0x200" below a page, "~15.4M" where no short text is exact; returns out. */
const char *hv_picture_size(uint64_t bytes, char out[HV_SIZE_TEXT]);

/* "ram", "io", "virtio", "root", … as the legend calls a kind. */
const char *hv_picture_kind(enum hv_span_kind kind);

#endif
