// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/draw.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "memmap/legend.h"
#include "memmap/picture.h"

#define ROW 22 /* height of a row, pixels */
#define CHAR 7 /* width of a character of the font below, rounded up */
#define MARGIN 20
#define HEAD 44 /* where the rows begin */
#define GAP 12	/* between columns */
#define NARROWEST 110
#define WIDEST 260
#define LISTED_CONFLICTS 20

struct column {
	size_t x, width;
	const struct hv_picture_owner *owner;
};

struct svg {
	const struct hv_picture *p;
	struct hv_buf *out;
	struct hv_buf text; /* scratch */
	size_t left, right, width;
	size_t n_columns;
	struct column *columns;
	size_t *column_of; /* by owner */
};

/* Fill, stroke and text by class; the dark ones again for those who prefer them. */
static const char *const style_sheet =
	"<style>\n"
	"svg{background:#fff}\n"
	"text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1f2328}\n"
	".name{font-weight:bold}.soft{fill:#6e7781}.alert{fill:#b91c1c;font-weight:bold}\n"
	".window{fill:#f3f4f6;stroke:#d0d7de}.paper{fill:#fff}\n"
	".b{stroke-width:1.2}.b:hover{stroke-width:2.5}\n"
	".root{fill:#dbe3ec;stroke:#57606a}.hyp{fill:#c9ccd1;stroke:#424a53}\n"
	".board{fill:#eaeef2;stroke:#8c959f}.reserved{stroke-dasharray:4 3;fill-opacity:.5}\n"
	".h0{fill:#bfe8f2;stroke:#0e7490}.h1{fill:#c6ecc9;stroke:#15803d}\n"
	".h2{fill:#fbe6a2;stroke:#a16207}.h3{fill:#ecd0f7;stroke:#86198f}\n"
	".h4{fill:#cdd9fb;stroke:#1d4ed8}.h5{fill:#b9f0e2;stroke:#0f766e}\n"
	".h6{fill:#dcf0ac;stroke:#4d7c0f}.h7{fill:#fdd5b1;stroke:#c2410c}\n"
	".h8{fill:#fbcfe8;stroke:#be185d}.h9{fill:#d9d2fb;stroke:#5b21b6}\n"
	".clash{fill:url(#clash);stroke:#b91c1c;stroke-width:1.5}.hatch{stroke:#dc2626;stroke-"
	"opacity:.45}\n"
	".wave{fill:none;stroke:#8c959f;stroke-dasharray:2 4}\n"
	"@media (prefers-color-scheme:dark){\n"
	"svg{background:#0d1117}text{fill:#e6edf3}.soft{fill:#8b949e}.alert{fill:#ff7b72}\n"
	".window{fill:#161b22;stroke:#30363d}.paper{fill:#0d1117}\n"
	".root{fill:#2a323c;stroke:#9ba7b4}.hyp{fill:#3a3f46;stroke:#b1bac4}\n"
	".board{fill:#21262d;stroke:#6e7681}\n"
	".h0{fill:#123f4b;stroke:#39c5de}.h1{fill:#143d21;stroke:#3fb950}\n"
	".h2{fill:#463708;stroke:#e3b341}.h3{fill:#451a52;stroke:#db8cf0}\n"
	".h4{fill:#1b2c5e;stroke:#79a0ff}.h5{fill:#0f423b;stroke:#2dd4bf}\n"
	".h6{fill:#2c3f0c;stroke:#a3d63a}.h7{fill:#4f2b0e;stroke:#fb923c}\n"
	".h8{fill:#531634;stroke:#f472b6}.h9{fill:#32215f;stroke:#a78bfa}\n"
	".clash{stroke:#ff7b72}.hatch{stroke:#f85149}\n"
	"}\n"
	"</style>\n";

