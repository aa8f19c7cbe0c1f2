// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

/* PCI devices and IVC channels, over all zones. */

static bool same_function(const struct hv_abi_pci_dev *a, const struct hv_abi_pci_dev *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->device == b->device &&
	       a->function == b->function;
}

/* Every zone sees the host bridge of a bus it uses; hvisor gives each a copy. */
static bool is_host_bridge(const struct hv_zone_spec *spec, const struct hv_abi_pci_dev *d)
{
	if (d->device || d->function)
		return false;
	for (size_t i = 0; i < spec->n_pci_buses; i++)
		if (spec->pci_buses[i].bus.domain == d->domain &&
		    spec->pci_buses[i].bus.bus_begin == d->bus)
			return true;
	return d->bus == 0;
}

static const char *pci_text(const struct hv_abi_pci_dev *d, char out[HV_WHAT_TEXT])
{
	snprintf(out, HV_WHAT_TEXT, "PCI %04x:%02x:%02x.%x", d->domain, d->bus, d->device,
		 d->function);
	return out;
}

static void check_pci_device(struct hv_check *c, size_t entry, size_t dev)
{
	const struct hv_entry *e = c->set->entries[entry];
	const struct hv_zone_spec *spec = e->zone.spec;
	const struct hv_spec_pci_dev *d = &spec->pci_devs[dev];
	char what[HV_WHAT_TEXT];
	struct hv_finding *f;

	pci_text(&d->dev, what);
	for (size_t k = 0; k < dev; k++)
		if (same_function(&d->dev, &spec->pci_devs[k].dev)) {
			f = hv_report(c, e, what, &d->origin, HV_ERROR, "pci-duplicate",
				      "%s is listed twice", what);
			hv_report_other(c, f, e, what, &spec->pci_devs[k].origin);
		}
	if (is_host_bridge(spec, &d->dev))
		return;
	for (size_t i = 0; i < entry; i++) {
		const struct hv_zone_spec *o = c->set->entries[i]->zone.spec;

		for (size_t k = 0; k < o->n_pci_devs; k++) {
			if (!same_function(&d->dev, &o->pci_devs[k].dev))
				continue;
			f = hv_report(c, e, what, &d->origin, HV_ERROR, "pci-taken",
				      "%s belongs to %s", what, o->name);
			hv_report_other(c, f, c->set->entries[i], what, &o->pci_devs[k].origin);
			hv_report_fix(c, f, "give it to one of them");
		}
	}
	for (size_t i = 0; i < c->view.n; i++) {
		const struct hv_running *r = &c->view.zones[i];

		for (uint32_t k = 0; r->known && !r->aside && k < r->record.config.n_pci_devs;
		     k++) {
			if (!same_function(&d->dev, &r->record.config.pci_devs[k]))
				continue;
			f = hv_report(c, e, what, &d->origin, HV_ERROR, "pci-taken",
				      "%s belongs to running zone %s", what, r->info.name);
			hv_report_running(c, f, r, what);
		}
	}
}

void hv_check_pci(struct hv_check *c)
{
	for (size_t i = 0; i < c->set->n; i++)
		for (size_t k = 0; k < c->set->entries[i]->zone.spec->n_pci_devs; k++)
			check_pci_device(c, i, k);
}

static const char *ivc_text(const struct hv_abi_ivc *v, char out[HV_WHAT_TEXT])
{
	snprintf(out, HV_WHAT_TEXT, "ivc %" PRIu32 " peer %" PRIu32, v->ivc_id, v->peer_id);
	return out;
}

static uint64_t ivc_shared_size(const struct hv_abi_ivc *v)
{
	return v->rw_sec_size + (uint64_t)v->max_peers * v->out_sec_size;
}

static void check_channel(struct hv_check *c, const struct hv_entry *e, const struct hv_spec_ivc *s)
{
	const struct hv_abi_ivc *v = &s->ivc;
	const struct hv_abi_zone *abi = &e->zone.abi;
	char what[HV_WHAT_TEXT], region[HV_WHAT_TEXT];
	struct hv_finding *f;
	uint64_t bad;

	ivc_text(v, what);
	bad = (v->rw_sec_size | v->out_sec_size | v->control_table_ipa | v->shared_mem_ipa) &
	      (HV_PAGE_SIZE - 1);
	if (bad || !v->out_sec_size) {
		f = hv_report(c, e, what, &s->origin, HV_ERROR, "ivc-misaligned",
			      "addresses and section sizes of an IVC channel are whole 4 KiB "
			      "pages: control "
			      "table 0x%" PRIx64 ", shared memory 0x%" PRIx64
			      ", sections 0x%" PRIx32 " and 0x%" PRIx32,
			      v->control_table_ipa, v->shared_mem_ipa, v->rw_sec_size,
			      v->out_sec_size);
		hv_report_fix(c, f, "section sizes like 0x1000");
		return;
	}
	if (v->control_table_ipa >= HV_ADDRESS_END || v->shared_mem_ipa >= HV_ADDRESS_END) {
		hv_report(c, e, what, &s->origin, HV_ERROR, "region-range",
			  "an address of the channel has more than 48 bits");
		return;
	}
	if (v->max_peers < 2 || v->max_peers > HV_MAX_ZONES || v->peer_id >= v->max_peers) {
		hv_report(c, e, what, &s->origin, HV_ERROR, "ivc-peer",
			  "peer id %" PRIu32 " does not fit %" PRIu32
			  " peers; a channel has 2 to %d, "
			  "numbered from 0",
			  v->peer_id, v->max_peers, HV_MAX_ZONES);
		return;
	}
	if (v->interrupt >= HV_MAX_IRQ)
		hv_report(c, e, what, &s->origin, HV_ERROR, "irq-range",
			  "interrupt %" PRIu32 " does not exist for hvisor, whose limit is %d",
			  v->interrupt, HV_MAX_IRQ - 1);
	if (hv_overlap(v->control_table_ipa, HV_PAGE_SIZE, v->shared_mem_ipa, ivc_shared_size(v)))
		hv_report(c, e, what, &s->origin, HV_ERROR, "ivc-overlap",
			  "the control table at 0x%" PRIx64 " lies in the channel's shared memory",
			  v->control_table_ipa);
	for (uint32_t i = 0; e->regions_ok && i < abi->n_regions; i++) {
		const struct hv_abi_region *r = &abi->regions[i];

		if (!hv_overlap(v->control_table_ipa, HV_PAGE_SIZE, r->ipa, r->size) &&
		    !hv_overlap(v->shared_mem_ipa, ivc_shared_size(v), r->ipa, r->size))
			continue;
		f = hv_report(c, e, what, &s->origin, HV_ERROR, "ivc-overlap",
			      "the channel's guest addresses overlap a region of the zone");
		hv_report_other(c, f, e, hv_region_what(&e->zone, i, region),
				hv_region_origin(e, i));
	}
}

