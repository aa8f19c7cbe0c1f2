// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone_fixture.h"

/* The guest addresses of one zone: regions, windows, images, entry point. */

static void regions_overlap(void **state)
{
	struct zf *f = *state;
	struct hv_spec_region *r;

	r = zf_region(f, zf_zone(f, "linux1", 1), HV_REGION_IO, ZF_RAM(1) + 0x100000, 0x1000);
	r->phys = 0x9000000;
	r->name = "uart0";
	zf_expect(f, HV_ERROR, "region-overlap", "uart0 and ram overlap", "linux1",
		  "uart0", 111);
	zf_expect_other(f, "region-overlap", "linux1", "ram", 110);
}

static struct hv_spec_device *device_at(struct zf *f, struct hv_zone_spec *z, const char *name,
					uint64_t at, uint32_t irq)
{
	struct hv_spec_device *d = zf_device(f, z, "blk", name);

	d->has_at = d->has_irq = true;
	d->at = at;
	d->irq = irq;
	z->dtb.present = false;
	return d;
}

static void windows_overlap(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	device_at(f, z, "a", ZF_SLOTS, 48);
	device_at(f, z, "b", ZF_SLOTS + 0x100, 49);
	zf_expect(f, HV_ERROR, "window-overlap", "blk b and blk a", "linux1", "blk b", 154);
	zf_expect_other(f, "window-overlap", "linux1", "blk a", 151);
}

static void a_window_in_ram(void **state)
{
	struct zf *f = *state;

	device_at(f, zf_zone(f, "linux1", 1), "a", ZF_RAM(1) + 0x1000000, 48);
	zf_expect(f, HV_ERROR, "window-overlap", "blk a and ram", "linux1", "blk a",
		  151);
	zf_expect_other(f, "window-overlap", "linux1", "ram", 110);
}

static void a_window_half_in_a_listed_region(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	zf_region(f, z, HV_REGION_VIRTIO, ZF_SLOTS, 0x300);
	device_at(f, z, "a", ZF_SLOTS + 0x200, 49);
	zf_expect(f, HV_ERROR, "window-overlap", "blk a and virtio at 0xa000000", "linux1", "blk a",
		  151);
}

static void the_real_interrupt_controller(void **state)
{
	static const uint64_t bases[] = { ZF_GICD, ZF_GICR };
	struct zf *f = *state;

	for (int i = 0; i < 2; i++) {
		zf_new_set(f);
		zf_region(f, zf_zone(f, "linux1", 1), HV_REGION_IO, bases[i], 0x1000)->name = "gic";
		zf_expect(f, HV_ERROR, "irqc-exposed",
			  i ? "the GIC redistributors at 0x80a0000"
			    : "the GIC distributor at 0x8000000",
			  "linux1", "gic", 111);
		zf_expect_other(f, "irqc-exposed", "linux1",
				i ? "GIC redistributors" : "GIC distributor", 138);
	}
}

/* ---- images */

static void unreadable_images(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	/* One cause, one finding: nothing is said of the places of the others. */
	z->kernel.path = "/nowhere/Image";
	z->has_entry = true;
	z->entry = 0x1000;
	zf_expect(f, HV_ERROR, "image-unreadable", "/nowhere/Image", "linux1", "kernel Image", 130);
	z->has_entry = false;
	z->kernel.path = zf_file(f, "empty", "", 0);
	zf_expect(f, HV_ERROR, "image-unreadable", "empty", "linux1", "kernel empty", 130);
	assert_false(hv_zone_set_at(f->set, 0)->resolved);
}

static void a_bad_tree(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->dtb.path = zf_file(f, "bad.dtb",
			      "this is no device tree, only some text of the size of a header", 62);
	zf_check(f);
	assert_int_equal(f->findings.n_errors, 1);
	assert_int_equal(f->findings.items[0].a.origin.line, 132);
}

