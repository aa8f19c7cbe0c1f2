/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_GUEST_PRIV_H
#define HV_GUEST_GUEST_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "guest/guest.h"

/* Private to core/guest. */

#define GUEST_IRQS HV_MAX_IRQ

struct hv_guests {
	struct hv_hyp *hyp;
	struct hv_guests_opts opts;
	pthread_mutex_t lock; /* the list. Taken inside the machine's lock, so: no call of the
				 machine within */
	struct hv_guest *list;
	pthread_mutex_t ring;	   /* the hypervisor's lock of the request ring */
	unsigned int ring_waiting; /* CPUs that wait for room in it */
	uint64_t ring_last;	   /* the CPU that pushed last */
};

struct hv_guest {
	struct hv_guests *guests;
	struct hv_guest *next;
	_Atomic unsigned int refs;
	struct hv_abi_zone *zone;
	unsigned int n_cpus;
	unsigned int cpus[HV_MAX_CPUS]; /* physical */
	pthread_t thread;
	bool threaded;
	_Atomic uint32_t stopping;
	_Atomic uint32_t inside; /* CPUs at the hypervisor; a futex */

	pthread_mutex_t memory_lock;
	bool mapped;
	struct hv_gmem mem;
	void *maps[HV_GMEM_MAX]; /* page aligned */
	uint64_t heap, heap_end;

	_Atomic(struct hv_bridge_page *) page;
	_Atomic int wakeup_fd;
	_Atomic unsigned int lose_wakeups;
	_Atomic uint64_t wakeups;

	_Atomic bool irq_given;			/* the hypervisor has interrupts for us */
	_Atomic uint32_t irq_seq;		/* a futex: something changed */
	_Atomic uint64_t irqs[GUEST_IRQS / 64]; /* wait to be taken */
};

/* cpu.c: an interrupt was given, or the zone ends. Called with the machine locked. */
void hv_guest_nudge(struct hv_guest *g);
/* cpu.c: returns when no CPU is at the hypervisor any more. */
void hv_guest_settle(struct hv_guest *g);

/* CLOCK_MONOTONIC, ns */
uint64_t hv_guest_now(void);

/* program.c: the life of a guest. */
void hv_guest_program(struct hv_guest *g);

#endif
