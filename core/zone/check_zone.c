// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

/* The guest addresses of one zone: regions, windows, images, entry point. */

static void overlap(struct hv_check *c, const struct hv_entry *e, const char *code,
		    const char *what, const struct hv_origin *origin, const char *other,
		    const struct hv_origin *other_origin)
{
	struct hv_finding *f;

	f = hv_report(c, e, what, origin, HV_ERROR, code,
		      "%s and %s overlap in the zone's addresses", what, other);
	hv_report_other(c, f, e, other, other_origin);
}

static void check_regions(struct hv_check *c, const struct hv_entry *e)
{
	char what[HV_WHAT_TEXT], other[HV_WHAT_TEXT];

	for (uint32_t i = 0; i < e->n_given; i++)
		for (uint32_t k = 0; k < i; k++) {
			const struct hv_abi_region *a = &e->zone.abi.regions[i],
						   *b = &e->zone.abi.regions[k];

			if (hv_overlap(a->ipa, a->size, b->ipa, b->size))
				overlap(c, e, "region-overlap", hv_region_what(&e->zone, i, what),
					hv_region_origin(e, i), hv_region_what(&e->zone, k, other),
					hv_region_origin(e, k));
		}
}

/* hvisor traps a virtio region where its physical address says, on every architecture but loongarch64. */
static void check_virtio_regions(struct hv_check *c, const struct hv_entry *e)
{
	char what[HV_WHAT_TEXT];
	struct hv_finding *f;

	for (uint32_t i = 0; i < e->n_given; i++) {
		const struct hv_abi_region *r = &e->zone.abi.regions[i];

		if (r->type != HV_REGION_VIRTIO || r->phys == r->ipa ||
		    e->zone.spec->arch == HV_ARCH_LOONGARCH64)
			continue;
		f = hv_report(c, e, hv_region_what(&e->zone, i, what), hv_region_origin(e, i),
			      HV_WARNING, "window-moved",
			      "hvisor traps the guest's accesses at 0x%" PRIx64
			      ", the physical address, not at 0x%" PRIx64,
			      r->phys, r->ipa);
		hv_report_fix(c, f, "the same address for both: at = 0x%" PRIx64, r->phys);
	}
}

/* A window may lie within a listed virtio region (by either address, see resolve.c), and over
 * nothing else. */
static bool in_listed(const struct hv_entry *e, const struct hv_device_slot *d, bool by_phys)
{
	for (uint32_t i = 0; i < e->n_given; i++) {
		const struct hv_abi_region *r = &e->zone.abi.regions[i];

		if (r->type == HV_REGION_VIRTIO &&
		    hv_inside(d->at, d->size, by_phys ? r->phys : r->ipa, r->size))
			return true;
	}
	return false;
}

static void check_device_windows(struct hv_check *c, const struct hv_entry *e)
{
	char what[HV_WHAT_TEXT], other[HV_WHAT_TEXT];

	for (size_t i = 0; i < e->zone.n_devices; i++) {
		const struct hv_device_slot *d = &e->zone.devices[i];
		bool listed = in_listed(e, d, false);

		hv_device_what(d->spec, what);
		for (uint32_t k = 0; k < e->n_given && (listed || !in_listed(e, d, true)); k++) {
			const struct hv_abi_region *r = &e->zone.abi.regions[k];

			if (!hv_overlap(d->at, d->size, r->ipa, r->size) ||
			    (r->type == HV_REGION_VIRTIO && listed))
				continue;
			overlap(c, e, "window-overlap", what, &d->spec->at_origin,
				hv_region_what(&e->zone, k, other), hv_region_origin(e, k));
		}
		for (size_t k = 0; k < i; k++) {
			const struct hv_device_slot *o = &e->zone.devices[k];

			if (hv_overlap(d->at, d->size, o->at, o->size))
				overlap(c, e, "window-overlap", what, &d->spec->at_origin,
					hv_device_what(o->spec, other), &o->spec->at_origin);
		}
	}
}

struct controller {
	const char *name;
	uint64_t base, size;
};

static size_t controllers(const struct hv_zone_spec *spec, const struct hv_abi_zone *abi,
			  struct controller out[8])
{
	const struct hv_abi_arm64 *a = &abi->arm64;
	size_t n = 0;