static bool compare_channels(struct hv_check *c, const struct hv_entry *e,
			     const struct hv_spec_ivc *s, const struct hv_abi_ivc *o,
			     struct hv_finding **f)
{
	const struct hv_abi_ivc *v = &s->ivc;
	char what[HV_WHAT_TEXT];

	if (v->ivc_id != o->ivc_id)
		return false;
	*f = NULL;
	ivc_text(v, what);
	if (v->peer_id == o->peer_id)
		*f = hv_report(c, e, what, &s->origin, HV_ERROR, "ivc-peer",
			       "both ends of channel %" PRIu32 " are peer %" PRIu32, v->ivc_id,
			       v->peer_id);
	else if (v->rw_sec_size != o->rw_sec_size || v->out_sec_size != o->out_sec_size ||
		 v->max_peers != o->max_peers)
		*f = hv_report(c, e, what, &s->origin, HV_ERROR, "ivc-mismatch",
			       "the ends of channel %" PRIu32 " differ: sections 0x%" PRIx32
			       " and 0x%" PRIx32 ", %" PRIu32 " peers here; 0x%" PRIx32
			       " and 0x%" PRIx32 ", %" PRIu32 " peers there",
			       v->ivc_id, v->rw_sec_size, v->out_sec_size, v->max_peers,
			       o->rw_sec_size, o->out_sec_size, o->max_peers);
	return true;
}

static void check_peers(struct hv_check *c, size_t entry, size_t channel)
{
	const struct hv_entry *e = c->set->entries[entry];
	const struct hv_spec_ivc *s = &e->zone.spec->ivc[channel];
	char what[HV_WHAT_TEXT], other[HV_WHAT_TEXT];
	bool met = !c->view.asked; /* zone0 or a zone we cannot see may be the other end */
	struct hv_finding *f;

	ivc_text(&s->ivc, what);
	for (size_t i = 0; i < c->set->n; i++) {
		const struct hv_zone_spec *o = c->set->entries[i]->zone.spec;

		for (size_t k = 0; k < o->n_ivc; k++) {
			const struct hv_abi_ivc *v = &o->ivc[k].ivc;

			if (i == entry && k < channel && v->ivc_id == s->ivc.ivc_id) {
				f = hv_report(c, e, what, &s->origin, HV_ERROR, "ivc-duplicate",
					      "channel %" PRIu32 " is listed twice", v->ivc_id);
				hv_report_other(c, f, e, ivc_text(v, other), &o->ivc[k].origin);
			}
			met |= i != entry && v->ivc_id == s->ivc.ivc_id;
			if (i < entry && compare_channels(c, e, s, v, &f))
				hv_report_other(c, f, c->set->entries[i], ivc_text(v, other),
						&o->ivc[k].origin);
		}
	}
	for (size_t i = 0; i < c->view.n; i++) {
		const struct hv_running *r = &c->view.zones[i];

		for (uint32_t k = 0; r->known && !r->aside && k < r->record.config.n_ivc; k++)
			if (compare_channels(c, e, s, &r->record.config.ivc[k], &f)) {
				hv_report_running(c, f, r,
						  ivc_text(&r->record.config.ivc[k], other));
				met = true;
			}
	}
	if (!met)
		hv_report(c, e, what, &s->origin, HV_NOTE, "ivc-alone",
			  "no other zone of the script or running one is on channel %" PRIu32
			  "; zone0 is, if hvisor was built so",
			  s->ivc.ivc_id);
}

void hv_check_ivc(struct hv_check *c)
{
	for (size_t i = 0; i < c->set->n; i++)
		for (size_t k = 0; k < c->set->entries[i]->zone.spec->n_ivc; k++) {
			check_channel(c, c->set->entries[i],
				      &c->set->entries[i]->zone.spec->ivc[k]);
			check_peers(c, i, k);
		}
}
