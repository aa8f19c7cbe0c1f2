// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpu.h"

#include "board.h"
#include "fault.h"
#include "stage2.h"
#include "zone.h"

#define GICR_TYPER 0x8
#define GICR_TYPER_LAST 0x10
#define AFFINITY_OFF 1

#define HCR_VM 1UL
#define HCR_TWI (1UL << 13) /* until the first one that a kick can end: see cpu_wfi */
#define HCR_TSC (1UL << 19) /* SMC comes here; interrupts do not: they are the guest's */
#define HCR_RW (1UL << 31)
#define CPTR_NO_TRAPS 0x33ffUL
#define CNTHCTL_NO_TRAPS 3UL
#define SCTLR_EL1_RESET 0x30d00800UL
#define SPSR_EL1H_MASKED 0x3c5UL

struct cpu {
	struct zone *zone;
	uint32_t life; /* the zone's, when the CPU was started for it */
	uint64_t entry, arg;
};

uint8_t cpu_stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(16)));
static struct cpu cpus[MAX_CPUS];
static unsigned int n_cpus;

/* start.S */
void guest_enter(uint64_t x0) __attribute__((noreturn));
void secondary_entry(void);
void secondary_main(void) __attribute__((noreturn));

void cpu_init(void)
{
	uint64_t frame;

	do
		frame = GICR_BASE + n_cpus * GICR_SIZE;
	while (++n_cpus < MAX_CPUS && !(read32(frame + GICR_TYPER) & GICR_TYPER_LAST));
}

unsigned int cpu_count(void)
{
	return n_cpus;
}

int64_t firmware_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a;
	register uint64_t x2 __asm__("x2") = b;
	register uint64_t x3 __asm__("x3") = c;

	__asm__ volatile("smc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			   "x15", "x16", "x17", "memory");
	return (int64_t)x0;
}

struct zone *cpu_zone(void)
{
	return cpus[cpu_self()].zone;
}

bool cpu_is_wanted(void)
{
	const struct cpu *cpu = &cpus[cpu_self()];

	return zone_runs(cpu->zone) && cpu->zone->life == cpu->life;
}

bool cpu_is_off(unsigned int cpu)
{
	return firmware_call(PSCI_AFFINITY_INFO, cpu, 0, 0) == AFFINITY_OFF;
}

int64_t cpu_on(struct zone *zone, unsigned int cpu, uint64_t entry, uint64_t arg)
{
	cpus[cpu] = (struct cpu){ zone, zone->life, entry, arg };
	dsb();
	return firmware_call(PSCI_CPU_ON, cpu, (uint64_t)secondary_entry, 0);
}

void cpu_park(void)
{
	for (;;)
		firmware_call(PSCI_CPU_OFF, 0, 0, 0);
}

void cpu_leave(void)
{
	uint32_t ms = fault_value(FAULT_NOSTOP);
	uint64_t until = deadline(ms);

	while (ms && (ms == FAULT_FOREVER || !is_past(until))) {
		relax();
		if (!fault_value(FAULT_NOSTOP))
			break;
	}
	cpu_park();
}

void cpu_wfi(void)
{
	bool is_open = read_sysreg_named(ICC_IGRPEN1_EL1) & 1 && read_sysreg_named(ICC_PMR_EL1);

	while (!is_open && cpu_is_wanted())
		relax();
	if (!is_open)
		cpu_leave();
	write_sysreg(hcr_el2, read_sysreg(hcr_el2) & ~HCR_TWI);
	isb();
}

void cpu_power_off(void)
{
	for (;;)
		firmware_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

/*
 * The guest finds a CPU as after reset. On real hardware its first instructions come from memory,
 * past the caches: whoever loaded them has cleaned them.
 */
static void enter(struct zone *zone, uint64_t entry, uint64_t arg) __attribute__((noreturn));
static void enter(struct zone *zone, uint64_t entry, uint64_t arg)
{
	write_sysreg(hcr_el2, HCR_RW | HCR_TSC | HCR_TWI | HCR_VM);
	write_sysreg(vtcr_el2, STAGE2_VTCR);
	write_sysreg(vttbr_el2, stage2_vttbr(zone));
	write_sysreg(cptr_el2, CPTR_NO_TRAPS);
	write_sysreg(hstr_el2, 0);
	write_sysreg(mdcr_el2, (read_sysreg(pmcr_el0) >> 11) & 31);
	write_sysreg(cnthctl_el2, CNTHCTL_NO_TRAPS);
	write_sysreg(cntvoff_el2, 0);
	write_sysreg(vpidr_el2, read_sysreg(midr_el1));
	write_sysreg(vmpidr_el2, read_sysreg(mpidr_el1));
	write_sysreg_named(ICC_SRE_EL2, 0xf);
	isb();
	write_sysreg_named(ICH_HCR_EL2, 0);
	write_sysreg_named(ICC_IGRPEN1_EL1, 0);
	write_sysreg_named(ICC_PMR_EL1, 0);
	write_sysreg_named(ICC_AP1R0_EL1, 0);
	write_sysreg(cntv_ctl_el0, 0);
	write_sysreg(cntp_ctl_el0, 0);
	write_sysreg(sctlr_el1, SCTLR_EL1_RESET);
	write_sysreg(spsr_el2, SPSR_EL1H_MASKED);
	write_sysreg(elr_el2, entry);
	__asm__ volatile("tlbi alle1\n ic iallu\n dsb sy\n isb" : : : "memory");
	guest_enter(arg);
}

void cpu_enter_first(struct zone *zone, uint64_t entry, uint64_t arg)
{
	cpus[cpu_self()] = (struct cpu){ zone, zone->life, entry, arg };
	enter(zone, entry, arg);
}

void secondary_main(void)
{
	const struct cpu *cpu = &cpus[cpu_self()];

	if (!cpu_is_wanted())
		cpu_leave();
	enter(cpu->zone, cpu->entry, cpu->arg);
}
