// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* The device tree a zone will be given, against the zone. */

#define PATH_TEXT 160
#define NODE_IRQS 64 /* of one node; more are not looked at */

struct tree_check {
	struct hv_check *c;
	struct hv_entry *e;
	const char *what; /* "dtb linux1.dtb" */
	struct hv_fdt_machine m;
	uint32_t missing[HV_MAX_IRQ]; /* interrupts that nodes need and the zone does not have */
	size_t n_missing;
	char missing_node[PATH_TEXT]; /* the first of those nodes */
};

__attribute__((format(printf, 4, 5))) static struct hv_finding *
report(struct tree_check *t, enum hv_severity severity, const char *code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return hv_report(t->c, t->e, t->what, &t->e->zone.spec->dtb.origin, severity, code, "%s",
			 text);
}

static void note(void *arg, const char *node_path, const char *message)
{
	report(arg, HV_NOTE, "dtb-note", "%s: %s", node_path, message);
}

/* Whether a range lies in RAM regions of the zone, several joined where they touch. */
static bool in_ram(const struct hv_abi_zone *abi, uint64_t start, uint64_t size)
{
	uint64_t at = start;
	bool moved = true;

	if (size > UINT64_MAX - start)
		return false;
	while (at < start + size && moved) {
		moved = false;
		for (uint32_t i = 0; i < abi->n_regions; i++) {
			const struct hv_abi_region *r = &abi->regions[i];

			if (r->type != HV_REGION_RAM || !hv_inside(at, 1, r->ipa, r->size))
				continue;
			at = r->ipa + r->size;
			moved = true;
		}
	}
	return at >= start + size;
}

/* How much of a region the tree's memory nodes mention; nodes that overlap each other count twice.
 */
static uint64_t mentioned(const struct hv_fdt_machine *m, const struct hv_abi_region *r)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->n_memory; i++) {
		uint64_t start = m->memory[i].start, end = start + m->memory[i].size;

		if (end < start || end <= r->ipa || start >= r->ipa + r->size)
			continue;
		start = start > r->ipa ? start : r->ipa;
		end = end < r->ipa + r->size ? end : r->ipa + r->size;
		sum += end - start;
	}
	return sum;
}

static void check_memory(struct tree_check *t)
{
	const struct hv_abi_zone *abi = &t->e->zone.abi;
	char text[HV_SIZE_TEXT], what[HV_WHAT_TEXT];
	struct hv_finding *f;

	if (!t->m.n_memory)
		report(t, HV_WARNING, "dtb-no-memory",
		       "the tree has no memory node: the guest will not know its RAM");
	for (unsigned int i = 0; i < t->m.n_memory; i++) {
		if (in_ram(abi, t->m.memory[i].start, t->m.memory[i].size))
			continue;
		f = report(t, HV_ERROR, "dtb-memory",
			   "the tree's memory 0x%" PRIx64 "+0x%" PRIx64
			   " (%s) is not all RAM of the zone",
			   t->m.memory[i].start, t->m.memory[i].size,
			   hv_size_format(t->m.memory[i].size, text));
		for (uint32_t k = 0; k < abi->n_regions; k++) {
			const struct hv_abi_region *r = &abi->regions[k];

			if (r->type != HV_REGION_RAM)
				continue;
			hv_report_other(t->c, f, t->e, hv_region_what(&t->e->zone, k, what),
					hv_region_origin(t->e, k));
			hv_report_fix(t->c, f,
				      "the zone has 0x%" PRIx64 "+0x%" PRIx64
				      ": change the tree's memory node or the zone's ram",
				      r->ipa, r->size);
			break;
		}
	}
	for (uint32_t k = 0; t->m.n_memory && k < abi->n_regions; k++) {
		const struct hv_abi_region *r = &abi->regions[k];
		uint64_t sum = mentioned(&t->m, r);

		if (r->type == HV_REGION_RAM && sum < r->size)
			report(t, HV_NOTE, "dtb-memory-unused",
			       "%s of the zone's RAM at 0x%" PRIx64
			       " are in no memory node: the guest will not use them",
			       hv_size_format(r->size - sum, text), r->ipa);
	}
}

static void check_cpus(struct tree_check *t)
{
	const struct hv_zone_spec *spec = t->e->zone.spec;
	unsigned int have = (unsigned int)__builtin_popcountll(spec->cpus);
	struct hv_finding *f;

	if (t->m.n_cpus == have)
		return;
	if (t->m.n_cpus > have)
		f = report(t, HV_ERROR, "dtb-cpus",
			   "the tree has %u CPUs, the zone %u: the guest would try to start CPUs "
			   "that are not its own",
			   t->m.n_cpus, have);
	else
		f = report(t, HV_WARNING, "dtb-cpus",
			   "the tree has %u CPU%s, the zone %u: the others stay idle", t->m.n_cpus,
			   t->m.n_cpus == 1 ? "" : "s", have);
	hv_report_other(t->c, f, t->e, "cpus", &spec->cpus_origin);
	hv_report_fix(t->c, f, "as many nodes under /cpus as the zone has CPUs");
}

