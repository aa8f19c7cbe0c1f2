// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone_fixture.h"

/* Each case makes one thing wrong with one zone and names all that must be said. */

typedef void change_fn(struct zf *f, struct hv_zone_spec *z);

struct wrong {
	const char *code;
	change_fn *change;
	const char *part; /* of the message */
	const char *what;
	int line;
	const char *fix; /* part of it; NULL = not looked at */
};

static struct hv_spec_region *ram(struct hv_zone_spec *z)
{
	return (struct hv_spec_region *)&z->regions[0];
}

static void name_empty(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	z->name = "";
}

static void name_long(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	z->name = "a-name-of-thirty-two-bytes-is-32";
}

static void name_control(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	z->name = "linux\n1";
}

static void id_zero(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	z->id = 0;
}

static void id_range(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	z->id = 32;
}

static void region_empty(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	ram(z)->size = 0;
}

static void region_wraps(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	ram(z)->size = UINT64_MAX;
}

static void region_misaligned(struct zf *f, struct hv_zone_spec *z)
{
	zf_region(f, z, HV_REGION_IO, 0x9000800, 0x1000);
}

static void region_size_misaligned(struct zf *f, struct hv_zone_spec *z)
{
	zf_region(f, z, HV_REGION_IO, 0x9000000, 0x200);
}

static void window_small(struct zf *f, struct hv_zone_spec *z)
{
	zf_region(f, z, HV_REGION_VIRTIO, ZF_SLOTS, 0x100);
}

static void no_ram(struct zf *f, struct hv_zone_spec *z)
{
	zf_region(f, z, HV_REGION_IO, 0x9000000, 0x1000);
	z->regions++;
	z->n_regions = 1;
	z->kernel.present = z->dtb.present = false;
	z->has_entry = true;
	z->entry = 0x1000;
}

static void regions_many(struct zf *f, struct hv_zone_spec *z)
{
	for (unsigned int i = 0; i < HV_MAX_REGIONS; i++)
		zf_region(f, z, HV_REGION_IO, 0x1000000 + i * 0x1000, 0x1000);
}

static void irq_private(struct zf *f, struct hv_zone_spec *z)
{
	zf_irq(f, z, 27);
}

static void irq_range(struct zf *f, struct hv_zone_spec *z)
{
	zf_irq(f, z, 1024);
}

static void device_name(struct zf *f, struct hv_zone_spec *z)
{
	struct zf_tree t = zf_tree_of(z);

	zf_device(f, z, "blk", "root");
	zf_device(f, z, "net", "root");
	t.n_virtio = 2;
	t.virtio[0].at = ZF_SLOTS;
	t.virtio[0].irq = 48;
	t.virtio[1].at = ZF_SLOTS + 0x200;
	t.virtio[1].irq = 49;
	z->dtb.path = zf_dtb(f, "two.dtb", &t);
}

static void device_small(struct zf *f, struct hv_zone_spec *z)
{
	zf_device(f, z, "blk", "root")->size = 0x100;
}

static void device_odd(struct zf *f, struct hv_zone_spec *z)
{
	struct hv_spec_device *d = zf_device(f, z, "blk", "root");

	d->has_at = d->has_irq = true;
	d->at = 0xb000001;
	d->irq = 80;
}

static void device_far(struct zf *f, struct hv_zone_spec *z)
{
	struct hv_spec_device *d = zf_device(f, z, "blk", "root");

	d->has_at = d->has_irq = true;
	d->at = UINT64_MAX - 4;
	d->irq = 80;
}

static void device_no_slot(struct zf *f, struct hv_zone_spec *z)
{
	f->board.n_slots = 0;
	zf_device(f, z, "blk", "root");
}

static void device_no_irq(struct zf *f, struct hv_zone_spec *z)
{
	struct hv_spec_device *d = zf_device(f, z, "blk", "root");

	d->has_at = true;
	d->at = 0xb000000;
}

static void devices_many(struct zf *f, struct hv_zone_spec *z)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };

	for (size_t i = 0; i < 9; i++)
		zf_device(f, z, "blk", names[i]);
	z->dtb.present = false;
}

