/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_FDT_H
#define HV_FDT_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * A flattened device tree, read through libfdt. The blob is hostile: opening
 * checks it as a whole (fdt_check_full), and every read afterwards is bounded. Node offsets
 * (int) stay valid until the tree is changed. Messages begin with the tree's label and the
 * node's path. A tree may be read by several threads while none changes it.
 */
struct hv_fdt;

/*
 * Copies the blob (what follows its own total size is ignored); -EINVAL with what is wrong and
 * at which offset, -EFBIG over 16 MiB. label names it in messages (a path) and is copied.
 */
int hv_fdt_open(const void *blob, size_t size, const char *label, struct hv_fdt **tree,
		struct hv_err *err);
/* The same from a regular file, whose path is the label. */
int hv_fdt_open_file(const char *path, struct hv_fdt **tree, struct hv_err *err);
/* From folders (nodes) and files (properties), as /proc/device-tree has them. */
int hv_fdt_open_folder(const char *path, struct hv_fdt **tree, struct hv_err *err);
/* What this machine's kernel was started with; -ENOENT where it has no tree. */
int hv_fdt_open_running(struct hv_fdt **tree, struct hv_err *err);
void hv_fdt_close(struct hv_fdt *tree);

/* The blob as it stands, for writing; valid until the next change or close. */
const void *hv_fdt_blob(const struct hv_fdt *tree, size_t *size);
const char *hv_fdt_label(const struct hv_fdt *tree);

/* A node's full path in out (cut at the front with "…" when it does not fit); returns out. */
const char *hv_fdt_path(const struct hv_fdt *tree, int node, char *out, size_t cap);

/* Absent, "okay" and "ok" mean enabled; a disabled parent disables its children. */
bool hv_fdt_enabled(const struct hv_fdt *tree, int node);

/*
 * The i-th reg of a node as CPU addresses, translated through every `ranges` up
 * to the root (cells come from the parent, 0 cells are legal). -ENOENT: no such
 * entry; -EXDEV: not translatable (a level without ranges, no tuple that holds all of it, PCI
 * configuration space or base address registers); -EINVAL: malformed.
 */
int hv_fdt_reg(const struct hv_fdt *tree, int node, unsigned int i, uint64_t *addr, uint64_t *size,
	       struct hv_err *err);

enum hv_irq_trigger {
	HV_IRQ_TRIGGER_UNKNOWN,
	HV_IRQ_EDGE_RISING,
	HV_IRQ_EDGE_FALLING,
	HV_IRQ_LEVEL_HIGH,
	HV_IRQ_LEVEL_LOW,
};

enum hv_irq_controller {
	HV_IRQC_NONE,
	HV_IRQC_GICV2,
	HV_IRQC_GICV3,
	HV_IRQC_PLIC,
	HV_IRQC_APLIC,
	HV_IRQC_OTHER, /* its numbers mean nothing to hvisor */
};

struct hv_fdt_irq {
	enum hv_irq_controller controller;
	int controller_node;
	int via_node; /* a controller in between that hands it on (qcom,pdc-ranges, a GPC); -1
		       */
	uint32_t number; /* in the controller's own numbering: INTID, PLIC source */
	enum hv_irq_trigger trigger;
};

/*
 * The i-th interrupt of a node, decoded to its controller (interrupts-extended
 * wins; interrupt-parent climbs; interrupt-map is applied). -ENOENT: no such entry;
 * -ENODATA: an empty slot among interrupts-extended, others may follow; -EOPNOTSUPP: a controller
 * we do not decode, with its name (irq then has controller OTHER or NONE and its node, no number);
 * -EINVAL: malformed, or a number the controller does not have.
 */
int hv_fdt_irq(const struct hv_fdt *tree, int node, unsigned int i, struct hv_fdt_irq *irq,
	       struct hv_err *err);

/* What kind of interrupt controller a node is; NONE when it is none. */
enum hv_irq_controller hv_fdt_controller(const struct hv_fdt *tree, int node);
/* "gicv2" … "aplic", "other", "none"; "edge rising", "level high", "unknown"…. Stable words. */
const char *hv_irq_controller_name(enum hv_irq_controller controller);
const char *hv_irq_trigger_name(enum hv_irq_trigger trigger);

/*
 * A node by its path (unit addresses may be left out), by alias ("serial0"), or by label
 * ("&uart", where the tree has __symbols__); "/more/names" may follow the last two. Its
 * offset; -ENOENT with how far the name is right.
 */
