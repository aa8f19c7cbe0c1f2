// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define PLACE_ALIGN                                                                                \
	(2 * HV_MIB) /* a tree must not cross 2 MiB for older arm64 kernels; initrds like it, too  \
		      */
#define KERNEL_OFFSET                                                                              \
	(4 * HV_MIB) /* room for the tree below the kernel, as published zones have it */

/* x86_64 adds boot, setup, initrd and command line to kernel, dtb and initrd. */
#define MAX_FIXED_PLACEMENTS 7

static uint64_t up(uint64_t value, uint64_t align)
{
	return align > 1 ? hv_align_up(value, align) : value;
}

/* RAM of a device that was given to the zone is its own. */
static bool takes_images(const struct hv_entry *e, uint32_t region)
{
	return e->zone.abi.regions[region].type == HV_REGION_RAM &&
	       !(region < e->n_given && e->zone.spec->regions[region].reserved);
}

bool hv_place_find(const struct hv_entry *e, uint64_t from, uint64_t size, uint64_t align,
		   uint64_t *at)
{
	const struct hv_zone *z = &e->zone;

	for (uint32_t i = 0; i < z->abi.n_regions; i++) {
		const struct hv_abi_region *r = &z->abi.regions[i];
		uint64_t a = up(from > r->ipa ? from : r->ipa, align);
		bool moved = true;

		if (!takes_images(e, i))
			continue;
		while (moved && hv_inside(a, size, r->ipa, r->size)) {
			moved = false;
			for (size_t p = 0; p < z->n_placements && !moved; p++) {
				const struct hv_placement *o = &z->placements[p];

				if (o->size && hv_overlap(a, size, o->ipa, o->size)) {
					a = up(o->ipa + o->size, align);
					moved = true;
				}
			}
		}
		if (!moved && hv_inside(a, size, r->ipa, r->size)) {
			*at = a;
			return true;
		}
	}
	return false;
}

int hv_place_open(struct hv_check *c, struct hv_entry *e, const struct hv_spec_image *spec,
		  int kind, const char *label, enum hv_image_format format,
		  struct hv_placement **out, struct hv_err *err)
{
	struct hv_placement *p = &e->zone.placements[e->zone.n_placements];
	const char *base, *what;
	struct hv_err why;
	int ret;

	*out = NULL;
	if (!spec->present || !spec->path)
		return 0;
	base = strrchr(spec->path, '/');
	what = hv_arena_printf(c->set->arena, "%s %s", label,
			       spec->name
				       ?: base ? base + 1
					       : spec->path);
	if (!what)
		return hv_err_nomem(err);
	*p = (struct hv_placement){ .what = what, .spec = spec, .origin = spec->origin };
	p->kind = (typeof(p->kind))kind;
	ret = hv_image_open(spec->path, format, &p->image, &why);
	if (ret == -ENOMEM)
		return hv_err_nomem(err);
	if (ret) {
		hv_report(c, e, what, &spec->origin, HV_ERROR, "image-unreadable", "%s", why.msg);
		e->zone.resolved = false;
		return 0;
	}
	e->zone.n_placements++;
	*out = p;
	return 0;
}

bool hv_place_given(struct hv_check *c, struct hv_entry *e, const struct hv_spec_image *spec,
		    const char *what, uint64_t *ipa, uint64_t *phys, bool *failed)
{
	struct hv_finding *f;

	if (spec->has_at) {
		*ipa = spec->at;
		if (!hv_zone_to_phys(&e->zone.abi, *ipa, 1, phys))
			*phys = 0;
		return true;
	}
	if (!spec->has_phys)
		return false;
	*phys = spec->phys;
	if (hv_zone_to_ipa(&e->zone.abi, *phys, ipa))
		return true;
	f = hv_report(c, e, what, &spec->at_origin, HV_ERROR, "image-outside-ram",
		      "%s would be written to physical address 0x%" PRIx64
		      ", which is no RAM of this zone",
		      what, *phys);
	for (uint32_t i = 0; i < e->zone.abi.n_regions; i++)
		if (e->zone.abi.regions[i].type == HV_REGION_RAM) {
			hv_report_fix(c, f,
				      "the zone's first RAM region is 0x%" PRIx64 "..0x%" PRIx64
				      " (physical)",
				      e->zone.abi.regions[i].phys,
				      e->zone.abi.regions[i].phys + e->zone.abi.regions[i].size);
			break;
		}
	e->zone.resolved = false;
	*failed = true;
	return false;
}

void hv_place_set(struct hv_entry *e, struct hv_placement *p, uint64_t base)
{
	const struct hv_image_info *info = p->image ? hv_image_info(p->image) : NULL;

	p->base = info && info->fixed ? 0 : base;
	p->ipa = base;
	if (info) {
		p->ipa = p->base + info->low;
		p->size = info->high - info->low;
	}
	if (p->spec && p->spec->has_phys)
		p->phys = p->spec->phys;
	else if (!hv_zone_to_phys(&e->zone.abi, p->ipa, 1, &p->phys))
		p->phys = 0;
}

