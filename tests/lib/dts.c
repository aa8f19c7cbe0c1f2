// SPDX-License-Identifier: GPL-2.0-or-later
#include "dts.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>

static void give_up(const char *what, const char *which)
{
	fprintf(stderr, "dts: %s: %s\n", which, what);
	exit(99);
}

void *dts_compile(const char *name, size_t *size)
{
	const char *tests = getenv("HVSH_TESTS");
	char command[1024];
	char *bytes = NULL;
	size_t n = 0, cap = 0, got;
	FILE *pipe;

	/* -f: some inputs are wrong on purpose. */
	snprintf(command, sizeof(command), "dtc -q -f -I dts -O dtb -o - '%s/core/fdt/data/%s.dts'",
		 tests ? tests : "tests", name);
	pipe = popen(command, "r");
	if (!pipe)
		give_up("cannot run dtc", name);
	do {
		if (n == cap) {
			cap = cap ? cap * 2 : 4096;
			bytes = realloc(bytes, cap);
			if (!bytes)
				give_up("out of memory", name);
		}
		got = fread(bytes + n, 1, cap - n, pipe);
		n += got;
	} while (got);
	if (pclose(pipe) != 0 || n == 0)
		give_up("dtc failed", name);
	*size = n;
	return bytes;
}

struct hv_fdt *dts_open(const char *name)
{
	struct hv_err err;
	struct hv_fdt *tree;
	char label[64];
	size_t size;
	void *blob = dts_compile(name, &size);

	snprintf(label, sizeof(label), "%s.dtb", name);
	if (hv_fdt_open(blob, size, label, &tree, &err))
		give_up(err.msg, name);
	free(blob);
	return tree;
}

int dts_node(const struct hv_fdt *tree, const char *path)
{
	size_t size;
	int node = fdt_path_offset(hv_fdt_blob(tree, &size), path);

	if (node < 0)
		give_up("no such node", path);
	return node;
}
