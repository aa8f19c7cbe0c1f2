// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone_fixture.h"

/* Two owners: zones of the script, zones that run, zone0, the hypervisor. */

static struct hv_spec_region *ram(struct hv_zone_spec *z)
{
	return (struct hv_spec_region *)&z->regions[0];
}

/* Moves the RAM and gives the zone a tree that says the same. */
static void move_ram(struct zf *f, struct hv_zone_spec *z, uint64_t at, uint64_t size)
{
	struct zf_tree t;

	ram(z)->ipa = ram(z)->phys = at;
	ram(z)->size = size;
	t = zf_tree_of(z);
	z->dtb.path = zf_dtb(f, "moved.dtb", &t);
}

static void start_one(struct zf *f, struct hv_zone_spec *z)
{
	(void)z;
	if (zf_apply(f, 0))
		fail_msg("%s", f->err.msg);
	zf_new_set(f);
}

static void cpus_none(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->cpus = 0;
	z->dtb.present = false;
	zf_expect(f, HV_ERROR, "cpu-none", "no CPU", "linux1", "cpus", 102);
	zf_expect_fix(f, "cpu-none", "2, 3, 4, 5, 6 and 7");
}

static void cpus_that_do_not_exist(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->cpus = UINT64_C(1) << 9;
	zf_expect(f, HV_ERROR, "cpu-missing",
		  "CPU 9 does not exist: the board test board has CPUs 0 to 7", "linux1", "cpus",
		  102);
	z->cpus = UINT64_C(1) << 40;
	zf_expect(f, HV_ERROR, "cpu-range", "CPU 40: hvisor knows CPUs 0 to 31", "linux1", "cpus",
		  102);
}

static void a_board_that_says_no_number_of_cpus(void **state)
{
	struct zf *f = *state;

	f->board.n_cpus = 0;
	zf_zone(f, "linux1", 1)->cpus = UINT64_C(1) << 9;
	zf_expect_clean(f);
}

static void cpus_of_zone0(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1)->cpus = 2;
	zf_expect(f, HV_ERROR, "cpu-zone0", "CPU 1 belongs to zone0", "linux1", "cpus", 102);
	zf_expect_other(f, "cpu-zone0", "zone0", "cpus", 0);
}

static void cpus_of_another_zone(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2)->cpus = 1 << 2;
	zf_expect(f, HV_ERROR, "cpu-taken", "CPU 2 belongs to linux1", "linux2", "cpus", 202);
	zf_expect_other(f, "cpu-taken", "linux1", "cpus", 102);
	zf_expect_fix(f, "cpu-taken", "CPUs 3, 4, 5, 6 and 7");
}

static void cpus_of_a_running_zone(void **state)
{
	struct zf *f = *state;

	start_one(f, zf_zone(f, "linux1", 1));
	zf_zone(f, "linux2", 2)->cpus = 1 << 2;
	zf_expect(f, HV_ERROR, "cpu-taken", "CPU 2 belongs to linux1", "linux2", "cpus", 202);
	zf_expect_other(f, "cpu-taken", "linux1", "cpus (running)", 0);
}

static void memory_of_another_zone(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	move_ram(f, zf_zone(f, "linux2", 2), ZF_RAM(1) + 0x4000000, ZF_RAM_SIZE);
	zf_expect(f, HV_ERROR, "memory-overlap", "0x54000000..0x58000000 (64M) belongs to linux1",
		  "linux2", "ram", 210);
	zf_expect_other(f, "memory-overlap", "linux1", "ram", 110);
	/* Behind hvisor's own memory, the lowest place that holds 128M. */
	zf_expect_fix(f, "memory-overlap", "linux2 could start at 0x44800000: 128M are free there");
}

static void memory_of_a_running_zone(void **state)
{
	struct zf *f = *state;

	start_one(f, zf_zone(f, "linux1", 1));
	move_ram(f, zf_zone(f, "linux2", 2), ZF_RAM(1), ZF_RAM_SIZE);
	zf_expect(f, HV_ERROR, "memory-overlap", "belongs to linux1", "linux2", "ram",
		  210);
	zf_expect_other(f, "memory-overlap", "linux1", "ram (running)", 0);
}

static void a_running_zone_is_no_conflict_with_itself(void **state)
{
	struct zf *f = *state;

	start_one(f, zf_zone(f, "linux1", 1));
	zf_zone(f, "linux1", 1);
	zf_expect_clean(f);
}

