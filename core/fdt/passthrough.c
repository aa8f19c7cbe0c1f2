// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/passthrough.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fdt/plan.h"

const char *hv_fdt_role_name(enum hv_fdt_role role)
{
	static const char *const names[] = { "named", "below",	 "comes along", "bus",
					     "host",  "virtual", "shared" };

	return role < sizeof(names) / sizeof(*names) ? names[role] : "none";
}

void *plan_add(struct hv_fdt_passthrough *p, struct plan_list *list, size_t size)
{
	if (p->nomem)
		return NULL;
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;
		void *at = reallocarray(list->at, cap, size);

		if (!at) {
			p->nomem = true;
			return NULL;
		}
		list->at = at;
		list->cap = cap;
	}
	return memset((char *)list->at + list->n++ * size, 0, size);
}

const char *plan_path(struct hv_fdt_passthrough *p, int index)
{
	char path[1024];
	const char *copy;

	copy = hv_arena_strdup(p->arena, fdt_index_path(p->tree, index, path, sizeof(path)));
	if (!copy)
		p->nomem = true;
	return copy ? copy : "";
}

void plan_problem(struct hv_fdt_passthrough *p, enum hv_fdt_problem_kind kind, int index,
		  const char *fmt, ...)
{
	struct hv_fdt_plan_problem *problem = plan_add(p, &p->problems, sizeof(*problem));
	char text[HV_ERR_MSG_MAX];
	va_list ap;

	if (!problem)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problem->kind = kind;
	problem->path = plan_path(p, index);
	problem->text = hv_arena_strdup(p->arena, text);
	if (!problem->text) {
		problem->text = "";
		p->nomem = true;
	}
}

bool plan_own_enabled(const struct hv_fdt *tree, int index)
{
	int len;
	const char *status = (const char *)fdt_index_prop(tree, index, "status", &len);

	return !status || (len == 5 && memcmp(status, "okay", 5) == 0) ||
	       (len == 3 && memcmp(status, "ok", 3) == 0);
}

bool plan_mapped(const struct hv_fdt *tree, int index)
{
	uint64_t addr, size;

	return index > 0 && fdt_reg(tree, index, 0, &addr, &size, NULL) == 0 && size > 0 &&
	       !plan_is_memory(tree, index);
}

bool plan_is_bus(const struct hv_fdt *tree, int index)
{
	int len;

	return index == 0 || fdt_index_prop(tree, index, "ranges", &len);
}

bool plan_virtual(const struct hv_fdt *tree, int index)
{
	switch (fdt_irq_controller(tree, index)) {
	case HV_IRQC_GICV2:
	case HV_IRQC_GICV3:
	case HV_IRQC_PLIC:
	case HV_IRQC_APLIC:
		return true;
	default:
		break;
	}
	return fdt_index_compatible(tree, index, "arm,gic-v3-its") ||
	       fdt_index_compatible(tree, index, "arm,gic-v2m-frame") ||
	       fdt_index_compatible(tree, index, "riscv,imsics") ||
	       fdt_index_compatible(tree, index, "riscv,cpu-intc");
}

bool plan_is_memory(const struct hv_fdt *tree, int index)
{
	int parent = tree->nodes[index].parent;
	const char *type = fdt_index_string(tree, index, "device_type");

	if (type && strcmp(type, "memory") == 0)
		return true;
	return parent > 0 && parent == fdt_index_by_path(tree, "/reserved-memory", 16);
}

