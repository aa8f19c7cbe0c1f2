// SPDX-License-Identifier: GPL-2.0-or-later
#include "abi/layout.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

#define SIZE_OF(type, m) sizeof(((struct type *)NULL)->m)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A field and the member it travels to and from. */
#define FIELD(n, k, off, w, type, m)                                                    \
	.name = (n), .kind = HV_WIRE_##k, .at = (off), .width = (w),                    \
	.member = offsetof(struct type, m), .member_size = SIZE_OF(type, m)
/* A field that another layout has. */
#define NO_FIELD(n, k, type, m) FIELD(n, k, 0, 0, type, m)
#define LIKE(type, m) .absent = HV_ABSENT_LIKE, .like = offsetof(struct type, m), .like_name = #m

enum {
	REGIONS_AT = 24,
	REGION_SIZE = 32,
	IRQS_AT = REGIONS_AT + HV_MAX_REGIONS * REGION_SIZE,
	IRQ_LIST_MAX = 32,
	BITMAP_SIZE = HV_MAX_IRQ / 8,
	IVC_COUNT_LIST_AT = IRQS_AT + 4 + IRQ_LIST_MAX * 4,
	IVC_COUNT_BITMAP_AT = IRQS_AT + BITMAP_SIZE,
	IVC_AT = 2208, /* both counts end before it; 8-aligned */
	IVC_SIZE = 40,
	IMAGES_AT = IVC_AT + HV_MAX_IVC * IVC_SIZE,
	NAME_AT = IMAGES_AT + 5 * 8,
	NAME_SIZE = HV_ZONE_NAME_MAX + 1,
	ARCH_AT = NAME_AT + NAME_SIZE,
	BUS_SHORT = 88,
	BUS_FULL = 104,
};
static_assert(IRQS_AT == 2072, "interrupts");
static_assert(IVC_COUNT_LIST_AT == 2204, "num_ivc after a list");
static_assert(IVC_COUNT_BITMAP_AT == 2200, "num_ivc after a bitmap");
static_assert(IVC_COUNT_LIST_AT + 4 <= IVC_AT && IVC_COUNT_BITMAP_AT + 4 <= IVC_AT, "ivc");
static_assert(IMAGES_AT == 2288, "entry_point");
static_assert(NAME_AT == 2328, "name");
static_assert(ARCH_AT == 2360 && ARCH_AT % 8 == 0, "arch part");

/* What follows the arch part. */
#define PCI_SIZE(count_width, buses, bus_size, dev_size) \
	((count_width) + (buses) * (bus_size) + 8 + HV_MAX_PCI_DEVICES * (dev_size))
#define TOTAL(arch_size, ...) (ARCH_AT + (arch_size) + PCI_SIZE(__VA_ARGS__))
#define PCI_3 0, 1, BUS_SHORT, 8
#define PCI_4A 8, HV_MAX_PCI_BUSES, BUS_SHORT, 16
#define PCI_5A 8, HV_MAX_PCI_BUSES, BUS_FULL, 8
#define PCI_6 8, HV_MAX_PCI_BUSES, BUS_FULL, 12
static_assert(TOTAL(88, PCI_3) == 2800, "3 and 4B arm64");
static_assert(TOTAL(32, PCI_3) == 2744, "3 and 4B riscv64");
static_assert(TOTAL(8, PCI_3) == 2720, "3 and 4B loongarch64");
static_assert(TOTAL(88, PCI_4A) == 3328, "4A arm64");
static_assert(TOTAL(32, PCI_4A) == 3272, "4A riscv64");
static_assert(TOTAL(8, PCI_4A) == 3248, "4A loongarch64");
static_assert(TOTAL(88, PCI_5A) == 3136, "5A arm64");
static_assert(TOTAL(32, PCI_5A) == 3080, "5A riscv64");
static_assert(TOTAL(8, PCI_5A) == 3056, "5A loongarch64");
static_assert(TOTAL(80, PCI_5A) == 3128, "5A x86_64");
static_assert(TOTAL(88, PCI_6) == 3264, "5B arm64");
static_assert(TOTAL(32, PCI_6) == 3208, "5B and 6 riscv64");
static_assert(TOTAL(8, PCI_6) == 3184, "5B and 6 loongarch64");
static_assert(TOTAL(80, PCI_6) == 3256, "5B x86_64");
static_assert(TOTAL(120, PCI_6) == 3296, "6 arm64");
static_assert(TOTAL(88, PCI_6) == 3264, "6 x86_64");
static_assert(TOTAL(120, PCI_4A) < HV_ZONE_CONFIG_MAX, "no layout is larger");

