/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_ARCH_H
#define MV_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Instructions that C has no words for, and locks made of them. */

#define read_sysreg(reg)                                                                           \
	({                                                                                         \
		uint64_t value_;                                                                   \
		__asm__ volatile("mrs %0, " #reg : "=r"(value_));                                  \
		value_;                                                                            \
	})
#define write_sysreg(reg, value) __asm__ volatile("msr " #reg ", %0" : : "r"((uint64_t)(value)))

/* Not all assemblers know the names. */
#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_AP1R0_EL1 S3_0_C12_C9_0
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SRE_EL2 S3_4_C12_C9_5
#define ICH_HCR_EL2 S3_4_C12_C11_0
/* These expand the name before it is made a string. */
#define read_sysreg_named(reg) read_sysreg(reg)
#define write_sysreg_named(reg, value) write_sysreg(reg, value)

static inline void isb(void)
{
	__asm__ volatile("isb" : : : "memory");
}

static inline void dsb(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

/* Orders memory between CPUs. */
static inline void barrier(void)
{
	__asm__ volatile("dmb ish" : : : "memory");
}

static inline void relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}

static inline uint8_t read8(uint64_t at)
{
	return *(volatile uint8_t *)at;
}

static inline uint16_t read16(uint64_t at)
{
	return *(volatile uint16_t *)at;
}

static inline uint32_t read32(uint64_t at)
{
	return *(volatile uint32_t *)at;
}

static inline uint64_t read64(uint64_t at)
{
	return *(volatile uint64_t *)at;
}

static inline void write8(uint64_t at, uint8_t value)
{
	*(volatile uint8_t *)at = value;
}

static inline void write32(uint64_t at, uint32_t value)
{
	*(volatile uint32_t *)at = value;
}

static inline void write64(uint64_t at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
}

/*
 * Writes back and drops the data cache for a range, so that a CPU whose MMU is off sees the same
 * bytes. QEMU models no caches; real hardware needs it.
 */
static inline void dcache_flush(const void *start, uint64_t size)
{
	uint64_t line = 4UL << ((read_sysreg(ctr_el0) >> 16) & 15);
	uint64_t end = (uint64_t)start + size;

	for (uint64_t at = (uint64_t)start & ~(line - 1); at < end; at += line)
		__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
	dsb();
}

/* A point in time, `ms` from now. */
static inline uint64_t deadline(uint64_t ms)
{
	return read_sysreg(cntpct_el0) + read_sysreg(cntfrq_el0) / 1000 * ms;
}

static inline bool is_past(uint64_t when)
{
	return read_sysreg(cntpct_el0) >= when;
}

struct lock {
	uint32_t held;
};

static inline bool lock_try(struct lock *lock)
{
	return !__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE);
}

static inline void lock_take(struct lock *lock)
{
	while (!lock_try(lock))
		relax();
}

static inline void lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
