// SPDX-License-Identifier: GPL-2.0-or-later
#include "gic.h"

#include "arch.h"
#include "board.h"
#include "cpu.h"
#include "text.h"
#include "zone.h"

#define CTLR 0x0000
#define CTLR_ARE 0x10
#define CTLR_GROUPS 0x3
#define TYPER 0x0004
#define IGROUPR 0x0080
#define ISENABLER 0x0100
#define ICENABLER 0x0180
#define ISPENDR 0x0200
#define ICPENDR 0x0280
#define ISACTIVER 0x0300
#define ICACTIVER 0x0380
#define IPRIORITYR 0x0400
#define ICFGR 0x0c00
#define IROUTER 0x6000
#define IROUTER_END 0x8000
#define IROUTER_ANY (1UL << 31)
#define IROUTER_OTHERS 0xffffff00UL /* Aff1 to Aff3: no such CPU here */

#define FIRST_SPI 32
#define END_SPI 1020
#define PRIORITY 0xa0
#define KICK_SGI 0

static struct lock lock;

/* The redistributor's frame for a CPU's own interrupts. */
static uint64_t sgi_frame(unsigned int cpu)
{
	return GICR_BASE + cpu * GICR_SIZE + 0x10000;
}

static bool owns(const struct zone *zone, uint32_t irq)
{
	return irq >= FIRST_SPI && irq < END_SPI && zone->irqs[irq / 32] >> irq % 32 & 1;
}

/*
 * Without firmware the distributor knows one security state, and each interrupt starts in group 0:
 * it would come as FIQ. hvisor relies on firmware for that.
 */
void gic_init(void)
{
	uint32_t n = (read32(GICD_BASE + TYPER) & 31) + 1;

	write32(GICD_BASE + CTLR, CTLR_ARE);
	write32(GICD_BASE + CTLR, CTLR_ARE | CTLR_GROUPS);
	for (uint32_t i = 1; i < n; i++) {
		write32(GICD_BASE + ICENABLER + 4 * i, ~0U);
		write32(GICD_BASE + IGROUPR + 4 * i, ~0U);
	}
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
		write32(sgi_frame(cpu) + IGROUPR, ~0U);
}

uint64_t gic_read(uint32_t offset, unsigned int size)
{
	uint64_t at = GICD_BASE + offset;

	switch (size) {
	case 1:
		return read8(at);
	case 2:
		return read16(at);
	case 4:
		return read32(at);
	default:
		return read64(at);
	}
}

/* A group of registers with some bits for each interrupt, that guests may write. */
struct field {
	uint32_t from, end;
	unsigned int bits;
	bool zeroes_do_nothing;
};

