// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dts.h"

struct irq_case {
	const char *path;
	unsigned int i;
	int rc;
	enum hv_irq_controller controller;
	uint32_t number;
	enum hv_irq_trigger trigger;
	const char *says; /* part of the message, or the controller's path */
};

static void check(const char *name, const struct irq_case *cases, size_t n)
{
	struct hv_fdt *tree = dts_open(name);

	for (size_t i = 0; i < n; i++) {
		const struct irq_case *c = &cases[i];
		struct hv_err err = { 0 };
		struct hv_fdt_irq irq;
		char path[256];
		int rc = hv_fdt_irq(tree, dts_node(tree, c->path), c->i, &irq, &err);

		if (rc != c->rc || irq.controller != c->controller || irq.number != c->number ||
		    irq.trigger != c->trigger)
			fail_msg("%s irq %u: %d controller %d number %u trigger %d (%s)", c->path,
				 c->i, rc, (int)irq.controller, irq.number, (int)irq.trigger,
				 err.msg);
		if (rc && (!strstr(err.msg, c->says) || !strstr(err.msg, c->path)))
			fail_msg("%s irq %u says: %s", c->path, c->i, err.msg);
		if (!rc && c->says)
			assert_string_equal(
				hv_fdt_path(tree, irq.controller_node, path, sizeof(path)),
				c->says);
	}
	hv_fdt_close(tree);
}
#define CHECK(name, cases) check(name, cases, sizeof(cases) / sizeof(*(cases)))

#define NONE HV_IRQC_NONE, 0, HV_IRQ_TRIGGER_UNKNOWN
#define OTHER HV_IRQC_OTHER, 0, HV_IRQ_TRIGGER_UNKNOWN

static void test_gicv3(void **state)
{
	static const struct irq_case cases[] = {
		{ "/virtio@a003600", 0, 0, HV_IRQC_GICV3, 75, HV_IRQ_EDGE_RISING, "/intc@8000000" },
		{ "/virtio@a003c00", 0, 0, HV_IRQC_GICV3, 78, HV_IRQ_LEVEL_HIGH, NULL },
		{ "/virtio@a003c00", 1, -ENOENT, NONE, "no entry 1" },
		{ "/timer", 0, 0, HV_IRQC_GICV3, 29, HV_IRQ_LEVEL_HIGH, NULL },
		{ "/timer", 1, 0, HV_IRQC_GICV3, 30, HV_IRQ_LEVEL_LOW, NULL },
		{ "/timer", 2, 0, HV_IRQC_GICV3, 4101, HV_IRQ_EDGE_RISING, NULL },
		{ "/timer", 3, 0, HV_IRQC_GICV3, 1063, HV_IRQ_EDGE_FALLING, NULL },
		{ "/key", 0, -EOPNOTSUPP, OTHER, "arm,pl061" },
		{ "/wide", 0, -EOPNOTSUPP, OTHER, "/pl061@9030000" },
		{ "/wide", 1, -ENODATA, NONE, "empty slot" },
		{ "/wide", 2, 0, HV_IRQC_GICV3, 72, HV_IRQ_EDGE_RISING, NULL },
		{ "/wide", 3, -ENOENT, NONE, "no entry 3" },
		{ "/cpus", 0, -ENOENT, NONE, "has no interrupts" },
	};

	(void)state;
	CHECK("virt_gicv3", cases);
}

static void test_gicv2(void **state)
{
	static const struct irq_case cases[] = {
		{ "/soc/serial@9000000", 0, 0, HV_IRQC_GICV2, 33, HV_IRQ_LEVEL_HIGH, NULL },
		{ "/soc/serial@9000000", 1, 0, HV_IRQC_GICV2, 1019, HV_IRQ_LEVEL_LOW, NULL },
		{ "/soc/serial@9000000", 2, -EINVAL, NONE, "988 does not exist" },
		{ "/soc/serial@9000000", 3, -EINVAL, NONE, "private peripheral interrupt 16" },
		{ "/soc/serial@9000000", 4, -EINVAL, NONE, "type 2 is unknown to a GICv2" },
		{ "/soc/audio", 0, -EOPNOTSUPP, OTHER, "702f9000" },
	};

	(void)state;
	CHECK("gicv2", cases);
}

static void test_riscv(void **state)
{
	static const struct irq_case cases[] = {
		{ "/soc/virtio_mmio@10001000", 0, 0, HV_IRQC_PLIC, 1, HV_IRQ_TRIGGER_UNKNOWN,
		  NULL },
		{ "/soc/virtio_mmio@10001000", 1, 0, HV_IRQC_PLIC, 95, HV_IRQ_TRIGGER_UNKNOWN,
		  NULL },
		{ "/soc/virtio_mmio@10001000", 2, -EINVAL, NONE, "riscv,ndev is 95" },
		{ "/soc/virtio_mmio@10001000", 3, -EINVAL, NONE, "source 0" },
		{ "/soc/uart@10000000", 0, 0, HV_IRQC_APLIC, 10, HV_IRQ_LEVEL_HIGH,
		  "/soc/aplic@d000000" },
		{ "/soc/uart@10000000", 1, -EINVAL, NONE, "riscv,num-sources is 96" },
		{ "/soc/mmc@10002000", 0, 0, HV_IRQC_PLIC, 62, HV_IRQ_EDGE_RISING, NULL },
		{ "/soc/plic@c000000", 0, -EOPNOTSUPP, OTHER, "riscv,cpu-intc" },
	};

	(void)state;
	CHECK("riscv_plic", cases);
}

