/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_SPEC_H
#define HV_ZONE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/zone_config.h"
#include "base/arena.h"
#include "base/origin.h"
#include "zone/board.h"

/*
 * A zone as its author wrote it, in C: filled by the Lua binding after the
 * schema has checked types and units; pure data, nothing opened, nothing
 * allocated. All addresses of the author are guest addresses (IPA) unless called phys. Every part
 * remembers where it was written. Storage: the arena of the set.
 */
struct hv_spec_region {
	enum hv_region_type type;
	uint64_t ipa, phys, size;
	bool shared;      /* may overlap another zone's shared region */
	bool reserved;    /* RAM of a device: nothing is loaded there */
	const char *name; /* for messages: "ram", "uart0"; may be NULL */
	struct hv_origin origin;
};

struct hv_spec_irq {
	uint32_t number;
	struct hv_origin origin;
};

enum hv_image_format {
	HV_IMAGE_AUTO,
	HV_IMAGE_RAW,
	HV_IMAGE_ELF,
	HV_IMAGE_LINUX, /* arm64 or riscv64 `Image` */
	HV_IMAGE_DTB,
};

/* A file to be placed in the zone's memory. path NULL = nothing is loaded (the "null" of the old format). */
struct hv_spec_image {
	bool present;     /* the author wrote the field at all */
	const char *name; /* of a module; NULL for kernel, dtb, initrd */
	const char *path; /* as opened, relative to the working directory */
	enum hv_image_format format;
	bool has_at;
	uint64_t at;      /* guest address */
	bool has_phys;
	uint64_t phys;    /* instead of at: imported files give physical addresses, also outside the zone's RAM (checked) */
	struct hv_origin origin;
	struct hv_origin at_origin;
};

struct hv_spec_option {
	enum { HV_OPT_STRING, HV_OPT_INT, HV_OPT_BOOL, HV_OPT_INTS, HV_OPT_STRINGS } type;
	const char *key;
	const char *string;
	int64_t integer;
	bool boolean;
	size_t n_ints;
	const int64_t *ints;
	size_t n_strings;
	const char *const *strings;
	struct hv_origin origin;
};

/* A virtio device. Type-specific settings ("image", "tap", "mac"…) stay key/value: the device itself knows them. */
struct hv_spec_device {
	const char *type; /* "blk", "net", "console", "gpu", "scmi", "rng", "input", "custom", or "slot": a window without a device */
	const char *name; /* unique within the zone */
	bool has_at;
	uint64_t at, size; /* register window; size 0 = 0x200 */
	bool has_irq;
	uint32_t irq;
	size_t n_options;
	const struct hv_spec_option *options;
	struct hv_origin origin, at_origin, irq_origin;
};

/* A device of the machine's tree: as hv_fdt_find takes it, or all that are compatible. */
struct hv_spec_given {
	const char *name;
	bool compatible;
	struct hv_origin origin;
};

/* A clock's rate, by the device that uses it. */
struct hv_spec_rate {
	const char *device;
	const char *clock; /* from its clock-names; NULL: by slot */
	unsigned int slot; /* from 0 */
	uint64_t hz;
	struct hv_origin origin;
};

/* A node whose conflict with what is given away its author knows of and takes. */
struct hv_spec_accept {
	const char *name; /* as hv_fdt_find takes it; what is below it is meant as well */
	struct hv_origin origin;
};

/* Devices given to the zone. What follows from them is added to regions and irqs when resolving. */
struct hv_spec_passthrough {
	bool present;
	const char *tree; /* the machine's tree, a path; NULL = the board's, or what runs */
	bool coalesce;
	size_t n_devices;
	const struct hv_spec_given *devices;
	size_t n_rates;
	const struct hv_spec_rate *rates;
	size_t n_accept;
	const struct hv_spec_accept *accept;
	struct hv_origin origin, tree_origin;
};

struct hv_spec_pci_dev {
	struct hv_abi_pci_dev dev;
	struct hv_origin origin;
};

struct hv_spec_pci_bus {
	struct hv_abi_pci_bus bus;
	struct hv_origin origin;
};

struct hv_spec_ivc {
	struct hv_abi_ivc ivc;
	struct hv_origin origin;
};

/* x86_64 boots from a handful of pieces in fixed places. */
struct hv_spec_x86 {
	struct hv_abi_x86_64 abi; /* what goes into the config as it is */
	struct hv_spec_image boot, setup, initrd;
	const char *cmdline;
	bool has_cmdline_phys;
	uint64_t cmdline_phys; /* where the text is written */
	struct hv_origin origin;
};

struct hv_zone_spec {
	const char *name;
	struct hv_origin origin; /* of the zone itself */
	uint32_t id;
	struct hv_origin id_origin;
	enum hv_arch arch;
	uint64_t cpus;
	struct hv_origin cpus_origin;
	const struct hv_board *board; /* NULL = none given */
	size_t n_regions;
	const struct hv_spec_region *regions; /* in the order they are encoded */
	size_t n_irqs;
	const struct hv_spec_irq *irqs;
	struct hv_spec_image kernel, dtb, initrd;
	bool dtb_auto;	    /* the tree is made from the zone (dtb.path is NULL then) */
	bool dtb_patch;	    /* memory and virtio nodes of the file are made to say what the zone is */
	const char *stdout_path; /* of the tree's chosen node: a path or alias in it; NULL = as it is */
	struct hv_spec_passthrough passthrough;
	const char *cmdline; /* NULL = the tree's own bootargs stay */
	struct hv_origin cmdline_origin;
	size_t n_modules;
	const struct hv_spec_image *modules;
	bool has_entry;
	uint64_t entry; /* guest address */
	struct hv_origin entry_origin;
	size_t n_devices;
	const struct hv_spec_device *devices;
	size_t n_pci_buses;
	const struct hv_spec_pci_bus *pci_buses;
	size_t n_pci_devs;
	const struct hv_spec_pci_dev *pci_devs;
	size_t n_ivc;
	const struct hv_spec_ivc *ivc;
	bool has_arch_config; /* the author gave gic/plic; otherwise the board's is used */
	struct hv_origin arch_origin;
	struct hv_abi_arm64 arm64;
	struct hv_abi_riscv64 riscv64;
	struct hv_spec_x86 x86;
};

/* NULL when the device has no such option. */
const struct hv_spec_option *hv_spec_option(const struct hv_spec_device *dev, const char *key);

#endif
