/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_BRIDGE_H
#define MV_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

struct zone;

/* hvisor's side of the virtio bridge: the page itself is described in core/abi/bridge.h. */

/* Hypercall 0: -EINVAL when the address is no page, -EFAULT when it is not zone0's RAM. */
int64_t bridge_init(uint64_t ipa);

/* Hypercall 1: takes what is in the result ring and injects it. -ENODEV without a bridge. */
int64_t bridge_drain(void);

/*
 * A guest's access to a virtio window. Waits until the service has answered, but for a write to
 * QueueNotify. False when the zone was stopped meanwhile: the CPU is to leave.
 */
bool bridge_access(struct zone *zone, uint64_t ipa, unsigned int size, bool is_write,
		   uint64_t *value);

enum counter {
	COUNT_REQUESTS,
	COUNT_NOTIFICATIONS,
	COUNT_WAKES,
	COUNT_LOST_WAKES,
	COUNT_DRAINS,
	COUNT_RESULTS,
	COUNT_INJECTED,
	COUNT_REFUSED,
	COUNT_EXITS,
};
#define COUNTERS 9

void count(enum counter counter);
uint64_t counted(enum counter counter);

#endif
