// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone_fixture.h"

/* The tree a zone is given, against the zone. Each case changes the tree or the zone. */

struct wrong {
	enum hv_severity severity;
	const char *code;
	void (*change)(struct zf *f, struct hv_zone_spec *z, struct zf_tree *t);
	const char *part, *what;
	int line;
	const char *other_what; /* NULL = no second owner */
	int other_line;
};

#define CASE(name) static void name(struct zf *f, struct hv_zone_spec *z, struct zf_tree *t)

CASE(memory_elsewhere)
{
	(void)f, (void)z;
	t->mem_start -= 0x1000000;
}

CASE(memory_too_large)
{
	(void)f, (void)z;
	t->mem_size *= 2;
}

CASE(no_memory)
{
	(void)f, (void)z;
	t->mem_size = 0;
}

CASE(memory_unused)
{
	(void)f, (void)z;
	t->mem_size = 64 * HV_MIB;
}

CASE(more_cpus)
{
	(void)f, (void)z;
	t->n_cpus = 2;
}

CASE(fewer_cpus)
{
	(void)f, (void)t;
	z->cpus |= 1 << 6;
}

CASE(other_gic)
{
	(void)f, (void)z;
	t->gic = 2;
}

CASE(gicd_elsewhere)
{
	(void)f, (void)z;
	t->gicd = 0x38800000;
}

CASE(gicr_elsewhere)
{
	(void)f, (void)z;
	t->gicr = 0x38880000;
}

CASE(no_controller)
{
	(void)f, (void)z;
	t->gic = 0;
}

CASE(its_without_gits)
{
	(void)f, (void)z;
	t->its = true;
}

CASE(its)
{
	z->has_arch_config = true;
	z->arm64 = f->board.gic;
	z->arm64.gits_base = 0x8080000;
	z->arm64.gits_size = 0x20000;
	t->its = true;
}

static void node(struct zf_tree *t, uint64_t at, uint32_t irq)
{
	t->virtio[t->n_virtio].at = at;
	t->virtio[t->n_virtio++].irq = irq;
}

static void device(struct zf *f, struct hv_zone_spec *z, uint64_t at, uint32_t irq)
{
	struct hv_spec_device *d = zf_device(f, z, "console", "hvc0");

	d->has_at = d->has_irq = true;
	d->at = at;
	d->irq = irq;
}

/* The published pair whose file grants 76 where the tree needs 77. */
CASE(irq_differs)
{
	device(f, z, 0xa003800, 76);
	node(t, 0xa003800, 77);
}

CASE(node_without_device)
{
	device(f, z, 0xa003800, 76);
	node(t, 0xa003800, 76);
	node(t, 0xa003c00, 78);
}

CASE(node_in_region_without_device)
{
	zf_region(f, z, HV_REGION_VIRTIO, ZF_SLOTS, 0x4000);
	device(f, z, 0xa003800, 76);
	node(t, 0xa003800, 76);
	node(t, 0xa003c00, 78);
}

CASE(nobody_serves)
{
	zf_region(f, z, HV_REGION_VIRTIO, ZF_SLOTS, 0x4000);
	zf_irq(f, z, 78);
	node(t, 0xa003c00, 78);
}

CASE(device_without_node)
{
	(void)t;
	device(f, z, 0xa003800, 76);
}

CASE(irq_missing)
{
	zf_irq(f, z, 34);
	t->uart_irq = 33;
}

CASE(no_bootargs)
{
	(void)f, (void)z;
	t->bootargs = NULL;
}

CASE(initrd_promised)
{
	(void)f, (void)z;
	t->initrd_start = ZF_RAM(1) + 0x2000000;
	t->initrd_end = t->initrd_start + 0x1000;
}

