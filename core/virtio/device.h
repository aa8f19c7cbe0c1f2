/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEVICE_H
#define HV_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"
#include "virtio/limit.h"
#include "virtio/queue.h"
#include "virtio/stats.h"
#include "virtio/worker.h"

/*
 * A virtio device: registers (virtio-mmio version 2, 4.2.2), queues and
 * workers, the same for every type; the type is an ops table (dev/blk.c …).
 *
 * Threads. main: create, attach, detach, limits, config changes. bridge: the registers, never
 * blocks. I/O (worker): the queues from ready to reset. The registers are guarded by `lock`, held
 * for a few instructions; queues belong to their worker; counters have one writer each.
 *
 * A write that ends a life (Status = 0, QueueReady = 0) is answered when every
 * worker has acknowledged it: the waiting CPUs are remembered in the device and
 * released by the last acknowledgement, so the bridge thread goes on at once and
 * the guest never sees completions of the old life in new rings.
 */
struct hv_vdev;
struct hv_state;

/*
 * Where a device is plugged in: what it needs of its zone. The service gives one to
 * each zone; tests and fuzzers bring their own. Both calls from any thread; neither blocks nor
 * calls back into the device.
 */
struct hv_vbus {
	const struct hv_gmem *mem; /* constant while anything is attached */
	const char *zone;	   /* its name, for messages */
	/*
	 * Once per InterruptStatus bit that goes from 0 to 1, and not again before the guest has
	 * acknowledged it: the line is level. May be called with the device's lock held.
	 */
	void (*interrupt)(const struct hv_vbus *bus, uint32_t irq);
	/* A deferred register write is done: let that CPU go. The device's lock is held. */
	void (*release)(const struct hv_vbus *bus, unsigned int cpu);
	void *arg;
};

#define HV_VDEV_QUEUES 16
#define HV_VDEV_WORKERS 8

/* Feature bits common to all devices (6). */
#define HV_F_INDIRECT_DESC 28
#define HV_F_EVENT_IDX 29
#define HV_F_VERSION_1 32
#define HV_F_RING_RESET 40
#define HV_FEATURE(bit) (UINT64_C(1) << (bit))

struct hv_vdev_ops {
	const char *type;   /* "blk" */
	uint32_t device_id; /* virtio device id (5) */
	size_t config_size; /* bytes; reads beyond are zero, writes beyond are ignored */
	/* bridge thread, device lock held: may not block. NULL write = read-only config. */
	void (*config_read)(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len);
	void (*config_write)(struct hv_vdev *dev, unsigned int off, const void *from,
			     unsigned int len);
	/* Optional; any thread, device lock held: a life has ended, started or not; config goes
	 * back to its defaults. */
	void (*reset)(struct hv_vdev *dev);
	/*
	 * I/O thread, after DRIVER_OK with the negotiated features in dev->features and the
	 * worker's queues started. -errno with a message = DEVICE_NEEDS_RESET; it has undone what
	 * it did. Not called for a worker none of whose queues the driver uses.
	 */
	int (*start)(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err);
	/*
	 * I/O thread: a bounded turn over the worker's queues and backend. Returns
	 * > 0 when something was done, 0 when idle. A queue that comes out broken breaks the device
	 * without the type's help; for other reasons the type calls hv_vdev_broken.
	 */
	int (*work)(struct hv_vdev *dev, struct hv_worker *w);
	/*
	 * Optional. I/O thread, instead of work while the device is paused: answers what was in
	 * flight and has ended, takes nothing on. true while there is more in flight: then it is
	 * called again when the backend's descriptors say so.
	 */
	bool (*drain)(struct hv_vdev *dev, struct hv_worker *w);
	/*
	 * Optional. I/O thread: has the backend something for work by now? Asked again and again
	 * while the worker polls for the guest, so it must cost next to nothing: no system call.
	 */
	bool (*ready)(struct hv_vdev *dev, struct hv_worker *w);
	/*
	 * I/O thread: wait for everything in flight and complete it, or unpop it; queues are
	 * stopped afterwards. When one queue of several ends, start follows at once with the others
	 * as they were; when hv_vdev_ending says that all of them end, nobody will see what is
	 * completed, and what can be called off may be.
	 */
	void (*stop)(struct hv_vdev *dev, struct hv_worker *w);
	/*
	 * Optional: what of the type has to outlive the process besides registers and queues (at
	 * most HV_STATE_EXTRA bytes; 0 = nothing). Device lock held; restore comes before any
	 * thread of the device, and checks what it gets: it comes from a file. keeps: another
	 * process can go on with a device of this type.
	 */
	bool keeps;
	size_t kept_size;
	void (*keep)(struct hv_vdev *dev, void *to);
	void (*restore)(struct hv_vdev *dev, const void *from);
	/* Instead, when the life it is of has ended; NULL = nothing outlives that. */
	void (*restore_reset)(struct hv_vdev *dev, const void *from);
	/*
	 * Optional, for what changes too often or is too large for keep: so many bytes (a multiple
	 * of 8, at most HV_STATE_ROOM) that the type writes as it goes (hv_state_room), and its
	 * look at them before a life is gone on with. extra: what keep wrote. main thread, no
	 * thread of the device runs; not attached yet, so mem is the guest's memory.
	 */
	size_t kept_room;
	int (*open_kept)(struct hv_vdev *dev, const void *extra, const void *room,
			 const struct hv_gmem *mem, struct hv_err *err);
	/* main thread, no worker runs any more: close files, free the type's state. */
	void (*destroy)(struct hv_vdev *dev);
};