static void pci_buses(struct zf *f, struct hv_zone_spec *z)
{
	static struct hv_spec_pci_bus buses[5];

	(void)f;
	z->pci_buses = buses;
	z->n_pci_buses = 5;
}

static void pci_devices(struct zf *f, struct hv_zone_spec *z)
{
	for (uint8_t i = 1; i <= 33; i++)
		zf_pci(f, z, 1, i);
}

static void ivc_many(struct zf *f, struct hv_zone_spec *z)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct hv_spec_ivc *v = zf_ivc(f, z, i, 0);

		v->ivc.control_table_ipa += i * 0x10000;
		v->ivc.shared_mem_ipa += i * 0x10000;
	}
}

static void modules_many(struct zf *f, struct hv_zone_spec *z)
{
	static char names[10][8];

	for (unsigned int i = 0; i < 10; i++) {
		snprintf(names[i], sizeof(names[i]), "m%u", i);
		zf_module(f, z, names[i], zf_file(f, names[i], "x", 1),
			  ZF_RAM(1) + 0x1000000 + i * 0x1000);
	}
}

static void zones_many(struct zf *f, struct hv_zone_spec *z)
{
	(void)z;
	f->board.max_zones = 1;
}

static void no_gic(struct zf *f, struct hv_zone_spec *z)
{
	f->board.has_gic = false;
	z->dtb.present = false;
}

static void other_arch(struct zf *f, struct hv_zone_spec *z)
{
	(void)f;
	z->arch = HV_ARCH_LOONGARCH64;
	z->kernel.format = HV_IMAGE_RAW;
}

static void two_gics(struct zf *f, struct hv_zone_spec *z)
{
	struct zf_tree t = zf_tree_of(z);

	t.gic = 2;
	t.gicr = 0x8010000;
	z->has_arch_config = true;
	z->arm64 = (struct hv_abi_arm64){ .gic_version = 2,
					  .gicd_base = UINT64_MAX - 1,
					  .gicd_size = 0x10000,
					  .gicc_base = 0x8010000,
					  .gicc_size = 0x10000 };
	t.gicd = z->arm64.gicd_base;
	z->dtb.path = zf_dtb(f, "v2.dtb", &t);
	z->dtb.present = false;
}

static const struct wrong cases[] = {
	{ "name-empty", name_empty, "no name", "name", 100, NULL },
	{ "name-long", name_long, "32 bytes", "name", 100, "a-name-of-thirty-two-bytes-is-3\"" },
	{ "name-control", name_control, "0x0a) at byte 6", "name", 100, NULL },
	{ "id-zero", id_zero, "root zone", "id", 101, "1 to 31" },
	{ "id-range", id_range, "id 32", "id", 101, "1 to 31" },
	{ "region-empty", region_empty, "no size", "ram", 110, NULL },
	{ "region-range", region_wraps, "48 bits", "ram", 110, NULL },
	{ "region-misaligned", region_misaligned, "4 KiB", "io", 111, "0x9001000" },
	{ "region-misaligned", region_size_misaligned, "4 KiB", "io", 111,
	  "0x200 should be 0x1000" },
	{ "window-small", window_small, "0x100 bytes", "virtio", 111, NULL },
	{ "regions-many", regions_many, "65 memory regions", "memory regions", 174, NULL },
	{ "irq-private", irq_private, "interrupt 27 belongs to each CPU", "interrupts", 120, "59" },
	{ "irq-range", irq_range, "interrupt 1024", "interrupts", 120, "below 1024" },
	{ "device-name", device_name, "called root", "net root", 153, NULL },
	{ "window-small", device_small, "0x100 bytes", "blk root", 151, NULL },
	{ "window-misaligned", device_odd, "0xb000001", "blk root", 151, NULL },
	{ "region-range", device_far, "48 bits", "blk root", 151, NULL },
	{ "device-no-slot", device_no_slot, "no virtio slots", "blk root", 150, "irq" },
	{ "device-no-irq", device_no_irq, "0xb000000", "blk root", 151, "irq" },
	{ "devices-many", devices_many, "9 virtio devices", "devices", 174, "leave out 1" },
	{ "pci-buses-many", pci_buses, "5 PCI buses; the limit is 4", "PCI buses", 100, NULL },
	{ "pci-devices-many", pci_devices, "33 PCI devices; the limit is 32", "PCI devices", 100,
	  NULL },
	{ "ivc-many", ivc_many, "3 IVC channels; the limit is 2", "IVC channels", 100, NULL },
	{ "modules-many", modules_many, "10 modules; the limit is 9", "modules", 100, NULL },
	{ "zones-many", zones_many, "2 zones with zone0", "zone", 100, NULL },
	{ "arch-config-missing", no_gic, "GIC", "interrupt controller (GIC)", 100, "board" },
	{ "region-range", two_gics, "GIC distributor", "GIC distributor", 138, NULL },
};