static const struct wrong cases[] = {
	{ HV_ERROR, "dtb-memory", memory_elsewhere, "0x4f000000+0x8000000 (128M)", NULL, 132,
	  "ram", 110 },
	{ HV_ERROR, "dtb-memory", memory_too_large, "256M", NULL, 132, "ram", 110 },
	{ HV_WARNING, "dtb-no-memory", no_memory, "no memory node", NULL, 132, NULL, 0 },
	{ HV_NOTE, "dtb-memory-unused", memory_unused, "64M of the zone's RAM", NULL, 132, NULL,
	  0 },
	{ HV_ERROR, "dtb-cpus", more_cpus, "2 CPUs, the zone 1", NULL, 132, "cpus", 102 },
	{ HV_WARNING, "dtb-cpus", fewer_cpus, "1 CPU, the zone 2", NULL, 132, "cpus", 102 },
	{ HV_ERROR, "dtb-irqc", other_gic, "a GICv2, the zone a GICv3", NULL, 132, "GICv3", 138 },
	{ HV_ERROR, "dtb-irqc", gicd_elsewhere, "distributor at 0x38800000, the zone at 0x8000000",
	  NULL, 132, "GIC distributor", 138 },
	{ HV_ERROR, "dtb-irqc", gicr_elsewhere, "redistributors at 0x38880000", NULL, 132,
	  "GIC redistributors", 138 },
	{ HV_WARNING, "dtb-irqc", no_controller, "no interrupt controller", NULL, 132, NULL, 0 },
	{ HV_ERROR, "dtb-its", its_without_gits, "gits size 0", NULL, 132, "gic", 138 },
	{ HV_WARNING, "dtb-its-restart", its, "second time", NULL, 132, "gic", 138 },
	{ HV_ERROR, "dtb-irq", irq_differs,
	  "/virtio_mmio@a003800 waits for interrupt 77, console hvc0 has 76", NULL, 132,
	  "console hvc0", 152 },
	{ HV_ERROR, "dtb-virtio", node_without_device, "/virtio_mmio@a003c00 at 0xa003c00", NULL,
	  132, NULL, 0 },
	{ HV_ERROR, "dtb-virtio", node_in_region_without_device, "hang in the hypervisor", NULL,
	  132, NULL, 0 },
	{ HV_WARNING, "dtb-virtio", nobody_serves, "hangs in the hypervisor", NULL, 132, NULL, 0 },
	{ HV_WARNING, "dtb-no-device", device_without_node, "console hvc0 at 0xa003800",
	  "console hvc0", 150, "dtb case.dtb", 132 },
	{ HV_WARNING, "dtb-irq-missing", irq_missing, "interrupt 33", NULL, 132, NULL, 0 },
	{ HV_NOTE, "dtb-bootargs", no_bootargs, "no command line", NULL, 132, NULL, 0 },
	{ HV_WARNING, "dtb-initrd", initrd_promised, "0x52000000..0x52001000", NULL, 132, NULL, 0 },
};

static void each_mismatch_is_found(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct wrong *w = &cases[i];
		struct zf *f = *state;
		struct hv_zone_spec *z;
		struct zf_tree t;

		print_message("  %s\n", w->code);
		zf_new_set(f);
		z = zf_zone(f, "linux1", 1);
		t = zf_tree_of(z);
		w->change(f, z, &t);
		z->dtb.path = zf_dtb(f, "case.dtb", &t);
		zf_expect(f, w->severity, w->code, w->part, "linux1", w->what ?: "dtb case.dtb",
			  w->line);
		if (w->other_what)
			zf_expect_other(f, w->code, "linux1", w->other_what, w->other_line);
	}
}

static void a_tree_that_agrees(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct zf_tree t = zf_tree_of(z);

	device(f, z, 0xa003800, 76);
	node(&t, 0xa003800, 76);
	/* A real device of the board that is passed through, and its interrupt. */
	zf_region(f, z, HV_REGION_IO, 0xb000000, 0x1000);
	zf_irq(f, z, 79);
	node(&t, 0xb000000, 79);
	zf_irq(f, z, 33);
	t.uart_irq = 33;
	z->dtb.path = zf_dtb(f, "good.dtb", &t);
	zf_expect_clean(f);
}

static void memory_over_two_adjacent_regions(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct zf_tree t = zf_tree_of(z);

	zf_region(f, z, HV_REGION_RAM, ZF_RAM(1) + ZF_RAM_SIZE, 64 * HV_MIB);
	t.mem_size += 64 * HV_MIB;
	z->dtb.path = zf_dtb(f, "two.dtb", &t);
	zf_expect_clean(f);
	t.mem_size += 0x1000;
	z->dtb.path = zf_dtb(f, "two.dtb", &t);
	zf_expect(f, HV_ERROR, "dtb-memory", "0x50000000+0xc001000", "linux1", "dtb two.dtb", 132);
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_mismatch_is_found),
		T(a_tree_that_agrees),
		T(memory_over_two_adjacent_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
