// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

/* Who owns what of the machine: CPUs, memory, interrupts. */

/* ---- CPUs */

/* A board that does not say how many it has leaves nothing to judge. */
static uint64_t board_cpus(const struct hv_board *board)
{
	return !board || !board->n_cpus || board->n_cpus >= 64
		       ? UINT64_MAX
		       : (UINT64_C(1) << board->n_cpus) - 1;
}

static uint64_t free_cpus(const struct hv_check *c)
{
	uint64_t taken = c->view.root_cpus;

	for (size_t i = 0; i < c->set->n; i++)
		taken |= c->set->entries[i]->zone.spec->cpus;
	for (size_t i = 0; i < c->view.n; i++)
		taken |= c->view.zones[i].aside ? 0 : c->view.zones[i].info.cpus;
	return c->board && c->board->n_cpus ? board_cpus(c->board) & ~taken : 0;
}

static void fix_cpus(struct hv_check *c, struct hv_finding *f)
{
	char list[HV_LIST_TEXT];
	uint64_t cpus = free_cpus(c);

	if (cpus)
		hv_report_fix(c, f, "free: %s %s", cpus & (cpus - 1) ? "CPUs" : "CPU",
			      hv_cpus_text(cpus, list));
	else if (c->board)
		hv_report_fix(c, f, "no CPU of the board is free: another zone must give one up");
}

static struct hv_finding *cpus_taken(struct hv_check *c, const struct hv_entry *e, uint64_t cpus,
				     const char *code, const char *owner)
{
	char list[HV_LIST_TEXT];
	struct hv_finding *f;

	f = hv_report(c, e, "cpus", &e->zone.spec->cpus_origin, HV_ERROR, code, "%s %s %s %s",
		      cpus & (cpus - 1) ? "CPUs" : "CPU", hv_cpus_text(cpus, list),
		      cpus & (cpus - 1) ? "belong to" : "belongs to", owner);
	fix_cpus(c, f);
	return f;
}

static void check_entry_cpus(struct hv_check *c, size_t i)
{
	static const struct hv_origin nowhere;
	const struct hv_entry *e = c->set->entries[i];
	const struct hv_zone_spec *spec = e->zone.spec;
	uint64_t missing = spec->cpus & ~board_cpus(c->board);
	char list[HV_LIST_TEXT];
	struct hv_finding *f;

	if (!spec->cpus) {
		f = hv_report(c, e, "cpus", &spec->cpus_origin, HV_ERROR, "cpu-none",
			      "the zone has no CPU");
		fix_cpus(c, f);
	}
	if (spec->cpus >> HV_MAX_CPUS)
		hv_report(c, e, "cpus", &spec->cpus_origin, HV_ERROR, "cpu-range",
			  "CPU %s: hvisor knows CPUs 0 to %d",
			  hv_cpus_text(spec->cpus >> HV_MAX_CPUS << HV_MAX_CPUS, list),
			  HV_MAX_CPUS - 1);
	else if (missing) {
		f = hv_report(
			c, e, "cpus", &spec->cpus_origin, HV_ERROR, "cpu-missing",
			"CPU %s does not exist: the board %s has CPUs 0 to %u; starting it would "
			"bring the hypervisor down",
			hv_cpus_text(missing, list), c->board->name, c->board->n_cpus - 1);
		fix_cpus(c, f);
	}
	if (spec->cpus & c->view.root_cpus) {
		f = cpus_taken(c, e, spec->cpus & c->view.root_cpus, "cpu-zone0", "zone0");
		hv_finding_party(c->findings, f, 1, "zone0", "cpus", &nowhere);
	}
	for (size_t k = 0; k < i; k++) {
		const struct hv_zone_spec *o = c->set->entries[k]->zone.spec;

		if (!(spec->cpus & o->cpus))
			continue;
		f = cpus_taken(c, e, spec->cpus & o->cpus, "cpu-taken", o->name);
		hv_report_other(c, f, c->set->entries[k], "cpus", &o->cpus_origin);
	}
	for (size_t k = 0; k < c->view.n; k++) {
		const struct hv_running *r = &c->view.zones[k];

		if (r->aside || !(spec->cpus & r->info.cpus))
			continue;
		f = cpus_taken(c, e, spec->cpus & r->info.cpus, "cpu-taken", r->info.name);
		hv_report_running(c, f, r, "cpus");
	}
}

