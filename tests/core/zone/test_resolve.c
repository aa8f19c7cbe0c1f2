// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone_fixture.h"

static const struct hv_placement *placement(const struct hv_zone *z, const char *what)
{
	for (size_t i = 0; i < z->n_placements; i++)
		if (!strcmp(z->placements[i].what, what))
			return &z->placements[i];
	fail_msg("no placement %s", what);
	return NULL;
}

static void defaults_are_where_published_zones_have_them(void **state)
{
	struct zf *f = *state;
	const struct hv_zone *z;

	zf_zone(f, "linux1", 1);
	zf_expect_clean(f);
	z = hv_zone_set_find(f->set, "linux1");
	assert_true(z->resolved);
	assert_int_equal(z->abi.kernel_phys, ZF_RAM(1) + 4 * HV_MIB);
	assert_int_equal(z->abi.kernel_size, 8192);
	assert_int_equal(z->abi.entry, z->abi.kernel_phys);
	assert_int_equal(z->abi.dtb_phys, ZF_RAM(1));
	assert_int_equal(z->abi.dtb_size, hv_align_up(placement(z, "dtb zone1.dtb")->size, HV_PAGE_SIZE));
	assert_int_equal(placement(z, "kernel Image")->size, 65536);
	assert_string_equal(z->abi.name, "linux1");
	assert_int_equal(z->abi.arm64.gicd_base, ZF_GICD);
	assert_int_equal(z->abi.n_regions, 1);
}

static void devices_take_the_lowest_free_slots(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1), *two = zf_zone(f, "linux2", 2);
	struct hv_spec_device *d = zf_device(f, one, "blk", "root");
	const struct hv_zone *z;

	d->has_at = d->has_irq = true;
	d->at = ZF_SLOTS + 0x200;
	d->irq = 49;
	zf_device(f, one, "net", "eth0");
	zf_device(f, one, "console", "hvc0");
	zf_device(f, two, "blk", "root");
	zf_check(f);
	assert_int_equal(f->findings.n_errors, 0);
	z = hv_zone_set_find(f->set, "linux1");
	assert_int_equal(z->devices[0].at, ZF_SLOTS + 0x200);
	assert_int_equal(z->devices[1].at, ZF_SLOTS);
	assert_int_equal(z->devices[1].irq, 48);
	assert_int_equal(z->devices[2].at, ZF_SLOTS + 0x400);
	assert_int_equal(z->devices[2].irq, 50);
	/* Each window became a region and each interrupt is the zone's. */
	assert_int_equal(z->abi.n_regions, 4);
	assert_int_equal(z->abi.regions[1].type, HV_REGION_VIRTIO);
	assert_int_equal(z->abi.regions[1].size, 0x200);
	assert_int_equal(z->abi.n_irqs, 3);
	/* The next zone's interrupt is one nobody before it has. */
	z = hv_zone_set_find(f->set, "linux2");
	assert_int_equal(z->devices[0].irq, 51);
	assert_int_equal(z->devices[0].at, ZF_SLOTS + 3 * 0x200);
}

static void slots_avoid_listed_and_wakeup_interrupts(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1);

	f->board.wakeup_irq = 48;
	zf_irq(f, one, 49);
	zf_device(f, one, "blk", "root");
	zf_check(f);
	assert_int_equal(hv_zone_set_find(f->set, "linux1")->devices[0].irq, 50);
}

static void a_window_in_a_listed_region_adds_none(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1);
	struct hv_spec_device *d;
	const struct hv_zone *z;

	zf_region(f, one, HV_REGION_VIRTIO, ZF_SLOTS, 0x4000);
	zf_irq(f, one, 76);
	d = zf_device(f, one, "console", "hvc0");
	d->has_at = d->has_irq = true;
	d->at = 0xa003800;
	d->irq = 76;
	zf_check(f);
	z = hv_zone_set_find(f->set, "linux1");
	assert_int_equal(f->findings.n_errors, 0);
	assert_int_equal(z->abi.n_regions, 2);
	assert_int_equal(z->abi.n_irqs, 1);
}

static void an_irq_is_taken_from_the_slot_at_the_address(void **state)
{
	struct zf *f = *state;
	struct hv_spec_device *d = zf_device(f, zf_zone(f, "linux1", 1), "console", "hvc0");

	d->has_at = true;
	d->at = 0xa003800;
	zf_check(f);
	assert_int_equal(hv_zone_set_find(f->set, "linux1")->devices[0].irq, 76);
}

static void the_tree_is_patched(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1);
	struct hv_fdt_machine m;
	const struct hv_placement *p;
	const struct hv_zone *z;

	one->cmdline = "console=hvc0 root=/dev/vda";
	one->initrd.present = true;
	one->initrd.path = zf_file(f, "initrd.gz", "\x1f\x8b not unpacked", 16);
	zf_expect_clean(f);
	z = hv_zone_set_find(f->set, "linux1");
	assert_int_equal(hv_fdt_machine(z->tree, &m, NULL, NULL, NULL), 0);
	assert_string_equal(m.bootargs, one->cmdline);
	p = placement(z, "initrd initrd.gz");
	assert_int_equal(p->ipa, ZF_RAM(1) + 6 * HV_MIB);
	assert_int_equal(m.initrd_start, p->ipa);
	assert_int_equal(m.initrd_end, p->ipa + 16);
	p = placement(z, "dtb zone1.dtb");
	assert_null(p->image);
	assert_int_equal(hv_align_up(p->size, HV_PAGE_SIZE), z->abi.dtb_size);
}

