/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_STATE_PRIV_H
#define HV_VIRTIO_STATE_PRIV_H

#include <assert.h>
#include <stddef.h>

#include "virtio/device.h"
#include "virtio/state.h"

/* Private to state*.c and what tests them: the files' layout. This machine's byte order. */
#define STATE_MAGIC UINT64_C(0x5645445653485648) /* "HVHSVDEV" */
#define STATE_BRIDGE_MAGIC UINT64_C(0x4744524253485648)
#define STATE_VERSION 2
#define STATE_BRIDGE_VERSION 1

struct state_header {
	uint64_t magic;
	uint32_t version, size; /* of the file */
	uint64_t life, at, window, config;
	uint32_t zone, irq;
	uint32_t device_id, n_queues;
	uint64_t sum; /* of what is before it */
};

struct state_queue {
	uint64_t desc, avail, used;
	uint16_t num;
	uint8_t ready, ending;
	uint32_t pad;
};

struct state_regs {
	uint64_t seq; /* the larger one is the newer copy */
	uint64_t driver_features, features;
	uint32_t status, features_sel, driver_features_sel, queue_sel;
	uint32_t config_generation, resetting;
	uint32_t extra_size, pad;
	struct state_queue queues[HV_VDEV_QUEUES];
	uint8_t extra[HV_STATE_EXTRA];
	uint64_t sum;
};

struct state_file {
	struct state_header header;
	struct state_regs regs[2];
	uint32_t interrupt_status, injected;
	struct hv_queue_keep queues[HV_VDEV_QUEUES];
	/* ops->kept_room bytes follow */
};

struct state_waiter {
	struct hv_bridge_req req;
	uint64_t flag;
	uint64_t sum;
};

struct state_bridge_file {
	uint64_t magic;
	uint32_t version, size;
	struct state_waiter waiters[HV_BRIDGE_CPUS];
};

static_assert(sizeof(struct state_header) % 8 == 0 && sizeof(struct state_regs) % 8 == 0 &&
		      sizeof(struct state_waiter) % 8 == 0,
	      "summed up in words, no padding at the end");
static_assert(sizeof(struct state_file) % 8 == 0, "room behind it is aligned");
static_assert(sizeof(struct state_queue) == 32 && offsetof(struct state_file, queues) % 8 == 0,
	      "no implicit padding");

/*
 * state_file.c. The folder, made when missing; a file that is made under another name, mapped, and
 * put into place when it is whole; and one that is there: it has *size bytes at least, at most
 * `more` others, and *size is what it has (-ENOENT, -EBADMSG).
 */
int state_make_dir(const char *dir, struct hv_err *err);
int state_make_file(const char *path, size_t size, void **at, struct hv_err *err);
int state_place_file(const char *path, struct hv_err *err);
int state_open_file(const char *path, size_t *size, size_t more, void **at, struct hv_err *err);

/* Against torn and edited files, not against an adversary. size: a multiple of 8. */
static inline uint64_t state_sum(const void *bytes, size_t size)
{
	const uint64_t *word = bytes;
	uint64_t sum = UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < size / sizeof(*word); i++) {
		sum = (sum ^ word[i]) * UINT64_C(0xff51afd7ed558ccd);
		sum ^= sum >> 32;
	}
	return sum;
}

#endif
