// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/plan.h"

#include <stdio.h>
#include <string.h>

/* What the devices need of others, and what becomes of it. */

enum hv_fdt_role plan_role_for(enum hv_fdt_ref_kind kind)
{
	switch (kind) {
	case HV_REF_CLOCK:
	case HV_REF_RESET:
	case HV_REF_POWER:
	case HV_REF_SUPPLY:
	case HV_REF_PINCTRL:
	case HV_REF_INTERCONNECT:
	case HV_REF_NVMEM:
	case HV_REF_THERMAL:
	case HV_REF_IOMMU:
	case HV_REF_ACCESS:
	case HV_REF_OPP:
	case HV_REF_GRAPH:
		return HV_ROLE_HOST;
	default:
		return HV_ROLE_SHARED;
	}
}

static const char *advice(enum hv_fdt_ref_kind kind)
{
	switch (kind) {
	case HV_REF_CLOCK:
		return "the root zone keeps it running; a fixed-clock of its rate stands in, or "
		       "SCMI";
	case HV_REF_RESET:
		return "the root zone releases it before the start, or lends it over SCMI";
	case HV_REF_POWER:
		return "the root zone keeps it on, or lends it over SCMI";
	case HV_REF_SUPPLY:
		return "the root zone keeps it on; a fixed regulator stands in where its voltage "
		       "is "
		       "known";
	case HV_REF_PINCTRL:
		return "the root zone sets the pins up before the start";
	case HV_REF_INTERCONNECT:
		return "the root zone keeps the bandwidth";
	case HV_REF_NVMEM:
		return "the guest does not see it: give the value by other means";
	case HV_REF_THERMAL:
		return "the root zone watches the temperature";
	case HV_REF_IOMMU:
		return "the hypervisor has to set up its translation";
	case HV_REF_ACCESS:
		return "the root zone has to grant the access before the start";
	case HV_REF_OPP:
		return "the guest runs it at one speed";
	case HV_REF_GRAPH:
		return "the connection is left out of the guest's tree";
	default:
		return "the root zone needs it, too, and nothing can stand in for it";
	}
}

struct collect {
	struct hv_fdt_passthrough *p;
	int user;
};

static enum hv_fdt_role decide(const struct hv_fdt_passthrough *p, int provider,
			       enum hv_fdt_ref_kind kind)
{
	if (plan_virtual(p->tree, provider))
		return HV_ROLE_VIRTUAL;
	if (p->roles[provider] == HV_ROLE_COMES)
		return HV_ROLE_COMES;
	return plan_role_for(kind);
}

static struct hv_fdt_plan_need *add_need(struct hv_fdt_passthrough *p, int user, int provider,
					 const struct hv_fdt_ref *ref)
{
	struct hv_fdt_plan_need *need = plan_add(p, &p->needs, sizeof(*need));

	if (!need)
		return NULL;
	need->path = plan_path(p, user);
	need->node = p->tree->nodes[user].offset;
	need->kind = ref->kind;
	need->property = hv_arena_strdup(p->arena, ref->property);
	need->name = hv_arena_strdup(p->arena, ref->name);
	if (!need->property || (ref->name && !need->name))
		p->nomem = true;
	need->slot = ref->slot;
	need->provider = plan_path(p, provider);
	need->provider_node = p->tree->nodes[provider].offset;
	need->role = decide(p, provider, ref->kind);
	need->n_args = ref->n_args;
	memcpy(need->args, ref->args, sizeof(need->args));
	return need;
}

static uint64_t rate_of(struct hv_fdt_passthrough *p, const struct hv_fdt_plan_need *need,
			int provider)
{
	const fdt32_t *cell;
	uint64_t hz = 0;
	int len;

	if (p->rate)
		hz = p->rate(need->path, need->slot, p->rate_arg);
	if (hz || !fdt_index_compatible(p->tree, provider, "fixed-clock"))
		return hz;
	cell = fdt_index_prop(p->tree, provider, "clock-frequency", &len);
	return cell && len == 4 ? fdt32_ld(cell) : 0;
}

