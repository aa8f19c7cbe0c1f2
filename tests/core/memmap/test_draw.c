// SPDX-License-Identifier: GPL-2.0-or-later
/* Alone it tests; `test_draw show [WIDTH]` prints the pictures for a person to look at. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "maps.h"
#include "memmap/draw.h"

static char *draw(const struct map_line *lines, int width, bool color, bool unicode)
{
	struct hv_draw_opts opts = { .width = width, .color = color, .unicode = unicode };
	struct hv_memmap *map = map_make(lines);
	struct hv_buf buf = { 0 };
	struct hv_err err;

	assert_int_equal(hv_memmap_draw(map, &opts, &buf, &err), 0);
	hv_memmap_free(map);
	return buf.data;
}

static char *svg(const struct map_line *lines)
{
	struct hv_memmap *map = map_make(lines);
	struct hv_buf buf = { 0 };
	struct hv_err err;

	assert_int_equal(hv_memmap_svg(map, &buf, &err), 0);
	hv_memmap_free(map);
	return buf.data;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in:\n%s", part, text);
}

/* No line is wider, colours not counted. */
static void assert_fits(char *text, size_t width)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		struct hv_buf plain = { 0 };

		hv_buf_puts(&plain, "");
		for (char *c = line; *c; c++) {
			if (*c == '\033')
				c = strchr(c, 'm');
			else
				hv_buf_add(&plain, c, 1);
		}
		if (hv_utf8_width(plain.data) > width)
			fail_msg("wider than %zu: %s", width, plain.data);
		hv_buf_free(&plain);
	}
}

static const char small_picture[] = "             zone0         linux1\n"
				    " 0x9000000                 [uart0 4K   ]\n"
				    " 0x9001000   ... ~880M empty\n"
				    "0x40000000 +- board ram 1G -------------\n"
				    "           | +-----------+ .   .   .   .\n"
				    "           | | ram 256M  | .   .   .   .\n"
				    "           | |           | .   .   .   .\n"
				    "           | +-----------+ .   .   .   .\n"
				    "0x50000000 |   .   .   .   +-----------+\n"
				    "           |   .   .   .   | ram 512M  |\n"
				    "           |   .   .   .   |           |\n"
				    "           |   .   .   .   |           |\n"
				    "           |   .   .   .   |           |\n"
				    "           |   .   .   .   |           |\n"
				    "           |   .   .   .   |           |\n"
				    "           |   .   .   .   +-----------+\n"
				    "0x70000000 | ... 256M free .   .   .   .\n"
				    "0x80000000 +----------------------------\n"
				    "\n"
				    " zone0   ram 256M\n"
				    " linux1  ram 512M, io 4K\n"
				    " board   RAM 1G\n"
				    " free    256M of 1G RAM, at 0x70000000\n";

static void test_small(void **state)
{
	static const struct map_line lines[] = {
		{ 0x50000000, 0x20000000, HV_SPAN_RAM, "linux1", "ram", 1 },
		{ 0x9000000, 0x1000, HV_SPAN_IO, "linux1", "uart0", 1 },
		{ 0x40000000, 0x40000000, HV_SPAN_WINDOW, "board", "ram", 0 },
		{ 0x40000000, 0x10000000, HV_SPAN_ROOT, "zone0", "ram", 0 },
		MAP_END,
	};
	char *text = draw(lines, 40, false, false);

	(void)state;
	assert_string_equal(text, small_picture);
	free(text);
}

static void test_every_width(void **state)
{
	static const struct map_line *const maps[] = { map_qemu, map_overlap, map_rk3588 };

	(void)state;
	for (size_t m = 0; m < 3; m++)
		for (int width = 0; width <= 200; width++)
			for (int mode = 0; mode < 4; mode++) {
				char *text = draw(maps[m], width, mode & 1, mode & 2);

				assert_fits(text, !width ? 80 : width < 40 ? 40 : (size_t)width);
				free(text);
			}
}

