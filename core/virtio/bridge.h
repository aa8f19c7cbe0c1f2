/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_BRIDGE_H
#define HV_VIRTIO_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "virtio/irq.h"
#include "virtio/service.h"
#include "virtio/window.h"

/*
 * Private to the service: the bridge thread. It takes register requests off the bridge page,
 * looks up the device and answers, polls a while for the next one, and sleeps. It does no I/O and
 * waits for no other thread: a guest's CPU spins for as long as it takes.
 *
 * Order. Requests leave the ring as soon as they are seen. Each CPU waits for at most one, so
 * they are kept by CPU, and the zone served longest ago comes first; kicks, for which no CPU waits,
 * are gathered per device and passed on once per turn. So however many requests a zone
 * makes, another zone's wait for one of each zone at most.
 *
 * The table of windows is the thread's own and is changed by messages, which are acknowledged.
 */
struct hv_bridge;
struct hv_state_bridge;

struct hv_bridge_opts {
	uint32_t spin_ns; /* upper bound of polling; 0 = default */
	/*
	 * Requests that were taken are kept here until they are answered, and those that another
	 * process took and did not live to answer are answered by this one. NULL = are not.
	 */
	struct hv_state_bridge *kept;
	const struct hv_bridge_window *held; /* at most HV_BRIDGE_HELD; copied */
	unsigned int n_held;
};

int hv_bridge_start(struct hv_hyp *hyp, struct hv_irqs *irqs, const struct hv_bridge_opts *opts,
		    struct hv_bridge **bridge, struct hv_err *err);
/*
 * Ends the thread without an answer to what waits: that is the next process's. Deferred
 * writes may still be released. From then on plug, vacate and forget do nothing.
 */
void hv_bridge_leave(struct hv_bridge *bridge);
/* Answers what waits (no device is left by then: zeroes), unless it was left, joins and frees. */
void hv_bridge_stop(struct hv_bridge *bridge);

/*
 * main thread: from when this returns the window is answered by its device, and one that it
 * replaces (the same zone, overlapping, vacated before) is not touched any more. false: there is no
 * room, since HV_BRIDGE_HELD are held already or all windows are in use; it is answered 0 then.
 */
bool hv_bridge_plug(struct hv_bridge *bridge, const struct hv_bridge_window *window);
/* main thread: its device is not touched any more when this returns. */
void hv_bridge_vacate(struct hv_bridge *bridge, const struct hv_vdev *dev);
/* main thread: forgets the windows of a zone, but for those that are held. */
void hv_bridge_forget(struct hv_bridge *bridge, uint32_t zone);
/* main thread: forgets those that are held. */
void hv_bridge_unhold(struct hv_bridge *bridge, uint32_t zone);

/* Lets a CPU go whose register write was deferred. Any thread. */
void hv_bridge_release(struct hv_bridge *bridge, unsigned int cpu);

/* Any thread. Fills all but injections. */
void hv_bridge_stats(struct hv_bridge *bridge, struct hv_service_stats *out);

#endif
