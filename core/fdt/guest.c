// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/guest_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROLE_NONE 0xff
#define VIRTIO_TRIGGER(b) (guest_is_arm(b) ? HV_IRQ_EDGE_RISING : HV_IRQ_LEVEL_HIGH)

void guest_node_at(struct guest_build *b, const char *name, uint64_t at)
{
	fdt_write_node(&b->w, "%s@%" PRIx64, name, at);
}

void guest_reg(struct guest_build *b, const struct hv_fdt_range *ranges, size_t n)
{
	uint32_t *cells = calloc(n ? n * 4 : 1, sizeof(*cells));
	size_t used = 0;

	if (!cells) {
		if (!b->rc)
			b->rc = hv_err_nomem(b->err);
		return;
	}
	for (size_t i = 0; i < n && !b->rc; i++) {
		if ((b->address_cells < 2 && ranges[i].start >> 32) ||
		    (b->size_cells < 2 && ranges[i].size >> 32))
			b->rc = hv_err_set(b->err, EINVAL,
					   "%#" PRIx64 "+%#" PRIx64
					   " cannot be written: the host's tree has %d address and "
					   "%d size cells",
					   ranges[i].start, ranges[i].size, b->address_cells,
					   b->size_cells);
		if (b->address_cells == 2)
			cells[used++] = (uint32_t)(ranges[i].start >> 32);
		cells[used++] = (uint32_t)ranges[i].start;
		if (b->size_cells == 2)
			cells[used++] = (uint32_t)(ranges[i].size >> 32);
		cells[used++] = (uint32_t)ranges[i].size;
	}
	fdt_write_cells(&b->w, "reg", cells, used);
	free(cells);
}

int guest_irq_cells(const struct guest_build *b, uint32_t number, enum hv_irq_trigger trigger,
		    uint32_t cells[4])
{
	static const uint32_t flags[] = { 0, 1, 2, 4, 8 };

	memset(cells, 0, 4 * sizeof(*cells));
	if (guest_is_arm(b)) {
		cells[0] = number < 32;
		cells[1] = number - (number < 32 ? 16 : 32);
		cells[2] = flags[trigger];
		return b->irq_cells;
	}
	cells[0] = number;
	cells[1] = flags[trigger];
	return b->irq_cells;
}

static void write_irq(struct guest_build *b, uint32_t number, enum hv_irq_trigger trigger)
{
	uint32_t cells[4];
	int n = guest_irq_cells(b, number, trigger, cells);

	fdt_write_cells(&b->w, "interrupts", cells, (size_t)n);
}

static void write_chosen(struct guest_build *b)
{
	const struct hv_fdt_guest *d = b->desc;

	fdt_write_node(&b->w, "chosen");
	if (d->bootargs)
		fdt_write_string(&b->w, "bootargs", d->bootargs);
	if (d->stdout_path)
		fdt_write_string(&b->w, "stdout-path", d->stdout_path);
	if (d->has_initrd) {
		fdt_write_u32s(&b->w, "linux,initrd-start", (uint32_t)(d->initrd_start >> 32),
			       (uint32_t)d->initrd_start);
		fdt_write_u32s(&b->w, "linux,initrd-end", (uint32_t)(d->initrd_end >> 32),
			       (uint32_t)d->initrd_end);
	}
	fdt_write_end(&b->w);
}

static void write_memory(struct guest_build *b)
{
	for (size_t i = 0; i < b->desc->n_memory; i++) {
		guest_node_at(b, "memory", b->desc->memory[i].start);
		fdt_write_string(&b->w, "device_type", "memory");
		guest_reg(b, &b->desc->memory[i], 1);
		fdt_write_end(&b->w);
	}
}

/* The zone's own and what comes along with devices. */
static void write_reserved(struct guest_build *b)
{
	int index = b->host ? fdt_index_by_path(b->host, "/reserved-memory", 16) : -1;
	bool comes = index >= 0 && b->roles && b->roles[index] != ROLE_NONE;
	uint32_t cells[2] = { (uint32_t)b->address_cells, (uint32_t)b->size_cells };

	if (!b->desc->n_reserved && !comes)
		return;
	fdt_write_node(&b->w, "reserved-memory");
	fdt_write_cells(&b->w, "#address-cells", &cells[0], 1);
	fdt_write_cells(&b->w, "#size-cells", &cells[1], 1);
	fdt_write_flag(&b->w, "ranges");
	for (size_t i = 0; i < b->desc->n_reserved; i++) {
		const struct hv_fdt_guest_reserved *r = &b->desc->reserved[i];

		guest_node_at(b, r->name, r->start);
		guest_reg(b, &(struct hv_fdt_range){ r->start, r->size }, 1);
		if (r->no_map)
			fdt_write_flag(&b->w, "no-map");
		fdt_write_end(&b->w);
	}
	if (comes)
		guest_copy_children(b, index);
	fdt_write_end(&b->w);
}