/* What is no device, whatever its registers. */
static bool refuse(struct hv_fdt_passthrough *p, int index)
{
	const struct hv_fdt *tree = p->tree;
	const char *type = fdt_index_string(tree, index, "device_type");
	int up;

	if (index == 0)
		plan_problem(p, HV_PROBLEM_ERROR, index,
			     "the root of the tree is the whole machine: name devices");
	else if (plan_virtual(tree, index))
		plan_problem(p, HV_PROBLEM_ERROR, index,
			     "an interrupt controller cannot be given away: the hypervisor gives "
			     "each zone one of its own");
	else if (type && strcmp(type, "cpu") == 0)
		plan_problem(p, HV_PROBLEM_ERROR, index,
			     "CPUs are given with the zone's cpus, not as devices");
	else if (plan_is_memory(tree, index))
		plan_problem(p, HV_PROBLEM_ERROR, index,
			     "memory is given with the zone's ram, not as a device");
	else
		return false;
	for (up = index; up < tree->nodes[index].end; up++)
		p->roles[up] = ROLE_NONE;
	return true;
}

static void name_node(struct hv_fdt_passthrough *p, int index)
{
	const struct hv_fdt *tree = p->tree;
	bool *hidden;

	if (p->roles[index] == HV_ROLE_NAMED || refuse(p, index))
		return;
	p->roles[index] = HV_ROLE_NAMED;
	hidden = calloc((size_t)(tree->nodes[index].end - index), sizeof(bool));
	if (!hidden) {
		p->nomem = true;
		return;
	}
	for (int i = index + 1; i < tree->nodes[index].end; i++) {
		int parent = tree->nodes[i].parent;

		hidden[i - index] = hidden[parent - index] || !plan_own_enabled(tree, i) ||
				    plan_virtual(tree, i);
		if (!hidden[i - index] && p->roles[i] != HV_ROLE_NAMED)
			p->roles[i] = HV_ROLE_BELOW;
	}
	free(hidden);
	if (!tree->nodes[index].enabled)
		plan_problem(p, HV_PROBLEM_NOTE, index,
			     "is disabled in this tree; the guest's tree enables it");
}

static int select_nodes(struct hv_fdt_passthrough *p, const struct hv_fdt_passthrough_opts *opts,
			struct hv_err *err)
{
	const struct hv_fdt *tree = p->tree;
	int node;

	if (!opts->n_devices && !opts->n_compatible)
		return hv_err_set(err, EINVAL, "%s: no device is asked for", tree->label);
	for (size_t i = 0; i < opts->n_devices; i++) {
		node = hv_fdt_find(tree, opts->devices[i], err);
		if (node < 0)
			return node;
		name_node(p, fdt_index_of(tree, node));
	}
	for (size_t c = 0; c < opts->n_compatible; c++) {
		bool found = false;

		for (int i = 0; i < tree->n_nodes; i++) {
			if (!tree->nodes[i].enabled ||
			    !fdt_index_compatible(tree, i, opts->compatible[c]))
				continue;
			found = true;
			name_node(p, i);
		}
		if (!found)
			return hv_err_set(err, ENOENT, "%s: no enabled node is compatible with %s",
					  tree->label, opts->compatible[c]);
	}
	return 0;
}

/* Named nodes that only make sense as part of another. */
static void check_places(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt *tree = p->tree;
	char path[FDT_PATH_TEXT];

	for (int i = 1; i < tree->n_nodes; i++) {
		int parent = tree->nodes[i].parent;

		if (p->roles[i] != HV_ROLE_NAMED || plan_owned(p, parent) ||
		    plan_is_bus(tree, parent) || plan_mapped(tree, i))
			continue;
		while (tree->nodes[parent].parent > 0 && !plan_mapped(tree, parent) &&
		       !plan_is_bus(tree, tree->nodes[parent].parent))
			parent = tree->nodes[parent].parent;
		plan_problem(p, HV_PROBLEM_ERROR, i,
			     "is reached only through %s, which would have to be given away as a "
			     "whole: name that",
			     fdt_index_path(tree, parent, path, sizeof(path)));
	}
}

