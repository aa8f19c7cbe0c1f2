// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/legend.h"

#include <inttypes.h>

void hv_legend_owner(const struct hv_picture_owner *owner, struct hv_buf *out)
{
	char size[HV_SIZE_TEXT];
	const char *comma = "";

	for (unsigned int kind = 0; kind < HV_PICTURE_KINDS; kind++) {
		if (!owner->count[kind])
			continue;
		hv_buf_printf(out, "%s%s", comma, hv_picture_kind(kind));
		/* What the windows take is not worth telling: it costs no memory. */
		if (kind != HV_SPAN_VIRTIO)
			hv_buf_printf(out, " %s", hv_picture_size(owner->bytes[kind], size));
		if (kind == HV_SPAN_VIRTIO || owner->count[kind] > 1)
			hv_buf_printf(out, " (%zu)", owner->count[kind]);
		comma = ", ";
	}
}

void hv_legend_free(const struct hv_picture *picture, struct hv_buf *out)
{
	char free[HV_SIZE_TEXT], ram[HV_SIZE_TEXT], hole[HV_SIZE_TEXT];

	if (!picture->free) {
		hv_buf_printf(out, "nothing of %s RAM", hv_picture_size(picture->ram, ram));
		return;
	}
	hv_buf_printf(out, "%s of %s RAM", hv_picture_size(picture->free, free),
		      hv_picture_size(picture->ram, ram));
	if (picture->largest == picture->free)
		hv_buf_printf(out, ", at 0x%" PRIx64, picture->largest_at);
	else
		hv_buf_printf(out, ", the largest hole %s at 0x%" PRIx64,
			      hv_picture_size(picture->largest, hole), picture->largest_at);
}

void hv_legend_conflict(const struct hv_picture_conflict *conflict, struct hv_buf *out)
{
	char size[HV_SIZE_TEXT];

	hv_buf_printf(out, "overlap %s ", hv_picture_size(conflict->size, size));
	if (conflict->owner_a == conflict->owner_b)
		hv_buf_printf(out, "within %s", conflict->a->zone);
	else
		hv_buf_printf(out, "%s/%s", conflict->a->zone, conflict->b->zone);
}

static void party(const struct hv_span *s, struct hv_buf *out)
{
	char origin[HV_ORIGIN_TEXT];

	hv_buf_printf(out, "%s %s", s->zone, s->what);
	hv_origin_format(&s->origin, origin);
	if (*origin)
		hv_buf_printf(out, " (%s)", origin);
}

void hv_legend_conflict_long(const struct hv_picture_conflict *conflict, struct hv_buf *out)
{
	char size[HV_SIZE_TEXT];

	hv_buf_printf(out, "%s at 0x%" PRIx64 ": ", hv_picture_size(conflict->size, size),
		      conflict->start);
	party(conflict->a, out);
	hv_buf_puts(out, " and ");
	party(conflict->b, out);
}

void hv_legend_gap(const struct hv_picture_row *row, struct hv_buf *out)
{
	char size[HV_SIZE_TEXT];

	hv_buf_printf(out, "%s %s", hv_picture_size(row->size, size),
		      row->in_window ? "free" : "empty");
}