/* Text as XML wants it: hv_utf8_next has already replaced what XML forbids. */
static void add_text(struct hv_buf *out, const char *text)
{
	uint32_t c;

	while ((c = hv_utf8_next(&text))) {
		if (c == '<')
			hv_buf_puts(out, "&lt;");
		else if (c == '>')
			hv_buf_puts(out, "&gt;");
		else if (c == '&')
			hv_buf_puts(out, "&amp;");
		else if (c == '"')
			hv_buf_puts(out, "&quot;");
		else
			hv_utf8_put(out, c);
	}
}

/* The same, but not wider than so many characters. */
static void add_cut(struct hv_buf *out, const char *text, size_t room)
{
	struct hv_buf part = { 0 };
	size_t width = hv_utf8_width(text), used = 0;
	bool cut = width > room;
	uint32_t c;

	while ((c = hv_utf8_next(&text)) && (!cut || used + hv_utf8_char_width(c) < room)) {
		used += hv_utf8_char_width(c);
		hv_utf8_put(&part, c);
	}
	if (cut)
		hv_buf_puts(&part, "\u2026");
	out->failed |= part.failed;
	add_text(out, part.data ?: "");
	hv_buf_free(&part);
}

static const char *scratch(struct svg *s)
{
	return s->text.data ?: "";
}

static struct hv_buf *fresh(struct svg *s)
{
	s->text.len = 0;
	if (s->text.data)
		*s->text.data = '\0';
	return &s->text;
}

static void put_text(struct svg *s, size_t x, size_t y, const char *class, const char *text)
{
	hv_buf_printf(s->out, "<text x=\"%zu\" y=\"%zu\" class=\"%s\">", x, y, class);
	add_text(s->out, text);
	hv_buf_puts(s->out, "</text>\n");
}

static void owner_class(const struct hv_picture_owner *o, struct hv_buf *out)
{
	static const char *const names[] = {
		[HV_OWNER_ROOT] = "root",
		[HV_OWNER_HYPERVISOR] = "hyp",
		[HV_OWNER_BOARD] = "board",
	};

	if (o->class == HV_OWNER_ZONE)
		hv_buf_printf(out, "h%u", o->hue);
	else
		hv_buf_puts(out, names[o->class]);
}

static size_t row_y(size_t row)
{
	return HEAD + row * ROW;
}

static void block_label(struct svg *s, const struct hv_span *span)
{
	char size[HV_SIZE_TEXT];

	hv_buf_printf(fresh(s), "%s %s", span->what, hv_picture_size(span->size, size));
}

static int make_columns(struct svg *s)
{
	const struct hv_picture *p = s->p;
	size_t x = s->left;

	s->columns = hv_arena_array(p->arena, p->n_owners, sizeof(*s->columns));
	s->column_of = hv_arena_array(p->arena, p->n_owners, sizeof(*s->column_of));
	if (!s->columns || !s->column_of)
		return -1;
	for (size_t i = 0; i < p->n_owners; i++) {
		if (!p->owners[i].column)
			continue;
		s->column_of[i] = s->n_columns;
		s->columns[s->n_columns++] = (struct column){
			.width = (hv_utf8_width(p->owners[i].name) + 1) * CHAR,
			.owner = &p->owners[i],
		};
	}
	for (size_t i = 0; i < p->n_blocks; i++) {
		struct column *c = &s->columns[s->column_of[p->blocks[i].owner]];
		size_t width;

		block_label(s, p->blocks[i].span);
		width = (hv_utf8_width(scratch(s)) + 3) * CHAR;
		c->width = width > c->width ? width : c->width;
	}
	for (size_t i = 0; i < s->n_columns; i++) {
		struct column *c = &s->columns[i];

		if (c->width < NARROWEST)
			c->width = NARROWEST;
		if (c->width > WIDEST)
			c->width = WIDEST;
		c->x = x;
		x += c->width + GAP;
	}
	s->right = x < s->left + 300 ? s->left + 300 : x;
	return 0;
}

