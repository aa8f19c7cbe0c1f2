/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_EACH_DEVICE_H
#define TESTS_LIB_EACH_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vrig.h"

/*
 * Every type of device, made as a script makes it, and one request that shows that it works.
 * Failures end the test that runs, but for those of `make`.
 *
 *	d->before();  ed_make(d);  vrig_init(&ed_rig, &ed_dev, 1 << 20);
 *	ed_answered(d);
 *	vrig_free(&ed_rig);  hv_vdev_destroy(&ed_dev);  d->after();
 */
#define ED_NAME "linux1/dev"
#define ED_LINE ED_NAME " (boot.lua:3: devices.dev): " /* how lines about it begin */

struct each_device {
	const char *name;
	bool (*possible)(void); /* NULL: everywhere */
	void (*before)(void);	/* makes what it needs; NULL: nothing */
	void (*after)(void);	/* ends that, and looks whether the device left something */
	int (*make)(struct hv_err *err); /* ed_dev, which is zeroed */
	unsigned int (*ask)(void);	 /* a request; returns its queue */
	void (*meanwhile)(void);	 /* until it is answered; NULL: nothing */
	void (*check)(uint32_t len);
};
extern const struct each_device each_device[];
extern const unsigned int each_devices;

extern struct hv_vdev ed_dev;
extern struct vrig ed_rig;

/* Around all of them: files, and a network of this process's own. */
void ed_begin(void);
void ed_end(void);
/* Must succeed. */
void ed_make(const struct each_device *d);
/* Starts the driver and asks. false: the device asks for a reset. */
bool ed_answered(const struct each_device *d);

#endif