static void memory_of_zone0(void **state)
{
	struct zf *f = *state;

	move_ram(f, zf_zone(f, "linux1", 1), 0x9c000000, ZF_RAM_SIZE);
	zf_expect(f, HV_ERROR, "memory-zone0", "0xa0000000..0xa4000000 (64M) belongs to zone0",
		  "linux1", "ram", 110);
	assert_string_equal(zf_find(f, "memory-zone0")->b.zone, "zone0");
}

/* The same, known from the board alone. */
static void memory_of_zone0_by_the_board(void **state)
{
	struct zf *f = *state;

	f->machine.host = NULL;
	move_ram(f, zf_zone(f, "linux1", 1), 0x9c000000, ZF_RAM_SIZE);
	zf_expect(f, HV_ERROR, "memory-zone0", "belongs to zone0", "linux1", "ram",
		  110);
}

static void memory_that_zone0_reserves(void **state)
{
	struct hv_host_range system = { 0x80000000, 0x40000000, "System RAM", false };
	struct hv_host_range kept[] = {
		{ 0x90000000, ZF_RAM_SIZE, "zone1@90000000", false },
		{ 0x98000000, 0x1000, "reserved", false },
	};
	struct zf *f = *state;
	struct hv_host host = { .n_ram = 1,
				.ram = &system,
				.n_reserved = 2,
				.reserved = kept,
				.cpus = 3,
				.addresses_known = true };
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	f->machine.host = &host;
	move_ram(f, z, 0x90000000, ZF_RAM_SIZE);
	zf_expect_clean(f);

	/* Partly outside: the rest is zone0's, what its kernel calls "reserved" included. One
	 * finding. */
	move_ram(f, z, 0x90000000, ZF_RAM_SIZE + 0x200000);
	zf_expect(f, HV_ERROR, "memory-zone0", "0x98000000..0x98200000", "linux1",
		  "ram", 110);

	/* On both sides of it: still one. */
	move_ram(f, z, 0x8f000000, ZF_RAM_SIZE + 0x2000000);
	zf_expect(f, HV_ERROR, "memory-zone0", "belongs to zone0", "linux1", "ram",
		  110);
}

static void memory_of_the_hypervisor(void **state)
{
	struct zf *f = *state;

	move_ram(f, zf_zone(f, "linux1", 1), 0x44000000, ZF_RAM_SIZE);
	zf_expect(f, HV_ERROR, "memory-hypervisor", "belongs to hvisor", "linux1",
		  "ram", 110);
	zf_expect_other(f, "memory-hypervisor", "hvisor", "memory", 0);
}

static void memory_that_does_not_exist(void **state)
{
	struct zf *f = *state;

	move_ram(f, zf_zone(f, "linux1", 1), 0xbc000000, ZF_RAM_SIZE);
	f->board.n_root_ram = 0;
	f->machine.host = NULL;
	zf_expect(f, HV_ERROR, "memory-missing", "is not all RAM of the board test board", "linux1",
		  "ram", 110);
	zf_expect_fix(f, "memory-missing", "linux1 could start at");
}

static void registers_of_two_zones(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1), *two = zf_zone(f, "linux2", 2);
	struct hv_spec_region *a = zf_region(f, one, HV_REGION_IO, 0x9000000, 0x1000);
	struct hv_spec_region *b = zf_region(f, two, HV_REGION_IO, 0x9000000, 0x1000);

	a->name = b->name = "uart0";
	zf_expect(f, HV_ERROR, "memory-overlap", "0x9000000..0x9001000 (4K)", "linux2", "uart0",
		  211);
	zf_expect_other(f, "memory-overlap", "linux1", "uart0", 111);
	zf_expect_fix(f, "memory-overlap", "shared = true");
	a->shared = true;
	zf_expect(f, HV_ERROR, "memory-overlap", "linux1", "linux2", "uart0", 211);
	b->shared = true;
	zf_expect_clean(f);
}

static void registers_shared_with_a_running_zone(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct hv_spec_region *r;

	zf_region(f, z, HV_REGION_IO, 0x9000000, 0x1000);
	start_one(f, z);
	r = zf_region(f, zf_zone(f, "linux2", 2), HV_REGION_IO, 0x9000000, 0x1000);
	r->name = "uart0";
	zf_expect(f, HV_ERROR, "memory-overlap", "belongs to linux1", "linux2", "uart0", 211);
	r->shared = true;
	zf_expect(f, HV_WARNING, "memory-shared", "running zone linux1", "linux2", "uart0", 211);
}