/* ---- the picture */

static void draw_ground(struct svg *s)
{
	char size[HV_SIZE_TEXT];
	size_t top = 0;

	for (size_t i = 0; i < s->p->n_rows; i++) {
		const struct hv_picture_row *r = &s->p->rows[i];

		if (!r->in_window)
			continue;
		if (!i || !s->p->rows[i - 1].in_window)
			top = i;
		if (i + 1 == s->p->n_rows || !s->p->rows[i + 1].in_window ||
		    r->kind == HV_ROW_WINDOW_END)
			hv_buf_printf(
				s->out,
				"<rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%zu\" rx=\"6\" "
				"class=\"window\"/>\n",
				s->left - 8, row_y(top) + 2, s->right - s->left + 4,
				row_y(i) - row_y(top) + 16);
	}
	for (size_t i = 0; i < s->p->n_rows; i++) {
		const struct hv_picture_row *r = &s->p->rows[i];

		if (r->kind != HV_ROW_WINDOW_START)
			continue;
		hv_buf_printf(fresh(s), "%s %s %s", r->window->zone, r->window->what,
			      hv_picture_size(r->window->size, size));
		put_text(s, s->left, row_y(i) + 15, "soft", scratch(s));
	}
}

static void draw_rows(struct svg *s)
{
	uint64_t shown = 0;

	for (size_t i = 0; i < s->p->n_rows; i++) {
		const struct hv_picture_row *r = &s->p->rows[i];
		size_t y = row_y(i) + 15;

		if (r->first && (!i || shown != r->start)) {
			hv_buf_printf(
				s->out,
				"<text x=\"%zu\" y=\"%zu\" class=\"soft\" text-anchor=\"end\">"
				"0x%" PRIx64 "</text>\n",
				s->left - 16, y, r->start);
			shown = r->start;
		}
		if (!r->first || (r->kind != HV_ROW_EMPTY && r->kind != HV_ROW_ELIDED))
			continue;
		fresh(s);
		hv_buf_puts(&s->text, r->kind == HV_ROW_ELIDED ? "\u22ef " : "");
		hv_legend_gap(r, &s->text);
		put_text(s, s->left, y, "soft", scratch(s));
		if (r->kind == HV_ROW_ELIDED)
			hv_buf_printf(s->out, "<path class=\"wave\" d=\"M%zu %zuH%zu\"/>\n",
				      s->left + (hv_utf8_width(scratch(s)) + 1) * CHAR + 4, y - 4,
				      s->right - 12);
	}
}

static void draw_block(struct svg *s, const struct hv_picture_block *b)
{
	const struct column *c = &s->columns[s->column_of[b->owner]];
	const struct hv_span *span = b->span;
	size_t y = row_y(b->first), height = (b->last - b->first + 1) * ROW;
	char origin[HV_ORIGIN_TEXT];

	hv_buf_puts(s->out, "<g><title>");
	hv_buf_printf(fresh(s), "%s %s, 0x%" PRIx64 " to 0x%" PRIx64 " (0x%" PRIx64 " bytes)",
		      span->zone, span->what, span->start, hv_span_end(span) - 1, span->size);
	add_text(s->out, scratch(s));
	hv_origin_format(&span->origin, origin);
	if (*origin) {
		hv_buf_puts(s->out, "\n");
		add_text(s->out, origin);
	}
	hv_buf_puts(s->out, "</title>");
	hv_buf_printf(s->out,
		      "<rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%zu\" rx=\"3\" class=\"b ",
		      c->x, y + 1, c->width, height - 2);
	owner_class(c->owner, s->out);
	hv_buf_printf(s->out, "%s\"/>\n<text x=\"%zu\" y=\"%zu\">",
		      span->kind == HV_SPAN_RESERVED ? " reserved" : "", c->x + 8,
		      row_y(b->label) + 15);
	block_label(s, span);
	if (!b->bare)
		add_cut(s->out, scratch(s), c->width / CHAR - 1);
	hv_buf_puts(s->out, "</text></g>\n");
}

