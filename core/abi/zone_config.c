// SPDX-License-Identifier: GPL-2.0-or-later
#include "abi/zone_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "abi/layout.h"

struct codec {
	enum hv_layout layout;
	enum hv_arch arch;
	const struct hv_abi_zone *from; /* encoding */
	struct hv_abi_zone *to;         /* decoding */
	const uint8_t *in;
	uint8_t *out;
	uint32_t seen[HV_MAX_IRQ / 32]; /* interrupts met so far */
	struct hv_err *err;
};

#define VALUE_TEXT 24
static const char *value_text(enum hv_wire_kind kind, uint64_t value, char out[VALUE_TEXT])
{
	bool hex = kind == HV_WIRE_ADDR || kind == HV_WIRE_SIZE || kind == HV_WIRE_BYTES;

	snprintf(out, VALUE_TEXT, hex ? "0x%" PRIx64 : "%" PRIu64, value);
	return out;
}

/* False when it was there already. */
static bool take_irq(struct codec *c, uint32_t irq)
{
	uint32_t bit = UINT32_C(1) << (irq % 32);

	if (c->seen[irq / 32] & bit)
		return false;
	c->seen[irq / 32] |= bit;
	return true;
}

static uint64_t load(const void *member, unsigned int size)
{
	uint64_t v64;
	uint32_t v32;
	uint8_t v8;

	switch (size) {
	case 1:
		memcpy(&v8, member, sizeof(v8));
		return v8;
	case 4:
		memcpy(&v32, member, sizeof(v32));
		return v32;
	default:
		memcpy(&v64, member, sizeof(v64));
		return v64;
	}
}

static void store(void *member, unsigned int size, uint64_t value)
{
	uint32_t v32 = (uint32_t)value;
	uint8_t v8 = (uint8_t)value;

	switch (size) {
	case 1:
		memcpy(member, &v8, sizeof(v8));
		break;
	case 4:
		memcpy(member, &v32, sizeof(v32));
		break;
	default:
		memcpy(member, &value, sizeof(value));
		break;
	}
}

static size_t member_at(const struct hv_wire_place *place)
{
	return place->section->member + place->index * place->section->member_stride +
	       place->field->member;
}

static int inexpressible(struct codec *c, const struct hv_wire_place *place, const char *value,
			 const char *why)
{
	char name[HV_WIRE_NAME_TEXT];

	return hv_err_set(c->err, ERANGE, "layout %s cannot express %s = %s: %s",
			  hv_layout_name(c->layout), hv_wire_place_name(place, name), value, why);
}

/* Nothing is dropped silently but what the field's table allows. */
static int encode_absent(struct codec *c, const struct hv_wire_place *place, const uint8_t *member)
{
	const struct hv_wire_field *field = place->field;
	uint64_t value = load(member, field->member_size);
	char text[VALUE_TEXT], why[128];
	uint64_t like;

	value_text(field->kind, value, text);
	switch (field->absent) {
	case HV_ABSENT_ANY:
		return 0;
	case HV_ABSENT_LIKE:
		like = load(member - field->member + field->like, field->member_size);
		if (value == like)
			return 0;
		snprintf(why, sizeof(why),
			 "it cannot move a PCI device, so this must be its %s, %" PRIu64,
			 field->like_name, like);
		return inexpressible(c, place, text, why);
	default:
		if (!value)
			return 0;
		/* UEFI that the layout lacks is reported for its tag, before its fields are met. */
		if (!field->tag_name || field->at + field->width > place->section->stride)
			return inexpressible(c, place, text,
					     "it has no such field, so this must be 0");
		snprintf(why, sizeof(why), "it has this field only with %s", field->tag_name);
		return inexpressible(c, place, text, why);
	}
}

static int encode_bdf(struct codec *c, const struct hv_wire_place *place, const uint8_t *bdf)
{
	char text[VALUE_TEXT];

	if (bdf[1] > 31 || bdf[2] > 7) {
		snprintf(text, sizeof(text), "%02x:%02x.%x", bdf[0], bdf[1], bdf[2]);
		return inexpressible(c, place, text,
				     "a device is at most 1f, a function at most 7");
	}
	hv_wire_put(c->out + place->at, 8, (uint64_t)bdf[0] << 8 | (uint64_t)bdf[1] << 3 | bdf[2]);
	return 0;
}