static void a_kernel_outside_ram(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.has_at = true;
	z->kernel.at = 0x9000000;
	z->has_entry = true;
	z->entry = ZF_RAM(1) + 0x400000;
	zf_check(f);
	assert_int_equal(f->findings.n_errors, 1);
	zf_find(f, "image-outside-ram");
	zf_expect_fix(f, "image-outside-ram", "0x50000000..0x58000000");
	assert_int_equal(zf_find(f, "image-outside-ram")->a.origin.line, 131);

	/* Its memory, not its file, runs over the end. */
	z->kernel.path = zf_kernel(f, "big", 4096, 8 * HV_MIB);
	z->kernel.at = ZF_RAM(1) + ZF_RAM_SIZE - 4 * HV_MIB;
	z->has_entry = false;
	zf_expect(f, HV_ERROR, "image-outside-ram",
		  "runs over the end of its RAM region at 0x58000000", "linux1", "kernel big", 131);

	z->kernel.path = zf_kernel(f, "huge", 4096, 256 * HV_MIB);
	zf_expect(f, HV_ERROR, "image-too-large",
		  "256M in memory; the zone's largest RAM region has 128M", "linux1", "kernel huge",
		  130);
	z->kernel.has_at = false;
	zf_expect(f, HV_ERROR, "image-too-large", "256M", "linux1", "kernel huge", 130);
}

static void a_physical_address_outside_ram(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.has_phys = true;
	z->kernel.phys = 0x9000000;
	zf_expect(f, HV_ERROR, "image-outside-ram", "physical address 0x9000000", "linux1",
		  "kernel Image", 131);
	zf_expect_fix(f, "image-outside-ram", "0x50000000..0x58000000");
}

static void an_address_without_image(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.path = NULL;
	z->kernel.has_at = true;
	z->kernel.at = 0x9000000;
	z->has_entry = true;
	z->entry = ZF_RAM(1);
	zf_expect(f, HV_ERROR, "address-outside-ram", "kernel address 0x9000000", "linux1",
		  "kernel", 131);
}

static void a_misaligned_kernel(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.has_at = true;
	z->kernel.at = ZF_RAM(1) + 0x410000;
	zf_expect(f, HV_ERROR, "image-misaligned", "multiple of 0x200000", "linux1", "kernel Image",
		  131);
	zf_expect_fix(f, "image-misaligned", "0x50600000");
}

static void a_misaligned_tree(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->dtb.has_at = true;
	z->dtb.at = ZF_RAM(1) + 4;
	zf_expect(f, HV_ERROR, "image-misaligned", "multiple of 0x8", "linux1", "dtb zone1.dtb",
		  132);
}

static void bss_over_the_tree(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.path = zf_kernel(f, "bss", 4096, 8 * HV_MIB);
	z->dtb.has_at = true;
	z->dtb.at = ZF_RAM(1) + 10 * HV_MIB;
	zf_expect(f, HV_ERROR, "image-overlap",
		  "dtb zone1.dtb and kernel bss overlap at 0x50a00000", "linux1", "dtb zone1.dtb",
		  132);
	zf_expect_other(f, "image-overlap", "linux1", "kernel bss", 130);
	zf_expect_fix(f, "image-overlap", "0x50000000 is free");
}

static void modules_over_each_other(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	const char *file = zf_file(f, "m", "0123456789", 10);

	zf_module(f, z, "a", file, ZF_RAM(1) + 0x1000000);
	zf_module(f, z, "b", file, ZF_RAM(1) + 0x1000004);
	zf_expect(f, HV_ERROR, "image-overlap", "module b and module a", "linux1", "module b", 140);
	zf_new_set(f);
	z = zf_zone(f, "linux1", 1);
	zf_module(f, z, "a", zf_file(f, "m", "0123456789", 10), 0);
	zf_expect(f, HV_ERROR, "module-no-at", "where it goes", "linux1", "module a", 140);
}

static void no_room_beside_the_others(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.path = zf_kernel(f, "fill", 4096, ZF_RAM_SIZE);
	zf_expect(f, HV_ERROR, "image-no-room", "not left", "linux1", "dtb zone1.dtb", 132);
}

