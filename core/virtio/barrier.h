/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_BARRIER_H
#define HV_VIRTIO_BARRIER_H

#include <stdatomic.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HV_THREAD_SANITIZER 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define HV_THREAD_SANITIZER 1
#endif

/*
 * Orders every access before it against every access after it, stores against later loads
 * included: what "store my side, then look at yours" needs on each architecture. The thread
 * sanitizer knows no fences; a read-modify-write is one for the CPU and known to it.
 */
static inline void hv_full_barrier(void)
{
#ifdef HV_THREAD_SANITIZER
	static _Atomic unsigned int order;

	atomic_fetch_add_explicit(&order, 0, memory_order_seq_cst);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Inside a polling loop: leaves the core to its sibling for a moment. */
static inline void hv_cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif
