// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dts.h"

static void note(void *arg, const char *node_path, const char *message)
{
	char *notes = arg;
	size_t n = strlen(notes);

	snprintf(notes + n, 4096 - n, "%s: %s\n", node_path, message);
}

static void read_machine(const char *name, struct hv_fdt **tree, struct hv_fdt_machine *m,
			 char notes[4096])
{
	struct hv_err err;

	notes[0] = '\0';
	*tree = dts_open(name);
	assert_int_equal(hv_fdt_machine(*tree, m, note, notes, &err), 0);
}

static void test_virt(void **state)
{
	struct hv_fdt_machine m;
	struct hv_fdt *tree;
	char notes[4096];

	(void)state;
	read_machine("virt_gicv3", &tree, &m, notes);
	assert_string_equal(notes, "");
	assert_int_equal(m.n_cpus, 2);
	assert_int_equal(m.n_memory, 2);
	assert_int_equal(m.memory[0].start, 0x50000000);
	assert_int_equal(m.memory[1].start, 0x880000000);
	assert_int_equal(m.memory[1].size, 0x100000000);
	assert_int_equal(m.n_virtio, 2);
	assert_int_equal(m.virtio[0].start, 0xa003600);
	assert_int_equal(m.virtio[0].size, 0x200);
	assert_int_equal(m.virtio[0].irq.number, 75);
	assert_int_equal(m.virtio[0].node, dts_node(tree, "/virtio@a003600"));
	assert_int_equal(m.virtio[1].irq.number, 78);
	assert_int_equal(m.irqc, HV_IRQC_GICV3);
	assert_int_equal(m.irqc_node, dts_node(tree, "/intc@8000000"));
	assert_int_equal(m.n_irqc_reg, 2);
	assert_int_equal(m.irqc_reg[1].start, 0x80a0000);
	assert_int_equal(m.irqc_reg[1].size, 0xf60000);
	assert_true(m.has_its);
	assert_string_equal(m.bootargs, "console=ttyAMA0 root=/dev/vda");
	assert_true(m.has_initrd);
	assert_int_equal(m.initrd_start, 0x58000000);
	assert_int_equal(m.initrd_end, 0x58200000);
	hv_fdt_close(tree);
}

static void test_gicv2(void **state)
{
	struct hv_fdt_machine m;
	struct hv_fdt *tree;
	char notes[4096];

	(void)state;
	read_machine("gicv2", &tree, &m, notes);
	assert_non_null(strstr(notes, "/memory: reg entry 1 has size 0"));
	assert_non_null(strstr(notes, "/memory@90000000: has no device_type"));
	assert_non_null(strstr(notes, "/soc/virtio@a000000: goes to"));
	assert_non_null(strstr(notes, "/soc/virtio: has no reg"));
	assert_int_equal(m.n_cpus, 0);
	assert_int_equal(m.n_memory, 1);
	assert_int_equal(m.n_virtio, 1);
	assert_int_equal(m.virtio[0].irq.controller, HV_IRQC_NONE);
	assert_int_equal(m.irqc, HV_IRQC_GICV2);
	assert_int_equal(m.n_irqc_reg, 4);
	assert_int_equal(m.irqc_reg[3].start, 0x8040000);
	assert_false(m.has_its);
	assert_null(m.bootargs);
	assert_false(m.has_initrd);
	hv_fdt_close(tree);
}

static void test_riscv(void **state)
{
	struct hv_fdt_machine m;
	struct hv_fdt *tree;
	char notes[4096];

	(void)state;
	read_machine("riscv_plic", &tree, &m, notes);
	assert_string_equal(notes, "");
	assert_int_equal(m.n_cpus, 1);
	/* Not the hart's own controller, which comes before it. */
	assert_int_equal(m.irqc, HV_IRQC_PLIC);
	assert_int_equal(m.irqc_reg[0].start, 0xc000000);
	assert_int_equal(m.virtio[0].irq.number, 1);
	hv_fdt_close(tree);
}

static void test_broken(void **state)
{
	struct hv_fdt_machine m;
	struct hv_fdt *tree;
	char notes[4096];

	(void)state;
	read_machine("broken", &tree, &m, notes);
	assert_non_null(strstr(notes, "/chosen: bootargs is not a terminated string"));
	assert_non_null(strstr(notes, "/chosen: has only one of"));
	assert_non_null(strstr(notes, "/memory@0: reg has 12 bytes"));
	assert_null(m.bootargs);
	assert_false(m.has_initrd);
	assert_int_equal(m.n_memory, 0);
	assert_int_equal(hv_fdt_machine(tree, &m, NULL, NULL, NULL), 0);
	hv_fdt_close(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virt),
		cmocka_unit_test(test_gicv2),
		cmocka_unit_test(test_riscv),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