static void interrupts_of_two_zones(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1), *two = zf_zone(f, "linux2", 2);

	zf_irq(f, one, 76);
	zf_irq(f, one, 78);
	zf_irq(f, two, 78);
	zf_irq(f, two, 76);
	zf_expect(f, HV_ERROR, "irq-taken", "interrupts 78 and 76 belong to linux1", "linux2",
		  "interrupts", 220);
	zf_expect_other(f, "irq-taken", "linux1", "interrupts", 120);
}

static void interrupts_of_a_running_zone(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct hv_spec_device *d;

	zf_irq(f, z, 76);
	start_one(f, z);
	z = zf_zone(f, "linux2", 2);
	z->dtb.present = false;
	d = zf_device(f, z, "console", "hvc0");
	d->has_at = true;
	d->at = 0xa003800;
	zf_expect(f, HV_ERROR, "irq-taken", "interrupt 76 belongs to linux1", "linux2",
		  "console hvc0", 250);
	zf_expect_other(f, "irq-taken", "linux1", "interrupts (running)", 0);
	zf_expect_fix(f, "irq-taken", "at = 0xa000000, irq = 48");
}

static void one_interrupt_for_two_devices(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	z->dtb.present = false;
	for (int i = 0; i < 2; i++) {
		struct hv_spec_device *d = zf_device(f, z, "blk", i ? "b" : "a");

		d->has_irq = true;
		d->irq = 60;
	}
	zf_expect(f, HV_ERROR, "irq-duplicate", "60 is used by blk a and blk b", "linux1", "blk b",
		  155);
	zf_expect_other(f, "irq-duplicate", "linux1", "blk a", 152);
}

static void the_wakeup_interrupt(void **state)
{
	struct zf *f = *state;

	zf_irq(f, zf_zone(f, "linux1", 1), 64);
	zf_expect(f, HV_ERROR, "irq-wakeup", "interrupt 64", "linux1", "interrupts", 120);
}

static void a_foreign_zone_is_a_warning(void **state)
{
	struct zf *f = *state;
	struct hv_abi_zone abi = { .id = 3, .cpus = 1 << 7, .name = "stranger" };
	const struct hv_finding *x;

	abi.arm64.gic_version = 3;
	assert_int_equal(hv_hyp_zone_start(f->hyp, &abi, &f->err), 0);
	zf_zone(f, "linux1", 1);
	zf_expect(f, HV_WARNING, "running-unknown", "stranger (id 3)", "stranger", "running zone",
		  0);
	/* Its CPUs are known, all the same. */
	zf_new_set(f);
	zf_zone(f, "linux1", 1)->cpus = 1 << 7;
	zf_check(f);
	x = zf_find(f, "cpu-taken");
	assert_string_equal(x->b.zone, "stranger");
}

static void pci_devices(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1), *two = zf_zone(f, "linux2", 2);

	/* Each zone has the host bridge. */
	zf_pci(f, one, 0, 0);
	zf_pci(f, two, 0, 0);
	zf_expect_clean(f);
	zf_pci(f, one, 6, 1);
	zf_pci(f, two, 6, 1);
	zf_expect(f, HV_ERROR, "pci-taken", "PCI 0000:06:01.0 belongs to linux1", "linux2",
		  "PCI 0000:06:01.0", 280);
	zf_expect_other(f, "pci-taken", "linux1", "PCI 0000:06:01.0", 180);
	zf_new_set(f);
	one = zf_zone(f, "linux1", 1);
	zf_pci(f, one, 6, 1);
	zf_pci(f, one, 6, 1);
	zf_expect(f, HV_ERROR, "pci-duplicate", "listed twice", "linux1", "PCI 0000:06:01.0", 180);
}

static void pci_device_of_a_running_zone(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	zf_pci(f, z, 6, 1);
	start_one(f, z);
	zf_pci(f, zf_zone(f, "linux2", 2), 6, 1);
	zf_expect(f, HV_ERROR, "pci-taken", "running zone linux1", "linux2", "PCI 0000:06:01.0",
		  280);
}

