// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "guest/program.h"

/* The two command lines of a guest: one at its console, one on its screen. */

#define CTRL_C 3

void program_prompt(struct program *p)
{
	program_say(p, "%s> ", hv_guest_zone(p->g)->name);
}

static void type(struct program *p, struct program_line *line, char c)
{
	if (c == '\r' || c == '\n') {
		program_say(p, "\r\n");
		line->text[line->len] = 0;
		line->len = 0;
		program_obey(p, line->text);
		program_prompt(p);
	} else if (c == CTRL_C) {
		program_say(p, "^C\r\n");
		line->len = 0;
		program_prompt(p);
	} else if ((c == 0x7f || c == '\b') && line->len) {
		line->len--;
		program_say(p, "\b \b");
	} else if ((unsigned char)c >= ' ' && c != 0x7f && line->len < sizeof(line->text) - 1) {
		line->text[line->len++] = c;
		program_say(p, "%c", c);
	}
}

/* What is said meanwhile goes to who has typed. */
static void type_all(struct program *p, struct program_line *line, unsigned int to,
		     const char *bytes, size_t n)
{
	p->to = to;
	for (size_t i = 0; i < n && !p->dead; i++)
		type(p, line, bytes[i]);
	p->to = PROGRAM_EVERYBODY;
	program_show_text(p);
}

void program_read(struct program *p)
{
	char bytes[PROGRAM_TYPED];
	size_t typed = p->n_typed;
	int n;

	/* A command may let more be typed while it waits. */
	memcpy(bytes, p->typed, typed);
	p->n_typed = 0;
	type_all(p, &p->screen_line, PROGRAM_SCREEN, bytes, typed);
	while (p->console.pair.dev && !p->dead &&
	       (n = hv_gconsole_read(&p->console, bytes, sizeof(bytes))) > 0)
		type_all(p, &p->console_line, PROGRAM_CONSOLE, bytes, (size_t)n);
}