static void check_console(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt *tree = p->tree;
	int chosen = fdt_index_by_path(tree, "/chosen", 7);
	const char *text = chosen < 0 ? NULL : fdt_index_string(tree, chosen, "stdout-path");
	char name[256];
	int node;

	if (!text)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ":"), text);
	node = hv_fdt_find(tree, name, NULL);
	if (node >= 0 && plan_owned(p, fdt_index_of(tree, node)))
		plan_problem(p, HV_PROBLEM_WARNING, fdt_index_of(tree, node),
			     "is the root zone's console (stdout-path): it would be without one, "
			     "and so would the hypervisor");
}

static const void *take(struct hv_fdt_passthrough *p, struct plan_list *list, size_t size)
{
	void *at = hv_arena_array(p->arena, list->n ? list->n : 1, size);

	if (!at)
		p->nomem = true;
	else if (list->n)
		memcpy(at, list->at, list->n * size);
	return at;
}

#define TAKE(p, list)                                                                              \
	((p)->plan.n_##list = (p)->list.n,                                                         \
	 (p)->plan.list = take(p, &(p)->list, sizeof(*(p)->plan.list)))

static void free_lists(struct hv_fdt_passthrough *p)
{
	struct plan_list *lists[] = { &p->edges, &p->nodes, &p->needs, &p->regions, &p->memory,
				      &p->irqs,	 &p->pages, &p->dma,   &p->problems };

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		free(lists[i]->at);
		*lists[i] = (struct plan_list){ 0 };
	}
}

static struct hv_fdt_passthrough *begin(const struct hv_fdt *tree)
{
	struct hv_fdt_passthrough *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->tree = tree;
	p->arena = hv_arena_new();
	p->roles = malloc((size_t)tree->n_nodes);
	if (!p->arena || !p->roles) {
		hv_fdt_passthrough_free(p);
		return NULL;
	}
	memset(p->roles, ROLE_NONE, (size_t)tree->n_nodes);
	return p;
}

static int finish(struct hv_fdt_passthrough *p, struct hv_err *err)
{
	TAKE(p, nodes);
	TAKE(p, needs);
	TAKE(p, regions);
	TAKE(p, memory);
	TAKE(p, irqs);
	TAKE(p, pages);
	TAKE(p, dma);
	TAKE(p, problems);
	if (p->nomem)
		return hv_err_nomem(err);
	free_lists(p);
	free(p->roles);
	p->roles = NULL;
	p->tree = NULL;
	return 0;
}

int hv_fdt_passthrough_new(const struct hv_fdt *tree, const struct hv_fdt_passthrough_opts *opts,
			   struct hv_fdt_passthrough **out, struct hv_err *err)
{
	struct hv_fdt_passthrough *p = begin(tree);
	int rc;

	if (!p)
		return hv_err_nomem(err);
	p->rate = opts->rate;
	p->rate_arg = opts->rate_arg;
	rc = select_nodes(p, opts, err);
	if (!rc && !plan_close(p)) {
		check_places(p);
		check_console(p);
		plan_needs(p);
		plan_regs(p, opts->coalesce);
		plan_irqs(p);
		plan_dma(p);
	}
	if (!rc)
		rc = finish(p, err);
	if (rc)
		hv_fdt_passthrough_free(p);
	else
		*out = p;
	return rc;
}

int hv_fdt_shared_pages_new(const struct hv_fdt *tree, struct hv_fdt_passthrough **out,
			    struct hv_err *err)
{
	struct hv_fdt_passthrough *p = begin(tree);
	int rc;

	if (!p)
		return hv_err_nomem(err);
	plan_shared_pages(p);
	rc = finish(p, err);
	if (rc)
		hv_fdt_passthrough_free(p);
	else
		*out = p;
	return rc;
}

void hv_fdt_passthrough_free(struct hv_fdt_passthrough *p)
{
	if (!p)
		return;
	free_lists(p);
	free(p->roles);
	hv_arena_free(p->arena);
	free(p);
}

const struct hv_fdt_plan *hv_fdt_passthrough_plan(const struct hv_fdt_passthrough *plan)
{
	return &plan->plan;
}
