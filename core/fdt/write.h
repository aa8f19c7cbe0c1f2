/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_WRITE_H
#define HV_FDT_WRITE_H

#include "fdt/fdt.h"

/*
 * Writes a blob from front to back: begin and end nest, the properties of a node come before its
 * children. The first failure stays, everything after it does nothing, and fdt_write_finish
 * tells. Start from fdt_write_begin.
 */
struct fdt_write {
	void *blob;
	size_t size;
	int rc; /* the first failure; 0 = none */
};

void fdt_write_begin(struct fdt_write *w);
void fdt_write_node(struct fdt_write *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void fdt_write_end(struct fdt_write *w);

void fdt_write_prop(struct fdt_write *w, const char *name, const void *value, size_t len);
void fdt_write_flag(struct fdt_write *w, const char *name);
void fdt_write_string(struct fdt_write *w, const char *name, const char *text);
void fdt_write_cells(struct fdt_write *w, const char *name, const uint32_t *cells, size_t n);
#define fdt_write_u32s(w, name, ...)                                                               \
	fdt_write_cells(w, name, (const uint32_t[]){ __VA_ARGS__ },                                \
			sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
/* n pairs of 64-bit address and size, two cells each. */
void fdt_write_ranges(struct fdt_write *w, const char *name, const uint64_t (*pairs)[2], size_t n);

/* The tree, opened (and thereby checked); the writer is free afterwards in any case. */
int fdt_write_finish(struct fdt_write *w, const char *label, struct hv_fdt **tree,
		     struct hv_err *err);
/* Drops it. */
void fdt_write_free(struct fdt_write *w);

#endif
