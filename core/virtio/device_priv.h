/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEVICE_PRIV_H
#define HV_VIRTIO_DEVICE_PRIV_H

#include "virtio/device.h"

/*
 * Between a device's registers (register.c) and its lives (device.c). All with the device's lock
 * held but for hv_vdev_tell.
 */

/* Calls the event function, if there is one. */
void hv_vdev_tell(struct hv_vdev *dev, enum hv_vdev_event what, const char *message);

/*
 * The workers (bit each), and those who still owe an acknowledgement, are to settle what the
 * registers now say.
 */
void hv_vdev_want(struct hv_vdev *dev, uint32_t workers);
uint32_t hv_vdev_all_workers(const struct hv_vdev *dev);

#define HV_NO_CPU 32

/*
 * Status = 0, and the end of one queue. Return true when the workers have to acknowledge it first:
 * then cpu (unless HV_NO_CPU) is remembered and released by the last of them.
 */
bool hv_vdev_begin_reset(struct hv_vdev *dev, unsigned int cpu);
bool hv_vdev_end_queue(struct hv_vdev *dev, struct hv_vq *vq, unsigned int cpu);

#endif