enum hv_vdev_event {
	HV_EV_NEGOTIATED, /* FEATURES_OK; with the device's lock held */
	HV_EV_READY,	  /* DRIVER_OK; with the device's lock held */
	HV_EV_RESET,
	HV_EV_BROKEN, /* DEVICE_NEEDS_RESET: the guest broke a rule */
	HV_EV_ERROR,  /* the backend failed: image, TAP */
	HV_EV_INPUT,  /* console: output is there to be read */
	HV_EV_FULL,   /* a queue has as many requests as it has entries: the guest has to wait */
	HV_EV_LINK,
	HV_EV_RESIZE,
};
/* Called on any thread, must be quick and not call back into the device: the service posts it to
 * its loop. */
typedef void hv_vdev_event_fn(struct hv_vdev *dev, enum hv_vdev_event event, const char *message,
			      void *arg);

struct hv_vq {
	struct hv_queue ring; /* the I/O thread's while started */
	struct hv_vdev *dev;
	struct hv_worker *worker;
	unsigned int index;
	uint16_t max; /* QueueNumMax */
	/*
	 * Set by the type on the queue's I/O thread: new buffers are of no interest now (a receive
	 * queue that has some), so the worker neither watches for them nor asks for kicks. false at
	 * start.
	 */
	bool quiet;
	/*
	 * Set by the type between start and stop: other threads pop and push here as well, under a
	 * lock of the type's, so the worker keeps its hands off the ring. Such a queue is quiet,
	 * too.
	 */
	bool shared;
	/*
	 * Set by the type after hv_vdev_init: the guest's buffers wait here for what comes to it,
	 * and that all entries are in use is as it should be.
	 */
	bool stock;
	/* registers, under the device's lock; the addresses and num stand still while ready */
	uint16_t num;
	bool ready;
	bool adopt;  /* its first start takes up what is kept */
	bool ending; /* QueueReady = 0 or QueueReset waits for the worker */
	uint64_t desc, avail, used;
	/* never reset while the device lives; relaxed */
	_Atomic uint64_t completed;  /* chains shown as used */
	_Atomic uint64_t kicks;	     /* QueueNotify writes for it */
	_Atomic uint64_t interrupts; /* asked for */
};

struct hv_vdev {
	const struct hv_vdev_ops *ops;
	void *state;		 /* the type's own */
	const char *name;	 /* "linux1/root"; owned */
	struct hv_origin origin; /* where the script says so; strings owned by the creator's arena,
				    which outlives the device */
	const struct hv_vbus *bus; /* NULL until attached */
	uint64_t at, size;	   /* register window, guest addresses */
	uint32_t irq;

	pthread_mutex_t lock;	  /* registers below */
	uint64_t offered;	  /* feature bits; VERSION_1, INDIRECT and EVENT_IDX are added by
				     hv_vdev_init */
	uint64_t driver_features; /* what the driver wrote */
	uint64_t features;	  /* what it accepted, from FEATURES_OK to reset */
	uint32_t features_sel, driver_features_sel, queue_sel;
	uint32_t status;
	_Atomic uint32_t interrupt_status;
	uint32_t config_generation;
	bool resetting;		/* Status = 0 waits for the workers */
	uint32_t waiting_cpus;	/* CPUs whose register write is answered when the workers have
				   acknowledged */
	uint32_t acks_due;	/* bit per worker */
	uint64_t wanted;	/* grows with each change of what the workers have to settle */
	pthread_cond_t settled; /* acks_due became 0 */
	bool leaving;		/* the queues are given up as they are, for another process */
	bool left;		/* what its type has outside is another process's; main thread */
	bool fleeting;		/* what is behind it ends with this process: it is not kept */
	struct hv_state *kept;	/* what outlives the process; NULL = nothing. The creator's, set
				   while not attached */
	_Atomic bool broken;	/* DEVICE_NEEDS_RESET */
	struct hv_limit warnings;
	_Atomic uint64_t unsaid; /* messages the limit swallowed since the last one */

	unsigned int n_queues;
	struct hv_vq queues[HV_VDEV_QUEUES];
	unsigned int n_workers;
	struct hv_worker workers[HV_VDEV_WORKERS];

	struct hv_vdev_stats stats;
	struct hv_limit limit;
	struct hv_policy *policy; /* a reference; under lock */
	_Atomic uint32_t policy_changes;
	_Atomic uint32_t policy_ops; /* of it; 0 = none */
	_Atomic bool paused;
	hv_vdev_event_fn *event;
	void *event_arg;
};

