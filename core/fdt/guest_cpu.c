// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/guest_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* CPUs and what each has: firmware, timer, interrupt controller. */

#define MACHINE_EXTERNAL 11u
#define SUPERVISOR_EXTERNAL 9u
#define DEFAULT_SOURCES 96u
#define DEFAULT_TIMEBASE 10000000u

static int host_cpu(const struct guest_build *b, uint64_t id)
{
	const struct hv_fdt *host = b->host;
	int cpus = host ? fdt_index_by_path(host, "/cpus", 5) : -1;
	int ac, sc, len;

	if (cpus < 0 || fdt_bus_cells(host, cpus, &ac, &sc, NULL) || ac < 1 || ac > 2)
		return -1;
	for (int i = cpus + 1; i < host->nodes[cpus].end; i = host->nodes[i].end) {
		const char *type = fdt_index_string(host, i, "device_type");
		const fdt32_t *reg = fdt_index_prop(host, i, "reg", &len);
		uint64_t value;

		if (!type || strcmp(type, "cpu") != 0 || !reg || len != ac * 4)
			continue;
		value = fdt32_ld(reg);
		if (ac == 2)
			value = value << 32 | fdt32_ld(reg + 1);
		if (value == id)
			return i;
	}
	return -1;
}

/* What a CPU is, as against what drives it. */
static bool describes_cpu(const char *name)
{
	static const char *const prefixes[] = { "riscv,", "i-cache-", "d-cache-",
						"i-tlb-", "d-tlb-",   "tlb-" };
	static const char *const names[] = { "capacity-dmips-mhz", "mmu-type" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

struct copy {
	struct guest_build *b;
	bool isa, mmu;
};

static int copy_cpu_prop(const char *name, const void *value, size_t len, void *arg)
{
	struct copy *c = arg;

	if (!describes_cpu(name) ||
	    (c->b->desc->isa && strncmp(name, "riscv,isa", strlen("riscv,isa")) == 0))
		return 0;
	c->isa = c->isa || strcmp(name, "riscv,isa") == 0 || strcmp(name, "riscv,isa-base") == 0;
	c->mmu = c->mmu || strcmp(name, "mmu-type") == 0;
	fdt_write_prop(&c->b->w, name, value, len);
	return 0;
}

static void write_cpu(struct guest_build *b, const struct hv_fdt_guest_cpu *cpu, bool wide,
		      uint32_t *intc)
{
	int index = host_cpu(b, cpu->id);
	const void *compatible = NULL;
	struct copy copy = { .b = b };
	int len;

	guest_node_at(b, "cpu", cpu->id);
	fdt_write_string(&b->w, "device_type", "cpu");
	if (!cpu->compatible && index >= 0)
		compatible = fdt_index_prop(b->host, index, "compatible", &len);
	if (compatible)
		fdt_write_prop(&b->w, "compatible", compatible, (size_t)len);
	else
		fdt_write_string(&b->w, "compatible",
				 cpu->compatible   ? cpu->compatible
				 : guest_is_arm(b) ? "arm,armv8"
						   : "riscv");
	if (wide)
		fdt_write_u32s(&b->w, "reg", (uint32_t)(cpu->id >> 32), (uint32_t)cpu->id);
	else
		fdt_write_u32s(&b->w, "reg", (uint32_t)cpu->id);
	if (index >= 0)
		hv_fdt_each_prop(b->host, b->host->nodes[index].offset, copy_cpu_prop, &copy);
	if (guest_is_arm(b)) {
		fdt_write_string(&b->w, "enable-method", "psci");
	} else {
		if (!copy.isa)
			fdt_write_string(&b->w, "riscv,isa",
					 b->desc->isa ? b->desc->isa : "rv64imafdc");
		if (!copy.mmu)
			fdt_write_string(&b->w, "mmu-type", "riscv,sv39");
		*intc = guest_phandle(b);
		fdt_write_node(&b->w, "interrupt-controller");
		fdt_write_string(&b->w, "compatible", "riscv,cpu-intc");
		fdt_write_flag(&b->w, "interrupt-controller");
		fdt_write_u32s(&b->w, "#interrupt-cells", 1);
		fdt_write_u32s(&b->w, "#address-cells", 0);
		fdt_write_u32s(&b->w, "phandle", *intc);
		fdt_write_end(&b->w);
	}
	fdt_write_end(&b->w);
}

static uint32_t timebase(const struct guest_build *b)
{
	int cpus = b->host ? fdt_index_by_path(b->host, "/cpus", 5) : -1;
	const fdt32_t *cell = NULL;
	int len;

	if (b->desc->timebase_frequency)
		return b->desc->timebase_frequency;
	if (cpus >= 0)
		cell = fdt_index_prop(b->host, cpus, "timebase-frequency", &len);
	return cell && len == 4 ? fdt32_ld(cell) : DEFAULT_TIMEBASE;
}

void guest_write_cpus(struct guest_build *b)
{
	const struct hv_fdt_guest *d = b->desc;
	bool wide = false;

	for (size_t i = 0; i < d->n_cpus; i++)
		wide = wide || d->cpus[i].id >> 32;
	b->intc = calloc(d->n_cpus, sizeof(*b->intc));
	if (!b->intc) {
		b->rc = b->rc ? b->rc : hv_err_nomem(b->err);
		return;
	}
	fdt_write_node(&b->w, "cpus");
	fdt_write_u32s(&b->w, "#address-cells", wide ? 2 : 1);
	fdt_write_u32s(&b->w, "#size-cells", 0);
	if (!guest_is_arm(b))
		fdt_write_u32s(&b->w, "timebase-frequency", timebase(b));
	for (size_t i = 0; i < d->n_cpus; i++)
		write_cpu(b, &d->cpus[i], wide, &b->intc[i]);
	fdt_write_end(&b->w);
	if (!guest_is_arm(b))
		return;
	fdt_write_node(&b->w, "psci");
	fdt_write_prop(&b->w, "compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
	fdt_write_string(&b->w, "method", "smc");
	fdt_write_end(&b->w);
}

static int host_timer(const struct guest_build *b)
{
	for (int i = 1; b->host && i < b->host->n_nodes; i++)
		if (b->host->nodes[i].enabled && b->host->nodes[i].parent == 0 &&
		    fdt_index_compatible(b->host, i, "arm,armv8-timer"))
			return i;
	return -1;
}

static int copy_timer_prop(const char *name, const void *value, size_t len, void *arg)
{
	struct guest_build *b = arg;

	if (strcmp(name, "clock-frequency") == 0 || strcmp(name, "always-on") == 0 ||
	    strncmp(name, "arm,", 4) == 0 || strncmp(name, "fsl,erratum", 11) == 0 ||
	    strncmp(name, "allwinner,erratum", 17) == 0 ||
	    strncmp(name, "hisilicon,erratum", 17) == 0)
		fdt_write_prop(&b->w, name, value, len);
	return 0;
}

void guest_write_timer(struct guest_build *b)
{
	/* Secure and non-secure physical, virtual, hypervisor: private interrupts 13, 14, 11, 10.
	 */
	static const uint32_t numbers[4] = { 29, 30, 27, 26 };
	uint32_t cells[16], cpu_mask = 0;
	struct hv_fdt_irq irq;
	size_t n = 0;
	int timer;

	if (!guest_is_arm(b))
		return;
	timer = host_timer(b);
	/* A GICv2 wants to be told which CPUs. */
	if (b->desc->irqc == HV_IRQC_GICV2)
		cpu_mask = ((1u << (b->desc->n_cpus < 8 ? b->desc->n_cpus : 8)) - 1) << 8;
	for (unsigned int i = 0; i < 4; i++) {
		enum hv_irq_trigger trigger = HV_IRQ_LEVEL_LOW;
		uint32_t number = numbers[i];

		if (timer >= 0 && fdt_irq(b->host, timer, i, &irq, NULL) == 0 && irq.number < 32) {
			number = irq.number;
			trigger = irq.trigger;
		}
		n += (size_t)guest_irq_cells(b, number, trigger, cells + n);
		cells[n - (size_t)b->irq_cells + 2] |= cpu_mask;
	}
	fdt_write_node(&b->w, "timer");
	fdt_write_string(&b->w, "compatible", "arm,armv8-timer");
	fdt_write_cells(&b->w, "interrupts", cells, n);
	if (timer >= 0)
		hv_fdt_each_prop(b->host, b->host->nodes[timer].offset, copy_timer_prop, b);
	fdt_write_end(&b->w);
}

static void write_gic(struct guest_build *b)
{
	const struct hv_fdt_guest *d = b->desc;
	bool v3 = d->irqc == HV_IRQC_GICV3, has_its = v3 && d->its.size;
	uint32_t cells[2] = { (uint32_t)b->address_cells, (uint32_t)b->size_cells };
	uint32_t irq[4], none = 0;
	int8_t address_cells = CELLS_ABSENT;

	if (b->host_irqc >= 0)
		address_cells = b->host->nodes[b->host_irqc].address_cells;
	guest_node_at(b, "interrupt-controller", d->irqc_reg[0].start);
	fdt_write_string(&b->w, "compatible", v3 ? "arm,gic-v3" : "arm,gic-400");
	fdt_write_flag(&b->w, "interrupt-controller");
	fdt_write_u32s(&b->w, "#interrupt-cells", (uint32_t)b->irq_cells);
	guest_reg(b, d->irqc_reg, 2);
	guest_irq_cells(b, 25, HV_IRQ_LEVEL_HIGH, irq);
	fdt_write_cells(&b->w, "interrupts", irq, (size_t)b->irq_cells);
	fdt_write_u32s(&b->w, "phandle", b->irqc_phandle);
	/* Rows of an interrupt-map that is copied count these as well. */
	if (has_its) {
		fdt_write_cells(&b->w, "#address-cells", &cells[0], 1);
		fdt_write_cells(&b->w, "#size-cells", &cells[1], 1);
		fdt_write_flag(&b->w, "ranges");
		guest_node_at(b, "msi-controller", d->its.start);
		fdt_write_string(&b->w, "compatible", "arm,gic-v3-its");
		fdt_write_flag(&b->w, "msi-controller");
		fdt_write_u32s(&b->w, "#msi-cells", 1);
		guest_reg(b, &d->its, 1);
		fdt_write_end(&b->w);
	} else if (address_cells > 0) {
		cells[0] = (uint32_t)address_cells;
		fdt_write_cells(&b->w, "#address-cells", &cells[0], 1);
	} else {
		fdt_write_cells(&b->w, "#address-cells", &none, 1);
	}
	fdt_write_end(&b->w);
}

static uint32_t sources(const struct guest_build *b, const char *name)
{
	const fdt32_t *cell = NULL;
	int len;

	if (b->desc->n_sources)
		return b->desc->n_sources;
	if (b->host_irqc >= 0)
		cell = fdt_index_prop(b->host, b->host_irqc, name, &len);
	return cell && len == 4 ? fdt32_ld(cell) : DEFAULT_SOURCES;
}

static void write_contexts(struct guest_build *b, bool machine)
{
	size_t n = 0, cpus = b->desc->n_cpus;
	uint32_t *cells = calloc(cpus, 4 * sizeof(*cells));

	if (!cells || !b->intc) {
		b->rc = b->rc ? b->rc : hv_err_nomem(b->err);
		free(cells);
		return;
	}
	for (size_t i = 0; i < cpus; i++) {
		if (machine) {
			cells[n++] = b->intc[i];
			cells[n++] = MACHINE_EXTERNAL;
		}
		cells[n++] = b->intc[i];
		cells[n++] = SUPERVISOR_EXTERNAL;
	}
	fdt_write_cells(&b->w, "interrupts-extended", cells, n);
	free(cells);
}

static void write_plic(struct guest_build *b)
{
	const struct hv_fdt_guest *d = b->desc;

	guest_node_at(b, "interrupt-controller", d->irqc_reg[0].start);
	fdt_write_prop(&b->w, "compatible", "sifive,plic-1.0.0\0riscv,plic0", 30);
	fdt_write_flag(&b->w, "interrupt-controller");
	fdt_write_u32s(&b->w, "#interrupt-cells", (uint32_t)b->irq_cells);
	fdt_write_u32s(&b->w, "#address-cells", 0);
	guest_reg(b, d->irqc_reg, 1);
	/* Contexts are numbered by their place here: two for each CPU, as hvisor counts them. */
	write_contexts(b, true);
	fdt_write_u32s(&b->w, "riscv,ndev", sources(b, "riscv,ndev"));
	fdt_write_u32s(&b->w, "phandle", b->irqc_phandle);
	fdt_write_end(&b->w);
}

static void write_aplic(struct guest_build *b)
{
	const struct hv_fdt_guest *d = b->desc;
	uint32_t imsic = 0;

	if (d->n_irqc_reg > 1) {
		imsic = guest_phandle(b);
		guest_node_at(b, "interrupt-controller", d->irqc_reg[1].start);
		fdt_write_string(&b->w, "compatible", "riscv,imsics");
		fdt_write_flag(&b->w, "interrupt-controller");
		fdt_write_u32s(&b->w, "#interrupt-cells", 0);
		fdt_write_u32s(&b->w, "#address-cells", 0);
		fdt_write_flag(&b->w, "msi-controller");
		guest_reg(b, &d->irqc_reg[1], 1);
		write_contexts(b, false);
		fdt_write_u32s(&b->w, "riscv,num-ids", 255);
		fdt_write_u32s(&b->w, "phandle", imsic);
		fdt_write_end(&b->w);
	}
	guest_node_at(b, "interrupt-controller", d->irqc_reg[0].start);
	fdt_write_string(&b->w, "compatible", "riscv,aplic");
	fdt_write_flag(&b->w, "interrupt-controller");
	fdt_write_u32s(&b->w, "#interrupt-cells", (uint32_t)b->irq_cells);
	fdt_write_u32s(&b->w, "#address-cells", 0);
	guest_reg(b, d->irqc_reg, 1);
	if (imsic)
		fdt_write_u32s(&b->w, "msi-parent", imsic);
	else
		write_contexts(b, false);
	fdt_write_u32s(&b->w, "riscv,num-sources", sources(b, "riscv,num-sources"));
	fdt_write_u32s(&b->w, "phandle", b->irqc_phandle);
	fdt_write_end(&b->w);
}

void guest_write_irqc(struct guest_build *b)
{
	if (guest_is_arm(b))
		write_gic(b);
	else if (b->desc->irqc == HV_IRQC_PLIC)
		write_plic(b);
	else
		write_aplic(b);
}
