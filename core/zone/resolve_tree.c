// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "fdt/guest.h"

/* The zone's device tree: made from the zone and the machine's tree, or a file that is patched. */

#define MAX_DTB (16 * HV_MIB)
#define PATH_TEXT 256

/* What the tree is made from; lives while it is made. */
struct guest_desc {
	struct hv_fdt_guest guest;
	struct hv_fdt_guest_cpu cpus[HV_MAX_CPUS];
	struct hv_fdt_range irqc[2], memory[HV_MAX_REGIONS];
	struct hv_fdt_guest_reserved reserved[HV_MAX_REGIONS];
	struct hv_fdt_guest_virtio *virtio; /* of the arena */
	uint32_t ivc[HV_MAX_IVC];
	char stdout_path[PATH_TEXT];
};

static void describe_controller(const struct hv_check *c, const struct hv_entry *e,
				struct guest_desc *d)
{
	const struct hv_board *board = e->zone.spec->board ?: c->machine->board;
	const struct hv_abi_arm64 *arm = &e->zone.abi.arm64;
	const struct hv_abi_riscv64 *riscv = &e->zone.abi.riscv64;
	struct hv_fdt_guest *g = &d->guest;
	bool aplic;

	g->irqc_reg = d->irqc;
	switch (e->zone.spec->arch) {
	case HV_ARCH_ARM64:
		g->irqc = arm->gic_version == 2 ? HV_IRQC_GICV2 : HV_IRQC_GICV3;
		d->irqc[0] = (struct hv_fdt_range){ arm->gicd_base, arm->gicd_size };
		d->irqc[1] = arm->gic_version == 2
				     ? (struct hv_fdt_range){ arm->gicc_base, arm->gicc_size }
				     : (struct hv_fdt_range){ arm->gicr_base, arm->gicr_size };
		g->n_irqc_reg = 2;
		break;
	case HV_ARCH_RISCV64:
		aplic = riscv->aplic_size &&
			(!riscv->plic_size ||
			 (!e->zone.spec->has_arch_config && board && board->uses_aplic));
		g->irqc = aplic ? HV_IRQC_APLIC : HV_IRQC_PLIC;
		d->irqc[0] = aplic ? (struct hv_fdt_range){ riscv->aplic_base, riscv->aplic_size }
				   : (struct hv_fdt_range){ riscv->plic_base, riscv->plic_size };
		g->n_irqc_reg = 1;
		break;
	default:
		g->irqc = HV_IRQC_OTHER;
	}
}

/*
 * The id of a physical CPU, as its tree has it. hvisor counts CPUs; where ids have clusters, the
 * tree's order is the count.
 */
static uint64_t cpu_id(const struct hv_fdt *tree, enum hv_arch arch, unsigned int cpu)
{
	uint64_t nth = arch == HV_ARCH_ARM64 ? (uint64_t)(cpu / 16) << 8 | cpu % 16 : cpu, id;
	int cpus = tree ? hv_fdt_find(tree, "/cpus", NULL) : -1;
	unsigned int n = 0;

	for (int at = cpus < 0 ? -1 : hv_fdt_child(tree, cpus); at >= 0;
	     at = hv_fdt_sibling(tree, at)) {
		const char *type;
		const uint8_t *reg;
		size_t len;

		type = hv_fdt_prop(tree, at, "device_type", &len);
		if (!type || len != sizeof("cpu") || memcmp(type, "cpu", len) != 0)
			continue;
		reg = hv_fdt_prop(tree, at, "reg", &len);
		if (!reg || (len != 4 && len != 8))
			continue;
		id = 0;
		for (size_t i = 0; i < len; i++)
			id = id << 8 | reg[i];
		if (id == cpu)
			return id;
		if (n++ == cpu)
			nth = id;
	}
	return nth;
}

static void describe_cpus(const struct hv_entry *e, struct guest_desc *d)
{
	for (unsigned int cpu = 0; cpu < 64 && d->guest.n_cpus < HV_MAX_CPUS; cpu++)
		if (e->zone.spec->cpus >> cpu & 1)
			d->cpus[d->guest.n_cpus++].id =
				cpu_id(e->machine_tree, e->zone.spec->arch, cpu);
	d->guest.cpus = d->cpus;
}

