// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known of the running machine, and the physical memory it makes up. */

int hv_view_read(const struct hv_zone_set *set, const struct hv_machine *machine,
		 struct hv_view *view, struct hv_err *err)
{
	const struct hv_board *board = hv_set_board(set, machine);
	struct hv_zone_info list[HV_MAX_ZONES];
	struct hv_running *r;
	struct hv_entry *e;
	int n, ret;

	*view = (struct hv_view){ 0 };
	if (board)
		view->root_cpus = board->root_cpus;
	if (machine->host && machine->host->cpus)
		view->root_cpus = machine->host->cpus;
	if (!machine->hyp)
		return 0;

	n = hv_hyp_zone_list(machine->hyp, list, HV_MAX_ZONES, err);
	if (n < 0)
		return n;
	view->asked = true;
	view->zones = calloc(n ? (size_t)n : 1, sizeof(*view->zones));
	if (!view->zones)
		return hv_err_nomem(err);
	for (int i = 0; i < n; i++) {
		if (list[i].id == 0) {
			if (list[i].cpus)
				view->root_cpus = list[i].cpus;
			continue;
		}
		r = &view->zones[view->n++];
		r->info = list[i];
		/*
		 * A record that names other CPUs or another zone is of an earlier life:
		 * somebody stopped that zone and started this one without us.
		 */
		ret = machine->records
			      ? hv_records_get(machine->records, list[i].id, &r->record, err)
			      : -ENOENT;
		if (ret && ret != -ENOENT) {
			hv_view_free(view);
			return ret;
		}
		r->known = !ret && r->record.config.cpus == list[i].cpus &&
			   !strcmp(r->record.config.name, list[i].name);
		e = hv_set_find(set, list[i].name);
		if (e && e->zone.spec->id == list[i].id)
			r->self = e;
		r->aside = e;
		for (size_t k = 0; k < set->n; k++)
			r->aside |= set->entries[k]->zone.spec->id == list[i].id;
	}
	return 0;
}

void hv_view_free(struct hv_view *view)
{
	free(view->zones);
	*view = (struct hv_view){ 0 };
}

const struct hv_running *hv_view_find(const struct hv_view *view, uint32_t id)
{
	for (size_t i = 0; i < view->n; i++)
		if (view->zones[i].info.id == id)
			return &view->zones[i];
	return NULL;
}

static int add(struct hv_memmap *map, enum hv_span_kind kind, uint64_t start, uint64_t size,
	       const char *zone, const char *what, const struct hv_origin *origin,
	       struct hv_err *err)
{
	struct hv_span span = {
		.start = start,
		.size = size,
		.kind = kind,
		.zone = zone,
		.what = what,
	};

	if (origin)
		span.origin = *origin;
	return size ? hv_memmap_add(map, &span, err) : 0;
}

/*
 * What zone0's kernel keeps its hands off. Ranges that /proc/iomem calls
 * "reserved" inside System RAM are the opposite: that kernel's own tables and tree.
 */
static bool kept_free(const struct hv_host_range *r)
{
	return r->no_map || strcmp(r->name, "reserved");
}

/* zone0's RAM less what its kernel keeps its hands off. */
static int add_root_ram(struct hv_memmap *map, const struct hv_host *host, uint64_t start,
			uint64_t size, struct hv_err *err)
{
	uint64_t at = start, end = start + size;
	int ret;

	while (at < end) {
		uint64_t hole = end, hole_end = end;

		for (size_t i = 0; i < host->n_reserved; i++) {
			const struct hv_host_range *r = &host->reserved[i];
			uint64_t r_end = r->start + r->size;

			if (kept_free(r) && r_end > at && r->start < hole) {
				hole = r->start > at ? r->start : at;
				hole_end = r_end;
			}
		}
		if (hole > at) {
			ret = add(map, HV_SPAN_ROOT, at, hole - at, "zone0", "System RAM", NULL,
				  err);
			if (ret)
				return ret;
		}
		at = hole_end > at ? hole_end : end;
	}
	return 0;
}

static int add_machine(struct hv_memmap *map, const struct hv_machine *m,
		       const struct hv_board *board, struct hv_err *err)
{
	const struct hv_host *host = m->host;
	int ret = 0;

	for (unsigned int i = 0; board && i < board->n_ram && !ret; i++)
		ret = add(map, HV_SPAN_WINDOW, board->ram[i].start, board->ram[i].size, "board",
			  board->ram[i].name ?: "ram", NULL, err);
	if (board && !ret)
		ret = add(map, HV_SPAN_HYPERVISOR, board->hypervisor.start, board->hypervisor.size,
			  "hvisor", "memory", NULL, err);
	if (host && host->addresses_known) {
		for (size_t i = 0; i < host->n_ram && !ret; i++)
			ret = add_root_ram(map, host, host->ram[i].start, host->ram[i].size, err);
		for (size_t i = 0; i < host->n_reserved && !ret; i++)
			if (kept_free(&host->reserved[i]))
				ret = add(map, HV_SPAN_RESERVED, host->reserved[i].start,
					  host->reserved[i].size, "zone0", host->reserved[i].name,
					  NULL, err);
		return ret;
	}
	for (unsigned int i = 0; board && i < board->n_root_ram && !ret; i++)
		ret = add(map, HV_SPAN_ROOT, board->root_ram[i].start, board->root_ram[i].size,
			  "zone0", board->root_ram[i].name ?: "ram", NULL, err);
	return ret;
}

