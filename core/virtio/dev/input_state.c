// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "virtio/dev/input_priv.h"

#define TRACKING (ABS_MT_TRACKING_ID - HV_INPUT_MT_FIRST)

void hv_input_state_init(struct hv_input_state *state)
{
	memset(state, 0, sizeof(*state));
	for (unsigned int i = 0; i < HV_INPUT_MT_SLOTS; i++)
		state->mt[i][TRACKING] = -1;
}

void hv_input_state_let_go(struct hv_input_state *state)
{
	memset(state->keys, 0, sizeof(state->keys));
	for (unsigned int i = 0; i < HV_INPUT_MT_SLOTS; i++)
		state->mt[i][TRACKING] = -1;
}

uint32_t hv_input_state_fingers(const struct hv_input_state *state)
{
	uint32_t fingers = 0;

	for (unsigned int i = 0; i < HV_INPUT_MT_SLOTS; i++)
		fingers |= (uint32_t)(state->mt[i][TRACKING] >= 0) << i;
	return fingers;
}

void hv_input_state_doubt(struct hv_input_state *state, const struct hv_input_state *to,
			  const uint8_t keys[KEY_CNT / 8], uint32_t fingers, bool places)
{
	*state = *to;
	for (size_t i = 0; i < sizeof(state->keys); i++)
		state->keys[i] = keys[i] & (uint8_t)~to->keys[i];
	for (unsigned int i = 0; i < HV_INPUT_MT_SLOTS; i++) {
		bool touches = to->mt[i][TRACKING] >= 0;

		memset(state->mt[i], 0, sizeof(state->mt[i]));
		for (unsigned int c = 0; touches && c < HV_INPUT_MT_CODES; c++)
			state->mt[i][c] = ~to->mt[i][c];
		state->mt[i][TRACKING] = !touches && fingers >> i & 1 ? 0 : -1;
	}
	if (!places)
		return;
	state->slot = to->slot + 1;
	for (size_t i = 0; i < sizeof(state->switches); i++)
		state->switches[i] = (uint8_t)~to->switches[i];
	for (unsigned int i = 0; i < ABS_MT_SLOT; i++)
		state->abs[i] = ~to->abs[i];
}

static void put(uint8_t *bits, unsigned int code, bool on)
{
	uint8_t bit = (uint8_t)(1u << code % 8);

	if (on)
		bits[code / 8] |= bit;
	else
		bits[code / 8] &= (uint8_t)~bit;
}

static bool of_finger(unsigned int code)
{
	return code >= HV_INPUT_MT_FIRST && code < HV_INPUT_MT_FIRST + HV_INPUT_MT_CODES;
}

void hv_input_state_apply(struct hv_input_state *state, const struct hv_input_event *e)
{
	if (e->code >= hv_input_codes(e->type))
		return;
	if (e->type == EV_KEY)
		put(state->keys, e->code, e->value);
	else if (e->type == EV_SW)
		put(state->switches, e->code, e->value);
	else if (e->type == EV_ABS && e->code == ABS_MT_SLOT)
		state->slot = (unsigned int)e->value;
	else if (e->type == EV_ABS && !of_finger(e->code))
		state->abs[e->code] = e->value;
	else if (e->type == EV_ABS && state->slot < HV_INPUT_MT_SLOTS)
		state->mt[state->slot][e->code - HV_INPUT_MT_FIRST] = e->value;
}

struct list {
	const struct hv_input_caps *caps;
	struct hv_input_event *out;
	size_t n;
};

static void add(struct list *l, unsigned int type, unsigned int code, int32_t value)
{
	if (hv_input_can(l->caps, type, code))
		l->out[l->n++] = (struct hv_input_event){ (uint16_t)type, (uint16_t)code, value };
}

static void diff_bits(struct list *l, unsigned int type, const uint8_t *from, const uint8_t *to)
{
	for (unsigned int i = 0; i < hv_input_codes(type); i++) {
		bool now = to[i / 8] >> i % 8 & 1;

		if ((from[i / 8] >> i % 8 & 1) != now)
			add(l, type, i, now);
	}
}

/*
 * A finger's tracking id comes first: with it the guest begins anew. A slot that has no
 * finger now need not be told more.
 */
static void diff_finger(struct list *l, const int32_t *from, const int32_t *to)
{
	if (from[TRACKING] != to[TRACKING])
		add(l, EV_ABS, ABS_MT_TRACKING_ID, to[TRACKING]);
	if (to[TRACKING] < 0)
		return;
	for (unsigned int c = 0; c < HV_INPUT_MT_CODES; c++)
		if (c != TRACKING && from[c] != to[c])
			add(l, EV_ABS, HV_INPUT_MT_FIRST + c, to[c]);
}

static void diff_fingers(struct list *l, const struct hv_input_state *from,
			 const struct hv_input_state *to)
{
	unsigned int slot = from->slot;

	for (unsigned int i = 0; i < HV_INPUT_MT_SLOTS; i++) {
		size_t before = l->n;

		if (from->mt[i][TRACKING] < 0 && to->mt[i][TRACKING] < 0)
			continue;
		add(l, EV_ABS, ABS_MT_SLOT, (int32_t)i);
		diff_finger(l, from->mt[i], to->mt[i]);
		if (l->n == before + 1)
			l->n = before;
		else
			slot = i;
	}
	if (slot != to->slot)
		add(l, EV_ABS, ABS_MT_SLOT, (int32_t)to->slot);
}

size_t hv_input_state_diff(const struct hv_input_state *from, const struct hv_input_state *to,
			   const struct hv_input_caps *caps,
			   struct hv_input_event out[HV_INPUT_DIFF])
{
	struct list l = { caps, out, 0 };

	diff_bits(&l, EV_SW, from->switches, to->switches);
	for (unsigned int i = 0; i < ABS_MT_SLOT; i++)
		if (from->abs[i] != to->abs[i])
			add(&l, EV_ABS, i, to->abs[i]);
	if (hv_input_can(caps, EV_ABS, ABS_MT_SLOT))
		diff_fingers(&l, from, to);
	diff_bits(&l, EV_KEY, from->keys, to->keys);
	return l.n;
}
