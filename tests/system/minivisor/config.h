/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_CONFIG_H
#define MV_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The zone config of hypercall 2 in each of its arm64 layouts. Also compiled for the host, which
 * checks it. */

#define CONFIG_REGIONS 64
#define CONFIG_IRQS 1024
#define CONFIG_IVCS 2
#define CONFIG_NAME 32
#define CONFIG_MAX_SIZE 4096

struct config_layout {
	const char *name;
	uint32_t code; /* what the private hypercall takes: 3, 0x4a … */
	uint32_t version;
	uint32_t size;
	bool has_irq_bitmap;
	uint32_t ivc_count_at;
	uint32_t pci_count_at; /* u64, how many PCI devices follow */
};

enum config_region_type {
	CONFIG_RAM,
	CONFIG_IO,
	CONFIG_VIRTIO,
};

struct config_region {
	uint32_t type;
	uint64_t phys, ipa, size;
};

struct config_ivc {
	uint32_t id, peer;
	uint64_t control_ipa, shared_ipa;
	uint32_t rw_size, out_size, irq, max_peers;
};

/* What minivisor needs of it. */
struct config {
	uint32_t id;
	uint64_t cpus;
	char name[CONFIG_NAME]; /* always terminated */
	uint32_t n_regions;
	struct config_region regions[CONFIG_REGIONS];
	uint32_t irqs[CONFIG_IRQS / 32]; /* bit n % 32 of word n / 32 */
	uint32_t n_ivcs;
	struct config_ivc ivcs[CONFIG_IVCS];
	uint64_t entry, dtb_phys;
	bool is_aarch32;
	uint64_t gic_tag;	       /* 0 = GICv2, 1 = GICv3 */
	uint64_t gicd_base, gicr_base; /* meaningful for GICv3 */
	uint64_t n_pci_devs;
};

/* By name ("5B", capitals) or by code; NULL where there is none. */
const struct config_layout *config_layout_named(const char *name, size_t len);
const struct config_layout *config_layout_coded(uint64_t code);

/*
 * Reads config bytes, which may change meanwhile: everything is taken once. -EINVAL: the size is
 * not the layout's, or a count or number is beyond its array; *why says so then.
 */
int config_parse(const struct config_layout *layout, const void *bytes, uint64_t size,
		 struct config *out, const char **why);

#endif
