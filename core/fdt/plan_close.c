// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/plan.h"

#include <string.h>

/* Which providers belong to nobody but what is given away. */

/*
 * What is given away as a whole, seen from one of its parts: the nearest node with registers of its
 * own, or the topmost one that sits on a bus.
 */
static int unit_of(const struct hv_fdt *tree, int index)
{
	while (index > 0 && !plan_mapped(tree, index)) {
		int parent = tree->nodes[index].parent;

		if (parent <= 0 || plan_is_bus(tree, parent))
			break;
		index = parent;
	}
	return index;
}

static void add_edge(struct hv_fdt_passthrough *p, int user, int provider,
		     enum hv_fdt_ref_kind kind)
{
	int unit = unit_of(p->tree, provider);
	struct plan_edge *edge;

	/* Within one device. */
	if (user >= unit && user < p->tree->nodes[unit].end)
		return;
	edge = plan_add(p, &p->edges, sizeof(*edge));
	if (edge)
		*edge = (struct plan_edge){ user, provider, unit, kind };
}

static int collect(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	if (ref->node >= 0)
		add_edge(arg, fdt_index_of(tree, node), fdt_index_of(tree, ref->node), ref->kind);
	return 0;
}

static void collect_edges(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt *tree = p->tree;
	int parent, len;

	for (int i = 0; i < tree->n_nodes; i++) {
		if (!tree->nodes[i].enabled && !plan_owned(p, i))
			continue;
		hv_fdt_each_ref(tree, tree->nodes[i].offset, collect, p);
		if (!fdt_index_prop(tree, i, "interrupts", &len) ||
		    fdt_index_prop(tree, i, "interrupts-extended", &len))
			continue;
		parent = fdt_irq_parent(tree, i);
		if (parent >= 0)
			add_edge(p, i, parent, HV_REF_IRQ);
	}
}

/* Data without a life of its own: every zone may have a copy. */
static bool is_copyable(const struct hv_fdt *tree, int unit)
{
	static const char *const kinds[] = { "fixed-clock", "fixed-factor-clock",
					     "operating-points-v2" };
	int len;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (fdt_index_compatible(tree, unit, kinds[i]))
			return true;
	return fdt_index_compatible(tree, unit, "regulator-fixed") &&
	       !fdt_index_prop(tree, unit, "gpio", &len) &&
	       !fdt_index_prop(tree, unit, "gpios", &len);
}

static bool may_come(const struct hv_fdt *tree, int unit)
{
	const char *type = fdt_index_string(tree, unit, "device_type");

	if (unit == 0 || !tree->nodes[unit].enabled || plan_virtual(tree, unit))
		return false;
	if (type && (strcmp(type, "cpu") == 0 || strcmp(type, "memory") == 0))
		return false;
	/* Pins are everybody's, whoever names them here. */
	if (fdt_index_prop(tree, unit, "gpio-controller", &(int){ 0 }))
		return false;
	/* Firmware serves one caller: the root zone. */
	return !fdt_index_prop(tree, unit, "method", &(int){ 0 }) &&
	       fdt_index_by_path(tree, "/firmware", 9) != tree->nodes[unit].parent;
}

/* A node of the unit that is not disabled below it. */
static void mark(struct hv_fdt_passthrough *p, int unit, uint8_t role)
{
	for (int i = unit; i < p->tree->nodes[unit].end; i++)
		if (p->tree->nodes[i].enabled && !plan_owned(p, i))
			p->roles[i] = role;
}

/* Whether somebody outside needs a unit; candidates count as inside. */
static bool needed_outside(const struct hv_fdt_passthrough *p, const bool *candidate, int unit)
{
	const struct plan_edge *edges = p->edges.at;

	for (size_t e = 0; e < p->edges.n; e++)
		if (edges[e].unit == unit && !plan_owned(p, edges[e].user) &&
		    !candidate[edges[e].user])
			return true;
	return false;
}

/*
 * Whether a unit without registers is of no use to the zone: it works through something that stays
 * and that nothing stands in for, as a regulator switched by a pin does.
 */
