// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest/program.h"

/* A guest's screen: a test card with the zone's name, and a cursor over it. */

#define GLYPH_W 5
#define GLYPH_H 7

/* Five columns each, the top row is the lowest bit. */
static const struct glyph {
	char c;
	uint8_t columns[GLYPH_W];
} glyphs[] = {
	{ '0', { 0x3e, 0x51, 0x49, 0x45, 0x3e } }, { '1', { 0x00, 0x42, 0x7f, 0x40, 0x00 } },
	{ '2', { 0x62, 0x51, 0x49, 0x49, 0x46 } }, { '3', { 0x22, 0x41, 0x49, 0x49, 0x36 } },
	{ '4', { 0x18, 0x14, 0x12, 0x7f, 0x10 } }, { '5', { 0x27, 0x45, 0x45, 0x45, 0x39 } },
	{ '6', { 0x3e, 0x49, 0x49, 0x49, 0x32 } }, { '7', { 0x01, 0x71, 0x09, 0x05, 0x03 } },
	{ '8', { 0x36, 0x49, 0x49, 0x49, 0x36 } }, { '9', { 0x26, 0x49, 0x49, 0x49, 0x3e } },
	{ 'a', { 0x7e, 0x09, 0x09, 0x09, 0x7e } }, { 'b', { 0x7f, 0x49, 0x49, 0x49, 0x36 } },
	{ 'c', { 0x3e, 0x41, 0x41, 0x41, 0x22 } }, { 'd', { 0x7f, 0x41, 0x41, 0x41, 0x3e } },
	{ 'e', { 0x7f, 0x49, 0x49, 0x49, 0x41 } }, { 'f', { 0x7f, 0x09, 0x09, 0x09, 0x01 } },
	{ 'g', { 0x3e, 0x41, 0x41, 0x49, 0x3a } }, { 'h', { 0x7f, 0x08, 0x08, 0x08, 0x7f } },
	{ 'i', { 0x00, 0x41, 0x7f, 0x41, 0x00 } }, { 'j', { 0x20, 0x40, 0x40, 0x40, 0x3f } },
	{ 'k', { 0x7f, 0x08, 0x14, 0x22, 0x41 } }, { 'l', { 0x7f, 0x40, 0x40, 0x40, 0x40 } },
	{ 'm', { 0x7f, 0x02, 0x0c, 0x02, 0x7f } }, { 'n', { 0x7f, 0x04, 0x08, 0x10, 0x7f } },
	{ 'o', { 0x3e, 0x41, 0x41, 0x41, 0x3e } }, { 'p', { 0x7f, 0x09, 0x09, 0x09, 0x06 } },
	{ 'q', { 0x3e, 0x41, 0x51, 0x21, 0x5e } }, { 'r', { 0x7f, 0x09, 0x19, 0x29, 0x46 } },
	{ 's', { 0x26, 0x49, 0x49, 0x49, 0x32 } }, { 't', { 0x01, 0x01, 0x7f, 0x01, 0x01 } },
	{ 'u', { 0x3f, 0x40, 0x40, 0x40, 0x3f } }, { 'v', { 0x0f, 0x30, 0x40, 0x30, 0x0f } },
	{ 'w', { 0x7f, 0x20, 0x18, 0x20, 0x7f } }, { 'x', { 0x63, 0x14, 0x08, 0x14, 0x63 } },
	{ 'y', { 0x03, 0x04, 0x78, 0x04, 0x03 } }, { 'z', { 0x61, 0x51, 0x49, 0x45, 0x43 } },
	{ '-', { 0x08, 0x08, 0x08, 0x08, 0x08 } }, { '_', { 0x40, 0x40, 0x40, 0x40, 0x40 } },
	{ ' ', { 0x00, 0x00, 0x00, 0x00, 0x00 } }, { '.', { 0x00, 0x00, 0x40, 0x00, 0x00 } },
};

struct canvas {
	uint32_t *pixels;
	uint32_t w, h;
};

/* Cut where it is larger than the canvas. */
static void fill(const struct canvas *c, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
		 uint32_t colour)
{
	uint32_t right = w < c->w && x < c->w - w ? x + w : c->w;
	uint32_t bottom = h < c->h && y < c->h - h ? y + h : c->h;

	for (uint32_t row = y; row < bottom; row++)
		for (uint32_t col = x; col < right; col++)
			c->pixels[(size_t)row * c->w + col] = colour;
}

static const struct glyph *glyph_of(char ch)
{
	if (ch >= 'A' && ch <= 'Z')
		ch = (char)(ch - 'A' + 'a');
	for (size_t i = 0; i < sizeof(glyphs) / sizeof(glyphs[0]); i++)
		if (glyphs[i].c == ch)
			return &glyphs[i];
	return glyph_of('-');
}

/* Centred in a line at y; unit: pixels of a dot. */
static void write_text(const struct canvas *c, const char *text, uint32_t y, uint32_t unit,
		       uint32_t colour)
{
	uint32_t step = (GLYPH_W + 1) * unit, width = (uint32_t)strlen(text) * step;
	uint32_t x = width < c->w ? (c->w - width) / 2 : 0;

	for (; *text; text++, x += step) {
		const struct glyph *g = glyph_of(*text);

		for (uint32_t col = 0; col < GLYPH_W; col++)
			for (uint32_t row = 0; row < GLYPH_H; row++)
				if (g->columns[col] >> row & 1)
					fill(c, x + col * unit, y + row * unit, unit, unit, colour);
	}
}