void hv_check_cpus(struct hv_check *c)
{
	for (size_t i = 0; i < c->set->n; i++)
		check_entry_cpus(c, i);
}

/* ---- memory */

static void fix_memory(struct hv_check *c, struct hv_finding *f, const char *zone, uint64_t size)
{
	char text[HV_SIZE_TEXT];
	uint64_t at;

	if (!hv_memmap_find_free(c->map, size, 2 * HV_MIB, &at, NULL) ||
	    !hv_memmap_find_free(c->map, size, HV_PAGE_SIZE, &at, NULL))
		hv_report_fix(c, f, "%s could start at 0x%" PRIx64 ": %s are free there", zone, at,
			      hv_size_format(size, text));
	else if (c->board && c->board->n_ram)
		hv_report_fix(c, f, "nowhere else on this board are %s free in one piece: make it smaller",
			      hv_size_format(size, text));
}

static const char *conflict_code(const struct hv_span *b)
{
	return b->kind == HV_SPAN_ROOT	       ? "memory-zone0"
	       : b->kind == HV_SPAN_HYPERVISOR ? "memory-hypervisor"
					       : "memory-overlap";
}

/* A region against a whole that is known in several pieces is still one mistake. */
static bool reported(const struct hv_check *c, const char *code, const struct hv_span *a,
		     const struct hv_span *b)
{
	if (b->kind != HV_SPAN_ROOT && b->kind != HV_SPAN_HYPERVISOR)
		return false;
	for (size_t i = 0; i < c->findings->n; i++) {
		const struct hv_finding *f = &c->findings->items[i];

		if (!strcmp(f->code, code) && f->a.zone && !strcmp(f->a.zone, a->zone) &&
		    f->a.what && !strcmp(f->a.what, a->what) && f->a.origin.line == a->origin.line)
			return true;
	}
	return false;
}

static int on_conflict(const struct hv_span *a, const struct hv_span *b, uint64_t start,
		       uint64_t size, void *arg)
{
	struct hv_check *c = arg;
	struct hv_entry *e = hv_set_find(c->set, b->zone);
	char text[HV_SIZE_TEXT];
	const struct hv_span *swap;
	struct hv_finding *f;
	const char *code;

	/* The later one in the script is the one to move; what is not of the set is never asked to.
	 */
	if (!e || b->kind == HV_SPAN_ROOT || b->kind == HV_SPAN_HYPERVISOR) {
		swap = a;
		a = b;
		b = swap;
		e = hv_set_find(c->set, b->zone);
	}
	if (!e || b->kind == HV_SPAN_ROOT || b->kind == HV_SPAN_HYPERVISOR)
		return 0;
	code = conflict_code(a);
	if (reported(c, code, b, a))
		return 0;
	f = hv_report(c, e, b->what, &b->origin, HV_ERROR, code,
		      "physical memory 0x%" PRIx64 "..0x%" PRIx64 " (%s) belongs to %s as well",
		      start, start + size, hv_size_format(size, text), a->zone);
	hv_finding_party(c->findings, f, 1, a->zone, a->what, &a->origin);
	if (b->kind == HV_SPAN_RAM)
		fix_memory(c, f, b->zone, b->size);
	else if (a->kind == HV_SPAN_IO || a->kind == HV_SPAN_SHARED)
		hv_report_fix(c, f,
			      "give the device to one of them; where both must reach it, say "
			      "shared = true in both");
	return 0;
}

/* RAM that the board does not have: hvisor would map it and the guest would die on it. */
static void check_exists(struct hv_check *c, const struct hv_entry *e)
{
	if (!c->board || !c->board->n_ram)
		return;
	for (uint32_t i = 0; i < e->n_given; i++) {
		const struct hv_abi_region *r = &e->zone.abi.regions[i];
		char what[HV_WHAT_TEXT], size[HV_SIZE_TEXT];
		struct hv_finding *f;

		if (r->type != HV_REGION_RAM ||
		    hv_memmap_covers(c->map, HV_SPAN_WINDOW, r->phys, r->size))
			continue;
		f = hv_report(c, e, hv_region_what(&e->zone, i, what), hv_region_origin(e, i),
			      HV_ERROR, "memory-missing",
			      "physical memory 0x%" PRIx64 "..0x%" PRIx64
			      " (%s) is not all RAM of the board %s",
			      r->phys, r->phys + r->size, hv_size_format(r->size, size),
			      c->board->name);
		fix_memory(c, f, e->zone.spec->name, r->size);
	}
}

