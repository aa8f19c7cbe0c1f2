/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_DTS_H
#define TESTS_LIB_DTS_H

#include <stddef.h>

#include "fdt/fdt.h"

/* Compiles tests/core/fdt/data/<name>.dts with dtc; the caller frees. Ends the program when that
 * fails. */
void *dts_compile(const char *name, size_t *size);
/* The same, opened; label is "<name>.dtb". */
struct hv_fdt *dts_open(const char *name);
/* A node by its full path; ends the program when there is none. */
int dts_node(const struct hv_fdt *tree, const char *path);

#endif