	switch (spec->arch) {
	case HV_ARCH_ARM64:
		out[n++] = (struct controller){ "GIC distributor", a->gicd_base, a->gicd_size };
		if (a->gic_version == 3) {
			out[n++] = (struct controller){ "GIC redistributors", a->gicr_base,
							a->gicr_size };
			out[n++] = (struct controller){ "GIC ITS", a->gits_base, a->gits_size };
		} else {
			out[n++] = (struct controller){ "GIC CPU interface", a->gicc_base,
							a->gicc_size };
			out[n++] = (struct controller){ "GIC hypervisor interface", a->gich_base,
							a->gich_size };
			out[n++] = (struct controller){ "GIC virtual CPU interface", a->gicv_base,
							a->gicv_size };
		}
		break;
	case HV_ARCH_RISCV64:
		out[n++] = (struct controller){ "PLIC", abi->riscv64.plic_base,
						abi->riscv64.plic_size };
		out[n++] = (struct controller){ "APLIC", abi->riscv64.aplic_base,
						abi->riscv64.aplic_size };
		break;
	case HV_ARCH_X86_64:
		out[n++] = (struct controller){ "I/O APIC", abi->x86_64.ioapic_base,
						abi->x86_64.ioapic_size };
		break;
	case HV_ARCH_LOONGARCH64:
		break;
	}
	return n;
}

static void check_controllers(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_abi_zone *abi = &e->zone.abi;
	struct controller list[8];
	size_t n = controllers(e->zone.spec, abi, list);
	char what[HV_WHAT_TEXT];
	struct hv_finding *f;

	for (size_t k = 0; k < n; k++) {
		if (list[k].base >= HV_ADDRESS_END ||
		    list[k].size > HV_ADDRESS_END - list[k].base) {
			hv_report(c, e, list[k].name, &e->zone.spec->arch_origin, HV_ERROR,
				  "region-range",
				  "the %s at 0x%" PRIx64 "+0x%" PRIx64
				  " ends beyond the 48 bits an address has",
				  list[k].name, list[k].base, list[k].size);
			continue;
		}
		for (uint32_t i = 0; e->regions_ok && i < e->n_given; i++) {
			const struct hv_abi_region *r = &abi->regions[i];

			if (r->type == HV_REGION_VIRTIO ||
			    (!hv_overlap(list[k].base, list[k].size, r->phys, r->size) &&
			     !hv_overlap(list[k].base, list[k].size, r->ipa, r->size)))
				continue;
			f = hv_report(
				c, e, hv_region_what(&e->zone, i, what), hv_region_origin(e, i),
				HV_ERROR, "irqc-exposed",
				"%s covers the %s at 0x%" PRIx64
				": the guest would get the real one, which hvisor and zone0 use",
				what, list[k].name, list[k].base);
			hv_report_other(c, f, e, list[k].name, &e->zone.spec->arch_origin);
			hv_report_fix(c, f,
				      "leave it out: hvisor gives each zone an interrupt "
				      "controller of its own");
		}
	}
}

void hv_check_layout(struct hv_check *c, struct hv_entry *e)
{
	if (e->regions_ok) {
		check_regions(c, e);
		check_virtio_regions(c, e);
		check_device_windows(c, e);
	}
	check_controllers(c, e);
}

/* Two zones with a window at the same address: right for hvisor, a trap for services that look at
 * the address only. */
void hv_check_windows(struct hv_check *c)
{
	char what[HV_WHAT_TEXT], other[HV_WHAT_TEXT];

	for (size_t i = 0; i < c->set->n; i++)
		for (size_t k = 0; k < i; k++) {
			const struct hv_entry *e = c->set->entries[i], *o = c->set->entries[k];

			for (size_t x = 0; x < e->zone.n_devices; x++)
				for (size_t y = 0; y < o->zone.n_devices; y++) {
					const struct hv_device_slot *d = &e->zone.devices[x];
					const struct hv_device_slot *q = &o->zone.devices[y];
					struct hv_finding *f;

					/* With the same interrupt it is irq-taken. */
					if (d->irq == q->irq ||
					    !hv_overlap(d->at, d->size, q->at, q->size))
						continue;
					f = hv_report(c, e, hv_device_what(d->spec, what),
						      &d->spec->at_origin, HV_WARNING,
						      "window-shared",
						      "window 0x%" PRIx64
						      " is used in zone %s, too; other virtio "
						      "services may mix them up",
						      d->at, o->zone.spec->name);
					hv_report_other(c, f, o, hv_device_what(q->spec, other),
							&q->spec->at_origin);
				}
		}
}

