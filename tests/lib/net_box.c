// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "net_box.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_event(struct hv_vdev *dev, enum hv_vdev_event event, const char *message, void *arg)
{
	struct net_box *box = arg;

	(void)dev;
	if (event == HV_EV_ERROR) {
		snprintf(box->message, sizeof(box->message), "%s", message);
		box->errors++;
	} else if (event == HV_EV_LINK) {
		box->links++;
	} else if (event == HV_EV_BROKEN) {
		box->broken++;
	}
}

void nb_open(struct net_box *box, const struct hv_net_opts *opts, size_t mem)
{
	struct hv_net_opts with = *opts;
	struct hv_err err = { 0 };

	memset(box, 0, sizeof(*box));
	box->peer = -1;
	with.origin = (struct hv_origin){ "boot.lua", 7, "devices.eth0" };
	if (hv_net_init(&box->dev, "linux1/eth0", &with, &err))
		fail_msg("%s", err.msg);
	box->dev.event = on_event;
	box->dev.event_arg = box;
	vrig_init(&box->rig, &box->dev, mem);
}

void nb_open_pair(struct net_box *box, int type)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	nb_open(box, &(struct hv_net_opts){ .fds = fds, .n_fds = 1 }, 8 << 20);
	box->peer = fds[1];
}

void nb_close(struct net_box *box)
{
	vrig_free(&box->rig);
	hv_vdev_destroy(&box->dev);
	if (box->peer >= 0)
		close(box->peer);
}

uint8_t *nb_post(struct net_box *box, unsigned int queue, uint32_t len, int *head)
{
	uint8_t *at = vrig_alloc(&box->rig, len, 16);
	int got = vrig_add(&box->rig, queue, &(struct vrig_buf){ at, len, true }, 1);

	assert_true(got >= 0);
	memset(at, 0xee, len);
	if (head)
		*head = got;
	return at;
}

int nb_add(struct net_box *box, unsigned int queue, const struct virtio_net_hdr_v1 *hdr,
	   const void *frame, size_t len)
{
	uint8_t *at = vrig_alloc(&box->rig, NB_HDR + len, 16);
	int head;

	if (hdr)
		memcpy(at, hdr, NB_HDR);
	memcpy(at + NB_HDR, frame, len);
	head = vrig_add(&box->rig, queue, &(struct vrig_buf){ at, (uint32_t)(NB_HDR + len), false },
			1);
	assert_true(head >= 0);
	return head;
}

void nb_send(struct net_box *box, unsigned int queue, const struct virtio_net_hdr_v1 *hdr,
	     const void *frame, size_t len)
{
	int head = nb_add(box, queue, hdr, frame, len);

	vrig_kick(&box->rig, queue);
	assert_int_equal(vrig_finish(&box->rig, queue, head), 0);
}

uint8_t nb_ctrl(struct net_box *box, unsigned int queue, uint8_t class, uint8_t cmd,
		const void *data, size_t len)
{
	uint8_t *at = vrig_alloc(&box->rig, 3 + len, 16);
	uint8_t *ack = at + 2 + len;
	struct vrig_buf bufs[] = { { at, (uint32_t)(2 + len), false }, { ack, 1, true } };

	at[0] = class;
	at[1] = cmd;
	if (len)
		memcpy(at + 2, data, len);
	*ack = 0xee;
	assert_int_equal(vrig_request(&box->rig, queue, bufs, 2), 1);
	return *ack;
}

void nb_peer_send(struct net_box *box, const struct virtio_net_hdr_v1 *hdr, const void *frame,
		  size_t len)
{
	static const struct virtio_net_hdr_v1 none;
	struct iovec iov[2] = { { (void *)(hdr ? hdr : &none), NB_HDR }, { (void *)frame, len } };

	assert_int_equal(writev(box->peer, iov, 2), NB_HDR + len);
}

size_t nb_peer_receive(struct net_box *box, struct virtio_net_hdr_v1 *hdr, void *frame, size_t room)
{
	struct virtio_net_hdr_v1 unused;
	struct iovec iov[2] = { { hdr ? hdr : &unused, NB_HDR }, { frame, room } };
	uint64_t deadline = 0;
	ssize_t n;

	fcntl(box->peer, F_SETFL, fcntl(box->peer, F_GETFL) | O_NONBLOCK);
	while ((n = readv(box->peer, iov, 2)) < 0) {
		assert_int_equal(errno, EAGAIN);
		vrig_pause(&deadline, "a frame from the guest");
	}
	assert_true(n >= (ssize_t)NB_HDR);
	return (size_t)n - NB_HDR;
}