static const struct hv_wire_field head_fields[] = {
	{ FIELD("zone_id", NUMBER, 0, 4, hv_abi_zone, id) },
	{ FIELD("cpus", CPUS, 8, 8, hv_abi_zone, cpus) },
};

static const struct hv_wire_field region_fields[] = {
	{ FIELD("type", REGION_TYPE, 0, 4, hv_abi_region, type) },
	{ FIELD("physical_start", ADDR, 8, 8, hv_abi_region, phys) },
	{ FIELD("virtual_start", ADDR, 16, 8, hv_abi_region, ipa) },
	{ FIELD("size", SIZE, 24, 8, hv_abi_region, size) },
};

static const struct hv_wire_field irq_list_fields[] = {
	{ .name = "", .kind = HV_WIRE_IRQ, .width = 4, .member_size = 4 },
};

static const struct hv_wire_field irq_bitmap_fields[] = {
	{ .name = "interrupts", .kind = HV_WIRE_IRQ_BITMAP, .width = BITMAP_SIZE },
};

static const struct hv_wire_field ivc_fields[] = {
	{ FIELD("ivc_id", NUMBER, 0, 4, hv_abi_ivc, ivc_id) },
	{ FIELD("peer_id", NUMBER, 4, 4, hv_abi_ivc, peer_id) },
	{ FIELD("control_table_ipa", ADDR, 8, 8, hv_abi_ivc, control_table_ipa) },
	{ FIELD("shared_mem_ipa", ADDR, 16, 8, hv_abi_ivc, shared_mem_ipa) },
	{ FIELD("rw_sec_size", SIZE, 24, 4, hv_abi_ivc, rw_sec_size) },
	{ FIELD("out_sec_size", SIZE, 28, 4, hv_abi_ivc, out_sec_size) },
	{ FIELD("interrupt_num", NUMBER, 32, 4, hv_abi_ivc, interrupt) },
	{ FIELD("max_peers", NUMBER, 36, 4, hv_abi_ivc, max_peers) },
};

static const struct hv_wire_field image_fields[] = {
	{ FIELD("entry_point", ADDR, 0, 8, hv_abi_zone, entry) },
	{ FIELD("kernel_load_paddr", ADDR, 8, 8, hv_abi_zone, kernel_phys) },
	{ FIELD("kernel_size", BYTES, 16, 8, hv_abi_zone, kernel_size) },
	{ FIELD("dtb_load_paddr", ADDR, 24, 8, hv_abi_zone, dtb_phys) },
	{ FIELD("dtb_size", BYTES, 32, 8, hv_abi_zone, dtb_size) },
	{ FIELD("name", NAME, 40, NAME_SIZE, hv_abi_zone, name) },
};

enum {
	GIC_TAG_AT = 8,
	UEFI_TAG_AT = 88,
};
#define ONLY_GICV2 .tag_at = GIC_TAG_AT, .tag = 0, .tag_name = "GICv2"
#define ONLY_GICV3 .tag_at = GIC_TAG_AT, .tag = 1, .tag_name = "GICv3"
#define ONLY_UEFI .tag_at = UEFI_TAG_AT, .tag = 0, .tag_name = "UEFI"

