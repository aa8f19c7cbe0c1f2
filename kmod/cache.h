/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HV_KMOD_CACHE_H
#define HV_KMOD_CACHE_H

#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <asm/barrier.h>
#include <asm/cacheflush.h>

/*
 * A zone's first instructions run with its MMU off. What was written for it through the
 * caches must be found by such accesses, and by instruction fetches of its CPUs.
 */
#if defined(CONFIG_ARM64)

/*
 * With the MMU off, loads and fetches bypass the caches: the bytes must be at the point of
 * coherency. Lines are dropped, too, so that nothing clean and old of zone0's shadows what the
 * zone writes later with its caches off. Line sizes may differ between CPUs: the one that
 * is read belongs to the CPU that works.
 */
static inline void hv_cache_publish(void *addr, size_t size)
{
	unsigned long at = (unsigned long)addr;
	unsigned long end = at + size;

	while (at < end) {
		unsigned long stop = min(end, ALIGN(at + 1, SZ_64K));
		unsigned long ctr, line;

		preempt_disable();
		asm volatile("mrs %0, ctr_el0" : "=r"(ctr));
		line = 4UL << ((ctr >> 16) & 0xf);
		for (at &= ~(line - 1); at < stop; at += line)
			asm volatile("dc civac, %0" : : "r"(at) : "memory");
		asm volatile("dsb sy" : : : "memory");
		preempt_enable();
	}
}

/* All lines on all CPUs: the zone knows the memory by other addresses, which matters to VIPT. */
static inline void hv_cache_forget_code(void)
{
	asm volatile("ic ialluis\n"
		     "dsb ish\n"
		     "isb" : : : "memory");
}

#elif defined(CONFIG_RISCV)

/* Data caches are coherent with the MMU on or off. A hart that starts fences its own fetches. */
static inline void hv_cache_publish(void *addr, size_t size)
{
	/* Before whatever tells a CPU to start there. */
	mb();
}

static inline void hv_cache_forget_code(void)
{
	flush_icache_all();
}

#elif defined(CONFIG_LOONGARCH)

/* The architecture keeps fetches and data coherent; what remains is order. */
static inline void hv_cache_publish(void *addr, size_t size)
{
	/* Before whatever tells a CPU to start there. */
	mb();
}

static inline void hv_cache_forget_code(void)
{
	asm volatile("ibar 0" : : : "memory");
}

#else

/* x86 keeps fetches and data coherent, and a guest's accesses are cached whatever its paging. */
static inline void hv_cache_publish(void *addr, size_t size)
{
	/* Before whatever tells a CPU to start there. */
	mb();
}

static inline void hv_cache_forget_code(void)
{
}

#endif

#endif
