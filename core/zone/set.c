// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hv_zone_set_new(struct hv_zone_set **set, struct hv_err *err)
{
	struct hv_zone_set *s = calloc(1, sizeof(*s));

	if (s)
		s->arena = hv_arena_new();
	if (!s || !s->arena) {
		free(s);
		return hv_err_nomem(err);
	}
	*set = s;
	return 0;
}

void hv_entry_reset(struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->written;

	for (size_t i = 0; i < e->zone.n_placements; i++)
		hv_image_close(e->zone.placements[i].image);
	hv_fdt_close(e->zone.tree);
	hv_fdt_passthrough_free(e->plan);
	hv_fdt_close(e->machine_tree);
	free(e->dtb_bytes);
	*e = (struct hv_entry){ .zone.spec = spec, .written = spec };
}

void hv_zone_set_free(struct hv_zone_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++) {
		hv_entry_reset(set->entries[i]);
		free(set->entries[i]);
	}
	free(set->entries);
	hv_arena_free(set->arena);
	free(set);
}

struct hv_arena *hv_zone_set_arena(struct hv_zone_set *set)
{
	return set->arena;
}

int hv_zone_set_add(struct hv_zone_set *set, const struct hv_zone_spec *spec, struct hv_err *err)
{
	struct hv_entry **entries, *e;
	size_t cap;

	if (!spec->name)
		return hv_err_set(err, EINVAL, "a zone without a name");
	if (set->n == set->cap) {
		cap = set->cap ? set->cap * 2 : 8;
		entries = reallocarray(set->entries, cap, sizeof(*entries));
		if (!entries)
			return hv_err_nomem(err);
		set->entries = entries;
		set->cap = cap;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return hv_err_nomem(err);
	e->zone.spec = e->written = spec;
	set->entries[set->n++] = e;
	set->checked = false;
	return 0;
}

size_t hv_zone_set_count(const struct hv_zone_set *set)
{
	return set->n;
}

const struct hv_zone *hv_zone_set_at(const struct hv_zone_set *set, size_t i)
{
	return i < set->n ? &set->entries[i]->zone : NULL;
}

struct hv_entry *hv_set_find(const struct hv_zone_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(set->entries[i]->zone.spec->name, name))
			return set->entries[i];
	return NULL;
}

const struct hv_zone *hv_zone_set_find(const struct hv_zone_set *set, const char *name)
{
	struct hv_entry *e = hv_set_find(set, name);

	return e ? &e->zone : NULL;
}

const struct hv_board *hv_set_board(const struct hv_zone_set *set, const struct hv_machine *m)
{
	if (m->board)
		return m->board;
	for (size_t i = 0; i < set->n; i++)
		if (set->entries[i]->zone.spec->board)
			return set->entries[i]->zone.spec->board;
	return NULL;
}

bool hv_zone_to_phys(const struct hv_abi_zone *abi, uint64_t ipa, uint64_t size, uint64_t *phys)
{
	for (uint32_t i = 0; i < abi->n_regions; i++) {
		const struct hv_abi_region *r = &abi->regions[i];

		if (r->type == HV_REGION_RAM && hv_inside(ipa, size, r->ipa, r->size)) {
			*phys = r->phys + (ipa - r->ipa);
			return true;
		}
	}
	return false;
}

bool hv_zone_to_ipa(const struct hv_abi_zone *abi, uint64_t phys, uint64_t *ipa)
{
	for (uint32_t i = 0; i < abi->n_regions; i++) {
		const struct hv_abi_region *r = &abi->regions[i];

		if (r->type == HV_REGION_RAM && hv_inside(phys, 1, r->phys, r->size)) {
			*ipa = r->ipa + (phys - r->phys);
			return true;
		}
	}
	return false;
}

int hv_zone_phys_fn(void *arg, uint64_t ipa, uint64_t size, uint64_t *phys, struct hv_err *err)
{
	const struct hv_zone *zone = arg;

	if (hv_zone_to_phys(&zone->abi, ipa, size, phys))
		return 0;
	return hv_err_set(err, EFAULT,
			  "0x%" PRIx64 "+0x%" PRIx64 " is not inside one RAM region of zone %s",
			  ipa, size, zone->spec->name);
}

const char *hv_region_what(const struct hv_zone *zone, uint32_t i, char out[HV_WHAT_TEXT])
{
	const struct hv_abi_region *r = &zone->abi.regions[i];
	const char *name = i < zone->spec->n_regions ? zone->spec->regions[i].name : NULL;
	unsigned int alike = 0;

	for (uint32_t k = 0; k < zone->abi.n_regions; k++)
		alike += zone->abi.regions[k].type == r->type;
	if (name || alike == 1)
		snprintf(out, HV_WHAT_TEXT, "%s", name ?: hv_region_type_name(r->type));
	else
		snprintf(out, HV_WHAT_TEXT, "%s at 0x%" PRIx64, hv_region_type_name(r->type),
			 r->ipa);
	return out;
}

const struct hv_origin *hv_region_origin(const struct hv_entry *e, uint32_t i)
{
	const struct hv_zone_spec *spec = e->zone.spec;

	if (i < e->n_given)
		return &spec->regions[i].origin;
	for (size_t d = 0; d < e->zone.n_devices; d++)
		if (e->zone.devices[d].at == e->zone.abi.regions[i].ipa)
			return &e->zone.devices[d].spec->origin;
	return &spec->origin;
}

const char *hv_device_what(const struct hv_spec_device *dev, char out[HV_WHAT_TEXT])
{
	snprintf(out, HV_WHAT_TEXT, "%s %s", dev->type, dev->name);
	return out;
}

const char *hv_list_text(const uint32_t *numbers, size_t n, char out[HV_LIST_TEXT])
{
	const size_t max = 8;
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && i < max; i++) {
		const char *sep = !i ? "" : i + 1 == n ? " and " : ", ";

		len += (size_t)snprintf(out + len, HV_LIST_TEXT - len, "%s%" PRIu32, sep,
					numbers[i]);
	}
	if (n > max)
		snprintf(out + len, HV_LIST_TEXT - len, " and %zu more", n - max);
	return out;
}

const char *hv_cpus_text(uint64_t cpus, char out[HV_LIST_TEXT])
{
	uint32_t list[64];
	size_t n = 0;

	for (uint32_t i = 0; i < 64; i++)
		if (cpus >> i & 1)
			list[n++] = i;
	return hv_list_text(list, n, out);
}
