/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_LIVES_H
#define TESTS_LIB_LIVES_H

#include "virtio/state.h"
#include "vrig.h"

/*
 * A device and its driver, when one process after the other serves it: what is kept lies in a
 * folder of its own. Each process makes the device anew, initialised as the one before. Failures
 * end the cmocka test that runs.
 */
struct lives {
	struct vrig rig; /* the first: some have a rig there already */
	char dir[64];
};

/* The file that is kept of the device, below dir. */
#define LIVES_FILE "1-a000000-200"
#define LIVES_RAM (1u << 20) /* the guest's memory */

/* The first process: its device is kept from now on, attached, and not started. */
void lives_begin(struct lives *lives, struct hv_vdev *dev);
void lives_begin_with(struct lives *lives, struct hv_vdev *dev, size_t ram);
/* This process gives the device up, and ends. */
void lives_leave(struct lives *lives, struct hv_vdev *dev);
/* It ends without: the device is destroyed, and what is kept stays. */
void lives_end(struct hv_vdev *dev);
/* The next one finds what is kept, and takes the device up. */
void lives_open(struct lives *lives, struct hv_vdev *dev);
int lives_try_open(struct lives *lives, struct hv_vdev *dev, struct hv_err *err);
void lives_attach(struct lives *lives, struct hv_vdev *dev);
/* After the last process: 0, or what removing the folder answers. */
int lives_close(struct lives *lives, struct hv_vdev *dev);

#endif
