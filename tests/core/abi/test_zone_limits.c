// SPDX-License-Identifier: GPL-2.0-or-later
/* What a layout cannot express, what no zone config may say, and which layouts a version means. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "abi/zone_config.h"

static struct hv_abi_zone zone;
static uint8_t bytes[HV_ZONE_CONFIG_MAX];

/* The least that every pair can express. */
static void make_zone(enum hv_arch arch)
{
	memset(&zone, 0, sizeof(zone));
	zone.id = 1;
	zone.cpus = 0xc;
	strcpy(zone.name, "linux1");
	if (arch == HV_ARCH_ARM64)
		zone.arm64.gic_version = 3;
}

static void irq_1024(void)
{
	zone.n_irqs = 2;
	zone.irqs[1] = 1024;
}
static void irqs_33(void)
{
	for (zone.n_irqs = 0; zone.n_irqs < 33; zone.n_irqs++)
		zone.irqs[zone.n_irqs] = zone.n_irqs;
}
static void irqs_1025(void)
{
	zone.n_irqs = 1025;
}
static void irq_twice(void)
{
	zone.n_irqs = 3;
	zone.irqs[0] = zone.irqs[2] = 77;
}
static void regions_65(void)
{
	zone.n_regions = 65;
}
static void region_type(void)
{
	zone.n_regions = 2;
	zone.regions[1].type = (enum hv_region_type)3;
}
static void ivcs_3(void)
{
	zone.n_ivc = 3;
}
static void buses_2(void)
{
	zone.n_pci_buses = 2;
}
static void buses_5(void)
{
	zone.n_pci_buses = 5;
}
static void bus_domain(void)
{
	zone.n_pci_buses = 1;
	zone.pci_buses[0].domain = 2;
}
static void bus_begin(void)
{
	zone.n_pci_buses = 1;
	zone.pci_buses[0].bus_begin = 16;
}
static void devs_33(void)
{
	zone.n_pci_devs = 33;
}
static void dev_domain(void)
{
	zone.n_pci_devs = 1;
	zone.pci_devs[0].domain = 1;
}
static void dev_moved(void)
{
	zone.n_pci_devs = 2;
	zone.pci_devs[1].bus = 6;
	zone.pci_devs[1].v_bus = 1;
}
static void dev_type(void)
{
	zone.n_pci_devs = 1;
	zone.pci_devs[0].dev_type = 2;
}
static void dev_32(void)
{
	zone.n_pci_devs = 1;
	zone.pci_devs[0].bus = zone.pci_devs[0].v_bus = 6;
	zone.pci_devs[0].device = zone.pci_devs[0].v_device = 32;
}
static void long_name(void)
{
	memset(zone.name, 'x', sizeof(zone.name));
}
static void uefi(void)
{
	zone.arm64.has_uefi = true;
	zone.arm64.memory_map_addr = 0x1000;
}
static void uefi_fields_alone(void)
{
	zone.arm64.sys_map_addr = 0x1000;
}
static void gic_4(void)
{
	zone.arm64.gic_version = 4;
}
static void gic_none(void)
{
	zone.arm64.gic_version = 0;
}
static void gicc_of_v3(void)
{
	zone.arm64.gicc_base = 0x8010000;
}
static void gicr_of_v2(void)
{
	zone.arm64.gic_version = 2;
	zone.arm64.gicr_base = 0x80a0000;
}
static void screen(void)
{
	zone.x86_64.screen_base = 0x70000000;
}

