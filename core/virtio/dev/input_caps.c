// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "virtio/dev/input_priv.h"

unsigned int hv_input_codes(unsigned int type)
{
	switch (type) {
	case EV_KEY:
		return KEY_CNT;
	case EV_REL:
		return REL_CNT;
	case EV_ABS:
		return ABS_CNT;
	case EV_MSC:
		return MSC_CNT;
	case EV_SW:
		return SW_CNT;
	case EV_LED:
		return LED_CNT;
	case EV_SND:
		return SND_CNT;
	case EV_REP:
		return REP_CNT;
	default:
		return 0;
	}
}

static void set_bits(uint8_t *bits, unsigned int first, unsigned int last)
{
	for (unsigned int i = first; i <= last; i++)
		bits[i / 8] |= (uint8_t)(1u << i % 8);
}

static void set_bit(struct hv_input_caps *caps, unsigned int type, unsigned int code)
{
	set_bits(caps->bits[type], code, code);
}

static void set_axis(struct hv_input_caps *caps, unsigned int code, unsigned int count)
{
	set_bit(caps, EV_ABS, code);
	caps->abs[code].maximum = (int32_t)count - 1;
}

/* Codes of keys; between them are those of buttons, which make a device something else. */
static void make_keyboard(struct hv_input_caps *caps)
{
	set_bits(caps->bits[EV_KEY], KEY_ESC, BTN_MISC - 1);
	set_bits(caps->bits[EV_KEY], KEY_OK, BTN_DPAD_UP - 1);
	set_bits(caps->bits[EV_KEY], KEY_ALS_TOGGLE, BTN_TRIGGER_HAPPY - 1);
	set_bits(caps->bits[EV_LED], LED_NUML, LED_SCROLLL);
	set_bits(caps->bits[EV_REP], REP_DELAY, REP_PERIOD);
}

static void make_mouse(struct hv_input_caps *caps)
{
	set_bits(caps->bits[EV_KEY], BTN_LEFT, BTN_TASK);
	set_bits(caps->bits[EV_REL], REL_X, REL_Y);
	set_bit(caps, EV_REL, REL_WHEEL);
	set_bit(caps, EV_REL, REL_HWHEEL);
}

static void make_tablet(struct hv_input_caps *caps, unsigned int width, unsigned int height)
{
	set_bits(caps->bits[EV_KEY], BTN_LEFT, BTN_TASK);
	set_bit(caps, EV_REL, REL_WHEEL);
	set_bit(caps, EV_REL, REL_HWHEEL);
	set_axis(caps, ABS_X, width);
	set_axis(caps, ABS_Y, height);
}

static void make_touch(struct hv_input_caps *caps, unsigned int width, unsigned int height)
{
	set_bits(caps->props, INPUT_PROP_DIRECT, INPUT_PROP_DIRECT);
	set_bit(caps, EV_KEY, BTN_TOUCH);
	set_axis(caps, ABS_X, width);
	set_axis(caps, ABS_Y, height);
	set_axis(caps, ABS_MT_SLOT, HV_INPUT_SLOTS);
	set_axis(caps, ABS_MT_POSITION_X, width);
	set_axis(caps, ABS_MT_POSITION_Y, height);
	set_axis(caps, ABS_MT_TRACKING_ID, UINT16_MAX + 1);
}

void hv_input_caps_of_kind(struct hv_input_caps *caps, enum hv_input_kind kind, unsigned int width,
			   unsigned int height)
{
	memset(caps, 0, sizeof(*caps));
	snprintf(caps->name, sizeof(caps->name), "hvsh %s", hv_input_kind_name(kind));
	caps->id = (struct input_id){
		.bustype = BUS_VIRTUAL,
		.product = (uint16_t)(kind + 1),
		.version = 1,
	};
	switch (kind) {
	case HV_INPUT_KEYBOARD:
		make_keyboard(caps);
		break;
	case HV_INPUT_MOUSE:
		make_mouse(caps);
		break;
	case HV_INPUT_TABLET:
		make_tablet(caps, width, height);
		break;
	case HV_INPUT_TOUCH:
		make_touch(caps, width, height);
		break;
	case HV_INPUT_EVDEV:
		break;
	}
}

bool hv_input_can(const struct hv_input_caps *caps, unsigned int type, unsigned int code)
{
	return code < hv_input_codes(type) && caps->bits[type][code / 8] >> code % 8 & 1;
}

/* Up to the last byte that says something. */
static unsigned int bitmap(const uint8_t *bits, unsigned int bytes, uint8_t *u)
{
	while (bytes && !bits[bytes - 1])
		bytes--;
	memcpy(u, bits, bytes);
	return bytes;
}

static unsigned int text(const char *from, uint8_t *u)
{
	size_t len = strlen(from);

	memcpy(u, from, len);
	return (unsigned int)len;
}

static unsigned int axis(const struct hv_input_caps *caps, uint8_t code, uint8_t *u)
{
	struct virtio_input_absinfo abs;

	if (!hv_input_can(caps, EV_ABS, code))
		return 0;
	abs = (struct virtio_input_absinfo){
		.min = htole32(caps->abs[code].minimum),
		.max = htole32(caps->abs[code].maximum),
		.fuzz = htole32(caps->abs[code].fuzz),
		.flat = htole32(caps->abs[code].flat),
		.res = htole32(caps->abs[code].resolution),
	};
	memcpy(u, &abs, sizeof(abs));
	return sizeof(abs);
}

unsigned int hv_input_caps_answer(const struct hv_input_caps *caps, uint8_t select, uint8_t subsel,
				  uint8_t u[HV_INPUT_NAME_MAX])
{
	struct virtio_input_devids ids;

	if (select == VIRTIO_INPUT_CFG_EV_BITS)
		return hv_input_codes(subsel) ? bitmap(caps->bits[subsel], HV_INPUT_BYTES, u) : 0;
	if (select == VIRTIO_INPUT_CFG_ABS_INFO)
		return axis(caps, subsel, u);
	if (subsel)
		return 0;
	switch (select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
		return text(caps->name, u);
	case VIRTIO_INPUT_CFG_ID_SERIAL:
		return text(caps->serial, u);
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		ids = (struct virtio_input_devids){
			.bustype = htole16(caps->id.bustype),
			.vendor = htole16(caps->id.vendor),
			.product = htole16(caps->id.product),
			.version = htole16(caps->id.version),
		};
		memcpy(u, &ids, sizeof(ids));
		return sizeof(ids);
	case VIRTIO_INPUT_CFG_PROP_BITS:
		return bitmap(caps->props, sizeof(caps->props), u);
	default:
		return 0;
	}
}

/* The values that axes happen to have are no property of the device. */
static bool same_axes(const struct hv_input_caps *a, const struct hv_input_caps *b)
{
	for (unsigned int i = 0; i < ABS_CNT; i++) {
		struct input_absinfo x = a->abs[i], y = b->abs[i];

		x.value = y.value = 0;
		if (memcmp(&x, &y, sizeof(x)) != 0)
			return false;
	}
	return true;
}

bool hv_input_caps_same(const struct hv_input_caps *a, const struct hv_input_caps *b)
{
	return !memcmp(a->props, b->props, sizeof(a->props)) &&
	       !memcmp(a->bits, b->bits, sizeof(a->bits)) && same_axes(a, b);
}
