// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/window.h"

#include <assert.h>

#include "abi/bridge.h"

static_assert(HV_BRIDGE_DEVICES + HV_BRIDGE_HELD <= HV_BRIDGE_WINDOWS, "room for all in use");

static bool overlaps(const struct hv_bridge_window *a, const struct hv_bridge_window *b)
{
	return a->zone == b->zone && (a->at - b->at < b->size || b->at - a->at < a->size);
}

static void drop(struct hv_windows *t, unsigned int i)
{
	t->at[i] = t->at[--t->n];
}

static bool has_room(struct hv_windows *t, const struct hv_bridge_window *window)
{
	unsigned int held = 0;

	for (unsigned int i = 0; i < t->n; i++)
		held += t->at[i].held;
	if (window->held && held >= HV_BRIDGE_HELD)
		return false;
	for (unsigned int i = t->n; i-- > 0 && t->n == HV_BRIDGE_WINDOWS;)
		if (!t->at[i].dev && !t->at[i].held)
			drop(t, i);
	return t->n < HV_BRIDGE_WINDOWS;
}

bool hv_windows_plug(struct hv_windows *t, const struct hv_bridge_window *window)
{
	for (unsigned int i = t->n; i-- > 0;)
		if (overlaps(&t->at[i], window))
			drop(t, i);
	if (!has_room(t, window))
		return false;
	t->at[t->n++] = *window;
	return true;
}

void hv_windows_vacate(struct hv_windows *t, const struct hv_vdev *dev)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (t->at[i].dev && t->at[i].dev == dev) {
			t->at[i].dev = NULL;
			t->at[i].kicks = 0;
		}
}

void hv_windows_forget(struct hv_windows *t, uint32_t zone, bool held)
{
	for (unsigned int i = t->n; i-- > 0;)
		if (t->at[i].zone == zone && t->at[i].held == held)
			drop(t, i);
}
