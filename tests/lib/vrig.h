/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_VRIG_H
#define TESTS_LIB_VRIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "memmap/gmem.h"
#include "virtio/device.h"

/*
 * A device plugged into a bus of its own, with guest memory of its own, driven as a
 * careful driver would. Failures inside end the cmocka test that runs. One test thread per queue,
 * and one for the registers, may use a rig at the same time.
 *
 *	struct vrig rig;
 *
 *	vrig_init(&rig, dev, 1 << 20);
 *	vrig_start(&rig, HV_FEATURE(VIRTIO_BLK_F_FLUSH), 64, 0);
 *	req = vrig_alloc(&rig, 16, 16); …
 *	head = vrig_add(&rig, 0, (struct vrig_buf[]){ { req, 16, false }, { data, 512, true } }, 2);
 *	vrig_kick(&rig, 0);
 *	written = vrig_finish(&rig, 0, head);
 *	vrig_free(&rig);
 *	hv_vdev_destroy(dev);
 */
#define VRIG_BASE UINT64_C(0x40000000) /* guest address of its memory */
#define VRIG_IRQ 77

enum {
	VRIG_INDIRECT = 1, /* every chain through an indirect table */
};

struct vrig_buf {
	void *at; /* from vrig_alloc, or any pointer into the rig's memory */
	uint32_t len;
	bool in; /* the device writes it; these come after the others */
};

struct vrig_used {
	uint32_t id, len;
};

struct vrig_queue {
	uint16_t size, n_free, next_free;
	uint16_t avail_idx; /* private; shown to the device by vrig_kick */
	uint16_t shown;
	uint16_t used_seen;
	unsigned int flags;
	bool event_idx;
	bool interrupts_off; /* as after vrig_interrupts(…, false) */
	/* The rings, for tests that break rules. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t *used_event, *avail_event;
	struct vring_desc **tables; /* per head */
	uint32_t *done_len;	    /* per head: completed, not asked for yet */
	bool *done;
};

struct vrig {
	struct hv_vdev *dev;
	struct hv_vbus bus;
	struct hv_gmem mem;
	uint8_t *ram;
	size_t ram_size, ram_used;
	uint64_t features;	       /* negotiated */
	_Atomic uint64_t irqs;	       /* interrupts injected */
	_Atomic uint64_t released[32]; /* deferred register writes let go, per CPU */
	struct vrig_queue queue[HV_VDEV_QUEUES];
};

/* Attaches. mem_size bytes of guest memory, zeroed. */
void vrig_init(struct vrig *rig, struct hv_vdev *dev, size_t mem_size);
/* Detaches and frees; the device lives on. */
void vrig_free(struct vrig *rig);

/* Guest memory: zeroed, given back by vrig_reclaim only. align: a power of two. */
void *vrig_alloc(struct vrig *rig, size_t size, size_t align);
/* Resets the device; all memory is free and zeroed again. */
void vrig_reclaim(struct vrig *rig);
uint64_t vrig_ipa(const struct vrig *rig, const void *at);

/* Registers (32 bits). A write waits for its release when that is deferred, as CPU 0. */
uint32_t vrig_read(struct vrig *rig, uint64_t off);
void vrig_write(struct vrig *rig, uint64_t off, uint32_t value);
void vrig_write_cpu(struct vrig *rig, uint64_t off, uint32_t value, unsigned int cpu);
/* Does not wait: true when the release of that CPU is still to come. */
bool vrig_write_async(struct vrig *rig, uint64_t off, uint32_t value, unsigned int cpu);
/* Polls until CPU has been released that often in all. */
void vrig_released(struct vrig *rig, unsigned int cpu, uint64_t count);
/* Device config space. */
uint64_t vrig_config(struct vrig *rig, unsigned int off, unsigned int size);
void vrig_set_config(struct vrig *rig, unsigned int off, unsigned int size, uint64_t value);

void vrig_reset(struct vrig *rig);
/* Reset … FEATURES_OK with these features (VERSION_1 is added; those not offered are left as they
 * are). False when refused. */
bool vrig_negotiate(struct vrig *rig, uint64_t features);
/* Allocates rings of that size and makes the queue ready. flags: VRIG_INDIRECT. */
void vrig_setup(struct vrig *rig, unsigned int queue, uint16_t size, unsigned int flags);
void vrig_driver_ok(struct vrig *rig);
/*
 * All of it: negotiates (which must succeed), sets all queues up, at most as large as they can be,
 * DRIVER_OK. Adds INDIRECT to features where flags says so.
 */
void vrig_start(struct vrig *rig, uint64_t features, uint16_t size, unsigned int flags);

/* Adds a chain; the device sees it with the next kick. Returns its head, or -1 when there is no
 * room. */
int vrig_add(struct vrig *rig, unsigned int queue, const struct vrig_buf *bufs, unsigned int n);
/* Shows what was added; notifies if the device asks for it. Returns whether it did. */
bool vrig_kick(struct vrig *rig, unsigned int queue);
/* Takes the next completion if there is one. */
bool vrig_poll(struct vrig *rig, unsigned int queue, struct vrig_used *used);
/* Waits for the next completion, acknowledging interrupts meanwhile. */
struct vrig_used vrig_wait(struct vrig *rig, unsigned int queue);
/* Waits for this chain's completion (others are kept); returns the bytes written. */
uint32_t vrig_finish(struct vrig *rig, unsigned int queue, int head);
/* Add + kick + finish. */
uint32_t vrig_request(struct vrig *rig, unsigned int queue, const struct vrig_buf *bufs,
		      unsigned int n);
/* Asks for interrupts for completions from here on, or for none. True: completions are there
 * already. */
bool vrig_interrupts(struct vrig *rig, unsigned int queue, bool on);

/* InterruptStatus, acknowledged. */
uint32_t vrig_ack(struct vrig *rig);
/* Polls until at least that many interrupts were injected in all. */
void vrig_wait_irqs(struct vrig *rig, uint64_t count);
/* Polls until a counter is n, and fails when it is more: workers count after the guest has its
 * answer. */
void vrig_wait_count(const _Atomic uint64_t *count, uint64_t n);
/* Polls until the status register has these bits. */
void vrig_wait_status(struct vrig *rig, uint32_t bits);

/*
 * For tests' own polling: while (!condition) vrig_pause(&deadline, "what"); with deadline 0 at
 * first. Fails the test with these words after a time no working code needs.
 */
void vrig_pause(uint64_t *deadline, const char *what);

#endif
