/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_NET_FRAME_H
#define HV_VIRTIO_DEV_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

/*
 * An Ethernet frame with what its virtio header says of it (5.1.6): a checksum
 * left to do, or a large segment left to cut. Understood and, where a receiver did not agree to
 * such frames, done here in software. Pure functions; any thread.
 */

/* Ethernet header, two VLAN tags and the largest IP packet. */
#define HV_FRAME_MAX 65557u
#define HV_FRAME_MIN 14u
/* All headers of a frame with offloads lie within this. */
#define HV_FRAME_HEAD 192u

/* linux/virtio_net.h has these from 6.2 on */
#define HV_NET_F_GUEST_USO4 54
#define HV_NET_F_GUEST_USO6 55
#define HV_NET_F_HOST_USO 56
#define HV_NET_GSO_UDP_L4 5

struct hv_frame {
	/* struct virtio_net_hdr_v1 in this machine's byte order */
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
	const struct iovec *iov; /* the frame without that header */
	unsigned int n;
	size_t len;
	/* By hv_frame_check, of a frame to cut: where its headers are. */
	bool ipv6;
	uint16_t l3;
};

void hv_frame_header_read(struct hv_frame *frame, const struct virtio_net_hdr_v1 *hdr);
/* num_buffers = 1 */
void hv_frame_header_write(const struct hv_frame *frame, struct virtio_net_hdr_v1 *hdr);

static inline bool hv_frame_is_plain(const struct hv_frame *frame)
{
	return !(frame->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !frame->gso_type;
}

/*
 * Is the header true, and does it use nothing but what the driver's features allow (HOST_* and
 * CSUM)? Returns NULL, or what is wrong with it. Of a frame with offloads the first min(len,
 * HV_FRAME_HEAD) bytes must be iov[0], in memory that no guest can change. Fields that mean nothing
 * are cleared.
 */
const char *hv_frame_check(struct hv_frame *frame, uint64_t features);

/* May a driver with these features (GUEST_*) get the frame as it is? */
bool hv_frame_fits(const struct hv_frame *frame, uint64_t features);

/* Whether a packet of it, cut where it is to be cut, goes over a link of that MTU. */
bool hv_frame_within(const struct hv_frame *frame, uint16_t mtu);

/*
 * Does what the header left to do: calls emit with one plain frame, or one per
 * segment, and stops when emit returns non-zero, returning that. The frame has passed
 * hv_frame_check. scratch: HV_FRAME_MAX bytes.
 */
typedef int hv_frame_emit_fn(const struct hv_frame *plain, void *arg);
int hv_frame_finish(const struct hv_frame *frame, uint8_t *scratch, hv_frame_emit_fn *emit,
		    void *arg);

#endif
