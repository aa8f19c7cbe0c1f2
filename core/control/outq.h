/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CONTROL_OUTQ_H
#define HV_CONTROL_OUTQ_H

#include <stddef.h>
#include <stdint.h>

#include "control/frame.h"

/* Frames on their way into a socket. Start from zeroes; keeps no memory while empty. */
struct hv_outq {
	uint8_t *bytes;
	size_t start, len, cap; /* len bytes from start on */
};

/*
 * Adds a frame. fd >= 0: what can be is sent at once, without a copy when nothing waits; -1: it
 * waits for the next flush. 0, -ENOMEM, or what sending answers (-EPIPE …; the rest is not kept).
 */
int hv_outq_put(struct hv_outq *q, int fd, enum hv_frame_type type, uint16_t channel, uint32_t id,
		const void *payload, size_t len);
/* Sends what the socket takes; 0 also when that was nothing. */
int hv_outq_flush(struct hv_outq *q, int fd);
void hv_outq_free(struct hv_outq *q);

#endif
