// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <linux/input-event-codes.h>
#include <string.h>

#include "guest/program.h"

/* What a guest's input devices report, said at its console: a line for each report. */

#define EVENTS 64 /* of a device at a time: no more characters than there is room for */

void program_start_input(struct program *p, struct hv_gdev *dev)
{
	struct hv_ginput *in = &p->inputs[p->n_inputs];
	int rc = p->n_inputs < PROGRAM_INPUTS ? hv_ginput_start(in, dev) : -ENOSPC;

	program_say(p, "0x%" PRIx64 " irq %u: input", dev->at, dev->irq);
	if (rc < 0) {
		program_say(p, ": %s\r\n", strerror(-rc));
		return;
	}
	p->n_inputs++;
	program_say(p, ", %s\r\n", in->name);
}

static const char *name_of(uint16_t type)
{
	switch (type) {
	case EV_KEY:
		return "key";
	case EV_REL:
		return "rel";
	case EV_ABS:
		return "abs";
	default:
		return "event";
	}
}

/* A keyboard lights its caps lock, as the drivers of real ones do. */
static void obey_lock(struct hv_ginput *in, uint16_t type, uint16_t code, int32_t value)
{
	if (type != EV_KEY || code != KEY_CAPSLOCK || value != 1)
		return;
	in->caps = !in->caps;
	(void)hv_ginput_tell(in, EV_LED, LED_CAPSL, in->caps);
}

/* What is typed while a command runs and does not fit is lost. */
static void type(struct program *p, struct hv_ginput *in, uint16_t code, int32_t value)
{
	char c = program_key(in, code, value);

	if (c && p->terminal.on && p->n_typed < sizeof(p->typed))
		p->typed[p->n_typed++] = c;
}

static void hear(struct program *p, struct hv_ginput *in)
{
	uint16_t type_of, code;
	int32_t value;

	for (int i = 0; i < EVENTS && !p->dead; i++) {
		if (hv_ginput_get(in, &type_of, &code, &value) != 1)
			break;
		if (type_of == EV_SYN) {
			program_say(p, "\r\n");
			in->open = false;
			continue;
		}
		program_say(p, "%s%s %u %d", in->open ? ", " : "input: ", name_of(type_of), code,
			    value);
		in->open = true;
		obey_lock(in, type_of, code, value);
		if (type_of == EV_KEY)
			type(p, in, code, value);
	}
}

void program_hear(struct program *p)
{
	unsigned int before = p->to;

	p->to = PROGRAM_CONSOLE;
	for (unsigned int i = 0; i < p->n_inputs; i++)
		hear(p, &p->inputs[i]);
	p->to = before;
}

bool program_input_arrived(struct program *p)
{
	bool any = false;

	for (unsigned int i = 0; i < p->n_inputs; i++)
		any |= hv_gring_listen(&p->inputs[i].dev->rings[0]);
	return any;
}
