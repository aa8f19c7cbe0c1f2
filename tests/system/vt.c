// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a shell cannot ask of a virtual terminal, or of the card below it.
 *
 * vt font TTY         prints the font it writes with. The first line is width and height of a
 *                     glyph; then a line for each printable ASCII character, in order: its rows
 *                     from the top as hexadecimal digits, the leftmost pixel first.
 * vt repeat TTY MS    lets keys that are held repeat only after so many milliseconds: a machine
 *                     that is busy sees the end of a short press late.
 * vt master CARD      says whether a graphics card is free for a program that wants to show
 * something
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define GLYPHS 512
#define SIDE 32u /* pixels, at most; the kernel answers with so many rows for each glyph */

static int print_font(int fd)
{
	static unsigned char glyphs[GLYPHS * SIDE * SIDE / 8];
	struct console_font_op op = {
		.op = KD_FONT_OP_GET,
		.width = SIDE,
		.height = SIDE,
		.charcount = GLYPHS,
		.data = glyphs,
	};
	unsigned int bytes;

	if (ioctl(fd, KDFONTOP, &op) < 0)
		return -1;
	bytes = (op.width + 7) / 8;
	printf("%u %u\n", op.width, op.height);
	for (unsigned int c = ' '; c <= '~'; c++) {
		for (unsigned int i = 0; i < op.height * bytes; i++)
			printf("%02x", glyphs[c * SIDE * bytes + i]);
		printf("\n");
	}
	return 0;
}

static int set_repeat(int fd, int delay)
{
	struct kbd_repeat repeat = { .delay = delay, .period = delay };

	return ioctl(fd, KDKBDREP, &repeat);
}

/* The card is let go of at once. */
static int try_card(int fd)
{
	int ret = ioctl(fd, _IO('d', 0x1e)); /* DRM_IOCTL_SET_MASTER */

	if (ret < 0 && errno != EBUSY)
		return -1;
	printf("%s\n", ret < 0 ? "taken" : "free");
	return 0;
}

int main(int argc, char **argv)
{
	int fd, ret;

	if (!(argc == 3 && (!strcmp(argv[1], "font") || !strcmp(argv[1], "master"))) &&
	    !(argc == 4 && !strcmp(argv[1], "repeat"))) {
		fprintf(stderr, "usage: vt font TTY, vt repeat TTY MS, vt master CARD\n");
		return 2;
	}
	fd = open(argv[2], O_RDWR | O_NOCTTY);
	if (fd < 0)
		ret = -1;
	else if (argc == 4)
		ret = set_repeat(fd, atoi(argv[3]));
	else
		ret = strcmp(argv[1], "font") ? try_card(fd) : print_font(fd);
	if (ret < 0) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
