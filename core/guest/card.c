// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <string.h>

#include "guest/program.h"

/* A guest's screen: a test card with the zone's name, text below it, and a cursor over it. */

/* Centred in a line at y; unit: pixels of a dot. */
static void write_text(const struct canvas *c, const char *text, uint32_t y, uint32_t unit,
		       uint32_t colour)
{
	uint32_t step = (CANVAS_GLYPH_W + 1) * unit, width = (uint32_t)strlen(text) * step;
	uint32_t x = width < c->w ? (c->w - width) / 2 : 0;

	for (; *text; text++, x += step)
		canvas_glyph(c, *text, x, y, unit, colour);
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
				c->pixels[(size_t)y * c->stride + x] = colour;
		}
}

/* Bars of colours, steps of grey, a circle, the name. */
static void draw(const struct canvas *c, const char *name, const char *size)
{
	static const uint32_t bars[] = { 0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
					 0xff00ff, 0xff0000, 0x0000ff, 0x000000 };
	uint32_t bars_end = c->h * 7 / 10, steps_end = c->h * 8 / 10;
	uint32_t unit = c->h / 100 ? c->h / 100 : 1;

	for (uint32_t i = 0; i < 8; i++)
		canvas_fill(c, c->w * i / 8, 0, c->w * (i + 1) / 8 - c->w * i / 8, bars_end,
			    bars[i]);
	for (uint32_t i = 0; i < 16; i++)
		canvas_fill(c, c->w * i / 16, bars_end, c->w * (i + 1) / 16 - c->w * i / 16,
			    steps_end - bars_end, i * 17 * 0x010101);
	canvas_fill(c, 0, steps_end, c->w, c->h - steps_end, 0x303840);
	ring(&(struct canvas){ c->pixels, c->stride, c->w, steps_end },
	     (c->w < steps_end ? c->w : steps_end) * 9 / 20, unit, 0x808080);
	write_text(c, name, steps_end + unit * 2, unit, 0xffffff);
	write_text(c, size, steps_end + unit * (CANVAS_GLYPH_H + 3), unit, 0xa0a0a0);
}

/* One pixel wide, at the very edge. */
static void draw_frame(const struct canvas *c)
{
	for (uint32_t x = 0; x + 1 < c->w; x += 16) {
		canvas_fill(c, x, 0, 8, 1, 0xffffff);
		canvas_fill(c, x + 8, 0, 8, 1, 0);
	}
	canvas_fill(c, 0, c->h - 1, c->w, 1, 0xffffff);
	canvas_fill(c, 0, 0, 1, c->h, 0xffffff);
	canvas_fill(c, c->w - 1, 0, 1, c->h, 0xffffff);
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

static struct canvas screen_of(struct hv_ggpu *gpu)
{
	return (struct canvas){ hv_ggpu_pixels(gpu), gpu->w, gpu->w, gpu->h };
}

int program_draw_card(struct program *p)
{
	struct hv_ggpu *gpu = &p->gpu;
	struct canvas screen, card;
	uint32_t changed[4];
	char size[32];
	int rc = hv_ggpu_set_mode(gpu);

	if (rc < 0)
		return rc;
	screen = card = screen_of(gpu);
	if (p->terminal.on && terminal_place(&p->terminal, gpu->w, gpu->h, gpu->h * 11 / 20))
		card.h = gpu->h * 11 / 20;
	snprintf(size, sizeof(size), "%" PRIu32 " x %" PRIu32, gpu->w, gpu->h);
	draw(&card, hv_guest_zone(p->g)->name, size);
	canvas_fill(&screen, 0, card.h, screen.w, screen.h - card.h, TERMINAL_GROUND);
	draw_frame(&screen);
	terminal_draw(&p->terminal, &screen, changed);
	return hv_ggpu_show(gpu, 0, 0, gpu->w, gpu->h);
}

void program_say_size(struct program *p)
{
	const struct terminal *t = &p->terminal;

	program_say(p, "%" PRIu32 " x %" PRIu32, p->gpu.w, p->gpu.h);
	if (t->placed)
		program_say(p, ", text of %u x %u in cells of %u x %u from %u,%u", t->cols, t->rows,
			    terminal_cell_w(t), terminal_cell_h(t), t->left, t->top);
}

void program_show_text(struct program *p)
{
	uint32_t r[4];
	struct canvas screen;
	int rc;

	if (!p->terminal.on || !p->gpu.w || p->dead)
		return;
	screen = screen_of(&p->gpu);
	if (!terminal_draw(&p->terminal, &screen, r))
		return;
	rc = hv_ggpu_show(&p->gpu, r[0], r[1], r[2], r[3]);
	if (rc == -ESHUTDOWN) {
		p->dead = rc;
	} else if (rc < 0) {
		unsigned int to = p->to;

		/* What is typed blindly is not obeyed. */
		p->terminal.on = false;
		p->to = PROGRAM_CONSOLE;
		program_say(p, "\r\nscreen: %s; no more text is shown\r\n", strerror(-rc));
		p->to = to;
	}
}

int program_draw_rect(struct program *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
		      uint32_t colour)
{
	struct hv_ggpu *gpu = &p->gpu;
	struct canvas screen;

	if (!gpu->w)
		return -ENODEV;
	if (!w || !h || x >= gpu->w || y >= gpu->h || w > gpu->w - x || h > gpu->h - y)
		return -ERANGE;
	screen = screen_of(gpu);
	canvas_fill(&screen, x, y, w, h, colour);
	return hv_ggpu_show(gpu, x, y, w, h);
}

static bool has_keyboard(struct program *p)
{
	for (unsigned int i = 0; i < p->n_devices; i++)
		if (p->devices[i].id == PROGRAM_ID_INPUT &&
		    hv_ginput_has_key(&p->devices[i], KEY_ENTER))
			return true;
	return false;
}

void program_start_gpu(struct program *p, struct hv_gdev *dev)
{
	uint32_t arrow[HV_GGPU_CURSOR * HV_GGPU_CURSOR];
	int rc = hv_ggpu_start(&p->gpu, dev);

	program_say(p, "0x%" PRIx64 " irq %u: screen", dev->at, dev->irq);
	p->terminal.on = rc == 0 && has_keyboard(p);
	if (rc == 0)
		rc = program_draw_card(p);
	draw_arrow(arrow);
	if (rc == 0)
		rc = hv_ggpu_set_cursor(&p->gpu, arrow);
	if (rc == 0)
		rc = hv_ggpu_move_cursor(&p->gpu, (int32_t)p->gpu.w / 2, (int32_t)p->gpu.h / 2);
	if (rc < 0) {
		program_say(p, ": %s\r\n", strerror(-rc));
		return;
	}
	program_say(p, ", ");
	program_say_size(p);
	program_say(p, "\r\n");
}
