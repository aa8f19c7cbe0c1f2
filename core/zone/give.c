// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zone/give.h"

/* Devices of the machine's tree that a zone is given: their registers and interrupts become its
 * own. */

#define DEPTH_MAX 8 /* of providers that come along for providers */

bool hv_check_real(const struct hv_check *c)
{
	return c->machine->hyp && !hv_hyp_is_sim(c->machine->hyp);
}

/* ---- who asked for it */

/* The entry of the list that a node is given by, or lies below; -1 = none. */
static ssize_t asked_by(const struct give *g, const char *path)
{
	const struct hv_spec_passthrough *p = g->spec;
	int node = hv_fdt_find(g->tree, path, NULL);

	for (; node >= 0; node = hv_fdt_parent(g->tree, node))
		for (size_t i = 0; i < p->n_devices; i++)
			if (p->devices[i].compatible
				    ? hv_fdt_compatible(g->tree, node, p->devices[i].name)
				    : g->nodes[i] == node)
				return (ssize_t)i;
	return -1;
}

/* The same path, or one below it. */
static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

const struct hv_origin *give_origin(const struct give *g, const char *path)
{
	const struct hv_fdt_plan *plan = g->plan;

	for (int depth = 0; depth < DEPTH_MAX && path; depth++) {
		ssize_t i = asked_by(g, path);
		const char *user = NULL;

		if (i >= 0)
			return &g->spec->devices[i].origin;
		for (size_t k = 0; plan && k < plan->n_needs && !user; k++)
			if (is_below(plan->needs[k].provider, path))
				user = plan->needs[k].path;
		path = user;
	}
	return &g->spec->origin;
}

struct hv_finding *give_report(struct give *g, const char *path, enum hv_severity severity,
			       const char *code, const char *message)
{
	return hv_report(g->c, g->e, path, give_origin(g, path), severity, code, "%s", message);
}

/* ---- the tree and what is asked for */

static int open_tree(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	const struct hv_zone_spec *spec = e->written;
	const struct hv_spec_passthrough *p = &spec->passthrough;
	const struct hv_board *board = spec->board ?: c->machine->board;
	const char *path = p->tree ? p->tree : board ? board->tree : NULL;
	struct hv_finding *f;
	struct hv_err why;
	int ret = 0;

	if (path)
		ret = hv_fdt_open_file(path, &e->machine_tree, &why);
	else if (hv_check_real(c))
		ret = hv_fdt_open_running(&e->machine_tree, &why);
	if (ret == -ENOMEM)
		return hv_err_nomem(err);
	if (ret && (path || ret != -ENOENT)) {
		hv_report(c, e, "device tree of the machine",
			  p->tree      ? &p->tree_origin
			  : p->present ? &p->origin
				       : &spec->dtb.origin,
			  HV_ERROR, "tree-unreadable", "%s", why.msg);
		e->plan_failed = true;
	} else if (!e->machine_tree && p->present) {
		f = hv_report(c, e, "passthrough", &p->origin, HV_ERROR, "passthrough-no-tree",
			      "nothing says where the machine's device tree is, from which devices "
			      "are given");
		hv_report_fix(c, f,
			      "passthrough = {tree = \"board.dtb\", …}, or tree = in the board; on "
			      "the board itself the running one is taken");
		e->plan_failed = true;
	}
	return 0;
}

static int any_compatible(const struct hv_fdt *tree, int node, void *arg)
{
	(void)tree;
	(void)node;
	(void)arg;
	return 1;
}

/* Each device by itself, so that each that is wrong is reported where it stands. */
static int find_devices(struct give *g, struct hv_fdt_passthrough_opts *opts, struct hv_err *err)
{
	const struct hv_spec_passthrough *p = g->spec;
	const char **devices, **compatible;
	struct hv_err why;

	g->nodes = hv_arena_array(g->c->set->arena, p->n_devices + 1, sizeof(*g->nodes));
	devices = hv_arena_array(g->c->set->arena, p->n_devices + 1, sizeof(*devices));
	compatible = hv_arena_array(g->c->set->arena, p->n_devices + 1, sizeof(*compatible));
	if (!g->nodes || !devices || !compatible)
		return hv_err_nomem(err);
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct hv_spec_given *d = &p->devices[i];

		g->nodes[i] = -1;
		if (d->compatible) {
			if (hv_fdt_each_compatible(g->tree, d->name, any_compatible, NULL)) {
				compatible[opts->n_compatible++] = d->name;
				continue;
			}
			hv_err_set(&why, ENOENT, "%s: no enabled node is compatible with %s",
				   hv_fdt_label(g->tree), d->name);
		} else {
			g->nodes[i] = hv_fdt_find(g->tree, d->name, &why);
			if (g->nodes[i] >= 0) {
				devices[opts->n_devices++] = d->name;
				continue;
			}
		}
		hv_report(g->c, g->e, d->name, &d->origin, HV_ERROR, "passthrough-unknown", "%s",
			  why.msg);
		g->e->plan_failed = true;
	}
	opts->devices = devices;
	opts->compatible = compatible;
	return 0;
}

