/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_PAIR_H
#define HV_GUEST_PAIR_H

#include "guest/driver.h"

/*
 * A receive queue (0) that is kept full and a transmit queue (1), each with buffers of one size in
 * the guest's memory: what consoles and networks have. Buffers are known by their numbers. Failures
 * are those of drivers.h.
 */
struct hv_gpair {
	struct hv_gdev *dev;
	uint32_t size; /* bytes of a buffer */
	uint64_t in_at, out_at;
	uint16_t n_in, n_out;
	uint64_t out_busy; /* bit per transmit buffer */
};

/* size: a power of two. n: buffers each way at most, up to 64. After the device was negotiated;
 * starts it. */
int hv_gpair_start(struct hv_gpair *pair, struct hv_gdev *dev, uint32_t size, uint16_t n);
/* What the device has filled: 1, its buffer and length; 0 = nothing now; -EPROTO. */
int hv_gpair_get(struct hv_gpair *pair, unsigned int *i, uint32_t *len);
uint8_t *hv_gpair_in(const struct hv_gpair *pair, unsigned int i);
/* That one is the device's again. */
int hv_gpair_give_back(struct hv_gpair *pair, unsigned int i);
/* A free transmit buffer; waits for one. */
int hv_gpair_take(struct hv_gpair *pair);
uint8_t *hv_gpair_out(const struct hv_gpair *pair, int i);
/* The first len bytes of it. */
int hv_gpair_send(struct hv_gpair *pair, int i, uint32_t len);

#endif