static int take_ref(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	struct collect *c = arg;
	struct hv_fdt_plan_need *need;
	int provider;

	(void)node;
	/* A bus' frame needs nothing but power and clocks. */
	if (plan_frame(c->p, c->user) && ref->kind != HV_REF_CLOCK && ref->kind != HV_REF_POWER &&
	    ref->kind != HV_REF_RESET)
		return 0;
	if (ref->node < 0) {
		plan_problem(c->p, HV_PROBLEM_WARNING, c->user, "%s cannot be followed: %s",
			     ref->property, ref->problem);
		return 0;
	}
	provider = fdt_index_of(tree, ref->node);
	/* Its settings are parts of a pin controller: that is who stays. */
	while (ref->kind == HV_REF_PINCTRL && tree->nodes[provider].parent > 0 &&
	       !fdt_index_string(tree, provider, "compatible"))
		provider = tree->nodes[provider].parent;
	if (plan_owned(c->p, provider) && c->p->roles[provider] != HV_ROLE_COMES)
		return 0;
	/* Within what comes along. */
	if (c->p->roles[c->user] == HV_ROLE_COMES && c->p->roles[provider] == HV_ROLE_COMES &&
	    (tree->nodes[provider].parent == c->user || tree->nodes[c->user].parent == provider))
		return 0;
	need = add_need(c->p, c->user, provider, ref);
	if (need && need->kind == HV_REF_CLOCK && need->role == HV_ROLE_HOST &&
	    strcmp(need->property, "clocks") == 0)
		need->rate = rate_of(c->p, need, provider);
	return 0;
}

/* The controllers of `interrupts`, which name nobody. */
static void take_irq_parent(struct collect *c)
{
	const struct hv_fdt *tree = c->p->tree;
	struct hv_fdt_ref ref = { .kind = HV_REF_IRQ, .property = "interrupts" };
	struct hv_fdt_irq irq;
	int len, parent;

	if (!fdt_index_prop(tree, c->user, "interrupts", &len) ||
	    fdt_index_prop(tree, c->user, "interrupts-extended", &len))
		return;
	parent = fdt_irq_parent(tree, c->user);
	/* A nexus or a router that passes them on is no need. */
	if (parent < 0 || (plan_owned(c->p, parent) && c->p->roles[parent] != HV_ROLE_COMES) ||
	    fdt_irq(tree, c->user, 0, &irq, NULL) == 0)
		return;
	if (fdt_index_prop(tree, parent, "interrupt-controller", &len))
		add_need(c->p, c->user, parent, &ref);
}

static void add_node(struct hv_fdt_passthrough *p, int index, enum hv_fdt_role role,
		     const char *why)
{
	struct hv_fdt_plan_node *node = plan_add(p, &p->nodes, sizeof(*node));

	if (!node)
		return;
	node->path = plan_path(p, index);
	node->node = p->tree->nodes[index].offset;
	node->role = role;
	node->enabled = p->tree->nodes[index].enabled;
	node->registers = plan_mapped(p->tree, index);
	node->why = why;
}

