// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <string.h>

/* Fields of the first of a PCI address' three cells. */
#define PCI_FIXED 0x80000000u /* not relocatable: the address is one */
#define PCI_SPACE(hi) (((hi) >> 24) & 3)
#define PCI_SPACE_CONFIG 0
#define PCI_SPACE_IO 1

/* An address on one bus; hi is the first cell of a PCI address. */
struct bus_addr {
	bool pci;
	uint32_t hi;
	uint64_t lo;
};

int fdt_bus_cells(const struct hv_fdt *tree, int index, int *address_cells, int *size_cells,
		  struct hv_err *err)
{
	const struct fdt_node *node = &tree->nodes[index];
	char path[FDT_PATH_TEXT];

	if (node->address_cells == CELLS_BAD || node->size_cells == CELLS_BAD)
		return hv_err_set(err, EINVAL, "%s of %s is not one cell with a number up to %d",
				  node->address_cells == CELLS_BAD ? "#address-cells"
								   : "#size-cells",
				  fdt_index_path(tree, index, path, sizeof(path)), ADDR_CELLS_MAX);
	*address_cells = node->address_cells == CELLS_ABSENT ? 2 : node->address_cells;
	*size_cells = node->size_cells == CELLS_ABSENT ? 1 : node->size_cells;
	return 0;
}

static bool is_pci(const struct hv_fdt *tree, int index)
{
	const char *name;
	const char *type;
	int len;

	type = (const char *)fdt_index_prop(tree, index, "device_type", &len);
	if (type && ((len == 4 && memcmp(type, "pci", 4) == 0) ||
		     (len == 6 && memcmp(type, "pciex", 6) == 0)))
		return true;
	name = fdt_get_name(tree->blob, tree->nodes[index].offset, &len);
	return name && (strncmp(name, "pci@", 4) == 0 || strncmp(name, "pcie@", 5) == 0);
}

/* False when the number does not fit in 64 bits. */
static bool read_number(const fdt32_t *cell, int cells, uint64_t *value)
{
	*value = 0;
	for (int i = 0; i < cells; i++) {
		if (*value >> 32)
			return false;
		*value = *value << 32 | fdt32_ld(cell + i);
	}
	return true;
}

/* Reads an address as the children of a bus write it. */
static int read_addr(const struct hv_fdt *tree, int bus, const fdt32_t *cell, int cells,
		     struct bus_addr *addr, struct hv_err *err)
{
	char path[FDT_PATH_TEXT];

	*addr = (struct bus_addr){ .pci = cells == 3 && is_pci(tree, bus) };
	if (addr->pci) {
		addr->hi = fdt32_ld(cell);
		read_number(cell + 1, 2, &addr->lo);
		return 0;
	}
	if (cells == 0)
		return hv_err_set(err, EXDEV,
				  "%s gives its children no addresses (#address-cells is 0)",
				  fdt_index_path(tree, bus, path, sizeof(path)));
	if (cells > 2)
		return hv_err_set(err, EXDEV,
				  "addresses on %s have %d cells and are no PCI addresses: how to "
				  "translate them is not known",
				  fdt_index_path(tree, bus, path, sizeof(path)), cells);
	read_number(cell, cells, &addr->lo);
	return 0;
}

static bool same_space(const struct bus_addr *a, const struct bus_addr *b)
{
	if (a->pci != b->pci)
		return false;
	if (!a->pci)
		return true;
	/* 32- and 64-bit memory are one address space. */
	return PCI_SPACE(a->hi) == PCI_SPACE(b->hi) ||
	       (PCI_SPACE(a->hi) > PCI_SPACE_IO && PCI_SPACE(b->hi) > PCI_SPACE_IO);
}

/* Translates from the addresses below a bus to those of the bus it sits on. */
static int translate(const struct hv_fdt *tree, int bus, struct bus_addr *addr, uint64_t size,
		     struct hv_err *err)
{
	int up = tree->nodes[bus].parent;
	int ac, sc, up_ac, up_sc, len, rc, row;
	struct bus_addr child, parent;
	const fdt32_t *cell, *end;
	char path[FDT_PATH_TEXT];
	uint64_t span;

