/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_FINDING_H
#define HV_ZONE_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/origin.h"

/* What a check found. Errors forbid apply; warnings and notes are shown. */
enum hv_severity {
	HV_NOTE,
	HV_WARNING,
	HV_ERROR,
};

/* "note", "warning", "error". */
const char *hv_severity_name(enum hv_severity severity);

struct hv_party {
	const char *zone; /* "linux1", "zone0"; NULL = no second party */
	const char *what; /* "ram", "blk root", "kernel Image" */
	struct hv_origin origin;
};

struct hv_finding {
	enum hv_severity severity;
	const char *code; /* stable word for tests and scripts: "memory-overlap", "cpu-taken", "dtb-irq" … */
	const char *message; /* one sentence without the places */
	const char *fix;     /* what would be right; may be NULL */
	struct hv_party a, b;
};

/* A list that owns its strings. Appending never fails silently: failed is set when memory is out. */
struct hv_findings {
	struct hv_arena *arena;
	size_t n, cap;
	struct hv_finding *items;
	size_t n_errors, n_warnings;
	bool failed;
};

int hv_findings_init(struct hv_findings *list);
void hv_findings_free(struct hv_findings *list);

/*
 * Adds one and returns it for its parties to be filled with hv_finding_party; NULL when memory is
 * out. The pointer is good until the next one is added or the list is sorted.
 */
struct hv_finding *hv_findings_add(struct hv_findings *list, enum hv_severity severity,
				   const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void hv_finding_fix(struct hv_findings *list, struct hv_finding *finding, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* which: 0 = a, 1 = b. Copies the strings. A NULL finding is ignored. */
void hv_finding_party(struct hv_findings *list, struct hv_finding *finding, int which,
		      const char *zone, const char *what, const struct hv_origin *origin);

/* Errors first, then warnings, then notes; within those by file, line and code. Items before `from` stay. */
void hv_findings_sort(struct hv_findings *list, size_t from);

#endif
