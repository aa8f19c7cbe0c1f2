// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/write.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fdt/fdt_priv.h"

#define FIRST_SIZE ((size_t)16 << 10)
/* Apart from libfdt's, which are negative. */
#define NO_MEMORY 1
#define TOO_LARGE 2

static void grow(struct fdt_write *w)
{
	size_t size = w->size * 2;
	void *blob;

	if (size > FDT_BLOB_MAX) {
		w->rc = TOO_LARGE;
		return;
	}
	blob = calloc(1, size);
	if (!blob) {
		w->rc = NO_MEMORY;
		return;
	}
	w->rc = fdt_resize(w->blob, blob, (int)size);
	if (w->rc) {
		free(blob);
		return;
	}
	free(w->blob);
	w->blob = blob;
	w->size = size;
}

/* Does a step of libfdt's, with more room as long as that is what it lacks. */
#define STEP(w, call)                                                                              \
	do {                                                                                       \
		int step_rc;                                                                       \
                                                                                                   \
		if ((w)->rc)                                                                       \
			break;                                                                     \
		step_rc = (call);                                                                  \
		if (step_rc == -FDT_ERR_NOSPACE) {                                                 \
			grow(w);                                                                   \
			continue;                                                                  \
		}                                                                                  \
		(w)->rc = step_rc;                                                                 \
		break;                                                                             \
	} while (1)

void fdt_write_begin(struct fdt_write *w)
{
	*w = (struct fdt_write){ .size = FIRST_SIZE, .blob = calloc(1, FIRST_SIZE) };
	if (!w->blob) {
		w->rc = NO_MEMORY;
		return;
	}
	w->rc = fdt_create(w->blob, (int)w->size);
	STEP(w, fdt_finish_reservemap(w->blob));
	STEP(w, fdt_begin_node(w->blob, ""));
}

void fdt_write_node(struct fdt_write *w, const char *fmt, ...)
{
	char name[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	STEP(w, fdt_begin_node(w->blob, name));
}

void fdt_write_end(struct fdt_write *w)
{
	STEP(w, fdt_end_node(w->blob));
}

void fdt_write_prop(struct fdt_write *w, const char *name, const void *value, size_t len)
{
	if (len > FDT_BLOB_MAX && !w->rc)
		w->rc = TOO_LARGE;
	STEP(w, fdt_property(w->blob, name, value, (int)len));
}

void fdt_write_flag(struct fdt_write *w, const char *name)
{
	fdt_write_prop(w, name, "", 0);
}

void fdt_write_string(struct fdt_write *w, const char *name, const char *text)
{
	fdt_write_prop(w, name, text, strlen(text) + 1);
}

void fdt_write_cells(struct fdt_write *w, const char *name, const uint32_t *cells, size_t n)
{
	fdt32_t *be = calloc(n ? n : 1, sizeof(*be));

	if (!be) {
		if (!w->rc)
			w->rc = NO_MEMORY;
		return;
	}
	for (size_t i = 0; i < n; i++)
		be[i] = cpu_to_fdt32(cells[i]);
	fdt_write_prop(w, name, be, n * sizeof(*be));
	free(be);
}

void fdt_write_ranges(struct fdt_write *w, const char *name, const uint64_t (*pairs)[2], size_t n)
{
	fdt64_t *be = calloc(n ? n * 2 : 1, sizeof(*be));

	if (!be) {
		if (!w->rc)
			w->rc = NO_MEMORY;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		be[2 * i] = cpu_to_fdt64(pairs[i][0]);
		be[2 * i + 1] = cpu_to_fdt64(pairs[i][1]);
	}
	fdt_write_prop(w, name, be, n * 2 * sizeof(*be));
	free(be);
}

int fdt_write_finish(struct fdt_write *w, const char *label, struct hv_fdt **tree,
		     struct hv_err *err)
{
	int rc;

	fdt_write_end(w);
	STEP(w, fdt_finish(w->blob));
	switch (w->rc) {
	case 0:
		rc = hv_fdt_open(w->blob, w->size, label, tree, err);
		break;
	case NO_MEMORY:
		rc = hv_err_nomem(err);
		break;
	case TOO_LARGE:
		rc = hv_err_set(err, EFBIG, "%s: the device tree would grow over %zu bytes", label,
				FDT_BLOB_MAX);
		break;
	default:
		rc = hv_err_set(err, EINVAL, "%s: cannot be written as a device tree: %s", label,
				fdt_strerror(w->rc));
	}
	fdt_write_free(w);
	return rc;
}

void fdt_write_free(struct fdt_write *w)
{
	free(w->blob);
	w->blob = NULL;
	if (!w->rc)
		w->rc = NO_MEMORY;
}
