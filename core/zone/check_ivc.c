// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>

/* What the guest's tree says of its IVC channels: by it Linux finds their interrupts. */

#define NODE "/hvisor_ivc_device"

void hv_check_ivc_node(struct hv_check *c, const struct hv_entry *e)
{
	const struct hv_fdt *tree = e->zone.tree;
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_finding *f;
	int node;

	if (!tree || !spec->n_ivc)
		return;
	node = hv_fdt_find(tree, NODE, NULL);
	if (node < 0) {
		f = hv_report(c, e, "ivc", &spec->ivc[0].origin, HV_NOTE, "ivc-node",
			      "the tree has no " NODE ": a Linux guest hears no interrupt of its "
			      "channels");
		hv_report_fix(c, f,
			      "dtb = \"auto\" writes it; in a tree of your own, give it the "
			      "channels' interrupts in their order");
		return;
	}
	for (uint32_t i = 0; i < spec->n_ivc; i++) {
		const struct hv_abi_ivc *v = &spec->ivc[i].ivc;
		struct hv_fdt_irq irq;
		int rc = hv_fdt_irq(tree, node, i, &irq, NULL);

		if (rc == -EOPNOTSUPP || (rc == 0 && irq.number == v->interrupt))
			continue;
		if (rc == 0)
			f = hv_report(c, e, "ivc", &spec->ivc[i].origin, HV_WARNING, "ivc-node-irq",
				      "channel %" PRIu32 " has interrupt %" PRIu32
				      ", and interrupt %" PRIu32 " of the tree's " NODE
				      " is %" PRIu32 ": the guest would wait for another one",
				      v->ivc_id, v->interrupt, i, irq.number);
		else
			f = hv_report(c, e, "ivc", &spec->ivc[i].origin, HV_WARNING, "ivc-node-irq",
				      "channel %" PRIu32 " has interrupt %" PRIu32
				      ", and the tree's " NODE " has no interrupt %" PRIu32
				      ": the guest's driver would not load",
				      v->ivc_id, v->interrupt, i);
		hv_report_fix(c, f, "the node's interrupts are the channels', in their order");
	}
}
