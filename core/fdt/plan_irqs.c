// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/plan.h"

#include <errno.h>
#include <string.h>

/* Interrupts of what is given away, and who else has them. */

#define IRQ_LIMIT 1024u /* hvisor's bitmap of a zone's interrupts */
#define IRQS_MAX 1024u	/* of one node */
#define FIRST_SHARED 32u

static bool is_gic(enum hv_irq_controller kind)
{
	return kind == HV_IRQC_GICV2 || kind == HV_IRQC_GICV3;
}

static const char *name_of(struct hv_fdt_passthrough *p, int index, unsigned int i)
{
	int len;
	const char *text = (const char *)fdt_index_prop(p->tree, index, "interrupt-names", &len);
	const char *end;

	if (!text || len <= 0 || text[len - 1] != '\0')
		return NULL;
	for (end = text + len; text < end; text += strlen(text) + 1)
		if (i-- == 0)
			return hv_arena_strdup(p->arena, text);
	return NULL;
}

static void take(struct hv_fdt_passthrough *p, int index, unsigned int i,
		 const struct hv_fdt_irq *irq)
{
	struct hv_fdt_plan_irq *out;

	if (is_gic(irq->controller) && irq->number < FIRST_SHARED) {
		plan_problem(p, HV_PROBLEM_NOTE, index,
			     "interrupt %u is private to each CPU: every zone has its own, none is "
			     "given",
			     irq->number);
		return;
	}
	if (irq->number >= IRQ_LIMIT) {
		plan_problem(p, HV_PROBLEM_ERROR, index,
			     "interrupt %u cannot be given: the hypervisor takes numbers below %u",
			     irq->number, IRQ_LIMIT);
		return;
	}
	out = plan_add(p, &p->irqs, sizeof(*out));
	if (!out)
		return;
	out->number = irq->number;
	out->controller = irq->controller;
	out->trigger = irq->trigger;
	out->path = plan_path(p, index);
	out->name = name_of(p, index, i);
	out->index = i;
}

/* A controller in between whose own interrupts are given: the guest's driver routes them. */
static bool given_along(const struct hv_fdt_passthrough *p, const struct hv_fdt_irq *irq)
{
	int index = irq->controller_node < 0 ? -1 : fdt_index_of(p->tree, irq->controller_node);

	return index >= 0 && plan_owned(p, index);
}

/* The same line of an enabled node that stays: it would be taken away from it. */
static void check_shared(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt_plan_irq *irqs = p->irqs.at;
	int owner[IRQ_LIMIT];
	struct hv_fdt_irq irq;
	int rc;

	memset(owner, 0xff, sizeof(owner));
	for (size_t i = 0; i < p->irqs.n; i++) {
		int node = hv_fdt_find(p->tree, irqs[i].path, NULL);

		owner[irqs[i].number] = node < 0 ? -1 : fdt_index_of(p->tree, node);
	}
	for (int i = 1; i < p->tree->n_nodes; i++) {
		if (!p->tree->nodes[i].enabled || plan_owned(p, i))
			continue;
		for (unsigned int k = 0; k < IRQS_MAX; k++) {
			char path[FDT_PATH_TEXT];

			rc = fdt_irq(p->tree, i, k, &irq, NULL);
			if (rc == -ENOENT || rc == -EINVAL)
				break;
			if (rc || irq.number >= IRQ_LIMIT || owner[irq.number] < 0)
				continue;
			plan_problem(p, HV_PROBLEM_ERROR, owner[irq.number],
				     "interrupt %u is %s's as well, which stays", irq.number,
				     fdt_index_path(p->tree, i, path, sizeof(path)));
		}
	}
}

void plan_irqs(struct hv_fdt_passthrough *p)
{
	struct hv_fdt_irq irq;
	struct hv_err err;
	int rc;

	for (int i = 1; i < p->tree->n_nodes && !p->nomem; i++) {
		if (!plan_owned(p, i))
			continue;
		for (unsigned int k = 0; k < IRQS_MAX; k++) {
			rc = fdt_irq(p->tree, i, k, &irq, &err);
			if (rc == -ENOENT)
				break;
			if (rc == 0)
				take(p, i, k, &irq);
			else if (rc == -EOPNOTSUPP && given_along(p, &irq))
				plan_problem(
					p, HV_PROBLEM_NOTE, i,
					"interrupt %u of it goes to a controller that is given "
					"away as well",
					k);
			else if (rc == -EOPNOTSUPP || rc == -EINVAL)
				plan_problem(p, HV_PROBLEM_ERROR, i, "interrupt %u of it %s%s", k,
					     rc == -EINVAL ? "is wrong: " : "", err.msg);
			if (rc == -EINVAL)
				break;
		}
	}
	if (!p->nomem)
		check_shared(p);
}
