/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_INPUT_H
#define HV_VIRTIO_DEV_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"
#include "virtio/device.h"

/*
 * virtio-input (virtio 1.2, 5.8): a keyboard, mouse, tablet or touch screen. What the guest gets is
 * what a program sends (hv_input_send), or what a real input device of this machine reports, which
 * is then the guest's alone until the device is destroyed.
 *
 * Reports wait, whole, while the guest has no buffers for them; those that are sent before its
 * driver is there as well. What still waits when a life ends is forgotten, and all keys are up
 * then. dev->limit is not used.
 *
 * A real device that is unplugged leaves the virtio device in place: its keys are let go,
 * HV_EV_ERROR says so, and HV_EV_LINK that it is back. Events that its kernel buffer could not hold
 * are made up for: the guest is told the difference between what it was told and what is.
 */
enum hv_input_kind {
	HV_INPUT_KEYBOARD,
	HV_INPUT_MOUSE,	 /* relative */
	HV_INPUT_TABLET, /* a pointer at absolute places */
	HV_INPUT_TOUCH,	 /* several fingers */
	HV_INPUT_EVDEV,	 /* whatever the real device is */
};

#define HV_INPUT_SLOTS 10     /* fingers of HV_INPUT_TOUCH */
#define HV_INPUT_SIDE 32768u  /* default width and height of tablet and touch screen */
#define HV_INPUT_REPORT 256u  /* events of a report at most, its SYN_REPORT included */
#define HV_INPUT_NAME_MAX 128 /* bytes */

/* For tests: what stands between the device and the kernel. read, write and close are the real
 * ones. */
struct hv_evdev_host {
	int (*open)(const char *path, int flags);		/* -1 and errno */
	int (*ioctl)(int fd, unsigned long request, void *arg); /* -1 and errno */
};

struct hv_input_opts {
	struct hv_origin origin;
	enum hv_input_kind kind;
	const char *evdev;		  /* of HV_INPUT_EVDEV: its node */
	unsigned int width, height;	  /* of tablet and touch: places are 0 to these minus 1; 0 =
					     HV_INPUT_SIDE */
	const struct hv_evdev_host *host; /* NULL = the system's */
};

/*
 * dev is zeroed, and ended by hv_vdev_destroy. -ENOENT, -ENODEV, -EACCES: the real device cannot be
 * had; -ENOTTY: it is none; -EBUSY: somebody else has it for itself. main thread.
 */
int hv_input_init(struct hv_vdev *dev, const char *name, const struct hv_input_opts *opts,
		  struct hv_err *err);

struct hv_input_event {
	uint16_t type, code; /* linux/input-event-codes.h */
	int32_t value;
};

/*
 * One report: what happened at the same moment, without the SYN_REPORT, which is added. -EINVAL: an
 * event that the device has not said it can make, too many of them, or a real device; -EAGAIN: no
 * room until the guest has taken some, HV_EV_INPUT follows then. Any thread.
 */
int hv_input_send(struct hv_vdev *dev, const struct hv_input_event *events, size_t n,
		  struct hv_err *err);

struct hv_input_info {
	enum hv_input_kind kind;
	const char *evdev;	    /* NULL = none */
	const char *model;	    /* the name the guest sees */
	bool gone;		    /* the real device is unplugged */
	uint32_t leds;		    /* bit per LED_*; a change is announced by HV_EV_INPUT */
	unsigned int width, height; /* of tablet and touch */
	size_t waiting;		    /* events that the guest has not taken */
};
/* Strings live as long as the device. main thread. */
void hv_input_info(struct hv_vdev *dev, struct hv_input_info *info);
const char *hv_input_kind_name(enum hv_input_kind kind); /* "keyboard" */

#endif
