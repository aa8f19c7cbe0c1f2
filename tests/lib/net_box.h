/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_NET_BOX_H
#define TESTS_LIB_NET_BOX_H

#include <linux/virtio_net.h>

#include "vrig.h"

#include "virtio/dev/net.h"

/*
 * A network device in a rig. What is behind it is a socket pair that stands for a TAP (a message is
 * a virtio header and a frame, in both directions), a TAP, or a switch.
 */
#define NB_HDR sizeof(struct virtio_net_hdr_v1)
#define NB_RX 0
#define NB_TX 1
#define NB_CTRL 2

struct net_box {
	struct hv_vdev dev;
	struct vrig rig;
	int peer; /* the far end of the socket pair; -1 = none */
	/* events the device reported */
	_Atomic unsigned int errors, links, broken;
	char message[256]; /* of the last error */
};

/* The name says where in the script it is: "boot.lua:7: devices.eth0". */
void nb_open(struct net_box *box, const struct hv_net_opts *opts, size_t mem);
/* On a socket pair of this type (SOCK_SEQPACKET ends when its peer closes). */
void nb_open_pair(struct net_box *box, int type);
void nb_close(struct net_box *box);

/* Posts a receive buffer; not shown before a kick. Returns its address. */
uint8_t *nb_post(struct net_box *box, unsigned int queue, uint32_t len, int *head);
/* Sends a frame behind a header (NULL = zero) and waits until the device has taken it. */
void nb_send(struct net_box *box, unsigned int queue, const struct virtio_net_hdr_v1 *hdr,
	     const void *frame, size_t len);
/* The same without waiting; returns the head. */
int nb_add(struct net_box *box, unsigned int queue, const struct virtio_net_hdr_v1 *hdr,
	   const void *frame, size_t len);
/* One control command; returns what the device answered. */
uint8_t nb_ctrl(struct net_box *box, unsigned int queue, uint8_t class, uint8_t cmd,
		const void *data, size_t len);

/* The far end of the socket pair. */
void nb_peer_send(struct net_box *box, const struct virtio_net_hdr_v1 *hdr, const void *frame,
		  size_t len);
/* Waits for a message; returns the frame's length. */
size_t nb_peer_receive(struct net_box *box, struct virtio_net_hdr_v1 *hdr, void *frame,
		       size_t room);

/*
 * Frames of the tests: an Ethernet header (to, from; NULL = some address) and bytes that show which
 * one it is. len includes the header.
 */
void nb_frame(void *to, const uint8_t *dst, const uint8_t *src, uint32_t tag, size_t len);
/*
 * TCP or UDP over IPv4 or IPv6 with `payload` bytes, its checksum left to do (the pseudo header's
 * sum is in place) and hdr set accordingly; gso_size 0 = not to be cut. Returns the frame's length.
 */
struct nb_packet {
	bool ipv6, udp;
	bool vlan;
	uint16_t gso_size;
	uint8_t tcp_flags;
	const uint8_t *dst, *src; /* MAC addresses; NULL = some */
};
size_t nb_packet(void *to, struct virtio_net_hdr_v1 *hdr, const struct nb_packet *p,
		 size_t payload);
/*
 * Checks lengths and checksums of a plain TCP or UDP frame, ending the test when one is wrong;
 * returns the payload's length and where it begins.
 */
size_t nb_check_packet(const uint8_t *frame, size_t len, const uint8_t **payload);

/*
 * A network namespace of this process's own with rights to make devices in it, for TAPs. False
 * where that is not to be had.
 */
bool nb_own_network(void);
/* A packet socket on an interface: all frames the host sees there. */
int nb_packet_socket(const char *interface);

#endif
