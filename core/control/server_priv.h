/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CONTROL_SERVER_PRIV_H
#define HV_CONTROL_SERVER_PRIV_H

#include "control/hello.h"
#include "control/outq.h"
#include "control/server.h"

/* Private to the server: server.c listens, conn.c has one client, channel.c its channels. */
struct hv_control {
	struct hv_loop *loop;
	const struct hv_control_ops *ops;
	void *arg;
	char *path, *lock_path;
	int lock_fd, fd;
	bool bound;
	struct hv_source *accepting, *retry;
	struct hv_control_conn *conns;
	unsigned int n_conns;
	uint8_t buffer[HV_FRAME_DATA_MAX + HV_FRAME_HEAD]; /* of whoever is read now */
};

struct hv_channel {
	struct hv_control_conn *conn;
	const struct hv_channel_ops *ops;
	void *arg;
	uint16_t number;
	uint32_t credit;  /* we may send so much */
	uint32_t granted; /* the client may */
	bool wants_room;
};

struct hv_control_conn {
	struct hv_control *ctl;
	struct hv_control_conn *prev, *next;
	struct hv_source *src;
	int fd;
	struct hv_frame_decoder dec;
	struct hv_buf rest; /* read, but not looked at while the connection is paused */
	struct hv_outq out;
	bool greeted;
	bool corked; /* its frames are being handled: what is sent goes out together */
	bool ended;  /* nothing more comes */
	bool dead;   /* to be torn down by the loop */
	unsigned int pending;
	uint64_t since; /* hv_now, when it came */
	uint64_t lost; /* events */
	struct hv_channel *channels[HV_CONTROL_CHANNELS];
	uint16_t last_channel;
	pid_t pid;
	void *data;
	char program[64];
	char why[HV_REASON_MAX]; /* it is dead */
};

/* conn.c. Takes fd over. */
int hv_conn_new(struct hv_control *ctl, int fd, pid_t pid, struct hv_err *err);
/* Makes room by ending the oldest that has had its time to greet, and has not. */
bool hv_conn_end_silent(struct hv_control *ctl);
/* Calls back; conn is freed. */
void hv_conn_end(struct hv_control_conn *conn);
/* 0, -ENOBUFS beyond `limit` bytes waiting, -EPIPE; a connection that cannot go on is dropped. */
int hv_conn_put(struct hv_control_conn *conn, enum hv_frame_type type, uint16_t channel,
		uint32_t id, const void *payload, size_t len, size_t limit);
/* To be torn down; `tell` the client why. */
void hv_conn_kill(struct hv_control_conn *conn, bool tell, const char *why);

/* channel.c */
int hv_channel_frame(struct hv_control_conn *conn, const struct hv_frame *frame,
		     struct hv_err *err);
/* The queue has gone down: channels that wait go on. */
void hv_channels_room(struct hv_control_conn *conn);
void hv_channels_end(struct hv_control_conn *conn);

#endif