static void ring(const struct canvas *c, uint32_t radius, uint32_t width, uint32_t colour)
{
	int64_t outer = (int64_t)radius * radius;
	int64_t inner = radius > width ? (int64_t)(radius - width) * (radius - width) : 0;

	for (uint32_t y = 0; y < c->h; y++)
		for (uint32_t x = 0; x < c->w; x++) {
			int64_t dx = (int64_t)x - c->w / 2, dy = (int64_t)y - c->h / 2;
			int64_t d = dx * dx + dy * dy;

			if (d <= outer && d >= inner)
				c->pixels[(size_t)y * c->w + x] = colour;
		}
}

/* Bars of colours, steps of grey, a frame one pixel wide at the very edge, a circle, the name. */
static void draw(const struct canvas *c, const char *name)
{
	static const uint32_t bars[] = { 0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
					 0xff00ff, 0xff0000, 0x0000ff, 0x000000 };
	uint32_t bars_end = c->h * 7 / 10, steps_end = c->h * 8 / 10, unit = c->h / 100 + 1;
	char size[32];

	for (uint32_t i = 0; i < 8; i++)
		fill(c, c->w * i / 8, 0, c->w * (i + 1) / 8 - c->w * i / 8, bars_end, bars[i]);
	for (uint32_t i = 0; i < 16; i++)
		fill(c, c->w * i / 16, bars_end, c->w * (i + 1) / 16 - c->w * i / 16,
		     steps_end - bars_end, i * 17 * 0x010101);
	fill(c, 0, steps_end, c->w, c->h - steps_end, 0x303840);
	for (uint32_t x = 0; x + 1 < c->w; x += 16) {
		fill(c, x, 0, 8, 1, 0xffffff);
		fill(c, x + 8, 0, 8, 1, 0);
	}
	fill(c, 0, c->h - 1, c->w, 1, 0xffffff);
	fill(c, 0, 0, 1, c->h, 0xffffff);
	fill(c, c->w - 1, 0, 1, c->h, 0xffffff);
	ring(c, (c->w < c->h ? c->w : c->h) * 2 / 5, unit, 0x808080);
	write_text(c, name, steps_end + unit * 2, unit, 0xffffff);
	snprintf(size, sizeof(size), "%" PRIu32 " x %" PRIu32, c->w, c->h);
	write_text(c, size, steps_end + unit * (GLYPH_H + 4), unit, 0xa0a0a0);
}

/* An arrow that points to its top left corner: white with a black edge. */
static void draw_arrow(uint32_t pixels[HV_GGPU_CURSOR * HV_GGPU_CURSOR])
{
	memset(pixels, 0, HV_GGPU_CURSOR * HV_GGPU_CURSOR * sizeof(*pixels));
	for (uint32_t y = 0; y < 44; y++)
		for (uint32_t x = 0; x * 10 <= y * 7 && x + 2 * y <= 86; x++) {
			bool edge = x < 2 || x * 10 + 20 > y * 7 || x + 2 * y > 82;

			pixels[y * HV_GGPU_CURSOR + x] = edge ? 0xff000000 : 0xffffffff;
		}
}

int program_draw_card(struct program *p)
{
	struct hv_ggpu *gpu = &p->gpu;
	int rc = hv_ggpu_set_mode(gpu);

	if (rc < 0)
		return rc;
	draw(&(struct canvas){ hv_ggpu_pixels(gpu), gpu->w, gpu->h }, hv_guest_zone(p->g)->name);
	return hv_ggpu_show(gpu, 0, 0, gpu->w, gpu->h);
}

int program_draw_rect(struct program *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
		      uint32_t colour)
{
	struct hv_ggpu *gpu = &p->gpu;

	if (!gpu->w)
		return -ENODEV;
	if (!w || !h || x >= gpu->w || y >= gpu->h || w > gpu->w - x || h > gpu->h - y)
		return -ERANGE;
	fill(&(struct canvas){ hv_ggpu_pixels(gpu), gpu->w, gpu->h }, x, y, w, h, colour);
	return hv_ggpu_show(gpu, x, y, w, h);
}

void program_start_gpu(struct program *p, struct hv_gdev *dev)
{
	uint32_t arrow[HV_GGPU_CURSOR * HV_GGPU_CURSOR];
	int rc = hv_ggpu_start(&p->gpu, dev);

	program_say(p, "0x%" PRIx64 " irq %u: screen", dev->at, dev->irq);
	if (rc == 0)
		rc = program_draw_card(p);
	draw_arrow(arrow);
	if (rc == 0)
		rc = hv_ggpu_set_cursor(&p->gpu, arrow);
	if (rc == 0)
		rc = hv_ggpu_move_cursor(&p->gpu, (int32_t)p->gpu.w / 2, (int32_t)p->gpu.h / 2);
	if (rc < 0)
		program_say(p, ": %s\r\n", strerror(-rc));
	else
		program_say(p, ", %" PRIu32 " x %" PRIu32 "\r\n", p->gpu.w, p->gpu.h);
}