/* ---- images */

/* The pieces of memory an image takes: ELF segments one by one, others as a whole. */
static size_t n_pieces(const struct hv_placement *p)
{
	const struct hv_image_info *info = p->image ? hv_image_info(p->image) : NULL;

	return info && info->fixed ? info->n_segments : p->size ? 1 : 0;
}

static void piece(const struct hv_placement *p, size_t i, uint64_t *at, uint64_t *size)
{
	const struct hv_image_info *info = p->image ? hv_image_info(p->image) : NULL;

	*at = info && info->fixed ? info->segments[i].addr : p->ipa;
	*size = info && info->fixed ? info->segments[i].mem_size : p->size;
}

static const struct hv_origin *place_origin(const struct hv_placement *p)
{
	bool given = p->spec && (p->spec->has_at || p->spec->has_phys);
	const struct hv_origin *o = given ? &p->spec->at_origin : &p->origin;

	return o->file || o->line || o->field ? o : &p->origin;
}

static bool placements_overlap(const struct hv_placement *p, const struct hv_placement *o,
			       uint64_t *at)
{
	uint64_t a, a_size, b, b_size;

	for (size_t i = 0; i < n_pieces(p); i++)
		for (size_t k = 0; k < n_pieces(o); k++) {
			piece(p, i, &a, &a_size);
			piece(o, k, &b, &b_size);
			if (!hv_overlap(a, a_size, b, b_size))
				continue;
			*at = a > b ? a : b;
			return true;
		}
	return false;
}

static const struct hv_abi_region *ram_at(const struct hv_abi_zone *abi, uint64_t ipa)
{
	for (uint32_t i = 0; i < abi->n_regions; i++)
		if (abi->regions[i].type == HV_REGION_RAM &&
		    hv_inside(ipa, 1, abi->regions[i].ipa, abi->regions[i].size))
			return &abi->regions[i];
	return NULL;
}

static void fix_ram(struct hv_check *c, struct hv_finding *f, const struct hv_abi_zone *abi)
{
	const struct hv_abi_region *first = NULL;

	for (uint32_t i = 0; i < abi->n_regions && !first; i++)
		if (abi->regions[i].type == HV_REGION_RAM)
			first = &abi->regions[i];
	if (first)
		hv_report_fix(c, f, "the zone's RAM is 0x%" PRIx64 "..0x%" PRIx64, first->ipa,
			      first->ipa + first->size);
}

/* Returns whether it lies where it may. */
static bool check_place(struct hv_check *c, struct hv_entry *e, const struct hv_placement *p)
{
	char text[HV_SIZE_TEXT], ram[HV_SIZE_TEXT];
	const struct hv_abi_zone *abi = &e->zone.abi;
	const struct hv_abi_region *r;
	uint64_t at, size, phys, largest = 0;
	struct hv_finding *f;

	for (uint32_t i = 0; i < abi->n_regions; i++)
		if (abi->regions[i].type == HV_REGION_RAM && abi->regions[i].size > largest)
			largest = abi->regions[i].size;
	for (size_t i = 0; i < n_pieces(p); i++) {
		piece(p, i, &at, &size);
		if (!size || hv_zone_to_phys(abi, at, size, &phys))
			continue;
		r = ram_at(abi, at);
		if (size > largest)
			f = hv_report(c, e, p->what, &p->origin, HV_ERROR, "image-too-large",
				      "%s needs %s in memory; the zone's largest RAM region has %s",
				      p->what, hv_size_format(size, text),
				      hv_size_format(largest, ram));
		else if (r)
			f = hv_report(c, e, p->what, place_origin(p), HV_ERROR, "image-outside-ram",
				      "%s, 0x%" PRIx64 "..0x%" PRIx64
				      ", runs over the end of its RAM region at "
				      "0x%" PRIx64,
				      p->what, at, at + size, r->ipa + r->size);
		else
			f = hv_report(c, e, p->what, place_origin(p), HV_ERROR, "image-outside-ram",
				      "%s at 0x%" PRIx64 " is not in the zone's RAM", p->what, at);
		fix_ram(c, f, abi);
		return false;
	}
	return true;
}

