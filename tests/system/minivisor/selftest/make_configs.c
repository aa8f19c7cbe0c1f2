// SPDX-License-Identifier: GPL-2.0-or-later
/* make_configs FILE: one zone's config in every layout, as hvsh encodes it. Runs on the host. */
#include <stdio.h>
#include <string.h>

#include "abi/zone_config.h"
#include "payload.h"

static const struct hv_abi_zone zone = {
	.id = 1,
	.cpus = GUEST_CPUS,
	.name = "guest",
	.n_regions = 3,
	.regions = {
		{ HV_REGION_RAM, GUEST_PHYS(0), GUEST_IPA, GUEST_SIZE },
		{ HV_REGION_IO, IO_PHYS, IO_IPA, 0x1000 },
		{ HV_REGION_VIRTIO, WINDOW_BASE, WINDOW_BASE, WINDOW_SIZE },
	},
	.n_irqs = 2,
	.irqs = { GUEST_IRQ, GUEST_IVC_IRQ },
	.n_ivc = 1,
	.ivc = { {
		.ivc_id = 0,
		.peer_id = 1,
		.control_table_ipa = GUEST_IVC_CONTROL,
		.shared_mem_ipa = GUEST_IVC_SHARED,
		.rw_sec_size = 4096,
		.out_sec_size = 4096,
		.interrupt = GUEST_IVC_IRQ,
		.max_peers = 2,
	} },
	.entry = GUEST_IPA,
	.kernel_phys = GUEST_PHYS(0),
	.kernel_size = GUEST_IMAGE_SIZE,
	.dtb_phys = GUEST_PHYS(0) + TREE_AT,
	.dtb_size = 4096,
	.arm64 = {
		.gic_version = 3,
		.gicd_base = GICD_BASE,
		.gicd_size = GICD_SIZE,
		.gicr_base = GICR_BASE,
		.gicr_size = 0xf60000,
	},
};

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;

	if (!file) {
		fprintf(stderr, "make_configs: give it a file that can be written\n");
		return 2;
	}
	for (int l = 0; l < HV_LAYOUT_COUNT; l++) {
		struct config_page page = { .size = 0 };
		struct hv_err err = { 0 };
		int size = hv_zone_config_encode((enum hv_layout)l, HV_ARCH_ARM64, &zone,
						 page.bytes, sizeof(page.bytes), &err);

		if (size < 0) {
			fprintf(stderr, "make_configs: layout %s: %s\n",
				hv_layout_name((enum hv_layout)l), err.msg);
			return 1;
		}
		page.size = (uint32_t)size;
		strncpy(page.name, hv_layout_name((enum hv_layout)l), sizeof(page.name) - 1);
		page.code = hv_layout_version((enum hv_layout)l);
		if (page.name[1])
			page.code = page.code << 4 | (uint32_t)(page.name[1] - 'A' + 10);
		fwrite(&page, sizeof(page), 1, file);
	}
	if (fclose(file)) {
		perror("make_configs: writing");
		return 1;
	}
	return 0;
}
