// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dts.h"
#include "fdt/passthrough.h"

#define CLKC "/soc/bus@ff600000/bus@3c000/system-controller@0/clock-controller"
#define RESET "/soc/bus@ffd00000/reset-controller@1004"

struct box {
	struct hv_fdt *tree;
	struct hv_fdt_passthrough *made;
	const struct hv_fdt_plan *plan;
};

static void open_plan(struct box *box, const struct hv_fdt_passthrough_opts *opts)
{
	struct hv_err err;

	box->tree = dts_open("sm1");
	if (hv_fdt_passthrough_new(box->tree, opts, &box->made, &err))
		fail_msg("%s", err.msg);
	box->plan = hv_fdt_passthrough_plan(box->made);
}

static void close_plan(struct box *box)
{
	hv_fdt_passthrough_free(box->made);
	hv_fdt_close(box->tree);
}

#define OPEN(box, ...)                                                                             \
	open_plan(box, &(struct hv_fdt_passthrough_opts){                                          \
			       .devices = (const char *const[]){ __VA_ARGS__ },                    \
			       .n_devices = sizeof((const char *const[]){ __VA_ARGS__ }) /         \
					    sizeof(char *) })

static const struct hv_fdt_plan_node *node(const struct box *box, const char *path)
{
	for (size_t i = 0; i < box->plan->n_nodes; i++)
		if (strcmp(box->plan->nodes[i].path, path) == 0)
			return &box->plan->nodes[i];
	return NULL;
}

static void assert_role(const struct box *box, const char *path, enum hv_fdt_role role)
{
	const struct hv_fdt_plan_node *n = node(box, path);

	if (!n)
		fail_msg("%s is not in the plan", path);
	if (n->role != role)
		fail_msg("%s is \"%s\"", path, hv_fdt_role_name(n->role));
}

static const struct hv_fdt_plan_need *need(const struct box *box, const char *path,
					   const char *property, unsigned int slot)
{
	for (size_t i = 0; i < box->plan->n_needs; i++) {
		const struct hv_fdt_plan_need *n = &box->plan->needs[i];

		if (strcmp(n->path, path) == 0 && strcmp(n->property, property) == 0 &&
		    n->slot == slot)
			return n;
	}
	fail_msg("%s needs nothing by %s %u", path, property, slot);
	return NULL;
}

static const char *problem(const struct box *box, const char *path, const char *says)
{
	for (size_t i = 0; i < box->plan->n_problems; i++)
		if (strcmp(box->plan->problems[i].path, path) == 0 &&
		    strstr(box->plan->problems[i].text, says))
			return box->plan->problems[i].text;
	return NULL;
}

struct device {
	const char *path;
	uint64_t start, size;
	enum hv_irq_trigger trigger;
	unsigned int n_irqs;
	uint32_t irqs[8];
};

static const struct device devices[] = {
	{ "/soc/vpu@ff900000", 0xff900000, 0x100000, HV_IRQ_EDGE_RISING, 1, { 35 } },
	{ "/soc/gpu@ffe40000", 0xffe40000, 0x40000, HV_IRQ_LEVEL_HIGH, 3, { 194, 193, 192 } },
	{ "/soc/bus@ffd00000/i2c@1f000", 0xffd1f000, 0x1000, HV_IRQ_EDGE_RISING, 1, { 53 } },
	{ "/soc/bus@ff800000/serial@3000", 0xff803000, 0x1000, HV_IRQ_EDGE_RISING, 1, { 225 } },
	{ "/soc/bus@ff600000/hdmi-tx@0", 0xff600000, 0x10000, HV_IRQ_EDGE_RISING, 1, { 89 } },
	{ "/soc/mmc@ffe05000", 0xffe05000, 0x1000, HV_IRQ_LEVEL_HIGH, 1, { 222 } },
	{ "/soc/mmc@ffe07000", 0xffe07000, 0x1000, HV_IRQ_LEVEL_HIGH, 1, { 223 } },
	{ "/soc/ethernet@ff3f0000", 0xff3f0000, 0x10000, HV_IRQ_LEVEL_HIGH, 1, { 40 } },
	{ "/soc/bus@ffd00000/interrupt-controller@f080",
	  0xffd0f000,
	  0x1000,
	  HV_IRQ_TRIGGER_UNKNOWN,
	  8,
	  { 96, 97, 98, 99, 100, 101, 102, 103 } },
};
#define N_DEVICES (sizeof(devices) / sizeof(*devices))

static void open_all(struct box *box)
{
	const char *paths[N_DEVICES];

	for (size_t i = 0; i < N_DEVICES; i++)
		paths[i] = devices[i].path;
	open_plan(box,
		  &(struct hv_fdt_passthrough_opts){ .devices = paths, .n_devices = N_DEVICES });
}

