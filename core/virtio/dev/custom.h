/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_CUSTOM_H
#define HV_VIRTIO_DEV_CUSTOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"
#include "virtio/ask.h"
#include "virtio/device.h"

/*
 * A device whose model is somebody slower: a script. Each buffer of a request queue becomes a
 * question on the device's desk, and is given back to the guest with the answer, in the order of
 * the answers; buffers of a receive queue are filled with what hv_custom_send brings.
 *
 * Questions: `kind` is the queue, `at` the life they belong to, `data` what the guest has written,
 * `room` how much it has room for. HV_ANSWER_ALLOW gives the buffer back with `data`;
 * HV_ANSWER_DENY, and no answer in time, is DEVICE_NEEDS_RESET. Questions of a life that has ended
 * are forgotten.
 *
 * HV_EV_INPUT says that there is something to be looked at: a question, or a write of the driver's
 * to the configuration. HV_EV_READY, _RESET and _BROKEN: the life is another one.
 */
#define HV_CUSTOM_QUEUES 8    /* each with an I/O thread of its own */
#define HV_CUSTOM_CONFIG 256u /* bytes */
#define HV_CUSTOM_REQUEST HV_DESK_DATA_MAX
/* Feature bits of a device type (virtio 1.2, 2.2). */
#define HV_CUSTOM_FEATURES UINT64_C(0xfffc000000ffffff)

struct hv_custom_queue {
	uint16_t size; /* a power of two */
	bool receive;
};

struct hv_custom_opts {
	struct hv_origin origin;
	uint32_t id; /* virtio device id */
	uint64_t features;
	const uint8_t *config; /* copied */
	size_t config_size;
	bool config_writable; /* by the driver */
	unsigned int n_queues;
	const struct hv_custom_queue *queues;
	unsigned int requests; /* with the answering side at a time; of a receive queue: what waits
				  for the guest */
	size_t max_request;    /* bytes of a request, and of an answer */
	size_t memory;	       /* bytes of all requests and answers, and as many of what is sent */
	uint64_t timeout_ns;   /* for an answer */
	const char *model;     /* the answering side's name for it; copied */
};

/*
 * dev is zeroed, and ended by hv_vdev_destroy. -EINVAL: what cannot be, as the message says. main
 * thread.
 */
int hv_custom_init(struct hv_vdev *dev, const char *name, const struct hv_custom_opts *opts,
		   struct hv_err *err);

/* All below: the answering thread. */
struct hv_desk *hv_custom_desk(struct hv_vdev *dev);
const char *hv_custom_model(struct hv_vdev *dev);

struct hv_custom_life {
	uint64_t n;	   /* another one after each reset */
	bool running;	   /* the driver has said DRIVER_OK */
	bool broken;	   /* and nothing is served until it resets the device */
	uint64_t features; /* accepted */
};
void hv_custom_life(struct hv_vdev *dev, struct hv_custom_life *life);

/* The model has failed in this life: DEVICE_NEEDS_RESET; nothing when that life is over. */
void hv_custom_fail(struct hv_vdev *dev, uint64_t life, const char *why);

/* Returns how many bytes it has. to: NULL, or room for HV_CUSTOM_CONFIG. */
size_t hv_custom_config(struct hv_vdev *dev, void *to);
/* With a new generation and an interrupt. -ERANGE: beyond its end. */
int hv_custom_set_config(struct hv_vdev *dev, size_t at, const void *bytes, size_t len,
			 struct hv_err *err);
/*
 * The driver's oldest write to the configuration that was not asked for yet; false = none. Where it
 * writes faster than somebody asks, the whole configuration counts as written. bytes: room for
 * HV_CUSTOM_CONFIG.
 */
bool hv_custom_written(struct hv_vdev *dev, size_t *at, void *bytes, size_t *len);

/*
 * For the next buffer of a receive queue; copied. -EAGAIN: the driver is not there, or too much
 * waits for it; -EINVAL: no such queue; -EMSGSIZE: over max_request. A buffer that has no room for
 * it is DEVICE_NEEDS_RESET.
 */
int hv_custom_send(struct hv_vdev *dev, unsigned int queue, const void *bytes, size_t len,
		   struct hv_err *err);

#endif