static void each_limit_is_found(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hv_zone_spec *z;
		struct zf *f = *state;

		print_message("  %s\n", cases[i].code);
		f->board.max_zones = 0;
		f->board.n_slots = 1;
		f->board.has_gic = true;
		zf_new_set(f);
		z = zf_zone(f, "linux1", 1);
		zf_expect_clean(f);
		cases[i].change(f, z);
		zf_expect(f, HV_ERROR, cases[i].code, cases[i].part, z->name, cases[i].what,
			  cases[i].line);
		if (cases[i].fix)
			zf_expect_fix(f, cases[i].code, cases[i].fix);
	}
}

static void a_zone_without_ram(void **state)
{
	struct zf *f = *state;

	no_ram(f, zf_zone(f, "linux1", 1));
	zf_check(f);
	assert_string_equal(zf_find(f, "no-ram")->a.zone, "linux1");
	assert_int_equal(zf_find(f, "no-ram")->a.origin.line, 100);
}

static void an_irq_listed_twice_is_a_warning(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	zf_irq(f, z, 40);
	zf_irq(f, z, 40);
	zf_expect(f, HV_WARNING, "irq-twice", "40", "linux1", "interrupts", 120);
	assert_int_equal(hv_zone_set_at(f->set, 0)->abi.n_irqs, 1);
}

static void duplicate_ids_and_names(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z;

	zf_zone(f, "linux1", 1);
	z = zf_zone(f, "linux2", 2);
	z->id = 1;
	zf_expect(f, HV_ERROR, "id-duplicate", "id 1 is linux1's", "linux2", "id", 201);
	zf_expect_other(f, "id-duplicate", "linux1", "id", 101);
	zf_expect_fix(f, "id-duplicate", "id 2 is free");

	z->id = 2;
	z->name = "linux1";
	zf_expect(f, HV_ERROR, "name-duplicate", "two zones called linux1", "linux1", "name", 200);
	zf_expect_other(f, "name-duplicate", "linux1", "name", 100);
}

static void an_id_taken_by_a_running_zone(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z;

	zf_zone(f, "other", 1);
	assert_int_equal(zf_apply(f, 0), 0);
	zf_new_set(f);
	z = zf_zone(f, "linux1", 1);
	zf_expect(f, HV_ERROR, "id-taken", "id 1 is taken by running zone other", "linux1", "id",
		  101);
	zf_expect_other(f, "id-taken", "other", "zone (running)", 0);
	zf_expect_fix(f, "id-taken", "id 2 is free");

	z->name = "other";
	z->id = 2;
	zf_expect(f, HV_ERROR, "name-taken", "with id 1", "other", "name", 100);
	zf_expect_fix(f, "name-taken", "id = 1");
}

static void running_devices_count(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	for (size_t i = 0; i < 5; i++)
		zf_device(f, z, "blk", names[i]);
	assert_int_equal(zf_apply(f, 0), 0);
	zf_new_set(f);
	z = zf_zone(f, "linux2", 2);
	z->dtb.present = false;
	for (size_t i = 0; i < 4; i++) {
		struct hv_spec_device *d = zf_device(f, z, "blk", names[i]);

		d->has_at = true;
		d->at = ZF_SLOTS + (i + 8) * 0x200;
	}
	zf_expect(f, HV_ERROR, "devices-many", "9 virtio devices", "linux2", "devices", 259);
}

