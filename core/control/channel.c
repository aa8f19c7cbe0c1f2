// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "control/server_priv.h"

int hv_channel_open(struct hv_control_conn *conn, const struct hv_channel_ops *ops, void *arg,
		    struct hv_channel **out, struct hv_err *err)
{
	struct hv_channel *ch;
	unsigned int slot = 0;

	while (slot < HV_CONTROL_CHANNELS && conn->channels[slot])
		slot++;
	if (slot == HV_CONTROL_CHANNELS)
		return hv_err_set(err, ENOSPC, "%d channels are open on this connection; no more",
				  HV_CONTROL_CHANNELS);
	/* A number is never used twice: a late frame for a closed channel would reach another. */
	if (conn->last_channel == UINT16_MAX)
		return hv_err_set(err, ENOSPC,
				  "this connection has had %d channels, as many as it can; connect "
				  "anew",
				  UINT16_MAX);
	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return hv_err_nomem(err);
	ch->conn = conn;
	ch->ops = ops;
	ch->arg = arg;
	ch->number = ++conn->last_channel;
	ch->wants_room = true;
	conn->channels[slot] = ch;
	*out = ch;
	return 0;
}

uint16_t hv_channel_number(const struct hv_channel *ch)
{
	return ch->number;
}

struct hv_control_conn *hv_channel_conn(const struct hv_channel *ch)
{
	return ch->conn;
}

size_t hv_channel_room(struct hv_channel *ch)
{
	const struct hv_control_conn *conn = ch->conn;
	size_t room = 0;

	if (!conn->dead && conn->out.len < HV_CHANNEL_QUEUE)
		room = HV_CHANNEL_QUEUE - conn->out.len;
	if (room > HV_FRAME_DATA_MAX)
		room = HV_FRAME_DATA_MAX;
	if (room > ch->credit)
		room = ch->credit;
	if (!room)
		ch->wants_room = true;
	return room;
}

size_t hv_channel_send(struct hv_channel *ch, const void *bytes, size_t len)
{
	size_t done = 0, n;

	while (done < len) {
		n = hv_channel_room(ch);
		if (n > len - done)
			n = len - done;
		if (!n || hv_conn_put(ch->conn, HV_FRAME_DATA, ch->number, 0,
				      (const uint8_t *)bytes + done, n, HV_CONTROL_QUEUE))
			break;
		ch->credit -= (uint32_t)n;
		done += n;
	}
	return done;
}

void hv_channel_grant(struct hv_channel *ch, uint32_t len)
{
	if (len > HV_FRAME_CREDIT_MAX - ch->granted)
		len = HV_FRAME_CREDIT_MAX - ch->granted;
	if (!len)
		return;
	ch->granted += len;
	hv_conn_put(ch->conn, HV_FRAME_WINDOW, ch->number, len, NULL, 0, HV_CONTROL_QUEUE);
}

int hv_channel_event(struct hv_channel *ch, const char *json, size_t len, struct hv_err *err)
{
	if (len > HV_FRAME_JSON_MAX)
		return hv_err_set(err, EMSGSIZE, "an event of %zu bytes; at most %u", len,
				  HV_FRAME_JSON_MAX);
	if (hv_conn_put(ch->conn, HV_FRAME_EVENT, ch->number, 0, json, len, HV_CONTROL_QUEUE / 2)) {
		ch->wants_room = true;
		return hv_err_set(err, ENOBUFS, "the client does not read: an event is lost");
	}
	return 0;
}

static void forget(struct hv_channel *ch)
{
	struct hv_control_conn *conn = ch->conn;

	for (unsigned int i = 0; i < HV_CONTROL_CHANNELS; i++)
		if (conn->channels[i] == ch)
			conn->channels[i] = NULL;
}

void hv_channel_close(struct hv_channel *ch, const char *reason)
{
	struct hv_buf json = { 0 };

	hv_reason_write(&json, reason);
	if (json.failed)
		hv_conn_kill(ch->conn, false, "out of memory");
	else
		hv_conn_put(ch->conn, HV_FRAME_CLOSE, ch->number, 0, json.data, json.len,
			    HV_CONTROL_QUEUE);
	hv_buf_free(&json);
	forget(ch);
	free(ch);
}

static void closed(struct hv_channel *ch, const char *reason)
{
	forget(ch);
	if (ch->ops->closed)
		ch->ops->closed(ch, reason, ch->arg);
	free(ch);
}

void hv_channels_end(struct hv_control_conn *conn)
{
	for (unsigned int i = 0; i < HV_CONTROL_CHANNELS; i++)
		if (conn->channels[i])
			closed(conn->channels[i], conn->why);
}

static void go_on(struct hv_channel *ch)
{
	if (!ch->wants_room || !ch->credit)
		return;
	ch->wants_room = false;
	if (ch->ops->room)
		ch->ops->room(ch, ch->arg);
}

void hv_channels_room(struct hv_control_conn *conn)
{
	for (unsigned int i = 0; i < HV_CONTROL_CHANNELS && !conn->dead; i++)
		if (conn->channels[i] && conn->out.len < HV_CHANNEL_QUEUE)
			go_on(conn->channels[i]);
}

int hv_channel_frame(struct hv_control_conn *conn, const struct hv_frame *frame, struct hv_err *err)
{
	char reason[HV_REASON_MAX];
	struct hv_channel *ch = NULL;

	if (frame->channel > conn->last_channel)
		return hv_err_set(err, EPROTO, "channel %u was never opened", frame->channel);
	for (unsigned int i = 0; i < HV_CONTROL_CHANNELS; i++)
		if (conn->channels[i] && conn->channels[i]->number == frame->channel)
			ch = conn->channels[i];
	/* Closed here while this was on its way. */
	if (!ch)
		return 0;
	switch (frame->type) {
	case HV_FRAME_DATA:
		if (frame->len > ch->granted)
			return hv_err_set(err, EPROTO,
					  "%zu bytes on channel %u, which may have %u more",
					  frame->len, frame->channel, ch->granted);
		ch->granted -= (uint32_t)frame->len;
		if (ch->ops->data)
			ch->ops->data(ch, frame->payload, frame->len, ch->arg);
		return 0;
	case HV_FRAME_WINDOW:
		if (frame->id > HV_FRAME_CREDIT_MAX - ch->credit)
			return hv_err_set(err, EPROTO, "more than %u bytes granted on channel %u",
					  HV_FRAME_CREDIT_MAX, frame->channel);
		ch->credit += frame->id;
		if (conn->out.len < HV_CHANNEL_QUEUE)
			go_on(ch);
		return 0;
	case HV_FRAME_EVENT:
		if (ch->ops->event)
			ch->ops->event(ch, (const char *)frame->payload, frame->len, ch->arg);
		return 0;
	default:
		hv_reason_read(frame->payload, frame->len, reason);
		closed(ch, *reason ? reason : "the client has closed it");
		return 0;
	}
}
