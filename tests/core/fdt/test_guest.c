// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dts.h"
#include "fdt/guest.h"

/* What dtc says of a tree, without the file's name; the caller frees. */
static char *warnings(const struct hv_fdt *tree)
{
	char name[] = "/tmp/hvsh-guest-XXXXXX", command[128];
	int fd = mkstemp(name);
	struct hv_err err;
	size_t n;
	char *out = calloc(1, 65536), *kept = calloc(1, 65536);
	FILE *pipe;

	assert_true(fd >= 0);
	close(fd);
	if (hv_fdt_save(tree, name, &err))
		fail_msg("%s", err.msg);
	snprintf(command, sizeof(command), "dtc -I dtb -O dtb -o /dev/null %s 2>&1", name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	n = fread(out, 1, 65535, pipe);
	assert_int_equal(pclose(pipe), 0);
	unlink(name);
	out[n] = '\0';
	for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
		char *text = strstr(line, "Warning ");

		if (text)
			strcat(strcat(kept, text), "\n");
	}
	free(out);
	return kept;
}

/* A guest's tree has no warning that its host's does not have. */
static void assert_clean(const struct hv_fdt *guest, const struct hv_fdt *host)
{
	char *own = warnings(guest), *known = host ? warnings(host) : calloc(1, 1);

	for (char *line = strtok(own, "\n"); line; line = strtok(NULL, "\n"))
		if (!strstr(known, line))
			fail_msg("%s", line);
	free(own);
	free(known);
}

static const struct hv_fdt_guest_cpu two_cpus[] = { { 2, NULL }, { 3, "arm,cortex-a72" } };
static const struct hv_fdt_range memory[] = { { 0x50000000, 0x10000000 },
					      { 0x880000000, 0x40000000 } };
static const struct hv_fdt_guest_virtio virtio[] = { { 0xa003600, 0x200, 75 },
						     { 0xa003800, 0x200, 76 } };

static struct hv_fdt *build(const struct hv_fdt *host, const struct hv_fdt_guest *desc)
{
	struct hv_fdt *tree;
	struct hv_err err;

	if (hv_fdt_guest_build(host, desc, &tree, &err))
		fail_msg("%s", err.msg);
	assert_clean(tree, host);
	return tree;
}

static void from_facts(enum hv_irq_controller irqc, size_t n_reg, const struct hv_fdt_range *reg,
		       struct hv_fdt_range its)
{
	static const uint32_t ivc[] = { 77 };
	static const struct hv_fdt_guest_reserved reserved[] = {
		{ "shm", 0x5f000000, 0x100000, true },
	};
	struct hv_fdt_guest desc = {
		.irqc = irqc,
		.irqc_reg = reg,
		.n_irqc_reg = n_reg,
		.its = its,
		.cpus = two_cpus,
		.n_cpus = 2,
		.memory = memory,
		.n_memory = 2,
		.reserved = reserved,
		.n_reserved = 1,
		.bootargs = "console=hvc0",
		.has_initrd = true,
		.initrd_start = 0x58000000,
		.initrd_end = 0x58001000,
		.virtio = virtio,
		.n_virtio = 2,
		.ivc_irqs = ivc,
		.n_ivc_irqs = 1,
	};
	struct hv_fdt *tree = build(NULL, &desc);
	struct hv_fdt_machine *m = calloc(1, sizeof(*m));
	struct hv_fdt_irq irq;
	struct hv_err err;

