/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_REFS_H
#define HV_FDT_REFS_H

#include "fdt/fdt.h"

/* What one node needs of another, by the property that says so. */
enum hv_fdt_ref_kind {
	HV_REF_CLOCK,
	HV_REF_RESET,
	HV_REF_POWER,
	HV_REF_IOMMU,
	HV_REF_PHY, /* phys and phy-handle */
	HV_REF_DMA,
	HV_REF_MBOX,
	HV_REF_PWM,
	HV_REF_IO_CHANNEL,
	HV_REF_HWLOCK,
	HV_REF_INTERCONNECT,
	HV_REF_NVMEM,
	HV_REF_THERMAL, /* sensors and cooling devices */
	HV_REF_SOUND,
	HV_REF_MUX,
	HV_REF_ACCESS,
	HV_REF_MSI,
	HV_REF_GPIO,
	HV_REF_IRQ,
	HV_REF_SUPPLY,
	HV_REF_PINCTRL,
	HV_REF_MEMORY,
	HV_REF_OPP,
	HV_REF_GRAPH, /* remote-endpoint */
	HV_REF_SYSCON,
	HV_REF_OTHER,
	HV_REF_KINDS,
};
/* "clock", "reset", "power-domain"…. Stable words. */
const char *hv_fdt_ref_kind_name(enum hv_fdt_ref_kind kind);

struct hv_fdt_ref {
	enum hv_fdt_ref_kind kind;
	const char *property; /* valid until a change of the tree */
	unsigned int slot; /* its place among the references of that property, empty ones counted */
	const char *name;  /* from clock-names and the like, or NULL */
	uint32_t phandle;
	int node; /* -1: it cannot be followed, problem says why */
	unsigned int n_args;
	uint32_t args[16];
	const char *problem; /* valid during the call */
};

/*
 * Calls f for each reference of a node, in the order of its properties; what stands in a property
 * behind a reference that cannot be followed is not looked at. Properties are known by name: one
 * that is not known is never taken for a reference. Stops when f returns non-zero and returns that.
 */
typedef int hv_fdt_ref_fn(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref,
			  void *arg);
int hv_fdt_each_ref(const struct hv_fdt *tree, int node, hv_fdt_ref_fn *f, void *arg);
/* Those of one property. */
int hv_fdt_each_ref_in(const struct hv_fdt *tree, int node, const char *property, hv_fdt_ref_fn *f,
		       void *arg);

/* Whether a property holds references, and of which kind. */
bool hv_fdt_ref_property(const char *property, enum hv_fdt_ref_kind *kind);

#endif
