// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <string.h>

/* Steps from a node to its controller: more than any tree has, fewer than a cycle. */
#define HOPS_MAX 128
#define MAPS_MAX 16

/* An interrupt on its way up: where it comes from and what the next node makes of it. */
struct spec {
	int n_addr;
	uint32_t addr[ADDR_CELLS_MAX];
	int n_cells;
	uint32_t cells[IRQ_CELLS_MAX];
};

const char *hv_irq_controller_name(enum hv_irq_controller controller)
{
	static const char *const names[] = { "none", "gicv2", "gicv3", "plic", "aplic", "other" };

	return names[controller];
}

const char *hv_irq_trigger_name(enum hv_irq_trigger trigger)
{
	static const char *const names[] = { "unknown", "edge rising", "edge falling", "level high",
					     "level low" };

	return names[trigger];
}

static const struct {
	const char *compatible;
	enum hv_irq_controller kind;
} controllers[] = {
	{ "arm,gic-v3", HV_IRQC_GICV3 },	  { "arm,gic-400", HV_IRQC_GICV2 },
	{ "arm,cortex-a15-gic", HV_IRQC_GICV2 },  { "arm,cortex-a9-gic", HV_IRQC_GICV2 },
	{ "arm,cortex-a7-gic", HV_IRQC_GICV2 },	  { "arm,cortex-a5-gic", HV_IRQC_GICV2 },
	{ "arm,pl390", HV_IRQC_GICV2 },		  { "qcom,msm-qgic2", HV_IRQC_GICV2 },
	{ "qcom,msm8996-gic-v3", HV_IRQC_GICV3 }, { "riscv,plic0", HV_IRQC_PLIC },
	{ "sifive,plic-1.0.0", HV_IRQC_PLIC },	  { "thead,c900-plic", HV_IRQC_PLIC },
	{ "andestech,nceplic100", HV_IRQC_PLIC }, { "riscv,aplic", HV_IRQC_APLIC },
};

static int next_irq_parent(const struct hv_fdt *tree, int index, struct hv_err *err)
{
	char path[FDT_PATH_TEXT];
	const fdt32_t *prop;
	uint32_t phandle;
	int len, parent;

	prop = fdt_index_prop(tree, index, "interrupt-parent", &len);
	if (!prop) {
		parent = tree->nodes[index].parent;
		if (parent < 0)
			return hv_err_set(err, EINVAL,
					  "no interrupt-parent here or in any node above");
		return parent;
	}
	if (len != 4)
		return hv_err_set(err, EINVAL, "interrupt-parent of %s is not one cell",
				  fdt_index_path(tree, index, path, sizeof(path)));
	phandle = fdt32_ld(prop);
	parent = fdt_index_by_phandle(tree, phandle);
	if (parent < 0)
		return hv_err_set(err, EINVAL,
				  "interrupt-parent of %s is phandle %#x, which no node has",
				  fdt_index_path(tree, index, path, sizeof(path)), phandle);
	return parent;
}

/* The node that interprets `interrupts` of this one; its cells are known to be good. */
static int find_irq_parent(const struct hv_fdt *tree, int index, struct hv_err *err)
{
	for (int hops = 0; hops < HOPS_MAX; hops++) {
		index = next_irq_parent(tree, index, err);
		if (index < 0 || tree->nodes[index].interrupt_cells != CELLS_ABSENT)
			return index;
	}
	return hv_err_set(err, EINVAL, "interrupt-parent leads round in a circle");
}

int fdt_irq_parent(const struct hv_fdt *tree, int index)
{
	int parent = find_irq_parent(tree, index, NULL);

	return parent < 0 ? -1 : parent;
}

static int irq_cells(const struct hv_fdt *tree, int index, struct hv_err *err)
{
	int cells = tree->nodes[index].interrupt_cells;
	char path[FDT_PATH_TEXT];

	if (cells > 0)
		return cells;
	return hv_err_set(err, EINVAL, "#interrupt-cells of %s is %s",
			  fdt_index_path(tree, index, path, sizeof(path)),
			  cells == CELLS_ABSENT ? "missing"
			  : cells == 0		? "0"
						: "not one cell with a number up to 16");
}

static void load_cells(uint32_t *out, const fdt32_t *cell, int n)
{
	for (int i = 0; i < n; i++)
		out[i] = fdt32_ld(cell + i);
}

/* The i-th of interrupts-extended; the controller's index or -errno. */
static int from_extended(const struct hv_fdt *tree, const fdt32_t *cell, int len, unsigned int i,
			 struct spec *spec, struct hv_err *err)
{
	int left = len / 4;
	uint32_t phandle;
	int parent, n;

