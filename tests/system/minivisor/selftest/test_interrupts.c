// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#define CTLR 0x0
#define ISENABLER 0x100
#define ICENABLER 0x180
#define IPRIORITYR 0x400
#define IROUTER 0x6000
#define UART_IRQ 33

static bool is_enabled(uint32_t irq)
{
	return read32(GICD_BASE + ISENABLER + irq / 32 * 4) >> irq % 32 & 1;
}

static void enable(uint32_t irq)
{
	write32(GICD_BASE + ISENABLER + irq / 32 * 4, 1U << irq % 32);
}

static void guest_write(uint64_t offset, uint64_t size, uint64_t value)
{
	order(0, CMD_WRITE, GICD_BASE + offset, size, value, 0);
}

/* Each zone changes its own interrupts and no others, although all write the same registers. */
void test_interrupts(void)
{
	uint32_t control = read32(GICD_BASE + CTLR);

	tap_prefix("ownership");
	start_plain(0, GUEST_CPUS);
	enable(UART_IRQ);
	tap(is_enabled(UART_IRQ), "zone0 enables its UART");
	guest_write(ICENABLER + 4, 4, ~0U);
	tap(is_enabled(UART_IRQ), "a zone cannot disable it");
	guest_write(ISENABLER + 4, 4, ~0U);
	tap(!is_enabled(34), "or enable a neighbour");
	guest_write(IPRIORITYR + UART_IRQ, 1, 0x10);
	tap(read8(GICD_BASE + IPRIORITYR + UART_IRQ) != 0x10, "or change a priority");
	guest_write(CTLR, 4, 0);
	tap_is(read32(GICD_BASE + CTLR), control, "or switch the distributor off");
	guest_write(ISENABLER + 8, 4, ~0U);
	tap(is_enabled(GUEST_IRQ) && is_enabled(GUEST_IVC_IRQ) && !is_enabled(77),
	    "its own it can enable");
	guest_write(IPRIORITYR + GUEST_IRQ, 1, 0x80);
	tap_is(read8(GICD_BASE + IPRIORITYR + GUEST_IRQ), 0x80, "and give a priority");
	guest_write(IROUTER + 8 * GUEST_IRQ, 8, 3);
	tap_is((int64_t)read64(GICD_BASE + IROUTER + 8 * GUEST_IRQ), 3,
	       "and send to its other CPU");
	guest_write(IROUTER + 8 * GUEST_IRQ, 8, 0);
	tap_is((int64_t)read64(GICD_BASE + IROUTER + 8 * GUEST_IRQ), 2, "but not to zone0's");
	write32(GICD_BASE + ICENABLER + 8, 1U << GUEST_IRQ % 32);
	tap(is_enabled(GUEST_IRQ), "zone0 cannot disable the zone's");
	push_result(1, GUEST_IRQ);
	hvc(CALL_FINISH, 0, 0);
	tap(is_pending(GUEST_IRQ), "one is left pending");
	stop(0);
	tap(!is_pending(GUEST_IRQ) && !is_enabled(GUEST_IRQ), "and gone with the zone");
	enable(GUEST_IRQ);
	tap(is_enabled(GUEST_IRQ), "it is zone0's again");
	start_plain(0, GUEST_CPUS);
	tap(!is_enabled(GUEST_IRQ), "and the next life finds it off");
	stop(0);
}
