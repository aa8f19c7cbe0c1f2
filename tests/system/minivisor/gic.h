/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_GIC_H
#define MV_GIC_H

#include <stdbool.h>
#include <stdint.h>

struct zone;

/*
 * The GICv3. Interrupts go straight to the guests; of what they share, the distributor, each zone
 * may write only the part of the shared interrupts (SPIs) it owns.
 */
void gic_init(void);

/* A guest's access; size in bytes. Writes to what is not the zone's own do nothing. */
uint64_t gic_read(uint32_t offset, unsigned int size);
void gic_write(struct zone *zone, uint32_t offset, unsigned int size, uint64_t value);

void gic_give_all(struct zone *root);

/* Takes interrupts (a bitmap) from zone0 for a zone, and back as after reset. */
void gic_give(struct zone *zone, const uint32_t irqs[]);
void gic_take_back(struct zone *zone);

/* Makes an SPI pending; false where the zone does not own it. Any CPU. */
bool gic_inject(const struct zone *zone, uint32_t irq);

/* Makes a CPU leave WFI, whatever it masks: the kick has the highest priority. */
void gic_kick(unsigned int cpu);

#endif
