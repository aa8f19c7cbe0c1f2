/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_RNG_H
#define HV_VIRTIO_DEV_RNG_H

#include "base/err.h"
#include "base/origin.h"
#include "virtio/device.h"

/*
 * virtio-rng (virtio 1.2, 5.4): random bytes of the host's kernel. dev is zeroed, and ended by
 * hv_vdev_destroy. dev->limit counts buffers and bytes. main thread.
 */
int hv_rng_init(struct hv_vdev *dev, const char *name, const struct hv_origin *origin,
		struct hv_err *err);

#endif