static void test_regions_and_interrupts(void **state)
{
	struct box box;

	(void)state;
	open_all(&box);
	for (size_t i = 0; i < N_DEVICES; i++) {
		const struct device *d = &devices[i];
		unsigned int seen = 0;
		bool found = false;

		for (size_t k = 0; k < box.plan->n_regions; k++)
			found |= box.plan->regions[k].start == d->start &&
				 box.plan->regions[k].size == d->size &&
				 strcmp(box.plan->regions[k].what, d->path) == 0;
		if (!found)
			fail_msg("no region for %s", d->path);
		for (size_t k = 0; k < box.plan->n_irqs; k++) {
			const struct hv_fdt_plan_irq *irq = &box.plan->irqs[k];

			if (strcmp(irq->path, d->path) != 0)
				continue;
			assert_int_equal(irq->number, d->irqs[irq->index]);
			assert_int_equal(irq->trigger, d->trigger);
			assert_int_equal(irq->controller, HV_IRQC_GICV2);
			seen++;
		}
		if (seen != d->n_irqs)
			fail_msg("%s has %u interrupts", d->path, seen);
		assert_role(&box, d->path, HV_ROLE_NAMED);
	}
	assert_false(node(&box, "/soc/bus@ffd00000/i2c@1f000")->enabled);
	assert_non_null(problem(&box, "/soc/bus@ffd00000/i2c@1f000", "disabled"));
	/* Two second registers: a page each. */
	assert_int_equal(box.plan->n_regions, N_DEVICES + 2);
	assert_string_equal(box.plan->irqs[0].name, "macirq");
	close_plan(&box);
}

static void test_providers(void **state)
{
	static const uint32_t ethernet[] = { 38, 2, 13, 2 }, emmc_b[] = { 34, 61, 2 },
			      emmc_c[] = { 35, 62, 2 };
	const struct hv_fdt_plan_need *n;
	struct box box;

	(void)state;
	open_all(&box);
	for (unsigned int i = 0; i < 4; i++) {
		n = need(&box, "/soc/ethernet@ff3f0000", "clocks", i);
		assert_string_equal(n->provider, CLKC);
		assert_int_equal(n->n_args, 1);
		assert_int_equal(n->args[0], ethernet[i]);
		assert_int_equal(n->role, HV_ROLE_HOST);
		assert_int_equal(n->rate, 0);
	}
	assert_string_equal(need(&box, "/soc/ethernet@ff3f0000", "clocks", 3)->name,
			    "timing-adjustment");
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(need(&box, "/soc/mmc@ffe05000", "clocks", i)->args[0], emmc_b[i]);
		assert_int_equal(need(&box, "/soc/mmc@ffe07000", "clocks", i)->args[0], emmc_c[i]);
	}
	assert_int_equal(need(&box, "/soc/gpu@ffe40000", "clocks", 0)->args[0], 175);
	assert_string_equal(need(&box, "/soc/gpu@ffe40000", "resets", 0)->provider, RESET);
	assert_role(&box, CLKC, HV_ROLE_HOST);
	assert_role(&box, RESET, HV_ROLE_HOST);
	assert_role(&box, "/soc/bus@ff600000/bus@34400/pinctrl", HV_ROLE_HOST);
	/* Data that may be copied, and what nobody else needs. */
	assert_role(&box, "/xtal-clk", HV_ROLE_COMES);
	assert_role(&box, "/opp-table-gpu", HV_ROLE_COMES);
	assert_role(&box, "/regulator-vcc-3v3", HV_ROLE_COMES);
	assert_role(&box, "/connector", HV_ROLE_COMES);
	/* Switched by pins of the root zone's. */
	assert_role(&box, "/regulator-tflash", HV_ROLE_HOST);
	assert_role(&box, "/soc/bus@ff600000/bus@34400/pinctrl/bank@40", HV_ROLE_SHARED);
	/* Both its users are given away. */
	assert_role(&box, "/reserved-memory/shared@3f000000", HV_ROLE_COMES);
	assert_int_equal(box.plan->n_memory, 2);
	assert_int_equal(box.plan->memory[0].start, 0x3e000000);
	assert_int_equal(box.plan->memory[0].size, 0x800000);
	close_plan(&box);
}

static void test_conflicts(void **state)
{
	struct box box;

	(void)state;
	open_all(&box);
	assert_non_null(problem(&box, "/soc/bus@ff800000/serial@3000", "console"));
	assert_non_null(problem(&box, "/soc/bus@ff600000/hdmi-tx@0", "/sound needs it"));
	assert_non_null(problem(&box, "/soc/mmc@ffe05000", "222 is /soc/twin@ffe80000's"));
	assert_non_null(problem(&box, "/soc/ethernet@ff3f0000/mdio/ethernet-phy@0",
				"goes to a controller that is given away as well"));
	close_plan(&box);

	OPEN(&box, "/soc/mmc@ffe05000");
	assert_role(&box, "/reserved-memory/shared@3f000000", HV_ROLE_SHARED);
	close_plan(&box);
}