/* Two unions of hvisor: the GIC's fields share their place, 88 is where layouts before 6 end. */
static const struct hv_wire_field arm64_fields[] = {
	{ FIELD("is_aarch32", BOOL, 0, 1, hv_abi_arm64, aarch32) },
	{ FIELD("gic_version", GIC_TAG, GIC_TAG_AT, 8, hv_abi_arm64, gic_version) },
	{ FIELD("gicd_base", ADDR, 16, 8, hv_abi_arm64, gicd_base) },
	{ FIELD("gicd_size", SIZE, 24, 8, hv_abi_arm64, gicd_size) },
	{ FIELD("gicc_base", ADDR, 32, 8, hv_abi_arm64, gicc_base), ONLY_GICV2 },
	{ FIELD("gicc_size", SIZE, 40, 8, hv_abi_arm64, gicc_size), ONLY_GICV2 },
	{ FIELD("gicc_offset", NUMBER, 48, 8, hv_abi_arm64, gicc_offset), ONLY_GICV2 },
	{ FIELD("gich_base", ADDR, 56, 8, hv_abi_arm64, gich_base), ONLY_GICV2 },
	{ FIELD("gich_size", SIZE, 64, 8, hv_abi_arm64, gich_size), ONLY_GICV2 },
	{ FIELD("gicv_base", ADDR, 72, 8, hv_abi_arm64, gicv_base), ONLY_GICV2 },
	{ FIELD("gicv_size", SIZE, 80, 8, hv_abi_arm64, gicv_size), ONLY_GICV2 },
	{ FIELD("gicr_base", ADDR, 32, 8, hv_abi_arm64, gicr_base), ONLY_GICV3 },
	{ FIELD("gicr_size", SIZE, 40, 8, hv_abi_arm64, gicr_size), ONLY_GICV3 },
	{ FIELD("gits_base", ADDR, 48, 8, hv_abi_arm64, gits_base), ONLY_GICV3 },
	{ FIELD("gits_size", SIZE, 56, 8, hv_abi_arm64, gits_size), ONLY_GICV3 },
	{ FIELD("uefi", UEFI_TAG, UEFI_TAG_AT, 8, hv_abi_arm64, has_uefi) },
	{ FIELD("memory_map_addr", ADDR, 96, 8, hv_abi_arm64, memory_map_addr), ONLY_UEFI },
	{ FIELD("memory_map_size", BYTES, 104, 8, hv_abi_arm64, memory_map_size), ONLY_UEFI },
	{ FIELD("sys_map_addr", ADDR, 112, 8, hv_abi_arm64, sys_map_addr), ONLY_UEFI },
};

static const struct hv_wire_field riscv64_fields[] = {
	{ FIELD("plic_base", ADDR, 0, 8, hv_abi_riscv64, plic_base) },
	{ FIELD("plic_size", SIZE, 8, 8, hv_abi_riscv64, plic_size) },
	{ FIELD("aplic_base", ADDR, 16, 8, hv_abi_riscv64, aplic_base) },
	{ FIELD("aplic_size", SIZE, 24, 8, hv_abi_riscv64, aplic_size) },
};

/* screen_base lies beyond the end of version 5. */
static const struct hv_wire_field x86_64_fields[] = {
	{ FIELD("ioapic_base", ADDR, 0, 8, hv_abi_x86_64, ioapic_base) },
	{ FIELD("ioapic_size", SIZE, 8, 8, hv_abi_x86_64, ioapic_size) },
	{ FIELD("kernel_entry_gpa", ADDR, 16, 8, hv_abi_x86_64, kernel_entry_gpa) },
	{ FIELD("cmdline_load_gpa", ADDR, 24, 8, hv_abi_x86_64, cmdline_load_gpa) },
	{ FIELD("setup_load_gpa", ADDR, 32, 8, hv_abi_x86_64, setup_load_gpa) },
	{ FIELD("initrd_load_gpa", ADDR, 40, 8, hv_abi_x86_64, initrd_load_gpa) },
	{ FIELD("initrd_size", BYTES, 48, 8, hv_abi_x86_64, initrd_size) },
	{ FIELD("rsdp_memory_region_id", REGION_INDEX, 56, 8, hv_abi_x86_64, rsdp_region) },
	{ FIELD("acpi_memory_region_id", REGION_INDEX, 64, 8, hv_abi_x86_64, acpi_region) },
	{ FIELD("uefi_memory_region_id", REGION_INDEX, 72, 8, hv_abi_x86_64, uefi_region) },
	{ FIELD("screen_base", ADDR, 80, 8, hv_abi_x86_64, screen_base) },
};