static void architectures_must_agree(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	other_arch(f, z);
	zf_expect(f, HV_ERROR, "arch-mismatch", "for loongarch64, this hypervisor runs on arm64",
		  "linux1", "zone", 100);
	f->machine.hyp = NULL;
	zf_expect(f, HV_ERROR, "arch-mismatch", "the board test board is arm64", "linux1", "zone",
		  100);
}

static void zones_of_two_boards(void **state)
{
	struct zf *f = *state;
	struct hv_board other = f->board;

	other.name = "another board";
	zf_zone(f, "linux1", 1)->board = &other;
	zf_expect(f, HV_ERROR, "board-differs", "another board", "linux1", "zone", 100);
}

static void what_the_layout_cannot_say(void **state)
{
	struct zf *f = *state;

	assert_int_equal(hv_hyp_set_layout(f->hyp, HV_LAYOUT_3, &f->err), 0);
	for (uint32_t i = 0; i < 33; i++)
		zf_irq(f,
		       i ? (struct hv_zone_spec *)hv_zone_set_at(f->set, 0)->spec
			 : zf_zone(f, "linux1", 1),
		       100 + i);
	zf_expect(f, HV_ERROR, "abi-limit", "32", "linux1", "zone", 100);
}

/* One cause, one finding; no zone may be started. */
static void a_version_nobody_knows(void **state)
{
	static const struct hv_sim_ram memory = { 0x40000000, 2 * HV_GIB };
	struct hv_sim_opts opts = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.version = 99,
		.n_cpus = 8,
		.root_cpus = 3,
		.ram = &memory,
		.n_ram = 1,
	};
	struct zf *f = *state;
	struct hv_plan *plan;

	hv_hyp_close(f->hyp);
	assert_int_equal(hv_hyp_open_sim(&opts, &f->hyp, &f->err), 0);
	f->machine.hyp = f->hyp;
	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2);
	zf_expect(f, HV_ERROR, "abi-unknown", "99", NULL, NULL, 0);
	assert_int_equal(hv_plan_make(f->set, &f->machine, NULL, 0, 0, &plan, &f->err), -EINVAL);
}

static void unknowns_are_said(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	f->machine = (struct hv_machine){ 0 };
	((struct hv_zone_spec *)hv_zone_set_at(f->set, 0)->spec)->has_arch_config = true;
	((struct hv_zone_spec *)hv_zone_set_at(f->set, 0)->spec)->arm64 = f->board.gic;
	zf_check(f);
	assert_int_equal(f->findings.n_errors, 0);
	assert_string_equal(hv_severity_name(zf_find(f, "no-board")->severity), "warning");
	zf_find(f, "zone0-memory-unknown");
	zf_find(f, "zone0-cpus-unknown");
	zf_find(f, "no-hypervisor");
	f->machine.board = &f->board;
	f->board.hypervisor.size = 0;
	zf_check(f);
	zf_find(f, "hypervisor-memory-unknown");
}

static void more_zones_than_hvisor_holds(void **state)
{
	struct zf *f = *state;
	char name[16];

	for (uint32_t i = 1; i <= HV_MAX_ZONES; i++) {
		snprintf(name, sizeof(name), "zone%u", i);
		zf_zone(f, name, 1 + i % 3);
	}
	zf_check(f);
	assert_int_equal(f->findings.n, 1);
	assert_non_null(strstr(zf_find(f, "too-many-zones")->message, "32 zones are defined"));
}

static void findings_are_sorted(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	zf_irq(f, z, 40);
	zf_irq(f, z, 40);
	zf_irq(f, z, 27);
	z->id = 40;
	zf_check(f);
	assert_int_equal(f->findings.n_errors, 2);
	assert_string_equal(f->findings.items[0].code, "id-range");
	assert_string_equal(f->findings.items[1].code, "irq-private");
	assert_string_equal(f->findings.items[2].code, "irq-twice");
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_limit_is_found),
		T(a_zone_without_ram),
		T(an_irq_listed_twice_is_a_warning),
		T(duplicate_ids_and_names),
		T(an_id_taken_by_a_running_zone),
		T(running_devices_count),
		T(architectures_must_agree),
		T(zones_of_two_boards),
		T(what_the_layout_cannot_say),
		T(a_version_nobody_knows),
		T(unknowns_are_said),
		T(more_zones_than_hvisor_holds),
		T(findings_are_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
