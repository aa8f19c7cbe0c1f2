/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_GUEST_H
#define HV_FDT_GUEST_H

#include "fdt/passthrough.h"

/*
 * A zone's device tree from what the zone is: plain data, all of it the caller's. Addresses are
 * guest addresses, interrupts are the controller's own numbers (INTID, source).
 */
struct hv_fdt_range {
	uint64_t start, size;
};

struct hv_fdt_guest_cpu {
	uint64_t id;		/* MPIDR affinity or hart id, as the zone's CPU has it */
	const char *compatible; /* NULL = as the host's tree says of that CPU, or a generic one */
};

struct hv_fdt_guest_reserved {
	const char *name; /* of the node, without address */
	uint64_t start, size;
	bool no_map;
};

struct hv_fdt_guest_virtio {
	uint64_t at, size;
	uint32_t irq;
};

struct hv_fdt_guest {
	/* Decides the architecture: GICV2 and GICV3 arm64, PLIC and APLIC riscv64. */
	enum hv_irq_controller irqc;
	/*
	 * Its registers. GICv2: distributor, CPU interface. GICv3: distributor, redistributors.
	 * PLIC: one. APLIC: one, and the IMSIC's S-mode files when interrupts go to those.
	 */
	size_t n_irqc_reg;
	const struct hv_fdt_range *irqc_reg;
	struct hv_fdt_range its; /* GICv3; size 0 = none */
	uint32_t n_sources;	 /* PLIC, APLIC; 0 = the host's, or 96 */

	size_t n_cpus;
	const struct hv_fdt_guest_cpu *cpus;
	const char *isa;	     /* riscv; NULL = the host's of that CPU, or "rv64imafdc" */
	uint32_t timebase_frequency; /* riscv; 0 = the host's, or 10 MHz */

	size_t n_memory;
	const struct hv_fdt_range *memory;
	size_t n_reserved;
	const struct hv_fdt_guest_reserved *reserved;

	const char *model;	 /* NULL = "hvisor zone" */
	const char *bootargs;	 /* NULL = none */
	const char *stdout_path; /* path or alias in the new tree; NULL = none */
	bool has_initrd;
	uint64_t initrd_start, initrd_end; /* end exclusive */

	size_t n_virtio;
	const struct hv_fdt_guest_virtio *virtio;
	size_t n_ivc_irqs; /* one for each IVC channel: the hvisor_ivc_device node */
	const uint32_t *ivc_irqs;

	/* Devices of the host's tree, or NULL. Made from that very tree. */
	const struct hv_fdt_passthrough *plan;
	/* Clocks whose rate the plan does not know get 0 Hz: for a tree that is only looked at. */
	bool unknown_rates;
};

/*
 * Builds the tree. host may be NULL: everything then comes from desc and the architecture's
 * defaults (and plan must be NULL). Of the host's tree come the CPUs' and the timer's properties
 * and the devices of the plan: references within them are kept, clocks become fixed clocks of the
 * plan's rates, supplies of one voltage fixed regulators, references to anything else are left out.
 * -EINVAL: what desc lacks, an address that the host root's cells cannot hold; -ENODATA: clocks
 * whose rates the plan does not know, by name; -EOPNOTSUPP: another kind of controller. The caller
 * closes the tree.
 */
int hv_fdt_guest_build(const struct hv_fdt *host, const struct hv_fdt_guest *desc,
		       struct hv_fdt **tree, struct hv_err *err);

enum hv_fdt_patch {
	HV_PATCH_CHOSEN = 1, /* bootargs, stdout-path and initrd where desc has them */
	HV_PATCH_MEMORY = 2, /* the memory nodes say what desc says, and nothing else */
	/* A virtio,mmio node for each of desc's: one at that address is corrected, others are
	   switched off. */
	HV_PATCH_VIRTIO = 4,
};

/* Brings a tree that somebody wrote into line with a zone instead. what: enum hv_fdt_patch, or-ed.
 */
int hv_fdt_guest_patch(struct hv_fdt *tree, const struct hv_fdt_guest *desc, unsigned int what,
		       struct hv_err *err);

#endif