static void test_interrupt_map(void **state)
{
	static const struct irq_case cases[] = {
		{ "/pcie@10000000/dev@0", 0, 0, HV_IRQC_GICV3, 35, HV_IRQ_LEVEL_HIGH,
		  "/gic@8000000" },
		{ "/pcie@10000000/dev@0", 1, 0, HV_IRQC_GICV3, 36, HV_IRQ_LEVEL_HIGH, NULL },
		{ "/pcie@10000000/dev@0", 2, -EINVAL, NONE, "no row" },
		{ "/pcie@10000000/dev@1", 0, 0, HV_IRQC_GICV2, 37, HV_IRQ_EDGE_RISING,
		  "/gic@6000000" },
		{ "/pcie@10000000/dev@1", 1, 0, HV_IRQC_GICV3, 103, HV_IRQ_LEVEL_LOW,
		  "/gic@8000000" },
		{ "/pcie@10000000/homeless", 0, -EINVAL, NONE, "which reg does not give" },
		{ "/lost", 0, -EINVAL, NONE, "circle" },
	};

	(void)state;
	CHECK("interrupt_map", cases);
}

static void test_handed_on(void **state)
{
	static const struct irq_case cases[] = {
		{ "/by-front", 0, 0, HV_IRQC_GICV3, 42, HV_IRQ_LEVEL_HIGH, "/gic@1000000" },
		{ "/by-front", 1, 0, HV_IRQC_GICV3, 43, HV_IRQ_EDGE_RISING, NULL },
		{ "/by-front", 2, -EOPNOTSUPP, OTHER, "mediatek,mt8173-sysirq" },
		{ "/by-gpc", 0, 0, HV_IRQC_GICV3, 44, HV_IRQ_LEVEL_LOW, NULL },
		{ "/by-pdc", 0, 0, HV_IRQC_GICV3, 514, HV_IRQ_LEVEL_HIGH, NULL },
		{ "/by-pdc", 1, 0, HV_IRQC_GICV3, 554, HV_IRQ_EDGE_RISING, NULL },
		{ "/by-pdc", 2, -EINVAL, NONE, "no row of qcom,pdc-ranges" },
		{ "/by-channel", 0, -EOPNOTSUPP, OTHER, "driver chooses a channel" },
		{ "/gpio-intc@2300000", 1, 0, HV_IRQC_GICV3, 97, HV_IRQ_TRIGGER_UNKNOWN, NULL },
		{ "/gpio-intc@2300000", 2, -ENOENT, NONE, "no entry 2" },
		{ "/no-gic", 0, -EOPNOTSUPP, NONE, "below a GIC only" },
	};

	(void)state;
	CHECK("routes", cases);
}

static void test_malformed(void **state)
{
	static const struct irq_case cases[] = {
		{ "/ring-b", 0, -EINVAL, NONE, "circle" },
		{ "/self", 0, -EINVAL, NONE, "circle" },
		{ "/no-parent", 0, -EINVAL, NONE, "no interrupt-parent" },
		{ "/nobody", 0, -EINVAL, NONE, "phandle 0x99" },
		{ "/of-no-cells", 0, -EINVAL, NONE, "#interrupt-cells of /no-cells is 0" },
		{ "/of-no-controller", 0, -EINVAL, NONE, "neither an interrupt-controller" },
		{ "/extended-nobody", 0, -EINVAL, NONE, "phandle 0x99" },
		{ "/extended-short", 0, -EINVAL, NONE, "ends inside" },
		{ "/extended-bytes", 0, -EINVAL, NONE, "3 bytes" },
		{ "/odd-length", 0, -EINVAL, NONE, "8 bytes" },
		{ "/of-thin-gic", 0, -EINVAL, NONE, "takes at least 3" },
		{ "/of-many-cells", 0, -EINVAL, NONE, "up to 16" },
		{ "/of-map-short", 0, -EINVAL, NONE, "ends inside a row" },
		{ "/of-map-nobody", 0, -EINVAL, NONE, "phandle 0x99" },
		{ "/of-map-mask", 0, -EINVAL, NONE, "interrupt-map-mask of /map-mask has 8 bytes" },
	};

	(void)state;
	CHECK("broken", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gicv3),	  cmocka_unit_test(test_gicv2),
		cmocka_unit_test(test_riscv),	  cmocka_unit_test(test_interrupt_map),
		cmocka_unit_test(test_handed_on),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
