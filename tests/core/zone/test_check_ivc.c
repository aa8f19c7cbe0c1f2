// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zone_fixture.h"

/* The node of the guest's tree by which Linux finds the interrupts of its channels. */

#define IRQ 65

/* Two zones on one channel, the first one with a tree that has the node with this interrupt. */
static struct hv_zone_spec *pair(struct zf *f, uint32_t irq)
{
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1), *two = zf_zone(f, "linux2", 2);
	struct zf_tree t = zf_tree_of(one);

	zf_ivc(f, one, 7, 0)->ivc.interrupt = IRQ;
	zf_ivc(f, two, 7, 1)->ivc.interrupt = IRQ + 1;
	two->dtb.present = false;
	t.ivc_irq = irq;
	one->dtb.path = zf_dtb(f, "channel.dtb", &t);
	zf_irq(f, one, IRQ);
	return one;
}

static void a_tree_with_the_node(void **state)
{
	struct zf *f = *state;

	pair(f, IRQ);
	zf_expect_clean(f);
	for (size_t i = 0; i < f->findings.n; i++)
		assert_string_not_equal(f->findings.items[i].code, "ivc-node");
}

static void a_tree_without(void **state)
{
	struct zf *f = *state;

	pair(f, 0);
	zf_expect(f, HV_NOTE, "ivc-node", "the tree has no /hvisor_ivc_device", "linux1", "ivc",
		  190);
	zf_expect_fix(f, "ivc-node", "dtb = \"auto\" writes it");
}

static void another_interrupt(void **state)
{
	struct zf *f = *state;

	zf_irq(f, pair(f, IRQ + 5), IRQ + 5);
	zf_expect(f, HV_WARNING, "ivc-node-irq", "channel 7 has interrupt 65, and interrupt 0",
		  "linux1", "ivc", 190);
}

static void too_few_interrupts(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = pair(f, IRQ);
	struct hv_spec_ivc *v = zf_ivc(f, z, 8, 0);

	v->ivc.control_table_ipa += 0x100000;
	v->ivc.shared_mem_ipa += 0x100000;
	zf_expect(f, HV_WARNING, "ivc-node-irq", "has no interrupt 1", "linux1", "ivc", 190);
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_tree_with_the_node),
		T(a_tree_without),
		T(another_interrupt),
		T(too_few_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