static void write_devices(struct guest_build *b)
{
	const struct hv_fdt_guest *d = b->desc;
	uint32_t *cells;
	size_t n = 0;

	for (size_t i = 0; i < d->n_virtio; i++) {
		guest_node_at(b, "virtio_mmio", d->virtio[i].at);
		fdt_write_string(&b->w, "compatible", "virtio,mmio");
		guest_reg(b, &(struct hv_fdt_range){ d->virtio[i].at, d->virtio[i].size }, 1);
		write_irq(b, d->virtio[i].irq, VIRTIO_TRIGGER(b));
		fdt_write_flag(&b->w, "dma-coherent");
		fdt_write_end(&b->w);
	}
	if (!d->n_ivc_irqs)
		return;
	cells = calloc(d->n_ivc_irqs + 1, 4 * sizeof(*cells));
	if (!cells) {
		b->rc = b->rc ? b->rc : hv_err_nomem(b->err);
		return;
	}
	for (size_t i = 0; i < d->n_ivc_irqs; i++)
		n += (size_t)guest_irq_cells(b, d->ivc_irqs[i], VIRTIO_TRIGGER(b), cells + n);
	fdt_write_node(&b->w, "hvisor_ivc_device");
	fdt_write_string(&b->w, "compatible", "hvisor");
	fdt_write_cells(&b->w, "interrupts", cells, n);
	fdt_write_end(&b->w);
	free(cells);
}

static void write_root(struct guest_build *b)
{
	uint32_t cells[2] = { (uint32_t)b->address_cells, (uint32_t)b->size_cells };
	const void *compatible = NULL;
	int len;

	/* Drivers of passed-through devices may ask which machine it is. */
	if (b->plan)
		compatible = fdt_index_prop(b->host, 0, "compatible", &len);
	fdt_write_string(&b->w, "model", b->desc->model ? b->desc->model : "hvisor zone");
	if (compatible)
		fdt_write_prop(&b->w, "compatible", compatible, (size_t)len);
	else
		fdt_write_string(&b->w, "compatible",
				 guest_is_arm(b) ? "linux,dummy-virt" : "riscv-virtio");
	fdt_write_u32s(&b->w, "interrupt-parent", b->irqc_phandle);
	fdt_write_cells(&b->w, "#address-cells", &cells[0], 1);
	fdt_write_cells(&b->w, "#size-cells", &cells[1], 1);
}

static int check(const struct hv_fdt *host, const struct hv_fdt_guest *d, struct hv_err *err)
{
	static const size_t regs[] = {
		[HV_IRQC_GICV2] = 2, [HV_IRQC_GICV3] = 2, [HV_IRQC_PLIC] = 1, [HV_IRQC_APLIC] = 1
	};

	if (d->irqc < HV_IRQC_GICV2 || d->irqc > HV_IRQC_APLIC)
		return hv_err_set(
			err, EOPNOTSUPP,
			"a device tree can be made for a GICv2, GICv3, PLIC or APLIC, not "
			"for another interrupt controller: give the zone a dtb");
	if (d->n_irqc_reg < regs[d->irqc])
		return hv_err_set(err, EINVAL,
				  "the %s needs %zu register ranges in the guest's tree, %zu are "
				  "given",
				  hv_irq_controller_name(d->irqc), regs[d->irqc], d->n_irqc_reg);
	if (!d->n_cpus)
		return hv_err_set(err, EINVAL, "a guest's tree needs a CPU");
	if (!d->n_memory)
		return hv_err_set(err, EINVAL, "a guest's tree needs memory");
	if (d->plan && !host)
		return hv_err_set(err, EINVAL, "a plan needs the tree it was made from");
	for (size_t i = 0; i < d->n_virtio; i++)
		if (d->irqc <= HV_IRQC_GICV3 && d->virtio[i].irq < 16)
			return hv_err_set(err, EINVAL,
					  "interrupt %u of the virtio device at %#" PRIx64
					  " is none a device may have",
					  d->virtio[i].irq, d->virtio[i].at);
	return 0;
}