	if (len % 4 != 0)
		return hv_err_set(err, EINVAL, "interrupts-extended has %d bytes, no multiple of 4",
				  len);
	for (unsigned int at = 0; left > 0; at++) {
		phandle = fdt32_ld(cell);
		parent = -1;
		n = 0;
		if (phandle != 0) {
			parent = fdt_index_by_phandle(tree, phandle);
			if (parent < 0)
				return hv_err_set(err, EINVAL,
						  "interrupts-extended entry %u names phandle %#x, "
						  "which no node has",
						  at, phandle);
			n = irq_cells(tree, parent, err);
			if (n < 0)
				return n;
		}
		if (left < 1 + n)
			return hv_err_set(err, EINVAL,
					  "interrupts-extended ends inside its entry %u", at);
		if (at == i && parent < 0)
			return hv_err_set(err, ENODATA,
					  "interrupts-extended entry %u is an empty slot", at);
		if (at == i) {
			spec->n_cells = n;
			load_cells(spec->cells, cell + 1, n);
			return parent;
		}
		cell += 1 + n;
		left -= 1 + n;
	}
	return hv_err_set(err, ENOENT, "interrupts-extended has no entry %u", i);
}

static int from_interrupts(const struct hv_fdt *tree, int index, unsigned int i, struct spec *spec,
			   struct hv_err *err)
{
	char path[FDT_PATH_TEXT];
	const fdt32_t *cell;
	int len, parent, n;

	cell = fdt_index_prop(tree, index, "interrupts", &len);
	if (!cell) {
		spec->n_cells = 3;
		return fdt_irq_channel(tree, index, i, spec->cells, err);
	}
	parent = find_irq_parent(tree, index, err);
	if (parent < 0)
		return parent;
	n = irq_cells(tree, parent, err);
	if (n < 0)
		return n;
	if (len % (4 * n) != 0)
		return hv_err_set(
			err, EINVAL,
			"interrupts has %d bytes, which is no multiple of %d (#interrupt-cells "
			"%d of %s)",
			len, 4 * n, n, fdt_index_path(tree, parent, path, sizeof(path)));
	if (i >= (unsigned int)(len / (4 * n)))
		return hv_err_set(err, ENOENT, "interrupts has no entry %u", i);
	spec->n_cells = n;
	load_cells(spec->cells, cell + i * (unsigned int)n, n);
	return parent;
}

/* The unit address, which an interrupt-map may ask for: the address cells of the first reg. */
static void load_unit_address(const struct hv_fdt *tree, int index, struct spec *spec)
{
	int bus = tree->nodes[index].parent;
	const fdt32_t *cell;
	int len, ac, sc;

	spec->n_addr = 0;
	cell = fdt_index_prop(tree, index, "reg", &len);
	if (!cell || bus < 0 || fdt_bus_cells(tree, bus, &ac, &sc, NULL) != 0 || len < ac * 4)
		return;
	spec->n_addr = ac;
	load_cells(spec->addr, cell, ac);
}

/* Compares one row's child side; the address counts only where the mask has bits. */
static int row_matches(const fdt32_t *row, const uint32_t *mask, int ac, const struct spec *spec,
		       const char *nexus, struct hv_err *err)
{
	bool same = true;

	for (int i = 0; i < ac; i++) {
		if (!mask[i])
			continue;
		if (spec->n_addr != ac)
			return hv_err_set(
				err, EINVAL,
				"interrupt-map of %s asks for an address of %d cells, which "
				"reg does not give",
				nexus, ac);
		same = same && ((fdt32_ld(row + i) ^ spec->addr[i]) & mask[i]) == 0;
	}
	for (int i = 0; i < spec->n_cells; i++)
		same = same && ((fdt32_ld(row + ac + i) ^ spec->cells[i]) & mask[ac + i]) == 0;
	return same;
}