static uint64_t largest_ram(const struct hv_abi_zone *abi)
{
	uint64_t max = 0;

	for (uint32_t i = 0; i < abi->n_regions; i++)
		if (abi->regions[i].type == HV_REGION_RAM && abi->regions[i].size > max)
			max = abi->regions[i].size;
	return max;
}

static void no_room(struct hv_check *c, struct hv_entry *e, const struct hv_placement *p,
		    uint64_t size)
{
	char text[HV_SIZE_TEXT], ram[HV_SIZE_TEXT];
	uint64_t largest = largest_ram(&e->zone.abi);
	bool large = size > largest;
	struct hv_finding *f;

	e->zone.resolved = false;
	f = hv_report(c, e, p->what, &p->origin, HV_ERROR,
		      large ? "image-too-large" : "image-no-room",
		      large ? "%s needs %s in memory; the zone's largest RAM region has %s"
			    : "%s needs %s in one piece, which is not left beside the others in "
			      "RAM of %s",
		      p->what, hv_size_format(size, text), hv_size_format(largest, ram));
	hv_report_fix(
		c, f,
		"give the zone more RAM, or place the other images with `at` so that %s are left",
		text);
}

static bool kernel_default(const struct hv_entry *e, const struct hv_image_info *info, uint64_t *at)
{
	for (uint32_t i = 0; i < e->zone.abi.n_regions; i++) {
		const struct hv_abi_region *r = &e->zone.abi.regions[i];

		if (!takes_images(e, i))
			continue;
		for (int low = 0; low < 2; low++) {
			uint64_t from = low ? r->ipa : r->ipa + KERNEL_OFFSET;
			uint64_t a = up(from, info->align) + info->text_offset;
			bool clear = true;

			for (size_t p = 0; p < e->zone.n_placements; p++) {
				const struct hv_placement *o = &e->zone.placements[p];

				if (o->size && hv_overlap(a, info->high, o->ipa, o->size))
					clear = false;
			}
			if (clear && hv_inside(a, info->high, r->ipa, r->size)) {
				*at = a;
				return true;
			}
		}
	}
	return false;
}

static void place_kernel(struct hv_check *c, struct hv_entry *e, struct hv_placement *p)
{
	const struct hv_image_info *info = hv_image_info(p->image);
	uint64_t ipa = 0, phys;
	bool failed = false;
	bool given = hv_place_given(c, e, p->spec, p->what, &ipa, &phys, &failed);
	struct hv_finding *f;

	if (failed)
		return;
	if (info->fixed) {
		if (given && ipa != info->low) {
			f = hv_report(c, e, p->what, &p->spec->at_origin, HV_ERROR, "image-at",
				      "%s is an ELF file whose own addresses begin at 0x%" PRIx64
				      "; it cannot be loaded at 0x%" PRIx64,
				      p->what, info->low, ipa);
			hv_report_fix(c, f,
				      "leave out `at`, link it for 0x%" PRIx64
				      ", or say format = \"raw\" to copy the file as it is",
				      ipa);
			e->zone.resolved = false;
			return;
		}
		hv_place_set(e, p, 0);
	} else if (given || kernel_default(e, info, &ipa)) {
		hv_place_set(e, p, ipa);
	} else {
		no_room(c, e, p, info->high);
	}
}

/* For what may lie anywhere: behind `from` on a 2 MiB boundary, where that does not fit anywhere on
 * a page. */
static void place_anywhere(struct hv_check *c, struct hv_entry *e, struct hv_placement *p,
			   uint64_t from, uint64_t size)
{
	uint64_t ipa, phys;
	bool failed = false;

	if (hv_place_given(c, e, p->spec, p->what, &ipa, &phys, &failed) ||
	    (!failed && (hv_place_find(e, from, size, PLACE_ALIGN, &ipa) ||
			 hv_place_find(e, 0, size, PLACE_ALIGN, &ipa) ||
			 hv_place_find(e, 0, size, HV_PAGE_SIZE, &ipa))))
		hv_place_set(e, p, ipa);
	else if (!failed)
		no_room(c, e, p, size);
}

static void place_module(struct hv_check *c, struct hv_entry *e, struct hv_placement *p)
{
	uint64_t ipa, phys;
	bool failed = false;
	struct hv_finding *f;

	if (hv_place_given(c, e, p->spec, p->what, &ipa, &phys, &failed)) {
		hv_place_set(e, p, ipa);
	} else if (!failed) {
		f = hv_report(c, e, p->what, &p->origin, HV_ERROR, "module-no-at",
			      "%s does not say where it goes", p->what);
		hv_report_fix(c, f, "give its guest address: at = 0x…");
		e->zone.resolved = false;
	}
}

/* What hvisor is told of an image that is not loaded: only its address. */
static uint64_t address_only(struct hv_check *c, struct hv_entry *e,
			     const struct hv_spec_image *spec, const char *what)
{
	uint64_t phys = 0;

	if (spec->has_phys)
		return spec->phys;
	if (spec->has_at && !hv_zone_to_phys(&e->zone.abi, spec->at, 1, &phys))
		hv_report(c, e, what, &spec->at_origin, HV_ERROR, "address-outside-ram",
			  "the %s address 0x%" PRIx64 " is in no RAM region of the zone", what,
			  spec->at);
	return phys;
}

