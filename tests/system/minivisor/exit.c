// SPDX-License-Identifier: GPL-2.0-or-later
#include "exit.h"

#include "arch.h"
#include "board.h"
#include "bridge.h"
#include "calls.h"
#include "cpu.h"
#include "gic.h"
#include "ivc.h"
#include "text.h"
#include "zone.h"

enum {
	CLASS_WFI = 0x01,
	CLASS_HVC = 0x16,
	CLASS_SMC = 0x17,
	CLASS_DATA_ABORT = 0x24,
};

/* A guest's access to memory that is not mapped, taken apart. */
struct access {
	uint64_t ipa;
	unsigned int size;
	unsigned int reg; /* 31 = zero register */
	bool is_write, sign_extends, is_64;
	uint64_t value;
};

static void crash(struct zone *zone, const struct regs *regs, const char *why)
	__attribute__((noreturn));
static void crash(struct zone *zone, const struct regs *regs, const char *why)
{
	shout("zone %u CPU %u: %s: esr %lx elr %lx far %lx hpfar %lx lr %lx", zone->id, cpu_self(),
	      why, read_sysreg(esr_el2), read_sysreg(elr_el2), read_sysreg(far_el2),
	      read_sysreg(hpfar_el2), regs->x[30]);
	if (zone_is_root(zone))
		cpu_power_off();
	zone_end_own(true);
}

void bad_exception(struct regs *regs, uint64_t vector)
{
	shout("minivisor itself: vector %lu on CPU %u: esr %lx elr %lx far %lx spsr %lx lr %lx",
	      vector, cpu_self(), read_sysreg(esr_el2), read_sysreg(elr_el2), read_sysreg(far_el2),
	      read_sysreg(spsr_el2), regs->x[30]);
	cpu_power_off();
}

/* ---- the control window: private hypercalls for zone0's user space */

enum {
	CONTROL_CODE = 0,
	CONTROL_ARG0 = 8,
	CONTROL_ARG1 = 16,
	CONTROL_RESULT = 24,
	CONTROL_SIZE = 4096,
};

static bool control_access(struct zone *zone, struct access *access)
{
	static uint64_t registers[4];
	uint64_t offset = access->ipa - CONTROL_BASE;

	if (!zone_is_root(zone) || offset >= CONTROL_SIZE)
		return false;
	if (offset > CONTROL_RESULT || offset % 8)
		return true;
	if (!access->is_write) {
		access->value = registers[offset / 8];
		return true;
	}
	registers[offset / 8] = access->value;
	if (offset == CONTROL_CODE)
		registers[CONTROL_RESULT / 8] =
			(uint64_t)hypercall(zone, access->value, registers[CONTROL_ARG0 / 8],
					    registers[CONTROL_ARG1 / 8]);
	return true;
}

/* ---- data aborts */

static bool decode(const struct regs *regs, uint64_t esr, struct access *out)
{
	if (!(esr >> 24 & 1))
		return false;
	out->ipa = (read_sysreg(hpfar_el2) >> 4) << 12 | (read_sysreg(far_el2) & 0xfff);
	out->size = 1U << (esr >> 22 & 3);
	out->reg = esr >> 16 & 31;
	out->is_write = esr >> 6 & 1;
	out->sign_extends = esr >> 21 & 1;
	out->is_64 = esr >> 15 & 1;
	out->value = 0;
	if (out->is_write && out->reg < 31)
		out->value = regs->x[out->reg];
	if (out->size < 8)
		out->value &= (1UL << out->size * 8) - 1;
	return true;
}

static void finish_read(struct regs *regs, const struct access *access)
{
	uint64_t value = access->value;

	if (access->reg == 31)
		return;
	if (access->size < 8)
		value &= (1UL << access->size * 8) - 1;
	if (access->sign_extends) {
		uint64_t sign = 1UL << (access->size * 8 - 1);

		value = (value ^ sign) - sign;
		if (!access->is_64)
			value = (uint32_t)value;
	}
	regs->x[access->reg] = value;
}

static bool is_virtio(const struct zone *zone, uint64_t ipa)
{
	for (uint32_t i = 0; i < zone->n_windows; i++)
		if (ipa - zone->windows[i].base < zone->windows[i].size)
			return true;
	return false;
}

static bool emulate(struct zone *zone, struct access *access)
{
	uint64_t offset = access->ipa - zone->gicd_base;

	if (offset < GICD_SIZE) {
		if (access->is_write)
			gic_write(zone, (uint32_t)offset, access->size, access->value);
		else
			access->value = gic_read((uint32_t)offset, access->size);
		return true;
	}
	if (control_access(zone, access) ||
	    ivc_access(zone, access->ipa, access->is_write, &access->value))
		return true;
	if (!is_virtio(zone, access->ipa))
		return false;
	if (!bridge_access(zone, access->ipa, access->size, access->is_write, &access->value))
		cpu_leave();
	return true;
}

static void data_abort(struct zone *zone, struct regs *regs, uint64_t esr)
{
	struct access access;

	if (!decode(regs, esr, &access))
		crash(zone, regs, "an access that cannot be emulated");
	if (!emulate(zone, &access))
		crash(zone, regs, "an access to nothing");
	if (!access.is_write)
		finish_read(regs, &access);
	write_sysreg(elr_el2, read_sysreg(elr_el2) + 4);
}

/* PSCI and hypercalls come by HVC and SMC alike; function numbers of PSCI have bit 31 set. */
static void call(struct zone *zone, struct regs *regs)
{
	if (regs->x[0] >> 31 & 1)
		regs->x[0] = (uint64_t)guest_psci(zone, regs->x);
	else
		regs->x[0] = (uint64_t)hypercall(zone, regs->x[0], regs->x[1], regs->x[2]);
}

void guest_exit(struct regs *regs)
{
	uint64_t esr = read_sysreg(esr_el2);
	struct zone *zone = cpu_zone();

	count(COUNT_EXITS);
	zone_doom();
	while (zone->is_hung && cpu_is_wanted())
		relax();
	if (!cpu_is_wanted())
		cpu_leave();
	switch (esr >> 26) {
	case CLASS_WFI:
		cpu_wfi();
		return;
	case CLASS_HVC:
		call(zone, regs);
		return;
	case CLASS_SMC:
		/* Trapped, so ELR still points at it. */
		call(zone, regs);
		write_sysreg(elr_el2, read_sysreg(elr_el2) + 4);
		return;
	case CLASS_DATA_ABORT:
		data_abort(zone, regs, esr);
		return;
	default:
		crash(zone, regs, "an exit nobody expects");
	}
}
