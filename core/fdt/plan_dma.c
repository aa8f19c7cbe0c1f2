// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/plan.h"

/* What the DMA of the devices reaches. */

static bool read_cells(const fdt32_t *cell, int n, uint64_t *value)
{
	*value = 0;
	for (int i = 0; i < n; i++) {
		if (*value >> 32)
			return false;
		*value = *value << 32 | fdt32_ld(cell + i);
	}
	return true;
}

/* Takes a parent bus address up to the CPU's, through the buses that translate. */
static bool to_cpu(const struct hv_fdt *tree, int bus, uint64_t *addr)
{
	for (; bus > 0; bus = tree->nodes[bus].parent) {
		int ac, sc, up_ac, up_sc, len;
		const fdt32_t *cell = fdt_index_prop(tree, bus, "dma-ranges", &len);
		bool found = false;

		if (!cell || !len)
			continue;
		if (fdt_bus_cells(tree, bus, &ac, &sc, NULL) ||
		    fdt_bus_cells(tree, tree->nodes[bus].parent, &up_ac, &up_sc, NULL))
			return false;
		for (; len >= (ac + up_ac + sc) * 4 && ac + up_ac + sc > 0 && !found;
		     cell += ac + up_ac + sc, len -= (ac + up_ac + sc) * 4) {
			uint64_t from, to, size;

			if (!read_cells(cell, ac, &from) || !read_cells(cell + ac, up_ac, &to) ||
			    !read_cells(cell + ac + up_ac, sc, &size))
				return false;
			if (*addr < from || *addr - from >= size)
				continue;
			*addr = to + (*addr - from);
			found = true;
		}
		if (!found)
			return false;
	}
	return true;
}

static void add_dma(struct hv_fdt_passthrough *p, int index, const char *iommu, bool ranged,
		    uint64_t bus, uint64_t cpu, uint64_t size)
{
	struct hv_fdt_plan_dma *dma = plan_add(p, &p->dma, sizeof(*dma));

	if (dma)
		*dma = (struct hv_fdt_plan_dma){
			plan_path(p, index), iommu, bus == cpu, ranged, bus, cpu, size
		};
}

static int first_iommu(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	(void)tree;
	(void)node;
	if (ref->kind != HV_REF_IOMMU || ref->node < 0)
		return 0;
	*(int *)arg = ref->node;
	return 1;
}

/* The windows of the nearest bus that has some; -1 when they cannot be read. */
static int windows(struct hv_fdt_passthrough *p, int index, const char *iommu)
{
	const struct hv_fdt *tree = p->tree;
	int bus = tree->nodes[index].parent;
	const fdt32_t *cell = NULL;
	int ac, sc, up_ac, up_sc, len = 0, row, n = 0;

	for (; bus > 0; bus = tree->nodes[bus].parent) {
		cell = fdt_index_prop(tree, bus, "dma-ranges", &len);
		if (cell && len)
			break;
	}
	if (bus <= 0)
		return 0;
	if (fdt_bus_cells(tree, bus, &ac, &sc, NULL) ||
	    fdt_bus_cells(tree, tree->nodes[bus].parent, &up_ac, &up_sc, NULL))
		return -1;
	row = (ac + up_ac + sc) * 4;
	if (row == 0 || len % row != 0 || ac > 2)
		return -1;
	for (; len > 0; len -= row, cell += row / 4, n++) {
		uint64_t from, to, size;

		if (!read_cells(cell, ac, &from) || !read_cells(cell + ac, up_ac, &to) ||
		    !read_cells(cell + ac + up_ac, sc, &size) ||
		    !to_cpu(tree, tree->nodes[bus].parent, &to))
			return -1;
		add_dma(p, index, iommu, true, from, to, size);
		if (from != to)
			plan_problem(
				p, HV_PROBLEM_WARNING, index,
				"calls address %#llx %#llx in its DMA (dma-ranges): the guest's "
				"tree must say so, and memory mapped one to one is not enough",
				(unsigned long long)to, (unsigned long long)from);
	}
	return n;
}

void plan_dma(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt *tree = p->tree;

	for (int i = 1; i < tree->n_nodes && !p->nomem; i++) {
		const char *iommu = NULL;
		int node = -1, n;

		if (p->roles[i] != HV_ROLE_NAMED || !plan_mapped(tree, i))
			continue;
		if (hv_fdt_each_ref(tree, tree->nodes[i].offset, first_iommu, &node))
			iommu = plan_path(p, fdt_index_of(tree, node));
		n = windows(p, i, iommu);
		if (n < 0)
			plan_problem(
				p, HV_PROBLEM_WARNING, i,
				"what its DMA reaches cannot be read from dma-ranges above it");
		if (n == 0)
			add_dma(p, i, iommu, false, 0, 0, 0);
	}
}
