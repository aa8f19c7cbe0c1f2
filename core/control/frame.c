// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/frame.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

struct limits {
	const char *name;
	size_t min, max;
	bool has_id;
	bool on_connection, on_channel;
};

static const struct limits limits[] = {
	[HV_FRAME_HELLO] = { "a hello", 2, HV_FRAME_SMALL_MAX, false, true, false },
	[HV_FRAME_REQUEST] = { "a request", 4, 4 + HV_FRAME_JSON_MAX, true, true, false },
	[HV_FRAME_REPLY] = { "a reply", 4, 4 + HV_FRAME_JSON_MAX, true, true, false },
	[HV_FRAME_EVENT] = { "an event", 0, HV_FRAME_JSON_MAX, false, true, true },
	[HV_FRAME_DATA] = { "data", 1, HV_FRAME_DATA_MAX, false, false, true },
	[HV_FRAME_WINDOW] = { "a window", 4, 4, true, false, true },
	[HV_FRAME_CLOSE] = { "a close", 0, HV_FRAME_SMALL_MAX, false, true, true },
};

static const struct limits *limits_of(uint8_t type)
{
	return type && type < sizeof(limits) / sizeof(limits[0]) ? &limits[type] : NULL;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static int check_head(const uint8_t *head, struct hv_err *err)
{
	uint32_t len = get32(head);
	uint8_t type = head[4], flags = head[5];
	uint16_t channel = get16(head + 6);
	const struct limits *limit = limits_of(type);

	if (flags & ~HV_FRAME_OPTIONAL)
		return hv_err_set(err, EPROTO, "a frame with flags 0x%x; 0 and 1 are known", flags);
	if (!limit && !(flags & HV_FRAME_OPTIONAL))
		return hv_err_set(err, EPROTO, "a frame of type %u, which is not known here", type);
	if (!limit && len > HV_FRAME_JSON_MAX)
		return hv_err_set(err, EPROTO, "a frame of type %u with %u bytes; at most %u", type,
				  len, HV_FRAME_JSON_MAX);
	if (!limit)
		return 0;
	if (len < limit->min || len > limit->max)
		return hv_err_set(err, EPROTO, "%s of %u bytes; it has %zu to %zu", limit->name,
				  len, limit->min, limit->max);
	if (channel ? !limit->on_channel : !limit->on_connection)
		return hv_err_set(err, EPROTO, "%s on channel %u; it belongs to %s", limit->name,
				  channel, channel ? "channel 0" : "a channel");
	return 0;
}

static void give(const uint8_t *head, const uint8_t *body, struct hv_frame *frame)
{
	size_t len = get32(head);
	bool has_id = limits_of(head[4])->has_id;

	*frame = (struct hv_frame){
		.type = head[4],
		.channel = get16(head + 6),
		.id = has_id ? get32(body) : 0,
		.payload = body + (has_id ? 4 : 0),
		.len = len - (has_id ? 4 : 0),
	};
}

static void forget(struct hv_frame_decoder *dec)
{
	dec->done = false;
	dec->n_head = 0;
	hv_buf_free(&dec->body);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

ssize_t hv_frame_decode(struct hv_frame_decoder *dec, const void *bytes, size_t len,
			struct hv_frame *frame, struct hv_err *err)
{
	const uint8_t *at = bytes;
	size_t used, need;
	int rc;

	frame->type = 0;
	if (dec->done)
		forget(dec);
	used = smaller(len, dec->skip);
	dec->skip -= used;
	if (dec->skip || used == len)
		return (ssize_t)used;
	if (dec->n_head < HV_FRAME_HEAD) {
		size_t n = smaller(len - used, HV_FRAME_HEAD - dec->n_head);

		memcpy(dec->head + dec->n_head, at + used, n);
		dec->n_head += n;
		used += n;
		if (dec->n_head < HV_FRAME_HEAD)
			return (ssize_t)used;
		rc = check_head(dec->head, err);
		if (rc)
			return rc;
	}
	need = get32(dec->head);
	if (!limits_of(dec->head[4])) {
		dec->n_head = 0;
		dec->skip = need;
		return (ssize_t)used;
	}
	if (!dec->body.len && len - used >= need) {
		give(dec->head, at + used, frame);
		dec->n_head = 0;
		return (ssize_t)(used + need);
	}
	need = smaller(need - dec->body.len, len - used);
	hv_buf_add(&dec->body, at + used, need);
	if (dec->body.failed)
		return hv_err_nomem(err);
	used += need;
	if (dec->body.len == get32(dec->head)) {
		give(dec->head, (const uint8_t *)dec->body.data, frame);
		dec->done = true;
	}
	return (ssize_t)used;
}

void hv_frame_decoder_free(struct hv_frame_decoder *dec)
{
	hv_buf_free(&dec->body);
	*dec = (struct hv_frame_decoder){ 0 };
}

struct hv_frame_decoder hv_frame_decoder_ahead(const struct hv_frame_decoder *dec)
{
	struct hv_frame_decoder ahead = { .skip = dec->skip };

	if (dec->done)
		return ahead;
	if (dec->n_head == HV_FRAME_HEAD) {
		ahead.skip = get32(dec->head) - dec->body.len;
		return ahead;
	}
	memcpy(ahead.head, dec->head, dec->n_head);
	ahead.n_head = dec->n_head;
	return ahead;
}

size_t hv_frame_prefix(uint8_t to[HV_FRAME_PREFIX], enum hv_frame_type type, uint16_t channel,
		       uint32_t id, size_t len)
{
	const struct limits *limit = limits_of((uint8_t)type);
	size_t extra = limit->has_id ? 4 : 0;
	uint32_t le_len = htole32((uint32_t)(len + extra)), le_id = htole32(id);
	uint16_t le_channel = htole16(channel);

	assert(len + extra >= limit->min && len + extra <= limit->max);
	memcpy(to, &le_len, 4);
	to[4] = (uint8_t)type;
	to[5] = 0;
	memcpy(to + 6, &le_channel, 2);
	memcpy(to + 8, &le_id, extra);
	return HV_FRAME_HEAD + extra;
}