static void physical_addresses_stay_as_given(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "ruxos1", 1);
	struct hv_spec_region *r = (struct hv_spec_region *)one->regions;
	struct zf_tree t;
	const struct hv_zone *z;

	r->ipa = 0x40000000;
	t = zf_tree_of(one);
	one->dtb.path = zf_dtb(f, "ruxos.dtb", &t);
	one->kernel.path = zf_file(f, "kernel.bin", "0123456789abcdef", 16);
	one->kernel.has_phys = one->dtb.has_phys = true;
	one->kernel.phys = 0x50080000;
	one->dtb.phys = 0x50000000;
	zf_expect_clean(f);
	z = hv_zone_set_find(f->set, "ruxos1");
	assert_int_equal(z->abi.kernel_phys, 0x50080000);
	assert_int_equal(placement(z, "kernel kernel.bin")->ipa, 0x40080000);
	assert_int_equal(z->abi.entry, 0x40080000);
	assert_int_equal(z->abi.dtb_phys, 0x50000000);
}

static void nothing_is_loaded_for_null(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1);
	const struct hv_zone *z;

	one->kernel.path = one->dtb.path = NULL;
	one->kernel.has_phys = one->dtb.has_phys = true;
	one->kernel.phys = ZF_RAM(1) + 0x1000;
	zf_expect_clean(f);
	z = hv_zone_set_find(f->set, "linux1");
	assert_int_equal(z->n_placements, 0);
	assert_int_equal(z->abi.kernel_phys, ZF_RAM(1) + 0x1000);
	assert_int_equal(z->abi.kernel_size, 0);
	assert_int_equal(z->abi.dtb_phys, 0);
	assert_int_equal(z->abi.entry, ZF_RAM(1) + 0x1000);
}

static void an_elf_has_its_own_addresses(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "rtos", 1);
	const struct hv_zone *z;

	one->kernel.path = zf_elf(f, "rtos.elf", 183, ZF_RAM(1), 0x300000);
	zf_expect_clean(f);
	z = hv_zone_set_find(f->set, "rtos");
	assert_int_equal(z->abi.kernel_phys, ZF_RAM(1));
	assert_int_equal(z->abi.kernel_size, 0x300000);
	assert_int_equal(z->abi.entry, ZF_RAM(1));
	/* No room below it: the tree goes behind it. */
	assert_int_equal(z->abi.dtb_phys, ZF_RAM(1) + 4 * HV_MIB);
}

static void checking_again_changes_nothing(void **state)
{
	struct zf *f = *state;
	struct hv_abi_zone before;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1);

	zf_device(f, one, "blk", "root");
	zf_check(f);
	before = hv_zone_set_at(f->set, 0)->abi;
	zf_check(f);
	assert_memory_equal(&before, &hv_zone_set_at(f->set, 0)->abi, sizeof(before));
	assert_null(hv_zone_set_at(f->set, 1));
	assert_null(hv_zone_set_find(f->set, "linux2"));
}

static void x86_boots_from_pieces(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux2", 1);
	struct hv_spec_region *r = (struct hv_spec_region *)one->regions;
	struct hv_spec_device *d;
	const struct hv_placement *p;
	const struct hv_zone *z;

	f->machine.hyp = NULL;
	f->machine.board = NULL;
	one->arch = HV_ARCH_X86_64;
	one->dtb.present = false;
	r->ipa = 0;
	zf_region(f, one, HV_REGION_VIRTIO, 0x1920f000, 0x4000)->phys = 0x5950f000;
	d = zf_device(f, one, "console", "hvc0");
	d->has_at = d->has_irq = true;
	d->at = 0x5950f000;
	d->irq = 10;
	one->kernel.path = zf_file(f, "vmlinux.bin", "0123456789abcdef", 16);
	one->kernel.has_phys = true;
	one->kernel.phys = ZF_RAM(1) + 0x100000;
	one->x86.boot = (struct hv_spec_image){ .present = true,
						.has_phys = true,
						.phys = ZF_RAM(1) + 0x8000 };
	one->x86.boot.path = zf_file(f, "boot.bin", "boot", 4);
	one->x86.cmdline = "console=hvc0";
	one->x86.has_cmdline_phys = true;
	one->x86.cmdline_phys = ZF_RAM(1) + 0xc000;
	zf_check(f);
	assert_int_equal(f->findings.n_errors, 0);
	z = hv_zone_set_find(f->set, "linux2");
	assert_int_equal(z->abi.entry, 0x8000);
	assert_int_equal(z->abi.kernel_phys, ZF_RAM(1) + 0x100000);
	assert_int_equal(z->abi.n_regions, 2);
	assert_int_equal(z->abi.n_irqs, 0);
	p = placement(z, "command line");
	assert_int_equal(p->ipa, 0xc000);
	assert_int_equal(p->size, 13);
	assert_int_equal(z->abi.x86_64.cmdline_load_gpa, 0xc000);
	assert_int_equal(placement(z, "boot boot.bin")->phys, ZF_RAM(1) + 0x8000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(defaults_are_where_published_zones_have_them),
		T(devices_take_the_lowest_free_slots),
		T(slots_avoid_listed_and_wakeup_interrupts),
		T(a_window_in_a_listed_region_adds_none),
		T(an_irq_is_taken_from_the_slot_at_the_address),
		T(the_tree_is_patched),
		T(physical_addresses_stay_as_given),
		T(nothing_is_loaded_for_null),
		T(an_elf_has_its_own_addresses),
		T(checking_again_changes_nothing),
		T(x86_boots_from_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
