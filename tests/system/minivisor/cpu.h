/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_CPU_H
#define MV_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "arch.h"

struct zone;

/*
 * Physical CPUs. One that runs no guest is really off: WFE is no rest under QEMU, and a CPU that
 * comes back from PSCI CPU_ON comes back reset, with nothing to clean.
 */

/* A guest's general registers as start.S saves them. */
struct regs {
	uint64_t x[31];
	uint64_t pad;
};

static inline unsigned int cpu_self(void)
{
	return read_sysreg(mpidr_el1) & 0xff;
}

/* Counts the machine's CPUs; at boot, once. */
void cpu_init(void);
unsigned int cpu_count(void);

/* The zone this CPU was last started for. It may have ended: see cpu_is_wanted. */
struct zone *cpu_zone(void);

/* Whether the zone still runs for which the CPU that asks was started. */
bool cpu_is_wanted(void);

bool cpu_is_off(unsigned int cpu);

/* Starts a CPU that is off for `zone`, to enter its guest with x0 = arg. Returns what PSCI does. */
int64_t cpu_on(struct zone *zone, unsigned int cpu, uint64_t entry, uint64_t arg);

/* Enters the guest for the first time, on CPU 0 for zone0. */
void cpu_enter_first(struct zone *zone, uint64_t entry, uint64_t arg) __attribute__((noreturn));

/* Switches the CPU off that asks. */
void cpu_park(void) __attribute__((noreturn));

/* The same for one that its zone no longer wants; the fault `nostop` delays it. */
void cpu_leave(void) __attribute__((noreturn));

/*
 * A guest's WFI that was trapped. With its CPU interface closed not even a kick would end it, so
 * the CPU waits here. Otherwise returns, to let the guest do it by itself from now on.
 */
void cpu_wfi(void);

void cpu_power_off(void) __attribute__((noreturn));

/* The firmware's PSCI, which is QEMU itself. */
#define PSCI_VERSION 0x84000000U
#define PSCI_CPU_OFF 0x84000002U
#define PSCI_CPU_ON_32 0x84000003U
#define PSCI_CPU_ON 0xc4000003U
#define PSCI_AFFINITY_INFO_32 0x84000004U
#define PSCI_AFFINITY_INFO 0xc4000004U
#define PSCI_MIGRATE_INFO_TYPE 0x84000006U
#define PSCI_SYSTEM_OFF 0x84000008U
#define PSCI_SYSTEM_RESET 0x84000009U
#define PSCI_FEATURES 0x8400000aU
int64_t firmware_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c);

#endif