static const struct field *find_field(uint32_t offset)
{
	static const struct field fields[] = {
		{ IGROUPR, ISENABLER, 1, false },   { ISENABLER, ICENABLER, 1, true },
		{ ICENABLER, ISPENDR, 1, true },    { ISPENDR, ICPENDR, 1, true },
		{ ICPENDR, ISACTIVER, 1, true },    { ISACTIVER, ICACTIVER, 1, true },
		{ ICACTIVER, IPRIORITYR, 1, true }, { IPRIORITYR, IPRIORITYR + 0x400, 8, false },
		{ ICFGR, ICFGR + 0x100, 2, false },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (offset >= fields[i].from && offset < fields[i].end)
			return &fields[i];
	return NULL;
}

/* Only to CPUs of the zone. "Any" would mean the other zones' as well. */
static void write_route(const struct zone *zone, uint32_t offset, uint64_t value)
{
	uint32_t irq = (offset - IROUTER) / 8;
	uint64_t cpu = value & 0xff;

	if (offset % 8 || !owns(zone, irq))
		return;
	if (value & (IROUTER_ANY | IROUTER_OTHERS) || cpu >= cpu_count() ||
	    !(zone->cpus >> cpu & 1))
		cpu = (uint64_t)__builtin_ctzl(zone->cpus);
	write64(GICD_BASE + IROUTER + 8 * irq, cpu);
}

static void write_bits(const struct zone *zone, const struct field *field, uint32_t offset,
		       unsigned int size, uint64_t value)
{
	uint32_t first = (offset - field->from) * 8 / field->bits;
	uint32_t mask = 0;

	for (uint32_t i = 0; i < size * 8 / field->bits; i++)
		if (owns(zone, first + i))
			mask |= ((1U << field->bits) - 1) << i * field->bits;
	if (!mask)
		return;
	value &= mask;
	if (!field->zeroes_do_nothing)
		value |= gic_read(offset, size) & ~mask;
	if (size == 1)
		write8(GICD_BASE + offset, (uint8_t)value);
	else
		write32(GICD_BASE + offset, (uint32_t)value);
}

/* GICD_CTLR is among what nobody may write: it is set once, for all. */
void gic_write(struct zone *zone, uint32_t offset, unsigned int size, uint64_t value)
{
	const struct field *field = find_field(offset);

	lock_take(&lock);
	if (offset >= IROUTER && offset < IROUTER_END)
		write_route(zone, offset, value);
	else if (field && (size == 1 || size == 4))
		write_bits(zone, field, offset, size, value);
	lock_release(&lock);
}

static void reset_spi(uint32_t irq, unsigned int cpu)
{
	uint64_t word = GICD_BASE + irq / 32 * 4;
	uint32_t bit = 1U << irq % 32;

	write32(word + ICENABLER, bit);
	write32(word + ICPENDR, bit);
	write32(word + ICACTIVER, bit);
	write32(word + IGROUPR, read32(word + IGROUPR) | bit);
	write8(GICD_BASE + IPRIORITYR + irq, PRIORITY);
	write64(GICD_BASE + IROUTER + 8UL * irq, cpu);
}

void gic_give_all(struct zone *root)
{
	for (unsigned int i = 0; i < CONFIG_IRQS / 32; i++)
		root->irqs[i] = ~0U;
}

void gic_give(struct zone *zone, const uint32_t irqs[])
{
	struct zone *root = zone_at(0);

	lock_take(&lock);
	memcpy(zone->irqs, irqs, sizeof(zone->irqs));
	for (uint32_t irq = FIRST_SPI; irq < END_SPI; irq++) {
		if (!owns(zone, irq))
			continue;
		root->irqs[irq / 32] &= ~(1U << irq % 32);
		reset_spi(irq, (unsigned int)__builtin_ctzl(zone->cpus));
	}
	lock_release(&lock);
}

static void reset_own(unsigned int cpu)
{
	uint64_t frame = sgi_frame(cpu);

	write32(frame + ICENABLER, ~0U);
	write32(frame + ICPENDR, ~0U);
	write32(frame + ICACTIVER, ~0U);
	write32(frame + IGROUPR, ~0U);
	for (uint32_t irq = 0; irq < FIRST_SPI; irq += 4)
		write32(frame + IPRIORITYR + irq, PRIORITY * 0x01010101U);
	write32(frame + ICFGR + 4, 0);
}

void gic_take_back(struct zone *zone)
{
	struct zone *root = zone_at(0);

	lock_take(&lock);
	for (uint32_t irq = FIRST_SPI; irq < END_SPI; irq++) {
		if (!owns(zone, irq))
			continue;
		reset_spi(irq, 0);
		zone->irqs[irq / 32] &= ~(1U << irq % 32);
		root->irqs[irq / 32] |= 1U << irq % 32;
	}
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
		if (zone->cpus >> cpu & 1)
			reset_own(cpu);
	lock_release(&lock);
}

/* Works for level interrupts as well: the latch goes when the guest acknowledges. */
bool gic_inject(const struct zone *zone, uint32_t irq)
{
	bool is_own;

	lock_take(&lock);
	is_own = zone_runs(zone) && owns(zone, irq);
	if (is_own)
		write32(GICD_BASE + ISPENDR + irq / 32 * 4, 1U << irq % 32);
	lock_release(&lock);
	return is_own;
}

/* A guest that powers off waits on its other CPUs inside a handler at priority 0xa0. */
void gic_kick(unsigned int cpu)
{
	uint64_t frame = sgi_frame(cpu);

	write32(frame + IGROUPR, read32(frame + IGROUPR) | 1U << KICK_SGI);
	write8(frame + IPRIORITYR + KICK_SGI, 0);
	write32(frame + ISENABLER, 1U << KICK_SGI);
	write32(frame + ISPENDR, 1U << KICK_SGI);
}
