// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdlib.h>

#include "fdt/fdt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_node(const struct hv_fdt *tree, int node, void *arg)
{
	struct hv_fdt_irq irq;
	struct hv_err err;
	uint64_t addr, len;
	char path[64];

	(void)arg;
	hv_fdt_path(tree, node, path, sizeof(path));
	for (unsigned int i = 0; i < 4; i++) {
		hv_fdt_reg(tree, node, i, &addr, &len, &err);
		hv_fdt_irq(tree, node, i, &irq, &err);
	}
	return 0;
}

/* A device tree blob: whatever opens must read, change and open again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_fdt *tree, *again;
	struct hv_fdt_machine machine;
	struct hv_err err;
	const void *blob;
	size_t n;

	if (hv_fdt_open(data, size, "fuzz", &tree, &err))
		return 0;
	hv_fdt_each(tree, read_node, NULL);
	hv_fdt_machine(tree, &machine, NULL, NULL, &err);
	if (hv_fdt_set_bootargs(tree, "console=hvc0", &err) == 0 &&
	    hv_fdt_set_initrd(tree, 0x1000, 0x2000, &err) == 0) {
		blob = hv_fdt_blob(tree, &n);
		if (hv_fdt_open(blob, n, "again", &again, &err))
			abort();
		hv_fdt_machine(again, &machine, NULL, NULL, &err);
		if (!machine.bootargs || !machine.has_initrd || machine.initrd_end != 0x2000)
			abort();
		hv_fdt_close(again);
	}
	hv_fdt_close(tree);
	return 0;
}
