// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/input-event-codes.h>

#include "guest/program.h"

/* A US keyboard's keys as characters, without and with shift. */
static const char keys[][2] = {
	[KEY_1] = { '1', '!' },		  [KEY_2] = { '2', '@' },
	[KEY_3] = { '3', '#' },		  [KEY_4] = { '4', '$' },
	[KEY_5] = { '5', '%' },		  [KEY_6] = { '6', '^' },
	[KEY_7] = { '7', '&' },		  [KEY_8] = { '8', '*' },
	[KEY_9] = { '9', '(' },		  [KEY_0] = { '0', ')' },
	[KEY_MINUS] = { '-', '_' },	  [KEY_EQUAL] = { '=', '+' },
	[KEY_Q] = { 'q', 'Q' },		  [KEY_W] = { 'w', 'W' },
	[KEY_E] = { 'e', 'E' },		  [KEY_R] = { 'r', 'R' },
	[KEY_T] = { 't', 'T' },		  [KEY_Y] = { 'y', 'Y' },
	[KEY_U] = { 'u', 'U' },		  [KEY_I] = { 'i', 'I' },
	[KEY_O] = { 'o', 'O' },		  [KEY_P] = { 'p', 'P' },
	[KEY_LEFTBRACE] = { '[', '{' },	  [KEY_RIGHTBRACE] = { ']', '}' },
	[KEY_A] = { 'a', 'A' },		  [KEY_S] = { 's', 'S' },
	[KEY_D] = { 'd', 'D' },		  [KEY_F] = { 'f', 'F' },
	[KEY_G] = { 'g', 'G' },		  [KEY_H] = { 'h', 'H' },
	[KEY_J] = { 'j', 'J' },		  [KEY_K] = { 'k', 'K' },
	[KEY_L] = { 'l', 'L' },		  [KEY_SEMICOLON] = { ';', ':' },
	[KEY_APOSTROPHE] = { '\'', '"' }, [KEY_GRAVE] = { '`', '~' },
	[KEY_Z] = { 'z', 'Z' },		  [KEY_X] = { 'x', 'X' },
	[KEY_C] = { 'c', 'C' },		  [KEY_V] = { 'v', 'V' },
	[KEY_B] = { 'b', 'B' },		  [KEY_N] = { 'n', 'N' },
	[KEY_M] = { 'm', 'M' },		  [KEY_COMMA] = { ',', '<' },
	[KEY_DOT] = { '.', '>' },	  [KEY_SLASH] = { '/', '?' },
	[KEY_BACKSLASH] = { '\\', '|' },  [KEY_SPACE] = { ' ', ' ' },
	[KEY_ENTER] = { '\r', '\r' },	  [KEY_KPENTER] = { '\r', '\r' },
	[KEY_BACKSPACE] = { '\b', '\b' },
};

/* The bit of a key that changes what others mean; 0 = it does not. */
static unsigned int bit_of(uint16_t code)
{
	static const uint16_t changing[] = { KEY_LEFTSHIFT, KEY_RIGHTSHIFT, KEY_LEFTCTRL,
					     KEY_RIGHTCTRL };

	for (unsigned int i = 0; i < sizeof(changing) / sizeof(changing[0]); i++)
		if (changing[i] == code)
			return 1u << i;
	return 0;
}

char program_key(struct hv_ginput *in, uint16_t code, int32_t value)
{
	unsigned int bit = bit_of(code);
	bool shift = in->held & 3, ctrl = in->held & 12;
	char c;

	if (bit)
		in->held = value ? in->held | bit : in->held & ~bit;
	if (bit || !value || code >= sizeof(keys) / sizeof(keys[0]))
		return 0;
	c = keys[code][0];
	if (c >= 'a' && c <= 'z' && in->caps)
		shift = !shift;
	/* Control and a letter are the control character of that letter. */
	if (ctrl)
		return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 1) : 0;
	return keys[code][shift];
}
