// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "control/server_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static unsigned int open_channels, clients;

static uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static size_t take_some(struct input *in, size_t len, const uint8_t **bytes)
{
	if (len > in->left)
		len = in->left;
	*bytes = in->at;
	in->at += len;
	in->left -= len;
	return len;
}

static void on_data(struct hv_channel *ch, const void *bytes, size_t len, void *arg)
{
	const uint8_t *first = bytes;

	(void)arg;
	if (*first == 'c') {
		open_channels--;
		hv_channel_close(ch, "closed");
		return;
	}
	hv_channel_send(ch, bytes, len);
	hv_channel_grant(ch, (uint32_t)len);
}

static void on_room(struct hv_channel *ch, void *arg)
{
	static const uint8_t bytes[100000];

	(void)arg;
	hv_channel_grant(ch, 64);
	if (hv_channel_send(ch, bytes, sizeof(bytes)) > sizeof(bytes))
		abort();
}

static void on_event(struct hv_channel *ch, const char *json, size_t len, void *arg)
{
	(void)arg;
	hv_channel_event(ch, json, len, NULL);
}

static void on_channel_closed(struct hv_channel *ch, const char *reason, void *arg)
{
	(void)ch;
	(void)arg;
	if (!reason)
		abort();
	open_channels--;
}

static const struct hv_channel_ops channel_ops = {
	.data = on_data, .room = on_room, .event = on_event, .closed = on_channel_closed
};

static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	struct hv_channel *ch;

	(void)arg;
	switch (len ? json[0] : 0) {
	case 'o':
		if (!hv_channel_open(conn, &channel_ops, NULL, &ch, NULL))
			open_channels++;
		break;
	case 's':
		return;
	case 'd':
		hv_control_drop(conn, "dropped");
		break;
	case 'e':
		hv_control_event(conn, json, len, NULL);
		break;
	default:
		break;
	}
	hv_control_reply(conn, id, json, len, NULL);
}

static void on_closed(struct hv_control_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	clients--;
}

static const struct hv_control_ops ops = { .request = on_request, .closed = on_closed };

/* What we get must be frames to the last byte. */
static void drain(int fd, struct hv_frame_decoder *dec)
{
	static uint8_t bytes[1 << 16];
	struct hv_frame frame;
	ssize_t n, used;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		for (ssize_t at = 0; at < n; at += used) {
			used = hv_frame_decode(dec, bytes + at, (size_t)(n - at), &frame, NULL);
			if (used <= 0)
				abort();
		}
}

static void send_frame(int fd, struct input *in)
{
	uint8_t head[HV_FRAME_HEAD] = { take(in), 0, 0, 0, take(in), take(in), take(in), 0 };
	const uint8_t *bytes;
	size_t len;

	send(fd, head, sizeof(head), MSG_DONTWAIT | MSG_NOSIGNAL);
	len = take_some(in, head[0], &bytes);
	send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A client without scruples, in turns with the service. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char hello[] = "{\"protocol\":1,\"oldest\":1}";
	uint8_t prefix[HV_FRAME_PREFIX];
	struct hv_frame_decoder dec = { 0 };
	struct hv_control *ctl = calloc(1, sizeof(*ctl));
	struct input in = { data, size };
	const uint8_t *bytes;
	size_t len;
	int fds[2];

	hv_log_set_level(HV_LOG_ERROR);
	open_channels = 0;
	if (!ctl || hv_loop_new(&ctl->loop, NULL) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
		abort();
	ctl->ops = &ops;
	if (hv_conn_new(ctl, fds[0], getpid(), NULL))
		abort();
	clients = 1;
	if (!(take(&in) & 1)) {
		len = hv_frame_prefix(prefix, HV_FRAME_HELLO, 0, 0, sizeof(hello) - 1);
		send(fds[1], prefix, len, MSG_NOSIGNAL);
		send(fds[1], hello, sizeof(hello) - 1, MSG_NOSIGNAL);
	}
	while (in.left && ctl->conns) {
		uint8_t op = take(&in);

		switch (op & 7) {
		case 0:
			len = take_some(&in, op >> 3, &bytes);
			send(fds[1], bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		case 1:
		case 2:
		case 3:
			send_frame(fds[1], &in);
			break;
		case 4:
			drain(fds[1], &dec);
			break;
		case 5:
			if (op == 0xfd)
				shutdown(fds[1], SHUT_WR);
			break;
		default:
			hv_loop_run_once(ctl->loop, 0, NULL);
			break;
		}
	}
	for (int i = 0; i < 4; i++)
		hv_loop_run_once(ctl->loop, 0, NULL);
	drain(fds[1], &dec);
	while (ctl->conns) {
		/* One that never greeted is not said to have gone. */
		if (!ctl->conns->greeted)
			clients--;
		hv_conn_end(ctl->conns);
	}
	if (open_channels || clients > 1 || ctl->n_conns)
		abort();
	close(fds[1]);
	hv_frame_decoder_free(&dec);
	hv_loop_free(ctl->loop);
	free(ctl);
	return 0;
}
