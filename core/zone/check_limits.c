// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

/* What hvisor's structures can hold, on the specification alone. */

#define MAX_DEVICES 8 /* of all zones together: hvisor's list of virtio interrupts */

static void check_name(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_finding *f;
	size_t len = strlen(spec->name);

	if (!len)
		hv_report(c, e, "name", &spec->origin, HV_ERROR, "name-empty",
			  "the zone has no name");
	if (len > HV_ZONE_NAME_MAX) {
		f = hv_report(c, e, "name", &spec->origin, HV_ERROR, "name-long",
			      "the name is %zu bytes long; hvisor keeps %d", len, HV_ZONE_NAME_MAX);
		hv_report_fix(c, f, "shorten it, for example to \"%.*s\"", HV_ZONE_NAME_MAX,
			      spec->name);
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char b = (unsigned char)spec->name[i];

		if (b >= 0x20 && b != 0x7f)
			continue;
		hv_report(c, e, "name", &spec->origin, HV_ERROR, "name-control",
			  "the name has a control character (0x%02x) at byte %zu", b, i + 1);
		break;
	}
}

static void check_id(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_finding *f;

	if (spec->id == 0) {
		f = hv_report(c, e, "id", &spec->id_origin, HV_ERROR, "id-zero",
			      "id 0 is the root zone's own");
		hv_report_fix(c, f, "ids of zones are 1 to %d", HV_MAX_ZONES - 1);
	} else if (spec->id >= HV_MAX_ZONES) {
		f = hv_report(c, e, "id", &spec->id_origin, HV_ERROR, "id-range",
			      "id %" PRIu32 " is beyond what hvisor takes", spec->id);
		hv_report_fix(c, f, "ids of zones are 1 to %d", HV_MAX_ZONES - 1);
	}
}

static void check_region(struct hv_check *c, struct hv_entry *e, size_t i)
{
	const struct hv_spec_region *r = &e->zone.spec->regions[i];
	const char *type = hv_region_type_name(r->type);
	char what[HV_WHAT_TEXT], size[HV_SIZE_TEXT];
	struct hv_finding *f;
	uint64_t bad;

	snprintf(what, sizeof(what), "%s", r->name ?: type);
	if (!r->size) {
		hv_report(c, e, what, &r->origin, HV_ERROR, "region-empty",
			  "%s region at 0x%" PRIx64 " has no size", type, r->ipa);
		e->regions_ok = false;
		return;
	}
	if (r->ipa >= HV_ADDRESS_END || r->size > HV_ADDRESS_END - r->ipa ||
	    r->phys >= HV_ADDRESS_END || r->size > HV_ADDRESS_END - r->phys) {
		f = hv_report(c, e, what, &r->origin, HV_ERROR, "region-range",
			      "%s region at 0x%" PRIx64 " (physical 0x%" PRIx64
			      ") with %s ends beyond "
			      "the 48 bits an address has",
			      type, r->ipa, r->phys, hv_size_format(r->size, size));
		hv_report_fix(c, f, "check the number of digits");
		e->regions_ok = false;
		return;
	}
	if (r->type == HV_REGION_VIRTIO) {
		if (r->size < HV_WINDOW_SIZE)
			hv_report(c, e, what, &r->origin, HV_ERROR, "window-small",
				  "virtio region at 0x%" PRIx64 " has 0x%" PRIx64
				  " bytes; one device needs "
				  "0x%" PRIx64,
				  r->ipa, r->size, HV_WINDOW_SIZE);
		return;
	}
	bad = r->ipa & (HV_PAGE_SIZE - 1)    ? r->ipa
	      : r->phys & (HV_PAGE_SIZE - 1) ? r->phys
	      : r->size & (HV_PAGE_SIZE - 1) ? r->size
					     : 0;
	if (!bad)
		return;
	f = hv_report(c, e, what, &r->origin, HV_ERROR, "region-misaligned",
		      "%s region 0x%" PRIx64 "+0x%" PRIx64 " (physical 0x%" PRIx64
		      ") is not made of whole 4 KiB pages",
		      type, r->ipa, r->size, r->phys);
	hv_report_fix(c, f, "0x%" PRIx64 " should be 0x%" PRIx64, bad,
		      hv_align_up(bad, HV_PAGE_SIZE));
}

static void check_regions(struct hv_check *c, struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_finding *f;
	bool ram = false;

	e->regions_ok = true;
	if (spec->n_regions > HV_MAX_REGIONS) {
		f = hv_report(c, e, "memory regions", &spec->regions[HV_MAX_REGIONS].origin,
			      HV_ERROR, "regions-many", "%zu memory regions; hvisor takes %d",
			      spec->n_regions, HV_MAX_REGIONS);
		hv_report_fix(c, f, "join regions that lie next to each other");
	}
	for (size_t i = 0; i < spec->n_regions; i++) {
		ram |= spec->regions[i].type == HV_REGION_RAM;
		check_region(c, e, i);
	}
	if (!ram) {
		f = hv_report(c, e, "ram", &spec->origin, HV_ERROR, "no-ram",
			      "the zone has no RAM");
		hv_report_fix(c, f, "ram = {at = 0x…, size = \"…M\"}");
	}
}