static void check_shared(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;

	for (size_t k = 0; k < c->view.n; k++) {
		const struct hv_running *run = &c->view.zones[k];

		for (size_t i = 0; run->known && !run->aside && i < spec->n_regions; i++) {
			const struct hv_spec_region *s = &spec->regions[i];
			struct hv_finding *f;

			for (uint32_t j = 0; s->shared && j < run->record.config.n_regions; j++) {
				const struct hv_abi_region *r = &run->record.config.regions[j];

				if (r->phys != s->phys || r->size != s->size)
					continue;
				f = hv_report(c, e, s->name ?: "region", &s->origin, HV_WARNING,
					      "memory-shared",
					      "running zone %s has this region, too; whether it "
					      "was meant to be "
					      "shared is not known",
					      run->info.name);
				hv_report_running(c, f, run, "region");
			}
		}
	}
}

void hv_check_memory(struct hv_check *c)
{
	if (hv_memmap_conflicts(c->map, on_conflict, c) < 0)
		c->findings->failed = true;
	for (size_t i = 0; i < c->set->n; i++) {
		if (!c->set->entries[i]->regions_ok)
			continue;
		check_exists(c, c->set->entries[i]);
		check_shared(c, c->set->entries[i]);
	}
}

/* ---- interrupts */

/* Where a zone's interrupt comes from: the list, or a device. */
static const struct hv_origin *irq_origin(const struct hv_entry *e, uint32_t irq,
					  char what[HV_WHAT_TEXT])
{
	const struct hv_zone_spec *spec = e->zone.spec;

	for (size_t i = 0; i < e->zone.n_devices; i++) {
		const struct hv_device_slot *d = &e->zone.devices[i];

		if (d->irq != irq)
			continue;
		hv_device_what(d->spec, what);
		return d->irq_given ? &d->spec->irq_origin : &d->spec->origin;
	}
	snprintf(what, HV_WHAT_TEXT, "interrupts");
	for (size_t i = 0; i < spec->n_irqs; i++)
		if (spec->irqs[i].number == irq)
			return &spec->irqs[i].origin;
	return &spec->origin;
}

static bool has_irq(const struct hv_abi_zone *abi, uint32_t irq)
{
	for (uint32_t i = 0; i < abi->n_irqs; i++)
		if (abi->irqs[i] == irq)
			return true;
	return false;
}

static size_t common_irqs(const struct hv_abi_zone *a, const struct hv_abi_zone *b,
			  uint32_t out[HV_MAX_IRQ])
{
	size_t n = 0;

	for (uint32_t i = 0; i < a->n_irqs; i++)
		if (has_irq(b, a->irqs[i]))
			out[n++] = a->irqs[i];
	return n;
}

static uint32_t free_irq(const struct hv_check *c, const struct hv_board_slots *s)
{
	for (uint32_t n = 0; n < s->count && s->first_irq + n < HV_MAX_IRQ; n++) {
		uint32_t irq = s->first_irq + n;
		bool used = irq == c->board->wakeup_irq;

		for (size_t i = 0; i < c->set->n && !used; i++)
			used = has_irq(&c->set->entries[i]->zone.abi, irq);
		for (size_t i = 0; i < c->view.n && !used; i++)
			used = c->view.zones[i].known &&
			       has_irq(&c->view.zones[i].record.config, irq);
		if (!used)
			return n;
	}
	return UINT32_MAX;
}

/* A free slot, when the interrupt is a virtio device's. */
static void fix_irq(struct hv_check *c, struct hv_finding *f, const struct hv_entry *e,
		    uint32_t irq)
{
	bool device = false;

	for (size_t i = 0; i < e->zone.n_devices; i++)
		device |= e->zone.devices[i].irq == irq;
	for (unsigned int s = 0; device && c->board && s < c->board->n_slots; s++) {
		const struct hv_board_slots *slots = &c->board->slots[s];
		uint32_t n = free_irq(c, slots);

		if (n == UINT32_MAX)
			continue;
		hv_report_fix(c, f, "free: at = 0x%" PRIx64 ", irq = %" PRIu32,
			      slots->at + n * slots->stride, slots->first_irq + n);
		return;
	}
}