#define L(l) HV_LAYOUT_##l
#define A(a) HV_ARCH_##a
static const struct {
	void (*make)(void);
	enum hv_layout layout;
	enum hv_arch arch;
	const char *msg;
} refused[] = {
	{ irq_1024, L(3), A(ARM64), "layout 3 cannot express interrupt 1024: interrupts end at 1023" },
	{ irq_1024, L(6), A(ARM64), "layout 6 cannot express interrupt 1024: interrupts end at 1023" },
	{ irqs_33, L(4A), A(ARM64),
	  "layout 4A cannot express num_interrupts = 33: it has room for 32" },
	{ irqs_1025, L(5B), A(ARM64),
	  "layout 5B cannot express 1025 interrupts: it has room for 1024" },
	{ irq_twice, L(3), A(ARM64), "layout 3 cannot express interrupt 77 twice" },
	{ irq_twice, L(4B), A(ARM64), "layout 4B cannot express interrupt 77 twice" },
	{ regions_65, L(6), A(RISCV64),
	  "layout 6 cannot express num_memory_regions = 65: it has room for 64" },
	{ region_type, L(5A), A(RISCV64),
	  "layout 5A cannot express memory_regions[1].type = 3: none of 0 (ram), 1 (io), 2 (virtio)" },
	{ ivcs_3, L(5A), A(X86_64),
	  "layout 5A cannot express num_ivc_configs = 3: it has room for 2" },
	{ buses_2, L(3), A(ARM64), "layout 3 cannot express num_pci_bus = 2: it has room for 1" },
	{ buses_2, L(4B), A(ARM64), "layout 4B cannot express num_pci_bus = 2: it has room for 1" },
	{ buses_5, L(6), A(ARM64), "layout 6 cannot express num_pci_bus = 5: it has room for 4" },
	{ bus_domain, L(4A), A(RISCV64),
	  "layout 4A cannot express pci_config[0].domain = 2: it has no such field, so this must be 0" },
	{ bus_begin, L(4B), A(ARM64),
	  "layout 4B cannot express pci_config.bus_range_begin = 16: it has no such field, so this must be 0" },
	{ devs_33, L(3), A(LOONGARCH64),
	  "layout 3 cannot express num_pci_devs = 33: it has room for 32" },
	{ dev_domain, L(4A), A(ARM64),
	  "layout 4A cannot express alloc_pci_devs[0].domain = 1: it has no such field, so this must be 0" },
	{ dev_moved, L(3), A(ARM64),
	  "layout 3 cannot express alloc_pci_devs[1].v_bus = 1: it cannot move a PCI device, so this must be its bus, 6" },
	{ dev_moved, L(5A), A(X86_64),
	  "layout 5A cannot express alloc_pci_devs[1].v_bus = 1: it cannot move a PCI device, so this must be its bus, 6" },
	{ dev_type, L(4B), A(ARM64),
	  "layout 4B cannot express alloc_pci_devs[0].dev_type = 2: it has no such field, so this must be 0" },
	{ dev_32, L(4B), A(ARM64),
	  "layout 4B cannot express alloc_pci_devs[0].bdf = 06:20.0: a device is at most 1f, a function at most 7" },
	{ long_name, L(6), A(ARM64),
	  "layout 6 cannot express a name of more than 31 bytes: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'" },
	{ uefi, L(5B), A(ARM64),
	  "layout 5B cannot express arch_config.uefi = 1: it has no such field, so this must be 0" },
	{ uefi_fields_alone, L(6), A(ARM64),
	  "layout 6 cannot express arch_config.sys_map_addr = 0x1000: it has this field only with UEFI" },
	{ gic_4, L(5A), A(ARM64),
	  "layout 5A cannot express arch_config.gic_version = 4: neither GICv2 nor GICv3" },
	{ gic_none, L(5A), A(ARM64),
	  "layout 5A cannot express arch_config.gic_version = 0: neither GICv2 nor GICv3" },
	{ gicc_of_v3, L(5A), A(ARM64),
	  "layout 5A cannot express arch_config.gicc_base = 0x8010000: it has this field only with GICv2" },
	{ gicr_of_v2, L(6), A(ARM64),
	  "layout 6 cannot express arch_config.gicr_base = 0x80a0000: it has this field only with GICv3" },
	{ screen, L(5A), A(X86_64),
	  "layout 5A cannot express arch_config.screen_base = 0x70000000: it has no such field, so this must be 0" },
	{ screen, L(5B), A(X86_64),
	  "layout 5B cannot express arch_config.screen_base = 0x70000000: it has no such field, so this must be 0" },
};

static void inexpressible(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct hv_err err = { 0 };

		make_zone(refused[i].arch);
		assert_true(hv_zone_config_encode(refused[i].layout, refused[i].arch, &zone, bytes,
						  sizeof(bytes), &err) > 0);
		refused[i].make();
		assert_int_equal(hv_zone_config_encode(refused[i].layout, refused[i].arch, &zone,
						       bytes, sizeof(bytes), &err), -ERANGE);
		assert_int_equal(err.code, ERANGE);
		assert_string_equal(err.msg, refused[i].msg);
	}
}

