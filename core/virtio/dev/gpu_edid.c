// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "virtio/dev/gpu_priv.h"

/*
 * What a screen says of itself (VESA E-EDID 1.4): a base block, and for a size that its timing
 * descriptors cannot hold a DisplayID 1.2 extension.
 */
#define BLOCK 128
#define DESCRIPTOR 18
#define DETAILED_MAX 4095u /* pixels */

/* Timing in the manner of CVT with reduced blanking. */
struct timing {
	uint32_t w, h, h_blank, h_front, h_sync, v_blank, v_front, v_sync;
	uint64_t clock; /* 10 kHz */
};

static struct timing timing_of(const struct hv_gpu_preferred *screen)
{
	uint64_t refresh = screen->refresh_mhz ?: 60000; /* thousandths of a Hertz */
	uint64_t frame_ns = UINT64_C(1000000000000) / refresh, line_ns;
	struct timing t = { .w = screen->w,
			    .h = screen->h,
			    .h_blank = 160,
			    .h_front = 48,
			    .h_sync = 32,
			    .v_front = 3,
			    .v_sync = 6 };

	/* A screen wants 460 µs between two pictures. */
	line_ns = frame_ns > 920000 ? (frame_ns - 460000) / t.h : frame_ns / 2 / t.h;
	t.v_blank = (uint32_t)(460000 / (line_ns ?: 1)) + 1;
	if (t.v_blank < t.v_front + t.v_sync + 6)
		t.v_blank = t.v_front + t.v_sync + 6;
	t.clock = ((uint64_t)(t.w + t.h_blank) * (t.h + t.v_blank) * refresh + 5000000) / 10000000;
	return t;
}

static void put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)value;
	to[1] = (uint8_t)(value >> 8);
}

static uint8_t checksum(const uint8_t *bytes, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *bytes++);
	return (uint8_t)-sum;
}

static void put_detailed(uint8_t *to, const struct timing *t, uint32_t w_mm, uint32_t h_mm)
{
	put16(to, (uint32_t)t->clock);
	to[2] = (uint8_t)t->w;
	to[3] = (uint8_t)t->h_blank;
	to[4] = (uint8_t)(t->w >> 8 << 4 | t->h_blank >> 8);
	to[5] = (uint8_t)t->h;
	to[6] = (uint8_t)t->v_blank;
	to[7] = (uint8_t)(t->h >> 8 << 4 | t->v_blank >> 8);
	to[8] = (uint8_t)t->h_front;
	to[9] = (uint8_t)t->h_sync;
	to[10] = (uint8_t)((t->v_front & 15) << 4 | (t->v_sync & 15));
	to[11] = 0;
	to[12] = (uint8_t)w_mm;
	to[13] = (uint8_t)h_mm;
	to[14] = (uint8_t)((w_mm >> 8 & 15) << 4 | (h_mm >> 8 & 15));
	to[17] = 0x1a; /* separate digital sync, horizontal positive */
}

/* Type I timing, in a block of its own. */
static void put_displayid(uint8_t *to, const struct timing *t)
{
	uint8_t *data = to + 8;
	uint32_t clock = (uint32_t)(t->clock - 1);

	to[0] = 0x70;
	to[1] = 0x12;
	to[2] = 23; /* bytes of data blocks */
	to[3] = 3;  /* a display */
	to[5] = 3;
	to[7] = 20;
	put16(data, clock);
	data[2] = (uint8_t)(clock >> 16);
	data[3] = 0x88; /* preferred; an aspect ratio that has no name */
	put16(data + 4, t->w - 1);
	put16(data + 6, t->h_blank - 1);
	put16(data + 8, (t->h_front - 1) | 0x8000);
	put16(data + 10, t->h_sync - 1);
	put16(data + 12, t->h - 1);
	put16(data + 14, t->v_blank - 1);
	put16(data + 16, t->v_front - 1);
	put16(data + 18, t->v_sync - 1);
	to[28] = checksum(to + 1, 27);
	to[BLOCK - 1] = checksum(to, BLOCK - 1);
}

/* Up to 13 printable characters, ended by a line feed and padded. */
static void put_text(uint8_t *to, uint8_t tag, const char *text)
{
	size_t n = 0;

	to[3] = tag;
	for (; n < 13 && text[n]; n++)
		to[5 + n] = (uint8_t)(text[n] < 0x20 || text[n] > 0x7e ? '_' : text[n]);
	for (size_t i = n; i < 13; i++)
		to[5 + i] = i == n ? '\n' : ' ';
}

static uint8_t centimetres(uint32_t mm)
{
	return (uint8_t)(mm / 10 < 255 ? mm / 10 : 255);
}

size_t hv_gpu_edid(const struct hv_gpu_preferred *screen, unsigned int serial,
		   uint8_t to[HV_GPU_EDID_MAX])
{
	static const uint8_t head[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	/* sRGB's primaries and white. */
	static const uint8_t colours[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c,
					   0x99, 0x26, 0x0f, 0x50, 0x54 };
	struct timing t = timing_of(screen);
	bool large = t.w > DETAILED_MAX || t.h > DETAILED_MAX || t.v_blank > DETAILED_MAX ||
		     t.clock > UINT16_MAX;
	/* 96 pixels to the inch where nobody knows. */
	uint32_t w_mm = screen->w_mm ?: screen->w * 254 / 960;
	uint32_t h_mm = screen->h_mm ?: screen->h * 254 / 960;
	uint8_t *at = to + 54;

	memset(to, 0, HV_GPU_EDID_MAX);
	memcpy(to, head, sizeof(head));
	to[8] = ('H' - '@') << 2 | ('V' - '@') >> 3;
	to[9] = (uint8_t)(('V' - '@') << 5) | ('S' - '@');
	put16(to + 10, 1);
	put16(to + 12, serial + 1);
	to[17] = 2024 - 1990;
	to[18] = 1;
	to[19] = 4;
	to[20] = 0xa0; /* digital, 8 bits a colour */
	to[21] = centimetres(w_mm);
	to[22] = centimetres(h_mm);
	to[23] = 120;  /* gamma 2.2 */
	to[24] = 0x06; /* sRGB; the preferred mode is what the screen has */
	memcpy(to + 25, colours, sizeof(colours));
	to[35] = (uint8_t)((screen->w >= 640 && screen->h >= 480) << 5 |
			   (screen->w >= 800 && screen->h >= 600));
	to[36] = (uint8_t)((screen->w >= 1024 && screen->h >= 768) << 3);
	memset(to + 38, 1, 16); /* no standard timings */
	if (!large) {
		put_detailed(at, &t, w_mm, h_mm);
		at += DESCRIPTOR;
	}
	put_text(at, 0xfc, screen->name);
	for (at += DESCRIPTOR; at < to + 126; at += DESCRIPTOR)
		at[3] = 0x10; /* unused */
	to[126] = large;
	to[127] = checksum(to, 127);
	if (large)
		put_displayid(to + BLOCK, &t);
	return large ? 2 * BLOCK : BLOCK;
}