static int encode_name(struct codec *c, const struct hv_wire_place *place)
{
	size_t len = strnlen(c->from->name, sizeof(c->from->name));

	if (len > HV_ZONE_NAME_MAX)
		return hv_err_set(c->err, ERANGE,
				  "layout %s cannot express a name of more than %d bytes: '%.*s…'",
				  hv_layout_name(c->layout), HV_ZONE_NAME_MAX, HV_ZONE_NAME_MAX,
				  c->from->name);
	memcpy(c->out + place->at, c->from->name, len);
	return 0;
}

static int encode_irq(struct codec *c, uint32_t irq)
{
	if (irq >= HV_MAX_IRQ)
		return hv_err_set(c->err, ERANGE, "layout %s cannot express interrupt %u: %s",
				  hv_layout_name(c->layout), irq, hv_wire_wrong(HV_WIRE_IRQ, irq));
	if (!take_irq(c, irq))
		return hv_err_set(c->err, ERANGE, "layout %s cannot express interrupt %u twice",
				  hv_layout_name(c->layout), irq);
	return 0;
}

static int encode_irq_bitmap(struct codec *c, const struct hv_wire_place *place)
{
	if (c->from->n_irqs > HV_MAX_IRQ)
		return hv_err_set(c->err, ERANGE,
				  "layout %s cannot express %u interrupts: it has room for %d",
				  hv_layout_name(c->layout), c->from->n_irqs, HV_MAX_IRQ);
	for (uint32_t i = 0; i < c->from->n_irqs; i++) {
		int rc = encode_irq(c, c->from->irqs[i]);

		if (rc)
			return rc;
	}
	for (unsigned int word = 0; word < HV_MAX_IRQ / 32; word++)
		hv_wire_put(c->out + place->at + 4 * word, 4, c->seen[word]);
	return 0;
}

static int encode_section(void *arg, const struct hv_wire_section *section, unsigned int *n)
{
	struct codec *c = arg;
	uint32_t count;

	if (!section->counted)
		return 0;
	count = (uint32_t)load((const uint8_t *)c->from + section->member_count, sizeof(count));
	if (count > section->max)
		return hv_err_set(c->err, ERANGE,
				  "layout %s cannot express %s = %u: it has room for %u",
				  hv_layout_name(c->layout), section->count_name, count,
				  section->max);
	hv_wire_put(c->out + section->count_at, section->count_width, count);
	*n = count;
	return 0;
}

static int encode_field(void *arg, const struct hv_wire_place *place)
{
	struct codec *c = arg;
	const struct hv_wire_field *field = place->field;
	const uint8_t *member = (const uint8_t *)c->from + member_at(place);
	char text[VALUE_TEXT];
	uint64_t value, wire;
	const char *wrong;
	int rc;

	if (place->absent)
		return encode_absent(c, place, member);
	if (field->kind == HV_WIRE_NAME)
		return encode_name(c, place);
	if (field->kind == HV_WIRE_IRQ_BITMAP)
		return encode_irq_bitmap(c, place);
	if (field->kind == HV_WIRE_BDF)
		return encode_bdf(c, place, member);

	value = wire = load(member, field->member_size);
	if (field->kind == HV_WIRE_IRQ) {
		rc = encode_irq(c, (uint32_t)value);
		if (rc)
			return rc;
	}
	if (field->kind == HV_WIRE_GIC_TAG)
		wire = value - 2; /* 0 and 1 wrap to what no tag is */
	else if (field->kind == HV_WIRE_UEFI_TAG)
		wire = !value;
	wrong = hv_wire_wrong(field->kind, wire);
	if (wrong)
		return inexpressible(c, place, value_text(field->kind, value, text), wrong);
	hv_wire_put(c->out + place->at, field->width, wire);
	return 0;
}

int hv_zone_config_encode(enum hv_layout layout, enum hv_arch arch, const struct hv_abi_zone *zone,
			  void *buf, size_t cap, struct hv_err *err)
{
	static const struct hv_wire_visitor encoder = { encode_section, encode_field };
	struct codec c = { .layout = layout, .arch = arch, .from = zone, .out = buf, .err = err };
	struct hv_wire_layout wire;
	int rc;

	if (!hv_wire_layout(layout, arch, &wire))
		return hv_err_set(err, ERANGE, "layout %s does not exist for %s: the first is %s",
				  hv_layout_name(layout), hv_arch_name(arch),
				  hv_layout_name(hv_wire_first_layout(arch)));
	if (cap < wire.size)
		return hv_err_set(err, ENOSPC,
				  "layout %s for %s is %zu bytes, the buffer has %zu",
				  hv_layout_name(layout), hv_arch_name(arch), wire.size, cap);
	memset(buf, 0, wire.size);
	rc = hv_wire_walk(&wire, buf, &encoder, &c);
	return rc ? rc : (int)wire.size;
}