/* RAM; what is shared with other zones is for channels, and no memory of the kernel's. */
static void describe_memory(const struct hv_entry *e, struct guest_desc *d)
{
	const struct hv_abi_zone *abi = &e->zone.abi;

	for (uint32_t i = 0; i < abi->n_regions; i++) {
		const struct hv_abi_region *r = &abi->regions[i];

		if (r->type != HV_REGION_RAM)
			continue;
		if (i < e->n_given && e->zone.spec->regions[i].shared)
			d->reserved[d->guest.n_reserved++] = (struct hv_fdt_guest_reserved){
				.name = "shared", .start = r->ipa, .size = r->size, .no_map = true
			};
		else
			d->memory[d->guest.n_memory++] = (struct hv_fdt_range){ r->ipa, r->size };
	}
	d->guest.memory = d->memory;
	d->guest.reserved = d->reserved;
}

static int describe_devices(struct hv_check *c, const struct hv_entry *e, struct guest_desc *d,
			    struct hv_err *err)
{
	const struct hv_zone *z = &e->zone;

	d->virtio = hv_arena_array(c->set->arena, z->n_devices + 1, sizeof(*d->virtio));
	if (!d->virtio)
		return hv_err_nomem(err);
	for (size_t i = 0; i < z->n_devices; i++)
		if (z->devices[i].size)
			d->virtio[d->guest.n_virtio++] =
				(struct hv_fdt_guest_virtio){ z->devices[i].at, z->devices[i].size,
							      z->devices[i].irq };
	for (uint32_t i = 0; i < z->abi.n_ivc; i++)
		d->ivc[d->guest.n_ivc_irqs++] = z->abi.ivc[i].interrupt;
	d->guest.virtio = d->virtio;
	d->guest.ivc_irqs = d->ivc;
	return 0;
}

/* The machine's console goes on to be one where the zone is given it. */
static const char *inherited_stdout(const struct hv_entry *e, struct guest_desc *d)
{
	const struct hv_fdt_plan *plan = e->plan ? hv_fdt_passthrough_plan(e->plan) : NULL;
	int chosen = plan ? hv_fdt_find(e->machine_tree, "/chosen", NULL) : -1, node;
	const char *text = NULL;
	char name[PATH_TEXT];
	size_t len = 0;

	if (chosen >= 0)
		text = hv_fdt_prop(e->machine_tree, chosen, "stdout-path", &len);
	if (!text || !len || text[len - 1] || len > sizeof(name))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ":"), text);
	node = hv_fdt_find(e->machine_tree, name, NULL);
	for (size_t i = 0; i < plan->n_nodes && node >= 0; i++)
		if (plan->nodes[i].node == node && plan->nodes[i].role <= HV_ROLE_COMES) {
			snprintf(d->stdout_path, sizeof(d->stdout_path), "%s%s",
				 plan->nodes[i].path, text + strcspn(text, ":"));
			return d->stdout_path;
		}
	return NULL;
}

static int describe(struct hv_check *c, const struct hv_entry *e, const struct hv_placement *initrd,
		    struct guest_desc *d, struct hv_err *err)
{
	const struct hv_zone_spec *spec = e->zone.spec;

	*d = (struct guest_desc){ 0 };
	describe_controller(c, e, d);
	describe_cpus(e, d);
	describe_memory(e, d);
	d->guest.bootargs = spec->cmdline;
	d->guest.stdout_path = spec->stdout_path;
	if (initrd && initrd->size) {
		d->guest.has_initrd = true;
		d->guest.initrd_start = initrd->ipa;
		d->guest.initrd_end = initrd->ipa + initrd->size;
	}
	return describe_devices(c, e, d, err);
}

