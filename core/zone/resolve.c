// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

static bool has_irq(const struct hv_abi_zone *abi, uint32_t irq)
{
	for (uint32_t i = 0; i < abi->n_irqs; i++)
		if (abi->irqs[i] == irq)
			return true;
	return false;
}

/* Numbers beyond the limit are a finding of hv_check_limits; they are not encoded. */
static void add_irq(struct hv_abi_zone *abi, uint32_t irq)
{
	if (irq < HV_MAX_IRQ && abi->n_irqs < HV_MAX_IRQ && !has_irq(abi, irq))
		abi->irqs[abi->n_irqs++] = irq;
}

static bool spec_has_irq(const struct hv_zone_spec *spec, uint32_t irq)
{
	for (size_t i = 0; i < spec->n_irqs; i++)
		if (spec->irqs[i].number == irq)
			return true;
	for (size_t i = 0; i < spec->n_devices; i++)
		if (spec->devices[i].has_irq && spec->devices[i].irq == irq)
			return true;
	return false;
}

static void resolve_regions(struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_abi_zone *abi = &e->zone.abi;

	for (size_t i = 0; i < spec->n_regions && i < HV_MAX_REGIONS; i++)
		abi->regions[abi->n_regions++] = (struct hv_abi_region){
			.type = spec->regions[i].type,
			.phys = spec->regions[i].phys,
			.ipa = spec->regions[i].ipa,
			.size = spec->regions[i].size,
		};
	e->n_given = abi->n_regions;
}

/*
 * hvisor compares the address of a trapped access with the region's physical
 * start; published x86_64 files use that one for devices, all others have both the same.
 */
static bool window_listed(const struct hv_entry *e, uint64_t at, uint64_t size)
{
	for (uint32_t i = 0; i < e->n_given; i++) {
		const struct hv_abi_region *r = &e->zone.abi.regions[i];

		if (r->type == HV_REGION_VIRTIO &&
		    (hv_inside(at, size, r->ipa, r->size) || hv_inside(at, size, r->phys, r->size)))
			return true;
	}
	return false;
}

/* Whether a window of this zone may go there: no other window, no RAM, no device registers. */
static bool window_free(const struct hv_entry *e, uint64_t at, uint64_t size)
{
	const struct hv_zone *z = &e->zone;

	for (uint32_t i = 0; i < e->n_given; i++)
		if (z->abi.regions[i].type != HV_REGION_VIRTIO &&
		    hv_overlap(at, size, z->abi.regions[i].ipa, z->abi.regions[i].size))
			return false;
	for (size_t i = 0; i < z->n_devices; i++)
		if (z->devices[i].size &&
		    hv_overlap(at, size, z->devices[i].at, z->devices[i].size))
			return false;
	return true;
}

static bool irq_free(const struct hv_check *c, const struct hv_entry *e,
		     const struct hv_board *board, uint32_t irq)
{
	if (irq >= HV_MAX_IRQ || irq == board->wakeup_irq || spec_has_irq(e->zone.spec, irq) ||
	    has_irq(&e->zone.abi, irq))
		return false;
	for (size_t i = 0; c->set->entries[i] != e; i++)
		if (has_irq(&c->set->entries[i]->zone.abi, irq))
			return false;
	return true;
}

/*
 * The lowest slot whose window is free in this zone and whose interrupt
 * neither this zone nor one before it in the script uses. It does not depend on what runs or
 * comes later, so that the same script always gives the same zones.
 */
static bool find_slot(const struct hv_check *c, const struct hv_entry *e, struct hv_device_slot *d)
{
	const struct hv_board *board = e->zone.spec->board ?: c->machine->board;

	for (unsigned int s = 0; board && s < board->n_slots; s++) {
		const struct hv_board_slots *slots = &board->slots[s];

		if (d->size > slots->size)
			continue;
		for (uint32_t i = 0; i < slots->count && i < HV_MAX_IRQ; i++) {
			uint64_t at = slots->at + i * slots->stride;

			if (at >= HV_ADDRESS_END || !window_free(e, at, d->size) ||
			    (!d->irq_given && !irq_free(c, e, board, slots->first_irq + i)))
				continue;
			d->at = at;
			if (!d->irq_given)
				d->irq = slots->first_irq + i;
			return true;
		}
	}
	return false;
}

