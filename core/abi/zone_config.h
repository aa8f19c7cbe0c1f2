/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_ZONE_CONFIG_H
#define HV_ABI_ZONE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/arch.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * The zone configuration of hypercall 2, apart from any layout: the union of
 * what all layouts can say. The codec is the only place that knows offsets.
 * Numbers are as hvisor takes them: physical and guest addresses in bytes,
 * interrupts as controller numbers (INTID, PLIC source).
 */
#define HV_MAX_REGIONS 64
#define HV_MAX_IRQ 1024        /* a bitmap of 1024 bits, or 32 numbers, on the wire */
#define HV_MAX_PCI_BUSES 4
#define HV_MAX_PCI_DEVICES 32
#define HV_MAX_IVC 2
#define HV_ZONE_NAME_MAX 31    /* bytes, the terminator not counted */
#define HV_MAX_ZONES 32        /* ids 1..31; 0 is the root zone */
#define HV_MAX_CPUS 32
#define HV_ZONE_CONFIG_MAX 4096 /* no layout is larger */

enum hv_region_type {
	HV_REGION_RAM = 0,
	HV_REGION_IO = 1,
	HV_REGION_VIRTIO = 2,
};

/* "ram", "io", "virtio"; "?" for a number that is none of them. */
const char *hv_region_type_name(enum hv_region_type type);

struct hv_abi_region {
	enum hv_region_type type;
	uint64_t phys, ipa, size;
};

struct hv_abi_pci_bus {
	uint64_t ecam_base, ecam_size;
	uint64_t io_base, io_size, pci_io_base;
	uint64_t mem32_base, mem32_size, pci_mem32_base;
	uint64_t mem64_base, mem64_size, pci_mem64_base;
	/* From 5A on. Before, begin must be 0 and end is not said: a range from 0 is no loss there. */
	uint32_t bus_begin, bus_end;
	uint8_t domain; /* 0 before 5A */
};

struct hv_abi_pci_dev {
	uint8_t domain, bus, device, function; /* domain: 0 before 5A */
	/* As the zone sees it; equal to the physical ones = not moved, all that 3, 4B and 5A can say. */
	uint8_t v_bus, v_device, v_function;
	uint32_t dev_type; /* 0 before 5A */
};

struct hv_abi_ivc {
	uint32_t ivc_id, peer_id;
	uint64_t control_table_ipa, shared_mem_ipa;
	uint32_t rw_sec_size, out_sec_size, interrupt, max_peers;
};

struct hv_abi_arm64 {
	bool aarch32;
	unsigned int gic_version; /* 2 or 3 */
	uint64_t gicd_base, gicd_size;
	/* Fields of the other version must be 0: the wire has no place for them. */
	uint64_t gicc_base, gicc_size, gicc_offset; /* v2 only, down to gicv */
	uint64_t gich_base, gich_size;
	uint64_t gicv_base, gicv_size;
	uint64_t gicr_base, gicr_size; /* v3 only */
	uint64_t gits_base, gits_size;
	bool has_uefi; /* layout 6; without it the three below are 0 */
	uint64_t memory_map_addr, memory_map_size, sys_map_addr;
};

struct hv_abi_riscv64 {
	uint64_t plic_base, plic_size, aplic_base, aplic_size;
};

struct hv_abi_x86_64 {
	uint64_t ioapic_base, ioapic_size;
	uint64_t kernel_entry_gpa, cmdline_load_gpa, setup_load_gpa;
	uint64_t initrd_load_gpa, initrd_size;
	uint64_t rsdp_region, acpi_region, uefi_region; /* indexes into regions */
	uint64_t screen_base;                           /* layout 6, otherwise 0 */
};

