/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_FDT_PRIV_H
#define HV_FDT_FDT_PRIV_H

#include <libfdt.h>

#include "fdt/fdt.h"

#define FDT_BLOB_MAX ((size_t)16 << 20)
#define FDT_DEPTH_MAX 64

/* What stands for a cell count that is absent, or that is no count at all. */
#define CELLS_ABSENT (-1)
#define CELLS_BAD (-2)
#define ADDR_CELLS_MAX 4
#define IRQ_CELLS_MAX 16

/*
 * One entry per node, in the order of the blob. libfdt looks for parents and
 * phandles from the start of the blob each time; a hostile tree makes that quadratic.
 */
struct fdt_node {
	int offset;
	int parent;	  /* index; -1 for the root */
	int end;	  /* index of the first node behind its subtree */
	uint32_t phandle; /* 0 = none */
	int8_t address_cells, size_cells, interrupt_cells; /* the node's own properties */
	bool enabled;					   /* and so are all its parents */
};

struct fdt_phandle {
	uint32_t phandle;
	int node; /* index */
};

struct hv_fdt {
	void *blob;
	size_t size;
	char *label;
	int n_nodes;
	struct fdt_node *nodes;
	size_t n_phandles;
	struct fdt_phandle *phandles; /* sorted */
	unsigned int generation;      /* counts the changes */
};

/* Node offset to index; -1 when no node starts there. */
int fdt_index_of(const struct hv_fdt *tree, int node);
/* Index of the first node that has the phandle; -1 when there is none. */
int fdt_index_by_phandle(const struct hv_fdt *tree, uint32_t phandle);

/* The property's bytes (4-aligned), or NULL. */
const fdt32_t *fdt_index_prop(const struct hv_fdt *tree, int index, const char *name, int *len);
/* The property as a terminated string (the first of several), or NULL. */
const char *fdt_index_string(const struct hv_fdt *tree, int index, const char *name);
/* The child of that name; without a unit address in name the first whose name matches before it. */
int fdt_index_child(const struct hv_fdt *tree, int index, const char *name, size_t len);
/* An absolute path of len bytes; -1 = none. */
int fdt_index_by_path(const struct hv_fdt *tree, const char *path, size_t len);
bool fdt_index_compatible(const struct hv_fdt *tree, int index, const char *compatible);
const char *fdt_index_path(const struct hv_fdt *tree, int index, char *out, size_t cap);
#define FDT_PATH_TEXT 256

/* (Re)builds nodes and phandles from the blob. Refuses what the rest could not walk, with the
 * offset. */
int fdt_index_build(struct hv_fdt *tree, struct hv_err *err);

/* The cells a bus node gives its children; defaults applied. -EINVAL with a message. */
int fdt_bus_cells(const struct hv_fdt *tree, int index, int *address_cells, int *size_cells,
		  struct hv_err *err);

/* Takes nodes (indexes, ascending, none below another) away, or switches them off, in one change. */
int fdt_remove_or_disable(struct hv_fdt *tree, const int *indexes, size_t n, bool remove,
			  struct hv_err *err);

/* As hv_fdt_reg and hv_fdt_irq, by index, and without the node's path in the message. */
int fdt_reg(const struct hv_fdt *tree, int index, unsigned int i, uint64_t *addr, uint64_t *size,
	    struct hv_err *err);
int fdt_irq(const struct hv_fdt *tree, int index, unsigned int i, struct hv_fdt_irq *irq,
	    struct hv_err *err);

/* The node that takes a node's interrupts: a controller or a nexus; -1 = none. */
int fdt_irq_parent(const struct hv_fdt *tree, int index);

/*
 * Routing that a controller's own properties describe, without phandles. fdt_irq_channel: the i-th
 * interrupt a controller takes from its parent (-ENOENT: none); fdt_irq_route: what becomes of an
 * interrupt that reaches a controller (-EOPNOTSUPP: not in the tree, or not known). Both return
 * the index of the controller that gets the cells.
 */
int fdt_irq_channel(const struct hv_fdt *tree, int index, unsigned int i, uint32_t cells[3],
		    struct hv_err *err);
int fdt_irq_route(const struct hv_fdt *tree, int index, const uint32_t *in, int n_in,
		  uint32_t cells[3], struct hv_err *err);

/* What kind of controller a node is; NONE when it is no interrupt controller. */
enum hv_irq_controller fdt_irq_controller(const struct hv_fdt *tree, int index);

/* Puts "label: path: " before the message; returns rc. */
int fdt_err_place(const struct hv_fdt *tree, int index, int rc, struct hv_err *err);

#endif