int hv_fdt_find(const struct hv_fdt *tree, const char *name, struct hv_err *err);
/* -1 = none. */
int hv_fdt_by_phandle(const struct hv_fdt *tree, uint32_t phandle);
/* 0 = it has none. */
uint32_t hv_fdt_phandle(const struct hv_fdt *tree, int node);
/* A label of the node, or NULL; valid until a change. */
const char *hv_fdt_symbol(const struct hv_fdt *tree, int node);
/* Offsets, or -1. The root is at hv_fdt_root. */
int hv_fdt_root(const struct hv_fdt *tree);
int hv_fdt_parent(const struct hv_fdt *tree, int node);
int hv_fdt_child(const struct hv_fdt *tree, int node);
int hv_fdt_sibling(const struct hv_fdt *tree, int node);
/* With the unit address; "" for the root. Bytes of the blob, valid until a change. */
const char *hv_fdt_name(const struct hv_fdt *tree, int node);
bool hv_fdt_compatible(const struct hv_fdt *tree, int node, const char *compatible);

/* The bytes of a property (valid until a change), or NULL. Cells are big endian. */
const void *hv_fdt_prop(const struct hv_fdt *tree, int node, const char *name, size_t *len);
typedef int hv_fdt_prop_fn(const char *name, const void *value, size_t len, void *arg);
int hv_fdt_each_prop(const struct hv_fdt *tree, int node, hv_fdt_prop_fn *f, void *arg);

/* Differs after each change: node offsets from before are no longer good. */
unsigned int hv_fdt_generation(const struct hv_fdt *tree);

/* Calls f for each node, depth first; stops when it returns non-zero and returns that. */
typedef int hv_fdt_node_fn(const struct hv_fdt *tree, int node, void *arg);
int hv_fdt_each(const struct hv_fdt *tree, hv_fdt_node_fn *f, void *arg);
/* Only enabled nodes compatible with a string. */
int hv_fdt_each_compatible(const struct hv_fdt *tree, const char *compatible, hv_fdt_node_fn *f,
			   void *arg);

/* What a zone's tree says of the machine it expects, gathered in one pass. */
#define HV_FDT_MAX_MEMORY 64
#define HV_FDT_MAX_VIRTIO 64
struct hv_fdt_machine {
	unsigned int n_cpus;   /* enabled nodes of device_type "cpu" under /cpus */
	unsigned int n_memory; /* ranges of the root's enabled memory nodes; empty ones left out */
	struct {
		uint64_t start, size;
	} memory[HV_FDT_MAX_MEMORY];
	unsigned int n_virtio; /* enabled nodes compatible "virtio,mmio" */
	struct {
		int node;
		uint64_t start, size;
		struct hv_fdt_irq irq; /* controller NONE when it could not be decoded */
	} virtio[HV_FDT_MAX_VIRTIO];
	/* Of the root's interrupt-parent, or the first we decode, or the first (OTHER). */
	enum hv_irq_controller irqc;
	int irqc_node; /* -1 = none */
	unsigned int n_irqc_reg;
	struct {
		uint64_t start, size;
	} irqc_reg[8];
	bool has_its;	      /* an enabled arm,gic-v3-its node */
	const char *bootargs; /* NULL when absent; valid until a change */
	bool has_initrd;
	uint64_t initrd_start, initrd_end; /* end exclusive */
};

/* Findings that do not stop the reading (a node that does not decode) are reported through note(),
 * which may be NULL. */
typedef void hv_fdt_note_fn(void *arg, const char *node_path, const char *message);
int hv_fdt_machine(const struct hv_fdt *tree, struct hv_fdt_machine *m, hv_fdt_note_fn *note,
		   void *arg, struct hv_err *err);

/*
 * Changes; the blob grows as needed (-EFBIG over 16 MiB) and is packed afterwards. A change that
 * fails leaves the tree as it was. The initrd's addresses are written as 64 bits, end exclusive;
 * the chosen node is created when missing.
 */
int hv_fdt_set_bootargs(struct hv_fdt *tree, const char *bootargs, struct hv_err *err);
int hv_fdt_set_initrd(struct hv_fdt *tree, uint64_t start, uint64_t end, struct hv_err *err);
/* value NULL removes the property; -ENOENT when there is no such node or, to be removed, property.
 */
int hv_fdt_set_prop(struct hv_fdt *tree, const char *path, const char *name, const void *value,
		    size_t len, struct hv_err *err);
/* Missing nodes above it are made as well; -EEXIST when it is there. */
int hv_fdt_add_node(struct hv_fdt *tree, const char *path, struct hv_err *err);
int hv_fdt_del_node(struct hv_fdt *tree, const char *path, struct hv_err *err);
/* A compiled overlay (dtc -@). -ENOENT names the labels the tree lacks. */
int hv_fdt_overlay(struct hv_fdt *tree, const struct hv_fdt *overlay, struct hv_err *err);
/* Writes the blob beside path and renames; a symbolic link is followed. */
int hv_fdt_save(const struct hv_fdt *tree, const char *path, struct hv_err *err);

#endif
