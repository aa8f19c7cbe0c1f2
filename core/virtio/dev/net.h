/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_NET_H
#define HV_VIRTIO_DEV_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"
#include "virtio/dev/switch.h"
#include "virtio/device.h"

/*
 * virtio-net (virtio 1.2, 5.1) on a TAP of the host or on a switch inside the service. One I/O
 * thread per pair of queues.
 *
 * On a TAP nothing is lost here: frames wait in the TAP while the guest has no buffers, and
 * in the guest's queue while the TAP takes none. On a switch a receiver without buffers loses the
 * frame and counts it; the sender never waits. Frames with offloads that a receiver on
 * the switch did not agree to are cut and checksummed in software for it.
 *
 * With limits (hv_limit_set on dev->limit), operations are frames, both directions together.
 */
#define HV_NET_PAIRS 7 /* HV_VDEV_QUEUES hold as many, and the control queue */
#define HV_NET_QUEUE_SIZE 512
#define HV_NET_MTU 1500
#define HV_NET_MTU_MIN 68

struct hv_net_opts {
	struct hv_origin origin;
	/* One of tap, sw, fds. */
	const char *tap;      /* found or made */
	const char *bridge;   /* with tap: joined to it; NULL = none */
	struct hv_switch *sw; /* the device holds on to it */
	const int *fds;	    /* a TAP's queues, opened by somebody else; the device closes them, also
			       when init fails */
	unsigned int n_fds; /* = pairs */
	bool has_mac;
	uint8_t mac[6];	    /* otherwise derived from the device's name: the same at every start */
	uint16_t mtu;	    /* 0 = the TAP's, or HV_NET_MTU */
	unsigned int pairs; /* 1..HV_NET_PAIRS; 0 = 1 */
	unsigned int queue_size; /* a power of two up to HV_QUEUE_MAX; 0 = HV_NET_QUEUE_SIZE */
};

/*
 * Opens or makes the TAP, or joins the switch, and prepares dev (zeroed), which hv_vdev_destroy
 * ends; a TAP that was made goes away then. A refusal names device and script line. main thread.
 */
int hv_net_init(struct hv_vdev *dev, const char *name, const struct hv_net_opts *opts,
		struct hv_err *err);

/* "52:54:00:12:34:56". -EINVAL: not an address, or not one a device can have (group, zero). */
int hv_mac_parse(const char *text, uint8_t mac[6], struct hv_err *err);
#define HV_MAC_TEXT 18
const char *hv_mac_format(const uint8_t mac[6], char out[HV_MAC_TEXT]);
/* The address, a locally administered one, of a device of that name ("linux1/eth0") without `mac`. */
void hv_mac_derive(const char *name, uint8_t mac[6]);

/*
 * The cable: without it frames are dropped and counted both ways, and a guest that asked to
 * know sees the link go down; when it is back the guest is asked to announce itself. A TAP that has
 * vanished keeps the link down. main thread.
 */
void hv_net_set_link(struct hv_vdev *dev, bool up);

struct hv_net_info {
	const char *tap; /* NULL on a switch */
	const char *sw;	 /* NULL on a TAP */
	bool made;	 /* the TAP, by us */
	bool link, gone; /* gone: the TAP has vanished */
	uint8_t mac[6];	 /* as the guest has set it */
	uint16_t mtu;
	unsigned int pairs, active; /* active: in use by the guest */
	uint64_t stalls;	    /* times the TAP would take no frame */
	uint64_t software;	    /* frames cut or checksummed here */
};
/* Any thread. The strings live as long as the device. */
void hv_net_info(struct hv_vdev *dev, struct hv_net_info *info);

#endif