/*
 * Prepares an embedded or allocated device, zeroed before: queue i has queue_max[i] entries and is
 * served by worker worker_of[i] (NULL: all by worker 0). The type fills state, offered, before or
 * after. main thread.
 */
int hv_vdev_init(struct hv_vdev *dev, const struct hv_vdev_ops *ops, const char *name,
		 unsigned int n_queues, const uint16_t *queue_max, const unsigned int *worker_of,
		 uint64_t offered, struct hv_err *err);
/* Calls ops->destroy, frees the name. The device must be detached. */
void hv_vdev_destroy(struct hv_vdev *dev);

/*
 * Plugs the device in and starts its I/O threads; they sleep until the guest says DRIVER_OK, or go
 * on at once where dev->kept was left by another process. bus must stay as it is until detached.
 * main thread.
 */
int hv_vdev_attach(struct hv_vdev *dev, const struct hv_vbus *bus, uint64_t at, uint64_t size,
		   uint32_t irq, struct hv_err *err);
/*
 * Ends the device's life as a reset does, waits for every worker, ends the threads and
 * forgets the bus. Its registers must not be reached any more. A detached device may be detached
 * again. main thread.
 */
void hv_vdev_detach(struct hv_vdev *dev);
/*
 * The same without an end of its life: what is in flight ends and is shown, the rest stays as
 * dev->kept has it, and another process goes on with it. One that is not attached may be left as
 * well: its end changes nothing outside then.
 */
void hv_vdev_leave(struct hv_vdev *dev);

/*
 * The registers (4.2.2). Any offset and size: bad ones read 0 and write nothing. bridge thread.
 * A write returns true when its answer is due later (the device releases that CPU itself).
 */
uint64_t hv_vdev_read(struct hv_vdev *dev, uint64_t off, unsigned int size);
bool hv_vdev_write(struct hv_vdev *dev, uint64_t off, unsigned int size, uint64_t value,
		   unsigned int cpu);

/* The device is being reset or detached: the life of all its queues ends. Any thread, lock not
 * held. */
bool hv_vdev_ending(struct hv_vdev *dev);
/* Its queues are given up as they are, for another process. The same. */
bool hv_vdev_leaving(struct hv_vdev *dev);
/* What the type keeps has changed. Any thread, lock not held. */
void hv_vdev_kept(struct hv_vdev *dev);

/* For the worker on its own thread: starts and stops its queues and the type as the registers ask,
 * then acknowledges. */
void hv_vdev_settle(struct hv_vdev *dev, struct hv_worker *w);

/* For I/O threads: show completions and interrupt the guest if it wants that (one injection per
 * batch). */
void hv_vq_flush(struct hv_vq *vq);
/*
 * The guest broke a rule, or the type cannot go on: DEVICE_NEEDS_RESET, config interrupt, then one
 * rate-limited line and the event, which so come after what the guest sees. Any thread, lock not
 * held.
 */
void hv_vdev_broken(struct hv_vdev *dev, const char *why);
/* Config changed: generation + config interrupt when the driver is there. Any thread, lock not
 * held. */
void hv_vdev_config_changed(struct hv_vdev *dev);
/*
 * Around a change of what config_read returns, so that the guest never sees half of it under the
 * old generation: begin takes the lock, end counts the generation up, interrupts and unlocks.
 */
void hv_vdev_config_begin(struct hv_vdev *dev);
void hv_vdev_config_end(struct hv_vdev *dev);

/*
 * A line about something a guest can cause again and again: "linux1/root (boot.lua:12:
 * devices.root): …". A few at once, then one in ten seconds, with the number left out. Any thread
 * but the bridge's.
 */
void hv_vdev_warn(struct hv_vdev *dev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same line without limit, for what the host caused; and HV_EV_ERROR. */
void hv_vdev_error(struct hv_vdev *dev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* No work is taken on until resumed; what is in flight ends and is answered. Survives reset. Any
 * thread. */
void hv_vdev_pause(struct hv_vdev *dev, bool pause);
/* All workers look again: something outside the queues has changed. Any thread. */
void hv_vdev_poke(struct hv_vdev *dev);

/*
 * Another policy than the worker's is in force: it takes nothing more from its queues before
 * hv_policy_next has said so. To be looked at after a chain was popped.
 */
static inline bool hv_vdev_policy_changed(struct hv_vdev *dev, const struct hv_worker *w)
{
	return atomic_load_explicit(&dev->policy_changes, memory_order_relaxed) != w->policy.seen;
}

/* Its policy may be concerned with requests of this kind. Any thread. */
static inline bool hv_vdev_has_policy(const struct hv_vdev *dev, unsigned int kind)
{
	return atomic_load_explicit(&dev->policy_ops, memory_order_relaxed) >> kind & 1;
}

static inline bool hv_vdev_has(const struct hv_vdev *dev, unsigned int feature)
{
	return dev->features >> feature & 1;
}

#endif
