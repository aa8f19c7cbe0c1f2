/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_CONSOLE_PRIV_H
#define HV_VIRTIO_DEV_CONSOLE_PRIV_H

#include <pthread.h>

#include "virtio/dev/console.h"
#include "virtio/dev/console_log.h"
#include "virtio/policy.h"

/*
 * Private to the console. Locks, in this order:
 *   feed   who adds output and writes logs: the worker in its turn, others only when they get it at
 * once, since it is held while a disk is slow. Never the bridge thread. lock   of a port: rings,
 * clients, keyboard; held for copies only.
 */
struct hv_console;
struct hv_console_port;
struct hv_console_pty;

enum {
	HV_WANT_OUTPUT = 1, /* read gave 0 */
	HV_WANT_ROOM = 2,   /* write was cut short */
	HV_WANT_TURN = 4,   /* another one has the keyboard */
};

struct hv_console_client {
	struct hv_console_port *port;
	struct hv_console_client *next;
	char who[64];
	int wake;
	/* under the port's lock */
	unsigned int wants;
	uint64_t cursor; /* of all bytes ever */
	uint64_t patience;
	uint64_t progress_at; /* CLOCK_MONOTONIC ns */
	bool slipping;	      /* its patience is over; until it reads again */
};

/* Bytes counted from the beginning; where they are: count modulo size, a power of two. */
struct hv_console_ring {
	uint8_t *bytes;
	size_t size;
	uint64_t head, tail; /* tail: of input only; output has a cursor per client */
};

/*
 * Bytes that a policy decides about, a copy: one piece at a time for each port and direction, so that
 * they stay in order. The worker's.
 */
struct hv_console_piece {
	enum {
		HV_PIECE_NONE,
		HV_PIECE_UNASKED, /* the policy stalls */
		HV_PIECE_ASKED,
		HV_PIECE_ALLOWED, /* from `due` on */
	} state;
	uint64_t due;	/* ns */
	size_t from;	/* bytes it was */
	size_t len, off; /* it is, of them passed on */
	uint8_t *bytes;
	bool emergency; /* not of the chain */
};

struct hv_console_port {
	struct hv_console *con;
	unsigned int index;
	char *name;
	bool data;
	_Atomic uint32_t geometry; /* cols << 16 | rows */

	pthread_mutex_t lock;
	struct hv_console_ring out,
		in; /* bytes of out: written under feed and lock, read under either */
	struct hv_console_client *clients, *writer;
	bool held; /* a client leaves no room, since held_since */
	uint64_t held_since;
	bool waiting; /* the worker is to be poked when that may have changed */

	/* under feed */
	struct hv_console_log log;
	uint64_t logged; /* of out.head */
	uint64_t said;	 /* of out.head: clients were told */

	/* the worker's; kept when start follows stop with the queue as it was */
	bool sending;	/* a chain is taken in part */
	uint64_t begun; /* ns; when it was taken */
	struct hv_chain chain;
	size_t chain_off;
	struct hv_console_piece piece[HV_POLICY_STREAM_KINDS];
	_Atomic bool guest_ready, guest_open; /* written by the worker */
	_Atomic unsigned int to_say;	      /* control messages due, HV_SAY_* */
	_Atomic unsigned int saying;	      /* and those the guest is not shown yet */
};

enum {
	HV_SAY_ADD = 1,
	HV_SAY_CONSOLE = 2,
	HV_SAY_NAME = 4,
	HV_SAY_OPEN = 8,
	HV_SAY_SIZE = 16,
	HV_SAY_ALL = 31,
};

#define HV_CONSOLE_EMERGENCY 1024

struct hv_console {
	struct hv_vdev *dev;	   /* NULL when the device is gone; changed on the main thread */
	char *device_name;	   /* for messages of clients that live longer */
	_Atomic unsigned int refs; /* device and clients */
	_Atomic bool announced;	   /* HV_EV_INPUT was sent and nobody has looked since */
	pthread_mutex_t feed;
	struct hv_console_pty *pty;
	unsigned int n_ports;
	bool multiport; /* offered */
	struct hv_console_port ports[HV_CONSOLE_PORTS];