static const char *irqc_name(enum hv_irq_controller irqc)
{
	switch (irqc) {
	case HV_IRQC_GICV2:
		return "GICv2";
	case HV_IRQC_GICV3:
		return "GICv3";
	case HV_IRQC_PLIC:
		return "PLIC";
	case HV_IRQC_APLIC:
		return "APLIC";
	default:
		return "another interrupt controller";
	}
}

static void irqc_register(struct tree_check *t, unsigned int reg, const char *name, uint64_t base,
			  uint64_t alias)
{
	struct hv_finding *f;
	uint64_t start;

	if (reg >= t->m.n_irqc_reg)
		return;
	start = t->m.irqc_reg[reg].start;
	if (start == base || start == alias)
		return;
	f = report(t, HV_ERROR, "dtb-irqc",
		   "the tree has the %s at 0x%" PRIx64 ", the zone at 0x%" PRIx64, name, start,
		   base);
	hv_report_other(t->c, f, t->e, name, &t->e->zone.spec->arch_origin);
}

static void check_its(struct tree_check *t)
{
	const struct hv_abi_arm64 *a = &t->e->zone.abi.arm64;
	struct hv_finding *f;

	if (!t->m.has_its || t->e->zone.spec->arch != HV_ARCH_ARM64)
		return;
	if (!a->gits_base || !a->gits_size)
		f = report(t, HV_ERROR, "dtb-its",
			   "the tree has an ITS node, but the zone has no ITS (gits size 0): the "
			   "guest would touch nothing");
	else
		f = report(t, HV_WARNING, "dtb-its-restart",
			   "the tree has an ITS node: such a zone hangs its CPU in hvisor when it "
			   "is started a second time");
	hv_report_other(t->c, f, t->e, "gic", &t->e->zone.spec->arch_origin);
	hv_report_fix(t->c, f, "remove the arm,gic-v3-its node from the tree (virtio needs none)");
}

static void check_irqc(struct tree_check *t)
{
	const struct hv_zone_spec *spec = t->e->zone.spec;
	const struct hv_abi_zone *abi = &t->e->zone.abi;
	enum hv_irq_controller want = HV_IRQC_OTHER;
	struct hv_finding *f;

	if (spec->arch == HV_ARCH_ARM64)
		want = abi->arm64.gic_version == 2 ? HV_IRQC_GICV2 : HV_IRQC_GICV3;
	else if (spec->arch == HV_ARCH_RISCV64)
		want = t->m.irqc == HV_IRQC_APLIC && abi->riscv64.aplic_size ? HV_IRQC_APLIC
									     : HV_IRQC_PLIC;
	else
		return;
	if (t->m.irqc == HV_IRQC_NONE) {
		report(t, HV_WARNING, "dtb-irqc",
		       "the tree has no interrupt controller; the zone has a %s", irqc_name(want));
		return;
	}
	if (t->m.irqc != want) {
		f = report(t, HV_ERROR, "dtb-irqc", "the tree has a %s, the zone a %s",
			   irqc_name(t->m.irqc), irqc_name(want));
		hv_report_other(t->c, f, t->e, irqc_name(want), &spec->arch_origin);
		return;
	}
	switch (want) {
	case HV_IRQC_GICV2:
		irqc_register(t, 0, "GIC distributor", abi->arm64.gicd_base, abi->arm64.gicd_base);
		irqc_register(t, 1, "GIC CPU interface", abi->arm64.gicc_base,
			      abi->arm64.gicc_base + abi->arm64.gicc_offset);
		break;
	case HV_IRQC_GICV3:
		irqc_register(t, 0, "GIC distributor", abi->arm64.gicd_base, abi->arm64.gicd_base);
		irqc_register(t, 1, "GIC redistributors", abi->arm64.gicr_base,
			      abi->arm64.gicr_base);
		break;
	case HV_IRQC_APLIC:
		irqc_register(t, 0, "APLIC", abi->riscv64.aplic_base, abi->riscv64.aplic_base);
		break;
	default:
		irqc_register(t, 0, "PLIC", abi->riscv64.plic_base, abi->riscv64.plic_base);
		break;
	}
	check_its(t);
}

/* ---- virtio nodes, both ways */

