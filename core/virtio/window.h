/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_WINDOW_H
#define HV_VIRTIO_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Private to the service: at which addresses of which zone the bridge thread answers, and who does.
 * The table has no lock: it is that thread's own.
 */
struct hv_irq_zone;
struct hv_vdev;

struct hv_bridge_window {
	uint32_t zone;
	uint64_t at, size;
	struct hv_vdev *dev; /* NULL: answers as an empty virtio slot */
	bool held;	     /* its device will come: who asks waits until then */
	struct hv_irq_zone *irqs;
	uint32_t kicks; /* the thread's own: queues kicked and not yet passed on */
};
/* Windows whose device was detached stay for as long as there is room. */
#define HV_BRIDGE_WINDOWS 64
#define HV_BRIDGE_HELD 32

struct hv_windows {
	unsigned int n;
	struct hv_bridge_window at[HV_BRIDGE_WINDOWS];
};

/* NULL when there is none. For each access of a guest. */
static inline struct hv_bridge_window *hv_windows_find(struct hv_windows *t, uint32_t zone,
						       uint64_t address)
{
	for (unsigned int i = 0; i < t->n; i++) {
		struct hv_bridge_window *w = &t->at[i];

		if (w->zone == zone && address - w->at < w->size)
			return w;
	}
	return NULL;
}

/* In place of those of the same zone that it overlaps. false: there is no room. */
bool hv_windows_plug(struct hv_windows *windows, const struct hv_bridge_window *window);
/* Its window stays, without it. */
void hv_windows_vacate(struct hv_windows *windows, const struct hv_vdev *dev);
/* Those of a zone that are held, or those that are not. */
void hv_windows_forget(struct hv_windows *windows, uint32_t zone, bool held);

#endif
