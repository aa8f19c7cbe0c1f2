/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CONTROL_SERVER_H
#define HV_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "loop/loop.h"

/*
 * The service's end of the control socket: clients ask, get answers and events, and have channels
 * of bytes. JSON passes through unread. Everything on the loop's thread.
 *
 * Nothing here blocks, whatever a client does. What a client does not read waits in its queue; with
 * HV_CONTROL_QUEUE bytes in it, or with bytes no client may send, it is dropped: `closed` is called
 * from the loop, never from inside a call.
 */
#define HV_CONTROL_PATH "/run/hvsh/control"
#define HV_CONTROL_CLIENTS 64
/* ns. One that has not greeted for so long gives its place to the next that finds all taken. */
#define HV_CONTROL_SILENT UINT64_C(5000000000)
#define HV_CONTROL_CHANNELS 16	      /* per client, at one time */
#define HV_CONTROL_PENDING 64	      /* requests of one client without a reply: no more are read */
#define HV_CONTROL_QUEUE (4u << 20)   /* bytes; events have the first half */
#define HV_CHANNEL_QUEUE (256u << 10) /* channel data waits beyond this much in the queue */

struct hv_control;
struct hv_control_conn;
struct hv_channel;

struct hv_control_ops {
	/*
	 * json: len bytes, not terminated, valid during the call. Answered with hv_control_reply,
	 * now or later, once.
	 */
	void (*request)(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
			void *arg);
	/* A client is gone; its channels were closed before. conn is not valid afterwards. Also of
	 * one that never asked anything, and for those that hv_control_free ends. May be NULL. */
	void (*closed)(struct hv_control_conn *conn, void *arg);
};

/*
 * Makes the last folder of path when it is missing, and the socket (0600) in it. Beside it a lock
 * file, path + ".lock", names the owner. A socket nobody listens on is replaced.
 * -EADDRINUSE: a process serves there already (says its pid); -EEXIST: path is no socket;
 * -ENAMETOOLONG. Only processes of root and of our own effective user are let in.
 */
int hv_control_listen(struct hv_loop *loop, const char *path, const struct hv_control_ops *ops,
		      void *arg, struct hv_control **ctl, struct hv_err *err);
/* Drops all clients with this reason (NULL = "the service ended"), removes the socket. Not from
 * one of its callbacks. NULL is fine. */
void hv_control_free(struct hv_control *ctl, const char *reason);

/* -ENOBUFS: the client does not read, and is dropped; -EMSGSIZE: over 1 MiB. The request then still
 * wants a (shorter) reply. */
int hv_control_reply(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		     struct hv_err *err);
/* -ENOBUFS: the client does not read; the event is lost to it. It is told how many were, as
 * {"event":"lost","count":3}, before the next one. */
int hv_control_event(struct hv_control_conn *conn, const char *json, size_t len,
		     struct hv_err *err);
/* Ends the connection; the client sees the reason. `closed` follows from the loop. */
void hv_control_drop(struct hv_control_conn *conn, const char *reason);

/* The owner's own pointer, NULL at first. */
void hv_control_conn_set_data(struct hv_control_conn *conn, void *data);
void *hv_control_conn_data(const struct hv_control_conn *conn);
pid_t hv_control_conn_pid(const struct hv_control_conn *conn);
/* What it calls itself, "hvsh 0.1.0": never NULL, no control characters. */
const char *hv_control_conn_program(const struct hv_control_conn *conn);
struct hv_loop *hv_control_conn_loop(const struct hv_control_conn *conn);
/* The next connection after conn, or the first: NULL = no more. Those that are being dropped are
 * left out. */
struct hv_control_conn *hv_control_next(const struct hv_control *ctl,
					const struct hv_control_conn *conn);

/*
 * Channels. Opened by the service, in answer to a request; the client learns the number from the
 * reply. Each side may send only as many bytes as the other has granted: nothing at first. A
 * client passes over what comes before its own first grant, which `room` announces, but for the
 * channel's end.
 */
struct hv_channel_ops {
	/* Bytes from the client, never more than were granted. Grant again what was used up. */
	void (*data)(struct hv_channel *ch, const void *bytes, size_t len, void *arg);
	/* There is room: the first time, and after hv_channel_room or hv_channel_send came up
	 * short.
	 */
	void (*room)(struct hv_channel *ch, void *arg);
	/* JSON from the client about this channel. NULL: passed over. */
	void (*event)(struct hv_channel *ch, const char *json, size_t len, void *arg);
	/* The client closed it, or is gone. The channel is not valid afterwards. Not called for
	 * hv_channel_close. reason: never NULL. */
	void (*closed)(struct hv_channel *ch, const char *reason, void *arg);
};

/* -ENOSPC: it has 16 already, or has had all numbers there are. The ops must stay. */
int hv_channel_open(struct hv_control_conn *conn, const struct hv_channel_ops *ops, void *arg,
		    struct hv_channel **ch, struct hv_err *err);
uint16_t hv_channel_number(const struct hv_channel *ch);
struct hv_control_conn *hv_channel_conn(const struct hv_channel *ch);
/* How much send would take now, at most HV_FRAME_DATA_MAX. */
size_t hv_channel_room(struct hv_channel *ch);
/* Returns how much was taken, 0 to len. */
size_t hv_channel_send(struct hv_channel *ch, const void *bytes, size_t len);
/* Lets the client send len bytes more. */
void hv_channel_grant(struct hv_channel *ch, uint32_t len);
/* -ENOBUFS: the client does not read; the event is lost. `room` is called when it has read. */
int hv_channel_event(struct hv_channel *ch, const char *json, size_t len, struct hv_err *err);
/*
 * For who keeps the loop from its rounds: looks at what the client has sent meanwhile, up to 64 KiB,
 * and calls `event` for each event of this channel, which is handled in its turn all the same.
 * false: the client has gone. Not from a callback of the server.
 */
bool hv_channel_peek(struct hv_channel *ch, void (*event)(const char *json, size_t len, void *arg),
		     void *arg);
/* After what was sent; the channel is not valid afterwards. Fine in its callbacks except closed. */
void hv_channel_close(struct hv_channel *ch, const char *reason);

#endif