/* ---- what becomes the zone's */

static bool spec_has_irq(const struct hv_zone_spec *spec, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (spec->irqs[i].number == number)
			return true;
	return false;
}

/* The first of "a, b and others". */
static const struct hv_origin *first_origin(const struct give *g, const char *paths)
{
	const char *end = strstr(paths, ", ");
	char path[256];

	snprintf(path, sizeof(path), "%.*s", end ? (int)(end - paths) : (int)strlen(paths), paths);
	return give_origin(g, path);
}

static void add_region(const struct give *g, struct hv_spec_region *out,
		       const struct hv_fdt_plan_region *r, enum hv_region_type type)
{
	*out = (struct hv_spec_region){
		.type = type,
		.ipa = r->start,
		.phys = r->start,
		.size = r->size,
		.reserved = type == HV_REGION_RAM,
		.name = hv_arena_strdup(g->c->set->arena, r->what),
		.origin = *first_origin(g, r->what),
	};
}

static int extend_spec(struct give *g, struct hv_err *err)
{
	const struct hv_zone_spec *written = g->e->written;
	const struct hv_fdt_plan *plan = g->plan;
	struct hv_arena *arena = g->c->set->arena;
	struct hv_zone_spec *spec = hv_arena_alloc(arena, sizeof(*spec));
	size_t n = written->n_regions, n_irqs = written->n_irqs;
	struct hv_spec_region *regions;
	struct hv_spec_irq *irqs;

	regions = hv_arena_array(arena, n + plan->n_regions + plan->n_memory + 1, sizeof(*regions));
	irqs = hv_arena_array(arena, n_irqs + plan->n_irqs + 1, sizeof(*irqs));
	if (!spec || !regions || !irqs)
		return hv_err_nomem(err);
	*spec = *written;
	if (n)
		memcpy(regions, written->regions, n * sizeof(*regions));
	if (n_irqs)
		memcpy(irqs, written->irqs, n_irqs * sizeof(*irqs));
	spec->regions = regions;
	spec->irqs = irqs;
	for (size_t i = 0; i < plan->n_regions; i++)
		add_region(g, &regions[n++], &plan->regions[i], HV_REGION_IO);
	for (size_t i = 0; i < plan->n_memory; i++)
		add_region(g, &regions[n++], &plan->memory[i], HV_REGION_RAM);
	for (size_t i = 0; i < plan->n_irqs; i++)
		if (!spec_has_irq(spec, n_irqs, plan->irqs[i].number))
			irqs[n_irqs++] = (struct hv_spec_irq){
				.number = plan->irqs[i].number,
				.origin = *give_origin(g, plan->irqs[i].path),
			};
	spec->n_regions = n;
	spec->n_irqs = n_irqs;
	g->e->zone.spec = spec;
	return 0;
}

int hv_give_devices(struct hv_check *c, struct hv_entry *e, struct hv_err *err)
{
	struct hv_fdt_passthrough_opts opts = { .coalesce = e->written->passthrough.coalesce };
	struct give g = { .c = c, .e = e, .spec = &e->written->passthrough };
	struct hv_err why;
	int ret;

	if (!g.spec->present && !e->written->dtb_auto)
		return 0;
	ret = open_tree(c, e, err);
	g.tree = e->machine_tree;
	if (ret || !g.spec->present || !g.tree)
		return ret;
	ret = find_devices(&g, &opts, err);
	if (ret)
		return ret;
	ret = give_rates_begin(&g, &opts, err);
	if (!ret && !e->plan_failed) {
		ret = hv_fdt_passthrough_new(g.tree, &opts, &e->plan, &why);
		if (ret == -ENOMEM) {
			ret = hv_err_nomem(err);
		} else if (ret) {
			hv_report(c, e, "passthrough", &g.spec->origin, HV_ERROR,
				  "passthrough-unknown", "%s", why.msg);
			e->plan_failed = true;
			ret = 0;
		} else {
			g.plan = hv_fdt_passthrough_plan(e->plan);
			ret = extend_spec(&g, err);
			if (!ret)
				ret = give_report_plan(&g, err);
		}
	}
	give_rates_end(&g);
	return ret;
}
