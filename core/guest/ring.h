/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_RING_H
#define HV_GUEST_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest/guest.h"

/*
 * A split virtqueue from the driver's side, as a careful driver has it: indirect descriptors and
 * the event index where negotiated, nothing the device writes is trusted. One thread. Lengths and
 * addresses are the guest's; memory comes from its heap.
 */
#define HV_GRING_SEGMENTS 64 /* buffers of one chain, when indirect */

struct hv_gbuf {
	uint64_t addr;
	uint32_t len;
};

struct hv_gring {
	struct hv_guest *g;
	uint16_t size;
	bool indirect, event_idx;
	uint64_t desc_at, avail_at, used_at; /* for the queue's registers */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint64_t tables_at; /* an indirect table per descriptor */
	uint16_t free_head, n_free;
	uint16_t avail_idx; /* filled in; the device sees it from the next kick on */
	uint16_t kicked;    /* avail_idx at the last decision to kick */
	uint16_t last_used;
	void **tokens;	   /* by head; NULL = not with the device */
	uint16_t *lengths; /* by head: descriptors of the chain */
};

/* size: a power of two. -ENOMEM when the guest's heap is used up. */
int hv_gring_init(struct hv_gring *ring, struct hv_guest *g, uint16_t size, bool indirect,
		  bool event_idx);
/* Frees what is ours; the rings stay in the guest's heap. A ring that is all zero may be freed. */
void hv_gring_free(struct hv_gring *ring);

/*
 * A chain of n_out buffers for the device to read, then n_in to write. token, not NULL, comes back
 * with it. -ENOSPC: no descriptors left now; -EINVAL: more than a chain may have.
 */
int hv_gring_add(struct hv_gring *ring, const struct hv_gbuf *out, unsigned int n_out,
		 const struct hv_gbuf *in, unsigned int n_in, void *token);
/* Shows the device what was added; true when it wants to be notified of it. */
bool hv_gring_publish(struct hv_gring *ring);
/* 1 = a chain has come back; 0 = none; -EPROTO = the device has broken the rules. */
int hv_gring_get(struct hv_gring *ring, void **token, uint32_t *written);
/* Asks for an interrupt with the next chain that comes back; true when one is there already. */
bool hv_gring_listen(struct hv_gring *ring);
/* Asks for none (a hint). */
void hv_gring_mute(struct hv_gring *ring);

#endif