static void encode_kernel(struct hv_check *c, struct hv_entry *e, const struct hv_placement *kernel)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_abi_zone *abi = &e->zone.abi;
	const struct hv_image_info *info;
	struct hv_finding *f;

	if (spec->has_entry)
		abi->entry = spec->entry;
	if (kernel) {
		info = hv_image_info(kernel->image);
		abi->kernel_phys = kernel->phys;
		/* Whole pages, as hvisor-tool says it; hvisor itself does not look at it. */
		abi->kernel_size = hv_align_up(info->fixed || !info->n_segments ?
						       kernel->size :
						       info->segments[0].file_size,
					       HV_PAGE_SIZE);
		if (!spec->has_entry &&
		    !abi->entry) /* x86_64 enters its boot code, not the kernel */
			abi->entry = info->has_entry ? kernel->base + info->entry : kernel->ipa;
		return;
	}
	if (spec->kernel.present && !spec->kernel.path) {
		abi->kernel_phys = address_only(c, e, &spec->kernel, "kernel");
		if (spec->kernel.has_at && !spec->has_entry) {
			abi->entry = spec->kernel.at;
			return;
		}
		if (spec->kernel.has_phys && !spec->has_entry &&
		    hv_zone_to_ipa(abi, spec->kernel.phys, &abi->entry))
			return;
	}
	if (spec->has_entry || (spec->kernel.present && spec->kernel.path) ||
	    (spec->arch == HV_ARCH_X86_64 && spec->x86.boot.present))
		return;
	f = hv_report(c, e, "kernel", &spec->origin, HV_ERROR, "kernel-missing",
		      "the zone has neither a kernel nor an entry point");
	hv_report_fix(
		c, f,
		"kernel = {image = \"Image\"}, or entry = 0x… when its code is in memory already");
}

/* A tree that is no file. */
static struct hv_placement *place_made(struct hv_entry *e, const struct hv_spec_image *spec,
				       const char *what)
{
	struct hv_placement *p = &e->zone.placements[e->zone.n_placements++];

	*p = (struct hv_placement){
		.kind = HV_PLACE_DTB, .what = what, .spec = spec, .origin = spec->origin
	};
	return p;
}

int hv_resolve_images(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_placement *kernel, *dtb = NULL, *initrd = NULL, *m;
	struct hv_zone *z = &e->zone;
	size_t n;
	int ret;

	z->placements = hv_arena_array(c->set->arena, spec->n_modules + MAX_FIXED_PLACEMENTS,
				       sizeof(*z->placements));
	if (!z->placements)
		return hv_err_nomem(err);
	ret = hv_place_open(c, e, &spec->kernel, HV_PLACE_KERNEL, "kernel", spec->kernel.format,
			    &kernel, err);
	if (!ret && spec->dtb_auto)
		dtb = place_made(e, &spec->dtb, "dtb auto");
	else if (!ret)
		ret = hv_place_open(c, e, &spec->dtb, HV_PLACE_DTB, "dtb", HV_IMAGE_DTB, &dtb, err);
	if (!ret)
		ret = hv_place_open(c, e, &spec->initrd, HV_PLACE_INITRD, "initrd", HV_IMAGE_RAW,
				    &initrd, err);
	n = z->n_placements;
	for (size_t i = 0; i < spec->n_modules && !ret; i++)
		ret = hv_place_open(c, e, &spec->modules[i], HV_PLACE_MODULE, "module",
				    spec->modules[i].format ?: HV_IMAGE_RAW, &m, err);
	if (ret)
		return ret;

	/* Those with an address of their own first: the others go where they leave room. */
	for (size_t i = n; i < z->n_placements; i++)
		place_module(c, e, &z->placements[i]);
	if (spec->arch == HV_ARCH_X86_64) {
		ret = hv_resolve_x86(c, e, err);
		if (ret)
			return ret;
	}
	if (initrd && (spec->initrd.has_at || spec->initrd.has_phys))
		place_anywhere(c, e, initrd, 0, 0);
	if (kernel)
		place_kernel(c, e, kernel);
	encode_kernel(c, e, kernel);
	if (!z->resolved)
		return 0; /* without the kernel's place the others mean nothing */
	if (initrd && !initrd->size)
		place_anywhere(c, e, initrd, kernel ? kernel->ipa + kernel->size : 0,
			       hv_image_info(initrd->image)->high);
	if (dtb) {
		ret = hv_resolve_tree(c, e, dtb, initrd, err);
		if (ret)
			return ret;
		n = dtb->size;
		dtb->size = 0; /* not in its own way */
		if (z->resolved) {
			place_anywhere(c, e, dtb, 0, n);
			dtb->size = n;
		}
		z->abi.dtb_phys = dtb->phys;
		z->abi.dtb_size = hv_align_up(n, HV_PAGE_SIZE);
	} else if (spec->dtb.present && !spec->dtb.path) {
		z->abi.dtb_phys = address_only(c, e, &spec->dtb, "dtb");
	}
	return 0;
}
