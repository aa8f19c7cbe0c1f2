/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CLOCK_REFS_H
#define HV_CLOCK_REFS_H

#include "clock/host.h"
#include "fdt/fdt.h"

/*
 * Clocks, resets and power domains as device trees name them: a provider's phandle and as many
 * cells as it says. Trees are hostile here, too.
 */
#define HV_CLOCK_CELLS 8

struct hv_clock_ref {
	int provider; /* node offset; -1: an empty slot */
	uint32_t phandle;
	unsigned int n_cells;
	uint32_t cells[HV_CLOCK_CELLS];
	const char *name; /* of clock-names and so on; NULL; valid until the tree changes */
};

/* Entries of one node that are looked at. */
#define HV_CLOCK_REFS_MAX 1024

/* A walk over a node's clocks, resets or power-domains; the tree may not change meanwhile. */
struct hv_clock_refs {
	unsigned int index; /* how many were given */
	/* private */
	const struct hv_fdt *tree;
	int node, provider;
	enum hv_lent kind;
	const void *cells;
	unsigned int bytes, at;
	uint32_t phandle, n_cells;
};

void hv_clock_refs_begin(struct hv_clock_refs *it, const struct hv_fdt *tree, int node,
			 enum hv_lent kind);
/* 1 = got one, 0 = that was all; -EINVAL: the list is malformed, with where. */
int hv_clock_refs_next(struct hv_clock_refs *it, struct hv_clock_ref *ref, struct hv_err *err);

/* A node by path, path behind an alias, or "&label" where the tree has symbols. */
int hv_clock_ref_node(const struct hv_fdt *tree, const char *path, int *node, struct hv_err *err);

/* zone0's node that lists what is lent; -ENOENT. */
int hv_clock_ref_lender(const struct hv_fdt *tree, int *node, struct hv_err *err);

/* The place of an entry equal to ref in the lender's list. -ENOENT when it is not lent. */
int hv_clock_ref_lent(const struct hv_fdt *tree, enum hv_lent kind, const struct hv_clock_ref *ref,
		      uint32_t *id, struct hv_err *err);

/* Whether a text is meant as a reference, not as a name. */
bool hv_clock_ref_is(const char *text);
/* "/soc/serial@3000:baud" to the id. */
int hv_clock_ref_id(const struct hv_fdt *tree, enum hv_lent kind, const char *text, uint32_t *id,
		    struct hv_err *err);

#endif