/* Takes the interrupt through an interrupt-map: the next node's index, spec rewritten. */
static int apply_map(const struct hv_fdt *tree, int nexus, struct spec *spec, struct hv_err *err)
{
	uint32_t mask[ADDR_CELLS_MAX + IRQ_CELLS_MAX];
	char path[FDT_PATH_TEXT];
	const fdt32_t *cell, *bits;
	int len, mask_len, left, ac, sc, rc, ic, up_ac, up_ic, parent, key;
	uint32_t phandle;

	fdt_index_path(tree, nexus, path, sizeof(path));
	cell = fdt_index_prop(tree, nexus, "interrupt-map", &len);
	if (!cell)
		return hv_err_set(
			err, EINVAL,
			"%s has #interrupt-cells but is neither an interrupt-controller nor "
			"has it an interrupt-map",
			path);
	rc = fdt_bus_cells(tree, nexus, &ac, &sc, err);
	if (rc)
		return rc;
	ic = irq_cells(tree, nexus, err);
	if (ic < 0)
		return ic;
	if (ic != spec->n_cells)
		return hv_err_set(err, EINVAL, "%s takes %d interrupt cells, it is given %d", path,
				  ic, spec->n_cells);
	key = ac + ic;
	memset(mask, 0xff, sizeof(mask));
	bits = fdt_index_prop(tree, nexus, "interrupt-map-mask", &mask_len);
	if (bits && mask_len != key * 4)
		return hv_err_set(err, EINVAL, "interrupt-map-mask of %s has %d bytes, not %d",
				  path, mask_len, key * 4);
	if (bits)
		load_cells(mask, bits, key);
	for (left = len / 4; left > key; left -= key + 1 + up_ac + up_ic) {
		phandle = fdt32_ld(cell + key);
		parent = fdt_index_by_phandle(tree, phandle);
		if (parent < 0)
			return hv_err_set(
				err, EINVAL,
				"interrupt-map of %s names phandle %#x, which no node has", path,
				phandle);
		up_ic = irq_cells(tree, parent, err);
		if (up_ic < 0)
			return up_ic;
		/* Here, and only here, absent means none. */
		up_ac = tree->nodes[parent].address_cells;
		if (up_ac == CELLS_BAD)
			return fdt_bus_cells(tree, parent, &up_ac, &sc, err);
		if (up_ac == CELLS_ABSENT)
			up_ac = 0;
		if (left < key + 1 + up_ac + up_ic)
			break;
		rc = row_matches(cell, mask, ac, spec, path, err);
		if (rc < 0)
			return rc;
		if (rc && tree->nodes[parent].enabled) {
			spec->n_addr = up_ac;
			load_cells(spec->addr, cell + key + 1, up_ac);
			spec->n_cells = up_ic;
			load_cells(spec->cells, cell + key + 1 + up_ac, up_ic);
			return parent;
		}
		cell += key + 1 + up_ac + up_ic;
	}
	if (left > 0 || len % 4 != 0)
		return hv_err_set(err, EINVAL, "interrupt-map of %s ends inside a row", path);
	return hv_err_set(err, EINVAL, "no row of the interrupt-map of %s is for interrupt %#x",
			  path, spec->cells[0]);
}

/* A GIC that hangs on another controller numbers interrupts hvisor never sees. */
static bool is_cascaded(const struct hv_fdt *tree, int index)
{
	int len, parent;

	if (!fdt_index_prop(tree, index, "interrupts", &len))
		return false;
	parent = find_irq_parent(tree, index, NULL);
	return parent >= 0 && parent != index &&
	       fdt_index_prop(tree, parent, "interrupt-controller", &len);
}

enum hv_irq_controller fdt_irq_controller(const struct hv_fdt *tree, int index)
{
	enum hv_irq_controller kind = HV_IRQC_OTHER;
	int len;

	if (!fdt_index_prop(tree, index, "interrupt-controller", &len))
		return HV_IRQC_NONE;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(*controllers); i++)
		if (fdt_index_compatible(tree, index, controllers[i].compatible)) {
			kind = controllers[i].kind;
			break;
		}
	if ((kind == HV_IRQC_GICV2 || kind == HV_IRQC_GICV3) && is_cascaded(tree, index))
		return HV_IRQC_OTHER;
	return kind;
}

static enum hv_irq_trigger trigger_of(uint32_t flags)
{
	switch (flags & 0xf) {
	case 1:
		return HV_IRQ_EDGE_RISING;
	case 2:
		return HV_IRQ_EDGE_FALLING;
	case 4:
		return HV_IRQ_LEVEL_HIGH;
	case 8:
		return HV_IRQ_LEVEL_LOW;
	default:
		return HV_IRQ_TRIGGER_UNKNOWN;
	}
}

static int decode_gic(bool v3, const struct spec *spec, struct hv_fdt_irq *irq, struct hv_err *err)
{
	/* The first cell: which kind of interrupt, how many there are, where they begin. */
	static const struct {
		const char *name;
		uint32_t count, first;
	} types[] = {
		{ "shared", 988, 32 },
		{ "private", 16, 16 },
		{ "extended shared", 1024, 4096 },
		{ "extended private", 64, 1056 },
	};
	uint32_t type = spec->cells[0];

	if (spec->n_cells < 3)
		return hv_err_set(err, EINVAL,
				  "the GIC's #interrupt-cells is %d, it takes at least 3",
				  spec->n_cells);
	if (type >= (v3 ? 4u : 2u))
		return hv_err_set(err, EINVAL, "interrupt type %u is unknown to a GICv%d", type,
				  v3 ? 3 : 2);
	if (spec->cells[1] >= types[type].count)
		return hv_err_set(err, EINVAL,
				  "%s peripheral interrupt %u does not exist: the GIC has 0 to %u",
				  types[type].name, spec->cells[1], types[type].count - 1);
	irq->number = types[type].first + spec->cells[1];
	irq->trigger = trigger_of(spec->cells[2]);
	return 0;
}

