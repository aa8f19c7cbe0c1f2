/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_ORIGIN_H
#define HV_BASE_ORIGIN_H

#include <stdio.h>

/*
 * Where the person wrote it: file and line of the field, and the field's path
 * ("ram.size", "devices.root.image", or a JSON pointer "/cpus/0"). All
 * may be missing (NULL, 0, NULL). The strings belong to whoever made the spec.
 */
struct hv_origin {
	const char *file;
	int line;
	const char *field;
};

/* "boot.lua:12: ram.size", less what is missing; returns out. */
#define HV_ORIGIN_TEXT 512
static inline const char *hv_origin_format(const struct hv_origin *o, char out[HV_ORIGIN_TEXT])
{
	char line[16] = "";

	if (o->line > 0)
		snprintf(line, sizeof(line), ":%d", o->line);
	snprintf(out, HV_ORIGIN_TEXT, "%s%s%s%s", o->file ? o->file : "", o->file ? line : "",
		 o->file && o->field ? ": " : "", o->field ? o->field : "");
	return out;
}

#endif
