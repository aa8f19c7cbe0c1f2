/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_PLAN_H
#define HV_FDT_PLAN_H

#include "base/arena.h"
#include "fdt/fdt_priv.h"
#include "fdt/passthrough.h"

/* How a plan is made: select and close decide each node's role, the others read it off. */

#define ROLE_NONE 0xff

/* One use of a node by another, from a property or from `interrupts`. */
struct plan_edge {
	int user, provider, unit; /* indexes */
	enum hv_fdt_ref_kind kind;
};

/* A growing list; elements live in the heap while the plan is made. */
struct plan_list {
	void *at;
	size_t n, cap;
};

struct hv_fdt_passthrough {
	struct hv_arena *arena;
	const struct hv_fdt *tree; /* only while it is made */
	struct hv_fdt_plan plan;
	uint8_t *roles; /* of each node: enum hv_fdt_role or ROLE_NONE */
	struct plan_list edges;
	struct plan_list nodes, needs, regions, memory, irqs, pages, dma, problems;
	hv_fdt_rate_fn *rate;
	void *rate_arg;
	bool nomem;
};

/* Room for one more, zeroed; NULL (and nomem) when memory is out. */
void *plan_add(struct hv_fdt_passthrough *p, struct plan_list *list, size_t size);

static inline bool plan_owned(const struct hv_fdt_passthrough *p, int index)
{
	return p->roles[index] <= HV_ROLE_COMES;
}

static inline bool plan_frame(const struct hv_fdt_passthrough *p, int index)
{
	return p->roles[index] == HV_ROLE_BUS;
}

/* The path, in the arena; never NULL ("" when memory is out). */
const char *plan_path(struct hv_fdt_passthrough *p, int index);
__attribute__((format(printf, 4, 5))) void plan_problem(struct hv_fdt_passthrough *p,
							enum hv_fdt_problem_kind kind, int index,
							const char *fmt, ...);

/* Whether its own status allows it, those above it aside. */
bool plan_own_enabled(const struct hv_fdt *tree, int index);
/* It has registers at CPU addresses. */
bool plan_mapped(const struct hv_fdt *tree, int index);
/* A bus that only passes addresses on, as those with `ranges` do. */
bool plan_is_bus(const struct hv_fdt *tree, int index);
/* An interrupt controller (or its part) that the hypervisor gives each zone. */
bool plan_virtual(const struct hv_fdt *tree, int index);
/* Memory, not a device: children of /reserved-memory. */
bool plan_is_memory(const struct hv_fdt *tree, int index);

/* What becomes of a need whose provider stays: HOST or SHARED. */
enum hv_fdt_role plan_role_for(enum hv_fdt_ref_kind kind);

/* plan_close.c: roles of the named nodes are set; those of all others follow. */
int plan_close(struct hv_fdt_passthrough *p);
/* plan_needs.c: nodes and needs. */
void plan_needs(struct hv_fdt_passthrough *p);
/* plan_regs.c: regions, memory, pages. */
void plan_regs(struct hv_fdt_passthrough *p, bool coalesce);
void plan_shared_pages(struct hv_fdt_passthrough *p);
/* plan_irqs.c, plan_dma.c */
void plan_irqs(struct hv_fdt_passthrough *p);
void plan_dma(struct hv_fdt_passthrough *p);

#endif
