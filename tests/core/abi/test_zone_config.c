// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bytes hvisor gets. The expectation is built here from C structs with natural alignment, as
 * hvisor has them, and pinned by checksums besides, so that codec and test cannot drift together.
 */
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "abi/zone_config.h"

struct w_region {
	uint32_t type;
	uint64_t physical_start, virtual_start, size;
};
struct w_ivc {
	uint32_t ivc_id, peer_id;
	uint64_t control_table_ipa, shared_mem_ipa;
	uint32_t rw_sec_size, out_sec_size, interrupt_num, max_peers;
};
struct w_images {
	uint64_t entry_point, kernel_load_paddr, kernel_size, dtb_load_paddr, dtb_size;
	char name[32];
};
struct w_head_list {
	uint32_t zone_id;
	uint64_t cpus;
	uint32_t num_memory_regions;
	struct w_region memory_regions[64];
	uint32_t num_interrupts, interrupts[32];
	uint32_t num_ivc;
	struct w_ivc ivc[2];
	struct w_images images;
};
struct w_head_bitmap {
	uint32_t zone_id;
	uint64_t cpus;
	uint32_t num_memory_regions;
	struct w_region memory_regions[64];
	uint32_t interrupts[32];
	uint32_t num_ivc;
	struct w_ivc ivc[2];
	struct w_images images;
};
struct w_arm64_5 {
	uint8_t is_aarch32;
	uint64_t gic_tag;
	uint64_t gic[9];
};
struct w_arm64_6 {
	uint8_t is_aarch32;
	uint64_t gic_tag;
	uint64_t gic[9];
	uint64_t uefi_tag, memory_map_addr, memory_map_size, sys_map_addr;
};
struct w_riscv64 {
	uint64_t plic_base, plic_size, aplic_base, aplic_size;
};
struct w_loongarch64 {
	uint64_t unused;
};
struct w_x86_64_5 {
	uint64_t ioapic_base, ioapic_size, kernel_entry_gpa, cmdline_load_gpa, setup_load_gpa;
	uint64_t initrd_load_gpa, initrd_size, rsdp, acpi, uefi;
};
struct w_x86_64_6 {
	uint64_t ioapic_base, ioapic_size, kernel_entry_gpa, cmdline_load_gpa, setup_load_gpa;
	uint64_t initrd_load_gpa, initrd_size, rsdp, acpi, uefi, screen_base;
};
struct w_bus_88 {
	uint64_t ecam_base, ecam_size, io_base, io_size, pci_io_base;
	uint64_t mem32_base, mem32_size, pci_mem32_base, mem64_base, mem64_size, pci_mem64_base;
};
struct w_bus_104 {
	uint64_t ecam_base, ecam_size, io_base, io_size, pci_io_base;
	uint64_t mem32_base, mem32_size, pci_mem32_base, mem64_base, mem64_size, pci_mem64_base;
	uint32_t bus_range_begin, bus_range_end;
	uint8_t domain;
};
struct w_dev_12 {
	uint8_t domain, bus, device, function, v_bus, v_device, v_function;
	uint32_t dev_type;
};
struct w_pci_3 {
	struct w_bus_88 bus;
	uint64_t n_devs;
	uint64_t bdf[32];
};
struct w_pci_4a {
	uint64_t n_buses;
	struct w_bus_88 bus[4];
	uint64_t n_devs;
	struct {
		uint64_t bdf, vbdf;
	} devs[32];
};
struct w_pci_5a {
	uint64_t n_buses;
	struct w_bus_104 bus[4];
	uint64_t n_devs;
	struct {
		uint8_t domain, bus, device, function;
		uint32_t dev_type;
	} devs[32];
};
struct w_pci_6 {
	uint64_t n_buses;
	struct w_bus_104 bus[4];
	uint64_t n_devs;
	struct w_dev_12 devs[32];
};
static_assert(sizeof(struct w_bus_88) == 88 && sizeof(struct w_bus_104) == 104, "bus");
static_assert(sizeof(struct w_ivc) == 40 && sizeof(struct w_region) == 32, "region, ivc");
static_assert(offsetof(struct w_head_list, num_interrupts) == 2072, "interrupts");
static_assert(offsetof(struct w_head_list, num_ivc) == 2204, "num_ivc of 3, 4A");
static_assert(offsetof(struct w_head_bitmap, num_ivc) == 2200, "num_ivc of 4B and later");
static_assert(offsetof(struct w_head_list, ivc) == 2208, "ivc");
static_assert(offsetof(struct w_head_bitmap, images) == 2288, "entry_point");
static_assert(offsetof(struct w_head_bitmap, images.name) == 2328, "name");
static_assert(sizeof(struct w_head_list) == 2360, "arch part");