/* Devices of another machine: their interrupts would be somebody else's. */
static bool fits_machine(struct hv_check *c, struct hv_entry *e, const struct guest_desc *d)
{
	const struct hv_fdt_plan *plan = e->plan ? hv_fdt_passthrough_plan(e->plan) : NULL;
	struct hv_finding *f;

	for (size_t i = 0; plan && i < plan->n_irqs; i++) {
		const struct hv_fdt_plan_irq *irq = &plan->irqs[i];

		if (irq->controller == d->guest.irqc)
			continue;
		f = hv_report(c, e, "passthrough", &e->zone.spec->passthrough.origin, HV_ERROR,
			      "passthrough-machine",
			      "%s: interrupts of %s go to a %s, and the zone has a %s: this is the "
			      "tree of another machine",
			      hv_fdt_label(e->machine_tree), irq->path,
			      hv_irq_controller_name(irq->controller),
			      hv_irq_controller_name(d->guest.irqc));
		hv_report_fix(c, f, "name the tree of the board that the zone is for");
		return false;
	}
	return true;
}

static int make_tree(struct hv_check *c, struct hv_entry *e, struct hv_placement *p,
		     const struct hv_placement *initrd, struct hv_err *err)
{
	struct guest_desc *d = malloc(sizeof(*d));
	struct hv_err why;
	int ret;

	if (!d)
		return hv_err_nomem(err);
	ret = describe(c, e, initrd, d, err);
	if (ret)
		goto out;
	d->guest.plan = e->plan;
	/* On another machine than the board itself they cannot be measured. */
	d->guest.unknown_rates = !hv_check_real(c);
	if (!d->guest.stdout_path)
		d->guest.stdout_path = inherited_stdout(e, d);
	if (!fits_machine(c, e, d)) {
		e->zone.resolved = false;
		goto out;
	}
	ret = hv_fdt_guest_build(e->machine_tree, &d->guest, &e->zone.tree, &why);
	if (ret == -ENOMEM) {
		ret = hv_err_nomem(err);
		goto out;
	}
	if (ret) {
		hv_report(c, e, p->what, &p->origin, HV_ERROR, "dtb-not-made",
			  "the zone's device tree cannot be made: %s", why.msg);
		e->zone.resolved = false;
		ret = 0;
		goto out;
	}
	p->bytes = hv_fdt_blob(e->zone.tree, &p->size);
out:
	free(d);
	return ret;
}

static int patch_tree(struct hv_check *c, struct hv_entry *e, const struct hv_placement *initrd,
		      bool *patched, struct hv_err *why)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	unsigned int what = spec->dtb_patch ? HV_PATCH_MEMORY | HV_PATCH_VIRTIO : 0;
	struct guest_desc *d;
	int ret;

	if (spec->cmdline || spec->stdout_path || (initrd && initrd->size))
		what |= HV_PATCH_CHOSEN;
	*patched = what;
	if (!what)
		return 0;
	d = malloc(sizeof(*d));
	if (!d)
		return hv_err_nomem(why);
	ret = describe(c, e, initrd, d, why);
	if (!ret)
		ret = hv_fdt_guest_patch(e->zone.tree, &d->guest, what, why);
	free(d);
	return ret;
}

int hv_resolve_tree(struct hv_check *c, struct hv_entry *e, struct hv_placement *p,
		    const struct hv_placement *initrd, struct hv_err *err)
{
	bool patched = false;
	struct hv_err why;
	size_t size = 0;
	int ret;

	if (e->zone.spec->dtb_auto)
		return make_tree(c, e, p, initrd, err);
	ret = hv_image_read(p->image, MAX_DTB, &e->dtb_bytes, &size, &why);
	if (!ret)
		ret = hv_fdt_open(e->dtb_bytes, size, p->spec->path, &e->zone.tree, &why);
	if (ret == -ENOMEM)
		return hv_err_nomem(err);
	hv_image_close(p->image);
	p->image = NULL;
	p->bytes = e->dtb_bytes;
	p->size = size;
	if (!ret)
		ret = patch_tree(c, e, initrd, &patched, &why);
	if (ret == -ENOMEM)
		return hv_err_nomem(err);
	if (ret) {
		hv_report(c, e, p->what, &p->origin, HV_ERROR, "dtb-bad", "%s", why.msg);
		p->size = 0;
		e->zone.resolved = false;
	} else if (patched) {
		p->bytes = hv_fdt_blob(e->zone.tree, &size);
		p->size = size;
		free(e->dtb_bytes);
		e->dtb_bytes = NULL;
	}
	return 0;
}