static const struct {
	const struct hv_wire_field *fields;
	size_t n_fields;
	size_t member;
} arch_parts[HV_ARCH_COUNT] = {
	[HV_ARCH_ARM64] = { arm64_fields, ARRAY_SIZE(arm64_fields),
			    offsetof(struct hv_abi_zone, arm64) },
	[HV_ARCH_RISCV64] = { riscv64_fields, ARRAY_SIZE(riscv64_fields),
			      offsetof(struct hv_abi_zone, riscv64) },
	[HV_ARCH_LOONGARCH64] = { NULL, 0, 0 }, /* one word that nobody reads */
	[HV_ARCH_X86_64] = { x86_64_fields, ARRAY_SIZE(x86_64_fields),
			     offsetof(struct hv_abi_zone, x86_64) },
};

/*
 * The short form stops before bus_range_begin. A range that starts at 0 may be dropped: hvisor of
 * that age looks at every bus of the ECAM window and takes only the devices that are listed.
 */
static const struct hv_wire_field bus_fields[] = {
	{ FIELD("ecam_base", ADDR, 0, 8, hv_abi_pci_bus, ecam_base) },
	{ FIELD("ecam_size", SIZE, 8, 8, hv_abi_pci_bus, ecam_size) },
	{ FIELD("io_base", ADDR, 16, 8, hv_abi_pci_bus, io_base) },
	{ FIELD("io_size", SIZE, 24, 8, hv_abi_pci_bus, io_size) },
	{ FIELD("pci_io_base", ADDR, 32, 8, hv_abi_pci_bus, pci_io_base) },
	{ FIELD("mem32_base", ADDR, 40, 8, hv_abi_pci_bus, mem32_base) },
	{ FIELD("mem32_size", SIZE, 48, 8, hv_abi_pci_bus, mem32_size) },
	{ FIELD("pci_mem32_base", ADDR, 56, 8, hv_abi_pci_bus, pci_mem32_base) },
	{ FIELD("mem64_base", ADDR, 64, 8, hv_abi_pci_bus, mem64_base) },
	{ FIELD("mem64_size", SIZE, 72, 8, hv_abi_pci_bus, mem64_size) },
	{ FIELD("pci_mem64_base", ADDR, 80, 8, hv_abi_pci_bus, pci_mem64_base) },
	{ FIELD("bus_range_begin", NUMBER, 88, 4, hv_abi_pci_bus, bus_begin) },
	{ FIELD("bus_range_end", NUMBER, 92, 4, hv_abi_pci_bus, bus_end),
	  .absent = HV_ABSENT_ANY },
	{ FIELD("domain", NUMBER, 96, 1, hv_abi_pci_bus, domain) },
};

#define BDF_FIELD(n, off, m)                                        \
	.name = (n), .kind = HV_WIRE_BDF, .at = (off), .width = 8, \
	.member = offsetof(struct hv_abi_pci_dev, m), .member_size = 3
#define NOT_MOVED                                                                    \
	{ NO_FIELD("v_bus", NUMBER, hv_abi_pci_dev, v_bus), LIKE(hv_abi_pci_dev, bus) }, \
	{ NO_FIELD("v_device", NUMBER, hv_abi_pci_dev, v_device),                    \
	  LIKE(hv_abi_pci_dev, device) },                                            \
	{ NO_FIELD("v_function", NUMBER, hv_abi_pci_dev, v_function),                \
	  LIKE(hv_abi_pci_dev, function) }
static_assert(offsetof(struct hv_abi_pci_dev, device) == offsetof(struct hv_abi_pci_dev, bus) + 1 &&
	      offsetof(struct hv_abi_pci_dev, function) == offsetof(struct hv_abi_pci_dev, bus) + 2 &&
	      offsetof(struct hv_abi_pci_dev, v_device) == offsetof(struct hv_abi_pci_dev, v_bus) + 1 &&
	      offsetof(struct hv_abi_pci_dev, v_function) == offsetof(struct hv_abi_pci_dev, v_bus) + 2,
	      "HV_WIRE_BDF takes three bytes in a row");

static const struct hv_wire_field dev_3_fields[] = {
	{ NO_FIELD("domain", NUMBER, hv_abi_pci_dev, domain) },
	{ BDF_FIELD("bdf", 0, bus) },
	NOT_MOVED,
	{ NO_FIELD("dev_type", NUMBER, hv_abi_pci_dev, dev_type) },
};

