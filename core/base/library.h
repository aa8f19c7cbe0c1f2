/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_LIBRARY_H
#define HV_BASE_LIBRARY_H

#include <stddef.h>

#include "base/err.h"

/* A shared library that is loaded when something first needs it, and stays. */
struct hv_library {
	const char *file;    /* as ld.so knows it: "libpng16.so.16" */
	const char *package; /* of Debian */
	const char *purpose; /* what cannot be had without it: "a screenshot" */
};

struct hv_library_symbol {
	const char *name;
	void **to; /* gets its address */
};

/*
 * Fills in all symbols, or none. -ENOTSUP: err says the library, why, what for and the package. Any
 * thread; to be called before the sandbox is closed.
 */
int hv_library_load(const struct hv_library *library, const struct hv_library_symbol *symbols,
		    size_t n, struct hv_err *err);

#endif
