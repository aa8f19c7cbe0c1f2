/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CONTROL_CLIENT_H
#define HV_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* A command's end of the control socket. One thread at a time. */
struct hv_control_client;

/* What comes besides replies. Called by call and wait only; any may be NULL: then it is passed
 * over. They may send, grant and close, but not call, wait or disconnect. */
struct hv_control_handlers {
	void (*event)(uint16_t channel, const char *json, size_t len, void *arg);
	void (*data)(uint16_t channel, const void *bytes, size_t len, void *arg);
	void (*room)(uint16_t channel, void *arg); /* the service has granted more */
	void (*closed)(uint16_t channel, const char *reason, void *arg);
};

/*
 * Waits at most 5 s for the service's greeting. -ENOENT: no service runs (no socket, or nobody
 * listens on it: the message says so); -EACCES: not root; -EPROTONOSUPPORT: it speaks another
 * version of the protocol (names both programs); else what it said when it refused us.
 */
int hv_control_connect(const char *path, struct hv_control_client **client, struct hv_err *err);
void hv_control_disconnect(struct hv_control_client *client); /* NULL is fine */

/* The service's pid as the kernel knows it, and what it calls itself ("hvsh 0.1.0"). */
pid_t hv_control_client_pid(const struct hv_control_client *client);
const char *hv_control_client_program(const struct hv_control_client *client);

void hv_control_set_handlers(struct hv_control_client *client,
			     const struct hv_control_handlers *handlers, void *arg);

/*
 * Sends a request and waits for its reply, which is appended. timeout: ns, negative = without
 * limit. -ETIMEDOUT: a reply that comes after all is passed over; -EINTR: a signal handler ran;
 * -EMSGSIZE: over 1 MiB; -EPIPE: the service has gone, or ended the connection (says why).
 */
int hv_control_call(struct hv_control_client *client, const char *json, size_t len, int64_t timeout,
		    struct hv_buf *reply, struct hv_err *err);

/*
 * Handles what arrives, waiting up to timeout ns for it (0 = only what is there). Returns how many
 * frames there were, 0 = the time is over; -EINTR; -EPIPE. For a loop of one's own: watch the
 * descriptor for reading, for writing too while hv_control_unsent, and call with 0.
 */
int hv_control_wait(struct hv_control_client *client, int64_t timeout, struct hv_err *err);
int hv_control_client_fd(const struct hv_control_client *client);
size_t hv_control_unsent(const struct hv_control_client *client); /* bytes that wait here */

/*
 * Channels, by the number a reply named. A channel exists from the first grant on; what the
 * service has closed takes nothing.
 */
/* How much the service lets us send now. */
size_t hv_control_room(const struct hv_control_client *client, uint16_t channel);
/* Returns how much was taken, 0 to len; never blocks. A lost connection is found out by wait. */
size_t hv_control_send(struct hv_control_client *client, uint16_t channel, const void *bytes,
		       size_t len);
void hv_control_grant(struct hv_control_client *client, uint16_t channel, uint32_t len);
/* JSON about a channel. */
void hv_control_tell(struct hv_control_client *client, uint16_t channel, const char *json,
		     size_t len);
void hv_control_close(struct hv_control_client *client, uint16_t channel, const char *reason);

#endif
