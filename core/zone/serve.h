/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_SERVE_H
#define HV_ZONE_SERVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "hypervisor/hypervisor.h"
#include "loop/loop.h"
#include "virtio/device.h"
#include "virtio/service.h"
#include "zone/spec.h"

/*
 * The virtio devices of zones, from their specification to the running device: which zones this
 * process serves, with what, and where. The bridge is taken with the first device, so that a
 * process without one touches nothing.
 *
 * A zone's life: open (images opened and locked, TAPs made: whatever can fail for reasons outside
 * the hypervisor) → attach (its RAM mapped, its windows answered) → the zone starts … stops → drop.
 * Windows without a device answer as empty virtio slots; devices may come and go
 * in them while the zone runs. main thread, all of it.
 */
struct hv_serve;
struct hv_zone;
struct hv_device_slot;

struct hv_served {
	/* read only for others */
	uint64_t serial; /* of this device alone, in the life of this process */
	uint32_t zone;
	const char *zone_name;
	const char *name; /* "root" */
	const char *type; /* "blk" */
	uint64_t at, size;
	uint32_t irq;
	struct hv_vdev dev; /* its name is "linux1/root" */

	/* private */
	struct hv_serve *serve;
	uint64_t config; /* digest of its specification */
	struct hv_arena *arena;
	struct hv_post input;
	struct hv_served *next;
};

/*
 * Called in the loop. message: NULL, or what the log has of it. The device is there during the
 * call.
 */
typedef void hv_served_event_fn(struct hv_served *dev, enum hv_vdev_event event,
				const char *message, void *arg);

/*
 * Called for each device that ends, before it is freed and in the midst of what ends it: looks at
 * nothing else here, changes nothing, and calls nobody who might. What is to be done about it waits
 * for the next round of the loop.
 */
typedef void hv_served_ended_fn(const struct hv_served *dev, void *arg);

/*
 * Called for each device that was made from a specification, before it is in any window: what is
 * done here is done before the guest's first request. -errno and a message that begins with the
 * device's name: there is no such device. It may use hv_serve_by_serial, and changes no zone.
 */
typedef int hv_served_made_fn(struct hv_served *dev, const struct hv_spec_device *spec, void *arg,
			      struct hv_err *err);

struct hv_serve_opts {
	const char *lock_path;	   /* as hv_service_opts; copied; NULL = none */
	struct hv_loop *loop;	   /* outlives it */
	hv_served_event_fn *event; /* may be NULL */
	hv_served_ended_fn *ended; /* may be NULL */
	hv_served_made_fn *made;   /* may be NULL */
	void *event_arg;	   /* of all three */
	/*
	 * Nothing of this machine is changed: disks forget what is written, networks are
	 * joined to switches inside, consoles have neither log file nor pty.
	 */
	bool harmless;
	/*
	 * Where what outlives this process is kept (as hv_service_opts; copied; NULL = nowhere).
	 * With it hv_serve_free leaves the devices to the next service.
	 */
	const char *state_dir;
};

int hv_serve_new(struct hv_hyp *hyp, const struct hv_serve_opts *opts, struct hv_serve **serve,
		 struct hv_err *err);
/*
 * Drops all zones, flushes and closes their devices, gives the bridge back. Where state is
 * kept their drivers notice nothing, and wait for the next service. NULL is fine.
 */
void hv_serve_free(struct hv_serve *serve);

/*
 * A zone to be served. cpus 0 = not known (the old tool's virtio files do not say). Its RAM is
 * copied, as are the strings of its slots.
 */
struct hv_serve_zone {
	uint32_t id;
	const char *name;
	uint64_t cpus;
	unsigned int n_ram;
	const struct hv_vzone_ram *ram;
	size_t n_slots;
	const struct hv_device_slot *slots;
	bool standing; /* somebody else starts and stops it: it is served whether it runs or not */
};

/*
 * -EBUSY: another process serves this machine, or holds an image; -EEXIST: the zone is served
 * already. On failure nothing is left open.
 */
