// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "abi/zone_config.h"

static struct hv_abi_zone zone;
static uint8_t bytes[HV_ZONE_CONFIG_MAX];

static void make_zone(enum hv_arch arch)
{
	memset(&zone, 0, sizeof(zone));
	zone.id = 1;
	zone.cpus = 0x2c;
	strcpy(zone.name, "linux1");
	zone.n_regions = 2;
	zone.regions[0] = (struct hv_abi_region){ HV_REGION_RAM, 0x4050000000, 0x50000000, 768 << 20 };
	zone.regions[1] = (struct hv_abi_region){ HV_REGION_VIRTIO, 0xa003000, 0xa003000, 0x1000 };
	zone.n_irqs = 3;
	zone.irqs[0] = 76;
	zone.irqs[1] = 78;
	zone.irqs[2] = 75;
	zone.entry = zone.kernel_phys = 0x4050400000;
	zone.kernel_size = 37700001;
	zone.n_pci_devs = 1;
	zone.pci_devs[0].bus = zone.pci_devs[0].v_bus = 6;
	zone.pci_devs[0].function = zone.pci_devs[0].v_function = 1;
	if (arch == HV_ARCH_ARM64) {
		zone.arm64.gic_version = 3;
		zone.arm64.gicd_base = 0x8000000;
		zone.arm64.gicd_size = 0x10000;
		zone.arm64.gicr_base = 0x80a0000;
		zone.arm64.gicr_size = 0xf60000;
		zone.arm64.gits_base = 0x8080000;
		zone.arm64.gits_size = 0x20000;
	} else if (arch == HV_ARCH_X86_64) {
		zone.x86_64.ioapic_base = 0xfec00000;
		zone.x86_64.ioapic_size = 0x1000;
		zone.x86_64.rsdp_region = 1;
	}
}

static size_t encode(enum hv_layout l, enum hv_arch a)
{
	struct hv_err err = { 0 };
	int size = hv_zone_config_encode(l, a, &zone, bytes, sizeof(bytes), &err);

	if (size < 0)
		fail_msg("%s", err.msg);
	return (size_t)size;
}

static struct hv_buf explain(int layout, int arch, size_t size)
{
	struct hv_buf out = { 0 };
	struct hv_err err = { 0 };

	if (hv_zone_config_explain(layout, arch, bytes, size, &out, &err))
		fail_msg("%s", err.msg);
	return out;
}

/* Each text is a whole line, or its beginning. */
static void assert_says(const struct hv_buf *out, const char *line)
{
	char with_newline[256];

	snprintf(with_newline, sizeof(with_newline), "\n%s", line);
	if (strncmp(out->data, line, strlen(line)) && !strstr(out->data, with_newline))
		fail_msg("no line '%s' in:\n%s", line, out->data);
}

static void every_field(void **state)
{
	static const char *const lines[] = {
		"zone config of 2800 bytes, read as layout 4B (version 4) for arm64\n",
		"   0  zone_id                               0x1\n",
		"   8  cpus                                  0x2c                CPU 2-3, 5\n",
		"  16  num_memory_regions                    0x2                 2 of at most 64\n",
		"  24  memory_regions[0].type                0x0                 ram\n",
		"  32  memory_regions[0].physical_start      0x4050000000\n",
		"  40  memory_regions[0].virtual_start       0x50000000\n",
		"  48  memory_regions[0].size                0x30000000          768M\n",
		"  56  memory_regions[1].type                0x2                 virtio\n",
		"  88  memory_regions[2..63]                 unused, all zero\n",
		"2072  interrupts                            bitmap              INTID 75-76, 78\n",
		"2208  ivc_configs[0..1]                     unused, all zero\n",
		"2304  kernel_size                           0x23f41a1           37700001 bytes\n",
		"2328  name                                  \"linux1\"\n",
		"2360  arch_config.is_aarch32                0x0                 no\n",
		"2368  arch_config.gic_version               0x1                 GICv3\n",
		"2392  arch_config.gicr_base                 0x80a0000\n",
		"2448  pci_config                            unused, all zero\n",
		"2536  num_pci_devs                          0x1                 1 of at most 32\n",
		"2544  alloc_pci_devs[0].bdf                 0x601               06:00.1\n",
		"2552  alloc_pci_devs[1..31]                 unused, all zero\n",
	};
	struct hv_buf out;

	(void)state;
	make_zone(HV_ARCH_ARM64);
	out = explain(HV_LAYOUT_4B, HV_ARCH_ARM64, encode(HV_LAYOUT_4B, HV_ARCH_ARM64));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_says(&out, lines[i]);
	assert_null(strstr(out.data, "WRONG"));
	assert_null(strstr(out.data, "padding"));
	assert_null(strstr(out.data, "gicc"));
	assert_null(strstr(out.data, "uefi"));
	hv_buf_free(&out);
}

