// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/now.h"
#include "control/server_priv.h"

/* With so much unsent no more requests are read: who does not take answers gets none. */
#define PAUSE_AT (1u << 20)
/* Answers to many requests at once go out in pieces of about this size. */
#define CORK_MAX (64u << 10)
/* For the heads of an event and of the one about lost ones, and that one. */
#define EVENT_ROOM 128u

static bool paused(const struct hv_control_conn *conn)
{
	return conn->pending >= HV_CONTROL_PENDING || conn->out.len >= PAUSE_AT;
}

/* What the loop is to wait for. */
static void watch(struct hv_control_conn *conn)
{
	/* Errors and hang-ups are heard of with any event, with none nothing is. */
	uint32_t events = EPOLLERR;

	if (conn->dead || (!conn->ended && !paused(conn) && !conn->rest.len))
		events |= EPOLLIN;
	/* Frames left over make no event of their own; being able to write makes one. */
	if (conn->out.len || (conn->rest.len && !paused(conn)) || (conn->ended && !conn->pending))
		events |= EPOLLOUT;
	hv_fd_set(conn->src, events, NULL);
}

void hv_conn_kill(struct hv_control_conn *conn, bool tell, const char *why)
{
	struct hv_buf json = { 0 };

	if (conn->dead)
		return;
	snprintf(conn->why, sizeof(conn->why), "%s", why);
	if (tell)
		hv_reason_write(&json, why);
	if (tell && !json.failed)
		hv_outq_put(&conn->out, conn->fd, HV_FRAME_CLOSE, 0, 0, json.data, json.len);
	hv_outq_flush(&conn->out, conn->fd);
	hv_buf_free(&json);
	conn->dead = true;
	/* The loop hears of it. */
	shutdown(conn->fd, SHUT_RDWR);
	watch(conn);
}

int hv_conn_put(struct hv_control_conn *conn, enum hv_frame_type type, uint16_t channel,
		uint32_t id, const void *payload, size_t len, size_t limit)
{
	int rc;

	if (conn->dead)
		return -EPIPE;
	if (conn->out.len + HV_FRAME_PREFIX + len > limit) {
		if (limit < HV_CONTROL_QUEUE)
			return -ENOBUFS;
		hv_log_warn("control: %s (pid %d) does not read what it asked for and is dropped",
			    conn->program, (int)conn->pid);
		hv_conn_kill(conn, false, "the client does not read");
		return -ENOBUFS;
	}
	rc = hv_outq_put(&conn->out, conn->corked ? -1 : conn->fd, type, channel, id, payload, len);
	if (!rc && conn->corked && conn->out.len >= CORK_MAX)
		rc = hv_outq_flush(&conn->out, conn->fd);
	if (rc)
		hv_conn_kill(conn, false, rc == -ENOMEM ? "out of memory" : "the client has gone");
	else if (!conn->corked)
		watch(conn);
	return rc;
}

static void say_lost(struct hv_control_conn *conn)
{
	char json[64];
	int n;

	if (!conn->lost)
		return;
	n = snprintf(json, sizeof(json), "{\"event\":\"lost\",\"count\":%" PRIu64 "}", conn->lost);
	if (!hv_conn_put(conn, HV_FRAME_EVENT, 0, 0, json, (size_t)n, HV_CONTROL_QUEUE / 2))
		conn->lost = 0;
}

int hv_control_event(struct hv_control_conn *conn, const char *json, size_t len, struct hv_err *err)
{
	if (len > HV_FRAME_JSON_MAX)
		return hv_err_set(err, EMSGSIZE, "an event of %zu bytes; at most %u", len,
				  HV_FRAME_JSON_MAX);
	/* Said once before the next that gets through, not before each that does not. */
	if (conn->out.len + len + EVENT_ROOM <= HV_CONTROL_QUEUE / 2)
		say_lost(conn);
	if (!conn->lost &&
	    !hv_conn_put(conn, HV_FRAME_EVENT, 0, 0, json, len, HV_CONTROL_QUEUE / 2))
		return 0;
	conn->lost++;
	return hv_err_set(err, ENOBUFS, "%s (pid %d) does not read: an event is lost to it",
			  conn->program, (int)conn->pid);
}

