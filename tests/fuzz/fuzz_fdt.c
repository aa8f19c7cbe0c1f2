// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fdt/guest.h"
#include "fdt/passthrough.h"
#include "fdt/print.h"
#include "fdt/refs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEVICES 3

struct walk {
	char devices[DEVICES][256];
	size_t n;
};

static int ignore_ref(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	(void)arg;
	(void)node;
	/* What is followed leads somewhere. */
	if (ref->node >= 0 && !hv_fdt_name(tree, ref->node))
		abort();
	return 0;
}

static int read_node(const struct hv_fdt *tree, int node, void *arg)
{
	struct walk *w = arg;
	struct hv_fdt_irq irq;
	struct hv_err err;
	uint64_t addr, len;
	char path[256];

	hv_fdt_path(tree, node, path, sizeof(path));
	hv_fdt_find(tree, path, &err);
	for (unsigned int i = 0; i < 4; i++) {
		hv_fdt_reg(tree, node, i, &addr, &len, &err);
		hv_fdt_irq(tree, node, i, &irq, &err);
	}
	hv_fdt_each_ref(tree, node, ignore_ref, NULL);
	/* The last ones: deep in the tree. */
	if (hv_fdt_find(tree, path, NULL) == node)
		snprintf(w->devices[w->n++ % DEVICES], sizeof(path), "%s", path);
	return 0;
}

static uint64_t rate(const char *path, unsigned int slot, void *arg)
{
	(void)path;
	(void)arg;
	return 1000 + slot;
}

static void give_away(const struct hv_fdt *tree, const struct walk *w)
{
	static const struct hv_fdt_range regs[] = { { 0x8000000, 0x10000 },
						    { 0x80a0000, 0x20000 } },
					 ram[] = { { 0x50000000, 0x1000000 } };
	static const struct hv_fdt_guest_cpu cpus[] = { { 0, NULL } };
	const char *devices[DEVICES] = { w->devices[0], w->devices[1], w->devices[2] };
	struct hv_fdt_passthrough_opts opts = {
		.devices = devices,
		.n_devices = w->n < DEVICES ? w->n : DEVICES,
		.rate = rate,
	};
	struct hv_fdt_guest desc = {
		.irqc = HV_IRQC_GICV3,
		.irqc_reg = regs,
		.n_irqc_reg = 2,
		.cpus = cpus,
		.n_cpus = 1,
		.memory = ram,
		.n_memory = 1,
	};
	struct hv_fdt_passthrough *plan, *pages;
	struct hv_fdt *guest;
	struct hv_err err;

	if (hv_fdt_shared_pages_new(tree, &pages, &err) == 0)
		hv_fdt_passthrough_free(pages);
	if (hv_fdt_passthrough_new(tree, &opts, &plan, &err))
		return;
	desc.plan = plan;
	if (hv_fdt_guest_build(tree, &desc, &guest, &err) == 0)
		hv_fdt_close(guest);
	hv_fdt_passthrough_free(plan);
}

static void patch(struct hv_fdt *tree)
{
	static const struct hv_fdt_guest_virtio virtio[] = { { 0xa003600, 0x200, 75 } };
	static const struct hv_fdt_range ram[] = { { 0x50000000, 0x1000000 } };
	struct hv_fdt_guest desc = {
		.memory = ram, .n_memory = 1, .virtio = virtio, .n_virtio = 1, .bootargs = "quiet"
	};
	struct hv_err err;

	hv_fdt_guest_patch(tree, &desc, HV_PATCH_CHOSEN | HV_PATCH_MEMORY | HV_PATCH_VIRTIO, &err);
}

/* A device tree blob: whatever opens must read, print, plan, change and open again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_fdt *tree, *again;
	struct hv_fdt_machine machine;
	struct walk w = { .n = 0 };
	struct hv_buf text = { 0 };
	struct hv_err err;
	const void *blob;
	size_t n;

	if (hv_fdt_open(data, size, "fuzz", &tree, &err))
		return 0;
	hv_fdt_each(tree, read_node, &w);
	hv_fdt_print(tree, hv_fdt_root(tree), -1, &text, &err);
	hv_buf_free(&text);
	hv_fdt_machine(tree, &machine, NULL, NULL, &err);
	give_away(tree, &w);
	if (hv_fdt_set_bootargs(tree, "console=hvc0", &err) == 0 &&
	    hv_fdt_set_initrd(tree, 0x1000, 0x2000, &err) == 0) {
		blob = hv_fdt_blob(tree, &n);
		if (hv_fdt_open(blob, n, "again", &again, &err))
			abort();
		hv_fdt_machine(again, &machine, NULL, NULL, &err);
		if (!machine.bootargs || !machine.has_initrd || machine.initrd_end != 0x2000)
			abort();
		/* As an overlay of itself, too. */
		hv_fdt_overlay(again, tree, &err);
		hv_fdt_close(again);
	}
	patch(tree);
	hv_fdt_close(tree);
	return 0;
}