/* The interrupt of the slot that begins at a given address. */
static bool slot_irq(const struct hv_board *board, uint64_t at, uint32_t *irq)
{
	for (unsigned int s = 0; board && s < board->n_slots; s++) {
		const struct hv_board_slots *slots = &board->slots[s];

		for (uint32_t i = 0; i < slots->count && i < HV_MAX_IRQ; i++)
			if (slots->at + i * slots->stride == at) {
				*irq = slots->first_irq + i;
				return true;
			}
	}
	return false;
}

static void add_window(struct hv_check *c, struct hv_entry *e, const struct hv_device_slot *d)
{
	struct hv_abi_zone *abi = &e->zone.abi;
	char what[HV_WHAT_TEXT];
	struct hv_finding *f;

	if (!e->regions_ok || window_listed(e, d->at, d->size))
		return;
	if (abi->n_regions == HV_MAX_REGIONS) {
		f = hv_report(c, e, hv_device_what(d->spec, what), &d->spec->origin, HV_ERROR,
			      "regions-many",
			      "the window of %s would be memory region %u; hvisor takes %u", what,
			      HV_MAX_REGIONS + 1, HV_MAX_REGIONS);
		hv_report_fix(
			c, f,
			"join regions that lie next to each other, or list one virtio region that "
			"holds all windows");
		return;
	}
	abi->regions[abi->n_regions++] = (struct hv_abi_region){
		.type = HV_REGION_VIRTIO,
		.phys = d->at,
		.ipa = d->at,
		.size = d->size,
	};
}

static void resolve_device(struct hv_check *c, struct hv_entry *e, struct hv_device_slot *d)
{
	const struct hv_board *board = e->zone.spec->board ?: c->machine->board;
	const struct hv_spec_device *spec = d->spec;
	char what[HV_WHAT_TEXT];
	struct hv_finding *f;

	hv_device_what(spec, what);
	if (!d->at_given && !find_slot(c, e, d)) {
		f = hv_report(
			c, e, what, &spec->origin, HV_ERROR, "device-no-slot",
			!board ? "%s has no register window, and there is no board to take one from"
			: !board->n_slots
				? "%s has no register window, and the board has no virtio slots"
				: "%s has no register window, and the board has no free slot left",
			what);
		hv_report_fix(c, f, "give its window and interrupt: at = 0x…, irq = …");
		d->size = 0;
		return;
	}
	if (d->at_given && !d->irq_given && !slot_irq(board, d->at, &d->irq)) {
		f = hv_report(c, e, what, &spec->at_origin, HV_ERROR, "device-no-irq",
			      "%s has a window at 0x%" PRIx64
			      " but no interrupt, and no slot of the board "
			      "begins there",
			      what, d->at);
		hv_report_fix(
			c, f,
			"give its interrupt (irq = …), or leave out both to have a slot chosen");
		d->size = 0;
		return;
	}
	add_window(c, e, d);
	/* On x86_64 the interrupt is a vector hvisor asks for by itself; files there list none. */
	if (e->zone.spec->arch != HV_ARCH_X86_64)
		add_irq(&e->zone.abi, d->irq);
}

static int resolve_devices(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_zone *z = &e->zone;

	z->devices = hv_arena_array(c->set->arena, spec->n_devices, sizeof(*z->devices));
	if (!z->devices)
		return hv_err_nomem(err);
	/* Given windows first: those allocated must keep clear of them. */
	for (size_t i = 0; i < spec->n_devices; i++) {
		const struct hv_spec_device *s = &spec->devices[i];
		uint64_t size = s->size ?: HV_WINDOW_SIZE;

		z->devices[i] = (struct hv_device_slot){
			.spec = s,
			.at_given = s->has_at,
			.irq_given = s->has_irq,
			.at = s->at,
			.irq = s->irq,
			.size = size,
		};
		if (s->has_at && (s->at >= HV_ADDRESS_END || size > HV_ADDRESS_END - s->at))
			z->devices[i].size = 0; /* a finding of the limits */
		if (!s->has_at)
			z->devices[i].at = UINT64_MAX - size;
	}
	z->n_devices = spec->n_devices;
	for (size_t i = 0; i < z->n_devices; i++)
		if (z->devices[i].size)
			resolve_device(c, e, &z->devices[i]);
	return 0;
}

