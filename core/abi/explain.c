// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "abi/layout.h"
#include "base/size.h"

#define MEANING_TEXT 256
#define FIRST_WRONG_TEXT 160

/*
 * Reads the wire itself, not a decoded zone: a config that no decoder takes is the one that
 * most wants explaining. The same pass, with nowhere to print to, judges how well a layout fits.
 */
struct reading {
	enum hv_layout layout;
	enum hv_arch arch;
	struct hv_wire_layout wire;
	const uint8_t *buf;
	struct hv_buf *out; /* NULL = only judge */
	const struct hv_wire_section *section;
	unsigned int used; /* records of it that are visited */
	uint32_t n_regions;
	uint32_t irqs[HV_MAX_IRQ / 32];
	bool covered[HV_ZONE_CONFIG_MAX];
	unsigned int wrong; /* values that cannot be meant */
	unsigned int odd;   /* values that are unlikely to be meant */
	unsigned int stray; /* bytes that are not zero where nothing is said */
	char first_wrong[FIRST_WRONG_TEXT];
};

static void cover(struct reading *r, size_t at, size_t size)
{
	memset(r->covered + at, true, size);
}

static void line(struct reading *r, unsigned int at, const char *name, const char *value,
		 const char *meaning)
{
	if (!r->out)
		return;
	if (meaning[0])
		hv_buf_printf(r->out, "%4u  %-36s  %-18s  %s\n", at, name, value, meaning);
	else
		hv_buf_printf(r->out, "%4u  %-36s  %s\n", at, name, value);
}

static void wrong_value(struct reading *r, const char *name, uint64_t value, const char *why,
			char meaning[MEANING_TEXT])
{
	snprintf(meaning, MEANING_TEXT, "WRONG: %s", why);
	if (!r->wrong++)
		snprintf(r->first_wrong, sizeof(r->first_wrong), "%s is 0x%" PRIx64 ", %s", name,
			 value, why);
}

static const char *bytes_are(unsigned int n)
{
	return n == 1 ? "byte is" : "bytes are";
}

static unsigned int count_nonzero(const uint8_t *buf, size_t size)
{
	unsigned int n = 0;

	while (size--)
		n += !!*buf++;
	return n;
}

/* "2, 5-7, 9" for the bits set; "none". */
static void list_bits(struct hv_buf *out, const uint8_t *bits, unsigned int n_bits)
{
	const char *comma = "";

	for (unsigned int i = 0; i < n_bits; i++) {
		unsigned int end = i;

		while (end < n_bits && bits[end / 8] >> (end % 8) & 1)
			end++;
		if (end == i)
			continue;
		hv_buf_printf(out, end - i > 1 ? "%s%u-%u" : "%s%u", comma, i, end - 1);
		comma = ", ";
		i = end;
	}
	if (!comma[0])
		hv_buf_puts(out, "none");
}

/* Would the bitmap be a good list of interrupts, as layout 3 has it at the same place and size? */
static bool looks_like_irq_list(const uint8_t *bitmap)
{
	uint64_t n = hv_wire_get(bitmap, 4);

	if (!n)
		return false;
	for (unsigned int i = 1; i < HV_MAX_IRQ / 32; i++) {
		uint64_t irq = hv_wire_get(bitmap + i * 4, 4);

		if (i <= n ? !irq || irq >= HV_MAX_IRQ : irq)
			return false;
	}
	return true;
}

static void explain_irq_bitmap(struct reading *r, const struct hv_wire_place *place)
{
	const uint8_t *bits = r->buf + place->at;
	struct hv_buf list = { 0 };

	if (looks_like_irq_list(bits))
		r->odd++;
	if (!r->out)
		return;
	if (r->arch == HV_ARCH_ARM64)
		hv_buf_puts(&list, "INTID ");
	list_bits(&list, bits, HV_MAX_IRQ);
	if (list.failed)
		r->out->failed = true;
	line(r, place->at, place->field->name, "bitmap", list.data ? list.data : "");
	hv_buf_free(&list);
}