/* The host's controller of the guest's kind: what refers to it refers to the guest's then. */
static void adopt_irqc(struct guest_build *b)
{
	const struct hv_fdt *host = b->host;

	b->host_irqc = -1;
	b->irq_cells = guest_is_arm(b) ? 3 : b->desc->irqc == HV_IRQC_PLIC ? 1 : 2;
	b->irqc_phandle = 0;
	for (int i = 1; host && i < host->n_nodes && b->host_irqc < 0; i++)
		if (host->nodes[i].enabled && host->nodes[i].phandle &&
		    fdt_irq_controller(host, i) == b->desc->irqc)
			b->host_irqc = i;
	if (b->host_irqc >= 0) {
		b->irqc_phandle = host->nodes[b->host_irqc].phandle;
		/* What is copied counts its cells. */
		if (host->nodes[b->host_irqc].interrupt_cells > 0 &&
		    host->nodes[b->host_irqc].interrupt_cells <= 4)
			b->irq_cells = host->nodes[b->host_irqc].interrupt_cells;
	} else {
		b->irqc_phandle = guest_phandle(b);
	}
}

static int begin(struct guest_build *b)
{
	const struct hv_fdt *host = b->host;
	char path[FDT_PATH_TEXT];
	int rc;

	b->next_phandle = 1;
	b->address_cells = b->size_cells = 2;
	if (host && b->desc->plan) {
		b->plan = hv_fdt_passthrough_plan(b->desc->plan);
		rc = fdt_bus_cells(host, 0, &b->address_cells, &b->size_cells, b->err);
		if (rc)
			return rc;
		if (b->address_cells < 1 || b->address_cells > 2 || b->size_cells < 1 ||
		    b->size_cells > 2)
			return hv_err_set(b->err, EINVAL,
					  "%s: the root has %d address and %d size cells: 1 or 2 "
					  "are understood",
					  host->label, b->address_cells, b->size_cells);
		b->roles = malloc((size_t)host->n_nodes);
		if (!b->roles)
			return hv_err_nomem(b->err);
		memset(b->roles, ROLE_NONE, (size_t)host->n_nodes);
		for (size_t i = 0; i < b->plan->n_nodes; i++) {
			const struct hv_fdt_plan_node *n = &b->plan->nodes[i];
			int index = fdt_index_of(host, n->node);

			if (index < 0 ||
			    strcmp(fdt_index_path(host, index, path, sizeof(path)), n->path) != 0)
				return hv_err_set(b->err, EINVAL,
						  "%s: the plan was made from another tree: it has "
						  "no %s",
						  host->label, n->path);
			if (n->role <= HV_ROLE_BUS)
				b->roles[index] = (uint8_t)n->role;
		}
	}
	for (size_t i = 0; host && i < host->n_phandles; i++)
		if (host->phandles[i].phandle >= b->next_phandle &&
		    host->phandles[i].phandle < 0x7fffffff)
			b->next_phandle = host->phandles[i].phandle + 1;
	adopt_irqc(b);
	return 0;
}

int hv_fdt_guest_build(const struct hv_fdt *host, const struct hv_fdt_guest *desc,
		       struct hv_fdt **tree, struct hv_err *err)
{
	struct hv_err own = { 0 };
	struct guest_build b = { .host = host, .desc = desc, .err = err ? err : &own };
	int rc = check(host, desc, b.err);

	if (rc)
		return rc;
	rc = begin(&b);
	if (rc)
		goto out;
	fdt_write_begin(&b.w);
	write_root(&b);
	guest_copy_aliases(&b);
	write_chosen(&b);
	guest_write_cpus(&b);
	write_memory(&b);
	write_reserved(&b);
	guest_write_timer(&b);
	guest_write_irqc(&b);
	if (b.plan)
		guest_copy_children(&b, 0);
	guest_write_standins(&b);
	write_devices(&b);
	if (b.n_missing && !b.rc)
		b.rc = hv_err_set(b.err, ENODATA,
				  "the rates of %u clocks are not known: %s%s; give them as rates",
				  b.n_missing, b.missing, b.n_missing > 4 ? ", …" : "");
	rc = b.rc;
	if (rc)
		fdt_write_free(&b.w);
	else
		rc = fdt_write_finish(&b.w, "the guest's tree", tree, err);
out:
	free(b.roles);
	free(b.clocks);
	free(b.supplies);
	free(b.intc);
	return rc;
}