static int broken(struct codec *c, const char *what, const char *value, const char *why)
{
	return hv_err_set(c->err, EINVAL, "zone config of layout %s for %s: %s is %s, %s",
			  hv_layout_name(c->layout), hv_arch_name(c->arch), what, value, why);
}

static int decode_section(void *arg, const struct hv_wire_section *section, unsigned int *n)
{
	struct codec *c = arg;
	char text[VALUE_TEXT], why[64];
	uint64_t count;

	if (!section->counted)
		return 0;
	/* The one bus of layouts 3 and 4B has no count: all zero means none. */
	if (section->count_width)
		count = hv_wire_get(c->in + section->count_at, section->count_width);
	else
		count = !hv_wire_is_zero(c->in + section->at, section->stride);
	if (count > section->max) {
		snprintf(why, sizeof(why), "there is room for %u", section->max);
		return broken(c, section->count_name, value_text(HV_WIRE_NUMBER, count, text), why);
	}
	store((uint8_t *)c->to + section->member_count, sizeof(uint32_t), count);
	*n = (unsigned int)count;
	return 0;
}

static int decode_name(struct codec *c, const struct hv_wire_place *place)
{
	const uint8_t *name = c->in + place->at;
	size_t len = strnlen((const char *)name, place->field->width);

	if (len == place->field->width)
		return broken(c, "name", "not terminated", "it may have 31 bytes");
	memcpy(c->to->name, name, len);
	return 0;
}

static void decode_irq_bitmap(struct codec *c, const struct hv_wire_place *place)
{
	for (uint32_t irq = 0; irq < HV_MAX_IRQ; irq++)
		if (c->in[place->at + irq / 8] >> (irq % 8) & 1)
			c->to->irqs[c->to->n_irqs++] = irq;
}

static int decode_field(void *arg, const struct hv_wire_place *place)
{
	struct codec *c = arg;
	const struct hv_wire_field *field = place->field;
	uint8_t *member = (uint8_t *)c->to + member_at(place);
	char name[HV_WIRE_NAME_TEXT], text[VALUE_TEXT];
	const char *wrong;
	uint64_t wire;

	if (place->absent) {
		if (field->absent == HV_ABSENT_LIKE)
			memcpy(member, member - field->member + field->like, field->member_size);
		return 0;
	}
	if (field->kind == HV_WIRE_NAME)
		return decode_name(c, place);
	if (field->kind == HV_WIRE_IRQ_BITMAP) {
		decode_irq_bitmap(c, place);
		return 0;
	}

	wire = hv_wire_get(c->in + place->at, field->width);
	wrong = hv_wire_wrong(field->kind, wire);
	if (!wrong && field->kind == HV_WIRE_IRQ && !take_irq(c, (uint32_t)wire))
		wrong = "which is there twice";
	if (wrong)
		return broken(c, hv_wire_place_name(place, name),
			      value_text(field->kind, wire, text), wrong);
	switch (field->kind) {
	case HV_WIRE_BDF:
		member[0] = (uint8_t)(wire >> 8);
		member[1] = wire >> 3 & 31;
		member[2] = wire & 7;
		break;
	case HV_WIRE_GIC_TAG:
		store(member, field->member_size, wire + 2);
		break;
	case HV_WIRE_UEFI_TAG:
		store(member, field->member_size, !wire);
		break;
	default:
		store(member, field->member_size, wire);
		break;
	}
	return 0;
}

int hv_zone_config_decode(enum hv_layout layout, enum hv_arch arch, const void *buf, size_t size,
			  struct hv_abi_zone *zone, struct hv_err *err)
{
	static const struct hv_wire_visitor decoder = { decode_section, decode_field };
	struct codec c = { .layout = layout, .arch = arch, .to = zone, .in = buf, .err = err };
	struct hv_wire_layout wire;

	memset(zone, 0, sizeof(*zone));
	if (!hv_wire_layout(layout, arch, &wire))
		return hv_err_set(err, EINVAL, "layout %s does not exist for %s: the first is %s",
				  hv_layout_name(layout), hv_arch_name(arch),
				  hv_layout_name(hv_wire_first_layout(arch)));
	if (size != wire.size)
		return hv_err_set(err, EINVAL,
				  "zone config of layout %s for %s: %zu bytes are given, %zu are right",
				  hv_layout_name(layout), hv_arch_name(arch), size, wire.size);
	return hv_wire_walk(&wire, buf, &decoder, &c);
}
