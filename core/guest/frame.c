// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/program.h"

/* Destination, source, type, "hvsh", a letter (Q asks, A answers, T is text), text. */
#define TYPE_HIGH 0x88 /* 0x88b5: IEEE's first local experimental type */
#define TYPE_LOW 0xb5
#define MARK "hvsh"
#define KIND_AT 18
#define TEXT_AT 19
#define FRAME_MIN 60

const char *program_mac(const uint8_t mac[6], char out[PROGRAM_MAC_TEXT])
{
	snprintf(out, PROGRAM_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return out;
}

int program_parse_mac(const char *text, uint8_t mac[6])
{
	unsigned int b[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 ||
	    text[end])
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

int program_send(struct program *p, const uint8_t to[6], char kind, const char *text)
{
	uint8_t frame[HV_GNET_FRAME] = { 0 };
	size_t len = strnlen(text, sizeof(frame) - TEXT_AT);

	memcpy(frame, to, 6);
	memcpy(frame + 6, p->net.mac, 6);
	frame[12] = TYPE_HIGH;
	frame[13] = TYPE_LOW;
	memcpy(frame + 14, MARK, 4);
	frame[KIND_AT] = (uint8_t)kind;
	memcpy(frame + TEXT_AT, text, len);
	len += TEXT_AT;
	return hv_gnet_send(&p->net, frame, len < FRAME_MIN ? FRAME_MIN : len);
}

static bool is_mine(const struct program *p, const uint8_t *frame, size_t len)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return len >= FRAME_MIN && frame[12] == TYPE_HIGH && frame[13] == TYPE_LOW &&
	       !memcmp(frame + 14, MARK, 4) &&
	       (!memcmp(frame, p->net.mac, 6) || !memcmp(frame, all, 6));
}

static void answer(struct program *p, const uint8_t *frame, size_t len)
{
	char from[PROGRAM_MAC_TEXT];
	uint8_t peer[6];

	memcpy(peer, frame + 6, 6);
	switch (frame[KIND_AT]) {
	case 'Q':
		program_send(p, peer, 'A', "");
		break;
	case 'A':
		if (p->pinging && !memcmp(peer, p->ping_to, 6))
			p->pinged = true;
		break;
	case 'T':
		program_say(p, "\r\n%s says: %.*s\r\n", program_mac(peer, from),
			    (int)strnlen((const char *)frame + TEXT_AT, len - TEXT_AT),
			    (const char *)frame + TEXT_AT);
		break;
	default:
		break;
	}
}

void program_receive(struct program *p)
{
	uint8_t frame[HV_GNET_FRAME];
	int n;

	while (p->net.pair.dev && !p->dead && (n = hv_gnet_receive(&p->net, frame, sizeof(frame))) > 0)
		if (is_mine(p, frame, (size_t)n))
			answer(p, frame, (size_t)n);
}
