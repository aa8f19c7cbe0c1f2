// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>
#include <string.h>

#include "guest/drivers.h"

#define EVENTS 0
#define STATUS 1
#define EVENT_SIZE 8u

static void *token_of(unsigned int i)
{
	return (void *)(uintptr_t)(i + 1);
}

static int offer(struct hv_ginput *in, unsigned int i)
{
	struct hv_gbuf buf = { in->events_at + i * EVENT_SIZE, EVENT_SIZE };

	return hv_gring_add(&in->dev->rings[EVENTS], NULL, 0, &buf, 1, token_of(i));
}

/* Selects a part of the configuration; its size. */
static unsigned int select_config(struct hv_gdev *dev, uint8_t select, uint8_t subsel)
{
	hv_guest_write(dev->g, dev->cpu, dev->at + 0x100, 1, select);
	hv_guest_write(dev->g, dev->cpu, dev->at + 0x101, 1, subsel);
	return (unsigned int)hv_gdev_config(dev, offsetof(struct virtio_input_config, size), 1);
}

static void read_name(struct hv_ginput *in)
{
	unsigned int n = select_config(in->dev, VIRTIO_INPUT_CFG_ID_NAME, 0);

	if (n >= sizeof(in->name))
		n = sizeof(in->name) - 1;
	for (unsigned int i = 0; i < n; i++)
		in->name[i] = (char)hv_gdev_config(
			in->dev, (unsigned int)offsetof(struct virtio_input_config, u) + i, 1);
	in->name[n] = 0;
}

bool hv_ginput_has_key(struct hv_gdev *dev, uint16_t code)
{
	unsigned int size = select_config(dev, VIRTIO_INPUT_CFG_EV_BITS, EV_KEY);
	unsigned int at = (unsigned int)offsetof(struct virtio_input_config, u) + code / 8;

	return code / 8 < size && hv_gdev_config(dev, at, 1) >> code % 8 & 1;
}

int hv_ginput_start(struct hv_ginput *in, struct hv_gdev *dev)
{
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES);

	memset(in, 0, sizeof(*in));
	in->dev = dev;
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = hv_gdev_add_queue(dev, 64);
	if (rc < 0)
		return rc;
	read_name(in);
	in->events_at = hv_guest_alloc(dev->g, 64 * EVENT_SIZE, 64);
	in->status_at = hv_guest_alloc(dev->g, EVENT_SIZE, 64);
	if (!in->events_at || !in->status_at)
		return -ENOMEM;
	for (unsigned int i = 0; i < dev->rings[EVENTS].size && rc == 0; i++)
		rc = offer(in, i);
	if (rc == 0)
		rc = hv_gdev_start(dev);
	return rc < 0 ? rc : hv_gdev_kick(dev, EVENTS);
}

int hv_ginput_get(struct hv_ginput *in, uint16_t *type, uint16_t *code, int32_t *value)
{
	struct virtio_input_event event;
	uint32_t written;
	unsigned int i;
	void *token;
	int rc = hv_gring_get(&in->dev->rings[EVENTS], &token, &written);

	if (rc <= 0)
		return rc;
	if (written != EVENT_SIZE)
		return -EPROTO;
	i = (unsigned int)((uintptr_t)token - 1);
	memcpy(&event, hv_guest_at(in->dev->g, in->events_at + i * EVENT_SIZE, EVENT_SIZE),
	       sizeof(event));
	*type = event.type;
	*code = event.code;
	*value = (int32_t)event.value;
	rc = offer(in, i);
	if (rc == 0)
		rc = hv_gdev_kick(in->dev, EVENTS);
	return rc < 0 ? rc : 1;
}

int hv_ginput_tell(struct hv_ginput *in, uint16_t type, uint16_t code, int32_t value)
{
	struct virtio_input_event event = { type, code, (uint32_t)value };
	struct hv_gbuf buf = { in->status_at, EVENT_SIZE };
	void *token;
	int rc;

	memcpy(hv_guest_at(in->dev->g, in->status_at, EVENT_SIZE), &event, sizeof(event));
	rc = hv_gring_add(&in->dev->rings[STATUS], &buf, 1, NULL, 0, token_of(0));
	if (rc == 0)
		rc = hv_gdev_kick(in->dev, STATUS);
	if (rc == 0)
		rc = hv_gdev_wait(in->dev, STATUS, HV_GUEST_PATIENCE);
	if (rc == 0)
		return -ETIMEDOUT;
	if (rc < 0)
		return rc;
	rc = hv_gring_get(&in->dev->rings[STATUS], &token, NULL);
	return rc == 1 ? 0 : rc ? rc : -EPROTO;
}
