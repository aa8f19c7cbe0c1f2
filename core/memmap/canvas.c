// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/canvas.h"

#include <errno.h>
#include <stdlib.h>

#include "base/utf8.h"

struct hv_glyph {
	uint32_t c; /* 0: the right half of a wide character */
	unsigned int style;
};

static void clear(struct hv_canvas *canvas)
{
	for (size_t i = 0; i < canvas->width; i++)
		canvas->line[i] = (struct hv_glyph){ .c = ' ' };
}

int hv_canvas_init(struct hv_canvas *canvas, size_t width, bool color, bool unicode,
		   struct hv_buf *out)
{
	*canvas = (struct hv_canvas){
		.width = width,
		.color = color,
		.unicode = unicode,
		.out = out,
		.line = calloc(width, sizeof(struct hv_glyph)),
	};
	if (!canvas->line)
		return -ENOMEM;
	clear(canvas);
	return 0;
}

void hv_canvas_free(struct hv_canvas *canvas)
{
	free(canvas->line);
}

static bool is_wide(const struct hv_canvas *canvas, size_t x)
{
	return x + 1 < canvas->width && !canvas->line[x + 1].c;
}

static void put(struct hv_canvas *canvas, size_t x, uint32_t c, unsigned int style)
{
	/* Half of a wide character does not stay behind. */
	if (!canvas->line[x].c)
		canvas->line[x - 1].c = ' ';
	if (is_wide(canvas, x))
		canvas->line[x + 1].c = ' ';
	canvas->line[x] = (struct hv_glyph){ .c = c, .style = style };
}

void hv_canvas_fill(struct hv_canvas *canvas, size_t x, size_t count, uint32_t c,
		    unsigned int style)
{
	for (; count && x < canvas->width; count--)
		put(canvas, x++, c, style);
}

/* As the canvas shows it: a character and its columns. */
static uint32_t shown(const struct hv_canvas *canvas, const char **text, size_t *width)
{
	uint32_t c = hv_utf8_next(text);

	if (c >= 0x80 && !canvas->unicode)
		c = '?';
	*width = hv_utf8_char_width(c);
	return c;
}

static size_t text_width(const struct hv_canvas *canvas, const char *text)
{
	size_t total = 0, width;

	while (shown(canvas, &text, &width))
		total += width;
	return total;
}

size_t hv_canvas_text(struct hv_canvas *canvas, size_t x, size_t limit, const char *text,
		      unsigned int style)
{
	size_t width, room;
	bool cut;
	uint32_t c;

	if (limit > canvas->width)
		limit = canvas->width;
	if (x >= limit)
		return x;
	room = limit - x;
	cut = text_width(canvas, text) > room;
	room -= cut;
	while ((c = shown(canvas, &text, &width)) && width <= room) {
		/* Combining marks are left out: a cell holds one character. */
		if (!width)
			continue;
		put(canvas, x, c, style);
		if (width == 2) {
			put(canvas, x + 1, ' ', style);
			canvas->line[x + 1].c = 0;
		}
		x += width;
		room -= width;
	}
	if (cut)
		put(canvas, x++, canvas->unicode ? 0x2026 : '~', style);
	return x;
}

static const char *escape(unsigned int style)
{
	static const char *const codes[HV_STYLE_COUNT] = {
		"\033[0m",	"\033[0;1m",	"\033[0;2m",	"\033[0;1;31m", "\033[0;36m",
		"\033[0;32m",	"\033[0;33m",	"\033[0;35m",	"\033[0;34m",	"\033[0;96m",
		"\033[0;92m",	"\033[0;93m",	"\033[0;95m",	"\033[0;94m",	"\033[0;1;36m",
		"\033[0;1;32m", "\033[0;1;33m", "\033[0;1;35m", "\033[0;1;34m", "\033[0;1;96m",
		"\033[0;1;92m", "\033[0;1;93m", "\033[0;1;95m", "\033[0;1;94m",
	};

	return codes[style];
}

void hv_canvas_flush(struct hv_canvas *canvas)
{
	unsigned int style = HV_STYLE_PLAIN;
	size_t end = canvas->width;

	while (end && canvas->line[end - 1].c == ' ')
		end--;
	for (size_t x = 0; x < end; x++) {
		const struct hv_glyph *g = &canvas->line[x];

		if (!g->c)
			continue;
		if (canvas->color && g->style != style && g->c != ' ') {
			hv_buf_puts(canvas->out, escape(g->style));
			style = g->style;
		}
		hv_utf8_put(canvas->out, g->c);
	}
	if (style != HV_STYLE_PLAIN)
		hv_buf_puts(canvas->out, escape(HV_STYLE_PLAIN));
	hv_buf_add(canvas->out, "\n", 1);
	clear(canvas);
}
