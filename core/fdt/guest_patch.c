// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fdt/fdt_priv.h"
#include "fdt/guest.h"

/* A tree that somebody wrote, brought into line. All changes are made to a copy first. */

struct patch {
	struct hv_fdt *tree;
	const struct hv_fdt_guest *desc;
	struct hv_err *err;
	int address_cells, size_cells;
};

static int set(struct patch *p, const char *path, const char *name, const void *value, size_t len)
{
	return hv_fdt_set_prop(p->tree, path, name, value, len, p->err);
}

static int set_string(struct patch *p, const char *path, const char *name, const char *text)
{
	return set(p, path, name, text, strlen(text) + 1);
}

static int set_reg(struct patch *p, const char *path, uint64_t start, uint64_t size)
{
	fdt32_t cells[4];
	size_t n = 0;

	if ((p->address_cells < 2 && start >> 32) || (p->size_cells < 2 && size >> 32))
		return hv_err_set(p->err, EINVAL,
				  "%s: %#" PRIx64 "+%#" PRIx64
				  " cannot be written: the root has %d address and %d size cells",
				  p->tree->label, start, size, p->address_cells, p->size_cells);
	if (p->address_cells == 2)
		cells[n++] = cpu_to_fdt32((uint32_t)(start >> 32));
	cells[n++] = cpu_to_fdt32((uint32_t)start);
	if (p->size_cells == 2)
		cells[n++] = cpu_to_fdt32((uint32_t)(size >> 32));
	cells[n++] = cpu_to_fdt32((uint32_t)size);
	return set(p, path, "reg", cells, n * sizeof(*cells));
}

static int patch_chosen(struct patch *p)
{
	const struct hv_fdt_guest *d = p->desc;
	int rc = 0;

	if (d->bootargs)
		rc = hv_fdt_set_bootargs(p->tree, d->bootargs, p->err);
	if (!rc && d->has_initrd)
		rc = hv_fdt_set_initrd(p->tree, d->initrd_start, d->initrd_end, p->err);
	if (!rc && d->stdout_path && fdt_index_by_path(p->tree, "/chosen", 7) < 0)
		rc = hv_fdt_add_node(p->tree, "/chosen", p->err);
	if (!rc && d->stdout_path)
		rc = set_string(p, "/chosen", "stdout-path", d->stdout_path);
	return rc;
}

typedef bool choose_fn(const struct patch *p, int index);

/* The nodes that are chosen go, or are switched off. */
static int drop(struct patch *p, choose_fn *choose, bool remove)
{
	int *indexes = calloc((size_t)p->tree->n_nodes, sizeof(*indexes));
	size_t n = 0;
	int rc;

	if (!indexes)
		return hv_err_nomem(p->err);
	for (int i = 1; i < p->tree->n_nodes; i++)
		if (choose(p, i))
			indexes[n++] = i;
	rc = fdt_remove_or_disable(p->tree, indexes, n, remove, p->err);
	free(indexes);
	return rc;
}

static bool is_memory(const struct patch *p, int index)
{
	const char *type = p->tree->nodes[index].parent == 0
				   ? fdt_index_string(p->tree, index, "device_type")
				   : NULL;

	return type && strcmp(type, "memory") == 0;
}

static int patch_memory(struct patch *p)
{
	char path[64];
	int rc = drop(p, is_memory, true);

	if (rc)
		return rc;
	for (size_t i = 0; i < p->desc->n_memory; i++) {
		const struct hv_fdt_range *m = &p->desc->memory[i];

		snprintf(path, sizeof(path), "/memory@%" PRIx64, m->start);
		rc = hv_fdt_add_node(p->tree, path, p->err);
		if (!rc)
			rc = set_string(p, path, "device_type", "memory");
		if (!rc)
			rc = set_reg(p, path, m->start, m->size);
		if (rc)
			return rc;
	}
	return 0;
}

/* The controller's index, which has a phandle then. */
static int controller(struct patch *p)
{
	struct hv_fdt_machine *m = calloc(1, sizeof(*m));
	char path[FDT_PATH_TEXT];
	uint32_t phandle = 1;
	int index, rc;

	if (!m)
		return hv_err_nomem(p->err);
	hv_fdt_machine(p->tree, m, NULL, NULL, NULL);
	index = m->irqc_node < 0 ? -1 : fdt_index_of(p->tree, m->irqc_node);
	if (index < 0 || m->irqc == HV_IRQC_OTHER) {
		free(m);
		return hv_err_set(p->err, EINVAL,
				  "%s: it has no interrupt controller that virtio devices could "
				  "use",
				  p->tree->label);
	}
	free(m);
	if (p->tree->nodes[index].phandle)
		return index;
	for (size_t i = 0; i < p->tree->n_phandles; i++)
		if (p->tree->phandles[i].phandle >= phandle)
			phandle = p->tree->phandles[i].phandle + 1;
	fdt_index_path(p->tree, index, path, sizeof(path));
	rc = set(p, path, "phandle", &(fdt32_t){ cpu_to_fdt32(phandle) }, 4);
	if (rc)
		return rc;
	index = fdt_index_by_path(p->tree, path, strlen(path));
	if (index < 0 || !p->tree->nodes[index].phandle)
		return hv_err_set(p->err, EINVAL, "%s: %s cannot be given a phandle",
				  p->tree->label, path);
	return index;
}

