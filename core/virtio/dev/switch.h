/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_SWITCH_H
#define HV_VIRTIO_DEV_SWITCH_H

#include <stdint.h>

#include "base/err.h"
#include "virtio/dev/net_frame.h"

/*
 * A learning Ethernet switch inside the service: zones talk without a bridge
 * of the host. Frames are handed from the sender's thread straight to the receiver, who copies
 * them into its guest's buffers or drops and counts them; nobody waits for anybody.
 *
 * The address a port was made with is its own: it is known from the start, does not age, and
 * frames that carry it from another port are dropped. Other addresses are learned, at most
 * HV_SWITCH_LEARNED of them per port, and forgotten after five minutes of silence. What goes to
 * everybody (broadcast, multicast, unknown) is limited per port.
 */
#define HV_SWITCH_PORTS 32
#define HV_SWITCH_LEARNED 256
#define HV_SWITCH_FLOOD_PER_SECOND 20000
#define HV_SWITCH_AGE UINT64_C(300000000000) /* ns */

struct hv_switch;
struct hv_switch_port;

struct hv_switch_port_ops {
	/*
	 * On the sender's thread: take the frame or drop and count it, without waiting for anything
	 * but a short lock. lane: the same for all frames of a flow, to choose among queues.
	 * scratch: HV_FRAME_MAX bytes to use during the call.
	 */
	void (*deliver)(void *arg, unsigned int lane, const struct hv_frame *frame,
			uint8_t *scratch);
	/* On the sender's thread: the burst that delivered to this lane is over. */
	void (*flush)(void *arg, unsigned int lane);
};

/* The name is copied. main thread. */
int hv_switch_new(const char *name, struct hv_switch **sw, struct hv_err *err);
/* A switch lives until its maker and all its ports have let it go. main thread. */
void hv_switch_put(struct hv_switch *sw);
const char *hv_switch_name(const struct hv_switch *sw);

/*
 * -EEXIST: another port has that address (named in the message); -ENOSPC: all ports taken. name
 * lives as long as the port. main thread.
 */
int hv_switch_join(struct hv_switch *sw, const char *name, const uint8_t mac[6],
		   const struct hv_switch_port_ops *ops, void *arg, struct hv_switch_port **port,
		   struct hv_err *err);
/* Waits for bursts that may be delivering to it; afterwards nothing calls it. main thread. */
void hv_switch_leave(struct hv_switch_port *port);

/*
 * A few frames from one port, at most some dozens between begin and end. A burst is one
 * thread's; bursts of several threads, also from the same port, go on at once.
 */
struct hv_switch_burst {
	struct hv_switch_port *port;
	uint8_t *scratch;
	uint64_t now;
	unsigned int lane;
	uint32_t touched; /* ports that were given something */
};
/* now: CLOCK_MONOTONIC ns. */
void hv_switch_begin(struct hv_switch_burst *burst, struct hv_switch_port *port, unsigned int lane,
		     uint8_t *scratch, uint64_t now);
/* A frame that hv_frame_check has passed; its first 14 bytes are in iov[0], private. NULL, or why
 * it was dropped. */
const char *hv_switch_send(struct hv_switch_burst *burst, const struct hv_frame *frame);
void hv_switch_end(struct hv_switch_burst *burst);

struct hv_switch_stats {
	uint64_t forwarded;	     /* frames sent to one port */
	uint64_t flooded;	     /* frames sent to all */
	uint64_t limited;	     /* floods over the limit */
	uint64_t spoofed;	     /* frames with another port's own address */
	unsigned int ports, learned; /* now */
};
void hv_switch_stats(struct hv_switch *sw, struct hv_switch_stats *out);

#endif
