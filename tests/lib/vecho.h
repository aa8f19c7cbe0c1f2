/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_VECHO_H
#define TESTS_LIB_VECHO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio/device.h"
#include "vrig.h"

/*
 * The simplest device: what the guest sends in a chain's first buffers comes back in the others.
 * Its switches put it into the states that tests of queues, workers and registers need.
 */
#define VECHO_CONFIG 13 /* bytes of config space, odd on purpose */
#define VECHO_ID 42

struct vecho {
	struct hv_vdev dev;
	uint8_t config[VECHO_CONFIG];
	_Atomic unsigned int starts, stops, turns;
	_Atomic bool hold;		/* work waits inside until this is false */
	_Atomic bool inside;		/* a worker waits there */
	_Atomic unsigned int stop_gate; /* the stop of that number (from 1) waits inside */
	_Atomic bool in_stop;		/* a worker waits there */
	_Atomic bool keep;   /* chains stay in flight until the life ends; stop completes them */
	_Atomic bool sleepy; /* chains are left where they are */
	_Atomic int fail;    /* start fails with this errno */
	_Atomic int fd;	     /* + 1: polled for input, read empty by work; 0 = none */
	_Atomic unsigned int fd_reads;
	_Atomic uint64_t wake_in; /* ns: each turn asks to be called again then; 0 = never */
	_Atomic bool wake_once;	  /* only the first turn asks */
	_Atomic bool quiet;
	_Atomic bool shared; /* from the next start on: the last queue is the test's to pop from */
	_Atomic unsigned int resets;
	_Atomic bool want_ready; /* the backend has something, once, while the worker polls */
	_Atomic bool was_ready, worked_ready; /* the worker asked and was told so; it worked then */
	uint16_t kept[HV_VDEV_QUEUES][HV_QUEUE_MAX];
	unsigned int n_kept[HV_VDEV_QUEUES];
};

/* queues of that size, each with a worker of its own or all with one. Ends a cmocka test on
 * failure. */
struct vecho *vecho_new(unsigned int queues, uint16_t size, bool own_workers, uint64_t offered);

/* One request of 16 bytes that must come back. */
void vecho_once(struct vrig *rig, unsigned int queue);
/* Adds a request (8 bytes out, 8 in) and kicks; returns its head. */
int vecho_send(struct vrig *rig, unsigned int queue);
/* Until a worker waits inside work because of `hold`. */
void vecho_wait_inside(struct vecho *echo);

#endif