	cell = fdt_index_prop(tree, bus, "ranges", &len);
	if (!cell)
		return hv_err_set(err, EXDEV,
				  "not a CPU address: %s has no ranges, so nothing below it can be "
				  "translated",
				  fdt_index_path(tree, bus, path, sizeof(path)));
	rc = fdt_bus_cells(tree, bus, &ac, &sc, err);
	if (!rc)
		rc = fdt_bus_cells(tree, up, &up_ac, &up_sc, err);
	if (rc)
		return rc;
	if (len == 0) {
		if (addr->pci != (up_ac == 3 && is_pci(tree, up)))
			return hv_err_set(err, EXDEV,
					  "%s has empty ranges between PCI addresses and others",
					  fdt_index_path(tree, bus, path, sizeof(path)));
		return 0;
	}
	row = (ac + up_ac + sc) * 4;
	if (row == 0 || len % row != 0)
		return hv_err_set(
			err, EINVAL,
			"ranges of %s has %d bytes, which is no multiple of %d (%d + %d + %d "
			"cells)",
			fdt_index_path(tree, bus, path, sizeof(path)), len, row, ac, up_ac, sc);
	for (end = cell + len / 4; cell < end; cell += row / 4) {
		rc = read_addr(tree, bus, cell, ac, &child, err);
		if (!rc)
			rc = read_addr(tree, up, cell + ac, up_ac, &parent, err);
		if (rc)
			return rc;
		if (!read_number(cell + ac + up_ac, sc, &span))
			return hv_err_set(err, EINVAL, "ranges of %s has a size over 64 bits",
					  fdt_index_path(tree, bus, path, sizeof(path)));
		if (!same_space(addr, &child) || addr->lo < child.lo || addr->lo - child.lo >= span)
			continue;
		if (size > span - (addr->lo - child.lo))
			return hv_err_set(
				err, EXDEV,
				"%#llx+%#llx reaches beyond the ranges entry of %s that holds "
				"its start",
				(unsigned long long)addr->lo, (unsigned long long)size,
				fdt_index_path(tree, bus, path, sizeof(path)));
		if (__builtin_add_overflow(parent.lo, addr->lo - child.lo, &parent.lo))
			return hv_err_set(err, EINVAL, "ranges of %s leads beyond 64 bits",
					  fdt_index_path(tree, bus, path, sizeof(path)));
		*addr = parent;
		return 0;
	}
	return hv_err_set(err, EXDEV, "no ranges entry of %s holds %#llx",
			  fdt_index_path(tree, bus, path, sizeof(path)),
			  (unsigned long long)addr->lo);
}

int fdt_reg(const struct hv_fdt *tree, int index, unsigned int i, uint64_t *addr, uint64_t *size,
	    struct hv_err *err)
{
	int bus = tree->nodes[index].parent;
	int ac, sc, len, rc, row;
	const fdt32_t *cell;
	struct bus_addr a;
	char path[FDT_PATH_TEXT];
	uint64_t n, end;

	cell = fdt_index_prop(tree, index, "reg", &len);
	if (!cell)
		return hv_err_set(err, ENOENT, "has no reg");
	if (bus < 0)
		return hv_err_set(err, EINVAL,
				  "the root node has a reg, but no bus it could be on");
	rc = fdt_bus_cells(tree, bus, &ac, &sc, err);
	if (rc)
		return rc;
	row = (ac + sc) * 4;
	if (row == 0 ? len != 0 : len % row != 0)
		return hv_err_set(
			err, EINVAL,
			"reg has %d bytes, which is no multiple of %d (#address-cells %d and "
			"#size-cells %d of %s)",
			len, row, ac, sc, fdt_index_path(tree, bus, path, sizeof(path)));
	if (len == 0 || i >= (unsigned int)(len / row))
		return hv_err_set(err, ENOENT, "reg has no entry %u", i);
	cell += i * (unsigned int)(row / 4);
	rc = read_addr(tree, bus, cell, ac, &a, err);
	if (rc)
		return rc;
	if (!read_number(cell + ac, sc, &n))
		return hv_err_set(err, EINVAL, "the size in reg entry %u is over 64 bits", i);
	if (a.pci && PCI_SPACE(a.hi) == PCI_SPACE_CONFIG)
		return hv_err_set(err, EXDEV,
				  "reg entry %u is PCI configuration space, not an address", i);
	if (a.pci && !(a.hi & PCI_FIXED))
		return hv_err_set(err, EXDEV,
				  "reg entry %u is a PCI base address register: where it lies is "
				  "decided when the bus is probed",
				  i);
	for (; bus > 0; bus = tree->nodes[bus].parent) {
		rc = translate(tree, bus, &a, n, err);
		if (rc)
			return rc;
	}
	if (__builtin_add_overflow(a.lo, n, &end))
		return hv_err_set(err, EINVAL, "reg entry %u, %#llx+%#llx, reaches beyond 64 bits",
				  i, (unsigned long long)a.lo, (unsigned long long)n);
	*addr = a.lo;
	*size = n;
	return 0;
}

int hv_fdt_reg(const struct hv_fdt *tree, int node, unsigned int i, uint64_t *addr, uint64_t *size,
	       struct hv_err *err)
{
	int index = fdt_index_of(tree, node);

	if (index < 0)
		return hv_err_set(err, EINVAL, "%s: no node at offset %d", tree->label, node);
	return fdt_err_place(tree, index, fdt_reg(tree, index, i, addr, size, err), err);
}
