// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/finding.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *hv_severity_name(enum hv_severity severity)
{
	static const char *const names[] = {
		[HV_NOTE] = "note",
		[HV_WARNING] = "warning",
		[HV_ERROR] = "error",
	};

	return names[severity];
}

int hv_findings_init(struct hv_findings *list)
{
	*list = (struct hv_findings){ .arena = hv_arena_new() };
	return list->arena ? 0 : -ENOMEM;
}

void hv_findings_free(struct hv_findings *list)
{
	hv_arena_free(list->arena);
	free(list->items);
	*list = (struct hv_findings){ 0 };
}

static const char *copy(struct hv_findings *list, const char *text)
{
	char *dup = hv_arena_strdup(list->arena, text);

	if (text && !dup)
		list->failed = true;
	return dup;
}

static const char *format(struct hv_findings *list, const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	return copy(list, text);
}

struct hv_finding *hv_findings_add(struct hv_findings *list, enum hv_severity severity,
				   const char *code, const char *fmt, ...)
{
	struct hv_finding *f, *items;
	size_t cap;
	va_list ap;

	if (list->n == list->cap) {
		cap = list->cap ? list->cap * 2 : 16;
		items = reallocarray(list->items, cap, sizeof(*items));
		if (!items) {
			list->failed = true;
			return NULL;
		}
		list->items = items;
		list->cap = cap;
	}
	f = &list->items[list->n++];
	*f = (struct hv_finding){ .severity = severity };
	f->code = copy(list, code);
	va_start(ap, fmt);
	f->message = format(list, fmt, ap);
	va_end(ap);
	if (severity == HV_ERROR)
		list->n_errors++;
	else if (severity == HV_WARNING)
		list->n_warnings++;
	if (list->failed) {
		/* Half a finding would be printed as (null); the caller sees failed. */
		list->n--;
		return NULL;
	}
	return f;
}

void hv_finding_fix(struct hv_findings *list, struct hv_finding *finding, const char *fmt, ...)
{
	va_list ap;

	if (!finding)
		return;
	va_start(ap, fmt);
	finding->fix = format(list, fmt, ap);
	va_end(ap);
}

void hv_finding_party(struct hv_findings *list, struct hv_finding *finding, int which,
		      const char *zone, const char *what, const struct hv_origin *origin)
{
	struct hv_party *p;

	if (!finding)
		return;
	p = which ? &finding->b : &finding->a;
	p->zone = copy(list, zone);
	p->what = copy(list, what);
	p->origin = (struct hv_origin){ 0 };
	if (origin) {
		p->origin.file = copy(list, origin->file);
		p->origin.line = origin->line;
		p->origin.field = copy(list, origin->field);
	}
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare(const void *x, const void *y)
{
	const struct hv_finding *a = x, *b = y;
	int d = (int)b->severity - (int)a->severity;

	if (!d)
		d = compare_text(a->a.origin.file, b->a.origin.file);
	if (!d)
		d = (a->a.origin.line > b->a.origin.line) - (a->a.origin.line < b->a.origin.line);
	if (!d)
		d = compare_text(a->a.zone, b->a.zone);
	if (!d)
		d = compare_text(a->code, b->code);
	if (!d)
		d = compare_text(a->message, b->message);
	return d;
}

void hv_findings_sort(struct hv_findings *list, size_t from)
{
	if (list->n > from)
		qsort(list->items + from, list->n - from, sizeof(*list->items), compare);
}