static void an_image_for_another_arch(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.path = zf_elf(f, "riscv.elf", 243, ZF_RAM(1) + 0x400000, 0x1000);
	zf_expect(f, HV_ERROR, "image-arch", "is for riscv64, the zone is arm64", "linux1",
		  "kernel riscv.elf", 130);
}

static void an_elf_elsewhere(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->kernel.path = zf_elf(f, "k.elf", 183, ZF_RAM(1) + 0x400000, 0x1000);
	z->kernel.has_at = true;
	z->kernel.at = ZF_RAM(1);
	zf_expect(f, HV_ERROR, "image-at", "own addresses begin at 0x50400000", "linux1",
		  "kernel k.elf", 131);
	z->kernel.has_at = false;
	z->kernel.path = zf_elf(f, "far.elf", 183, 0xffffffff80000000, 0x1000);
	zf_check(f);
	assert_int_equal(zf_find(f, "image-outside-ram")->a.origin.line, 130);
}

static void entry_points(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->has_entry = true;
	z->entry = 0x40000000;
	zf_expect(f, HV_ERROR, "entry-outside-ram", "0x40000000", "linux1", "entry", 136);
	z->entry = ZF_RAM(1) + 0x400002;
	zf_expect(f, HV_ERROR, "entry-misaligned", "multiple of 4", "linux1", "entry", 136);
	z->entry = ZF_RAM(1) + 0x2000000;
	zf_expect(f, HV_WARNING, "entry-empty", "0x52000000", "linux1", "entry", 136);
	z->entry = ZF_RAM(1); /* that is the tree */
	zf_expect(f, HV_WARNING, "entry-empty", "0x50000000", "linux1", "entry", 136);
	z->has_entry = false;
	z->kernel.present = false;
	zf_check(f);
	zf_find(f, "kernel-missing");
}

static void a_command_line_without_a_tree(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->dtb.present = false;
	z->cmdline = "console=hvc0";
	zf_expect(f, HV_ERROR, "cmdline-lost", "no device tree", "linux1", "cmdline", 137);
	z->cmdline = NULL;
	z->initrd.present = true;
	z->initrd.path = zf_file(f, "initrd", "x", 1);
	zf_expect(f, HV_ERROR, "initrd-lost", "no device tree", "linux1", "initrd", 134);
}

static void a_command_line_without_a_place(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	f->machine.hyp = NULL;
	f->machine.board = NULL;
	z->arch = HV_ARCH_X86_64;
	z->dtb.present = false;
	z->kernel.format = HV_IMAGE_RAW;
	z->x86.origin = z->arch_origin;
	z->x86.cmdline = "console=hvc0";
	zf_expect(f, HV_ERROR, "cmdline-no-place", "no address", "linux1", "command line", 138);
}

static void a_tree_too_large(void **state)
{
	static char bootargs[2 * HV_MIB + 1];
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	memset(bootargs, 'a', sizeof(bootargs) - 1);
	z->cmdline = bootargs;
	zf_expect(f, HV_ERROR, "dtb-large", "at most 2M", "linux1", "dtb zone1.dtb", 132);
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(regions_overlap),
		T(windows_overlap),
		T(a_window_in_ram),
		T(a_window_half_in_a_listed_region),
		T(the_real_interrupt_controller),
		T(unreadable_images),
		T(a_bad_tree),
		T(a_kernel_outside_ram),
		T(a_physical_address_outside_ram),
		T(an_address_without_image),
		T(a_misaligned_kernel),
		T(a_misaligned_tree),
		T(bss_over_the_tree),
		T(modules_over_each_other),
		T(no_room_beside_the_others),
		T(an_image_for_another_arch),
		T(an_elf_elsewhere),
		T(entry_points),
		T(a_command_line_without_a_tree),
		T(a_command_line_without_a_place),
		T(a_tree_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