static const struct hv_wire_field dev_4a_fields[] = {
	{ NO_FIELD("domain", NUMBER, hv_abi_pci_dev, domain) },
	{ BDF_FIELD("bdf", 0, bus) },
	{ BDF_FIELD("vbdf", 8, v_bus) },
	{ NO_FIELD("dev_type", NUMBER, hv_abi_pci_dev, dev_type) },
};

#define DEV_ADDRESS                                                \
	{ FIELD("domain", NUMBER, 0, 1, hv_abi_pci_dev, domain) }, \
	{ FIELD("bus", NUMBER, 1, 1, hv_abi_pci_dev, bus) },       \
	{ FIELD("device", NUMBER, 2, 1, hv_abi_pci_dev, device) }, \
	{ FIELD("function", NUMBER, 3, 1, hv_abi_pci_dev, function) }

static const struct hv_wire_field dev_5a_fields[] = {
	DEV_ADDRESS,
	NOT_MOVED,
	{ FIELD("dev_type", NUMBER, 4, 4, hv_abi_pci_dev, dev_type) },
};

static const struct hv_wire_field dev_6_fields[] = {
	DEV_ADDRESS,
	{ FIELD("v_bus", NUMBER, 4, 1, hv_abi_pci_dev, v_bus) },
	{ FIELD("v_device", NUMBER, 5, 1, hv_abi_pci_dev, v_device) },
	{ FIELD("v_function", NUMBER, 6, 1, hv_abi_pci_dev, v_function) },
	{ FIELD("dev_type", NUMBER, 8, 4, hv_abi_pci_dev, dev_type) },
};

#define DEVICES(array, size) \
	.dev_fields = (array), .n_dev_fields = ARRAY_SIZE(array), .dev_size = (size)
#define ARCH_SIZES(arm64, riscv64, loongarch64, x86_64)                                   \
	.arch_size = { [HV_ARCH_ARM64] = (arm64), [HV_ARCH_RISCV64] = (riscv64),          \
		       [HV_ARCH_LOONGARCH64] = (loongarch64), [HV_ARCH_X86_64] = (x86_64) }

static const struct {
	const char *name;
	unsigned int version;
	bool irq_bitmap;
	bool one_bus; /* without a count */
	uint16_t bus_size;
	const struct hv_wire_field *dev_fields;
	size_t n_dev_fields;
	uint16_t dev_size;
	uint16_t arch_size[HV_ARCH_COUNT]; /* 0 = does not exist for it */
} forms[HV_LAYOUT_COUNT] = {
	[HV_LAYOUT_3] = { "3", 3, false, true, BUS_SHORT, DEVICES(dev_3_fields, 8),
			  ARCH_SIZES(88, 32, 8, 0) },
	[HV_LAYOUT_4A] = { "4A", 4, false, false, BUS_SHORT, DEVICES(dev_4a_fields, 16),
			   ARCH_SIZES(88, 32, 8, 0) },
	[HV_LAYOUT_4B] = { "4B", 4, true, true, BUS_SHORT, DEVICES(dev_3_fields, 8),
			   ARCH_SIZES(88, 32, 8, 0) },
	[HV_LAYOUT_5A] = { "5A", 5, true, false, BUS_FULL, DEVICES(dev_5a_fields, 8),
			   ARCH_SIZES(88, 32, 8, 80) },
	[HV_LAYOUT_5B] = { "5B", 5, true, false, BUS_FULL, DEVICES(dev_6_fields, 12),
			   ARCH_SIZES(88, 32, 8, 80) },
	[HV_LAYOUT_6] = { "6", 6, true, false, BUS_FULL, DEVICES(dev_6_fields, 12),
			  ARCH_SIZES(120, 32, 8, 88) },
};

const char *hv_layout_name(enum hv_layout layout)
{
	return (unsigned int)layout < HV_LAYOUT_COUNT ? forms[layout].name : "?";
}

unsigned int hv_layout_version(enum hv_layout layout)
{
	return (unsigned int)layout < HV_LAYOUT_COUNT ? forms[layout].version : 0;
}

static bool exists(enum hv_layout layout, enum hv_arch arch)
{
	return (unsigned int)layout < HV_LAYOUT_COUNT && (unsigned int)arch < HV_ARCH_COUNT &&
	       forms[layout].arch_size[arch];
}

