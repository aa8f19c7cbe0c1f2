// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/net_frame.h"

#include <endian.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "virtio/queue.h"

/* More pieces than any stack asks for: the smallest segment Linux makes of the largest packet. */
#define SEGMENTS_MAX 1400u
#define VLAN_HEADERS_MAX 2

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define TCP_HEADER 20u
#define UDP_HEADER 8u
#define TCP_CSUM 16u
#define UDP_CSUM 6u

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, (uint16_t)(value >> 16));
	put16(p + 2, (uint16_t)value);
}

void hv_frame_header_read(struct hv_frame *frame, const struct virtio_net_hdr_v1 *hdr)
{
	frame->flags = hdr->flags;
	frame->gso_type = hdr->gso_type;
	frame->hdr_len = le16toh(hdr->hdr_len);
	frame->gso_size = le16toh(hdr->gso_size);
	frame->csum_start = le16toh(hdr->csum_start);
	frame->csum_offset = le16toh(hdr->csum_offset);
}

void hv_frame_header_write(const struct hv_frame *frame, struct virtio_net_hdr_v1 *hdr)
{
	memset(hdr, 0, sizeof(*hdr));
	hdr->flags = frame->flags;
	hdr->gso_type = frame->gso_type;
	hdr->hdr_len = htole16(frame->hdr_len);
	hdr->gso_size = htole16(frame->gso_size);
	hdr->csum_start = htole16(frame->csum_start);
	hdr->csum_offset = htole16(frame->csum_offset);
	hdr->num_buffers = htole16(1);
}

