/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_TAP_LINK_H
#define HV_VIRTIO_DEV_TAP_LINK_H

#include <stdint.h>

#include "base/err.h"

/* What a TAP needs of the host's network devices, by name. main thread. */

int hv_link_mtu(const char *name, unsigned int *mtu, struct hv_err *err);
int hv_link_set_mtu(const char *name, unsigned int mtu, struct hv_err *err);
/* Brings it up; does nothing (and needs no rights) when it is. */
int hv_link_up(const char *name, struct hv_err *err);
/*
 * Makes it a port of the bridge; does nothing when it is one. A bridge that is missing is made,
 * brought up and left in place, with a line in the log. -EBUSY: it is a port of another bridge.
 */
int hv_link_join(const char *name, const char *bridge, struct hv_err *err);

#endif