static void check_alignment(struct hv_check *c, const struct hv_entry *e,
			    const struct hv_placement *p)
{
	const struct hv_image_info *info = p->image ? hv_image_info(p->image) : NULL;
	uint64_t align = info ? info->align : p->kind == HV_PLACE_DTB ? 8 : 1;
	uint64_t offset = info ? info->text_offset : 0;
	struct hv_finding *f;

	if (align <= 1 || (info && info->fixed) || hv_is_aligned(p->ipa - offset, align))
		return;
	f = hv_report(c, e, p->what, place_origin(p), HV_ERROR, "image-misaligned",
		      "%s at 0x%" PRIx64 " must lie 0x%" PRIx64 " behind a multiple of 0x%" PRIx64,
		      p->what, p->ipa, offset, align);
	hv_report_fix(c, f, "0x%" PRIx64, hv_align_up(p->ipa - offset, align) + offset);
}

static void check_entry_point(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	const struct hv_abi_zone *abi = &e->zone.abi;
	bool half = spec->arch == HV_ARCH_RISCV64 ||
		    (spec->arch == HV_ARCH_ARM64 && abi->arm64.aarch32);
	uint64_t align = spec->arch == HV_ARCH_X86_64 ? 1 : half ? 2 : 4;
	const struct hv_origin *origin =
		spec->has_entry ? &spec->entry_origin : &spec->kernel.origin;
	bool loaded = false, inside = false;
	uint64_t phys, at, size;
	struct hv_finding *f;

	if (!hv_zone_to_phys(abi, abi->entry, 4, &phys)) {
		f = hv_report(c, e, "entry", origin, HV_ERROR, "entry-outside-ram",
			      "the entry point 0x%" PRIx64 " is not in the zone's RAM", abi->entry);
		fix_ram(c, f, abi);
		return;
	}
	if (!hv_is_aligned(abi->entry, align))
		hv_report(c, e, "entry", origin, HV_ERROR, "entry-misaligned",
			  "the entry point 0x%" PRIx64 " is not a multiple of %" PRIu64, abi->entry,
			  align);
	for (size_t i = 0; i < e->zone.n_placements; i++) {
		const struct hv_placement *p = &e->zone.placements[i];

		loaded |= p->kind == HV_PLACE_KERNEL;
		for (size_t k = 0; k < n_pieces(p); k++) {
			piece(p, k, &at, &size);
			inside |= p->kind != HV_PLACE_DTB && hv_inside(abi->entry, 1, at, size);
		}
	}
	if (loaded && !inside)
		hv_report(c, e, "entry", origin, HV_WARNING, "entry-empty",
			  "nothing is loaded at the entry point 0x%" PRIx64, abi->entry);
}

void hv_check_images(struct hv_check *c, struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_finding *f;
	uint64_t at;

	for (size_t i = 0; i < e->zone.n_placements; i++) {
		const struct hv_placement *p = &e->zone.placements[i];
		const struct hv_image_info *info = p->image ? hv_image_info(p->image) : NULL;

		if (info && info->arch >= 0 && info->arch != (int)spec->arch)
			hv_report(c, e, p->what, &p->origin, HV_ERROR, "image-arch",
				  "%s is for %s, the zone is %s", p->what,
				  hv_arch_name((enum hv_arch)info->arch), hv_arch_name(spec->arch));
		if (p->kind == HV_PLACE_DTB && spec->arch == HV_ARCH_ARM64 && p->size > 2 * HV_MIB)
			hv_report(c, e, p->what, &p->origin, HV_ERROR, "dtb-large",
				  "the tree has 0x%" PRIx64
				  " bytes; Linux on arm64 takes at most 2M",
				  p->size);
		if (!check_place(c, e, p))
			continue;
		check_alignment(c, e, p);
		for (size_t k = 0; k < i; k++) {
			const struct hv_placement *o = &e->zone.placements[k];

			if (!placements_overlap(p, o, &at))
				continue;
			f = hv_report(c, e, p->what, place_origin(p), HV_ERROR, "image-overlap",
				      "%s and %s overlap at 0x%" PRIx64
				      " (memory that an image clears when it "
				      "starts counts)",
				      p->what, o->what, at);
			hv_report_other(c, f, e, o->what, place_origin(o));
			if (hv_place_find(e, 0, p->size, 2 * HV_MIB, &at))
				hv_report_fix(c, f, "0x%" PRIx64 " is free for %s", at, p->what);
		}
	}
	check_entry_point(c, e);
}
