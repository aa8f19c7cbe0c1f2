/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_IRQ_H
#define HV_VIRTIO_IRQ_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hypervisor/hypervisor.h"
#include "virtio/device.h"

/*
 * Private to the service: interrupts on their way to the guests.
 *
 * A device has one line in its zone: asserted while its InterruptStatus is not 0. An
 * asserted line is injected once and then not again before the guest has acknowledged it, so
 * a zone never has more interrupts waiting than devices; and at most
 * HV_IRQ_MAX of them are given to the hypervisor, which panics at one more. What may not go yet
 * stays wanted and goes with the next acknowledgement.
 *
 * "Acknowledged" also has to mean that the hypervisor has taken the interrupt off the
 * CPU's list. That is true of a CPU that runs, and not of one that waits in the hypervisor for
 * a deferred register write: while a zone has such a CPU, acknowledgements (by its other CPUs)
 * make no room.
 *
 * Of a device that another process served it is known how often its interrupt was injected. It is
 * injected once more, since the last time may not have arrived: but a few times at most, or
 * services that end soon after their start would fill the CPU's list. All of them are counted.
 *
 * One short lock for lines and result ring; the hypercall is made without it. Any thread but where
 * said.
 */
#define HV_IRQ_MAX 7 /* that may wait for one CPU; zones share no CPU and are counted whole */

struct hv_irq_line {
	const struct hv_vdev *dev; /* NULL = free */
	uint32_t irq;
	bool wanted;	   /* to be injected */
	uint32_t injected; /* how often, and not acknowledged */
	bool again;	   /* though injected, by a process that is gone: it may not have arrived */
	uint32_t *kept;	   /* `injected` for the next process; NULL = there is none */
};

struct hv_irq_zone {
	uint32_t id;
	struct hv_irq_line lines[HV_BRIDGE_DEVICES];
	unsigned int unproven; /* injections that may still be on the CPU's list */
	uint32_t held;	       /* CPUs that wait for a deferred register write */
	struct hv_irq_zone *next;
};

struct hv_irqs {
	struct hv_hyp *hyp;
	struct hv_bridge_page *page;
	pthread_mutex_t lock;
	struct hv_irq_zone *zones;
	bool injecting; /* a thread is at the hypercall and will look again */
	bool again;
	bool undelivered; /* a hypercall failed: the bridge thread tries again */
	_Atomic uint64_t injections;
	uint64_t failures;
};

void hv_irqs_init(struct hv_irqs *irqs, struct hv_hyp *hyp, struct hv_bridge_page *page);
void hv_irqs_destroy(struct hv_irqs *irqs);

/* main thread. The zone is the caller's and stays where it is until removed. */
void hv_irq_add_zone(struct hv_irqs *irqs, struct hv_irq_zone *zone);
void hv_irq_remove_zone(struct hv_irqs *irqs, struct hv_irq_zone *zone);
/* main thread. There is a line for each of the devices a machine can have. */
void hv_irq_plug(struct hv_irqs *irqs, struct hv_irq_zone *zone, const struct hv_vdev *dev,
		 uint32_t irq);
void hv_irq_unplug(struct hv_irqs *irqs, struct hv_irq_zone *zone, const struct hv_vdev *dev);

/* The line of irq is asserted. */
void hv_irq_raise(struct hv_irqs *irqs, struct hv_irq_zone *zone, uint32_t irq);
/*
 * bridge thread: the guest wrote InterruptACK (acked), or looked at InterruptStatus or began a new
 * life of the device: what was injected for an InterruptStatus that is 0 now is over.
 */
void hv_irq_settle(struct hv_irqs *irqs, struct hv_irq_zone *zone, const struct hv_vdev *dev,
		   bool acked);
/* A CPU begins or ends to wait for a deferred register write. */
void hv_irq_hold(struct hv_irqs *irqs, struct hv_irq_zone *zone, unsigned int cpu, bool hold);
/* bridge thread, now and then: what a failed hypercall left behind. */
void hv_irq_retry(struct hv_irqs *irqs);

#endif