enum hv_layout hv_wire_first_layout(enum hv_arch arch)
{
	enum hv_layout layout = HV_LAYOUT_3;

	while (layout < HV_LAYOUT_6 && !exists(layout, arch))
		layout++;
	return layout;
}

static void add(struct hv_wire_layout *out, struct hv_wire_section section)
{
	out->sections[out->n_sections++] = section;
	out->size = section.at + section.max * section.stride;
}

bool hv_wire_layout(enum hv_layout layout, enum hv_arch arch, struct hv_wire_layout *out)
{
	unsigned int pci;

	memset(out, 0, sizeof(*out));
	if (!exists(layout, arch))
		return false;
	add(out, (struct hv_wire_section){
		.stride = REGIONS_AT, .max = 1,
		.fields = head_fields, .n_fields = ARRAY_SIZE(head_fields) });
	add(out, (struct hv_wire_section){
		.name = "memory_regions", .count_name = "num_memory_regions",
		.counted = true, .count_at = 16, .count_width = 4,
		.at = REGIONS_AT, .stride = REGION_SIZE, .max = HV_MAX_REGIONS,
		.fields = region_fields, .n_fields = ARRAY_SIZE(region_fields),
		.member = offsetof(struct hv_abi_zone, regions),
		.member_stride = sizeof(struct hv_abi_region),
		.member_count = offsetof(struct hv_abi_zone, n_regions) });
	if (forms[layout].irq_bitmap)
		add(out, (struct hv_wire_section){
			.at = IRQS_AT, .stride = BITMAP_SIZE, .max = 1,
			.fields = irq_bitmap_fields, .n_fields = ARRAY_SIZE(irq_bitmap_fields) });
	else
		add(out, (struct hv_wire_section){
			.name = "interrupts", .count_name = "num_interrupts",
			.counted = true, .count_at = IRQS_AT, .count_width = 4,
			.at = IRQS_AT + 4, .stride = 4, .max = IRQ_LIST_MAX,
			.fields = irq_list_fields, .n_fields = ARRAY_SIZE(irq_list_fields),
			.member = offsetof(struct hv_abi_zone, irqs),
			.member_stride = sizeof(uint32_t),
			.member_count = offsetof(struct hv_abi_zone, n_irqs) });
	add(out, (struct hv_wire_section){
		.name = "ivc_configs", .count_name = "num_ivc_configs",
		.counted = true, .count_width = 4,
		.count_at = forms[layout].irq_bitmap ? IVC_COUNT_BITMAP_AT : IVC_COUNT_LIST_AT,
		.at = IVC_AT, .stride = IVC_SIZE, .max = HV_MAX_IVC,
		.fields = ivc_fields, .n_fields = ARRAY_SIZE(ivc_fields),
		.member = offsetof(struct hv_abi_zone, ivc),
		.member_stride = sizeof(struct hv_abi_ivc),
		.member_count = offsetof(struct hv_abi_zone, n_ivc) });
	add(out, (struct hv_wire_section){
		.at = IMAGES_AT, .stride = ARCH_AT - IMAGES_AT, .max = 1,
		.fields = image_fields, .n_fields = ARRAY_SIZE(image_fields) });
	add(out, (struct hv_wire_section){
		.name = "arch_config",
		.at = ARCH_AT, .stride = forms[layout].arch_size[arch], .max = 1,
		.fields = arch_parts[arch].fields, .n_fields = arch_parts[arch].n_fields,
		.member = arch_parts[arch].member });
	pci = (unsigned int)hv_align_up(out->size, 8);
	add(out, (struct hv_wire_section){
		.name = "pci_config", .count_name = "num_pci_bus",
		.counted = true, .count_at = pci, .count_width = forms[layout].one_bus ? 0 : 8,
		.at = pci + (forms[layout].one_bus ? 0 : 8), .stride = forms[layout].bus_size,
		.max = forms[layout].one_bus ? 1 : HV_MAX_PCI_BUSES,
		.fields = bus_fields, .n_fields = ARRAY_SIZE(bus_fields),
		.member = offsetof(struct hv_abi_zone, pci_buses),
		.member_stride = sizeof(struct hv_abi_pci_bus),
		.member_count = offsetof(struct hv_abi_zone, n_pci_buses) });
	pci = (unsigned int)hv_align_up(out->size, 8);
	add(out, (struct hv_wire_section){
		.name = "alloc_pci_devs", .count_name = "num_pci_devs",
		.counted = true, .count_at = pci, .count_width = 8,
		.at = pci + 8, .stride = forms[layout].dev_size, .max = HV_MAX_PCI_DEVICES,
		.fields = forms[layout].dev_fields, .n_fields = forms[layout].n_dev_fields,
		.member = offsetof(struct hv_abi_zone, pci_devs),
		.member_stride = sizeof(struct hv_abi_pci_dev),
		.member_count = offsetof(struct hv_abi_zone, n_pci_devs) });
	return true;
}