static void draw_conflict(struct svg *s, const struct hv_picture_conflict *c)
{
	const struct column *a = &s->columns[s->column_of[c->owner_a]];
	const struct column *b = &s->columns[s->column_of[c->owner_b]];
	const struct column *left = a->x < b->x ? a : b, *right = a->x < b->x ? b : a;
	size_t y = row_y(c->first), height = (c->last - c->first + 1) * ROW;

	hv_buf_puts(s->out, "<g><title>overlap of ");
	hv_legend_conflict_long(c, fresh(s));
	add_text(s->out, scratch(s));
	hv_buf_printf(s->out,
		      "</title>\n<rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%zu\" rx=\"3\" "
		      "class=\"clash\"/>\n",
		      left->x, y + 1, right->x + right->width - left->x, height - 2);
	hv_buf_puts(fresh(s), "\u2717 ");
	hv_legend_conflict(c, &s->text);
	hv_buf_printf(s->out,
		      "<rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"16\" rx=\"3\" "
		      "class=\"paper\"/>\n",
		      left->x + 4, row_y(c->told) + 3, (hv_utf8_width(scratch(s)) + 1) * CHAR + 6);
	put_text(s, left->x + 8, row_y(c->told) + 15, "alert", scratch(s));
	hv_buf_puts(s->out, "</g>\n");
}

static size_t draw_legend(struct svg *s, size_t y)
{
	const struct hv_picture *p = s->p;
	size_t indent = 4;

	for (size_t i = 0; i < p->n_owners; i++) {
		size_t width = hv_utf8_width(p->owners[i].name);

		indent = width > indent ? width : indent;
	}
	indent = MARGIN + 20 + (indent + 2) * CHAR;
	for (size_t i = 0; i < p->n_owners; i++, y += ROW) {
		hv_buf_printf(s->out,
			      "<rect x=\"%d\" y=\"%zu\" width=\"12\" height=\"12\" rx=\"2\" "
			      "class=\"b ",
			      MARGIN, y - 10);
		owner_class(&p->owners[i], s->out);
		hv_buf_puts(s->out, "\"/>\n");
		put_text(s, MARGIN + 20, y, "name", p->owners[i].name);
		hv_legend_owner(&p->owners[i], fresh(s));
		put_text(s, indent, y, "total", scratch(s));
	}
	if (p->has_windows) {
		put_text(s, MARGIN + 20, y, "soft", "free");
		hv_legend_free(p, fresh(s));
		put_text(s, indent, y, "total", scratch(s));
		y += ROW;
	}
	for (size_t i = 0; i < p->n_conflicts && i < LISTED_CONFLICTS; i++, y += ROW) {
		hv_buf_puts(fresh(s), "\u2717 ");
		hv_legend_conflict_long(&p->conflicts[i], &s->text);
		put_text(s, MARGIN, y, "alert", scratch(s));
	}
	if (p->conflicts_found > LISTED_CONFLICTS) {
		hv_buf_printf(fresh(s), "\u2717 and %zu more overlaps",
			      p->conflicts_found - LISTED_CONFLICTS);
		put_text(s, MARGIN, y, "alert", scratch(s));
		y += ROW;
	}
	return y;
}

/* As wide as its widest line of text needs. */
static size_t legend_width(struct svg *s)
{
	size_t widest = 0;

	for (size_t i = 0; i < s->p->n_conflicts && i < LISTED_CONFLICTS; i++) {
		size_t width;

		hv_legend_conflict_long(&s->p->conflicts[i], fresh(s));
		width = hv_utf8_width(scratch(s)) + 2;
		widest = width > widest ? width : widest;
	}
	for (size_t i = 0; i < s->p->n_owners; i++) {
		size_t width;

		hv_legend_owner(&s->p->owners[i], fresh(s));
		width = hv_utf8_width(scratch(s)) + hv_utf8_width(s->p->owners[i].name) + 8;
		widest = width > widest ? width : widest;
	}
	return (widest + 2) * (CHAR + 1);
}

