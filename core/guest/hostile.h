/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_HOSTILE_H
#define HV_GUEST_HOSTILE_H

#include "guest/driver.h"

/*
 * A guest that means harm, or is merely broken: each behaviour breaks one rule of the virtio
 * transport or of the queues, on a device of any type that hv_gdev_probe has found. Afterwards the
 * device is in whatever state it got into; a reset must make it usable again, and nothing else may
 * have noticed.
 */
struct hv_hostile {
	const char *name;
	bool fatal; /* who meets it on a queue cannot go on: DEVICE_NEEDS_RESET; the others harm
		       nobody */
	void (*run)(struct hv_gdev *dev);
};
const struct hv_hostile *hv_hostile_list(unsigned int *n);
/*
 * How long (ns) they wait for a device that may not react at all, before they go on to what ends
 * its life; 20 ms at first. On a busy machine that may be too short for a device that does. One
 * thread.
 */
void hv_hostile_set_patience(uint64_t ns);

#endif