int hv_control_reply(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		     struct hv_err *err)
{
	int rc;

	if (len > HV_FRAME_JSON_MAX)
		return hv_err_set(err, EMSGSIZE, "a reply of %zu bytes; at most %u", len,
				  HV_FRAME_JSON_MAX);
	if (conn->pending)
		conn->pending--;
	rc = hv_conn_put(conn, HV_FRAME_REPLY, 0, id, json, len, HV_CONTROL_QUEUE);
	if (rc == -ENOBUFS)
		return hv_err_set(err, ENOBUFS, "%s (pid %d) does not read its replies",
				  conn->program, (int)conn->pid);
	return rc ? hv_err_set(err, -rc, "%s (pid %d) has gone", conn->program, (int)conn->pid) : 0;
}

void hv_control_drop(struct hv_control_conn *conn, const char *reason)
{
	hv_conn_kill(conn, true, reason);
}

static int greet(struct hv_control_conn *conn, const struct hv_frame *frame, struct hv_err *err)
{
	struct hv_hello hello;
	int rc;

	if (frame->type != HV_FRAME_HELLO)
		return hv_err_set(err, EPROTO, "its first frame is no hello");
	rc = hv_hello_read(frame->payload, frame->len, &hello, err);
	if (!rc)
		rc = hv_hello_version(&hello, "the client", err);
	if (rc < 0)
		return rc;
	if (*hello.program)
		snprintf(conn->program, sizeof(conn->program), "%s", hello.program);
	conn->greeted = true;
	return 0;
}

static int handle(struct hv_control_conn *conn, const struct hv_frame *frame, struct hv_err *err)
{
	if (!conn->greeted)
		return greet(conn, frame, err);
	if (frame->channel)
		return hv_channel_frame(conn, frame, err);
	switch (frame->type) {
	case HV_FRAME_REQUEST:
		conn->pending++;
		conn->ctl->ops->request(conn, frame->id, (const char *)frame->payload, frame->len,
					conn->ctl->arg);
		return 0;
	case HV_FRAME_CLOSE:
		hv_conn_kill(conn, false, "the client has ended");
		return 0;
	default:
		return hv_err_set(err, EPROTO, "a frame of type %u, which only a service sends",
				  frame->type);
	}
}

/* Handles frames until the bytes are used up or the connection pauses; returns how many were used.
 */
static size_t feed(struct hv_control_conn *conn, const uint8_t *bytes, size_t len)
{
	struct hv_err err = { 0 };
	struct hv_frame frame;
	size_t at = 0;
	ssize_t n;

	while (at < len && !conn->dead && !paused(conn)) {
		n = hv_frame_decode(&conn->dec, bytes + at, len - at, &frame, &err);
		if (n < 0 || (frame.type && handle(conn, &frame, &err) < 0)) {
			hv_log_warn("control: %s (pid %d) is dropped: %s", conn->program,
				    (int)conn->pid, err.msg);
			hv_conn_kill(conn, true, err.msg);
			break;
		}
		at += (size_t)n;
	}
	return at;
}

static void feed_rest(struct hv_control_conn *conn)
{
	struct hv_buf rest = conn->rest;
	size_t used;

	conn->rest = (struct hv_buf){ 0 };
	used = feed(conn, (const uint8_t *)rest.data, rest.len);
	if (used < rest.len && !conn->dead) {
		memmove(rest.data, rest.data + used, rest.len - used);
		rest.len -= used;
		conn->rest = rest;
		return;
	}
	hv_buf_free(&rest);
}