static const struct hv_abi_region *region_at(const struct hv_abi_zone *abi, uint64_t ipa)
{
	for (uint32_t i = 0; i < abi->n_regions; i++)
		if (hv_inside(ipa, 1, abi->regions[i].ipa, abi->regions[i].size))
			return &abi->regions[i];
	return NULL;
}

static void check_served_node(struct tree_check *t, unsigned int n, const struct hv_device_slot *d)
{
	const struct hv_fdt_irq *irq = &t->m.virtio[n].irq;
	char what[HV_WHAT_TEXT], path[PATH_TEXT];
	struct hv_finding *f;

	if (irq->controller == HV_IRQC_NONE || irq->controller == HV_IRQC_OTHER ||
	    irq->number == d->irq)
		return;
	hv_device_what(d->spec, what);
	f = report(t, HV_ERROR, "dtb-irq",
		   "the tree's %s waits for interrupt %" PRIu32 ", %s has %" PRIu32
		   ": the guest would wait forever",
		   hv_fdt_path(t->e->zone.tree, t->m.virtio[n].node, path, sizeof(path)),
		   irq->number, what, d->irq);
	hv_report_other(t->c, f, t->e, what,
			d->irq_given ? &d->spec->irq_origin : &d->spec->origin);
	hv_report_fix(t->c, f, "irq = %" PRIu32 ", or change the tree", irq->number);
}

static void check_unserved_node(struct tree_check *t, unsigned int n)
{
	const struct hv_zone *z = &t->e->zone;
	const struct hv_abi_region *r = region_at(&z->abi, t->m.virtio[n].start);
	char path[PATH_TEXT];
	struct hv_finding *f;

	if (r && r->type == HV_REGION_IO)
		return; /* a real device of the board, passed through */
	hv_fdt_path(z->tree, t->m.virtio[n].node, path, sizeof(path));
	if (r && !z->n_devices)
		f = report(t, HV_WARNING, "dtb-virtio",
			   "the tree's %s has its window in the zone's virtio region, but the "
			   "script serves no "
			   "device there: without a service the guest hangs in the hypervisor",
			   path);
	else
		f = report(
			t, HV_ERROR, "dtb-virtio",
			"the tree's %s at 0x%" PRIx64
			" belongs to no device of the zone: the guest would %s when it looks there",
			path, t->m.virtio[n].start, r ? "hang in the hypervisor" : "be stopped");
	hv_report_fix(t->c, f, "add the device with at = 0x%" PRIx64 ", or disable the node",
		      t->m.virtio[n].start);
}

static void check_virtio(struct tree_check *t)
{
	const struct hv_zone *z = &t->e->zone;
	const char *bootargs = t->m.bootargs ?: "";
	char what[HV_WHAT_TEXT];

	for (unsigned int n = 0; n < t->m.n_virtio; n++) {
		const struct hv_device_slot *served = NULL;

		for (size_t i = 0; i < z->n_devices && !served; i++)
			if (z->devices[i].size && z->devices[i].at == t->m.virtio[n].start)
				served = &z->devices[i];
		if (served)
			check_served_node(t, n, served);
		else
			check_unserved_node(t, n);
	}
	if (strstr(bootargs, "virtio_mmio.device="))
		return; /* announced there instead */
	for (size_t i = 0; i < z->n_devices; i++) {
		const struct hv_device_slot *d = &z->devices[i];
		struct hv_finding *f;
		bool known = false;

		for (unsigned int n = 0; n < t->m.n_virtio; n++)
			known |= t->m.virtio[n].start == d->at;
		if (known || !d->size)
			continue;
		hv_device_what(d->spec, what);
		f = hv_report(t->c, t->e, what, &d->spec->origin, HV_WARNING, "dtb-no-device",
			      "%s at 0x%" PRIx64
			      " has no node in the tree: the guest will not find it",
			      what, d->at);
		hv_report_other(t->c, f, t->e, t->what, &z->spec->dtb.origin);
		hv_report_fix(t->c, f,
			      "a virtio,mmio node with reg 0x%" PRIx64 "+0x%" PRIx64
			      " and interrupt %" PRIu32,
			      d->at, d->size, d->irq);
	}
}

/* ---- interrupts of the other nodes */