static bool has(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

static uint8_t gso_kind(const struct hv_frame *frame)
{
	return frame->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
}

/*
 * Finds the transport header: its offset, and its protocol. 0 when the bytes are not IP, or are
 * not all there.
 */
static size_t find_transport(const uint8_t *head, size_t len, struct hv_frame *frame,
			     uint8_t *protocol)
{
	size_t at = ETH_HLEN, next;
	uint16_t type = get16(head + 12);

	for (int i = 0; i < VLAN_HEADERS_MAX && (type == ETH_P_8021Q || type == ETH_P_8021AD);
	     i++) {
		if (len < at + 4)
			return 0;
		type = get16(head + at + 2);
		at += 4;
	}
	frame->l3 = (uint16_t)at;
	if (type == ETH_P_IP && len >= at + IPV4_HEADER && head[at] >> 4 == 4) {
		next = at + 4u * (head[at] & 15);
		*protocol = head[at + 9];
		/* A fragment has no transport header to speak of. */
		if (next < at + IPV4_HEADER || next > len || get16(head + at + 6) & 0x3fff)
			return 0;
		return next;
	}
	if (type != ETH_P_IPV6 || len < at + IPV6_HEADER || head[at] >> 4 != 6)
		return 0;
	frame->ipv6 = true;
	*protocol = head[at + 6];
	next = at + IPV6_HEADER;
	while (*protocol == IPPROTO_HOPOPTS || *protocol == IPPROTO_ROUTING ||
	       *protocol == IPPROTO_DSTOPTS) {
		if (len < next + 8)
			return 0;
		*protocol = head[next];
		next += 8u + 8u * head[next + 1];
	}
	return next <= len ? next : 0;
}

static const char *check_gso(struct hv_frame *frame, uint64_t features)
{
	const uint8_t *head = frame->iov[0].iov_base;
	size_t len = frame->iov[0].iov_len < HV_FRAME_HEAD ? frame->iov[0].iov_len : HV_FRAME_HEAD;
	size_t transport, end;
	uint8_t kind = gso_kind(frame), protocol = 0;
	bool udp = kind == HV_NET_GSO_UDP_L4;

	if (!(kind == VIRTIO_NET_HDR_GSO_TCPV4 && has(features, VIRTIO_NET_F_HOST_TSO4)) &&
	    !(kind == VIRTIO_NET_HDR_GSO_TCPV6 && has(features, VIRTIO_NET_F_HOST_TSO6)) &&
	    !(udp && has(features, HV_NET_F_HOST_USO)))
		return "a kind of segmentation that was not negotiated";
	if (frame->gso_type & VIRTIO_NET_HDR_GSO_ECN &&
	    (udp || !has(features, VIRTIO_NET_F_HOST_ECN)))
		return "segmentation with ECN, which was not negotiated";
	if (!(frame->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return "segmentation without a checksum to fill in";
	frame->ipv6 = false;
	transport = find_transport(head, len, frame, &protocol);
	if (!transport || protocol != (udp ? IPPROTO_UDP : IPPROTO_TCP) ||
	    (!udp && frame->ipv6 != (kind == VIRTIO_NET_HDR_GSO_TCPV6)))
		return "segmentation of something that is not the protocol it names";
	end = transport + (udp ? UDP_HEADER : TCP_HEADER);
	if (!udp && len >= end)
		end = transport + 4u * (head[transport + 12] >> 4);
	if (end < transport + (udp ? UDP_HEADER : TCP_HEADER) || end > len)
		return "segmentation of a packet whose headers are cut off";
	if (frame->csum_start != transport || frame->csum_offset != (udp ? UDP_CSUM : TCP_CSUM))
		return "segmentation with the checksum in the wrong place";
	if (!frame->gso_size || (frame->len - end) / frame->gso_size > SEGMENTS_MAX)
		return "segmentation into too small pieces";
	frame->hdr_len = (uint16_t)end;
	return NULL;
}

const char *hv_frame_check(struct hv_frame *frame, uint64_t features)
{
	frame->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (frame->len < HV_FRAME_MIN)
		return "a frame shorter than its Ethernet header";
	if (frame->len > HV_FRAME_MAX)
		return "a frame longer than any packet";
	if (!frame->flags)
		frame->csum_start = frame->csum_offset = 0;
	else if (!has(features, VIRTIO_NET_F_CSUM))
		return "a checksum to fill in, which was not negotiated";
	else if (frame->csum_start < HV_FRAME_MIN ||
		 (size_t)frame->csum_start + frame->csum_offset + 2 > frame->len)
		return "a checksum outside the frame";
	if (gso_kind(frame))
		return check_gso(frame, features);
	frame->gso_type = 0;
	frame->hdr_len = frame->gso_size = 0;
	return NULL;
}

bool hv_frame_fits(const struct hv_frame *frame, uint64_t features)
{
	if (frame->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !has(features, VIRTIO_NET_F_GUEST_CSUM))
		return false;
	if (frame->gso_type & VIRTIO_NET_HDR_GSO_ECN && !has(features, VIRTIO_NET_F_GUEST_ECN))
		return false;
	switch (gso_kind(frame)) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return has(features, VIRTIO_NET_F_GUEST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return has(features, VIRTIO_NET_F_GUEST_TSO6);
	case HV_NET_GSO_UDP_L4:
		return has(features, frame->ipv6 ? HV_NET_F_GUEST_USO6 : HV_NET_F_GUEST_USO4);
	default:
		return false;
	}
}

bool hv_frame_within(const struct hv_frame *frame, uint16_t mtu)
{
	size_t limit = (size_t)mtu + ETH_HLEN + 4 * VLAN_HEADERS_MAX;
	size_t len = frame->len;

	if (gso_kind(frame) && (size_t)frame->hdr_len + frame->gso_size < len)
		len = (size_t)frame->hdr_len + frame->gso_size;
	return len <= limit;
}

/* RFC 1071, over bytes at any alignment; an odd number of bytes only at the end. */
static uint64_t sum(uint64_t total, const uint8_t *p, size_t len)
{
	for (; len >= 4; p += 4, len -= 4) {
		uint32_t word;

		memcpy(&word, p, sizeof(word));
		total += word;
	}
	if (len) {
		uint8_t rest[4] = { 0 };
		uint32_t word;

		memcpy(rest, p, len);
		memcpy(&word, rest, sizeof(word));
		total += word;
	}
	return total;
}

/* As stored: sum() adds words as they lie in memory, so the result does, too. */
static void put_checksum(uint8_t *at, uint64_t total, bool udp)
{
	uint16_t folded;

	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	folded = (uint16_t)~total;
	/* In UDP zero means "none". */
	if (udp && !folded)
		folded = 0xffff;
	memcpy(at, &folded, sizeof(folded));
}

struct cut {
	const struct hv_frame *frame;
	const uint8_t *bytes; /* all of it, in one piece */
	hv_frame_emit_fn *emit;
	void *arg;
};

static void fix_ip(uint8_t *head, const struct hv_frame *frame, size_t len, unsigned int index)
{
	uint8_t *ip = head + frame->l3;

	if (frame->ipv6) {
		put16(ip + 4, (uint16_t)(len - frame->l3 - IPV6_HEADER));
		return;
	}
	put16(ip + 2, (uint16_t)(len - frame->l3));
	put16(ip + 4, (uint16_t)(get16(ip + 4) + index));
	put16(ip + 10, 0);
	put_checksum(ip + 10, sum(0, ip, 4u * (ip[0] & 15)), false);
}

static uint64_t pseudo_header(const uint8_t *head, const struct hv_frame *frame, uint8_t protocol,
			      size_t transport_len)
{
	uint8_t tail[8] = { 0 };
	const uint8_t *ip = head + frame->l3;
	uint64_t total;

	put32(tail, (uint32_t)transport_len);
	tail[7] = protocol;
	total = frame->ipv6 ? sum(0, ip + 8, 32) : sum(0, ip + 12, 8);
	return sum(total, tail, sizeof(tail));
}

static int emit_segment(const struct cut *cut, size_t offset, size_t payload, unsigned int index,
			bool last)
{
	const struct hv_frame *frame = cut->frame;
	bool udp = gso_kind(frame) == HV_NET_GSO_UDP_L4;
	uint8_t head[HV_FRAME_HEAD], *transport = head + frame->csum_start;
	size_t hdr_len = frame->hdr_len, len = hdr_len + payload;
	struct iovec iov[2] = { { head, hdr_len },
				{ (uint8_t *)cut->bytes + hdr_len + offset, payload } };
	struct hv_frame plain = { .iov = iov, .n = 2, .len = len };
	uint64_t total;

	memcpy(head, cut->bytes, hdr_len);
	fix_ip(head, frame, len, index);
	if (udp) {
		put16(transport + 4, (uint16_t)(len - frame->csum_start));
	} else {
		put32(transport + 4, get32(transport + 4) + (uint32_t)offset);
		if (index)
			transport[13] &= (uint8_t)~TCP_CWR;
		if (!last)
			transport[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	}
	put16(transport + frame->csum_offset, 0);
	total = pseudo_header(head, frame, udp ? IPPROTO_UDP : IPPROTO_TCP,
			      len - frame->csum_start);
	/* The headers' length is even (UDP 8, TCP a multiple of 4), so the payload starts on a
	 * pair. */
	total = sum(total, transport, hdr_len - frame->csum_start);
	total = sum(total, cut->bytes + hdr_len + offset, payload);
	put_checksum(transport + frame->csum_offset, total, udp);
	return cut->emit(&plain, cut->arg);
}

static int emit_segments(const struct cut *cut)
{
	size_t payload = cut->frame->len - cut->frame->hdr_len, size = cut->frame->gso_size;
	unsigned int index = 0;
	size_t at = 0;

	do {
		size_t part = payload - at < size ? payload - at : size;
		int rc = emit_segment(cut, at, part, index++, at + part == payload);

		if (rc)
			return rc;
		at += part;
	} while (at < payload);
	return 0;
}

static int emit_summed(const struct cut *cut, uint8_t *bytes)
{
	const struct hv_frame *frame = cut->frame;
	uint8_t *start = bytes + frame->csum_start;
	struct iovec iov = { bytes, frame->len };
	struct hv_frame plain = { .iov = &iov, .n = 1, .len = frame->len };

	/* The driver left the pseudo header's sum in the field: it is part of what is added up. */
	put_checksum(start + frame->csum_offset, sum(0, start, frame->len - frame->csum_start),
		     frame->csum_offset == UDP_CSUM);
	return cut->emit(&plain, cut->arg);
}

int hv_frame_finish(const struct hv_frame *frame, uint8_t *scratch, hv_frame_emit_fn *emit,
		    void *arg)
{
	struct cut cut = { .frame = frame, .bytes = scratch, .emit = emit, .arg = arg };

	if (hv_frame_is_plain(frame))
		return emit(frame, arg);
	hv_iov_read(frame->iov, frame->n, 0, scratch, frame->len);
	if (gso_kind(frame))
		return emit_segments(&cut);
	return emit_summed(&cut, scratch);
}