static void check_irqs(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	const char *why = NULL;

	for (size_t i = 0; i < spec->n_irqs + spec->n_devices; i++) {
		const struct hv_spec_device *d =
			i < spec->n_irqs ? NULL : &spec->devices[i - spec->n_irqs];
		uint32_t irq = d ? d->irq : spec->irqs[i].number;
		const struct hv_origin *origin = d ? &d->irq_origin : &spec->irqs[i].origin;
		char what[HV_WHAT_TEXT] = "interrupts";
		bool irq_private = spec->arch == HV_ARCH_ARM64 && irq < 32;
		struct hv_finding *f;

		if (d && !d->has_irq)
			continue;
		if (d)
			hv_device_what(d, what);
		if (irq >= HV_MAX_IRQ) {
			f = hv_report(c, e, what, origin, HV_ERROR, "irq-range",
				      "interrupt %" PRIu32
				      " does not exist for hvisor, whose limit is %d",
				      irq, HV_MAX_IRQ - 1);
			hv_report_fix(c, f, "an interrupt below %d", HV_MAX_IRQ);
		} else if (irq_private || (spec->arch == HV_ARCH_RISCV64 && !irq)) {
			why = irq_private
				      ? "belongs to each CPU (SGI or PPI); every zone has its own"
				      : "does not exist; sources of the controller begin at 1";
			f = hv_report(c, e, what, origin, HV_ERROR, "irq-private",
				      "interrupt %" PRIu32 " %s", irq, why);
			if (irq_private)
				hv_report_fix(c, f,
					      "shared interrupts begin at 32: a tree's <0 n …> is "
					      "n + 32, "
					      "so maybe %" PRIu32 " is meant",
					      irq + 32);
		}
		for (size_t k = 0; !d && k < i; k++)
			if (spec->irqs[k].number == irq) {
				hv_report(c, e, what, origin, HV_WARNING, "irq-twice",
					  "interrupt %" PRIu32 " is listed twice", irq);
				break;
			}
	}
}

static void check_devices(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	char what[HV_WHAT_TEXT];

	for (size_t i = 0; i < spec->n_devices; i++) {
		const struct hv_spec_device *d = &spec->devices[i];
		uint64_t size = d->size ?: HV_WINDOW_SIZE;

		hv_device_what(d, what);
		if (d->has_at && (d->at >= HV_ADDRESS_END || size > HV_ADDRESS_END - d->at))
			hv_report(c, e, what, &d->at_origin, HV_ERROR, "region-range",
				  "the window of %s at 0x%" PRIx64
				  " ends beyond the 48 bits an address has",
				  what, d->at);
		else if (size < HV_WINDOW_SIZE)
			hv_report(c, e, what, &d->at_origin, HV_ERROR, "window-small",
				  "the window of %s has 0x%" PRIx64
				  " bytes; a device needs 0x%" PRIx64,
				  what, size, HV_WINDOW_SIZE);
		else if (d->has_at && d->at % 4)
			hv_report(c, e, what, &d->at_origin, HV_ERROR, "window-misaligned",
				  "the window of %s at 0x%" PRIx64 " is not a multiple of 4", what,
				  d->at);
		for (size_t k = 0; k < i; k++) {
			struct hv_finding *f;

			if (strcmp(spec->devices[k].name, d->name))
				continue;
			f = hv_report(c, e, what, &d->origin, HV_ERROR, "device-name",
				      "two devices of the zone are called %s", d->name);
			hv_report_other(c, f, e, what, &spec->devices[k].origin);
			break;
		}
	}
}

static void too_many(struct hv_check *c, const struct hv_entry *e, const char *what, size_t n,
		     unsigned int max, const struct hv_origin *origin, const char *code)
{
	if (n > max)
		hv_report(c, e, what, origin, HV_ERROR, code, "%zu %s; the limit is %u", n, what,
			  max);
}

void hv_check_limits(struct hv_check *c, struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;

	check_name(c, e);
	check_id(c, e);
	check_regions(c, e);
	check_irqs(c, e);
	check_devices(c, e);
	too_many(c, e, "PCI buses", spec->n_pci_buses, HV_MAX_PCI_BUSES, &spec->origin,
		 "pci-buses-many");
	too_many(c, e, "PCI devices", spec->n_pci_devs, HV_MAX_PCI_DEVICES, &spec->origin,
		 "pci-devices-many");
	too_many(c, e, "IVC channels", spec->n_ivc, HV_MAX_IVC, &spec->origin, "ivc-many");
	/* Room for kernel, dtb, initrd and the pieces of x86_64 in what is remembered of a zone. */
	too_many(c, e, "modules", spec->n_modules, HV_RECORD_IMAGES - 7, &spec->origin,
		 "modules-many");
}