static void describe(struct svg *s)
{
	size_t zones = 0;

	for (size_t i = 0; i < s->p->n_owners; i++)
		zones += s->p->owners[i].class == HV_OWNER_ZONE;
	hv_buf_puts(s->out, "<title id=\"title\">Memory map</title>\n<desc id=\"desc\">");
	hv_buf_printf(s->out,
		      "Addresses grow downwards; one column per owner. %zu zone%s, %zu overlap%s. ",
		      zones, zones == 1 ? "" : "s", s->p->conflicts_found,
		      s->p->conflicts_found == 1 ? "" : "s");
	if (s->p->has_windows) {
		hv_buf_puts(s->out, "Free: ");
		hv_legend_free(s->p, s->out);
		hv_buf_puts(s->out, ".");
	}
	hv_buf_puts(s->out, "</desc>\n");
}

static void draw(struct svg *s)
{
	const struct hv_picture *p = s->p;
	size_t lines = p->n_owners + p->has_windows + 1, rows_end = row_y(p->n_rows);
	size_t need = legend_width(s), width = s->right + MARGIN;

	lines += p->n_conflicts < LISTED_CONFLICTS ? p->n_conflicts : LISTED_CONFLICTS;
	lines += p->conflicts_found > LISTED_CONFLICTS;
	s->width = need + MARGIN > width ? need + MARGIN : width;
	hv_buf_printf(s->out,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
		      "viewBox=\"0 0 %zu %zu\" role=\"img\" aria-labelledby=\"title desc\">\n",
		      s->width, rows_end + lines * ROW + MARGIN, s->width,
		      rows_end + lines * ROW + MARGIN);
	describe(s);
	hv_buf_puts(s->out, style_sheet);
	hv_buf_puts(s->out,
		    "<defs><pattern id=\"clash\" width=\"8\" height=\"8\" "
		    "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
		    "<path class=\"hatch\" d=\"M0 0V8\" stroke-width=\"3\"/></pattern></defs>\n"
		    "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n");
	draw_ground(s);
	for (size_t i = 0; i < s->n_columns; i++)
		put_text(s, s->columns[i].x + 8, HEAD - 14, "name", s->columns[i].owner->name);
	draw_rows(s);
	for (size_t i = 0; i < p->n_blocks; i++)
		draw_block(s, &p->blocks[i]);
	for (size_t i = 0; i < p->n_conflicts; i++)
		draw_conflict(s, &p->conflicts[i]);
	if (p->n_rows && p->rows[p->n_rows - 1].kind == HV_ROW_USED)
		hv_buf_printf(
			s->out,
			"<text x=\"%zu\" y=\"%zu\" class=\"soft\" text-anchor=\"end\">0x%" PRIx64
			"</text>\n",
			s->left - 16, rows_end + 15, p->end);
	draw_legend(s, rows_end + 2 * ROW);
	hv_buf_puts(s->out, "</svg>\n");
}

int hv_memmap_svg(const struct hv_memmap *map, struct hv_buf *out, struct hv_err *err)
{
	struct svg s = { .out = out };
	struct hv_picture *p;
	int ret = hv_picture_new(map, &p, err);

	if (ret)
		return ret;
	s.p = p;
	hv_buf_printf(&s.text, "0x%" PRIx64, p->end);
	s.left = MARGIN + 16 + s.text.len * (CHAR + 1);
	if (make_columns(&s))
		ret = hv_err_nomem(err);
	else
		draw(&s);
	if (!ret && (out->failed || s.text.failed))
		ret = hv_err_nomem(err);
	hv_buf_free(&s.text);
	hv_picture_free(p);
	return ret;
}