static void test_same_every_time(void **state)
{
	char *a = draw(map_rk3588, 100, true, true), *b = draw(map_rk3588, 100, true, true);

	(void)state;
	assert_string_equal(a, b);
	free(a);
	free(b);
}

static void test_overlap(void **state)
{
	char *plain = draw(map_overlap, 80, false, true),
	     *color = draw(map_overlap, 80, true, true);
	char *ascii = draw(map_overlap, 80, false, false),
	     *bars = draw(map_overlap, 40, false, true);

	(void)state;
	assert_contains(plain, "✗ overlap 16M linux1/linux2");
	assert_contains(plain, "✗ overlap 256M zone0/linux2");
	assert_contains(plain, "└ uart0 4K ╳╳┘ └ uart0 4K ╳╳┘");
	assert_contains(plain, "└╳╳╳╳╳╳╳╳╳╳╳╳┘·│ ram 272M ╳╳│");
	assert_contains(plain, "✗ 3 overlaps");
	assert_contains(plain, "16M at 0x7f000000: linux1 ram (boot_zones.lua:12: ram)");
	assert_contains(plain, "ram 272M");
	assert_lacks(plain, "\033");
	assert_contains(color, "\033[0;1;31m");
	assert_contains(ascii, "!! overlap 16M linux1/linux2");
	for (const char *c = ascii; *c; c++)
		assert_true((unsigned char)*c < 0x80);
	assert_contains(bars, "✗ overlap 16M linux1/linux2");
	assert_contains(bars, "linux2 █");
	free(plain);
	free(color);
	free(ascii);
	free(bars);
}

static void test_qemu(void **state)
{
	char *text = draw(map_qemu, 80, false, true);

	(void)state;
	assert_contains(text, "0xa003600                     [blk root 0x200 ]\n");
	assert_contains(text, "[net eth0 0x200 ] [blk root 0x200]\n");
	assert_contains(text, "⋯ ~864M empty");
	assert_contains(text, "184.5M free");
	assert_contains(text, "│ ram 512M");
	assert_contains(text, "dsp@78000000 4M");
	assert_contains(text, "316.5M of 2G RAM, the largest hole 184.5M at 0x44780000");
	assert_lacks(text, "✗");
	free(text);
}

/* A zone keeps its colour when another comes. */
static void test_stable_hue(void **state)
{
	static const struct map_line one[] = {
		{ 0x1000, 0x1000, HV_SPAN_RAM, "linux1", "ram", 0 },
		MAP_END,
	};
	static const struct map_line two[] = {
		{ 0x9000, 0x1000, HV_SPAN_RAM, "linux2", "ram", 0 },
		{ 0x1000, 0x1000, HV_SPAN_RAM, "linux1", "ram", 0 },
		MAP_END,
	};
	char *a = draw(one, 80, true, true), *b = draw(two, 80, true, true);
	char *hue = strndup(strchr(a, '\033'), (size_t)(strchr(a, 'l') - strchr(a, '\033')));

	(void)state;
	hue = realloc(hue, strlen(hue) + 7);
	strcat(hue, "linux1");
	assert_contains(b, hue);
	free(hue);
	free(a);
	free(b);
}

static const struct map_line nasty[] = {
	{ 0, UINT64_MAX, HV_SPAN_ROOT, "zone0", "\033[2J everything", 0 },
	{ UINT64_MAX - 1, 1, HV_SPAN_IO, "\xff\xfe<b>&\"'", "]]>\n\t\xe2\x80\xae", 1 },
	{ 0x1000, UINT64_C(1) << 62, HV_SPAN_RAM, "漢字漢字漢字漢字漢字漢字漢字漢字", "漢字漢字",
	  1 },
	{ 0x1000, UINT64_C(1) << 62, HV_SPAN_WINDOW, "", "", 1 },
	{ 0x1001, 1, HV_SPAN_SHARED, "a", "", 1 },
	MAP_END,
};