	assert_int_equal(hv_fdt_machine(tree, m, NULL, NULL, &err), 0);
	assert_int_equal(m->n_cpus, 2);
	assert_int_equal(m->n_memory, 2);
	assert_int_equal(m->memory[1].start, 0x880000000);
	assert_int_equal(m->memory[1].size, 0x40000000);
	assert_int_equal(m->irqc, irqc);
	assert_int_equal(m->n_irqc_reg, irqc == HV_IRQC_APLIC ? 1 : n_reg);
	assert_int_equal(m->irqc_reg[0].start, reg[0].start);
	assert_int_equal(m->has_its, its.size != 0);
	assert_string_equal(m->bootargs, "console=hvc0");
	assert_int_equal(m->initrd_end, 0x58001000);
	assert_int_equal(m->n_virtio, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(m->virtio[i].start, virtio[i].at);
		assert_int_equal(m->virtio[i].irq.number, virtio[i].irq);
		assert_int_equal(m->virtio[i].irq.controller, irqc);
	}
	assert_int_equal(hv_fdt_irq(tree, dts_node(tree, "/hvisor_ivc_device"), 0, &irq, &err), 0);
	assert_int_equal(irq.number, 77);
	assert_true(hv_fdt_find(tree, "/reserved-memory/shm@5f000000", NULL) > 0);
	hv_fdt_close(tree);
	free(m);
}

static void test_from_facts_alone(void **state)
{
	static const struct hv_fdt_range none = { 0 }, its = { 0x8080000, 0x20000 },
					 v2[] = { { 0x8000000, 0x10000 }, { 0x8010000, 0x10000 } },
					 v3[] = { { 0x8000000, 0x10000 }, { 0x80a0000, 0xf60000 } },
					 plic[] = { { 0xc000000, 0x4000000 } },
					 aplic[] = { { 0xd000000, 0x8000 },
						     { 0x28000000, 0x1000 } };

	(void)state;
	from_facts(HV_IRQC_GICV2, 2, v2, none);
	from_facts(HV_IRQC_GICV3, 2, v3, none);
	from_facts(HV_IRQC_GICV3, 2, v3, its);
	from_facts(HV_IRQC_PLIC, 1, plic, none);
	from_facts(HV_IRQC_APLIC, 1, aplic, none);
	from_facts(HV_IRQC_APLIC, 2, aplic, none);
}

static const char *const given[] = { "/soc/ethernet@ff3f0000",	    "/soc/mmc@ffe05000",
				     "/soc/mmc@ffe07000",	    "/soc/gpu@ffe40000",
				     "/soc/bus@ffd00000/i2c@1f000", "/soc/vpu@ff900000",
				     "/soc/bus@ff600000/hdmi-tx@0" };

static uint64_t rate(const char *path, unsigned int slot, void *arg)
{
	(void)path;
	(void)arg;
	return 1000000 * (slot + 1);
}

static const struct hv_fdt_range c4_gic[] = { { 0xffc01000, 0x1000 }, { 0xffc02000, 0x2000 } };
static const struct hv_fdt_guest_cpu c4_cpus[] = { { 1, NULL } };

static struct hv_fdt_guest c4_desc(const struct hv_fdt_passthrough *plan)
{
	return (struct hv_fdt_guest){
		.irqc = HV_IRQC_GICV2,
		.irqc_reg = c4_gic,
		.n_irqc_reg = 2,
		.cpus = c4_cpus,
		.n_cpus = 1,
		.memory = memory,
		.n_memory = 1,
		.virtio = virtio,
		.n_virtio = 2,
		.plan = plan,
	};
}

static struct hv_fdt_passthrough *plan_of(const struct hv_fdt *host, hv_fdt_rate_fn *f)
{
	struct hv_fdt_passthrough_opts opts = { .devices = given,
						.n_devices = sizeof(given) / sizeof(*given),
						.rate = f };
	struct hv_fdt_passthrough *plan;
	struct hv_err err;

	if (hv_fdt_passthrough_new(host, &opts, &plan, &err))
		fail_msg("%s", err.msg);
	return plan;
}

struct seen {
	const struct hv_fdt *guest;
	unsigned int refs;
};

/* Nothing in the tree leads nowhere. */
static int check_ref(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	struct seen *seen = arg;
	char path[128];

	seen->refs++;
	if (ref->node < 0)
		fail_msg("%s: %s: %s", hv_fdt_path(tree, node, path, sizeof(path)), ref->property,
			 ref->problem);
	return 0;
}