int hv_serve_open(struct hv_serve *serve, const struct hv_serve_zone *zone, struct hv_err *err);
/* The same for a resolved zone. */
int hv_serve_open_zone(struct hv_serve *serve, const struct hv_zone *zone, struct hv_err *err);
/* -ENOENT: not opened; what mapping its RAM answers. The zone stays open on failure. */
int hv_serve_attach(struct hv_serve *serve, uint32_t zone, struct hv_err *err);
/*
 * The same for a zone that ran before this service did. life: of its record. 1: its devices go on
 * where another service left them; 0: none had left anything, and they begin anew, as after a
 * reset; -EBADMSG, -ESTALE: what was left cannot be used, as the message says. With all errors
 * nothing is attached. What was left then stays for another service, and the zone's CPUs wait where
 * they ask for such a device (hv_serve_waits); but nothing is kept, and nobody waits, when it was
 * the beginning anew that failed.
 */
int hv_serve_adopt(struct hv_serve *serve, uint32_t zone, uint64_t life, struct hv_err *err);
/* The number that tells this start of the zone from others, for its record; 0 = there is none. */
uint64_t hv_serve_life(const struct hv_serve *serve, uint32_t zone);
/* Its devices are flushed, closed and freed. After the zone has stopped. Unknown zones are fine. */
void hv_serve_drop(struct hv_serve *serve, uint32_t zone);
/*
 * The same before it has stopped: what hv_serve_adopt took up is left to the next service, or to
 * the next hv_serve_adopt, and the zone's CPUs wait (true). Otherwise drops it (false).
 */
bool hv_serve_give_up(struct hv_serve *serve, uint32_t zone);
/*
 * The zone has stopped, served here or not: what an earlier service left of it is of no use any
 * more, and what it had switched on is switched off.
 */
void hv_serve_gone(struct hv_serve *serve, uint32_t zone);
/* All zones that run: with what is kept of others, not served here, it is the same. */
void hv_serve_running(struct hv_serve *serve, const struct hv_zone_info *zones, int n);
/*
 * Devices of this zone (0: of any) are kept that are not taken up: unless it is served, its CPUs
 * wait where they ask for them, until hv_serve_running or hv_serve_gone say that it has ended.
 */
bool hv_serve_waits(const struct hv_serve *serve, uint32_t zone);

/* Opened or attached. */
bool hv_serve_has(const struct hv_serve *serve, uint32_t zone);
/* Attached, and started by who serves it: when it does not run, it has ended. */
bool hv_serve_expects(const struct hv_serve *serve, uint32_t zone);
/*
 * Whether a zone served here is listed as crashed: true when that is news, once in its life. False
 * for others.
 */
bool hv_serve_crashed(struct hv_serve *serve, uint32_t zone, bool crashed);
/* The zone with the lowest id above `after`; false when there is none. */
bool hv_serve_next_zone(const struct hv_serve *serve, uint32_t after, uint32_t *zone);
/* "?" for one that is not served. */
const char *hv_serve_zone_name(const struct hv_serve *serve, uint32_t zone);
/* Of devices. */
unsigned int hv_serve_count(const struct hv_serve *serve);

/* Devices in the order they were made; prev NULL = the first one. */
struct hv_served *hv_serve_next(const struct hv_serve *serve, const struct hv_served *prev);
struct hv_served *hv_serve_find(const struct hv_serve *serve, uint32_t zone, const char *name);
struct hv_served *hv_serve_by_serial(const struct hv_serve *serve, uint64_t serial);

/*
 * While the zone is served: makes a device and attaches it to the planned window that spec->at
 * names, or to the first one without a device. -ENOENT: the zone is not served; -ENOSPC: no window
 * is free; -EEXIST: the name is taken; -EINVAL: no window was planned there.
 */
int hv_serve_add(struct hv_serve *serve, uint32_t zone, const struct hv_spec_device *spec,
		 struct hv_served **dev, struct hv_err *err);
/* Detaches, flushes and frees; its window is free then. */
void hv_serve_remove(struct hv_served *dev);

/* Zeroes before the bridge is taken. Any thread. */
void hv_serve_stats(struct hv_serve *serve, struct hv_service_stats *out);

#endif