/* The virtio,mmio node whose registers begin there, or -1. */
static int virtio_at(const struct hv_fdt *tree, uint64_t at)
{
	uint64_t start, size;

	for (int i = 1; i < tree->n_nodes; i++)
		if (fdt_index_compatible(tree, i, "virtio,mmio") &&
		    !fdt_reg(tree, i, 0, &start, &size, NULL) && start == at)
			return i;
	return -1;
}

static int write_irq(struct patch *p, const char *path, uint32_t number)
{
	int irqc = controller(p);
	uint32_t cells[16] = { 0 };
	fdt32_t be[16];
	enum hv_irq_controller kind;
	fdt32_t phandle;
	int rc, n;

	if (irqc < 0)
		return irqc;
	n = p->tree->nodes[irqc].interrupt_cells;
	if (n < 1)
		return hv_err_set(p->err, EINVAL,
				  "%s: its interrupt controller has no "
				  "#interrupt-cells",
				  p->tree->label);
	kind = fdt_irq_controller(p->tree, irqc);
	phandle = cpu_to_fdt32(p->tree->nodes[irqc].phandle);

	if (kind == HV_IRQC_GICV2 || kind == HV_IRQC_GICV3) {
		cells[0] = number < 32;
		cells[1] = number - (number < 32 ? 16 : 32);
		cells[2] = 1;
	} else {
		cells[0] = number;
		cells[1] = 4;
	}
	for (int i = 0; i < n; i++)
		be[i] = cpu_to_fdt32(cells[i]);
	rc = set(p, path, "interrupt-parent", &phandle, 4);
	if (!rc)
		rc = set(p, path, "interrupts", be, (size_t)n * 4);
	return rc;
}

static int patch_device(struct patch *p, const struct hv_fdt_guest_virtio *v)
{
	struct hv_fdt_irq irq;
	char path[FDT_PATH_TEXT];
	int index = virtio_at(p->tree, v->at);
	uint64_t start, size;
	int rc, len;

	if (index < 0) {
		snprintf(path, sizeof(path), "/virtio_mmio@%" PRIx64, v->at);
		rc = hv_fdt_add_node(p->tree, path, p->err);
		if (!rc)
			rc = set_string(p, path, "compatible", "virtio,mmio");
		if (!rc)
			rc = set_reg(p, path, v->at, v->size);
		if (!rc)
			rc = set(p, path, "dma-coherent", "", 0);
		if (!rc)
			rc = write_irq(p, path, v->irq);
		return rc;
	}
	fdt_index_path(p->tree, index, path, sizeof(path));
	if (!p->tree->nodes[index].enabled) {
		rc = set_string(p, path, "status", "okay");
		if (rc)
			return rc;
		index = virtio_at(p->tree, v->at);
	}
	if (p->tree->nodes[index].parent == 0 && !fdt_reg(p->tree, index, 0, &start, &size, NULL) &&
	    size != v->size) {
		rc = set_reg(p, path, v->at, v->size);
		if (rc)
			return rc;
		index = virtio_at(p->tree, v->at);
	}
	if (!fdt_irq(p->tree, index, 0, &irq, NULL) && irq.number == v->irq)
		return 0;
	if (fdt_index_prop(p->tree, index, "interrupts-extended", &len)) {
		rc = set(p, path, "interrupts-extended", NULL, 0);
		if (rc)
			return rc;
	}
	return write_irq(p, path, v->irq);
}

static bool wanted(const struct patch *p, uint64_t start)
{
	for (size_t i = 0; i < p->desc->n_virtio; i++)
		if (p->desc->virtio[i].at == start)
			return true;
	return false;
}

/* An enabled virtio,mmio node that no device stands behind: touching it would hang the guest. */
static bool is_stray(const struct patch *p, int index)
{
	uint64_t start, size;

	return p->tree->nodes[index].enabled &&
	       fdt_index_compatible(p->tree, index, "virtio,mmio") &&
	       !fdt_reg(p->tree, index, 0, &start, &size, NULL) && !wanted(p, start);
}

static int patch_virtio(struct patch *p)
{
	int rc = drop(p, is_stray, false);

	if (rc)
		return rc;
	for (size_t i = 0; i < p->desc->n_virtio; i++) {
		rc = patch_device(p, &p->desc->virtio[i]);
		if (rc)
			return rc;
	}
	return 0;
}

int hv_fdt_guest_patch(struct hv_fdt *tree, const struct hv_fdt_guest *desc, unsigned int what,
		       struct hv_err *err)
{
	struct patch p = { .desc = desc, .err = err };
	int rc;

	rc = hv_fdt_open(tree->blob, tree->size, tree->label, &p.tree, err);
	if (!rc)
		rc = fdt_bus_cells(p.tree, 0, &p.address_cells, &p.size_cells, err);
	if (!rc &&
	    (p.address_cells < 1 || p.address_cells > 2 || p.size_cells < 1 || p.size_cells > 2))
		rc = hv_err_set(err, EINVAL,
				"%s: the root has %d address and %d size cells: 1 or 2 are "
				"understood",
				tree->label, p.address_cells, p.size_cells);
	if (!rc && what & HV_PATCH_MEMORY)
		rc = patch_memory(&p);
	if (!rc && what & HV_PATCH_VIRTIO)
		rc = patch_virtio(&p);
	if (!rc && what & HV_PATCH_CHOSEN)
		rc = patch_chosen(&p);
	if (!rc) {
		struct hv_fdt old = *tree;

		p.tree->generation = old.generation + 1;
		*tree = *p.tree;
		*p.tree = old;
	}
	hv_fdt_close(p.tree);
	return rc;
}
