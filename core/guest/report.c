// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <linux/input-event-codes.h>
#include <string.h>

#include "guest/program.h"

/* What a guest's input devices report, said at its console: a line for each report. */

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

static void hear(struct program *p, struct hv_ginput *in)
{
	uint16_t type, code;
	int32_t value;

	while (!p->dead && hv_ginput_get(in, &type, &code, &value) == 1) {
		if (type == EV_SYN) {
			program_say(p, "\r\n");
			in->open = false;
			continue;
		}
		program_say(p, "%s%s %u %d", in->open ? ", " : "input: ", name_of(type), code,
			    value);
		in->open = true;
		obey_lock(in, type, code, value);
	}
}

void program_hear(struct program *p)
{
	for (unsigned int i = 0; i < p->n_inputs; i++)
		hear(p, &p->inputs[i]);
}

bool program_input_arrived(struct program *p)
{
	bool any = false;

	for (unsigned int i = 0; i < p->n_inputs; i++)
		any |= hv_gring_listen(&p->inputs[i].dev->rings[0]);
	return any;
}