	/* The emergency register: bridge thread → whoever has feed. */
	uint8_t emergency[HV_CONSOLE_EMERGENCY];
	_Atomic unsigned int emergency_head, emergency_tail;
};

/* console_port.c */
int hv_console_ring_init(struct hv_console_ring *ring, size_t size, struct hv_err *err);
void hv_console_put(struct hv_console *con); /* drops a reference */
/*
 * How much output there is room for now. 0: a client is to be waited for, until *deadline or a
 * poke. now: CLOCK_MONOTONIC ns.
 */
size_t hv_console_port_room(struct hv_console_port *port, uint64_t now, uint64_t *deadline);
/* Adds output, no more than there is room for; returns how much. feed held. */
size_t hv_console_port_add(struct hv_console_port *port, const struct iovec *iov, unsigned int n,
			   size_t off, size_t len, uint64_t now);
/* Writes what is new to the log and tells the clients. feed held. */
void hv_console_port_sync(struct hv_console_port *port);
/* Takes waiting input into the buffers; returns how much. */
size_t hv_console_port_take(struct hv_console_port *port, const struct iovec *iov, unsigned int n,
			    size_t len);
void hv_console_port_end(struct hv_console_port *port);	  /* the device is gone: clients are told */
bool hv_console_port_typed(struct hv_console_port *port); /* input waits */
/* The emergency register's bytes become output of port 0; returns when to try again, 0 = all done.
 * feed held. */
uint64_t hv_console_drain(struct hv_console *con);

/* console_policy.c: worker */
#define HV_CONSOLE_PIECE 4096

static inline bool hv_console_policy_minds(const struct hv_console_port *port,
					   const struct hv_worker *w, enum hv_policy_stream kind)
{
	return hv_policy_minds(&w->policy, kind) || port->piece[kind].state ||
	       hv_vdev_policy_changed(w->dev, w);
}
/* Takes answers in; at the beginning of a turn. */
void hv_console_policy_turn(struct hv_console *con, struct hv_worker *w);
/* At its end. true: there is more to do at once. */
bool hv_console_policy_end(struct hv_console *con, struct hv_worker *w);
/* Sends a part of the chain at hand, `most` bytes or a piece. How much of it is done; 0 = not now. */
size_t hv_console_policy_send(struct hv_console_port *port, struct hv_worker *w, size_t most);
/* The same with what came through the emergency register; whether that is still to be decided. */
bool hv_console_policy_emergency(struct hv_console *con, struct hv_worker *w);
/* Input, into at most so many chains, counted in done. false: no more now, and vq->quiet says why. */
bool hv_console_policy_receive(struct hv_console_port *port, struct hv_worker *w, struct hv_vq *vq,
			       int most, int *done);
/* Of the chain at hand, when there is none any more. */
void hv_console_policy_forget(struct hv_console_port *port);
/* Before the worker goes; ending: nothing of it is of use any more. */
void hv_console_policy_stop(struct hv_console *con, struct hv_worker *w, bool ending);

/* console_control.c: worker */
int hv_console_control(struct hv_console *con);
void hv_console_control_reset(struct hv_console *con);

#define HV_CONSOLE_Q_CONTROL_IN 2
#define HV_CONSOLE_Q_CONTROL_OUT 3
static inline unsigned int hv_console_q_in(unsigned int port)
{
	return port ? 2 * port + 2 : 0;
}

/* console_pty.c: a thread that connects ports with their ptys, whether the guest lives or not. */
int hv_console_pty_new(struct hv_console *con, struct hv_console_pty **pty, struct hv_err *err);
int hv_console_pty_add(struct hv_console_pty *pty, unsigned int port, const char *link,
		       struct hv_err *err);
int hv_console_pty_start(struct hv_console_pty *pty, struct hv_err *err);
void hv_console_pty_free(struct hv_console_pty *pty);
const char *hv_console_pty_path(const struct hv_console_pty *pty, unsigned int port);

#endif