static int check_node(const struct hv_fdt *tree, int node, void *arg)
{
	return hv_fdt_each_ref(tree, node, check_ref, arg);
}

static const char *string(const struct hv_fdt *tree, const char *path, const char *prop)
{
	size_t len;

	return hv_fdt_prop(tree, dts_node(tree, path), prop, &len);
}

static uint32_t cell(const struct hv_fdt *tree, const char *path, const char *prop, unsigned int i)
{
	size_t len;
	const unsigned char *b = hv_fdt_prop(tree, dts_node(tree, path), prop, &len);

	if (!b || len < 4 * (i + 1))
		fail_msg("%s has no %s", path, prop);
	b += 4 * i;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void test_devices_of_the_host(void **state)
{
	struct hv_fdt *host = dts_open("sm1"), *tree;
	struct hv_fdt_passthrough *plan = plan_of(host, rate);
	const struct hv_fdt_plan *p = hv_fdt_passthrough_plan(plan);
	struct hv_fdt_guest desc = c4_desc(plan);
	struct seen seen = { 0 };
	struct hv_fdt_irq irq;
	struct hv_err err;
	uint64_t start, size;
	int node;

	(void)state;
	tree = build(host, &desc);
	seen.guest = tree;
	hv_fdt_each(tree, check_node, &seen);
	assert_true(seen.refs > 20);
	/* Tree and map agree: each interrupt and each register is the plan's. */
	for (size_t i = 0; i < p->n_irqs; i++) {
		node = hv_fdt_find(tree, p->irqs[i].path, &err);
		if (node < 0)
			fail_msg("%s", err.msg);
		assert_true(hv_fdt_enabled(tree, node));
		assert_int_equal(hv_fdt_irq(tree, node, p->irqs[i].index, &irq, &err), 0);
		assert_int_equal(irq.number, p->irqs[i].number);
		assert_int_equal(irq.trigger, p->irqs[i].trigger);
	}
	node = dts_node(tree, "/soc/ethernet@ff3f0000");
	assert_int_equal(hv_fdt_reg(tree, node, 1, &start, &size, &err), 0);
	assert_int_equal(start, 0xff634540);
	/* Clocks by rate, names kept; the rest of what stays is left out. */
	assert_int_equal(cell(tree, "/zone-clock-3000000", "clock-frequency", 0), 3000000);
	assert_int_equal(cell(tree, "/soc/ethernet@ff3f0000", "clocks", 2),
			 cell(tree, "/zone-clock-3000000", "phandle", 0));
	assert_string_equal(string(tree, "/soc/ethernet@ff3f0000", "clock-names"), "stmmaceth");
	assert_null(string(tree, "/soc/ethernet@ff3f0000", "power-domains"));
	assert_null(string(tree, "/soc/ethernet@ff3f0000", "pinctrl-names"));
	assert_null(string(tree, "/soc/bus@ff600000/hdmi-tx@0", "reset-names"));
	assert_null(string(tree, "/soc/bus@ff600000/hdmi-tx@0", "assigned-clock-rates"));
	assert_null(string(tree, "/soc/mmc@ffe05000", "cd-gpios"));
	assert_null(string(tree, "/soc/mmc@ffe05000", "vqmmc-supply"));
	assert_int_equal(cell(tree, "/zone-supply-0", "regulator-max-microvolt", 0), 3300000);
	assert_int_equal(cell(tree, "/soc/mmc@ffe05000", "vmmc-supply", 0),
			 cell(tree, "/zone-supply-0", "phandle", 0));
	assert_null(string(tree, "/soc/bus@ffd00000/i2c@1f000", "status"));
	assert_int_equal(hv_fdt_find(tree, "/soc/mmc@ffe07000", NULL),
			 hv_fdt_find(tree, "mmc1", NULL));
	assert_true(hv_fdt_find(tree, "/reserved-memory/frame@3e000000", NULL) > 0);
	assert_true(hv_fdt_find(tree, "/connector/port/endpoint", NULL) > 0);
	/* Neighbours stay away, and so does what drives the host's CPU. */
	assert_int_equal(hv_fdt_find(tree, "/soc/bus@ffd00000/watchdog@f0d0", NULL), -ENOENT);
	assert_int_equal(hv_fdt_find(tree, "/cpus/cpu@0", NULL), -ENOENT);
	assert_string_equal(string(tree, "/cpus/cpu@1", "compatible"), "arm,cortex-a55");
	assert_string_equal(string(tree, "/", "compatible"), "test,sm1-board");
	hv_fdt_close(tree);
	hv_fdt_passthrough_free(plan);
	hv_fdt_close(host);
}

static void test_refusals(void **state)
{
	struct hv_fdt *host = dts_open("sm1"), *tree = NULL;
	struct hv_fdt_passthrough *plan = plan_of(host, NULL);
	struct hv_fdt_guest desc = c4_desc(plan);
	struct hv_fdt *other = dts_open("routes");
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_fdt_guest_build(host, &desc, &tree, &err), -ENODATA);
	assert_non_null(strstr(err.msg, "the rates of 13 clocks are not known: "
					"/soc/ethernet@ff3f0000 stmmaceth"));
	assert_int_equal(hv_fdt_guest_build(other, &desc, &tree, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "another tree"));
	assert_int_equal(hv_fdt_guest_build(NULL, &desc, &tree, &err), -EINVAL);
	desc.plan = NULL;
	desc.n_cpus = 0;
	assert_int_equal(hv_fdt_guest_build(host, &desc, &tree, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "CPU"));
	desc.n_cpus = 1;
	desc.n_irqc_reg = 1;
	assert_int_equal(hv_fdt_guest_build(host, &desc, &tree, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "gicv2 needs 2"));
	desc.irqc = HV_IRQC_OTHER;
	assert_int_equal(hv_fdt_guest_build(host, &desc, &tree, &err), -EOPNOTSUPP);
	assert_null(tree);
	hv_fdt_passthrough_free(plan);
	hv_fdt_close(other);
	hv_fdt_close(host);
}

