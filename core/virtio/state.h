/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_STATE_H
#define HV_VIRTIO_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/bridge.h"
#include "base/err.h"
#include "virtio/queue.h"

/*
 * What of a device outlives the process that serves it: its registers, and how far its queues are
 * (docs/restart.md). A file per device in a folder of the service's, mapped as long as the
 * device is attached, named after zone and window: "1-a003c00-200".
 *
 * Registers change seldom: they are written whole, with a checksum, over the older of two
 * copies. A queue's part changes with each chain: its I/O thread stores into it as it goes. What
 * a type has room for is its own. Nothing read back is trusted.
 */
struct hv_vdev;
struct hv_state;

#define HV_STATE_EXTRA 1024		  /* bytes a type may keep with the registers */
#define HV_STATE_ROOM (UINT32_C(4) << 20) /* bytes it may have for itself */

/* Whose state it is: all of it has to fit for it to be used. */
struct hv_state_id {
	uint64_t life; /* of the zone: another one with each start; 0 = is not known, never fits */
	uint64_t at, size; /* register window */
	uint64_t config;   /* digest of how the device is set up on the host's side */
	uint32_t zone, irq;
};

/*
 * A new one, which replaces any there is. The folder is made when missing (0700). The device is
 * initialised, not attached yet; dev->kept is set and read by hv_vdev_attach.
 */
int hv_state_create(const char *dir, const struct hv_state_id *id, struct hv_vdev *dev,
		    struct hv_err *err);
/*
 * The one another process left: dev->kept is set, and hv_vdev_attach takes it up. -ENOENT: there is
 * none of this life of the zone; -EBADMSG: it is damaged, or another version's; -ESTALE: it is of
 * another setup; -ESTALE, -EINVAL: it does not fit the guest's rings. The file stays.
 */
int hv_state_open(const char *dir, const struct hv_state_id *id, struct hv_vdev *dev,
		  const struct hv_gmem *mem, struct hv_err *err);
/*
 * What a device of this type keeps there, without a device to take it up, in whatever life of the
 * zone; of id only zone and window count. -ENOENT: there is none of this type; -EBADMSG as above.
 */
int hv_state_read(const char *dir, const struct hv_state_id *id, uint32_t device_id, void *extra,
		  size_t size, struct hv_err *err);
/* Lets go of it: remove = the file goes as well. NULL is fine. */
void hv_state_close(struct hv_state *state, bool remove);
/* Removes those of a zone. What cannot be removed is never used: see life. */
void hv_state_forget(const char *dir, uint32_t zone);
/* Calls fn for each file's name in the folder, which need not exist. */
void hv_state_each(const char *dir,
		   void (*fn)(void *arg, uint32_t zone, uint64_t at, uint64_t size), void *arg);

/* ---- for the device (device.c, register.c): its lock held */

/* Writes the registers. kept NULL: does nothing. */
void hv_state_save(struct hv_vdev *dev);
/* Takes the registers over; what was being reset is reset. */
void hv_state_restore(struct hv_vdev *dev);
/* As it is kept, a driver is served. NULL: false. No lock. */
bool hv_state_has_driver(const struct hv_state *state);
/* It was opened, not made. */
bool hv_state_is_adopted(const struct hv_state *state);
/* Of a queue. NULL when state is. */
struct hv_queue_keep *hv_state_queue(struct hv_state *state, unsigned int queue);
/* The ops->kept_room bytes of its type: zeroes at first. NULL when state is; no lock. */
void *hv_state_room(struct hv_state *state);
/* Its interrupt status, at least; any thread, no lock. */
void hv_state_raise(struct hv_state *state, uint32_t cause);
void hv_state_lower(struct hv_state *state, uint32_t cause);
/* How often its interrupt was injected, and not acknowledged. NULL when state is. */
uint32_t *hv_state_injected(struct hv_state *state);

/* ---- the bridge: register requests that are taken and not answered */

struct hv_state_bridge;

/* Opens or makes it. A damaged one is as good as an empty one, and said. */
int hv_state_bridge_open(const char *dir, struct hv_state_bridge **bridge, struct hv_err *err);
void hv_state_bridge_close(struct hv_state_bridge *bridge);
/* A CPU's request, before the ring forgets it. flag: that CPU's in the page, which the answer
 * changes. */
void hv_state_bridge_keep(struct hv_state_bridge *bridge, unsigned int cpu,
			  const struct hv_bridge_req *req, uint64_t flag);
/* The request a CPU still waits for an answer to, if its flag is as it was. */
bool hv_state_bridge_owed(const struct hv_state_bridge *bridge, unsigned int cpu, uint64_t flag,
			  struct hv_bridge_req *req);

#endif