const char *hv_wire_place_name(const struct hv_wire_place *place, char out[HV_WIRE_NAME_TEXT])
{
	const struct hv_wire_section *section = place->section;
	const char *dot = place->field->name[0] ? "." : "";

	if (!section->name)
		snprintf(out, HV_WIRE_NAME_TEXT, "%s", place->field->name);
	else if (section->counted && section->max > 1)
		snprintf(out, HV_WIRE_NAME_TEXT, "%s[%u]%s%s", section->name, place->index, dot,
			 place->field->name);
	else
		snprintf(out, HV_WIRE_NAME_TEXT, "%s%s%s", section->name, dot, place->field->name);
	return out;
}

static bool is_absent(const struct hv_wire_section *section, const struct hv_wire_field *field,
		      const uint8_t *record)
{
	if (!field->width || field->at + field->width > section->stride)
		return true;
	return field->tag_name && hv_wire_get(record + field->tag_at, 8) != field->tag;
}

int hv_wire_walk(const struct hv_wire_layout *layout, const uint8_t *buf,
		 const struct hv_wire_visitor *visitor, void *arg)
{
	for (size_t s = 0; s < layout->n_sections; s++) {
		const struct hv_wire_section *section = &layout->sections[s];
		struct hv_wire_place place = { .section = section };
		unsigned int n = section->max;
		int rc = visitor->section(arg, section, &n);

		for (unsigned int i = 0; !rc && i < n; i++) {
			unsigned int at = section->at + i * section->stride;

			for (size_t f = 0; !rc && f < section->n_fields; f++) {
				place.field = &section->fields[f];
				place.index = i;
				place.at = at + place.field->at;
				place.absent = is_absent(section, place.field, buf + at);
				rc = visitor->field(arg, &place);
			}
		}
		if (rc)
			return rc;
	}
	return 0;
}

uint64_t hv_wire_get(const uint8_t *buf, unsigned int width)
{
	uint64_t value = 0;

	while (width--)
		value = value << 8 | buf[width];
	return value;
}

void hv_wire_put(uint8_t *buf, unsigned int width, uint64_t value)
{
	for (; width; width--, value >>= 8)
		*buf++ = (uint8_t)value;
}

const char *hv_wire_wrong(enum hv_wire_kind kind, uint64_t value)
{
	switch (kind) {
	case HV_WIRE_REGION_TYPE:
		return value > HV_REGION_VIRTIO ? "none of 0 (ram), 1 (io), 2 (virtio)" : NULL;
	case HV_WIRE_IRQ:
		return value >= HV_MAX_IRQ ? "interrupts end at 1023" : NULL;
	case HV_WIRE_BOOL:
		return value > 1 ? "neither 0 nor 1" : NULL;
	case HV_WIRE_GIC_TAG:
		return value > 1 ? "neither GICv2 nor GICv3" : NULL;
	case HV_WIRE_UEFI_TAG:
		return value > 1 ? "neither 0 (UEFI) nor 1 (none)" : NULL;
	case HV_WIRE_BDF:
		return value > UINT16_MAX ? "more than bus, device and function can be" : NULL;
	default:
		return NULL;
	}
}

bool hv_wire_is_zero(const uint8_t *buf, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (buf[i])
			return false;
	return true;
}

size_t hv_zone_config_size(enum hv_layout layout, enum hv_arch arch)
{
	struct hv_wire_layout wire;

	return hv_wire_layout(layout, arch, &wire) ? wire.size : 0;
}
