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
	unsigned int n_cpus; /* enabled nodes of device_type "cpu" under /cpus */
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
	bool has_its; /* an enabled arm,gic-v3-its node */
	const char *bootargs;     /* NULL when absent; valid until a change */
	bool has_initrd;
	uint64_t initrd_start, initrd_end; /* end exclusive */
};

/* Findings that do not stop the reading (a node that does not decode) are reported through note(), which may be NULL. */
typedef void hv_fdt_note_fn(void *arg, const char *node_path, const char *message);
int hv_fdt_machine(const struct hv_fdt *tree, struct hv_fdt_machine *m, hv_fdt_note_fn *note,
		   void *arg, struct hv_err *err);

/*
 * Changes; the blob grows as needed (-EFBIG over 16 MiB). The chosen node is created when missing.
 * A change that fails leaves the tree as it was. The initrd's addresses are written as 64 bits,
 * end exclusive.
 */
int hv_fdt_set_bootargs(struct hv_fdt *tree, const char *bootargs, struct hv_err *err);
int hv_fdt_set_initrd(struct hv_fdt *tree, uint64_t start, uint64_t end, struct hv_err *err);

#endif
