/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_GUEST_PRIV_H
#define HV_FDT_GUEST_PRIV_H

#include "fdt/fdt_priv.h"
#include "fdt/guest.h"
#include "fdt/write.h"

/* What stands in for a provider of the host's, written at the end. */
struct guest_clock {
	uint64_t rate;
	uint32_t phandle;
};

struct guest_supply {
	int provider; /* index in the host's tree */
	uint32_t phandle;
	uint32_t microvolts;
};

struct guest_build {
	const struct hv_fdt *host;
	const struct hv_fdt_guest *desc;
	const struct hv_fdt_plan *plan; /* or NULL */
	struct fdt_write w;
	int address_cells, size_cells; /* of the root */
	int host_irqc; /* index of the host's controller of the same kind; -1 = none */
	uint32_t irqc_phandle, next_phandle;
	int irq_cells;
	uint8_t *roles; /* of the host's nodes: enum hv_fdt_role, 0xff = not in the guest */
	struct guest_clock *clocks;
	size_t n_clocks;
	struct guest_supply *supplies;
	size_t n_supplies;
	uint32_t *intc; /* phandle of each CPU's interrupt controller (riscv) */
	struct hv_err *err;
	int rc; /* the first failure */
	char missing[512];
	unsigned int n_missing;
};

static inline bool guest_is_arm(const struct guest_build *b)
{
	return b->desc->irqc == HV_IRQC_GICV2 || b->desc->irqc == HV_IRQC_GICV3;
}

/* Whether a node of the host's is in the guest's tree, and not only as a frame. */
static inline bool guest_has(const struct guest_build *b, int index)
{
	return b->roles && b->roles[index] <= HV_ROLE_COMES;
}

static inline uint32_t guest_phandle(struct guest_build *b)
{
	return b->next_phandle++;
}

/* "name@address", and reg = the ranges, in the root's cells. */
void guest_node_at(struct guest_build *b, const char *name, uint64_t at);
void guest_reg(struct guest_build *b, const struct hv_fdt_range *ranges, size_t n);
/* One interrupt in the guest controller's cells; returns how many. */
int guest_irq_cells(const struct guest_build *b, uint32_t number, enum hv_irq_trigger trigger,
		    uint32_t cells[4]);

/* guest_cpu.c: cpus, psci, timer, the interrupt controller. */
void guest_write_cpus(struct guest_build *b);
void guest_write_irqc(struct guest_build *b);
void guest_write_timer(struct guest_build *b);

/* guest_copy.c: the plan's nodes below the root; aliases that lead to them; what stands in. */
void guest_copy_aliases(struct guest_build *b);
void guest_copy_children(struct guest_build *b, int index);
void guest_write_standins(struct guest_build *b);

#endif
