// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <string.h>

/* x86_64 has no tree: boot code, setup block, command line and initrd lie in fixed places. */

static int place(struct hv_check *c, struct hv_entry *e, const struct hv_spec_image *spec,
		 const char *label, struct hv_placement **out, struct hv_err *err)
{
	struct hv_placement *p;
	struct hv_finding *f;
	uint64_t ipa, phys;
	bool failed = false;
	int ret;

	*out = NULL;
	ret = hv_place_open(c, e, spec, HV_PLACE_MODULE, label, HV_IMAGE_RAW, &p, err);
	if (ret || !p)
		return ret;
	if (hv_place_given(c, e, spec, p->what, &ipa, &phys, &failed)) {
		hv_place_set(e, p, ipa);
		*out = p;
	} else if (!failed) {
		f = hv_report(c, e, p->what, &p->origin, HV_ERROR, "module-no-at",
			      "%s does not say where it goes", p->what);
		hv_report_fix(c, f, "give its guest address: at = 0x…");
		e->zone.resolved = false;
	}
	return 0;
}

static int place_cmdline(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	const struct hv_spec_x86 *x86 = &e->zone.spec->x86;
	const char *text = x86->cmdline ?: e->zone.spec->cmdline;
	struct hv_abi_x86_64 *abi = &e->zone.abi.x86_64;
	struct hv_placement *p = &e->zone.placements[e->zone.n_placements];
	struct hv_finding *f;

	if (!text)
		return 0;
	*p = (struct hv_placement){
		.kind = HV_PLACE_TEXT,
		.what = "command line",
		.bytes = hv_arena_strdup(c->set->arena, text),
		.size = strlen(text) + 1,
		.ipa = abi->cmdline_load_gpa,
		.origin = x86->origin,
	};
	if (!p->bytes)
		return hv_err_nomem(err);
	if (x86->has_cmdline_phys ? !hv_zone_to_ipa(&e->zone.abi, x86->cmdline_phys, &p->ipa)
				  : !p->ipa) {
		f = hv_report(c, e, p->what, &x86->origin, HV_ERROR,
			      x86->has_cmdline_phys ? "image-outside-ram" : "cmdline-no-place",
			      x86->has_cmdline_phys
				      ? "the command line would be written outside the zone's RAM"
				      : "the command line has no address it could be written to");
		hv_report_fix(c, f, "give a guest address in the zone's RAM (cmdline_load_gpa)");
		e->zone.resolved = false;
		return 0;
	}
	if (x86->has_cmdline_phys)
		p->phys = x86->cmdline_phys;
	else if (!hv_zone_to_phys(&e->zone.abi, p->ipa, 1, &p->phys))
		p->phys = 0;
	p->base = p->ipa;
	if (!abi->cmdline_load_gpa)
		abi->cmdline_load_gpa = p->ipa;
	e->zone.n_placements++;
	return 0;
}

int hv_resolve_x86(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_abi_x86_64 *abi = &e->zone.abi.x86_64;
	struct hv_placement *boot, *setup, *initrd;
	int ret;

	ret = place(c, e, &spec->x86.boot, "boot", &boot, err);
	if (!ret)
		ret = place(c, e, &spec->x86.setup, "setup", &setup, err);
	if (!ret)
		ret = place(c, e, &spec->x86.initrd, "initrd", &initrd, err);
	if (!ret)
		ret = place_cmdline(c, e, err);
	if (ret)
		return ret;
	if (boot)
		e->zone.abi.entry = boot->ipa;
	if (setup && !abi->setup_load_gpa)
		abi->setup_load_gpa = setup->ipa;
	if (initrd && !abi->initrd_load_gpa)
		abi->initrd_load_gpa = initrd->ipa;
	if (initrd && !abi->initrd_size)
		abi->initrd_size = initrd->size;
	return 0;
}
