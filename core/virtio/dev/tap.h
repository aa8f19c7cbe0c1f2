/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_TAP_H
#define HV_VIRTIO_DEV_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <net/if.h>

#include "base/err.h"

/*
 * A TAP of the host: found or made, with a virtio header before every frame, joined to a bridge,
 * brought up. main thread, but for hv_tap_offload and hv_tap_queue, which the caller serializes.
 */
#define HV_TAP_QUEUES 7

struct hv_tap_opts {
	const char *name;
	const char *bridge;  /* NULL = none; made when it is missing, and then left in place */
	unsigned int queues; /* 1..HV_TAP_QUEUES */
	uint16_t mtu;	     /* 0 = what it has */
};

struct hv_tap {
	char name[IFNAMSIZ];
	bool made; /* by us: it goes away with the last descriptor */
	unsigned int n;
	int fd[HV_TAP_QUEUES];
	uint16_t mtu;
	uint64_t offloads; /* the GUEST_* and HOST_* feature bits it can do */
};

/*
 * -EPERM without CAP_NET_ADMIN, -EBUSY in use, -EINVAL a bad name, an MTU or number of queues that
 * an existing TAP does not have, -EEXIST a device that is no TAP, -ENODEV no TUN driver.
 */
int hv_tap_open(const struct hv_tap_opts *opts, struct hv_tap *tap, struct hv_err *err);
/*
 * Takes over descriptors that somebody with more rights has opened (IFF_TAP, IFF_NO_PI,
 * IFF_VNET_HDR): they are closed with the TAP. Ones that know no offloads serve without them.
 */
void hv_tap_adopt(struct hv_tap *tap, const int *fds, unsigned int n, uint16_t mtu);
void hv_tap_close(struct hv_tap *tap);

/* The kernel may hand out frames with what these features (GUEST_*) allow, and no others. */
int hv_tap_offload(const struct hv_tap *tap, uint64_t features, struct hv_err *err);
/* Takes a queue out of use or back. A queue out of use gets no frames, and may answer EBADFD. */
int hv_tap_queue(const struct hv_tap *tap, unsigned int index, bool on, struct hv_err *err);

#endif
