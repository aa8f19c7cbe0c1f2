/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_GUEST_H
#define HV_GUEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hypervisor/hypervisor.h"
#include "memmap/gmem.h"

/*
 * What runs in the zones of a simulated machine: a small operating system that finds its
 * devices in the device tree it was given and drives them through the bridge page as a real guest
 * does (program.c says what it can do at its console), or a test that drives them by hand.
 *
 * It knows the driver's side of virtio only and shares no code with core/virtio's: what both
 * got wrong in the same way would not be found.
 */
struct hv_guests; /* of one machine */
struct hv_guest;  /* one life of one zone */

struct hv_guests_opts {
	bool manual;	       /* zones run nothing by themselves: for tests */
	uint64_t idle_spin_ns; /* a CPU that waits looks this long before it sleeps; a real one
				  wakes in a µs */
};

/*
 * From now on the zones of the machine run guests, those that run already as well (they boot
 * anew). main thread, as hv_guests_free, which comes before hv_hyp_close.
 */
int hv_guests_new(struct hv_hyp *hyp, const struct hv_guests_opts *opts, struct hv_guests **guests,
		  struct hv_err *err);
void hv_guests_free(struct hv_guests *guests);

/*
 * The guest of a zone that runs, or NULL. A reference: the zone may end, everything
 * below then answers -ESHUTDOWN. Given back by put before hv_guests_free. Any thread.
 */
struct hv_guest *hv_guest_get(struct hv_guests *guests, uint32_t zone);
void hv_guest_put(struct hv_guest *g);

/* As hvisor was told. */
const struct hv_abi_zone *hv_guest_zone(const struct hv_guest *g);
unsigned int hv_guest_cpus(const struct hv_guest *g);
bool hv_guest_stopping(const struct hv_guest *g);

/* The zone's RAM in this process, mapped at the first call. Any thread. */
int hv_guest_memory(struct hv_guest *g, const struct hv_gmem **mem, struct hv_err *err);
/*
 * Zeroed memory for rings and buffers, from the end of the largest RAM region, as a guest address;
 * 0 when there is none left. Never freed one by one: hv_guest_heap_mark remembers the place and
 * hv_guest_heap_reset goes back to it.
 */
uint64_t hv_guest_alloc(struct hv_guest *g, uint64_t size, uint64_t align);
uint64_t hv_guest_heap_mark(struct hv_guest *g);
void hv_guest_heap_reset(struct hv_guest *g, uint64_t mark);
/* Where that is in this process; NULL outside RAM. */
void *hv_guest_at(struct hv_guest *g, uint64_t addr, uint64_t size);

/*
 * A register access by a CPU of the zone (0 = the first). It goes through the bridge and
 * waits for the answer, a write to QueueNotify excepted. One thread per CPU at a time. -EFAULT: not
 * in a virtio region of the zone, which a real zone does not survive; -ENODEV: no service has
 * initialised the bridge; -ESHUTDOWN: the zone ended (a CPU that waits gives up 200 ms later).
 */
int hv_guest_read(struct hv_guest *g, unsigned int cpu, uint64_t addr, unsigned int size,
		  uint64_t *value);
int hv_guest_write(struct hv_guest *g, unsigned int cpu, uint64_t addr, unsigned int size,
		   uint64_t value);
/* Registers of 4 bytes; 0 when the access failed. */
uint32_t hv_guest_read32(struct hv_guest *g, unsigned int cpu, uint64_t addr);

/*
 * Interrupts wait until they are taken; one that waits already does not wait twice. Any thread. The
 * waits return 1 when they took irq, or the lowest there is, 0 after timeout_ns, -ESHUTDOWN.
 */
bool hv_guest_take_irq(struct hv_guest *g, uint32_t irq);
int hv_guest_wait_irq(struct hv_guest *g, uint32_t irq, uint64_t timeout_ns);
int hv_guest_next_irq(struct hv_guest *g, uint32_t *irq, uint64_t timeout_ns);

/* The end, by the guest itself: powered off, or crashed. */
void hv_guest_exit(struct hv_guest *g, bool crash);

/*
 * For tests of the service: the next n wake-ups of the service are not sent, as when the
 * hypervisor's look at need_wakeup came too early.
 */
void hv_guest_lose_wakeups(struct hv_guest *g, unsigned int n);
/* Wake-ups sent so far. */
uint64_t hv_guest_wakeups(const struct hv_guest *g);

#endif