static void test_patch(void **state)
{
	static const struct hv_fdt_guest_virtio wanted[] = { { 0xa003c00, 0x200, 80 },
							     { 0xa003800, 0x200, 76 },
							     { 0xb000000, 0x1000, 90 } };
	struct hv_fdt *tree = dts_open("virt_gicv3");
	struct hv_fdt_machine *m = calloc(1, sizeof(*m));
	struct hv_fdt_guest desc = { .memory = memory,
				     .n_memory = 1,
				     .virtio = wanted,
				     .n_virtio = 3,
				     .bootargs = "quiet",
				     .stdout_path = "/pl011" };
	unsigned int before = hv_fdt_generation(tree);
	struct hv_err err;

	(void)state;
	if (hv_fdt_guest_patch(tree, &desc, HV_PATCH_CHOSEN | HV_PATCH_MEMORY | HV_PATCH_VIRTIO,
			       &err))
		fail_msg("%s", err.msg);
	assert_int_not_equal(hv_fdt_generation(tree), before);
	assert_int_equal(hv_fdt_machine(tree, m, NULL, NULL, &err), 0);
	assert_int_equal(m->n_memory, 1);
	assert_int_equal(m->memory[0].start, 0x50000000);
	assert_string_equal(m->bootargs, "quiet");
	assert_int_equal(m->n_virtio, 3);
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int k;

		for (k = 0; k < 3 && m->virtio[i].start != wanted[k].at; k++)
			;
		assert_true(k < 3);
		assert_int_equal(m->virtio[i].irq.number, wanted[k].irq);
	}
	assert_string_equal(string(tree, "/virtio@a003600", "status"), "disabled");
	assert_string_equal(string(tree, "/chosen", "stdout-path"), "/pl011");
	assert_int_equal(m->irqc, HV_IRQC_GICV3);
	hv_fdt_close(tree);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_facts_alone),
		cmocka_unit_test(test_devices_of_the_host),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