static uint32_t free_id(const struct hv_check *c)
{
	for (uint32_t id = 1; id < HV_MAX_ZONES; id++) {
		bool used = hv_view_find(&c->view, id);

		for (size_t i = 0; i < c->set->n; i++)
			used |= c->set->entries[i]->zone.spec->id == id;
		if (!used)
			return id;
	}
	return 0;
}

static void check_running_id(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	uint32_t id = free_id(c);
	struct hv_finding *f;

	for (size_t i = 0; i < c->view.n; i++) {
		const struct hv_running *r = &c->view.zones[i];
		bool same_id = r->info.id == spec->id;
		bool same_name = !strncmp(r->info.name, spec->name, HV_ZONE_NAME_MAX);

		if (same_id == same_name)
			continue;
		if (same_id) {
			f = hv_report(c, e, "id", &spec->id_origin, HV_ERROR, "id-taken",
				      "id %" PRIu32 " is taken by running zone %s", spec->id,
				      r->info.name);
			if (id)
				hv_report_fix(c, f, "id %" PRIu32 " is free, or stop %s first", id,
					      r->info.name);
		} else {
			f = hv_report(c, e, "name", &spec->origin, HV_ERROR, "name-taken",
				      "a zone of this name runs already, with id %" PRIu32,
				      r->info.id);
			hv_report_fix(c, f,
				      "id = %" PRIu32
				      " if it is that one; otherwise another name, or stop "
				      "it first",
				      r->info.id);
		}
		hv_report_running(c, f, r, "zone");
	}
}

static void check_counts(struct hv_check *c)
{
	uint32_t max = c->board && c->board->max_zones ? c->board->max_zones : HV_MAX_ZONES;
	size_t zones = 1 + c->set->n, devices = 0;
	const struct hv_entry *last = NULL;
	struct hv_finding *f;

	for (size_t i = 0; i < c->set->n; i++) {
		devices += c->set->entries[i]->zone.spec->n_devices;
		if (c->set->entries[i]->zone.spec->n_devices)
			last = c->set->entries[i];
	}
	for (size_t i = 0; i < c->view.n; i++) {
		const struct hv_running *r = &c->view.zones[i];

		if (r->aside)
			continue;
		zones++;
		/* A region may hold several windows; there are at least as many devices as regions.
		 */
		for (uint32_t k = 0; r->known && k < r->record.config.n_regions; k++)
			devices += r->record.config.regions[k].type == HV_REGION_VIRTIO;
	}
	if (zones > max && c->set->n) {
		const struct hv_entry *e = c->set->entries[c->set->n - 1];

		hv_report(c, e, "zone", &e->zone.spec->origin, HV_ERROR, "zones-many",
			  "%zu zones with zone0 and those that run; this hypervisor is built for "
			  "%" PRIu32,
			  zones, max);
	}
	if (devices > MAX_DEVICES && last) {
		f = hv_report(c, last, "devices",
			      &last->zone.spec->devices[last->zone.spec->n_devices - 1].origin,
			      HV_ERROR, "devices-many",
			      "%zu virtio devices in all zones together, running ones included; "
			      "hvisor stops "
			      "at more than %d",
			      devices, MAX_DEVICES);
		hv_report_fix(c, f, "leave out %zu", devices - MAX_DEVICES);
	}
}

void hv_check_ids(struct hv_check *c)
{
	for (size_t i = 0; i < c->set->n; i++) {
		const struct hv_entry *e = c->set->entries[i];
		const struct hv_zone_spec *spec = e->zone.spec;
		uint32_t id = free_id(c);

		for (size_t k = 0; k < i; k++) {
			const struct hv_entry *o = c->set->entries[k];
			struct hv_finding *f;

			if (spec->id && o->zone.spec->id == spec->id) {
				f = hv_report(c, e, "id", &spec->id_origin, HV_ERROR,
					      "id-duplicate", "id %" PRIu32 " is %s's already",
					      spec->id, o->zone.spec->name);
				hv_report_other(c, f, o, "id", &o->zone.spec->id_origin);
				if (id)
					hv_report_fix(c, f, "id %" PRIu32 " is free", id);
			}
			if (!strcmp(o->zone.spec->name, spec->name)) {
				f = hv_report(c, e, "name", &spec->origin, HV_ERROR,
					      "name-duplicate", "there are two zones called %s",
					      spec->name);
				hv_report_other(c, f, o, "name", &o->zone.spec->origin);
			}
		}
		check_running_id(c, e);
	}
	check_counts(c);
}
