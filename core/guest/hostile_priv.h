/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_HOSTILE_PRIV_H
#define HV_GUEST_HOSTILE_PRIV_H

#include <linux/virtio_ring.h>

#include "guest/hostile.h"

/* Private to the hostile guest: what its behaviours share, and those of hostile_ring.c. */
#define SIZE 64u
#define BUFFER 4096u
#define WRITE VRING_DESC_F_WRITE
#define NEXT VRING_DESC_F_NEXT
#define INDIRECT VRING_DESC_F_INDIRECT

/* The same sequence every time. */
uint32_t hostile_random(uint32_t *seed);
/* A device up and running with up to three queues of SIZE, as far as it lets us. */
void hostile_set_up(struct hv_gdev *dev, uint64_t features);
/* BUFFER bytes, as a guest address. */
uint64_t hostile_buffer(struct hv_gdev *dev);
void hostile_put(struct vring_desc *d, uint64_t addr, uint32_t len, unsigned int flags,
		 unsigned int next);
/* Shows `head` as the next available chain, and kicks whether the device wants that or not. */
void hostile_show(struct hv_gdev *dev, unsigned int q, unsigned int head);
/*
 * Lets the device look at what it was shown: until it has given all of it back, or needs a reset,
 * or 20 ms.
 */
void hostile_pause(struct hv_gdev *dev, unsigned int q);
/* The first address behind the zone's first RAM region. */
uint64_t hostile_ram_end(struct hv_gdev *dev);

typedef void hostile_fn(struct hv_gdev *dev);
hostile_fn hostile_ranges;
hostile_fn hostile_next_beyond;
hostile_fn hostile_next_size;
hostile_fn hostile_self;
hostile_fn hostile_circle;
hostile_fn hostile_head_beyond;
hostile_fn hostile_ahead;
hostile_fn hostile_far_ahead;
hostile_fn hostile_backwards;
hostile_fn hostile_twice;
hostile_fn hostile_nothing;
hostile_fn hostile_order;
hostile_fn hostile_flags;
hostile_fn hostile_own_rings;
hostile_fn hostile_nested;
hostile_fn hostile_indirect_next;
hostile_fn hostile_indirect_odd;
hostile_fn hostile_indirect_empty;
hostile_fn hostile_indirect_huge;
hostile_fn hostile_indirect_long;
hostile_fn hostile_indirect_loop;
hostile_fn hostile_indirect_beyond;
hostile_fn hostile_indirect_outside;
hostile_fn hostile_indirect_write;
hostile_fn hostile_event;
hostile_fn hostile_changing;
hostile_fn hostile_noise;
hostile_fn hostile_requests;

#endif