/* layout, arch, its struct and size, checksum of the sample's bytes */
#define PAIRS(X) \
	X(3, ARM64, list, arm64_5, pci_3, 2800, 0xf225b64b4e4838f8) \
	X(3, RISCV64, list, riscv64, pci_3, 2744, 0x42dff82ba116ea50) \
	X(3, LOONGARCH64, list, loongarch64, pci_3, 2720, 0xb841429815212dbf) \
	X(4A, ARM64, list, arm64_5, pci_4a, 3328, 0x831dbfee9da2bf2b) \
	X(4A, RISCV64, list, riscv64, pci_4a, 3272, 0xd79c9fb0f2f6cb64) \
	X(4A, LOONGARCH64, list, loongarch64, pci_4a, 3248, 0x4451bd1d35d0324b) \
	X(4B, ARM64, bitmap, arm64_5, pci_3, 2800, 0xfc06228d2a1b5e7a) \
	X(4B, RISCV64, bitmap, riscv64, pci_3, 2744, 0x4c08835991602d6e) \
	X(4B, LOONGARCH64, bitmap, loongarch64, pci_3, 2720, 0xc4e45bd5f80f413d) \
	X(5A, ARM64, bitmap, arm64_5, pci_5a, 3136, 0x004ecb002c0c6dae) \
	X(5A, RISCV64, bitmap, riscv64, pci_5a, 3080, 0xf9828b6b768b557a) \
	X(5A, LOONGARCH64, bitmap, loongarch64, pci_5a, 3056, 0xd2b5d78887cb6e09) \
	X(5A, X86_64, bitmap, x86_64_5, pci_5a, 3128, 0x1dc0ce3bf938e36d) \
	X(5B, ARM64, bitmap, arm64_5, pci_6, 3264, 0xf03a64c08916d429) \
	X(5B, RISCV64, bitmap, riscv64, pci_6, 3208, 0x2c8d6b4b5dbf5d9a) \
	X(5B, LOONGARCH64, bitmap, loongarch64, pci_6, 3184, 0x77c3235749e57149) \
	X(5B, X86_64, bitmap, x86_64_5, pci_6, 3256, 0x5a71623e2b9be4ad) \
	X(6, ARM64, bitmap, arm64_6, pci_6, 3296, 0xfbf26172ff3da7fe) \
	X(6, RISCV64, bitmap, riscv64, pci_6, 3208, 0x2c8d6b4b5dbf5d9a) \
	X(6, LOONGARCH64, bitmap, loongarch64, pci_6, 3184, 0x77c3235749e57149) \
	X(6, X86_64, bitmap, x86_64_6, pci_6, 3264, 0xab3da8dce2ee4cdd)

