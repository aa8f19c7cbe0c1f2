// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/now.h"
#include "control/hello.h"
#include "control/outq.h"
#include "control/server.h"

#define GREETING INT64_C(5000000000) /* ns */

struct channel {
	uint16_t number; /* 0 = free */
	uint32_t credit, granted;
};

struct hv_control_client {
	int fd;
	pid_t pid;
	struct hv_frame_decoder dec;
	struct hv_outq out;
	const struct hv_control_handlers *handlers;
	void *arg;
	struct hv_hello hello;
	bool greeted;
	bool deaf;	    /* it takes nothing more; what it said last is still to be read */
	struct hv_err over; /* code 0 while the connection stands */
	uint32_t last_id;
	struct hv_buf *reply; /* of last_id, NULL = none is waited for */
	struct channel channels[HV_CONTROL_CHANNELS];
	uint8_t buffer[HV_FRAME_DATA_MAX + HV_FRAME_HEAD];
};

static struct channel *find(const struct hv_control_client *c, uint16_t number)
{
	for (unsigned int i = 0; i < HV_CONTROL_CHANNELS; i++)
		if (c->channels[i].number == number)
			return (struct channel *)&c->channels[i];
	return NULL;
}

static struct channel *known(const struct hv_control_client *c, uint16_t number)
{
	return number ? find(c, number) : NULL;
}

static void put(struct hv_control_client *c, enum hv_frame_type type, uint16_t channel, uint32_t id,
		const void *payload, size_t len)
{
	int rc;

	if (c->deaf || c->over.code)
		return;
	rc = hv_outq_put(&c->out, c->fd, type, channel, id, payload, len);
	if (rc == -ENOMEM)
		hv_err_nomem(&c->over);
	else if (rc)
		c->deaf = true;
}

/* ---- what arrives */

static void on_close(struct hv_control_client *c, const struct hv_frame *frame)
{
	const char *why;
	char reason[HV_REASON_MAX];
	struct channel *ch = known(c, frame->channel);

	hv_reason_read(frame->payload, frame->len, reason);
	why = *reason ? reason : "it did not say why";
	if (!frame->channel) {
		hv_err_set(&c->over, EPIPE, "the service (pid %d) ended the connection: %s",
			   (int)c->pid, why);
		return;
	}
	if (ch)
		ch->number = 0;
	if (c->handlers && c->handlers->closed)
		c->handlers->closed(frame->channel, why, c->arg);
}

static int on_channel(struct hv_control_client *c, const struct hv_frame *frame, struct hv_err *err)
{
	struct channel *ch = known(c, frame->channel);

	if (!ch)
		return 0;
	if (frame->type == HV_FRAME_WINDOW) {
		if (frame->id > HV_FRAME_CREDIT_MAX - ch->credit)
			return hv_err_set(err, EPROTO, "more than %u bytes granted",
					  HV_FRAME_CREDIT_MAX);
		ch->credit += frame->id;
		if (c->handlers && c->handlers->room)
			c->handlers->room(frame->channel, c->arg);
		return 0;
	}
	if (frame->len > ch->granted)
		return hv_err_set(err, EPROTO, "more bytes on a channel than were granted");
	ch->granted -= (uint32_t)frame->len;
	if (c->handlers && c->handlers->data)
		c->handlers->data(frame->channel, frame->payload, frame->len, c->arg);
	return 0;
}

static int greet(struct hv_control_client *c, const struct hv_frame *frame, struct hv_err *err)
{
	int rc;

	if (frame->type != HV_FRAME_HELLO)
		return hv_err_set(err, EPROTO, "its first frame is no hello");
	rc = hv_hello_read(frame->payload, frame->len, &c->hello, err);
	if (rc)
		return rc;
	/* What it says of itself comes first: an old program may refuse a new one. */
	rc = hv_hello_version(&c->hello, "the service", err);
	if (rc < 0)
		return rc;
	if (*c->hello.error)
		return hv_err_set(err, EACCES, "the service (pid %d) refuses: %s", (int)c->pid,
				  c->hello.error);
	c->greeted = true;
	return 0;
}

static int handle(struct hv_control_client *c, const struct hv_frame *frame, struct hv_err *err)
{
	if (frame->type == HV_FRAME_CLOSE) {
		on_close(c, frame);
		return 0;
	}
	if (!c->greeted)
		return greet(c, frame, err);
	switch (frame->type) {
	case HV_FRAME_REPLY:
		if (c->reply && frame->id == c->last_id) {
			hv_buf_add(c->reply, frame->payload, frame->len);
			c->reply = NULL;
		}
		return 0;
	case HV_FRAME_EVENT:
		if (c->handlers && c->handlers->event &&
		    (!frame->channel || known(c, frame->channel)))
			c->handlers->event(frame->channel, (const char *)frame->payload, frame->len,
					   c->arg);
		return 0;
	case HV_FRAME_DATA:
	case HV_FRAME_WINDOW:
		return on_channel(c, frame, err);
	default:
		return hv_err_set(err, EPROTO, "a frame of type %u, which only a client sends",
				  frame->type);
	}
}