static int collect_irqs(const struct hv_fdt *tree, int node, void *arg)
{
	struct tree_check *t = arg;
	struct hv_fdt_irq irq;

	if (!hv_fdt_enabled(tree, node))
		return 0;
	for (unsigned int n = 0; n < t->m.n_virtio; n++)
		if (t->m.virtio[n].node == node)
			return 0;
	for (unsigned int i = 0; i < NODE_IRQS && !hv_fdt_irq(tree, node, i, &irq, NULL); i++) {
		bool gic = irq.controller == HV_IRQC_GICV2 || irq.controller == HV_IRQC_GICV3;
		bool have = false;

		if ((!gic && irq.controller != HV_IRQC_PLIC && irq.controller != HV_IRQC_APLIC) ||
		    (gic && irq.number < 32) || irq.controller != t->m.irqc)
			continue;
		for (uint32_t k = 0; k < t->e->zone.abi.n_irqs && !have; k++)
			have = t->e->zone.abi.irqs[k] == irq.number;
		for (size_t k = 0; k < t->n_missing && !have; k++)
			have = t->missing[k] == irq.number;
		if (have || t->n_missing == HV_MAX_IRQ)
			continue;
		if (!t->n_missing)
			hv_fdt_path(tree, node, t->missing_node, sizeof(t->missing_node));
		t->missing[t->n_missing++] = irq.number;
	}
	return 0;
}

static void check_irqs(struct tree_check *t)
{
	char list[HV_LIST_TEXT];
	struct hv_finding *f;

	hv_fdt_each(t->e->zone.tree, collect_irqs, t);
	if (!t->n_missing)
		return;
	f = report(t, HV_WARNING, "dtb-irq-missing",
		   "the tree's devices need interrupt%s %s, which the zone does not have (the "
		   "first is %s's)",
		   t->n_missing > 1 ? "s" : "", hv_list_text(t->missing, t->n_missing, list),
		   t->missing_node);
	hv_report_fix(t->c, f, "add to irqs, or disable the nodes");
}

/* ---- what the kernel is told */

static void check_chosen(struct tree_check *t)
{
	const struct hv_zone *z = &t->e->zone;
	uint64_t start = t->m.initrd_start, end = t->m.initrd_end;
	struct hv_finding *f;

	if (!t->m.bootargs || !*t->m.bootargs)
		report(t, HV_NOTE, "dtb-bootargs",
		       "the tree gives the kernel no command line, and the zone neither");
	if (!t->m.has_initrd)
		return;
	for (size_t i = 0; i < z->n_placements; i++) {
		const struct hv_placement *p = &z->placements[i];

		if (p->kind != HV_PLACE_KERNEL && p->kind != HV_PLACE_DTB && p->ipa == start &&
		    end - start <= hv_align_up(p->size, HV_PAGE_SIZE))
			return;
	}
	f = report(t, HV_WARNING, "dtb-initrd",
		   "the tree promises an initrd at 0x%" PRIx64 "..0x%" PRIx64
		   ", but that is not what is loaded there",
		   start, end);
	hv_report_fix(t->c, f, "initrd = \"file\": its range is then written into the tree");
}

/* Without a tree there is nowhere to write these. x86_64 has its own place for them. */
static void check_lost(struct hv_check *c, struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_finding *f;

	if (spec->arch == HV_ARCH_X86_64)
		return;
	if (spec->cmdline) {
		f = hv_report(c, e, "cmdline", &spec->cmdline_origin, HV_ERROR, "cmdline-lost",
			      "the kernel's command line would be lost: the zone has no device "
			      "tree to carry it");
		hv_report_fix(c, f, "dtb = \"auto\" makes one, or dtb = \"file.dtb\"");
	}
	if (spec->initrd.present && spec->initrd.path) {
		f = hv_report(c, e, "initrd", &spec->initrd.origin, HV_ERROR, "initrd-lost",
			      "the kernel would not find the initrd: the zone has no device tree "
			      "to say where it is");
		hv_report_fix(c, f, "dtb = \"auto\" makes one, or dtb = \"file.dtb\"");
	}
}

int hv_check_tree(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	struct tree_check *t;
	struct hv_err why;
	int ret;

	if (!e->zone.tree) {
		check_lost(c, e);
		return 0;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return hv_err_nomem(err);
	t->c = c;
	t->e = e;
	t->what = "dtb";
	for (size_t i = 0; i < e->zone.n_placements; i++)
		if (e->zone.placements[i].kind == HV_PLACE_DTB)
			t->what = e->zone.placements[i].what;
	ret = hv_fdt_machine(e->zone.tree, &t->m, note, t, &why);
	if (ret == -ENOMEM) {
		ret = hv_err_nomem(err);
	} else if (ret) {
		report(t, HV_ERROR, "dtb-bad", "%s", why.msg);
		ret = 0;
	} else {
		check_memory(t);
		check_cpus(t);
		check_irqc(t);
		check_virtio(t);
		check_irqs(t);
		check_chosen(t);
	}
	free(t);
	return ret;
}