/* PLIC and APLIC: sources count from 1 to what the node says. */
static int decode_sources(const struct hv_fdt *tree, int index, const char *count_prop,
			  const struct spec *spec, struct hv_fdt_irq *irq, struct hv_err *err)
{
	const fdt32_t *prop;
	int len;

	prop = fdt_index_prop(tree, index, count_prop, &len);
	if (spec->cells[0] == 0)
		return hv_err_set(err, EINVAL,
				  "interrupt source 0 does not exist: they count from 1");
	if (prop && len == 4 && spec->cells[0] > fdt32_ld(prop))
		return hv_err_set(err, EINVAL, "interrupt source %u does not exist: %s is %u",
				  spec->cells[0], count_prop, fdt32_ld(prop));
	irq->number = spec->cells[0];
	if (spec->n_cells > 1)
		irq->trigger = trigger_of(spec->cells[1]);
	return 0;
}

static int decode(const struct hv_fdt *tree, int index, const struct spec *spec,
		  struct hv_fdt_irq *irq, struct hv_err *err)
{
	struct spec routed = { .n_cells = 3 };
	int up;

	irq->controller_node = tree->nodes[index].offset;
	irq->controller = fdt_irq_controller(tree, index);
	switch (irq->controller) {
	case HV_IRQC_GICV2:
	case HV_IRQC_GICV3:
		return decode_gic(irq->controller == HV_IRQC_GICV3, spec, irq, err);
	case HV_IRQC_PLIC:
		if (spec->n_cells > 2)
			return hv_err_set(err, EINVAL,
					  "the PLIC's #interrupt-cells is %d, it takes 1 or 2",
					  spec->n_cells);
		return decode_sources(tree, index, "riscv,ndev", spec, irq, err);
	case HV_IRQC_APLIC:
		if (spec->n_cells != 2)
			return hv_err_set(err, EINVAL,
					  "the APLIC's #interrupt-cells is %d, it takes 2",
					  spec->n_cells);
		return decode_sources(tree, index, "riscv,num-sources", spec, irq, err);
	case HV_IRQC_NONE:
	case HV_IRQC_OTHER:
		break;
	}
	up = fdt_irq_route(tree, index, spec->cells, spec->n_cells, routed.cells, err);
	if (up >= 0) {
		irq->via_node = tree->nodes[index].offset;
		irq->controller_node = tree->nodes[up].offset;
		irq->controller = fdt_irq_controller(tree, up);
		return decode_gic(irq->controller == HV_IRQC_GICV3, &routed, irq, err);
	}
	return up;
}

int fdt_irq(const struct hv_fdt *tree, int index, unsigned int i, struct hv_fdt_irq *irq,
	    struct hv_err *err)
{
	struct hv_fdt_irq out = { .controller_node = -1, .via_node = -1 };
	struct spec spec = { 0 };
	const fdt32_t *extended;
	int len, at, rc;

	*irq = out;
	extended = fdt_index_prop(tree, index, "interrupts-extended", &len);
	if (extended)
		at = from_extended(tree, extended, len, i, &spec, err);
	else
		at = from_interrupts(tree, index, i, &spec, err);
	load_unit_address(tree, index, &spec);
	for (int hops = 0; at >= 0; hops++) {
		if (fdt_index_prop(tree, at, "interrupt-controller", &len))
			break;
		if (hops == MAPS_MAX)
			return hv_err_set(err, EINVAL, "interrupt-map leads round in a circle");
		at = apply_map(tree, at, &spec, err);
	}
	if (at < 0)
		return at;
	rc = decode(tree, at, &spec, &out, err);
	if (rc == 0 || rc == -EOPNOTSUPP)
		*irq = out;
	return rc;
}

enum hv_irq_controller hv_fdt_controller(const struct hv_fdt *tree, int node)
{
	int index = fdt_index_of(tree, node);

	return index < 0 ? HV_IRQC_NONE : fdt_irq_controller(tree, index);
}

int hv_fdt_irq(const struct hv_fdt *tree, int node, unsigned int i, struct hv_fdt_irq *irq,
	       struct hv_err *err)
{
	int index = fdt_index_of(tree, node);

	if (index < 0)
		return hv_err_set(err, EINVAL, "%s: no node at offset %d", tree->label, node);
	return fdt_err_place(tree, index, fdt_irq(tree, index, i, irq, err), err);
}