/* The same zones, where a layout has what they need. */
static void expressible(void **state)
{
	static const struct {
		void (*make)(void);
		enum hv_layout layout;
		enum hv_arch arch;
	} taken[] = {
		{ irqs_33, L(4B), A(ARM64) },	{ buses_2, L(4A), A(ARM64) },
		{ bus_domain, L(5A), A(ARM64) }, { bus_begin, L(5A), A(ARM64) },
		{ dev_domain, L(5A), A(ARM64) }, { dev_moved, L(4A), A(ARM64) },
		{ dev_moved, L(5B), A(ARM64) },	{ dev_type, L(5A), A(ARM64) },
		{ uefi, L(6), A(ARM64) },	{ screen, L(6), A(X86_64) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct hv_err err = { 0 };

		make_zone(taken[i].arch);
		taken[i].make();
		if (hv_zone_config_encode(taken[i].layout, taken[i].arch, &zone, bytes,
					  sizeof(bytes), &err) < 0)
			fail_msg("%s", err.msg);
	}
}

/* The documented exception: a bus range that starts at 0 says nothing to a layout without one. */
static void a_bus_range_from_0_may_be_dropped(void **state)
{
	static struct hv_abi_zone back;
	struct hv_err err = { 0 };
	int size;

	(void)state;
	make_zone(HV_ARCH_ARM64);
	zone.n_pci_buses = 1;
	zone.pci_buses[0].ecam_base = 0x4010000000;
	zone.pci_buses[0].bus_end = 0x1f;
	size = hv_zone_config_encode(HV_LAYOUT_4B, HV_ARCH_ARM64, &zone, bytes, sizeof(bytes), &err);
	assert_int_equal(size, 2800);
	assert_int_equal(hv_zone_config_decode(HV_LAYOUT_4B, HV_ARCH_ARM64, bytes, 2800, &back, &err),
			 0);
	assert_int_equal(back.pci_buses[0].ecam_base, 0x4010000000);
	assert_int_equal(back.pci_buses[0].bus_end, 0);
}

static void no_such_pair(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	make_zone(HV_ARCH_X86_64);
	assert_int_equal(hv_zone_config_encode(HV_LAYOUT_4B, HV_ARCH_X86_64, &zone, bytes,
					       sizeof(bytes), &err), -ERANGE);
	assert_string_equal(err.msg, "layout 4B does not exist for x86_64: the first is 5A");
	assert_int_equal(hv_zone_config_decode(HV_LAYOUT_3, HV_ARCH_X86_64, bytes, 2800, &zone, &err),
			 -EINVAL);
}

/* Each value stands where a field is, in an otherwise good config for arm64. */
static void damaged_configs(void **state)
{
	static const struct {
		enum hv_layout layout;
		unsigned int at;
		uint8_t value;
		const char *msg; /* what follows "zone config of layout L for arm64: " */
	} damage[] = {
		{ L(6), 16, 65, "num_memory_regions is 65, there is room for 64" },
		{ L(6), 19, 0x80, "num_memory_regions is 2147483649, there is room for 64" },
		{ L(6), 24, 3, "memory_regions[0].type is 3, none of 0 (ram), 1 (io), 2 (virtio)" },
		{ L(3), 2072, 33, "num_interrupts is 33, there is room for 32" },
		{ L(3), 2076, 34, "interrupts[1] is 34, which is there twice" },
		{ L(3), 2077, 4, "interrupts[0] is 1057, interrupts end at 1023" },
		{ L(3), 2204, 3, "num_ivc_configs is 3, there is room for 2" },
		{ L(4B), 2200, 255, "num_ivc_configs is 255, there is room for 2" },
		{ L(6), 2360, 2, "arch_config.is_aarch32 is 2, neither 0 nor 1" },
		{ L(6), 2368, 2, "arch_config.gic_version is 2, neither GICv2 nor GICv3" },
		{ L(6), 2448, 7, "arch_config.uefi is 7, neither 0 (UEFI) nor 1 (none)" },
		{ L(6), 2480, 5, "num_pci_bus is 5, there is room for 4" },
		{ L(6), 2487, 1, "num_pci_bus is 72057594037927936, there is room for 4" },
		{ L(6), 2904, 33, "num_pci_devs is 33, there is room for 32" },
		{ L(3), 2546, 1,
		  "alloc_pci_devs[0].bdf is 65536, more than bus, device and function can be" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		enum hv_layout l = damage[i].layout;
		char msg[256];
		struct hv_err err = { 0 };
		int size;

		make_zone(HV_ARCH_ARM64);
		zone.n_regions = 1;
		zone.n_irqs = 2;
		zone.irqs[0] = 33;
		zone.irqs[1] = 34;
		zone.n_pci_devs = 1;
		size = hv_zone_config_encode(l, HV_ARCH_ARM64, &zone, bytes, sizeof(bytes), &err);
		assert_true(size > 0);
		bytes[damage[i].at] = damage[i].value;
		assert_int_equal(hv_zone_config_decode(l, HV_ARCH_ARM64, bytes, (size_t)size, &zone,
						       &err), -EINVAL);
		snprintf(msg, sizeof(msg), "zone config of layout %s for arm64: %s",
			 hv_layout_name(l), damage[i].msg);
		assert_string_equal(err.msg, msg);
	}
}

static void a_name_without_an_end(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	make_zone(HV_ARCH_RISCV64);
	assert_int_equal(hv_zone_config_encode(HV_LAYOUT_6, HV_ARCH_RISCV64, &zone, bytes,
					       sizeof(bytes), &err), 3208);
	memset(bytes + 2328, 'n', 32);
	assert_int_equal(hv_zone_config_decode(HV_LAYOUT_6, HV_ARCH_RISCV64, bytes, 3208, &zone,
					       &err), -EINVAL);
	assert_non_null(strstr(err.msg, "name is not terminated"));
}

static void a_wrong_size(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	assert_int_equal(hv_zone_config_decode(HV_LAYOUT_5A, HV_ARCH_ARM64, bytes, 3264, &zone, &err),
			 -EINVAL);
	assert_string_equal(err.msg,
			"zone config of layout 5A for arm64: 3264 bytes are given, 3136 are right");
	assert_int_equal(hv_zone_config_decode(HV_LAYOUT_5A, HV_ARCH_ARM64, bytes, 0, &zone, &err),
			 -EINVAL);
}

static void layout_names(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	for (unsigned int l = 0; l < HV_LAYOUT_COUNT; l++)
		assert_int_equal(hv_layout_parse(hv_layout_name((enum hv_layout)l), &err), l);
	assert_int_equal(hv_layout_parse("5b", &err), HV_LAYOUT_5B);
	assert_int_equal(hv_layout_parse("5", &err), -EINVAL);
	assert_string_equal(err.msg,
			"version 5 names two layouts of the zone config: give 5A or 5B");
	assert_int_equal(hv_layout_parse("7", &err), -EINVAL);
	assert_string_equal(err.msg,
			    "'7' is no layout of the zone config: there are 3, 4A, 4B, 5A, 5B, 6");
	assert_int_equal(hv_layout_parse("", &err), -EINVAL);
}

static void versions(void **state)
{
	enum hv_layout l[2];
	struct hv_err err = { 0 };

	(void)state;
	assert_int_equal(hv_layouts_of_version(3, HV_ARCH_ARM64, l, &err), 1);
	assert_int_equal(l[0], HV_LAYOUT_3);
	assert_int_equal(hv_layouts_of_version(4, HV_ARCH_RISCV64, l, &err), 2);
	assert_int_equal(l[0], HV_LAYOUT_4B);
	assert_int_equal(l[1], HV_LAYOUT_4A);
	assert_int_equal(hv_layouts_of_version(5, HV_ARCH_X86_64, l, &err), 2);
	assert_int_equal(l[0], HV_LAYOUT_5B);
	assert_int_equal(l[1], HV_LAYOUT_5A);
	assert_int_equal(hv_layouts_of_version(6, HV_ARCH_X86_64, l, &err), 1);
	assert_int_equal(hv_layouts_of_version(4, HV_ARCH_X86_64, l, &err), -ENOTSUP);
	assert_string_equal(err.msg,
			"the hypervisor says zone config version 4, which hvsh does not know for x86_64: there it knows 5, 6");
	assert_int_equal(hv_layouts_of_version(2, HV_ARCH_ARM64, l, &err), -ENOTSUP);
	assert_string_equal(err.msg,
			"the hypervisor says zone config version 2, which hvsh does not know for arm64: there it knows 3, 4, 5, 6");
	assert_int_equal(hv_layouts_of_version(UINT64_MAX, HV_ARCH_ARM64, l, &err), -ENOTSUP);
	assert_non_null(strstr(err.msg, "version 18446744073709551615"));
	for (unsigned int i = 0; i < HV_LAYOUT_COUNT; i++)
		assert_int_equal(hv_layout_version((enum hv_layout)i), hv_layout_name((enum hv_layout)i)[0] - '0');
}

static void region_types(void **state)
{
	(void)state;
	assert_string_equal(hv_region_type_name(HV_REGION_RAM), "ram");
	assert_string_equal(hv_region_type_name(HV_REGION_IO), "io");
	assert_string_equal(hv_region_type_name(HV_REGION_VIRTIO), "virtio");
	assert_string_equal(hv_region_type_name((enum hv_region_type)9), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inexpressible),
		cmocka_unit_test(expressible),
		cmocka_unit_test(a_bus_range_from_0_may_be_dropped),
		cmocka_unit_test(no_such_pair),
		cmocka_unit_test(damaged_configs),
		cmocka_unit_test(a_name_without_an_end),
		cmocka_unit_test(a_wrong_size),
		cmocka_unit_test(layout_names),
		cmocka_unit_test(versions),
		cmocka_unit_test(region_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