static void explain_name(struct reading *r, const struct hv_wire_place *place)
{
	const uint8_t *name = r->buf + place->at;
	size_t width = place->field->width;
	size_t len = strnlen((const char *)name, width);
	unsigned int after = count_nonzero(name + len, width - len);
	char text[4 * 32 + 3], meaning[MEANING_TEXT] = "";
	size_t n = 0;

	text[n++] = '"';
	for (size_t i = 0; i < len; i++) {
		bool plain = name[i] >= ' ' && name[i] < 0x7f && name[i] != '"' && name[i] != '\\';

		n += (size_t)snprintf(text + n, sizeof(text) - n, plain ? "%c" : "\\x%02x", name[i]);
	}
	snprintf(text + n, sizeof(text) - n, "\"");
	if (len == width)
		wrong_value(r, "name", len, "not terminated", meaning);
	else if (after)
		snprintf(meaning, sizeof(meaning), "after its end %u %s not zero", after,
			 bytes_are(after));
	r->stray += after;
	line(r, place->at, place->field->name, text, meaning);
}

static void mean_cpus(uint64_t cpus, char out[MEANING_TEXT])
{
	struct hv_buf list = { 0 };
	uint8_t bits[8];

	hv_wire_put(bits, 8, cpus);
	list_bits(&list, bits, 64);
	snprintf(out, MEANING_TEXT, "CPU %s", list.data ? list.data : "?");
	hv_buf_free(&list);
}

static void mean_bytes(enum hv_wire_kind kind, uint64_t bytes, char out[MEANING_TEXT])
{
	char size[HV_SIZE_TEXT];

	hv_size_format(bytes, size);
	if (strncmp(size, "0x", 2))
		snprintf(out, MEANING_TEXT, "%s", size);
	else if (kind == HV_WIRE_BYTES)
		snprintf(out, MEANING_TEXT, "%" PRIu64 " bytes", bytes);
}

/* Fills in what a value says to a person; counts what it is unlikely to say. */
static void mean(struct reading *r, const struct hv_wire_field *field, uint64_t value,
		 char out[MEANING_TEXT])
{
	switch (field->kind) {
	case HV_WIRE_CPUS:
		mean_cpus(value, out);
		break;
	case HV_WIRE_SIZE:
		r->odd += value % 16 != 0;
		mean_bytes(field->kind, value, out);
		break;
	case HV_WIRE_BYTES:
		mean_bytes(field->kind, value, out);
		break;
	case HV_WIRE_REGION_TYPE:
		snprintf(out, MEANING_TEXT, "%s", hv_region_type_name((enum hv_region_type)value));
		break;
	case HV_WIRE_REGION_INDEX:
		if (value && value >= r->n_regions) {
			r->odd++;
			snprintf(out, MEANING_TEXT, "there is no such memory region");
			break;
		}
		snprintf(out, MEANING_TEXT, "memory_regions[%" PRIu64 "]", value);
		break;
	case HV_WIRE_BOOL:
		snprintf(out, MEANING_TEXT, "%s", value ? "yes" : "no");
		break;
	case HV_WIRE_GIC_TAG:
		snprintf(out, MEANING_TEXT, "GICv%u", (unsigned int)value + 2);
		break;
	case HV_WIRE_UEFI_TAG:
		snprintf(out, MEANING_TEXT, "%s", value ? "none" : "UEFI");
		break;
	case HV_WIRE_BDF:
		snprintf(out, MEANING_TEXT, "%02x:%02x.%x", (unsigned int)value >> 8,
			 (unsigned int)value >> 3 & 31, (unsigned int)value & 7);
		break;
	case HV_WIRE_IRQ:
		r->odd += !value;
		snprintf(out, MEANING_TEXT, "%s%" PRIu64, r->arch == HV_ARCH_ARM64 ? "INTID " : "",
			 value);
		break;
	case HV_WIRE_NUMBER:
		if (value > 9)
			snprintf(out, MEANING_TEXT, "%" PRIu64, value);
		break;
	default:
		break;
	}
}

