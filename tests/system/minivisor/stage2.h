/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_STAGE2_H
#define MV_STAGE2_H

#include <stdbool.h>
#include <stdint.h>

struct zone;

/* A zone's second translation: from its guest physical addresses (IPA, 39 bits) to physical ones.
 */

/* 39-bit IPA from level 1, 4 KiB pages, 40-bit PA, walks as EL2's own. */
#define STAGE2_VTCR (1UL << 31 | 2UL << 16 | 3UL << 12 | 1UL << 10 | 1UL << 8 | 1UL << 6 | 25)

enum stage2_kind {
	STAGE2_RAM,
	STAGE2_RAM_RO,
	STAGE2_DEVICE,
	STAGE2_DEVICE_RO,
};

/* An empty map, whatever was there before. */
void stage2_reset(struct zone *zone);

/*
 * 0, -EINVAL where something is not in whole pages, beyond 39 bits or over something mapped
 * already, -ENOMEM when the zone's tables are used up. What was mapped before the failure stays.
 */
int stage2_map(struct zone *zone, uint64_t ipa, uint64_t phys, uint64_t size,
	       enum stage2_kind kind);

/* Empties the map under running CPUs: from here on each access of theirs exits to EL2. */
void stage2_cut(struct zone *zone);

/* The zone's RAM at ipa, where all of it is there, in one piece and writable; NULL otherwise. */
void *stage2_ram(struct zone *zone, uint64_t ipa, uint64_t size);

uint64_t stage2_vttbr(const struct zone *zone);

#endif
