/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CONTROL_CONSOLE_CHANNEL_H
#define HV_CONTROL_CONSOLE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "control/server.h"
#include "virtio/device.h"

/*
 * A console over a channel: the guest's output to the client, what the client types to the guest,
 * as fast as both sides take it. main thread.
 *
 * Events, client → service:
 *   {"event":"resize","cols":80,"rows":25}   its terminal's size; the guest gets that of who types
 *   {"event":"take"}                         the keyboard, also from who has it
 *   {"event":"flush"}                        asks for "flushed"
 * service → client:
 *   {"event":"keyboard","mine":true}
 *   {"event":"keyboard","mine":false,"who":"hvsh console (pid 712)"}   what is typed goes nowhere
 *   {"event":"lost","bytes":512}             output that was overwritten before what follows
 *   {"event":"flushed","dropped":0}          what was sent before is with the guest's device, but
 *                                            for this many bytes since the last one
 * When another one has the keyboard, the channel gets it as soon as that one gives it back.
 */
struct hv_console_channel_opts {
	const char *who;   /* for others' messages; NULL = "hvsh console (pid 712)" of its peer */
	uint64_t back;	   /* recent output to begin with, bytes; HV_CONSOLE_ALL = all there is */
	bool readonly;	   /* never asks for the keyboard */
	bool force;	   /* takes it at once */
	const char *ended; /* why the channel closes when the device ends, "zone linux1 ended"; NULL
			      = "linux1/hvc0 is gone" */
};

/*
 * Returns the channel's number, for the reply; it closes itself when either side ends. What
 * hv_console_open and hv_channel_open answer. The strings are copied. With the client's first
 * grant it is told about the keyboard and gets output.
 */
int hv_console_channel_open(struct hv_control_conn *conn, struct hv_vdev *dev, unsigned int port,
			    const struct hv_console_channel_opts *opts, struct hv_err *err);

#endif