#define STRUCT(layout, arch, head_, arch_, pci_, size, sum)                             \
	struct cfg_##layout##_##arch {                                                  \
		struct w_head_##head_ head;                                             \
		struct w_##arch_ arch_part;                                             \
		struct w_##pci_ pci;                                                    \
	};                                                                              \
	static_assert(sizeof(struct cfg_##layout##_##arch) == (size), "size of a layout");
PAIRS(STRUCT)

static const struct pair {
	enum hv_layout layout;
	enum hv_arch arch;
	size_t size;
	size_t arch_at, pci_at;
	uint64_t sum;
} pairs[] = {
#define ROW(l, a, head_, arch_, pci_, size_, sum_)                                        \
	{ .layout = HV_LAYOUT_##l, .arch = HV_ARCH_##a, .size = (size_), .sum = (sum_),   \
	  .arch_at = offsetof(struct cfg_##l##_##a, arch_part),                           \
	  .pci_at = offsetof(struct cfg_##l##_##a, pci) },
	PAIRS(ROW)
};
#define N_PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static const uint32_t sample_irqs[] = { 33, 75, 76, 1023 };
#define N_IRQS 4

static bool has_list(enum hv_layout l)
{
	return l == HV_LAYOUT_3 || l == HV_LAYOUT_4A;
}

static bool has_one_bus(enum hv_layout l)
{
	return l == HV_LAYOUT_3 || l == HV_LAYOUT_4B;
}

/* 3, 4A and 4B: 88 bytes and no domain, no device type */
static bool has_short_bus(enum hv_layout l)
{
	return l < HV_LAYOUT_5A;
}

static bool can_move_devs(enum hv_layout l)
{
	return l == HV_LAYOUT_4A || l >= HV_LAYOUT_5B;
}

static unsigned int sample_gic(enum hv_layout l)
{
	return l == HV_LAYOUT_4A || l == HV_LAYOUT_5B ? 2 : 3;
}

/* A zone that uses every field the pair has. */
static void make_sample(enum hv_layout l, enum hv_arch arch, struct hv_abi_zone *z)
{
	memset(z, 0, sizeof(*z));
	z->id = 3;
	z->cpus = 0x800000000000000cULL;
	strcpy(z->name, "a zone name that has 31 bytes!!");
	z->n_regions = 64;
	for (uint32_t i = 0; i < 64; i++) {
		z->regions[i].type = (enum hv_region_type)(i % 3);
		z->regions[i].phys = 0x4050000000ULL + i * 0x1000;
		z->regions[i].ipa = 0x60000000 + i * 0x1000;
		z->regions[i].size = 0x1000 + i;
	}
	z->n_irqs = N_IRQS;
	memcpy(z->irqs, sample_irqs, sizeof(sample_irqs));
	z->n_ivc = 2;
	z->ivc[0] = (struct hv_abi_ivc){ 1, 2, 0x80000000, 0x80001000, 0x2000, 0x3000, 77, 4 };
	z->ivc[1] = (struct hv_abi_ivc){ 5, 6, 0x90000000, 0x90001000, 0x4000, 0x5000, 78, 7 };
	z->entry = 0x60400000;
	z->kernel_phys = 0x4050400000ULL;
	z->kernel_size = 0x24f0123;
	z->dtb_phys = 0x4050000000ULL;
	z->dtb_size = 0x1a2b;
	z->n_pci_buses = has_one_bus(l) ? 1 : 4;
	for (uint32_t i = 0; i < z->n_pci_buses; i++) {
		struct hv_abi_pci_bus *b = &z->pci_buses[i];
		uint64_t *words = &b->ecam_base;

		for (uint64_t w = 0; w < 11; w++)
			words[w] = 0x1000000000ULL * (i + 1) + 0x11 * (w + 1);
		if (!has_short_bus(l)) {
			b->bus_begin = 0x10 * i;
			b->bus_end = 0x10 * i + 15;
			b->domain = (uint8_t)(i + 200);
		}
	}
	z->n_pci_devs = 32;
	for (uint32_t i = 0; i < 32; i++) {
		struct hv_abi_pci_dev *d = &z->pci_devs[i];

		d->bus = d->v_bus = (uint8_t)(255 - i);
		d->device = d->v_device = (uint8_t)(31 - i);
		d->function = d->v_function = i % 8;
		if (!has_short_bus(l)) {
			d->domain = (uint8_t)i;
			d->dev_type = 0x80000000 + i;
		}
		if (can_move_devs(l)) {
			d->v_bus = (uint8_t)i;
			d->v_device = (uint8_t)(i ^ 5);
			d->v_function = 7 - i % 8;
		}
	}
	if (arch == HV_ARCH_ARM64) {
		z->arm64.aarch32 = true;
		z->arm64.gic_version = sample_gic(l);
		z->arm64.gicd_base = 0xa1;
		z->arm64.gicd_size = 0xa2;
		if (sample_gic(l) == 2) {
			z->arm64.gicc_base = 0xa3;
			z->arm64.gicc_size = 0xa4;
			z->arm64.gicc_offset = 0xa5;
			z->arm64.gich_base = 0xa6;
			z->arm64.gich_size = 0xa7;
			z->arm64.gicv_base = 0xa8;
			z->arm64.gicv_size = 0xa9;
		} else {
			z->arm64.gicr_base = 0xa3;
			z->arm64.gicr_size = 0xa4;
			z->arm64.gits_base = 0xa5;
			z->arm64.gits_size = 0xa6;
		}
		if (l == HV_LAYOUT_6) {
			z->arm64.has_uefi = true;
			z->arm64.memory_map_addr = 0xb1;
			z->arm64.memory_map_size = 0xb2;
			z->arm64.sys_map_addr = 0xb3;
		}
	} else if (arch == HV_ARCH_RISCV64) {
		z->riscv64 = (struct hv_abi_riscv64){ 0xc000000, 0x4000000, 0xd000000, 0x8000 };
	} else if (arch == HV_ARCH_X86_64) {
		z->x86_64 = (struct hv_abi_x86_64){ 0xfec00000, 0x1000, 0x100000, 0xc000, 0xd000,
						    0x15000000, 0xabcdef, 1, 3, 4, 0 };
		if (l == HV_LAYOUT_6)
			z->x86_64.screen_base = 0x70000000;
	}
}

static void fill_bus_88(struct w_bus_88 *w, uint64_t i)
{
	uint64_t *words = &w->ecam_base;

	for (uint64_t n = 0; n < 11; n++)
		words[n] = 0x1000000000ULL * (i + 1) + 0x11 * (n + 1);
}

/* Fields the two heads have alike. */
#define FILL_HEAD(h)                                                                          \
	do {                                                                                  \
		(h)->zone_id = 3;                                                             \
		(h)->cpus = 0x800000000000000cULL;                                            \
		(h)->num_memory_regions = 64;                                                 \
		for (uint32_t i = 0; i < 64; i++) {                                           \
			(h)->memory_regions[i].type = i % 3;                                  \
			(h)->memory_regions[i].physical_start = 0x4050000000ULL + i * 0x1000; \
			(h)->memory_regions[i].virtual_start = 0x60000000 + i * 0x1000;       \
			(h)->memory_regions[i].size = 0x1000 + i;                             \
		}                                                                             \
		(h)->num_ivc = 2;                                                             \
		(h)->ivc[0] = (struct w_ivc){ 1, 2, 0x80000000, 0x80001000, 0x2000, 0x3000,   \
					      77, 4 };                                        \
		(h)->ivc[1] = (struct w_ivc){ 5, 6, 0x90000000, 0x90001000, 0x4000, 0x5000,   \
					      78, 7 };                                        \
		(h)->images = (struct w_images){ 0x60400000, 0x4050400000ULL, 0x24f0123,      \
						 0x4050000000ULL, 0x1a2b,                     \
						 "a zone name that has 31 bytes!!" };         \
	} while (0)

/* Fields the two long PCI parts have alike. */
#define FILL_BUSES_104(p)                                                       \
	do {                                                                    \
		(p)->n_buses = 4;                                               \
		(p)->n_devs = 32;                                               \
		for (uint32_t i = 0; i < 4; i++) {                              \
			fill_bus_88((struct w_bus_88 *)&(p)->bus[i], i);        \
			(p)->bus[i].bus_range_begin = 0x10 * i;                 \
			(p)->bus[i].bus_range_end = 0x10 * i + 15;              \
			(p)->bus[i].domain = (uint8_t)(i + 200);                \
		}                                                               \
		for (uint32_t i = 0; i < 32; i++) {                             \
			(p)->devs[i].domain = (uint8_t)i;                       \
			(p)->devs[i].bus = (uint8_t)(255 - i);                  \
			(p)->devs[i].device = (uint8_t)(31 - i);                \
			(p)->devs[i].function = i % 8;                          \
			(p)->devs[i].dev_type = 0x80000000 + i;                 \
		}                                                               \
	} while (0)

static uint64_t bdf(uint64_t bus, uint64_t device, uint64_t function)
{
	return bus << 8 | device << 3 | function;
}

static void expect_head(enum hv_layout l, uint8_t *buf)
{
	if (has_list(l)) {
		struct w_head_list *h = (void *)buf;

		FILL_HEAD(h);
		h->num_interrupts = N_IRQS;
		memcpy(h->interrupts, sample_irqs, sizeof(sample_irqs));
	} else {
		struct w_head_bitmap *h = (void *)buf;

		FILL_HEAD(h);
		h->interrupts[1] = 1u << 1;
		h->interrupts[2] = 1u << 11 | 1u << 12;
		h->interrupts[31] = 1u << 31;
	}
}

static void expect_arch(const struct pair *p, uint8_t *buf)
{
	if (p->arch == HV_ARCH_ARM64) {
		struct w_arm64_6 *a = (void *)buf;
		unsigned int n_gic = sample_gic(p->layout) == 2 ? 9 : 6;

		a->is_aarch32 = 1;
		a->gic_tag = sample_gic(p->layout) - 2;
		for (unsigned int i = 0; i < n_gic; i++)
			a->gic[i] = 0xa1 + i;
		if (p->layout == HV_LAYOUT_6) {
			a->memory_map_addr = 0xb1;
			a->memory_map_size = 0xb2;
			a->sys_map_addr = 0xb3;
		}
	} else if (p->arch == HV_ARCH_RISCV64) {
		*(struct w_riscv64 *)(void *)buf =
			(struct w_riscv64){ 0xc000000, 0x4000000, 0xd000000, 0x8000 };
	} else if (p->arch == HV_ARCH_X86_64) {
		*(struct w_x86_64_5 *)(void *)buf =
			(struct w_x86_64_5){ 0xfec00000, 0x1000, 0x100000, 0xc000, 0xd000,
					     0x15000000, 0xabcdef, 1, 3, 4 };
		if (p->layout == HV_LAYOUT_6)
			((struct w_x86_64_6 *)(void *)buf)->screen_base = 0x70000000;
	}
}

static void expect_pci(enum hv_layout l, uint8_t *buf)
{
	struct w_pci_3 *p3 = (void *)buf;
	struct w_pci_4a *p4a = (void *)buf;
	struct w_pci_5a *p5a = (void *)buf;
	struct w_pci_6 *p6 = (void *)buf;

	switch (l) {
	case HV_LAYOUT_3:
	case HV_LAYOUT_4B:
		fill_bus_88(&p3->bus, 0);
		p3->n_devs = 32;
		for (uint64_t i = 0; i < 32; i++)
			p3->bdf[i] = bdf(255 - i, 31 - i, i % 8);
		break;
	case HV_LAYOUT_4A:
		p4a->n_buses = 4;
		for (uint64_t i = 0; i < 4; i++)
			fill_bus_88(&p4a->bus[i], i);
		p4a->n_devs = 32;
		for (uint64_t i = 0; i < 32; i++) {
			p4a->devs[i].bdf = bdf(255 - i, 31 - i, i % 8);
			p4a->devs[i].vbdf = bdf(i, i ^ 5, 7 - i % 8);
		}
		break;
	case HV_LAYOUT_5A:
		FILL_BUSES_104(p5a);
		break;
	default:
		FILL_BUSES_104(p6);
		for (uint32_t i = 0; i < 32; i++) {
			p6->devs[i].v_bus = (uint8_t)i;
			p6->devs[i].v_device = (uint8_t)(i ^ 5);
			p6->devs[i].v_function = (uint8_t)(7 - i % 8);
		}
		break;
	}
}

/* FNV-1a */
static uint64_t checksum(const uint8_t *buf, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ buf[i]) * 0x100000001b3ULL;
	return sum;
}

static struct hv_abi_zone zone, again;
static uint8_t got[HV_ZONE_CONFIG_MAX];
static uint64_t want_words[HV_ZONE_CONFIG_MAX / 8]; /* structs are laid over it: aligned */

static void golden_bytes(void **state)
{
	uint8_t *want = (uint8_t *)want_words;

	(void)state;
	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];
		struct hv_err err = { 0 };
		int size;

		memset(want_words, 0, sizeof(want_words));
		expect_head(p->layout, want);
		expect_arch(p, want + p->arch_at);
		expect_pci(p->layout, want + p->pci_at);

		make_sample(p->layout, p->arch, &zone);
		memset(got, 0xee, sizeof(got));
		size = hv_zone_config_encode(p->layout, p->arch, &zone, got, sizeof(got), &err);
		if (size < 0)
			fail_msg("%s %s: %s", hv_layout_name(p->layout), hv_arch_name(p->arch),
				 err.msg);
		assert_int_equal(size, p->size);
		for (size_t at = 0; at < p->size; at++)
			if (got[at] != want[at])
				fail_msg("%s %s: byte %zu is %#x, expected %#x",
					 hv_layout_name(p->layout), hv_arch_name(p->arch), at,
					 got[at], want[at]);
		assert_int_equal(got[p->size], 0xee);
		if (checksum(got, p->size) != p->sum)
			fail_msg("%s %s: checksum 0x%016llx", hv_layout_name(p->layout),
				 hv_arch_name(p->arch),
				 (unsigned long long)checksum(got, p->size));

		assert_int_equal(hv_zone_config_decode(p->layout, p->arch, got, p->size, &again,
						       &err), 0);
		assert_memory_equal(&zone, &again, sizeof(zone));
	}
}

static void sizes(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < N_PAIRS; i++)
		assert_int_equal(hv_zone_config_size(pairs[i].layout, pairs[i].arch), pairs[i].size);
	for (unsigned int l = 0; l < HV_LAYOUT_COUNT; l++)
		for (unsigned int a = 0; a < HV_ARCH_COUNT; a++)
			n += hv_zone_config_size((enum hv_layout)l, (enum hv_arch)a) != 0;
	assert_int_equal(n, N_PAIRS);
	assert_int_equal(hv_zone_config_size(HV_LAYOUT_4B, HV_ARCH_X86_64), 0);
	assert_int_equal(hv_zone_config_size((enum hv_layout)17, HV_ARCH_ARM64), 0);
}

static void nothing_is_written_past_a_short_buffer(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	make_sample(HV_LAYOUT_6, HV_ARCH_ARM64, &zone);
	memset(got, 0xee, sizeof(got));
	assert_int_equal(hv_zone_config_encode(HV_LAYOUT_6, HV_ARCH_ARM64, &zone, got, 3295, &err),
			 -ENOSPC);
	assert_int_equal(got[0], 0xee);
	assert_string_equal(err.msg, "layout 6 for arm64 is 3296 bytes, the buffer has 3295");
	assert_int_equal(hv_zone_config_encode(HV_LAYOUT_6, HV_ARCH_ARM64, &zone, got, 3296, NULL),
			 3296);
}

static void padding_is_ignored(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	make_sample(HV_LAYOUT_5A, HV_ARCH_ARM64, &zone);
	zone.n_regions = 1;
	memset(&zone.regions[1], 0, sizeof(zone.regions) - sizeof(zone.regions[0]));
	hv_zone_config_encode(HV_LAYOUT_5A, HV_ARCH_ARM64, &zone, got, sizeof(got), &err);
	got[4] = got[20] = got[28] = got[2361] = 0xff; /* between fields */
	got[24 + 32] = 0xff; /* a region beyond the count */
	assert_int_equal(hv_zone_config_decode(HV_LAYOUT_5A, HV_ARCH_ARM64, got, 3136, &again, &err),
			 0);
	assert_memory_equal(&zone, &again, sizeof(zone));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_bytes),
		cmocka_unit_test(sizes),
		cmocka_unit_test(nothing_is_written_past_a_short_buffer),
		cmocka_unit_test(padding_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
