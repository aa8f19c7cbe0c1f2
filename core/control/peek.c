// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "control/server_priv.h"

struct view {
	struct hv_frame_decoder dec;
	uint16_t channel;
	void (*event)(const char *json, size_t len, void *arg);
	void *arg;
};

/* false: what no client may send; the connection ends when it is read. */
static bool look(struct view *view, const uint8_t *bytes, size_t len)
{
	struct hv_frame frame;
	size_t at = 0;

	while (at < len) {
		ssize_t n = hv_frame_decode(&view->dec, bytes + at, len - at, &frame, NULL);

		if (n < 0)
			return false;
		if (frame.type == HV_FRAME_EVENT && frame.channel == view->channel)
			view->event((const char *)frame.payload, frame.len, view->arg);
		at += (size_t)n;
	}
	return true;
}

/* What was sent last and not read yet hides the end behind it from recv. */
static bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

bool hv_channel_peek(struct hv_channel *ch, void (*event)(const char *json, size_t len, void *arg),
		     void *arg)
{
	struct hv_control_conn *conn = ch->conn;
	/* Nobody is being read: that happens in rounds of the loop. */
	uint8_t *bytes = conn->ctl->buffer;
	struct view view = {
		.dec = hv_frame_decoder_ahead(&conn->dec),
		.channel = ch->number,
		.event = event,
		.arg = arg,
	};
	bool fine;
	ssize_t n;

	if (conn->dead || conn->ended)
		return false;
	fine = look(&view, (const uint8_t *)conn->rest.data, conn->rest.len);
	n = recv(conn->fd, bytes, sizeof(conn->ctl->buffer), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0 && fine)
		look(&view, bytes, (size_t)n);
	hv_frame_decoder_free(&view.dec);
	return n > 0 ? !hung_up(conn->fd) : n < 0 && (errno == EAGAIN || errno == EINTR);
}