static void receive(struct hv_control_conn *conn)
{
	struct hv_control *ctl = conn->ctl;
	ssize_t n;
	size_t used;

	n = recv(conn->fd, ctl->buffer, sizeof(ctl->buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn->ended = true;
		return;
	}
	used = feed(conn, ctl->buffer, (size_t)n);
	if (used < (size_t)n && !conn->dead) {
		hv_buf_add(&conn->rest, ctl->buffer + used, (size_t)n - used);
		if (conn->rest.failed)
			hv_conn_kill(conn, false, "out of memory");
	}
}

static void on_event(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct hv_control_conn *conn = arg;
	int rc;

	(void)src;
	if (conn->dead) {
		hv_conn_end(conn);
		return;
	}
	conn->corked = true;
	if (conn->rest.len && !paused(conn))
		feed_rest(conn);
	if (!conn->dead && !conn->rest.len && !paused(conn) && !conn->ended &&
	    events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(conn);
	conn->corked = false;
	rc = conn->dead ? 0 : hv_outq_flush(&conn->out, fd);
	if (rc)
		hv_conn_kill(conn, false, "the client has gone");
	if (!conn->dead && conn->out.len < HV_CHANNEL_QUEUE / 2) {
		say_lost(conn);
		hv_channels_room(conn);
	}
	/* A client that has closed its sending side still gets what it asked for. */
	if (!conn->dead && ((conn->ended && !conn->pending && !conn->out.len && !conn->rest.len) ||
			    (events & EPOLLHUP && (conn->ended || paused(conn)))))
		hv_conn_kill(conn, false, "the client has gone");
	if (conn->dead)
		hv_conn_end(conn);
	else
		watch(conn);
}

int hv_conn_new(struct hv_control *ctl, int fd, pid_t pid, struct hv_err *err)
{
	struct hv_control_conn *conn = calloc(1, sizeof(*conn));
	struct hv_buf json = { 0 };
	int rc;

	if (!conn) {
		close(fd);
		return hv_err_nomem(err);
	}
	conn->ctl = ctl;
	conn->fd = fd;
	conn->pid = pid;
	conn->since = hv_now();
	snprintf(conn->program, sizeof(conn->program), "a client");
	hv_hello_write(&json, NULL);
	rc = json.failed ? hv_err_nomem(err)
			 : hv_loop_add_fd(ctl->loop, fd, EPOLLIN, on_event, conn, &conn->src, err);
	if (rc) {
		close(fd);
		free(conn);
		hv_buf_free(&json);
		return rc;
	}
	conn->next = ctl->conns;
	if (conn->next)
		conn->next->prev = conn;
	ctl->conns = conn;
	ctl->n_conns++;
	hv_conn_put(conn, HV_FRAME_HELLO, 0, 0, json.data, json.len, HV_CONTROL_QUEUE);
	hv_buf_free(&json);
	return 0;
}

void hv_conn_end(struct hv_control_conn *conn)
{
	struct hv_control *ctl = conn->ctl;

	conn->dead = true;
	hv_channels_end(conn);
	if (ctl->ops->closed && conn->greeted)
		ctl->ops->closed(conn, ctl->arg);
	hv_source_remove(conn->src);
	close(conn->fd);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		ctl->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	ctl->n_conns--;
	hv_frame_decoder_free(&conn->dec);
	hv_outq_free(&conn->out);
	hv_buf_free(&conn->rest);
	free(conn);
}

/* What it has sent may wait for a loop that was busy. */
static bool has_sent(const struct hv_control_conn *conn)
{
	char byte;

	return conn->rest.len || recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool hv_conn_end_silent(struct hv_control *ctl)
{
	struct hv_control_conn *oldest = NULL;
	uint64_t now = hv_now();

	/* The newest is the first. */
	for (struct hv_control_conn *conn = ctl->conns; conn; conn = conn->next)
		if (!conn->greeted && now - conn->since >= HV_CONTROL_SILENT && !has_sent(conn))
			oldest = conn;
	if (!oldest)
		return false;
	hv_log_warn("control: process %d, which has not greeted, makes room for another client",
		    (int)oldest->pid);
	hv_conn_kill(oldest, true, "there was no hello, and the place is wanted");
	hv_conn_end(oldest);
	return true;
}

void hv_control_conn_set_data(struct hv_control_conn *conn, void *data)
{
	conn->data = data;
}

void *hv_control_conn_data(const struct hv_control_conn *conn)
{
	return conn->data;
}

pid_t hv_control_conn_pid(const struct hv_control_conn *conn)
{
	return conn->pid;
}

const char *hv_control_conn_program(const struct hv_control_conn *conn)
{
	return conn->program;
}

struct hv_loop *hv_control_conn_loop(const struct hv_control_conn *conn)
{
	return conn->ctl->loop;
}

struct hv_control_conn *hv_control_next(const struct hv_control *ctl,
					const struct hv_control_conn *conn)
{
	struct hv_control_conn *next = conn ? conn->next : ctl->conns;

	while (next && (next->dead || !next->greeted))
		next = next->next;
	return next;
}
