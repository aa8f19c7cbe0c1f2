// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/utf8.h"

#define REPLACEMENT 0xfffdu

struct range {
	uint32_t first, last;
};

static const struct range zero_width[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd },   { 0x064b, 0x065f },
	{ 0x0900, 0x0902 }, { 0x0e34, 0x0e3a }, { 0x1ab0, 0x1aff },   { 0x1dc0, 0x1dff },
	{ 0x200b, 0x200d }, { 0x20d0, 0x20ff }, { 0x2060, 0x2064 },   { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef },
};

static const struct range double_width[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x23e9, 0x23ec },	  { 0x2e80, 0x303e },
	{ 0x3041, 0x33ff },   { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },	  { 0xa000, 0xa4cf },
	{ 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },	  { 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff },
	{ 0x1f900, 0x1faff }, { 0x20000, 0x3fffd },
};

/* Controls and the marks that reorder what stands around them. */
static const struct range unwanted[] = {
	{ 0x0001, 0x001f }, { 0x007f, 0x009f }, { 0x061c, 0x061c },
	{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
	{ 0xd800, 0xdfff }, { 0xfff9, 0xfffb }, { 0xfffe, 0xffff },
};

#define IN(table, c) in_table((table), sizeof(table) / sizeof((table)[0]), (c))

static bool in_table(const struct range *table, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n && c >= table[i].first; i++)
		if (c <= table[i].last)
			return true;
	return false;
}

uint32_t hv_utf8_next(const char **text)
{
	static const uint32_t smallest[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)*text;
	unsigned int more;
	uint32_t c = *s;

	if (!c)
		return 0;
	*text += 1;
	if (c < 0x80)
		return IN(unwanted, c) ? REPLACEMENT : c;
	if (c >= 0xc2 && c <= 0xdf)
		more = 1;
	else if (c >= 0xe0 && c <= 0xef)
		more = 2;
	else if (c >= 0xf0 && c <= 0xf4)
		more = 3;
	else
		return REPLACEMENT;
	c &= 0x3fu >> more;
	for (unsigned int i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		c = c << 6 | (s[i] & 0x3f);
	}
	*text += more;
	return c < smallest[more] || c > 0x10ffff || IN(unwanted, c) ? REPLACEMENT : c;
}

unsigned int hv_utf8_char_width(uint32_t c)
{
	if (c < 0x300)
		return 1;
	if (IN(zero_width, c))
		return 0;
	return IN(double_width, c) ? 2 : 1;
}

size_t hv_utf8_width(const char *text)
{
	size_t width = 0;
	uint32_t c;

	while ((c = hv_utf8_next(&text)))
		width += hv_utf8_char_width(c);
	return width;
}

void hv_utf8_put(struct hv_buf *out, uint32_t c)
{
	char bytes[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xf0) | c);
	hv_buf_add(out, bytes, n);
}