struct hv_abi_zone {
	uint32_t id;
	uint64_t cpus;
	char name[HV_ZONE_NAME_MAX + 1];
	uint32_t n_regions;
	struct hv_abi_region regions[HV_MAX_REGIONS];
	/* In the order given; layouts 3 and 4A (at most 32) keep it, the bitmap sorts. No duplicates. */
	uint32_t n_irqs;
	uint32_t irqs[HV_MAX_IRQ];
	uint32_t n_ivc;
	struct hv_abi_ivc ivc[HV_MAX_IVC];
	uint64_t entry;
	uint64_t kernel_phys, kernel_size;
	uint64_t dtb_phys, dtb_size;
	uint32_t n_pci_buses;
	struct hv_abi_pci_bus pci_buses[HV_MAX_PCI_BUSES];
	uint32_t n_pci_devs;
	struct hv_abi_pci_dev pci_devs[HV_MAX_PCI_DEVICES];
	union { /* loongarch64 has nothing to say */
		struct hv_abi_arm64 arm64;
		struct hv_abi_riscv64 riscv64;
		struct hv_abi_x86_64 x86_64;
	};
};

/* The layouts that hvisor has had. 4 and 5 each name two: the struct grew without a new number. */
enum hv_layout {
	HV_LAYOUT_3,
	HV_LAYOUT_4A,
	HV_LAYOUT_4B,
	HV_LAYOUT_5A,
	HV_LAYOUT_5B,
	HV_LAYOUT_6,
};
#define HV_LAYOUT_COUNT 6

/* "3", "4A" … and back (any case); "4" and "5" alone are ambiguous: -EINVAL with a message. */
const char *hv_layout_name(enum hv_layout layout);
int hv_layout_parse(const char *name, struct hv_err *err);

/* The number hypercall 6 answers for it. */
unsigned int hv_layout_version(enum hv_layout layout);

/*
 * The layouts a version may mean on this architecture, likelier (newer) first.
 * Returns how many (1 or 2); -ENOTSUP with the list of known versions.
 */
int hv_layouts_of_version(uint64_t version, enum hv_arch arch, enum hv_layout out[2],
			  struct hv_err *err);

/* Size in bytes; 0 where the pair does not exist (x86_64 before 5A). */
size_t hv_zone_config_size(enum hv_layout layout, enum hv_arch arch);

/*
 * Writes the exact bytes hvisor expects, padding zero. What the layout cannot express (an
 * interrupt over its limit or given twice, too many of something, a second PCI bus, a moved PCI
 * device, UEFI, a pair that does not exist) is -ERANGE with a message naming the field and the
 * layout, and buf is undefined then. Whether the zone makes sense is not asked here. Returns the
 * size; -ENOSPC when cap is smaller. HV_ZONE_CONFIG_MAX bytes always do. Any thread.
 */
int hv_zone_config_encode(enum hv_layout layout, enum hv_arch arch, const struct hv_abi_zone *zone,
			  void *buf, size_t cap, struct hv_err *err);

/*
 * The reverse, for the simulated hypervisor, records and `hvsh decode`. The bytes are hostile:
 * counts beyond their arrays, types and tags that mean nothing, interrupts over 1023 or twice, a
 * name without an end, a size that is not exact are -EINVAL and *zone is undefined then. What is
 * accepted encodes again to the same meaning. Padding and entries beyond a count are ignored.
 * The zone is cleared first, so that two may be compared with memcmp. The name may hold any bytes
 * but NUL. Layouts 3 and 4B count no buses: one that is all zero is none.
 */
int hv_zone_config_decode(enum hv_layout layout, enum hv_arch arch, const void *buf, size_t size,
			  struct hv_abi_zone *zone, struct hv_err *err);

/*
 * Explains a blob field by field, one line each: offset, name, raw value, meaning; printable
 * ASCII. Where layout or architecture are not given (-1), every pair of that size is tried; the
 * most plausible is explained and the others are named above it. Bytes that no decoder takes are
 * explained all the same, with WRONG where a value cannot be meant. -EINVAL when no pair has
 * that size, with the sizes that exist; nothing is appended then. -ENOMEM.
 */
int hv_zone_config_explain(int layout, int arch, const void *buf, size_t size, struct hv_buf *out,
			   struct hv_err *err);

#endif