static void ivc_channels(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1), *two = zf_zone(f, "linux2", 2);
	struct hv_spec_ivc *v;

	zf_ivc(f, one, 7, 0);
	one->dtb.present = false;
	zf_expect(f, HV_NOTE, "ivc-alone", "channel 7", "linux1", "ivc 7 peer 0", 190);
	v = zf_ivc(f, two, 7, 1);
	zf_expect_clean(f);
	v->ivc.peer_id = 0;
	zf_expect(f, HV_ERROR, "ivc-peer", "both ends of channel 7 are peer 0", "linux2",
		  "ivc 7 peer 0", 290);
	zf_expect_other(f, "ivc-peer", "linux1", "ivc 7 peer 0", 190);
	v->ivc.peer_id = 2;
	zf_expect(f, HV_ERROR, "ivc-peer", "peer id 2 does not fit 2", "linux2", "ivc 7 peer 2",
		  290);
	v->ivc.peer_id = 1;
	v->ivc.out_sec_size = 0x2000;
	zf_expect(f, HV_ERROR, "ivc-mismatch", "0x1000 and 0x2000, 2 peers here", "linux2",
		  "ivc 7 peer 1", 290);
	v->ivc.out_sec_size = 0x1000;
	v->ivc.interrupt = 1024;
	zf_expect(f, HV_ERROR, "irq-range", "1024", "linux2", "ivc 7 peer 1", 290);
	v->ivc.interrupt = 65;
	v->ivc.rw_sec_size = 0x800;
	zf_check(f);
	assert_int_equal(zf_find(f, "ivc-misaligned")->a.origin.line, 290);
	v->ivc.rw_sec_size = 0x1000;
	v->ivc.shared_mem_ipa = ZF_RAM(2);
	zf_expect(f, HV_ERROR, "ivc-overlap", "overlap a region", "linux2", "ivc 7 peer 1", 290);
	zf_expect_other(f, "ivc-overlap", "linux2", "ram", 210);
	v->ivc.shared_mem_ipa = v->ivc.control_table_ipa;
	zf_expect(f, HV_ERROR, "ivc-overlap", "control table", "linux2", "ivc 7 peer 1", 290);
	v->ivc.shared_mem_ipa = UINT64_MAX - 0xfff;
	zf_expect(f, HV_ERROR, "region-range", "48 bits", "linux2", "ivc 7 peer 1", 290);
}

static void ivc_listed_twice(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);

	zf_ivc(f, z, 7, 0);
	zf_ivc(f, z, 7, 1);
	zf_expect(f, HV_ERROR, "ivc-duplicate", "channel 7 is listed twice", "linux1",
		  "ivc 7 peer 1", 190);
}

static void windows_of_two_zones(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z[2] = { zf_zone(f, "linux1", 1), zf_zone(f, "linux2", 2) };

	for (int i = 0; i < 2; i++) {
		struct hv_spec_device *d = zf_device(f, z[i], "blk", "root");

		z[i]->dtb.present = false;
		d->has_at = d->has_irq = true;
		d->at = ZF_SLOTS;
		d->irq = 48 + (uint32_t)i;
	}
	zf_expect(f, HV_WARNING, "window-shared", "0xa000000 is used in zone linux1", "linux2",
		  "blk root", 251);
	zf_expect_other(f, "window-shared", "linux1", "blk root", 151);
}

static void the_map_shows_all(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct hv_memmap *map;
	unsigned int seen = 0;

	zf_device(f, z, "blk", "root");
	start_one(f, z);
	zf_zone(f, "linux2", 2);
	zf_check(f);
	assert_int_equal(hv_zone_set_memmap(f->set, &f->machine, &map, &f->err), 0);
	for (size_t i = 0; i < hv_memmap_count(map); i++)
		seen |= 1u << hv_memmap_at(map, i)->kind;
	assert_int_equal(seen, 1u << HV_SPAN_RAM | 1u << HV_SPAN_VIRTIO | 1u << HV_SPAN_ROOT |
				       1u << HV_SPAN_HYPERVISOR | 1u << HV_SPAN_WINDOW);
	hv_memmap_free(map);
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(cpus_none),
		T(cpus_that_do_not_exist),
		T(a_board_that_says_no_number_of_cpus),
		T(cpus_of_zone0),
		T(cpus_of_another_zone),
		T(cpus_of_a_running_zone),
		T(memory_of_another_zone),
		T(memory_of_a_running_zone),
		T(a_running_zone_is_no_conflict_with_itself),
		T(memory_of_zone0),
		T(memory_of_zone0_by_the_board),
		T(memory_that_zone0_reserves),
		T(memory_of_the_hypervisor),
		T(memory_that_does_not_exist),
		T(registers_of_two_zones),
		T(registers_shared_with_a_running_zone),
		T(interrupts_of_two_zones),
		T(interrupts_of_a_running_zone),
		T(one_interrupt_for_two_devices),
		T(the_wakeup_interrupt),
		T(a_foreign_zone_is_a_warning),
		T(pci_devices),
		T(pci_device_of_a_running_zone),
		T(ivc_channels),
		T(ivc_listed_twice),
		T(windows_of_two_zones),
		T(the_map_shows_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
