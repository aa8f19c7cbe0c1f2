// SPDX-License-Identifier: GPL-2.0-or-later
#include "payload.h"

#define ISENABLER 0x100

/* start.S */
void payload_main(uint64_t argument);
void payload_second(void);
void payload_trap(uint64_t esr, uint64_t elr, uint64_t far);

static struct mailbox *const mailbox = (struct mailbox *)(GUEST_IPA + MAILBOX_AT);

static uint64_t read_sized(uint64_t at, uint64_t size)
{
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

static void write_sized(uint64_t at, uint64_t size, uint64_t value)
{
	switch (size) {
	case 1:
		write8(at, (uint8_t)value);
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		write32(at, (uint32_t)value);
		break;
	default:
		write64(at, value);
	}
}

/* Interrupts stay masked: what would come is asked for instead. */
static void enable(uint64_t irq)
{
	write32(GICD_BASE + ISENABLER + irq / 32 * 4, 1U << irq % 32);
	__asm__ volatile("msr S3_0_C12_C12_5, %0" : : "r"(7UL)); /* ICC_SRE_EL1 */
	isb();
	write_sysreg_named(ICC_PMR_EL1, 0xff);
	write_sysreg_named(ICC_IGRPEN1_EL1, 1);
	isb();
}

static uint64_t take(void)
{
	uint64_t irq;

	isb();
	__asm__ volatile("mrs %0, S3_0_C12_C12_0" : "=r"(irq)); /* ICC_IAR1_EL1 */
	dsb();
	if (irq < 1020)
		__asm__ volatile("msr S3_0_C12_C12_1, %0\n isb" : : "r"(irq)); /* ICC_EOIR1_EL1 */
	return irq;
}

static uint64_t obey(uint64_t command, uint64_t argument)
{
	const volatile uint64_t *args = mailbox->args;

	switch (command) {
	case CMD_READ:
		return read_sized(args[0], args[1]);
	case CMD_WRITE:
		write_sized(args[0], args[1], args[2]);
		return 0;
	case CMD_HVC:
		return conduit_hvc(args[0], args[1], args[2], args[3]);
	case CMD_SMC:
		return conduit_smc(args[0], args[1], args[2], args[3]);
	case CMD_IRQ_ON:
		enable(args[0]);
		return 0;
	case CMD_IRQ_TAKE:
		return take();
	case CMD_ARGUMENT:
		return argument;
	case CMD_WFI:
		for (;;)
			__asm__ volatile("wfi");
	default:
		return ~0UL;
	}
}

void payload_main(uint64_t argument)
{
	uint64_t done = mailbox->done;

	mailbox->alive = 1;
	for (;;) {
		while (mailbox->posted == done)
			relax();
		mailbox->result = obey(mailbox->command, argument);
		barrier();
		mailbox->done = ++done;
	}
}

void payload_second(void)
{
	mailbox->second = 1;
	for (;;)
		__asm__ volatile("wfi");
}

void payload_trap(uint64_t esr, uint64_t elr, uint64_t far)
{
	(void)esr;
	(void)elr;
	(void)far;
	/* A stray access from here makes zone0 see it as a crash. */
	for (;;)
		write32(0x7ffff000UL, 0);
}