static int explain_field(void *arg, const struct hv_wire_place *place)
{
	const struct hv_wire_field *field = place->field;
	struct reading *r = arg;
	char name[HV_WIRE_NAME_TEXT], text[24], meaning[MEANING_TEXT] = "";
	const char *wrong;
	uint64_t value;

	if (place->absent)
		return 0;
	cover(r, place->at, field->width);
	if (field->kind == HV_WIRE_IRQ_BITMAP) {
		explain_irq_bitmap(r, place);
		return 0;
	}
	if (field->kind == HV_WIRE_NAME) {
		explain_name(r, place);
		return 0;
	}
	value = hv_wire_get(r->buf + place->at, field->width);
	hv_wire_place_name(place, name);
	wrong = hv_wire_wrong(field->kind, value);
	if (!wrong && field->kind == HV_WIRE_IRQ) {
		uint32_t bit = UINT32_C(1) << (value % 32);

		if (r->irqs[value / 32] & bit)
			wrong = "there twice";
		r->irqs[value / 32] |= bit;
	}
	if (wrong)
		wrong_value(r, name, value, wrong, meaning);
	else
		mean(r, field, value, meaning);
	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	line(r, place->at, name, text, meaning);
	return 0;
}

/* What is left of an array behind the records in use. */
static void end_section(struct reading *r)
{
	const struct hv_wire_section *s = r->section;
	unsigned int at, n, stray;
	char name[HV_WIRE_NAME_TEXT], value[64];

	if (!s || !s->counted || r->used == s->max)
		return;
	at = s->at + r->used * s->stride;
	n = s->max - r->used;
	cover(r, at, (size_t)n * s->stride);
	stray = count_nonzero(r->buf + at, (size_t)n * s->stride);
	r->stray += stray;
	if (s->max == 1)
		snprintf(name, sizeof(name), "%s", s->name);
	else if (n == 1)
		snprintf(name, sizeof(name), "%s[%u]", s->name, r->used);
	else
		snprintf(name, sizeof(name), "%s[%u..%u]", s->name, r->used, s->max - 1);
	if (stray)
		snprintf(value, sizeof(value), "beyond the count, %u %s not zero", stray,
			 bytes_are(stray));
	line(r, at, name, stray ? value : "unused, all zero", "");
}

static int explain_section(void *arg, const struct hv_wire_section *section, unsigned int *n)
{
	struct reading *r = arg;
	char text[24], why[48], meaning[MEANING_TEXT];
	uint64_t count;

	end_section(r);
	r->section = section;
	if (section->counted && !section->count_width) {
		*n = !hv_wire_is_zero(r->buf + section->at, section->stride);
	} else if (section->counted) {
		cover(r, section->count_at, section->count_width);
		count = hv_wire_get(r->buf + section->count_at, section->count_width);
		if (count > section->max) {
			snprintf(why, sizeof(why), "there is room for %u", section->max);
			wrong_value(r, section->count_name, count, why, meaning);
			/* All that may have been meant. */
			while (*n && hv_wire_is_zero(r->buf + section->at + (*n - 1) * section->stride,
						     section->stride))
				--*n;
		} else {
			snprintf(meaning, sizeof(meaning), "%u of at most %u", (unsigned int)count,
				 section->max);
			*n = (unsigned int)count;
		}
		snprintf(text, sizeof(text), "0x%" PRIx64, count);
		line(r, section->count_at, section->count_name, text, meaning);
		if (section->member_count == offsetof(struct hv_abi_zone, n_regions))
			r->n_regions = *n;
	}
	r->used = *n;
	return 0;
}

/* Between the fields. hvisor does not read it; an honest writer leaves it zero. */
static void explain_padding(struct reading *r)
{
	for (unsigned int at = 0; at < r->wire.size; at++) {
		unsigned int end = at;
		char value[64];

		while (end < r->wire.size && !r->covered[end] && r->buf[end])
			end++;
		if (end == at)
			continue;
		r->stray += end - at;
		snprintf(value, sizeof(value), "%u %s not zero", end - at,
			 bytes_are(end - at));
		line(r, at, "(padding)", value, "");
		at = end;
	}
}

static void read_as(struct reading *r, enum hv_layout layout, enum hv_arch arch, const uint8_t *buf,
		    struct hv_buf *out)
{
	static const struct hv_wire_visitor visitor = { explain_section, explain_field };

	memset(r, 0, sizeof(*r));
	r->layout = layout;
	r->arch = arch;
	r->buf = buf;
	r->out = out;
	if (!hv_wire_layout(layout, arch, &r->wire))
		return;
	hv_wire_walk(&r->wire, buf, &visitor, r);
	end_section(r);
	explain_padding(r);
}

