/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_BOARD_H
#define HV_ZONE_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/zone_config.h"

/*
 * What a board is, as modules/board/ describes it: what hvisor cannot be asked.
 * Filled by the Lua binding; all storage belongs to the arena of the zone set. Data only.
 */
struct hv_board_range {
	uint64_t start, size;
	const char *name; /* "ram", "hvisor", "uart0" */
};

struct hv_board_slots {
	uint64_t at;        /* first window, guest address */
	uint64_t size;      /* of one window, bytes */
	uint64_t stride;    /* between windows */
	uint32_t first_irq; /* controller's numbering; window n has first_irq + n */
	uint32_t count;
};

struct hv_board {
	const char *name;
	enum hv_arch arch;
	unsigned int n_cpus;
	unsigned int n_ram;
	const struct hv_board_range *ram; /* all RAM windows of the machine */
	struct hv_board_range hypervisor; /* size 0 = not known */
	uint64_t root_cpus;               /* zone0's share */
	unsigned int n_root_ram;
	const struct hv_board_range *root_ram;
	unsigned int n_slots;
	const struct hv_board_slots *slots;
	bool has_gic;
	struct hv_abi_arm64 gic; /* only the gic fields */
	struct hv_abi_riscv64 plic;
	bool uses_aplic; /* where plic has both, the machine has an APLIC */
	uint64_t ioapic_base, ioapic_size;
	const char *tree; /* path of the machine's device tree; NULL = none */
	uint32_t wakeup_irq; /* 0 = not known */
	uint32_t max_zones;  /* the hypervisor build's limit, the root zone included; 0 = HV_MAX_ZONES */
};

#endif
