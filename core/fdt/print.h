/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_FDT_PRINT_H
#define HV_FDT_PRINT_H

#include "base/buf.h"
#include "fdt/fdt.h"

/*
 * A node as source text for people: references by label or path, registers and interrupts with what
 * they decode to beside them. phandles are left out. depth: how many levels of children are shown
 * in full (-1 = all); those below are named. Printable UTF-8 whatever the tree holds. -ENOMEM, also
 * from buf.
 */
int hv_fdt_print(const struct hv_fdt *tree, int node, int depth, struct hv_buf *out,
		 struct hv_err *err);

/* The value of one property the same way: "<0x1 0x2>", "\"okay\"", "[01 02 03]"; "" for a flag. */
int hv_fdt_print_value(const struct hv_fdt *tree, int node, const char *name, struct hv_buf *out,
		       struct hv_err *err);

#endif