void nb_frame(void *to, const uint8_t *dst, const uint8_t *src, uint32_t tag, size_t len)
{
	static const uint8_t some[6] = { 0x02, 0, 0, 0, 0, 0x99 };
	uint8_t *p = to;

	memcpy(p, dst ? dst : some, 6);
	memcpy(p + 6, src ? src : some, 6);
	p[12] = 0x88; /* a protocol for experiments */
	p[13] = 0xb5;
	for (size_t i = 14; i < len; i++)
		p[i] = (uint8_t)(tag + i * 7 + (i >> 8));
}

static void put16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static size_t get16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* As RFC 1071 says it, byte by byte. */
static uint32_t sum16(uint32_t total, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		total += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static uint32_t pseudo(const uint8_t *ip, bool ipv6, uint8_t protocol, size_t len)
{
	uint8_t tail[4] = { 0, protocol };
	uint32_t total = ipv6 ? sum16(0, ip + 8, 32) : sum16(0, ip + 12, 8);

	put16(tail + 2, len);
	return sum16(total, tail, 4);
}

size_t nb_packet(void *to, struct virtio_net_hdr_v1 *hdr, const struct nb_packet *p, size_t payload)
{
	size_t l3 = p->vlan ? 18 : 14, l4 = l3 + (p->ipv6 ? 40 : 20), l4_len = p->udp ? 8 : 20;
	size_t data = l4 + l4_len, len = data + payload;
	uint8_t *f = to, *ip = f + l3, *t = f + l4;
	uint8_t protocol = p->udp ? 17 : 6;

	nb_frame(f, p->dst, p->src, 0, 14);
	if (p->vlan) {
		put16(f + 12, 0x8100);
		put16(f + 14, 5);
	}
	put16(f + l3 - 2, p->ipv6 ? 0x86dd : 0x0800);
	memset(ip, 0, data - l3);
	if (p->ipv6) {
		ip[0] = 0x60;
		put16(ip + 4, len - l3 - 40);
		ip[6] = protocol;
		ip[7] = 64;
		for (int i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(0xa0 + i);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, len - l3);
		put16(ip + 4, 0xfffe); /* wraps within a few segments */
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = protocol;
		memcpy(ip + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
		put16(ip + 10, (uint16_t)~sum16(0, ip, 20));
	}
	put16(t, 1234);
	put16(t + 2, 80);
	if (p->udp) {
		put16(t + 4, len - l4);
	} else {
		memcpy(t + 4, "\xff\xff\xff\x00", 4); /* wraps */
		t[12] = 0x50;
		t[13] = p->tcp_flags;
		put16(t + 14, 1000);
	}
	for (size_t i = 0; i < payload; i++)
		f[data + i] = (uint8_t)(i * 13 + (i >> 8));
	put16(t + (p->udp ? 6 : 16), pseudo(ip, p->ipv6, protocol, len - l4));
	*hdr = (struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					   .csum_start = (uint16_t)l4,
					   .csum_offset = p->udp ? 6 : 16 };
	if (p->gso_size) {
		hdr->gso_type = p->udp	  ? 5
				: p->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
					  : VIRTIO_NET_HDR_GSO_TCPV4;
		hdr->gso_size = p->gso_size;
		hdr->hdr_len = (uint16_t)data;
	}
	return len;
}

size_t nb_check_packet(const uint8_t *frame, size_t len, const uint8_t **payload)
{
	size_t l3 = get16(frame + 12) == 0x8100 ? 18 : 14, l4;
	const uint8_t *ip = frame + l3, *t;
	bool ipv6 = get16(frame + l3 - 2) == 0x86dd;
	uint8_t protocol = ipv6 ? ip[6] : ip[9];

	if (ipv6) {
		assert_int_equal(get16(ip + 4), len - l3 - 40);
		l4 = l3 + 40;
	} else {
		assert_int_equal(get16(ip + 2), len - l3);
		assert_int_equal(sum16(0, ip, 20), 0xffff);
		l4 = l3 + 20;
	}
	t = frame + l4;
	if (protocol == 17) {
		assert_int_equal(get16(t + 4), len - l4);
		assert_int_not_equal(get16(t + 6), 0);
	}
	assert_int_equal(sum16(pseudo(ip, ipv6, protocol, len - l4), t, len - l4), 0xffff);
	*payload = t + (protocol == 17 ? 8 : 20);
	return len - l4 - (protocol == 17 ? 8 : 20);
}

bool nb_own_network(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return access("/dev/net/tun", R_OK | W_OK) == 0;
	return false;
}

int nb_packet_socket(const char *interface)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}