static void test_nasty(void **state)
{
	(void)state;
	for (int width = 40; width <= 200; width += 7)
		for (int mode = 0; mode < 2; mode++) {
			char *text = draw(nasty, width, false, mode);

			assert_lacks(text, "\033");
			assert_fits(text, (size_t)width);
			free(text);
		}
}

static void test_empty(void **state)
{
	static const struct map_line nothing[] = { MAP_END };
	static const struct map_line ground[] = {
		{ 0x40000000, 0x40000000, HV_SPAN_WINDOW, "board", "ram", 0 },
		MAP_END,
	};
	char *text = draw(nothing, 80, true, true), *drawing = svg(nothing);

	(void)state;
	assert_string_equal(text, "the map is empty\n");
	assert_contains(drawing, "</svg>");
	free(text);
	free(drawing);
	text = draw(ground, 80, false, true);
	assert_contains(text, "board ram 1G");
	assert_contains(text, "1G free");
	free(text);
	free(svg(ground));
}

static void test_many(void **state)
{
	struct map_line *lines = calloc(2001, sizeof(*lines));
	char *text;

	(void)state;
	for (size_t i = 0; i < 2000; i++)
		lines[i] = (struct map_line){ 0x1000 * (i % 1000), 0x800000, HV_SPAN_RAM,
					      i % 2 ? "a" : "b",   "ram",    (int)i };
	text = draw(lines, 80, false, true);
	assert_contains(text, " overlaps\n");
	assert_contains(text, " more\n");
	free(text);
	text = svg(lines);
	assert_contains(text, "more overlaps");
	free(text);
	free(lines);
}

/* Tags closed in order, attributes quoted, no stray & or <: as much as well-formed needs here. */
static void assert_well_formed(const char *xml)
{
	char open[16][16];
	size_t depth = 0;

	for (const char *c = xml; *c; c++) {
		if (*c == '&')
			assert_true(!strncmp(c, "&lt;", 4) || !strncmp(c, "&gt;", 4) ||
				    !strncmp(c, "&amp;", 5) || !strncmp(c, "&quot;", 6));
		assert_true((unsigned char)*c >= ' ' || *c == '\n');
		if (*c != '<')
			continue;
		const char *end = strchr(c, '>');
		size_t name = strcspn(c + 1, " />");

		assert_non_null(end);
		if (c[1] == '/') {
			assert_true(depth > 0);
			depth--;
			assert_int_equal(strncmp(open[depth], c + 2, strlen(open[depth])), 0);
		} else if (end[-1] != '/') {
			assert_true(depth < 16 && name < 16);
			snprintf(open[depth++], 16, "%.*s", (int)name, c + 1);
		}
		c = end;
	}
	assert_int_equal(depth, 0);
}

static void test_svg(void **state)
{
	char *text = svg(map_overlap);

	(void)state;
	assert_well_formed(text);
	assert_contains(text, "<title id=\"title\">");
	assert_contains(text, "<desc id=\"desc\">");
	assert_contains(text, "prefers-color-scheme:dark");
	assert_contains(text, "boot_zones.lua:12: ram");
	assert_contains(text, "✗ overlap 16M linux1/linux2");
	assert_contains(text, "ram 768M");
	assert_lacks(text, "<script");
	assert_lacks(text, "@import");
	free(text);
	text = svg(map_rk3588);
	assert_well_formed(text);
	free(text);
	text = svg(nasty);
	assert_well_formed(text);
	assert_contains(text, "&lt;b&gt;&amp;&quot;");
	free(text);
}

static int show(int width)
{
	static const struct map_line *const maps[] = { map_qemu, map_overlap, map_rk3588 };

	for (size_t i = 0; i < 3; i++) {
		char *text = draw(maps[i], width, true, true);

		printf("%s\n", text);
		free(text);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_every_width),
		cmocka_unit_test(test_same_every_time),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_qemu),
		cmocka_unit_test(test_stable_hue),
		cmocka_unit_test(test_nasty),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_svg),
	};

	if (argc > 1 && !strcmp(argv[1], "show"))
		return show(argc > 2 ? atoi(argv[2]) : 80);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