struct candidate {
	enum hv_layout layout;
	enum hv_arch arch;
	unsigned int wrong, unlikely;
	char first_wrong[FIRST_WRONG_TEXT];
};
#define CANDIDATES_MAX (HV_LAYOUT_COUNT * HV_ARCH_COUNT)

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	return a->wrong != b->wrong ? a->wrong < b->wrong : a->unlikely < b->unlikely;
}

/* Best first; of equals the newer layout first. */
static size_t find_candidates(int layout, int arch, const uint8_t *buf, size_t size,
			      struct candidate out[CANDIDATES_MAX])
{
	struct reading r;
	size_t n = 0;

	for (int l = HV_LAYOUT_COUNT - 1; l >= 0; l--) {
		for (int a = 0; a < HV_ARCH_COUNT; a++) {
			struct candidate c = { .layout = (enum hv_layout)l, .arch = (enum hv_arch)a };
			size_t i;

			if ((layout >= 0 && l != layout) || (arch >= 0 && a != arch) ||
			    hv_zone_config_size(c.layout, c.arch) != size)
				continue;
			read_as(&r, c.layout, c.arch, buf, NULL);
			c.wrong = r.wrong;
			c.unlikely = r.odd * 8 + r.stray;
			memcpy(c.first_wrong, r.first_wrong, sizeof(c.first_wrong));
			for (i = n++; i > 0 && is_better(&c, &out[i - 1]); i--)
				out[i] = out[i - 1];
			out[i] = c;
		}
	}
	return n;
}

static int wrong_size(int layout, int arch, size_t size, struct hv_err *err)
{
	char list[512] = "";
	size_t len = 0;

	for (int l = 0; l < HV_LAYOUT_COUNT; l++) {
		for (int a = 0; a < HV_ARCH_COUNT; a++) {
			size_t is = hv_zone_config_size((enum hv_layout)l, (enum hv_arch)a);

			if ((layout >= 0 && l != layout) || (arch >= 0 && a != arch) || !is ||
			    len >= sizeof(list))
				continue;
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%zu (%s %s)",
						len ? ", " : "", is, hv_layout_name((enum hv_layout)l),
						hv_arch_name((enum hv_arch)a));
		}
	}
	if (!len)
		return hv_err_set(err, EINVAL, "layout %s does not exist for %s",
				  hv_layout_name((enum hv_layout)layout),
				  hv_arch_name((enum hv_arch)arch));
	return hv_err_set(err, EINVAL, "%zu bytes are no zone config: right would be %s", size,
			  list);
}

static void print_others(struct hv_buf *out, const struct candidate *list, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct candidate *c = &list[i];
		const char *layout = hv_layout_name(c->layout), *arch = hv_arch_name(c->arch);

		if (!is_better(&list[0], c))
			hv_buf_printf(out, "layout %s for %s has this size and fits as well\n",
				      layout, arch);
		else if (c->wrong > list[0].wrong)
			hv_buf_printf(out, "layout %s for %s has this size, but does not fit: %s\n",
				      layout, arch, c->first_wrong);
		else
			hv_buf_printf(out, "layout %s for %s has this size, but is less likely\n",
				      layout, arch);
	}
}

int hv_zone_config_explain(int layout, int arch, const void *buf, size_t size, struct hv_buf *out,
			   struct hv_err *err)
{
	struct candidate list[CANDIDATES_MAX];
	struct reading r;
	size_t n;

	if (layout >= HV_LAYOUT_COUNT || arch >= HV_ARCH_COUNT)
		return hv_err_set(err, EINVAL, "no such layout or architecture: %d, %d", layout, arch);
	n = find_candidates(layout, arch, buf, size, list);
	if (!n)
		return wrong_size(layout, arch, size, err);
	hv_buf_printf(out, "zone config of %zu bytes, read as layout %s (version %u) for %s\n", size,
		      hv_layout_name(list[0].layout), hv_layout_version(list[0].layout),
		      hv_arch_name(list[0].arch));
	print_others(out, list, n);
	read_as(&r, list[0].layout, list[0].arch, buf, out);
	if (r.wrong)
		hv_buf_printf(out, "%u value%s cannot be meant; hvisor would misread this config\n",
			      r.wrong, r.wrong == 1 ? "" : "s");
	return out->failed ? hv_err_nomem(err) : 0;
}