/* "clock 38 of /soc/ethernet@ff3f0000 (…): advice", of the first use of each kind. */
static const char *explain(struct hv_fdt_passthrough *p, int provider, enum hv_fdt_role *role)
{
	const struct hv_fdt_plan_need *needs = p->needs.at;
	const char *text = NULL;
	uint32_t kinds = 0;

	*role = HV_ROLE_VIRTUAL;
	for (size_t i = 0; i < p->needs.n; i++) {
		const struct hv_fdt_plan_need *n = &needs[i];
		unsigned int users = 0;

		if (n->provider_node != p->tree->nodes[provider].offset || n->role == HV_ROLE_COMES)
			continue;
		if (n->role != HV_ROLE_VIRTUAL && *role != HV_ROLE_SHARED)
			*role = n->role;
		if (n->role == HV_ROLE_VIRTUAL || kinds & 1u << n->kind)
			continue;
		kinds |= 1u << n->kind;
		for (size_t k = i + 1; k < p->needs.n; k++)
			users += needs[k].provider_node == n->provider_node &&
				 needs[k].kind == n->kind && needs[k].node != n->node;
		text = hv_arena_printf(p->arena, "%s%s%s of %s%s: %s", text ? text : "",
				       text ? "; " : "", hv_fdt_ref_kind_name(n->kind), n->path,
				       users ? " and others" : "", advice(n->kind));
		if (!text) {
			p->nomem = true;
			return NULL;
		}
	}
	return text;
}

/* What the root zone keeps using of a device that is given away. */
static void check_users(struct hv_fdt_passthrough *p)
{
	const struct plan_edge *edges = p->edges.at;
	char path[FDT_PATH_TEXT];

	for (size_t i = 0; i < p->edges.n; i++) {
		const struct plan_edge *e = &edges[i];

		if (!plan_owned(p, e->provider) || p->roles[e->provider] == HV_ROLE_COMES ||
		    plan_owned(p, e->user) || !p->tree->nodes[e->user].enabled ||
		    e->kind == HV_REF_GRAPH || e->kind == HV_REF_THERMAL)
			continue;
		plan_problem(p, HV_PROBLEM_WARNING, e->provider,
			     "the root zone's %s needs it (%s): disable that as well",
			     fdt_index_path(p->tree, e->user, path, sizeof(path)),
			     hv_fdt_ref_kind_name(e->kind));
	}
}

/* One clock has one rate, whoever uses it: what is known of one use is known of all. */
static void spread_rates(struct hv_fdt_passthrough *p)
{
	struct hv_fdt_plan_need *needs = p->needs.at;

	for (size_t i = 0; i < p->needs.n; i++) {
		struct hv_fdt_plan_need *n = &needs[i];

		if (n->kind != HV_REF_CLOCK || n->role != HV_ROLE_HOST || n->rate ||
		    strcmp(n->property, "clocks") != 0)
			continue;
		for (size_t k = 0; k < p->needs.n && !n->rate; k++)
			if (needs[k].rate && needs[k].provider_node == n->provider_node &&
			    needs[k].n_args == n->n_args &&
			    !memcmp(needs[k].args, n->args, n->n_args * sizeof(*n->args)))
				n->rate = needs[k].rate;
	}
}

void plan_needs(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt *tree = p->tree;
	const struct hv_fdt_plan_need *needs;
	struct collect c = { p, 0 };
	enum hv_fdt_role role;
	const char *why;
	bool *provider;

	provider = hv_arena_array(p->arena, (size_t)tree->n_nodes, sizeof(bool));
	if (!provider) {
		p->nomem = true;
		return;
	}
	for (c.user = 1; c.user < tree->n_nodes; c.user++) {
		if (!plan_owned(p, c.user) && !plan_frame(p, c.user))
			continue;
		hv_fdt_each_ref(tree, tree->nodes[c.user].offset, take_ref, &c);
		if (plan_owned(p, c.user))
			take_irq_parent(&c);
	}
	spread_rates(p);
	needs = p->needs.at;
	for (size_t i = 0; i < p->needs.n; i++)
		if (needs[i].role != HV_ROLE_COMES)
			provider[fdt_index_of(tree, needs[i].provider_node)] = true;
	for (int i = 1; i < tree->n_nodes && !p->nomem; i++) {
		if (plan_owned(p, i) || plan_frame(p, i)) {
			add_node(p, i, p->roles[i], NULL);
		} else if (provider[i]) {
			why = explain(p, i, &role);
			add_node(p, i, role, why);
		}
	}
	check_users(p);
}