/* A record does not say what was shared; a region that a zone here shares as a whole is taken to
 * be. */
static bool shared_here(const struct hv_zone_set *set, const struct hv_abi_region *r)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct hv_zone_spec *s = set->entries[i]->zone.spec;

		for (size_t j = 0; j < s->n_regions; j++)
			if (s->regions[j].shared && s->regions[j].phys == r->phys &&
			    s->regions[j].size == r->size)
				return true;
	}
	return false;
}

static int add_running(struct hv_memmap *map, const struct hv_zone_set *set,
		       const struct hv_running *run, bool with_windows, struct hv_err *err)
{
	const struct hv_abi_zone *abi = &run->record.config;
	char what[HV_WHAT_TEXT];
	int ret = 0;

	for (uint32_t i = 0; i < abi->n_regions && !ret; i++) {
		const struct hv_abi_region *r = &abi->regions[i];
		bool window = r->type == HV_REGION_VIRTIO;
		enum hv_span_kind kind = window			    ? HV_SPAN_VIRTIO
					 : r->type == HV_REGION_RAM ? HV_SPAN_RAM
								    : HV_SPAN_IO;

		if (window && !with_windows)
			continue;
		if (!window && shared_here(set, r))
			kind = HV_SPAN_SHARED;
		snprintf(what, sizeof(what), "%s (running)", hv_region_type_name(r->type));
		ret = add(map, kind, r->phys, r->size, run->info.name, what, NULL, err);
	}
	return ret;
}

static int add_windows(struct hv_memmap *map, const struct hv_entry *e, uint32_t region,
		       struct hv_err *err)
{
	const struct hv_abi_region *r = &e->zone.abi.regions[region];
	const char *name = e->zone.spec->name;
	char what[HV_WHAT_TEXT];
	bool any = false;
	int ret = 0;

	for (size_t i = 0; i < e->zone.n_devices && !ret; i++) {
		const struct hv_device_slot *d = &e->zone.devices[i];

		if (!hv_inside(d->at, d->size, r->phys, r->size))
			continue;
		any = true;
		ret = add(map, HV_SPAN_VIRTIO, d->at, d->size, name, hv_device_what(d->spec, what),
			  &d->spec->origin, err);
	}
	if (!any && !ret)
		ret = add(map, HV_SPAN_VIRTIO, r->phys, r->size, name,
			  hv_region_what(&e->zone, region, what), hv_region_origin(e, region), err);
	return ret;
}

static int add_entry(struct hv_memmap *map, const struct hv_entry *e, bool with_windows,
		     struct hv_err *err)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	char what[HV_WHAT_TEXT];
	int ret = 0;

	if (!e->regions_ok)
		return 0;
	for (uint32_t i = 0; i < e->zone.abi.n_regions && !ret; i++) {
		const struct hv_abi_region *r = &e->zone.abi.regions[i];
		enum hv_span_kind kind = r->type == HV_REGION_RAM ? HV_SPAN_RAM : HV_SPAN_IO;

		if (r->type == HV_REGION_VIRTIO) {
			if (with_windows)
				ret = add_windows(map, e, i, err);
			continue;
		}
		if (i < e->n_given && spec->regions[i].shared)
			kind = HV_SPAN_SHARED;
		ret = add(map, kind, r->phys, r->size, spec->name,
			  hv_region_what(&e->zone, i, what), hv_region_origin(e, i), err);
	}
	return ret;
}

int hv_map_build(const struct hv_zone_set *set, const struct hv_machine *machine,
		 const struct hv_view *view, bool with_windows, struct hv_memmap **map,
		 struct hv_err *err)
{
	struct hv_memmap *m = hv_memmap_new();
	int ret;

	if (!m)
		return hv_err_nomem(err);
	ret = add_machine(m, machine, hv_set_board(set, machine), err);
	for (size_t i = 0; i < view->n && !ret; i++)
		if (view->zones[i].known && !view->zones[i].aside)
			ret = add_running(m, set, &view->zones[i], with_windows, err);
	for (size_t i = 0; i < set->n && !ret; i++)
		ret = add_entry(m, set->entries[i], with_windows, err);
	if (ret) {
		hv_memmap_free(m);
		return ret;
	}
	*map = m;
	return 0;
}

int hv_zone_set_memmap(const struct hv_zone_set *set, const struct hv_machine *machine,
		       struct hv_memmap **map, struct hv_err *err)
{
	struct hv_view view;
	int ret;

	ret = hv_view_read(set, machine, &view, err);
	if (!ret)
		ret = hv_map_build(set, machine, &view, true, map, err);
	hv_view_free(&view);
	return ret;
}