static struct hv_finding *irqs_taken(struct hv_check *c, const struct hv_entry *e,
				     const uint32_t *irqs, size_t n, const char *owner)
{
	char list[HV_LIST_TEXT], what[HV_WHAT_TEXT];
	const struct hv_origin *origin = irq_origin(e, irqs[0], what);
	struct hv_finding *f;

	f = hv_report(c, e, what, origin, HV_ERROR, "irq-taken", "interrupt%s %s %s to %s",
		      n > 1 ? "s" : "", hv_list_text(irqs, n, list), n > 1 ? "belong" : "belongs",
		      owner);
	fix_irq(c, f, e, irqs[0]);
	return f;
}

static void check_own_irqs(struct hv_check *c, const struct hv_entry *e)
{
	char what[HV_WHAT_TEXT], other[HV_WHAT_TEXT];
	uint32_t wakeup = c->board ? c->board->wakeup_irq : 0;
	struct hv_finding *f;

	if (wakeup && has_irq(&e->zone.abi, wakeup)) {
		const struct hv_origin *origin = irq_origin(e, wakeup, what);

		hv_report(c, e, what, origin, HV_ERROR, "irq-wakeup",
			  "interrupt %" PRIu32 " is the one hvisor wakes the virtio service with",
			  wakeup);
	}
	for (size_t i = 0; i < e->zone.n_devices; i++) {
		const struct hv_device_slot *d = &e->zone.devices[i];

		for (size_t k = 0; k < i; k++) {
			const struct hv_device_slot *o = &e->zone.devices[k];

			if (!d->size || !o->size || d->irq != o->irq)
				continue;
			f = hv_report(c, e, hv_device_what(d->spec, what), &d->spec->irq_origin,
				      HV_ERROR, "irq-duplicate",
				      "interrupt %" PRIu32 " is used by %s and %s", d->irq,
				      hv_device_what(o->spec, other), what);
			hv_report_other(c, f, e, other, &o->spec->irq_origin);
			fix_irq(c, f, e, d->irq);
		}
	}
}

void hv_check_irqs(struct hv_check *c)
{
	uint32_t common[HV_MAX_IRQ];
	char what[HV_WHAT_TEXT];
	size_t n;

	for (size_t i = 0; i < c->set->n; i++) {
		const struct hv_entry *e = c->set->entries[i];
		struct hv_finding *f;

		check_own_irqs(c, e);
		for (size_t k = 0; k < i; k++) {
			const struct hv_entry *o = c->set->entries[k];

			n = common_irqs(&e->zone.abi, &o->zone.abi, common);
			if (!n)
				continue;
			f = irqs_taken(c, e, common, n, o->zone.spec->name);
			const struct hv_origin *origin = irq_origin(o, common[0], what);

			hv_report_other(c, f, o, what, origin);
		}
		for (size_t k = 0; k < c->view.n; k++) {
			const struct hv_running *r = &c->view.zones[k];

			if (!r->known || r->aside)
				continue;
			n = common_irqs(&e->zone.abi, &r->record.config, common);
			if (n)
				hv_report_running(c, irqs_taken(c, e, common, n, r->info.name), r,
						  "interrupts");
		}
	}
}

/* ---- two configurations by themselves, for a plan that leaves an old one running */

bool hv_abi_clash(const struct hv_abi_zone *a, const struct hv_abi_zone *b, char text[HV_LIST_TEXT])
{
	uint64_t cpus = a->cpus & b->cpus;
	uint32_t common[HV_MAX_IRQ];
	char list[HV_LIST_TEXT];
	size_t n;

	if (cpus) {
		snprintf(text, HV_LIST_TEXT, "CPU %.100s", hv_cpus_text(cpus, list));
		return true;
	}
	for (uint32_t i = 0; i < a->n_regions; i++)
		for (uint32_t k = 0; k < b->n_regions; k++) {
			const struct hv_abi_region *x = &a->regions[i], *y = &b->regions[k];

			if (x->type == HV_REGION_VIRTIO || y->type == HV_REGION_VIRTIO ||
			    (x->type == HV_REGION_IO && y->type == HV_REGION_IO) ||
			    !hv_overlap(x->phys, x->size, y->phys, y->size))
				continue;
			snprintf(text, HV_LIST_TEXT, "physical memory at 0x%" PRIx64,
				 x->phys > y->phys ? x->phys : y->phys);
			return true;
		}
	n = common_irqs(a, b, common);
	if (n)
		snprintf(text, HV_LIST_TEXT, "interrupt %.100s", hv_list_text(common, n, list));
	return n;
}
