/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_ATTACH_H
#define HV_LUA_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "control/client.h"
#include "loop/loop.h"
#include "virtio/device.h"

/*
 * The terminal's end of a console: standard input and output become the console's until one of
 *   the escape character (Ctrl-]); twice within half a second sends one to the guest
 *   the end of the console: its zone has ended
 *   SIGINT, SIGTERM, SIGHUP, SIGQUIT; without a terminal as input, its end (see quiet)
 *
 * A terminal is raw meanwhile and gets its settings back on every way out, SIGTSTP and a crash of
 * the program included (not SIGKILL). It is read-only when another one types. Standard error gets
 * "hvsh: linux1/hvc0: attached (Ctrl-] ends)" and what else there is to say; output is the
 * console's bytes alone.
 *
 * Input that is no terminal passes byte for byte: no escape character. When readonly is asked for
 * it is not even read, and only a signal or the console's end ends it. Otherwise, at its end, the
 * console is left when all of it was accepted by the device and the output has been quiet.
 */
#define HV_ATTACH_NO_ESCAPE (-1)

struct hv_attach_opts {
	const char *program; /* before messages; NULL = "hvsh" */
	uint64_t back;	     /* recent output to begin with, bytes (4096 is a screenful) */
	bool readonly, force;
	int escape;	/* a byte, HV_ATTACH_ESCAPE; HV_ATTACH_NO_ESCAPE = none */
	uint64_t quiet; /* ns without output after the end of the input; 0 = 1 s */
};
#define HV_ATTACH_ESCAPE 0x1d /* Ctrl-] */

/*
 * Returns 0: left, or the console has ended; > 0: the signal that ended it, for the caller to
 * raise; -EPIPE: the service has gone; else what the service answered. Errors are not printed.
 *
 * Sends the request
 *   {"request":"console","name":NAME,"back":4096,"readonly":false,"force":false}
 * and expects {"channel":N}, or {"error":TEXT}. The client's handlers are replaced.
 */
int hv_attach_remote(struct hv_control_client *client, const char *name,
		     const struct hv_attach_opts *opts, struct hv_err *err);

/*
 * In the process that has the device. Runs the loop, which goes on serving meanwhile; not from a
 * callback. Also returns 0 when the loop is stopped; it then stays stopped.
 */
int hv_attach_local(struct hv_vdev *dev, unsigned int port, struct hv_loop *loop,
		    const struct hv_attach_opts *opts, struct hv_err *err);

#endif