/* Returns the number of frames; the connection may be over afterwards. */
static int feed(struct hv_control_client *c, const uint8_t *bytes, size_t len)
{
	struct hv_err err = { 0 };
	size_t at = 0;
	int frames = 0;

	while (at < len && !c->over.code) {
		struct hv_frame frame;
		ssize_t n = hv_frame_decode(&c->dec, bytes + at, len - at, &frame, &err);
		bool early = !c->greeted;
		int rc = n < 0 ? (int)n : frame.type ? handle(c, &frame, &err) : 0;

		if (rc < 0 && early)
			c->over = err;
		else if (rc < 0)
			hv_err_set(&c->over, EPIPE,
				   "the service (pid %d) breaks the control protocol: %s",
				   (int)c->pid, err.msg);
		if (rc < 0)
			return frames;
		at += (size_t)n;
		frames += frame.type != 0;
	}
	return frames;
}

static int receive(struct hv_control_client *c)
{
	ssize_t n = recv(c->fd, c->buffer, sizeof(c->buffer), MSG_DONTWAIT);

	if (n > 0)
		return feed(c, c->buffer, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* A service that ends with our bytes unread resets the connection. */
	if (!n || errno == ECONNRESET)
		hv_err_set(&c->over, EPIPE, "the service (pid %d) has gone", (int)c->pid);
	else
		hv_err_sys(&c->over, errno, "reading from the service (pid %d)", (int)c->pid);
	return 0;
}

static int over(const struct hv_control_client *c, struct hv_err *err)
{
	return hv_err_set(err, c->over.code, "%s", c->over.msg);
}

/* ns left until the deadline, as poll takes them; -1 = without limit. */
static int ms_until(uint64_t deadline)
{
	uint64_t now = hv_now(), left = deadline > now ? deadline - now : 0;

	if (deadline == UINT64_MAX)
		return -1;
	left = left / 1000000 + (left % 1000000 != 0);
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

static uint64_t deadline_of(int64_t timeout)
{
	uint64_t at;

	if (timeout < 0 || __builtin_add_overflow(hv_now(), (uint64_t)timeout, &at))
		return UINT64_MAX;
	return at;
}

/* Waits until something has come or the time is over: frames, 0, -errno. */
static int pump(struct hv_control_client *c, uint64_t deadline, struct hv_err *err)
{
	for (;;) {
		struct pollfd fd = { .fd = c->fd, .events = POLLIN };
		int frames, rc;

		if (c->over.code)
			return over(c, err);
		if (!c->deaf && hv_outq_flush(&c->out, c->fd))
			c->deaf = true;
		if (c->out.len && !c->deaf)
			fd.events |= POLLOUT;
		rc = poll(&fd, 1, ms_until(deadline));
		if (rc < 0)
			return errno == EINTR ? hv_err_set(err, EINTR, "interrupted")
					      : hv_err_sys(err, errno, "waiting for the service");
		if (!rc)
			return 0;
		frames = fd.revents & ~POLLOUT ? receive(c) : 0;
		if (frames)
			return frames;
	}
}

int hv_control_wait(struct hv_control_client *c, int64_t timeout, struct hv_err *err)
{
	return pump(c, deadline_of(timeout), err);
}

int hv_control_call(struct hv_control_client *c, const char *json, size_t len, int64_t timeout,
		    struct hv_buf *reply, struct hv_err *err)
{
	uint64_t deadline = deadline_of(timeout);
	int rc = 0;

	if (len > HV_FRAME_JSON_MAX)
		return hv_err_set(err, EMSGSIZE, "a request of %zu bytes; at most %u", len,
				  HV_FRAME_JSON_MAX);
	c->reply = reply;
	put(c, HV_FRAME_REQUEST, 0, ++c->last_id, json, len);
	while (c->reply) {
		rc = pump(c, deadline, err);
		if (!rc)
			rc = hv_err_set(err, ETIMEDOUT,
					"the service (pid %d) has not answered in time",
					(int)c->pid);
		if (rc < 0 && c->reply) {
			c->reply = NULL;
			return rc;
		}
	}
	return reply->failed ? hv_err_nomem(err) : 0;
}

/* ---- connecting */

static int no_service(const char *path, int code, struct hv_err *err)
{
	if (code == ENOENT || code == ECONNREFUSED)
		return hv_err_set(err, ENOENT,
				  "no service runs (nobody listens on %s): a script that starts "
				  "zones with devices becomes one",
				  path);
	if (code == EACCES || code == EPERM)
		return hv_err_set(err, EACCES, "%s: only root may talk to the service", path);
	if (code == EAGAIN)
		return hv_err_set(err, ETIMEDOUT, "the service that listens on %s takes no clients",
				  path);
	return hv_err_sys(err, code, "connecting to %s", path);
}

static int dial(struct hv_control_client *c, const char *path, struct hv_err *err)
{
	struct timeval patience = { .tv_sec = GREETING / 1000000000 };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (strlen(path) >= sizeof(at.sun_path))
		return hv_err_set(err, ENAMETOOLONG,
				  "'%s' is too long for a socket: at most %zu bytes", path,
				  sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, path, strlen(path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return hv_err_sys(err, errno, "making a socket");
	if (connect(c->fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return no_service(path, errno, err);
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		c->pid = peer.pid;
	return 0;
}

int hv_control_connect(const char *path, struct hv_control_client **out, struct hv_err *err)
{
	struct hv_control_client *c = calloc(1, sizeof(*c));
	uint64_t deadline = deadline_of(GREETING);
	struct hv_buf json = { 0 };
	int rc;

	if (!c)
		return hv_err_nomem(err);
	c->fd = -1;
	rc = dial(c, path, err);
	if (!rc) {
		hv_hello_write(&json, NULL);
		rc = json.failed ? hv_err_nomem(err) : 0;
	}
	if (!rc)
		put(c, HV_FRAME_HELLO, 0, 0, json.data, json.len);
	while (!rc && !c->greeted) {
		rc = pump(c, deadline, err);
		if (!rc)
			rc = hv_err_set(err, ETIMEDOUT,
					"the service (pid %d) that listens on %s does not answer; "
					"is it stopped?",
					(int)c->pid, path);
		else if (rc > 0 || rc == -EINTR)
			rc = c->over.code ? over(c, err) : 0;
	}
	hv_buf_free(&json);
	if (rc) {
		hv_control_disconnect(c);
		return rc;
	}
	*out = c;
	return 0;
}

void hv_control_disconnect(struct hv_control_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	hv_frame_decoder_free(&c->dec);
	hv_outq_free(&c->out);
	free(c);
}

pid_t hv_control_client_pid(const struct hv_control_client *c)
{
	return c->pid;
}

const char *hv_control_client_program(const struct hv_control_client *c)
{
	return c->hello.program;
}

void hv_control_set_handlers(struct hv_control_client *c,
			     const struct hv_control_handlers *handlers, void *arg)
{
	c->handlers = handlers;
	c->arg = arg;
}

int hv_control_client_fd(const struct hv_control_client *c)
{
	return c->fd;
}

size_t hv_control_unsent(const struct hv_control_client *c)
{
	return c->deaf ? 0 : c->out.len;
}

/* ---- channels */

size_t hv_control_room(const struct hv_control_client *c, uint16_t number)
{
	const struct channel *ch = known(c, number);

	return ch && !c->deaf && !c->over.code ? ch->credit : 0;
}

size_t hv_control_send(struct hv_control_client *c, uint16_t number, const void *bytes, size_t len)
{
	struct channel *ch = known(c, number);
	size_t done = 0;

	if (len > hv_control_room(c, number))
		len = hv_control_room(c, number);
	while (done < len) {
		size_t n = len - done < HV_FRAME_DATA_MAX ? len - done : HV_FRAME_DATA_MAX;

		put(c, HV_FRAME_DATA, number, 0, (const uint8_t *)bytes + done, n);
		ch->credit -= (uint32_t)n;
		done += n;
	}
	return done;
}

void hv_control_grant(struct hv_control_client *c, uint16_t number, uint32_t len)
{
	struct channel *ch = known(c, number);

	if (!number)
		return;
	if (!ch) {
		ch = find(c, 0);
		if (!ch)
			return;
		*ch = (struct channel){ .number = number };
	}
	if (len > HV_FRAME_CREDIT_MAX - ch->granted)
		len = HV_FRAME_CREDIT_MAX - ch->granted;
	ch->granted += len;
	put(c, HV_FRAME_WINDOW, number, len, NULL, 0);
}

void hv_control_tell(struct hv_control_client *c, uint16_t number, const char *json, size_t len)
{
	if (known(c, number))
		put(c, HV_FRAME_EVENT, number, 0, json, len);
}

void hv_control_close(struct hv_control_client *c, uint16_t number, const char *reason)
{
	struct channel *ch = known(c, number);
	struct hv_buf json = { 0 };

	if (!ch)
		return;
	ch->number = 0;
	hv_reason_write(&json, reason);
	if (!json.failed)
		put(c, HV_FRAME_CLOSE, number, 0, json.data, json.len);
	hv_buf_free(&json);
}
