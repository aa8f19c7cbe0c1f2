/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CONTROL_FRAME_H
#define HV_CONTROL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Frames of the control socket (docs/control-protocol.md): eight bytes of head, little-endian, then
 * the payload:
 *   u32 length of the payload   u8 type   u8 flags   u16 channel
 * Channel 0 is the connection itself.
 */
enum hv_frame_type {
	HV_FRAME_HELLO = 1,   /* JSON; the first frame of each side */
	HV_FRAME_REQUEST = 2, /* u32 id, JSON */
	HV_FRAME_REPLY = 3,   /* u32 id of the request, JSON */
	HV_FRAME_EVENT = 4,   /* JSON; of the connection or a channel */
	HV_FRAME_DATA = 5,    /* bytes of a channel, under its credit */
	HV_FRAME_WINDOW = 6,  /* u32: so many bytes more may be sent on a channel */
	HV_FRAME_CLOSE = 7,   /* JSON with the reason; channel 0: of the connection */
};

/* A receiver that does not know the type passes over the frame; without it, it hangs up. */
#define HV_FRAME_OPTIONAL 1

#define HV_FRAME_HEAD 8
#define HV_FRAME_JSON_MAX (1u << 20)
#define HV_FRAME_DATA_MAX (64u << 10)
#define HV_FRAME_SMALL_MAX 4096u /* hello and close */
/* Sums of credit never exceed this. */
#define HV_FRAME_CREDIT_MAX 0x7fffffffu

struct hv_frame {
	uint8_t type; /* 0 = none */
	uint16_t channel;
	uint32_t id; /* requests and replies: payload begins after it; windows: the credit */
	const uint8_t *payload;
	size_t len;
};

/* Cuts a byte stream into frames. Start from zeroes. Costs memory only while a frame is in parts.
 */
struct hv_frame_decoder {
	uint8_t head[HV_FRAME_HEAD];
	size_t n_head;
	struct hv_buf body;
	size_t skip; /* what is left of a frame to be passed over */
	bool done;   /* body was given out */
};

/*
 * Takes from `bytes` up to the end of a frame; returns how many. frame->type is 0 while it is not
 * complete. The payload lives in `bytes` or in the decoder, until the next call. -EPROTO: what no
 * peer may send; the stream cannot be followed any further. -ENOMEM.
 */
ssize_t hv_frame_decode(struct hv_frame_decoder *dec, const void *bytes, size_t len,
			struct hv_frame *frame, struct hv_err *err);
void hv_frame_decoder_free(struct hv_frame_decoder *dec);
/* For who only looks ahead: goes on where dec stands, without the frame that dec has in parts. To be
 * freed as well. */
struct hv_frame_decoder hv_frame_decoder_ahead(const struct hv_frame_decoder *dec);

/*
 * The frame's head, with the id or credit that some types begin with: returns its length, at most
 * HV_FRAME_PREFIX. len: what follows, at most what the type may have (asserted).
 */
#define HV_FRAME_PREFIX 12
size_t hv_frame_prefix(uint8_t to[HV_FRAME_PREFIX], enum hv_frame_type type, uint16_t channel,
		       uint32_t id, size_t len);

#endif
