// SPDX-License-Identifier: GPL-2.0-or-later
#include "stage2.h"

#include <errno.h>

#include "arch.h"
#include "board.h"
#include "text.h"
#include "zone.h"

#define ENTRIES 512
#define PAGE 4096UL
#define BLOCK_1G (1UL << 30)
#define IPA_BITS 39

#define VALID 1UL
#define TABLE 2UL /* at level 3: page */
#define ADDRESS 0xfffffffff000UL
#define ACCESSED (1UL << 10)
#define NEVER_EXECUTE (1UL << 54)
#define INNER_SHAREABLE (3UL << 8)

/* Stage 1 of EL2 */
#define EL2_DEVICE (VALID | ACCESSED | NEVER_EXECUTE)
#define EL2_RAM (VALID | 1UL << 2 | INNER_SHAREABLE | ACCESSED)

/* Stage 2 */
#define S2_DEVICE (VALID | 1UL << 2 | ACCESSED | NEVER_EXECUTE)
#define S2_RAM (VALID | 0xfUL << 2 | INNER_SHAREABLE | ACCESSED)
#define S2_READ (1UL << 6)
#define S2_WRITE (1UL << 7)

/* EL2's own map, one to one. */
uint64_t el2_table[ENTRIES] __attribute__((aligned(4096))) = {
	[0] = 0 | EL2_DEVICE,
	[1] = BLOCK_1G | EL2_RAM,
	[2] = 2 * BLOCK_1G | EL2_RAM,
};

/* Enough for 1 GiB in pages: a region whose two addresses differ in their lower bits needs that. */
#define TABLES 520
static uint64_t tables[MAX_ZONES][TABLES][ENTRIES]
	__attribute__((aligned(4096), section(".pool,\"aw\",@nobits//")));
static uint32_t n_tables[MAX_ZONES];

static uint64_t *root(const struct zone *zone)
{
	return tables[zone_slot(zone)][0];
}

uint64_t stage2_vttbr(const struct zone *zone)
{
	return (uint64_t)root(zone) | (uint64_t)(zone_slot(zone) + 1) << 48;
}

void stage2_reset(struct zone *zone)
{
	memset(root(zone), 0, PAGE);
	n_tables[zone_slot(zone)] = 1;
	dsb();
}

void stage2_cut(struct zone *zone)
{
	stage2_reset(zone);
	__asm__ volatile("tlbi alle1is\n dsb ish\n isb" : : : "memory");
}

static uint64_t *table_below(struct zone *zone, uint64_t *entry, int *rc)
{
	uint32_t *n = &n_tables[zone_slot(zone)];
	uint64_t *table;

	if (*entry & VALID) {
		*rc = -EINVAL;
		return *entry & TABLE ? (uint64_t *)(*entry & ADDRESS) : NULL;
	}
	*rc = -ENOMEM;
	if (*n == TABLES)
		return NULL;
	table = tables[zone_slot(zone)][(*n)++];
	memset(table, 0, PAGE);
	*entry = (uint64_t)table | TABLE | VALID;
	return table;
}

/* The entry for an address and how much it maps: the largest block that fits. */
static uint64_t *find_entry(struct zone *zone, uint64_t ipa, uint64_t phys, uint64_t size,
			    uint64_t *step, int *rc)
{
	uint64_t *table = root(zone);
	unsigned int shift = 30;

	for (;; shift -= 9) {
		uint64_t *entry = &table[(ipa >> shift) % ENTRIES];

		*step = 1UL << shift;
		if (shift == 12 || (!((ipa | phys) & (*step - 1)) && size >= *step && !*entry))
			return entry;
		table = table_below(zone, entry, rc);
		if (!table)
			return NULL;
	}
}

int stage2_map(struct zone *zone, uint64_t ipa, uint64_t phys, uint64_t size, enum stage2_kind kind)
{
	static const uint64_t attributes[] = {
		[STAGE2_RAM] = S2_RAM | S2_READ | S2_WRITE,
		[STAGE2_RAM_RO] = S2_RAM | S2_READ,
		[STAGE2_DEVICE] = S2_DEVICE | S2_READ | S2_WRITE,
		[STAGE2_DEVICE_RO] = S2_DEVICE | S2_READ,
	};
	uint64_t limit = 1UL << IPA_BITS;

	if ((ipa | phys | size) % PAGE || ipa >= limit || phys >= limit || size > limit - ipa ||
	    size > limit - phys)
		return -EINVAL;
	while (size) {
		int rc = 0;
		uint64_t step;
		uint64_t *entry = find_entry(zone, ipa, phys, size, &step, &rc);

		if (!entry)
			return rc;
		if (*entry)
			return -EINVAL;
		*entry = phys | attributes[kind] | (step == PAGE ? TABLE : 0);
		ipa += step;
		phys += step;
		size -= step;
	}
	dsb();
	return 0;
}

static bool page_of(const struct zone *zone, uint64_t ipa, uint64_t *phys)
{
	const uint64_t *table = root(zone);

	if (ipa >> IPA_BITS)
		return false;
	for (unsigned int shift = 30;; shift -= 9) {
		uint64_t entry = table[(ipa >> shift) % ENTRIES];

		if (!(entry & VALID))
			return false;
		if (shift > 12 && entry & TABLE) {
			table = (const uint64_t *)(entry & ADDRESS);
			continue;
		}
		*phys = (entry & ADDRESS) + (ipa & ((1UL << shift) - 1));
		return (entry & (0xfUL << 2)) == (0xfUL << 2) && entry & S2_WRITE;
	}
}

void *stage2_ram(struct zone *zone, uint64_t ipa, uint64_t size)
{
	uint64_t first, at, phys;

	if (!size || ipa + size < ipa || !page_of(zone, ipa, &first))
		return NULL;
	for (at = (ipa | (PAGE - 1)) + 1; at < ipa + size; at += PAGE)
		if (!page_of(zone, at, &phys) || phys != first + (at - ipa))
			return NULL;
	if (first < RAM_BASE || size > RAM_END - first)
		return NULL;
	return (void *)first;
}