static void the_likelier_pair_is_chosen(void **state)
{
	static const struct {
		enum hv_layout layout;
		enum hv_arch arch;
		const char *others; /* NULL = none has this size */
	} cases[] = {
		{ HV_LAYOUT_3, HV_ARCH_ARM64, "layout 4B for arm64 has this size, but is less likely\n" },
		{ HV_LAYOUT_3, HV_ARCH_RISCV64,
		  "layout 4B for riscv64 has this size, but is less likely\n" },
		{ HV_LAYOUT_4A, HV_ARCH_ARM64, NULL },
		{ HV_LAYOUT_4B, HV_ARCH_ARM64, "layout 3 for arm64 has this size, but is less likely\n" },
		{ HV_LAYOUT_4B, HV_ARCH_LOONGARCH64,
		  "layout 3 for loongarch64 has this size, but is less likely\n" },
		{ HV_LAYOUT_5A, HV_ARCH_X86_64, NULL },
		{ HV_LAYOUT_5B, HV_ARCH_ARM64,
		  "layout 6 for x86_64 has this size, but is less likely\n" },
		{ HV_LAYOUT_6, HV_ARCH_X86_64,
		  "layout 5B for arm64 has this size, but does not fit: "
		  "arch_config.gic_version is 0x1000, neither GICv2 nor GICv3\n" },
		{ HV_LAYOUT_6, HV_ARCH_RISCV64,
		  "layout 5B for riscv64 has this size and fits as well\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char first[128];
		struct hv_buf out;
		size_t size;

		make_zone(cases[i].arch);
		size = encode(cases[i].layout, cases[i].arch);
		out = explain(-1, -1, size);
		snprintf(first, sizeof(first),
			 "zone config of %zu bytes, read as layout %s (version %u) for %s\n", size,
			 hv_layout_name(cases[i].layout), hv_layout_version(cases[i].layout),
			 hv_arch_name(cases[i].arch));
		assert_says(&out, first);
		if (cases[i].others)
			assert_says(&out, cases[i].others);
		else
			assert_null(strstr(out.data, "has this size"));
		hv_buf_free(&out);

		/* What is given is not guessed. */
		out = explain((int)cases[i].layout, (int)cases[i].arch, size);
		assert_says(&out, first);
		assert_null(strstr(out.data, "has this size"));
		hv_buf_free(&out);
	}
}

/* The layout given wins over the likelier one. */
static void a_given_layout_is_obeyed(void **state)
{
	struct hv_buf out;
	size_t size;

	(void)state;
	make_zone(HV_ARCH_ARM64);
	size = encode(HV_LAYOUT_4B, HV_ARCH_ARM64);
	out = explain(HV_LAYOUT_3, -1, size);
	assert_says(&out, "zone config of 2800 bytes, read as layout 3 (version 3) for arm64\n");
	assert_says(&out,
			"2076  interrupts[0..31]                     beyond the count, 1 byte is not zero\n");
	hv_buf_free(&out);
}

static void broken_configs_are_explained(void **state)
{
	struct hv_buf out;
	size_t size;

	(void)state;
	make_zone(HV_ARCH_ARM64);
	size = encode(HV_LAYOUT_6, HV_ARCH_ARM64);
	bytes[4] = bytes[5] = 1;      /* padding */
	bytes[18] = 1;                /* 65538 regions */
	bytes[24] = 9;                /* type */
	memcpy(bytes + 2328, "tab\t\"\x9b[0m", 9);
	bytes[2340] = 'x';            /* behind the name's end */
	bytes[2368] = 2;              /* GIC */
	bytes[2448] = 4;              /* UEFI */
	bytes[2912 + 31 * 12] = 1;    /* a device beyond the count */
	out = explain(-1, -1, size);
	assert_says(&out, "   4  (padding)                             2 bytes are not zero\n");
	assert_says(&out,
			"  16  num_memory_regions                    0x10002             WRONG: there is room for 64\n");
	assert_says(&out,
			"  24  memory_regions[0].type                0x9                 WRONG: none of 0 (ram), 1 (io), 2 (virtio)\n");
	assert_says(&out, "  80  memory_regions[1].size                0x1000              4K\n");
	assert_says(&out, "  88  memory_regions[2..63]                 unused, all zero\n");
	assert_says(&out,
			"2328  name                                  \"tab\\x09\\x22\\x9b[0m\"  after its end 1 byte is not zero\n");
	assert_says(&out,
			"2368  arch_config.gic_version               0x2                 WRONG: neither GICv2 nor GICv3\n");
	assert_says(&out,
			"2448  arch_config.uefi                      0x4                 WRONG: neither 0 (UEFI) nor 1 (none)\n");
	assert_says(&out,
			"2924  alloc_pci_devs[1..31]                 beyond the count, 1 byte is not zero\n");
	assert_says(&out, "4 values cannot be meant; hvisor would misread this config\n");
	hv_buf_free(&out);

	memset(bytes, 0xff, sizeof(bytes));
	out = explain(HV_LAYOUT_3, HV_ARCH_ARM64, 2800);
	assert_says(&out, "2328  name                                  \"\\xff\\xff");
	assert_says(&out,
			"2720  alloc_pci_devs[22].bdf                0xffffffffffffffff  WRONG: more than bus, device and function can be\n");
	hv_buf_free(&out);
}

static void sizes_that_are_no_config(void **state)
{
	struct hv_buf out = { 0 };
	struct hv_err err = { 0 };

	(void)state;
	assert_int_equal(hv_zone_config_explain(-1, -1, bytes, 3000, &out, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "3000 bytes are no zone config: right would be 2800 (3 arm64), "));
	assert_non_null(strstr(err.msg, "3264 (6 x86_64)"));
	assert_int_equal(hv_zone_config_explain(HV_LAYOUT_5A, HV_ARCH_ARM64, bytes, 0, &out, &err),
			 -EINVAL);
	assert_string_equal(err.msg, "0 bytes are no zone config: right would be 3136 (5A arm64)");
	assert_int_equal(hv_zone_config_explain(HV_LAYOUT_3, HV_ARCH_X86_64, bytes, 2800, &out, &err),
			 -EINVAL);
	assert_string_equal(err.msg, "layout 3 does not exist for x86_64");
	assert_int_equal(hv_zone_config_explain(6, 0, bytes, 2800, &out, &err), -EINVAL);
	assert_int_equal(out.len, 0);
	hv_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field),
		cmocka_unit_test(the_likelier_pair_is_chosen),
		cmocka_unit_test(a_given_layout_is_obeyed),
		cmocka_unit_test(broken_configs_are_explained),
		cmocka_unit_test(sizes_that_are_no_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