static const struct hv_fdt_plan_page *page(const struct box *box, uint64_t start)
{
	for (size_t i = 0; i < box->plan->n_pages; i++)
		if (box->plan->pages[i].start == start)
			return &box->plan->pages[i];
	return NULL;
}

static void test_pages(void **state)
{
	struct box box;
	struct hv_fdt_passthrough *all;
	struct hv_err err;

	(void)state;
	open_all(&box);
	assert_int_equal(box.plan->n_pages, 3);
	assert_string_equal(page(&box, 0xff634000)->given, "/soc/ethernet@ff3f0000");
	assert_string_equal(page(&box, 0xff634000)->others,
			    "/soc/bus@ff600000/bus@34400/pinctrl/bank@40, "
			    "/soc/bus@ff600000/temperature-sensor@34800");
	assert_true(page(&box, 0xff634000)->enabled);
	assert_non_null(page(&box, 0xff63c000));
	assert_string_equal(page(&box, 0xffd0f000)->others, "/soc/bus@ffd00000/watchdog@f0d0");
	assert_int_equal(hv_fdt_shared_pages_new(box.tree, &all, &err), 0);
	/* And bank@14 with rtc@a8. */
	assert_int_equal(hv_fdt_passthrough_plan(all)->n_pages, 4);
	assert_int_equal(hv_fdt_passthrough_plan(all)->pages[2].start, 0xff800000);
	hv_fdt_passthrough_free(all);
	close_plan(&box);
}

static uint64_t rate(const char *path, unsigned int slot, void *arg)
{
	*(unsigned int *)arg += 1;
	return strcmp(path, "/soc/mmc@ffe07000") == 0 ? 1000000 + slot : 0;
}

static void test_options(void **state)
{
	struct hv_fdt_passthrough_opts opts = { 0 };
	static const char *const uart[] = { "&uart_ao" }, *const alias[] = { "mmc1" },
				 *const twin[] = { "test,twin" };
	unsigned int asked = 0;
	struct hv_err err;
	struct box box;
	struct hv_fdt_passthrough *none;

	(void)state;
	opts.devices = alias;
	opts.n_devices = 1;
	opts.rate = rate;
	opts.rate_arg = &asked;
	opts.coalesce = true;
	open_plan(&box, &opts);
	assert_int_equal(need(&box, "/soc/mmc@ffe07000", "clocks", 2)->rate, 1000002);
	assert_int_equal(asked, 3);
	assert_int_equal(box.plan->n_regions, 1);
	assert_int_equal(box.plan->regions[0].start, 0xffe00000);
	assert_int_equal(box.plan->regions[0].size, 0x200000);
	/* What the widening takes in as well. */
	assert_non_null(page(&box, 0xffe05000));
	close_plan(&box);

	opts = (struct hv_fdt_passthrough_opts){ .compatible = twin, .n_compatible = 1 };
	open_plan(&box, &opts);
	assert_role(&box, "/soc/twin@ffe80000", HV_ROLE_NAMED);
	assert_role(&box, "/soc", HV_ROLE_BUS);
	assert_int_equal(box.plan->n_dma, 1);
	assert_true(box.plan->dma[0].identity);

	opts.compatible = uart;
	assert_int_equal(hv_fdt_passthrough_new(box.tree, &opts, &none, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no enabled node is compatible with &uart_ao"));
	opts = (struct hv_fdt_passthrough_opts){ .devices = uart, .n_devices = 1 };
	assert_int_equal(hv_fdt_passthrough_new(box.tree, &opts, &none, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no labels"));
	opts.n_devices = 0;
	assert_int_equal(hv_fdt_passthrough_new(box.tree, &opts, &none, &err), -EINVAL);
	close_plan(&box);
}

static void test_what_cannot_be_given(void **state)
{
	struct box box;

	(void)state;
	OPEN(&box, "/", "/cpus/cpu@0", "/memory@0", "/soc/interrupt-controller@ffc01000",
	     "/soc/bus@ffd00000/i2c@1f000/sensor@48");
	assert_non_null(problem(&box, "/", "whole machine"));
	assert_non_null(problem(&box, "/cpus/cpu@0", "cpus"));
	assert_non_null(problem(&box, "/memory@0", "ram"));
	assert_non_null(problem(&box, "/soc/interrupt-controller@ffc01000", "one of its own"));
	assert_non_null(problem(&box, "/soc/bus@ffd00000/i2c@1f000/sensor@48",
				"only through /soc/bus@ffd00000/i2c@1f000"));
	assert_int_equal(box.plan->n_regions, 0);
	assert_int_equal(box.plan->n_irqs, 0);
	close_plan(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regions_and_interrupts),
		cmocka_unit_test(test_providers),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_what_cannot_be_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