static void missing_arch(struct hv_check *c, struct hv_entry *e, const char *what,
			 const char *field)
{
	struct hv_finding *f;

	f = hv_report(c, e, what, &e->zone.spec->origin, HV_ERROR, "arch-config-missing",
		      "nothing says where the %s is: neither the zone nor its board", what);
	hv_report_fix(c, f, "name the board (board = require \"board.…\") or give %s", field);
}

static void resolve_arch(struct hv_check *c, struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	const struct hv_board *board = spec->board ?: c->machine->board;
	struct hv_abi_zone *abi = &e->zone.abi;

	if (board && board->arch != spec->arch)
		board = NULL; /* reported as arch-mismatch */
	switch (spec->arch) {
	case HV_ARCH_ARM64:
		abi->arm64 = spec->arm64;
		if (!spec->has_arch_config && board && board->has_gic) {
			abi->arm64 = board->gic;
			abi->arm64.aarch32 = spec->arm64.aarch32;
			abi->arm64.has_uefi = spec->arm64.has_uefi;
			abi->arm64.memory_map_addr = spec->arm64.memory_map_addr;
			abi->arm64.memory_map_size = spec->arm64.memory_map_size;
			abi->arm64.sys_map_addr = spec->arm64.sys_map_addr;
		}
		if (abi->arm64.gic_version != 2 && abi->arm64.gic_version != 3)
			missing_arch(c, e, "interrupt controller (GIC)", "gic");
		break;
	case HV_ARCH_RISCV64:
		abi->riscv64 = spec->has_arch_config || !board ? spec->riscv64 : board->plic;
		if (!abi->riscv64.plic_size && !abi->riscv64.aplic_size)
			missing_arch(c, e, "interrupt controller (PLIC or APLIC)", "plic");
		break;
	case HV_ARCH_X86_64:
		abi->x86_64 = spec->x86.abi;
		if (!abi->x86_64.ioapic_size && board) {
			abi->x86_64.ioapic_base = board->ioapic_base;
			abi->x86_64.ioapic_size = board->ioapic_size;
		}
		break;
	case HV_ARCH_LOONGARCH64:
		break;
	}
}

static void resolve_buses(struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_abi_zone *abi = &e->zone.abi;

	for (size_t i = 0; i < spec->n_pci_buses && i < HV_MAX_PCI_BUSES; i++)
		abi->pci_buses[abi->n_pci_buses++] = spec->pci_buses[i].bus;
	for (size_t i = 0; i < spec->n_pci_devs && i < HV_MAX_PCI_DEVICES; i++)
		abi->pci_devs[abi->n_pci_devs++] = spec->pci_devs[i].dev;
	for (size_t i = 0; i < spec->n_ivc && i < HV_MAX_IVC; i++)
		abi->ivc[abi->n_ivc++] = spec->ivc[i].ivc;
}

int hv_resolve(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_abi_zone *abi = &e->zone.abi;
	int ret;

	e->zone.resolved = e->regions_ok && !e->plan_failed;
	abi->id = spec->id;
	abi->cpus = spec->cpus;
	memcpy(abi->name, spec->name, strnlen(spec->name, HV_ZONE_NAME_MAX));
	resolve_regions(e);
	for (size_t i = 0; i < spec->n_irqs; i++)
		add_irq(abi, spec->irqs[i].number);
	ret = resolve_devices(c, e, err);
	if (ret)
		return ret;
	resolve_arch(c, e);
	resolve_buses(e);
	return e->regions_ok ? hv_resolve_images(c, e, err) : 0;
}
