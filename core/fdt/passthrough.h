/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_PASSTHROUGH_H
#define HV_FDT_PASSTHROUGH_H

#include "fdt/refs.h"

/*
 * The ownership plan: what giving devices of a tree to a zone means. Memory regions, interrupts,
 * the guest's tree and the root zone's changes all follow from this one plan, so that they cannot
 * disagree. Making it changes nothing. It copies what it says: the tree may be closed afterwards,
 * but the node offsets in it are those of the tree as it was.
 */
struct hv_fdt_passthrough;

/*
 * The rate in Hz of one entry of a node's clocks; 0 = not known. slot as in hv_fdt_ref. What is
 * known of one use of a clock holds for the others.
 */
typedef uint64_t hv_fdt_rate_fn(const char *path, unsigned int slot, void *arg);

struct hv_fdt_passthrough_opts {
	size_t n_devices;
	const char *const
		*devices; /* as hv_fdt_find takes them; a disabled one is given all the same */
	size_t n_compatible;
	const char *const *compatible; /* all enabled nodes that are */
	bool coalesce;	      /* regions are widened to 2 MiB, so that large pages map them */
	hv_fdt_rate_fn *rate; /* NULL = none is known */
	void *rate_arg;
};

enum hv_fdt_role {
	HV_ROLE_NAMED, /* asked for */
	HV_ROLE_BELOW, /* below one that was */
	HV_ROLE_COMES, /* only what is given away needs it, so it is given as well */
	HV_ROLE_BUS,   /* a bus above: its frame is in the guest's tree, its registers are not given
			*/
	HV_ROLE_HOST,  /* stays with the root zone, which prepares it or a stand-in takes its place
			*/
	HV_ROLE_VIRTUAL, /* the hypervisor gives the zone one of its own: the interrupt controller
			  */
	HV_ROLE_SHARED,	 /* both need it and nothing can stand in: a conflict */
};
/* "named", "below", "comes along", "bus", "host", "virtual", "shared". Stable words. */
const char *hv_fdt_role_name(enum hv_fdt_role role);

struct hv_fdt_plan_node {
	const char *path;
	int node; /* offset */
	enum hv_fdt_role role;
	bool enabled;	/* in the host's tree */
	bool registers; /* it has registers that can be mapped */
	const char *
		why; /* for HOST and SHARED: what it is needed for and what to do; otherwise NULL */
};

/* One use of a provider that is not given away (nor part of the same device). */
struct hv_fdt_plan_need {
	const char *path; /* of the device */
	int node;
	enum hv_fdt_ref_kind kind;
	const char *property, *name; /* name may be NULL */
	unsigned int slot;
	const char *provider; /* path */
	int provider_node;
	enum hv_fdt_role role; /* COMES, HOST, VIRTUAL or SHARED */
	unsigned int n_args;
	uint32_t args[16];
	uint64_t rate; /* clocks: Hz, 0 = not known (missing) */
};

struct hv_fdt_plan_region {
	uint64_t start, size; /* whole pages */
	const char *what;     /* the paths it is for, ", " between them */
};

struct hv_fdt_plan_irq {
	uint32_t number;
	enum hv_irq_controller controller;
	enum hv_irq_trigger trigger;
	const char *path, *name; /* the device; from interrupt-names, or NULL */
	unsigned int index;
};

/* Pages that are given away and hold registers of somebody else as well. */
struct hv_fdt_plan_page {
	uint64_t start, size;	    /* whole pages, nearly always one */
	const char *given, *others; /* paths, ", " between them */
	bool enabled; /* whether one of the others is enabled: then it is a conflict */
};

struct hv_fdt_plan_dma {
	const char *path;
	const char *iommu; /* path, or NULL: its DMA reaches what it likes */
	bool identity;	   /* the addresses it uses are CPU addresses */
	bool ranged;	   /* it reaches [cpu, cpu + size) only, which it calls bus */
	uint64_t bus, cpu, size;
};

enum hv_fdt_problem_kind {
	HV_PROBLEM_ERROR,   /* cannot be passed through as it is */
	HV_PROBLEM_WARNING, /* works only if somebody takes care */
	HV_PROBLEM_NOTE,
};

struct hv_fdt_plan_problem {
	enum hv_fdt_problem_kind kind;
	const char *path;
	const char *text;
};

/* The lists; each is in a fixed order: regions by address, the others by their place in the tree.
 */
#define HV_FDT_PLAN_LIST(type, name)                                                               \
	size_t n_##name;                                                                           \
	const struct type *name
struct hv_fdt_plan {
	HV_FDT_PLAN_LIST(hv_fdt_plan_node, nodes);
	HV_FDT_PLAN_LIST(hv_fdt_plan_need, needs);
	HV_FDT_PLAN_LIST(hv_fdt_plan_region, regions);
	HV_FDT_PLAN_LIST(hv_fdt_plan_region,
			 memory); /* reserved memory that comes along: RAM of the zone */
	HV_FDT_PLAN_LIST(hv_fdt_plan_irq, irqs);
	HV_FDT_PLAN_LIST(hv_fdt_plan_page, pages);
	HV_FDT_PLAN_LIST(hv_fdt_plan_dma, dma);
	HV_FDT_PLAN_LIST(hv_fdt_plan_problem, problems);
};

/*
 * -ENOENT: a device that is not there (or no enabled one with that compatible); -EINVAL: none
 * asked for. What cannot be passed through is no failure but among the problems.
 */
int hv_fdt_passthrough_new(const struct hv_fdt *tree, const struct hv_fdt_passthrough_opts *opts,
			   struct hv_fdt_passthrough **plan, struct hv_err *err);
void hv_fdt_passthrough_free(struct hv_fdt_passthrough *plan);
const struct hv_fdt_plan *hv_fdt_passthrough_plan(const struct hv_fdt_passthrough *plan);

/*
 * A plan that gives nothing away and has but pages: all of the tree that hold registers of several
 * nodes. Enabled nodes are among given, disabled ones among others.
 */
int hv_fdt_shared_pages_new(const struct hv_fdt *tree, struct hv_fdt_passthrough **plan,
			    struct hv_err *err);

#endif