static bool works_through_host(const struct hv_fdt_passthrough *p, const bool *candidate, int unit)
{
	const struct plan_edge *edges = p->edges.at;

	if (plan_mapped(p->tree, unit))
		return false;
	for (size_t e = 0; e < p->edges.n; e++)
		if (edges[e].user >= unit && edges[e].user < p->tree->nodes[unit].end &&
		    !plan_owned(p, edges[e].unit) && !candidate[edges[e].unit] &&
		    !plan_virtual(p->tree, edges[e].unit) &&
		    plan_role_for(edges[e].kind) == HV_ROLE_SHARED)
			return true;
	return false;
}

static void set_candidate(const struct hv_fdt_passthrough *p, bool *candidate, int unit, bool value)
{
	for (int i = unit; i < p->tree->nodes[unit].end; i++)
		candidate[i] = value && p->tree->nodes[i].enabled;
}

/* All units that can be reached from what is given away over units that may come along. */
static void reach(const struct hv_fdt_passthrough *p, const bool *barred, bool *candidate)
{
	const struct plan_edge *edges = p->edges.at;
	bool moved = true;

	memset(candidate, 0, (size_t)p->tree->n_nodes);
	while (moved) {
		moved = false;
		for (size_t e = 0; e < p->edges.n; e++) {
			int unit = edges[e].unit;

			/* The settings of a pin controller are nothing without it. */
			if (edges[e].kind == HV_REF_PINCTRL ||
			    (!plan_owned(p, edges[e].user) && !candidate[edges[e].user]) ||
			    candidate[unit] || plan_owned(p, unit) || barred[unit] ||
			    !may_come(p->tree, unit))
				continue;
			set_candidate(p, candidate, unit, true);
			moved = true;
		}
	}
}

/* Buses above what is given away. */
static void mark_buses(struct hv_fdt_passthrough *p)
{
	for (int i = 1; i < p->tree->n_nodes; i++) {
		if (!plan_owned(p, i))
			continue;
		for (int up = p->tree->nodes[i].parent; up > 0; up = p->tree->nodes[up].parent)
			if (!plan_owned(p, up))
				p->roles[up] = HV_ROLE_BUS;
	}
}

int plan_close(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt *tree = p->tree;
	const struct plan_edge *edges;
	bool *candidate = hv_arena_array(p->arena, (size_t)tree->n_nodes, sizeof(bool));
	bool *barred = hv_arena_array(p->arena, (size_t)tree->n_nodes, sizeof(bool));
	bool moved = true;

	if (!candidate || !barred)
		p->nomem = true;
	if (!p->nomem)
		collect_edges(p);
	if (p->nomem)
		return -1;
	edges = p->edges.at;
	/*
	 * Copies first: what they need does not matter to others. Then the largest set of
	 * units that nobody else needs: units may need each other, as a display's parts do.
	 */
	for (size_t e = 0; e < p->edges.n; e++)
		if (plan_owned(p, edges[e].user) && !plan_owned(p, edges[e].unit) &&
		    is_copyable(tree, edges[e].unit) && tree->nodes[edges[e].unit].enabled)
			mark(p, edges[e].unit, HV_ROLE_COMES);
	while (moved) {
		moved = false;
		reach(p, barred, candidate);
		for (int i = 1; i < tree->n_nodes; i++) {
			if (!candidate[i] || barred[i] || unit_of(tree, i) != i ||
			    is_copyable(tree, i) ||
			    (!needed_outside(p, candidate, i) &&
			     !works_through_host(p, candidate, i)))
				continue;
			/* And what holds it: it would be given away with all below it. */
			for (int up = i; up > 0 && candidate[up]; up = tree->nodes[up].parent)
				barred[up] = true;
			moved = true;
		}
	}
	for (int i = 1; i < tree->n_nodes; i++)
		if (candidate[i])
			p->roles[i] = HV_ROLE_COMES;
	mark_buses(p);
	return 0;
}
